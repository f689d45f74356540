"""The emitted C++ program: its commands, files, messages and exit codes, beside the NumPy one."""

from __future__ import annotations

import gzip
import json
import os
import struct
import subprocess
import sys
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from derivgen.algebra.expressions import Number, mul
from derivgen.calculus.engine import derive
from derivgen.language import parse
from derivgen.lowering.lower import lower
from derivgen.lowering.program import Nest
from derivgen.targets.emit import emit
from tests.targets.cpp_build import build

SAME = 1e-10  # an epoch repeats the rounding of a step, 1e-16, some thousand times
GALLERY = ("digits_mlp", "iris", "sigmoid_mlp")
FLAGS = {"digits_mlp": ("--scale", "16"), "iris": ("--scale", "standard")}
FLAGS["sigmoid_mlp"] = ("--scale", "standard")
FILES = {"digits_mlp": "digits.csv", "iris": "iris.csv", "sigmoid_mlp": "iris.csv"}

# Sizes are named as variables of the frame are.
FRAME = """network frame
dim row = 3, values = 4
input  x[row]
target y[2] onehot
h    = dense(x, values, tanh)
yhat = dense(h, 2, softmax)
loss E = cross_entropy(yhat, y)
train with adam(lr = 0.05), epochs 3, batch 4
"""
AUTO = """network auto
input x[3]
h = dense(x, 2, tanh)
r = dense(h, 3)
loss E = mse(r, x)
output r
"""
ROWS = ["0.1,0.2,0.3,cat", "1,0,-1,dog", "0.5,-0.5,2,cat", "0,1,0.25,dog", "-1,1,0.5,cat"]


