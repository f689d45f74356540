"""Surface trees to expressions: every name gets its meaning, every index its range.

A name standing alone is, in this order: an index that is free or bound here, a setting, a rank-0
tensor, a size letter, ``pi``. In an index position only indices, sizes and index-valued tensors
count. Sums keep the order they were written in.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

from derivgen.algebra.affine import Index, affine
from derivgen.algebra.expressions import (
    Access,
    Along,
    And,
    Call,
    Compare,
    Condition,
    Constant,
    Derivative,
    Div,
    Expr,
    IndexValue,
    Iverson,
    Not,
    Number,
    Or,
    Pow,
    Reduce,
    Where,
    index_value,
)
from derivgen.algebra.network import Function
from derivgen.errors import DerivgenError, EquationError, SyntaxProblem
from derivgen.language.arithmetic import check_digits, minus, of_numbers, product, total
from derivgen.language.calls import (
    function_call,
    needs_indices,
    no_condition_here,
    not_a_function,
    wrong_arguments,
)
from derivgen.language.indexing import index_form, infix_form, no_tensor, unbound, wrong_count
from derivgen.language.ranges import Pending, find_range, range_index
from derivgen.language.scope import ELEMENTARY, FOLDS, Scope, free_letter, undefined
from derivgen.language.statements import keyword_argument
from derivgen.language.syntax import (
    Apply,
    Bracket,
    Chain,
    Infix,
    Negative,
    NotTree,
    Num,
    Ranged,
    Ref,
    Tree,
    Word,
)


def expression(tree: Tree, scope: Scope) -> Expr:
    """Return the meaning of ``tree``."""
    return RESOLVE[type(tree)](tree, scope)


# --- names ---------------------------------------------------------------------------------------


def _number(tree: Num, scope: Scope) -> Expr:
    return Number(tree.value)


def _word(tree: Word, scope: Scope) -> Expr:
    name = tree.name
    if name in scope.active:
        return IndexValue(affine(scope.active[name]))
    if name in scope.values:
        return scope.values[name]
    view = scope.tensors.get(name)
    if view is not None and view.axes is None:
        raise Pending(name, tree.at, (name,))
    if view is not None and view.axes == ():
        return Access(view.name, tuple(affine(i) for i in view.carried))
    if name in scope.dims:
        return IndexValue(affine(scope.dims[name]))
    if name in scope.declared and view is None:
        raise unbound(scope, scope.declared[name], tree.at)
    if view is not None:
        raise needs_indices(scope, view, tree)
    if name == "pi":
        return Constant("pi")
    if name in scope.functions or name in ELEMENTARY:
        raise scope.problem(SyntaxProblem, f"{name} is a function.", f"Write {name}(...).", tree.at)
    raise undefined(scope, name, tree.at)


def _ref(tree: Ref, scope: Scope) -> Expr:
    view = scope.tensors.get(tree.name)
    if view is None:
        raise no_tensor(tree, scope)
    if view.axes is not None and len(view.axes) != len(tree.items):
        raise wrong_count(scope, tree, len(view.axes))
    forms = tuple([index_form(item, scope) for item in tree.items])
    if view.carried:
        forms = (*[affine(i) for i in view.carried], *forms)
    outside = None if tree.outside is None else expression(tree.outside, scope)
    access = Access(view.name, forms, outside)
    if scope.log is not None:
        scope.log.append((access, tree.at))
    return access


# --- index expressions ---------------------------------------------------------------------------


# --- arithmetic ----------------------------------------------------------------------------------


def _chain(tree: Chain, scope: Scope) -> Expr:
    op = tree.ops[-1]
    if op in ("and", "or"):
        raise no_condition_here(scope, tree.at)
    parts = [expression(part, scope) for part in tree.parts]
    if op == "*":
        check_digits(parts, tree, scope)
        return product(parts)
    return total([part if sign == "+" else minus(part) for sign, part in zip(tree.ops, parts)])


def _negative(tree: Negative, scope: Scope) -> Expr:
    return minus(expression(tree.part, scope))


def _infix(tree: Infix, scope: Scope) -> Expr:
    if tree.op in ("//", "%"):
        return index_value(infix_form(tree, scope))
    if tree.op not in ("/", "^"):
        raise no_condition_here(scope, tree.op_at)
    left, right = expression(tree.left, scope), expression(tree.right, scope)
    if isinstance(left, Number) and isinstance(right, Number):
        return of_numbers(tree, left.value, right.value, scope)
    return Div(left, right) if tree.op == "/" else Pow(left, right)


# --- conditions ----------------------------------------------------------------------------------


def condition(tree: Tree, scope: Scope) -> Condition:
    """Return the condition a tree says."""
    if isinstance(tree, Infix) and tree.op not in ("/", "//", "%", "^"):
        return Compare(tree.op, expression(tree.left, scope), expression(tree.right, scope))
    if isinstance(tree, Chain) and tree.ops[-1] in ("and", "or"):
        parts = tuple(condition(part, scope) for part in tree.parts)
        return And(parts) if tree.ops[-1] == "and" else Or(parts)
    if isinstance(tree, NotTree):
        return Not(condition(tree.part, scope))
    if isinstance(tree, Bracket) and len(tree.parts) == 1:
        return condition(tree.parts[0], scope)
    raise scope.problem(
        SyntaxProblem,
        "A number stands where a condition is expected.",
        "Write a comparison, as in [j <= i] or where(x[i] > 0, a, b).",
        tree.at,
    )


def _bracket(tree: Bracket, scope: Scope) -> Expr:
    if len(tree.parts) != 1:
        raise scope.problem(
            SyntaxProblem, "A list of values stands in an expression.", "Declare a const.", tree.at
        )
    return Iverson(condition(tree.parts[0], scope))


# --- applications --------------------------------------------------------------------------------


def _apply(tree: Apply, scope: Scope) -> Expr:
    name = scope.aliases.get(tree.name, tree.name)
    if tree.items is not None:
        return _bracketed(name, tree, scope)
    if name == "where":
        return _where(tree, scope)
    if name in scope.functions:
        return _defined(scope.functions[name], tree, scope)
    if name in ELEMENTARY:
        return _elementary(name, tree, scope)
    if name == "d" and len(tree.args) == 2:
        return _derivative(tree, scope)
    if name in scope.macros and scope.expand is not None:
        return scope.expand(name, tree, scope)
    base = name.rstrip("'")
    if base != name and base in scope.functions:
        return _prime(scope.functions[base], name.count("'"), tree, scope)
    raise not_a_function(name, tree, scope)


def _bracketed(name: str, tree: Apply, scope: Scope) -> Expr:
    function = scope.functions.get(name)
    if function is not None and (function.indices or tree.name in scope.aliases):
        return _along(function, tree, scope)
    if name in FOLDS:
        return _fold(name, tree, scope)
    if tree.name in scope.aliases and name in ELEMENTARY:
        return _elementary(name, tree, scope)
    if name in scope.tensors:
        raise scope.problem(
            SyntaxProblem,
            f"{name} is a tensor, not a function.",
            f"Write {name}[...]*(...).",
            tree.at,
        )
    if name in scope.functions or name in ELEMENTARY:
        raise scope.problem(
            SyntaxProblem, f"{name} is a function of numbers.", f"Write {name}(...).", tree.at
        )
    raise undefined(scope, name, tree.at, " as a function along indices")


def _fold(name: str, tree: Apply, scope: Scope) -> Expr:
    if len(tree.args) != 1:
        raise scope.problem(
            SyntaxProblem, f"{name}[...] takes one argument.", f"{name}[i](...)", tree.at
        )
    bound: dict[str, Index] = {}
    for item in tree.items or ():
        index = _bound_index(item, tree, scope)
        letter = item.name if isinstance(item, (Word, Ranged)) else index.name
        if letter in bound:
            raise scope.problem(
                EquationError, f"{index.name} is bound twice.", "Use two letters.", item.at
            )
        bound[letter] = index
    if name.startswith("arg") and len(bound) != 1:
        raise scope.problem(
            EquationError, f"{name} finds the place along one index.", f"{name}[i](...)", tree.at
        )
    return Reduce(name, tuple(bound.values()), expression(tree.args[0], scope.binding(bound)))


def _bound_index(item: Tree, tree: Apply, scope: Scope) -> Index:
    if isinstance(item, Ranged):
        return range_index(item, lambda part: index_form(part, scope), scope.declared)
    if not isinstance(item, Word):
        raise scope.problem(
            SyntaxProblem, "The brackets of a reduction hold index letters.", "sum[i](...)", item.at
        )
    if item.name in scope.declared:
        return scope.declared[item.name]
    return free_letter(find_range(item, tree.args[0], scope), scope.taken)


def _along(function: Function, tree: Apply, scope: Scope) -> Expr:
    args = _arguments(function, tree, scope)
    if not function.indices:
        return function_call(function, args)
    items = tree.items or ()
    if len(items) != len(function.indices):
        raise scope.problem(
            EquationError,
            f"{function.name} works along {len(function.indices)} index, {len(items)} are written.",
            f"Write {function.name}[k](...).",
            tree.at,
        )
    found: list[Index] = []
    for item in items:
        if not isinstance(item, Word):
            raise scope.problem(
                SyntaxProblem, "An index letter stands here.", "Write f[k](...).", item.at
            )
        if item.name not in scope.active:
            raise scope.problem(
                EquationError,
                f"{function.name}[{item.name}] leaves {item.name} free, but it is not on the left.",
                f"Write the equation for each {item.name}: name[{item.name}] = ...",
                item.at,
            )
        found.append(scope.active[item.name])
    return Along(function.name, tuple(found), args)


def _arguments(function: Function, tree: Apply, scope: Scope) -> tuple[Expr, ...]:
    """Return one argument per parameter; settings not given have their defaults."""
    given: dict[str, Expr] = {}
    free = len(function.params) - len(function.settings)
    for place, arg in enumerate(tree.args):
        named = keyword_argument(arg)
        if named is not None and named[0] in function.params:
            given[named[0]] = expression(named[1], scope)
        elif place < len(function.params) and function.params[place] not in given:
            given[function.params[place]] = expression(arg, scope)
        else:
            raise wrong_arguments(function, tree, scope)
    defaults = {name: Number(value) for name, value in function.settings}
    missing = [name for name in function.params if name not in given and name not in defaults]
    if missing or len(tree.args) < free:
        raise wrong_arguments(function, tree, scope)
    return tuple(
        given.get(name, defaults.get(name, Number(Fraction(0)))) for name in function.params
    )


def _defined(function: Function, tree: Apply, scope: Scope) -> Expr:
    if function.indices:
        letters = ", ".join(i.name for i in function.indices)
        raise scope.problem(
            SyntaxProblem,
            f"{function.name} works along an index.",
            f"Write {function.name}[{letters}](...).",
            tree.at,
        )
    return function_call(function, _arguments(function, tree, scope))


def _prime(function: Function, order: int, tree: Apply, scope: Scope) -> Expr:
    args = _arguments(function, tree, scope)
    if function.body is not None or len(args) != 1:
        raise scope.problem(
            EquationError,
            f"{function.name} with a prime is only for an unknown function of one number.",
            f"Declare function {function.name}.",
            tree.at,
        )
    return Call(function.name, args, (order,))


def _elementary(name: str, tree: Apply, scope: Scope) -> Expr:
    args = [expression(arg, scope) for arg in tree.args]
    arity = ELEMENTARY[name]
    if arity == 2 and len(args) > 2:
        result = args[0]
        for arg in args[1:]:
            result = Call(name, (result, arg))
        return result
    if len(args) != arity:
        hint = f"{name}[i](...) folds over an index." if name in FOLDS else f"Write {name}(x)."
        raise scope.problem(
            SyntaxProblem,
            f"{name} takes {'1 argument' if arity == 1 else f'{arity} arguments'}, "
            f"{len(args)} {'is' if len(args) == 1 else 'are'} written.",
            hint,
            tree.at,
        )
    return Call(name, tuple(args))


def _where(tree: Apply, scope: Scope) -> Expr:
    if len(tree.args) != 3:
        raise scope.problem(
            SyntaxProblem,
            f"where takes 3 arguments, {len(tree.args)} are written.",
            "Write where(condition, value if so, value if not).",
            tree.at,
        )
    test, yes, no = tree.args
    return Where(condition(test, scope), expression(yes, scope), expression(no, scope))


def _derivative(tree: Apply, scope: Scope) -> Expr:
    parts = [expression(arg, scope) for arg in tree.args]
    for arg, part in zip(tree.args, parts):
        if not isinstance(part, Access) or part.outside is not None:
            raise scope.problem(
                EquationError,
                "d(u, x) is the derivative of a named quantity by a named quantity.",
                "Give the expression a name of its own first: u = ...",
                arg.at,
            )
    of, by = parts
    assert isinstance(of, Access) and isinstance(by, Access)
    return Derivative(of, by)


RESOLVE: dict[type, Callable[[Any, Scope], Expr]] = {
    Num: _number,
    Word: _word,
    Ref: _ref,
    Apply: _apply,
    Negative: _negative,
    Infix: _infix,
    Chain: _chain,
    Bracket: _bracket,
    NotTree: lambda tree, scope: _raise(no_condition_here(scope, tree.at)),
    Ranged: lambda tree, scope: _raise(no_condition_here(scope, tree.at)),
}


def _raise(error: DerivgenError) -> Expr:
    raise error
