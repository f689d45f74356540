"""Conditions of one product: equalities put in, inequalities reduced to what they say."""

from __future__ import annotations

from dataclasses import dataclass
from math import gcd
from typing import Any

from derivgen.verify.proving.known import Known
from derivgen.verify.proving.places import (
    Form,
    Letter,
    combined,
    counts_of,
    form,
    letters,
    mentions,
    renamed,
    tight,
)
from derivgen.verify.proving.polynomials import Condition, Mono, ordered


class Undecided(Exception):
    """Whether a condition on free letters holds is not known: the proof needs cases."""

    def __init__(self, condition: Condition) -> None:
        self.condition = condition
        super().__init__(str(condition))


@dataclass(frozen=True)
class _Scope:
    known: Known
    bound: tuple[Letter, ...]
    outer: frozenset[Letter]


def reduced(mono: Mono, known: Known, outer: frozenset[Letter]) -> Mono | None:
    """Return a product with its conditions reduced, ``None`` if they never hold.

    Raises: Undecided, where it depends on free letters.
    """
    bound, conditions, factors = mono
    if not conditions:
        return mono
    while True:
        scope = _Scope(known, bound, outer)
        kept = _open(conditions, scope)
        if kept is None:
            return None
        solved = _solved(kept, bound, factors)
        if solved is None:
            break
        name, place = solved
        mapping = {name: place}
        bound = tuple(n for n in bound if n != name)
        conditions = tuple(dict.fromkeys(renamed(tuple(kept), mapping)))
        factors = _put(factors, mapping)
    ranges = _ranges(kept, bound, known)
    needed = _needed([c for c in kept if c not in ranges], known)
    return None if needed is None else (bound, tuple(sorted([*needed, *ranges])), factors)


def _put(factors: Any, mapping: Any) -> Any:
    found: dict[Any, Any] = {}
    for gen, exponent in factors:
        new = renamed(gen, mapping)
        found[new] = found.get(new, 0) + exponent
    return ordered(found)


def _open(conditions: tuple[Condition, ...], scope: _Scope) -> list[Condition] | None:
    """Return the conditions that are not settled yet; ``None`` if one never holds."""
    kept: dict[Condition, None] = {}
    for kind, place in conditions:
        normal = _equality(place) if kind == "eq" else tight(place)
        if normal is None:
            return None
        condition = (kind, normal)
        found = _decided(condition, scope)
        if found is False:
            return None
        if found is None:
            kept[condition] = None
    return _paired(list(kept))


def _equality(place: Form) -> Form | None:
    """Return an equality divided by what its counts share, its first one positive."""
    if not place[1]:
        return place
    common = gcd(*(n for _, n in place[1]))
    if place[2] % common:
        return None
    if place[1][0][1] < 0:
        common = -common
    return ("+", tuple((a, n // common) for a, n in place[1]), place[2] // common)


def _decided(condition: Condition, scope: _Scope) -> bool | None:
    """Tell whether a condition holds. Raises: Undecided, if only free letters leave that open."""
    kind, place = condition
    if not place[1]:
        return place[2] == 0 if kind == "eq" else place[2] >= 0
    names = set(letters(place))
    if names & set(scope.bound):
        return None
    found = holds(condition, scope.known)
    if found is None and not names & scope.outer:
        raise Undecided(condition)
    return found


def holds(condition: Condition, known: Known) -> bool | None:
    """Tell whether a condition follows or contradicts what is known."""
    kind, place = condition
    turned = combined((place, -1))
    if kind == "ge":
        if known.implies(place):
            return True
        return False if known.excludes(place) else None
    if known.excludes(place) or known.excludes(turned):
        return False
    return True if known.implies(place) and known.implies(turned) else None


def _paired(conditions: list[Condition]) -> list[Condition] | None:
    """Two inequalities that leave one value are an equality."""
    found: list[Condition] = []
    for kind, place in conditions:
        for other, second in conditions if kind == "ge" else ():
            if other == "ge" and second[1] == tuple((a, -n) for a, n in place[1]):
                gap = place[2] + second[2]
                if gap < 0:
                    return None
                if gap == 0:
                    equal = _equality(place)
                    assert equal is not None, "one value is left"
                    kind, place = "eq", equal
                    break
        if (kind, place) not in found:
            found.append((kind, place))
    return found


def _solved(
    conditions: list[Condition], bound: tuple[Letter, ...], factors: Any
) -> tuple[Letter, Form] | None:
    """Return a bound letter and the form that an equality gives it, chosen by its uses alone."""
    best: Any = None
    for kind, place in conditions:
        for name in bound if kind == "eq" else ():
            times = counts_of(place, name)
            rest = combined((place, 1), (form(name), -times))
            if abs(times) != 1 or mentions(rest, name):
                continue
            uses = _uses(name, bound, factors), _uses(name, bound, conditions), -times
            if best is None or uses < best[0]:
                best = (uses, name, combined((rest, -times)))
    return best[1:] if best is not None else None


def _uses(name: Letter, bound: tuple[Letter, ...], parts: Any) -> tuple[str, ...]:
    mask = {n: form(("#", "?")) for n in bound}
    mask[name] = form(("#", "@"))
    return tuple(sorted(repr(renamed(part, mask)) for part in parts if mentions(part, name)))


def _ranges(
    conditions: list[Condition], bound: tuple[Letter, ...], known: Known
) -> list[Condition]:
    """Return the two ends of letters that nothing else limits: they leave room and are needed."""
    users: dict[Letter, list[Condition]] = {name: [] for name in bound}
    for condition in conditions:
        for name in dict.fromkeys(letters(condition[1])):
            if name in users:
                users[name].append(condition)
    found: list[Condition] = []
    for name, own in users.items():
        if len(own) != 2 or any(kind == "eq" for kind, _ in own):
            continue
        others = {n for _, place in own for n in letters(place)} & set(bound)
        counts = sorted(counts_of(place, name) for _, place in own)
        if len(others) == 1 and counts == [-1, 1]:
            room = combined((own[0][1], 1), (own[1][1], 1))
            if not mentions(room, name) and known.implies(room):
                found += own
    return found


def _needed(conditions: list[Condition], known: Known) -> list[Condition] | None:
    """Drop inequalities that follow from the others; ``None`` if all together never hold."""
    places = [place for kind, place in conditions if kind == "ge"]
    sure = [f for kind, p in conditions if kind == "eq" for f in (p, combined((p, -1)))]
    if not places:
        return conditions
    if known.also(places + sure).impossible:
        return None
    kept = list(places)
    for place in sorted(places, key=lambda p: (len(p[1]), p)):
        others = [p for p in kept if p != place]
        if known.also(others + sure).implies(place):
            kept = others
    return [c for c in conditions if c[0] == "eq" or c[1] in kept]