def gallery_program(name: str):
    """Return the program of a gallery network."""
    import derivgen.gallery

    folder = Path(derivgen.gallery.__file__).parent
    text = (folder / f"{name}.dg").read_text(encoding="utf-8")
    return lower(derive(parse(text, name))), folder / "data" / FILES.get(name, "")


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Compile the gallery's networks and a small one of two classes, each in both languages.

    All C++ programs are one, told apart by the first argument: a compiler costs seconds.
    """
    place = tmp_path_factory.mktemp("trainers")
    programs = {name: gallery_program(name)[0] for name in GALLERY}
    programs["frame"] = lower(derive(parse(FRAME)))
    programs["auto"] = lower(derive(parse(AUTO)))
    programs["wrong"] = spoiled(replace(programs["frame"], name="wrong"))
    lines = []
    for name, program in programs.items():
        for target, ending in (("numpy", "py"), ("cpp", "cpp")):
            (text,) = emit(program, target, "float64").values()
            (place / f"{name}.{ending}").write_text(text, encoding="utf-8")
        lines += [f"#define main main_{name}", f'#include "{name}.cpp"', "#undef main"]
    lines += ["#include <string>", "int main(int count, char** arguments) {"]
    for name in programs:
        call = f"return main_{name}(count - 1, arguments + 1);"
        lines.append(f'  if (std::string(arguments[1]) == "{name}") {call}')
    (place / "all.cpp").write_text("\n".join([*lines, "  return 99;", "}", ""]), encoding="utf-8")
    build(place / "all.cpp", place / "all", "-O0")
    (place / "data.csv").write_text("\n".join(["a,b,c,kind", *ROWS, ""]), encoding="utf-8")
    return place


def spoiled(program):
    """Return a program whose first gradient is too large by a thousandth."""

    def wrong(block):
        if (
            not isinstance(block, Nest)
            or block.statement.lhs.tensor != program.parameters[0].gradient
        ):
            return block
        body = mul(Number(Fraction(1001, 1000)), block.statement.body)
        return replace(block, statement=replace(block.statement, body=body))

    return replace(program, backward=tuple(wrong(block) for block in program.backward))


def run(folder: Path, network: str, *flags: str, language: str = "cpp"):
    """Run a program; return the finished process."""
    command = [str(folder / "all"), network]
    if language == "numpy":
        command = [sys.executable, str(folder / f"{network}.py")]
    environment = {k: v for k, v in os.environ.items() if k != "DERIVGEN_PROGRESS"}
    words = [*command, *map(str, flags)]
    return subprocess.run(
        words, capture_output=True, text=True, check=False, cwd=folder, env=environment
    )


def loaded(file: Path) -> tuple[dict, dict[str, np.ndarray]]:
    """Return metadata and tensors of a safetensors file."""
    content = file.read_bytes()
    length = struct.unpack("<Q", content[:8])[0]
    header = json.loads(content[8 : 8 + length])
    metadata = header.pop("__metadata__")
    kinds = {"F32": "<f4", "F64": "<f8"}
    tensors = {}
    for name, entry in header.items():
        begin, end = (8 + length + offset for offset in entry["data_offsets"])
        values = np.frombuffer(content[begin:end], kinds[entry["dtype"]])
        tensors[name] = values.reshape(entry["shape"])
    return metadata, tensors


@pytest.mark.parametrize("network", GALLERY)
def test_one_epoch_gives_the_parameters_of_the_numpy_trainer(network, folder):
    data = gallery_program(network)[1]
    flags = ("--data", data, "--epochs", 1, "--holdout", 0.3333, *FLAGS[network])

    for language in ("cpp", "numpy"):
        done = run(folder, network, "train", *flags, "--save", f"{language}.st", language=language)
        assert done.returncode == 0, done.stderr

    (own, tensors), (other, expected) = loaded(folder / "cpp.st"), loaded(folder / "numpy.st")
    assert own["hash"] == other["hash"]
    assert list(tensors) == list(expected)
    for name, values in expected.items():
        assert np.max(np.abs(tensors[name] - values)) <= SAME, name


@pytest.mark.parametrize("writer", ("cpp", "numpy"))
def test_each_trainer_reads_the_others_model_with_its_classes(writer, folder):
    reader = "numpy" if writer == "cpp" else "cpp"
    flags = ("--data", "data.csv", "--scale", "minmax")
    run(folder, "frame", "train", *flags, "--save", "model.st", language=writer)

    own, other = (
        run(folder, "frame", "predict", "--load", "model.st", "--data", "data.csv", language=which)
        for which in (writer, reader)
    )

    assert own.returncode == other.returncode == 0, own.stderr + other.stderr
    header, *rows = own.stdout.split()
    assert header == other.stdout.split()[0] == "yhat_0,yhat_1,class"
    assert [row.split(",")[2] for row in rows] == [
        r.split(",")[2] for r in other.stdout.split()[1:]
    ]
    assert {row.split(",")[2] for row in rows} <= {"cat", "dog"}


@pytest.mark.parametrize("level", (0, 1, 6, 9))
def test_packed_files_are_read_as_the_plain_ones(level, folder):
    generator = np.random.default_rng(level)
    images = generator.integers(0, 4, (300, 1, 3)).astype(np.uint8)
    labels = generator.integers(0, 2, 300).astype(np.uint8)
    header = struct.pack(">IIII", 0x803, 300, 1, 3)
    (folder / "images").write_bytes(header + images.tobytes())
    (folder / "images.gz").write_bytes(gzip.compress(header + images.tobytes(), level))
    (folder / "labels").write_bytes(struct.pack(">II", 0x801, 300) + labels.tobytes())
    flags = ("--scale", "3", "--epochs", "1", "--json")

    plain = run(folder, "frame", "train", "--data", "images", "labels", *flags)
    packed = run(folder, "frame", "train", "--data", "images.gz", "labels", *flags)

    assert plain.returncode == packed.returncode == 0, packed.stderr
    assert json.loads(plain.stdout)["train"] == json.loads(packed.stdout)["train"]
    assert json.loads(plain.stdout)["train"]["samples"] == 300


def test_a_damaged_archive_is_refused(folder):
    content = bytearray(gzip.compress(b"a,b,c,kind\n" + b"1,2,3,cat\n4,5,6,dog\n" * 50))
    content[40] ^= 0xFF
    (folder / "bad.csv.gz").write_bytes(content)

    done = run(folder, "frame", "train", "--data", "bad.csv.gz")

    assert done.returncode == 3
    assert "Not a sound gzip file" in done.stderr


BAD_DATA = {
    "a text among the numbers": ("a,b,c,kind\n1,2,x,cat\n", "row 1, column c", "found 'x'"),
    "a short row": ("a,b,c,kind\n1,2,3,cat\n1,2\n", "row 2", "Expected 4 fields"),
    "a third class": ("a,b,c,kind\n1,2,3,u\n1,2,3,v\n1,2,3,w\n", "row 3, column kind", "'w'"),
    "too few columns": ("a,b,kind\n1,2,cat\n", "data.csv", "Expected 3 feature columns"),
    "no rows": ("a,b,c,kind\n", "data.csv", "There are no rows"),
    "nothing": ("", "data.csv", "The file is empty"),
    "an endless number": ("a,b,c,kind\n1,inf,3,cat\n", "row 1, column b", "found 'inf'"),
    "a missing label": ("a,b,c,kind\n1,2,3,\n", "row 1, column kind", "found nothing"),
}


@pytest.mark.parametrize("language", ("cpp", "numpy"))
@pytest.mark.parametrize("fault", BAD_DATA)
def test_wrong_data_is_named_by_row_and_column(fault, language, folder, tmp_path):
    text, place, problem = BAD_DATA[fault]
    (tmp_path / "data.csv").write_text(text, encoding="utf-8")

    done = run(folder, "frame", "train", "--data", tmp_path / "data.csv", language=language)

    assert done.returncode == 3, done.stderr
    assert place in done.stderr
    assert problem in done.stderr
    assert done.stdout == ""


USAGE = {
    "an unknown flag": ("train", "--speed", "3"),
    "an unknown command": ("fly",),
    "an unknown rule": ("train", "--data", "data.csv", "--optimiser", "magic"),
    "an unknown setting": ("train", "--data", "data.csv", "--set", "speed=3"),
    "an unknown parameter": ("train", "--data", "data.csv", "--freeze", "W_9"),
    "no number": ("train", "--epochs", "many"),
    "no data": ("train",),
}


@pytest.mark.parametrize("language", ("cpp", "numpy"))
@pytest.mark.parametrize("fault", USAGE)
def test_wrong_usage_ends_with_2(fault, language, folder):
    done = run(folder, "frame", *USAGE[fault], language=language)

    assert done.returncode == 2
    assert done.stderr != ""
    assert done.stdout == ""


@pytest.mark.parametrize("language", ("cpp", "numpy"))
def test_missing_files_end_with_5(language, folder):
    for flags in (("--data", "none.csv"), ("--data", "data.csv", "--save", "no/such/place")):
        done = run(folder, "frame", "train", *flags, language=language)

        assert done.returncode == 5, done.stderr


def test_the_check_passes_and_sees_a_factor(folder):
    right = run(folder, "frame", "check", "--json")
    wrong = run(folder, "wrong", "check", "--json")

    assert right.returncode == 0
    assert json.loads(right.stdout)["verdict"] == "pass"
    assert wrong.returncode == 1
    verdicts = {n: p["verdict"] for n, p in json.loads(wrong.stdout)["parameters"].items()}
    assert verdicts == {"W_h": "fail", "b_h": "pass", "W_yhat": "pass", "b_yhat": "pass"}


def test_eval_prints_loss_and_gradients_of_given_values(folder):
    values = {"inputs": {"x": [[1, 2, 3], [0, 1, 0.5]], "y": [[1, 0], [0, 1]]}}
    values["params"] = {"b_h": [0.1, 0.2, 0.3, 0.4]}
    (folder / "in.json").write_text(json.dumps(values), encoding="utf-8")

    own, other = (
        json.loads(run(folder, "frame", "eval", "--values", "in.json", language=which).stdout)
        for which in ("cpp", "numpy")
    )

    assert abs(own["loss"] - other["loss"]) <= SAME
    for name, gradient in other["gradients"].items():
        assert np.max(np.abs(np.array(own["gradients"][name]) - np.array(gradient))) <= SAME


BAD_VALUES = {
    "rows of unequal length": ('{"inputs": {"x": [[1, 2], [3]]}}', "in.json, x"),
    "a text": ('{"inputs": {"x": [1, 2, "a"]}}', "in.json, x"),
    "a list": ("[1]", "in.json"),
    "an unknown name": ('{"params": {"nope": 1}}', "in.json, nope"),
    "half a text": ('{"inputs": {"x": [1, 2, 3]', "in.json"),
    "another size": ('{"dims": {"row": 4}}', "in.json, row"),
    "an endless number": ('{"inputs": {"x": [1, 2, 1e999], "y": [1, 0]}}', "in.json, x"),
    "a missing input": ('{"inputs": {"x": [1, 2, 3]}}', "no values for y"),
}


@pytest.mark.parametrize("language", ("cpp", "numpy"))
@pytest.mark.parametrize("fault", BAD_VALUES)
def test_wrong_values_are_refused_with_their_place(fault, language, folder):
    text, place = BAD_VALUES[fault]
    (folder / "in.json").write_text(text, encoding="utf-8")

    done = run(folder, "frame", "eval", "--values", "in.json", language=language)

    assert done.returncode == 3, done.stdout
    assert place in done.stderr
    assert "Traceback" not in done.stderr


def test_frozen_parameters_stay_and_training_may_stop_early(folder):
    flags = ("--data", "data.csv", "--freeze", "W_h", "--stop-gradient-norm", "1e9", "--json")
    run(
        folder,
        "frame",
        "train",
        "--data",
        "data.csv",
        "--epochs",
        "1",
        "--lr",
        "0",
        "--save",
        "a.st",
    )

    done = run(folder, "frame", "train", *flags, "--load", "a.st", "--save", "b.st")

    assert json.loads(done.stdout)["steps"] == 1
    before, after = loaded(folder / "a.st")[1], loaded(folder / "b.st")[1]
    assert np.array_equal(before["W_h"], after["W_h"])
    assert not np.array_equal(before["b_h"], after["b_h"])


def test_a_model_of_another_network_is_refused(folder):
    data = gallery_program("iris")[1]
    run(folder, "iris", "train", "--data", data, "--epochs", "1", "--save", "other.st")

    done = run(folder, "frame", "predict", "--load", "other.st", "--data", "data.csv")

    assert done.returncode == 3
    assert "another network: expected frame" in done.stderr


def test_both_precisions_run_and_bench_measures(folder):
    done = run(folder, "frame", "bench", "--seconds", "0.01", "--dtype", "float32", "--batch", "8")

    measured = json.loads(done.stdout)
    assert measured["batch"] == 8
    assert measured["steps"] >= 1
    assert measured["us_per_step"] > 0


def test_a_network_without_targets_takes_every_column_as_an_input(folder):
    (folder / "x.csv").write_text("a,b,c\n1,2,3\n0,1,2\n3,2,0\n", encoding="utf-8")

    own, other = (
        json.loads(run(folder, "auto", "train", "--data", "x.csv", "--json", language=which).stdout)
        for which in ("cpp", "numpy")
    )

    assert own["train"]["samples"] == other["train"]["samples"] == 3
    assert abs(own["train"]["loss"] - other["train"]["loss"]) <= SAME


def test_help_names_every_flag_of_the_numpy_trainer(folder):
    own, other = (run(folder, "frame", "--help", language=x).stdout for x in ("cpp", "numpy"))

    flags = {word.strip("[],") for word in other.split() if word.startswith(("--", "[--"))}
    assert [flag for flag in sorted(flags) if flag not in own] == []
