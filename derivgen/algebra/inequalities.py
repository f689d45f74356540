"""What conditions say of affine forms: ``i >= 1`` as ``i - 1``, a form that is at least 0."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from derivgen.algebra.affine import (
    Affine,
    Index,
    affine,
    indices_of,
    substitute_affine,
    surely_nonnegative,
)
from derivgen.algebra.nodes import And, Compare, Condition, IndexValue, Node, Number


def inequalities(condition: Condition) -> Iterator[Affine]:
    """Yield affine forms that are at least 0 where the condition holds."""
    if isinstance(condition, And):
        for part in condition.parts:
            yield from inequalities(part)
    if not isinstance(condition, Compare):
        return
    left, right = index_form_of(condition.left), index_form_of(condition.right)
    if left is None or right is None:
        return
    if condition.op in ("<", "<=", "="):
        yield right - left - (1 if condition.op == "<" else 0)
    if condition.op in (">", ">=", "="):
        yield left - right - (1 if condition.op == ">" else 0)


def index_form_of(expr: Node) -> Affine | None:
    """Return an expression as an affine form, if it is an index value or a whole number."""
    if isinstance(expr, IndexValue):
        return expr.form
    if isinstance(expr, Number) and expr.value.denominator == 1:
        return affine(int(expr.value))
    return None


def narrowed_by(form: Affine, facts: Iterable[Affine]) -> Affine:
    """Return the form with indices over the smaller ranges that facts about one alone leave."""
    ranges: dict[Index, tuple[Affine, Affine]] = {}
    for fact in facts:
        index = next((atom for atom, _ in fact.terms if isinstance(atom, Index)), None)
        count = dict(fact.terms).get(index) if index is not None else None
        if index is None or count not in (1, -1) or sum(1 for _ in indices_of(fact)) > 1:
            continue
        low, high = ranges.get(index, (index.low, index.high))
        end = affine(index) - fact * count
        if count == 1 and surely_nonnegative(end - low):
            ranges[index] = (end, high)
        if count == -1 and surely_nonnegative(high - 1 - end):
            ranges[index] = (low, end + 1)
    return substitute_affine(form, {i: affine(Index(i.name, *r)) for i, r in ranges.items()})
