"""Functions: defined ones, unknown ones, and their parameters."""

from __future__ import annotations

from fractions import Fraction

from derivgen.algebra.affine import Dim, Index, affine
from derivgen.algebra.expressions import Number
from derivgen.algebra.network import (
    Function,
)
from derivgen.errors import NameProblem, SyntaxProblem
from derivgen.language.draft import Draft, check_name
from derivgen.language.lines import (
    DefineLine,
    FunctionLine,
    Span,
)
from derivgen.language.resolve import expression
from derivgen.language.scope import ELEMENTARY, FOLDS, Scope, View
from derivgen.language.statements import keyword_argument
from derivgen.language.syntax import (
    Apply,
    Tree,
    Word,
)


def unknown_function(draft: Draft, line: FunctionLine, item: Word | Apply) -> None:
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
    try:
        body = expression(line.body, scope)
    except NameProblem as problem:
        if not problem.advice.startswith("Did"):
            problem.advice = f"A definition sees its arguments alone: {head.name}(z, a) = ..."
        raise
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
        raise scope.problem(
            SyntaxProblem, "A number is expected here.", "Write for example 0.1.", tree.at
        )
    return value.value
