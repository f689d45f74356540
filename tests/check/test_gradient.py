"""The check of networks and of a person's own NumPy code."""

from __future__ import annotations

import numpy as np
import pytest

from derivgen.check import check, check_gradient
from derivgen.errors import DataError
from derivgen.language import parse

A = np.array([[1.0, 2.0, -0.5], [0.3, -1.0, 0.7], [0.2, 0.4, 1.5]])
X = np.array([0.4, -0.3, 0.9])


def quadratic(x):
    return 0.5 * x @ A @ x


def slope(x):
    return 0.5 * (A + A.T) @ x


def test_a_right_gradient_passes():
    report = check_gradient(quadratic, slope, X)

    assert report.verdict == "pass"
    assert len(report.parameters["x"].findings) == 3


MISTAKES = {
    "sign": (lambda x: -slope(x), "Every entry has the wrong sign."),
    "factor": (lambda x: 2 * slope(x), "Every entry is 2 times what it should be."),
    "mean": (
        lambda x: slope(x) / 3,
        "Every entry is 1/3 times what it should be. A mean may stand for a sum.",
    ),
    "nothing": (lambda x: 0 * x, "The gradient is zero, the slope is not: a path is missing."),
    "one side": (lambda x: A @ x, ""),
}


@pytest.mark.parametrize(("wrong", "mistake"), MISTAKES.values(), ids=MISTAKES.keys())
def test_a_wrong_gradient_fails_and_the_mistake_is_named(wrong, mistake):
    report = check_gradient(quadratic, wrong, X)

    assert report.verdict == "fail"
    assert report.parameters["x"].mistake == mistake


def test_a_transpose_is_named():
    def loss(w):
        return float(np.sum(np.tanh(w @ X) * [1, 2, 3]))

    def gradient(w):
        return np.outer((1 - np.tanh(w @ X) ** 2) * [1, 2, 3], X)

    right = check_gradient(loss, gradient, A)
    wrong = check_gradient(loss, lambda w: gradient(w).T, A)

    assert right.verdict == "pass"
    assert wrong.parameters["x"].mistake == "The gradient is transposed."


def test_the_report_names_the_entry_both_values_and_the_bound():
    def off(x):
        return slope(x) + np.array([0, 1e-4, 0])

    report = check_gradient(quadratic, off, X, names=["x"])
    worst = report.parameters["x"].worst

    assert worst is not None
    assert worst.entry == "x[1]"
    assert worst.derived - worst.measured == pytest.approx(1e-4, rel=1e-3)
    assert worst.bound < 1e-9
    assert "x[1]: gradient" in str(report)


def test_several_arrays_are_checked_by_name():
    def loss(p):
        return float(np.sum((p["W"] @ X + p["b"]) ** 2))

    def gradient(p):
        r = 2 * (p["W"] @ X + p["b"])
        return {"W": np.outer(r, X), "b": r}

    report = check_gradient(loss, gradient, {"W": A, "b": X})

    assert report.verdict == "pass"
    assert list(report.parameters) == ["W", "b"]


def test_arrays_may_come_one_by_one():
    report = check_gradient(
        lambda w, b: float(np.sum(np.sin(w * b))),
        lambda w, b: (b * np.cos(w * b), w * np.cos(w * b)),
        (X, X + 1),
        names=["w", "b"],
    )

    assert report.verdict == "pass"


def test_a_kink_passes_only_between_the_slopes():
    zero = np.zeros(2)
    inside = check_gradient(lambda x: np.abs(x).sum(), np.array([0.0, 0.5]), zero)
    outside = check_gradient(lambda x: np.abs(x).sum(), np.array([0.0, 1.5]), zero)

    assert inside.verdict == "pass"
    assert [f.verdict for f in inside.parameters["x"].findings] == ["kink", "kink"]
    assert outside.verdict == "fail"


def test_pure_noise_is_refused():
    random = np.random.default_rng(0)

    with pytest.raises(DataError, match="at one point"):
        check_gradient(lambda x: random.normal(), np.zeros(1), np.ones(1))


def test_a_gradient_of_another_shape_is_refused():
    with pytest.raises(DataError):
        check_gradient(quadratic, np.zeros(2), X)


