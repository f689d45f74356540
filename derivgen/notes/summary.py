"""The closing pages: all results in a table, and the algorithm as pseudocode."""

from __future__ import annotations

from derivgen.algebra.affine import indices_of
from derivgen.algebra.expressions import ONE, ZERO, Condition, Expr, Iverson, Mul, mul, tensors_read
from derivgen.algebra.network import Role
from derivgen.algebra.statements import Assign, Scan
from derivgen.algebra.statements import Block as Nest
from derivgen.calculus.derivation import Step
from derivgen.calculus.schedule import schedule
from derivgen.forms.fold import Equality
from derivgen.forms.layout import Context, affine_math, letter
from derivgen.forms.math import Math, Num, Op, Sym, row
from derivgen.forms.matrix import NoMatrixForm
from derivgen.forms.names import LAYER
from derivgen.forms.notation import symbol
from derivgen.notes.backward import backward_label, shown_steps
from derivgen.notes.costs import cost
from derivgen.notes.document import Formula, Inline, Prose, Pseudocode, Ref, Section, Table
from derivgen.notes.forward import shape, stack_range
from derivgen.notes.groups import grouped
from derivgen.notes.inline import recursions
from derivgen.notes.packing import why_width
from derivgen.notes.stacks import Stack, relative, stack_of
from derivgen.notes.view import View, condition, display, matrix_display, side
from derivgen.notes.words import join, say, word

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


def algorithm(view: View, found: tuple[Stack, ...]) -> Pseudocode:
    """Return one step of gradient descent as pseudocode, scans and stacks as loops."""
    lang = view.lang
    derivation = view.derivation
    lines: list[tuple[int, Prose]] = []
    if derivation.network.batch is None and derivation.network.of_role(Role.INPUT):
        lines.append((0, say(lang, "for each sample")))
    deep = len(lines)
    forward = schedule(derivation.forward, derivation.tensors)
    backward = schedule(derivation.backward, derivation.tensors)
    lines.append((deep, say(lang, "forward step")))
    lines += _nests(view, forward, deep + 1, found, "stack up", set())
    lines.append((deep, say(lang, "backward step")))
    lines += _nests(view, backward, deep + 1, found, "stack down", set())
    if deep:
        lines.append((0, say(lang, "mean over samples")))
    lines.append((0, say(lang, "update step")))
    lines += _updates(view, found)
    if not any(tensor.axes for tensor in derivation.tensors.values()):
        lines = _side_by_side(lines)
    return Pseudocode(say(lang, "algorithm title", rate=Formula(RATE)), tuple(lines))


def _side_by_side(lines: list[tuple[int, Prose]]) -> list[tuple[int, Prose]]:
    """Return the lines with short assignments of numbers beside each other."""
    found: list[tuple[int, Prose]] = []
    for deep, told in lines:
        alike = found and found[-1][0] == deep and isinstance(told[0], Formula)
        together = (*found[-1][1], ";  ", *told) if alike else ()
        if together and why_width(together) <= ABREAST:
            found[-1] = (deep, together)
        else:
            found.append((deep, told))
    return found


def _updates(view: View, found: tuple[Stack, ...]) -> list[tuple[int, Prose]]:
    lines: list[tuple[int, Prose]] = []
    for name in view.derivation.gradients:
        stack = stack_of(found, name)
        if stack is None:
            lines.append((1, _update(view, name)))
        elif name in stack.shown:
            told = _update(relative(view, stack), name)
            ends = ("   (", *stack_range(view, stack), ")")
            lines.append((1, join((*told, *ends))))
    return lines


def _update(view: View, name: str) -> Prose:
    parameter = symbol(view.notation, name)
    gradient = symbol(view.notation, view.derivation.gradients[name])
    step = row(parameter, Op("gets"), parameter, Op("-"), RATE, Op("times"), gradient)
    return (Formula(step),)


