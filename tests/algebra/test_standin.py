"""The stand-in for an unknown function: fixed by its name, smooth, with agreeing derivatives."""

from __future__ import annotations

import numpy as np
import pytest
import sympy

from derivgen.algebra.arithmetic import FLOATS
from derivgen.algebra.standin import evaluate_stand_in, stand_in, stand_in_symbols

ORDERS = [(1,), (2,), (3,), (1, 0), (0, 1), (1, 1), (2, 1)]


def test_the_name_decides():
    assert stand_in("f", (0,)) == stand_in("f", (0,))
    assert stand_in("f", (0,)) != stand_in("g", (0,))


@pytest.mark.parametrize("order", ORDERS, ids=str)
def test_a_derivative_is_the_one_of_the_function(order):
    symbols = stand_in_symbols(len(order))
    expected = stand_in("f", (0,) * len(order))
    for symbol, count in zip(symbols, order, strict=True):
        expected = sympy.diff(expected, symbol, count)

    assert sympy.expand(stand_in("f", order) - expected) == 0
    assert stand_in("f", order) != 0


def test_it_is_evaluated_element_by_element():
    x = np.array([0.1, 0.2, 0.3])

    whole = evaluate_stand_in("f", (1,), (x,), FLOATS)
    single = [evaluate_stand_in("f", (1,), (value,), FLOATS) for value in x]

    assert np.allclose(whole, single, rtol=1e-15)
