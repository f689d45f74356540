"""Constructors of expressions and conditions that keep the trivial laws."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from functools import lru_cache, reduce

from derivgen.algebra.nodes import (
    Add,
    And,
    Compare,
    Condition,
    Div,
    Expr,
    Mul,
    Not,
    Number,
    Or,
    Pow,
    Where,
)

ZERO = Number(Fraction(0))
ONE = Number(Fraction(1))
MINUS_ONE = Number(Fraction(-1))


@lru_cache(maxsize=1024)
def number(value: int | Fraction) -> Number:
    """Return an exact number."""
    return Number(Fraction(value))


# --- constructors that keep the trivial laws -----------------------------------------------------


def add(*terms: Expr) -> Expr:
    """Return the flat sum of ``terms`` without zeros; numbers are folded where the first stood."""
    flat: list[Expr] = []
    numbers: list[Number] = []
    place = 0
    for term in terms:
        for part in term.terms if isinstance(term, Add) else (term,):
            if isinstance(part, Number):
                place = place if numbers else len(flat)
                numbers.append(part)
            else:
                flat.append(part)
    if numbers:
        whole = reduce(lambda a, b: Number(a.value + b.value), numbers)
        if whole.value:
            flat.insert(place, whole)
    if not flat:
        return ZERO
    return flat[0] if len(flat) == 1 else Add(tuple(flat))


def mul(*factors: Expr) -> Expr:
    """Return the flat product of ``factors`` without ones; numbers are folded to the front."""
    flat: list[Expr] = []
    numbers: list[Number] = []
    for factor in factors:
        for part in factor.factors if isinstance(factor, Mul) else (factor,):
            if isinstance(part, Number):
                numbers.append(part)
            else:
                flat.append(part)
    if numbers:
        whole = reduce(lambda a, b: Number(a.value * b.value), numbers)
        if not whole.value:
            return ZERO
        if whole.value != 1:
            flat.insert(0, whole)
    if not flat:
        return ONE
    return flat[0] if len(flat) == 1 else Mul(tuple(flat))


def neg(expr: Expr) -> Expr:
    """Return ``-expr``."""
    return mul(MINUS_ONE, expr)


def div(numerator: Expr, denominator: Expr) -> Expr:
    """Return ``numerator / denominator``; numbers are divided exactly."""
    if isinstance(numerator, Number) and not numerator.value:
        return numerator
    if isinstance(denominator, Number):
        if denominator.value == 1:
            return numerator
        if isinstance(numerator, Number) and denominator.value:
            return Number(numerator.value / denominator.value)
    return Div(numerator, denominator)


def power(base: Expr, exponent: Expr) -> Expr:
    """Return ``base ^ exponent`` with the exponents 0 and 1 resolved."""
    if isinstance(exponent, Number) and exponent.value in (0, 1):
        return base if exponent.value else ONE
    return Pow(base, exponent)


def quotient_factors(expr: Expr) -> tuple[tuple[Expr, ...], tuple[Expr, ...]]:
    """Return the factors of a product of quotients: those above and those below the line."""
    if isinstance(expr, Div):
        above, under = quotient_factors(expr.numerator)
        below, over = quotient_factors(expr.denominator)
        return above + over, under + below
    if isinstance(expr, Mul):
        parts = [quotient_factors(factor) for factor in expr.factors]
        above = tuple(factor for part, _ in parts for factor in part)
        return above, tuple(factor for _, part in parts for factor in part)
    return (expr,), ()


def quotient(above: Iterable[Expr], below: Iterable[Expr]) -> Expr:
    """Return the product of ``above`` over the product of ``below``, as one quotient."""
    return div(mul(*above), mul(*below))


def where(condition: Condition, yes: Expr, no: Expr) -> Expr:
    """Return ``yes`` where the condition holds, else ``no``."""
    return yes if yes == no else Where(condition, yes, no)


def conjunction(parts: tuple[Condition, ...]) -> tuple[Condition, ...]:
    """Return the conjuncts of a conjunction, flat, without repeats, in order."""
    flat: dict[Condition, None] = {}
    for part in parts:
        for piece in conjunction(part.parts) if isinstance(part, And) else (part,):
            flat[piece] = None
    return tuple(flat)


OPPOSITE = {"=": "!=", "!=": "=", "<": ">=", ">=": "<", ">": "<=", "<=": ">"}


def negation(condition: Condition) -> Condition:
    """Return the opposite condition, comparisons turned around rather than wrapped."""
    if isinstance(condition, Not):
        return condition.part
    if isinstance(condition, Compare):
        return Compare(OPPOSITE[condition.op], condition.left, condition.right)
    parts = tuple(negation(part) for part in condition.parts)
    return Or(parts) if isinstance(condition, And) else And(parts)
