"""A person's own code in all its forms: points, results, state, and what cannot be checked."""

from __future__ import annotations

import math
import tracemalloc
from collections import namedtuple

import numpy as np
import pytest

from derivgen.check import check_gradient
from derivgen.errors import DataError

X = np.linspace(-1, 1, 12).reshape(4, 3)
W = np.array([[0.3, -0.2], [0.5, 0.1], [-0.4, 0.7]])
B = np.array([0.1, -0.3])
Layer = namedtuple("Layer", "w b")


def loss(w, b):
    return np.sum(np.tanh(X @ w + b))


def slopes(w, b):
    d = 1 - np.tanh(X @ w + b) ** 2
    return X.T @ d, d.sum(0)


FORMS = {
    "one by one": (loss, slopes, (W, B), "x0"),
    "one list": (lambda p: loss(*p), lambda p: list(slopes(*p)), [W, B], "x0"),
    "one list and an option": (
        lambda p, scale=1: scale * loss(*p),
        lambda p, scale=1: slopes(*p),
        [W, B],
        "x0",
    ),
    "any number": (lambda *p: loss(*p), lambda *p: slopes(*p), [W, B], "x0"),
    "nested tables": (
        lambda p: loss(p["layer"]["w"], p["layer"]["b"]),
        lambda p: {"layer": dict(zip("wb", slopes(p["layer"]["w"], p["layer"]["b"])))},
        {"layer": {"w": W, "b": B}},
        "layer.w",
    ),
    "lists in a table": (
        lambda p: loss(*p["layers"][0]),
        lambda p: {"layers": [slopes(*p["layers"][0])]},
        {"layers": [(W, B)]},
        "layers[0][0]",
    ),
    "named tuple": (
        lambda p: loss(p.w, p.b),
        lambda p: Layer(*slopes(p.w, p.b)),
        Layer(W, B),
        "w",
    ),
    "lists of numbers": (
        lambda w: loss(w, B),
        lambda w: slopes(w, B)[0].tolist(),
        W.tolist(),
        "x",
    ),
    "d before the name": (
        lambda p: loss(p["W"], p["b"]),
        lambda p: dict(zip(("dW", "db"), slopes(p["W"], p["b"]))),
        {"W": W, "b": B},
        "W",
    ),
    "numbers apart": (
        lambda a, b: math.sin(a) * b,
        lambda a, b: (math.cos(a) * b, math.sin(a)),
        (0.3, 0.4),
        "x0",
    ),
}


@pytest.mark.parametrize(("f", "grad", "x", "name"), FORMS.values(), ids=FORMS.keys())
def test_a_point_may_have_any_form(f, grad, x, name):
    report = check_gradient(f, grad, x)

    assert report.verdict == "pass", report
    assert next(iter(report.parameters)) == name


def test_code_that_keeps_its_forward_pass_is_checked_and_that_is_said():
    kept = {}

    def f(w):
        kept["w"] = w
        return np.sum(np.sin(w))

    report = check_gradient(f, lambda w: np.cos(kept["w"]), B)

    assert report.verdict == "pass"
    assert "where f was called last" in report.note


def test_a_gradient_that_is_never_set_to_zero_is_refused():
    total = np.zeros(2)

    def grad(w):
        total[:] += np.cos(w)
        return total

    with pytest.raises(DataError, match=r"x\[0\] is 0.995.*then 1.99") as refused:
        check_gradient(lambda w: np.sum(np.sin(w)), grad, B)

    assert "Start from zeros" in str(refused.value)


def test_code_that_breaks_down_beside_the_point_is_measured_where_it_works():
    report = check_gradient(lambda x: math.log(x[0]), lambda x: [1 / x[0]], [0.05])

    assert report.verdict == "pass", report


def test_a_wrong_gradient_in_half_precision_is_told_apart_from_a_right_one():
    def f(w):
        return np.sum(np.sin(w.astype(np.float16)))

    right = check_gradient(f, lambda w: np.cos(w).astype(np.float16), W)
    wrong = check_gradient(f, lambda w: -np.cos(w).astype(np.float16), W)

    assert right.verdict == "inconclusive"
    assert "Compute in float64" in right.note
    assert wrong.verdict == "fail"


