"""Sums and products as written: order kept, neighbouring numbers and index values folded."""

from __future__ import annotations

from fractions import Fraction

from derivgen.algebra.affine import Affine, affine
from derivgen.algebra.expressions import (
    Add,
    Expr,
    IndexValue,
    Number,
    Pow,
    index_value,
    mul,
    neg,
)
from derivgen.errors import EquationError, LimitError
from derivgen.language.scope import Scope
from derivgen.language.syntax import (
    Chain,
    Infix,
)


def minus(part: Expr) -> Expr:
    if isinstance(part, IndexValue):
        return IndexValue(part.form * -1)
    return neg(part)


def total(parts: list[Expr]) -> Expr:
    """Return a sum in the order written; neighbouring numbers and index values are added up."""
    flat: list[Expr] = []
    for term in parts:
        for part in term.terms if isinstance(term, Add) else (term,):
            if flat and (both := _added(flat[-1], part)) is not None:
                flat[-1] = both
            else:
                flat.append(part)
    return flat[0] if len(flat) == 1 else Add(tuple(flat))


def _added(a: Expr, b: Expr) -> Expr | None:
    if isinstance(a, Number) and isinstance(b, Number):
        return Number(a.value + b.value)
    if (left := _whole(a)) is not None and (right := _whole(b)) is not None:
        return index_value(left + right)
    return None


def _whole(part: Expr) -> Affine | None:
    if isinstance(part, IndexValue):
        return part.form
    if isinstance(part, Number) and part.value.denominator == 1:
        return affine(int(part.value))
    return None


def product(parts: list[Expr]) -> Expr:
    """Return a product; numbers come first, leading multiples of an index are one index value."""
    result, rest = parts[0], parts[1:]
    while rest and (multiple := _multiplied(result, rest[0])) is not None:
        result, rest = multiple, rest[1:]
    return mul(result, *rest)


def _multiplied(a: Expr, b: Expr) -> Expr | None:
    left, right = _whole(a), _whole(b)
    if left is None or right is None or not (left.is_constant or right.is_constant):
        return None
    constant, other = (left, right) if left.is_constant else (right, left)
    return index_value(other * constant.constant)


MAX_POWER = 1000  # digits of an exact power or product of numbers


MAX_BITS = 3400


def check_digits(parts: list[Expr], tree: Chain, scope: Scope) -> None:
    numbers = [part.value for part in parts if isinstance(part, Number)]
    bits = sum(n.numerator.bit_length() + n.denominator.bit_length() for n in numbers)
    if bits > MAX_BITS:
        raise scope.problem(
            LimitError,
            f"The product of the numbers has more than {MAX_POWER} digits.",
            "Write smaller numbers.",
            tree.at,
        )


def of_numbers(tree: Infix, left: Fraction, right: Fraction, scope: Scope) -> Expr:
    if (tree.op == "/" and not right) or (tree.op == "^" and right < 0 and not left):
        raise scope.problem(
            EquationError, "A number is divided by 0.", "Write another divisor.", tree.op_at
        )
    if tree.op == "/":
        return Number(left / right)
    digits = max(len(str(abs(left.numerator))), len(str(left.denominator)))
    if digits * abs(right) > MAX_POWER and abs(left) != 1:
        raise scope.problem(
            LimitError,
            f"The power has more than {MAX_POWER} digits.",
            "Write exp(...) of a logarithm, or a smaller power.",
            tree.op_at,
        )
    if right.denominator == 1:
        return Number(left ** int(right % 2 if left == -1 else right))
    return Pow(Number(left), Number(right))
