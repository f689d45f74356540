"""What a gradient check found, entry by entry, and how it reads."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from derivgen.check.estimate import Estimate
from derivgen.check.messages import Message, message
from derivgen.check.precision import FULL, Precision

PASS, FAIL, KINK, INCONCLUSIVE = "pass", "fail", "kink", "inconclusive"
WORST_FIRST = (FAIL, INCONCLUSIVE, KINK, PASS)


@dataclass(frozen=True)
class Finding:
    """One direction: the gradient's slope, the measured one, and the verdict.

    ``place`` is the entry of ``name``; for a dense random direction ``name`` is "" and ``place``
    its number. For a kink ``left`` and ``right`` are the one-sided slopes.
    """

    name: str
    place: tuple[int, ...]
    derived: float
    measured: float
    bound: float
    verdict: str
    left: float = math.nan
    right: float = math.nan

    @property
    def entry(self) -> str:
        """Return ``W[0, 2]``, or ``direction 3``."""
        return entry_name(self.name, self.place)

    @property
    def between(self) -> bool:
        """Tell whether the gradient lies between the one-sided slopes, up to the bound."""
        low, high = sorted((self.left, self.right))
        return low - self.bound <= self.derived <= high + self.bound

    def text(self, lang: str = "en") -> str:
        """Return the entry, both values, the bound and the verdict, in one line."""
        verdict = message(self.verdict)
        if not math.isfinite(self.measured):
            values = {"entry": self.entry, "derived": self.derived, "verdict": verdict}
            return message("no-slope", **values).text(lang)
        text = message("finding", **{**self.__dict__, "entry": self.entry, "verdict": verdict})
        if self.verdict == KINK or (self.verdict == FAIL and math.isfinite(self.left)):
            return text.text(lang) + message("sides", left=self.left, right=self.right).text(lang)
        return text.text(lang)

    def __str__(self) -> str:
        return self.text()


def entry_name(name: str, place: tuple[int, ...]) -> str:
    """Return ``W[0, 2]``; for no name ``direction 3``."""
    inside = ", ".join(map(str, place))
    if not name:
        return f"direction {inside}"
    return f"{name}[{inside}]" if place else name


def judge(
    name: str,
    place: tuple[int, ...],
    derived: float,
    found: Estimate,
    scale: float,
    precision: Precision = FULL,
) -> Finding:
    """Return the verdict on one direction; ``scale`` is the largest gradient magnitude.

    Fail, if ``|g - D| > E + rounding*scale``, 1e-12 of it for doubles. A kink passes for one if g
    lies between the slopes.
    """
    central, slack = found.central, precision.rounding * scale
    if not math.isfinite(central.value):
        return Finding(name, place, derived, central.value, central.bound, INCONCLUSIVE)
    if found.has_kink:
        sides = (found.left.value, found.right.value)
        margin = found.left.bound + found.right.bound + slack
        made = Finding(name, place, derived, central.value, margin, KINK, *sides)
        return made if made.between else _with(made, FAIL)
    decisive = max(precision.wide * scale, precision.wide_relative * abs(central.value))
    if not abs(derived - central.value) <= central.bound + slack:  # not a number: fail
        verdict = FAIL
    else:
        verdict = INCONCLUSIVE if central.bound > decisive else PASS
    return Finding(name, place, derived, central.value, central.bound, verdict)


def _with(finding: Finding, verdict: str) -> Finding:
    return Finding(**{**finding.__dict__, "verdict": verdict})


@dataclass(frozen=True)
class ParameterReport:
    """The findings on one parameter (or on the dense random directions)."""

    name: str
    findings: tuple[Finding, ...]
    entries: int
    explained: Message | None = None

    @property
    def mistake(self) -> str:
        """Return the likely mistake in English, or ""."""
        return self.explained.text() if self.explained else ""

    @property
    def verdict(self) -> str:
        """Return the worst verdict: fail, inconclusive, kink, pass."""
        found = {finding.verdict for finding in self.findings}
        return next((verdict for verdict in WORST_FIRST if verdict in found), PASS)

    @property
    def has_slope(self) -> bool:
        """Tell whether the loss depends on it."""
        return any(finding.measured for finding in self.findings)

    @property
    def worst(self) -> Finding | None:
        """Return the finding of the worst verdict with the largest difference."""
        alike = [f for f in self.findings if f.verdict == self.verdict]
        return max(alike, key=_excess, default=None)

    def as_json(self, lang: str = "en") -> dict[str, Any]:
        """Return a JSON object."""
        worst = self.worst
        made: dict[str, Any] = {
            "verdict": self.verdict,
            "checked": len(self.findings),
            "entries": self.entries,
            "kinks": sum(f.verdict == KINK for f in self.findings),
        }
        if worst is not None:
            made["worst"] = {
                "entry": worst.entry,
                "gradient": _plain(worst.derived),
                "measured": _plain(worst.measured),
                "bound": _plain(worst.bound),
            }
        if self.explained:
            made["mistake"] = self.explained.text(lang)
        return made

    def lines(self, lang: str = "en") -> list[str]:
        """Return the lines of a report: how much was checked, the worst entry, the mistake."""
        name = self.name or message("directions").text(lang)
        checked = {"checked": len(self.findings), "entries": self.entries}
        lines = [message("part", name=name, verdict=message(self.verdict), **checked).text(lang)]
        if self.verdict != PASS and self.worst is not None:
            lines.append(f"  {self.worst.text(lang)}")
        if self.explained:
            lines.append(f"  {self.explained.text(lang)}")
        return lines


def _excess(finding: Finding) -> float:
    gap = abs(finding.derived - finding.measured)
    return gap if math.isfinite(gap) else math.inf


def _plain(value: float) -> float | None:
    return value if math.isfinite(value) else None


@dataclass(frozen=True)
class Report:
    """A whole check: ``verdict`` is pass, fail or inconclusive; kinks by themselves pass."""

    parameters: Mapping[str, ParameterReport]
    directions: ParameterReport | None = None
    seed: int = 0
    points: int = 1
    notes: tuple[Message, ...] = ()
    lang: str = "en"

    @property
    def note(self) -> str:
        """Return what is to be said of the whole check, or ""."""
        return " ".join(note.text(self.lang) for note in self.notes)

    @property
    def verdict(self) -> str:
        """Return the worst verdict over all parameters and directions."""
        found = {part.verdict for part in self._parts()}
        return next((v for v in (FAIL, INCONCLUSIVE) if v in found), PASS)

    def _parts(self) -> Sequence[ParameterReport]:
        own = list(self.parameters.values())
        return [*own, self.directions] if self.directions is not None else own

    @property
    def failures(self) -> tuple[Finding, ...]:
        """Return the findings that are neither passed nor kinks."""
        bad = (FAIL, INCONCLUSIVE)
        return tuple(f for part in self._parts() for f in part.findings if f.verdict in bad)

    def as_json(self) -> dict[str, Any]:
        """Return a JSON object: verdict, and per parameter verdict, counts and worst entry."""
        made: dict[str, Any] = {
            "verdict": self.verdict,
            "seed": self.seed,
            "points": self.points,
            "parameters": {name: part.as_json(self.lang) for name, part in self.parameters.items()},
        }
        if self.directions is not None:
            made["directions"] = self.directions.as_json(self.lang)
        if self.note:
            made["note"] = self.note
        return made

    def __str__(self) -> str:
        lines = [line for part in self._parts() for line in part.lines(self.lang)]
        lines += [note.text(self.lang) for note in self.notes]
        lines.append(message("verdict", verdict=message(self.verdict)).text(self.lang))
        return "\n".join(lines)


def unexplained(parts: Mapping[str, ParameterReport]) -> tuple[Message, ...]:
    """Say which gradients are right where others are wrong and no usual mistake explains them."""
    wrong = [part for part in parts.values() if part.verdict == FAIL]
    right = [p for p in parts.values() if p.verdict == PASS and p.has_slope]
    if not (wrong and right) or any(part.explained for part in wrong):
        return ()
    return (message("part-right", right=_listed(right), wrong=_listed(wrong)),)


def _listed(parts: Sequence[ParameterReport]) -> str:
    return ", ".join(part.name for part in parts[:6]) + (", ..." if len(parts) > 6 else "")
