"""Numbers of 60 digits: folds, comparisons, powers and the functions that are built in."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import mpmath

from derivgen.algebra.arithmetic import EXACT

mp: Any = mpmath.mp.clone()
mp.dps = 60
STEP = mp.mpf(10) ** -20
LONGEST = 100_000  # binary places of a power before or after the point


class NoValue(Exception):
    """An element has no value: out of range, a pole, too much work. ``reason`` is for messages."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


def folded(op: str, values: list[Any]) -> Any:
    """Return the fold of some numbers."""
    if op == "sum":
        return mp.fsum(values)
    if op == "mean":
        return mp.fsum(values) / len(values)
    if op == "prod":
        total = mp.mpf(1)
        for value in values:
            total = total * value
        return total
    if op == "logsumexp":
        return mp.log(mp.fsum(mp.exp(v) for v in values))
    if op in ("max", "min") and values:
        return max(values) if op == "max" else min(values)
    if op in ("argmax", "argmin") and values:  # the place of the first winner
        return mp.mpf(values.index(max(values) if op == "argmax" else min(values)))
    raise NoValue(f"{op} over {len(values)} values")


def compare(op: str, left: Any, right: Any) -> bool:
    """Return whether a comparison holds."""
    if op in ("=", "!="):
        return (left == right) == (op == "=")
    if op in ("<", "<="):
        return bool(left < right or (op == "<=" and left == right))
    return bool(left > right or (op == ">=" and left == right))


def checked_div(a: Any, b: Any) -> Any:
    if b == 0:
        raise NoValue("a division by zero")
    return a / b


def power(base: Any, exponent: Any) -> Any:
    """Return ``base ^ exponent``, real or no value."""
    if base == 0 and exponent < 0:
        raise NoValue("a division by zero")
    if base and abs(exponent) * max(1, abs(mp.log(abs(base), 2))) > LONGEST:
        raise NoValue("a power that is too large")
    if exponent == mp.floor(exponent):
        return base ** int(exponent)
    if base < 0:
        raise NoValue("a root of a negative number")
    return base**exponent


def builtin(name: str, args: tuple[Any, ...]) -> Any:
    if name not in EXACT.functions:
        raise NoValue(f"the function {name} is not known")
    try:
        found = EXACT.functions[name](*args)
    except TypeError:
        raise NoValue(f"{name} of {len(args)} values") from None
    if isinstance(found, Fraction):
        return mp.mpf(found.numerator) / found.denominator
    try:
        value = mp.mpf(found)
    except TypeError:
        raise NoValue(f"{name} of a matrix") from None
    if mp.isnan(value) or mp.isinf(value):
        raise NoValue(f"{name} has no finite value here")
    return value
