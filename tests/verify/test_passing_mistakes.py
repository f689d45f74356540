"""Mistakes that a lenient reading could let pass: one reading for a chain, proportions, dots.

Beside every wrong formula stands the right one that it is made from, so that no rule is too strict.
"""

from __future__ import annotations

import pytest

from derivgen.language import parse
from derivgen.verify import verify_text

NETWORKS = {
    "mlp": """
network two_layer
dim D = 4, S = 5, K = 3
index d: D, s: S, k: K
input  x[d]
target y[k]
param  V[s,d], c[s], W[k,s], b[k]
alpha[s] = sum[d](V[s,d]*x[d]) + c[s]
h[s]     = sigmoid(alpha[s])
beta[k]  = sum[s](W[k,s]*h[s]) + b[k]
yhat[k]  = sigmoid(beta[k])
loss E   = 1/2*sum[k]((yhat[k]-y[k])^2)
""",
    "logistic": """
network logistic
dim D = 3
index j: D
input x[j]
target y
param w[j], b
z = sum[j](w[j]*x[j]) + b
yhat = sigmoid(z)
loss J = -(y*log(yhat) + (1-y)*log(1-yhat))
""",
    "duda": """
network duda
dim D = 3, H = 4, C = 2
index i: D, j: H, k: C
input x[i]
target t[k]
param wji[j,i], wkj[k,j]
netj[j] = sum[i](wji[j,i]*x[i])
y[j] = tanh(netj[j])
netk[k] = sum[j](wkj[k,j]*y[j])
z[k] = tanh(netk[k])
loss J = 1/2*sum[k]((t[k]-z[k])^2)
""",
}
NETWORKS["square"] = """
network square
dim N = 3
index i: N, j: N, k: N
input x[i]
target y[k]
param W1[j,i], W2[k,j]
z1[j] = sum[i](W1[j,i]*x[i])
a1[j] = tanh(z1[j])
z2[k] = sum[j](W2[k,j]*a1[j])
a2[k] = sigmoid(z2[k])
loss C = 1/2*sum[k]((a2[k]-y[k])^2)
"""
NETWORKS["rnn"] = """
network rnn
dim T = 4, D = 2, H = 3, K = 5
index t: T, d: D, h: H, g: H, k: K
input x[t,d]
target y[t,k] onehot
param U[h,d], W[h,g], V[k,h]
a[t,h] = sum[d](U[h,d]*x[t,d]) + sum[g](W[h,g]*s[t-1,g; 0])
s[t,h] = tanh(a[t,h])
o[t,k] = sum[h](V[k,h]*s[t,h])
p[t,k] = softmax[k](o[t,k])
loss L = -sum[t,k](y[t,k]*log(p[t,k]))
"""
BACK = (
    r"\Delta w_{ji} = \eta x_i\delta_j = \eta\left[\sum_{k=1}^c w_{kj}\delta_k\right]f'(net_j)x_i"
)


def judged(text, name="mlp"):
    (item,) = verify_text(text, parse(NETWORKS[name]), kind="formula").items
    return item


@pytest.mark.parametrize(
    ("name", "right", "old", "new"),
    [
        ("duda", BACK, "w_{kj}", "(-w_{kj})"),
        (
            "logistic",
            r"\frac{\partial J}{\partial w_j}"
            r" = \frac1m\sum_{i=1}^m (\hat y^{(i)} - y^{(i)})x_j^{(i)}"
            r" = \frac1m\sum_{i=1}^m x_j^{(i)} (\hat y^{(i)} - y^{(i)})",
            r" = \frac1m\sum_{i=1}^m x_j^{(i)} (\hat y^{(i)} - y^{(i)})",
            r" = (\hat y - y) x_j",
        ),
    ],
)
def test_the_members_of_a_chain_hold_under_one_reading(name, right, old, new):
    assert judged(right, name).verdict in ("proved", "agrees")
    assert judged(right.replace(old, new), name).verdict == "wrong"


@pytest.mark.parametrize(
    ("text", "verdict", "mistake"),
    [
        (r"\Delta W_{ks} \propto -\frac{\partial E}{\partial W_{ks}}", "agrees", ""),
        (r"\Delta W_{ks} \propto \frac{\partial E}{\partial W_{ks}}", "wrong", "sign"),
        (r"\frac{\partial E}{\partial W_{ks}} \propto 2\frac{\partial E}{\partial b_k} h_s",
         "agrees", ""),
        (r"\frac{\partial E}{\partial W_{ks}} \propto h_s", "holds_if", ""),
        (r"\frac{\partial E}{\partial W_{ks}} \propto V_{sd}", "wrong", ""),
        (r"\Delta W_{ks} \propto -\frac{\partial E}{\partial W_{ks}}"
         r" = (y_k-\hat y_k)\hat y_k(1-\hat y_k) h_s", "agrees", ""),
        (r"\Delta W_{ks} \propto -\frac{\partial E}{\partial W_{ks}}"
         r" = 2(y_k-\hat y_k)\hat y_k(1-\hat y_k) h_s", "wrong", "factor-2"),
        (r"\Delta W_{ks} = -\frac{\partial E}{\partial W_{ks}}", "holds_if", "missing-factor"),
    ],
)  # fmt: skip
def test_a_proportion_is_no_equality_and_a_step_leads_downhill(text, verdict, mistake):
    item = judged(text)

    assert (item.verdict, item.worst.mistake) == (verdict, mistake)


FIRST = r"\frac{\partial E}{\partial \beta_1}"


