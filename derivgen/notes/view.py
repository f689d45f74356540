"""A derivation together with the notation and language it is shown in.

Invariant: every formula of the notes is laid out through `display` or `matrix_display`, so a
claim and its printed form cannot part.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property

from derivgen.algebra.affine import Affine, Index, affine, indices_of
from derivgen.algebra.expressions import (
    Access,
    Condition,
    Derivative,
    Expr,
    IndexValue,
    Node,
    Position,
    accesses,
    affine_forms,
    tensors_read,
    used_indices,
    walk,
)
from derivgen.algebra.network import Role
from derivgen.algebra.statements import Statement
from derivgen.calculus.derivation import Derivation, Step
from derivgen.forms.fold import Equality, fold
from derivgen.forms.layout import Context, condition_math, formula
from derivgen.forms.letters import assign_letters, letter_text
from derivgen.forms.math import Math, Op, joined
from derivgen.forms.matrix import NoMatrixForm, matrix_form
from derivgen.forms.matrix_layout import matrix_math, whole
from derivgen.forms.matrix_tree import Matrix, as_rows
from derivgen.forms.names import PaperName
from derivgen.forms.notation import (
    Adjoint,
    Notation,
    Surface,
    layer_axis,
    make_notation,
    parted_places,
)
from derivgen.forms.style import Style
from derivgen.formulas.surface import SurfaceTable
from derivgen.notes.held import Dependence, make_dependence
from derivgen.notes.slices import label_letters
from derivgen.notes.styles import surfaces
from derivgen.notes.widths import Widths, spans

PREFIX = "adj_"


@dataclass(frozen=True)
class Tables:
    """What every view of one derivation looks up; made once, shared by all of them."""

    derivation: Derivation

    @cached_property
    def folded(self) -> dict[str, tuple[Equality, ...]]:
        """Return the folded results of all steps, by adjoint."""
        tensors = self.derivation.tensors
        return {s.adjoint: fold(s.result, tensors[s.adjoint]) for s in self.derivation.steps}

    @cached_property
    def forward_of(self) -> dict[str, tuple[Statement, ...]]:
        """Return the forward statements that write each tensor."""
        found: dict[str, list[Statement]] = {}
        for statement in self.derivation.forward:
            found.setdefault(statement.lhs.tensor, []).append(statement)
        return {name: tuple(statements) for name, statements in found.items()}

    @cached_property
    def equations_of(self) -> dict[str, list[int]]:
        """Return the numbers of the equations of each tensor."""
        found: dict[str, list[int]] = {}
        for number, equation in enumerate(self.derivation.network.equations):
            found.setdefault(equation.lhs.tensor, []).append(number)
        return found

    @cached_property
    def derivatives_in(self) -> dict[int, list[str]]:
        """Return the derivatives that each equation asks for, by its number."""
        found: dict[int, list[str]] = {}
        for named in self.derivation.named.values():
            if named.reason == "derivative":
                found.setdefault(named.equation, []).append(named.name)
        return found

    @cached_property
    def adjoints(self) -> dict[str, str]:
        """Return the adjoint of each quantity that has a step."""
        return {quantity: step.adjoint for quantity, step in self.step_of.items()}

    @cached_property
    def step_of(self) -> dict[str, Step]:
        """Return the step of each quantity, auxiliary ones apart."""
        return {s.quantity: s for s in self.derivation.steps if not s.auxiliary}


@dataclass(frozen=True)
class View:
    """What the builders of the notes read: derivation, notation, language, and how much to show.

    ``layout``: vectors stand as ``columns`` or ``rows``. ``detail``: result, steps or full.
    ``widths``: the layers whose units an axis counts, where sizes of layers print as letters.
    ``cited``: the adjoints whose equations are shown, if not all of them are.
    """

    derivation: Derivation
    notation: Notation
    tables: Tables
    lang: str = "en"
    detail: str = "steps"
    layout: str = "columns"
    widths: Widths = field(default_factory=dict)
    cited: frozenset[str] | None = None

    @property
    def folded(self) -> dict[str, tuple[Equality, ...]]:
        """Return the folded results of all steps, by adjoint."""
        return self.tables.folded

    @property
    def forward_of(self) -> dict[str, tuple[Statement, ...]]:
        """Return the forward statements that write each tensor."""
        return self.tables.forward_of

    def adjoint(self, quantity: str) -> str:
        """Return the name of the adjoint of a tensor."""
        return self.tables.adjoints.get(quantity, f"{PREFIX}{quantity}")

    def cites(self, name: str) -> bool:
        """Tell whether the equation of a tensor or adjoint is among those shown."""
        backward = name in self.tables.folded
        return self.cited is None or not backward or name in self.cited

    def is_delta(self, step: Step) -> bool:
        """Tell whether a step's derivative is called a delta."""
        known = self.notation.adjoints.get(step.adjoint)
        return known is not None and known.is_delta

    @cached_property
    def dependence(self) -> Dependence:
        """Return what the forward tensors read, by steps of a recurrence."""
        tensors = self.derivation.tensors
        return make_dependence(self.derivation, {name: self.layer_axis(name) for name in tensors})

    def fold(self, statements: Iterable[Statement]) -> tuple[Equality, ...]:
        """Return the equations that statements writing one tensor make together."""
        found = tuple(statements)
        return fold(found, self.derivation.tensors[found[0].lhs.tensor])

    def context(self, *exprs: Expr, first: Iterable[Index] = ()) -> Context:
        """Return a context in which the indices of ``exprs`` have their letters."""
        found = [*first, *(index for expr in exprs for index in used_indices(expr))]
        letters = assign_letters(found, self.notation.written)
        known = spans(exprs, self.widths, self.notation) if self.widths else {}
        return Context(self.notation, letters, spans=known)

    def ranges(self, tensor: str) -> tuple[tuple[Affine, Affine], ...]:
        """Return the ends of each axis of a tensor."""
        declared = self.notation.tensors.get(tensor)
        return tuple((a.low, a.high) for a in declared.axes) if declared else ()

    def layer_axis(self, tensor: str) -> int | None:
        """Return the place of the axis that counts layers or steps, if the tensor has one."""
        if tensor in self.notation.adjoints:
            tensor = self.notation.adjoints[tensor].quantity
        return layer_axis(self.notation, tensor)

    def is_label(self, index: Index) -> bool:
        """Tell whether an index counts layers or steps."""
        letter = letter_text(index, self.notation.written)
        return letter == self.notation.layer_letter or letter in self.notation.labels


