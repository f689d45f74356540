"""Derivatives inside a loss in the notes, and notes of one layer."""

from __future__ import annotations

import pytest

from derivgen.calculus.engine import derive
from derivgen.errors import NameProblem
from derivgen.language import parse
from derivgen.notes import document_of, render
from derivgen.notes.document import Ref, blocks, numbers
from tests.notes.documents import derived

PHYSICS = """
network physics
dim H = 3
index h: H
input x
target g
param w[h], b[h], v[h]
a[h] = tanh(w[h]*x + b[h])
u = sum[h](v[h]*a[h])
ux = d(u, x)
loss E = (ux + u - g)^2
"""
RATES = """
network rates
dim N = 3, H = 2
batch n: N
index h: H
input x[n]
param w[h], v[h]
u[n] = sum[h](v[h]*tanh(w[h]*x[n]))
loss E = mean[n](d(u[n], x[n])^2)
"""


@pytest.mark.parametrize("source", (PHYSICS, RATES))
def test_every_equation_behind_a_derivative_in_the_loss_is_shown(source: str) -> None:
    document = document_of(derive(parse(source)))

    known = numbers(document)
    cited = [
        part.label
        for block in blocks(document.body)
        for prose in (
            getattr(block, "prose", ()),
            *(line.why for line in getattr(block, "lines", ()) if hasattr(line, "why")),
        )
        for part in prose
        if isinstance(part, Ref)
    ]
    assert [label for label in cited if label not in known] == []


def test_a_derivative_in_the_loss_is_printed_as_one() -> None:
    derivation = derive(parse(PHYSICS))

    text, latex = render(derivation, "text"), render(derivation, "latex")

    assert "du/dx = sum[h](du/dz_a[h]*w[h])" in text
    assert r"\frac{\partial E}{\partial(\frac{\partial u}{\partial x})}" in latex.replace(
        r"\left(", "("
    ).replace(r"\right)", ")")
    assert "d_u" not in text


def test_notes_of_one_layer_cite_only_what_they_show() -> None:
    text = render(derived("digits_mlp"), "text", layer=1)

    assert "[with (14) put in]" in text
    assert "and ," not in text
    assert "by ]" not in text


@pytest.mark.parametrize(("name", "advice"), [("digits_mlp", "Known: 1, 2"), ("graph", "--wrt W")])
def test_a_layer_that_is_not_there_is_refused_with_those_that_are(name: str, advice: str) -> None:
    with pytest.raises(NameProblem, match="no such layer") as refused:
        render(derived(name), "text", layer=7)

    assert advice in str(refused.value)
