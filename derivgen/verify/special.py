"""Functions of whole matrices in a formula: softmax along an axis, diag, sums, trace, norms."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from derivgen.algebra.expressions import Along
from derivgen.verify.context import Context, ShapeMismatch, Value
from derivgen.verify.matrices import row_sums
from derivgen.verify.numeric import NoValue, folded, mp
from derivgen.verify.windows import turned


def elementwise(function: Callable[..., Any], args: list[Value]) -> Value:
    """Apply a function of numbers to numbers or to matrices of one shape."""
    if not any(isinstance(a, np.ndarray) for a in args):
        return function(*args)
    shapes = dict.fromkeys(a.shape for a in args if isinstance(a, np.ndarray))
    if len(shapes) > 1:
        raise ShapeMismatch("the sides have different shapes")
    made = np.frompyfunc(function, len(args), 1)
    return made(*args)


def _softmax(a: Any) -> Any:
    exps = elementwise(mp.exp, [a])
    if 1 in a.shape:
        return exps / folded("sum", list(exps.reshape(-1)))
    raise NoValue("softmax of a matrix: the axis is not written")


def softmax_along(a: Any, context: Context) -> Any:
    """Return the softmax of each row of a matrix, or of each column where the network does so."""
    axes = [
        [form.plain for form in equation.lhs.indices].index(equation.rhs.indices[0])
        for equation in context.world.network.equations
        if isinstance(equation.rhs, Along)
        and len(equation.lhs.indices) == 2
        and len(equation.rhs.indices) == 1
    ]
    if not axes or len(set(axes)) > 1:
        raise NoValue("softmax of a matrix: the axis is not written")
    lines = a if axes[0] == 1 else a.T
    made = np.stack([_softmax(line.reshape(1, -1)).reshape(-1) for line in lines])
    return made if axes[0] == 1 else made.T


def _diag(a: Any) -> Any:
    if 1 not in a.shape:
        raise NoValue("diag of a matrix")
    flat = a.reshape(-1)
    found = np.full((len(flat), len(flat)), mp.mpf(0), dtype=object)
    for k, value in enumerate(flat):
        found[k, k] = value
    return found


def _trace(a: Any) -> Any:
    if a.shape[0] != a.shape[1]:
        raise ShapeMismatch("the trace of a matrix that is not square")
    return folded("sum", [a[k, k] for k in range(a.shape[0])])


def _norm(a: Value) -> Any:
    flat = list(a.reshape(-1)) if isinstance(a, np.ndarray) else [a]
    return mp.sqrt(folded("sum", [v * v for v in flat]))


def _absolute(a: Value) -> Any:
    return elementwise(abs, [a])


SPECIAL: Mapping[str, Callable[[Any], Any]] = {
    "softmax": _softmax,
    "diag": _diag,
    "rowsum": row_sums,
    "rot180": turned,
    "colsum": lambda a: np.transpose(row_sums(a.T)),
    "allsum": lambda a: folded("sum", list(a.reshape(-1))),
    "tr": _trace,
    "norm": _norm,
    "abs": _absolute,
}
