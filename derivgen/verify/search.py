"""Trying many edits of one claim: the other side is computed once, common parts are remembered.

An edit is tried at one small point, then at a few more; only what holds there is compared in full.
The budget counts parts evaluated, not time, so that no verdict depends on the load of a machine.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import islice
from typing import Any

import numpy as np

from derivgen.formulas.symbols import Symbols
from derivgen.formulas.terms import Claim, Fold, Term, walk
from derivgen.verify.compare import Worlds, agreement, diagonal_meant
from derivgen.verify.context import Context, Memo, NoPoint, Reading, Value, evaluate
from derivgen.verify.draw import Draw
from derivgen.verify.numeric import NoValue
from derivgen.verify.points import (
    infer_letters,
    kept_sizes,
    limited,
    points,
    shifted_elements,
    speaks,
)
from derivgen.verify.world import Blocked

MAX_POINTS = 40  # at which a Jacobian is tried on and off its diagonal
TRIED = 5  # points at which an edit is tried before it is compared in full
Letters = dict[str, tuple[Any, ...]]


class Spent(Exception):
    """The budget is used up."""


@dataclass
class Bench:
    """One claim under one reading, in one world: its left side at a few points."""

    anchor: Term
    member: Term
    claim: Claim
    symbols: Symbols
    worlds: Worlds
    reading: Reading
    draw: Draw
    memos: dict[tuple[Any, ...], Memo] = field(default_factory=dict)

    @cached_property
    def contexts(self) -> list[Context]:
        """Return the points: one from the middle first, where no path has ended yet."""
        pair = (self.anchor, self.member)
        keep = kept_sizes(pair, self.claim, self.symbols)
        world = self.worlds.get(replace(self.draw, keep=keep))
        found = list(
            limited(points(pair, self.claim, self.symbols, world, self.reading, self.draw.seed))
        )
        middle = (len(found) - 1) // 2
        ordered = found[middle : middle + 1] + found[::-1]
        kept = [c for number, c in enumerate(ordered) if number == 0 or c is not ordered[0]]
        told = islice((c for c in kept if not self._is_silent(c)), TRIED)
        return [replace(c, memo=self._memo(self.claim.letters)) for c in told]

    def _is_silent(self, context: Context) -> bool:
        """Tell whether the claim says nothing here: a product that ends before it begins."""
        if not any(isinstance(t.data, Fold) and t.data.op == "prod" for _, t in walk(self.member)):
            return False
        try:
            evaluate(self.member, context)
        except NoPoint:
            return True
        except (NoValue, ArithmeticError, ValueError):
            return False
        return False

    def agreements(self, one: str, other: str) -> dict[bool, bool]:
        """Tell whether the member is right where two letters are equal, and where they differ."""
        world = self.worlds.get(self.draw)
        pair = (self.anchor, self.member)
        found: dict[bool, bool] = {}
        every = points(pair, self.claim, self.symbols, world, self.reading, self.draw.seed)
        for context in islice(every, MAX_POINTS):
            left, right = _value(self.anchor, context), _value(self.member, context)
            same = context.at.get(one) == context.at.get(other)
            right_here = left is not None and right is not None
            found[same] = (
                found.get(same, True) and right_here and agreement(left, right) is not None
            )
        return found

    def _memo(self, letters: Letters) -> Memo:
        key = tuple(letters.items())
        if key not in self.memos:
            self.memos[key] = Memo(tuple(n for n, k in letters.items() if k[0] == "family"))
        return self.memos[key]

    @property
    def work(self) -> int:
        """Return how many parts of formulas were evaluated so far."""
        return sum(memo.work for memo in self.memos.values())

    @cached_property
    def values(self) -> list[Value | None]:
        """Return the left side at every point; ``None`` where it says nothing."""
        return [_value(self.anchor, context) for context in self.contexts]

    def left(self, blocked: Blocked) -> Iterator[Value | None]:
        """Yield the left side at every point with one dependence taken for constant."""
        for context in self.contexts:
            world = context.world.without(*blocked)
            yield _value(self.anchor, replace(context, world=world, memo=None))

    def holds(self, new: Term) -> bool:
        """Tell whether an edited right side agrees at the points where it speaks."""
        letters = infer_letters((self.anchor, new), self.claim, self.symbols)
        memo = self._memo(letters)
        shifted = shifted_elements(new)
        seen = 0
        for context, left in zip(self.contexts, self.values):
            here = replace(context, letters=letters, memo=memo)
            if left is None or not speaks(shifted, here):
                continue
            right = _value(new, here)
            if right is None:
                return False
            if agreement(*diagonal_meant((self.anchor, new), (left, right))) is None:
                return False
            seen += 1
        return seen > 0

    def fits(self, new: Term) -> bool:
        """Tell whether an edited right side has the shape of the left one."""
        for context, left in zip(self.contexts, self.values):
            right = _value(new, context)
            if left is not None and right is not None:
                return bool(np.shape(left) == np.shape(right))
        return False

    def right(self) -> Iterator[Value | None]:
        """Yield the right side as written at every point."""
        for context in self.contexts:
            yield _value(self.member, context)


def _value(term: Term, context: Context) -> Value | None:
    try:
        return evaluate(term, context)
    except (NoValue, ZeroDivisionError, OverflowError, ValueError):
        return None


@dataclass
class Search:
    """All readings of one claim, plainest first, and what may still be spent on it."""

    benches: list[Bench]
    confirm: Callable[[Term, Reading], bool]
    budget: int

    def holds(self, new: Term) -> bool:
        """Tell whether an edited right side makes the claim true. Raises: Spent."""
        if sum(bench.work for bench in self.benches) > self.budget:
            raise Spent
        return any(b.holds(new) and self.confirm(new, b.reading) for b in self.benches)
