"""Formulas about one sample and about m of them: what a missing 1/m is, and what is none."""

from __future__ import annotations

import pytest

from derivgen import gallery
from derivgen.language import parse
from derivgen.verify import verify_text

MEAN = r"$$db^{[2]} = \frac{1}{m}\sum_{i=1}^m dz^{[2](i)}$$" + "\n"


@pytest.fixture(scope="module")
def iris():
    return parse(gallery.entry("iris").text)


def verdicts(text, network):
    report = verify_text(text, network, kind="note")
    return [(item.verdict, item.worst.mistake) for item in report.items]


def test_capitals_hold_all_samples_where_a_note_speaks_of_m(iris):
    bare = r"$$dW^{[2]} = dZ^{[2]} A^{[1]T}$$"
    mean = r"$$dW^{[2]} = \frac{1}{m} dZ^{[2]} A^{[1]T}$$"

    assert verdicts(MEAN + bare, iris)[1] == ("wrong", "missing-1-over-m")
    assert verdicts(MEAN + mean, iris)[1] == ("proved", "")


def test_a_note_may_take_dz_for_the_gradient_of_the_mean(iris):
    own = r"$$dZ^{[2]} = \frac{1}{m}(A^{[2]} - Y)$$" + "\n" + r"$$dW^{[2]} = dZ^{[2]} A^{[1]T}$$"

    assert all(verdict in ("agrees", "proved") for verdict, _ in verdicts(own, iris))


@pytest.mark.parametrize(
    "text",
    [
        r"$$z^{[3]} = W^{[3]} a^{[2]} + b^{[3]}$$",
        r"$$\delta^{[3]} = a^{[3]} - y$$",
        r"$$dW^{[3]} = dz^{[3]} a^{[2]T}$$",
    ],
)
def test_a_layer_beyond_the_last_one_is_not_understood(text, iris):
    (item,) = verify_text(text, iris).items

    assert item.verdict == "not_understood"
    assert "layers are 1 to 2" in item.worst.reason


def test_facts_about_classes_are_not_tried_on_other_targets(networks):
    text = r"J = -[y \log \hat y + (1-y)\log(1-z)]"

    (item,) = verify_text(text, networks["logistic"], kind="formula").items

    assert item.verdict == "wrong"
