"""Checks of a network's own derivation, and of a person's NumPy code."""

from __future__ import annotations

import math
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
from derivgen.errors import DataError, DerivgenError
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
    if not sum(array.size for array in point.values()):
        raise DataError("x", "The point has no entries.", "Give at least one number.")
    given = _called(call, grad, point, "grad") if callable(grad) else grad
    gradients = _named(given, point)
    first, again = (_single(_called(call, f, point, "f")) for _ in range(2))
    if first != again and not (math.isnan(first) and math.isnan(again)):
        raise DataError(
            "f", f"It gives {first:.10g} and {again:.10g} at one point.", "Fix its seed inside f."
        )

    def losses(stacked: Mapping[str, Any]) -> Any:
        count = len(next(iter(stacked.values())))
        rows = ({n: a[k] for n, a in stacked.items()} for k in range(count))
        return np.array([_single(_called(call, f, row, "f")) for row in rows])

    report = check_point(losses, gradients, point, seed)
    if not math.isfinite(first):
        return replace(report, note=f"f gives {first} at the point: nothing can be measured there.")
    return report


def _called(
    call: Callable[..., Any], function: Callable[..., Any], point: Mapping[str, Any], name: str
) -> Any:
    """Call a person's code on copies of the point. Raises: DataError, whatever it raises."""
    copies = {key: array.copy() for key, array in point.items()}
    try:
        with np.errstate(all="ignore"):
            found = call(function, copies)
    except DerivgenError:
        raise
    except Exception as problem:
        raise DataError(name, f"It ends in {type(problem).__name__}: {problem}.") from problem
    if any(not np.array_equal(copies[k], point[k], equal_nan=True) for k in point):
        raise DataError(name, "It changes its argument.", "Work on a copy inside.")
    return found


def _point(x: Any, names: Sequence[str] | None) -> tuple[dict[str, Any], Callable[..., Any]]:
    if isinstance(x, Mapping):
        point = {name: _numbers(name, array) for name, array in x.items()}
        return point, lambda function, arrays: function(dict(arrays))
    if isinstance(x, (list, tuple)) and any(np.ndim(part) for part in x):
        labels = list(names) if names else [f"x{k}" for k in range(len(x))]
        if len(labels) != len(x):
            raise DataError("names", f"There are {len(labels)} names for {len(x)} arrays.")
        point = {n: _numbers(n, a) for n, a in zip(labels, x)}
        return point, lambda function, arrays: function(*(arrays[name] for name in point))
    label = names[0] if names else "x"
    return {label: _numbers(label, x)}, lambda function, arrays: function(arrays[label])


def _numbers(name: str, values: Any) -> Any:
    """Return an array of doubles. Raises: DataError, for anything that is none."""
    try:
        found = np.array(values)
        if np.iscomplexobj(found):
            raise DataError(name, "It holds complex numbers.", "Give real ones.")
        return found.astype(np.float64)
    except (TypeError, ValueError) as problem:
        raise DataError(name, f"It holds no array of numbers: {problem}.") from problem


def _named(given: Any, point: Mapping[str, Any]) -> dict[str, Any]:
    if isinstance(given, Mapping):
        parts = dict(given)
    elif len(point) == 1:
        parts = {next(iter(point)): given}
    else:
        parts = _in_order(given, point)
    found = {}
    for name, array in point.items():
        if name not in parts:
            raise DataError(name, f"The gradient has no part for {name}.")
        if parts[name] is None:
            raise DataError(name, "The gradient is None.", "Return it from the function.")
        found[name] = _numbers(name, parts[name])
        if found[name].shape != array.shape:
            raise DataError(
                name,
                f"The gradient has shape {found[name].shape}, {name} has {array.shape}.",
                _turned(found[name].shape, array.shape),
            )
    return found


def _in_order(given: Any, point: Mapping[str, Any]) -> dict[str, Any]:
    count = len(given) if isinstance(given, (list, tuple)) else 1
    if count != len(point):
        raise DataError("grad", f"It returns {count} parts for {len(point)} arrays.")
    return dict(zip(point, given))


def _turned(shape: tuple[int, ...], wanted: tuple[int, ...]) -> str:
    if len(shape) > 1 and shape == wanted[::-1]:
        return "It is transposed."
    return "Return one slope for every entry."


def _single(value: Any) -> float:
    array = _numbers("f", value)
    if array.size != 1:
        raise DataError("f", f"f returns {array.size} numbers.", "Return the loss alone.")
    return float(array.reshape(-1)[0])
