"""The network as the notes show it: what the symbols mean, and the forward equations."""

from __future__ import annotations

from dataclasses import replace

from derivgen.algebra.affine import Dim, Index
from derivgen.algebra.expressions import (
    ZERO,
    Access,
    Condition,
    Expr,
    substitute,
    tensors_read,
    walk,
)
from derivgen.algebra.network import Role, Tensor
from derivgen.algebra.statements import Statement
from derivgen.calculus.derivation import Named
from derivgen.forms.bounds import from_ends, lifted, plain_bounds
from derivgen.forms.fold import Equality
from derivgen.forms.latex import latex
from derivgen.forms.layout import affine_math, formula, ranges
from derivgen.forms.math import (
    Fenced,
    Frac,
    Math,
    Num,
    Op,
    Row,
    Scripts,
    Sym,
    Symbol,
    joined,
    parenthesised,
    row,
)
from derivgen.forms.matrix import NoMatrixForm
from derivgen.forms.names import LAYER
from derivgen.forms.notation import loss_symbol, partial_symbol, ratio_text, symbol
from derivgen.notes.document import (
    Block,
    Equation,
    Formula,
    Inline,
    Items,
    Line,
    Paragraph,
    Prose,
    Section,
    Table,
)
from derivgen.notes.stacks import Stack, relative, stack_of
from derivgen.notes.view import View, display, entry_of, matrix_display, where
from derivgen.notes.widths import width_math
from derivgen.notes.words import join, listed, parted, say, word


def network_section(view: View, found: tuple[Stack, ...], signs: frozenset[str]) -> Section:
    """Return the section on sizes, symbols, given facts, and the signs met later."""
    body: list[Block] = [symbol_table(view, found)]
    if told := [*_widths(view, found), *conventions(view), *_signs(view, signs)]:
        body.append(Items(tuple(told)))
    return Section(say(view.lang, "network"), tuple(body))


def symbol_table(view: View, found: tuple[Stack, ...]) -> Table:
    """Return a table of the network's tensors: symbols of one role and shape share a row."""
    rows: dict[tuple[Prose, Prose], list[Prose]] = {}
    for tensor in view.derivation.tensors.values():
        if tensor.name in view.notation.adjoints or tensor.name in view.derivation.named:
            continue
        stack = stack_of(found, tensor.name)
        if stack is None:
            shown, note = view, _layer_range(view, tensor)
        elif tensor.name in stack.shown:
            shown, note = relative(view, stack), stack_range(view, stack)
        else:
            continue
        entry = (Formula(entry_math(shown, tensor.name)),)
        key = (_meaning(view, tensor, note), (_shape_cell(shown, tensor),))
        rows.setdefault(key, []).append(entry)
    keys = ("symbol", "meaning", "shape")
    scalars = all(not tensor.axes for tensor in view.derivation.tensors.values())
    columns = slice(2 if scalars else 3)
    head = tuple((word(view.lang, key),) for key in keys[columns])
    lines: list[tuple[Prose, ...]] = [
        (parted(view.lang, known), *key) for key, known in rows.items()
    ]
    return Table(head, tuple(line[columns] for line in lines))


def _meaning(view: View, tensor: Tensor, note: Prose) -> Prose:
    role = "loss" if tensor.name == view.derivation.network.loss else tensor.role.value
    told: Prose = (word(view.lang, role),)
    return join((*told, word(view.lang, "comma"), *note)) if note else told


def _shape_cell(view: View, tensor: Tensor) -> Inline:
    return Formula(shape(view, tensor)) if tensor.axes else word(view.lang, "scalar")


def _layer_range(view: View, tensor: Tensor) -> Prose:
    """Return ``l = 1, ..., L`` for a tensor with an axis that counts layers or steps."""
    axis = view.layer_axis(tensor.name)
    if axis is None:
        return ()
    context = view.context()
    span = tensor.axes[axis]
    low, high = ranges(Index(tensor.axis_names[axis], span.low, span.high), context)
    ends = (low, Op(","), Op("ellipsis"), Op(","), high)
    return (Formula(row(Sym(tensor.axis_names[axis]), Op("="), *ends)),)


def stack_range(view: View, stack: Stack) -> Prose:
    """Return ``l = 2, ..., 9``."""
    ends = (Num(str(stack.first)), Op(","), Op("ellipsis"), Op(","), Num(str(stack.last)))
    return (Formula(row(Sym(LAYER), Op("="), *ends)),)


SILENT = ("cases", "rank")  # refusals the shapes of the symbols tell


def entry_math(view: View, tensor: str) -> Math:
    """Return a general entry of a tensor as it stands on paper."""
    equality = Equality(entry_of(view, tensor), entry_of(view, tensor))
    return display(view, equality)[0]


