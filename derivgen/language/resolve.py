"""Surface trees to expressions: every name gets its meaning, every index its range.

A name standing alone is, in this order: an index that is free or bound here, a setting, a rank-0
tensor, a size letter, ``pi``. In an index position only indices, sizes and index-valued tensors
count. Sums keep the order they were written in.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

from derivgen.algebra.affine import Affine, Index, Lookup, affine, floor_div, mod
from derivgen.algebra.expressions import (
    Access,
    Add,
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
    mul,
    neg,
)
from derivgen.algebra.network import Function
from derivgen.errors import DerivgenError, EquationError, LimitError, ShapeError, SyntaxProblem
from derivgen.language.ranges import Pending, find_range, range_index
from derivgen.language.scope import ELEMENTARY, FOLDS, Scope, View, undefined
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

__all__ = ["Pending", "UnboundIndex", "condition", "expression", "index_form"]
MAX_POWER = 1000  # digits of an exact power of two numbers


class UnboundIndex(EquationError):
    """An index of the right side is neither on the left nor folded away."""

    letter: Index


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
        raise Pending(name, tree.at)
    if view is not None and view.axes == ():
        return Access(view.name, tuple(affine(i) for i in view.carried))
    if name in scope.dims:
        return IndexValue(affine(scope.dims[name]))
    if name in scope.declared and view is None:
        raise _unbound(scope, scope.declared[name], tree.at)
    if view is not None:
        raise _needs_indices(scope, view, tree)
    if name == "pi":
        return Constant("pi")
    if name in scope.functions or name in ELEMENTARY:
        raise scope.problem(SyntaxProblem, f"{name} is a function.", f"Write {name}(...).", tree.at)
    raise undefined(scope, name, tree.at)


def _unbound(scope: Scope, index: Index, at: int) -> UnboundIndex:
    error = UnboundIndex(
        scope.span.text,
        f"Index {index.name} is neither on the left nor summed over.",
        f"Write sum[{index.name}](...) around it.",
        scope.position(at),
    )
    error.letter = index
    return error


def _needs_indices(scope: Scope, view: View, tree: Word) -> DerivgenError:
    count = len(view.axes or ())
    letters = ", ".join("ijklmnopq"[:count]) or "i"
    return scope.problem(
        ShapeError,
        f"{tree.name} has {count} {'axis' if count == 1 else 'axes'}, no index is written.",
        f"Write {tree.name}[{letters}].",
        tree.at,
    )


def _ref(tree: Ref, scope: Scope) -> Expr:
    view = scope.tensors.get(tree.name)
    if view is None:
        raise _no_tensor(tree, scope)
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


def wrong_count(scope: Scope, tree: Ref, expected: int) -> DerivgenError:
    """Return the error for an access with too few or too many indices."""
    plural = "index" if len(tree.items) == 1 else "indices"
    axes = "axis" if expected == 1 else "axes"
    return scope.problem(
        ShapeError,
        f"{tree.name} has {expected} {axes}, {len(tree.items)} {plural} are written.",
        f"Write {tree.name} with {expected} indices." if expected else f"Write {tree.name} alone.",
        tree.at,
    )


def _no_tensor(tree: Ref, scope: Scope) -> DerivgenError:
    if tree.name in scope.functions or tree.name in FOLDS:
        letters = tree.name + "[i](...)"
        return scope.problem(
            SyntaxProblem, f"{tree.name} is a function, not a tensor.", f"Write {letters}.", tree.at
        )
    return undefined(scope, tree.name, tree.at)


# --- index expressions ---------------------------------------------------------------------------


def index_form(tree: Tree, scope: Scope) -> Affine:
    """Return an index expression as an affine form.

    Raises: EquationError for an index that is neither free nor bound, or a form not affine.
    """
    if isinstance(tree, Word):
        active = scope.active.get(tree.name)
        return affine(active) if active is not None else _index_word(tree, scope)
    reading = INDEX.get(type(tree))
    if reading is None:
        raise _not_affine(scope, tree)
    return reading(tree, scope)


def _index_word(tree: Word, scope: Scope) -> Affine:
    name = tree.name
    value = scope.values.get(name)
    if isinstance(value, IndexValue):
        return value.form
    if isinstance(value, Number) and value.value.denominator == 1:
        return affine(int(value.value))
    if name in scope.declared:
        raise _unbound(scope, scope.declared[name], tree.at)
    if name in scope.dims:
        return affine(scope.dims[name])
    view = scope.tensors.get(name)
    if view is not None and view.holds_indices:
        return affine(Lookup(view.name, tuple(affine(i) for i in view.carried)))
    if view is not None or value is not None:
        raise _no_index(scope, name, tree.at)
    raise scope.problem(
        EquationError,
        f"Index {name} is neither on the left nor bound by a reduction.",
        f"Write sum[{name}](...) around the term, or declare index {name}: SIZE.",
        tree.at,
    )


def _no_index(scope: Scope, name: str, at: int) -> DerivgenError:
    return scope.problem(
        EquationError,
        f"{name} holds numbers, an index position takes whole numbers of an index.",
        f"Declare it as input {name} of k, with index k the values it holds.",
        at,
    )


def _index_number(tree: Num, scope: Scope) -> Affine:
    if tree.value.denominator != 1:
        raise _not_affine(scope, tree)
    return affine(int(tree.value))


def _index_ref(tree: Ref, scope: Scope) -> Affine:
    view = scope.tensors.get(tree.name)
    if view is None:
        raise _no_tensor(tree, scope)
    if not view.holds_indices:
        raise _no_index(scope, tree.name, tree.at)
    if tree.outside is not None:
        raise _not_affine(scope, tree)
    access = _ref(tree, scope)
    assert isinstance(access, Access), "a reference is an access"
    return affine(Lookup(access.tensor, access.indices))


def _index_chain(tree: Chain, scope: Scope) -> Affine:
    forms = [index_form(part, scope) for part in tree.parts]
    if tree.ops[-1] == "*":
        total = forms[0]
        for form in forms[1:]:
            total = _times(total, form, scope, tree)
        return total
    if tree.ops[-1] not in "+-":
        raise _not_affine(scope, tree)
    total = affine(0)
    for op, form in zip(tree.ops, forms):
        total = total + form if op == "+" else total - form
    return total


def _times(a: Affine, b: Affine, scope: Scope, tree: Tree) -> Affine:
    if a.is_constant:
        return b * a.constant
    if b.is_constant:
        return a * b.constant
    raise _not_affine(scope, tree)


def _index_infix(tree: Infix, scope: Scope) -> Affine:
    left = index_form(tree.left, scope)
    right = index_form(tree.right, scope)
    if tree.op in ("//", "%") and right.is_constant and right.constant > 0:
        return (floor_div if tree.op == "//" else mod)(left, right.constant)
    if tree.op == "^" and left.is_constant and right.is_constant and 0 <= right.constant <= 64:
        return affine(left.constant**right.constant)
    if tree.op == "/" and left.is_constant and right.is_constant and right.constant:
        quotient = Fraction(left.constant, right.constant)
        if quotient.denominator == 1:
            return affine(int(quotient))
    raise _not_affine(scope, tree)


def _not_affine(scope: Scope, tree: Tree) -> DerivgenError:
    return scope.problem(
        EquationError,
        "An index is a sum of whole multiples of indices and sizes.",
        "Write for example 2*i + u - 1; quotients are i//2 and remainders i%2, by whole numbers.",
        tree.at,
    )


INDEX: dict[type, Callable[[Any, Scope], Affine]] = {
    Num: _index_number,
    Ref: _index_ref,
    Chain: _index_chain,
    Infix: _index_infix,
    Negative: lambda tree, scope: index_form(tree.part, scope) * -1,
}


# --- arithmetic ----------------------------------------------------------------------------------


def _chain(tree: Chain, scope: Scope) -> Expr:
    op = tree.ops[-1]
    if op in ("and", "or"):
        raise _no_condition_here(scope, tree.at)
    parts = [expression(part, scope) for part in tree.parts]
    if op == "*":
        return product(parts)
    return total([part if sign == "+" else _minus(part) for sign, part in zip(tree.ops, parts)])


def _minus(part: Expr) -> Expr:
    if isinstance(part, IndexValue):
        return IndexValue(part.form * -1)
    return neg(part)


def total(parts: list[Expr]) -> Expr:
    """Return a sum in the order written; neighbouring numbers and index values are added up."""
    flat: list[Expr] = []
    for term in parts:
        for part in term.terms if isinstance(term, Add) else (term,):
            if flat and (both := _added(flat[-1], part)) is not None:
                flat[-1] = both
            else:
                flat.append(part)
    return flat[0] if len(flat) == 1 else Add(tuple(flat))


def _added(a: Expr, b: Expr) -> Expr | None:
    if isinstance(a, Number) and isinstance(b, Number):
        return Number(a.value + b.value)
    if (left := _whole(a)) is not None and (right := _whole(b)) is not None:
        return index_value(left + right)
    return None


def _whole(part: Expr) -> Affine | None:
    if isinstance(part, IndexValue):
        return part.form
    if isinstance(part, Number) and part.value.denominator == 1:
        return affine(int(part.value))
    return None


def product(parts: list[Expr]) -> Expr:
    """Return a product; numbers come first, whole multiples of an index are one index value."""
    result = parts[0]
    for part in parts[1:]:
        left, right = _whole(result), _whole(part)
        if left is not None and right is not None and (left.is_constant or right.is_constant):
            constant, other = (left, right) if left.is_constant else (right, left)
            result = index_value(other * constant.constant)
        else:
            result = mul(result, part)
    return result


def _negative(tree: Negative, scope: Scope) -> Expr:
    return _minus(expression(tree.part, scope))


def _infix(tree: Infix, scope: Scope) -> Expr:
    if tree.op in ("//", "%"):
        return index_value(_index_infix(tree, scope))
    if tree.op not in ("/", "^"):
        raise _no_condition_here(scope, tree.op_at)
    left, right = expression(tree.left, scope), expression(tree.right, scope)
    if isinstance(left, Number) and isinstance(right, Number):
        return _of_numbers(tree, left.value, right.value, scope)
    return Div(left, right) if tree.op == "/" else Pow(left, right)


def _of_numbers(tree: Infix, left: Fraction, right: Fraction, scope: Scope) -> Expr:
    if (tree.op == "/" and not right) or (tree.op == "^" and right < 0 and not left):
        raise scope.problem(EquationError, "A number is divided by 0.", "", tree.op_at)
    if tree.op == "/":
        return Number(left / right)
    digits = max(len(str(abs(left.numerator))), len(str(left.denominator)))
    if digits * abs(right) > MAX_POWER and abs(left) != 1:
        raise scope.problem(
            LimitError,
            f"The power has more than {MAX_POWER} digits.",
            "Write exp(...) of a logarithm, or a smaller power.",
            tree.op_at,
        )
    if right.denominator == 1:
        return Number(left ** int(right % 2 if left == -1 else right))
    return Pow(Number(left), Number(right))


def _no_condition_here(scope: Scope, at: int) -> DerivgenError:
    return scope.problem(
        SyntaxProblem,
        "A condition stands where a number is expected.",
        "Write [i = j] for 1 or 0, or where(i = j, a, b).",
        at,
    )


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
    raise _not_a_function(name, tree, scope)


def _not_a_function(name: str, tree: Apply, scope: Scope) -> DerivgenError:
    if name in FOLDS:
        return scope.problem(
            SyntaxProblem, f"{name} needs its indices.", f"Write {name}[i](...).", tree.at
        )
    if name in scope.tensors:
        return scope.problem(
            SyntaxProblem, f"{name} is a tensor, not a function.", f"Write {name}*(...).", tree.at
        )
    error = undefined(scope, name, tree.at, " as a function")
    if not error.advice.startswith("Did"):
        error.advice = f"Define it: define {name}(z) = ..., or function {name} for an unknown one."
    return error


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
    raise undefined(scope, name, tree.at, " as a function along indices")


def _fold(name: str, tree: Apply, scope: Scope) -> Expr:
    if len(tree.args) != 1:
        raise scope.problem(
            SyntaxProblem, f"{name}[...] takes one argument.", f"{name}[i](...)", tree.at
        )
    bound: dict[str, Index] = {}
    for item in tree.items or ():
        index = _bound_index(item, tree, scope)
        if index.name in bound:
            raise scope.problem(
                EquationError, f"{index.name} is bound twice.", "Use two letters.", item.at
            )
        bound[index.name] = index
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
    return find_range(item, tree.args[0], scope)


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
            raise scope.problem(SyntaxProblem, "An index letter stands here.", "", item.at)
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
            raise _argument_count(function, tree, scope)
    defaults = {name: Number(value) for name, value in function.settings}
    missing = [name for name in function.params if name not in given and name not in defaults]
    if missing or len(tree.args) < free:
        raise _argument_count(function, tree, scope)
    return tuple(
        given.get(name, defaults.get(name, Number(Fraction(0)))) for name in function.params
    )


def _argument_count(function: Function, tree: Apply, scope: Scope) -> DerivgenError:
    signature = ", ".join(function.params)
    return scope.problem(
        SyntaxProblem,
        f"{function.name} takes ({signature}), {len(tree.args)} arguments are written.",
        f"Write {function.name}({signature}).",
        tree.at,
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


def function_call(function: Function, args: tuple[Expr, ...]) -> Expr:
    """Return ``function(args)``; a function that is its argument is that argument."""
    if is_identity(function):
        return args[0]
    return Call(function.name, args)


def is_identity(function: Function) -> bool:
    """Tell whether a function is its own argument."""
    return len(function.params) == 1 and function.body == Access(function.params[0])


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
            f"{name} takes {arity} argument(s), {len(args)} are written.",
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
    NotTree: lambda tree, scope: _raise(_no_condition_here(scope, tree.at)),
    Ranged: lambda tree, scope: _raise(_no_condition_here(scope, tree.at)),
}


def _raise(error: DerivgenError) -> Expr:
    raise error
