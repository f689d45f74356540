"""The right slopes at wrong places, and the words for places."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from derivgen.check.messages import Message, message
from derivgen.check.report import Finding

MOST_AXES = 4
MOST_NAMED = 3

Alike = Callable[[Any, Any], bool]


def moved(given: Any, measured: Any, alike: Alike) -> Message | None:
    """Return how the given slopes are the measured ones at other places."""
    if not alike(np.sort(given, axis=None), np.sort(measured, axis=None)):
        return _shifted(given, measured, alike)
    if given.ndim == 2 and min(given.shape) > 1:
        turned = measured.T
        if given.shape == turned.shape and alike(given, turned):
            return message("transposed")
        if given.shape != turned.shape and alike(given.reshape(-1), turned.reshape(-1)):
            return message("transposed-order")
    return (
        _flipped(given, measured, alike)
        or _turned(given, measured, alike)
        or _shifted(given, measured, alike)
        or message("order")
    )


def _flipped(given: Any, measured: Any, alike: Alike) -> Message | None:
    if not 1 < given.ndim <= MOST_AXES:
        return None
    long = [k for k in range(given.ndim) if given.shape[k] > 1]
    for count in range(1, len(long) + 1):
        for axes in itertools.combinations(long, count):
            if alike(given, np.flip(measured, axes)):
                return message("flipped", axes=", ".join(map(str, axes)))
    return None


def _turned(given: Any, measured: Any, alike: Alike) -> Message | None:
    if not 2 < given.ndim <= MOST_AXES:
        return None
    for axes in itertools.permutations(range(given.ndim)):
        turned = measured.transpose(axes)
        if turned.shape == given.shape and alike(given, turned):
            return message("axes", axes=axes)
    return None


def _shifted(given: Any, measured: Any, alike: Alike) -> Message | None:
    """Entries one place off along an axis; what is pushed out comes in again, or is lost."""
    for axis, by in itertools.product(range(given.ndim), (1, -1)):
        if given.shape[axis] < 3:
            continue
        rolled = np.roll(measured, by, axis)
        lost = rolled.copy()
        lost[(slice(None),) * axis + (0 if by == 1 else -1,)] = 0
        if alike(given, rolled) or (alike(given, lost) and np.any(given)):
            return message("shifted", axis=axis)
    return None


def differing(
    entries: Sequence[str], findings: Sequence[Finding], bad: Any, shape: tuple[int, ...]
) -> Any:
    """Return the words for the places that differ: a row, a column, or the first entries."""
    places = [finding.place for finding, wrong in zip(findings, bad) if wrong]
    name = findings[0].name
    for axis in range(len(shape) if len(shape) > 1 else 0):
        found = {place[axis] for place in places}
        whole = int(np.prod(shape)) // shape[axis]
        if len(found) == 1 and len(places) == whole and whole > 1:
            inside = [":"] * len(shape)
            inside[axis] = str(found.pop())
            return f"{name}[{', '.join(inside)}]"
    named = [entry for entry, wrong in zip(entries, bad) if wrong]
    first = ", ".join(named[:MOST_NAMED])
    if len(named) <= MOST_NAMED:
        return first
    return message("others", places=first, count=len(named) - MOST_NAMED)
