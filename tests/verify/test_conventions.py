r"""Formulas in the notations of published notes, on networks that use other names.

A table a line: the verdict wanted, then the formula. ``right`` is proved or agrees, ``wrong:KIND``
names the mistake, ``unread`` is not understood.
"""

from __future__ import annotations

from functools import cache

import pytest

from derivgen import gallery
from derivgen.algebra.network import Network
from derivgen.formulas.conventions import layering
from derivgen.language import parse
from derivgen.verify import verify_text
from derivgen.verify.lettered import lettered

TWO_WEIGHTS = """network two_weights
dim D = 4, S = 3, K = 2
index d: D, s: S, k: K
input x[d]
target y[k]
param V[s,d], c[s], W[k,s], b[k]
alpha[s] = sum[d](V[s,d]*x[d]) + c[s]
h[s] = sigmoid(alpha[s])
beta[k] = sum[s](W[k,s]*h[s]) + b[k]
yhat[k] = sigmoid(beta[k])
loss E = 1/2*sum[k]((yhat[k]-y[k])^2)
"""
HIDDEN_A = TWO_WEIGHTS.replace("h[s]", "a[s]").replace(" S = 3", " H = 3").replace("s: S", "h: H")
HIDDEN_A = HIDDEN_A.replace("[s]", "[h]").replace("s,d", "h,d").replace("k,s", "k,h")
ONE_UNIT = """network one_unit
dim D = 2, H = 4
index d: D, h: H
input x[d]
target y
param W1[h,d], b1[h], w2[h], b2
z1[h] = sum[d](W1[h,d]*x[d]) + b1[h]
a1[h] = tanh(z1[h])
z2 = sum[h](w2[h]*a1[h]) + b2
a2 = sigmoid(z2)
loss J = -(y*log(a2) + (1-y)*log(1-a2))
"""
UNNAMED = """network unnamed
dim D = 2, H = 4, K = 3
index d: D, h: H, k: K
input x[d]
target y[k]
param W1[h,d], b1[h], W2[k,h], b2[k]
a1[h] = tanh(sum[d](W1[h,d]*x[d]) + b1[h])
a2[k] = sigmoid(sum[h](W2[k,h]*a1[h]) + b2[k])
loss J = 1/2*sum[k]((a2[k]-y[k])^2)
"""
RECURRENT = """network recurrent
dim T = 4, D = 2, H = 3, K = 5
index t: 1..T, d: D, j: H, k: H, o: K
input x[t,d]
target y[t,o]
assume sum[o](y[t,o]) = 1
param U[j,d], W[j,k], b[j], V[o,j]
a[t,j] = sum[d](U[j,d]*x[t,d]) + sum[k](W[j,k]*h[t-1,k; 0]) + b[j]
h[t,j] = tanh(a[t,j])
z[t,o] = sum[j](V[o,j]*h[t,j])
p[t,o] = softmax[o](z[t,o])
loss L = -sum[t,o](y[t,o]*log(p[t,o]))
"""
GRU = """network gru
dim T = 3, D = 2, H = 4
index t: T, d: D, j: H, k: H
input x[t,d]
param Wz[j,d], Wr[j,d], Wn[j,d], Rz[j,k], Rr[j,k], Rn[j,k], bn[j]
z[t,j] = sigmoid(sum[d](Wz[j,d]*x[t,d]) + sum[k](Rz[j,k]*h[t-1,k; 0]))
r[t,j] = sigmoid(sum[d](Wr[j,d]*x[t,d]) + sum[k](Rr[j,k]*h[t-1,k; 0]))
q[t,j] = tanh(sum[d](Wn[j,d]*x[t,d]) + r[t,j]*(sum[k](Rn[j,k]*h[t-1,k; 0]) + bn[j]))
h[t,j] = (1 - z[t,j])*q[t,j] + z[t,j]*h[t-1,j; 0]
loss E = sum[j](h[T-1,j])^2
"""
LOGISTIC = """network logistic
dim D = 3
index j: D
input x[j]
target y
param w[j], b
z = sum[j](w[j]*x[j]) + b
yhat = sigmoid(z)
loss J = -(y*log(yhat) + (1 - y)*log(1 - yhat))
"""
SOFTMAX = """network softmax_layer
dim D = 3, K = 4
index d: D, k: K
input x[d]
target y[k]
assume sum[k](y[k]) = 1
param W[k,d], b[k]
z[k] = sum[d](W[k,d]*x[d]) + b[k]
p[k] = softmax[k](z[k])
loss L = -sum[k](y[k]*log(p[k]))
"""
ATTENTION = """network attention
dim T = 3, U = 4, D = 2, E = 5
index t: T, s: U, d: D, e: E
input q[t,d], k[s,d]
param v[s,e]
input y[t,e]
z[t,s] = sum[d](q[t,d]*k[s,d])/sqrt(D)
w[t,s] = softmax[s](z[t,s])
c[t,e] = sum[s](w[t,s]*v[s,e])
loss L = 1/2*sum[t,e]((c[t,e]-y[t,e])^2)
"""
BATCH_NORM = """network batchnorm
dim N = 4, K = 3
batch n: N
index k: K
input x[n,k]
target t[n,k]
param gamma[k], beta[k]
mu[k] = mean[n](x[n,k])
v[k] = mean[n]((x[n,k] - mu[k])^2)
xhat[n,k] = (x[n,k] - mu[k])/sqrt(v[k] + 0.01)
y[n,k] = gamma[k]*xhat[n,k] + beta[k]
loss L = 1/2*sum[n,k]((y[n,k] - t[n,k])^2)
"""
CONVOLUTION = """network convolution
dim C = 2, F = 3, N = 5, U = 2
index c: C, f: F, u: U
index i: N - U + 1
input x[c, j: N]
target t[f,i]
param w[f,c,u], b[f]
z[f,i] = sum[c,u](w[f,c,u]*x[c,i+u]) + b[f]
a[f,i] = tanh(z[f,i])
loss E = 1/2*sum[f,i]((a[f,i] - t[f,i])^2)
"""
NETWORKS = {
    "two_weights": TWO_WEIGHTS, "hidden_a": HIDDEN_A, "one_unit": ONE_UNIT, "unnamed": UNNAMED,
    "recurrent": RECURRENT, "gru": GRU, "logistic": LOGISTIC, "softmax": SOFTMAX,
    "attention": ATTENTION, "batch_norm": BATCH_NORM, "convolution": CONVOLUTION,
}  # fmt: skip
LAYERS = r"""
@ iris
right z^{[1]} = W^{[1]} a^{[0]} + b^{[1]}
right \delta^{[2]} = a^{[2]} - y
wrong:sign \delta^{[2]} = y - \hat y
right \delta^{[1]} = W^{[2]T}\delta^{[2]} \odot g^{[1]\prime}(z^{[1]})
wrong:missing-transpose \delta^{[1]} = W^{[2]}\delta^{[2]} \odot g^{[1]\prime}(z^{[1]})
wrong:missing-fprime \delta^{[1]} = W^{[2]T}\delta^{[2]}
right dW^{[2]} = dz^{[2]} a^{[1]T}
right dW^{[2]} = \frac{1}{m} dZ^{[2]} A^{[1]T}
right db^{[2]} = \frac{1}{m} \sum_{i=1}^m dz^{[2](i)}
right da^{[1]} = W^{[2]T} dz^{[2]}
right \delta^l = ((W^{l+1})^T \delta^{l+1}) \odot \sigma'(z^l)
wrong:wrong-layer-weight \delta^l = ((W^{l})^T \delta^{l+1}) \odot f'(z^l)
right \delta_j^l = \sum_k w_{kj}^{l+1}\delta_k^{l+1}\sigma'(z_j^l)
wrong:index-swap \delta_j^l = \sum_k w_{jk}^{l+1}\delta_k^{l+1}\sigma'(z_j^l)
right \nabla_{W^{(l)}} J = \delta^{(l)} (a^{(l-1)})^T
right \frac{\partial J}{\partial W^{[l]}_{ij}} = \delta^{[l]}_i a^{[l-1]}_j
right \delta^{(L)} = \hat{y} - y
wrong:order \frac{\partial E}{\partial W^{(2)}} = h (\hat y - y)^T
right \delta_1 = W_2^T \delta_2 \odot (1 - a_1^2)
unread a^{[3]} = g(z^{[3]}) + \frac{\partial E}{\partial a^{[3]}}
@ digits_mlp
right \delta^{[1]} = W^{[2]T}\delta^{[2]} \odot 1\{z^{[1]} > 0\}
@ two_weights
right \delta^{(2)} = (a^{(2)} - y) \odot \sigma'(z^{(2)})
right \delta^L = \nabla_a C \odot \sigma'(z^L)
wrong:wrong-variable \frac{\partial C}{\partial w^l_{jk}} = z^{l-1}_k \delta^l_j
@ one_unit
right dz^{[1]} = W^{[2]T} dz^{[2]} * g^{[1]'}(z^{[1]})
right dW^{[2]} = dz^{[2]} a^{[1]T}
@ unnamed
right \delta^l = ((W^{l+1})^T \delta^{l+1}) \odot g'(z^l)
wrong:sign \delta^{(1)} = (W^{(2)})^T\delta^{(2)} \odot (1 + a^{(1)} \odot a^{(1)})
"""
TIMES = r"""
@ recurrent
right h^{\langle t\rangle} = \tanh(W h^{\langle t-1\rangle} + U x^{\langle t\rangle} + b)
right h_t = \tanh(W_{xh} x_t + W_{hh} h_{t-1} + b_h)
unread h_t = \tanh(W_{hh} x_t + W_{xh} h_{t-1} + b_h)
right \delta_t = (W^T \delta_{t+1} + V^T (p_t - y_t)) \odot (1 - h_t^2)
right \nabla_W L = \sum_t \mathrm{diag}(1-(h^{(t)})^2)(\nabla_{h^{(t)}}L) h^{(t-1)\top}
right \frac{\partial L}{\partial W_{hh}} = \sum_t \delta_t h_{t-1}^T
right \frac{\partial L}{\partial o_t} = \hat y_t - y_t
wrong:sum-forgotten \frac{\partial L}{\partial V} = (p_t - y_t) h_t^T
@ gru
right z_t = \sigma(W_z x_t + U_z h_{t-1})
right h_t = (1-z_t) \odot \tilde h_t + z_t \odot h_{t-1}
right \frac{\partial E}{\partial \tilde h_t} = \frac{\partial E}{\partial h_t} \odot (1-z_t)
wrong:sign \frac{\partial E}{\partial z_t} = \frac{\partial E}{\partial h_t} \odot (\tilde h_t - h_{t-1})
"""  # noqa: E501
ROLES = r"""
@ hidden_a
right \frac{\partial E}{\partial W_{ks}} = (\hat{y}_k-y_k)\hat{y}_k(1-\hat{y}_k) h_s
unread \frac{\partial E}{\partial W_{ks}} = (\hat{y}_k-y_k)\hat{y}_k(1-\hat{y}_k) q_s
@ logistic
right \frac{\partial J}{\partial w_j} = \frac{1}{m}\sum_{i=1}^{m} (h_\theta(x^{(i)}) - y^{(i)}) x_j^{(i)}
wrong:sign \frac{\partial J}{\partial w_j} = \frac{1}{m}\sum_{i=1}^{m} (y^{(i)} - h_\theta(x^{(i)})) x_j^{(i)}
@ softmax
right \frac{\partial \hat y_i}{\partial o_j} = \hat y_i(1\{i=j\} - \hat y_j)
right \frac{\partial L}{\partial o_i} = p_i - y_i
wrong:sign \frac{\partial p_i}{\partial z_j} = \begin{cases} p_i(1-p_i) & i = j \\ p_i p_j & i \neq j \end{cases}
@ attention
right S = \frac{QK^T}{\sqrt{d_k}}
right dV = P^T dO
right dS = A \odot (dA - \text{rowsum}(dA \odot A))
wrong:missing-transpose dV = A dO
@ batch_norm
right \mu_B = \frac1m \sum_{i=1}^m x_i
right \frac{\partial \ell}{\partial \gamma} = \sum_{i=1}^m \frac{\partial \ell}{\partial y_i} \hat x_i
right \frac{\partial \ell}{\partial \sigma_B^2} = \sum_{i=1}^m \frac{\partial \ell}{\partial \hat x_i} (x_i - \mu_B) \cdot \frac{-1}{2} (\sigma_B^2 + \epsilon)^{-3/2}
@ convolution
right \frac{\partial E}{\partial w_{f,c,u}} = \sum_i \delta_{f,i} x_{c,i+u}
right \frac{\partial E}{\partial x_{c,j}} = \sum_f \sum_u \delta_{f,j-u} w_{f,c,u}
"""  # noqa: E501
PROVED = r"""
@ softmax
\frac{\partial L}{\partial W} = (p - y) x^T
\frac{\partial L}{\partial W_{ij}} = (p_i - y_i) x_j
@ two_weights
\frac{\partial E}{\partial W_{ks}} = (\hat{y}_k-y_k)\hat{y}_k(1-\hat{y}_k) h_s
\frac{\partial E}{\partial V_{sd}} = \sum_k (\hat{y}_k-y_k)\hat{y}_k(1-\hat{y}_k) W_{ks} h_s (1 - h_s) x_d
\delta^l = ((w^{l+1})^T \delta^{l+1}) \odot \sigma'(z^l)
\frac{\partial \hat y_k}{\partial h_s} = \hat{y}_k(1-\hat{y}_k) W_{ks}
@ attention
dV = P^T dO
@ batch_norm
\frac{\partial v_k}{\partial x_{nk}} = \frac{2}{N}(x_{nk}-\mu_k)
@ softmax
\frac{\partial p_i}{\partial z_j} = p_i(\delta_{ij} - p_j)
\frac{\partial L}{\partial z_k} = \sum_i \frac{\partial L}{\partial p_i} \frac{\partial p_i}{\partial z_k}
"""  # noqa: E501


