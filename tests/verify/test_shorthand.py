r"""What notes leave out: by what a gradient is, whose sample it is, how long a row of ones is."""

from __future__ import annotations

import pytest

from derivgen.language import parse
from derivgen.verify import verify_text

LOGISTIC = """network logistic
index j: 3
input x[j]
target y
param w[j], b
z = sum[j](w[j]*x[j]) + b
a = sigmoid(z)
loss C = -(y*log(a) + (1 - y)*log(1 - a))
"""
RIDGE = """network ridge
dim N = 5, D = 3
batch n: N
index j: D
input phi[n,j]
target t[n]
param w[j]
const lambda = 0.3
y[n] = sum[j](w[j]*phi[n,j])
loss E = 1/2*sum[n]((y[n] - t[n])^2) + lambda/2*sum[j](w[j]^2)
"""
SOFTMAX = """network softmax_rows
dim N = 5, D = 3, K = 4
batch n: N
index d: D, k: K
input X[n,d]
target Y[n,k] onehot
param W[d,k], b[k]
Z[n,k] = sum[d](X[n,d]*W[d,k]) + b[k]
P[n,k] = softmax[k](Z[n,k])
loss L = -1/N*sum[n,k](Y[n,k]*log(P[n,k]))
"""

RIGHT = (
    (RIDGE, r"\nabla E(\mathbf{w}) = \sum_n (y_n - t_n)\boldsymbol\phi_n + \lambda\mathbf{w}"),
    (RIDGE, r"\nabla E = \boldsymbol\Phi^T(\mathbf{y} - \mathbf{t}) + \lambda\mathbf{w}"),
    (RIDGE, r"\nabla E = (\Phi^T\Phi + \lambda I)w - \Phi^T t"),
    (RIDGE, r"w^{(\tau+1)} = w^{(\tau)} - \eta \nabla E"),
    (RIDGE, r"H = \nabla\nabla E(w) = \Phi^T\Phi + \lambda I"),
    (RIDGE, r"H(w) = \sum_n \phi_n \phi_n^T + \lambda I"),
    (SOFTMAX, r"\frac{\partial p_k}{\partial z_j} = p_k(I_{kj} - p_j)"),
    (SOFTMAX, r"\frac{\partial L}{\partial b} = \frac{1}{N} \mathbf{1}^T (P - Y)"),
    (SOFTMAX, r"\nabla_W L = \frac{1}{N} X^\top (\mathrm{softmax}(XW + b) - Y)"),
    (LOGISTIC, r"a' = a(1-a)"),
    (LOGISTIC, r"\sigma' = a(1-a)"),
    (LOGISTIC, r"\frac{\partial C_{CE}}{\partial w_j} = \frac{a-y}{a(1-a)} \frac{\partial\sigma}{\partial w_j}"),  # noqa: E501
    (LOGISTIC, r"C = -y\log p(y=1|x) - (1-y)\log p(y=0 \mid x)"),
)  # fmt: skip
WRONG = (
    (RIDGE, r"\nabla E = \Phi^T(y - t) - \lambda w"),
    (RIDGE, r"\nabla E = (\Phi^T\Phi - \lambda I)w - \Phi^T t"),
    (SOFTMAX, r"\frac{\partial p_k}{\partial z_j} = p_k(I_{kj} + p_j)"),
    (SOFTMAX, r"\frac{\partial L}{\partial b} = \mathbf{1}^T (P - Y)"),
    (LOGISTIC, r"\sigma' = a(1+a)"),
    (LOGISTIC, r"P(y=0 | x) = a"),
)  # fmt: skip


def verdict(network, formula):
    (item,) = verify_text(formula, parse(network), kind="formula").items
    return item.verdict


@pytest.mark.parametrize(("network", "formula"), RIGHT)
def test_what_is_left_out_is_understood(network, formula):
    assert verdict(network, formula) in ("proved", "agrees")


@pytest.mark.parametrize(("network", "formula"), WRONG)
def test_a_mistake_in_a_short_form_is_found(network, formula):
    assert verdict(network, formula) == "wrong"


def test_the_chance_of_something_else_is_not_taken_for_an_output():
    assert verdict(RIDGE, r"E = -\ln p(t | w)") == "not_understood"


LEAST = (
    (RIDGE, r"\nabla_w E = 0"),
    (RIDGE, r"(\Phi^T \Phi + \lambda I) w = \Phi^T t"),
    (RIDGE, r"w^* = (\Phi^T \Phi + \lambda I)^{-1} \Phi^T t"),
    (RIDGE, r"\Phi^T(\Phi w - t) + \lambda w = 0"),
)


@pytest.mark.parametrize(("network", "formula"), LEAST)
def test_an_equation_of_the_minimum_holds_where_the_loss_is_least(network, formula):
    assert verdict(network, formula) == "holds_if"


@pytest.mark.parametrize("formula", (LEAST[1][1], LEAST[2][1]))
def test_another_equation_is_not_one_of_the_minimum(formula):
    assert verdict(RIDGE, formula.replace("+ ", "- ")) == "wrong"


@pytest.mark.parametrize("formula", (r"x = [1, 2, 3]", r"z = 0", r"a = 0.5"))
def test_numbers_of_an_example_are_not_called_wrong(formula):
    assert verdict(LOGISTIC, formula) == "not_understood"


@pytest.mark.parametrize("formula", (r"\frac{\partial z}{\partial b} = 0",))
def test_a_number_that_holds_for_all_values_is_judged(formula):
    assert verdict(LOGISTIC, formula) == "wrong"


def test_a_prime_on_a_bracket_is_a_derivative_by_the_argument():
    right = r"f'(z) = \left(\frac{1}{1+e^{-z}}\right)' = \frac{e^{-z}}{(1+e^{-z})^2}"

    assert verdict(LOGISTIC, right) == "agrees"
    assert verdict(LOGISTIC, right.replace("{e^{-z}}{(", "{-e^{-z}}{(")) == "wrong"
