"""Which of the usual mistakes would turn the measured gradient into the one given."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from derivgen.check.factors import Factor, common_factor, nice, uncertainty
from derivgen.check.messages import Message, message
from derivgen.check.places import differing
from derivgen.check.places import moved as moved_places
from derivgen.check.report import FAIL, Finding

CLOSE = 1e-6  # relative: how well a mistake must explain every entry
LOOSEST = 0.02  # the same where slopes are known poorly
SINGLE_ROUNDING = 4e-6  # of the largest slope
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
    close: float  # how far two slopes may be apart and still be one

    def alike(self, one: Any, other: Any) -> bool:
        """Tell whether two arrays agree beside the size of the gradient."""
        return bool(np.max(np.abs(one - other), initial=0.0) <= self.close)

    def factor(self, given: Any, measured: Any) -> float | None:
        """Return the factor between two lists of slopes, if one fits all."""
        return common_factor(given, measured, self.close)

    def written(self, factor: float, given: Any, measured: Any) -> Factor:
        """Return a factor in words, as round as the closeness of the slopes allows."""
        words = nice(factor, max(CLOSE, self.close / self.size))
        if words.is_simple:
            return words
        return nice(factor, max(CLOSE, uncertainty(given, measured, factor)))

    @property
    def whole(self) -> bool:
        """Tell whether every entry was checked."""
        return len(self.findings) == int(np.prod(self.shape))

    @property
    def tables(self) -> tuple[Any, Any]:
        """Return given and measured slopes in the shape of the parameter."""
        return self.given.reshape(self.shape), self.measured.reshape(self.shape)


def mistakes(
    own: Mapping[str, Sequence[Finding]],
    shapes: Mapping[str, tuple[int, ...]],
    point: Mapping[str, Any],
) -> dict[str, Message]:
    """Return the mistake that explains all entries of a parameter, for those that have one."""
    found = {}
    for name, findings in own.items():
        if not any(finding.verdict == FAIL for finding in findings):
            continue
        explained = _another(name, own, shapes) or _explained(findings, shapes[name], point[name])
        if explained:
            found[name] = explained
    return found


def _another(
    name: str, own: Mapping[str, Sequence[Finding]], shapes: Mapping[str, tuple[int, ...]]
) -> Message | None:
    """Tell that the given gradient is that of another parameter of the same shape."""
    given = np.array([finding.derived for finding in own[name]])
    for other, rest in own.items():
        measured = np.array([finding.measured for finding in rest])
        if other == name or shapes[other] != shapes[name] or given.shape != measured.shape:
            continue
        size = float(np.max(np.abs(measured), initial=0.0))
        if size and np.max(np.abs(given - measured)) <= CLOSE * size:
            return message("other", name=other)
    return None


def _explained(findings: Sequence[Finding], shape: tuple[int, ...], point: Any) -> Message | None:
    """Return the mistake that explains all entries.

    Tried: a value that is no number, rounding, a missing gradient, a sign, a constant factor, other
    places, a factor for each row or column, a missing penalty, a constant, single entries.
    """
    given = np.array([finding.derived for finding in findings])
    measured = np.array([finding.measured for finding in findings])
    if not np.isfinite(given).all():
        return message("nan")
    if not np.isfinite(measured).all():
        return None
    size = float(np.max(np.abs(measured)))
    values = np.array([float(point[f.place]) for f in findings])
    bounds = [f.bound for f in findings if math.isfinite(f.bound)]
    close = min(max(CLOSE * size, *bounds), max(LOOSEST, CLOSE) * size)
    entries = Entries(findings, shape, given, measured, values, size, close)
    return next((words for tried in _TRIED if (words := tried(entries))), None)


def _rounding(entries: Entries) -> Message | None:
    gap = float(np.max(np.abs(entries.given - entries.measured)))
    if gap > SINGLE_ROUNDING * entries.size:
        return None
    single = entries.given.astype(np.float32)
    rounded = bool(np.all(np.abs(entries.given - single) <= 1e-12 * np.abs(entries.given)))
    return message("rounding") if rounded else None


def _zero(entries: Entries) -> Message | None:
    if entries.size and np.max(np.abs(entries.given)) <= CLOSE * entries.size:
        return message("zero")
    return None


def _factor(entries: Entries) -> Message | None:
    factor = entries.factor(entries.given, entries.measured)
    if factor is None or not entries.size or abs(factor - 1) <= entries.close / entries.size:
        return None
    words = entries.written(factor, entries.given, entries.measured)
    if len(entries.findings) == 1 and not words.is_simple:
        return None  # any two numbers have a factor
    if words.text == "-1":
        return message("sign")
    if words.whole and words.whole > 2:
        return message("no-mean", factor=words.text)
    if words.part and words.part > 2:
        return message("mean", factor=words.part)
    return message("factor", factor=words.text)


def _moved(entries: Entries) -> Message | None:
    """The right values at other places: transposed, flipped, shifted, in another order."""
    if not entries.whole or len(entries.findings) < FEWEST:
        return None
    if entries.alike(entries.given, entries.measured):
        return None
    given, measured = entries.tables
    return moved_places(given, measured, entries.alike)


def _each_row(entries: Entries) -> Message | None:
    """A factor that belongs to a row or column, as f' of a unit does."""
    if len(entries.shape) != 2 or not entries.whole:
        return None
    for name, (given, measured) in (
        ("row", entries.tables),
        ("column", tuple(table.T for table in entries.tables)),
    ):
        rows = [
            (g, m)
            for g, m in zip(given, measured)
            if max(np.max(np.abs(g)), np.max(np.abs(m))) > entries.close
        ]
        if measured.shape[1] < 2 or len(rows) * measured.shape[1] <= FEWEST:
            continue
        factors = [entries.factor(g, m) for g, m in rows]
        wrong = [f for f in factors if f is not None and abs(f - 1) * entries.size > entries.close]
        if None not in factors and 2 * len(wrong) > len(rows):
            return message(name)
    return None


