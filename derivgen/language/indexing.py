"""Index expressions: surface trees to affine forms over indices, sizes and index-valued tensors."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

from derivgen.algebra.affine import Affine, Index, Lookup, affine, dims_of, floor_div, mod
from derivgen.algebra.expressions import (
    IndexValue,
    Number,
)
from derivgen.errors import DerivgenError, EquationError, ShapeError, SyntaxProblem
from derivgen.language.scope import FOLDS, Scope, undefined
from derivgen.language.syntax import (
    Apply,
    Chain,
    Infix,
    Negative,
    Num,
    Ref,
    Tree,
    Word,
)


class UnboundIndex(EquationError):
    """An index of the right side is neither on the left nor folded away."""

    letter: Index


def unbound(scope: Scope, index: Index, at: int) -> UnboundIndex:
    error = UnboundIndex(
        scope.span.text,
        f"Index {index.name} is neither on the left nor summed over.",
        f"Write sum[{index.name}](...) around it.",
        scope.position(at),
    )
    error.letter = index
    return error


def wrong_count(scope: Scope, tree: Ref, expected: int) -> DerivgenError:
    """Return the error for an access with too few or too many indices."""
    written = "1 index is" if len(tree.items) == 1 else f"{len(tree.items)} indices are"
    axes = "axis" if expected == 1 else "axes"
    return scope.problem(
        ShapeError,
        f"{tree.name} has {expected} {axes}, {written} written.",
        f"Write {tree.name} with {expected} indices." if expected else f"Write {tree.name} alone.",
        tree.at,
    )


def no_tensor(tree: Ref, scope: Scope) -> DerivgenError:
    if tree.name in scope.functions or tree.name in FOLDS:
        letters = tree.name + "[i](...)"
        return scope.problem(
            SyntaxProblem, f"{tree.name} is a function, not a tensor.", f"Write {letters}.", tree.at
        )
    return undefined(scope, tree.name, tree.at)


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
        raise unbound(scope, scope.declared[name], tree.at)
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
        f"Declare it as input {name} of k, with index k the values it holds; "
        "or compute it from argmax, argmin, indices and other index values.",
        at,
    )


def _index_number(tree: Num, scope: Scope) -> Affine:
    if tree.value.denominator != 1:
        raise scope.problem(
            EquationError,
            f"{float(tree.value):g} is no whole number.",
            "Indices and sizes are whole numbers.",
            tree.at,
        )
    return affine(int(tree.value))


def _index_ref(tree: Ref, scope: Scope) -> Affine:
    view = scope.tensors.get(tree.name)
    if view is None:
        raise no_tensor(tree, scope)
    if not view.holds_indices:
        raise _no_index(scope, tree.name, tree.at)
    if tree.outside is not None:
        raise _not_affine(scope, tree)
    if view.axes is not None and len(view.axes) != len(tree.items):
        raise wrong_count(scope, tree, len(view.axes))
    forms = (*[affine(i) for i in view.carried], *[index_form(i, scope) for i in tree.items])
    return affine(Lookup(view.name, forms))


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
    if any(True for form in (a, b) for _ in dims_of(form)):
        raise scope.problem(
            EquationError,
            f"{a} times {b} is no whole multiple of an index or a size.",
            "Give the product a letter and a number of its own, dim P = 6, or write 2*N.",
            tree.at,
        )
    raise _not_affine(scope, tree)


def infix_form(tree: Infix, scope: Scope) -> Affine:
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
    if isinstance(tree, Apply):
        return scope.problem(
            EquationError,
            f"An index position takes no {tree.name}(...).",
            f"Name it by an equation of its own, best = {tree.name}(...), and write best here.",
            tree.at,
        )
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
    Infix: infix_form,
    Negative: lambda tree, scope: index_form(tree.part, scope) * -1,
}
