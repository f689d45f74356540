"""Whether two members of a chain are equal: at random points, small sizes, under some reading.

Sizes are pairwise unequal, so that a transpose cannot hide, and then equal. A pair that agrees
everywhere under one reading is reported with the digits it agreed to.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from derivgen.formulas.symbols import Symbols
from derivgen.formulas.terms import Claim, Term
from derivgen.verify.context import (
    Context,
    NoPoint,
    Reading,
    ShapeMismatch,
    evaluate,
)
from derivgen.verify.draw import Draw, make_world
from derivgen.verify.numeric import NoValue, mp
from derivgen.verify.points import kept_sizes, limited, points
from derivgen.verify.readings import features, readings
from derivgen.verify.slices import NO_FORM, by_elements, nonzero_entries
from derivgen.verify.world import World

# Differences lose 20 of 60 digits a level and wrong formulas are off by far more.
TOLERANCE = mp.mpf(10) ** -12
NO_POINT = "the formula speaks of no element of this network"
DRAWS = (Draw(seed=11, own=True), Draw(seed=47, equal=True))


@dataclass
class Worlds:
    """The worlds of one network, made when first asked for."""

    network: Any
    made: dict[Draw, World | NoValue] = field(default_factory=dict)
    spent: int = 0  # scalar operations of all comparisons so far

    def get(self, draw: Draw) -> World:
        """Return the world of a draw. Raises: NoValue, if it cannot be made."""
        if draw not in self.made:
            try:
                self.made[draw] = make_world(self.network, draw)
            except NoValue as error:
                self.made[draw] = error
        found = self.made[draw]
        if isinstance(found, NoValue):
            raise found
        self.spent += found.trace.work
        found.trace.work = 0
        return found


@dataclass(frozen=True)
class Outcome:
    """What comparing two members gave.

    ``equal`` is ``None`` where nothing could be compared (``reason`` says why). ``digits`` is the
    worst agreement; ``place`` and the two values are the first point of disagreement.
    """

    equal: bool | None
    digits: int = 0
    reason: str = ""
    place: tuple[tuple[str, int], ...] = ()
    left: str = ""
    right: str = ""
    shape: bool = False
    reading: Reading = field(default_factory=Reading)


def compare_terms(
    left: Term,
    right: Term,
    claim: Claim,
    symbols: Symbols,
    worlds: Worlds,
    reading: Reading,
    draws: Sequence[Draw] = DRAWS,
) -> Outcome:
    """Compare two members in every world of ``draws`` under one reading."""
    digits, compared = 60, 0
    keep = kept_sizes((left, right), claim, symbols)
    for draw in draws:
        try:
            world = worlds.get(replace(draw, keep=keep))
        except NoValue as error:
            if draw.equal and compared:  # sizes that cannot be equal, as a window and its signal
                continue
            return Outcome(None, reason=error.reason)
        outcome = _in_world(left, right, claim, symbols, world, reading, draw.seed)
        if outcome.equal is None and outcome.reason == NO_POINT:
            if compared:
                continue
            outcome = _elsewhere(left, right, claim, symbols, worlds, reading, draw)
        if not outcome.equal:
            return replace(outcome, reading=reading)
        digits = min(digits, outcome.digits)
        compared += 1
    return Outcome(True, digits, reading=reading)


WIDER = tuple(Draw(seed=seed, scale=scale) for scale in (3, 9) for seed in (5, 23, 61))


def _elsewhere(
    left: Term,
    right: Term,
    claim: Claim,
    symbols: Symbols,
    worlds: Worlds,
    reading: Reading,
    draw: Draw,
) -> Outcome:
    """Compare at the declared sizes, or at larger numbers, where a condition holds nowhere yet."""
    own = replace(draw, own=False, equal=False, keep=tuple(symbols.sizes))
    outcome = Outcome(None, reason=NO_POINT)
    for other in (own, *WIDER) if claim.guards else (own,):
        try:
            world = worlds.get(other)
        except NoValue as error:
            return Outcome(None, reason=error.reason)
        outcome = _in_world(left, right, claim, symbols, world, reading, other.seed)
        if outcome.reason != NO_POINT:
            break
    return outcome


def _in_world(
    left: Term,
    right: Term,
    claim: Claim,
    symbols: Symbols,
    world: World,
    reading: Reading,
    seed: int,
) -> Outcome:
    digits, count, silent = 60, 0, True
    for context in limited(points((left, right), claim, symbols, world, reading, seed)):
        try:
            one, other = _sides(context, reading)
            values = (evaluate(left, one), evaluate(right, other))
        except NoPoint:
            continue
        except ShapeMismatch as error:
            return Outcome(False, reason=error.reason, shape=True, place=_place(context))
        except NoValue as error:
            return Outcome(None, reason=error.reason)
        except (ZeroDivisionError, OverflowError, ValueError):
            return Outcome(None, reason="no finite value")
        agreed = agreement(*diagonal_meant((left, right), values))
        count += 1
        if agreed is None:
            return _different(values, context)
        digits = min(digits, agreed)
        silent = silent and all(np.all(value == 0) for value in values)
    if count and silent and reading.immediate and right.op != "number":
        return Outcome(False, left="0", right="0")  # that nothing acts at once claims nothing
    return Outcome(True, digits) if count else Outcome(None, reason=NO_POINT)


def diagonal_meant(terms: tuple[Term, Term], values: tuple[Any, Any]) -> tuple[Any, Any]:
    """Take a vector beside a square Jacobian for its diagonal: ``dc_t/dc_{t-1} = f_t``."""
    left, right = values
    if not (isinstance(left, np.ndarray) and isinstance(right, np.ndarray)):
        return values
    if terms[0].op != "gradient" or left.shape != (right.size, right.size) or 1 not in right.shape:
        return values
    made = left * 0
    for place, value in enumerate(right.reshape(-1)):
        made[place, place] = value
    return left, made


def is_fixed(term: Term, claim: Claim, stage: Any) -> bool:
    """Tell whether a term is one number, whatever the parameters and the data are."""
    found: list[Any] = []
    for draw in (*DRAWS, Draw(seed=5)):
        try:
            world = stage.worlds.get(draw)
            given = points((term,), claim, stage.symbols, world, Reading(), draw.seed)
            found += [evaluate(term, context) for context in limited(given)]
        except (NoValue, NoPoint, ZeroDivisionError, ValueError):
            return False
    plain = bool(found) and not any(isinstance(value, np.ndarray) for value in found)
    return plain and all(agreement(value, found[0]) is not None for value in found)


def _different(values: tuple[Any, Any], context: Context) -> Outcome:
    shapes = [getattr(v, "shape", ()) for v in values]
    reason = ""
    if shapes[0] != shapes[1]:
        reason = f"{_shape_text(shapes[0])} != {_shape_text(shapes[1])}"
    left, right = _first_difference(*values)
    return Outcome(
        False,
        reason=reason,
        place=_place(context),
        left=left,
        right=right,
        shape=shapes[0] != shapes[1],
    )


def _shape_text(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape)) if shape else "a number"


def _first_difference(left: Any, right: Any) -> tuple[str, str]:
    if isinstance(left, np.ndarray) and isinstance(right, np.ndarray) and left.shape == right.shape:
        for a, b in zip(left.reshape(-1), right.reshape(-1)):
            if agreement(a, b) is None:
                return mp.nstr(a, 8), mp.nstr(b, 8)
    return _text(left), _text(right)


def _text(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return "[" + ", ".join(mp.nstr(v, 5) for v in value.reshape(-1)[:4]) + "]"
    return str(mp.nstr(value, 8))


def _place(context: Context) -> tuple[tuple[str, int], ...]:
    return tuple((name, value) for name, value in context.at.items() if not name.startswith("#"))


def agreement(left: Any, right: Any) -> int | None:
    """Return to how many digits two values agree, or ``None`` if they do not."""
    arrays = [isinstance(v, np.ndarray) for v in (left, right)]
    if all(arrays):
        if left.shape != right.shape:
            return None
        found = [agreement(a, b) for a, b in zip(left.reshape(-1), right.reshape(-1))]
        numbers = [f for f in found if f is not None]
        return min(numbers, default=60) if len(numbers) == len(found) else None
    if any(arrays):
        array, other = (left, right) if arrays[0] else (right, left)
        if other == 0:
            return agreement(array, array * 0)
        if other == 1 and array.ndim == 2 and array.shape[0] == array.shape[1]:
            return agreement(array, _identity(array))  # an empty product of Jacobians
        return None
    difference, scale = abs(left - right), max(abs(left), abs(right), mp.mpf(1) / 1000)
    if difference > TOLERANCE * scale:
        return None
    return 60 if difference == 0 else min(60, int(mp.floor(-mp.log10(difference / scale))))


def _identity(array: Any) -> Any:
    return array * 0 + np.eye(len(array), dtype=int)


def best_outcome(
    left: Term,
    right: Term,
    claim: Claim,
    symbols: Symbols,
    worlds: Worlds,
    base: Reading,
    draws: Sequence[Draw] = DRAWS,
) -> Outcome:
    """Return the first reading under which the members agree, or the plainest disagreement."""
    first: Outcome | None = None
    for reading in readings(features((left, right), claim, symbols), base):
        outcome = compare_terms(left, right, claim, symbols, worlds, reading, draws)
        if outcome.equal:
            return outcome
        if first is None or (first.equal is None and outcome.equal is False):
            first = outcome
    assert first is not None, "there is at least one reading"
    sliced = by_elements(left, right, claim, symbols)
    if sliced is None:
        return first
    found = best_outcome(*sliced, symbols, worlds, base, draws)
    if found.equal or first.reason != NO_FORM:
        return found if found.equal else first
    for pair in nonzero_entries(left, right, claim, symbols):
        entries = best_outcome(*pair, symbols, worlds, base, draws)
        if entries.equal:
            return replace(entries, reading=replace(entries.reading, entries=True))
        found = entries if entries.equal is False and not entries.shape else found
    return replace(first, equal=None) if found.shape or found.equal is None else found


def _sides(context: Context, reading: Reading) -> tuple[Context, Context]:
    """Return where each member is evaluated: the derivative on the left may be the total one."""
    if reading.immediate != "member":
        return context, context
    total, own = (replace(reading, immediate=way) for way in ("", "parameters"))
    return replace(context, reading=total, memo=None), replace(context, reading=own, memo=None)