def shape(view: View, tensor: Tensor) -> Math:
    """Return a tensor's shape, ``K x S``; of one layer, if an axis counts layers."""
    skipped = view.layer_axis(tensor.name)
    places = [place for place in range(len(tensor.axes)) if place != skipped]
    if not places:
        return Num("1")
    sizes: list[Math] = []
    for place in places:
        size = _axis_size(view, tensor, place)
        sizes.append(parenthesised(size) if isinstance(size, Row) and len(places) > 1 else size)
    return joined(sizes, Op("cross"))


def _axis_size(view: View, tensor: Tensor, place: int) -> Math:
    layer = view.widths.get((tensor.name, place))
    if layer is not None:
        return width_math(view.notation, layer)
    return affine_math(tensor.axes[place].size, view.context())


def _widths(view: View, found: tuple[Stack, ...]) -> list[Prose]:
    """Return the sizes of the layers that are shown with a letter for them."""
    told: list[Prose] = []
    for stack in found:
        sizes = {
            layer: view.derivation.tensors[name].axes[place].size
            for (name, place), layer in stack.widths.items()
            if stack.first - 1 <= layer <= stack.last + 1
        }
        shown: list[Prose] = [
            (
                Formula(
                    row(width_math(view.notation, n), Op("="), affine_math(size, view.context()))
                ),
            )
            for n, size in sorted(sizes.items())
        ]
        if shown:
            told.append(say(view.lang, "widths", sizes=listed(view.lang, shown)))
    return told


def conventions(view: View) -> list[Prose]:
    """Return what a reader must know before the first equation."""
    lang = view.lang
    found: list[Prose] = []
    if sizes := _sizes(view):
        found.append(say(lang, "sizes", sizes=sizes))
    loss = Formula(loss_symbol(view.notation))
    batch = view.derivation.network.batch
    if batch is not None:
        found.append(say(lang, "batch", index=Formula(Sym(batch.name))))
    elif view.derivation.network.of_role(Role.INPUT):
        found.append(say(lang, "one sample", loss=loss))
    found += _deltas(view, loss)
    used = {fact.number for fact in view.derivation.facts}
    for number, fact in enumerate(view.derivation.network.facts):
        # What a role implies is said where a step needs it; what the writer declared, always.
        if number in used or not fact.implied_by:
            found.append(_fact(view, number))
    return found


def _signs(view: View, signs: frozenset[str]) -> list[Prose]:
    """Return what the signs of a document mean."""
    lang = view.lang
    ranks = {len(tensor.axes) for tensor in view.derivation.tensors.values()}
    found: list[Prose] = []
    if ranks & {1, 2}:
        found.append(say(lang, f"{view.layout} meaning"))
    if view.notation.labels and ranks & {2, 3}:
        letters: list[Prose] = [(Formula(Sym(n)),) for n in sorted(view.notation.labels)]
        found.append(say(lang, "label meaning", letters=listed(lang, letters)))
    if max(ranks) - bool(view.notation.labels) > 2:
        found.append(say(lang, "tensor meaning"))
    if "entrywise" in signs:
        sign = Formula(Op(view.notation.style.hadamard))
        found.append(say(lang, "odot meaning", sign=sign))
    if "quotient" in signs:
        found.append(say(lang, "oslash meaning", sign=Formula(Op("oslash"))))
    if "ones" in signs:
        ones = Formula(Scripts(Sym("1", "bold"), sub=Sym("n")))
        found.append(say(lang, "ones meaning", ones=ones, size=Formula(Sym("n"))))
    if "bracket" in signs:
        shown = Formula(Fenced("[", row(Sym("i"), Op("<="), Sym("j"))))
        found.append(say(lang, "iverson meaning", bracket=shown))
    if "fixed" in signs:
        ratio = Frac(row(Sym("partial"), Sym("u")), row(Sym("partial"), Sym("v")))
        math = Scripts(Fenced("fixed", ratio), sub=Sym("w"))
        held = Formula(Symbol("", math, "(du/dv at fixed w)"))
        found.append(say(lang, "fixed meaning", partial=held, fixed=Formula(Sym("w"))))
    return found


def _sizes(view: View) -> Prose:
    dims = view.derivation.network.dims
    parts: list[Prose] = []
    for dim, value in dims.items():
        if value is not None and isinstance(dim, Dim):
            parts.append((Formula(row(Sym(dim.name), Op("="), Num(str(value)))),))
    return listed(view.lang, parts) if parts else ()


