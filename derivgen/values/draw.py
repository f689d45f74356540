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
from derivgen.algebra.network import Initialiser, Tensor
from derivgen.errors import DataError


def draw_parameter(tensor: Tensor, number: int, dims: Mapping[Dim, int], seed: int) -> Any:
    """Return the starting values of parameter ``number`` (in order of declaration, from 0)."""
    shape = tuple(evaluate_affine(axis.size, dims) for axis in tensor.axes)
    if tensor.values is not None:
        return np.asarray(_floats(tensor.values), dtype=np.float64).reshape(shape)
    fans = [_product(fan, dims) for fan in (tensor.fan_in, tensor.fan_out)]
    kind, low, high = _start(tensor, fans[0], fans[1])
    count, stream = math.prod(shape), counter.PARAMETER_STREAM + number
    return _scaled(kind, low, high, seed, stream, count).reshape(shape)


def _floats(nested: Any) -> Any:
    return [_floats(part) for part in nested] if isinstance(nested, tuple) else float(nested)


def _product(sizes: tuple[Affine, ...], dims: Mapping[Dim, int]) -> int:
    return math.prod(evaluate_affine(size, dims) for size in sizes)


def _start(tensor: Tensor, fan_in: int, fan_out: int) -> tuple[str, float, float]:
    rule = tensor.initialiser or Initialiser("fan_in")
    settings = tuple(float(value) for value in rule.settings)
    match rule.name, settings:
        case ("uniform" | "normal", (low, high)):
            return rule.name, low, high
        case ("constant" | "zeros" | "ones", _):
            level = settings[0] if settings else float(rule.name == "ones")
            return "constant", level, 0.0
        case ("glorot" | "xavier", _):
            bound = math.sqrt(6 / (fan_in + fan_out))
            return "uniform", -bound, bound
        case ("he" | "kaiming", _):
            return "normal", 0.0, math.sqrt(2 / fan_in)
        case ("fan_in", _):
            return "uniform", -1 / math.sqrt(fan_in), 1 / math.sqrt(fan_in)
    raise DataError(
        tensor.name, f"There is no initialiser {rule.name} with {len(settings)} values."
    )


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
