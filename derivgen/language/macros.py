"""Layers and losses applied: macros that turn into equations over named tensors.

A layer defined for ``x[i]`` and applied to ``x[t,i]`` carries ``t`` along: every tensor of its
body that depends on the argument gets ``t`` in front, its parameters do not. A loss becomes an
expression where it stands, averaged (or summed) over what it carries.
"""

from __future__ import annotations

from derivgen.algebra.affine import Index, affine
from derivgen.algebra.expressions import Access, Expr, Reduce
from derivgen.algebra.network import Axis, Equation, Tensor
from derivgen.errors import DerivgenError, SyntaxProblem
from derivgen.language.declare import add_update
from derivgen.language.draft import Draft, Written
from derivgen.language.indexing import index_form
from derivgen.language.lines import (
    EquationLine,
    IndexLine,
    Span,
    StateLine,
    TensorLine,
)
from derivgen.language.parameters import declare_body, paper_name
from derivgen.language.place import (
    Bound,
    Place,
    bind,
    set_tensor,
)
from derivgen.language.ranges import range_index, union
from derivgen.language.resolve import expression, is_identity
from derivgen.language.rows import LayerRow, LossRow, Shared, names_in
from derivgen.language.scope import Scope, View
from derivgen.language.syntax import Apply, Infix, Ranged, Ref, Tree, Word


def expand_loss(draft: Draft, name: str, tree: Apply, scope: Scope) -> Expr:
    """Return a loss applied to whole tensors, as an expression."""
    row = draft.macros[name]
    if not isinstance(row, LossRow):
        raise scope.problem(
            SyntaxProblem,
            f"{name} is a layer: it is applied to whole tensors and gives one.",
            f"Write h = {name}(x, ...) on a line of its own.",
            tree.at,
        )
    place = Place(draft, dict(scope.declared), dict(scope.tensors), dict(scope.values))
    bound = bind(row, tree.args, place, scope.span, tree.at)
    if bound.extra:
        raise scope.problem(
            SyntaxProblem,
            f"{name} has no setting {next(iter(bound.extra))}.",
            f"Write {row.signature}.",
            tree.at,
        )
    inner = Place(
        draft, dict(bound.letters), dict(bound.views), dict(bound.values), dict(bound.aliases)
    )
    try:
        body = expression(row.body, inner.scope(row.span))
    except DerivgenError as error:
        error.position = scope.position(tree.at)
        raise
    if not bound.carried:
        return body
    return Reduce("sum" if row.summed else "mean", bound.carried, body)


def apply_layer(place: Place, span: Span, tree: Apply, out: str) -> View:
    """Add the equations of a layer applied to whole tensors; ``out`` names its value."""
    name = place.aliases.get(tree.name, tree.name)
    made = place.draft.macros[name]
    scope = place.scope(span)
    if isinstance(made, Shared):
        row, args, names, owner = made.row, (*tree.args, *made.args), made.names, made.name
        args = _shared_arguments(made, tree, scope)
        number = made.number
    elif isinstance(made, LayerRow):
        row, args, names, owner, number = made, tree.args, {}, out, 0
    else:
        raise scope.problem(SyntaxProblem, f"{name} is a loss, not a layer.", "", tree.at)
    bound = bind(row, args, place, span, tree.at)
    try:
        return _apply(place, made, row, bound, names, owner, number, out, span, tree)
    except DerivgenError as error:
        if row.span.source is not span.source:
            error.position = place.call or scope.position(tree.at)
        raise


def _apply(
    place: Place,
    made: object,
    row: LayerRow,
    bound: Bound,
    names: dict[str, str],
    owner: str,
    number: int,
    out: str,
    span: Span,
    tree: Apply,
) -> View:
    inner = _inside(place, bound, row, out, span, tree)
    inner.number = number or _next_number(place, row, bound)
    if isinstance(made, Shared):
        made.number = inner.number
    declare_body(inner, row, bound, names, owner, span, tree)
    return _body_equations(inner, row, bound, out, span, tree)


