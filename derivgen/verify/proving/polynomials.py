"""Sums of products over named indices, with the conditions under which each product counts.

A `Poly` maps a product to its factor. A product is ``(bound, conditions, factors)``: the letters it
is summed over, index conditions (``("ge", form)``: form >= 0, ``("eq", form)``: form = 0) that hold
their ranges as well, and generators with exponents. Generators are

    ("access", tensor, places)  ("size", name)  ("free", name)  ("index", form)  ("along", ...)
    ("call", name, orders, arguments)  ("exp", argument)  ("base", argument)
    ("positive", argument)  ("zero", argument)

with polynomials as arguments kept as tuples (`enclosed`). ``base`` is a sum to a power that is no
whole positive number; ``positive`` and ``zero`` are 1 where their argument is so, else 0.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from fractions import Fraction
from itertools import product
from typing import Any

from derivgen.verify.proving.places import (
    Form,
    Letter,
    NoProof,
    Range,
    combined,
    form,
    fresh,
    minus,
    renamed,
)

Condition = tuple[str, Form]
Mono = tuple[tuple[Letter, ...], tuple[Condition, ...], tuple[tuple[Any, Any], ...]]
Poly = dict[Mono, Fraction]
Frozen = tuple[str, tuple[tuple[Mono, Fraction], ...]]
MAX_TERMS = 600
MAX_POWER = 6


def constant(value: Fraction | int) -> Poly:
    return {((), (), ()): Fraction(value)} if value else {}


def generator(gen: Any, exponent: Any = 1) -> Poly:
    return {((), (), ((gen, exponent),)): Fraction(1)}


def where(*conditions: Condition) -> Poly:
    """Return 1 where all conditions hold, else 0."""
    return {((), tuple(sorted(conditions)), ()): Fraction(1)}


def plus(*polys: Poly) -> Poly:
    found: Poly = {}
    for poly in polys:
        for mono, value in poly.items():
            found[mono] = found.get(mono, Fraction(0)) + value
    return {mono: value for mono, value in found.items() if value}


def scaled(poly: Poly, factor: Fraction | int) -> Poly:
    return {mono: value * factor for mono, value in poly.items()} if factor else {}


def less(one: Poly, other: Poly) -> Poly:
    """Return the difference."""
    return plus(one, scaled(other, -1))


def times(one: Poly, other: Poly) -> Poly:
    """Return the product; the sums of the second factor get letters of their own."""
    if len(one) * len(other) > MAX_TERMS:
        raise NoProof("too many terms")
    found: Poly = {}
    for (a, x), (b, y) in product(one.items(), other.items()):
        bound, conditions, factors = apart(b)
        merged: dict[Any, Any] = dict(a[2])
        for gen, exponent in factors:
            merged[gen] = merged.get(gen, 0) + exponent
        mono = (a[0] + bound, joined(a[1], conditions), ordered(merged))
        found[mono] = found.get(mono, Fraction(0)) + x * y
    return {mono: value for mono, value in found.items() if value}


def joined(one: tuple[Condition, ...], other: tuple[Condition, ...]) -> tuple[Condition, ...]:
    if not one or not other:
        return one or other
    return tuple(sorted(dict.fromkeys(one + other)))


def ordered(factors: Mapping[Any, Any]) -> tuple[tuple[Any, Any], ...]:
    """Return factors in order; a bracket to a positive power is the bracket itself."""
    kept = (
        (g, 1 if g[0] in ("positive", "zero") and e > 0 else e) for g, e in factors.items() if e
    )
    return tuple(sorted(kept))


def apart(mono: Mono) -> Mono:
    """Return a product with new names for its bound letters."""
    if not mono[0]:
        return mono
    mapping = {old: form(fresh()) for old in mono[0]}
    bound = tuple(new[1][0][0] for new in mapping.values())
    return bound, renamed(mono[1], mapping), renamed(mono[2], mapping)


def rename(poly: Poly, mapping: Mapping[Letter, Form]) -> Poly:
    """Put forms for free letters."""
    found: Poly = {}
    for (bound, conditions, factors), value in poly.items():
        merged: dict[Any, Any] = {}
        for gen, exponent in factors:
            new = renamed(gen, mapping)
            merged[new] = merged.get(new, 0) + exponent
        moved = tuple(sorted(dict.fromkeys(renamed(conditions, mapping))))
        mono = (bound, moved, ordered(merged))
        found[mono] = found.get(mono, Fraction(0)) + value
    return {mono: value for mono, value in found.items() if value}


def within(name: Letter, span: Range) -> tuple[Condition, ...]:
    """Return the conditions ``low <= name < high``."""
    here = form(name)
    return (("ge", minus(here, span[0])), ("ge", minus(span[1], here, -1)))


def summed(poly: Poly, bound: Iterable[tuple[Letter, Range]]) -> Poly:
    """Return the sum over letters and their ranges."""
    extra = tuple(bound)
    names = tuple(name for name, _ in extra)
    spans = tuple(sorted(c for name, span in extra for c in within(name, span)))
    return {(b + names, joined(c, spans), f): v for (b, c, f), v in poly.items()}


def frozen(poly: Poly) -> Frozen:
    """Return a polynomial as a tuple, its letters as they are."""
    return ("poly", tuple(sorted(poly.items())))


def enclosed(poly: Poly) -> Frozen:
    """Return a polynomial as part of a generator: no letter it binds is bound around it too."""
    return frozen(refreshed(poly))


def refreshed(poly: Poly) -> Poly:
    """Return a polynomial with new names for all letters bound in it, at any depth."""
    return {_refreshed(mono, {}): value for mono, value in poly.items()}


def _refreshed(mono: Mono, mapping: Mapping[Letter, Form]) -> Mono:
    bound, conditions, factors = mono
    new = {name: form(fresh()) for name in bound}
    inner = {**mapping, **new}
    names = tuple(place[1][0][0] for place in new.values())
    moved = tuple(sorted((_inside(gen, inner), e) for gen, e in factors))
    return names, tuple(sorted(renamed(conditions, inner))), moved


def _inside(thing: Any, mapping: Mapping[Letter, Form]) -> Any:
    """Rename letters in a generator; a letter bound again inside is another one."""
    if not isinstance(thing, tuple) or not thing:
        return thing
    if len(thing) == 2 and thing[0] == "poly":
        return ("poly", tuple(sorted((_refreshed(mono, mapping), v) for mono, v in thing[1])))
    if thing[0] == "+":
        return renamed(thing, mapping)
    return tuple([_inside(part, mapping) for part in thing])


def thawed(kept: Frozen) -> Poly:
    return dict(kept[1])


def power(
    base: Poly, exponent: Fraction | int, enclose: Callable[[Poly], Frozen] = enclosed
) -> Poly:
    """Return a rational power; a broken one only where the base may not be negative.

    Raises: NoProof, for a high power.
    """
    exponent = Fraction(exponent)
    if abs(exponent) > MAX_POWER:
        raise NoProof("a high power")
    if exponent.denominator == 1 and exponent >= 0:
        found = constant(1)
        for _ in range(int(exponent)):
            found = times(found, base)
        return found
    if exponent.denominator == 1 and len(base) == 1:
        ((bound, conditions, factors), value) = next(iter(base.items()))
        brackets = any(gen[0] in ("positive", "zero") for gen, _ in factors)
        if not bound and not conditions and not brackets:
            powers = ordered({gen: e * int(exponent) for gen, e in factors})
            return {((), (), powers): value ** int(exponent)}
    whole = int(exponent) if exponent.denominator == 1 else exponent
    return generator(("base", enclose(base)), whole)


def inverse(base: Poly) -> Poly:
    return power(base, -1)


def exponential(argument: Poly) -> Poly:
    """Return ``exp`` of a sum as the product of the exponentials of its terms."""
    found = constant(1)
    for mono, value in sorted(argument.items()):
        whole = int(value) if value.denominator == 1 else value
        found = times(found, generator(("exp", enclosed({mono: Fraction(1)})), whole))
    return found


def comparison(op: str, difference: Poly) -> Poly:
    """Return 1 where ``difference op 0`` holds, else 0, by what is positive or zero alone."""
    one = constant(1)
    match op:
        case ">":
            return generator(("positive", enclosed(difference)))
        case "<":
            return generator(("positive", enclosed(scaled(difference, -1))))
        case ">=":
            return less(one, comparison("<", difference))
        case "<=":
            return less(one, comparison(">", difference))
        case "=":
            return generator(("zero", enclosed(difference)))
        case "!=":
            return less(one, comparison("=", difference))
    raise NoProof("a comparison")


def index_condition(op: str, difference: Form) -> Poly:
    """Return 1 where ``difference op 0`` holds of whole numbers, else 0."""
    match op:
        case ">=":
            return where(("ge", difference))
        case ">":
            return where(("ge", combined((difference, 1), constant=-1)))
        case "<=" | "<":
            turned = combined((difference, -1))
            return index_condition({"<=": ">=", "<": ">"}[op], turned)
        case "=":
            return where(("eq", difference))
        case "!=":
            return less(constant(1), where(("eq", difference)))
    raise NoProof("a comparison")


def index_value(place: Form) -> Poly:
    """Return an index form as a number."""
    parts = [scaled(_atom_value(atom), n) for atom, n in place[1]]
    return plus(*parts, constant(place[2]))


def _atom_value(atom: Any) -> Poly:
    if atom[0] == "size":
        return generator(atom)
    return generator(("index", form(atom)))
