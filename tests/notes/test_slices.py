"""Heads, samples and steps as labels of matrices; loops and conditions in the pseudocode."""

from __future__ import annotations

from derivgen.calculus.engine import derive
from derivgen.language import parse
from derivgen.notes import render
from tests.notes.documents import notes

HEADS = """
network heads
dim T = 4, H = 2, D = 3, E = 5
index t: T, s: T, h: H, d: D, e: E
input x[t,d]
target y[t,d]
param Q[h,e,d], K[h,e,d], V[h,e,d], O[d,h,e]
q[t,h,e] = sum[d](Q[h,e,d]*x[t,d])
k[t,h,e] = sum[d](K[h,e,d]*x[t,d])
v[t,h,e] = sum[d](V[h,e,d]*x[t,d])
a[h,t,s] = sum[e](q[t,h,e]*k[s,h,e])
o[t,h,e] = sum[s](a[h,t,s]*v[s,h,e])
r[t,d] = sum[h,e](O[d,h,e]*o[t,h,e])
loss E2 = 1/2*sum[t,d]((r[t,d] - y[t,d])^2)
"""
LSTM = """
network lstm
dim T = 3, J = 2
index t: 1..T, j: J, m: J
input x[t,j]
target y[j]
param U[j,m], V[j,m]
h[0,j] = 0
c[0,j] = 0
g[t,j] = sigmoid(x[t,j] + sum[m](U[j,m]*h[t-1,m]))
c[t,j] = g[t,j]*c[t-1,j] + tanh(sum[m](V[j,m]*h[t-1,m]))
h[t,j] = g[t,j]*tanh(c[t,j])
loss E = 1/2*sum[j]((h[T,j] - y[j])^2)
"""


def test_attention_heads_are_matrices_one_for_each_head() -> None:
    text = render(derive(parse(HEADS)), "text")

    assert "q[h] = x*Q[h]^T" in text
    assert "a[h] = q[h]*k[h]^T" in text
    assert "dE2/dq[h] = dE2/da[h]*k[h]" in text
    assert "value, h = 1, ..., H" in text


def test_a_letter_read_elsewhere_is_no_label() -> None:
    shifted = HEADS.replace("O[d,h,e]*o[t,h,e]", "O[d,h,e]*o[t,(h+1)%2,e]")

    text = render(derive(parse(shifted)), "text")

    assert "q[h] =" not in text
    assert "stand in index form only" in text


def test_the_reason_for_no_matrix_form_is_given_once() -> None:
    text = notes("test convolution", "text")

    assert text.count("index form only") == 1
    assert "more than two indices." not in text


def test_the_mean_has_a_matrix_form() -> None:
    source = (
        "network m\ndim N = 3, D = 2\nindex n: N, d: D\ninput x[n,d]\nparam w[n]\n"
        "u[n] = mean[d](x[n,d]*w[n])\nloss E = sum[n](u[n]^2)\n"
    )

    text = render(derive(parse(source)), "text")

    assert "u = 1/D*w .* (x*1_D)" in text


def test_the_loop_of_a_recurrence_begins_where_its_equations_do() -> None:
    text = render(derive(parse(LSTM)), "text").split("Algorithm")[1]

    assert "for t from 1 to T" in text
    assert "if 1 <= t" not in text
    assert text.count("if t >= 1") < 3  # lines with one condition stand under it together


def test_no_condition_says_what_another_does() -> None:
    text = render(derive(parse(LSTM)), "text")

    assert "!= 0" not in text
    assert "+ 1 <" not in text
    assert "h[t,j] = g[t,j]*tanh(c[t,j]) = g[t,j]*tanh_h[t,j]" in text
