"""A constant factor between two gradients, and how it is best written."""

from __future__ import annotations

from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np

LARGEST = 10**6  # of a whole factor, or of its inverse
SIMPLE = 64  # of numerator and denominator of another fraction


class Factor(NamedTuple):
    """A factor as text; ``whole`` or ``part`` if it is n or 1/n."""

    text: str
    whole: int = 0
    part: int = 0
    is_simple: bool = True


def common_factor(given: Any, measured: Any, close: float) -> float | None:
    """Return the factor that turns all measured slopes into the given ones, up to ``close``."""
    weight = float(measured @ measured)
    if not weight:
        return None
    factor = float(given @ measured) / weight
    gap = float(np.max(np.abs(given - factor * measured)))
    return factor if gap <= close * max(1.0, abs(factor)) else None


def uncertainty(given: Any, measured: Any, factor: float) -> float:
    """Return how far, relatively, a fitted factor may be off: three standard errors."""
    rest = float(np.linalg.norm(given - factor * measured))
    return 3 * rest / (abs(factor) * float(np.linalg.norm(measured)) * len(given) ** 0.5)


def nice(factor: float, close: float) -> Factor:
    """Return a factor as a whole number, its inverse, a fraction, or a root, else as a decimal."""
    if not factor:
        return Factor("0")
    for value, wrap in ((abs(factor), "{}"), (factor * factor, "sqrt({})")):
        fraction = _fraction(value, close if wrap == "{}" else 2 * close)
        if fraction is None or (wrap != "{}" and max(fraction.as_integer_ratio()) > SIMPLE):
            continue
        sign = "-" if factor < 0 else ""
        if wrap == "{}" and factor > 0:
            whole = fraction.numerator if fraction.denominator == 1 else 0
            part = fraction.denominator if fraction.numerator == 1 else 0
            return Factor(str(fraction), whole, part)
        return Factor(sign + wrap.format(fraction))
    return Factor(f"{factor:.6g}", is_simple=False)


def _fraction(value: float, close: float) -> Fraction | None:
    whole, part = round(value), round(1 / value)
    candidates = [Fraction(n) for n in (whole,) if 0 < n <= LARGEST]
    candidates += [Fraction(1, n) for n in (part,) if 0 < n <= LARGEST]
    simple = Fraction(value).limit_denominator(SIMPLE)
    candidates += [simple] if 0 < simple.numerator <= SIMPLE else []
    fits = [f for f in candidates if abs(float(f) - value) <= close * value]
    # A large number is met by chance when the closeness is coarser than its neighbours.
    return next((f for f in fits if max(f.as_integer_ratio()) * close < 0.1), None)
