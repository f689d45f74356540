"""Declarations: sizes, indices, tensors with their values, functions, facts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction

from derivgen.algebra.affine import Affine, Dim, Index, affine, dims_of, evaluate_affine
from derivgen.algebra.expressions import ONE, Access, Expr, Node, Number, Reduce, replace_nodes
from derivgen.algebra.network import (
    Axis,
    Distribution,
    Fact,
    Function,
    Initialiser,
    Nested,
    Role,
    StateUpdate,
    Tensor,
)
from derivgen.errors import NameProblem, ShapeError, SyntaxProblem
from derivgen.language.draft import Draft, check_name, declare_dim, declare_index, declare_tensor
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
from derivgen.language.resolve import expression, index_form
from derivgen.language.scope import ELEMENTARY, FOLDS, Scope, View
from derivgen.language.statements import keyword_argument
from derivgen.language.syntax import (
    Apply,
    Bracket,
    Infix,
    Num,
    Ranged,
    Tree,
    Word,
    parts_of,
)

LARGEST_FILL = 10**5


# --- sizes and indices ---------------------------------------------------------------------------


def declare_sizes(draft: Draft, lines: Sequence[Line]) -> None:
    """Read ``network``, ``dim``, ``batch``, ``index`` and the functions."""
    for line in lines:
        if isinstance(line, NetworkLine):
            draft.name = line.name
        elif isinstance(line, DimLine):
            for name, value in line.items:
                _dim(draft, line.span, name, value)
    for line in lines:
        if isinstance(line, BatchLine):
            _batch(draft, line)
        elif isinstance(line, IndexLine):
            for item in line.items:
                _index(draft, line, item)
    for line in lines:
        if isinstance(line, FunctionLine):
            for unknown in line.items:
                _unknown_function(draft, line, unknown)
        elif isinstance(line, DefineLine):
            draft.functions.pop(line.head.name, None)
    for line in lines:
        if isinstance(line, DefineLine):
            define(draft, line)


def _dim(draft: Draft, span: Span, name: Word, value: Tree | None) -> None:
    if draft.sizes.get(Dim(name.name)) is not None or Dim(name.name) in draft.derived:
        raise draft.scope(span).problem(
            NameProblem, f"Size {name.name} is declared twice.", "Use two letters.", name.at
        )
    dim = declare_dim(draft, name.name, span, name.at)
    if value is None:
        return
    scope = draft.scope(span)
    form = size_form(value, draft, span)
    check_size(form, scope, value.at, f"Size {name.name}")
    if not form.is_constant:
        draft.derived[dim] = form
    if all(draft.sizes.get(d) is not None for d in dims_of(form)):
        draft.sizes[dim] = evaluate_affine(form, draft.sizes)  # type: ignore[arg-type]


def size_form(tree: Tree, draft: Draft, span: Span) -> Affine:
    """Return a size as an affine form; a letter not declared becomes an open size."""
    stack = [tree]
    while stack:
        part = stack.pop()
        if isinstance(part, Word) and part.name not in draft.dims:
            declare_dim(draft, part.name, span, part.at)
        stack.extend(parts_of(part))
    scope = Scope(span, {}, draft.dims, {}, {})
    return index_form(tree, scope)


def _index(draft: Draft, line: IndexLine, item: Ranged) -> None:
    index = range_index(item, lambda part: size_form(part, draft, line.span), draft.indices)
    check_size(index.size, draft.scope(line.span), item.at, f"Index {item.name}")
    declare_index(draft, index, line.span, item.at)
    if line.layers:
        draft.layer_index = index


def _batch(draft: Draft, line: BatchLine) -> None:
    if draft.batch is not None:
        raise draft.scope(line.span).problem(
            NameProblem,
            f"The samples are numbered by {draft.batch.name} already.",
            "A network has one batch index.",
            line.name.at,
        )
    if line.size is not None:
        index = range_index(
            line.size, lambda part: size_form(part, draft, line.span), draft.indices
        )
    else:
        dim = declare_dim(draft, _fresh_size(draft, line.name.name), line.span, line.name.at)
        index = Index(line.name.name, affine(0), affine(dim))
    draft.batch = declare_index(draft, index, line.span, line.name.at)


def _fresh_size(draft: Draft, letter: str) -> str:
    for name in (letter.upper(), f"N_{letter}"):
        if name not in draft.dims and name != letter:
            return name
    return f"{letter}_size"


# --- functions -----------------------------------------------------------------------------------


def _unknown_function(draft: Draft, line: FunctionLine, item: Word | Apply) -> None:
    params: tuple[str, ...] = ("z",)
    if isinstance(item, Apply):
        params = tuple(arg.name for arg in item.args if isinstance(arg, Word))
        if not params or len(params) != len(item.args):
            raise draft.scope(line.span).problem(
                SyntaxProblem, "A function's arguments are names.", "function f(a, b)", item.at
            )
    check_function_name(draft, item.name, line.span, item.at)
    position = line.span.source.position(item.at)
    draft.functions[item.name] = Function(item.name, params, None, position=position)


def check_function_name(draft: Draft, name: str, span: Span, at: int) -> None:
    """Refuse to define again what is built in."""
    check_name(draft, name, span, at)
    if name in ELEMENTARY or name in FOLDS:
        raise draft.scope(span).problem(
            NameProblem, f"{name} is built in.", f"Choose another name, such as my_{name}.", at
        )


def define(draft: Draft, line: DefineLine, source: str = "") -> None:
    """Add a defined function."""
    head = line.head
    check_function_name(draft, head.name, line.span, head.at)
    params, settings = signature(draft, head, line.span)
    indices = tuple(_dummy(item, draft, line.span) for item in head.items or ())
    views = {name: View(name, ()) for name in params}
    letters = {index.name: index for index in indices}
    scope = Scope(line.span, letters, {}, views, draft.functions, active=letters)
    body = expression(line.body, scope)
    position = line.span.source.position(head.at)
    draft.functions[head.name] = Function(
        head.name, params, body, indices, settings, source, position
    )


def _dummy(item: Tree, draft: Draft, span: Span) -> Index:
    if not isinstance(item, Word):
        raise draft.scope(span).problem(
            SyntaxProblem, "An index letter stands here.", "define softmax[k](z) = ...", item.at
        )
    size = Dim(item.name.upper() if item.name.upper() != item.name else f"N_{item.name}")
    return Index(item.name, affine(0), affine(size))


def signature(
    draft: Draft, head: Apply, span: Span
) -> tuple[tuple[str, ...], tuple[tuple[str, Fraction], ...]]:
    """Return the parameters of ``f(z, a = 0.01)`` and the defaults of the last of them."""
    params: list[str] = []
    settings: list[tuple[str, Fraction]] = []
    scope = draft.scope(span)
    for arg in head.args:
        named = keyword_argument(arg)
        if named is not None:
            settings.append((named[0], constant_value(named[1], scope)))
            name: str | None = named[0]
        else:
            name = arg.name if isinstance(arg, Word) and not settings else None
        if name is None or name in params:
            raise scope.problem(
                SyntaxProblem,
                "Parameters are distinct names, those with a default last.",
                f"define {head.name}(z, a = 1) = ...",
                arg.at,
            )
        params.append(name)
    if not params:
        raise scope.problem(
            SyntaxProblem, f"{head.name} has no argument.", f"define {head.name}(z) = ...", head.at
        )
    return tuple(params), tuple(settings)


def constant_value(tree: Tree, scope: Scope) -> Fraction:
    """Return the value of an expression of numbers."""
    value = expression(tree, Scope(scope.span, {}, {}, {}, {}, values=scope.values))
    if not isinstance(value, Number):
        raise scope.problem(SyntaxProblem, "A number is expected here.", "", tree.at)
    return value.value


# --- tensors -------------------------------------------------------------------------------------


def declare_tensors(draft: Draft, lines: Sequence[Line]) -> None:
    """Read ``input``, ``target``, ``param``, ``const``, ``random`` and ``state``."""
    for line in lines:
        if isinstance(line, TensorLine):
            for item in line.items:
                _tensor(draft, line, item)
        elif isinstance(line, RandomLine):
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
            ShapeError, f"{tensor.name} has no axis to be one-hot along.", "", item.name.at
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


def read_value(
    draft: Draft, item: TensorItem, role: Role, axes: tuple[Axis, ...], scope: Scope
) -> tuple[Initialiser | None, Nested | None]:
    """Return what stands after ``=``: a number, a nested list of numbers, or an initialiser."""
    tree = item.value
    if tree is None:
        return None, None
    if isinstance(tree, Bracket):
        values = nested_values(tree, scope)
        _check_shape(draft, values, axes, item, scope)
        return None, values
    if role is Role.PARAM and isinstance(tree, (Word, Apply)) and not _is_number(tree, scope):
        return _initialiser(draft, tree, scope), None
    value = constant_value(tree, scope)
    if role is not Role.PARAM:
        return None, _filled(draft, value, axes)
    return constant_start(value), None if axes else value


def constant_start(value: Fraction) -> Initialiser:
    """Return the initialiser of a parameter that starts at a number."""
    return Initialiser("constant", (value,), Distribution("constant", (Number(value),)))


def _filled(draft: Draft, value: Fraction, axes: tuple[Axis, ...]) -> Nested:
    """Return an array of equal values, if its sizes are known and small; else the number."""
    filled: Nested = value
    sizes = [known_size(draft, axis.size) for axis in axes]
    total = 1
    for size in reversed(sizes):
        if size is None or total * size > LARGEST_FILL:
            return value
        total *= size
        filled = (filled,) * size
    return filled


def _is_number(tree: Word | Apply, scope: Scope) -> bool:
    return tree.name in (ELEMENTARY if isinstance(tree, Apply) else scope.values)


def _initialiser(draft: Draft, tree: Word | Apply, scope: Scope) -> Initialiser:
    rule = draft.initialisers.get(tree.name)
    if rule is None:
        raise scope.problem(
            NameProblem,
            f"{tree.name} is no initialiser.",
            f"There are {', '.join(sorted(draft.initialisers))}, and numbers.",
            tree.at,
        )
    settings = dict(rule.settings)
    for place, arg in enumerate(tree.args if isinstance(tree, Apply) else ()):
        named = keyword_argument(arg)
        name = named[0] if named else list(settings)[place] if place < len(settings) else ""
        if name not in settings:
            raise scope.problem(
                NameProblem,
                f"{tree.name} has no such setting.",
                f"Its settings are {', '.join(settings) or 'none'}.",
                arg.at,
            )
        settings[name] = constant_value(named[1] if named else arg, scope)
    made = rule.distribution
    if not settings:
        return Initialiser(rule.name, (), made)
    filled = replace(made, arguments=tuple(_filled_in(arg, settings) for arg in made.arguments))
    return Initialiser(rule.name, tuple(settings.values()), filled)


def _filled_in(expr: Expr, settings: Mapping[str, Fraction]) -> Expr:
    """Return an expression of a rule with its settings' values in place of their names."""
    known: dict[Node, Node] = {Access(name): Number(value) for name, value in settings.items()}
    return replace_nodes(expr, known)


