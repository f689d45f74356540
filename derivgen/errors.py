"""The exceptions a user can meet, and the layout of their messages.

A message has three parts: where (file, line, column and the offending text), what is wrong with
both values, and what to write instead. ``exit_code`` is the status the command line ends with.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class Position:
    """A place in a user's text: file name, line and column, both counted from 1."""

    file: str = "<text>"
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


class DerivgenError(Exception):
    """Base of every error a user can cause.

    ``subject`` is the offending text, ``problem`` says what is wrong, ``advice`` what to write.
    """

    exit_code = 2

    def __init__(
        self,
        subject: str,
        problem: str = "",
        advice: str = "",
        position: Position | None = None,
    ) -> None:
        self.subject = subject
        self.problem = problem
        self.advice = advice
        self.position = position
        super().__init__(subject, problem, advice, position)

    def at(self, position: Position | None) -> DerivgenError:
        """Return this error with a position, unless it has one already."""
        if self.position is None:
            self.position = position
        return self

    def __str__(self) -> str:
        place = f"{self.position}: " if self.position and self.position.line else ""
        lines = [f"{place}{type(self).__name__}: {self.subject}"]
        lines += [f"  {part}" for part in (self.problem, self.advice) if part]
        return "\n".join(lines)


class UsageProblem(DerivgenError):
    """The command line does not say what to do."""


class SyntaxProblem(DerivgenError):
    """The text is not in the language."""


class LimitError(DerivgenError):
    """The text is larger, deeper or holds larger numbers than derivgen accepts."""


class NameProblem(DerivgenError):
    """A name is reserved, unknown or declared twice."""


class EquationError(DerivgenError):
    """An equation has no meaning: unbound index, gap, double definition, mixed recurrence."""


class ShapeError(DerivgenError):
    """An index and the axis it stands in have different ranges."""


class FactError(DerivgenError):
    """A declared fact cannot be used, drawn for, or is violated by the values."""

    exit_code = 3


class DataError(DerivgenError):
    """Values or data files do not fit the network."""

    exit_code = 3


class FileProblem(DerivgenError):
    """A file or tool cannot be read, written or found."""

    exit_code = 5
