"""What a gradient check found, entry by entry, and how it reads."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from derivgen.check.estimate import Estimate

PASS, FAIL, KINK, INCONCLUSIVE = "pass", "fail", "kink", "inconclusive"
WORST_FIRST = (FAIL, INCONCLUSIVE, KINK, PASS)

# A difference this small beside the largest gradient is rounding of the gradient itself.
ROUNDING = 1e-12
# A bound above both of these decides nothing: beside the largest gradient, beside the slope.
WIDE = 1e-7
WIDE_RELATIVE = 1e-4


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
        inside = ", ".join(map(str, self.place))
        if not self.name:
            return f"direction {inside}"
        return f"{self.name}[{inside}]" if self.place else self.name

    @property
    def between(self) -> bool:
        """Tell whether the gradient lies between the one-sided slopes, up to the bound."""
        low, high = sorted((self.left, self.right))
        return low - self.bound <= self.derived <= high + self.bound

    def __str__(self) -> str:
        text = f"{self.entry}: gradient {self.derived:.10g}, measured {self.measured:.10g}"
        text += f" +- {self.bound:.1e}, {self.verdict}"
        if self.verdict == KINK or (self.verdict == FAIL and math.isfinite(self.left)):
            text += f" (slopes {self.left:.6g} from the left, {self.right:.6g} from the right)"
        return text


def judge(
    name: str, place: tuple[int, ...], derived: float, found: Estimate, scale: float
) -> Finding:
    """Return the verdict on one direction; ``scale`` is the largest gradient magnitude.

    Fail, if ``|g - D| > E + 1e-12 scale``. A kink passes for one if g lies between the slopes.
    """
    central, slack = found.central, ROUNDING * scale
    if not math.isfinite(derived) or not math.isfinite(central.value):
        verdict = INCONCLUSIVE if not math.isfinite(central.value) else FAIL
        return Finding(name, place, derived, central.value, central.bound, verdict)
    if found.has_kink:
        sides = (found.left.value, found.right.value)
        margin = found.left.bound + found.right.bound + slack
        made = Finding(name, place, derived, central.value, margin, KINK, *sides)
        return made if made.between else _with(made, FAIL)
    wide = central.bound > max(WIDE * scale, WIDE_RELATIVE * abs(central.value))
    if abs(derived - central.value) > central.bound + slack:
        verdict = FAIL
    else:
        verdict = INCONCLUSIVE if wide else PASS
    return Finding(name, place, derived, central.value, central.bound, verdict)


def _with(finding: Finding, verdict: str) -> Finding:
    return Finding(**{**finding.__dict__, "verdict": verdict})


@dataclass(frozen=True)
class ParameterReport:
    """The findings on one parameter (or on the dense random directions)."""

    name: str
    findings: tuple[Finding, ...]
    entries: int
    mistake: str = ""

    @property
    def verdict(self) -> str:
        """Return the worst verdict: fail, inconclusive, kink, pass."""
        found = {finding.verdict for finding in self.findings}
        return next((verdict for verdict in WORST_FIRST if verdict in found), PASS)

    @property
    def worst(self) -> Finding | None:
        """Return the finding of the worst verdict with the largest difference."""
        alike = [f for f in self.findings if f.verdict == self.verdict]
        return max(alike, key=_excess, default=None)

    def as_json(self) -> dict[str, Any]:
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
        if self.mistake:
            made["mistake"] = self.mistake
        return made


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
    note: str = field(default="")

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
            "parameters": {name: part.as_json() for name, part in self.parameters.items()},
        }
        if self.directions is not None:
            made["directions"] = self.directions.as_json()
        if self.note:
            made["note"] = self.note
        return made

    def __str__(self) -> str:
        lines = []
        for part in self._parts():
            name = part.name or "random directions"
            lines.append(f"{name}: {part.verdict}, {len(part.findings)} of {part.entries} checked")
            if part.verdict in (FAIL, INCONCLUSIVE, KINK):
                lines.append(f"  {part.worst}")
            if part.mistake:
                lines.append(f"  {part.mistake}")
        lines += [self.note] if self.note else []
        return "\n".join([*lines, f"verdict: {self.verdict}"])
