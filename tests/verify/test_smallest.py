"""Counterexamples a person can follow: tiny sizes, whole numbers, both sides, and where."""

from __future__ import annotations

from derivgen.language import parse
from derivgen.verify import verify_text

LINE = "input x\ntarget y\nparam w\nyhat = w*x\nloss E = 1/2*(yhat - y)^2\n"


def counterexample(text, net, kind="plain", lang="en"):
    (item,) = verify_text(text, net, kind=kind, lang=lang).items
    assert item.verdict == "wrong"
    return item.worst.counterexample


def test_a_counterexample_gives_whole_numbers_and_both_sides() -> None:
    said = counterexample("d(E, w) = yhat - y", parse(LINE))

    assert said == "For example with x = -1, y = -1, w = 2: 1 on the left, -1 on the right"


def test_a_counterexample_is_said_in_chinese() -> None:
    said = counterexample("d(E, w) = yhat - y", parse(LINE), lang="zh")

    assert said == "反例：取 x = -1, y = -1, w = 2，左边为 1，右边为 -1"


def test_a_counterexample_is_the_same_every_time() -> None:
    text = "d(E, w) = (yhat - y)*x^2"

    assert counterexample(text, parse(LINE)) == counterexample(text, parse(LINE))


def test_sizes_are_one_where_that_shows_the_difference_and_two_where_not(networks) -> None:
    sign = counterexample("d(L, b[k]) = y[k] - p[k]", networks["softmax"])
    swap = counterexample("d(E, h[s]) = sum[k](d(E, beta[k])*W[k,s]^2)", networks["mlp"])

    assert "K = 2" in sign  # one class has probability 1 whatever the numbers are
    assert "S = 1, K = 1" in swap


def test_the_entry_of_a_matrix_that_differs_is_named(networks) -> None:
    text = r"\frac{\partial h_t}{\partial h_{t-1}} = \operatorname{diag}(1 + h_t^2) W"

    assert "entry (1, 1)" in counterexample(text, networks["rnn"], kind="formula")


def test_a_tie_inside_the_network_is_no_counterexample() -> None:
    net = parse("input x\nparam w, b\nz = w*x + b\nloss E = relu(z)\n")

    said = counterexample("d(E, w) = x^2*[z > 0]", net)

    assert said == "For example with x = -1, w = -1, b = 2: -1 on the left, 1 on the right"
