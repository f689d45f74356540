"""Sums, products and folds of values with free axes: the rules of vectors and matrices."""

from __future__ import annotations

import re

from derivgen.verify.forward.book import ATOM, PRODUCT, SUM, Value
from derivgen.verify.forward.ranges import NoForm, Ranges


def elementwise(left: Value, right: Value, operator: str, ranges: Ranges) -> Value:
    """Return ``left operator right`` entry by entry; what has fewer axes is spread over the rest.

    Raises: NoForm, if the axes do not fit.
    """
    left, right = matched(left, right, ranges)
    axes = max(left.axes, right.axes, key=len)
    turned = left.turned or right.turned
    if operator in "+-":
        text = f"{left.text} {operator} {right.within(PRODUCT if operator == '-' else SUM)}"
        return Value(text, axes, turned, SUM)
    inner = right.within(ATOM if operator == "/" else PRODUCT)
    return Value(f"{left.within(PRODUCT)}{operator}{inner}", axes, turned, PRODUCT)


def matched(left: Value, right: Value, ranges: Ranges) -> tuple[Value, Value]:
    """Return two values with the same marks for the axes that they share. Raises: NoForm."""
    if left.rank < right.rank:
        return left, _named_as(right, left, ranges)
    return _named_as(left, right, ranges), right


def _named_as(large: Value, small: Value, ranges: Ranges) -> Value:
    """Name the axes of the larger value as the smaller one does."""
    if large.rank == small.rank:
        pairs = list(zip(large.axes, small.axes))
    elif small.rank == 0:
        pairs = []
    elif (large.rank, small.rank) == (2, 1):
        pairs = [(_unit_axis(large, small, ranges), small.axes[0])]
    else:
        raise NoForm
    for own, other in pairs:
        ranges.join(other, own)
        large = large.renamed(own, other)
    return large


def _unit_axis(matrix: Value, vector: Value, ranges: Ranges) -> str:
    """Return the axis of a matrix that a vector runs along: of the units, not of the samples."""
    for axis in matrix.axes[::-1]:
        if ranges.same(axis, vector.axes[0]):
            return axis
    return unit_axis(matrix, ranges)


def unit_axis(value: Value, ranges: Ranges) -> str:
    """Return the axis that a function along the units of a layer works on."""
    if not value.axes:
        raise NoForm
    units = [axis for axis in value.axes if ranges.among(axis, ranges.of_parameters)]
    return units[-1] if units and value.rank == 2 else value.axes[-1]


def contracted(left: Value, right: Value, ranges: Ranges) -> Value:
    """Return the matrix product over the last axis of ``left`` and the first of ``right``."""
    mark, other = left.axes[-1], right.axes[0]
    ranges.join(mark, other)
    inner = right.renamed(other, mark).within(PRODUCT)
    text = f"sum[{{{mark}}}]({left.within(PRODUCT)}*{inner})"
    return Value(text, left.axes[:-1] + right.axes[1:])


def juxtaposed(left: Value, right: Value, expected: int | None, ranges: Ranges) -> Value:
    """Return ``left right`` as matrices and vectors multiply."""
    if 0 in (left.rank, right.rank):
        return elementwise(left, right, "*", ranges)
    if left.rank + right.rank > 2:
        return contracted(left, right, ranges)
    inner = left.turned and not right.turned
    if inner or (expected == 0 and left.turned != right.turned):
        return contracted(left, right, ranges)
    if right.turned and not left.turned:
        text = f"{left.within(PRODUCT)}*{right.within(PRODUCT)}"
        return Value(text, left.axes + right.axes, level=PRODUCT)
    if _CAPITAL.fullmatch(left.text):
        raise NoForm  # X w of a vector X: a capital is a matrix here
    return elementwise(left, right, "*", ranges)


_CAPITAL = re.compile(r"[A-Z]\w*\[\{c\d+\}\]")


def dotted(left: Value, right: Value, expected: int | None, ranges: Ranges) -> Value:
    r"""Return ``left \cdot right``: an inner product where a number is wanted of two vectors."""
    if left.rank == right.rank == 1 and expected == 0:
        return contracted(left, right, ranges)
    return juxtaposed(left, right, expected, ranges)


def transposed(value: Value) -> Value:
    """Return the transpose: the axes of a matrix turned, a vector marked."""
    return Value(value.text, value.axes[::-1], not value.turned, value.level)


def concatenated(parts: list[Value], ranges: Ranges) -> Value:
    """Return ``[h, x]``: vectors one behind the other. Raises: NoForm, for anything else."""
    if any(part.rank != 1 for part in parts):
        raise NoForm
    mark = ranges.new()
    ranges.joined[mark] = tuple(part.axes[0] for part in parts)
    text, before = "", [f"{{#{part.axes[0]}}}" for part in parts[:-1]]
    for place in range(len(parts) - 1, -1, -1):
        shift = "".join(f"-{size}" for size in before[:place])
        axis = parts[place].axes[0]
        entry = parts[place].text.replace(f"{{{axis}}}", f"{{{mark}}}{shift}")
        below = "+".join(before[: place + 1])
        text = f"where({{{mark}}} < {below}, {entry}, {text})" if text else entry
    return Value(text, (mark,))


def total(value: Value) -> Value:
    """Return the sum over all free axes."""
    if not value.axes:
        return value
    bound = ",".join(f"{{{axis}}}" for axis in value.axes)
    return Value(f"sum[{bound}]({value.text})")
