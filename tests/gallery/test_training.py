"""Shipped networks reach their accuracy on the rows held out, in both trainers.

Seeds are not chosen: the median of seeds 0 to 4 counts, and of seeds 0 to 9 nine solve xor.
"""

from __future__ import annotations

import json
import shutil
import statistics
import subprocess
import sys
from pathlib import Path

import pytest

import derivgen
from derivgen import gallery

GOALS = {"iris": 0.95, "digits_mlp": 0.96}
MNIST_GOAL = 0.975
FILES = ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1")
TARGETS = [
    "numpy",
    pytest.param("cpp", marks=[pytest.mark.slow]),
]


def program(name: str, target: str, folder: Path) -> list[str]:
    """Emit a trainer, build it where needed, and return its command."""
    source = folder / ("trainer.py" if target == "numpy" else "trainer.cpp")
    source.write_text(derivgen.load(name).emit(target), encoding="utf-8")
    if target == "numpy":
        return [sys.executable, str(source)]
    if shutil.which("g++") is None:
        pytest.skip("there is no g++ to build the C++ trainer")
    built = folder / "trainer"
    flags = ["-std=c++17", "-O3", "-march=native"]
    subprocess.run(["g++", *flags, str(source), "-o", str(built)], check=True)
    return [str(built)]


def train(command: list[str], name: str, *flags: str) -> dict:
    """Train on the shipped data and return what the trainer reports."""
    entry = gallery.entry(name)
    assert entry is not None
    data = ["--data", *map(str, entry.data)] if entry.data else []
    ran = subprocess.run(
        [*command, "train", *data, *entry.flags, "--json", *flags],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("name", GOALS)
def test_the_median_accuracy_on_held_out_rows_reaches_the_goal(name, target, tmp_path):
    command = program(name, target, tmp_path)

    reports = [train(command, name, "--seed", str(seed)) for seed in range(5)]

    found = [report["test"]["accuracy"] for report in reports]
    assert statistics.median(found) >= GOALS[name], found


@pytest.mark.parametrize("target", TARGETS)
def test_nine_of_ten_seeds_solve_exclusive_or(target, tmp_path):
    command = program("xor", target, tmp_path)

    reports = [train(command, "xor", "--seed", str(seed)) for seed in range(10)]

    solved = [report["train"]["accuracy"] == 1.0 for report in reports]
    assert sum(solved) >= 9, solved


@pytest.mark.parametrize("name", ["diabetes", "sigmoid_mlp", "softmax_mlp"])
def test_training_lowers_the_loss_on_held_out_rows(name, tmp_path):
    command = program(name, "numpy", tmp_path)

    start = train(command, name, "--epochs", "1", "--lr", "0")
    end = train(command, name)

    assert end["test"]["loss"] < 0.7 * start["test"]["loss"]


@pytest.mark.parametrize("target", TARGETS)
def test_a_training_step_reproduces_the_textbook_net(target, tmp_path):
    command = program("mazur", target, tmp_path)

    frozen = train(command, "mazur", "--freeze", "b1", "--freeze", "b2", "--dtype", "float64")
    updated = train(command, "mazur", "--dtype", "float64")

    assert frozen["train"]["loss"] == pytest.approx(0.291027774, abs=5e-10)  # digits as printed
    assert updated["train"]["loss"] == pytest.approx(0.285750887, abs=5e-10)


@pytest.mark.mnist
@pytest.mark.parametrize("target", ["numpy", "cpp"])
def test_full_mnist_reaches_its_goal(target, data, tmp_path):
    files = [str(data / "mnist" / f"{file}-ubyte.gz") for file in FILES]
    command = program("mnist_mlp", target, tmp_path)

    report = train(command, "mnist_mlp", "--data", *files[:2], "--test", *files[2:])

    assert report["test"]["accuracy"] >= MNIST_GOAL
