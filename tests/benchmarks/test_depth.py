"""CPU time of deriving and emitting a stack of dense layers, by depth, beside naive SymPy.

Run with ``python -m pytest -m bench -s tests/benchmarks``; the tables are printed. CPU time, not
time on the clock, so that other work on the machine counts as little as possible.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
import sympy

from derivgen.calculus.engine import derive
from derivgen.language import parse
from derivgen.lowering import lower
from derivgen.targets.emit import emit

DEPTHS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)
STAGES = ("parse", "derive", "lower", "numpy", "cpp")
NAIVE_WIDTH = 2
NAIVE_PATIENCE = 10.0  # seconds; naive SymPy is not asked for the next depth after this
LINEAR = 1.6  # twice the depth may take this much more than twice the time: noise of one run
GOALS = {128: 0.3, 1024: 2.0}  # seconds beyond import; printed, not asserted: machines differ

pytestmark = pytest.mark.bench


def stack(depth: int, width: int) -> str:
    """Return the text of an MLP with ``depth`` hidden layers."""
    lines = [f"network stack\ninput x[{width}]\ntarget y[{width}]"]
    for layer in range(1, depth + 1):
        below = f"h{layer - 1}" if layer > 1 else "x"
        lines.append(f"h{layer} = dense({below}, {width}, tanh)")
    return "\n".join([*lines, f"loss E = mse(h{depth}, y)", ""])


def seconds(work: Callable[[], Any]) -> tuple[float, Any]:
    """Return the CPU time of a call, and its result."""
    start = time.process_time()
    result = work()
    return time.process_time() - start, result


def staged(text: str) -> dict[str, float]:
    """Return the CPU time of each stage between a text and its two trainers."""
    taken = {}
    taken["parse"], network = seconds(lambda: parse(text))
    taken["derive"], derivation = seconds(lambda: derive(network))
    taken["lower"], program = seconds(lambda: lower(derivation))
    for target in ("numpy", "cpp"):
        taken[target], _ = seconds(lambda target=target: emit(program, target))
    return taken


def to_numpy(taken: dict[str, float]) -> float:
    """Return the time from the text to the NumPy trainer."""
    return sum(taken[stage] for stage in STAGES if stage != "cpp")


def naive(depth: int) -> int:
    """Differentiate the loss written out over all components; return the operations counted."""
    values: list[Any] = list(sympy.symbols(f"x:{NAIVE_WIDTH}"))
    weights: list[Any] = []
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


def test_deriving_and_emitting_grows_linearly_with_depth():
    staged(stack(2, 3))  # imports and caches
    patient = True
    times = {}
    print("\n depth  " + "".join(f"{stage:>8}" for stage in STAGES) + "  ms a layer  naive SymPy")

    for depth in DEPTHS:
        taken = staged(stack(depth, 64))
        times[depth] = to_numpy(taken)
        slow = seconds(lambda depth=depth: naive(depth))[0] if patient else None
        patient = slow is not None and slow < NAIVE_PATIENCE / 8
        columns = "".join(f"{taken[stage]:8.3f}" for stage in STAGES)
        shown = f"{slow:11.3f}" if slow is not None else f"{'-':>11}"
        print(f"{depth:6d}  {columns}  {1000 * times[depth] / depth:10.2f}  {shown}")

    for depth, goal in GOALS.items():
        print(f"{depth} layers: {times[depth]:.2f} s of CPU, goal {goal} s on an idle core")
    assert times[1024] < 8 * LINEAR * times[128]


def test_deriving_does_not_depend_on_width():
    staged(stack(2, 3))

    narrow = to_numpy(staged(stack(16, 2)))
    wide = to_numpy(staged(stack(16, 4096)))

    print(f"\n16 layers of width 2: {narrow:.3f} s, of width 4096: {wide:.3f} s")
    assert wide < 2 * narrow
