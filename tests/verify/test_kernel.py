"""The kernel of proofs attacked with random sums: what it calls zero is zero at every size tried.

Polynomials of sums, conditions, Kronecker symbols, roots, exponentials and brackets are made at
random and compared with themselves after changes that keep or spoil them; a slow evaluation over
small sizes knows nothing of normal forms.
"""

from __future__ import annotations

import math
import random
from fractions import Fraction
from itertools import product

import pytest

from derivgen.verify.proving import polynomials as poly
from derivgen.verify.proving.canonical import Rules
from derivgen.verify.proving.known import Known
from derivgen.verify.proving.places import (
    NoProof,
    combined,
    form,
    fresh,
    letter,
    minus,
    number,
    size,
)
from derivgen.verify.proving.zero import is_zero

I, J = letter("i"), letter("j")
N, M = size("N"), size("M")
SPANS = {I: (number(0), N), J: (number(0), N)}
REACH = range(-4, 8)


def held(place, at):
    return sum(n * at[atom] for atom, n in place[1]) + place[2]


def value(kept, at):
    total = 0.0
    for (bound, conditions, factors), factor in kept.items():
        for places in product(REACH, repeat=len(bound)):
            here = {**at, **dict(zip(bound, places))}
            if all(_holds(c, here) for c in conditions):
                total += float(factor) * math.prod(_power(g, e, here) for g, e in factors)
    return total


def _holds(condition, at):
    found = held(condition[1], at)
    return found >= 0 if condition[0] == "ge" else found == 0


def _power(gen, exponent, at):
    return _factor(gen, at) ** float(exponent)


def _factor(gen, at):
    match gen:
        case ("access", name, places):
            seed = (name, *(held(p, at) for p in places))
            return random.Random(repr(seed)).uniform(0.3, 1.7)
        case ("size", _):
            return float(at[gen])
        case ("index", place):
            return float(held(place, at))
        case ("exp", inner):
            return math.exp(value(dict(inner[1]), at))
        case ("base", inner):
            return value(dict(inner[1]), at)
        case ("positive", inner):
            return float(value(dict(inner[1]), at) > 0)
        case ("call", _, _, (inner,)):
            return math.tanh(value(dict(inner[1]), at))
    raise AssertionError(gen)


class Maker:
    """Random polynomials over a few tensors, all positive, so that roots and quotients exist."""

    def __init__(self, seed):
        self.rng = random.Random(seed)

    def place(self, letters):
        found = form(self.rng.choice(letters))
        return combined((found, 1), constant=self.rng.choice((0, 0, 0, 1, -1)))

    def access(self, letters):
        name = self.rng.choice("uvw")
        return poly.generator(("access", name, tuple(self.place(letters) for _ in range(2))))

    def any(self, letters, depth):
        kind = self.rng.randrange(10) if depth else 0
        if kind < 2:
            return self.access(letters)
        if kind < 4:
            return poly.plus(self.any(letters, depth - 1), self.any(letters, depth - 1))
        if kind < 6:
            return poly.times(self.any(letters, depth - 1), self.any(letters, depth - 1))
        if kind < 8:
            return self.sum(letters, depth)
        inner = self.any(letters, depth - 1)
        made = (
            lambda: poly.exponential(poly.scaled(inner, Fraction(-1, 40))),
            lambda: poly.power(poly.plus(inner, poly.constant(1)), Fraction(-1, 2)),
            lambda: poly.inverse(poly.plus(inner, poly.constant(1))),
            lambda: poly.generator(("call", "tanh", (), (poly.enclosed(inner),))),
            lambda: poly.comparison(">", poly.less(inner, poly.constant(1))),
            lambda: self.kronecker(letters),
        )
        return self.rng.choice(made)()

    def kronecker(self, letters):
        gap = minus(self.place(letters), self.place(letters))
        return self.rng.choice((poly.where(("eq", gap)), poly.where(("ge", gap))))

    def sum(self, letters, depth):
        name = fresh()
        low = self.rng.choice((number(0), number(0), number(1), form(self.rng.choice(letters))))
        high = self.rng.choice((N, N, combined((N, 1), constant=-1), M))
        body = self.any([*letters, name, name], depth - 1)
        return poly.summed(body, [(name, (low, high))])

    def changed(self, kept):
        """Return a polynomial again in other words: split, shifted, swapped; or spoilt."""
        found = {}
        for (bound, conditions, factors), factor in kept.items():
            mono = poly.apart((tuple(reversed(bound)), conditions, factors))
            if mono[0] and self.rng.random() < 0.5:
                name = mono[0][0]
                gap = combined((form(name), 1), constant=-1)
                for cut in (gap, combined((gap, -1), constant=-1)):
                    extra = poly.joined(mono[1], (("ge", cut),))
                    found = poly.plus(found, {(mono[0], extra, mono[2]): factor})
                continue
            found = poly.plus(found, {mono: factor})
        return found

    def spoilt(self, kept):
        mono = self.rng.choice(sorted(kept))
        bound, conditions, factors = mono
        ways = [{(bound, conditions, factors): -kept[mono]}]
        if conditions:
            kind, place = self.rng.choice(conditions)
            moved = (kind, combined((place, 1), constant=self.rng.choice((1, -1))))
            rest = tuple(c for c in conditions if c != (kind, place))
            ways += [{(bound, tuple(sorted((*rest, moved))), factors): kept[mono]}] * 3
        gone = {m: v for m, v in kept.items() if m != mono}
        return poly.plus(gone, self.rng.choice(ways))


def points():
    for n, m in ((1, 2), (2, 1), (3, 2), (2, 4)):
        for i, j in product(range(n), repeat=2):
            yield {I: i, J: j, ("size", "N"): n, ("size", "M"): m}


def known():
    ranges = [f for name, span in SPANS.items() for _, f in poly.within(name, span)]
    return Known().also(ranges)


def differs(kept):
    for at in points():
        try:
            if abs(value(kept, at)) > 1e-9:
                return True
        except (ZeroDivisionError, OverflowError, TypeError):
            continue
    return False


def attacks(seeds):
    """Return how many claims were proved, of those that hold by making and of the spoilt ones."""
    right = 0
    for seed in seeds:
        maker = Maker(seed)
        try:
            made = maker.any([I, J], 3)
            other = maker.changed(poly.refreshed(made))
        except NoProof:
            continue
        for spoil in (False, True):
            if spoil and not other:
                continue
            difference = poly.less(made, maker.spoilt(other) if spoil else other)
            try:
                proved = is_zero(difference, known(), Rules())
            except NoProof:
                continue
            right += proved and not spoil
            assert not (proved and differs(difference)), (seed, spoil, made)
    return right


def test_what_is_called_zero_is_zero() -> None:
    assert attacks(range(40)) > 20


@pytest.mark.slow
def test_what_is_called_zero_is_zero_in_thousands_of_cases() -> None:
    assert attacks(range(1000, 5000)) > 2000


def test_what_follows_from_inequalities_follows() -> None:
    rng = random.Random(3)
    atoms = [letter(name) for name in "abc"]
    said = 0
    for _ in range(300):
        forms = [
            combined(
                *((form(a), rng.randrange(-2, 3)) for a in atoms), constant=rng.randrange(-3, 4)
            )
            for _ in range(4)
        ]
        if Known().also(forms[:3]).implies(forms[3]):
            said += 1
            for places in product(range(-4, 5), repeat=3):
                at = dict(zip(atoms, places))
                if all(held(f, at) >= 0 for f in forms[:3]):
                    assert held(forms[3], at) >= 0
    assert said > 20
