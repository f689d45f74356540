r"""Conditions beside formulas, and labels that choose a class: ``, \quad i = j``, ``s_{y_i}``."""

from __future__ import annotations

import pytest

from derivgen.language import parse
from derivgen.verify import verify_text

SOFTMAX = """network labelled
index d: 3, j: 4
input x[d]
input y of j
param W[j,d]
f[j] = sum[d](W[j,d]*x[d])
p[j] = softmax[j](f[j])
loss L = -log(p[y])
"""
HINGE = """network hinge
index d: 3, j: 4
input x[d]
input y of j
param W[j,d]
s[j] = sum[d](W[j,d]*x[d])
loss L = sum[j]([j != y]*max(0, s[j] - s[y] + 1))
"""
COLUMNS = HINGE.replace("W[j,d]", "W[d,j]")
MARGIN = """network margin
index d: 3
input x[d]
target y
param w[d]
f = sum[d](w[d]*x[d])
loss L = max(0, 1 - y*f)
"""

RIGHT = (
    (SOFTMAX, r"\frac{\partial p_j}{\partial f_k} = -p_k p_j, \quad k \neq j"),
    (SOFTMAX, r"\frac{\partial p_j}{\partial f_k} = p_k (1-p_k) \quad \text{if } k = j"),
    (SOFTMAX, r"\frac{\partial p_j}{\partial f_k} = p_k (1-p_k) \quad (k = j)"),
    (SOFTMAX, r"k \neq j: \quad \frac{\partial p_j}{\partial f_k} = -p_k p_j"),
    (SOFTMAX, r"\frac{\partial L}{\partial f_k} = p_k - 1 \text{ if $k=y$}"),
    (SOFTMAX, r"L_i = -f_{y_i} + \log\sum_j e^{f_j}"),
    (SOFTMAX, r"\frac{\partial L}{\partial f_{y_i}} = p_{y_i} - 1"),
    (HINGE, r"L_i = \sum_{j\neq y_i} \max(0, w_j^T x_i - w_{y_i}^T x_i + 1)"),
    (HINGE, r"\frac{\partial L}{\partial s_y} = -\sum_{j \ne y} \mathbb{1}(s_j - s_y + 1 > 0)"),
    (COLUMNS, r"L = \sum_{j\neq y} \max(0, w_j^T x - w_y^T x + 1)"),
    (MARGIN, r"\frac{\partial L}{\partial w} = 0, \quad y f \ge 1"),
)  # fmt: skip
WRONG = (
    (SOFTMAX, r"\frac{\partial p_j}{\partial f_k} = p_k p_j, \quad k \neq j"),
    (SOFTMAX, r"\frac{\partial p_j}{\partial f_k} = p_k (1-p_k), \quad k \neq j"),
    (SOFTMAX, r"\frac{\partial L}{\partial f_{y_i}} = p_{y_i} + 1"),
    (HINGE, r"\frac{\partial L}{\partial s_y} = \sum_{j \ne y} \mathbb{1}(s_j - s_y + 1 > 0)"),
    (MARGIN, r"\frac{\partial L}{\partial w} = y x, \quad y f < 1"),
)  # fmt: skip


def verdict(network, formula):
    (item,) = verify_text(formula, parse(network), kind="formula").items
    return item.verdict


@pytest.mark.parametrize(("network", "formula"), RIGHT)
def test_a_formula_is_judged_where_its_condition_holds(network, formula):
    assert verdict(network, formula) in ("proved", "agrees")


@pytest.mark.parametrize(("network", "formula"), WRONG)
def test_a_mistake_under_a_condition_is_found(network, formula):
    assert verdict(network, formula) == "wrong"


def test_each_row_keeps_its_own_condition():
    rows = (
        r"\begin{aligned} \frac{\partial p_j}{\partial f_k} &= p_k(1-p_k) & j = k \\"
        r" \frac{\partial p_j}{\partial f_k} &= -p_j p_k & j \ne k\end{aligned}"
    )

    report = verify_text(rows, parse(SOFTMAX), kind="formula")

    assert [item.verdict for item in report.items] == ["proved", "proved"]


def test_words_around_a_formula_state_its_condition():
    note = r"""
If $k = j$, then $$\frac{\partial p_j}{\partial f_k} = p_k (1-p_k)$$ and for $k \neq j$
$$\frac{\partial p_j}{\partial f_k} = -p_j p_k$$ In all,
$$\frac{\partial L}{\partial f_k} = p_k - 1$$ when $k = y$. It is wrong, for $k \neq j$, that
$$\frac{\partial p_j}{\partial f_k} = p_j p_k$$
"""

    report = verify_text(note, parse(SOFTMAX))

    assert [item.verdict for item in report.items] == ["proved", "proved", "proved", "wrong"]


def test_a_condition_on_a_vector_ends_in_a_verdict():
    assert verdict(MARGIN, r"\frac{\partial L}{\partial w} = y x, \quad w x < 0") != "agrees"


def test_a_sum_runs_over_what_its_condition_selects():
    right = r"\frac{\partial L}{\partial s_y} = -\sum_{j: s_j - s_y + 1 > 0} 1 + 1"

    assert verdict(HINGE, right) == "agrees"
    assert verdict(HINGE, right.replace("> 0", "< 0")) == "wrong"


def test_an_index_of_a_position_says_by_what_a_softmax_is_differentiated():
    assert verdict(SOFTMAX, r"D_k p_j = p_j(\delta_{jk} - p_k)") in ("proved", "agrees")
    assert verdict(SOFTMAX, r"D_k p_j = p_j(\delta_{jk} + p_k)") == "wrong"


def test_what_a_note_says_of_an_unknown_function_stays_with_the_function():
    network = MARGIN.replace("w[d]\n", "w[d]\nfunction sigma\n", 1).replace(
        "loss L = max(0, 1 - y*f)", "a = sigma(f)\nloss L = 1/2*(a - y)^2"
    )
    note = r"""
$\sigma(z) = \frac{1}{1+e^{-z}}$ and so $\sigma'(z) = \sigma(z)(1 - \sigma(z))$, not
$\sigma'(z) = \sigma(z)(1 + \sigma(z))$. $$\frac{\partial L}{\partial f} = (a - y)\sigma'(f)$$
"""

    report = verify_text(note, parse(network))

    assert [i.verdict in ("agrees", "proved") for i in report.items] == [True, True, False, True]
