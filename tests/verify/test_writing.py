"""The right formula that a report shows: a small edit, in the writer's own notation, and right."""

from __future__ import annotations

import pytest

from derivgen.verify import verify_text

GENERAL = r"\frac{\partial C}{\partial W^l} = "
CELL = (
    r"\frac{\partial E}{\partial c_t} ="
    r" \frac{\partial E}{\partial h_t} \odot o_t \odot (1 - \tanh^2(c_t))"
)
MENDED = [
    ("mlp", r"\frac{\partial E}{\partial b_k} = (y_k - \hat{y}_k)\hat{y}_k(1-\hat{y}_k)",
     r"\frac{\partial E}{\partial b_k} = (\hat{y}_k - y_k)\hat{y}_k(1-\hat{y}_k)"),
    ("mlp", r"\frac{\partial E}{\partial b_k} = (\hat{y}_k - y_k)\hat{y}_k(\hat{y}_k - 1)",
     r"\frac{\partial E}{\partial b_k} = (\hat{y}_k - y_k)\hat{y}_k(1 - \hat{y}_k)"),
    ("mlp", r"\frac{\partial E}{\partial b_k} = 2(\hat{y}_k - y_k)\hat{y}_k(1-\hat{y}_k)",
     r"\frac{\partial E}{\partial b_k} = (\hat{y}_k - y_k)\hat{y}_k(1-\hat{y}_k)"),
    ("mse", r"\frac{\partial J}{\partial b} = \frac{1}{2m}\sum_n (\hat{y}_n - y_n)",
     r"\frac{\partial J}{\partial b} = \frac{1}{m}\sum_n (\hat{y}_n - y_n)"),
    ("general", GENERAL + r"\delta^{l-1} (a^{l-1})^T", GENERAL + r"\delta^{l} (a^{l-1})^T"),
    ("general", GENERAL + r"\delta^l z^{l-1\,T}", GENERAL + r"\delta^l (a^{l-1})^T"),
    ("general", r"\frac{\partial C}{\partial b_2} = \left( W_2^T \delta_3 \right) \odot f'(z_2)",
     r"\frac{\partial C}{\partial b_2} = \left( W_3^T \delta_3 \right) \odot f'(z_2)"),
    ("mlp", r"\frac{\partial E}{\partial c_s} = \left[\sum_k \delta_k W_{sk}\right] h_s (1 - h_s)",
     r"\frac{\partial E}{\partial c_s} = \left[\sum_k \delta_k W_{ks}\right] h_s (1 - h_s)"),
    ("logistic", r"\frac{\partial J}{\partial \hat y} = -\frac{y}{\hat y} - \frac{1-y}{1-\hat y}",
     r"\frac{\partial J}{\partial \hat y} = -\frac{y}{\hat y} + \frac{1-y}{1-\hat y}"),
    ("lstm", CELL, CELL + r" + \frac{\partial E}{\partial c_{t+1}} \odot f_{t+1}"),
    ("rnn", r"a_t = W x_t + U h_{t-1} + b", r"a_t = U x_t + W h_{t-1} + b"),
    ("softmax", r"\frac{\partial p_k}{\partial z_j} = p_k (1 - p_k)",
     r"\frac{\partial p_k}{\partial z_j} = p_k (1\{k = j\} - p_j)"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "text", "right"), MENDED)
def test_the_right_formula_differs_from_the_wrong_one_by_a_small_edit(networks, name, text, right):
    (item,) = verify_text(text, networks[name], kind="formula").items

    assert item.verdict == "wrong"
    assert item.correct == right


@pytest.mark.parametrize(("name", "text", "right"), MENDED)
def test_the_right_formula_is_right_when_it_is_judged_in_turn(networks, name, text, right):
    (item,) = verify_text(right, networks[name], kind="formula").items

    assert item.verdict in ("proved", "agrees")