def _cases(table: str) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    name = ""
    for line in table.strip().splitlines():
        if line.startswith("@"):
            name = line[1:].strip()
        else:
            found.append((name, line))
    return found


@cache
def _network(name: str) -> Network:
    text = NETWORKS.get(name) or gallery.entry(name).text
    return parse(text)


def _expect(name: str, line: str) -> None:
    wanted, formula = line.split(None, 1)

    report = verify_text(formula, _network(name), kind="formula")

    verdicts = [item.verdict for item in report.items]
    mistakes = [item.worst.mistake for item in report.items]
    if wanted == "right":
        assert verdicts in (["agrees"], ["proved"]), report
    elif wanted == "unread":
        assert verdicts == ["not_understood"], report
    else:
        assert (verdicts, mistakes) == (["wrong"], [wanted.partition(":")[2]]), report


@pytest.mark.parametrize(("name", "line"), _cases(LAYERS))
def test_layers_are_numbered_by_their_order(name: str, line: str) -> None:
    _expect(name, line)


@pytest.mark.parametrize(("name", "line"), _cases(TIMES))
def test_recurrent_networks_are_read_in_time(name: str, line: str) -> None:
    _expect(name, line)


@pytest.mark.parametrize(("name", "line"), _cases(ROLES))
def test_usual_names_are_found_by_what_tensors_do(name: str, line: str) -> None:
    _expect(name, line)