def _nests(
    view: View,
    nests: tuple[Nest, ...],
    deep: int,
    found: tuple[Stack, ...],
    key: str,
    written: set[str],
) -> list[tuple[int, Prose]]:
    """Return the lines of scheduled statements, those of one tensor folded where they meet.

    ``written`` collects the tensors written so far; a later statement adds to them.
    """
    lines: list[tuple[int, Prose]] = []
    pending = list(nests)
    while pending:
        nest = pending.pop(0)
        if isinstance(nest, Scan):
            lines.append((deep, _scan(view, nest)))
            lines += _nests(view, nest.blocks, deep + 1, (), key, written)
            continue
        if stack := _stack_here(view, found, nest):
            own = [nest, *(n for n in pending if _stack_here(view, found, n) == stack)]
            taken = set(map(id, own))
            pending = [n for n in pending if id(n) not in taken]
            lines += _loop(view, stack, own, deep, key)
            continue
        together = [nest.statement]
        while pending and _same(pending[0], nest):
            follower = pending.pop(0)
            assert isinstance(follower, Assign), "only assignments are taken together"
            together.append(follower.statement)
        adds = nest.statement.lhs.tensor in written and _is_general(nest)
        if _is_general(nest):
            written.add(nest.statement.lhs.tensor)
        lines += [(deep, _assign(view, equality, adds)) for equality in view.fold(together)]
    return lines


def _is_general(nest: Assign) -> bool:
    """Tell whether a statement writes at no fixed place: base cases never add."""
    return all(list(indices_of(form)) for form in nest.statement.lhs.indices)


def _stack_here(view: View, found: tuple[Stack, ...], nest: Nest) -> Stack | None:
    if not isinstance(nest, Assign):
        return None
    name = nest.statement.lhs.tensor
    adjoint = view.notation.adjoints.get(name)
    return stack_of(found, adjoint.quantity if adjoint else name)


def _loop(
    view: View, stack: Stack, nests: list[Nest], deep: int, key: str
) -> list[tuple[int, Prose]]:
    """Return a loop over the layers of a stack with the lines of the one that is shown."""
    shown = {*stack.shown, *(view.adjoint(name) for name in stack.shown)}
    first, last = Formula(Num(str(stack.first))), Formula(Num(str(stack.last)))
    head = say(view.lang, key, letter=Formula(Sym(LAYER)), first=first, last=last)
    own = tuple(n for n in nests if isinstance(n, Assign) and n.statement.lhs.tensor in shown)
    return [(deep, head), *_nests(relative(view, stack), own, deep + 1, (), key, set())]


def _same(other: Nest, nest: Assign) -> bool:
    return isinstance(other, Assign) and other.statement.lhs.tensor == nest.statement.lhs.tensor


def _assign(view: View, equality: Equality, adds: bool) -> Prose:
    conditions, rhs = _guarded(equality.rhs)
    left, _ = display(view, equality)
    right = side(view, rhs, equality)
    if equality.lhs.tensor in tensors_read(rhs) and adds:
        adds = False
    parts: list[Inline] = [Formula(row(left, Op("adds" if adds else "gets"), right))]
    if conditions:
        told = Formula(condition(view, tuple(conditions), equality.indices))
        parts += ["   ", *say(view.lang, "if", condition=told)]
    return join(tuple(parts))


def _guarded(rhs: Expr) -> tuple[list[Condition], Expr]:
    """Part brackets in front of a product from the rest: they say when the line is run at all."""
    if isinstance(rhs, Iverson):
        return [rhs.condition], ONE
    if not isinstance(rhs, Mul):
        return [], rhs
    brackets = [f.condition for f in rhs.factors if isinstance(f, Iverson)]
    rest = [f for f in rhs.factors if not isinstance(f, Iverson)]
    return brackets, mul(*rest) if rest else ONE


def _scan(view: View, scan: Scan) -> Prose:
    context: Context = view.context(first=[scan.index])
    low: Math = affine_math(scan.index.low, context)
    high = affine_math(scan.index.high - 1, context)
    key = "for scan down" if scan.reverse else "for scan"
    return say(
        view.lang,
        key,
        index=Formula(letter(scan.index, context)),
        low=Formula(low),
        high=Formula(high),
    )
