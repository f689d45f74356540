"""Two ways to compute with numbers: in doubles, and exactly.

Exact numbers are `Fraction` as long as the operations are rational; the first transcendental one
makes an mpmath number of `DIGITS` digits. Both are used through one table of operations, so that
whoever evaluates an expression need not know which it is.
Invariant: an operation acts element by element on arrays and on single numbers alike.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import mpmath
import numpy as np

DIGITS = 60
Operation = Callable[..., Any]

# A context of our own: the precision of the shared one belongs to the user.
_mp: Any = mpmath.mp.clone()
_mp.dps = DIGITS


@dataclass(frozen=True)
class Arithmetic:
    """The operations on one kind of number; ``at`` folds values into places of an array."""

    dtype: Any
    number: Callable[[Fraction], Any]
    constants: Mapping[str, Any]
    infinity: Any
    add: Operation
    mul: Operation
    div: Operation
    pow: Operation
    functions: Mapping[str, Operation]
    at: Mapping[str, Callable[[Any, Any, Any], None]]


# --- doubles -------------------------------------------------------------------------------------


def _each(function: Callable[..., Any], arity: int = 1) -> Operation:
    made = np.frompyfunc(function, arity, 1)
    return lambda *args: np.asarray(made(*args), dtype=np.float64)


def _guarded(function: Callable[[float], float]) -> Callable[[float], float]:
    def guarded(x: float) -> float:
        if math.isnan(x):
            return math.nan
        try:
            return function(x)
        except (ValueError, OverflowError):  # a pole
            return math.inf

    return guarded


def _double_digamma(x: float) -> float:
    return float(mpmath.digamma(x))


FLOATS = Arithmetic(
    dtype=np.float64,
    number=float,
    constants={"pi": math.pi},
    infinity=math.inf,
    add=operator.add,
    mul=operator.mul,
    div=lambda a, b: np.divide(a, b),
    pow=lambda a, b: np.power(np.asarray(a, dtype=np.float64), b),
    functions={
        "exp": np.exp,
        "log": np.log,
        "log1p": np.log1p,
        "expm1": np.expm1,
        "sqrt": np.sqrt,
        "tanh": np.tanh,
        "sinh": np.sinh,
        "cosh": np.cosh,
        "sin": np.sin,
        "cos": np.cos,
        "tan": np.tan,
        "asin": np.arcsin,
        "acos": np.arccos,
        "atan": np.arctan,
        "abs": np.abs,
        "sign": np.sign,
        "erf": _each(math.erf),
        "lgamma": _each(_guarded(math.lgamma)),
        "digamma": _each(_guarded(_double_digamma)),
        "polygamma": _each(lambda n, x: float(mpmath.polygamma(int(n), x)), 2),
        "floor": np.floor,
        "min": np.minimum,
        "max": np.maximum,
        "stop_gradient": lambda a: a,
    },
    at={
        "sum": np.add.at,
        "prod": np.multiply.at,
        "max": np.maximum.at,
        "min": np.minimum.at,
    },
)


# --- exact ---------------------------------------------------------------------------------------


def _real(value: Any) -> Any:
    """Return a number as an mpmath number of `DIGITS` digits."""
    if isinstance(value, Fraction):
        return _mp.mpf(value.numerator) / value.denominator
    return _mp.mpf(value)


def _rational(*values: Any) -> bool:
    return all(isinstance(v, (int, Fraction, np.integer)) for v in values)


def _binary(function: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    def apply(a: Any, b: Any) -> Any:
        if _rational(a, b):
            return function(_fraction(a), _fraction(b))
        return function(_real(a), _real(b))

    return apply


def _fraction(value: Any) -> Fraction:
    return value if isinstance(value, Fraction) else Fraction(int(value))


def _power(base: Any, exponent: Any) -> Any:
    if _rational(base, exponent):
        whole = _fraction(exponent)
        if whole.denominator == 1:
            return _fraction(base) ** int(whole)
        if whole == Fraction(1, 2):
            return _root(base)
    return _real_power(_real(base), _real(exponent))


def _real_power(base: Any, exponent: Any) -> Any:
    if exponent == int(exponent):
        return base ** int(exponent)
    return _mp.nan if base < 0 else base**exponent


def _root(value: Any) -> Any:
    if _rational(value) and value >= 0:
        value = _fraction(value)
        top, bottom = math.isqrt(value.numerator), math.isqrt(value.denominator)
        if top * top == value.numerator and bottom * bottom == value.denominator:
            return Fraction(top, bottom)
    return _mp.nan if value < 0 else _mp.sqrt(_real(value))


def _logarithm(value: Any) -> Any:
    if value == 1:
        return Fraction(0)
    if value == 0:
        return -_mp.inf
    return _mp.nan if value < 0 else _mp.log(_real(value))


def _transcendental(function: Callable[[Any], Any], at_zero: int | None) -> Callable[[Any], Any]:
    def apply(value: Any) -> Any:
        # The value at 0 is kept rational, so that exact zeros stay exact.
        if at_zero is not None and _rational(value) and value == 0:
            return Fraction(at_zero)
        return function(_real(value))

    return apply


def _lift(function: Callable[..., Any], arity: int = 1) -> Operation:
    made: Operation = np.frompyfunc(function, arity, 1)
    return made


def _fold(function: Callable[[Any, Any], Any]) -> Callable[[Any, Any, Any], None]:
    def at(array: Any, places: Any, values: Any) -> None:
        flat = np.broadcast_to(np.asarray(values, dtype=object), places.shape)
        for place, value in zip(places, flat):
            array[place] = function(array[place], value)

    return at


_sum = _binary(operator.add)
_product = _binary(operator.mul)


_at_least = _binary(operator.ge)


def _greater(a: Any, b: Any) -> Any:
    return a if _at_least(a, b) else b


def _smaller(a: Any, b: Any) -> Any:
    return a if _at_least(b, a) else b


EXACT = Arithmetic(
    dtype=object,
    number=lambda value: value,
    constants={"pi": +_mp.pi},
    infinity=_mp.inf,
    add=_lift(_sum, 2),
    mul=_lift(_product, 2),
    div=_lift(_binary(operator.truediv), 2),
    pow=_lift(_power, 2),
    functions={
        "exp": _lift(_transcendental(_mp.exp, 1)),
        "log": _lift(_logarithm),
        "log1p": _lift(_transcendental(lambda x: _mp.log(1 + x), 0)),
        "expm1": _lift(_transcendental(_mp.expm1, 0)),
        "sqrt": _lift(_root),
        "tanh": _lift(_transcendental(_mp.tanh, 0)),
        "sinh": _lift(_transcendental(_mp.sinh, 0)),
        "cosh": _lift(_transcendental(_mp.cosh, 1)),
        "sin": _lift(_transcendental(_mp.sin, 0)),
        "cos": _lift(_transcendental(_mp.cos, 1)),
        "tan": _lift(_transcendental(_mp.tan, 0)),
        "asin": _lift(_transcendental(_mp.asin, 0)),
        "acos": _lift(_transcendental(_mp.acos, None)),
        "atan": _lift(_transcendental(_mp.atan, 0)),
        "abs": _lift(abs),
        "sign": _lift(lambda x: Fraction((x > 0) - (x < 0))),
        "erf": _lift(_transcendental(_mp.erf, 0)),
        "lgamma": _lift(_transcendental(lambda x: _mp.log(abs(_mp.gamma(x))), None)),
        "digamma": _lift(_transcendental(_mp.digamma, None)),
        "polygamma": _lift(lambda n, x: _mp.polygamma(int(n), _real(x)), 2),
        "floor": _lift(lambda x: Fraction(math.floor(x))),
        "min": _lift(_smaller, 2),
        "max": _lift(_greater, 2),
        "stop_gradient": lambda a: a,
    },
    at={
        "sum": _fold(_sum),
        "prod": _fold(_product),
        "max": _fold(_greater),
        "min": _fold(_smaller),
    },
)


def _is_exact(value: Any) -> bool:
    return isinstance(value, np.ndarray) and value.dtype.kind == "O"


def _compare(function: Callable[[Any, Any], bool]) -> Operation:
    exact = _lift(_binary(function), 2)

    def compare(a: Any, b: Any) -> Any:
        if _is_exact(a) or _is_exact(b):
            return np.asarray(exact(a, b), dtype=bool)
        if isinstance(a, np.ndarray) or isinstance(b, np.ndarray):
            return function(a, b)
        return _binary(function)(a, b)

    return compare


COMPARE: Mapping[str, Operation] = {
    "=": _compare(operator.eq),
    "!=": _compare(operator.ne),
    "<": _compare(operator.lt),
    "<=": _compare(operator.le),
    ">": _compare(operator.gt),
    ">=": _compare(operator.ge),
}
