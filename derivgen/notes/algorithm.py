"""One step of gradient descent as pseudocode: scans and stacks of layers as loops."""

from __future__ import annotations

from dataclasses import dataclass, replace

from derivgen.algebra.affine import Index, affine, indices_of
from derivgen.algebra.expressions import (
    ONE,
    Add,
    Compare,
    Condition,
    Expr,
    IndexValue,
    Iverson,
    Mul,
    Number,
    add,
    index_value,
    mul,
    substitute,
    tensors_read,
)
from derivgen.algebra.network import Role
from derivgen.algebra.statements import Assign, Scan, Statement, statements_of
from derivgen.algebra.statements import Block as Nest
from derivgen.calculus.gather import needed
from derivgen.calculus.schedule import schedule
from derivgen.forms.fold import Equality, renamed
from derivgen.forms.layout import Context, affine_math, letter
from derivgen.forms.math import Math, Num, Op, Sym, row
from derivgen.forms.names import LAYER
from derivgen.forms.notation import symbol
from derivgen.notes.document import Formula, Prose, Pseudocode
from derivgen.notes.forward import stack_range
from derivgen.notes.packing import why_width
from derivgen.notes.stacks import Stack, relative, stack_of
from derivgen.notes.view import View, condition, display, side
from derivgen.notes.words import join, say

RATE = Sym("eta")
ABREAST = 66  # rough characters of assignments on one line
Lines = list[tuple[int, Prose]]


@dataclass(frozen=True)
class Assigned:
    """A line of pseudocode, and the condition under which it is run."""

    told: Prose
    when: Math | None


def algorithm(view: View, found: tuple[Stack, ...]) -> Pseudocode:
    """Return one step of gradient descent as pseudocode, scans and stacks as loops."""
    lang = view.lang
    derivation = view.derivation
    lines: list[tuple[int, Prose]] = []
    if derivation.network.batch is None and derivation.network.of_role(Role.INPUT):
        lines.append((0, say(lang, "for each sample")))
    deep = len(lines)
    forward = schedule(derivation.forward, derivation.tensors, derivation.network.equations)
    backward = schedule(derivation.backward, derivation.tensors, derivation.network.equations)
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
    along: Index | None = None,
) -> Lines:
    """Return the lines of scheduled statements, those of one tensor folded where they meet.

    ``written`` collects the tensors written so far; a later statement adds to them. ``along`` is
    the index of the loop around them.
    """
    lines: Lines = []
    run: list[Assigned] = []
    pending = list(nests)
    while pending:
        nest = pending.pop(0)
        if isinstance(nest, Assign) and not _stack_here(view, found, nest):
            together = [nest.statement, *_followers(pending, nest)]
            adds = nest.statement.lhs.tensor in written and _is_general(nest)
            if _is_general(nest):
                written.add(nest.statement.lhs.tensor)
            run += [_assign(view, equality, adds, along) for equality in view.fold(together)]
            continue
        lines += _conditioned(view, run, deep)
        run = []
        if isinstance(nest, Scan):
            tight = _tight(nest)
            lines.append((deep, _scan(view, tight)))
            lines += _nests(view, tight.blocks, deep + 1, (), key, written, tight.index)
        elif stack := _stack_here(view, found, nest):
            own = [nest, *(n for n in pending if _stack_here(view, found, n) == stack)]
            taken = set(map(id, own))
            pending = [n for n in pending if id(n) not in taken]
            lines += _loop(view, stack, own, deep, key)
    return lines + _conditioned(view, run, deep)


def _conditioned(view: View, run: list[Assigned], deep: int) -> Lines:
    """Return lines, those with one condition that follow each other under a line that says it."""
    lines: Lines = []
    pending = list(run)
    while pending:
        when = pending[0].when
        size = next((n for n, other in enumerate(pending) if other.when != when), len(pending))
        group, pending = pending[:size], pending[size:]
        if when is None:
            lines += [(deep, each.told) for each in group]
        elif size == 1:
            told = say(view.lang, "if", condition=Formula(when))
            lines.append((deep, join((*group[0].told, "   ", *told))))
        else:
            lines.append((deep, say(view.lang, "if", condition=Formula(when))))
            lines += [(deep + 1, each.told) for each in group]
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


