"""The closing table: all derivatives with their forms, shapes and costs."""

from __future__ import annotations

from derivgen.algebra.expressions import ZERO
from derivgen.calculus.derivation import Step
from derivgen.forms.fold import Equality
from derivgen.forms.math import Op, Sym, row
from derivgen.forms.matrix import NoMatrixForm
from derivgen.notes.backward import backward_label, shown_steps
from derivgen.notes.costs import cost
from derivgen.notes.document import Formula, Prose, Ref, Section, Table
from derivgen.notes.forward import shape
from derivgen.notes.groups import grouped
from derivgen.notes.inline import recursions
from derivgen.notes.stacks import Stack, relative
from derivgen.notes.view import View, display, matrix_display
from derivgen.notes.words import say, word

RATE = Sym("eta")
ABREAST = 66  # rough characters of assignments on one line


def summary_section(
    view: View,
    wrt: tuple[str, ...] | None,
    found: tuple[Stack, ...],
    layer: int | None = None,
) -> Section:
    """Return the table of all derivatives."""
    rows: list[tuple[Prose, ...]] = []
    runs = grouped(view, shown_steps(view, wrt, found, layer))
    for step, stack in (shown for run in runs for shown in run):
        seen = view if stack is None else relative(view, stack)
        for number, equality in enumerate(view.folded[step.adjoint]):
            rows += _rows(seen, step, equality, number)
    keys = ("index form", "matrix form", "shape", "cost", "equation")
    head = tuple((word(view.lang, key),) for key in keys)
    scalars = not any(tensor.axes for tensor in view.derivation.tensors.values())
    shown = [c for c in range(len(keys)) if any(line[c] != ("",) for line in rows)]
    shown = [c for c in shown if not (scalars and keys[c] == "shape")]
    table = Table(tuple(head[c] for c in shown), tuple(tuple(r[c] for c in shown) for r in rows))
    return Section(say(view.lang, "summary"), (table,))


def _rows(view: View, step: Step, equality: Equality, number: int) -> list[tuple[Prose, ...]]:
    """Return a row for an equation; a delta is shown as its recursion, one row for each case."""
    total = len(view.folded[step.adjoint])
    label = backward_label(step.adjoint if step.auxiliary else step.quantity)
    label += f":{number}" if number < total - 1 else ""
    cases = recursions(view, equality) if view.is_delta(step) else []
    if len(cases) < 2:
        shown = cases[0].equality if cases else equality
        return [_row(view, step, shown, label)]
    labels = [*(f"{label}:case{n}" for n in range(len(cases) - 1)), label]
    return [_row(view, step, c.equality, own) for c, own in zip(cases, labels, strict=True)]


def _row(view: View, step: Step, equality: Equality, label: str) -> tuple[Prose, ...]:
    left, right = display(view, equality)
    tensor = view.derivation.tensors[step.adjoint]
    return (
        (Formula(row(left, Op("="), right)),),
        _matrix_cell(view, equality),
        (Formula(shape(view, tensor)),),
        (Formula(cost(view, equality)),),
        (Ref(label),),
    )


def _matrix_cell(view: View, equality: Equality) -> Prose:
    if not equality.lhs.indices or equality.rhs == ZERO:
        return ("",)
    try:
        left, right = matrix_display(view, equality)
    except NoMatrixForm:
        return ("–",)
    return (Formula(row(left, Op("="), right)),)
