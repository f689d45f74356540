"""NumPy trainers against the interpreter, and how their text looks."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from derivgen.algebra.expressions import Call, walk
from derivgen.calculus.engine import derive
from derivgen.interpret import value_and_gradients
from derivgen.language import parse
from derivgen.targets.numpy_grid import Piece
from derivgen.targets.numpy_names import MODULE, TAKEN
from derivgen.targets.numpy_nest import fitted
from derivgen.values import random_values
from tests.random_networks import networks
from tests.targets.numpy_module import loaded, results, several, source_of

NETWORKS = sorted((Path(__file__).parents[1] / "oracle" / "networks").glob("*.dg"))
RELATIVE = 1e-12  # both add the same products of doubles, in another order
SMALL = 1e-3  # gradients below are differences of larger terms; their rounding is not relative
LARGE = 1e6  # beyond this a difference of terms says nothing in doubles
SAMPLES = 3
TERMS = 1100  # so many that the parts' own names are long


def calls_unknown(network) -> bool:
    """Tell whether a function without definition is called: no program exists then."""
    unknown = {name for name, function in network.functions.items() if function.body is None}
    found = (part for e in network.equations for part in walk(e.rhs) if isinstance(part, Call))
    return any(part.name in unknown for part in found)


def difference(found, expected) -> float:
    """Return the largest difference of losses and gradients beside the largest of them."""
    (loss, gradients), (true_loss, true_gradients) = found, expected
    assert set(gradients) == set(true_gradients)
    gaps = [np.abs(gradients[n] - g).max(initial=0) for n, g in true_gradients.items()]
    scale = max([SMALL, *(np.abs(g).max(initial=0) for g in true_gradients.values())])
    return max([abs(loss - float(true_loss)) / max(1, abs(true_loss)), *(g / scale for g in gaps)])


@pytest.mark.parametrize("path", NETWORKS, ids=lambda path: path.stem)
def test_numpy_agrees_with_the_interpreter(path, tmp_path):
    network = parse(path.read_text(encoding="utf-8"), path.name)
    if calls_unknown(network):
        pytest.skip("a function of this network has no definition")
    derivation, one = derive(network), random_values(network, 1)
    dims = {dim.name: size for dim, size in one.dims.items()}
    module = loaded(source_of(network, dims), tmp_path)
    points = [one] if network.batch is not None else [one, several(network, SAMPLES)]

    for values in points:
        found = results(module, network, values)

        assert difference(found, value_and_gradients(derivation, values)) <= RELATIVE


@settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
@given(text=networks(), seed=st.integers(0, 1000))
def test_numpy_agrees_on_random_networks(text, seed, tmp_path_factory):
    network = parse(text)
    values = random_values(network, seed)
    expected = value_and_gradients(derive(network), values)
    assume(abs(float(expected[0])) < LARGE)

    module = loaded(source_of(network), tmp_path_factory.mktemp("drawn"))

    assert difference(results(module, network, values), expected) <= RELATIVE


def formatted(source: str, folder: Path) -> str:
    """Return what the formatter would change."""
    path = folder / "emitted.py"
    path.write_text(source, encoding="utf-8")
    command = [
        sys.executable,
        "-m",
        "ruff",
        "format",
        "--line-length",
        "100",
        "--diff",
        "--isolated",
    ]
    return subprocess.run([*command, str(path)], capture_output=True, text=True, check=False).stdout


@pytest.mark.parametrize("stem", ["softmax_onehot", "lstm", "conv2d_strided", "transformer_block"])
def test_emitted_files_are_formatted_already(stem, tmp_path):
    path = next(path for path in NETWORKS if path.stem == stem)
    network = parse(path.read_text(encoding="utf-8"), path.name)
    dims = {dim.name: size for dim, size in random_values(network, 1).dims.items()}

    assert formatted(source_of(network, dims), tmp_path) == ""
    assert formatted(source_of(network, dims, predict_only=True), tmp_path) == ""


def test_the_same_bytes_come_out_under_any_hash_seed():
    program = (
        "from tests.targets.numpy_module import source_of; from derivgen.language import parse;"
        f"import pathlib; t = pathlib.Path({str(NETWORKS[-3])!r}).read_text();"
        "import hashlib; print(hashlib.sha256(source_of(parse(t)).encode()).hexdigest())"
    )

    found = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": str(Path(__file__).parents[2])},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("0", "1", "2")
    }

    assert len(found) == 1


def top_names(source: str) -> set[str]:
    """Return the names that a file's top level defines."""
    found: set[str] = set()
    for node in ast.parse(source).body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            found.add(node.name)
        if isinstance(node, ast.Import):
            found.update(alias.asname or alias.name for alias in node.names)
        for target in getattr(node, "targets", ()):
            found.update(part.id for part in ast.walk(target) if isinstance(part, ast.Name))
    return found


def test_the_top_of_a_file_defines_only_names_kept_clear_of():
    for stem in ("softmax_onehot", "conv2d_strided", "max_pool", "function_zoo", "stop_gradient"):
        path = next(path for path in NETWORKS if path.stem == stem)
        network = parse(path.read_text(encoding="utf-8"), path.name)
        dims = {dim.name: size for dim, size in random_values(network, 1).dims.items()}

        own = {*dims, *network.functions, *(f"{name}_step" for name in network.optimisers)}

        assert top_names(source_of(network, dims)) <= MODULE | TAKEN | own


def test_sizes_and_functions_may_have_any_name(tmp_path):
    text = """network shadows
dim BATCH = 2, DATA = 3, np = 4
index i: BATCH, j: DATA, k: np
input x[j]
param w[i,j,k]
define normal(z) = z^2
define update(z) = tanh(normal(z))
loss E = sum[i,j,k](update(w[i,j,k]*x[j]))
"""
    network = parse(text)
    values = random_values(network, 1)

    found = results(loaded(source_of(network), tmp_path), network, values)

    assert difference(found, value_and_gradients(derive(network), values)) <= RELATIVE


def test_names_that_python_or_the_file_uses_itself_still_work(tmp_path):
    text = """network hostile
index lambda: 2, params: 3
input np[lambda], values[params]
target main
param print[lambda,params] = 0.5, p = 2
forward[params] = sum[lambda](print[lambda,params]*np[lambda])
loss E = (p*sum[params](forward[params]*values[params]) - main)^2
"""
    network = parse(text)
    values = random_values(network, 1)

    found = results(loaded(source_of(network), tmp_path), network, values)

    assert difference(found, value_and_gradients(derive(network), values)) <= RELATIVE


def test_naming_the_parts_of_a_long_sum_ends():
    made: list[Piece] = []

    def named(piece: Piece) -> Piece:
        made.append(piece)
        assert len(made) <= TERMS, "a part is named once"
        return Piece(f"part{len(made)}")

    pieces = fitted([Piece("np.tanh(some_long_operand)")] * TERMS, 50, named)

    assert len(pieces) == len(made) == TERMS
