"""Sums of products of accesses with named indices: a form in which equal formulas look the same.

A `Poly` maps a monomial to its factor; a monomial is its bound letters with their ranges and its
factors with exponents, all sums in front. What is no polynomial (a call, a comparison, the inverse
of a sum) is one opaque factor that holds its argument in canonical form. Invariant: two polynomials
with equal `canonical` forms are equal for all sizes and all values; the converse is not claimed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fractions import Fraction
from itertools import count, permutations, product
from typing import Any

Letter = tuple[str, str]  # ("#", name)
Range = tuple[str, str]
Mono = tuple[tuple[tuple[Letter, Range], ...], tuple[tuple[Any, int], ...]]
Poly = dict[Mono, Fraction]
MAX_TERMS = 400
MAX_BOUND = 5
_FRESH = count(1)


class NoProof(Exception):
    """A step has no exact form here, so nothing is proved."""


def letter(name: str) -> Letter:
    return ("#", name)


def fresh() -> Letter:
    """Return a letter that occurs nowhere else."""
    return ("#", f"~{next(_FRESH)}")


def constant(value: Fraction | int) -> Poly:
    return {((), ()): Fraction(value)} if value else {}


def generator(gen: Any, exponent: int = 1) -> Poly:
    return {((), ((gen, exponent),)): Fraction(1)}


def plus(*polys: Poly) -> Poly:
    found: Poly = {}
    for poly in polys:
        for mono, value in poly.items():
            found[mono] = found.get(mono, Fraction(0)) + value
    return {mono: value for mono, value in found.items() if value}


def scaled(poly: Poly, factor: Fraction) -> Poly:
    return {mono: value * factor for mono, value in poly.items()} if factor else {}


def times(one: Poly, other: Poly) -> Poly:
    """Return the product; the sums of the second factor get letters of their own."""
    if len(one) * len(other) > MAX_TERMS:
        raise NoProof("too many terms")
    found: Poly = {}
    for (a, x), (b, y) in product(one.items(), other.items()):
        bound, factors = _apart(b)
        merged: dict[Any, int] = dict(a[1])
        for gen, exponent in factors:
            merged[gen] = merged.get(gen, 0) + exponent
        mono = (a[0] + bound, _ordered((g, e) for g, e in merged.items() if e))
        found[mono] = found.get(mono, Fraction(0)) + x * y
    return {mono: value for mono, value in found.items() if value}


def _ordered(parts: Iterable[Any]) -> tuple[Any, ...]:
    return tuple(sorted(parts, key=repr))


def _apart(mono: Mono) -> Mono:
    """Return a monomial with new names for its bound letters."""
    mapping = {old: fresh() for old, _ in mono[0]}
    bound = tuple((mapping[old], span) for old, span in mono[0])
    return bound, tuple((renamed(g, mapping), e) for g, e in mono[1])


def renamed(thing: Any, mapping: Mapping[Letter, Letter]) -> Any:
    """Exchange letters everywhere in a generator."""
    if not isinstance(thing, tuple) or not mapping:
        return thing
    if len(thing) == 2 and thing[0] == "#":
        return mapping.get(thing, thing)
    return tuple(renamed(part, mapping) for part in thing)


def rename(poly: Poly, mapping: Mapping[Letter, Letter]) -> Poly:
    return plus(
        *({(b, tuple((renamed(g, mapping), e) for g, e in f)): v} for (b, f), v in poly.items())
    )


def summed(poly: Poly, bound: Iterable[tuple[Letter, Range]]) -> Poly:
    """Return the sum over letters: they become bound in every monomial."""
    extra = tuple(bound)
    return {(b + extra, f): v for (b, f), v in poly.items()}


def power(base: Poly, exponent: int) -> Poly:
    """Return an integer power. Raises: NoProof, for a high one."""
    if exponent < 0:
        return power(inverse(base), -exponent)
    if exponent > 6:
        raise NoProof("a high power")
    found = constant(1)
    for _ in range(exponent):
        found = times(found, base)
    return found


def inverse(base: Poly) -> Poly:
    if len(base) == 1:
        (bound, factors), value = next(iter(base.items()))
        if not bound:
            return {((), tuple((g, -e) for g, e in factors)): 1 / value}
    return generator(("inverse", canonical(base)))


def single(poly: Poly) -> Any:
    """Return the generator that a polynomial is, or nothing."""
    if len(poly) == 1:
        (bound, factors), value = next(iter(poly.items()))
        if not bound and value == 1 and len(factors) == 1 and factors[0][1] == 1:
            return factors[0][0]
    return None


Facts = Mapping[tuple[str, int], Fraction]  # (tensor, axis): its sum along the axis


def canonical(poly: Poly, facts: Facts | None = None) -> Any:
    """Return the form in which equal polynomials are equal; see the module's docstring."""
    depth = 1 + max((_depth(f) for _, f in poly), default=0)
    found: dict[Any, Fraction] = {}
    for mono, value in poly.items():
        for small, factor in _settled(mono, facts or {}).items():
            key = _named(small, depth)
            found[key] = found.get(key, Fraction(0)) + value * factor
    kept = ((key, value) for key, value in found.items() if value)
    return ("poly", depth, _ordered(kept))


