"""Series of printed numbers: rounding carried on, numbers cut, wrong digits, powers of ten."""

from __future__ import annotations

import pytest

from derivgen.language import parse
from derivgen.verify import verify_text

NET = """
network series
input x1 = 0.6, x2 = 0.1
target t = 1
param w1 = 0.1, w2 = 0.4, w3 = 0.3, w4 = -0.7, v1 = 0.2, v2 = -0.5
s1 = w1*x1 + w2*x2
s2 = w3*x1 + w4*x2
h1 = tanh(s1)
h2 = tanh(s2)
u = v1*h1 + v2*h2
y = sigmoid(u)
loss E = 1/2*(t - y)^2
"""
NOTE = r"""
$h_1 = \tanh(0.1) = 0.0997$ and $h_2 = \tanh(0.11) \approx 0.1096$
$u = v_1 h_1 + v_2 h_2 = 0.2 \cdot 0.0997 - 0.5 \cdot 0.1096 = -0.0349$
$y = \sigma(u) = \frac{1}{1+e^{0.0349}} = 0.4913$
$E = \frac12 (t-y)^2 = \frac12 (1 - 0.4913)^2 = 0.1294$
$\frac{\partial E}{\partial u} = -0.5087 \cdot 0.4913 \cdot (1-0.4913) = -0.1271$
$\frac{\partial E}{\partial v_1} = -0.1271 \cdot 0.0997 = -0.01267$
$v_1^+ = v_1 - \eta \frac{\partial E}{\partial v_1} = 0.2 - 0.5 \cdot (-0.01267) = 0.206335$
"""


def verdicts(text):
    return [(item.verdict, item.worst.mistake) for item in verify_text(text, parse(NET)).items]


def test_what_rounding_carries_through_a_series_is_right():
    assert {verdict for verdict, _ in verdicts(NOTE)} == {"agrees"}


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("= -0.0349", "= -0.0359", 3),
        ("= 0.4913$", "= 0.4923$", 4),
        ("= -0.01267$", "= -0.01287$", 7),
    ],
)
def test_a_wrong_digit_in_a_series_is_found_at_its_place(old, new, line):
    report = verify_text(NOTE.replace(old, new), parse(NET))

    assert [item.line for item in report.items if item.verdict == "wrong"][:1] == [line]


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        ("-1.27e-2", ("agrees", "")),
        (r"-1.27 \times 10^{-2}", ("agrees", "")),
        ("-1.37e-2", ("wrong", "digit")),
        ("1.27e-2", ("wrong", "sign")),
    ],
)
def test_powers_of_ten_are_read_in_every_spelling(number, expected):
    assert verdicts(rf"$\frac{{\partial E}}{{\partial v_1}} = {number}$") == [expected]


def test_a_number_that_is_cut_is_no_mistake_and_said_to_be_cut():
    (item,) = verify_text("$y = 0.4912$", parse(NET)).items

    assert item.verdict == "agrees"
    assert "cut" in item.worst.reason
