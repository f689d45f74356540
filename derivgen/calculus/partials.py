"""Local partial derivatives of a body by each of its accesses; SymPy does the differentiating.

Bodies of equal shape share one derivative: leaves are replaced by numbered placeholders before
SymPy sees anything. Conditions are split into branches, so a branch that is not taken contributes
nothing, not even ``0 * inf``. Slopes of defined and unknown functions stay ``Call(..., order)``
until `derivgen.calculus.lemmas` puts the lemma in.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import sympy

from derivgen.algebra.expressions import (
    ONE,
    ZERO,
    Access,
    Add,
    Call,
    Compare,
    Condition,
    Constant,
    Expr,
    IndexValue,
    Iverson,
    Node,
    Number,
    Position,
    Pow,
    Where,
    accesses,
    add,
    children,
    div,
    map_leaves,
    map_parts,
    mul,
    number,
    rebuild,
    seen,
    transform,
    walk,
    where,
)
from derivgen.calculus.bridge import FLAT, TO_SYMPY, Symbols, from_sympy, tidy, to_sympy

CONDITIONAL = frozenset((Where, Iverson))


def partials(body: Expr) -> list[tuple[Access, Expr]]:
    """Return ``(A[h], d body / d A[h])`` for each access with a slope, by first occurrence."""
    _, readers = _terms_by_access(body)
    found = []
    for access in accesses(body):
        # Terms that do not read it are constant; without them more bodies are of equal shape.
        shape, leaves = shape_of(add(*readers[access]))
        numbered = next(place for place, leaf in leaves.items() if leaf == access)
        slope = _shape_partial(shape, numbered)
        if slope != ZERO:
            found.append((access, _filled(slope, leaves)))
    return found


def _filled(slope: Expr, leaves: Mapping[Access, Expr]) -> Expr:
    return map_leaves(slope, lambda leaf: leaves.get(leaf, leaf))


def partial(body: Expr, access: Access) -> Expr:
    """Return ``d body / d access``."""
    return dict(partials(body)).get(access, ZERO)


def shape_of(body: Expr) -> tuple[Expr, dict[Access, Expr]]:
    """Return the body with its leaves numbered by occurrence, and the leaves by placeholder."""
    numbers: dict[Expr, Access] = {}

    def visit(part: Any, exponent: bool = False) -> Any:
        if (
            isinstance(part, (Access, IndexValue, Constant, Position))
            or (isinstance(part, Number) and part.value.denominator != 1 and not exponent)
            or _is_known_power(part)
        ):
            return numbers.setdefault(part, Access(f"p{len(numbers):04d}"))
        parts = children(part)
        # An exponent stays visible: x^2.5 differentiates to 2.5*x^1.5, not to x^p/x.
        marks = [exponent or (n == 1 and type(part).__name__ == "Pow") for n in range(len(parts))]
        new = tuple(visit(inner, mark) for inner, mark in zip(parts, marks, strict=False))
        return rebuild(part, new) if parts else part

    shaped: Expr = visit(body)
    return shaped, {placeholder: leaf for leaf, placeholder in numbers.items()}


def _is_known_power(part: Any) -> bool:
    """Tell whether a part is a power of numbers and indices: SymPy would make (-1)^i complex."""
    return isinstance(part, Pow) and not any(isinstance(inner, Access) for inner in walk(part))


@lru_cache(maxsize=4096)
def _shape_partial(shape: Expr, access: Access) -> Expr:
    return _branches(transform(shape, _defined), access)


def _defined(part: Node) -> Node:
    """Write max and min of two numbers by their definition; a tie is shared evenly."""
    if isinstance(part, Call) and part.name in ("max", "min"):
        a, b = part.args
        better = Compare(">" if part.name == "max" else "<", a, b)
        tie = where(Compare("=", a, b), div(add(a, b), number(2)), b)
        return where(better, a, tie)
    return part


def _branches(body: Expr, access: Access) -> Expr:
    """Return the derivative, one branch of each condition at a time."""
    condition = _first_condition(body)
    if condition is None:
        return _smooth(body, access)
    yes = _branches(_assume(body, condition, True), access)
    no = _branches(_assume(body, condition, False), access)
    return where(condition, yes, no)


def conditions_on_top(expr: Expr) -> Expr:
    """Return ``expr`` with its conditions outermost, so that only one branch is ever computed."""
    condition = _first_condition(expr)
    if condition is None:
        return expr
    yes = conditions_on_top(_assume(expr, condition, True))
    no = conditions_on_top(_assume(expr, condition, False))
    return where(condition, yes, no)


def _first_condition(body: Expr) -> Condition | None:
    if not CONDITIONAL.isdisjoint(seen(body).kinds):
        for part in walk(body):
            if isinstance(part, (Where, Iverson)):
                return part.condition
    return None


def _assume(body: Any, condition: Condition, holds: bool) -> Any:
    if isinstance(body, Where) and body.condition == condition:
        return _assume(body.yes if holds else body.no, condition, holds)
    if isinstance(body, Iverson) and body.condition == condition:
        return ONE if holds else ZERO
    return map_parts(body, lambda part: _assume(part, condition, holds))


def _smooth(body: Expr, access: Access) -> Expr:
    """Return the derivative of a body without conditions; calls are differentiated by the chain."""
    places, readers = _terms_by_access(body)
    symbols = Symbols(places)
    there = to_sympy(add(*readers.get(access, ())), symbols)
    direct = symbols.of.get(access)
    slope = ZERO if direct is None else _differentiate(there, direct, symbols)
    for inner in list(symbols.of):
        if isinstance(inner, Call) and inner.name not in FLAT and inner.name not in TO_SYMPY:
            outer = _differentiate(there, symbols.of[inner], symbols)
            slope = add(slope, mul(outer, _call_slope(inner, access)))
    return slope


@lru_cache(maxsize=64)
def _terms_by_access(body: Expr) -> tuple[dict[Any, int], dict[Access, list[Expr]]]:
    """Return the place of every node, and the terms that read each access: others are constant."""
    places: dict[Any, int] = {}
    for place, node in enumerate(walk(body)):
        places.setdefault(node, place)
    readers: dict[Access, list[Expr]] = {}
    for term in body.terms if isinstance(body, Add) else (body,):
        for access in accesses(term):
            readers.setdefault(access, []).append(term)
    return places, readers


def _call_slope(call: Call, access: Access) -> Expr:
    orders = call.order or (0,) * len(call.args)
    terms = []
    for place, arg in enumerate(call.args):
        order = tuple(n + (place == at) for at, n in enumerate(orders))
        terms.append(mul(Call(call.name, call.args, order), _smooth(arg, access)))
    return add(*terms)


def _differentiate(expr: sympy.Expr, by: sympy.Symbol, symbols: Symbols) -> Expr:
    # powsimp turns the x^y*y/x that SymPy returns into y*x^(y-1), which is right at x = 0 too.
    slope = sympy.powsimp(sympy.diff(expr, by))
    return from_sympy(tidy(slope), symbols)
