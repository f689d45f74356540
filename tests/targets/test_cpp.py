"""C++ trainers against the interpreter, and what they print."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

import derivgen.gallery
from derivgen.algebra.expressions import Call, walk
from derivgen.calculus.engine import derive
from derivgen.errors import EquationError
from derivgen.interpret import value_and_gradients
from derivgen.language import parse
from derivgen.lowering.lower import lower
from derivgen.targets.cpp_text import WIDTH
from derivgen.targets.emit import emit
from derivgen.values import Values, random_values
from tests.random_networks import networks
from tests.targets.cpp_build import Case, results

NETWORKS = sorted((Path(__file__).parents[1] / "oracle" / "networks").glob("*.dg"))
RELATIVE = 1e-12  # both add the same products of doubles, in another order
ACROSS = 1e-10  # rewritten for stability, so rounded otherwise, in some cancelling sums
SAME = 1e-12  # gradients near 1
DRAWN = 40  # random networks; they share one compilation
LARGE = 1e6  # beyond this a difference of terms says nothing in doubles


def calls_unknown(network) -> bool:
    """Tell whether a function without definition is called: no program exists then."""
    unknown = {name for name, function in network.functions.items() if function.body is None}
    found = (part for e in network.equations for part in walk(e.rhs) if isinstance(part, Call))
    return any(part.name in unknown for part in found)


def case_of(text: str, name: str):
    """Return the case of a network at two samples, and what the interpreter says of it."""
    network = parse(text, name)
    if calls_unknown(network):
        return None
    derivation = derive(network)
    first = random_values(network, seed=3)
    sizes = {dim.name: size for dim, size in first.dims.items()}
    program = lower(derivation, sizes)
    samples = [first]
    if program.lifted:
        other = random_values(network, seed=4)
        kept = {p.name: first.arrays[p.name] for p in network.parameters}
        kept |= {name: first.arrays[name] for name in (*program.constants, *program.states)}
        samples.append(Values(other.dims, {**other.arrays, **kept}))
    found = [value_and_gradients(derivation, values) for values in samples]
    loss = np.mean([float(value) for value, _ in found])
    gradients = [
        np.mean([np.asarray(each[p.name], float) for _, each in found], axis=0)
        for p in program.parameters
    ]
    count = samples if program.lifted else samples * sizes.get(program.samples.name, 1)
    return Case(f"net_{name}", program, tuple(count)), loss, gradients


@pytest.fixture(scope="module")
def compared(tmp_path_factory):
    """Compile all networks at once; return name -> (found, loss, gradients)."""
    texts = [(path.read_text(encoding="utf-8"), path.stem) for path in NETWORKS]
    made = [case for text, name in texts if (case := case_of(text, name)) is not None]
    found = results([case for case, _, _ in made], tmp_path_factory.mktemp("cpp"))
    return {case.name: (found[case.name], loss, each) for case, loss, each in made}


@pytest.mark.parametrize("path", NETWORKS, ids=lambda path: path.stem)
def test_loss_and_gradients_are_the_interpreters(path, compared):
    if f"net_{path.stem}" not in compared:
        return
    found, loss, gradients = compared[f"net_{path.stem}"]

    scale = max([float(np.max(np.abs(g))) for g in gradients if g.size], default=0.0) or 1.0
    assert abs(found["loss"] - loss) <= RELATIVE * max(1.0, abs(loss))
    for own, expected in zip(found["gradients"], gradients, strict=True):
        assert np.max(np.abs(np.array(own) - np.ravel(expected)), initial=0) <= RELATIVE * scale


def drawn_cases() -> list[tuple[Case, float, list[np.ndarray]]]:
    """Return random networks of raw equations with what the interpreter says of them."""
    made: list[tuple[Case, float, list[np.ndarray]]] = []

    @settings(
        max_examples=DRAWN,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(text=networks(), seed=st.integers(0, 1000))
    def collect(text: str, seed: int) -> None:
        network = parse(text)
        values = random_values(network, seed)
        derivation = derive(network)
        loss, found = value_and_gradients(derivation, values)
        if not math.isfinite(float(loss)) or abs(float(loss)) > LARGE:
            return
        program = lower(derivation, {dim.name: size for dim, size in values.dims.items()})
        gradients = [np.asarray(found[p.name], float) for p in program.parameters]
        made.append((Case(f"drawn_{len(made)}", program, (values,)), float(loss), gradients))

    collect()
    return made


@pytest.mark.slow
def test_random_networks_give_the_interpreters_gradients(tmp_path):
    cases = drawn_cases()

    found = results([case for case, _, _ in cases], tmp_path)

    assert len(cases) > DRAWN / 2
    for case, loss, gradients in cases:
        own = found[case.name]
        text = case.program.description
        scale = max([float(np.max(np.abs(g))) for g in gradients if g.size], default=0.0) or 1.0
        assert abs(own["loss"] - loss) <= ACROSS * max(1.0, abs(loss)), text
        for one, expected in zip(own["gradients"], gradients, strict=True):
            gap = np.max(np.abs(np.array(one) - np.ravel(expected)), initial=0)
            assert gap <= ACROSS * scale, text


NAMES = """network std
dim N = 3, real = 2, EOF = 4
index i: N, main: real, k: EOF
input int[i], x__y[main]
target E[k]
param lambda[main,i], double[k,main], N1, sum, parameters[main], _q = 0.5
define square(z) = z*z
define update(z) = square(z) + 1
batch[main] = tanh(sum[i](lambda[main,i]*int[i]) + N1*x__y[main] + parameters[main])
M_PI[k] = update(sum[main](double[k,main]*batch[main])) + sum + _q
loss gradients = sum[k]((M_PI[k] - E[k])^2)
"""


def test_names_that_mean_something_in_cpp_work(tmp_path):
    case, loss, gradients = case_of(NAMES, "names")

    found = results([case], tmp_path, "-O1")["net_names"]

    assert abs(found["loss"] - loss) <= RELATIVE * max(1.0, abs(loss))
    for own, expected in zip(found["gradients"], gradients, strict=True):
        assert np.max(np.abs(np.array(own) - np.ravel(expected)), initial=0) <= SAME


def test_the_emitted_file_is_laid_out_well():
    gallery = Path(derivgen.gallery.__file__).parent
    for path in (gallery / "mnist_mlp.dg", *NETWORKS[::10]):
        case = case_of_file(path)
        (text,) = emit(case, "cpp", "float32").values()
        code = [line for line in text.splitlines() if not line.lstrip().startswith("//")]

        assert [line for line in code if len(line) > WIDTH] == []
        assert [line for line in text.splitlines() if line != line.rstrip() or "\t" in line] == []
        assert "\n\n\n" not in text
        assert text.endswith("}\n#endif\n")


def case_of_file(path: Path):
    """Return the program of a network with the sizes of its text or small ones."""
    network = parse(path.read_text(encoding="utf-8"), path.name)
    values = random_values(network, seed=3)
    return lower(derive(network), {dim.name: size for dim, size in values.dims.items()})


@pytest.mark.parametrize("hash_seed", ("0", "1", "2"))
def test_the_bytes_do_not_depend_on_the_hash_seed(hash_seed):
    script = (
        "from pathlib import Path; from derivgen.calculus.engine import derive\n"
        "from derivgen.language import parse; from derivgen.lowering.lower import lower\n"
        "from derivgen.targets.emit import emit; import hashlib, sys\n"
        "text = emit(lower(derive(parse(sys.argv[1]))), 'cpp', 'float32')['trainer.cpp']\n"
        "print(hashlib.sha256(text.encode()).hexdigest())\n"
    )
    found = [
        subprocess.run(
            [sys.executable, "-c", script, NAMES],
            capture_output=True,
            text=True,
            check=True,
            cwd=Path(__file__).parents[2],
            env=os.environ | {"PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("7", hash_seed)
    ]

    assert found[0] == found[1]


def test_an_unknown_function_is_refused_with_advice():
    text = "network n\ninput x[i: 2]\nparam w[i: 2]\nfunction f\nloss E = f(sum[i: 2](w[i]*x[i]))"

    with pytest.raises(EquationError, match="function f") as caught:
        lower(derive(parse(text)))

    assert "define f(z)" in str(caught.value)


def test_a_predictor_holds_no_training():
    program = case_of_file(NETWORKS[0])

    (text,) = emit(program, "cpp", "float32", predict_only=True).values()

    assert "backward" not in text
    assert "optimiser" not in text.lower()
    assert "std::vector<real>& predict(" in text
