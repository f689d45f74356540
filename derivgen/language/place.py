"""Where statements are being read: the network itself, or the body of a layer being applied."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Union

from derivgen.algebra.affine import Affine, Index, affine
from derivgen.algebra.expressions import Expr
from derivgen.algebra.network import Axis, Tensor
from derivgen.errors import DerivgenError, Position, ShapeError, SyntaxProblem
from derivgen.language.draft import Draft, declare_tensor
from derivgen.language.indexing import index_form
from derivgen.language.lines import Span
from derivgen.language.ranges import Pending, axis_text
from derivgen.language.resolve import expression
from derivgen.language.rows import LayerRow, LossRow, Param
from derivgen.language.scope import ELEMENTARY, Scope, View, free_letter
from derivgen.language.statements import keyword_argument
from derivgen.language.syntax import Ref, Tree, Word

Row = Union[LayerRow, LossRow]
SPARE_LETTERS = "tnmuvwpqrsabcefghijkloxyz"


@dataclass
class Place:
    """``names`` are the tensors' names in the network; ``suffix`` makes new ones."""

    draft: Draft
    letters: dict[str, Index]
    views: dict[str, View]
    values: dict[str, Expr] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)
    suffix: str = ""
    row: str = ""
    number: int = 0
    call: Position | None = None
    depth: int = 0  # layers inside layers
    taken: frozenset[str] = frozenset()  # letters carried from around
    active: Mapping[str, Index] = field(default_factory=dict)  # free or bound where a loss stands

    def scope(self, span: Span) -> Scope:
        """Return the scope of a statement here."""
        return Scope(
            span,
            self.letters,
            self.draft.dims,
            self.views,
            self.draft.functions,
            self.active,
            values=self.values,
            aliases=self.aliases,
            macros=self.draft.macros,
            expand=self.draft.expand,
            taken=self.taken,
        )

    def position(self, span: Span, at: int) -> Position:
        """Return where a message points: in a layer's body, at the call."""
        return self.call or span.source.position(at)


@dataclass(frozen=True)
class Bound:
    """A row's parameters bound to what it is applied to.

    ``views`` are the tensors, ``letters`` the ranges of their indices, ``carried`` the indices
    they have beyond those (``outer`` are those that the place around it carries too),
    ``extra`` what the call says of the row's own parameters.
    """

    views: Mapping[str, View]
    letters: Mapping[str, Index]
    carried: tuple[Index, ...]
    values: Mapping[str, Expr]
    aliases: Mapping[str, str]
    extra: Mapping[str, Tree]
    outer: tuple[Index, ...] = ()


@dataclass(frozen=True)
class Application:
    """A layer applied: ``out`` names its value, ``owner`` ends the names of its parameters.

    ``names`` are the parameters it has already, if it was made once for several applications.
    """

    row: LayerRow
    bound: Bound
    out: str
    owner: str
    names: dict[str, str]
    span: Span
    at: int

    @property
    def position(self) -> Position:
        """Return where the layer is applied."""
        return self.span.source.position(self.at)


def split_arguments(
    row: Row, args: tuple[Tree, ...], scope: Scope, at: int
) -> tuple[dict[str, Tree], dict[str, Tree]]:
    """Return the arguments of the row's parameters, and the named ones it has no parameter for."""
    given: dict[str, Tree] = {}
    extra: dict[str, Tree] = {}
    names = [param.name for param in row.params]
    for place, arg in enumerate(args):
        named = keyword_argument(arg)
        if named is not None:
            (given if named[0] in names else extra)[named[0]] = named[1]
        elif place < len(names) and names[place] not in given:
            given[names[place]] = arg
        else:
            raise _wrong_arguments(row, scope, at)
    if any(param.name not in given and param.default is None for param in row.params):
        raise _wrong_arguments(row, scope, at)
    return given, extra


def _wrong_arguments(row: Row, scope: Scope, at: int) -> DerivgenError:
    return scope.problem(
        SyntaxProblem,
        f"The arguments do not fit {row.signature}.",
        f"Write {row.signature}.",
        at,
    )


