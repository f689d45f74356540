"""Unrolls a network element by element, for the exact oracle.

It reads `Network.equations` as written and shares nothing with normalising, scheduling, the engine
or the interpreter. Every element of every tensor is one SymPy symbol whose definition is the right
side of its equation at concrete indices, made when first asked for. Conditions, maxima and winners
are decided at the point. Derivatives are those of SymPy, element by element, chained over elements;
``d(u, x)`` makes new elements, so that it can be differentiated again.
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import Any

import mpmath
import numpy as np
import sympy

from derivgen.algebra.affine import Affine, Dim, FloorDiv, Index, Mod, evaluate_affine, indices_of
from derivgen.algebra.expressions import (
    Access,
    Add,
    Along,
    And,
    Call,
    Compare,
    Constant,
    Derivative,
    Div,
    IndexValue,
    Iverson,
    Mul,
    Not,
    Number,
    Pow,
    Reduce,
    Where,
)
from derivgen.algebra.network import Equation, Network, Role
from derivgen.algebra.standin import stand_in, stand_in_symbols

DIGITS = 60
mp = mpmath.mp.clone()
mp.dps = DIGITS
# Two numbers this close are one number: they come from equal expressions, rounded differently.
SAME = mp.mpf(10) ** -50

FUNCTIONS = {
    "exp": sympy.exp,
    "log": sympy.log,
    "log1p": lambda z: sympy.log(1 + z),
    "expm1": lambda z: sympy.exp(z) - 1,
    "sqrt": sympy.sqrt,
    "tanh": sympy.tanh,
    "sinh": sympy.sinh,
    "cosh": sympy.cosh,
    "sin": sympy.sin,
    "cos": sympy.cos,
    "asin": sympy.asin,
    "acos": sympy.acos,
    "atan": sympy.atan,
    "erf": sympy.erf,
    "lgamma": sympy.loggamma,
    "digamma": sympy.digamma,
}
NUMERIC = {
    sympy.exp: mp.exp,
    sympy.log: mp.log,
    sympy.tanh: mp.tanh,
    sympy.sinh: mp.sinh,
    sympy.cosh: mp.cosh,
    sympy.sin: mp.sin,
    sympy.cos: mp.cos,
    sympy.tan: mp.tan,
    sympy.asin: mp.asin,
    sympy.acos: mp.acos,
    sympy.atan: mp.atan,
    sympy.erf: mp.erf,
    sympy.loggamma: mp.loggamma,
    sympy.polygamma: lambda n, z: mp.polygamma(int(n), z),
    sympy.digamma: mp.digamma,
}

Env = Mapping[str, int]


def real(value: Any) -> Any:
    """Return a number as one of `DIGITS` digits."""
    if isinstance(value, Fraction):
        return mp.mpf(value.numerator) / value.denominator
    if isinstance(value, np.integer):
        return mp.mpf(int(value))
    return mp.mpf(value)


class Closure:
    """An argument of a function along indices, evaluated wherever the body stands."""

    def __init__(self, unrolled: Unrolled, expr: Any, scope: Scope, letters: Mapping[str, str]):
        self.unrolled, self.expr, self.scope, self.letters = unrolled, expr, scope, letters

    def at(self, env: Env) -> Any:
        moved = {actual: env[formal] for formal, actual in self.letters.items() if formal in env}
        return self.unrolled.build(self.expr, self.scope.with_indices(moved))


class Scope:
    """Values of index letters, meanings of a function's parameters, ranges of its letters."""

    def __init__(self, env: Env, local: Mapping[str, Any] = {}, ranges: Mapping[str, range] = {}):
        self.env, self.local, self.ranges = env, local, ranges

    def with_indices(self, env: Env) -> Scope:
        return Scope({**self.env, **env}, self.local, self.ranges)


