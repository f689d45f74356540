"""Marks for indices, and which of them run over one range: union-find, sizes made from others.

A mark ``c7`` stands in the text of an equation as ``{c7}`` until its letter is chosen;
``{#c7}`` stands for the size of its range.
"""

from __future__ import annotations

from dataclasses import dataclass, field


class NoForm(Exception):
    """A formula is no forward equation that can be written in the language."""


@dataclass(frozen=True)
class Window:
    """The range of ``whole`` holds all of ``sum(factor*part) + constant``: a convolution."""

    whole: str
    parts: tuple[tuple[str, int], ...]
    constant: int


@dataclass
class Ranges:
    """Which marks share a range, what the note calls them, and where ranges begin at 1."""

    parent: dict[str, str] = field(default_factory=dict)
    letters: dict[str, str] = field(default_factory=dict)  # the note's letter for a mark
    windows: list[Window] = field(default_factory=list)
    joined: dict[str, tuple[str, ...]] = field(default_factory=dict)  # [h, x]: a range of both
    from_one: dict[str, None] = field(default_factory=dict)
    of_parameters: dict[str, None] = field(default_factory=dict)

    def saved(self) -> Ranges:
        """Return the ranges as they are now."""
        kept = {name: type(held)(held) for name, held in vars(self).items()}
        return Ranges(**kept)

    def new(self, letter: str = "") -> str:
        """Return a mark with a range of its own."""
        mark = f"c{len(self.parent) + 1}"
        self.parent[mark] = mark
        if letter:
            self.letters[mark] = letter
        return mark

    def root(self, mark: str) -> str:
        while self.parent[mark] != mark:
            mark = self.parent[mark]
        return mark

    def join(self, one: str, other: str) -> None:
        first, second = self.root(one), self.root(other)
        if first != second:
            self.parent[second] = first

    def same(self, one: str, other: str) -> bool:
        return self.root(one) == self.root(other)

    def among(self, mark: str, marks: dict[str, None]) -> bool:
        """Tell whether a mark shares its range with one of the marks."""
        return any(self.same(mark, other) for other in marks)
