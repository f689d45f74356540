"""Calls of functions: what a call stands for, and what is wrong with one."""

from __future__ import annotations

from derivgen.algebra.expressions import (
    Access,
    Call,
    Expr,
)
from derivgen.algebra.network import Function
from derivgen.errors import DerivgenError, ShapeError, SyntaxProblem
from derivgen.language.scope import ELEMENTARY, FOLDS, Scope, View, undefined
from derivgen.language.syntax import (
    Apply,
    Word,
)


def needs_indices(scope: Scope, view: View, tree: Word) -> DerivgenError:
    count = len(view.axes or ())
    letters = ", ".join("ijklmnopq"[:count]) or "i"
    return scope.problem(
        ShapeError,
        f"{tree.name} has {count} {'axis' if count == 1 else 'axes'}, no index is written.",
        f"Write {tree.name}[{letters}].",
        tree.at,
    )


def no_condition_here(scope: Scope, at: int) -> DerivgenError:
    return scope.problem(
        SyntaxProblem,
        "A condition stands where a number is expected.",
        "Write [i = j] for 1 or 0, or where(i = j, a, b).",
        at,
    )


def not_a_function(name: str, tree: Apply, scope: Scope) -> DerivgenError:
    if name in FOLDS:
        return scope.problem(
            SyntaxProblem, f"{name} needs its indices.", f"Write {name}[i](...).", tree.at
        )
    if name in scope.tensors:
        return scope.problem(
            SyntaxProblem, f"{name} is a tensor, not a function.", f"Write {name}*(...).", tree.at
        )
    error = undefined(scope, name, tree.at, " as a function", (*scope.macros, *ELEMENTARY, *FOLDS))
    if not error.advice.startswith("Did"):
        error.advice = f"Define it: define {name}(z) = ..., or function {name} for an unknown one."
    return error


def wrong_arguments(function: Function, tree: Apply, scope: Scope) -> DerivgenError:
    signature = ", ".join(function.params)
    return scope.problem(
        SyntaxProblem,
        f"{function.name} takes ({signature}), {counted(len(tree.args), 'argument')} written.",
        f"Write {function.name}({signature}).",
        tree.at,
    )


def counted(count: int, noun: str) -> str:
    """Return ``1 argument is`` or ``2 arguments are``."""
    return f"{count} {noun} is" if count == 1 else f"{count} {noun}s are"


def function_call(function: Function, args: tuple[Expr, ...]) -> Expr:
    """Return ``function(args)``; a function that is its argument is that argument."""
    if is_identity(function):
        return args[0]
    return Call(function.name, args)


def is_identity(function: Function) -> bool:
    """Tell whether a function is its own argument."""
    return len(function.params) == 1 and function.body == Access(function.params[0])
