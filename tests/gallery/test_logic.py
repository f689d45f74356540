"""Neurons as logic: AND, OR, and a net of them that carves regions out of the plane."""

from __future__ import annotations

import pytest

import derivgen
from derivgen.interpret import evaluate
from derivgen.values import read_values


@pytest.fixture(scope="module")
def net():
    return derivgen.load("logic")


@pytest.fixture(scope="module")
def derivation(net):
    return net.derive().derivation


def output(net, derivation, **inputs) -> dict[str, float]:
    """Return the network's three outputs, rounded to truth values."""
    arrays = evaluate(derivation, read_values(net.network, {"inputs": inputs}))
    return {name: round(float(arrays[name]), 3) for name in ("a_and", "a_or", "inside")}


@pytest.mark.parametrize("q", [(0, 0), (0, 1), (1, 0), (1, 1)])
def test_the_neurons_are_and_and_or(net, derivation, q):
    found = output(net, derivation, q=list(q))

    assert found["a_and"] == float(q[0] and q[1])
    assert found["a_or"] == float(q[0] or q[1])


@pytest.mark.parametrize(
    ("point", "inside"),
    [
        ((0.3, 0.3), 1),
        ((0.1, 0.8), 1),
        ((0.7, 0.7), 0),
        ((-0.2, 0.5), 0),
        ((0.5, -0.2), 0),
        ((2.8, 2.8), 1),
        ((2.2, 2.2), 0),
        ((3.2, 2.8), 0),
        ((1.5, 1.5), 0),
    ],
)
def test_the_net_is_the_union_of_two_intersections_of_half_planes(net, derivation, point, inside):
    assert output(net, derivation, p=list(point))["inside"] == inside
