"""The slope of a function along a line, with a bound on its error.

``D = lim (E(x + h v) - E(x - h v)) / 2h`` by Richardson extrapolation: central differences at nine
steps ``h0 * 4^-k``, the tableau over every window of steps, and of its entries the one with the
smallest estimated error. One-sided slopes, extrapolated in the same way, tell a kink.
Invariant: a bound is honest or infinite; too few finite losses never look like a good estimate.
Source: Ridders 1982, Advances in Engineering Software 4(2).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

FIRST_STEP = 0.1
STEPS = tuple(FIRST_STEP * 4.0**-k for k in range(9))
FEWEST = 4  # finite steps in a row without which nothing is said
SAFETY = 10.0  # bound = SAFETY * estimated error + rounding noise
# Rounding of a loss is a few units in its last place; sums of many terms lose some more.
NOISE = 16 * 2.0**-52


@dataclass(frozen=True)
class Slope:
    """An extrapolated slope and how far the true one may be from it."""

    value: float
    bound: float


UNKNOWN = Slope(math.nan, math.inf)


@dataclass(frozen=True)
class Estimate:
    """The slope from both sides together, from the left and from the right."""

    central: Slope
    left: Slope
    right: Slope

    @property
    def has_kink(self) -> bool:
        """Tell whether the one-sided slopes differ by more than their bounds allow."""
        gap = abs(self.left.value - self.right.value)
        return gap > self.left.bound + self.right.bound


def estimate(centre: float, plus: Sequence[float], minus: Sequence[float]) -> Estimate:
    """Estimate the slope from losses at ``x``, ``x + h v`` and ``x - h v`` for each of `STEPS`."""
    size = max([abs(v) for v in (centre, *plus, *minus) if math.isfinite(v)], default=0.0)
    central = [(p - m) / (2 * h) for p, m, h in zip(plus, minus, STEPS)]
    right = [(p - centre) / h for p, h in zip(plus, STEPS)]
    left = [(centre - m) / h for m, h in zip(minus, STEPS)]
    return Estimate(
        _extrapolate(central, 16.0, size),
        _extrapolate(left, 4.0, size),
        _extrapolate(right, 4.0, size),
    )


def _extrapolate(quotients: Sequence[float], ratio: float, size: float) -> Slope:
    """Return the best entry of the tableau; errors shrink by ``ratio`` per step, then its square.

    ``T[k][j] = T[k][j-1] + (T[k][j-1] - T[k-1][j-1]) / (ratio^j - 1)``
    """
    best = UNKNOWN
    for start in _finite_runs(quotients):
        before: list[float] = []
        for k in range(start, len(quotients)):
            if not math.isfinite(quotients[k]):
                break
            row = _next_row(quotients[k], before, ratio)
            noise = NOISE * size / STEPS[k]
            best = _better(best, row, before, noise)
            before = row
    return best


def _finite_runs(quotients: Sequence[float]) -> list[int]:
    """Return where runs of at least `FEWEST` finite quotients begin."""
    finite = [math.isfinite(q) for q in quotients]
    starts = [k for k, ok in enumerate(finite) if ok and (k == 0 or not finite[k - 1])]
    return [k for k in starts if all(finite[k : k + FEWEST]) and k + FEWEST <= len(finite)]


def _next_row(first: float, before: Sequence[float], ratio: float) -> list[float]:
    row = [first]
    for j, older in enumerate(before, start=1):
        row.append(row[j - 1] + (row[j - 1] - older) / (ratio**j - 1))
    return row


def _better(best: Slope, row: list[float], before: list[float], noise: float) -> Slope:
    for j in range(1, len(row)):
        error = max(abs(row[j] - row[j - 1]), abs(row[j] - before[j - 1]))
        bound = SAFETY * error + noise
        if bound < best.bound:
            best = Slope(row[j], bound)
    return best