class Unrolled:
    """A network at concrete sizes and values; see the module's docstring."""

    def __init__(self, network: Network, dims: Mapping[Dim, int], arrays: Mapping[str, Any]):
        sys.setrecursionlimit(20_000)
        self.network, self.dims, self.arrays = network, dims, arrays
        self.definitions: dict[Any, Any] = {}
        self.numbers: dict[Any, Any] = {}
        self.names: dict[Any, tuple[str, tuple[int, ...]]] = {}
        self.elements: dict[tuple[str, tuple[int, ...]], Any] = {}
        self.slopes: dict[tuple[Any, Any], Any] = {}
        self.partials: dict[tuple[Any, Any], Any] = {}
        self.parts: dict[Any, list[Any]] = {}
        self.places = {t.name: self._places(t.name) for t in network.of_role(Role.VALUE)}

    # --- elements ---

    def range(self, index: Index, scope: Scope | None = None) -> range:
        if scope is not None and index.name in scope.ranges:
            return scope.ranges[index.name]
        low, high = (evaluate_affine(bound, self.dims) for bound in (index.low, index.high))
        return range(low, high)

    def _places(self, name: str) -> dict[tuple[int, ...], tuple[Equation, Env]]:
        """Return which equation makes which element; the one with more fixed positions wins."""
        found: dict[tuple[int, ...], tuple[int, Equation, Env]] = {}
        for equation in self.network.equations:
            if equation.lhs.tensor != name:
                continue
            forms = equation.lhs.indices
            letters = list(dict.fromkeys(i for form in forms for i in indices_of(form)))
            fixed = sum(1 for form in forms if not list(indices_of(form)))
            for values in itertools.product(*(self.range(index) for index in letters)):
                env = {index.name: value for index, value in zip(letters, values)}
                place = tuple(self.form(form, Scope(env)) for form in forms)
                if place not in found or found[place][0] < fixed:
                    found[place] = (fixed, equation, env)
        return {place: (equation, env) for place, (_, equation, env) in found.items()}

    def element(self, name: str, place: tuple[int, ...]) -> Any:
        """Return the symbol of an element; raise if there is none."""
        key = (name, place)
        if key not in self.elements:
            tensor = self.network.tensors[name]
            symbol = sympy.Symbol(f"{name}{list(place)}")
            self.names[symbol] = key
            if tensor.role is Role.VALUE:
                if place not in self.places[name]:
                    raise IndexError(f"{name}{list(place)} is not defined")
                equation, env = self.places[name][place]
                self.definitions[symbol] = self.build(equation.rhs, Scope(env))
            else:
                self.numbers[symbol] = real(self._given(name, place))
            self.elements[key] = symbol
        return self.elements[key]

    def _given(self, name: str, place: tuple[int, ...]) -> Any:
        axes = self.network.tensors[name].axes
        position = tuple(p - evaluate_affine(a.low, self.dims) for p, a in zip(place, axes))
        array = self.arrays[name]
        if any(not 0 <= p < size for p, size in zip(position, array.shape)):
            raise IndexError(f"{name}{list(place)} is outside")
        return array[position]

    def constant(self, value: Any) -> Any:
        """Return a symbol with a value and no derivative."""
        symbol = sympy.Dummy("c")
        self.numbers[symbol] = value
        return symbol

    # --- numbers ---

    def number(self, expr: Any) -> Any:
        """Return the value of an expression in element symbols."""
        if expr in self.numbers:
            return self.numbers[expr]
        if expr.is_Symbol:
            result = self.number(self.definitions[expr])
        elif expr.is_Rational:
            result = mp.mpf(int(expr.p)) / int(expr.q)
        elif expr.is_number and not expr.args:  # pi, e
            result = mp.mpf(str(expr.evalf(DIGITS + 10)))
        else:
            result = self._operation(expr, [self.number(part) for part in expr.args])
        if not expr.is_Rational:
            self.numbers[expr] = result
        return result

    def _operation(self, expr: Any, parts: list[Any]) -> Any:
        if expr.is_Add:
            return mp.fsum(parts)
        if expr.is_Mul:
            return mp.fprod(parts)
        if expr.is_Pow:
            base, exponent = parts
            whole = expr.exp.is_Integer
            return base ** int(expr.exp) if whole else mp.power(base, exponent)
        return NUMERIC[type(expr)](*parts)

    # --- expressions ---

    def form(self, form: Affine, scope: Scope) -> int:
        """Return the value of an affine form."""
        return form.constant + sum(c * self._atom(atom, scope) for atom, c in form.terms)

    def _atom(self, atom: Any, scope: Scope) -> int:
        match atom:
            case Dim():
                return self.dims[atom]
            case Index():
                return scope.env[atom.name]
            case FloorDiv(inner, divisor):
                return self.form(inner, scope) // divisor
            case Mod(inner, divisor):
                return self.form(inner, scope) % divisor
        place = tuple(self.form(i, scope) for i in atom.indices)
        value = self.number(self.element(atom.tensor, place))
        assert value == int(value), f"{atom} is no index value: {value}"
        return int(value)

    def build(self, expr: Any, scope: Scope) -> Any:
        """Return an expression at concrete indices, in element symbols."""
        match expr:
            case Number(value):
                return sympy.Rational(value.numerator, value.denominator)
            case Constant("pi"):
                return sympy.pi
            case IndexValue(form):
                return sympy.Integer(self.form(form, scope))
            case Access():
                return self._access(expr, scope)
            case Add(parts):
                return sympy.Add(*(self.build(part, scope) for part in parts))
            case Mul(parts):
                return sympy.Mul(*(self.build(part, scope) for part in parts))
            case Div(a, b):
                return self.build(a, scope) / self.build(b, scope)
            case Pow(a, b):
                return self.build(a, scope) ** self.build(b, scope)
            case Where(condition, yes, no):
                return self.build(yes if self.holds(condition, scope) else no, scope)
            case Iverson(condition):
                return sympy.Integer(int(self.holds(condition, scope)))
            case Reduce(op, bound, body):
                return self._reduce(op, bound, body, scope)
            case Call(name, args, order):
                return self._call(name, [self.build(a, scope) for a in args], order)
            case Along(name, indices, args):
                return self._along(name, indices, args, scope)
            case Derivative(of, by):
                return self.slope(self._access(of, scope), self._access(by, scope))
        raise TypeError(f"unknown expression {expr!r}")

    def _access(self, access: Access, scope: Scope) -> Any:
        if not access.indices and access.tensor in scope.local:
            meaning = scope.local[access.tensor]
            return meaning.at(scope.env) if isinstance(meaning, Closure) else meaning
        place = tuple(self.form(form, scope) for form in access.indices)
        axes = self.network.tensors[access.tensor].axes
        inside = all(
            evaluate_affine(a.low, self.dims) <= p < evaluate_affine(a.high, self.dims)
            for p, a in zip(place, axes, strict=True)
        )
        if not inside and access.outside is not None:
            return self.build(access.outside, scope)
        if not inside:
            raise IndexError(f"{access.tensor}{list(place)} is outside")
        return self.element(access.tensor, place)

    def holds(self, condition: Any, scope: Scope) -> bool:
        """Tell whether a condition holds at the point."""
        match condition:
            case And(parts):
                return all(self.holds(part, scope) for part in parts)
            case Not(part):
                return not self.holds(part, scope)
            case Compare(op, left, right):
                order = self._order(self.build(left, scope), self.build(right, scope))
                return {
                    "=": order == 0,
                    "!=": order != 0,
                    "<": order < 0,
                    "<=": order <= 0,
                    ">": order > 0,
                    ">=": order >= 0,
                }[op]
        return any(self.holds(part, scope) for part in condition.parts)

    def _order(self, left: Any, right: Any) -> int:
        a, b = self.number(left), self.number(right)
        if abs(a - b) <= SAME * max(1, abs(a), abs(b)):
            return 0
        return 1 if a > b else -1

    def _reduce(self, op: str, bound: tuple[Index, ...], body: Any, scope: Scope) -> Any:
        cells = itertools.product(*(self.range(index, scope) for index in bound))
        envs = [{i.name: v for i, v in zip(bound, values)} for values in cells]
        parts = [self.build(body, scope.with_indices(env)) for env in envs]
        match op:
            case "sum":
                return sympy.Add(*parts)
            case "prod":
                return sympy.Mul(*parts)
            case "mean":
                return sympy.Add(*parts) / len(parts)
            case "logsumexp":
                return sympy.log(sympy.Add(*map(sympy.exp, parts)))
        winner = 0
        for k, part in enumerate(parts):
            order = self._order(part, parts[winner])
            winner = k if (order < 0 if op in ("min", "argmin") else order > 0) else winner
        if op in ("max", "min"):
            return parts[winner]
        low = self.range(bound[0], scope).start if len(bound) == 1 else 0
        return sympy.Integer(low + winner)

    def _call(self, name: str, args: list[Any], order: tuple[int, ...]) -> Any:
        function = self.network.functions.get(name)
        if function is not None and function.body is None:
            known = dict(zip(stand_in_symbols(len(args)), args, strict=True))
            return stand_in(name, order or (0,) * len(args)).xreplace(known)
        if function is not None:
            settings = {s: sympy.Rational(v.numerator, v.denominator) for s, v in function.settings}
            names = [*function.params, *settings]
            return self.build(function.body, Scope({}, {**settings, **dict(zip(names, args))}))
        if name in ("max", "min"):
            return self._extreme(args[0], args[1], 1 if name == "max" else -1)
        return self._kinked(name, args[0]) if name in KINKED else FUNCTIONS[name](*args)

    def _extreme(self, a: Any, b: Any, sign: int) -> Any:
        order = self._order(a, b) * sign
        return (a + b) / 2 if order == 0 else a if order > 0 else b

    def _kinked(self, name: str, arg: Any) -> Any:
        if name == "stop_gradient":
            return self.constant(self.number(arg))
        if name == "floor":
            return sympy.Integer(int(mp.floor(self.number(arg))))
        sign = self._order(arg, sympy.Integer(0))
        return sympy.Integer(sign) if name == "sign" else sign * arg

    def _along(self, name: str, indices: tuple[Index, ...], args: Any, scope: Scope) -> Any:
        function = self.network.functions[name]
        letters = {f.name: a.name for f, a in zip(function.indices, indices, strict=True)}
        env = {formal: scope.env[actual] for formal, actual in letters.items()}
        ranges = {f: self.range(a, scope) for f, a in zip(letters, indices)}
        settings = {s: sympy.Rational(v.numerator, v.denominator) for s, v in function.settings}
        closures = [Closure(self, arg, scope, letters) for arg in args]
        names = [*function.params, *settings]
        local = {**settings, **dict(zip(names, closures))}
        return self.build(function.body, Scope(env, local, ranges))

    # --- derivatives ---

    def operands(self, symbol: Any) -> list[Any]:
        """Return the element symbols in a definition, in a fixed order."""
        if symbol not in self.parts:
            definition = self.definitions.get(symbol, sympy.Integer(0))
            self.parts[symbol] = sorted(definition.free_symbols, key=str)
        return self.parts[symbol]

    def partial(self, symbol: Any, part: Any) -> Any:
        """Return the derivative of a definition by one of its operands."""
        if (symbol, part) not in self.partials:
            self.partials[symbol, part] = sympy.diff(self.definitions[symbol], part)
        return self.partials[symbol, part]

    def slope(self, of: Any, by: Any) -> Any:
        """Return the total derivative of one element by another, as a new element."""
        if of == by:
            return sympy.Integer(1)
        if not getattr(of, "is_Symbol", False):
            return sympy.Integer(0)  # a padded access: a constant
        if (of, by) not in self.slopes:
            terms = [self.partial(of, part) * self.slope(part, by) for part in self.operands(of)]
            total = sympy.Add(*terms)
            if not total.is_number:
                symbol = sympy.Dummy(f"d({of},{by})")
                self.definitions[symbol] = total
                total = symbol
            self.slopes[of, by] = total
        return self.slopes[of, by]

    def order(self, symbol: Any) -> Iterator[Any]:
        """Yield all elements below one, operands first."""
        seen: dict[Any, None] = {}
        stack = [(symbol, iter(self.operands(symbol)))]
        seen[symbol] = None
        while stack:
            current, rest = stack[-1]
            part = next(rest, None)
            if part is None:
                stack.pop()
                yield current
            elif part not in seen:
                seen[part] = None
                stack.append((part, iter(self.operands(part))))

    def gradients(self, root: Any) -> dict[Any, Any]:
        """Return the derivative of one element by every element below it, as numbers."""
        adjoints = {root: mp.mpf(1)}
        for symbol in reversed(list(self.order(root))):
            adjoint = adjoints.get(symbol, mp.mpf(0))
            for part in self.operands(symbol):
                slope = self.number(self.partial(symbol, part))
                adjoints[part] = adjoints.get(part, mp.mpf(0)) + adjoint * slope
        return adjoints


KINKED = ("abs", "sign", "floor", "stop_gradient")
