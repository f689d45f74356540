"""Break a long formula into lines, at the outermost operator that fits."""

from __future__ import annotations

from collections.abc import Callable

from derivgen.forms.math import DOT, Fenced, Math, Op, Row, row, width

SIGNS = ("+", "-")
Measure = Callable[[Math], int]
PRODUCTS = ("times", "cdot", "odot", "circ", "otimes", "star")


def broken(math: Math, limit: int, measure: Measure = width) -> list[Math]:
    """Return the formula in pieces of at most ``limit`` rough characters where that can be done.

    A piece after the first begins with its operator. A product broken at a blank gets a dot there;
    a sum in parentheses is broken inside them if nothing else helps.
    """
    if measure(math) <= limit or not isinstance(math, Row):
        return [math]
    chunks = _chunks(math.items, SIGNS)
    if len(chunks) == 1:
        chunks = _chunks(math.items, PRODUCTS)
    finer = [piece for chunk in chunks for piece in _finer(chunk, limit, measure)]
    return _packed(finer, limit, measure) if len(finer) > 1 else [math]


def _finer(chunk: list[Math], limit: int, measure: Measure) -> list[list[Math]]:
    """Break a chunk that is too long for a line at its products, then inside its parentheses."""
    if measure(row(*chunk)) <= limit:
        return [chunk]
    factors = _chunks(tuple(chunk), PRODUCTS)
    if len(factors) > 1:
        return [piece for factor in factors for piece in _finer(factor, limit, measure)]
    *before, last = chunk
    if isinstance(last, Fenced) and last.kind == "(" and isinstance(last.body, Row):
        inner = broken(last.body, limit - 6, measure)
        if len(inner) > 1:
            opened = [*before, Fenced("opened", inner[0])]
            return [opened, *([p] for p in inner[1:-1]), [Fenced("closed", inner[-1])]]
    return [chunk]


def _chunks(items: tuple[Math, ...], keys: tuple[str, ...]) -> list[list[Math]]:
    chunks: list[list[Math]] = [[]]
    for item in items:
        if isinstance(item, Op) and item.key in keys and chunks[-1]:
            chunks.append([])
            item = DOT if item.key == "times" else item
        chunks[-1].append(item)
    return chunks


def _packed(chunks: list[list[Math]], limit: int, measure: Measure) -> list[Math]:
    """Return chunks put together greedily."""
    lines: list[list[Math]] = [[]]
    for chunk in chunks:
        if lines[-1] and measure(row(*lines[-1], *chunk)) > limit:
            lines.append([])
        lines[-1] += chunk
    return [row(*line) for line in lines if line]
