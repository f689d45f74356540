"""Signs of terms: ``-a + 1`` stands as ``1 - a``, and a minus deep in a term stands before it."""

from __future__ import annotations

from derivgen.algebra.expressions import ONE, Div, Expr, Mul, Number


def positive_first(terms: tuple[Expr, ...]) -> tuple[Expr, ...]:
    """Return ``-a + 1`` as ``1 - a``: a leading minus gives way to a term without one."""
    if split_sign(terms[0])[0] > 0:
        return terms
    for place, term in enumerate(terms):
        if split_sign(term)[0] > 0:
            return (term, *terms[:place], *terms[place + 1 :])
    return terms


def split_sign(expr: Expr) -> tuple[int, Expr]:
    """Return the sign in front of a term, 1 or -1, and the term without it."""
    if isinstance(expr, Number) and expr.value < 0:
        return -1, Number(-expr.value)
    if isinstance(expr, Mul) and isinstance(expr.factors[0], Number) and expr.factors[0].value < 0:
        rest = expr.factors[1:]
        size = Number(-expr.factors[0].value)
        kept = rest if size == ONE else (size, *rest)
        return -1, kept[0] if len(kept) == 1 else Mul(kept)
    if isinstance(expr, Div):
        sign, top = split_sign(expr.numerator)
        return sign, Div(top, expr.denominator) if sign < 0 else expr
    return 1, expr
