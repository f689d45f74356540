"""How many multiplications an equation costs, as a formula in the sizes."""

from __future__ import annotations

from derivgen.algebra.affine import Affine
from derivgen.algebra.expressions import Div, Expr, Mul, Number, Pow, Reduce, children
from derivgen.forms.fold import Equality
from derivgen.forms.layout import affine_math
from derivgen.forms.math import DOT, Math, Num, Op, Row, joined, parenthesised, row
from derivgen.notes.view import View


def cost(view: View, equality: Equality) -> Math:
    """Return the multiplications (divisions and powers too) of all entries of an equation."""
    counts: dict[tuple[Affine, ...], int] = {}
    axis = view.layer_axis(equality.lhs.tensor)
    skipped = None if axis is None else equality.lhs.indices[axis].plain
    sizes = tuple(index.size for index in equality.indices if index != skipped)
    _count(equality.rhs, sizes, counts)
    terms = [_term(view, sizes, number) for sizes, number in counts.items() if number]
    return joined(terms, Op("+")) if terms else Num("0")


def _count(expr: Expr, sizes: tuple[Affine, ...], counts: dict[tuple[Affine, ...], int]) -> None:
    if isinstance(expr, Reduce):
        sizes = (*sizes, *(index.size for index in expr.bound))
    own = 0
    if isinstance(expr, Mul):
        factors = [f for f in expr.factors if not (isinstance(f, Number) and abs(f.value) == 1)]
        own = len(factors) - 1
    elif isinstance(expr, (Div, Pow)):
        own = 1
    if own:
        counts[sizes] = counts.get(sizes, 0) + own
    for part in children(expr):
        _count(part, sizes, counts)


def _term(view: View, sizes: tuple[Affine, ...], number: int) -> Math:
    constant = number
    letters: list[Math] = []
    for size in sizes:
        if size.is_constant:
            constant *= size.constant
        else:
            math = affine_math(size, view.context())
            letters.append(parenthesised(math) if isinstance(math, Row) else math)
    if not letters:
        return Num(str(constant))
    shown = joined(letters, DOT)
    return shown if constant == 1 else row(Num(str(constant)), DOT, shown)
