"""A style of one's own: settings and symbols in a file, used for printing."""

from __future__ import annotations

import pytest

from derivgen.calculus.engine import derive
from derivgen.errors import NameProblem, SyntaxProblem
from derivgen.forms.latex import latex
from derivgen.forms.math import Sym
from derivgen.forms.style import STYLES, Style
from derivgen.forms.surface_math import read_surface
from derivgen.language import parse
from derivgen.notes import read_style, render
from derivgen.notes.surface import surface_table
from tests.forms.nets import viewed
from tests.notes.documents import derived

OWN = r"""
start units                        # to begin with
set hadamard = circ
E_i -> E
\hat{y}_i^{(<k>)} -> yhat[k]
\delta_{<k>}      -> d(E, beta[k])
layout columns
"""


def test_a_file_of_symbols_is_the_notation_of_the_notes() -> None:
    style = read_style(OWN, "mine")

    text = render(derived("test mlp"), "latex", style=style)

    assert (
        r"\frac{\partial E_{i}}{\partial\hat{y}_{i}^{(k)}} &= \hat{y}_{i}^{(k)} - y^{(k)}" in text
    )
    assert r"\delta_{k} &:=" in text
    assert r" \circ " in text


@pytest.mark.parametrize(
    ("line", "error", "words"),
    [
        ("set colour = red", NameProblem, "no setting colour"),
        ("set loss", SyntaxProblem, "KEY = VALUE"),
        ("set hats = maybe", SyntaxProblem, "not yes or no"),
        ("start mine", NameProblem, "no style mine"),
        (r"\input{x} -> W", SyntaxProblem, "no part of a symbol"),
        (r"\def\x{} -> W", SyntaxProblem, "no part of a symbol"),
        ("W = 3", SyntaxProblem, "SURFACE -> ACCESS"),
    ],
)
def test_a_line_that_is_no_style_is_refused(line: str, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words.replace("->", "-.")):
        read_style(line)


@pytest.mark.parametrize(
    "surface",
    [
        r"\hat{y}_{i}^{(k)}",
        r"\boldsymbol{\delta}^{(2)}",
        r"\mathbf{W}_{1}",
        "z''_{j}",
        r"\mathit{net}_{o1}",
    ],
)
def test_the_latex_of_a_symbol_is_read_and_printed_alike(surface: str) -> None:
    assert latex(read_surface(surface, {})) == surface


def test_a_slot_takes_its_index() -> None:
    assert latex(read_surface("W_{<k><s>}", {"k": Sym("a"), "s": Sym("b")})) == "W_{ab}"


@pytest.mark.parametrize("style", STYLES)
def test_the_table_of_a_style_names_every_tensor(style: str) -> None:
    table = surface_table(viewed("mlp", style))

    assert {row.reading.tensor for row in table.rows} >= {"x", "W", "beta", "yhat", "E"}
    assert len({row.surface for row in table.rows}) == len(table.rows)


def test_every_style_says_what_it_is() -> None:
    for name, style in STYLES.items():
        assert isinstance(style, Style)
        assert style.name == name
        assert len(style.about) > 20


NUMBERED = """
network numbered
dim M = 4, D = 3, H = 5, K = 2
batch i: M
index d: D, h: H, k: K
input X[i,d]
target Y[i,k]
param W1[d,h], b1[h], W2[h,k], b2[k], w3
Z1[i,h] = sum[d](X[i,d]*W1[d,h]) + b1[h]
A1[i,h] = tanh(Z1[i,h])
Z2[i,k] = sum[h](A1[i,h]*W2[h,k]) + b2[k]
loss J = w3*mean[i](sum[k]((Z2[i,k] - Y[i,k])^2))
"""


@pytest.mark.parametrize(
    ("style", "shown"),
    [
        ("ng", r"dW^{[1]} &= X^{T}\,dZ^{[1]}"),
        ("nielsen", r"\frac{\partial C}{\partial W^{1}} &= X^{T}\,\delta^{1}"),
        ("cs231n", r"dW_{1} &= X^{T}\,dZ_{1}"),
    ],
)
def test_a_number_beside_indices_is_a_layers_as_the_style_has_it(style: str, shown: str) -> None:
    text = render(derive(parse(NUMBERED)), "latex", style=style)

    assert shown in text
    assert "w_{3}" in text  # a number of its own is no layer's
