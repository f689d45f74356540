"""What `read_values` accepts, infers, draws and refuses."""

from __future__ import annotations

import numpy as np
import pytest

from derivgen.errors import DataError, FactError
from derivgen.language import parse
from derivgen.values import read_values

TEXT = """network small
dim D, H = 2, M = 3
index d: D, h: H, v: M
input x[d], token of v
target y[h]
param W[h,d], b[h] = 0
const lambda = 0.5
loss E = sum[h]((sum[d](W[h,d]*x[d]) + b[h] - y[h])^2)*lambda
"""
ROW = {"x": [1, 2, 3], "y": [0, 1], "token": 2}


def read(data, text=TEXT, **options):
    return read_values(parse(text), data, **options)


def sizes(values):
    return {dim.name: size for dim, size in values.dims.items()}


def test_an_open_size_is_found_in_a_shape():
    values = read({"inputs": ROW})

    assert sizes(values) == {"D": 3, "H": 2, "M": 3}
    assert values.samples is None


def test_a_leading_axis_numbers_samples():
    values = read({"inputs": {"x": [[1, 2, 3]] * 4, "y": [[0, 1]] * 4, "token": [0, 1, 2, 0]}})

    assert values.samples == 4
    assert values.sample(1).arrays["token"] == 1
    assert values.sample(1).arrays["x"].tolist() == [1, 2, 3]


def test_an_input_without_the_axis_serves_all_samples():
    values = read({"inputs": {"x": [[1, 2, 3]] * 4, "y": [0, 1], "token": 1}})

    assert values.sampled == ("x",)
    assert values.sample(3).arrays["y"].tolist() == [0, 1]


def test_parameters_start_from_their_initialiser_or_declared_value():
    first, again = read({"inputs": ROW}, seed=5), read({"inputs": ROW}, seed=5)
    other = read({"inputs": ROW}, seed=6)

    assert first.arrays["b"].tolist() == [0, 0]
    assert first.arrays["W"].shape == (2, 3)
    assert np.array_equal(first.arrays["W"], again.arrays["W"])
    assert not np.array_equal(first.arrays["W"], other.arrays["W"])


def test_declared_values_are_enough():
    text = "input a = 2\nparam W[2,2] = [[1, 2], [3, 4]]\nloss E = a*W[1,0]\n"

    values = read(None, text)

    assert values.arrays["W"].tolist() == [[1, 2], [3, 4]]


def test_a_random_tensor_is_drawn_for_every_sample():
    text = "dim D = 50\nindex d: D\ninput x[d]\nrandom m[d] = bernoulli(0.5)/0.5\nparam w\n"
    text += "loss E = w*sum[d](m[d]*x[d])\n"

    values = read({"inputs": {"x": [[1.0] * 50] * 3}}, text)

    assert values.arrays["m"].shape == (3, 50)
    assert set(np.unique(values.arrays["m"])) == {0.0, 2.0}


REFUSED = {
    "unknown section": ({"parameters": {}}, "There is no parameters among the sections."),
    "unknown name": ({"inputs": {**ROW, "xx": 1}}, "There is no xx among the inputs."),
    "missing inputs": ({"inputs": {"x": [1, 2, 3]}}, "No value is given for token and y."),
    "empty": ({"inputs": {**ROW, "x": []}}, "x holds no numbers."),
    "too deep": ({"inputs": {**ROW, "x": [[[1]]]}}, "x has 1 axes, the array has 3."),
    "too flat": ({"inputs": {**ROW, "x": 1}}, "x has 1 axes, the array has 0."),
    "too large": ({"inputs": {**ROW, "y": [1, 10**400]}}, "An integer beyond 1.8e308"),
    "a list of values": ([], "The values are not an object."),
    "wrong shape": (
        {"inputs": {**ROW, "y": [0, 1, 2]}},
        "y has shape (3,); expected (2,) (H), or samples first: (N, 2).",
    ),
    "two sizes": (
        {"inputs": ROW, "params": {"W": [[1, 2], [3, 4]]}},
        "x has shape (3,); expected (2,) (D)",
    ),
    "ragged": ({"params": {"W": [[1, 2], [3]]}}, "The lists are ragged: shape (1,) here"),
    "text": ({"inputs": {**ROW, "x": [1, "2", 3]}}, "'2' is not a number."),
    "none": ({"inputs": {**ROW, "x": [1, None, 3]}}, "None is not a number."),
    "nan": ({"inputs": {**ROW, "x": [1, float("nan"), 3]}}, "nan is not finite."),
    "index value": ({"inputs": {**ROW, "token": 3}}, "3 is no value of index v, which runs 0..2."),
    "half an index": ({"inputs": {**ROW, "token": 0.5}}, "0.5 is no value of index v"),
    "bad size": ({"dims": {"D": 0}, "inputs": ROW}, "The size D is 0."),
    "unequal samples": (
        {"inputs": {"x": [[1, 2, 3]] * 4, "y": [[0, 1]] * 3, "token": 0}},
        "y has 3 samples, x has 4.",
    ),
}


