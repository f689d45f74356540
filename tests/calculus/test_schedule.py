"""Orders of computation: plain, scans in either direction, scans in scans."""

from __future__ import annotations

import pytest

from derivgen.algebra.statements import Assign, Scan
from derivgen.calculus.engine import derive
from derivgen.calculus.lift import lift
from derivgen.calculus.normalise import normalise
from derivgen.calculus.schedule import schedule
from derivgen.errors import EquationError
from derivgen.language import parse

RNN = """
network rnn
dim T, H = 3
index t: T, j: H, k: H
input x[t,j]
param R[j,k], h0[k]
h[t,j] = tanh(sum[k](R[j,k]*h[t-1,k; h0[k]]) + x[t,j])
loss E = sum[j](h[T-1,j]^2)
"""


def blocks_of(text, backward=False):
    derivation = derive(parse(text))
    statements = derivation.forward + (derivation.backward if backward else ())
    return schedule(statements, derivation.tensors)


def scans(blocks):
    return [block for block in blocks if isinstance(block, Scan)]


def test_a_recurrence_is_one_scan_and_its_derivative_runs_the_other_way():
    found = scans(blocks_of(RNN, backward=True))

    assert [scan.reverse for scan in found] == [False, True]
    assert [scan.index.name for scan in found] == ["t", "t"]


def test_a_recurrence_from_the_end_runs_downwards():
    text = RNN.replace("h[t-1,k; h0[k]]", "h[t+1,k; h0[k]]").replace("h[T-1,j]", "h[0,j]")

    assert [scan.reverse for scan in scans(blocks_of(text, backward=True))] == [True, False]


def test_base_cases_fall_out_of_the_loop():
    text = RNN.replace("h[t-1,k; h0[k]]", "h[t-1,k]").replace("loss", "h[0,j] = h0[j]\nloss")
    blocks = blocks_of(text)

    first = next(b for b in blocks if isinstance(b, Assign) and b.statement.lhs.tensor == "h")
    assert blocks.index(first) < blocks.index(scans(blocks)[0])


def test_a_recurrence_in_two_directions_is_a_scan_in_a_scan():
    text = """
network grid
index i: 4, j: 5
param w[i,j]
h[i,j] = sin(h[i-1,j; 0] + h[i,j-1; 1] + w[i,j])
loss E = h[3,4]
"""
    (outer,) = scans(blocks_of(text))

    assert len(scans(outer.blocks)) == 1


def test_equations_may_stand_in_any_order():
    text = "network n\nparam w = 2\nloss E = b^2\nb = a + 1\na = 3*w\n"
    order = [b.statement.lhs.tensor for b in blocks_of(text)]

    assert order == ["a", "b", "E"]


def test_a_circle_without_a_shift_is_refused():
    network = parse("network n\nparam w\nloss E = w^2\n")
    text = "network n\nindex k: 3\nparam w[k]\na[k] = w[k]*b[k]\nb[k] = a[k]\nloss E = a[0]\n"

    with pytest.raises(EquationError, match="a needs itself"):
        broken = parse(text)
        normal = normalise(broken)
        schedule(normal.statements, normal.tensors)
    assert schedule(normalise(network).statements, network.tensors)


def test_lifting_adds_the_sample_axis_to_what_depends_on_data_only():
    text = """
network n
dim D = 3
index d: D
input x[d]
target y
param w[d], r
scaled[d] = r*w[d]
p = sum[d](scaled[d]*x[d])
loss E = (p - y)^2 + r^2
"""
    lifted = lift(derive(parse(text)))

    assert {"x", "y", "p", "E", "adj_p"} <= lifted.lifted
    assert not {"w", "r", "scaled", "adj_scaled", "adj_w"} & lifted.lifted
    means = [s for s in lifted.backward if s.lhs.tensor == "adj_scaled"]
    assert len(means) == 1 and lifted.index in means[0].bound


def test_an_error_of_order_says_where_the_equation_stands():
    text = "index t: 5\nparam w\nh[t] = w*h[t-1; 0] + h[t+1; 0]\nloss E = h[0]\n"
    network = parse(text, "net.dg")
    normal = normalise(network)

    with pytest.raises(EquationError, match=r"^net.dg:3:1: EquationError: h\[t - 1\] and"):
        schedule(normal.statements, normal.tensors, network.equations)
