"""Whether a polynomial is zero for all sizes and values: by cases, over common denominators.

Invariant: the cases of a question cover all whole numbers, and what a case says is put in.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

from derivgen.verify.proving.canonical import Rules, canonical
from derivgen.verify.proving.conditions import Undecided, holds
from derivgen.verify.proving.known import Known, opposite
from derivgen.verify.proving.places import (
    Form,
    Letter,
    combined,
    counts_of,
    form,
    letters,
    mentions,
)
from derivgen.verify.proving.polynomials import (
    Condition,
    Mono,
    Poly,
    generator,
    ordered,
    plus,
    power,
    refreshed,
    rename,
    thawed,
    times,
)

MAX_CASES = 12  # questions on the way to one case
ROUNDS = 8


def is_zero(poly: Poly, known: Known, rules: Rules, depth: int = 0) -> bool:
    """Tell whether a polynomial is zero wherever what is known holds. Raises: NoProof."""
    try:
        return _settled_zero(poly, known, rules)
    except Undecided as question:
        if depth >= MAX_CASES:
            return False
        return all(
            is_zero(part, more, rules, depth + 1)
            for part, more in _cases(question.condition, poly, known)
        )


def _cases(condition: Condition, poly: Poly, known: Known) -> Iterator[tuple[Poly, Known]]:
    """Yield the polynomial under each answer to a question, but for answers that cannot be."""
    kind, place = condition
    answers: list[list[Form]] = [[place], [opposite(place)]]
    if kind == "eq":
        turned = combined((place, -1))
        answers = [[place, turned], [combined((place, 1), constant=-1)], [opposite(place)]]
    for number, answer in enumerate(answers):
        more = known.also(answer)
        if more.impossible:
            continue
        mapping = _solution(place) if kind == "eq" and number == 0 else None
        yield (rename(poly, mapping), more.put(mapping)) if mapping else (poly, more)


def _solution(place: Form) -> dict[Letter, Form] | None:
    """Return a free letter and what an equality makes of it."""
    for name in sorted(dict.fromkeys(letters(place))):
        times_ = counts_of(place, name)
        rest = combined((place, 1), (form(name), -times_))
        if abs(times_) == 1 and not mentions(rest, name):
            return {name: combined((rest, -times_))}
    return None


def _settled_zero(poly: Poly, known: Known, rules: Rules) -> bool:
    current = canonical(poly, known, rules)
    for _ in range(ROUNDS):
        if not current:
            return True
        made = _over_denominator(current) or _with_equal_ranges(current, known)
        if made is None:
            return False
        current = canonical(refreshed(made), known, rules)
    return False


# --- denominators --------------------------------------------------------------------------------


def _over_denominator(poly: Poly) -> Poly | None:
    """Multiply by a base that stands below, and write out whole powers of it.

    A base that only products under a bracket are divided by may be zero elsewhere: it stays.
    """
    for base in _bases(poly):
        powers = {mono: _exponent(mono, base) for mono in poly}
        lowest = min(Fraction(0), *powers.values())
        lifted = -(lowest // 1)  # the next whole number above
        if lifted and not any(e < 0 and not _bracketed(m) for m, e in powers.items()):
            continue
        if not lifted and all(e < 1 for e in powers.values()):
            continue
        return plus(*(_written_out(m, v, base, powers[m] + lifted) for m, v in poly.items()))
    return None


def _bases(poly: Poly) -> list[Any]:
    found: dict[Any, None] = {}
    for _, _, factors in sorted(poly):
        for gen, _ in factors:
            own = gen[0] == "base" and not any(n[1][0] == "!" for n in _free_of(gen))
            if own:
                found[gen] = None
    return list(found)


def _free_of(gen: Any) -> list[Letter]:
    """Return the letters of a base that its own sums do not bind."""
    found: list[Letter] = []
    for (bound, conditions, factors), _ in gen[1][1]:
        found += [n for n in letters((conditions, factors)) if n not in bound]
    return [n for n in found if not _bound_inside(n, gen)]


def _bound_inside(name: Letter, gen: Any) -> bool:
    """Tell whether a sum inside a base, at any depth, binds a letter."""
    if isinstance(gen, tuple):
        if len(gen) == 2 and gen[0] == "poly":
            for (bound, _, factors), _ in gen[1]:
                if name in bound or _bound_inside(name, factors):
                    return True
            return False
        return any(_bound_inside(name, part) for part in gen)
    return False


def _exponent(mono: Mono, base: Any) -> Fraction:
    return next((Fraction(e) for gen, e in mono[2] if gen == base), Fraction(0))


def _bracketed(mono: Mono) -> bool:
    return bool(mono[1]) or any(gen[0] in ("positive", "zero") for gen, _ in mono[2])


def _written_out(mono: Mono, value: Fraction, base: Any, exponent: Fraction) -> Poly:
    bound, conditions, factors = mono
    rest = {g: e for g, e in factors if g != base}
    whole, part = exponent // 1, exponent % 1
    made: Poly = {(bound, conditions, ordered(rest)): value}
    if whole:
        made = times(made, power(thawed(base[1]), int(whole)))
    return times(made, generator(base, part)) if part else made


# --- ranges --------------------------------------------------------------------------------------


def _with_equal_ranges(poly: Poly, known: Known) -> Poly | None:
    """Split a sum where an equal one begins or ends: ``sum(t < T)`` beside ``sum(t <= T)``."""
    monos = sorted(poly)
    for mono in monos:
        for other in monos:
            cut = _cut(mono, other, known)
            if cut is not None:
                rest = {m: v for m, v in poly.items() if m != mono}
                parts = [(mono[0], tuple(sorted((*mono[1], ("ge", f)))), mono[2])
                         for f in (cut, opposite(cut))]  # fmt: skip
                return plus(rest, dict.fromkeys(parts, poly[mono]))
    return None


def _cut(mono: Mono, other: Mono, known: Known) -> Form | None:
    """Return a condition of an equal product that does not follow for this one."""
    if mono == other or not mono[0] or mono[2] != other[2] or mono[0] != other[0]:
        return None
    here = known.also(f for kind, f in mono[1] if kind == "ge")
    for condition in other[1]:
        if condition[0] == "ge" and condition not in mono[1] and holds(condition, here) is None:
            return condition[1]
    return None
