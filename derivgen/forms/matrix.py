"""Matrix form: contractions of vectors and matrices recognised as products.

A sum over one index of two factors is a product, with no sum an outer, Hadamard or diagonal
product, a lone factor is multiplied by a vector of ones. Invariant: entry by entry a matrix form
equals the expression it came from; where that cannot be written, `NoMatrixForm` says why.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Protocol

from derivgen.algebra.affine import Affine, Index
from derivgen.algebra.expressions import (
    ONE,
    ZERO,
    Access,
    Add,
    Along,
    Call,
    Compare,
    Div,
    Expr,
    IndexValue,
    Iverson,
    Mul,
    Number,
    Pow,
    Reduce,
    Where,
    div,
    mul,
    used_indices,
)
from derivgen.forms.matrix_tree import (
    Diag,
    Indicator,
    Leaf,
    Map,
    Matrix,
    Ones,
    Power,
    Quotient,
    Scalar,
    Scaled,
    Series,
    Sum,
    Transpose,
    Weighted,
    hadamard,
    product,
    transposed,
)


class NoMatrixForm(Exception):
    """An expression has no matrix form; ``reason`` and ``subject`` say why."""

    def __init__(self, reason: str, subject: str = "") -> None:
        super().__init__(reason, subject)
        self.reason = reason
        self.subject = subject


@dataclass(frozen=True)
class Shaped:
    """A matrix expression with the index along each of its axes (at most two)."""

    axes: tuple[Index, ...]
    tree: Matrix


class Shapes(Protocol):
    """What recognition asks of a network: axes of a tensor, and which of them counts layers."""

    def ranges(self, tensor: str) -> tuple[tuple[Affine, Affine], ...]:
        """Return the ends of each axis."""

    def layer_axis(self, tensor: str) -> int | None:
        """Return the place of the axis that counts layers or steps, if there is one."""

    def is_label(self, index: Index) -> bool:
        """Tell whether an index counts layers or steps."""


def matrix_form(expr: Expr, free: tuple[Index, ...], shapes: Shapes) -> Matrix:
    """Return the matrix form of ``expr`` with ``free`` as its axes, vectors standing as columns.

    An index that counts layers or steps is no axis: it stays a label of the tensors that carry it.
    Raises: NoMatrixForm.
    """
    if any(shapes.is_label(index) for index in free):
        raise NoMatrixForm("cases", ",".join(i.name for i in free))
    if len(free) > 2:
        raise NoMatrixForm("rank", ",".join(i.name for i in free))
    return _spread(_convert(expr, shapes), free).tree


def _convert(expr: Expr, shapes: Shapes) -> Shaped:
    if not used_indices(expr) and not isinstance(expr, (Access, Add, Mul, Reduce)):
        return Shaped((), Scalar(expr))
    convert = _CONVERTERS.get(type(expr))
    if convert is None:
        raise NoMatrixForm("kind", type(expr).__name__)
    return convert(expr, shapes)


def _access(expr: Access, shapes: Shapes) -> Shaped:
    layer_axis = shapes.layer_axis(expr.tensor)
    layer = None if layer_axis is None else expr.indices[layer_axis]
    forms = [form for place, form in enumerate(expr.indices) if place != layer_axis]
    ranges = [r for place, r in enumerate(shapes.ranges(expr.tensor)) if place != layer_axis]
    plain = [form.plain for form in forms if form.plain is not None]
    if len(plain) < len(forms):
        raise NoMatrixForm("arithmetic", expr.tensor)
    if len(plain) > 2:
        raise NoMatrixForm("rank", expr.tensor)
    if any(shapes.is_label(index) for index in plain):
        raise NoMatrixForm("part", expr.tensor)  # a step elsewhere, an axis here
    if len(set(plain)) < len(plain):
        raise NoMatrixForm("diagonal", expr.tensor)
    if any((i.low, i.high) != r for i, r in zip(plain, ranges, strict=True)):
        raise NoMatrixForm("part", expr.tensor)
    if not plain:
        return Shaped((), Scalar(expr))
    return Shaped(tuple(plain), Leaf(expr.tensor, len(plain), layer))


def _number(expr: Expr, shapes: Shapes) -> Shaped:
    if used_indices(expr):
        raise NoMatrixForm("index value")
    return Shaped((), Scalar(expr))


def _add(expr: Add, shapes: Shapes) -> Shaped:
    terms = [_convert(term, shapes) for term in expr.terms]
    axes: list[Index] = []
    for term in sorted(terms, key=lambda t: -len(t.axes)):
        axes += [index for index in term.axes if index not in axes]
    if not axes:
        return Shaped((), Scalar(expr))
    if len(axes) > 2:
        raise NoMatrixForm("rank", ",".join(i.name for i in axes))
    spread = [_spread(term, tuple(axes)).tree for term in terms]
    return Shaped(tuple(axes), Sum(tuple(spread)))


def _mul(expr: Mul, shapes: Shapes) -> Shaped:
    factors = [factor for part in expr.factors for factor in _factors(part)]
    return _contract([_convert(factor, shapes) for factor in factors], ())


def _reduce(expr: Reduce, shapes: Shapes) -> Shaped:
    if expr.op == "mean":
        count = mul(*(IndexValue(index.size) for index in expr.bound))
        return _mul(Mul((div(ONE, count), replace(expr, op="sum"))), shapes)
    if expr.op != "sum":
        raise NoMatrixForm("fold", expr.op)
    factors = _factors(expr.body)
    labels = tuple(index for index in expr.bound if shapes.is_label(index))
    bound = tuple(index for index in expr.bound if index not in labels)
    made = _contract([_convert(factor, shapes) for factor in factors], bound)
    for index in reversed(labels):
        made = Shaped(made.axes, Series(index, made.tree))
    return made


def _factors(expr: Expr) -> tuple[Expr, ...]:
    """Return the factors of a product, a divisor among them as its reciprocal."""
    if isinstance(expr, Div) and not isinstance(expr.denominator, Access):
        return (div(ONE, expr.denominator), *_factors(expr.numerator))
    return expr.factors if isinstance(expr, Mul) else (expr,)


def _div(expr: Div, shapes: Shapes) -> Shaped:
    above, below = _convert(expr.numerator, shapes), _convert(expr.denominator, shapes)
    if not below.axes:
        factor = div(ONE, _scalar(below))
        return _contract([Shaped((), Scalar(factor)), above], ())
    axes = below.axes if len(below.axes) >= len(above.axes) else above.axes
    if isinstance(above.tree, Scaled):
        inner = Shaped(above.axes, above.tree.inner)
        quotient = Quotient(_spread(inner, axes).tree, _spread(below, axes).tree)
        return Shaped(axes, Scaled(above.tree.factor, quotient))
    return Shaped(axes, Quotient(_spread(above, axes).tree, _spread(below, axes).tree))


def _pow(expr: Pow, shapes: Shapes) -> Shaped:
    base = _convert(expr.base, shapes)
    if used_indices(expr.exponent):
        raise NoMatrixForm("kind", "Pow")
    return Shaped(base.axes, Power(base.tree, expr.exponent))


def _call(expr: Call, shapes: Shapes) -> Shaped:
    args = [_convert(arg, shapes) for arg in expr.args]
    found = list(dict.fromkeys(arg.axes for arg in args if arg.axes))
    if len(found) != 1:
        raise NoMatrixForm("kind", expr.name)
    return Shaped(found[0], Map(expr, tuple(arg.tree for arg in args)))


def _along(expr: Along, shapes: Shapes) -> Shaped:
    args = [_convert(arg, shapes) for arg in expr.args]
    if len(args) != 1 or args[0].axes != expr.indices:
        raise NoMatrixForm("fold", expr.name)
    return Shaped(args[0].axes, Map(Call(expr.name, expr.args), (args[0].tree,), along=True))


def _iverson(expr: Iverson, shapes: Shapes) -> Shaped:
    condition = expr.condition
    if all(shapes.is_label(index) for index in used_indices(condition)):
        return Shaped((), Scalar(expr))
    if not isinstance(condition, Compare):
        raise NoMatrixForm("guard")
    left, right = _convert(condition.left, shapes), _convert(condition.right, shapes)
    if not left.axes or (right.axes and right.axes != left.axes):
        raise NoMatrixForm("guard")
    return Shaped(left.axes, Indicator(condition.op, left.tree, right.tree))


def _where(expr: Where, shapes: Shapes) -> Shaped:
    if expr.no != ZERO:
        raise NoMatrixForm("cases")
    yes = expr.yes.factors if isinstance(expr.yes, Mul) else (expr.yes,)
    parts = [_iverson(Iverson(expr.condition), shapes), *(_convert(y, shapes) for y in yes)]
    return _contract([*parts[1:], parts[0]], ())


_CONVERTERS: dict[type, Callable[[Any, Shapes], Shaped]] = {
    Access: _access,
    Number: _number,
    IndexValue: _number,
    Add: _add,
    Mul: _mul,
    Reduce: _reduce,
    Div: _div,
    Pow: _pow,
    Call: _call,
    Along: _along,
    Iverson: _iverson,
    Where: _where,
}


# --- contraction --------------------------------------------------------------------------------


def _scalar(shaped: Shaped) -> Expr:
    if isinstance(shaped.tree, Scalar):
        return shaped.tree.expr
    raise NoMatrixForm("cases")


def _contract(factors: list[Shaped], bound: tuple[Index, ...]) -> Shaped:
    """Return the product of the factors summed over ``bound``."""
    scale = [f for f in factors if not f.axes]
    rest = [f for f in factors if f.axes]
    for index in sorted(bound, key=lambda b: sum(b in f.axes for f in rest)):
        rest, made = _sum_over(index, rest)
        scale += made
    result = _outer(rest)
    return _scale(result, scale)


def _scale(shaped: Shaped, scale: list[Shaped]) -> Shaped:
    numbers = [s.tree.expr for s in scale if isinstance(s.tree, Scalar)]
    others = [s.tree for s in scale if not isinstance(s.tree, Scalar)]
    tree = shaped.tree
    for other in others:
        tree = other if tree == Scalar(ONE) else Weighted(other, tree)
    factor = _as_fraction(numbers)
    if isinstance(tree, Scalar):
        return Shaped(shaped.axes, Scalar(mul(factor, tree.expr)))
    return Shaped(shaped.axes, Scaled(factor, tree) if factor != ONE else tree)


def _as_fraction(numbers: list[Expr]) -> Expr:
    """Return a product of numbers, reciprocals gathered below one bar."""
    below = [n.denominator for n in numbers if isinstance(n, Div)]
    above = [n.numerator if isinstance(n, Div) else n for n in numbers]
    top = mul(*(n for n in above if n != ONE))
    return div(top, mul(*below)) if below else top


def _sum_over(index: Index, factors: list[Shaped]) -> tuple[list[Shaped], list[Shaped]]:
    """Contract one index: return the factors that are left and the numbers that came out."""
    users = [f for f in factors if index in f.axes]
    others = [f for f in factors if index not in f.axes]
    if not users:
        return others, [Shaped((), Scalar(IndexValue(index.size)))]
    vectors = [f.tree for f in users if len(f.axes) == 1]
    matrices = _merged([f for f in users if len(f.axes) == 2])
    if len(matrices) > 2:
        raise NoMatrixForm("three", index.name)
    if not matrices:
        return others, [Shaped((), _inner(vectors, index))]
    if len(matrices) == 1:
        other = next(i for i in matrices[0].axes if i != index)
        right = hadamard(vectors) if vectors else Ones(index.size)
        return [*others, Shaped((other,), product(_facing(matrices[0], other), right))], []
    return [*others, _two(index, matrices, vectors)], []


def _inner(vectors: list[Matrix], index: Index) -> Matrix:
    if len(vectors) == 1:
        return product(Transpose(Ones(index.size)), vectors[0])
    return product(transposed(hadamard(vectors[:-1])), vectors[-1])


def _two(index: Index, matrices: list[Shaped], vectors: list[Matrix]) -> Shaped:
    left, right = matrices
    first = next(i for i in left.axes if i != index)
    last = next(i for i in right.axes if i != index)
    middle = [Diag(hadamard(vectors))] if vectors else []
    return Shaped((first, last), product(_facing(left, first), *middle, _facing(right, index)))


def _facing(shaped: Shaped, first: Index) -> Matrix:
    """Return a matrix with ``first`` along its rows."""
    return shaped.tree if shaped.axes[0] == first else transposed(shaped.tree)


def _merged(factors: list[Shaped]) -> list[Shaped]:
    """Return the factors, those over the same axes multiplied entry by entry."""
    groups: dict[frozenset[Index], list[Shaped]] = {}
    for factor in factors:
        groups.setdefault(frozenset(factor.axes), []).append(factor)
    merged: list[Shaped] = []
    for group in groups.values():
        trees = [_facing(f, group[0].axes[0]) for f in group]
        merged.append(Shaped(group[0].axes, hadamard(trees)))
    return merged


def _outer(factors: list[Shaped]) -> Shaped:
    """Return the product of factors over free indices alone."""
    merged = _merged(factors)
    axes = tuple(dict.fromkeys(i for f in merged for i in f.axes))
    if len(axes) > 2:
        raise NoMatrixForm("rank", ",".join(i.name for i in axes))
    if not merged:
        return Shaped((), Scalar(ONE))
    if len(merged) == 1:
        return merged[0]
    matrices = [f for f in merged if len(f.axes) == 2]
    vectors = {f.axes[0]: f.tree for f in merged if len(f.axes) == 1}
    if not matrices:
        first, last = axes
        return Shaped(axes, product(vectors[first], transposed(vectors[last])))
    first, last = matrices[0].axes
    left = [Diag(vectors[first])] if first in vectors else []
    right = [Diag(vectors[last])] if last in vectors else []
    return Shaped(matrices[0].axes, product(*left, matrices[0].tree, *right))


def _spread(shaped: Shaped, axes: tuple[Index, ...]) -> Shaped:
    """Return the part with exactly ``axes``: transposed, or repeated along missing ones."""
    if shaped.axes == axes:
        return shaped
    if len(axes) == 2 and shaped.axes == axes[::-1]:
        return Shaped(axes, transposed(shaped.tree))
    missing = [index for index in axes if index not in shaped.axes]
    if len(missing) + len(shaped.axes) != len(axes):
        raise NoMatrixForm("rank", ",".join(i.name for i in shaped.axes))
    ones = [Shaped((index,), Ones(index.size)) for index in missing]
    return _spread(_contract([shaped, *ones], ()), axes)
