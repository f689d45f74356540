"""Time of deriving and emitting a stack of dense layers, by depth, beside naive SymPy.

Run with ``python -m pytest -m bench -s tests/benchmarks``; the table is printed.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
import sympy

import derivgen

DEPTHS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)
NAIVE_WIDTH = 2
NAIVE_PATIENCE = 10.0  # seconds; naive SymPy is not asked for the next depth after this
LINEAR = 1.6  # twice the depth may take this much more than twice the time: noise of one run
AT_128, AT_1024 = 0.3, 2.0  # seconds beyond import on a 2-core machine

pytestmark = pytest.mark.bench


def stack(depth: int, width: int) -> str:
    """Return the text of an MLP with ``depth`` hidden layers."""
    lines = [f"network stack\ninput x[{width}]\ntarget y[{width}]"]
    for layer in range(1, depth + 1):
        below = f"h{layer - 1}" if layer > 1 else "x"
        lines.append(f"h{layer} = dense({below}, {width}, tanh)")
    return "\n".join([*lines, f"loss E = mse(h{depth}, y)", ""])


def seconds(work: Callable[[], object]) -> float:
    """Return how long a call takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def naive(depth: int) -> int:
    """Differentiate the loss written out over all components; return the operations counted."""
    values = list(sympy.symbols(f"x:{NAIVE_WIDTH}"))
    weights = []
    for layer in range(depth):
        w = sympy.symbols(f"w{layer}_:{NAIVE_WIDTH * NAIVE_WIDTH}")
        weights += w
        rows = [w[i * NAIVE_WIDTH : (i + 1) * NAIVE_WIDTH] for i in range(NAIVE_WIDTH)]
        values = [
            sympy.tanh(sum((a * v for a, v in zip(row, values, strict=True)), sympy.S.Zero))
            for row in rows
        ]
    loss = sum((v**2 for v in values), sympy.S.Zero)
    return sum(int(sympy.diff(loss, w).count_ops()) for w in weights)


def derive_and_emit(text: str) -> None:
    """Do all the work between a text and its two trainers."""
    net = derivgen.network(text)
    net.emit("numpy")
    net.emit("cpp")


def test_deriving_and_emitting_grows_linearly_with_depth():
    derive_and_emit(stack(2, 3))  # imports and caches
    patient = True
    times = {}
    print(f"\n{'depth':>6} {'derivgen s':>11} {'ms a layer':>11} {'naive SymPy s':>14}")

    for depth in DEPTHS:
        text = stack(depth, 64)
        times[depth] = seconds(lambda text=text: derive_and_emit(text))
        slow = seconds(lambda depth=depth: naive(depth)) if patient else None
        patient = slow is not None and slow < NAIVE_PATIENCE / 8
        shown = f"{slow:14.3f}" if slow is not None else f"{'-':>14}"
        print(f"{depth:6d} {times[depth]:11.3f} {1000 * times[depth] / depth:11.3f} {shown}")

    assert times[1024] < 8 * LINEAR * times[128]
    assert times[128] < AT_128
    assert times[1024] < AT_1024


def test_deriving_does_not_depend_on_width():
    derive_and_emit(stack(2, 3))

    narrow = seconds(lambda: derive_and_emit(stack(16, 2)))
    wide = seconds(lambda: derive_and_emit(stack(16, 4096)))

    print(f"\n16 layers of width 2: {narrow:.3f} s, of width 4096: {wide:.3f} s")
    assert wide < 2 * narrow
