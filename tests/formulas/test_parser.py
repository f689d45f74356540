"""LaTeX formulas become trees with places; what is read leniently is named."""

from __future__ import annotations

import pytest

from derivgen.formulas import tree
from derivgen.formulas.cursor import Vocabulary
from derivgen.formulas.parser import parse
from derivgen.formulas.tokens import Macro
from derivgen.formulas.tree import FormulaError

WORDS = Vocabulary(("net", "out"), frozenset("xyw"))


def chain(text, macros=None):
    (only,) = parse(text, WORDS, macros)
    return only


def test_every_equals_sign_parts_a_chain():
    assert len(chain(r"a = b \approx c := d").members) == 4
    assert chain(r"a = b \approx c := d").relations == ("=", "~", "=")


def test_a_row_that_begins_with_an_equals_sign_continues_the_chain():
    found = chain("\\begin{align} a &= b \\\\ &= c \\end{align}")

    assert len(found.members) == 3


def test_the_span_of_a_member_is_its_place_in_the_source():
    text = r"E = \frac{1}{2} x"

    second = chain(text).members[1]

    assert text[slice(*second.span)] == r"\frac{1}{2} x"


def test_a_declared_word_wins_over_a_product_of_letters():
    member = chain("net_{o1} = wx").members
    assert isinstance(member[0], tree.Name) and member[0].base == "net"
    assert isinstance(member[1], tree.Product)


def test_a_private_macro_is_expanded():
    found = chain(r"\vct{x} = y", {r"\vct": Macro(1, r"\mathbf{#1}")})

    assert found.members[0].base == "x"


@pytest.mark.parametrize(
    ("text", "key"),
    [
        (r"E = \sum_k{ \big( x_k} \big)^2", "brace"),
        (r"E = （x)", "full-width"),
        (r"E = out{o1}", "underscore"),
        (r"E = \sum x", "no-bounds"),
        (r"E = a \dot \\ b", "dot"),
        (r"E = \frac{\part x}{\part y}", "part-macro"),
    ],
)
def test_what_is_read_leniently_is_named(text, key):
    assert key in [notice.key for notice in chain(text).notices]


@pytest.mark.parametrize(
    "text",
    ["a = (b", "a = b)", r"a = \frac{1}", "a = b^", r"a = \begin{matrix} b", "a = b +"],
)
def test_a_broken_formula_names_the_token_and_its_place(text):
    with pytest.raises(FormulaError) as caught:
        parse(text, WORDS)

    assert caught.value.span[0] <= len(text)


@pytest.mark.parametrize(
    "text",
    [
        "a = " + "(" * 5000,
        "a = " + "{" * 5000 + "}" * 5000,
        "a = " + r"\frac{1}{" * 3000,
        "x" * 100_000,
        r"a = \a",
    ],
    ids=["brackets", "braces", "fractions", "long", "endless macro"],
)
def test_hostile_input_ends_in_a_clear_error(text):
    with pytest.raises(FormulaError):
        parse(text, WORDS, {r"\a": Macro(0, r"\a\a")})
