"""Expressions as ``core * exp(exponent)``: what overflows is kept apart, as an exponent.

Exponents are linear combinations of expressions with exact coefficients, so that ``beta - max``
and ``max - beta`` cancel to nothing instead of to ``inf * 0``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from derivgen.algebra.expressions import (
    ONE,
    ZERO,
    Add,
    Call,
    Div,
    Expr,
    Mul,
    Number,
    add,
    div,
    mul,
    number,
)

Linear = dict[Expr, Fraction]


def linear(expr: Expr, factor: Fraction = Fraction(1)) -> Linear:
    """Return an expression times a number as a linear combination."""
    total: Linear = {}
    _collect(expr, factor, total)
    return {part: count for part, count in total.items() if count}


def _collect(expr: Expr, factor: Fraction, total: Linear) -> None:
    match expr:
        case Number(value):
            _grow(total, ONE, factor * value)
        case Add(terms):
            for term in terms:
                _collect(term, factor, total)
        case Mul((Number(value), *rest)):
            _collect(mul(*rest), factor * value, total)
        case Div(above, Number(value)) if value:
            _collect(above, factor / value, total)
        case _:
            _grow(total, expr, factor)


def _grow(total: Linear, part: Expr, count: Fraction) -> None:
    total[part] = total.get(part, Fraction(0)) + count


def plus(a: Mapping[Expr, Fraction], b: Mapping[Expr, Fraction], sign: int = 1) -> Linear:
    """Return ``a + sign*b``."""
    total = dict(a)
    for part, count in b.items():
        _grow(total, part, sign * count)
    return {part: count for part, count in total.items() if count}


def as_expr(form: Mapping[Expr, Fraction]) -> Expr:
    """Return a linear combination as an expression."""
    terms: list[Expr] = []
    for part, count in form.items():
        if part == ONE:
            terms.append(Number(count))
        elif count.denominator == 1 or abs(count.numerator) != 1:
            terms.append(mul(number(count), part))
        else:
            signed = part if count > 0 else mul(number(-1), part)
            terms.append(div(signed, number(count.denominator)))
    return add(*terms)


@dataclass(frozen=True)
class Scaled:
    """``core * exp(exponent)``."""

    core: Expr
    exponent: Linear

    @property
    def plain(self) -> bool:
        """Tell whether there is no exponent."""
        return not self.exponent

    def whole(self) -> Expr:
        """Return the product as one expression."""
        if self.plain:
            return self.core
        factor = Call("exp", (as_expr(self.exponent),))
        match self.core:
            case Div(above, below):
                return div(mul(above, factor), below)
        return mul(self.core, factor)


def largest(exponents: list[Linear]) -> Linear:
    """Return the maximum of exponents: ``abs(u)`` of u and -u, a number's with 0, else max."""
    distinct: list[Linear] = []
    for form in exponents:
        if form not in distinct:
            distinct.append(form)
    if len(distinct) == 1:
        return distinct[0]
    first, second, *rest = distinct
    if not rest and plus(first, second) == {}:
        size = first if _positive(first) else second
        return {Call("abs", (as_expr(size),)): Fraction(1)}
    top = as_expr(first)
    for form in distinct[1:]:
        pair = (as_expr(form), top) if top == ZERO else (top, as_expr(form))
        top = Call("max", pair)
    return {top: Fraction(1)}


def _positive(form: Linear) -> bool:
    return next(iter(form.values())) > 0


def exp_of(form: Linear) -> Expr:
    """Return ``exp(form)``."""
    return Call("exp", (as_expr(form),)) if form else ONE
