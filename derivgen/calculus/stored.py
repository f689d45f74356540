"""Which calls a forward equation has stored already, looked up by shape and place."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from derivgen.algebra.affine import Affine, Index, affine, indices_of, surely_nonnegative
from derivgen.algebra.expressions import (
    Access,
    Call,
    Condition,
    Expr,
    IndexValue,
    Node,
    affine_forms,
    mul,
    quotient_factors,
    substitute,
    transform,
)
from derivgen.algebra.statements import Statement
from derivgen.calculus.reverse import Forward


@dataclass(frozen=True)
class Stored:
    """A call whose value can be read: ``call`` equals ``value`` for all of ``indices``."""

    tensor: str
    forms: tuple[Affine, ...]
    value: Expr
    exact: bool
    guard: tuple[Condition, ...] = ()

    def match(self, call: Call, guard: tuple[Condition, ...]) -> Expr | None:
        """Return the value of a call of the same shape, if its places and guards correspond."""
        mapping: dict[Index, Affine] = {}
        for pattern, form in zip(self.forms, affine_forms(call), strict=False):
            index = pattern.plain
            if index is None and pattern == form and not any(indices_of(pattern)):
                continue  # a fixed place, such as z[0], is read again as it is
            if index is None or mapping.setdefault(index, form) != form:
                return None
        if any(substitute(c, mapping) not in guard for c in self.guard):
            return None
        if not all(_within(form, index) for index, form in mapping.items()):
            return None
        return substitute(self.value, mapping)


def _within(form: Affine, index: Index) -> bool:
    """Tell whether a place lies in the range that the stored value was computed for."""
    if form.plain == index:
        return True
    return surely_nonnegative(form - index.low) and surely_nonnegative(index.high - 1 - form)


def stored_values(forward: Forward) -> dict[Expr, list[Stored]]:
    writers: dict[str, int] = {}
    for statement in forward.statements:
        writers[statement.lhs.tensor] = writers.get(statement.lhs.tensor, 0) + 1
    table: dict[Expr, list[Stored]] = {}
    for statement in forward.statements:
        if writers[statement.lhs.tensor] == 1 and statement.is_map:
            for call, value, exact in _solved(statement):
                forms = tuple(affine_forms(call))
                known = {f.plain for f in forms}
                if all(i in known for i in statement.indices):
                    stored = Stored(statement.lhs.tensor, forms, value, exact, statement.guard)
                    table.setdefault(skeleton(call), []).append(stored)
    return table


def _solved(statement: Statement) -> Iterator[tuple[Call, Expr, bool]]:
    body = statement.body
    if isinstance(body, Call):
        yield body, statement.lhs, True
        return
    above, below = quotient_factors(body)
    calls = [f for f in above if isinstance(f, Call) and f.name == "exp"]
    if len(calls) == 1 and len(above) == 1 and below:
        yield calls[0], mul(statement.lhs, *below), False


def skeleton(call: Call) -> Expr:
    def visit(part: Node) -> Node:
        if isinstance(part, Access):
            return Access(part.tensor)
        return IndexValue(affine(0)) if isinstance(part, IndexValue) else part

    return transform(call, visit)
