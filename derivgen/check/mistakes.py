"""Which of the usual mistakes would turn the measured gradient into the one given."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from derivgen.check.report import FAIL, Finding

CLOSE = 1e-6  # relative: how well a mistake must explain every entry
LARGEST_FACTOR = 1000


def likely_mistake(findings: Sequence[Finding], shape: tuple[int, ...]) -> str:
    """Return a sentence about the mistake that explains all entries, or "".

    Tried: a sign, a constant factor, a missing gradient, a transpose.
    """
    if not any(finding.verdict == FAIL for finding in findings):
        return ""
    given = np.array([finding.derived for finding in findings])
    measured = np.array([finding.measured for finding in findings])
    if not np.isfinite(given).all() or not np.isfinite(measured).all():
        return ""
    size = float(np.max(np.abs(measured)))
    if size and np.max(np.abs(given)) <= CLOSE * size:
        return "The gradient is zero, the slope is not: a path is missing."
    return _factor(given, measured, size) or _transpose(findings, shape, size)


def _factor(given: np.ndarray, measured: np.ndarray, size: float) -> str:
    weight = float(measured @ measured)
    if not weight:
        return ""
    factor = float(given @ measured) / weight
    if np.max(np.abs(given - factor * measured)) > CLOSE * size * max(1.0, abs(factor)):
        return ""
    nice = Fraction(factor).limit_denominator(LARGEST_FACTOR)
    if nice == -1:
        return "Every entry has the wrong sign."
    if nice and abs(float(nice) - factor) <= CLOSE * abs(factor):
        return f"Every entry is {nice} times what it should be."
    return f"Every entry is {factor:.6g} times what it should be."


def _transpose(findings: Sequence[Finding], shape: tuple[int, ...], size: float) -> str:
    if len(shape) != 2 or shape[0] != shape[1] or len(findings) != shape[0] * shape[1]:
        return ""
    given, measured = np.zeros(shape), np.zeros(shape)
    for finding in findings:
        given[finding.place], measured[finding.place] = finding.derived, finding.measured
    if np.max(np.abs(given - measured.T)) <= CLOSE * size:
        return "The gradient is transposed."
    return ""
