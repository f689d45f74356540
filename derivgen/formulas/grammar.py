"""The rules of the grammar by name, so that the parts of the parser can call each other.

The rules are mutually recursive: a fraction holds an expression, which holds terms, factors and
atoms. Each module of the parser gives some of them and calls the others through this class.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

from derivgen.formulas.cursor import Cursor
from derivgen.formulas.tree import Token, Tree


class Grammar(Cursor, ABC):
    """A cursor that can read every rule; `parser` completes it."""

    @abstractmethod
    def expression(self) -> Tree:
        """Read signed terms."""

    @abstractmethod
    def term(self) -> Tree:
        """Read a product."""

    @abstractmethod
    def factor(self) -> Tree:
        """Read an atom with its scripts."""

    @abstractmethod
    def _signed_term(self) -> Tree:
        """Read a minus sign and the product behind it."""

    @abstractmethod
    def _starts_factor(self) -> bool:
        """Tell whether a factor can begin here."""

    @abstractmethod
    def _script_argument(self) -> tuple[Token, ...]:
        """Read what stands behind ``_`` or ``^``, as tokens."""

    @abstractmethod
    def _inner(self, tokens: list[Token]) -> Tree:
        """Read tokens that stand by themselves: the entry of a matrix."""
