"""How finely a loss can be told apart: its rounding, found from its type and from its values.

A person's code may work in single precision inside, whatever it returns. Then differences of its
values hold noise that bounds must count and a rounding of the gradient that is no mistake.
Source of the noise level: More and Wild 2011, SIAM J. Sci. Comput. 33(3).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

DOUBLE = 2.0**-52
POINTS = 9  # values on one line
SPACING = 1e-6  # of the line: a smooth loss is straight there, a rounded one is not
ORDERS = range(3, 7)  # of the differences: what is left of a smooth loss is far below its rounding
COARSE = 1e3  # so many times the rounding of doubles is noise of another origin
SLACK = 64  # roundings that a gradient of many terms may be off by


@dataclass(frozen=True)
class Precision:
    """The relative rounding of loss and gradient, and the loss's noise beyond that.

    ``wide`` and ``wide_relative`` are the bounds above which a slope decides nothing: beside the
    largest gradient, and beside the slope itself.
    """

    epsilon: float = DOUBLE
    noise: float = 0.0
    rounding: float = 1e-12
    wide: float = 1e-7
    wide_relative: float = 1e-4

    @property
    def is_double(self) -> bool:
        """Tell whether nothing is coarser than doubles."""
        return self.epsilon <= DOUBLE and not self.noise


FULL = Precision()


def precision_of(
    losses: Sequence[Any], lines: Sequence[Sequence[float]], gradients: Sequence[Any]
) -> Precision:
    """Return how precise a person's code is.

    ``losses`` are results of the loss as they came, ``lines`` its values at close points in a row,
    ``gradients`` the arrays as they came.
    """
    values = [value for line in lines for value in line if math.isfinite(value)]
    size = max([abs(value) for value in values], default=0.0)
    epsilon = max(DOUBLE, *map(_type_epsilon, losses), _grid_epsilon(values))
    noise = _noise(lines)
    if noise <= COARSE * DOUBLE * size:
        noise = 0.0
    own = max([DOUBLE, epsilon, *(max(_type_epsilon(g), _grid_epsilon(g)) for g in gradients)])
    coarse = max(own, noise / size if size else 0.0)
    if coarse <= DOUBLE:
        return FULL
    measured_finely = epsilon <= DOUBLE and not noise
    return Precision(
        epsilon,
        noise,
        max(FULL.rounding, SLACK * coarse),
        FULL.wide if measured_finely else 1e-2,
        FULL.wide_relative if measured_finely else 5e-2,
    )


def _type_epsilon(value: Any) -> float:
    dtype = getattr(value, "dtype", None)
    try:
        return float(np.finfo(str(dtype)).eps) if dtype is not None else DOUBLE
    except (TypeError, ValueError):
        return DOUBLE


def _grid_epsilon(values: Any) -> float:
    """Return the rounding of single precision if all of several values are such numbers."""
    found = np.unique(np.asarray(values, dtype=np.float64))
    found = found[np.isfinite(found) & (found != np.round(found, 2))]
    with np.errstate(over="ignore"):
        single = len(found) >= 4 and bool(np.all(found == found.astype(np.float32)))
    return float(np.finfo(np.float32).eps) if single else DOUBLE


def _noise(lines: Sequence[Sequence[float]]) -> float:
    """Return the median over the lines of the standard deviation of the loss's noise."""
    found = [_line_noise(np.asarray(line)) for line in lines if np.isfinite(line).all()]
    return float(np.median(found)) if found else 0.0


def _line_noise(values: Any) -> float:
    """Return the least of ``sigma_k^2 = (k!)^2/(2k)! * mean(difference of order k, squared)``."""
    found = []
    for k in ORDERS:
        differences = np.diff(values, n=k)
        scale = math.factorial(k) ** 2 / math.factorial(2 * k)
        found.append(math.sqrt(scale * float(np.mean(differences**2))))
    return min(found)
