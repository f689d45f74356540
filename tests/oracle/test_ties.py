"""Ties and kinks: the conventions hold in the engine, the interpreter and the oracle alike."""

from __future__ import annotations

import numpy as np
import pytest

from derivgen.calculus.engine import derive
from derivgen.interpret import value_and_gradients
from derivgen.language import parse
from derivgen.values import read_values
from tests.oracle.exact import exact_gradients
from tests.oracle.test_exact import rational

# (loss, values of w, gradient by w): conventions of the language, and where they come from
TIES = {
    "max of two splits a tie": ("max(w[0], w[1])", [2, 2, 0], [0.5, 0.5, 0]),
    "min of two splits a tie": ("min(w[0], w[1])^2", [2, 2, 0], [2, 2, 0]),
    "max of an expression and a number": ("max(w[0]*w[1], 6)", [2, 3, 0], [1.5, 1, 0]),
    "nested max": ("max(max(w[0], w[1]), w[2])", [1, 1, 1], [0.25, 0.25, 0.5]),
    "max[i] takes the first winner": ("max[i](w[i])", [5, 7, 7], [0, 1, 0]),
    "min[i] takes the first winner": ("min[i](w[i]^2)", [1, -1, 2], [2, 0, 0]),
    "max over two indices is row-major": ("max[i,j](w[i]*w[j])", [2, 2, 1], [4, 0, 0]),
    "abs has slope 0 at 0": ("abs(w[0]) + abs(w[1])", [0, -2, 0], [0, -1, 0]),
    "relu has slope 0 at 0": ("relu(w[0]) + relu(w[1])", [0, 2, 0], [0, 1, 0]),
    "leaky relu follows its text": ("leaky_relu(w[0], 0.25)", [0, 0, 0], [0.25, 0, 0]),
    "sign and floor have slope 0": ("sign(w[0]) + floor(w[1])", [0, 2, 0], [0, 0, 0]),
    "a condition has slope 0": ("[w[0] >= 0]*w[1] + [w[0] > 0]*w[2]", [0, 2, 3], [0, 1, 0]),
    "where takes the branch taken": ("where(w[0] = 0, w[1]^2, w[0]^3)", [0, 3, 0], [0, 6, 0]),
    "the other branch is not touched": ("where(w[0] > 0, log(w[0]), w[1])", [0, 3, 0], [0, 1, 0]),
    "a power at 0": ("w[0]^2 + w[1]^1 + w[2]^3", [0, 0, 0], [0, 1, 0]),
    "a product with a zero": ("prod[i](w[i])", [0, 2, 3], [6, 0, 0]),
    "a product with two zeros": ("prod[i](w[i])", [0, 2, 0], [0, 0, 0]),
    "stopped gradients": ("stop_gradient(w[0])*w[1]", [2, 3, 0], [0, 2, 0]),
}


@pytest.mark.parametrize(("loss", "w", "slopes"), TIES.values(), ids=TIES.keys())
def test_the_convention_holds(loss, w, slopes):
    network = parse(f"index i: 3, j: 3\nparam w[i]\nloss E = {loss}\n")
    values = read_values(network, {"params": {"w": w}})

    value, found = value_and_gradients(derive(network), values)
    oracle, expected = exact_gradients(network, values.dims, rational(values).arrays)

    assert value == float(oracle)
    assert found["w"].tolist() == slopes
    assert expected["w"].tolist() == slopes


def test_pooling_sends_the_slope_to_the_first_of_equal_operands():
    text = "index i: 2, u: 2, d: 4\ninput x[d]\nparam w[d]\nz[d] = w[d]*x[d]\n"
    network = parse(text + "p[i] = max[u](z[2*i+u])\nloss E = sum[i](p[i]*(i + 1))\n")
    values = read_values(network, {"params": {"w": [1, 1, 1, 3]}, "inputs": {"x": [2, 2, 3, 1]}})

    _, found = value_and_gradients(derive(network), values)

    assert np.array_equal(found["w"], [2, 0, 6, 0])
