"""The verdict proved: what it reaches, and near misses that hold at some sizes only."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from derivgen.language import parse
from derivgen.verify import verify_text
from derivgen.verify.context import Reading
from derivgen.verify.proofs import is_proved
from tests.verify.conftest import read_networks
from tests.verify.mutations import mutations, read_right
from tests.verify.test_mutations import proved_wrongly

PROVED = (
    # recursions over time, and what is shifted at the edge
    ("rnn", "d(L, h[t,j]) = sum[o](V[o,j]*d(L, z[t,o])) + sum[k](W[k,j]*d(L, a[t+1,k])) for t < T"),
    ("rnn", "d(L, h[T,j]) = sum[o](V[o,j]*(p[T,o] - y[T,o]))"),
    ("rnn", "d(L, W[j,k]) = sum[t](d(L, a[t,j])*h[t-1,k; 0])"),
    (
        "rnn",
        r"\frac{\partial L}{\partial h_t} = V^\top (p_t - y_t) + "
        r"W^\top \left((1 - h_{t+1}^2)\odot \frac{\partial L}{\partial h_{t+1}}\right)",
    ),
    ("rnn", r"h_t = \tanh(U x_t + W h_{t-1} + b)"),
    ("lstm", "d(E, zf[t,j]) = d(E, c[t,j])*c[t-1,j; 0]*f[t,j]*(1 - f[t,j])"),
    # Jacobians
    ("rnn", r"\frac{\partial h_t}{\partial h_{t-1}} = \operatorname{diag}(1 - h_t^2) W"),
    ("rnn", "d(h[t,j], h[t,k]) = [j = k]"),
    ("rnn", "d(h[t,j], h[t+1,k]) = 0"),
    ("softmax", "d(p[k], z[j]) = p[k]*([k = j] - p[j])"),
    ("softmax", r"\frac{\partial p}{\partial z} = \operatorname{diag}(p) - p p^\top"),
    ("softmax", "d(p[k], z[j]) = -p[k]*p[j] for k != j"),
    ("softmax", "d(p[k], z[k]) = p[k]*(1 - p[k])"),
    # samples that the network does not number
    (
        "logistic",
        r"\frac{\partial J}{\partial w} = \frac{1}{m}\sum_{i=1}^m (\hat y^{(i)} - y^{(i)}) x^{(i)}",
    ),
    # windows, lookups, brackets, roots, definitions
    ("conv", "d(E, x[c,j]) = sum[f,i,u](d(E, z[f,i])*w[f,c,u]*[i + u = j])"),
    ("word2vec", "d(L, C[v,d]) = [center = v]*d(L, e[d])"),
    ("deep", "d(J, z2[g]) = sum[k]((yhat[k] - y[k])*W3[k,g])*[z2[g] > 0]"),
    (
        "batchnorm",
        "d(L, v[k]) = -1/2*sum[n](d(L, xhat[n,k])*(x[n,k] - mu[k]))*(v[k] + 0.01)^(-3/2)",
    ),
    ("softmax", r"p_k = \frac{e^{z_k}}{\sum_{j=1}^{K} e^{z_j}}"),
    ("logistic", r"\sigma'(z) = \sigma(z)(1-\sigma(z))"),
)  # fmt: skip
# Each differs somewhere: at an edge, at other sizes, on or off a diagonal, at a value.
NEVER = (
    ("rnn", "d(L, h[t,j]) = sum[o](V[o,j]*d(L, z[t,o])) + sum[k](W[k,j]*d(L, a[t,k])) for t < T"),
    ("rnn", "d(L, h[t,j]) = sum[o](V[o,j]*d(L, z[t,o])) + sum[k](W[j,k]*d(L, a[t+1,k])) for t < T"),
    ("rnn", "d(L, h[t,j]) = sum[o](V[o,j]*(p[t,o] - y[t,o]))"),
    ("rnn", "d(L, W[j,k]) = sum[t](d(L, a[t,j])*h[t,k])"),
    ("rnn", "d(L, b[j]) = d(L, a[t,j])"),
    ("rnn", "d(h[t,j], h[t-1,k]) = (1 - h[t-1,j]^2)*W[j,k] for t > 1"),
    ("rnn", "d(h[t+1,j], h[t-1,k]) = (1 - h[t,j]^2)*W[j,k] for t > 1"),
    ("rnn", "d(h[t,j], h[t-1,k]) = 0"),
    ("softmax", "d(p[k], z[j]) = p[k]*(1 - p[k])"),
    ("softmax", "d(p[k], z[j]) = -p[k]*p[j] for k < 2"),
    ("softmax", "d(p[k], z[j]) = p[k]*(1 - p[j]) for k <= j"),
    ("conv", "d(E, x[c,j]) = sum[f,i,u](d(E, z[f,i])*w[f,c,u]*[i - u = j])"),
    ("word2vec", "d(L, C[v,d]) = d(L, e[d])"),
    ("deep", "d(J, z2[g]) = sum[k]((yhat[k] - y[k])*W3[k,g])*[z2[g] >= 0]"),
    (
        "batchnorm",
        "d(L, v[k]) = -1/2*sum[n](d(L, xhat[n,k])*(x[n,k] - mu[k]))*(v[k] + 0.01)^(-1/2)",
    ),
    (
        "logistic",
        r"\frac{\partial J}{\partial w} = \frac{2}{m}\sum_{i=1}^m (\hat y^{(i)} - y^{(i)}) x^{(i)}",
    ),
)  # fmt: skip


@pytest.mark.parametrize(("name", "text"), PROVED)
def test_a_formula_is_proved(name, text, networks):
    kind = "plain" if text.startswith("d(") else "formula"

    (item,) = verify_text(text, networks[name], kind=kind).items

    assert item.verdict == "proved"


@pytest.mark.parametrize(("name", "text"), NEVER)
def test_a_near_miss_is_not_proved(name, text, networks):
    right = read_right(text, networks[name], text.startswith("d("))

    for reading in (Reading(), Reading(mean=True), Reading(total=True)):
        claim, symbols = right.claim, right.stage.symbols
        assert not is_proved(right.anchor, right.member, claim, symbols, reading)


def test_the_loss_of_one_time_is_not_that_of_all() -> None:
    net = read_networks("published_networks.txt")["britz"]
    text = r"\frac{\partial E}{\partial W} = \frac{\partial E_t}{\partial W}"
    right = read_right(text, net, False)

    claim, symbols = right.claim, right.stage.symbols
    assert not is_proved(right.anchor, right.member, claim, symbols, Reading())


def test_a_mean_holds_for_one_sample_and_for_many() -> None:
    net = parse("dim N = 3\nindex n: N\ninput x[n]\nparam w\nloss E = w*mean[n](x[n])\n")

    texts = "d(E, w) = sum[n](x[n])/N\nd(E, x[n]) = w/N\nd(E, x[n]) = w\n"

    verdicts = [item.verdict for item in verify_text(texts, net, kind="plain").items]
    assert verdicts == ["proved", "proved", "wrong"]


def test_a_sum_beside_its_last_term_is_the_longer_sum() -> None:
    net = parse("dim T = 4\nindex t: 1..T\ninput x[t]\nparam w\nloss E = sum[t](w*x[t])\n")

    (item,) = verify_text("d(E, w) = x[T] + sum[t](x[t]*[t < T])", net, kind="plain").items

    assert item.verdict == "proved"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["rnn", "lstm", "conv", "softmax", "attention", "batchnorm"])
def test_nothing_that_differs_is_proved_on_nets_with_shifts_and_jacobians(name, networks):
    rng = random.Random(name)
    cases = []
    for net, text in (row for row in PROVED if row[0] == name):
        right = read_right(text, networks[net], text.startswith("d("))
        for mutation in mutations(right):
            cases.append((right, mutation.member))
            twice = list(mutations(replace(right, member=mutation.member)))
            cases += [(right, m.member) for m in rng.sample(twice, min(12, len(twice)))]

    assert proved_wrongly(cases) == []