@pytest.mark.parametrize(
    ("entry", "verdict"),
    [
        (r"\frac{\partial E}{\partial \beta_2}", ("proved", "agrees")),
        (r"2\frac{\partial E}{\partial \beta_2}", ("wrong",)),
        (r"\frac{\partial E}{\partial \beta_3}", ("wrong",)),
        (r"\frac{\partial E}{\partial \hat{y}_2}", ("wrong",)),
    ],
)
def test_every_entry_of_a_vector_with_dots_is_judged(entry, verdict):
    rows = (FIRST, entry, r"\vdots", r"\frac{\partial E}{\partial \beta_K}")
    vector = r"\begin{bmatrix}" + r"\\".join(rows) + r"\end{bmatrix}"

    assert judged(r"\frac{\partial E}{\partial b} = " + vector).verdict in verdict


@pytest.mark.parametrize(
    ("right", "verdict"),
    [
        (r"W_{k1} h_1 + W_{k2} h_2 + \dots + W_{kS} h_S + b_k", "proved"),
        (r"b_k + W_{k1} h_1 + \cdots + W_{kS} h_S", "proved"),
        (r"W_{k1} h_1 + W_{k2} h_1 + \dots + W_{kS} h_S + b_k", "not_understood"),
        (r"W_{k2} h_2 + \dots + W_{kS} h_S + b_k", "not_understood"),
    ],
)
def test_a_sum_with_dots_is_read_by_all_its_terms(right, verdict):
    assert judged(r"\beta_k = " + right).verdict == verdict


def test_the_hint_for_a_vector_with_dots_mends_all_its_entries():
    text = (
        r"$$\frac{\partial J}{\partial W^l} = \delta^l \left[ a_1^l, a_2^l, \dots, a_m^l \right]$$"
    )

    (item,) = verify_text(text).items

    assert item.verdict == "wrong"
    assert item.worst.correct == (r"\delta^l \left[ a_1^{l-1}, a_2^{l-1}, \dots, a_m^{l-1} \right]")


@pytest.mark.parametrize(
    ("text", "verdicts"),
    [
        (r"\frac{\partial E}{\partial b_k} = (a_k - y_k) a_k (1 - a_k)", ("proved", "agrees")),
        (r"\frac{\partial E}{\partial b_k} = (\hat{y}_k - y_k) \hat{y}_k (1 - z_k)",
         ("not_understood", "wrong")),
    ],
)  # fmt: skip
def test_a_name_that_nothing_declares_is_no_second_name_for_what_stands_beside_it(text, verdicts):
    assert judged(text).verdict in verdicts


CASES = (
    r"\delta_j = \begin{cases} (\hat{y}_j-y_j)\hat{y}_j(1-\hat{y}_j)"
    r" & \text{if j is an output neuron} \\"
    r" h_j(1-h_j) \sum_k W_{kj}\frac{\partial E}{\partial \beta_k}"
    r" & \text{if it is inner} \end{cases}"
)


@pytest.mark.parametrize(
    ("old", "new", "verdict"),
    [
        ("", "", ("proved", "agrees")),
        ("h_j(1-h_j)", "h_j(1+h_j)", ("wrong",)),
        (r"(\hat{y}_j-y_j)", r"(y_j-\hat{y}_j)", ("wrong",)),
    ],
)
def test_cases_that_words_tell_apart_are_all_judged(old, new, verdict):
    text = CASES.replace(old, new) if old else CASES

    assert judged(text).verdict in verdict


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (r"\frac{\partial \beta}{\partial h} = W^T", "denominator layout"),
        (
            r"\frac{\partial E}{\partial b} = (\hat y - y) \hat y \odot (1 - \hat y)",
            "entry by entry",
        ),
        (r"\frac{\partial \beta}{\partial h} = W", ""),
    ],
)
def test_the_report_says_which_of_several_readings_holds(text, words):
    report = verify_text(text, parse(NETWORKS["mlp"]), kind="formula")

    assert report.items[0].verdict in ("proved", "agrees")
    assert words in report.to_text()
    assert ("Read so" in report.to_text()) == bool(words)


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        (r"\frac{\partial C}{\partial W^{(2)}} = \delta^{(2)} (a^{(1)})^T",
         r"\frac{\partial C}{\partial W^{(2)}} = (\delta^{(2)})^T a^{(1)}"),
        (r"z^{(2)} = W^{(2)} a^{(1)}", r"z^{(2)} = a^{(1)} W^{(2)}"),
        (r"\delta^{(1)} = (W^{(2)})^T \delta^{(2)} \odot \tanh'(z^{(1)})",
         r"\delta^{(1)} = \delta^{(2)} W^{(2)} \odot \tanh'(z^{(1)})"),
    ],
)  # fmt: skip
def test_square_weights_are_no_licence_for_the_layout_of_rows(right, wrong):
    assert judged(right, "square").verdict in ("proved", "agrees")
    assert judged(wrong, "square").verdict == "wrong"


@pytest.mark.parametrize(
    ("factor", "verdict"),
    [
        (r"\frac{\partial s_j}{\partial s_{j-1}}", ("proved", "agrees", "holds_if")),
        (r"\frac{\partial s_{j-1}}{\partial s_j}", ("wrong",)),
    ],
)
def test_a_factor_that_differentiates_against_time_is_wrong(factor, verdict):
    text = (
        r"\frac{\partial L}{\partial W} = \sum_{t}\sum_{k=1}^{t} \frac{\partial L_t}{\partial s_t}"
        r" \left(\prod_{j=k+1}^{t} FACTOR\right) \frac{\partial s_k}{\partial W}"
    )

    assert judged(text.replace("FACTOR", factor), "rnn").verdict in verdict


def test_that_nothing_acts_at_once_on_either_side_claims_nothing():
    text = (
        r"\frac{\partial s_T}{\partial s_1} = \prod_{t=1}^{T} \frac{\partial s_t}{\partial s_{t-1}}"
    )

    assert judged(text, "rnn").verdict not in ("proved", "agrees", "holds_if")
