"""What bound letters run over: whole axes, or the part that is written."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from derivgen.algebra.affine import evaluate_affine
from derivgen.formulas.terms import At, Bound
from derivgen.verify.context import (
    Context,
    at_value,
    span_of,
)
from derivgen.verify.numeric import NoValue


def over_samples(context: Context) -> Iterator[Context]:
    """A sum without a letter runs over the samples."""
    for sample in range(context.world.samples):
        yield replace(context, sample=sample, one_sample=True)


def points(bounds: tuple[Bound, ...], context: Context) -> Iterator[Context]:
    if not bounds:
        yield context
        return
    first = bounds[0]
    for value in range_of(first, context):
        inner = context.with_letters({first.letter: value})
        if first.without is not None and at_value(first.without, inner) == value:
            continue
        if context.letters.get(first.letter, ("",))[0] == "sample":
            inner = replace(inner, sample=value, one_sample=True)
        yield from points(bounds[1:], inner)


def range_of(bound: Bound, context: Context) -> range:
    """Return the values of a bound letter: its whole range, or the part that is written.

    A written range counts as paper does: from 1 or 0 to the size means the whole axis.
    """
    if bound.letter not in context.letters:
        return _written_only(bound, context)
    whole = span_of(bound.letter, context)
    low, high = bound.low, bound.high
    if low is not None and high is not None and not low.written:
        return range(at_value(low, context), at_value(high, context) + 1)  # a plain claim's own
    if low is None and high is None:
        return whole
    start = whole.start
    from_written = low is not None and not low.letters and low.constant in (0, 1)
    base = low.constant if low is not None and from_written else context.base
    if low is None:
        pass  # k < t: from the first on
    elif low.letters:
        start = at_value(low, context, whole.start)
    elif low.constant not in (0, 1):
        start = whole.start + low.constant - 1 if whole.start == 0 else low.constant
    if high is None:
        return range(start, whole.stop)
    declared = _declared_count(context.letters[bound.letter], context)
    return range(start, _end(high, whole, base, declared, context))


def _written_only(bound: Bound, context: Context) -> range:
    """Return the range of a letter that indexes nothing: only numbers and sizes can say it."""
    if bound.low is None or bound.high is None:
        raise NoValue(f"the index {bound.letter} runs over nothing known")
    return range(at_value(bound.low, context), at_value(bound.high, context) + 1)


def _end(high: At, whole: range, base: int, declared: int | None, context: Context) -> int:
    if not high.letters:
        # Where an axis starts at 1, numerals are its own: from 0 to 3 is the start and three times.
        count = high.constant - (base if whole.start == 0 else whole.start) + 1
        return whole.stop if count == declared else whole.start + count
    bound_letters = [name for name, _ in high.letters if name in context.at]
    if bound_letters:
        return at_value(high, context) + 1
    sizes = [_known_size(name, context) for name, _ in high.letters]
    if len(sizes) > 1 and None not in sizes:  # N - K: counted from the base that is written
        return whole.start + at_value(high, context) - base + 1
    known = sizes[0]
    if known is None or known == len(whole):
        shift = high.constant + (1 if base == 0 and high.constant < 0 else 0)
        return whole.stop + shift
    return whole.start + known + high.constant


def _declared_count(key: tuple[Any, ...], context: Context) -> int | None:
    """Return how many values the network declares for a letter: written, it means all of them."""
    if key[0] != "axis":
        return None
    network = context.world.network
    sizes = {dim: size for dim, size in network.dims.items() if size is not None}
    try:
        return evaluate_affine(key[2], sizes) - evaluate_affine(key[1], sizes)
    except KeyError:
        return None


def _known_size(name: str, context: Context) -> int | None:
    for dim, value in context.world.numbers.sizes.items():
        if dim.name == name:
            return value
    return None
