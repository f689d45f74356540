"""Sums taken apart: factors free of the summed index, and declared facts that fix a sum."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from derivgen.algebra.affine import Affine, Index, affine, indices_of
from derivgen.algebra.expressions import (
    Access,
    Expr,
    Node,
    Reduce,
    affine_forms,
    mul,
    quotient,
    quotient_factors,
    substitute,
    transform,
    used_indices,
    walk,
)
from derivgen.algebra.statements import Statement


def by_fact(statement: Statement, left: Reduce, right: Expr) -> Statement | None:
    """Return the statement with its sum replaced by the fact's right side, if they match."""
    if len(statement.bound) < len(left.bound) or statement.op != "sum":
        return None
    outer, inner = separated(statement.body, statement.bound)
    mapping = _matching(left.body, inner)
    if mapping is None or {mapping.get(i) for i in left.bound} != set(map(affine, statement.bound)):
        return None
    if any(m.plain is not None and m.plain.size != i.size for i, m in mapping.items()):
        return None
    if any(i in statement.bound for c in statement.guard for i in condition_indices(c)):
        return None
    rest = tuple(i for i in statement.indices if i not in statement.bound)
    return replace(statement, indices=rest, body=mul(outer, substitute(right, mapping)))


def condition_indices(condition: Node) -> Iterator[Index]:
    return (i for form in affine_forms(condition) for i in indices_of(form))


def _matching(pattern: Node, expr: Node) -> dict[Index, Affine] | None:
    """Return the forms that the pattern's indices stand for in an expression of its shape."""
    if _bare(pattern) != _bare(expr):
        return None
    mapping: dict[Index, Affine] = {}
    for mine, form in zip(affine_forms(pattern), affine_forms(expr), strict=False):
        index = mine.plain
        if index is None or mapping.setdefault(index, form) != form:
            return None
    return mapping


def _bare(expr: Node) -> Node:
    return transform(expr, lambda p: Access(p.tensor) if isinstance(p, Access) else p)


def separated(body: Expr, bound: tuple[Index, ...]) -> tuple[Expr, Expr]:
    """Return the factors of a product without and with the bound indices."""
    above, below = quotient_factors(body)

    def free(part: Expr) -> bool:
        return not any(index in bound for index in used_indices(part))

    outer = [f for f in above if free(f)], [f for f in below if free(f)]
    inner = [f for f in above if not free(f)], [f for f in below if not free(f)]
    return quotient(*outer), quotient(*inner)


def has_access(expr: Node) -> bool:
    return any(isinstance(part, Access) for part in walk(expr))
