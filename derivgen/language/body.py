"""The equations of a layer's body, added under the names of the network around it."""

from __future__ import annotations

from collections.abc import Callable

from derivgen.algebra.affine import affine
from derivgen.algebra.expressions import Access
from derivgen.algebra.network import Axis, Equation, Tensor
from derivgen.language.calls import is_identity
from derivgen.language.chosen import find_chosen
from derivgen.language.declare import add_update
from derivgen.language.draft import Written
from derivgen.language.indexing import index_form
from derivgen.language.lines import (
    EquationLine,
    Span,
    StateLine,
)
from derivgen.language.parameters import paper_name
from derivgen.language.place import (
    Application,
    Place,
    set_tensor,
)
from derivgen.language.ranges import union
from derivgen.language.resolve import expression
from derivgen.language.rows import LayerRow, Shared, names_in
from derivgen.language.scope import Scope, View
from derivgen.language.syntax import Apply, Ref, Tree, Word

Apply_ = Callable[[Place, Span, Apply, str], View]


def add_body(inner: Place, done: Application, apply: Apply_) -> View:
    """Add a layer's equations; ``apply`` adds those of a layer inside it. Return its value."""
    row, out = done.row, done.out
    lines = [line for line, _ in row.equations]
    depends = _dependent(row, inner)
    for line in lines:
        if _is_application(inner, line.rhs) and line.lhs.name != row.output:
            continue
        _announce_local(inner, line, done, line.lhs.name in depends)
    for local in find_chosen(lines, inner.views):
        inner.views[local] = inner.views[local]._replace(holds_indices=True)
        inner.draft.chosen.append(inner.views[local].name)
    repeated = _repeated(inner, lines[-1], lines) if lines[-1].lhs.name == row.output else None
    if repeated is not None and repeated in inner.views:
        inner.views[repeated] = inner.views[repeated]._replace(name=out)
    written: set[str] = set()
    for line in lines:
        if _is_application(inner, line.rhs):
            _applied(inner, line, done, apply)
            continue
        view = inner.views[line.lhs.name]
        if repeated is not None and line is lines[-1]:
            inner.views[line.lhs.name] = inner.views[repeated]
            continue
        if view.name not in written:
            _declare_local(inner, line, view, done)
        written.add(view.name)
        _local_equation(inner, line, done)
    for part in row.body:
        if isinstance(part, StateLine):
            name = inner.views[part.item.name.name].name
            scope = inner.scope(part.span)
            inner.draft.tensors[name] = add_update(inner.draft, part, name, scope, inner.call)
    return inner.views[row.output]


def _dependent(row: LayerRow, inner: Place) -> set[str]:
    """Return the names that depend on a tensor with carried indices."""
    found = {name for name, view in inner.views.items() if view.carried}
    changed = True
    while changed:
        changed = False
        for line, reads in row.equations:
            if line.lhs.name not in found and not found.isdisjoint(reads):
                found.add(line.lhs.name)
                changed = True
    return found


def _global_name(inner: Place, done: Application, local: str) -> str:
    return done.out if local == done.row.output else local + inner.suffix


def _announce_local(inner: Place, line: EquationLine, done: Application, depends: bool) -> None:
    local = line.lhs.name
    name = _global_name(inner, done, local)
    carried = done.bound.carried if depends else ()
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


def _declare_local(inner: Place, line: EquationLine, view: View, done: Application) -> None:
    assert view.axes is not None, "a layer's tensors have known axes"
    items = line.lhs.items if isinstance(line.lhs, Ref) else ()
    names = [i.name for i in view.carried]
    names += [inner.letters[i.name].name if isinstance(i, Word) else "" for i in items]
    tensor = Tensor(
        view.name,
        (*[Axis(i.low, i.high) for i in view.carried], *view.axes),
        latex=None if view.name == done.out else paper_name(line.lhs.name, inner.number),
        axis_names=tuple(names),
        position=done.position,
    )
    set_tensor(inner.draft, tensor, done.span, done.at)


def _is_application(inner: Place, rhs: Tree) -> bool:
    if not isinstance(rhs, Apply):
        return False
    made = inner.draft.macros.get(inner.aliases.get(rhs.name, rhs.name))
    return isinstance(made, (LayerRow, Shared))


def _applied(inner: Place, line: EquationLine, done: Application, apply: Apply_) -> None:
    """Apply a layer inside a layer: ``a = dense(x, O)``, or ``h[o] = f[o](z[o])`` for such an f."""
    assert isinstance(line.rhs, Apply), "an application is an application"
    bare = tuple(Word(a.at, a.name) if isinstance(a, Ref) else a for a in line.rhs.args)
    call = Apply(line.rhs.at, line.rhs.name, None, bare)
    name = _global_name(inner, done, line.lhs.name)
    inner.views[line.lhs.name] = apply(inner, line.span, call, name)


def _local_equation(inner: Place, line: EquationLine, done: Application) -> None:
    scope, lhs = _left(inner, line)
    rhs = expression(line.rhs, scope)
    predict = None if line.predict is None else expression(line.predict, scope)
    inner.draft.equations.append(Equation(lhs, rhs, inner.call, predict, inner.row, inner.number))
    inner.draft.written.append(Written(done.span, []))
