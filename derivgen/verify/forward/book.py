"""What is known of a note's quantities while its equations are written: ranks, ranges, texts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from derivgen.verify.forward.letters import Letters
from derivgen.verify.forward.ranges import NoForm, Ranges

TARGETS = ("y", "t", "d", "target", "label", "Y", "T")
INPUTS = ("x", "X", "i", "chi")


SUM, PRODUCT, ATOM = range(3)  # how tightly the parts of a text hold together


@dataclass(frozen=True)
class Value:
    """Text of the language with marks for indices; ``axes`` are the marks left free."""

    text: str
    axes: tuple[str, ...] = ()
    turned: bool = False
    level: int = ATOM

    @property
    def rank(self) -> int:
        return len(self.axes)

    def renamed(self, old: str, new: str) -> Value:
        """Return the value with another mark for an axis."""
        axes = tuple(new if axis == old else axis for axis in self.axes)
        return replace(self, text=self.text.replace(f"{{{old}}}", f"{{{new}}}"), axes=axes)

    def within(self, level: int) -> str:
        """Return the text as an operand, in brackets where it holds together less tightly."""
        return self.text if self.level >= level else f"({self.text})"

    def raised(self, power: str) -> Value:
        """Return a power, entry by entry."""
        return replace(self, text=f"{self.within(ATOM)}^{power}")._as(ATOM)

    def negative(self) -> Value:
        return replace(self, text=f"-{self.within(PRODUCT)}")._as(SUM)

    def applied(self, function: str) -> Value:
        """Return a function of the value, entry by entry."""
        return replace(self, text=f"{function}({self.text})")._as(ATOM)

    def _as(self, level: int) -> Value:
        return replace(self, level=level)


@dataclass(frozen=True)
class Manner:
    """How a note is read: small letters as vectors or numbers, capital data as all samples."""

    vectors: bool
    samples: bool


@dataclass
class Quantity:
    """A tensor: a mark for the range of each axis."""

    slots: tuple[str, ...]


@dataclass
class Book:
    """The quantities and equations found so far."""

    manner: Manner
    letters: Letters
    full: Mapping[str, int]  # how many indices a quantity shows somewhere in the note
    defined: Mapping[str, int]  # quantities with a definition, and the indices on its left
    totals: frozenset[str] = frozenset()  # losses that add up those of one time
    ranges: Ranges = field(default_factory=Ranges)
    quantities: dict[str, Quantity] = field(default_factory=dict)
    equations: dict[str, tuple[str, str]] = field(default_factory=dict)  # left and right
    sources: dict[str, Any] = field(default_factory=dict)  # the definition behind each equation
    functions: dict[str, str] = field(default_factory=dict)  # name to its definition, or nothing
    size_marks: dict[str, str] = field(default_factory=dict)  # T to a mark that it bounds
    classes: dict[str, str] = field(default_factory=dict)  # a target that is an index, and of what
    parts: dict[str, tuple[str, Value]] = field(default_factory=dict)  # L_t: the mark of t, L_t

    def saved(self) -> Book:
        """Return the book as it is now; what it holds is never changed in place, only replaced."""
        return replace(
            self,
            ranges=self.ranges.saved(),
            quantities=dict(self.quantities),
            equations=dict(self.equations),
            sources=dict(self.sources),
            functions=dict(self.functions),
            size_marks=dict(self.size_marks),
            classes=dict(self.classes),
            parts=dict(self.parts),
        )

    def quantity(self, key: str, rank: int) -> Quantity:
        """Return a quantity of so many axes. Raises: NoForm, if it has another number."""
        found = self.quantities.get(key)
        if found is None:
            marks = tuple(self.ranges.new() for _ in range(rank))
            found = self.quantities[key] = Quantity(marks)
            if key not in self.defined and role(key) == "param":
                self.ranges.of_parameters.update(dict.fromkeys(marks))
        if len(found.slots) != rank:
            raise NoForm
        return found

    def free_axes(self, key: str, shown: int, timed: int, expected: int | None) -> int:
        """Return how many axes a quantity has beside the indices that are written.

        ``timed`` of the ``shown`` indices are times; ``expected`` is what the place wants.
        """
        known = self.quantities.get(key)
        if known is not None:
            free = len(known.slots) - shown
        elif key in self.full:
            free = self.full[key] - shown
        elif shown > timed:
            free = 0
        else:
            free = self._customary(key, expected)
        if free < 0:
            raise NoForm
        return free

    def _customary(self, key: str, expected: int | None) -> int:
        if not self.manner.vectors:
            return 0
        if expected is not None and key not in self.defined and not self._is_weights(key):
            small = key[:1].islower() and role(key) == "param"
            return min(expected, 1) if small else expected  # a bias has no axis of samples
        if self._is_weights(key):
            return 2
        return 1 + (self.manner.samples and key[:1].isupper())

    def _is_weights(self, key: str) -> bool:
        """Tell whether a name is that of a matrix of parameters: a capital, not of data."""
        base = key.split("_")[0].rstrip("0123456789").removesuffix("prime")
        capital = base[:1].isupper() and (len(base) == 1 or base in ("Theta", "Omega"))
        return capital and role(key) == "param" and key not in self.defined


def role(key: str) -> str:
    """Return what a quantity that no equation defines is, by its name."""
    base = key.split("_")[0].rstrip("0123456789")
    return "target" if base in TARGETS else "input" if base in INPUTS else "param"