def bind(row: Row, args: tuple[Tree, ...], place: Place, span: Span, at: int) -> Bound:
    """Bind a row's parameters; every data argument is a name here.

    Raises: Pending, where the axes of an argument are not known yet; ShapeError, where an
    argument has too few axes or two arguments disagree.
    """
    scope = place.scope(span)
    given, extra = split_arguments(row, args, scope, at)
    views: dict[str, View] = {}
    letters: dict[str, Index] = {}
    carried: tuple[Index, ...] = ()
    outer = _outer_indices(row, given, place, scope)
    taken = frozenset(index.name for index in outer)
    values: dict[str, Expr] = {}
    aliases: dict[str, str] = {}
    for param in row.params:
        if param.letters is None:
            _bind_setting(param, given.get(param.name), place, span, values, aliases)
            continue
        tree = given[param.name]
        view = _data_view(tree, place, scope)
        if view is None:
            values[param.name] = _scalar(param, tree, scope, row)
            continue
        local = _match(param, view, row, place, scope, tree, letters, taken)
        carried = _merge(carried, local.carried, row, scope, tree)
        views[param.name] = local
    views = {n: v._replace(carried=carried) if v.carried else v for n, v in views.items()}
    return Bound(views, letters, carried, values, aliases, extra, outer)


def _outer_indices(
    row: Row, given: Mapping[str, Tree], place: Place, scope: Scope
) -> tuple[Index, ...]:
    """Return the indices that the arguments carry already, where the row is applied."""
    found: tuple[Index, ...] = ()
    for param in row.params:
        if param.letters is not None:
            view = _data_view(given[param.name], place, scope)
            if view is not None and len(view.carried) > len(found):
                found = view.carried
    return found


def _data_view(tree: Tree, place: Place, scope: Scope) -> View | None:
    if not isinstance(tree, (Word, Ref)):
        return None
    view = place.views.get(tree.name)
    if view is not None and view.axes is None:
        raise Pending(tree.name, tree.at, (tree.name,))
    return view if isinstance(tree, Word) else _part(tree, view, scope)


def _part(tree: Ref, view: View | None, scope: Scope) -> View | None:
    """Return ``p[t]`` of a ``p[t,k]`` as a tensor over ``k`` that carries ``t``, else ``None``."""
    letters = [scope.active.get(i.name) if isinstance(i, Word) else None for i in tree.items]
    indices = tuple(index for index in letters if index is not None)
    if view is None or len(indices) < len(letters) or len(indices) >= len(view.axes or ()):
        return None
    axes = (view.axes or ())[len(indices) :]
    return View(view.name, axes, (*view.carried, *indices), view.holds_indices)


def _scalar(param: Param, tree: Tree, scope: Scope, row: Row) -> Expr:
    if param.letters:
        raise scope.problem(
            ShapeError,
            f"{row.name} takes {param.name}[{','.join(param.letters)}] here, not a number.",
            f"Write {row.signature}.",
            tree.at,
        )
    return expression(tree, scope)


def _bind_setting(
    param: Param,
    tree: Tree | None,
    place: Place,
    span: Span,
    values: dict[str, Expr],
    aliases: dict[str, str],
) -> None:
    scope = place.scope(span)
    if tree is None:
        assert param.default is not None, "a missing argument has a default"
        tree = param.default
        scope = scope._replace(values={**scope.values, **values}, tensors={}, declared={})
    if isinstance(tree, Word):
        name = scope.aliases.get(tree.name, tree.name)
        known = name in scope.functions or name in ELEMENTARY or name in place.draft.layers
        if known and name not in scope.dims and name not in scope.values:
            aliases[param.name] = name
            return
    values[param.name] = expression(tree, scope)


