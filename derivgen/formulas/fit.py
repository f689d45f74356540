"""How well a reading of a name fits: what its letters run over, and where two readings clash."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from derivgen.algebra.affine import Affine, dims_of
from derivgen.formulas.symbols import (
    Symbols,
    axis_key,
)
from derivgen.formulas.terms import At, Part, Ref, Term
from derivgen.formulas.tree import Notice, Span

SAMPLE_LETTERS = ("i", "n", "m", "b", "p", "s", "k", "t", "j")
UNITS = ("j", "k", "c", "l", "d", "q", "r")  # letters that number units or classes
Key = tuple[Any, ...]


def _starts_later(key: Key, old: Key) -> bool:
    low, before = key[1], old[1]
    return bool(low.is_constant and before.is_constant and low.constant > before.constant)


def same_key(one: Key, other: Key) -> bool:
    """Tell whether two letters run over the same, in every layer where both exist."""
    if one[0] == other[0] == "layered" and one[1] == other[1]:
        there = dict(other[2])
        common = [(axis, there[member]) for member, axis in one[2] if member in there]
        return bool(common) and all(a == b for a, b in common)
    if one[0] == other[0] == "axis":
        # Equal ends and another start: a recurrence with its initial state, h_0 beside x_1.
        return one[2] == other[2]
    return one == other or one[0] == other[0] == "family"


@dataclass
class Letters:
    """What the letters of one formula run over, filled while it is read."""

    declared: Mapping[str, Key]
    known: dict[str, Key] = field(default_factory=dict)
    clashes: list[Notice] = field(default_factory=list)
    bound: list[str] = field(default_factory=list)  # by the sums a part of the formula stands in
    samples: list[str] = field(default_factory=list)  # those that run to a number of samples

    def agrees(self, name: str, key: Key) -> int:
        """Return how well a letter fits a slot: 3 known, 2 declared, 0 new, -6 a clash."""
        if name in self.known:
            return 3 if same_key(self.known[name], key) else -6
        if name in self.declared:
            return 2 if same_key(self.declared[name], key) else -2
        return 0

    def bind(self, name: str, key: Key, span: Span) -> None:
        """Note that a letter runs over ``key``; a second meaning is a clash."""
        old = self.known.setdefault(name, key)
        if not same_key(old, key):
            self.clashes.append(Notice("axis-clash", span, name))
        elif key[0] == old[0] == "axis" and _starts_later(key, old):
            self.known[name] = key


@dataclass(frozen=True)
class Candidate:
    """One reading of a name: the term, its score, and which letters it gives which meaning."""

    score: int
    term: Term
    binds: tuple[tuple[str, Key], ...] = ()


def new_letters(symbols: Symbols) -> Letters:
    """Return the letters before a formula is read."""
    return Letters(symbols.declared, dict(symbols.letters_known))


def any_member(tensor: str, symbols: Symbols) -> str:
    if "{}" not in tensor:
        return tensor
    return next(iter(symbols.families[tensor[:-2]].values()))


def scored(term: Term, symbols: Symbols, letters: Letters, score: int) -> Candidate:
    binds: list[tuple[str, Key]] = []
    for part in _elements(term):
        for at, key in slot_keys(part.data, symbols):
            for name, _ in at.letters:
                if name in symbols.sizes:
                    score += 1
                    continue
                if len(at.letters) == 1:  # i and m of x_{i+m} run over less than the axis
                    score += letters.agrees(name, key) - _of_units(name, key, symbols, letters)
                if len(at.letters) == 1 and (at.constant == 0 or name not in letters.known):
                    binds.append((name, key))
            score -= _outside(at, key, symbols)
            score += sum(_looked_up(inner, key, symbols) for inner, _ in at.parts)
    return Candidate(score, term, tuple(binds))


def _of_units(name: str, key: Key, symbols: Symbols, letters: Letters) -> int:
    """Return 1 where a letter of units, new here, would number the samples of a batch."""
    batch = symbols.network.batch if symbols.network else None
    new = name not in letters.known and name not in letters.declared
    return int(new and batch is not None and name in UNITS and key[2] == batch.high)


def _looked_up(part: Part, key: Key, symbols: Symbols) -> int:
    """Return how well the index that a label holds fits a slot."""
    values = symbols.tensors[part.name].values_of if part.kind == "lookup" else None
    if values is None:
        return 0
    return 3 if same_key(("axis", values.low, values.high), key) else -6


def _outside(at: At, key: Key, symbols: Symbols) -> int:
    if at.letters or key[0] != "axis":
        return 0
    low, high = (_constant(form, symbols) for form in key[1:3])
    if low is None or high is None:
        return 0
    count = high - low
    return 8 if at.constant > max(high, count) else 0


def _constant(form: Affine, symbols: Symbols) -> int | None:
    if form.is_constant:
        return form.constant
    sizes = {dim.name: symbols.sizes.get(dim.name) for dim in dims_of(form)}
    if len(form.terms) != len(sizes) or any(size is None for size in sizes.values()):
        return None
    return form.constant + sum(c * (sizes[str(atom)] or 0) for atom, c in form.terms)


def _elements(term: Term) -> Iterator[Term]:
    if term.op == "element":
        yield term
    for part in term.args:
        yield from _elements(part)


def slot_keys(ref: Ref, symbols: Symbols) -> Iterator[tuple[At, Key]]:
    """Yield every index expression of a reference with what it runs over."""
    tensor = symbols.tensors[any_member(ref.tensor, symbols)]
    for number, slot in enumerate(ref.slots):
        if slot is not None:
            key: Key = axis_key(tensor, number)
            if "{}" in ref.tensor and ref.member is not None:
                key = _layered_key(ref, number, symbols)
            yield slot, key
    if ref.member is not None:
        yield ref.member, ("family", ref.tensor)
    if ref.sample is not None:
        yield ref.sample, ("sample",)


def _layered_key(ref: Ref, number: int, symbols: Symbols) -> Key:
    assert ref.member is not None, "a family reference has a member"
    members = symbols.families[ref.tensor[:-2]]
    name = ref.member.letters[0][0] if ref.member.letters else ""
    axes = tuple(
        (member - ref.member.constant, axis_key(symbols.tensors[tensor], number))
        for member, tensor in sorted(members.items())
        if number < len(symbols.tensors[tensor].axes)
    )
    if len({axis for _, axis in axes}) == 1:
        return axes[0][1]
    return ("layered", name, axes)
