"""Slopes with honest error bounds: smooth functions, kinks, noise, and edges of a domain."""

from __future__ import annotations

import math

import numpy as np
import pytest

from derivgen.check.estimate import STEPS, estimate

# (function, slope, place): smooth ones, large and small, near and far from 0
SMOOTH = {
    "square": (lambda x: x * x, 2.6, 1.3),
    "exp": (math.exp, math.exp(3.0), 3.0),
    "steep": (lambda x: math.exp(20 * x), 20 * math.exp(4.0), 0.2),
    "oscillating": (lambda x: math.sin(30 * x), 30 * math.cos(30 * 0.7), 0.7),
    "offset": (lambda x: 1e6 + math.sin(x), math.cos(0.4), 0.4),
    "tiny": (lambda x: 1e-12 * math.tanh(x), 1e-12 * (1 - math.tanh(0.3) ** 2), 0.3),
    "log near 0": (math.log, 1 / 0.02, 0.02),
    "constant": (lambda x: 3.0, 0.0, 1.0),
}


def at(function, x):
    def safe(z):
        try:
            return float(function(z))
        except ValueError:
            return math.nan

    return estimate(safe(x), [safe(x + h) for h in STEPS], [safe(x - h) for h in STEPS])


@pytest.mark.parametrize(("function", "slope", "x"), SMOOTH.values(), ids=SMOOTH.keys())
def test_the_true_slope_lies_within_the_bound(function, slope, x):
    found = at(function, x)

    assert abs(found.central.value - slope) <= found.central.bound
    assert not found.has_kink


def test_the_bound_is_tight_for_a_smooth_function():
    found = at(math.sin, 0.4)

    assert found.central.bound < 1e-10


@pytest.mark.parametrize(("left", "right"), [(0.0, 1.0), (-1.0, 1.0), (1.0, 1.001)])
def test_a_kink_shows_both_slopes(left, right):
    found = at(lambda x: math.sin(x) + (right if x > 0 else left) * x, 0.0)

    assert found.has_kink
    assert found.left.value == pytest.approx(1 + left, abs=1e-7)
    assert found.right.value == pytest.approx(1 + right, abs=1e-7)


def test_a_jump_is_never_a_good_estimate():
    found = at(lambda x: float(x > 0), 0.0)

    assert found.central.bound > 1 or found.has_kink


def test_too_few_finite_losses_say_nothing():
    found = estimate(1.0, [math.nan] * 6 + [1.0] * 3, [1.0] * 9)

    assert math.isinf(found.central.bound)


def test_noise_widens_the_bound():
    noise = np.random.default_rng(1).normal(size=2 * len(STEPS)) * 1e-6
    plus = [math.sin(0.4 + h) + e for h, e in zip(STEPS, noise[:9])]
    minus = [math.sin(0.4 - h) + e for h, e in zip(STEPS, noise[9:])]

    found = estimate(math.sin(0.4), plus, minus)

    assert abs(found.central.value - math.cos(0.4)) <= found.central.bound