@pytest.mark.parametrize(("name", "formula"), _cases(PROVED))
def test_equal_canonical_forms_are_a_proof(name: str, formula: str) -> None:
    report = verify_text(formula, _network(name), kind="formula")

    assert [item.verdict for item in report.items] == ["proved"], report


def test_a_guessed_reading_is_named() -> None:
    formula = r"\frac{\partial E}{\partial W_{ks}} = (\hat{y}_k-y_k)\hat{y}_k(1-\hat{y}_k) h_s"

    report = verify_text(formula, _network("hidden_a"), kind="formula")

    assert all("h -> a" in member.reason for member in report.items[0].members)


def test_declared_sizes_become_letters_and_arguments_get_names() -> None:
    network = lettered(_network("iris"))

    heights = {str(network.tensors[name].axes[0].high) for name in ("x", "z_h", "yhat")}
    assert len(heights) == 3
    assert all(not axis.high.is_constant for t in network.tensors.values() for axis in t.axes)
    assert "z_a1" in lettered(_network("unnamed")).tensors


def test_only_a_chain_of_dense_layers_has_layers() -> None:
    found = layering(_network("two_weights"))

    assert found is not None
    assert [layer.weight for layer in found.layers] == ["V", "W"]
    assert layering(_network("attention")) is None


