"""Index arithmetic of proofs: affine forms over letters, sizes and values of index tensors.

A form is ``("+", ((atom, count), ...), constant)``. Atoms are letters ``("#", name)``, sizes
``("size", name)``, values of index tensors ``("lookup", tensor, places)`` and quotients
``("//", form, divisor)``. Everything is nested tuples, so that one walk renames letters anywhere.
Invariant: atoms are sorted and have no zero count, so equal forms are equal tuples.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import count
from math import gcd
from typing import Any

from derivgen.algebra.affine import Affine, Dim, FloorDiv, Index, Lookup, Mod

Letter = tuple[str, str]  # ("#", name)
Atom = tuple[Any, ...]
Form = tuple[str, tuple[tuple[Any, int], ...], int]
Range = tuple[Form, Form]  # low <= i < high
_FRESH = count(1)


class NoProof(Exception):
    """A step has no exact form here, so nothing is proved."""


class Endless(NoProof):
    """Equations were put into each other without an end."""


def letter(name: str) -> Letter:
    return ("#", name)


def fresh() -> Letter:
    """Return a letter that occurs nowhere else."""
    return ("#", f"~{next(_FRESH):09d}")


def form(atom: Atom) -> Form:
    return ("+", ((atom, 1),), 0)


def number(value: int) -> Form:
    return ("+", (), value)


def size(name: str) -> Form:
    return form(("size", name))


def combined(*parts: tuple[Form, int], constant: int = 0) -> Form:
    """Return the sum of forms times numbers, plus a number."""
    counts: dict[Atom, int] = {}
    for part, times in parts:
        constant += part[2] * times
        for atom, n in part[1]:
            counts[atom] = counts.get(atom, 0) + n * times
    return ("+", tuple(sorted((a, n) for a, n in counts.items() if n)), constant)


def minus(one: Form, other: Form, constant: int = 0) -> Form:
    """Return ``one - other + constant``."""
    return combined((one, 1), (other, -1), constant=constant)


def renamed(thing: Any, mapping: Mapping[Letter, Form]) -> Any:
    """Put forms for letters everywhere in a tuple, forms added up again."""
    if not isinstance(thing, tuple) or not mapping or not thing:
        return thing
    if thing[0] == "+" and len(thing) == 3:
        parts = []
        for atom, n in thing[1]:
            found = mapping.get(atom)
            parts.append((form(renamed(atom, mapping)) if found is None else found, n))
        return combined(*parts, constant=thing[2])
    return tuple([renamed(part, mapping) for part in thing])


def letters(thing: Any) -> Iterator[Letter]:
    """Yield the letters that occur anywhere in a tuple."""
    if isinstance(thing, tuple) and thing:
        if thing[0] == "#":
            yield thing
        else:
            for part in thing:
                yield from letters(part)


def mentions(thing: Any, name: Letter) -> bool:
    return any(found == name for found in letters(thing))


def counts_of(place: Form, name: Letter) -> int:
    """Return how often a letter stands in a form, not counting places inside its atoms."""
    return next((n for atom, n in place[1] if atom == name), 0)


def tight(place: Form) -> Form:
    """Return the form of ``place >= 0`` in whole numbers: divided by what all counts share."""
    common = gcd(*(n for _, n in place[1])) if place[1] else 1
    if common <= 1:
        return place
    return ("+", tuple((atom, n // common) for atom, n in place[1]), place[2] // common)


def from_affine(value: Affine, env: Mapping[Index, Form], sample: tuple[Form, ...] = ()) -> Form:
    """Return an affine form of a network with forms for its indices.

    ``sample`` is the place of the sample, which values of index tensors depend on.
    Raises: NoProof, for an index that has no form.
    """
    parts = [(_atom(atom, env, sample), n) for atom, n in value.terms]
    return combined(*parts, constant=value.constant)


def _atom(atom: Any, env: Mapping[Index, Form], sample: tuple[Form, ...]) -> Form:
    match atom:
        case Index():
            if atom not in env:
                raise NoProof("an index that is no letter")
            return env[atom]
        case Dim():
            return size(atom.name)
        case FloorDiv(inner, divisor):
            return quotient(from_affine(inner, env, sample), divisor)
        case Mod(inner, divisor):
            return remainder(from_affine(inner, env, sample), divisor)
        case Lookup(tensor, indices):
            places = tuple(from_affine(i, env, sample) for i in indices)
            return form(("lookup", tensor, places + sample))
    raise NoProof(type(atom).__name__)


def quotient(inner: Form, divisor: int) -> Form:
    if not inner[1]:
        return number(inner[2] // divisor)
    return form(("//", inner, divisor))


def remainder(inner: Form, divisor: int) -> Form:
    """Return ``inner % divisor`` by the quotient, so that one of them is enough."""
    return combined((inner, 1), (quotient(inner, divisor), -divisor))
