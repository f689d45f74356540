"""What stands after ``=`` in a declaration: numbers, lists, initialisers, distributions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction

from derivgen.algebra.expressions import Access, Expr, Node, Number, replace_nodes
from derivgen.algebra.network import (
    Axis,
    Distribution,
    Initialiser,
    Nested,
    Role,
)
from derivgen.errors import NameProblem, ShapeError, SyntaxProblem
from derivgen.language.draft import Draft
from derivgen.language.functions import constant_value
from derivgen.language.lines import (
    TensorItem,
)
from derivgen.language.resolve import expression
from derivgen.language.scope import ELEMENTARY, Scope
from derivgen.language.sizes import known_size
from derivgen.language.statements import keyword_argument
from derivgen.language.syntax import (
    Apply,
    Bracket,
    Infix,
    Num,
    Tree,
    Word,
)

LARGEST_FILL = 10**5


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


DISTRIBUTIONS = {"bernoulli": 1, "normal": 2, "uniform": 2}


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
