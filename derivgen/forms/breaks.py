"""Break a long formula into lines, at the outermost operator that fits."""

from __future__ import annotations

from derivgen.forms.math import DOT, Big, Fenced, Math, Op, Row, row, width

SIGNS = ("+", "-")
PRODUCTS = ("times", "cdot", "odot", "circ", "otimes", "star")


def broken(math: Math, limit: int) -> list[Math]:
    """Return the formula in pieces of at most ``limit`` rough characters where that can be done.

    A piece after the first begins with its operator. A product broken at a blank gets a dot there.
    """
    if width(math) <= limit or not isinstance(math, Row):
        return [math]
    for keys in (SIGNS, PRODUCTS):
        chunks = _chunks(math.items, keys)
        if len(chunks) > 1:
            return _packed(chunks, limit)
    return [math]


def _chunks(items: tuple[Math, ...], keys: tuple[str, ...]) -> list[list[Math]]:
    chunks: list[list[Math]] = [[]]
    for item in items:
        if isinstance(item, Op) and item.key in keys and chunks[-1]:
            chunks.append([])
            item = DOT if item.key == "times" else item
        chunks[-1].append(item)
    return chunks


def _packed(chunks: list[list[Math]], limit: int) -> list[Math]:
    """Return chunks put together greedily."""
    lines: list[list[Math]] = [[]]
    for chunk in chunks:
        if lines[-1] and width(row(*lines[-1], *chunk)) > limit:
            lines.append([])
        lines[-1] += chunk
    return [row(*line) for line in lines if line]


def is_tall(math: Math) -> bool:
    """Tell whether a formula holds a sum sign or a tall fence at its top level."""
    parts = math.items if isinstance(math, Row) else (math,)
    return any(isinstance(part, (Big, Fenced)) for part in parts)