BATCH_OF_ROWS = """network rows
batch i: m
index d: 3, j: 4
input x[i,d]
target y[i]
param W1[d,j], theta[d], v[j]
Z1[i,j] = sum[d](x[i,d]*W1[d,j])
r[i] = sum[d](theta[d]*x[i,d]) + sum[j](v[j]*tanh(Z1[i,j]))
loss J = 1/2*mean[i]((r[i]-y[i])^2)
"""


@pytest.mark.parametrize(
    ("element", "verdict"), [("x_d^{(i)}", "proved"), ("x_i^{(d)}", "wrong"), ("x_{id}", "proved")]
)
def test_the_sample_of_a_batch_stands_above_and_its_feature_below(element, verdict):
    formula = rf"\frac{{\partial J}}{{\partial \theta_d}} = \frac1m \sum_i (r_i - y_i) {element}"

    assert verify_text(formula, parse(BATCH_OF_ROWS, "rows.dg")).items[0].verdict == verdict


def test_a_number_that_touches_a_typed_name_is_its_index():
    network = parse(BATCH_OF_ROWS, "rows.dg")

    right, turned = (
        verify_text(text, network).items[0] for text in ("dW1 = x.T @ dZ1", "dW1 = dZ1 @ x.T")
    )
    declared = verify_text(
        r"\frac{\partial J}{\partial W1} = x^T \frac{\partial J}{\partial Z1}", network
    )
    assert declared.items[0].verdict == "proved"
    assert right.verdict == "proved"
    assert (turned.verdict, turned.worst.mistake) == ("wrong", "order")


def test_a_small_e_is_an_error_of_the_note_and_not_the_loss():
    network = parse(
        "network n\ninput x[i: 3]\nparam V[i,j: 2], c[i], h[j]\n"
        "r[i] = sum[j](V[i,j]*h[j]) + c[i]\nloss E = 1/2*sum[i]((r[i]-x[i])^2)",
        "n.dg",
    )
    note = "$$e = r - x$$\n$$\\frac{\\partial E}{\\partial V} = e h^T$$\n"

    assert [i.verdict for i in verify_text(note, network).items] == ["proved", "proved"]
