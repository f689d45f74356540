"""The emitted NumPy program as a command: data, messages, exit codes, saved models."""

from __future__ import annotations

import gzip
import json
import struct
import subprocess
import sys

import numpy as np
import pytest

from derivgen.language import parse
from tests.targets.numpy_module import module_of, source_of

TEXT = """network frame
input  x[2]
target y[2] onehot
h    = dense(x, 5, tanh)
yhat = dense(h, 2, softmax)
loss E = cross_entropy(yhat, y)
train with adam(lr = 0.05), epochs 3, batch 4
"""
ROWS = ["0.1,0.2,cat", "1,0,dog", "0.5,-0.5,cat", "0,1,dog", "-1,1,cat", "2,1,dog"]
SAME = 1e-6  # what float32 keeps of a number near 1


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    """Return a function that runs the emitted file with flags."""
    folder = tmp_path_factory.mktemp("frame")
    source = folder / "frame.py"
    source.write_text(source_of(parse(TEXT)), encoding="utf-8")

    def run(*flags: object) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, str(source), *map(str, flags)]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    return run


def table(folder, rows=ROWS, header="a,b,kind"):
    path = folder / "data.csv"
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return path


def test_training_reports_loss_and_accuracy_and_saves_a_model(program, tmp_path):
    data, model = table(tmp_path), tmp_path / "model.safetensors"

    ran = program("train", "--data", data, "--holdout", 0.5, "--save", model, "--json")

    assert ran.returncode == 0, ran.stderr
    found = json.loads(ran.stdout)
    assert found["epochs"] == 3 and found["steps"] == 3
    assert found["train"]["samples"] == 3 and found["test"]["samples"] == 3
    assert 0 <= found["test"]["accuracy"] <= 1
    assert ran.stderr == ""  # the progress line is for terminals
    content = model.read_bytes()
    header = json.loads(content[8 : 8 + struct.unpack("<Q", content[:8])[0]])
    assert json.loads(header["__metadata__"]["classes"]) == ["cat", "dog"]
    assert header["W_h"] == {"dtype": "F64", "shape": [5, 2], "data_offsets": [0, 80]}


def test_a_saved_model_predicts_the_classes_by_name(program, tmp_path):
    data, model = table(tmp_path), tmp_path / "model.safetensors"
    program("train", "--data", data, "--epochs", 200, "--save", model, "--dtype", "float32")

    ran = program("predict", "--load", model, "--data", data, "--target", "kind")

    assert ran.returncode == 0, ran.stderr
    lines = [line.split(",") for line in ran.stdout.splitlines()]
    assert lines[0] == ["yhat_0", "yhat_1", "class"]
    assert [line[2] for line in lines[1:]] == ["cat", "dog"] * 3
    assert all(abs(float(a) + float(b) - 1) < SAME for a, b, _ in lines[1:])


def test_the_same_seed_trains_the_same_model(program, tmp_path):
    data = table(tmp_path)

    files = [tmp_path / name for name in ("one", "two", "other")]
    for path, seed in zip(files, (1, 1, 2)):
        program("train", "--data", data, "--seed", seed, "--save", path)

    one, two, other = (path.read_bytes() for path in files)
    assert one == two and one != other


def test_frozen_parameters_stay_as_they_are(program, tmp_path):
    model = tmp_path / "model"
    module = module_of(TEXT, tmp_path)

    program("train", "--data", table(tmp_path), "--freeze", "W_h", "--save", model)

    params = module.parameters(1, np.float64)
    module.load_model(str(model), params)
    assert (params["W_h"] == module.parameters(0, np.float64)["W_h"]).all()
    assert (params["b_h"] != 0).any()


def test_training_stops_where_the_gradient_is_small(program, tmp_path):
    data = table(tmp_path)

    ran = program("train", "--data", data, "--stop-gradient-norm", 1e9, "--json")

    assert json.loads(ran.stdout)["steps"] == 1


