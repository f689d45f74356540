r"""The sign * between signals and images: correlation or convolution, within the edges or beyond.

Networks slide a window, ``z[i] = sum[u](w[u]*x[i+u])``: the sign means what they do. The error goes
back through the turned window over all places, ``\delta * rot180(W)`` of full size.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from derivgen.algebra.affine import Index
from derivgen.algebra.expressions import Access, walk
from derivgen.algebra.network import Network
from derivgen.verify.context import ShapeMismatch
from derivgen.verify.numeric import NoValue, mp

WAYS = ("valid", "full", "turned valid", "turned full")


def slides(network: Network | None) -> str:
    """Return how a network slides its windows: ``+`` for x[i+u], ``-`` for x[i-u], or nothing."""
    for equation in network.equations if network else ():
        for part in walk(equation.rhs):
            for form in part.indices if isinstance(part, Access) else ():
                signs = [c for atom, c in form.terms if isinstance(atom, Index)]
                if len(signs) == 2:
                    return "-" if min(signs) < 0 else "+"
    return ""


def slid(a: Any, b: Any, way: str) -> Any:
    """Return ``a * b`` as a correlation of two signals or images, or as a convolution (turned).

    Raises: ShapeMismatch, where neither fits into the other; NoValue, for more than two axes.
    """
    if a.ndim != 2 or b.ndim != 2:
        raise NoValue("a convolution of several channels")
    if way.endswith("valid") and all(x <= y for x, y in zip(a.shape, b.shape)):
        a, b = b, a  # the smaller one is the window
    if way.startswith("turned"):
        b = turned(b)
    if way.endswith("full"):
        rows, columns = b.shape
        a = _bordered(a, rows - 1, columns - 1)
    return _correlated(a, b)


def turned(a: Any) -> Any:
    """Return a window turned by half a turn."""
    return a[::-1, ::-1] if a.ndim == 2 else a[..., ::-1, ::-1]


def _bordered(a: Any, rows: int, columns: int) -> Any:
    made = np.full((a.shape[0] + 2 * rows, a.shape[1] + 2 * columns), mp.mpf(0), dtype=object)
    made[rows : rows + a.shape[0], columns : columns + a.shape[1]] = a
    return made


def _correlated(a: Any, b: Any) -> Any:
    height, width = (x - y + 1 for x, y in zip(a.shape, b.shape))
    if height < 1 or width < 1:
        raise ShapeMismatch("a window larger than what it slides over")
    made = np.empty((height, width), dtype=object)
    for i in range(height):
        for j in range(width):
            made[i, j] = (a[i : i + b.shape[0], j : j + b.shape[1]] * b).sum()
    return made if made.size > 1 else made[0, 0]
