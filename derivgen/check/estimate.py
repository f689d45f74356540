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

from derivgen.check.precision import FULL, Precision

FIRST_STEP = 0.1
STEPS = tuple(FIRST_STEP * 4.0**-k for k in range(9))
FEWEST = 4  # finite steps in a row without which nothing is said
SAFETY = 10.0  # bound = SAFETY * estimated error + rounding noise
# Rounding of a loss is a few units in its last place; sums of many terms lose some more. Noise
# that was measured is as much below its largest, which enters a quotient twice.
NOISE = 16


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


def estimate(
    centre: float,
    plus: Sequence[float],
    minus: Sequence[float],
    precision: Precision = FULL,
    scale: float = 0.0,
) -> Estimate:
    """Estimate the slope from losses at ``x``, ``x + h v`` and ``x - h v`` for each of `STEPS`.

    ``scale`` is the largest gradient magnitude: beside it noise counts, where there is more of it
    than the rounding of doubles.
    """
    size = max([abs(v) for v in (centre, *plus, *minus) if math.isfinite(v)], default=0.0)
    noise = NOISE * max(precision.epsilon * size, precision.noise)
    central = [(p - m) / (2 * h) for p, m, h in zip(plus, minus, STEPS)]
    right = [(p - centre) / h for p, h in zip(plus, STEPS)]
    left = [(centre - m) / h for m, h in zip(minus, STEPS)]
    if not precision.is_double:
        least = precision.wide * scale
        return Estimate(*(_plain(quotients, noise, least) for quotients in (central, left, right)))
    return Estimate(
        _extrapolate(central, 16.0, noise),
        _extrapolate(left, 4.0, noise),
        _extrapolate(right, 4.0, noise),
    )


def _plain(quotients: Sequence[float], noise: float, least: float) -> Slope:
    """Return the quotient of the smallest step at which noise does not yet count.

    Amid noise the entries of a tableau agree by chance; and the smaller the step, the fewer kinks.
    """
    both = [k for k in range(1, len(STEPS)) if all(map(math.isfinite, quotients[k - 1 : k + 1]))]
    if not both:
        return UNKNOWN
    quiet = [k for k in both if noise / STEPS[k] <= least]
    k = quiet[-1] if quiet else both[0]
    error = abs(quotients[k] - quotients[k - 1])
    return Slope(quotients[k], SAFETY * error + noise / STEPS[k])


def _extrapolate(quotients: Sequence[float], ratio: float, noise: float) -> Slope:
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
            best = _better(best, row, before, noise / STEPS[k])
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
