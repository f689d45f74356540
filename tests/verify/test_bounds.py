"""Work and output of the proof-reader are bounded, and nothing is left out without a word."""

from __future__ import annotations

import time

import pytest

from derivgen.language import parse
from derivgen.verify import note, verify_text

RIGHT = r"\frac{\partial E}{\partial W_{ks}} = (\hat{y}_k-y_k)\hat{y}_k(1-\hat{y}_k) h_s"
SECONDS = 10  # of user time; without a bound each of these takes hours


@pytest.mark.parametrize(
    ("formula", "words"),
    [
        ("$$E = 9^{9^{9^{9^9}}}$$", "a power that is too large"),
        (r"$$\frac{\partial E}{\partial W_{ks}} = h_s^{10^9}$$", "a power that is too large"),
        ("$$E = " + r"\sum_{k=1}^{K}" * 40 + "y_k$$", "the sum has too many terms"),
        ("d(E, W[k,s]) = 9^9^9^9", "a power that is too large"),
    ],
)
def test_work_without_end_is_refused_in_words(formula, words, networks):
    start = time.process_time()

    report = verify_text(formula, networks["mlp"])

    assert time.process_time() - start < SECONDS
    assert report.items[0].verdict == "not_understood"
    assert words in report.items[0].worst.reason


def test_formulas_beyond_the_limit_are_counted_and_said(networks, monkeypatch):
    monkeypatch.setattr(note, "MAX_FORMULAS", 2)

    report = verify_text("\n\n".join(["$$E = 1 - 1 + E$$"] * 5), networks["mlp"])

    assert "From here on 3 formulas were not read" in report.items[-1].worst.reason
    assert report.items[-1].line == 5
    assert report.count("not_understood") == 1


UNSEEN = ["\ufeff", "\u200b", "\u202e", "\x1b", "\u2062"]


@pytest.mark.parametrize("character", UNSEEN, ids=map(ascii, UNSEEN))
def test_what_nobody_sees_is_a_blank(character, networks):
    text = f"{character}$$ E {character}= E + 1 $$"

    report = verify_text(text, networks["mlp"])

    assert report.items[0].verdict == "wrong"
    assert character not in report.to_text()


def test_a_mark_of_byte_order_before_plain_claims_hides_none(networks):
    report = verify_text("\ufeffE = E\n", networks["mlp"])

    assert len(report.items) == 1


def test_a_function_of_numbers_at_a_matrix_is_refused_in_words():
    report = verify_text("$$yhat[k] = softmax[k](z2[k]) = yhat[k]$$")

    assert report.items[0].worst.reason == "exp of a matrix"


def test_a_formula_nested_too_deeply_leaves_the_others_of_its_note_judged(networks):
    deep = r"$$E = " + r"\frac{\partial}{\partial b_k}" * 400 + "E$$"

    report = verify_text(f"{deep}\n\n$$ E = E + 1 $$", networks["mlp"])

    assert [item.verdict for item in report.items] == ["not_understood", "wrong"]


def test_a_third_derivative_is_refused_where_no_digit_of_it_is_left():
    network = parse("param w, v\nloss E = exp(w*v)\n")

    second = verify_text("d(d(E, w), w) = v^2*E", network)
    third = verify_text("d(d(d(E, w), w), w) = v^3*E", network)

    assert second.count("agrees") == 1
    assert third.items[0].worst.reason == "derivatives are nested too deeply"


def test_a_defect_at_one_formula_is_said_there_and_the_rest_is_judged(networks, monkeypatch):
    judge = note._judge_chain
    calls = []

    def broken(*arguments):
        calls.append(arguments)
        if len(calls) == 1:
            raise KeyError("x")
        judge(*arguments)

    monkeypatch.setattr(note, "_judge_chain", broken)

    report = verify_text("$$E = E + 2$$\n\n$$E = E + 1$$", networks["mlp"])

    assert [item.verdict for item in report.items] == ["not_understood", "wrong"]
    assert "KeyError: 'x'. This is a defect of derivgen" in report.items[0].worst.reason
