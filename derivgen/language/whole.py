"""Equations of whole tensors: ``h = dense(x, 128, relu)``, ``r = relu(z)``, ``y = x + h``.

A name without indices stands for all elements; the equation is written out with one index per
axis, functions apply element by element, a function along an index (softmax) along the last one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from derivgen.algebra.affine import Index, affine
from derivgen.algebra.expressions import Access
from derivgen.algebra.network import Axis, Equation, Tensor
from derivgen.errors import ShapeError
from derivgen.language.declare import axis_letters
from derivgen.language.draft import Draft, Written
from derivgen.language.lines import EquationLine
from derivgen.language.macros import apply_layer
from derivgen.language.place import Place, fresh_name
from derivgen.language.ranges import Pending, axis_text
from derivgen.language.resolve import expression
from derivgen.language.rows import LayerRow, LossRow, Shared, names_in
from derivgen.language.scope import Scope, View
from derivgen.language.statements import keyword_argument
from derivgen.language.syntax import (
    Apply,
    Chain,
    Infix,
    Negative,
    Ref,
    Tree,
    Word,
    parts_of,
)


def whole_equation(draft: Draft, line: EquationLine) -> bool:
    """Add the equations of a line without indices on the left; False if it is about numbers.

    Raises: Pending, while the axes of a tensor it names are not known.
    """
    name = line.lhs.name
    bare = list(_bare_tensors(draft, line.rhs, line.is_loss))
    rhs = line.rhs
    if applies_layer(draft, rhs):
        place = Place(draft, draft.indices, draft.views)
        if isinstance(rhs, Apply) and _is_layer(draft, rhs) and not line.is_loss:
            rhs = Apply(rhs.at, rhs.name, None, _expanded_args(draft, line, place, rhs.args))
            apply_layer(place, line.span, rhs, name)
            return True
        rhs = _without_layers(draft, line, place, rhs)
        bare = list(_bare_tensors(draft, rhs, line.is_loss))
    elif not bare or line.is_loss:
        if name in draft.pending_names:
            set_number(draft, name)
        return False
    _elementwise(draft, replace(line, rhs=rhs), bare)
    return True


def set_number(draft: Draft, name: str) -> None:
    """Let an announced name be a single number."""
    draft.pending_names.discard(name)
    draft.views[name] = draft.views.get(name, View(name, None))._replace(axes=())


def applies_layer(draft: Draft, tree: Tree) -> bool:
    """Tell whether a layer is applied anywhere in an expression."""
    stack = [tree]
    while stack:
        part = stack.pop()
        if isinstance(part, Apply) and _is_layer(draft, part):
            return True
        stack.extend(parts_of(part))
    return False


def _is_layer(draft: Draft, tree: Apply) -> bool:
    return tree.items is None and isinstance(draft.macros.get(tree.name), (LayerRow, Shared))


def _bare_tensors(draft: Draft, tree: Tree, is_loss: bool) -> list[Word]:
    """Return the names that stand for whole tensors; raises Pending for one not yet known."""
    found: list[Word] = []
    waiting: list[Word] = []
    stack = [tree]
    while stack:
        part = stack.pop()
        if isinstance(part, Word):
            view = draft.views.get(part.name)
            if view is not None and view.axes is None:
                waiting.append(part)
            if view is not None and view.axes:
                found.append(part)
        elif isinstance(part, Apply) and isinstance(draft.macros.get(part.name), LossRow):
            continue
        elif isinstance(part, Apply):
            stack.extend(reversed([_value_of(arg) for arg in part.args]))
        elif not isinstance(part, Ref):
            stack.extend(reversed(parts_of(part)))
    if waiting:
        names = dict.fromkeys(word.name for word in waiting)
        raise Pending(waiting[0].name, waiting[0].at, tuple(names))
    return found


def _value_of(arg: Tree) -> Tree:
    """Return an argument without the name it is given to, ``c`` in ``f(x, b = c)``."""
    named = keyword_argument(arg)
    return arg if named is None else named[1]


def _expanded_args(
    draft: Draft, line: EquationLine, place: Place, args: tuple[Tree, ...]
) -> tuple[Tree, ...]:
    return tuple(_as_name(draft, line, place, arg) for arg in args)


def _as_name(draft: Draft, line: EquationLine, place: Place, arg: Tree) -> Tree:
    """Return an argument as a name: an inner layer or expression gets an equation of its own."""
    if isinstance(arg, Apply) and _is_layer(draft, arg):
        inner = Apply(arg.at, arg.name, None, _expanded_args(draft, line, place, arg.args))
        name = fresh_name(draft, arg.name)
        apply_layer(place, line.span, inner, name)
        return Word(arg.at, name)
    compound = isinstance(arg, (Chain, Negative, Apply)) or (
        isinstance(arg, Infix) and arg.op in ("/", "^")
    )
    if compound and _bare_tensors(draft, arg, False):
        name = fresh_name(draft, line.lhs.name)
        draft.pending_names.add(name)
        draft.tensors[name] = Tensor(name)
        whole_equation(draft, replace(line, lhs=Word(arg.at, name), rhs=arg, is_loss=False))
        return Word(arg.at, name)
    return arg


def _without_layers(draft: Draft, line: EquationLine, place: Place, tree: Tree) -> Tree:
    if isinstance(tree, Apply) and _is_layer(draft, tree):
        return _as_name(draft, line, place, tree)
    return rebuilt(tree, lambda part: _without_layers(draft, line, place, part))


def rebuilt(tree: Tree, change: Callable[[Tree], Tree]) -> Tree:
    """Return ``tree`` with its direct parts changed; brackets and accesses stay as they are."""
    match tree:
        case Infix(op="=", right=b):
            return tree._replace(right=change(b))
        case Infix(left=a, right=b):
            return tree._replace(left=change(a), right=change(b))
        case Negative(part=part):
            return tree._replace(part=change(part))
        case Chain(parts=parts):
            return tree._replace(parts=tuple(change(part) for part in parts))
        case Apply(args=args):
            return tree._replace(args=tuple(change(part) for part in args))
        case _:
            return tree


# --- element by element --------------------------------------------------------------------------


def _elementwise(draft: Draft, line: EquationLine, bare: list[Word]) -> None:
    scope = draft.scope(line.span)
    letters = _letters(draft, line, bare, scope)
    active = {index.name: index for index in letters}
    rhs = _indexed(draft, line.rhs, tuple(active))
    inside = scope.binding(active)
    lhs = Access(line.lhs.name, tuple(affine(index) for index in letters))
    made = expression(rhs, inside)
    predict = None
    if line.predict is not None:
        predict = expression(_indexed(draft, line.predict, tuple(active)), inside)
    _define(draft, line, letters)
    position = scope.position(line.span.start)
    draft.equations.append(Equation(lhs, made, position, predict))
    draft.written.append(Written(line.span, []))


def _define(draft: Draft, line: EquationLine, letters: tuple[Index, ...]) -> None:
    name = line.lhs.name
    axes = tuple(Axis(index.low, index.high) for index in letters)
    known = draft.tensors[name]
    draft.pending_names.discard(name)
    draft.tensors[name] = replace(
        known, axes=axes, axis_names=tuple(index.name for index in letters)
    )
    draft.views[name] = draft.views.get(name, View(name, None))._replace(axes=axes)


def _letters(draft: Draft, line: EquationLine, bare: list[Word], scope: Scope) -> tuple[Index, ...]:
    if not bare:
        return ()
    first = draft.tensors[bare[0].name]
    for word in bare[1:]:
        other = draft.tensors[word.name]
        if other.axes != first.axes:
            shapes = [", ".join(axis_text(a) for a in t.axes) for t in (first, other)]
            raise scope.problem(
                ShapeError,
                f"{first.name} has the axes ({shapes[0]}), {other.name} has ({shapes[1]}).",
                "Write the equation with indices.",
                word.at,
            )
    taken = set(names_in(line.rhs))
    spare = iter([c for c in "ijklmnopqrstuvw" if c not in taken])
    return tuple(
        replace(index, name=next(spare)) if index.name in taken else index
        for index in axis_letters(first)
    )


def _indexed(draft: Draft, tree: Tree, letters: tuple[str, ...]) -> Tree:
    """Return the expression with its letters written out."""
    if isinstance(tree, Word):
        view = draft.views.get(tree.name)
        if view is None or not view.axes:
            return tree
        return Ref(tree.at, tree.name, tuple(Word(tree.at, letter) for letter in letters), None)
    if isinstance(tree, Apply):
        if isinstance(draft.macros.get(tree.name), LossRow):
            return tree
        function = draft.functions.get(tree.name)
        if function is not None and function.indices and tree.items is None:
            tree = tree._replace(items=(Word(tree.at, letters[-1]),))
    return rebuilt(tree, lambda part: _indexed(draft, part, letters))