def nested_values(tree: Tree, scope: Scope) -> Nested:
    """Return a nested list of exact numbers."""
    if isinstance(tree, Bracket):
        return tuple(nested_values(part, scope) for part in tree.parts)
    return constant_value(tree, scope)


def _check_shape(
    draft: Draft, values: Nested, axes: tuple[Axis, ...], item: TensorItem, scope: Scope
) -> None:
    shape = _shape(values)
    assert item.value is not None, "there are values to check"
    if shape is None or len(shape) != len(axes):
        found = "ragged" if shape is None else f"{len(shape)} deep"
        raise scope.problem(
            ShapeError,
            f"{item.name.name} has {len(axes)} axes, its list of values is {found}.",
            "Write one list per axis inside the other, all of equal length.",
            item.value.at,
        )
    for place, (count, axis) in enumerate(zip(shape, axes)):
        size = known_size(draft, axis.size)
        if size is not None and size != count:
            raise scope.problem(
                ShapeError,
                f"Axis {place} of {item.name.name} has {size} values, the list has {count}.",
                f"Write {size} values there.",
                item.value.at,
            )


def _shape(values: Nested) -> tuple[int, ...] | None:
    if isinstance(values, Fraction):
        return ()
    inner = [_shape(part) for part in values]
    first = inner[0]
    if first is None or any(shape != first for shape in inner):
        return None
    return (len(values), *first)


