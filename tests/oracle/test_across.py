"""Across programs: the NumPy and C++ trainers against the interpreter, network by network."""

from __future__ import annotations

from pathlib import Path

import pytest

from derivgen.language import parse
from derivgen.values import random_values
from tests.across import difference
from tests.oracle.test_lift import over_samples

NETWORKS = sorted((Path(__file__).parent / "networks").glob("*.dg"))
ACROSS = 1e-12  # relative, in doubles: sums are reordered, functions rounded once more
EVERY_TENTH = NETWORKS[::10]  # what runs by default; all of them are a slow test


def gap(path, target, folder):
    network = parse(path.read_text(encoding="utf-8"), path.name)
    if any(function.body is None for function in network.functions.values()):
        pytest.skip("a program needs the definition of every function")
    return difference(network, random_values(network, seed=3), target, folder)


@pytest.mark.parametrize("path", EVERY_TENTH, ids=lambda path: path.stem)
def test_the_numpy_program_gives_the_interpreters_numbers(path, tmp_path):
    assert gap(path, "numpy", tmp_path) <= ACROSS


@pytest.mark.slow
@pytest.mark.parametrize("target", ["numpy", "cpp"])
@pytest.mark.parametrize("path", NETWORKS, ids=lambda path: path.stem)
def test_every_program_gives_the_interpreters_numbers(path, target, tmp_path):
    assert gap(path, target, tmp_path) <= ACROSS


@pytest.mark.slow
@pytest.mark.parametrize("path", NETWORKS, ids=lambda path: path.stem)
def test_the_numpy_program_takes_samples(path, tmp_path):
    network = parse(path.read_text(encoding="utf-8"), path.name)
    unknown = any(function.body is None for function in network.functions.values())
    if unknown or network.batch is not None:
        pytest.skip("no definition, or a batch of its own")

    assert difference(network, over_samples(network), "numpy", tmp_path) <= ACROSS