def make_view(
    derivation: Derivation,
    style: Style,
    lang: str = "en",
    detail: str = "steps",
    layout: str | None = None,
    table: SurfaceTable | None = None,
) -> View:
    """Return the view of a derivation in a style, with the symbols of a table of one's own."""
    network = derivation.network
    loss = network.loss or ""
    first = _first_loss(derivation)
    adjoints = {
        name: Adjoint(name[len(PREFIX) :], False, first)
        for name in derivation.tensors
        if name.startswith(PREFIX) and name[len(PREFIX) :] in derivation.tensors
    }
    for step in derivation.steps:
        if not step.auxiliary:
            # A second derivative has deltas of its own; only those of the loss are called so.
            given = derivation.tensors[step.quantity].role is not Role.VALUE
            delta = step.is_delta and loss == first and not given
            adjoints[step.adjoint] = Adjoint(step.quantity, delta, loss)
    written = frozenset(index.name for index in network.indices)
    invented = _invented(derivation)
    layers = {e.lhs.tensor: e.layer for e in network.equations if e.layer}
    notation = make_notation(
        style, loss, derivation.tensors, adjoints, _from_zero(derivation), written, layers, invented
    )
    kept = {name: f for name, f in notation.functions.items() if f not in network.functions}
    notation = replace(
        notation,
        functions=kept,
        labels=label_letters(derivation, written),
        partials=_inner_partials(derivation),
    )
    if table is not None:
        names = {s.quantity: s.adjoint for s in derivation.steps if not s.auxiliary}
        own = {
            tensor: {n: Surface(row.surface, row.reading.indices or ()) for n, row in rows.items()}
            for tensor, rows in surfaces(table, names).items()
        }
        notation = replace(notation, surfaces=own)
        layout = layout or table.layout
    view = View(derivation, notation, Tables(derivation), lang, detail)
    return replace(view, layout=layout or _layout(view))