def test_idx_and_npz_files_give_the_same_samples_as_a_table(program, tmp_path):
    rng = np.random.default_rng(0)
    pixels, labels = rng.integers(0, 9, (7, 2)), rng.integers(0, 2, 7)
    images, names = tmp_path / "images.gz", tmp_path / "labels"
    head = struct.pack(">BBBB3I", 0, 0, 8, 3, 7, 1, 2)
    images.write_bytes(gzip.compress(head + bytes(pixels.ravel().tolist())))
    names.write_bytes(struct.pack(">BBBBI", 0, 0, 8, 1, 7) + bytes(labels.tolist()))
    np.savez(tmp_path / "data.npz", x=pixels, y=labels)
    rows = [f"{a},{b},{k}" for (a, b), k in zip(pixels.tolist(), labels.tolist())]
    data = table(tmp_path, rows)

    losses = [
        json.loads(program("train", "--json", "--data", *files).stdout)["train"]
        for files in ([data], [images, names], [tmp_path / "data.npz"])
    ]

    assert losses[0] == losses[1] == losses[2]


WRONG = {
    "a word where a number belongs": (
        [*ROWS[:1], "1,x,dog"],
        "data.csv, row 2, column b",
        "Expected a number, found 'x'.",
    ),
    "a field too few": (
        [*ROWS[:2], "1,2"],
        "data.csv, row 3",
        "Expected 3 fields as in the header",
    ),
    "a number that is none": (["nan,1,cat"], "row 1, column a", "Expected a number, found 'nan'."),
    "a third class": ([*ROWS, "1,1,owl"], "row 7, column kind", "at most 2 different labels"),
    "an empty label": (
        ["1,1,"],
        "row 1, column kind",
        "Expected a label or number, found nothing.",
    ),
    "no rows": ([], "data.csv", "There are no rows below the header."),
}


@pytest.mark.parametrize("rows, place, problem", WRONG.values(), ids=WRONG.keys())
def test_wrong_data_end_with_the_place_and_exit_code_3(rows, place, problem, program, tmp_path):
    ran = program("train", "--data", table(tmp_path, rows))

    assert ran.returncode == 3
    assert place in ran.stderr.splitlines()[0]
    assert problem in ran.stderr
    assert "Traceback" not in ran.stderr


def test_broken_files_never_end_in_a_traceback(program, tmp_path):
    contents = {
        "zeros.csv": b"a,b,kind\n1,\0,cat\n",
        "latin.csv": b"a,b,kind\n1,2,\xe9\n",
        "half.gz": gzip.compress(b"a,b,kind\n1,2,cat\n" * 50)[:-30],
        "text.npz": b"hello",
        "zip.npz": b"PK\3\4 but nothing else",
        "empty.csv": b"",
        "images": b"\0\0\x08\x03\0\0",
    }
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)

        ran = program("train", "--data", tmp_path / name)

        assert ran.returncode in (3, 5), name
        assert ran.stderr.startswith(f"error: {tmp_path / name}"), ran.stderr
        assert "Traceback" not in ran.stderr


def test_a_wrong_number_of_columns_says_how_many(program, tmp_path):
    ran = program("train", "--data", table(tmp_path, ["1,2,3,cat"], "a,b,c,kind"))

    assert ran.returncode == 3
    assert "Expected 2 feature columns for the inputs, found 3." in ran.stderr


def test_missing_files_and_wrong_flags_have_their_own_exit_codes(program, tmp_path):
    data = table(tmp_path)

    assert program("train", "--data", tmp_path / "none.csv").returncode == 5
    assert program("train", "--data", data, "--save", tmp_path / "no" / "model").returncode == 5
    assert program("train", "--data", data, "--optimiser", "magic").returncode == 2
    assert program("train", "--data", data, "--set", "speed=1").returncode == 2
    assert program("train", "--data", data, "--freeze", "Z").returncode == 2
    assert program("train", "--data", data, "--epochs", -1).returncode == 2
    assert program("train", "--data", data, "--holdout", 0.9).returncode == 2
    assert program("train", "--data", data, "--scale", 0).returncode == 2
    assert program("train").returncode == 2


def test_another_networks_model_is_refused(program, tmp_path):
    other = module_of(TEXT.replace("dense(x, 5", "dense(x, 4"), tmp_path)
    other.save_model(str(tmp_path / "model"), other.parameters(), other.Encoding())

    ran = program("predict", "--load", tmp_path / "model", "--data", table(tmp_path))

    assert ran.returncode == 3
    assert "It holds another network" in ran.stderr


