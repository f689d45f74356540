"""What printed NumPy text is made of: pieces over a grid of indices, in the scope of a function.

A grid is an ordered list of indices, one array axis each. A piece is an array whose axes are the
grid's last ones, from the first one it varies along; axes it does not vary along have length one,
so that pieces broadcast against each other. Indices of loops around are plain numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from derivgen.algebra.affine import Index
from derivgen.lowering.program import Array
from derivgen.targets.numpy_names import Names

# Precedence, loosest first.
COMPARISON, BITS, SUM, PRODUCT, UNARY, POWER, ATOM = range(7)


class Piece(NamedTuple):
    """Text, how tightly it binds, and the grid's indices it varies along, in grid order.

    ``literal``: Python numbers alone, which do not fix a precision. ``view``: may share memory
    with a tensor. ``head``: how long a power is with which
    the text begins.
    """

    text: str
    level: int = ATOM
    axes: tuple[Index, ...] = ()
    literal: bool = False
    view: bool = False
    head: int = 0

    @property
    def negative(self) -> str:
        """Return the text of a product with a minus; formatters put a power in parentheses."""
        if self.head:
            return f"-({self.text[: self.head]}){self.text[self.head :]}"
        return f"-{self.at(PRODUCT)}"

    def at(self, level: int) -> str:
        """Return the text, in parentheses unless it binds at least as tightly as ``level``."""
        return self.text if self.level >= level else f"({self.text})"


@dataclass(frozen=True)
class Scope:
    """Where names and arrays of index values come from, in one function.

    ``numbers`` are the indices of loops around, by their Python names. ``local`` names parameters
    of a function being printed. ``aranges(index, trailing)`` is the name of an array of an index's
    values followed by ``trailing`` axes of length one. ``fit(parts, around)`` names the
    longest of parts that would not fit on a line together with ``around`` more characters.
    """

    numbers: Mapping[Index, str]
    arrays: Mapping[str, Array]
    names: Names
    aranges: Callable[[Index, int], str]
    functions: Mapping[str, str]
    fit: Callable[[list[Piece], int], list[Piece]] = lambda pieces, around: pieces
    local: Mapping[str, str] | None = None


class Grid(NamedTuple):
    """The axes of what is printed, and its scope."""

    axes: tuple[Index, ...]
    scope: Scope

    def over(self, axes: tuple[Index, ...]) -> Grid:
        """Return the same surroundings with other axes."""
        return Grid(axes, self.scope)

    def ordered(self, axes: Container[Index]) -> tuple[Index, ...]:
        """Return those of the grid's axes that occur in ``axes``."""
        return tuple([a for a in self.axes if a in axes])
