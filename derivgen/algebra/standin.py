"""A smooth function that stands in for one nobody has defined (``function f``).

``f(z) = a sin(b.z + c) + d.z + z.e.z/2`` with coefficients that depend on the name alone, so that
every reader of a network sees the same function. Derivatives of every order come from SymPy.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from functools import cache
from hashlib import sha256
from typing import Any

import sympy

from derivgen.algebra.arithmetic import Arithmetic


def _coefficient(name: str, key: str) -> sympy.Rational:
    """Return a rational between 1/2 and 3/2 that depends on the name and the key."""
    digest = sha256(f"{name}/{key}".encode()).digest()
    return sympy.Rational(500 + int.from_bytes(digest[:4], "big") % 1000, 1000)


def stand_in_symbols(arity: int) -> tuple[sympy.Symbol, ...]:
    """Return the symbols of the arguments."""
    return tuple(sympy.Symbol(f"z{k}", real=True) for k in range(arity))


@cache
def stand_in(name: str, order: tuple[int, ...]) -> Any:
    """Return the SymPy expression of a stand-in, differentiated ``order[k]`` times by argument k.

    The arguments are the symbols of `stand_in_symbols`.
    """
    symbols = stand_in_symbols(len(order))
    phase = _coefficient(name, "c")
    total = sympy.Integer(0)
    for k, z in enumerate(symbols):
        phase += _coefficient(name, f"b{k}") * z
        total += _coefficient(name, f"d{k}") * z
        for other in symbols[: k + 1]:
            total += _coefficient(name, f"e{k}{other.name}") * z * other / 2
    total += _coefficient(name, "a") * sympy.sin(phase)
    for z, count in zip(symbols, order):
        total = sympy.diff(total, z, count) if count else total
    return total


def evaluate_stand_in(
    name: str, order: tuple[int, ...], args: tuple[Any, ...], arithmetic: Arithmetic
) -> Any:
    """Return the value of a stand-in's derivative at ``args``, element by element."""
    known = dict(zip(stand_in_symbols(len(args)), args))
    return _value(stand_in(name, order or (0,) * len(args)), known, arithmetic)


def _value(expr: Any, known: Mapping[Any, Any], arithmetic: Arithmetic) -> Any:
    if expr in known:
        return known[expr]
    if expr.is_Rational:
        return arithmetic.number(Fraction(int(expr.p), int(expr.q)))
    parts = [_value(part, known, arithmetic) for part in expr.args]
    return _operation(expr, arithmetic)(*parts)


def _operation(expr: Any, arithmetic: Arithmetic) -> Callable[..., Any]:
    if expr.is_Function:
        return arithmetic.functions[type(expr).__name__]
    return lambda *parts: _chain(_BINARY[type(expr)](arithmetic), parts)


def _chain(operation: Callable[[Any, Any], Any], parts: tuple[Any, ...]) -> Any:
    total = parts[0]
    for part in parts[1:]:
        total = operation(total, part)
    return total


_BINARY: Mapping[type, Callable[[Arithmetic], Callable[[Any, Any], Any]]] = {
    sympy.Add: lambda arithmetic: arithmetic.add,
    sympy.Mul: lambda arithmetic: arithmetic.mul,
    sympy.Pow: lambda arithmetic: arithmetic.pow,
}
