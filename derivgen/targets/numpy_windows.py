"""Windows: accesses such as ``x[c, 2*i + u - 1]``, in which one axis is read along two indices.

Reading them is a view on a padded array, adding to them a loop over the smaller index. What lies
outside the array reads as 0 and is dropped on writing, so conditions that only keep an access
inside say nothing more and are left out.
"""

from __future__ import annotations

from dataclasses import dataclass

from derivgen.algebra.affine import Affine, Index, Lookup, affine
from derivgen.algebra.expressions import Access, Condition
from derivgen.lowering.program import Array
from derivgen.lowering.sizes import comparison


@dataclass(frozen=True)
class Window:
    """A position ``start + stride*(outer - low) + dilation*(inner - low)`` of an axis."""

    start: Affine
    outer: Index
    stride: int
    inner: Index
    dilation: int

    @property
    def sides(self) -> str:
        """Return counts and steps as the emitted helpers take them."""
        return f"({_count(self.outer)}, {self.stride}), ({_count(self.inner)}, {self.dilation})"


def _count(index: Index) -> int:
    return index.size.constant


def window_of(
    form: Affine, array: Array, axis: int, axes: tuple[Index, ...], rising: bool = False
) -> Window | None:
    """Return a position along two of ``axes`` as a window, the outer index first among them.

    With ``rising`` the outer index is the one with more values, and its stride must be positive.
    """
    steps = {atom: count for atom, count in form.terms if atom in axes}
    others = [atom for atom, _ in form.terms if atom not in steps]
    if len(steps) != 2 or any(not _is_fixed(atom) for atom in others):
        return None
    if any(not index.size.is_constant for index in steps):
        return None
    first, second = sorted(steps, key=axes.index)
    assert isinstance(first, Index) and isinstance(second, Index)
    if rising and (_count(second) > _count(first) or steps[first] < 0):
        first, second = second, first
    if rising and steps[first] < 0:
        return None
    start = form - affine(first) * steps[first] - affine(second) * steps[second]
    start = start + first.low * steps[first] + second.low * steps[second] - array.lows[axis]
    return Window(start, first, steps[first], second, steps[second])


def _is_fixed(atom: object) -> bool:
    return not isinstance(atom, (Index, Lookup)) and not hasattr(atom, "divisor")


def inside(access: Access, array: Array) -> list[Affine]:
    """Return the forms that are at least 0 exactly where an access lies inside its array."""
    forms = []
    for axis, form in enumerate(access.indices):
        forms += [form - array.lows[axis], array.highs[axis] - 1 - form]
    return forms


def needed(guard: tuple[Condition, ...], forms: list[Affine]) -> tuple[Condition, ...]:
    """Return the conditions that do more than keep an access inside."""
    return tuple(condition for condition in guard if _at_least_zero(condition) not in forms)


def _at_least_zero(condition: Condition) -> Affine | None:
    """Return the form that a condition says is at least 0."""
    test = comparison(condition)
    if test is None:
        return None
    op, form = test
    match op:
        case ">=":
            return form
        case ">":
            return form - 1
        case "<=":
            return form * -1
        case "<":
            return form * -1 - 1
    return None