def _depth(thing: Any) -> int:
    if isinstance(thing, tuple):
        if len(thing) == 3 and thing[0] == "poly":
            return int(thing[1])
        return max((_depth(part) for part in thing), default=0)
    return 0


def _settled(mono: Mono, facts: Facts) -> Poly:
    """Resolve Kronecker symbols and declared sums in one monomial."""
    bound, factors = list(mono[0]), dict(mono[1])
    value = Fraction(1)
    changed = True
    while changed:
        changed = False
        for gen in list(factors):
            if isinstance(gen, tuple) and gen[0] == "same":
                one, other = gen[1], gen[2]
                if factors[gen] < 0:
                    raise NoProof("a division by a Kronecker symbol")
                names = [name for name, _ in bound]
                if one == other:
                    del factors[gen]
                    changed = True
                    break
                gone = one if one in names else other if other in names else None
                if gone is not None:
                    kept = other if gone == one else one
                    del factors[gen]
                    bound = [(n, s) for n, s in bound if n != gone]
                    factors = _merged(factors, {gone: kept})
                    changed = True
                    break
                factors[gen] = 1
                rest = {g: e for g, e in factors.items() if g != gen}
                large, small = max(one, other), min(one, other)
                moved = _merged(rest, {large: small})
                if moved != rest:
                    factors = {**moved, gen: 1}
                    changed = True
                    break
        for name, span in list(bound):
            users = [g for g in factors if _mentions(g, name)]
            if not users and span[0] == "0" and span[1].isidentifier():
                # A sum over a letter that nothing mentions counts its values.
                size = ("size", span[1])
                factors[size] = factors.get(size, 0) + 1
                if not factors[size]:
                    del factors[size]
                bound.remove((name, span))
                changed = True
                break
            if len(users) == 1 and factors[users[0]] == 1 and users[0][0] == "access":
                tensor, places = users[0][1], users[0][2]
                axes = [k for k, place in enumerate(places) if place == name]
                if len(axes) == 1 and (tensor, axes[0]) in facts:
                    value *= facts[tensor, axes[0]]
                    del factors[users[0]]
                    bound.remove((name, span))
                    changed = True
                    break
    return {(tuple(bound), _ordered(factors.items())): value}


def _merged(factors: dict[Any, int], mapping: Mapping[Letter, Letter]) -> dict[Any, int]:
    found: dict[Any, int] = {}
    for gen, exponent in factors.items():
        new = renamed(gen, mapping)
        found[new] = found.get(new, 0) + exponent
    return {gen: e for gen, e in found.items() if e}


def _mentions(thing: Any, name: Letter) -> bool:
    if thing == name:
        return True
    return isinstance(thing, tuple) and any(_mentions(part, name) for part in thing)


def _named(mono: Mono, depth: int) -> Any:
    """Name the bound letters so that the monomial prints smallest: sums have no order."""
    bound, factors = mono
    if len(bound) > MAX_BOUND:
        raise NoProof("too many sums")
    best: Any = None
    for order in permutations(bound):
        mapping = {name: letter(f"b{depth}_{k}") for k, (name, _) in enumerate(order)}
        spans = tuple((mapping[name], span) for name, span in order)
        made = (spans, _ordered((renamed(g, mapping), e) for g, e in factors))
        if best is None or repr(made) < repr(best):
            best = made
    return best