def _penalty(entries: Entries) -> Message | None:
    """A missing multiple of the parameter itself: the slope of a squared penalty."""
    if len(entries.findings) < FEWEST or entries.alike(entries.point, entries.point[:1]):
        return None
    rest = entries.measured - entries.given
    weight = float(entries.point @ entries.point)
    factor = float(rest @ entries.point) / weight if weight else 0.0
    least = entries.close / max(float(np.max(np.abs(entries.point))), 1e-300)
    if abs(factor) <= least or not entries.alike(rest, factor * entries.point):
        return None
    key = "penalty" if factor > 0 else "penalty-extra"
    return message(key, factor=f"{abs(factor):.6g}")


def _offset(entries: Entries) -> Message | None:
    rest = entries.given - entries.measured
    if not entries.alike(rest, rest[:1]) or entries.alike(rest, 0 * rest):
        return None
    round_one = len(rest) == FEWEST - 1 and abs(rest[0] - round(rest[0])) <= entries.close
    if len(rest) < FEWEST and not round_one:
        return None
    key = "too-large" if rest[0] > 0 else "too-small"
    return message(key, size=f"{abs(rest[0]):.6g}")


def _some(entries: Entries) -> Message | None:
    """Single entries, a row or a column, and what is wrong with them."""
    bad = np.array([f.verdict == FAIL for f in entries.findings])
    if len(bad) < FEWEST or 2 * int(bad.sum()) > len(bad):
        return None
    places = differing([f.entry for f in entries.findings], entries.findings, bad, entries.shape)
    if not entries.whole:
        return message("only-tried", places=places, count=len(bad))
    given, measured = entries.given[bad], entries.measured[bad]
    if np.max(np.abs(given)) <= entries.close < np.max(np.abs(measured)):
        return message("only-zero", places=places)
    factor = entries.factor(given, measured) if len(given) > 1 else None
    if factor and (words := entries.written(factor, given, measured)).is_simple:
        return message("only-factor", places=places, factor=words.text)
    one = len(given) == 1 or ":" in str(places)
    return message("only" if one else "only-many", places=places)


_TRIED: tuple[Callable[[Entries], Message | None], ...] = (
    _rounding,
    _zero,
    _factor,
    _moved,
    _each_row,
    _penalty,
    _offset,
    _some,
)
