"""The smallest counterexample: one or two of everything, small whole numbers, both sides.

Each draw is a tiny world; the first at which the sides differ is shown, with the numbers it was
given. Where a comparison inside the network is a tie the slope is a convention, and the world is
passed over.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from typing import Any

import numpy as np

from derivgen.algebra.expressions import Call, Reduce, walk
from derivgen.algebra.network import Network
from derivgen.errors import DerivgenError
from derivgen.formulas.symbols import Symbols
from derivgen.formulas.terms import Claim, Ref, Term
from derivgen.formulas.terms import walk as walk_term
from derivgen.verify.compare import Worlds, agreement
from derivgen.verify.context import Context, Reading, evaluate
from derivgen.verify.draw import Draw
from derivgen.verify.notebook import Notebook
from derivgen.verify.numeric import NoValue, mp
from derivgen.verify.points import kept_sizes, points
from derivgen.verify.stage import Stage
from derivgen.verify.world import World

SIZES = (1, 2)
SEEDS = (1, 2, 3, 4, 5, 6)
MOST_POINTS = 16
MOST_SHOWN = 12  # given numbers
LARGEST_DENOMINATOR = 99
TIED = ("abs", "max", "min", "sign", "floor")


@dataclass(frozen=True)
class Example:
    """Where two sides differ: the sizes and numbers given, the place, and both values."""

    given: tuple[tuple[str, str], ...]
    place: tuple[tuple[str, str], ...]
    entry: tuple[int, ...]
    left: str
    right: str


def smallest(
    left: Term, right: Term, claim: Claim, symbols: Symbols, worlds: Worlds, reading: Reading
) -> Example | None:
    """Return an example in small whole numbers at which two members differ, if one is found."""
    members = (left, right)
    if symbols.network is None or _has_ties(symbols.network):
        return None
    for world in _worlds(members, claim, symbols, worlds, reading):
        try:
            found = points(members, claim, symbols, world, reading, 1)
            for context in islice(found, MOST_POINTS):
                values = evaluate(left, context), evaluate(right, context)
                if agreement(*values) is None and not world.trace.ties:
                    return _example(values, context, members)
        except (NoValue, DerivgenError, ArithmeticError, ValueError):
            continue
    return None


def _worlds(
    members: tuple[Term, Term], claim: Claim, symbols: Symbols, worlds: Worlds, reading: Reading
) -> Iterator[World]:
    several = reading.mean or reading.total or bool(reading.batch)
    several = several or any(key[0] == "sample" for key in claim.letters.values())
    keep = kept_sizes(members, claim, symbols)
    for size in SIZES:
        for seed in SEEDS:
            draw = Draw(seed, keep=keep, samples=2 if several else 1, whole=True, size=size)
            try:
                yield worlds.get(draw)
            except NoValue:
                continue


def _has_ties(network: Network) -> bool:
    parts = (part for equation in network.equations for part in walk(equation.rhs))
    return any(
        (isinstance(p, Call) and p.name in TIED)
        or (isinstance(p, Reduce) and p.op in ("max", "min", "argmax", "argmin"))
        for p in parts
    )


def _example(values: tuple[Any, Any], context: Context, members: tuple[Term, Term]) -> Example:
    entry, left, right = _first_difference(*values)
    world = context.world
    given = [(dim.name, str(n)) for dim, n in world.numbers.sizes.items()]
    given += _numbers(world, members)
    place = [(name, str(n)) for name, n in context.at.items() if not name.startswith("#")]
    free = {t.data for m in members for _, t in walk_term(m) if t.op == "free"}
    given += [(str(n), number_text(context.free[n])) for n in sorted(free) if n in context.free]
    return Example(tuple(given), tuple(place), entry, left, right)


def _first_difference(left: Any, right: Any) -> tuple[tuple[int, ...], str, str]:
    """Return the first entry that differs, counted from 1, and both values there."""
    shape = getattr(left, "shape", ())
    if shape and shape == getattr(right, "shape", ()):
        for place in np.ndindex(*shape):
            if agreement(left[place], right[place]) is None:
                here = tuple(n + 1 for n in place)
                return here, number_text(left[place]), number_text(right[place])
    return (), _matrix_text(left), _matrix_text(right)


def _matrix_text(value: Any) -> str:
    if not isinstance(value, np.ndarray):
        return number_text(value)
    rows = value.reshape(value.shape[0], -1)
    return "(" + "; ".join(", ".join(number_text(v) for v in row) for row in rows) + ")"


def number_text(value: Any) -> str:
    """Return a number as a whole number or simple fraction where it is one, else in 6 digits."""
    near = Fraction(str(mp.nstr(value, 40))).limit_denominator(LARGEST_DENOMINATOR)
    gap = abs(mp.mpf(near.numerator) / near.denominator - value)
    return str(near) if gap < mp.mpf(10) ** -25 else str(mp.nstr(value, 6))


def _numbers(world: World, members: tuple[Term, Term]) -> list[tuple[str, str]]:
    """Return the numbers a world was given, by tensor: those a formula names if they are many."""
    named = {t.data.tensor for m in members for _, t in walk_term(m) if isinstance(t.data, Ref)}
    found: dict[str, list[Any]] = {}
    for (_, tensor, _), value in sorted(world.numbers.given.items(), key=lambda item: item[0]):
        found.setdefault(tensor, []).append(value)
    if sum(map(len, found.values())) > MOST_SHOWN:
        found = {name: values for name, values in found.items() if name in named}
    if sum(map(len, found.values())) > MOST_SHOWN:
        return []
    return [(name, _listed(found[name])) for name in world.network.tensors if name in found]


def _listed(values: list[Any]) -> str:
    texts = [number_text(value) for value in values]
    return texts[0] if len(texts) == 1 else "(" + ", ".join(texts) + ")"


def shown(
    pair: tuple[Term, Term], claim: Claim, stage: Stage, reading: Reading, notebook: Notebook
) -> str:
    """Return the smallest example at which two members differ in words, empty if there is none."""
    example = smallest(*pair, claim, stage.symbols, stage.worlds, reading)
    return "" if example is None else example_words(example, notebook)


def example_words(example: Example, notebook: Notebook) -> str:
    """Return an example in words: what is given, where, and both values."""
    given = ", ".join(f"{name} = {value}" for name, value in example.given)
    place = ", ".join(f"{name} = {value}" for name, value in example.place)
    if example.entry:
        entry = notebook.say("example-entry", text=", ".join(map(str, example.entry)))
        place = f"{place}, {entry}" if place else entry
    where = notebook.say("example-place", text=place) if place else ""
    return notebook.say("example", given=given, place=where, left=example.left, right=example.right)
