"""Put short steps of a chain of equalities on one line: ``a = b = c``, their reasons together.

Invariant: nothing is left out or put in another order; only the line breaks differ.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from derivgen.forms.math import Math, width
from derivgen.notes.document import Equation, Formula, Line, Prose, Ref
from derivgen.notes.words import listed, parted, prose_width

BETWEEN = 3  # the sign between two sides
BESIDE = 3  # the gap before a reason


@dataclass(frozen=True)
class Packed:
    """Steps that share a line; ``last`` is whether the equation ends with them."""

    lines: tuple[Line, ...]
    why: Prose
    last: bool

    @property
    def first(self) -> Line:
        """Return the step that begins the line."""
        return self.lines[0]

    @property
    def whole(self) -> Math | None:
        """Return the right side if it is the only one on the line."""
        return self.lines[0].right if len(self.lines) == 1 else None


def packed(
    equation: Equation, lang: str, limit: int, measure: Callable[[Math], int] = width
) -> list[Packed]:
    """Return the equation's lines, put together where they and their reasons fit ``limit``.

    From the last one back, so that it is the first line that stays short.
    """
    left = max((measure(line.left) for line in equation.lines if line.left), default=0)
    groups: list[list[Line]] = []
    for line in reversed(equation.lines):
        if groups and groups[0][0].left is None and not equation.loose:
            together = [line, *groups[0]]
            if left + _length(together, lang, measure) <= limit:
                groups[0] = together
                continue
        groups.insert(0, [line])
    return [
        Packed(tuple(group), _why(group, lang), place == len(groups) - 1)
        for place, group in enumerate(groups)
    ]


def _why(group: list[Line], lang: str) -> Prose:
    told: list[Prose] = []
    for why in (line.why for line in group if line.why):
        if told and _only_cites(told[-1]) and _only_cites(why) and told[-1][0] == why[0]:
            told[-1] = (*told[-1][:1], *listed(lang, [_cited(told[-1]), _cited(why)]))
        else:
            told.append(why)
    return parted(lang, told)


def _only_cites(why: Prose) -> bool:
    """Tell whether a reason is a word and one equation, such as ``by (3)``."""
    return len(why) == 2 and isinstance(why[0], str) and isinstance(why[1], Ref)


def _cited(why: Prose) -> Prose:
    return why[1:]


def _length(group: list[Line], lang: str, measure: Callable[[Math], int]) -> int:
    why = _why(group, lang)
    sides = sum(measure(line.right) + BETWEEN for line in group)
    return sides + (BESIDE + why_width(why, measure) if why else 0)


def why_width(prose: Prose, measure: Callable[[Math], int] = width) -> int:
    """Return a rough width of a reason in the margin."""
    total = 0
    for part in prose:
        if isinstance(part, Formula):
            total += measure(part.math)
        elif isinstance(part, Ref):
            total += 4
        else:
            total += prose_width(part if isinstance(part, str) else part.text)
    return total