def _followers(pending: list[Nest], nest: Assign) -> list[Statement]:
    """Take from ``pending`` the statements that add to the same tensor and may be run at once."""
    target = nest.statement.lhs.tensor
    found: list[Statement] = []
    written: set[str] = set()
    for other in list(pending):
        if not isinstance(other, Assign):
            break
        reads = set(tensors_read(other.statement.body))
        if other.statement.lhs.tensor == target and not reads & written:
            found.append(other.statement)
            pending.remove(other)
        elif target in reads:
            break
        else:
            written.add(other.statement.lhs.tensor)
    return found


def _assign(view: View, equality: Equality, adds: bool, along: Index | None) -> Assigned:
    conditions, rhs = _guarded(equality.rhs)
    if along is not None:
        here = {i: affine(along) for i in equality.indices if i.name == along.name}
        conditions = [substitute(c, here) for c in conditions]
    conditions = list(needed([*conditions, *_outside(equality, along)]))
    left, _ = display(view, equality)
    right = side(view, rhs, equality)
    if equality.lhs.tensor in tensors_read(rhs) and adds:
        adds = False
    told: Prose = (Formula(row(left, Op("adds" if adds else "gets"), right)),)
    when = condition(view, tuple(conditions), equality.indices) if conditions else None
    return Assigned(told, when)


def _outside(equality: Equality, along: Index | None) -> list[Condition]:
    """Return the conditions by which an equation is not run at every turn of the loop."""
    found: list[Condition] = []
    for index in equality.indices:
        if along is not None and index.name == along.name:
            here = index_value(affine(along))
            if index.low != along.low:
                found.append(Compare(">=", here, index_value(index.low)))
            if index.high != along.high:
                found.append(Compare("<=", here, index_value(index.high - 1)))
    return found


def _guarded(rhs: Expr) -> tuple[list[Condition], Expr]:
    """Part brackets in front of a product from the rest: they say when the line is run at all."""
    if isinstance(rhs, Iverson):
        return [rhs.condition], ONE
    if isinstance(rhs, Add):
        parted = [_guarded(term) for term in rhs.terms]
        shared = all(found == parted[0][0] for found, _ in parted)
        return (parted[0][0], add(*(rest for _, rest in parted))) if shared else ([], rhs)
    if not isinstance(rhs, Mul):
        return [], rhs
    brackets = [f.condition for f in rhs.factors if isinstance(f, Iverson)]
    rest = [f for f in rhs.factors if not isinstance(f, Iverson)]
    return brackets, mul(*rest) if rest else ONE


def _tight(scan: Scan) -> Scan:
    """Return a loop without its first turns if nothing in it is run there."""
    lows = {_lowest(statement, scan.index) for statement in statements_of(scan.blocks)}
    low = lows.pop() if len(lows) == 1 else None
    if low is None:
        return scan
    index = Index(scan.index.name, affine(low), scan.index.high)
    return _renamed(scan, scan.index, index)


def _lowest(statement: Statement, index: Index) -> int | None:
    """Return the ``c`` of a guard ``index >= c``."""
    for guard in statement.guard:
        match guard:
            case Compare(">=", IndexValue(form), Number(value)) if form.plain == index:
                return int(value)
    return None


def _renamed(scan: Scan, old: Index, new: Index) -> Scan:
    blocks: list[Nest] = []
    for block in scan.blocks:
        if isinstance(block, Scan):
            blocks.append(_renamed(block, old, new))
        else:
            moved = renamed(block.statement, {old: affine(new)})
            blocks.append(Assign(replace(moved, guard=needed(moved.guard))))
    return replace(scan, index=new if scan.index == old else scan.index, blocks=tuple(blocks))


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
