"""Which directions to try, and the check of a gradient along them.

The core takes the loss as a function of many points at once and the gradient as numbers, so that
an interpreter, a trainer and a person's own code are all judged by the same lines.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from derivgen.algebra import counter
from derivgen.check.estimate import STEPS, estimate
from derivgen.check.mistakes import likely_mistake, swapped
from derivgen.check.report import Finding, ParameterReport, Report, judge

EVERY_ENTRY = 2000  # so many parameters are tried one by one; above, a sample
SEEDED, LARGEST, ZEROS, DENSE = 12, 3, 3, 6  # per tensor, and over all of them
AT_ONCE = 64  # directions per call of the loss
STREAM = 3_000_000

Point = Mapping[str, Any]
Losses = Callable[[Mapping[str, Any]], Any]  # arrays with a leading axis of points -> losses


@dataclass(frozen=True)
class Direction:
    """An entry of a tensor, or (``name`` "") the number of a dense random direction."""

    name: str
    place: tuple[int, ...]


def check_point(losses: Losses, gradients: Point, point: Point, seed: int = 0) -> Report:
    """Compare ``gradients`` at ``point`` with slopes of the loss.

    Shapes: both as the parameters, name by name; ``losses`` takes arrays with one leading axis
    more and returns one loss for each of its values.
    """
    gradients = {name: np.asarray(gradients[name], dtype=np.float64) for name in point}
    point = {name: np.asarray(array, dtype=np.float64) for name, array in point.items()}
    scale = _scale(gradients)
    centre = float(np.asarray(losses({n: a[None] for n, a in point.items()}))[0])
    scale = scale or abs(centre)
    directions = _directions(gradients, seed)
    findings: list[Finding] = []
    for start in range(0, len(directions), AT_ONCE):
        some = directions[start : start + AT_ONCE]
        findings += _try(losses, gradients, point, some, centre, scale, seed)
    return _report(findings, gradients, point, seed)


def _scale(gradients: Point) -> float:
    sizes = [float(np.max(np.abs(g))) for g in gradients.values() if g.size]
    return max([size for size in sizes if math.isfinite(size)], default=0.0)


def _directions(gradients: Point, seed: int) -> list[Direction]:
    count = sum(g.size for g in gradients.values())
    if count <= EVERY_ENTRY:
        return [Direction(n, place) for n, g in gradients.items() for place in np.ndindex(g.shape)]
    found = [
        Direction(name, tuple(int(k) for k in np.unravel_index(flat, g.shape)))
        for number, (name, g) in enumerate(gradients.items())
        for flat in _sampled(g.ravel(), seed, number)
    ]
    return found + [Direction("", (k,)) for k in range(DENSE)]


def _sampled(gradient: Any, seed: int, number: int) -> list[int]:
    """Return seeded entries, the largest and some zero ones, without repeats, in order."""
    order = np.argsort(counter.uniform(seed, STREAM + number, gradient.size), kind="stable")
    largest = np.argsort(-np.abs(gradient), kind="stable")[:LARGEST]
    zeros = order[gradient[order] == 0][:ZEROS]
    return sorted({int(k) for part in (order[:SEEDED], largest, zeros) for k in part})


def _vector(direction: Direction, point: Point, seed: int) -> dict[str, Any]:
    if direction.name:
        unit = np.zeros_like(point[direction.name])
        unit[direction.place] = 1.0
        return {direction.name: unit}
    stream = STREAM + 1000 * (1 + direction.place[0])
    return {
        name: 2 * counter.uniform(seed, stream + k, array.size).reshape(array.shape) - 1
        for k, (name, array) in enumerate(point.items())
    }


def _try(
    losses: Losses,
    gradients: Point,
    point: Point,
    directions: Sequence[Direction],
    centre: float,
    scale: float,
    seed: int,
) -> list[Finding]:
    vectors = [_vector(direction, point, seed) for direction in directions]
    steps = np.array([sign * h for sign in (1, -1) for h in STEPS])
    stacked = {}
    for name, array in point.items():
        moved = np.repeat(array[None], len(vectors) * len(steps), axis=0)
        moved = moved.reshape(len(vectors), len(steps), *array.shape)
        for k, vector in enumerate(vectors):
            if name in vector:
                moved[k] += np.multiply.outer(steps, vector[name])
        stacked[name] = moved.reshape(-1, *array.shape)
    found = np.asarray(losses(stacked), dtype=np.float64).reshape(len(vectors), 2, len(STEPS))
    return [
        judge(
            direction.name,
            direction.place,
            _along(gradients, vector),
            estimate(centre, plus.tolist(), minus.tolist()),
            scale,
        )
        for direction, vector, (plus, minus) in zip(directions, vectors, found)
    ]


def _along(gradients: Point, vector: Point) -> float:
    with np.errstate(invalid="ignore"):  # a gradient that is infinite is refused, not warned of
        return sum(float(np.sum(gradients[n] * v)) for n, v in vector.items())


def _report(findings: Sequence[Finding], gradients: Point, point: Point, seed: int) -> Report:
    own = {name: tuple(f for f in findings if f.name == name) for name in gradients}
    mixed = swapped({name: (own[name], g.shape) for name, g in gradients.items()})
    parts = {}
    for name, gradient in gradients.items():
        words = mixed.get(name) or likely_mistake(own[name], gradient.shape, point[name])
        parts[name] = ParameterReport(name, own[name], gradient.size, words)
    dense = tuple(f for f in findings if not f.name)
    count = sum(g.size for g in gradients.values())
    return Report(parts, ParameterReport("", dense, count) if dense else None, seed)
