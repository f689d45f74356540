"""Checks of a network's own derivation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from derivgen.algebra.affine import Dim
from derivgen.algebra.network import Network
from derivgen.algebra.values import Values
from derivgen.calculus.derivation import Derivation
from derivgen.calculus.engine import derive
from derivgen.check.directions import check_point
from derivgen.check.messages import message
from derivgen.check.points import losses_at
from derivgen.check.report import INCONCLUSIVE, Finding, ParameterReport, Report
from derivgen.interpret import value_and_gradients
from derivgen.values.random import STYLES, random_values

REDRAWS = 4  # further points where one decides nothing
SEED_STEP = 7919  # between the seeds of two points

Gradients = Callable[[Values], tuple[float, Mapping[str, Any]]]


def check(
    network: Network,
    seed: int = 0,
    dims: Mapping[Dim, int] | None = None,
    derivation: Derivation | None = None,
    gradients: Gradients | None = None,
) -> Report:
    """Compare a network's gradients with slopes of its loss at a random point.

    The loss is the interpreter's. ``gradients`` is what is judged: (loss, gradients by name) at
    values; by default the interpreter's run of ``derivation``. A point that decides nothing is
    drawn again.
    """
    derivation = derivation or derive(network)
    judged = gradients or (lambda values: value_and_gradients(derivation, values))
    report = Report({}, notes=(message("no-point"),))
    for attempt in range(1 + REDRAWS):
        style = STYLES[attempt % len(STYLES)] if attempt else STYLES[0]
        values = random_values(network, seed + SEED_STEP * attempt, dims, style)
        found = check_at(derivation, values, judged, seed)
        if found is None:
            continue
        report = replace(found, points=attempt + 1)
        if report.verdict != INCONCLUSIVE:
            return report
    return report if report.parameters else _undecided(derivation, report)


def check_at(
    derivation: Derivation, values: Values, gradients: Gradients, seed: int = 0
) -> Report | None:
    """Return the report at one point of one sample, ``None`` where the loss is not finite."""
    loss, found = gradients(values)
    if not np.isfinite(float(loss)):
        return None
    losses = losses_at(derivation, values)
    point = {name: values.arrays[name] for name in derivation.gradients}
    return check_point(losses, found, point, seed)


def _undecided(derivation: Derivation, report: Report) -> Report:
    nan = float("nan")
    parts = {
        name: ParameterReport(name, (Finding(name, (), nan, nan, nan, INCONCLUSIVE),), 0)
        for name in derivation.gradients
    }
    return replace(report, parameters=parts)
