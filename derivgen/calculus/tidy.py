"""Shorter forms of a body: cancelled and factored by SymPy, taken if there is less to read."""

from __future__ import annotations

from functools import lru_cache

from derivgen.algebra.expressions import (
    Access,
    Add,
    Call,
    Div,
    Expr,
    Iverson,
    Mul,
    Node,
    Position,
    Pow,
    Where,
    children,
    replace_nodes,
    walk,
)
from derivgen.calculus.bridge import Symbols, from_sympy, tidy, to_sympy
from derivgen.calculus.partials import shape_of


def tidied(body: Expr) -> Expr:
    """Return the body cancelled and factored, branch by branch, if that is shorter."""
    if isinstance(body, Where):
        yes, no = tidied(body.yes), tidied(body.no)
        return yes if yes == no else Where(body.condition, yes, no)
    if not _may_cancel(body):
        return body
    shape, leaves = shape_of(body)
    short = replace_nodes(_tidied_shape(shape), leaves)
    return short if weight(short) < weight(body) else body


def _may_cancel(body: Expr) -> bool:
    """Tell cheaply whether there is anything to cancel: a repeated leaf or a nested quotient."""
    seen: set[Node] = set()
    quotients = 0
    for part in walk(body):
        if isinstance(part, (Where, Iverson, Position)):
            return False
        if isinstance(part, (Access, Call)):
            if part in seen:
                return True
            seen.add(part)
        quotients += isinstance(part, Div)
    return quotients > 1


@lru_cache(maxsize=4096)
def _tidied_shape(shape: Expr) -> Expr:
    symbols = Symbols()
    there = to_sympy(shape, symbols)
    return from_sympy(tidy(there), symbols)


def weight(expr: Node) -> int:
    """Return how much there is to read: operations, a quotient counting for three."""
    total = 0
    for part in walk(expr):
        if isinstance(part, (Add, Mul)):
            total += len(children(part)) - 1
        elif isinstance(part, Div):
            total += 3
        elif isinstance(part, (Pow, Call, Where, Iverson)):
            total += 1
    return total
