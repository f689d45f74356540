"""The interpreter: statements by hand, cell by cell, in doubles and exactly."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from derivgen.algebra.affine import Dim, Lookup, affine, floor_div, make_index, mod
from derivgen.algebra.expressions import (
    ONE,
    ZERO,
    Access,
    Call,
    Compare,
    IndexValue,
    Position,
    Where,
    add,
    div,
    index_value,
    mul,
    number,
)
from derivgen.algebra.network import Axis, Function, Tensor
from derivgen.algebra.statements import Assign, Scan, Statement
from derivgen.calculus.engine import derive
from derivgen.errors import EquationError
from derivgen.interpret import run, value_and_gradients
from derivgen.language import parse
from derivgen.values import read_values

N = Dim("N")
I = make_index("i", N)
J = make_index("j", 2)
T = make_index("t", 4)
SIZES = {N: 3}


def access(name, *forms):
    return Access(name, tuple(affine(form) for form in forms))


def tensors(**axes):
    return {
        name: Tensor(name, tuple(Axis(index.low, index.high) for index in indices))
        for name, indices in axes.items()
    }


def statement(indices, lhs, body, op="sum", guard=()):
    return Statement(tuple(indices), tuple(guard), lhs, op, body)


def evaluated(statements, declared, arrays, exact=False, functions=None):
    blocks = [Assign(s) if isinstance(s, Statement) else s for s in statements]
    return run(blocks, declared, functions or {}, SIZES, arrays, exact)


def below(form, bound):
    return Compare("<", index_value(affine(form)), number(bound))


def test_several_statements_fold_into_one_tensor():
    declared = tensors(x=(I,), s=())
    parts = [
        statement([I], access("s"), access("x", I)),
        statement([], access("s"), number(10)),
        statement([I], access("s"), access("x", I), guard=[below(I, 1)]),
    ]

    found = evaluated(parts, declared, {"x": np.array([1.0, 2.0, 3.0])})

    assert found["s"] == 17


@pytest.mark.parametrize(
    ("op", "expected"), [("sum", 6), ("prod", 6), ("max", 3), ("min", 1)], ids=lambda v: str(v)
)
def test_a_fold_starts_from_its_identity(op, expected):
    declared = tensors(x=(I,), s=(), e=())
    parts = [
        statement([I], access("s"), access("x", I), op),
        statement([I], access("e"), access("x", I), op, [below(I, 0)]),
    ]

    found = evaluated(parts, declared, {"x": np.array([3.0, 1.0, 2.0])})

    identity = {"sum": 0, "prod": 1, "max": -np.inf, "min": np.inf}[op]
    assert found["s"] == expected
    assert found["e"] == identity


@pytest.mark.parametrize("exact", [False, True])
def test_the_first_winner_is_stored(exact):
    declared = tensors(x=(I, J), p=(), q=(J,))
    parts = [
        statement([I, J], access("p"), access("x", I, J), "argmax"),
        statement([I, J], access("q", J), access("x", I, J), "argmin"),
    ]
    x = np.array([[1, 7], [7, 2], [0, 2]])

    found = evaluated(parts, declared, {"x": x.astype(object) if exact else x * 1.0}, exact)

    assert found["p"] == 1  # row-major: (0, 1) comes before (1, 0)
    assert found["q"].tolist() == [2, 1]


def test_a_winner_selects_by_its_position():
    declared = tensors(x=(I,), p=(), adj=(I,))
    won = Compare("=", access("p"), Position((I,)))
    parts = [
        statement([I], access("p"), access("x", I), "argmax"),
        statement([I], access("adj", I), Where(won, ONE, ZERO)),
    ]

    found = evaluated(parts, declared, {"x": np.array([1.0, 5.0, 5.0])})

    assert found["adj"].tolist() == [0, 1, 0]


def test_a_guard_keeps_reads_inside():
    declared = tensors(x=(I,), y=(I,))
    shifted = statement(
        [I], access("y", I), access("x", affine(I) + 1), guard=[below(affine(I) + 1, 3)]
    )

    found = evaluated([shifted], declared, {"x": np.array([1.0, 2.0, 3.0])})

    assert found["y"].tolist() == [2, 3, 0]


def test_the_branch_not_taken_is_not_read():
    declared = tensors(x=(I,), y=(I,))
    body = Where(below(I, 2), access("x", affine(I) + 1), number(9))

    found = evaluated(
        [statement([I], access("y", I), body)], declared, {"x": np.array([1.0, 2.0, 3.0])}
    )

    assert found["y"].tolist() == [2, 3, 9]


def test_a_read_outside_raises_and_never_wraps():
    declared = tensors(x=(I,), y=(I,))
    shifted = statement([I], access("y", I), access("x", affine(I) - 1))

    with pytest.raises(EquationError) as caught:
        evaluated([shifted], declared, {"x": np.array([1.0, 2.0, 3.0])})

    assert caught.value.subject == "x[i - 1]"
    assert "asks for -1" in caught.value.problem


def test_a_write_outside_raises():
    declared = tensors(x=(I,), y=(I,))
    shifted = statement([I], access("y", affine(I) + 1), access("x", I))

    with pytest.raises(EquationError) as caught:
        evaluated([shifted], declared, {"x": np.array([1.0, 2.0, 3.0])})

    assert caught.value.subject == "y[i + 1]"


def test_reading_before_all_is_written_is_our_own_mistake():
    declared = tensors(x=(I,), s=(), r=())
    parts = [
        statement([I], access("s"), access("x", I)),
        statement([], access("r"), access("s")),
        statement([], access("s"), ONE),
    ]

    with pytest.raises(AssertionError, match="s is read before it is complete"):
        evaluated(parts, declared, {"x": np.ones(3)})


def test_scatter_adds_where_places_repeat():
    declared = tensors(x=(I,), y=(J,), z=(J,))
    parts = [
        statement([I], access("y", mod(affine(I), 2)), access("x", I)),
        statement([I], access("z", floor_div(affine(I), 2)), access("x", I)),
    ]

    found = evaluated(parts, declared, {"x": np.array([1.0, 2.0, 4.0])})

    assert found["y"].tolist() == [5, 2]
    assert found["z"].tolist() == [3, 4]


def test_index_values_index_an_axis_that_does_not_begin_at_0():
    values = make_index("v", 3, 5)
    declared = tensors(e=(values,), s=(J,)) | {
        "token": Tensor("token", (Axis(J.low, J.high),), values_of=values)
    }
    gather = statement([J], access("s", J), access("e", Lookup("token", (affine(J),))))

    found = evaluated(
        [gather], declared, {"e": np.array([1.0, 2.0, 3.0]), "token": np.array([7, 5])}
    )

    assert found["s"].tolist() == [3, 1]


@pytest.mark.parametrize(("reverse", "expected"), [(False, [1, 3, 7, 15]), (True, [15, 7, 3, 1])])
def test_a_scan_runs_step_by_step(reverse, expected):
    declared = tensors(h=(T,))
    back = affine(T) + 1 if reverse else affine(T) - 1
    inside = (
        Compare("<=", IndexValue(back), number(3))
        if reverse
        else Compare(">=", IndexValue(back), number(0))
    )
    twice = mul(number(2), access("h", back))
    steps = (
        Assign(statement([T], access("h", T), twice, guard=[inside])),
        Assign(statement([T], access("h", T), ONE)),
    )

    found = evaluated([Scan(T, reverse, steps)], declared, {})

    assert found["h"].tolist() == expected


def test_exact_numbers_stay_fractions():
    declared = tensors(x=(I,), s=())
    body = div(mul(access("x", I), access("x", I)), number(7))
    x = np.array([Fraction(1, 3), Fraction(1, 2), Fraction(2)], dtype=object)

    found = evaluated([statement([I], access("s"), body)], declared, {"x": x}, exact=True)

    assert found["s"][()] == Fraction(1, 9 * 7) + Fraction(1, 4 * 7) + Fraction(4, 7)


def test_transcendental_numbers_have_sixty_digits():
    declared = tensors(x=(), s=())
    body = Call("exp", (access("x"),))

    found = evaluated(
        [statement([], access("s"), body)], declared, {"x": np.array(Fraction(1))}, exact=True
    )

    digits = "2.71828182845904523536028747135266249775724709369995"
    assert str(found["s"][()]).startswith(digits)


def test_defined_functions_and_their_settings_are_applied():
    leaky = Function(
        "leaky",
        ("z",),
        Where(Compare(">", access("z"), ZERO), access("z"), mul(access("a"), access("z"))),
        settings=(("a", Fraction(1, 4)),),
    )
    declared = tensors(x=(I,), y=(I,), z=(I,))
    parts = [
        statement([I], access("y", I), Call("leaky", (access("x", I),))),
        statement([I], access("z", I), Call("leaky", (access("x", I), number(2)))),
    ]

    found = evaluated(
        parts, declared, {"x": np.array([1.0, -2.0, 0.0])}, functions={"leaky": leaky}
    )

    assert found["y"].tolist() == [1, -0.5, 0]
    assert found["z"].tolist() == [1, -4, 0]


def test_an_unknown_function_agrees_with_its_derivatives():
    unknown = {"f": Function("f", ("z",), None)}
    declared = tensors(x=(), a=(), b=(), d=())
    h = Fraction(1, 2**20)
    parts = [
        statement([], access("a"), Call("f", (add(access("x"), number(h)),))),
        statement([], access("b"), Call("f", (add(access("x"), number(-h)),))),
        statement([], access("d"), Call("f", (access("x"),), (1,))),
    ]

    found = evaluated(parts, declared, {"x": np.array(0.3)}, functions=unknown)

    quotient = (found["a"] - found["b"]) / float(2 * h)
    assert found["d"] == pytest.approx(float(quotient), rel=1e-9)


def test_large_nests_run_in_pieces(monkeypatch):
    declared = tensors(x=(I,), y=(I, J), s=())
    parts = [
        statement([I, J], access("y", I, J), mul(access("x", I), index_value(affine(J)))),
        statement([I, J], access("s"), access("y", I, J)),
    ]
    arrays = {"x": np.array([1.0, 2.0, 3.0])}
    whole = evaluated(parts, declared, arrays)

    monkeypatch.setattr("derivgen.interpret.MAX_CELLS", 2)
    pieces = evaluated(parts, declared, arrays)

    assert pieces["s"] == whole["s"] == 6


SQUARES = """dim D = 2
index d: D
input x[d]
param w[d]
loss E = sum[d]((w[d] - x[d])^2)
"""


def test_samples_give_the_mean_loss_and_the_mean_gradient():
    network = parse(SQUARES)
    rows = [[1.0, 2.0], [3.0, 0.0], [2.0, 1.0]]
    data = {"params": {"w": [0.5, 0.25]}, "inputs": {"x": rows}}

    loss, gradients = value_and_gradients(derive(network), read_values(network, data))

    singles = [
        value_and_gradients(derive(network), read_values(network, {**data, "inputs": {"x": row}}))
        for row in rows
    ]
    assert loss == pytest.approx(np.mean([one for one, _ in singles]))
    assert gradients["w"] == pytest.approx(np.mean([g["w"] for _, g in singles], axis=0))


def test_a_declared_batch_is_taken_as_written():
    network = parse("dim N\nbatch n: N\ninput x[n]\nparam w\nloss E = sum[n]((w - x[n])^2)\n")

    values = read_values(network, {"params": {"w": 1}, "inputs": {"x": [1, 2, 3]}})
    loss, gradients = value_and_gradients(derive(network), values)

    assert loss == 5
    assert gradients["w"] == -6


def test_a_parameter_the_loss_ignores_has_gradient_zero():
    network = parse("param w, u[2]\nloss E = w^2\n")
    values = read_values(network, {"params": {"w": 3, "u": [1, 2]}})

    _, gradients = value_and_gradients(derive(network), values)

    assert gradients["w"] == 6
    assert gradients["u"].tolist() == [0, 0]


def test_the_gradient_by_an_input_keeps_the_samples():
    network = parse(SQUARES)
    rows = [[1.0, 2.0], [3.0, 0.0]]
    values = read_values(network, {"params": {"w": [0.5, 0.25]}, "inputs": {"x": rows}})

    _, gradients = value_and_gradients(derive(network, ["x"]), values)

    # d/dx of the mean of (w - x)^2 over two samples is x - w
    assert gradients["x"].tolist() == [[0.5, 1.75], [2.5, -0.25]]
