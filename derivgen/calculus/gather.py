"""Gather: a scatter ``adj_x[o+u] += adj_z[o]*w[u]`` rewritten by the entry it arrives at.

``adj_x[m] += [0 <= m-u < O] adj_z[m-u]*w[u]``. An index of coefficient 1 or -1 on the left is
solved for (the first in the loop order, which is the one free on the forward left side), or
``s*i + c`` is taken apart as quotient and remainder. Everything else is refused.
Invariant: the same contributions arrive at the same entries.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from derivgen.algebra.affine import (
    Affine,
    Index,
    affine,
    floor_div,
    indices_of,
    mod,
    substitute_affine,
    surely_nonnegative,
)
from derivgen.algebra.expressions import (
    Access,
    Compare,
    Condition,
    Expr,
    IndexValue,
    Number,
    Position,
    index_value,
    substitute,
    walk,
)
from derivgen.algebra.statements import Statement

Mapping = dict[Index, Affine]


def gather(statement: Statement, targets: Sequence[Index]) -> Statement | None:
    """Return ``statement`` with the plain left side ``targets``, or ``None`` where it is refused.

    ``targets`` are distinct and span the tensor's axes; none may occur in the statement except as
    the very index standing at its own place. Entries of the left side without any index become
    conditions.
    """
    mapping: Mapping = {}
    guard: list[Condition] = []
    for target, form in zip(targets, statement.lhs.indices, strict=True):
        left = substitute_affine(form, mapping)
        solved = _solve(left, target, statement, mapping)
        if solved is None:
            return None
        new, conditions = solved
        mapping = {index: substitute_affine(old, new) for index, old in mapping.items()} | new
        guard += conditions
    if _positions(statement) & {i for i, form in mapping.items() if form.plain is None}:
        return None  # the place of a winner is told by the loop's own indices
    return _rebuilt(statement, targets, mapping, guard)


def _positions(statement: Statement) -> set[Index]:
    """Return the indices whose position is compared with that of a winner."""
    parts = (*statement.guard, statement.body)
    found = (p for part in parts for p in walk(part) if isinstance(p, Position))
    return {index for position in found for index in position.indices}


def _rebuilt(
    statement: Statement, targets: Sequence[Index], mapping: Mapping, guard: list[Condition]
) -> Statement:
    moved = {index: form for index, form in mapping.items() if form.plain != index}
    kept = [i for i in statement.indices if i not in mapping and i not in targets]
    conditions = [substitute(c, moved) for c in statement.guard] + guard
    body: Expr = substitute(statement.body, moved)
    lhs = Access(statement.lhs.tensor, tuple(affine(t) for t in targets))
    indices = (*targets, *kept)
    return Statement(indices, needed(conditions), lhs, statement.op, body, statement.equation)


def _solve(
    form: Affine, target: Index, statement: Statement, mapping: Mapping
) -> tuple[Mapping, list[Condition]] | None:
    """Return what makes ``form = target``: values for indices, and the conditions left over."""
    inner = [i for i in indices_of(form) if i in statement.indices and i not in mapping]
    if not inner:
        return {}, _equal(form, target)
    candidates = [i for i in statement.indices if _unit(form, i) and i not in mapping]
    if candidates:
        own = target if target in candidates else candidates[0]
        return _by_unit(form, target, own)
    return _by_quotient(form, target, statement)


def _equal(form: Affine, target: Index) -> list[Condition]:
    return [Compare("=", index_value(affine(target)), index_value(form))]


def _unit(form: Affine, index: Index) -> bool:
    return [abs(count) for atom, count in form.terms if atom == index] == [1] and (
        list(indices_of(form)).count(index) == 1
    )


def _by_unit(form: Affine, target: Index, index: Index) -> tuple[Mapping, list[Condition]]:
    count = dict(form.terms)[index]
    rest = form - affine(index) * count
    value = (affine(target) - rest) * count
    return {index: value}, within(value, index.low, index.high)


def _by_quotient(
    form: Affine, target: Index, statement: Statement
) -> tuple[Mapping, list[Condition]] | None:
    """Take ``s*i + c`` apart: ``i`` is the quotient, and the remainder must be 0."""
    whole = [(a, n) for a, n in form.terms if isinstance(a, Index)]
    if len(whole) != 1 or whole[0][1] < 2 or whole[0][0] not in statement.indices:
        return None
    index, step = whole[0]
    offset = affine(target) - (form - affine(index) * step)
    value = floor_div(offset, step)
    even = Compare("=", index_value(mod(offset, step)), index_value(affine(0)))
    return {index: value}, [even, *within(value, index.low, index.high)]


def within(value: Affine, low: Affine, high: Affine) -> list[Condition]:
    """Return the conditions ``low <= value`` and ``value < high``."""
    return [
        Compare("<=", index_value(low), index_value(value)),
        Compare("<", index_value(value), index_value(high)),
    ]


def needed(conditions: Sequence[Condition]) -> tuple[Condition, ...]:
    """Return the conditions that neither the ranges nor the other conditions imply, in order."""
    kept: list[Condition] = []
    for condition in dict.fromkeys(conditions):
        others = [c for c in (*kept, *conditions) if c != condition]
        narrowed = substitute(condition, {i: affine(j) for i, j in _narrowed(others).items()})
        stronger = implied(narrowed) and not implied(condition)
        if implied(condition) or (stronger and _weaker(condition)):
            continue
        kept.append(condition)
    return tuple(kept)


def _weaker(condition: Condition) -> bool:
    # Two bounds that imply each other must not both go; an inequality of places is never a bound.
    return isinstance(condition, Compare) and condition.op == "!="


def _narrowed(conditions: Sequence[Condition]) -> dict[Index, Index]:
    """Return the indices that conditions ``i >= c`` and ``i <= c`` bound, with their new ranges."""
    found: dict[Index, Index] = {}
    for condition in conditions:
        if not isinstance(condition, Compare):
            continue
        left, right, op = _form(condition.left), _form(condition.right), condition.op
        if right is not None and right.plain is not None:  # ``c <= i`` bounds i as ``i >= c`` does
            left, right, op = right, left, _TURNED.get(op, op)
        if left is None or right is None or left.plain is None or list(indices_of(right)):
            continue
        old = found.get(left.plain, left.plain)
        if op == ">=":
            found[left.plain] = Index(old.name, right, old.high)
        elif op == "<=":
            found[left.plain] = Index(old.name, old.low, right + 1)
    return found


def implied(condition: Condition) -> bool:
    """Tell whether the ranges of its indices make a comparison of index forms true."""
    return _decided(condition) is True


def excluded(condition: Condition) -> bool:
    """Tell whether the ranges of its indices make a comparison of index forms false."""
    return _decided(condition) is False


def _decided(condition: Condition) -> bool | None:
    if not isinstance(condition, Compare):
        return None
    left, right = _form(condition.left), _form(condition.right)
    if left is None or right is None:
        return None
    return _ORDER[condition.op](left, right)


def _form(expr: Expr) -> Affine | None:
    if isinstance(expr, IndexValue):
        return expr.form
    if isinstance(expr, Number) and expr.value.denominator == 1:
        return affine(expr.value.numerator)
    return None


def _at_most(left: Affine, right: Affine) -> bool | None:
    if surely_nonnegative(right - left):
        return True
    return False if surely_nonnegative(left - right - 1) else None


def _less(left: Affine, right: Affine) -> bool | None:
    return _at_most(left + 1, right)


def _same(left: Affine, right: Affine) -> bool | None:
    if left == right:
        return True
    apart = surely_nonnegative(left - right - 1) or surely_nonnegative(right - left - 1)
    return False if apart else None


def _opposite(found: bool | None) -> bool | None:
    return None if found is None else not found


_TURNED = {"<=": ">=", ">=": "<=", "<": ">", ">": "<"}
_ORDER: dict[str, Callable[[Affine, Affine], bool | None]] = {
    "<=": _at_most,
    "<": _less,
    ">=": lambda a, b: _at_most(b, a),
    ">": lambda a, b: _less(b, a),
    "=": _same,
    "!=": lambda a, b: _opposite(_same(a, b)),
}
