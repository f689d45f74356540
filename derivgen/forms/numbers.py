"""Numbers as a page shows them: significant digits, never a rounded-away zero; small matrices.

Full precision stays underneath: what is printed is never computed with.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from derivgen.forms.math import DOT, Frac, Grid, Math, Num, Op, Row, Scripts, parenthesised, row

SCALAR_DIGITS = 9
ENTRY_DIGITS = 4
LARGEST_SIDE = 6  # a matrix with a longer side is cut, with dots


def significant(value: float, digits: int = SCALAR_DIGITS) -> Math:
    """Return a number to so many significant digits, in powers of ten where it is far from 1."""
    text = f"{float(value):.{digits}g}"
    if text in ("inf", "-inf", "nan"):
        return Num(text)
    mantissa, _, exponent = text.partition("e")
    sign = mantissa.startswith("-")
    size: Math = Num(mantissa.lstrip("-"))
    if exponent:
        power: Math = Num(str(abs(int(exponent))))
        power = row(Op("neg"), power) if int(exponent) < 0 else power
        size = row(size, DOT, Scripts(Num("10"), sup=power))
    return row(Op("neg"), size) if sign else size


def as_factor(math: Math) -> Math:
    """Return a number as it stands in a product: in parentheses if it has a sign or a power."""
    return parenthesised(math) if isinstance(math, Row) else math


def grid(array: Any, column: bool = True, digits: int = ENTRY_DIGITS) -> Math:
    """Return a vector (standing as a column or a row) or a matrix of numbers."""
    if array.ndim == 0:
        return significant(array.item())
    if array.ndim == 1:
        array = array.reshape(-1, 1) if column else array.reshape(1, -1)
    lines = [[significant(v, digits) for v in line] for line in array[:LARGEST_SIDE].tolist()]
    shown = [_cut(line) for line in lines]
    if array.shape[0] > LARGEST_SIDE:
        shown[-1] = tuple(Op("ellipsis") for _ in shown[-1])
    return Grid(tuple(shown))


def _cut(line: list[Math]) -> tuple[Math, ...]:
    if len(line) <= LARGEST_SIDE:
        return tuple(line)
    return (*line[: LARGEST_SIDE - 1], Op("ellipsis"))


def number_math(value: Fraction) -> Math:
    """Return a number as a whole, a small fraction, or the decimals its writer would use."""
    if value < 0:
        return row(Op("neg"), number_math(-value))
    if value.denominator == 1:
        return Num(str(value.numerator))
    digits = decimal_digits(value)
    if digits is None or value.denominator in (2, 4, 8):
        return Frac(Num(str(value.numerator)), Num(str(value.denominator)))
    return Num(digits)


def decimal_digits(value: Fraction) -> str | None:
    """Return the finite decimal expansion of a positive number, or ``None``."""
    rest, places = value.denominator, 0
    twos = fives = 0
    while rest % 2 == 0:
        rest, twos = rest // 2, twos + 1
    while rest % 5 == 0:
        rest, fives = rest // 5, fives + 1
    places = max(twos, fives)
    if rest != 1 or places > 12:
        return None
    digits = str(value.numerator * 10**places // value.denominator).rjust(places + 1, "0")
    return f"{digits[:-places]}.{digits[-places:]}" if places else digits
