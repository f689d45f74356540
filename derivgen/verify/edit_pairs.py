"""Two edits at once: mistakes that are made together, as a transpose and a slope forgotten."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from derivgen.formulas.terms import Path, Term
from derivgen.verify.desk import Desk, Edit
from derivgen.verify.edit_factors import sample_means, signs, twos
from derivgen.verify.edit_indices import (
    forgotten_sums,
    index_swaps,
    orders,
    shifted_times,
    transposes,
    turned_orders,
)
from derivgen.verify.edit_slopes import (
    matrix_slopes,
    missing_slopes,
    own_slopes,
    slope_arguments,
    slopes_beside,
    squares,
)

Generator = Callable[[Desk], Iterator[Edit]]
# What is often wrong in a formula beside a second thing, and that second thing.
FIRST: tuple[Generator, ...] = (
    transposes,
    turned_orders,
    orders,
    forgotten_sums,
    index_swaps,
    sample_means,
    signs,
    shifted_times,
)
SECOND: tuple[Generator, ...] = (
    matrix_slopes,
    slopes_beside,
    missing_slopes,
    own_slopes,
    slope_arguments,
    squares,
    signs,
    twos,
    shifted_times,
)
MAX_FIRST = 40  # of one kind
MAX_SECOND = 30


@dataclass(frozen=True)
class Pair:
    """Two edits; ``new`` is the member after both, the mistakes are what each one mends."""

    mistake: str
    also: str
    new: Term


def pairs(desk: Desk, fits: Callable[[Term], bool]) -> Iterator[Pair]:
    """Yield pairs of edits; ``fits`` tells whether the first leaves the right shape."""
    for first in FIRST:
        for one in _some(first(desk), MAX_FIRST):
            half = changed(desk.member, one.path, one.new)
            if not fits(half):
                continue
            for second in SECOND:
                for other in _some(second(replace(desk, member=half)), MAX_SECOND):
                    yield Pair(one.mistake, other.mistake, changed(half, other.path, other.new))


def _some(edits: Iterator[Edit], most: int) -> Iterator[Edit]:
    for number, edit in enumerate(edits):
        if number >= most:
            return
        yield edit


def changed(term: Term, path: Path, new: Term) -> Term:
    """Return the term with a node exchanged; what lies above it is to be written anew."""
    if not path:
        return new
    args = list(term.args)
    args[path[0]] = changed(args[path[0]], path[1:], new)
    return Term(term.op, tuple(args), term.data)
