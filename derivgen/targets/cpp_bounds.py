"""Conditions as limits of loops: ``i + u - 1 >= 0`` lets ``i`` begin at ``1 - u``."""

from __future__ import annotations

from dataclasses import dataclass

from derivgen.algebra.affine import Affine, Index, affine, indices_of, lookups_of
from derivgen.algebra.expressions import Compare, Condition, IndexValue, index_value
from derivgen.lowering.sizes import as_form
from derivgen.targets.cpp_forms import Scope, form_text


def range_conditions(own: Index, outer: Index) -> list[Condition]:
    """Return the conditions by which an index has a smaller range than the loop around it."""
    made: list[Condition] = []
    if own.low != outer.low:
        made.append(Compare(">=", IndexValue(affine(own)), index_value(own.low)))
    if own.high != outer.high:
        made.append(Compare("<", IndexValue(affine(own)), index_value(own.high)))
    return made


@dataclass(frozen=True)
class Bound:
    """A limit of a loop: ``lower`` (inclusive) or upper (exclusive)."""

    lower: bool
    form: Affine


def bounds_of(condition: Condition, index: Index, inside: set[Index]) -> list[Bound] | None:
    """Return a condition as limits of ``index``'s loop; ``inside`` are loops not yet open."""
    if not isinstance(condition, Compare) or condition.op == "!=":
        return None
    left, right = as_form(condition.left), as_form(condition.right)
    if left is None or right is None:
        return None
    form = left - right
    count = dict(form.terms).get(index, 0)
    rest = form - affine(index) * count
    if abs(count) != 1 or any(i == index or i in inside for i in indices_of(rest)):
        return None
    if any(True for _ in lookups_of(rest)):
        return None
    # count * index + rest op 0, solved for the index.
    limit = rest * -count
    op = condition.op
    if count < 0:
        op = {"<": ">", ">": "<", "<=": ">=", ">=": "<="}.get(op, op)
    made: list[Bound] = []
    if op in (">", ">=", "="):
        made.append(Bound(True, limit + 1 if op == ">" else limit))
    if op in ("<", "<=", "="):
        made.append(Bound(False, limit if op == "<" else limit + 1))
    return made


def extreme_text(forms: list[Affine], name: str, scope: Scope) -> str:
    """Return the largest (``std::max``) or smallest of several forms."""
    constants = [f.constant for f in forms if f.is_constant]
    others = list(dict.fromkeys(form_text(f, scope) for f in forms if not f.is_constant))
    if constants:
        others.insert(0, str(max(constants) if name == "std::max" else min(constants)))
    if len(others) == 1:
        return others[0]
    if len(others) == 2:
        return f"{name}({others[0]}, {others[1]})"
    return f"{name}({{{', '.join(others)}}})"
