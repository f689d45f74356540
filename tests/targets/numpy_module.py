"""Emitted NumPy files as modules, and the interpreter's values put into them."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np

from derivgen.algebra.network import Network, Role
from derivgen.calculus.engine import derive
from derivgen.language import parse
from derivgen.lowering import lower
from derivgen.targets.emit import emit
from derivgen.values import Values, random_values

STORED = (Role.PARAM, Role.STATE, Role.CONST)
GIVEN = (Role.INPUT, Role.TARGET, Role.RANDOM)


def source_of(network: Network, dims=None, dtype: str = "float64", predict_only=False) -> str:
    """Return the emitted file of a network."""
    return "".join(emit(lower(derive(network), dims), "numpy", dtype, predict_only).values())


def loaded(source: str, folder: Path, name: str = "emitted") -> Any:
    """Return an emitted file as a module."""
    path = folder / f"{name}.py"
    path.write_text(source, encoding="utf-8")
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def module_of(text: str, folder: Path, dtype: str = "float64") -> Any:
    """Return the module emitted for a network's text."""
    return loaded(source_of(parse(text), dtype=dtype), folder)


def several(network: Network, count: int) -> Values:
    """Return values of several samples, which share what is not data."""
    rows = [random_values(network, seed) for seed in range(count)]
    names = tuple(t.name for t in network.of_role(*GIVEN))
    data = {name: np.stack([row.arrays[name] for row in rows]) for name in names}
    return Values(rows[0].dims, {**rows[0].arrays, **data}, names)


def results(module: Any, network: Network, values: Values) -> tuple[float, dict[str, Any]]:
    """Return loss and gradients that a module computes at given values."""
    params = module.parameters(0, np.float64)
    for tensor in network.of_role(*STORED):
        if tensor.name in values.arrays:
            params[tensor.name] = np.array(values.arrays[tensor.name], np.float64)
    lone = network.batch is None and not values.sampled
    batch = {
        t.name: np.asarray(values.arrays[t.name])[None if lone else ...]
        for t in network.of_role(*GIVEN)
    }
    loss, gradients, _ = module.loss_and_gradients(params, batch)
    return float(loss), {name: np.asarray(g, np.float64) for name, g in gradients.items()}