def _first_loss(derivation: Derivation) -> str:
    """Return the network's own loss, also where its gradient is what was differentiated."""
    loss = derivation.network.loss or ""
    written = [e.lhs.tensor for e in derivation.network.equations]
    if loss in written or not written:
        return loss
    read = {name for e in derivation.network.equations for name in tensors_read(e.rhs)}
    unread = [n for n in written if n not in read and not derivation.tensors[n].axes]
    return unread[-1] if unread else loss


def _inner_partials(derivation: Derivation) -> dict[str, tuple[str, str]]:
    """Return the derivatives that forward equations hold, each as what is derived by what."""
    found: dict[str, tuple[str, str]] = {}
    tensors = derivation.tensors
    for name, named in derivation.named.items():
        part = named.stands_for
        if isinstance(part, Derivative) and name in tensors:
            pair = part.of.tensor, part.by.tensor
            count = len(tensors[name].axes)
            if not count or any(parted_places(tensors, *pair, count)):
                found[name] = pair
    return found


LETTERS = {
    "slope": "s",
    "sum": "s",
    "mean": "m",
    "max": "m",
    "min": "m",
    "prod": "p",
    "logsumexp": "s",
}


def _invented(derivation: Derivation) -> dict[str, PaperName]:
    """Return paper names for parts the engine named: a sum in ``yhat`` is s with that label.

    Where a tensor of the writer's has that letter, the part has the capital or a later letter.
    """
    found: dict[str, PaperName] = {}
    taken = derivation.network.tensors
    for name in (*derivation.named, derivation.network.loss or ""):
        if name in derivation.network.tensors:
            continue
        fold_name, _, owner = name.partition("_")
        if fold_name in LETTERS and owner:
            letter = LETTERS[fold_name]
            free = (c for c in (letter, letter.upper(), "q", "r") if c not in taken)
            found[name] = PaperName(next(free, letter), tag=owner)
    return found


def _from_zero(derivation: Derivation) -> frozenset[str]:
    """Return the letters that take part in index arithmetic, whose ranges are shown as they are."""
    names: dict[str, None] = {}
    for node in _nodes(derivation):
        for index in _counting(node):
            names[index.name] = None
            names[index.name.rstrip("0123456789") or index.name] = None
    return frozenset(names)


def _nodes(derivation: Derivation) -> Iterator[Node]:
    for equation in derivation.network.equations:
        yield from walk(equation.lhs)
        yield from walk(equation.rhs)
    for statement in (*derivation.forward, *derivation.backward):
        yield statement.lhs
        yield from walk(statement.body)
        for condition in statement.guard:
            yield from walk(condition)


def _counting(node: Node) -> Iterator[Index]:
    if isinstance(node, (IndexValue, Position)):
        for form in affine_forms(node):
            yield from indices_of(form)
    if isinstance(node, Access):
        for form in node.indices:
            if form.plain is None:
                yield from indices_of(form)


def _layout(view: View) -> str:
    """Return how the network's own equations make vectors stand: ``x W`` means rows."""
    votes = {"columns": 0, "rows": 0}
    for statement in view.derivation.forward:
        matrices = [
            part
            for part in walk(statement.body)
            if isinstance(part, Access) and len(part.indices) == 2
        ]
        for access in matrices:
            for place, name in ((1, "columns"), (0, "rows")):
                if access.indices[place].plain in statement.bound:
                    votes[name] += 1
    return "rows" if votes["rows"] > votes["columns"] else "columns"


def display(view: View, equality: Equality) -> tuple[Math, Math]:
    """Return both sides of an equation as formulas."""
    context = view.context(equality.rhs, first=equality.indices)
    return formula(equality.lhs, context), formula(equality.rhs, context)


def side(view: View, expr: Expr, equality: Equality) -> Math:
    """Return one more right side of an equation, its letters agreeing with the left side."""
    return formula(expr, view.context(expr, first=equality.indices))