def _deltas(view: View, loss: Formula) -> list[Prose]:
    if view.notation.style.delta != "delta":
        return []
    shown: list[Prose] = []
    for step in view.derivation.steps:
        if view.is_delta(step) and not step.auxiliary:
            quantity = entry_of(view, step.quantity)
            left = entry_math_of(view, Access(step.adjoint, quantity.indices))
            right = partial_math(view, quantity)
            shown.append((Formula(row(left, Op("="), right)),))
    if not shown:
        return []
    if len(shown) > 4:
        shown = [shown[0], (Formula(Op("ellipsis")),), shown[-1]]
    return [say(view.lang, "delta meaning", loss=loss, deltas=listed(view.lang, shown))]


def entry_math_of(view: View, access: Access) -> Math:
    """Return an access as it stands on paper."""
    return display(view, Equality(access, access))[0]


def partial_math(view: View, access: Access) -> Math:
    """Return the partial derivative of the loss by an access, written out as a fraction."""
    loss = loss_symbol(view.notation)
    below = entry_math_of(view, access)
    text = below.plain if isinstance(below, Symbol) else ""
    return partial_symbol(
        access.tensor, loss, below, ratio_text(view.derivation.network.loss or "", text)
    )


def _fact(view: View, number: int) -> Prose:
    fact = view.derivation.network.facts[number]
    context = view.context(fact.left, fact.right)
    math = row(formula(fact.left, context), Op("="), formula(fact.right, context))
    told = say(view.lang, "facts", fact=Formula(math))
    if any(used.number == number for used in view.derivation.facts):
        told = join((*told, word(view.lang, "then"), *say(view.lang, "fact used")))
    return told


def forward_section(view: View, found: tuple[Stack, ...]) -> Section:
    """Return the forward equations, each with its matrix form where there is one."""
    body: list[Block] = [Paragraph(say(view.lang, "forward intro"))]
    entered: list[Stack] = []
    for number, equation in enumerate(view.derivation.network.equations):
        stack = stack_of(found, equation.lhs.tensor)
        if stack is None:
            body.extend(_equation(view, number))
        elif equation.lhs.tensor in stack.shown:
            if stack not in entered:
                entered.append(stack)
                body.append(Paragraph(say(view.lang, "stack", range=stack_range(view, stack))))
            body.extend(_equation(relative(view, stack), number))
            if equation.lhs.tensor == _last_written(view, stack):
                body.append(Paragraph(say(view.lang, "stack end")))
    return Section(say(view.lang, "forward"), (*body, *_first_derivatives(view)))


def _first_derivatives(view: View) -> list[Block]:
    """Return the equations of first derivatives that a second one starts from."""
    written = {e.lhs.tensor for e in view.derivation.network.equations}
    found: list[Block] = []
    for name, statements in view.forward_of.items():
        if name not in written and name not in view.derivation.named:
            lines = tuple(Line(*display(view, e)) for e in view.fold(statements))
            found.append(Equation(forward_label(name), lines, about=name))
    return [Paragraph(say(view.lang, "first derivatives")), *found] if found else []


def _last_written(view: View, stack: Stack) -> str:
    written = [e.lhs.tensor for e in view.derivation.network.equations]
    return [name for name in written if name in stack.shown][-1]


def forward_label(tensor: str) -> str:
    """Return the label of the equation that defines a tensor."""
    return f"f:{tensor}"


def _equation(view: View, number: int) -> list[Block]:
    derivation = view.derivation
    equation = derivation.network.equations[number]
    invented = [n for n in derivation.named.values() if n.equation == number]
    statements = [s for s in derivation.forward if s.equation == number]
    found: list[Block] = _inner_derivatives(view, number)
    parts = {named.name: named for named in invented if _shown(view, named)}
    for name in view.forward_of:  # in the order of computing
        found += _named(view, parts[name]) if name in parts else []
    written = Equality(equation.lhs, equation.rhs)
    own = [s for s in statements if s.lhs.tensor == equation.lhs.tensor]
    folded = tuple(_placed(view, e) for e in view.fold(own)) if own else ()
    if len(folded) == 1:
        written = replace(written, where=_moved(folded[0], written))
    if not (invented or _reads_outside(equation.rhs)):
        folded = ()
    lines: list[Line] = []
    if not folded or not _reads_outside(equation.rhs):
        lines.append(Line(*display(view, written)))
    resumed = [_resumed(view, f, written, not lines) for f in folded if f.rhs != equation.rhs]
    printed = [latex(line.right) for line in lines]
    lines += [line for line in resumed if latex(line.right) not in printed]
    holds = where(view, written)
    found.append(Equation(_label(view, number), tuple(lines), holds, about=equation.lhs.tensor))
    shown = folded[0] if len(folded) == 1 else written
    return [*found, *matrix_equation(view, shown, f"fm:{number}")]


