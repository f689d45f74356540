"""The exact oracle: the loss and its derivatives, in numbers of sixty digits.

It reads a network's equations as written, unrolled (`tests.oracle.unroll`), and shares nothing
with normalising, scheduling, the engine or the interpreter.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

import numpy as np
import sympy

from derivgen.algebra.affine import Dim, evaluate_affine
from derivgen.algebra.network import Network
from tests.oracle.unroll import Unrolled, mp, real

__all__ = ["exact_gradients", "exact_hessian_vector", "real"]


def exact_gradients(
    network: Network, dims: Mapping[Dim, int], arrays: Mapping[str, Any], wrt: Any = None
) -> tuple[Any, dict[str, Any]]:
    """Return the loss and its gradients by name, in mpmath numbers, for one sample."""
    unrolled = Unrolled(network, dims, arrays)
    root = unrolled.element(network.loss, ())
    loss, adjoints = unrolled.number(root), unrolled.gradients(root)
    names = wrt or [tensor.name for tensor in network.parameters]
    return loss, {name: _array(unrolled, name, adjoints) for name in names}


def exact_hessian_vector(
    network: Network, dims: Mapping[Dim, int], arrays: Mapping[str, Any], wrt: str, then: Any
) -> dict[str, Any]:
    """Return the derivatives of ``sum(dE/dW * v_W)`` by ``then``, where W is ``wrt``."""
    unrolled = Unrolled(network, dims, arrays)
    loss = unrolled.element(network.loss, ())
    axes = network.tensors[wrt].axes
    terms = []
    for position, place in zip(_positions(axes, dims), _places(axes, dims), strict=True):
        direction = unrolled.constant(real(arrays[f"v_{wrt}"][position]))
        terms.append(direction * unrolled.slope(loss, unrolled.element(wrt, place)))
    root = sympy.Dummy("slope")
    unrolled.definitions[root] = sympy.Add(*terms)
    adjoints = unrolled.gradients(root)
    return {name: _array(unrolled, name, adjoints) for name in then}


def _places(axes: Any, dims: Mapping[Dim, int]) -> list[tuple[int, ...]]:
    spans = [range(*(evaluate_affine(e, dims) for e in (a.low, a.high))) for a in axes]
    return list(itertools.product(*spans))


def _positions(axes: Any, dims: Mapping[Dim, int]) -> list[tuple[int, ...]]:
    return list(np.ndindex(*(evaluate_affine(axis.size, dims) for axis in axes)))


def _array(unrolled: Unrolled, name: str, adjoints: Mapping[Any, Any]) -> Any:
    axes = unrolled.network.tensors[name].axes
    array = np.empty([evaluate_affine(a.size, unrolled.dims) for a in axes], dtype=object)
    for position, place in zip(
        _positions(axes, unrolled.dims), _places(axes, unrolled.dims), strict=True
    ):
        array[position] = adjoints.get(unrolled.elements.get((name, place)), mp.mpf(0))
    return array
