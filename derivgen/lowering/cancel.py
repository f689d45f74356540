"""Factors that would vanish or overflow cancel through names: ``adj_p = c/p`` read as ``adj_p*p``.

Written apart, ``c/p`` is infinite where ``p`` has come out as 0, and the product NaN. So where a
product reads a quotient's tensor beside the quotient's own denominator, the quotient is put in its
place and the factor cancelled, term by term.
"""

from __future__ import annotations

from fractions import Fraction

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
)
from derivgen.lowering.definitions import Definitions
from derivgen.lowering.exponents import linear


def cancelled(expr: Expr, quotients: Definitions, forward: Definitions) -> Expr:
    """Return an expression whose products cancel with the quotients they read.

    ``quotients`` are the maps that may be put in, ``forward`` tells which factors can vanish.
    """

    def visit(node: Node) -> Node:
        if isinstance(node, (Mul, Div)):
            return _product(node, quotients, forward)
        return node

    return transform(expr, visit)  # type: ignore[return-value]


def _product(expr: Expr, quotients: Definitions, forward: Definitions) -> Expr:
    above, below = _factors(expr)
    for place, factor in enumerate(above):
        others = above[:place] + above[place + 1 :]
        vanishing = [part for part in others if _vanishes(part, forward)]
        if not vanishing:
            continue
        opened = _opened(factor, quotients)
        if opened is None or not _meets(opened, vanishing):
            continue
        whole = _times(opened, others)
        return div(whole, mul(*below)) if below else whole
    return expr


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
            return quotients.body(factor)
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
    keys = [_key(part.base if isinstance(part, Pow) else part) for part in vanishing]
    for part in walk(expr):
        if isinstance(part, Div):
            for below in _factors(part.denominator)[0]:
                if _key(below.base if isinstance(below, Pow) else below) in keys:
                    return True
    return False


def _times(expr: Expr, factors: list[Expr]) -> Expr:
    """Return an expression times factors, cancelled term by term."""
    match expr:
        case Where(condition, yes, no):
            outside = ZERO if no == ZERO else _times(no, factors)
            return Where(condition, _times(yes, factors), outside)
        case Add(terms):
            return add(*(_times(term, factors) for term in terms))
        case Mul((Number() as number, Add() | Where() as inner)):
            return mul(number, _times(inner, factors))
        case Div(Add(terms), below) if _meets(expr, factors):
            return add(*(_times(div(term, below), factors) for term in terms))
    above, below = _factors(expr)
    rest = list(factors)
    kept: list[Expr] = []
    for part in below:
        kept += _reduced(part, rest)
    whole = mul(*above, *rest)
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

