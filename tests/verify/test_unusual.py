"""Right formulas in unusual shapes, none of which may be called wrong.

By default one in five is judged; ``-m slow`` judges all.
"""

from __future__ import annotations

import pytest

from derivgen.verify import verify_text
from tests.verify.conftest import CORPUS

EVERY = 5


def formulas():
    network = notation = ""
    number = 0
    for line in (CORPUS / "unusual.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("@"):
            network, notation = line[1:].split()
        elif line.strip() and not line.startswith("#"):
            marks = [pytest.mark.slow] if number % EVERY else []
            number += 1
            kind = "plain" if notation == "plain" else "formula"
            yield pytest.param(network, kind, line, id=f"{network}: {line[:60]}", marks=marks)


@pytest.mark.parametrize(("network", "kind", "text"), list(formulas()))
def test_an_unusual_shape_is_not_called_wrong(network, kind, text, networks):
    (item,) = verify_text(text, networks[network], kind=kind).items

    assert item.verdict in ("proved", "agrees"), item.worst


TIGHT = [
    ("general", r"\delta^l = f'(z^l)\odot (W^{l+1})^T\delta^{l+1}"),
    ("deep", r"\delta^{(1)}=(1-(a^{(1)})^2)\odot W^{(2)T}\delta^{(2)}"),
    ("mlp", r"\frac{\partial E}{\partial h_1} = \frac{\partial E}{\partial \beta_1}W_{11}"
            r" + \frac{\partial E}{\partial \beta_2}W_{21}"),
    ("deep", r"\frac{\partial J}{\partial W^{(2)}_{13}} = \delta^{(2)}_1 a^{(1)}_3"),
    ("mlp", r"\frac{d\sigma}{dx} = \frac{e^x}{(1+e^x)^2}"),
]  # fmt: skip


@pytest.mark.parametrize(("network", "text"), TIGHT)
def test_what_was_once_a_false_alarm_is_none(network, text, networks):
    (item,) = verify_text(text, networks[network], kind="formula").items

    assert item.verdict in ("proved", "agrees"), item.worst


def test_the_loss_of_the_class_holds_where_c_is_the_class(networks):
    (right,) = verify_text(r"L = -\log p_c", networks["softmax"], kind="formula").items
    (wrong,) = verify_text(r"L = \log p_c", networks["softmax"], kind="formula").items

    assert (right.verdict, right.worst.assumption) == ("holds_if", "c is the class of the sample")
    assert wrong.verdict == "wrong"


def test_a_condition_that_holds_at_no_small_sizes_is_tried_at_the_declared_ones(networks):
    text = "d(E, x[c,j]) = sum[f,u](d(E, z[f,j-u])*w[f,c,u]) for j >= U-1, j <= N-U"

    (item,) = verify_text(text, networks["conv"], kind="plain").items

    assert item.verdict in ("agrees", "proved")


def test_swapped_numerals_are_named(networks):
    text = r"\frac{\partial E}{\partial W_{21}} = (\hat y_2-y_2)\hat y_2(1-\hat y_2)h_2"

    (item,) = verify_text(text, networks["mlp"], kind="formula").items

    assert item.worst.mistake == "index-swap"
    assert item.worst.hint == "Write h_1 for h_2."
