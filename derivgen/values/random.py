"""Random values for a network's tensors that satisfy its roles and declared facts.

Everything is drawn, parameters too: a weight left at 0 or a gamma at 1 hides mistakes. Facts are
met by projecting onto them in turn until all hold. Invariant: values that come back satisfy every
role and fact, or an error says which fact cannot be drawn for.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from derivgen.algebra import counter
from derivgen.algebra.affine import Dim, evaluate_affine
from derivgen.algebra.expressions import (
    Access,
    Expr,
    Number,
    Pow,
    Reduce,
    free_indices,
    number,
)
from derivgen.algebra.network import Fact, Network, Role, Tensor
from derivgen.algebra.values import Values
from derivgen.errors import FactError
from derivgen.values.draw import declared_values, draw_random, scalar
from derivgen.values.facts import fact_text, violations

STREAM = 2_000_000  # of our own, so that no training run sees these numbers
ROUNDS = 200  # of alternating projections
SMALL = 2  # the smallest size given to a letter without a value

# How wide and around what values are drawn; later rows suit networks that want positive numbers.
STYLES = ("signed", "positive data", "positive")


def random_values(
    network: Network,
    seed: int = 0,
    dims: Mapping[Dim, int] | None = None,
    style: str = "signed",
    extra: Mapping[str, Tensor] | None = None,
) -> Values:
    """Return one sample of random values that satisfy roles and facts.

    Open sizes become small and pairwise different. ``style`` is one of `STYLES`.
    Raises: FactError, if no values are found that satisfy a fact.
    """
    sizes = _sizes(network, dims or {})
    arrays: dict[str, Any] = {}
    given = [t for t in network.tensors.values() if t.role is not Role.VALUE]
    for place, tensor in enumerate([*given, *(extra or {}).values()]):
        arrays[tensor.name] = _drawn(tensor, place, sizes, seed, style)
    arrays.update(_from_distributions(network, arrays, sizes, seed))
    return _satisfying(network, Values(sizes, arrays))


def _from_distributions(
    network: Network, arrays: Mapping[str, Any], dims: Mapping[Dim, int], seed: int
) -> dict[str, Any]:
    """Return the random tensors; their range may be what keeps an equation in its domain."""
    constants = {name: array for name, array in arrays.items() if np.ndim(array) == 0}
    return {
        tensor.name: draw_random(tensor, number, dims, seed, constants)
        for number, tensor in enumerate(network.of_role(Role.RANDOM))
        if tensor.distribution is not None
    }


def _sizes(network: Network, dims: Mapping[Dim, int]) -> dict[Dim, int]:
    sizes = {dim: dims.get(dim, size) for dim, size in network.dims.items()}
    taken = {size for size in sizes.values() if size is not None}
    found: dict[Dim, int] = {}
    free = SMALL
    for dim, size in sizes.items():
        if size is None:
            while free in taken:
                free += 1
            size = free
            taken.add(size)
        found[dim] = size
    return found


def _drawn(tensor: Tensor, number: int, dims: Mapping[Dim, int], seed: int, style: str) -> Any:
    shape = tuple(evaluate_affine(axis.size, dims) for axis in tensor.axes)
    unit = counter.uniform(seed, STREAM + number, math.prod(shape)).reshape(shape)
    if tensor.values_of is not None:
        low = evaluate_affine(tensor.values_of.low, dims)
        size = evaluate_affine(tensor.values_of.size, dims)
        return low + np.floor(unit * size).astype(np.int64)
    if tensor.onehot and shape:
        return (unit == unit.max(axis=-1, keepdims=True)).astype(np.float64)
    if tensor.role is Role.CONST and tensor.values is not None:
        return np.broadcast_to(declared_values(tensor), shape).copy()
    trained = tensor.role is Role.PARAM
    if style == "positive" or (style == "positive data" and not trained):
        return 0.1 + 0.8 * unit
    fan = math.prod(evaluate_affine(size, dims) for size in tensor.fan_in) if trained else 1
    return (2.0 * unit - 1.0) / math.sqrt(max(1, fan) / 4 if fan > 4 else 1.0)


# --- facts ---------------------------------------------------------------------------------------


def _satisfying(network: Network, values: Values) -> Values:
    facts = [fact for fact in network.facts if not fact.implied_by]
    arrays = dict(values.arrays)
    for _ in range(ROUNDS):
        broken = [fact for fact in facts if any(violations(network, fact, values))]
        if not broken:
            return values
        for fact in broken:
            _project(network, fact, arrays, values.dims)
            values = values.with_arrays(arrays)
    raise _undrawable(broken[0])


def _undrawable(fact: Fact) -> FactError:
    return FactError(
        fact_text(fact),
        "No random values were found that satisfy this fact.",
        "Write it as sum[k](x[k]) = c, x[i,j] = x[j,i], x[0] = c, or sum[k](x[k]^2) = c.",
    )


def _project(network: Network, fact: Fact, arrays: dict[str, Any], dims: Mapping[Dim, int]) -> None:
    """Move a tensor onto ``sum[k](x) = c``, of squares, ``x = c``, or ``x[i,j] = x[j,i]``."""
    left, right = (fact.left, fact.right)
    if isinstance(left, Number):
        left, right = right, left
    if isinstance(left, Reduce) and left.op in ("sum", "mean"):
        _project_sum(left, _level(right, dims, arrays, fact), arrays, dims)
    elif isinstance(left, Access) and isinstance(right, Access) and left.tensor == right.tensor:
        _project_symmetric(left, right, arrays)
    elif isinstance(left, Access):
        _assign(network, left, _level(right, dims, arrays, fact), arrays, dims)
    else:
        raise _undrawable(fact)


def _level(expr: Expr, dims: Mapping[Dim, int], arrays: Mapping[str, Any], fact: Fact) -> float:
    if free_indices(expr):
        raise _undrawable(fact)
    return scalar(expr, dims, {n: a for n, a in arrays.items() if np.ndim(a) == 0})


def _project_sum(
    left: Reduce, level: float, arrays: dict[str, Any], dims: Mapping[Dim, int]
) -> None:
    squared = isinstance(left.body, Pow) and left.body.exponent == number(2)
    access = left.body.base if isinstance(left.body, Pow) and squared else left.body
    if not isinstance(access, Access):
        return
    axes = tuple(a for a, form in enumerate(access.indices) if form.plain in left.bound)
    array = arrays[access.tensor]
    if left.op == "mean":
        level *= math.prod(array.shape[a] for a in axes)
    if squared:
        arrays[access.tensor] = array * np.sqrt(level / (array**2).sum(axis=axes, keepdims=True))
    elif level > 0:
        array = np.abs(array) + 0.05
        arrays[access.tensor] = array * level / array.sum(axis=axes, keepdims=True)
    else:
        count = math.prod(array.shape[a] for a in axes)
        arrays[access.tensor] = array + (level - array.sum(axis=axes, keepdims=True)) / count


def _project_symmetric(left: Access, right: Access, arrays: dict[str, Any]) -> None:
    order = [right.indices.index(form) for form in left.indices]
    array = arrays[left.tensor]
    arrays[left.tensor] = (array + array.transpose(order)) / 2


def _assign(
    network: Network, left: Access, level: float, arrays: dict[str, Any], dims: Mapping[Dim, int]
) -> None:
    axes = network.tensors[left.tensor].axes
    places: list[Any] = []
    for form, axis in zip(left.indices, axes):
        low = evaluate_affine(axis.low, dims)
        places.append(slice(None) if form.plain else evaluate_affine(form, dict(dims)) - low)
    array = arrays[left.tensor].copy()
    array[tuple(places)] = level
    arrays[left.tensor] = array
