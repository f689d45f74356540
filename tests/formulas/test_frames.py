"""Frames, colours, doubled bars and small circles: what sets off a formula is no part of it."""

from __future__ import annotations

import pytest

from derivgen.formulas.cursor import Vocabulary
from derivgen.formulas.parser import parse


@pytest.mark.parametrize(
    "text",
    [
        r"\boxed{a = b}",
        r"\boxed{\color{red}{\frac{a}{b} = c}}",
        r"{\color{blue} a = b}",
        r"\textcolor{red}{a = b}",
    ],
)
def test_an_equation_in_a_frame_or_a_colour_is_an_equation(text):
    (chain,) = parse(text, Vocabulary())

    assert chain.relations == ("=",)


def test_two_bars_in_a_row_are_the_sign_of_a_norm():
    (chain,) = parse(r"C = \frac{1}{2}||a - y||^2", Vocabulary())

    assert chain == parse(r"C = \frac{1}{2} \|a - y\|^2", Vocabulary())[0] or "Norm" in str(chain)


def test_a_small_letter_o_set_as_text_between_factors_is_the_entrywise_product():
    (chain,) = parse(r"d = W^T e \text{ o } f", Vocabulary())

    assert chain.members[1].operators[-1] == r"\circ"
