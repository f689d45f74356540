"""Index arithmetic: size letters, indices and affine forms over them.

An affine form is ``constant + sum coefficient * atom``. Its atoms are size letters (`Dim`), indices
(`Index`), integer quotients and remainders by constants (`FloorDiv`, `Mod`) and values of an
index-valued tensor (`Lookup`, as in ``Emb[token[t], d]``).
Invariant: terms are sorted and have no zero coefficient, so equal forms are equal objects.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import field
from functools import lru_cache
from typing import Any, Union

from derivgen.algebra.node import node


@node
class Dim:
    """A size letter. Two letters of equal value are still different letters."""

    name: str

    def __str__(self) -> str:
        return self.name


@node
class Index:
    """An index letter running over ``low <= i < high``; the bounds are affine in size letters."""

    name: str
    low: Affine
    high: Affine

    def __str__(self) -> str:
        return self.name

    @property
    def size(self) -> Affine:
        """Return the number of values: ``high - low``."""
        return self.high - self.low


@node
class FloorDiv:
    """``inner // divisor``, rounded towards minus infinity."""

    inner: Affine
    divisor: int

    def __str__(self) -> str:
        return f"({self.inner})//{self.divisor}"


@node
class Mod:
    """``inner % divisor``, from 0 to ``divisor - 1``."""

    inner: Affine
    divisor: int

    def __str__(self) -> str:
        return f"({self.inner})%{self.divisor}"


@node
class Lookup:
    """The value of an index-valued tensor, itself used as an index."""

    tensor: str
    indices: tuple[Affine, ...]

    def __str__(self) -> str:
        inside = ", ".join(map(str, self.indices))
        return f"{self.tensor}[{inside}]" if self.indices else self.tensor


Atom = Union[Dim, Index, FloorDiv, Mod, Lookup]


@node
class Affine:
    """``constant + sum coefficient * atom``, in normal form; make one with `affine`.

    ``plain`` is the index, if the form is one index and nothing else.
    """

    terms: tuple[tuple[Atom, int], ...]
    constant: int = 0
    is_constant: bool = field(init=False, compare=False, repr=False)
    plain: Index | None = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        plain = None
        if len(self.terms) == 1 and self.constant == 0:
            atom, count = self.terms[0]
            if count == 1 and isinstance(atom, Index):
                plain = atom
        object.__setattr__(self, "is_constant", not self.terms)
        object.__setattr__(self, "plain", plain)

    def __add__(self, other: Affine | int) -> Affine:
        if isinstance(other, int):
            return Affine(self.terms, self.constant + other) if other else self
        return _combined(self, other, 1)

    def __sub__(self, other: Affine | int) -> Affine:
        if isinstance(other, int):
            return Affine(self.terms, self.constant - other) if other else self
        return _combined(self, other, -1)

    def __mul__(self, factor: int) -> Affine:
        return _normal({a: c * factor for a, c in self.terms}, self.constant * factor)

    def __str__(self) -> str:
        parts = [_term_text(atom, count) for atom, count in self.terms]
        if self.constant or not parts:
            parts.append(str(self.constant))
        return " + ".join(parts).replace("+ -", "- ")


def _term_text(atom: Atom, count: int) -> str:
    if count == 1:
        return str(atom)
    return f"-{atom}" if count == -1 else f"{count}*{atom}"


def _combined(form: Affine, other: Affine, factor: int) -> Affine:
    """Return ``form + factor*other``."""
    constant = form.constant + factor * other.constant
    if not other.terms:
        return form if constant == form.constant else Affine(form.terms, constant)
    if not form.terms and factor == 1:
        return other if constant == other.constant else Affine(other.terms, constant)
    if form.terms == other.terms and factor == -1:
        return Affine((), constant)
    counts = dict(form.terms)
    for atom, count in other.terms:
        counts[atom] = counts.get(atom, 0) + factor * count
    return _normal(counts, constant)


def _normal(counts: Mapping[Atom, int], constant: int) -> Affine:
    kept = [(atom, count) for atom, count in counts.items() if count]
    if len(kept) > 1:
        kept.sort(key=lambda item: (type(item[0]).__name__ != "Index", str(item[0])))
    return Affine(tuple(kept), constant)


def affine(value: Affine | Atom | int) -> Affine:
    """Return ``value`` as an affine form."""
    if isinstance(value, Affine):
        return value
    if isinstance(value, int):
        return _constant(value)
    kept: Any = value
    form: Affine | None = kept._form
    if form is None:
        form = kept._form = Affine(((value, 1),))
    return form


@lru_cache(maxsize=1024)
def _constant(value: int) -> Affine:
    return Affine((), value)


