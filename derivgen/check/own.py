"""The check of a person's own code: a loss, its gradient, and a point in any form."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from derivgen.algebra import counter
from derivgen.check.directions import SIDES, Point, check_lines
from derivgen.check.messages import CodeProblem, Message, message, problem
from derivgen.check.precision import POINTS, SPACING, precision_of
from derivgen.check.report import Report, entry_name
from derivgen.check.trees import Form, call, numbers, read_gradient, read_point
from derivgen.errors import DerivgenError

NOISE_LINES = 3
ASIDE = 1e-3  # of the point: the lines keep off a kink that the point itself is on
STREAM = 4_000_000
ELSEWHERE = 0.1  # from the point
SAME = 1e-6  # two calls at one point may differ so much, as sums in parallel do


def check_gradient(
    f: Callable[..., Any],
    grad: Callable[..., Any] | Any,
    x: Any,
    names: Sequence[str] | None = None,
    seed: int = 0,
    lang: str = "en",
) -> Report:
    """Compare a hand-written gradient with slopes of ``f`` at ``x``.

    ``x`` is an array, a number, or a dictionary, list, tuple or named tuple of such, nested at
    will; a list goes in part by part (``f(W, b)``) unless ``f`` takes one argument. ``grad`` is a
    function like ``f`` or its result, in the form of ``x``. ``f`` is called first, then ``grad``.
    The report names entries, both values and the error bound, and the likely mistake.
    Raises: DataError, if gradient and point differ in shape or ``f`` gives no single number.
    """
    try:
        return _checked(f, grad, x, names, seed, lang)
    except CodeProblem as reason:
        raise reason.say_in(lang) from reason.__cause__


def _checked(
    f: Callable[..., Any],
    grad: Callable[..., Any] | Any,
    x: Any,
    names: Sequence[str] | None,
    seed: int,
    lang: str,
) -> Report:
    point, form = read_point(x, f, names)
    if not sum(array.size for array in point.values()):
        raise problem("x", "empty", "give-one")
    code = _Code(f, form, point)
    first = code.steady_loss()
    given = code.steady_gradient(grad) if callable(grad) else read_gradient(grad, form, point)
    precision = precision_of(code.seen, code.noise_lines(seed), list(given.values()))
    gradients = {name: numbers(name, array) for name, array in given.items()}
    report = check_lines(code.lines, first, gradients, point, seed, precision)
    notes: list[Message] = []
    if not math.isfinite(first):
        notes.append(message("not-finite", value=first))
    if not precision.is_double:
        notes.append(message("coarse", size=max(precision.rounding, precision.noise)))
    if callable(grad) and not _same(code.gradient_after_another_point(grad), given):
        notes.append(message("cached"))
    return replace(report, notes=(*report.notes, *notes), lang=lang)


class _Code:
    """A person's loss at points around one, and what it returned there."""

    def __init__(self, f: Callable[..., Any], form: Form, point: Mapping[str, Any]) -> None:
        self.f, self.form, self.point = f, form, point
        self.seen: list[Any] = []

    def loss(self, point: Mapping[str, Any]) -> float:
        found = _called(self.form, self.f, point, "f")
        if len(self.seen) < POINTS:
            self.seen.append(found)
        return _single(found)

    def steady_loss(self) -> float:
        """Return the loss at the point. Raises: DataError, if a second call gives another."""
        first, again = self.loss(self.point), self.loss(self.point)
        apart = abs(first - again) > SAME * abs(first)
        if apart or math.isnan(first) != math.isnan(again):
            raise problem("f", "random", "fix-seed", first=first, again=again, name="f")
        return first

    def gradient(self, grad: Callable[..., Any]) -> dict[str, Any]:
        return read_gradient(_called(self.form, grad, self.point, "grad"), self.form, self.point)

    def gradient_after_another_point(self, grad: Callable[..., Any]) -> dict[str, Any]:
        """Return the gradient at the point once the loss was asked for at another."""
        self._moved_loss({name: array + ELSEWHERE for name, array in self.point.items()})
        return self.gradient(grad)

    def steady_gradient(self, grad: Callable[..., Any]) -> dict[str, Any]:
        """Return the gradient at the point. Raises: DataError, if a second call gives another."""
        first = {name: np.copy(part) for name, part in self.gradient(grad).items()}
        again = self.gradient(grad)
        if not _same(first, again):
            name = next(n for n in first if not _same({n: first[n]}, {n: again[n]}))
            gap = np.abs(numbers(name, again[name]) - numbers(name, first[name]))
            place = tuple(map(int, np.unravel_index(int(np.argmax(gap)), gap.shape)))
            one, two = float(first[name][place]), float(again[name][place])
            entry = entry_name(name, place)
            raise problem("grad", "adds-up", "reset", entry=entry, first=one, again=two)
        return first

    def lines(self, vectors: Sequence[Mapping[str, Any]]) -> Any:
        """Return the losses along each vector, at every step to both sides."""
        found = []
        for vector in vectors:
            for step in SIDES:
                moved = {n: a + step * vector[n] for n, a in self.point.items() if n in vector}
                found.append(self._moved_loss({**self.point, **moved}))
        return np.array(found).reshape(len(vectors), 2, -1)

    def _moved_loss(self, point: Mapping[str, Any]) -> float:
        """Return the loss beside the point; where the code breaks down it has no value."""
        try:
            return self.loss(point)
        except CodeProblem as reason:
            if reason.what.key != "ends":
                raise
            return math.nan

    def noise_lines(self, seed: int) -> list[list[float]]:
        """Return the loss at close points on a few lines beside the point."""
        found = []
        for number in range(NOISE_LINES):
            start, along = (
                {
                    name: 2 * counter.uniform(seed, STREAM + 97 * number + which + k, a.size) - 1
                    for k, (name, a) in enumerate(self.point.items())
                }
                for which in (0, 50_000)
            )
            found.append([self._beside(start, along, k * SPACING) for k in range(POINTS)])
        return found

    def _beside(self, start: Point, along: Point, step: float) -> float:
        moved = {
            name: a + (1 + np.abs(a)) * (ASIDE * start[name] + step * along[name]).reshape(a.shape)
            for name, a in self.point.items()
        }
        return self._moved_loss(moved)


def _same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return all(
        np.allclose(numbers(n, one[n]), numbers(n, other[n]), rtol=SAME, atol=0, equal_nan=True)
        for n in one
    )


def _called(form: Form, function: Callable[..., Any], point: Mapping[str, Any], name: str) -> Any:
    """Call a person's code on copies of the point. Raises: DataError, whatever it raises."""
    copies = {key: array.copy() for key, array in point.items()}
    try:
        with np.errstate(all="ignore"):
            found = call(function, form, copies)
    except DerivgenError:
        raise
    except SystemExit as reason:
        raise problem(name, "quits", "no-exit") from reason
    except Exception as reason:
        raise problem(name, "ends", kind=type(reason).__name__, reason=reason) from reason
    if any(not np.array_equal(copies[k], point[k], equal_nan=True) for k in point):
        raise problem(name, "changes", "copy")
    return found


def _single(value: Any) -> float:
    if isinstance(value, (tuple, list, dict)) and len(value) != 1:
        kind = type(value).__name__
        raise problem("f", "several", "loss-alone", kind=kind, count=len(value))
    array = numbers("f", value)
    if array.size != 1:
        raise problem("f", "many", "loss-alone", count=array.size)
    return float(array.reshape(-1)[0])
