"""Layers that are alike are derived once, also where they differ in size."""

from __future__ import annotations

from derivgen.calculus.engine import derive
from derivgen.language import parse
from derivgen.notes import render
from tests.notes.documents import deep

UNEQUAL = """
network unequal
input x[7]
target y[2] onehot
h1 = dense(x, 6, tanh)
h2 = dense(h1, 5, tanh)
h3 = dense(h2, 4, tanh)
h4 = dense(h3, 3, tanh)
yhat = dense(h4, 2, softmax)
loss E = cross_entropy(yhat, y)
"""


def shown(source: str, to: str = "latex", style: str = "textbook") -> str:
    return render(derive(parse(source)), to, style=style)


def test_layers_that_differ_in_size_are_shown_once_with_letters_for_the_sizes() -> None:
    text = shown(UNEQUAL)

    assert r"$l = 2,\ldots,4$" in text
    assert (
        r"z_{o}^{(l)} &= \sum_{i=1}^{n^{(l-1)}} W_{oi}^{(l)}\,h_{i}^{(l-1)} + b_{o}^{(l)}" in text
    )
    assert r"\sum_{o=1}^{n^{(l+1)}} \delta_{o}^{(l+1)}\,W_{oi}^{(l+1)}" in text
    assert "z_{o}^{(3)}" not in text


def test_the_sizes_behind_the_letters_are_listed() -> None:
    text = shown(UNEQUAL, "text")

    assert "Units in a layer: n(1) = 6, n(2) = 5, n(3) = 4, n(4) = 3 and n(5) = 2." in text
    assert "n(l) x n(l-1)" in text


def test_the_letter_of_the_sizes_is_one_that_the_network_does_not_use() -> None:
    text = shown(UNEQUAL.replace("input x[7]", "index n: 7\ninput x[n]"), "text")

    assert "Units in a layer: N(1) = 6" in text


def test_layers_of_another_function_are_not_taken_for_alike() -> None:
    text = shown(UNEQUAL.replace("dense(h2, 4, tanh)", "dense(h2, 4, sigmoid)"))

    assert r"\ldots,4" not in text


def test_layers_of_one_size_keep_their_numbers() -> None:
    text = shown(deep(6))

    assert "Units in a layer" not in text
    assert r"\sum_{i=1}^{30} W_{oi}^{(l)}" in text
