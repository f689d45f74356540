"""What is known of letters and sizes: whole-number inequalities, and what follows from them.

An inequality ``form >= 0`` follows if its negation contradicts the others, found by eliminating
one atom after the other (Fourier and Motzkin). Invariant: what `Known` says follows does follow;
that something does not follow may mean that it was too much work.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from derivgen.verify.proving.places import (
    Atom,
    Form,
    Letter,
    combined,
    number,
    renamed,
    tight,
)

MOST = 160  # inequalities in one elimination


def opposite(place: Form) -> Form:
    """Return the form of ``not place >= 0``: ``-place - 1 >= 0``."""
    return combined((place, -1), constant=-1)


@dataclass(frozen=True)
class Known:
    """Inequalities that hold; ``lookups`` gives the range of each index tensor's values."""

    forms: tuple[Form, ...] = ()
    lookups: Mapping[str, tuple[Form, Form]] = field(default_factory=dict)
    memo: dict[Any, bool] = field(default_factory=dict, compare=False)
    grown: dict[Any, Known] = field(default_factory=dict, compare=False)

    def also(self, more: Iterable[Form]) -> Known:
        extra = tuple(f for f in dict.fromkeys(map(tight, more)) if f not in self.forms)
        if not extra:
            return self
        if extra not in self.grown:
            self.grown[extra] = Known(self.forms + extra, self.lookups)
        return self.grown[extra]

    def put(self, mapping: Mapping[Letter, Form]) -> Known:
        """Return the same about other letters."""
        made = (renamed(f, mapping) for f in self.forms)
        return Known(tuple(dict.fromkeys(made)), self.lookups)

    def implies(self, place: Form) -> bool:
        """Tell whether ``place >= 0`` follows."""
        place = tight(place)
        if not place[1]:
            return place[2] >= 0
        for other in self.forms:
            if other[1] == place[1] and other[2] <= place[2]:
                return True
        return self.excludes(opposite(place))

    def excludes(self, place: Form) -> bool:
        """Tell whether ``place >= 0`` contradicts what is known."""
        found = self.memo.get(place)
        if found is None:
            found = self.memo[place] = _contradictory(self._about(place))
        return found

    @property
    def impossible(self) -> bool:
        return self.excludes(number(0))

    def _about(self, place: Form) -> list[Form]:
        """Return the inequalities that share atoms with one, directly or through others."""
        wanted = {atom for atom, _ in place[1]}
        found, rest = [tight(place)], list(self.forms)
        if not wanted:
            wanted, found, rest = set(), [place, *self.forms], []
            wanted.update(a for f in self.forms for a, _ in f[1])
        grown = True
        while grown:
            grown = False
            for other in rest[:]:
                if wanted & {atom for atom, _ in other[1]}:
                    wanted.update(atom for atom, _ in other[1])
                    found.append(other)
                    rest.remove(other)
                    grown = True
            for atom in sorted(wanted):
                for own in self._of_atom(atom):
                    if own not in found:
                        found.append(own)
                        wanted.update(a for a, _ in own[1])
                        grown = True
        return found

    def _of_atom(self, atom: Atom) -> tuple[Form, ...]:
        """Return what an atom's own meaning says of it."""
        whole: Form = ("+", ((atom, 1),), 0)
        if atom[0] == "size":
            return (combined((whole, 1), constant=-1),)
        if atom[0] == "//":
            rest = combined((atom[1], 1), (whole, -atom[2]))
            return (rest, combined((rest, -1), constant=atom[2] - 1))
        if atom[0] == "lookup" and atom[1] in self.lookups:
            low, high = self.lookups[atom[1]]
            return (combined((whole, 1), (low, -1)), combined((high, 1), (whole, -1), constant=-1))
        return ()


def _contradictory(forms: list[Form]) -> bool:
    """Tell whether no whole numbers satisfy some inequalities; False where it is too much work."""
    current = list(dict.fromkeys(map(tight, forms)))
    while True:
        if any(not f[1] and f[2] < 0 for f in current):
            return True
        current = [f for f in current if f[1]]
        counts: dict[Atom, list[int]] = {}
        for f in current:
            for atom, n in f[1]:
                counts.setdefault(atom, [0, 0])[n > 0] += 1
        if not counts:
            return False
        atom = min(counts, key=lambda a: (counts[a][0] * counts[a][1], a))
        current = _without(current, atom)
        if len(current) > MOST:
            return False


def _without(forms: list[Form], atom: Atom) -> list[Form]:
    low: list[tuple[Form, int]] = []
    high: list[tuple[Form, int]] = []
    kept: list[Form] = []
    for f in forms:
        n = next((n for a, n in f[1] if a == atom), 0)
        if n:
            (low if n > 0 else high).append((f, abs(n)))
        else:
            kept.append(f)
    made = [tight(combined((f, m), (g, n))) for f, n in low for g, m in high]
    strongest: dict[Any, Form] = {}
    for f in (*kept, *made):
        old = strongest.get(f[1])
        if old is None or f[2] < old[2]:
            strongest[f[1]] = f
    return list(strongest.values())