def _match(
    param: Param,
    view: View,
    row: Row,
    place: Place,
    scope: Scope,
    tree: Tree,
    letters: dict[str, Index],
    taken: frozenset[str],
) -> View:
    assert view.axes is not None and param.letters is not None
    extra = len(view.axes) - len(param.letters)
    if extra < 0:
        raise scope.problem(
            ShapeError,
            f"{row.name} takes {param.name}[{','.join(param.letters)}], "
            f"{view.name} has {len(view.axes)} axes.",
            f"Write {row.signature}.",
            tree.at,
        )
    for letter, axis in zip(param.letters, view.axes[extra:]):
        known = letters.get(letter)
        if known is not None and (known.low, known.high) != (axis.low, axis.high):
            raise _differ(letter, known, axis, view, row, scope, tree)
        letters[letter] = free_letter(Index(letter, axis.low, axis.high), taken)
    leading = _leading_indices(view, view.axes[:extra], row, place)
    return View(view.name, view.axes[extra:], (*view.carried, *leading), view.holds_indices)


def _differ(
    letter: str, known: Index, axis: Axis, view: View, row: Row, scope: Scope, tree: Tree
) -> DerivgenError:
    return scope.problem(
        ShapeError,
        f"Index {letter} of {row.signature} runs over {axis_text(Axis(known.low, known.high))} "
        f"before and over {axis_text(axis)} in {view.name}.",
        "Give both the same size.",
        tree.at,
    )


def _leading_indices(
    view: View, axes: tuple[Axis, ...], row: Row, place: Place
) -> tuple[Index, ...]:
    if not axes:
        return ()
    tensor = place.draft.tensors[view.name]
    offset = len(view.carried)
    names = (tensor.axis_names or ("",) * len(tensor.axes))[offset : offset + len(axes)]
    taken = {index.name for index in view.carried}
    made: list[Index] = []
    for name, axis in zip(names, axes):
        if not name or name in row.words or name in taken:
            name = _spare(axis, taken | row.words, place)
        taken.add(name)
        made.append(Index(name, axis.low, axis.high))
    return tuple(made)


def _spare(axis: Axis, taken: set[str] | frozenset[str], place: Place) -> str:
    for index in place.draft.indices.values():
        if (index.low, index.high) == (axis.low, axis.high) and index.name not in taken:
            return index.name
    declared = place.draft.indices
    free = [c for c in SPARE_LETTERS if c not in taken and c not in declared]
    return free[0] if free else f"i{len(taken)}"


def _merge(
    known: tuple[Index, ...], new: tuple[Index, ...], row: Row, scope: Scope, tree: Tree
) -> tuple[Index, ...]:
    if not new or known == new:
        return known
    if not known:
        return new
    ranges = [[(i.low, i.high) for i in part] for part in (known, new)]
    if ranges[0] != ranges[1]:
        shown = [", ".join(axis_text(Axis(i.low, i.high)) for i in part) for part in (known, new)]
        raise scope.problem(
            ShapeError,
            f"The arguments of {row.name} have further axes of {shown[0]} and of {shown[1]}.",
            "Give them the same further axes, or write the equation with indices.",
            tree.at,
        )
    return known


def fresh_name(draft: Draft, base: str) -> str:
    """Return ``base_1``, ``base_2``, ...: the first name not taken."""
    count = 1
    while f"{base}_{count}" in draft.tensors:
        count += 1
    return f"{base}_{count}"


def set_tensor(draft: Draft, tensor: Tensor, span: Span, at: int) -> None:
    """Declare a tensor, or fill in one whose name an equation has announced."""
    if tensor.name in draft.pending_names:
        draft.pending_names.discard(tensor.name)
        draft.tensors[tensor.name] = replace(tensor, position=draft.tensors[tensor.name].position)
        draft.views[tensor.name] = View(tensor.name, tensor.axes)
        return
    declare_tensor(draft, tensor, span, at)


def local_axis(item: Tree, place: Place, span: Span) -> tuple[Axis, str]:
    """Return the axis that a declaration inside a layer writes."""
    if isinstance(item, Word) and item.name in place.letters:
        index = place.letters[item.name]
        return Axis(index.low, index.high), item.name
    size: Affine = index_form(item, place.scope(span))
    return Axis(affine(0), size), ""