def _placed(view: View, equality: Equality) -> Equality:
    """Return an equation with the bounds on its left side's indices beside it, put plainly."""
    rhs, brackets = lifted(equality.rhs, equality.indices)
    conditions = plain_bounds((*equality.where, *brackets))
    for form, ends in zip(equality.lhs.indices, view.ranges(equality.lhs.tensor), strict=True):
        if (index := form.plain) is not None:
            conditions = from_ends(index, *ends, conditions)
    return replace(equality, rhs=rhs, where=tuple(conditions))


def _moved(folded: Equality, written: Equality) -> tuple[Condition, ...]:
    """Return where an equation holds, in the letters it is written with."""
    pairs = zip(folded.lhs.indices, written.lhs.indices, strict=True)
    letters = {old.plain: new for old, new in pairs if old.plain is not None}
    return tuple(substitute(condition, letters) for condition in folded.where)


def _reads_outside(expr: Expr) -> bool:
    """Tell whether an access says what lies outside its tensor; its condition is then shown."""
    return any(isinstance(part, Access) and part.outside is not None for part in walk(expr))


def _resumed(view: View, folded: Equality, written: Equality, first: bool) -> Line:
    left, right = display(view, folded)
    same = latex(left) == latex(display(view, written)[0])
    return Line(None if same and not first else left, right)


def defining_label(view: View, statement: Statement) -> str:
    """Return the label of the equation a forward statement comes from."""
    tensor = statement.lhs.tensor
    equations = view.derivation.network.equations
    known = 0 <= statement.equation < len(equations)
    if known and equations[statement.equation].lhs.tensor == tensor:
        return _label(view, statement.equation)
    return forward_label(tensor)


def _label(view: View, number: int) -> str:
    """Return the label of an equation: its tensor's first equation is what others refer to."""
    equations = view.derivation.network.equations
    tensor = equations[number].lhs.tensor
    general = view.tables.equations_of[tensor]
    main = max(general, key=lambda n: sum(f.plain is not None for f in equations[n].lhs.indices))
    return forward_label(tensor) if number == main else f"f:{tensor}:{number}"


def _inner_derivatives(view: View, number: int) -> list[Block]:
    """Return the equations of the derivatives that an equation holds and none before it did."""
    asking = view.tables.derivatives_in
    before = {name for n in asking if 0 <= n < number for name in _held_derivatives(view, n)}
    names = [name for name in _held_derivatives(view, number) if name not in before]
    if not names:
        return []
    shown = [block for name in names for block in _named(view, view.derivation.named[name])]
    return [Paragraph(say(view.lang, "inner derivative")), *shown]


def _held_derivatives(view: View, number: int) -> list[str]:
    """Return the derivatives an equation holds and what these are made of, as computed."""
    named = view.derivation.named
    pending = list(view.tables.derivatives_in.get(number, ()))
    held: set[str] = set()
    while pending:
        name = pending.pop()
        if name in held or name not in view.forward_of:
            continue
        held.add(name)
        for statement in view.forward_of[name]:
            read = tensors_read(statement.body)
            pending += [n for n in read if n in named and named[n].equation < 0]
    return [name for name in view.forward_of if name in held] if held else []


def _shown(view: View, named: Named) -> bool:
    return named.reason != "derivative" and named.name in view.forward_of


def _named(view: View, named: Named) -> list[Block]:
    folded = view.fold(view.forward_of[named.name])
    lines = tuple(Line(*display(view, equality)) for equality in folded)
    holds = where(view, folded[0]) if len(folded) == 1 else None
    found: list[Block] = [Equation(forward_label(named.name), lines, holds, about=named.name)]
    if len(folded) == 1:
        found += matrix_equation(view, folded[0], f"fm:{named.name}")
    return found


def matrix_equation(view: View, equality: Equality, label: str) -> list[Block]:
    """Return the matrix form as an equation, or the reason why there is none."""
    labelled = view.layer_axis(equality.lhs.tensor) is not None
    if len(equality.lhs.indices) <= labelled or equality.rhs == ZERO:
        return []
    try:
        left, right = matrix_display(view, equality)
    except NoMatrixForm as refused:
        return [] if refused.reason in SILENT else [_refusal(view, refused)]
    lines = (Line(left, right),)
    return [Equation(label, lines, where(view, equality), about=equality.lhs.tensor)]


def _refusal(view: View, refused: NoMatrixForm) -> Paragraph:
    subject: Prose = (refused.subject,)
    if refused.subject in view.notation.tensors:
        subject = (Formula(symbol(view.notation, refused.subject)),)
    reason = say(view.lang, f"reason {refused.reason}", subject=subject)
    return Paragraph(say(view.lang, "no matrix", reason=reason))