def known_size(draft: Draft, form: Affine) -> int | None:
    """Return a size's value, if the letters in it have values."""
    if any(draft.sizes.get(dim) is None for dim in dims_of(form)):
        return None
    return evaluate_affine(form, draft.sizes)  # type: ignore[arg-type]


# --- random and state ----------------------------------------------------------------------------

DISTRIBUTIONS = {"bernoulli": 1, "normal": 2, "uniform": 2}


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


def distribution(tree: Tree, scope: Scope) -> Distribution:
    """Return ``bernoulli(1-p)/(1-p)`` and the like."""
    scale: Expr | None = None
    if isinstance(tree, Infix) and tree.op == "/":
        scale = expression(
            Infix(tree.at, "/", Num(tree.at, Fraction(1)), tree.right, tree.op_at), scope
        )
        tree = tree.left
    if not isinstance(tree, Apply) or tree.name not in DISTRIBUTIONS:
        raise scope.problem(
            SyntaxProblem,
            "A random tensor names its distribution.",
            "Write bernoulli(0.5), normal(0, 1) or uniform(0, 1), perhaps divided by a number.",
            tree.at,
        )
    args = tuple(expression(arg, scope) for arg in tree.args)
    if len(args) != DISTRIBUTIONS[tree.name]:
        raise scope.problem(
            SyntaxProblem,
            f"{tree.name} takes {DISTRIBUTIONS[tree.name]} numbers, {len(args)} are written.",
            "Write bernoulli(0.5), normal(0, 1) or uniform(0, 1).",
            tree.at,
        )
    return Distribution(tree.name, args, scale)


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
    tensor = draft.tensors[name]
    scope = draft.scope(line.span)
    letters = axis_letters(tensor)
    inside = scope.binding({i.name: i for i in letters})
    element = Access(name, tuple(affine(i) for i in letters))
    bare = {name: element}
    inside = Scope(
        inside.span,
        inside.declared,
        inside.dims,
        inside.tensors,
        inside.functions,
        inside.active,
        bare,
    )
    rhs = expression(line.update[1], inside)
    draft.updates.append(StateUpdate(element, rhs, scope.position(line.span.start)))
    if line.predict is not None:
        draft.tensors[name] = _with_predict(tensor, expression(line.predict, inside))


def _with_predict(tensor: Tensor, predict: Expr) -> Tensor:
    return replace(tensor, predict=predict)
