"""Conditions on indices put plainly: what others already say is dropped, bounds are joined.

``i != 0`` beside ``i >= 1`` says nothing, nor does ``i >= 1 or j >= 1`` beside ``j >= 1``.
Invariant: the conditions that are left hold where all that were given hold, and nowhere else.
"""

from __future__ import annotations

from collections.abc import Iterable

from derivgen.algebra.affine import Affine, Index, affine, indices_of
from derivgen.algebra.expressions import (
    ONE,
    Add,
    And,
    Compare,
    Condition,
    Expr,
    IndexValue,
    Iverson,
    Mul,
    Number,
    Or,
    Reduce,
    Where,
    add,
    affine_forms,
    index_value,
    mul,
)

LESS = {"<": 1, "<=": 0}
MORE = {">": 1, ">=": 0}


def plain_bounds(conditions: Iterable[Condition]) -> list[Condition]:
    """Return the conditions without those that the others imply."""
    kept = list(dict.fromkeys(_flat(conditions)))
    for condition in list(kept):
        others = [c for c in kept if c is not condition]
        if _implied(condition, others):
            kept = others
    return kept


def lifted(rhs: Expr, free: tuple[Index, ...]) -> tuple[Expr, tuple[Condition, ...]]:
    """Part a product from the brackets in it that speak of the free indices alone."""
    if isinstance(rhs, Add):
        return _lifted_sum(rhs, free)
    if not isinstance(rhs, Mul):
        return rhs, ()
    own = [f for f in rhs.factors if isinstance(f, Iverson) and _speaks_of(f.condition, free)]
    rest = [f for f in rhs.factors if f not in own]
    if not own or not rest:
        return rhs, ()
    return mul(*rest), tuple(f.condition for f in own if isinstance(f, Iverson))


def _lifted_sum(rhs: Add, free: tuple[Index, ...]) -> tuple[Expr, tuple[Condition, ...]]:
    parts = [lifted(term, free) for term in rhs.terms]
    shared = [c for c in parts[0][1] if all(c in conditions for _, conditions in parts)]
    terms = [
        mul(*(Iverson(c) for c in conditions if c not in shared), term)
        for term, conditions in parts
    ]
    return (add(*terms), tuple(shared)) if shared else (rhs, ())


def all_but(expr: Reduce) -> tuple[Affine, Expr] | None:
    """Return ``i`` and ``a`` of a product of ``a`` over all ``j`` but ``i``."""
    match expr:
        case Reduce("prod", (index,), Where(Compare("!=", IndexValue(a), IndexValue(b)), body, no)):
            if no == ONE and index in (a.plain, b.plain):
                return (b if a.plain == index else a), body
    return None


def from_ends(
    index: Index, low: Affine, high: Affine, conditions: list[Condition]
) -> list[Condition]:
    """Return conditions on an index over ``low..high-1`` as ``i >= a`` and ``i <= b``."""
    start, end = low, high - 1
    rest: list[Condition] = []
    for condition in sorted(conditions, key=lambda c: isinstance(c, Compare) and c.op == "!="):
        bound = _bound(condition)
        if bound is None or bound[0] != index:
            rest.append(condition)
            continue
        _, op, value = bound
        if op == ">=" or (op == "!=" and value == start):
            start = _later(start, value + (op == "!="))
        elif op == "<=" or (op == "!=" and value == end):
            end = _earlier(end, value - (op == "!="))
        else:
            rest.append(condition)
    here = index_value(affine(index))
    made: list[Condition] = [Compare(">=", here, index_value(start))] if start != low else []
    made += [Compare("<=", here, index_value(end))] if end != high - 1 else []
    return [*made, *rest]


def _later(one: Affine, other: Affine) -> Affine:
    ahead = other - one
    return other if ahead.is_constant and ahead.constant > 0 else one


def _earlier(one: Affine, other: Affine) -> Affine:
    ahead = other - one
    return other if ahead.is_constant and ahead.constant < 0 else one


def _flat(conditions: Iterable[Condition]) -> list[Condition]:
    found: list[Condition] = []
    for condition in conditions:
        found += _flat(condition.parts) if isinstance(condition, And) else [condition]
    return found


def _speaks_of(condition: Condition, free: tuple[Index, ...]) -> bool:
    found = [index for form in affine_forms(condition) for index in indices_of(form)]
    return bool(found) and all(index in free for index in found)


def _implied(condition: Condition, others: list[Condition]) -> bool:
    if isinstance(condition, Or):
        return any(_implied(part, others) or part in others for part in condition.parts)
    bound = _bound(condition)
    return bound is not None and any(_says(known, bound) for c in others if (known := _bound(c)))


def _says(known: tuple[Index, str, Affine], bound: tuple[Index, str, Affine]) -> bool:
    """Tell whether one bound on an index implies another one on it."""
    if known[0] != bound[0]:
        return False
    ahead = known[2] - bound[2]
    if not ahead.is_constant:
        return False
    up, down = known[1] == ">=", known[1] == "<="
    match bound[1]:
        case ">=":
            return up and ahead.constant >= 0
        case "<=":
            return down and ahead.constant <= 0
        case _:
            return up and ahead.constant > 0 or down and ahead.constant < 0


def _bound(condition: Condition) -> tuple[Index, str, Affine] | None:
    """Return ``(i, ">=", a)``, ``(i, "<=", a)`` or ``(i, "!=", a)`` for a bound on one index."""
    if not isinstance(condition, Compare):
        return None
    left, right = _form(condition.left), _form(condition.right)
    if left is None or right is None:
        return None
    difference = left - right
    atoms = [(atom, count) for atom, count in difference.terms if isinstance(atom, Index)]
    if len(atoms) != 1 or abs(atoms[0][1]) != 1 or len(list(indices_of(difference))) != 1:
        return None
    index, sign = atoms[0]
    value = (affine(index) * sign - difference) * sign
    op = condition.op
    if sign < 0:
        op = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}.get(op, op)
    if op in LESS:
        return index, "<=", value - LESS[op]
    if op in MORE:
        return index, ">=", value + MORE[op]
    return (index, "!=", value) if op == "!=" else None


def _form(expr: Expr) -> Affine | None:
    if isinstance(expr, IndexValue):
        return expr.form
    if isinstance(expr, Number) and expr.value.denominator == 1:
        return Affine((), int(expr.value))
    return None
