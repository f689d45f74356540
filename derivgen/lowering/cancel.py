"""Factors that would vanish or overflow cancel through names: ``adj_p = c/p`` read as ``adj_p*p``.

Written apart, ``c/p`` is infinite where ``p`` has come out as 0, and the product NaN. So where a
product reads a quotient's tensor beside the quotient's own denominator, the quotient is put in its
place and the factor cancelled, term by term.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from derivgen.algebra.expressions import (
    ONE,
    ZERO,
    Access,
    Add,
    Div,
    Expr,
    Mul,
    Node,
    Number,
    Pow,
    Where,
    add,
    div,
    mul,
    power,
    transform,
    walk,
    where,
)
from derivgen.lowering.definitions import Definitions
from derivgen.lowering.exponents import linear

SMALL = 60  # the most nodes of what is put in


def cancelled(expr: Expr, backward: Definitions, forward: Definitions) -> Expr:
    """Return an expression whose products cancel with the quotients they read.

    ``backward`` are the maps that may be put in, ``forward`` tells which factors can vanish.
    """
    if not any(isinstance(part, (Mul, Div)) for part in walk(expr)):
        return expr

    def visit(node: Node) -> Node:
        if isinstance(node, Div):
            node = _inverted(node, forward)
        if isinstance(node, (Mul, Div)):
            node = _product(node, backward, forward)
        return same_condition(node)

    return transform(expr, visit)


def same_condition(expr: Any) -> Any:
    """Drop a condition inside a branch that has it already."""
    if not isinstance(expr, Where):
        return expr
    condition = expr.condition

    def taken(node: Node) -> Node:
        return node.yes if isinstance(node, Where) and node.condition == condition else node

    def passed(node: Node) -> Node:
        return node.no if isinstance(node, Where) and node.condition == condition else node

    return where(condition, transform(expr.yes, taken), transform(expr.no, passed))


def _inverted(expr: Expr, forward: Definitions) -> Expr:
    """Write ``a/z`` as ``a*c/b`` where z is ``b/c`` and c can vanish."""
    above, below = _factors(expr)
    for place, factor in enumerate(below):
        body = forward.body(factor) if isinstance(factor, Access) else None
        if isinstance(body, Where) and body.no == ZERO:
            body = body.yes
        if isinstance(body, Div) and _vanishes(body.denominator, forward):
            rest = below[:place] + below[place + 1 :]
            return _times(div(body.denominator, mul(body.numerator, *rest)), above)
    return expr


def _product(expr: Expr, backward: Definitions, forward: Definitions) -> Expr:
    above, below = _factors(expr)
    for place, factor in enumerate(above):
        others = above[:place] + above[place + 1 :]
        up = [part for part in others if _vanishes(part, forward)]
        down = [part for part in below if _vanishes(part, forward)]
        if not up and not down:
            continue
        opened = _opened(factor, backward)
        if opened is None or not (_meets(opened, up) or _holds(opened, down)):
            continue
        return _times(opened, others, below)
    return expr


def _holds(expr: Expr, vanishing: list[Expr]) -> bool:
    """Tell whether one of the factors is a factor of a branch."""
    if isinstance(expr, Where):
        return _holds(expr.yes, vanishing) or _holds(expr.no, vanishing)
    keys = [_key(_power(part)[0]) for part in vanishing]
    return any(_key(_power(part)[0]) in keys for part in _factors(expr)[0])


def _factors(expr: Expr) -> tuple[list[Expr], list[Expr]]:
    match expr:
        case Mul(factors):
            pairs = [_factors(factor) for factor in factors]
            return [f for up, _ in pairs for f in up], [f for _, down in pairs for f in down]
        case Div(numerator, denominator):
            up, down = _factors(numerator)
            below, above = _factors(denominator)
            return up + above, down + below
        case _:
            return [expr], []


def _vanishes(expr: Expr, forward: Definitions) -> bool:
    base = expr.base if isinstance(expr, Pow) else expr
    if isinstance(base, Add):
        return any(_vanishes(term, forward) for term in base.terms)
    if isinstance(base, Mul):
        return any(_vanishes(factor, forward) for factor in base.factors)
    return isinstance(base, Access) and forward.growing(base)


def _opened(factor: Expr, quotients: Definitions) -> Expr | None:
    """Return a factor with the quotients it reads put in, ``None`` if it reads none."""
    match factor:
        case Access():
            body = quotients.body(factor)
            return body if body is not None and sum(1 for _ in walk(body)) < SMALL else None
        case Mul((Number() as number, rest)):
            inner = _opened(rest, quotients)
            return None if inner is None else mul(number, inner)
        case Add(terms):
            opened = [_opened(term, quotients) for term in terms]
            if all(part is None for part in opened):
                return None
            return add(*(new or old for new, old in zip(opened, terms)))
    return None


def _key(expr: Expr) -> object:
    return frozenset(linear(expr).items())


def _meets(expr: Expr, vanishing: list[Expr]) -> bool:
    """Tell whether one of the factors stands below a fraction bar."""
    keys = [_key(_power(part)[0]) for part in vanishing]
    for part in walk(expr):
        if isinstance(part, Div):
            for below in _factors(part.denominator)[0]:
                if _key(_power(below)[0]) in keys:
                    return True
    return False


def _times(expr: Expr, factors: list[Expr], divisors: list[Expr] | None = None) -> Expr:
    """Return an expression times factors over divisors, cancelled term by term."""
    divisors = divisors or []
    match expr:
        case Where(condition, yes, no):
            outside = ZERO if no == ZERO else _times(no, factors, divisors)
            return Where(condition, _times(yes, factors, divisors), outside)
        case Add(terms):
            return add(*(_times(term, factors, divisors) for term in terms))
        case Div(Add(terms), below) if _meets(expr, factors):
            return add(*(_times(div(term, below), factors, divisors) for term in terms))
    above, under = _factors(expr)
    for place, part in enumerate(above):
        if isinstance(part, (Add, Where)) and _meets(part, factors):
            others = above[:place] + above[place + 1 :]
            return _times(part, [*others, *factors], [*under, *divisors])
    rest = [*above, *factors]
    kept: list[Expr] = []
    for part in [*under, *divisors]:
        kept += _reduced(part, rest)
    whole = mul(*rest)
    return div(whole, mul(*kept)) if kept else whole


def _reduced(part: Expr, factors: list[Expr]) -> list[Expr]:
    """Cancel one denominator against the factors, in place; return what is left of it."""
    base, count = _power(part)
    for place, factor in enumerate(factors):
        other, exponent = _power(factor)
        if _key(other) != _key(base):
            continue
        common = min(count, exponent)
        factors[place] = power(other, Number(exponent - common))
        count -= common
    factors[:] = [factor for factor in factors if factor != ONE]
    return [power(base, Number(count))] if count else []


def _power(expr: Expr) -> tuple[Expr, Fraction]:
    match expr:
        case Pow(base, Number(value)) if value > 0:
            return base, value
        case _:
            return expr, Fraction(1)
