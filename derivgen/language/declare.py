"""Declarations: sizes, indices, tensors with their values, functions, facts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

from derivgen.algebra.affine import Index, affine
from derivgen.algebra.expressions import ONE, Access, Reduce
from derivgen.algebra.network import (
    Axis,
    Fact,
    Role,
    StateUpdate,
    Tensor,
)
from derivgen.errors import NameProblem, Position, ShapeError
from derivgen.language.draft import Draft, declare_index, declare_tensor
from derivgen.language.functions import define, unknown_function
from derivgen.language.lines import (
    AssumeLine,
    BatchLine,
    DefineLine,
    DimLine,
    FunctionLine,
    IndexLine,
    Line,
    NetworkLine,
    RandomLine,
    Span,
    StateLine,
    TensorItem,
    TensorLine,
)
from derivgen.language.ranges import check_size, range_index
from derivgen.language.resolve import expression
from derivgen.language.scope import Scope
from derivgen.language.sizes import declare_batch, declare_range, declare_size, size_form
from derivgen.language.starts import distribution, read_value
from derivgen.language.syntax import (
    Ranged,
    Ref,
    Tree,
    Word,
)

# --- sizes and indices ---------------------------------------------------------------------------


def declare_sizes(draft: Draft, lines: Sequence[Line]) -> None:
    """Read ``network``, ``dim``, ``batch``, ``index`` and the functions."""
    for line in lines:
        if isinstance(line, NetworkLine):
            draft.name = line.name
        elif isinstance(line, DimLine):
            for name, value in line.items:
                declare_size(draft, line.span, name, value)
    given = {i.name for line in lines if isinstance(line, IndexLine) for i in line.items}
    for line in lines:
        if isinstance(line, BatchLine) and line.name.name not in given:
            declare_batch(draft, line)
        elif isinstance(line, IndexLine):
            for item in line.items:
                declare_range(draft, line, item)
    for line in lines:
        if isinstance(line, BatchLine) and line.name.name in given:
            declare_batch(draft, line)
    for line in lines:
        if isinstance(line, FunctionLine):
            for unknown in line.items:
                unknown_function(draft, line, unknown)
        elif isinstance(line, DefineLine):
            draft.functions.pop(line.head.name, None)
    _define_all(draft, [line for line in lines if isinstance(line, DefineLine)])


# --- functions -----------------------------------------------------------------------------------


def _define_all(draft: Draft, waiting: list[DefineLine]) -> None:
    # In any order: a definition that uses a later one is tried again.
    while waiting:
        again: list[DefineLine] = []
        first: NameProblem | None = None
        for line in waiting:
            try:
                define(draft, line)
            except NameProblem as problem:
                again.append(line)
                first = first or problem
        if first is not None and len(again) == len(waiting):
            raise first
        waiting = again


# --- tensors -------------------------------------------------------------------------------------


def declare_tensors(draft: Draft, lines: Sequence[Line]) -> None:
    """Read ``input``, ``target``, ``param``, ``const``, ``random`` and ``state``."""
    for line in lines:
        if isinstance(line, TensorLine):
            spots = [axis for item in line.items for axis in item.axes if isinstance(axis, Ranged)]
            axes_of(draft, tuple(spots), line.span)
    for line in lines:
        if isinstance(line, TensorLine):
            for item in line.items:
                _tensor(draft, line, item)
    for line in lines:
        if isinstance(line, RandomLine):
            _random(draft, line)
        elif isinstance(line, StateLine):
            _state_tensor(draft, line)


def axes_of(
    draft: Draft, items: tuple[Tree, ...], span: Span
) -> tuple[tuple[Axis, ...], tuple[str, ...]]:
    """Return the axes a declaration writes, and their letters ("" where a size stands)."""
    axes: list[Axis] = []
    names: list[str] = []
    for item in items:
        axis, name = _axis(draft, item, span)
        axes.append(axis)
        names.append(name)
    return tuple(axes), tuple(names)


def _axis(draft: Draft, item: Tree, span: Span) -> tuple[Axis, str]:
    if isinstance(item, Ranged):
        index = range_index(item, lambda part: size_form(part, draft, span), draft.indices)
        check_size(index.size, draft.scope(span), item.at, f"Index {item.name}")
        declare_index(draft, index, span, item.at)
        return Axis(index.low, index.high), index.name
    if isinstance(item, Word):
        index_known = draft.indices.get(item.name)
        if index_known is not None:
            return Axis(index_known.low, index_known.high), item.name
        if item.name not in draft.dims:
            raise draft.scope(span).problem(
                NameProblem,
                f"{item.name} is neither an index nor a size.",
                f"Write the range here, {item.name}: SIZE, or on a line before: "
                f"index {item.name}: SIZE.",
                item.at,
            )
    size = size_form(item, draft, span)
    check_size(size, draft.scope(span), item.at, "The axis")
    return Axis(affine(0), size), ""


def _tensor(draft: Draft, line: TensorLine, item: TensorItem) -> None:
    axes, names = axes_of(draft, item.axes, line.span)
    role = Role(line.role)
    initialiser, values = read_value(draft, item, role, axes, draft.scope(line.span))
    tensor = Tensor(
        item.name.name,
        axes,
        role,
        initialiser,
        values,
        _values_of(draft, item, line.span),
        item.onehot,
        axis_names=names,
        position=line.span.source.position(item.name.at),
    )
    declare_tensor(draft, tensor, line.span, item.name.at)
    if item.onehot:
        _onehot(draft, tensor, line, item)


def _values_of(draft: Draft, item: TensorItem, span: Span) -> Index | None:
    if item.of is None:
        return None
    index = draft.indices.get(item.of.name)
    if index is None:
        raise draft.scope(span).problem(
            NameProblem,
            f"{item.of.name} is no index, {item.name.name} is to hold its values.",
            f"Declare index {item.of.name}: SIZE.",
            item.of.at,
        )
    return index


def _onehot(draft: Draft, tensor: Tensor, line: TensorLine, item: TensorItem) -> None:
    if not tensor.axes:
        raise draft.scope(line.span).problem(
            ShapeError,
            f"{tensor.name} has no axis to be one-hot along.",
            f"Write {tensor.name}[10] onehot.",
            item.name.at,
        )
    letters = axis_letters(tensor)
    element = Access(tensor.name, tuple(affine(i) for i in letters))
    position = line.span.source.position(item.name.at)
    fact = Fact(Reduce("sum", (letters[-1],), element), ONE, position, tensor.name)
    draft.facts.append(fact)


def axis_letters(tensor: Tensor) -> tuple[Index, ...]:
    """Return an index per axis, with the declared letter or else a free one."""
    spare = iter([c for c in "kijlmnopqrstuvw" if c not in tensor.axis_names])
    names = tensor.axis_names or ("",) * len(tensor.axes)
    made: list[Index] = []
    for name, axis in zip(names, tensor.axes):
        taken = [i.name for i in made]
        letter = name if name and name not in taken else next(spare, f"i{len(made)}")
        made.append(Index(letter, axis.low, axis.high))
    return tuple(made)


# --- random and state ----------------------------------------------------------------------------


def _random(draft: Draft, line: RandomLine) -> None:
    axes, names = axes_of(draft, line.item.axes, line.span)
    scope = draft.scope(line.span)
    assert line.item.value is not None, "the statement has a distribution"
    tensor = Tensor(
        line.item.name.name,
        axes,
        Role.RANDOM,
        distribution=distribution(line.item.value, scope),
        predict=None if line.predict is None else expression(line.predict, scope),
        axis_names=names,
        position=scope.position(line.item.name.at),
    )
    declare_tensor(draft, tensor, line.span, line.item.name.at)


def _state_tensor(draft: Draft, line: StateLine) -> None:
    axes, names = axes_of(draft, line.item.axes, line.span)
    _, values = read_value(draft, line.item, Role.STATE, axes, draft.scope(line.span))
    tensor = Tensor(
        line.item.name.name,
        axes,
        Role.STATE,
        values=Fraction(0) if values is None else values,
        axis_names=names,
        position=line.span.source.position(line.item.name.at),
    )
    declare_tensor(draft, tensor, line.span, line.item.name.at)


def declare_facts(draft: Draft, lines: Sequence[Line]) -> None:
    """Read ``assume`` and the updates of states, once every tensor is known."""
    for line in lines:
        if isinstance(line, AssumeLine):
            _assume(draft, line)
        elif isinstance(line, StateLine):
            _update(draft, line)


def _assume(draft: Draft, line: AssumeLine) -> None:
    scope = draft.scope(line.span)
    inside = scope.binding(scope.declared)
    left, right = expression(line.left, inside), expression(line.right, inside)
    draft.facts.append(Fact(left, right, scope.position(line.span.start)))


def _update(draft: Draft, line: StateLine) -> None:
    name = line.item.name.name
    draft.tensors[name] = add_update(draft, line, name, draft.scope(line.span), None)


def add_update(
    draft: Draft, line: StateLine, name: str, scope: Scope, call: Position | None
) -> Tensor:
    """Add a state's next value and return its tensor, with its value at prediction.

    Inside the update the bare name means the element that is updated.
    """
    tensor = draft.tensors[name]
    letters = _update_letters(line, tensor)
    element = Access(name, tuple(affine(i) for i in letters))
    scope = scope.binding({i.name: i for i in letters})
    scope = scope._replace(values={**scope.values, line.item.name.name: element})
    known = any(update.lhs.tensor == name for update in draft.updates)  # a layer made once
    if line.update is not None and not known:
        rhs = expression(line.update[1], scope)
        position = call or scope.position(line.span.start)
        draft.updates.append(StateUpdate(element, rhs, position))
    if line.predict is None:
        return tensor
    return replace(tensor, predict=expression(line.predict, scope))


def _update_letters(line: StateLine, tensor: Tensor) -> tuple[Index, ...]:
    letters = axis_letters(tensor)
    lhs = line.update[0] if line.update is not None else None
    if not isinstance(lhs, Ref) or len(lhs.items) != len(letters):
        return letters
    names = [item.name if isinstance(item, Word) else "" for item in lhs.items]
    return tuple(replace(i, name=name or i.name) for i, name in zip(letters, names))
