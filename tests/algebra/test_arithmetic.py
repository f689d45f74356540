"""Doubles and exact numbers: fractions stay fractions, digits are right, comparisons are exact."""

from __future__ import annotations

import math
from fractions import Fraction

import mpmath
import numpy as np
import pytest

from derivgen.algebra.arithmetic import COMPARE, DIGITS, EXACT, FLOATS

ONE_ARGUMENT = sorted(set(FLOATS.functions) - {"min", "max", "polygamma", "stop_gradient"})
PLACES = {"acos": 0.3, "asin": 0.3}


def exact(value):
    return np.array(value, dtype=object)


@pytest.mark.parametrize("name", ONE_ARGUMENT)
def test_both_kinds_know_the_same_function(name):
    x = PLACES.get(name, 1.7)

    double = float(FLOATS.functions[name](np.array(x)))
    precise = float(EXACT.functions[name](exact(Fraction(x))))

    assert double == pytest.approx(precise, rel=4e-16)


def test_both_kinds_have_the_same_functions():
    assert sorted(FLOATS.functions) == sorted(EXACT.functions)


@pytest.mark.parametrize("name", ["add", "mul", "div"])
def test_rational_operations_stay_rational(name):
    found = getattr(EXACT, name)(exact([Fraction(1, 3)]), exact([Fraction(2, 7)]))

    assert isinstance(found[0], Fraction)


def test_roots_of_squares_and_whole_powers_stay_rational():
    assert EXACT.functions["sqrt"](exact(Fraction(4, 9))) == Fraction(2, 3)
    assert EXACT.pow(exact(Fraction(2, 3)), Fraction(-2)) == Fraction(9, 4)
    assert EXACT.pow(exact(Fraction(0)), Fraction(0)) == 1


def test_transcendental_numbers_carry_all_digits():
    with mpmath.workdps(DIGITS + 20):
        expected = mpmath.log(mpmath.mpf(10) / 3)

        found = EXACT.functions["log"](exact(Fraction(10, 3)))

        assert abs(found - expected) < mpmath.mpf(10) ** (2 - DIGITS)


def test_the_precision_of_the_users_mpmath_is_left_alone():
    before = mpmath.mp.dps

    EXACT.functions["exp"](exact(Fraction(1, 3)))

    assert mpmath.mp.dps == before


def test_a_maximum_returns_the_operand_itself():
    low, high = Fraction(1, 3), EXACT.functions["exp"](exact(Fraction(1)))

    assert EXACT.functions["max"](exact(low), exact(Fraction(1, 4))) is low
    assert EXACT.functions["max"](exact(low), high) == high


def test_exact_comparisons_see_the_last_digit():
    third = Fraction(1, 3)

    assert COMPARE["="](exact([third]), exact([third]))[0]
    assert COMPARE["<"](exact([third]), exact([third + Fraction(1, 10**80)]))[0]


def test_poles_are_infinite_and_not_errors():
    assert FLOATS.functions["lgamma"](np.array([0.0]))[0] == math.inf
    with np.errstate(divide="ignore"):
        assert FLOATS.div(np.array([1.0]), np.array([0.0]))[0] == math.inf
