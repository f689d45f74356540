"""How many multiplications an equation costs, as a formula in the sizes."""

from __future__ import annotations

from typing import Union

from derivgen.algebra.affine import Affine, Index
from derivgen.algebra.expressions import Div, Expr, Mul, Number, Pow, Reduce, children
from derivgen.forms.fold import Equality
from derivgen.forms.layout import Context, affine_math
from derivgen.forms.math import DOT, Math, Num, Op, Row, joined, parenthesised, row
from derivgen.notes.view import View

Size = Union[Affine, Math]


def cost(view: View, equality: Equality) -> Math:
    """Return the multiplications (divisions and powers too) of all entries of an equation."""
    counts: dict[tuple[Size, ...], int] = {}
    context = view.context(equality.lhs, equality.rhs)
    axis = view.layer_axis(equality.lhs.tensor)
    skipped = None if axis is None else equality.lhs.indices[axis].plain
    sizes = tuple(_size(index, context) for index in equality.indices if index != skipped)
    _count(equality.rhs, sizes, counts, context)
    terms = [_term(sizes, number, context) for sizes, number in counts.items() if number]
    return joined(terms, Op("+")) if terms else Num("0")


def _size(index: Index, context: Context) -> Size:
    """Return a size as a form in the size letters, or as the letter of a layer's size."""
    return context.spans.get(index, index.size)


def _count(
    expr: Expr, sizes: tuple[Size, ...], counts: dict[tuple[Size, ...], int], context: Context
) -> None:
    if isinstance(expr, Reduce):
        sizes = (*sizes, *(_size(index, context) for index in expr.bound))
    own = 0
    if isinstance(expr, Mul):
        factors = [f for f in expr.factors if not (isinstance(f, Number) and abs(f.value) == 1)]
        own = len(factors) - 1
    elif isinstance(expr, (Div, Pow)):
        own = 1
    if own:
        counts[sizes] = counts.get(sizes, 0) + own
    for part in children(expr):
        _count(part, sizes, counts, context)


def _term(sizes: tuple[Size, ...], number: int, context: Context) -> Math:
    constant = number
    letters: list[Math] = []
    for size in sizes:
        if not isinstance(size, Affine):
            letters.append(size)
        elif size.is_constant:
            constant *= size.constant
        else:
            math = affine_math(size, context)
            letters.append(parenthesised(math) if isinstance(math, Row) else math)
    if not letters:
        return Num(str(constant))
    shown = joined(letters, DOT)
    return shown if constant == 1 else row(Num(str(constant)), DOT, shown)