def _shared_arguments(made: Shared, tree: Apply, scope: Scope) -> tuple[Tree, ...]:
    tensors = [param.name for param in made.row.params if param.letters is not None]
    others = [param.name for param in made.row.params if param.letters is None]
    named: list[Tree] = []
    for given, names in ((tree.args, tensors), (made.args, others)):
        spare = iter(names)
        for arg in given:
            if isinstance(arg, Infix) and arg.op == "=":
                named.append(arg)
                continue
            word = next(spare, None)
            if word is None:
                raise scope.problem(
                    SyntaxProblem,
                    f"{made.name} is applied to {len(tensors)} tensor(s).",
                    f"Write {made.name}({', '.join(tensors)}).",
                    tree.at,
                )
            named.append(Infix(arg.at, "=", Word(arg.at, word), arg, arg.at))
    return tuple(named)


def _inside(place: Place, bound: Bound, row: LayerRow, out: str, span: Span, tree: Apply) -> Place:
    inner = Place(
        place.draft,
        dict(bound.letters),
        dict(bound.views),
        dict(bound.values),
        dict(bound.aliases),
        f"_{out}",
        row.name,
        call=place.call or span.source.position(tree.at),
    )
    for line in row.body:
        if isinstance(line, IndexLine):
            for item in line.items:
                inner.letters[item.name] = _local_index(inner, line.span, item)
    return inner


def _local_index(inner: Place, span: Span, item: Ranged) -> Index:
    scope = inner.scope(span)
    return range_index(item, lambda part: index_form(part, scope), inner.letters)


def _next_number(place: Place, row: LayerRow, bound: Bound) -> int:
    if place.number:
        return place.number
    if not any(isinstance(line, TensorLine) and line.role == "param" for line in row.body):
        return 0
    place.draft.layer_count += 1
    return place.draft.layer_count


# --- parameters and the like ---------------------------------------------------------------------


# --- equations -----------------------------------------------------------------------------------


def _body_equations(
    inner: Place, row: LayerRow, bound: Bound, out: str, span: Span, tree: Apply
) -> View:
    lines = [line for line in row.body if isinstance(line, EquationLine)]
    depends = _dependent(lines, bound, inner)
    for line in lines:
        if _is_application(inner, line.rhs) and line.lhs.name != row.output:
            continue
        _announce_local(inner, line, bound.carried if line.lhs.name in depends else (), out, row)
    repeated = _repeated(inner, lines[-1], lines) if lines[-1].lhs.name == row.output else None
    if repeated is not None and repeated in inner.views:
        inner.views[repeated] = inner.views[repeated]._replace(name=out)
    written: set[str] = set()
    for line in lines:
        if _is_application(inner, line.rhs):
            _applied(inner, line, row, out, span)
            continue
        view = inner.views[line.lhs.name]
        if repeated is not None and line is lines[-1]:
            inner.views[line.lhs.name] = inner.views[repeated]
            continue
        _declare_local(inner, line, view, span, tree, out, written)
        _local_equation(inner, line, view, span)
    for part in row.body:
        if isinstance(part, StateLine):
            name = inner.views[part.item.name.name].name
            scope = inner.scope(part.span)
            inner.draft.tensors[name] = add_update(inner.draft, part, name, scope, inner.call)
    return inner.views[row.output]


def _dependent(lines: list[EquationLine], bound: Bound, inner: Place) -> set[str]:
    """Return the names that depend on a tensor with carried indices."""
    found = {name for name, view in inner.views.items() if view.carried}
    changed = True
    while changed:
        changed = False
        for line in lines:
            if line.lhs.name not in found and any(n in found for n in names_in(line.rhs)):
                found.add(line.lhs.name)
                changed = True
    return found


