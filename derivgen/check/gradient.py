"""Checks of a network's own derivation, and of a person's NumPy code."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from derivgen.algebra.affine import Dim
from derivgen.algebra.network import Network
from derivgen.algebra.values import Values
from derivgen.calculus.derivation import Derivation
from derivgen.calculus.engine import derive
from derivgen.check.directions import check_point
from derivgen.check.points import losses_at
from derivgen.check.report import INCONCLUSIVE, Finding, ParameterReport, Report
from derivgen.errors import DataError
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
    report = Report({}, note="No point with a finite loss was found.")
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


# --- a person's own code -------------------------------------------------------------------------


def check_gradient(
    f: Callable[..., Any],
    grad: Callable[..., Any] | Any,
    x: Any,
    names: Sequence[str] | None = None,
    seed: int = 0,
) -> Report:
    """Compare a hand-written gradient with slopes of ``f`` at ``x``.

    ``x`` is an array, a number, a dictionary of arrays, or a sequence of arrays (``f`` then takes
    them one by one); ``grad`` is a function like ``f`` or its result, in the form of ``x``.
    The report names entries, both values and the error bound, and the likely mistake.
    Raises: DataError, if gradient and point differ in shape or ``f`` gives no single number.
    """
    point, call = _point(x, names)
    given = call(grad, point) if callable(grad) else grad
    gradients = _named(given, point)

    def losses(stacked: Mapping[str, Any]) -> Any:
        count = len(next(iter(stacked.values())))
        return np.array(
            [_single(call(f, {n: a[k] for n, a in stacked.items()})) for k in range(count)]
        )

    return check_point(losses, gradients, point, seed)


def _point(x: Any, names: Sequence[str] | None) -> tuple[dict[str, Any], Callable[..., Any]]:
    if isinstance(x, Mapping):
        point = {name: np.array(array, dtype=np.float64) for name, array in x.items()}
        return point, lambda function, arrays: function(dict(arrays))
    if isinstance(x, (list, tuple)) and any(np.ndim(part) for part in x):
        labels = list(names) if names else [f"x{k}" for k in range(len(x))]
        point = {n: np.array(a, dtype=np.float64) for n, a in zip(labels, x, strict=True)}
        return point, lambda function, arrays: function(*(arrays[name] for name in point))
    label = names[0] if names else "x"
    return {label: np.array(x, dtype=np.float64)}, lambda function, arrays: function(arrays[label])


def _named(given: Any, point: Mapping[str, Any]) -> dict[str, Any]:
    if isinstance(given, Mapping):
        parts = dict(given)
    elif len(point) == 1:
        parts = {next(iter(point)): given}
    else:
        parts = dict(zip(point, given, strict=True))
    found = {}
    for name, array in point.items():
        if name not in parts:
            raise DataError(name, f"The gradient has no part for {name}.")
        found[name] = np.asarray(parts[name], dtype=np.float64)
        if found[name].shape != array.shape:
            raise DataError(
                name,
                f"The gradient has shape {found[name].shape}, {name} has {array.shape}.",
                "Return one slope for every entry.",
            )
    return found


def _single(value: Any) -> float:
    array = np.asarray(value, dtype=np.float64)
    if array.size != 1:
        raise DataError("f", f"f returns {array.size} numbers.", "Return the loss alone.")
    return float(array.reshape(-1)[0])
