"""Which of the usual mistakes would turn the measured gradient into the one given."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from derivgen.check.report import FAIL, Finding

CLOSE = 1e-6  # relative: how well a mistake must explain every entry
LARGEST_FACTOR = 1000
FEWEST = 3  # so many entries show a pattern; any two numbers would


@dataclass(frozen=True)
class Entries:
    """The entries that were checked: as given and as measured, and the point they belong to."""

    findings: Sequence[Finding]
    shape: tuple[int, ...]
    given: Any
    measured: Any
    point: Any
    size: float  # the largest measured slope

    def alike(self, one: Any, other: Any) -> bool:
        """Tell whether two arrays agree beside the size of the gradient."""
        return bool(np.max(np.abs(one - other), initial=0.0) <= CLOSE * self.size)

    @property
    def whole(self) -> bool:
        """Tell whether every entry was checked."""
        return len(self.findings) == int(np.prod(self.shape))

    @property
    def tables(self) -> tuple[Any, Any]:
        """Return given and measured slopes in the shape of the parameter."""
        return self.given.reshape(self.shape), self.measured.reshape(self.shape)


def likely_mistake(
    findings: Sequence[Finding], shape: tuple[int, ...], point: Any | None = None
) -> str:
    """Return a sentence about the mistake that explains all entries, or "".

    Tried: a value that is no number, a missing gradient, a sign, a constant factor, a transpose,
    entries in another order, a factor for each row or column, a missing penalty, single entries.
    """
    if not any(finding.verdict == FAIL for finding in findings):
        return ""
    given = np.array([finding.derived for finding in findings])
    measured = np.array([finding.measured for finding in findings])
    if not np.isfinite(given).all():
        return "The gradient holds values that are not finite."
    if not np.isfinite(measured).all():
        return ""
    size = float(np.max(np.abs(measured)))
    values = np.array([_value(point, f.place) for f in findings]) if point is not None else None
    entries = Entries(findings, shape, given, measured, values, size)
    return next((words for tried in _TRIED if (words := tried(entries))), "")


def _value(point: Any, place: tuple[int, ...]) -> float:
    return float(point[place])


def _zero(entries: Entries) -> str:
    if entries.size and np.max(np.abs(entries.given)) <= CLOSE * entries.size:
        return "The gradient is zero, the slope is not: a path is missing."
    return ""


def _factor(entries: Entries) -> str:
    factor = _ratio(entries.given, entries.measured, entries.size)
    if factor is None or abs(factor - 1) <= CLOSE:
        return ""
    nice = Fraction(factor).limit_denominator(LARGEST_FACTOR)
    if nice == -1:
        return "Every entry has the wrong sign."
    if nice and abs(float(nice) - factor) <= CLOSE * abs(factor):
        return f"Every entry is {nice} times what it should be."
    return f"Every entry is {factor:.6g} times what it should be."


def _ratio(given: Any, measured: Any, size: float) -> float | None:
    """Return the factor between two lists of slopes, if one fits all."""
    weight = float(measured @ measured)
    if not weight:
        return None
    factor = float(given @ measured) / weight
    close = np.max(np.abs(given - factor * measured)) <= CLOSE * size * max(1.0, abs(factor))
    return factor if close else None


def _transpose(entries: Entries) -> str:
    if len(entries.shape) != 2 or not entries.whole or min(entries.shape) < 2:
        return ""
    given, measured = entries.tables
    turned = measured.T
    if given.shape == turned.shape and entries.alike(given, turned):
        return "The gradient is transposed."
    if given.shape != turned.shape and entries.alike(given.reshape(-1), turned.reshape(-1)):
        return "The gradient is transposed, then read in another order."
    return ""


def _order(entries: Entries) -> str:
    few = len(entries.findings) < FEWEST or not entries.whole
    if few or not entries.alike(np.sort(entries.given), np.sort(entries.measured)):
        return ""
    return "The entries are right but stand in another order."


def _each_row(entries: Entries) -> str:
    """A factor that belongs to a row or column, as f' of a unit does."""
    if len(entries.shape) != 2 or not entries.whole:
        return ""
    for name, (given, measured) in (
        ("row", entries.tables),
        ("column", tuple(table.T for table in entries.tables)),
    ):
        if measured.shape[1] < 2 or measured.shape[0] * measured.shape[1] <= FEWEST:
            continue
        ratios = [_ratio(g, m, entries.size) for g, m in zip(given, measured)]
        if all(ratio is not None for ratio in ratios):
            return (
                f"Every {name} is off by a factor of its own: one that belongs to the {name},"
                " such as f', is missing or wrong."
            )
    return ""


def _penalty(entries: Entries) -> str:
    """A missing multiple of the parameter itself: the slope of a squared penalty."""
    if entries.point is None or len(entries.findings) < FEWEST:
        return ""
    rest = entries.measured - entries.given
    factor = _ratio(rest, entries.point, entries.size)
    if factor is None or abs(factor) <= CLOSE or entries.alike(entries.point, entries.point[:1]):
        return ""
    return f"A term {factor:.6g} times the parameter is missing, as a squared penalty gives."


def _offset(entries: Entries) -> str:
    rest = entries.given - entries.measured
    if len(rest) < FEWEST or not entries.alike(rest, rest[:1]) or entries.alike(rest, 0 * rest):
        return ""
    return f"Every entry is {abs(rest[0]):.6g} too {'large' if rest[0] > 0 else 'small'}."


def _single(entries: Entries) -> str:
    bad = [f.entry for f in entries.findings if f.verdict == FAIL]
    if len(entries.findings) >= FEWEST and len(bad) * 2 < len(entries.findings):
        return f"Only {', '.join(bad[:3])}{' and others' if len(bad) > 3 else ''} is wrong."
    return ""


_TRIED: tuple[Callable[[Entries], str], ...] = (
    _zero,
    _factor,
    _transpose,
    _order,
    _each_row,
    _penalty,
    _offset,
    _single,
)


def swapped(
    parts: dict[str, tuple[Sequence[Finding], tuple[int, ...]]],
) -> dict[str, str]:
    """Return a sentence for each parameter whose given gradient is that of another one."""
    found: dict[str, str] = {}
    for name, (own, shape) in parts.items():
        if not any(finding.verdict == FAIL for finding in own):
            continue
        given = np.array([finding.derived for finding in own])
        for other, (rest, its) in parts.items():
            measured = np.array([finding.measured for finding in rest])
            if other == name or its != shape or given.shape != measured.shape:
                continue
            size = float(np.max(np.abs(measured), initial=0.0))
            if size and np.max(np.abs(given - measured)) <= CLOSE * size:
                found[name] = f"It is the gradient of {other}."
    return found