def test_large_parameters_are_sampled_and_tried_along_dense_directions():
    weights = np.linspace(-1, 1, 2500)

    right = check_gradient(lambda x: np.sin(x) @ weights, lambda x: np.cos(x) * weights, weights)
    wrong = np.cos(weights) * weights
    wrong[1777] += 1e-3
    report = check_gradient(lambda x: np.sin(x) @ weights, wrong, weights)

    assert right.verdict == "pass"
    assert right.parameters["x"].entries == 2500
    assert len(right.parameters["x"].findings) < 30
    assert report.verdict == "fail"
    assert report.directions is not None and report.directions.verdict == "fail"


def test_a_network_whose_first_point_has_no_loss_is_drawn_again():
    network = parse("input x\nparam w\nloss E = log(x) + log(w - 0) + w^2\n")

    report = check(network, 1)

    assert report.verdict == "pass"


def test_a_loss_that_is_never_finite_is_inconclusive():
    network = parse("input x\nparam w\nloss E = log(-1 - x^2) + w\n")

    report = check(network, 1)

    assert report.verdict == "inconclusive"
    assert report.as_json()["parameters"]["w"]["verdict"] == "inconclusive"


def test_stopped_gradients_are_held_when_measuring():
    text = "define ste(z) = z + stop_gradient(sign(z) - z)\ninput x\nparam w\n"

    report = check(parse(text + "loss E = (ste(w*x) - 2)^2\n"), 3)

    assert report.verdict == "pass", report


W = np.arange(12.0).reshape(4, 3) / 7 - 0.6
V = np.array([0.4, -0.7, 0.5])


def units(w):
    return np.sum(np.tanh(w @ V))


def slopes(w):
    return 1 - np.tanh(w @ V) ** 2


MISTAKES = [
    ("missing f'", units, lambda w: np.outer(np.ones(4), V), W, "Every row is off"),
    ("missing input", units, lambda w: np.outer(slopes(w), np.ones(3)), W, "Every column is off"),
    ("penalty", lambda x: np.sum(np.sin(x)) + 0.1 * x @ x, np.cos, V, "0.2 times the parameter"),
    ("order", lambda x: np.sum(np.sin(x)), lambda x: np.cos(x)[::-1], V, "another order"),
    ("one entry", lambda x: np.sum(np.sin(x)), lambda x: np.cos(x) + [0, 0, 1e-3], V, "Only x[2]"),
    ("constant", lambda x: np.sum(np.sin(x) + x), np.cos, V, "1 too small"),
    ("nan", lambda x: np.sum(np.sin(x)), lambda x: x * np.nan, V, "not finite"),
]


@pytest.mark.parametrize(("f", "grad", "x", "words"), [m[1:] for m in MISTAKES],
                         ids=[m[0] for m in MISTAKES])  # fmt: skip
def test_usual_mistakes_are_named(f, grad, x, words):
    report = check_gradient(f, grad, x)

    assert report.verdict == "fail"
    assert words in report.parameters["x"].mistake


def test_gradients_returned_in_the_wrong_order_are_told_apart():
    def loss(a, b):
        return np.sum(np.sin(a) * b)

    def gradient(a, b):
        return np.sin(a), np.cos(a) * b

    report = check_gradient(loss, gradient, (V, V[::-1]), names=["a", "b"])

    assert report.parameters["a"].mistake == "It is the gradient of b."
    assert report.parameters["b"].mistake == "It is the gradient of a."


def spoiling(w):
    w += 1
    return float(np.sum(w))


HOSTILE = [
    (lambda x: 1 / 0, V, V, "ZeroDivisionError"),
    (quadratic, lambda x: x[99], V, "IndexError"),
    (quadratic, lambda x: None, V, "None"),
    (lambda x: "abc", V, V, "no array of numbers"),
    (lambda x: 1j, V, V, "complex"),
    (spoiling, V, V, "changes its argument"),
    (quadratic, V, "abc", "no array of numbers"),
    (quadratic, V, np.zeros(0), "no entries"),
    (lambda a, b: a @ b, lambda a, b: (b,), (V, V), "1 parts for 2"),
    (lambda w: np.sum(w), lambda w: np.ones((3, 4)), W, "transposed"),
]


@pytest.mark.parametrize(("f", "grad", "x", "words"), HOSTILE)
def test_broken_code_ends_in_clear_words(f, grad, x, words):
    with pytest.raises(DataError) as problem:
        check_gradient(f, grad, x)

    assert words in str(problem.value)


def test_a_loss_that_is_no_number_is_inconclusive_and_said():
    report = check_gradient(lambda x: np.nan, V, V)

    assert report.verdict == "inconclusive"
    assert "nan" in report.note
