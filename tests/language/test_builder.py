"""The Python API writes the same networks as the text."""

from __future__ import annotations

from fractions import Fraction

import pytest

from derivgen.algebra.text import equation_text
from derivgen.errors import NameProblem, SyntaxProblem
from derivgen.language import parse
from derivgen.language.builder import Builder, f

TEXT = """
network two_layer
dim D = 7, S = 5, K = 3
index d: D, s: S, k: K
input  x[d]
target y[k]
assume sum[k](y[k]) = 1
param  V[s,d], c[s] = 0, W[k,s] = normal(0, 0.01), b[k] = [0.5, -1, 1/3]
alpha[s] = sum[d](V[s,d]*x[d]) + c[s]
h[s]     = sigmoid(alpha[s])
beta[k]  = sum[s](W[k,s]*h[s]) + b[k]
yhat[k]  = softmax[k](beta[k])
loss E   = -sum[k](y[k]*log(yhat[k])) + 0.01/2*sum[k,s](W[k,s]^2)
train with adam(lr=0.001), epochs 3, batch 64
"""


def two_layer() -> Builder:
    net = Builder("two_layer")
    d_size, s_size, k_size = net.dim(D=7, S=5, K=3)
    d, s, k = net.index(d=d_size, s=s_size, k=k_size)
    x, y = net.input("x", d), net.target("y", k)
    net.assume(f.sum[k](y[k]), 1)
    v, c = net.param("V", s, d), net.param("c", s, value=0)
    w = net.param("W", k, s, value=f.normal(0, 0.01))
    b = net.param("b", k, value=[0.5, -1, Fraction(1, 3)])
    alpha, h, beta, yhat = (net.value(name) for name in ("alpha", "h", "beta", "yhat"))
    alpha[s] = f.sum[d](v[s, d] * x[d]) + c[s]
    h[s] = f.sigmoid(alpha[s])
    beta[k] = f.sum[s](w[k, s] * h[s]) + b[k]
    yhat[k] = f.softmax[k](beta[k])
    net.loss("E", -f.sum[k](y[k] * f.log(yhat[k])) + 0.01 / 2 * f.sum[k, s](w[k, s] ** 2))
    net.train(f.adam(lr=0.001), epochs=3, batch=64)
    return net


def test_text_and_python_build_equal_networks() -> None:
    assert two_layer().network() == parse(TEXT)


def test_a_recurrence_with_library_layers_is_built_too() -> None:
    net = Builder("rnn")
    t, j = net.index(t=(1, 6), j=4)
    x = net.input("x", t, 3)
    y = net.target("y", 2, onehot=True)
    u, r = net.param("U", j, 3), net.param("R", j, j)
    h = net.value("h")
    k, i = net.index(k=4, i=3)
    h[t, j] = f.tanh(f.sum[i](u[j, i] * x[t, i]) + f.sum[k](r[j, k] * h.at(t - 1, k, outside=0)))
    last = net.value("last")
    last[j] = h[6, j]
    p = net.layer("p", f.dense(last, 2, f.softmax))
    net.loss("E", f.cross_entropy(p, y))

    network = net.network()

    assert network == parse(net.text())
    assert "h[t-1,k; 0]" in equation_text(network.equations[0])


FORMULAS = {
    "a - (b - a)": lambda a, b: a - (b - a),
    "a/(b*a)": lambda a, b: a / (b * a),
    "a*(b/a)": lambda a, b: a * (b / a),
    "(-a)^2": lambda a, b: (-a) ** 2,
    "-a^2": lambda a, b: -(a**2),
    "2^(-a)": lambda a, b: 2**-a,
    "(a^b)^a": lambda a, b: (a**b) ** a,
    "-(a + b)*a": lambda a, b: -(a + b) * a,
    "(a + b)/2": lambda a, b: (a + b) / 2,
    "[a > 1 and not (b < 2 or a = b)]": lambda a, b: (a > 1) & ~((b < 2) | a.equals(b)),
    "where(a >= b, a, 0.1)": lambda a, b: f.where(a >= b, a, 0.1),
    "max(a, b) + exp(-3*a)": lambda a, b: f.max(a, b) + f.exp(-3 * a),
}


@pytest.mark.parametrize("formula, build", FORMULAS.items())
def test_python_operators_mean_what_they_mean_in_the_text(formula: str, build: object) -> None:
    net = Builder("n")
    a, b = net.param("a"), net.param("b")
    net.loss("E", build(a, b))  # type: ignore[operator]

    expected = parse(f"network n\nparam a\nparam b\nloss E = {formula}")

    assert net.network().equations == expected.equations


def test_nothing_but_names_and_numbers_enters_the_text() -> None:
    net = Builder("n")

    with pytest.raises(NameProblem):
        net.param("a; include")
    with pytest.raises(NameProblem):
        net.train("adam(lr=1)")
    with pytest.raises(SyntaxProblem):
        net.loss("E", "a + b")