def test_a_gradient_rounded_to_single_precision_passes_and_one_part_in_a_thousand_fails():
    def f(w):
        return np.sum(np.sin(w))

    rounded = check_gradient(f, lambda w: np.cos(w).astype(np.float32), W)
    wrong = check_gradient(f, lambda w: (1.001 * np.cos(w)).astype(np.float32), W)

    assert rounded.verdict == "pass", rounded
    assert "1.001 times" in wrong.parameters["x"].mistake


def test_many_parameters_take_the_memory_of_few_copies_of_them():
    x = np.full((200, 200), 0.5)
    tracemalloc.start()

    report = check_gradient(lambda w: float(w[0] @ w[1]), np.zeros_like(x), x)

    assert report.verdict == "fail"
    assert tracemalloc.get_traced_memory()[1] < 120 * x.nbytes
    tracemalloc.stop()


ORDER = np.sin(np.arange(24.0)).reshape(2, 3, 4)
PLACES = [
    (ORDER[:, :, ::-1], "flipped along axis 2"),
    (np.roll(ORDER, 1, 1), "shifted by one along axis 1"),
    (np.where(ORDER > 0.7, 0, ORDER), "there the gradient is zero, the slope is not"),
    (ORDER * np.sqrt(5), "sqrt(5) times"),
    (ORDER * 2 / 3, "2/3 times"),
    (ORDER + 0.25, "0.25 too large"),
    (ORDER.reshape(2, 12)[:, ::-1].reshape(2, 3, 4) * [[[1]], [[1]]], "flipped along axis 1, 2"),
]


@pytest.mark.parametrize(("given", "words"), PLACES)
def test_where_the_right_slopes_stand_is_told(given, words):
    report = check_gradient(lambda x: np.sum(x * ORDER), given, 0 * ORDER)

    assert report.verdict == "fail"
    assert words in report.parameters["x"].mistake


UNCHECKED = [
    (loss, lambda w, b: {"w": w}, (W, B), "no part for x0"),
    (lambda w: loss(w, B), lambda w: np.ones((4, 3, 2)), W, "Sum it over axis 0"),
    (lambda b: loss(W, b), lambda b: np.ones((1, 2)), B, "Drop axis 0"),
    (lambda b: loss(W, b), lambda b: np.ones((2, 2, 1))[..., 0], B, "Sum it over axis 0"),
    (lambda b: loss(W, b), lambda b: (1.0, b), B, "Return the gradient alone."),
    (lambda b: loss(W, b), lambda b: {"a": b, "c": b}, B, "dictionary of a, c"),
    (lambda b: (loss(W, b), b), B, B, "f returns a tuple of 2 parts"),
    (lambda b: loss(W, b), [[1, 2], [3]], B, "its parts differ in shape"),
    (lambda b: loss(W, b), [1, None], B, "None stands in it"),
    (lambda b: exit(), B, B, "Leave out exit()"),
]


@pytest.mark.parametrize(("f", "grad", "x", "words"), UNCHECKED)
def test_what_is_amiss_in_the_form_of_a_result_is_said(f, grad, x, words):
    with pytest.raises(DataError) as refused:
        check_gradient(f, grad, x)

    assert words in str(refused.value)


def test_the_report_and_the_refusals_speak_chinese():
    wrong = check_gradient(lambda x: np.sum(np.sin(x)), lambda x: -np.cos(x), B, lang="zh")
    with pytest.raises(DataError) as refused:
        check_gradient(lambda x: np.sum(x), None, B, lang="zh")

    assert "每个分量的符号都反了。" in str(wrong)
    assert "结论：不符" in str(wrong)
    assert wrong.as_json()["parameters"]["x"]["mistake"] == "每个分量的符号都反了。"
    assert "梯度是 None。" in str(refused.value)