def where(view: View, equality: Equality) -> Math | None:
    """Return the conditions under which an equation holds, if it does not hold everywhere."""
    if not equality.where:
        return None
    context = view.context(equality.rhs, first=equality.indices)
    return joined([condition_math(c, context) for c in equality.where], Op(","))


def condition(view: View, conditions: tuple[Condition, ...], first: Iterable[Index]) -> Math:
    """Return conditions in a line."""
    context = view.context(first=first)
    return joined([condition_math(c, context) for c in conditions], Op(","))


def tree_of(view: View, equality: Equality) -> Matrix:
    """Return the matrix form of an equation's right side.

    Raises: NoMatrixForm.
    """
    tensor = equality.lhs.tensor
    skipped = view.layer_axis(tensor)
    kept = [p for p in range(len(equality.lhs.indices)) if p != skipped]
    plain = [equality.lhs.indices[p].plain for p in kept]
    free = tuple(index for index in plain if index is not None)
    ranges = [view.ranges(tensor)[p] for p in kept]
    if len(free) < len(plain) or bounds_any(free, equality.where):
        raise NoMatrixForm("cases", tensor)
    if any((i.low, i.high) != r for i, r in zip(free, ranges, strict=True)):
        raise NoMatrixForm("part", tensor)
    tree = matrix_form(equality.rhs, free, view)
    return as_rows(tree) if view.layout == "rows" else tree


def bounds_any(free: tuple[Index, ...], conditions: tuple[Condition, ...]) -> bool:
    """Tell whether a condition concerns one of the free indices."""
    named = {i for c in conditions for form in affine_forms(c) for i in indices_of(form)}
    return any(index in named for index in free)


def matrix_display(view: View, equality: Equality) -> tuple[Math, Math]:
    """Return both sides of an equation in matrix form.

    Raises: NoMatrixForm.
    """
    tree = tree_of(view, equality)
    context = view.context(equality.rhs, first=equality.indices)
    axis = view.layer_axis(equality.lhs.tensor)
    layer = None if axis is None else equality.lhs.indices[axis]
    return whole(equality.lhs.tensor, layer, context), matrix_math(tree, context)


def entry_of(view: View, tensor: str) -> Access:
    """Return a general entry of a tensor with its declared letters."""
    declared = view.notation.tensors[tensor]
    names = declared.axis_names or tuple("ijmnpq"[: len(declared.axes)])
    if len(names) > 1 and not all(names):
        read = _letters_read(view, tensor)
        names = tuple(n or r or i for n, r, i in zip(names, read, "ijmnpqrs", strict=False))
    taken: list[str] = []
    forms: list[Affine] = []
    for name, axis in zip(names, declared.axes):
        letter = name if name not in taken else name + "2"
        taken.append(letter)
        forms.append(affine(Index(letter, axis.low, axis.high)))
    return Access(tensor, tuple(forms))


def _letters_read(view: View, tensor: str) -> tuple[str, ...]:
    """Return the letters with which the equations first read a tensor, "" for other forms."""
    for equation in view.derivation.network.equations:
        for access in (equation.lhs, *accesses(equation.rhs)):
            if access.tensor == tensor:
                return tuple(form.plain.name if form.plain else "" for form in access.indices)
    return ("",) * len(view.notation.tensors[tensor].axes)


def steps_shown(view: View, wrt: tuple[str, ...] | None) -> tuple[Step, ...]:
    """Return the steps that lead to the asked quantities, all of them if none are asked."""
    steps = view.derivation.steps
    if not wrt:
        return steps
    needed = {view.adjoint(name) for name in wrt} | set(wrt)
    kept: list[Step] = []
    for step in reversed(steps):
        if step.adjoint in needed or step.quantity in wrt:
            kept.append(step)
            for statement in step.result:
                needed |= {a.tensor for a in walk(statement.body) if isinstance(a, Access)}
            for made in step.contributions:
                needed |= {a.tensor for a in walk(made.statement.body) if isinstance(a, Access)}
    return tuple(reversed(kept))
