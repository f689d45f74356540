"""Draws what nobody gave: parameters from their initialisers, random tensors, from a seed.

The bits are those of `derivgen.algebra.counter`, so that every target starts from the same numbers.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from derivgen.algebra import counter
from derivgen.algebra.affine import Affine, Dim, evaluate_affine
from derivgen.algebra.arithmetic import FLOATS
from derivgen.algebra.evaluate import Cells, Machine, Store, value
from derivgen.algebra.expressions import Expr
from derivgen.algebra.network import Initialiser, InitialiserRule, Tensor
from derivgen.errors import DataError

Rules = Mapping[str, InitialiserRule]


def draw_parameter(
    tensor: Tensor, number: int, dims: Mapping[Dim, int], seed: int, rules: Rules
) -> Any:
    """Return the starting values of parameter ``number`` (in order of declaration, from 0).

    ``rules`` are the network's initialisers.
    """
    shape = tuple(evaluate_affine(axis.size, dims) for axis in tensor.axes)
    if tensor.values is not None:
        return np.broadcast_to(declared_values(tensor), shape).copy()
    kind, numbers = _start(tensor, dims, rules)
    low, high = (*numbers, 0.0)[:2]
    count, stream = math.prod(shape), counter.PARAMETER_STREAM + number
    return _scaled(kind, low, high, seed, stream, count).reshape(shape)


def declared_values(tensor: Tensor) -> Any:
    """Return the values in the network's text; a single number stands for every entry."""
    return np.asarray(_floats(tensor.values), dtype=np.float64)


def _floats(nested: Any) -> Any:
    return [_floats(part) for part in nested] if isinstance(nested, tuple) else float(nested)


def _start(tensor: Tensor, dims: Mapping[Dim, int], rules: Rules) -> tuple[str, list[float]]:
    """Return a distribution's name and numbers for a parameter's initialiser."""
    rule = tensor.initialiser or Initialiser("fan_in")
    row = rules.get(rule.name)
    if row is None:
        if rule.name in ("uniform", "normal", "constant"):
            return rule.name, [float(value) for value in rule.settings]
        raise DataError(
            tensor.name,
            f"There is no initialiser {rule.name}.",
            f"Initialisers: {', '.join(rules)}.",
        )
    given = dict(zip((name for name, _ in row.settings), rule.settings))
    known = {name: float(given.get(name, default)) for name, default in row.settings}
    known |= {"fan_in": _product(tensor.fan_in, dims), "fan_out": _product(tensor.fan_out, dims)}
    scale = row.distribution.scale
    factor = 1.0 if scale is None else scalar(scale, dims, known)
    return row.distribution.name, [
        factor * scalar(argument, dims, known) for argument in row.distribution.arguments
    ]


def _product(sizes: tuple[Affine, ...], dims: Mapping[Dim, int]) -> int:
    return math.prod(evaluate_affine(size, dims) for size in sizes)


def _scaled(kind: str, a: float, b: float, seed: int, stream: int, count: int) -> Any:
    if kind == "uniform":
        return a + (b - a) * counter.uniform(seed, stream, count)
    if kind == "normal":
        return a + b * counter.normal(seed, stream, count)
    return np.full(count, a)


def draw_random(
    tensor: Tensor,
    number: int,
    dims: Mapping[Dim, int],
    seed: int,
    constants: Mapping[str, Any],
    samples: int | None = None,
    step: int = 1,
) -> Any:
    """Return a random tensor of one step, with a sample axis if ``samples`` is given.

    ``constants`` are the rank-0 values the distribution may read.
    """
    distribution = tensor.distribution
    if distribution is None:
        raise DataError(tensor.name, f"The random tensor {tensor.name} has no distribution.")
    shape = tuple(evaluate_affine(axis.size, dims) for axis in tensor.axes)
    shape = shape if samples is None else (samples, *shape)
    stream = counter.RANDOM_STREAM + 1000 * step + number
    args = [scalar(argument, dims, constants) for argument in distribution.arguments]
    drawn = _distributed(distribution.name, args, seed, stream, math.prod(shape))
    if distribution.scale is not None:
        drawn = drawn * scalar(distribution.scale, dims, constants)
    return drawn.reshape(shape)


def _distributed(name: str, args: list[float], seed: int, stream: int, count: int) -> Any:
    if name == "bernoulli":
        return (counter.uniform(seed, stream, count) < args[0]).astype(np.float64)
    low, high = args if args else (0.0, 1.0)
    return _scaled(name, low, high, seed, stream, count)


def scalar(expr: Expr, dims: Mapping[Dim, int], constants: Mapping[str, Any]) -> float:
    """Return the value of an expression without indices."""
    stores = {name: Store(np.asarray(v, dtype=np.float64), ()) for name, v in constants.items()}
    cells = Cells(Machine(stores, dims, {}, FLOATS), 1, {})
    return float(np.asarray(value(expr, cells)).ravel()[0])
