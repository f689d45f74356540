"""The same numbers out of every program: the interpreter, the NumPy trainer, the C++ trainer.

Values go in as the JSON that ``eval`` reads, the loss and its gradients come back by name.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

from derivgen.algebra.network import Network, Role
from derivgen.calculus.engine import derive
from derivgen.interpret import value_and_gradients
from derivgen.lowering import lower
from derivgen.targets.emit import emit
from derivgen.values import Values

BUILD = ["g++", "-std=c++17", "-O1"]


def as_json(network: Network, values: Values) -> dict[str, Any]:
    """Return values as the object that ``eval --values`` reads."""
    parts: dict[str, dict[str, Any]] = {"params": {}, "inputs": {}}
    for name, array in values.arrays.items():
        role = network.tensors[name].role
        parts["params" if role is Role.PARAM else "inputs"][name] = np.asarray(array).tolist()
    dims = {dim.name: size for dim, size in values.dims.items()}
    return {"dims": dims, **parts}


def program(network: Network, target: str, folder: Path) -> list[str]:
    """Emit a trainer in double precision, build it where needed, and return how to run it."""
    for name, text in emit(lower(derive(network)), target, "float64").items():
        source = folder / name
        source.write_text(text, encoding="utf-8")
    if target == "numpy":
        return [sys.executable, str(source)]
    built = folder / "trainer"
    subprocess.run([*BUILD, str(source), "-o", str(built)], check=True, capture_output=True)
    return [str(built)]


def evaluated(command: list[str], network: Network, values: Values) -> tuple[float, dict[str, Any]]:
    """Return what a program's ``eval`` prints: the loss, and gradients by name."""
    given = Path(command[-1]).with_name("values.json")
    given.write_text(json.dumps(as_json(network, values)), encoding="utf-8")
    ran = subprocess.run(
        [*command, "eval", "--values", str(given), "--dtype", "float64"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    found = json.loads(ran.stdout)
    return found["loss"], {name: np.array(g) for name, g in found["gradients"].items()}


def difference(network: Network, values: Values, target: str, folder: Path) -> float:
    """Return how far a program is from the interpreter, beside the largest gradient."""
    loss, expected = value_and_gradients(derive(network), values)
    found_loss, found = evaluated(program(network, target, folder), network, values)
    assert set(found) == set(expected)
    scale = max((float(np.max(np.abs(g))) for g in expected.values() if g.size), default=0) or 1
    gaps = [float(np.max(np.abs(found[n] - g))) / scale for n, g in expected.items() if g.size]
    return max([abs(found_loss - loss) / max(1, abs(loss)), *gaps])