@pytest.mark.parametrize(("data", "problem"), REFUSED.values(), ids=REFUSED.keys())
def test_values_that_do_not_fit_are_refused(data, problem):
    with pytest.raises(DataError) as caught:
        read(data)

    assert problem in caught.value.problem
    assert caught.value.exit_code == 3


def test_a_misspelt_name_gets_a_suggestion():
    with pytest.raises(DataError) as caught:
        read({"inputs": {**ROW, "tokens": 1}})

    assert caught.value.advice == "Did you mean token?"


def test_the_entry_and_the_row_are_named():
    with pytest.raises(DataError) as caught:
        read({"inputs": {"x": [[1, 2, 3]] * 2, "y": [0, 1], "token": [0, 7]}})

    assert caught.value.subject == "token in row 1"


FACTS = """index k: 3
input p[k]
target y[k] onehot
assume sum[k](p[k]) = 1
param w[k]
loss E = -sum[k](y[k]*log(p[k]*w[k]))
"""


def test_a_violated_fact_is_refused_with_its_row():
    good, bad = [0.2, 0.3, 0.5], [0.2, 0.3, 0.6]

    read({"inputs": {"p": good, "y": [0, 1, 0]}}, FACTS)
    with pytest.raises(FactError) as caught:
        read({"inputs": {"p": [good, bad], "y": [0, 1, 0]}}, FACTS)

    assert caught.value.subject == "assume sum[k](p[k]) = 1 in row 1"
    assert "1.1" in caught.value.problem
    assert caught.value.exit_code == 3


def test_rows_that_are_not_one_hot_are_refused():
    with pytest.raises(FactError) as caught:
        read({"inputs": {"p": [0.2, 0.3, 0.5], "y": [0.5, 0.5, 0]}}, FACTS)

    assert caught.value.subject == "y[0]"


def test_a_fact_may_be_off_by_rounding():
    read({"inputs": {"p": [0.2, 0.3, 0.5 + 5e-7], "y": [0, 1, 0]}}, FACTS)


BATCHED = """dim N = 3, D = 2
index d: D
batch n: N
input x[n,d]
param w[d]
loss E = mean[n](sum[d]((w[d] - x[n,d])^2))
"""


@pytest.mark.parametrize("rows", [1, 3, 5])
def test_the_data_say_how_many_samples_a_declared_batch_has(rows):
    values = read({"inputs": {"x": [[1, 2]] * rows}}, BATCHED)

    assert sizes(values) == {"N": rows, "D": 2}
    assert values.samples is None


def test_a_given_number_of_samples_must_agree_with_the_data():
    with pytest.raises(DataError) as caught:
        read({"dims": {"N": 4}, "inputs": {"x": [[1, 2]] * 5}}, BATCHED)

    assert caught.value.problem == "x has shape (5, 2); expected (4, 2) (N, D)."


def test_arrays_serve_as_well_as_lists():
    values = read({"inputs": {k: np.array(v) for k, v in ROW.items()}})

    assert values.arrays["x"].tolist() == [1, 2, 3]


def test_a_name_may_stand_in_either_section():
    values = read({"params": {"lambda": 2}, "inputs": ROW})

    assert values.arrays["lambda"] == 2


def test_an_open_size_that_nothing_shows_is_named():
    with pytest.raises(DataError) as caught:
        read({}, "dim D\nindex d: D\nparam w[d]\nloss E = sum[d](w[d]^2)\n")

    assert caught.value.problem == "No value is given for the size D, and no array shows it."
