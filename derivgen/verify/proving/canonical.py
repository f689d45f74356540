"""One form for equal polynomials: conditions reduced, sums resolved, bound letters named.

Invariant: every step is an equality that holds for all sizes and values within what is known;
equal results mean equal polynomials, and the converse is not claimed. What depends on a question
about free letters that is not known, such as whether i = j, raises `Undecided`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import permutations, product
from math import factorial, prod
from typing import Any

from derivgen.verify.proving.conditions import reduced
from derivgen.verify.proving.known import Known
from derivgen.verify.proving.places import (
    Form,
    Letter,
    NoProof,
    Range,
    combined,
    form,
    mentions,
    minus,
    renamed,
)
from derivgen.verify.proving.polynomials import (
    Condition,
    Frozen,
    Mono,
    Poly,
    frozen,
    index_value,
    ordered,
    power,
    thawed,
    times,
    within,
)

MAX_ORDERS = 720
MAX_STEPS = 4000

Facts = Mapping[tuple[str, int], tuple[Range, Fraction]]  # (tensor, axis): its range and sum


@dataclass
class Rules:
    """What may be used: facts about sums along an axis; ``steps`` bounds the work."""

    facts: Facts = field(default_factory=dict)
    steps: int = 0

    def spend(self) -> None:
        self.steps += 1
        if self.steps > MAX_STEPS:
            raise NoProof("too much work")


def canonical(
    poly: Poly, known: Known, rules: Rules, outer: frozenset[Letter] = frozenset()
) -> Poly:
    """Return the form in which equal polynomials are equal.

    ``outer`` are letters bound around it. Raises: Undecided, NoProof.
    """
    found: Poly = {}
    for mono, value in poly.items():
        for small, factor in _settled(mono, known, rules, outer).items():
            key = _named(small)
            found[key] = found.get(key, Fraction(0)) + value * factor
    return {mono: value for mono, value in found.items() if value}


def _settled(mono: Mono, known: Known, rules: Rules, outer: frozenset[Letter]) -> Poly:
    done: Poly = {}
    waiting = [(mono, Fraction(1))]
    while waiting:
        rules.spend()
        current, value = waiting.pop()
        small = reduced(current, known, outer)
        if small is None:
            continue
        made = _arguments(small, known, rules, outer)
        if made is None:
            made = _expanded(small) or _fact(small, rules.facts) or _counted(small, known)
        if made is None:
            done[small] = done.get(small, Fraction(0)) + value
        else:
            waiting += [(new, value * factor) for new, factor in made.items()]
    return done


# --- arguments of generators ---------------------------------------------------------------------


def _arguments(mono: Mono, known: Known, rules: Rules, outer: frozenset[Letter]) -> Poly | None:
    """Bring arguments to their form; ``None`` if they have it."""
    bound, conditions, factors = mono
    nested = [gen for gen, _ in factors if gen[0] in _REMADE]
    if not nested:
        return None
    inside = known.also(f for kind, f in conditions if kind == "ge")
    deeper = outer | frozenset(bound)

    def form_of(kept: Frozen) -> Poly:
        return canonical(thawed(kept), inside, rules, deeper)

    value = Fraction(1)
    merged: dict[Any, Any] = {}
    for gen, exponent in factors:
        pieces: Poly = {((), (), ((gen, exponent),)): Fraction(1)}
        if gen[0] in _REMADE:
            pieces = _REMADE[gen[0]](gen, exponent, form_of)
        if not pieces:
            return {}
        ((_, _, inner), factor) = next(iter(pieces.items()))
        value *= factor
        for new, e in inner:
            merged[new] = merged.get(new, 0) + e
    made = (bound, conditions, ordered(merged))
    return None if made == mono and value == 1 else {made: value}


def _single(gen: Any, exponent: Any, value: Fraction = Fraction(1)) -> Poly:
    return {((), (), ((gen, exponent),)): value}


def _call(gen: Any, exponent: Any, form_of: Any) -> Poly:
    args = tuple(frozen(form_of(argument)) for argument in gen[3])
    return _single((*gen[:3], args), exponent)


def _exp(gen: Any, exponent: Any, form_of: Any) -> Poly:
    merged: dict[Any, Any] = {}
    for mono, value in form_of(gen[1]).items():
        key = ("exp", frozen({mono: Fraction(1)}))
        merged[key] = merged.get(key, 0) + value * exponent
    return {((), (), ordered(merged)): Fraction(1)}


def _base(gen: Any, exponent: Any, form_of: Any) -> Poly:
    found: Poly = form_of(gen[1])
    if not found:
        return _single(("base", frozen(found)), exponent)
    if part := exponent % 1:  # a root to a power below 1, times whole powers
        whole = _base(gen, int(exponent - part), form_of) if exponent > 1 or exponent < 0 else {}
        root = _single(("base", frozen(found)), part)
        return times(whole, root) if whole else root
    lead = found[min(found)]
    scaled = {mono: value / lead for mono, value in found.items()}
    factor = lead ** int(exponent)
    if exponent > 0:  # expanded later, where it stands alone
        return _single(("base", frozen(scaled)), exponent, factor)
    made = power(scaled, int(exponent), frozen)
    return {mono: value * factor for mono, value in made.items()}


def _positive(gen: Any, exponent: Any, form_of: Any) -> Poly:
    return _bracket("positive", form_of(gen[1]), exponent)


def _zero(gen: Any, exponent: Any, form_of: Any) -> Poly:
    return _bracket("zero", form_of(gen[1]), exponent)


def _bracket(kind: str, found: Poly, exponent: Any) -> Poly:
    if set(found) <= {((), (), ())}:
        value = next(iter(found.values()), Fraction(0))
        holds = value > 0 if kind == "positive" else value == 0
        if holds or exponent > 0:
            return {((), (), ()): Fraction(1)} if holds else {}
        raise NoProof("a division by zero")
    lead = found[min(found)]
    lead = abs(lead) if kind == "positive" else lead
    scaled = {mono: value / lead for mono, value in found.items()}
    return _single((kind, frozen(scaled)), exponent)


_REMADE = {"call": _call, "exp": _exp, "base": _base, "positive": _positive, "zero": _zero}


def _expanded(mono: Mono) -> Poly | None:
    """Write out an index form used as a number."""
    bound, conditions, factors = mono
    for gen, exponent in factors:
        if gen[0] == "index" and (len(gen[1][1]) != 1 or gen[1][2] or gen[1][1][0][1] != 1):
            rest = {g: e for g, e in factors if g != gen}
            return times({(bound, conditions, ordered(rest)): Fraction(1)},
                         power(index_value(gen[1]), exponent))  # fmt: skip
    return None


# --- sums that have a value ----------------------------------------------------------------------


def _fact(mono: Mono, facts: Facts) -> Poly | None:
    """Use a declared sum: a factor that alone has its letter, over the whole axis."""
    bound, conditions, factors = mono
    for name in bound if facts else ():
        users = [(g, e) for g, e in factors if mentions(g, name)]
        own = tuple(c for c in conditions if mentions(c, name))
        if len(users) != 1 or users[0][1] != 1 or users[0][0][0] != "access":
            continue
        tensor, places = users[0][0][1], users[0][0][2]
        axes = [k for k, place in enumerate(places) if mentions(place, name)]
        if len(axes) != 1 or places[axes[0]] != form(name) or (tensor, axes[0]) not in facts:
            continue
        span, value = facts[tensor, axes[0]]
        if set(own) != set(within(name, span)):
            continue
        rest = {g: e for g, e in factors if (g, e) != users[0]}
        left = tuple(n for n in bound if n != name)
        kept = tuple(c for c in conditions if c not in own)
        return {(left, kept, ordered(rest)): value} if value else {}
    return None


def _counted(mono: Mono, known: Known) -> Poly | None:
    """Count the values of a letter that nothing mentions but its range."""
    bound, conditions, factors = mono
    for name in bound:
        own = [c for c in conditions if mentions(c, name)]
        if any(mentions(g, name) for g, _ in factors) or len(own) != 2:
            continue
        ends = _ends(name, own)
        rest = tuple(c for c in conditions if c not in own)
        if ends is None:
            continue
        count = minus(ends[1], ends[0])
        others = known.also(f for kind, f in rest if kind == "ge")
        if not others.implies(count):
            continue
        left = tuple(n for n in bound if n != name)
        return times({(left, rest, factors): Fraction(1)}, index_value(count))
    return None


def _ends(name: Letter, own: list[Condition]) -> Range | None:
    """Return the range ``low <= name < high`` that two inequalities say, if they say one."""
    low: Form | None = None
    high: Form | None = None
    for kind, place in own:
        counts = dict(place[1])
        times = counts.get(name, 0)
        rest = combined((place, 1), (form(name), -times))
        if kind != "ge" or abs(times) != 1 or mentions(rest, name):
            return None
        if times == 1:
            low = combined((rest, -1))
        else:
            high = combined((rest, 1), constant=1)
    return (low, high) if low is not None and high is not None else None


# --- names of bound letters ----------------------------------------------------------------------


def _named(mono: Mono) -> Mono:
    """Name the bound letters so that the product is smallest: sums have no order."""
    bound, conditions, factors = mono
    if not bound:
        return mono
    depth = 1 + _depth(factors)
    best: Any = None
    for order in _orders(bound, conditions, factors):
        names = [("#", f"!{depth}_{k}") for k in range(len(order))]
        mapping = {old: form(new) for old, new in zip(order, names)}
        moved = tuple(sorted(renamed(conditions, mapping)))
        made = (tuple(names), moved, _merged(factors, mapping))
        if best is None or made[1:] < best[1:]:
            best = made
    found: Mono = best
    return found


def _depth(thing: Any) -> int:
    """Return how deep sums stand inside sums in the arguments of generators."""
    if not isinstance(thing, tuple) or not thing or thing[0] in ("#", "+"):
        return 0
    if len(thing) == 2 and thing[0] == "poly":
        own = [1 + _depth(mono[2]) if mono[0] else _depth(mono[2]) for mono, _ in thing[1]]
        return max(own, default=0)
    return max((_depth(part) for part in thing), default=0)


def _merged(factors: Any, mapping: Mapping[Letter, Form]) -> Any:
    found: dict[Any, Any] = {}
    for gen, exponent in factors:
        new = _sorted_inside(renamed(gen, mapping))
        found[new] = found.get(new, 0) + exponent
    return ordered(found)


def _sorted_inside(thing: Any) -> Any:
    """Put the terms of arguments in order again, after letters in them were renamed."""
    if not isinstance(thing, tuple) or not thing or thing[0] in ("#", "+"):
        return thing
    if len(thing) == 2 and thing[0] == "poly":
        made = [
            ((bound, tuple(sorted(conditions)), tuple(sorted(map(_sorted_inside, factors)))), v)
            for (bound, conditions, factors), v in thing[1]
        ]
        return ("poly", tuple(sorted(made)))
    return tuple([_sorted_inside(part) for part in thing])


def _orders(bound: Any, conditions: Any, factors: Any) -> Iterator[tuple[Letter, ...]]:
    """Yield the orders of bound letters that their uses leave open."""
    if len(bound) == 1:
        yield bound
        return
    groups: dict[Any, list[Letter]] = {}
    for name in bound:
        groups.setdefault(signature(name, bound, conditions, factors), []).append(name)
    sets = [groups[key] for key in sorted(groups)]
    if prod(factorial(len(s)) for s in sets) > MAX_ORDERS:
        raise NoProof("too many sums")
    for parts in product(*(permutations(s) for s in sets)):
        yield tuple(name for part in parts for name in part)


def signature(name: Letter, bound: Any, conditions: Any, factors: Any) -> Any:
    """Return how a bound letter is used, whatever it and the others are called."""
    mask = {n: form(("#", "?")) for n in bound}
    mask[name] = form(("#", "@"))
    parts = [renamed(part, mask) for part in (*factors, *conditions) if mentions(part, name)]
    return tuple(sorted(repr(part) for part in parts))
