"""Lay a matrix form out as a formula.

Levels of binding: 0 a sum, 1 a product (matrix or entrywise), 2 a single thing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from derivgen.algebra.affine import Affine
from derivgen.algebra.expressions import MINUS_ONE, ONE, Div, Expr, Number
from derivgen.forms.layout import (
    FACTOR,
    PRODUCT,
    SUM,
    Context,
    affine_math,
    formula,
    function_symbol,
    sum_over,
)
from derivgen.forms.math import (
    TIMES,
    Accent,
    Apply,
    Fenced,
    Math,
    Op,
    Root,
    Scripts,
    Sym,
    Symbol,
    joined,
    parenthesised,
    row,
)
from derivgen.forms.matrix_tree import (
    Diag,
    Hadamard,
    Indicator,
    Leaf,
    Map,
    Matrix,
    Ones,
    Power,
    Product,
    Quotient,
    Scalar,
    Scaled,
    Series,
    Sum,
    Transpose,
    Weighted,
)
from derivgen.forms.notation import symbol
from derivgen.forms.plain import plain


def matrix_math(item: Matrix, context: Context, level: int = SUM) -> Math:
    """Return a matrix form as a formula that may stand where ``level`` binds."""
    math, own = _LAYOUTS[type(item)](item, context)
    return math if own >= level else parenthesised(math)


def _leaf(item: Leaf, context: Context) -> tuple[Math, int]:
    figure = context.figures.get(item.tensor)
    if figure is not None:
        return figure, FACTOR
    return whole(item.tensor, item.layer, context), FACTOR


def whole(tensor: str, layer: Affine | None, context: Context) -> Math:
    """Return the symbol of a whole tensor, of one layer if ``layer`` says which."""
    if layer is None:
        return symbol(context.notation, tensor)
    label = affine_math(layer, context)
    return symbol(context.notation, tensor, None, plain(label).replace(" ", ""), label)


def _scalar(item: Scalar, context: Context) -> tuple[Math, int]:
    return formula(item.expr, context, FACTOR), FACTOR


def _ones(item: Ones, context: Context) -> tuple[Math, int]:
    return Scripts(Sym("1", "bold"), sub=affine_math(item.size, context)), FACTOR


def _transpose(item: Transpose, context: Context) -> tuple[Math, int]:
    inner = matrix_math(item.inner, context, FACTOR)
    mark = Op(context.notation.style.transpose)
    return _raised(inner, mark), FACTOR


def _raised(base: Math, mark: Math) -> Math:
    bare = base.math if isinstance(base, Symbol) else base
    if isinstance(bare, Scripts) and bare.sup is None:
        raised = Scripts(bare.base, bare.sub, mark)
        text = plain(base) + "^T"
        return Symbol(base.tensor, raised, text) if isinstance(base, Symbol) else raised
    simple = isinstance(bare, (Sym, Fenced, Accent))
    return Scripts(base if simple else parenthesised(base), sup=mark)


def _product(item: Product, context: Context) -> tuple[Math, int]:
    parts = [matrix_math(part, context, FACTOR) for part in item.items]
    return joined(parts, TIMES), PRODUCT


def _hadamard(item: Hadamard, context: Context) -> tuple[Math, int]:
    mark = Op(context.notation.style.hadamard)
    parts = []
    for part in item.items:
        math = matrix_math(part, context, PRODUCT)
        parts.append(parenthesised(math) if _bare_product(part) else math)
    return joined(parts, mark), PRODUCT


def _bare_product(part: Matrix) -> bool:
    return isinstance(part, (Hadamard, Product, Scaled, Series, Weighted))


def _quotient(item: Quotient, context: Context) -> tuple[Math, int]:
    parts = [matrix_math(item.above, context, FACTOR), matrix_math(item.below, context, FACTOR)]
    return joined(parts, Op("oslash")), PRODUCT


def _sum(item: Sum, context: Context) -> tuple[Math, int]:
    items: list[Math] = []
    for part in _positive_first([_as_number(part) for part in item.items]):
        sign, size = _split(part)
        if items or sign < 0:
            items.append(Op(("+" if sign > 0 else "-") if items else "neg"))
        items.append(matrix_math(size, context, PRODUCT))
    return row(*items), SUM


def _as_number(part: Matrix) -> Matrix:
    """Return a constant part of a sum as the number alone: ``1 - a`` is meant entry by entry."""
    if isinstance(part, Scaled) and _is_ones(part.inner):
        return Scalar(part.factor)
    return Scalar(ONE) if _is_ones(part) else part


def _is_ones(part: Matrix) -> bool:
    match part:
        case Ones():
            return True
        case Transpose(inner):
            return _is_ones(inner)
        case Product(items):
            return all(map(_is_ones, items))
        case _:
            return False


def _positive_first(parts: list[Matrix]) -> list[Matrix]:
    signs = [_split(part)[0] for part in parts]
    if signs[0] > 0 or 1 not in signs:
        return parts
    place = signs.index(1)
    return [parts[place], *parts[:place], *parts[place + 1 :]]


def _split(part: Matrix) -> tuple[int, Matrix]:
    if isinstance(part, Scalar) and isinstance(part.expr, Number) and part.expr.value < 0:
        return -1, Scalar(Number(-part.expr.value))
    if isinstance(part, Scaled) and isinstance(part.factor, Number) and part.factor.value < 0:
        size = Number(-part.factor.value)
        return -1, part.inner if size.value == 1 else Scaled(size, part.inner)
    if isinstance(part, Product):
        sign, first = _split(part.items[0])
        if sign < 0:
            return -1, Product((first, *part.items[1:]))
    return 1, part


def _scaled(item: Scaled, context: Context) -> tuple[Math, int]:
    if item.factor == MINUS_ONE:
        return row(Op("neg"), matrix_math(item.inner, context, PRODUCT)), SUM
    inner = matrix_math(item.inner, context, PRODUCT)
    level = PRODUCT if _is_fraction(item.factor) else FACTOR
    return row(formula(item.factor, context, level), TIMES, inner), PRODUCT


def _is_fraction(factor: Expr) -> bool:
    """Tell whether a factor prints as one fraction."""
    if isinstance(factor, Number):
        return factor.value > 0 and factor.value.denominator != 1
    return isinstance(factor, Div)


def _weighted(item: Weighted, context: Context) -> tuple[Math, int]:
    weight = matrix_math(item.weight, context, FACTOR)
    return row(weight, TIMES, matrix_math(item.inner, context, PRODUCT)), PRODUCT


def _series(item: Series, context: Context) -> tuple[Math, int]:
    level = FACTOR if isinstance(item.inner, Sum) else PRODUCT
    return sum_over(item.index, matrix_math(item.inner, context, level), context), PRODUCT


def _diag(item: Diag, context: Context) -> tuple[Math, int]:
    inner = matrix_math(item.inner, context)
    return Apply(Sym("diag", "function"), "diag", (inner,)), FACTOR


def _power(item: Power, context: Context) -> tuple[Math, int]:
    mark = Op(context.notation.style.hadamard)
    exponent = formula(item.exponent, context)
    if item.exponent == Number(type(MINUS_ONE.value)(2)):
        base = matrix_math(item.base, context, FACTOR)
        return row(base, mark, base), PRODUCT
    return Scripts(
        parenthesised(matrix_math(item.base, context)), sup=row(Op("circ"), exponent)
    ), FACTOR


def _map(item: Map, context: Context) -> tuple[Math, int]:
    base, text = function_symbol(item.call.name, item.call.order, context)
    args = tuple(matrix_math(arg, context) for arg in item.args)
    if item.call.name == "sqrt":
        return Root(args[0]), FACTOR
    if item.call.name == "exp":
        return Apply(Sym("exp", "function"), "exp", args), FACTOR
    return Apply(base, text, args), FACTOR


def _indicator(item: Indicator, context: Context) -> tuple[Math, int]:
    left, right = matrix_math(item.left, context), matrix_math(item.right, context)
    return Fenced("[", row(left, Op(item.op), right)), FACTOR


_LAYOUTS: dict[type, Callable[[Any, Context], tuple[Math, int]]] = {
    Leaf: _leaf,
    Scalar: _scalar,
    Ones: _ones,
    Transpose: _transpose,
    Product: _product,
    Hadamard: _hadamard,
    Quotient: _quotient,
    Sum: _sum,
    Scaled: _scaled,
    Series: _series,
    Weighted: _weighted,
    Diag: _diag,
    Power: _power,
    Map: _map,
    Indicator: _indicator,
}
