"""Steps of a net of numbers side by side: those of one kind share a heading, in declared order.

Invariant: a step still stands after every step it reads.
"""

from __future__ import annotations

from collections.abc import Iterator

from derivgen.algebra.expressions import tensors_read
from derivgen.calculus.derivation import Step
from derivgen.notes.stacks import Stack
from derivgen.notes.view import View

Shown = tuple[Step, Stack | None]


def kind(view: View, step: Step) -> str:
    """Return the phrase that heads a step: a delta, a gradient, another derivative, a sum."""
    if step.auxiliary:
        return "step auxiliary"
    if step.quantity in view.derivation.gradients:
        return "step gradient"
    return "step delta" if view.is_delta(step) else "step value"


def grouped(view: View, steps: list[Shown]) -> list[list[Shown]]:
    """Return the steps in runs of one kind if all quantities are numbers, else one by one."""
    if any(tensor.axes for tensor in view.derivation.tensors.values()):
        return [[shown] for shown in steps]
    return [_in_order(view, run) for run in _runs(view, steps)]


def _runs(view: View, steps: list[Shown]) -> Iterator[list[Shown]]:
    run: list[Shown] = []
    for shown in steps:
        if run and kind(view, run[0][0]) != kind(view, shown[0]):
            yield run
            run = []
        run.append(shown)
    if run:
        yield run


def _in_order(view: View, run: list[Shown]) -> list[Shown]:
    """Return a run in the order in which its quantities are declared, if none reads another."""
    own = {step.adjoint for step, _ in run}
    if any(own & set(_reads(step)) for step, _ in run):
        return run
    order = {name: place for place, name in enumerate(view.derivation.tensors)}
    return sorted(run, key=lambda shown: order[shown[0].quantity])


def _reads(step: Step) -> Iterator[str]:
    for statement in (*step.result, *(made.statement for made in step.contributions)):
        yield from tensors_read(statement.body)