def floor_div(inner: Affine, divisor: int) -> Affine:
    """Return ``inner // divisor``, evaluated where ``inner`` is a constant."""
    if inner.is_constant:
        return affine(inner.constant // divisor)
    return inner if divisor == 1 else affine(FloorDiv(inner, divisor))


def mod(inner: Affine, divisor: int) -> Affine:
    """Return ``inner % divisor``, evaluated where ``inner`` is a constant."""
    if inner.is_constant:
        return affine(inner.constant % divisor)
    return affine(0) if divisor == 1 else affine(Mod(inner, divisor))


def make_index(name: str, size: Affine | Dim | int, low: Affine | int = 0) -> Index:
    """Return the index ``name`` with ``size`` values starting at ``low``."""
    low = affine(low)
    return Index(name, low, low + affine(size))


def atoms(form: Affine) -> Iterator[Atom]:
    """Yield every atom, those inside quotients, remainders and lookups included."""
    for atom, _ in form.terms:
        yield atom
        if isinstance(atom, (FloorDiv, Mod)):
            yield from atoms(atom.inner)
        elif isinstance(atom, Lookup):
            for inner in atom.indices:
                yield from atoms(inner)


def indices_of(form: Affine) -> Iterator[Index]:
    """Yield the indices of a form, in order of occurrence, repeats included."""
    plain = form.plain
    if plain is not None:
        return iter((plain,))
    return (atom for atom in atoms(form) if isinstance(atom, Index))


def dims_of(form: Affine) -> Iterator[Dim]:
    """Yield the size letters of a form, repeats included."""
    return (atom for atom in atoms(form) if isinstance(atom, Dim))


def lookups_of(form: Affine) -> Iterator[Lookup]:
    """Yield the index-valued accesses of a form, repeats included."""
    if form.plain is not None:
        return iter(())
    return (atom for atom in atoms(form) if isinstance(atom, Lookup))


def substitute_affine(form: Affine, mapping: Mapping[Index, Affine]) -> Affine:
    """Replace indices by affine forms everywhere in ``form``."""
    return map_atoms(form, lambda atom: mapping.get(atom) if isinstance(atom, Index) else None)


def map_atoms(form: Affine, replace: Callable[[Atom], Affine | None]) -> Affine:
    """Rebuild ``form``, putting ``replace(atom)`` for an atom wherever that is not ``None``."""
    plain = form.plain
    if plain is not None or not form.terms:
        return form if plain is None else replace(plain) or form
    total = affine(form.constant)
    changed = False
    for atom, count in form.terms:
        new = replace(atom)
        if new is None:
            new = _map_inside(atom, replace)
        changed = changed or new.constant != 0 or new.terms != ((atom, 1),)
        total = total + new * count
    return total if changed else form


def _map_inside(atom: Atom, replace: Callable[[Atom], Affine | None]) -> Affine:
    if isinstance(atom, FloorDiv):
        return floor_div(map_atoms(atom.inner, replace), atom.divisor)
    if isinstance(atom, Mod):
        return mod(map_atoms(atom.inner, replace), atom.divisor)
    if isinstance(atom, Lookup):
        return affine(Lookup(atom.tensor, tuple(map_atoms(i, replace) for i in atom.indices)))
    return affine(atom)


def lower_bound(form: Affine) -> Affine | None:
    """Return a bound affine in size letters below every value, or ``None`` if none is known."""
    return _bound(form, lower=True)


def upper_bound(form: Affine) -> Affine | None:
    """Return the largest value's bound (inclusive), affine in size letters, or ``None``."""
    return _bound(form, lower=False)


def _bound(form: Affine, lower: bool) -> Affine | None:
    total = affine(form.constant)
    for atom, count in form.terms:
        part = _atom_bound(atom, lower == (count > 0))
        if part is None:
            return None
        total = total + part * count
    return total


def _atom_bound(atom: Atom, lower: bool) -> Affine | None:
    if isinstance(atom, Dim):
        return affine(atom)
    if isinstance(atom, Index):
        return atom.low if lower else atom.high - 1
    if isinstance(atom, Mod):
        return affine(0 if lower else atom.divisor - 1)
    if isinstance(atom, FloorDiv):
        inner = _bound(atom.inner, lower)
        return None if inner is None else _divided(inner, atom.divisor)
    return None


def _divided(form: Affine, divisor: int) -> Affine | None:
    # Only a quotient that comes out even in every letter is affine again.
    if any(count % divisor for _, count in form.terms):
        return None
    terms = tuple((atom, count // divisor) for atom, count in form.terms)
    return Affine(terms, form.constant // divisor)


def surely_nonnegative(form: Affine) -> bool:
    """Tell whether ``form >= 0`` for all sizes (every size letter is at least 1)."""
    low = lower_bound(form)
    rising = low is not None and not any(count < 0 for _, count in low.terms)
    if low is not None and rising and low.constant + sum(count for _, count in low.terms) >= 0:
        return True
    quotient = next(((a, c) for a, c in form.terms if isinstance(a, FloorDiv)), None)
    return quotient is not None and surely_nonnegative(_multiplied_out(form, *quotient))


def _multiplied_out(form: Affine, quotient: FloorDiv, count: int) -> Affine:
    """Return a form without this quotient that is at least 0 only where ``form`` is.

    ``a - (d-1) <= d*(a//d) <= a`` bounds ``d*form`` from below; a whole ``form`` is at least 0
    where ``d*form >= 1 - d``.
    """
    least = quotient.inner - (quotient.divisor - 1 if count > 0 else 0)
    rest = (form - affine(quotient) * count) * quotient.divisor + least * count
    return rest + (quotient.divisor - 1)


def evaluate_affine(form: Affine, values: Mapping[Any, int]) -> int:
    """Return the value of a form without lookups at the given sizes and index values."""
    return form.constant + sum(count * _atom_value(atom, values) for atom, count in form.terms)


def _atom_value(atom: Atom, values: Mapping[Any, int]) -> int:
    if isinstance(atom, FloorDiv):
        return evaluate_affine(atom.inner, values) // atom.divisor
    if isinstance(atom, Mod):
        return evaluate_affine(atom.inner, values) % atom.divisor
    if isinstance(atom, Lookup):
        raise ValueError(f"{atom} has no value without data")
    return values[atom]
