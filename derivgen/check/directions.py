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
from derivgen.check.mistakes import mistakes
from derivgen.check.precision import FULL, Precision
from derivgen.check.report import Finding, ParameterReport, Report, judge, unexplained

EVERY_ENTRY = 2000  # so many parameters are tried one by one; above, a sample
SEEDED, LARGEST, ZEROS, DENSE = 12, 3, 3, 6  # per tensor, and over all of them
AT_ONCE = 64  # directions per call of the loss
STREAM = 3_000_000

Point = Mapping[str, Any]
Losses = Callable[[Mapping[str, Any]], Any]  # arrays with a leading axis of points -> losses
Lines = Callable[[Sequence[Mapping[str, Any]]], Any]  # vectors -> losses along them
SIDES = tuple(sign * h for sign in (1, -1) for h in STEPS)


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
    point = {name: np.asarray(array, dtype=np.float64) for name, array in point.items()}
    centre = float(np.asarray(losses({n: a[None] for n, a in point.items()}))[0])

    def lines(vectors: Sequence[Point]) -> Any:
        found = losses(_stacked(vectors, point))
        return np.asarray(found, dtype=np.float64).reshape(len(vectors), 2, len(STEPS))

    return check_lines(lines, centre, gradients, point, seed)


def check_lines(
    lines: Lines,
    centre: float,
    gradients: Point,
    point: Point,
    seed: int = 0,
    precision: Precision = FULL,
) -> Report:
    """Compare ``gradients`` at ``point``, where the loss is ``centre``, with slopes along lines.

    ``lines`` returns, for each of several vectors, the losses at every step to both sides.
    """
    gradients = {name: np.asarray(gradients[name], dtype=np.float64) for name in point}
    scale = _scale(gradients) or abs(centre)
    directions = _directions(gradients, seed)
    findings: list[Finding] = []
    for start in range(0, len(directions), AT_ONCE):
        some = directions[start : start + AT_ONCE]
        vectors = [_vector(direction, point, seed) for direction in some]
        for direction, vector, (plus, minus) in zip(some, vectors, lines(vectors)):
            slope = estimate(centre, plus.tolist(), minus.tolist(), precision, scale)
            given = _along(gradients, vector)
            findings.append(judge(direction.name, direction.place, given, slope, scale, precision))
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


def _stacked(vectors: Sequence[Point], point: Point) -> dict[str, Any]:
    """Return the points along each vector, at every step to both sides, under one leading axis."""
    steps = np.array(SIDES)
    stacked = {}
    for name, array in point.items():
        moved = np.repeat(array[None], len(vectors) * len(steps), axis=0)
        moved = moved.reshape(len(vectors), len(steps), *array.shape)
        for k, vector in enumerate(vectors):
            if name in vector:
                moved[k] += np.multiply.outer(steps, vector[name])
        stacked[name] = moved.reshape(-1, *array.shape)
    return stacked


def _along(gradients: Point, vector: Point) -> float:
    with np.errstate(invalid="ignore"):  # a gradient that is infinite is refused, not warned of
        return sum(float(np.sum(gradients[n] * v)) for n, v in vector.items())


def _report(findings: Sequence[Finding], gradients: Point, point: Point, seed: int) -> Report:
    own = {name: tuple(f for f in findings if f.name == name) for name in gradients}
    found = mistakes(own, {name: g.shape for name, g in gradients.items()}, point)
    parts = {
        name: ParameterReport(name, own[name], gradient.size, found.get(name))
        for name, gradient in gradients.items()
    }
    dense = tuple(f for f in findings if not f.name)
    count = sum(g.size for g in gradients.values())
    directions = ParameterReport("", dense, count) if dense else None
    return Report(parts, directions, seed, notes=unexplained(parts))