def test_a_file_that_is_no_model_is_refused(program, tmp_path):
    for content in (b"", b"hello", b"\xff" * 64):
        (tmp_path / "model").write_bytes(content)

        ran = program("predict", "--load", tmp_path / "model", "--data", table(tmp_path))

        assert ran.returncode == 3
        assert "Expected a safetensors file" in ran.stderr


def test_the_emitted_check_passes_and_finds_a_wrong_gradient(program, tmp_path):
    ran = program("check", "--json")
    assert ran.returncode == 0
    assert json.loads(ran.stdout)["verdict"] == "pass"

    source = source_of(parse(TEXT))
    broken = tmp_path / "broken.py"
    broken.write_text(source.replace("adj_z_yhat = yhat - y", "adj_z_yhat = 1.001 * (yhat - y)"))
    ran = subprocess.run(
        [sys.executable, str(broken), "check"], capture_output=True, text=True, check=False
    )

    assert ran.returncode == 1
    assert ran.stdout.splitlines()[-1] == "verdict fail"


def test_facts_used_by_the_derivation_are_checked_on_data(tmp_path):
    text = """network facts
index k: 2, i: 2
input x[i]
target y[k]
assume sum[k](y[k]) = 1
param W[k,i]
z[k] = sum[i](W[k,i]*x[i])
p[k] = softmax[k](z[k])
loss E = -sum[k](y[k]*log(p[k]))
"""
    source = tmp_path / "facts.py"
    source.write_text(source_of(parse(text)))
    data = table(tmp_path, ["1,2,0.5,0.5", "1,2,0.5,0.75"], "a,b,y0,y1")

    ran = subprocess.run(
        [sys.executable, str(source), "train", "--data", str(data), "--target", "y0,y1"],
        capture_output=True,
        text=True,
        check=False,
    )

    assert ran.returncode == 3
    assert "row 2" in ran.stderr and "found a difference of 0.25" in ran.stderr


def test_a_network_without_data_is_minimised(tmp_path):
    text = "network valley\nparam a = -1, b = 1\nloss E = (1 - a)^2 + (b - a^2)^2\n"
    module = module_of(f"{text}train with adam(lr = 0.05), epochs 500, batch 1\n", tmp_path)
    params = module.parameters()
    data = module.declared_data(np.float64)

    module.fit(params, data, module.Optimiser(params), 500, 1)

    assert abs(params["a"] - 1) < 0.01 and abs(params["b"] - 1) < 0.01


def test_random_tensors_and_states_change_only_training(tmp_path):
    text = """network noisy
index j: 3
input x
target y
param w[j] = 0.5
random m[j] = bernoulli(0.5)/0.5, predict 1
state s = 0: s' = s + 1
h[j] = w[j]*x*m[j]
loss E = (sum[j](h[j]) + 0*s - y)^2
output h
train with sgd(lr = 0.01), epochs 2, batch 2
"""
    module = module_of(text, tmp_path)
    params = module.parameters()
    data = module.Dataset("", {"x": np.ones(4), "y": np.ones(4)})

    before = module.predict(params, data.batch())
    module.fit(params, data, module.Optimiser(params), 2, 2)

    assert (before == 0.5).all()
    assert params["s"] == 4
    drawn = module.draw(params, 0, 1, 1000, np.dtype(np.float64))["m"]
    assert set(np.unique(drawn)) == {0.0, 2.0} and abs(drawn.mean() - 1) < 0.1


def test_special_functions_are_right_to_the_last_digits(tmp_path):
    mpmath = pytest.importorskip("mpmath")
    text = "network special\nparam a = 1\nloss E = erf(a) + lgamma(a)\n"
    module = module_of(text, tmp_path)
    digits = 4e-15

    for x in [-7.5, -3.2, -0.46, 1e-8, 0.2, 0.4687, 0.47, 1.0, 2.5, 3.99, 4.01, 5.5, 9.0, 27.0]:
        assert abs(float(module.erf(x)) - float(mpmath.erf(x))) <= digits * abs(
            float(mpmath.erf(x))
        )
    for x in [-3.3, -0.7, 0.1, 0.49, 0.51, 1.0, 1.46, 3.0, 14.9, 15.1, 1e4]:
        expected = float(mpmath.digamma(x))
        assert abs(float(module.digamma(x)) - expected) <= digits * max(1, abs(expected))