def _announce_local(
    inner: Place, line: EquationLine, carried: tuple[Index, ...], out: str, row: LayerRow
) -> None:
    local = line.lhs.name
    name = out if local == row.output else local + inner.suffix
    axes: list[Axis] = []
    for item in line.lhs.items if isinstance(line.lhs, Ref) else ():
        index = inner.letters.get(item.name) if isinstance(item, Word) else None
        if index is not None:
            axes.append(Axis(index.low, index.high))
            continue
        form = index_form(item, inner.scope(line.span))
        axes.append(Axis(form, form + 1))
    known = inner.views.get(local)
    if known is None or known.axes is None or len(known.axes) != len(axes):
        inner.views[local] = View(name, tuple(axes), carried)
        return
    joined = tuple(union(a, b) for a, b in zip(known.axes, axes))
    inner.views[local] = View(name, joined, carried)


def _repeated(inner: Place, line: EquationLine, lines: list[EquationLine]) -> str | None:
    """Return the inner tensor that an equation merely repeats, ``h[o] = identity(z[o])``."""
    rhs = line.rhs
    if isinstance(rhs, Apply) and len(rhs.args) == 1:
        function = inner.draft.functions.get(inner.aliases.get(rhs.name, rhs.name))
        if function is not None and is_identity(function):
            rhs = rhs.args[0]
    if not isinstance(rhs, (Word, Ref)) or _letters(rhs) != _letters(line.lhs):
        return None
    return rhs.name if any(other.lhs.name == rhs.name for other in lines) else None


def _letters(tree: Word | Ref) -> list[str | None]:
    items = tree.items if isinstance(tree, Ref) else ()
    return [item.name if isinstance(item, Word) else None for item in items]


def _left(inner: Place, line: EquationLine) -> tuple[Scope, Access]:
    scope = inner.scope(line.span)
    view = inner.views[line.lhs.name]
    items = line.lhs.items if isinstance(line.lhs, Ref) else ()
    free = {n: inner.letters[n] for item in items for n in names_in(item) if n in inner.letters}
    scope = scope.binding({**{i.name: i for i in view.carried}, **free})
    forms = [affine(i) for i in view.carried] + [index_form(item, scope) for item in items]
    return scope, Access(view.name, tuple(forms))


def _declare_local(
    inner: Place,
    line: EquationLine,
    view: View,
    span: Span,
    tree: Apply,
    out: str,
    written: set[str],
) -> None:
    if view.name in written:
        return
    written.add(view.name)
    assert view.axes is not None, "a layer's tensors have known axes"
    items = line.lhs.items if isinstance(line.lhs, Ref) else ()
    names = [i.name for i in view.carried]
    names += [item.name if isinstance(item, Word) else "" for item in items]
    tensor = Tensor(
        view.name,
        (*[Axis(i.low, i.high) for i in view.carried], *view.axes),
        latex=None if view.name == out else paper_name(line.lhs.name, inner.number),
        axis_names=tuple(names),
        position=span.source.position(tree.at),
    )
    set_tensor(inner.draft, tensor, span, tree.at)


def _is_application(inner: Place, rhs: Tree) -> bool:
    if not isinstance(rhs, Apply):
        return False
    made = inner.draft.macros.get(inner.aliases.get(rhs.name, rhs.name))
    return isinstance(made, (LayerRow, Shared))


def _applied(inner: Place, line: EquationLine, row: LayerRow, out: str, span: Span) -> None:
    """Apply a layer inside a layer: ``a = dense(x, O)``, or ``h[o] = f[o](z[o])`` for such an f."""
    assert isinstance(line.rhs, Apply), "an application is an application"
    bare = tuple(Word(a.at, a.name) if isinstance(a, Ref) else a for a in line.rhs.args)
    call = Apply(line.rhs.at, line.rhs.name, None, bare)
    local = line.lhs.name
    name = out if local == row.output else local + inner.suffix
    inner.views[local] = apply_layer(inner, line.span, call, name)


def _local_equation(inner: Place, line: EquationLine, view: View, span: Span) -> None:
    scope, lhs = _left(inner, line)
    rhs = expression(line.rhs, scope)
    predict = None if line.predict is None else expression(line.predict, scope)
    inner.draft.equations.append(Equation(lhs, rhs, inner.call, predict, inner.row, inner.number))
    inner.draft.written.append(Written(span, []))
