"""Lay an expression out as a formula: parentheses where they are needed, and only there.

Levels of binding: 0 a sum, 1 a product, 2 a factor (no bare sum or sign), 3 a base of a power.
Invariant: `formula` prints exactly the expression; it never rearranges or simplifies.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from derivgen.algebra.affine import Affine, Atom, Dim, FloorDiv, Index, Lookup, Mod
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
    Mul,
    Node,
    Not,
    Number,
    Or,
    Position,
    Pow,
    Reduce,
    Where,
)
from derivgen.forms.bounds import all_but
from derivgen.forms.letters import letter_text
from derivgen.forms.math import (
    COMMA,
    DOT,
    EQUALS,
    TIMES,
    Apply,
    Big,
    Cases,
    Fenced,
    Frac,
    Math,
    Num,
    Op,
    Root,
    Row,
    Scripts,
    Sym,
    Symbol,
    joined,
    parenthesised,
    row,
)
from derivgen.forms.notation import Notation, partial_symbol, symbol
from derivgen.forms.numbers import number_math
from derivgen.forms.plain import plain
from derivgen.forms.signs import positive_first, split_sign

SUM, PRODUCT, FACTOR, BASE = range(4)
LATEX_FUNCTIONS = {
    "asin": "arcsin",
    "acos": "arccos",
    "atan": "arctan",
}


@dataclass(frozen=True)
class Context:
    """Where a formula is printed: the notation and what each index is called in it.

    ``figures`` are numbers to print in the place of whole tensors, ``spans`` letters for the sizes
    of some indices.
    """

    notation: Notation
    letters: Mapping[Index, str]
    figures: Mapping[str, Math] = field(default_factory=dict)
    spans: Mapping[Index, Math] = field(default_factory=dict)


def formula(expr: Expr, context: Context, level: int = SUM) -> Math:
    """Return the expression as a formula that may stand where ``level`` binds."""
    math, own = _LAYOUTS[type(expr)](expr, context)
    return math if own >= level else parenthesised(math)


# --- indices ------------------------------------------------------------------------------------


def letter(index: Index, context: Context) -> Math:
    """Return an index letter, primes and all."""
    text = context.letters.get(index) or letter_text(index, context.notation.written)
    primes = len(text) - len(text.rstrip("'"))
    base = Sym(text.rstrip("'"))
    return Scripts(base, sup=row(*[Op("prime")] * primes)) if primes else base


def affine_math(form: Affine, context: Context) -> Math:
    """Return an affine form: ``2i+u-1``."""
    items: list[Math] = []
    for atom, count in sorted(form.terms, key=lambda term: term[1] < 0):
        items += _signed(count, bool(items))
        if abs(count) != 1:
            items += [Num(str(abs(count))), TIMES] if _needs_times(atom) else [Num(str(abs(count)))]
        items.append(_atom(atom, context))
    if form.constant or not items:
        items += _signed(form.constant, bool(items))
        items.append(Num(str(abs(form.constant))))
    return row(*items)


def _needs_times(atom: Atom) -> bool:
    return not isinstance(atom, (Index, Dim))


def _signed(count: int, inside: bool) -> list[Math]:
    if count < 0:
        return [Op("-" if inside else "neg")]
    return [Op("+")] if inside else []


def _atom(atom: Atom, context: Context) -> Math:
    match atom:
        case Index():
            return letter(atom, context)
        case Dim(name):
            return Sym(name)
        case FloorDiv(inner, divisor):
            above = affine_math(inner, context)
            grouped = parenthesised(above) if isinstance(above, Row) else above
            return Fenced("floor", row(grouped, Op("/"), Num(str(divisor))))
        case Mod(inner, divisor):
            inside = affine_math(inner, context)
            grouped = parenthesised(inside) if isinstance(inside, Row) else inside
            return parenthesised(row(grouped, Op("mod"), Num(str(divisor))))
        case Lookup(tensor, indices):
            return entry(tensor, indices, context)


def entry(tensor: str, indices: tuple[Affine, ...], context: Context) -> Math:
    """Return an entry of a tensor."""
    printed = tuple(affine_math(form, context) for form in indices)
    texts = ",".join(_compact(plain(p)) for p in printed)
    return symbol(context.notation, tensor, printed, texts)


def _compact(text: str) -> str:
    return text.replace(" + ", "+").replace(" - ", "-")


def ranges(index: Index, context: Context) -> tuple[Math, Math]:
    """Return the first and last value as shown; ``1..K`` where nothing counts from 0."""
    low, high = index.low, index.high - 1
    if (
        low == Affine((), 0)
        and letter_text(index, context.notation.written) not in context.notation.from_zero
    ):
        low, high = low + 1, high + 1
        if index in context.spans:
            return affine_math(low, context), context.spans[index]
    return affine_math(low, context), affine_math(high, context)


def size_math(index: Index, context: Context) -> Math:
    """Return how many values an index takes."""
    known = context.spans.get(index)
    return affine_math(index.size, context) if known is None else known


# --- expressions --------------------------------------------------------------------------------


def _number(expr: Number, context: Context) -> tuple[Math, int]:
    math = number_math(abs(expr.value))
    if expr.value < 0:
        return row(Op("neg"), math), SUM
    return math, PRODUCT if isinstance(math, Frac) else BASE


def _add(expr: Add, context: Context) -> tuple[Math, int]:
    items: list[Math] = []
    for term in positive_first(expr.terms):
        sign, size = split_sign(term)
        if items or sign < 0:
            items.append(Op(("+" if sign > 0 else "-") if items else "neg"))
        items.append(formula(size, context, PRODUCT))
    return row(*items), SUM


def _mul(expr: Mul, context: Context) -> tuple[Math, int]:
    sign, size = split_sign(expr)
    if sign < 0:
        return row(Op("neg"), formula(size, context, PRODUCT)), SUM
    factors = expr.factors
    items: list[Math] = []
    for place, factor in enumerate(factors):
        # A sum sign may end a product bare, but would swallow what follows it.
        last = place == len(factors) - 1
        bare = isinstance(factor, (Div, Number)) or (last and isinstance(factor, Reduce))
        items.append(formula(factor, context, PRODUCT if bare else FACTOR))
    between = DOT if context.notation.style.product == "cdot" else TIMES
    return _product_row(items, between), PRODUCT


def _product_row(items: list[Math], between: Math) -> Math:
    parts: list[Math] = []
    for item in items:
        if parts:
            clash = isinstance(item, Num) or isinstance(item, Frac) and isinstance(parts[-1], Num)
            parts.append(DOT if clash else between)
        parts.append(item)
    return row(*parts)


def _div(expr: Div, context: Context) -> tuple[Math, int]:
    sign, size = split_sign(expr)
    if sign < 0:
        return row(Op("neg"), formula(size, context, PRODUCT)), SUM
    return Frac(formula(expr.numerator, context), formula(expr.denominator, context)), PRODUCT


def _pow(expr: Pow, context: Context) -> tuple[Math, int]:
    if expr.exponent == Number(Fraction(1, 2)):
        return Root(formula(expr.base, context)), BASE
    base = formula(expr.base, context, BASE)
    if isinstance(expr.base, (Call, Pow)) or _has_superscript(base):
        base = parenthesised(base)
    return Scripts(base, sup=formula(expr.exponent, context)), FACTOR


def _has_superscript(math: Math) -> bool:
    inner = math.math if isinstance(math, Symbol) else math
    return isinstance(inner, (Frac, Big)) or isinstance(inner, Scripts) and inner.sup is not None


def _access(expr: Access, context: Context) -> tuple[Math, int]:
    if not expr.indices and expr.tensor in context.figures:
        figure = context.figures[expr.tensor]
        return figure, SUM if isinstance(figure, Row) else BASE
    math = entry(expr.tensor, expr.indices, context)
    return math, FACTOR if _has_superscript(math) else BASE


def function_symbol(name: str, order: tuple[int, ...], context: Context) -> tuple[Math, str]:
    """Return a function's letter, primed for derivatives, and its plain name."""
    shown = context.notation.functions.get(name)
    base: Math = Sym(shown) if shown else _function_name(name)
    if not any(order):
        return base, name
    if len(order) == 1:
        primes = row(*[Op("prime")] * order[0])
        return Scripts(base, sup=primes), name + "'" * order[0]
    label = row(*[Num(str(n + 1)) for n, count in enumerate(order) for _ in range(count)])
    return row(Scripts(Sym("partial"), sub=label), base), f"{name}_{plain(label)}"


def _function_name(name: str) -> Math:
    if len(name) == 1:
        return Sym(name)
    return Sym(LATEX_FUNCTIONS.get(name, name), "function")


def _call(expr: Call, context: Context) -> tuple[Math, int]:
    if special := _SPECIAL_CALLS.get(expr.name):
        return special(expr, context)
    base, text = function_symbol(expr.name, expr.order, context)
    args = tuple(formula(arg, context) for arg in expr.args)
    return Apply(base, text, args), BASE


def _abs(expr: Call, context: Context) -> tuple[Math, int]:
    return Fenced("|", formula(expr.args[0], context)), BASE


def _sqrt(expr: Call, context: Context) -> tuple[Math, int]:
    return Root(formula(expr.args[0], context)), BASE


def _floor(expr: Call, context: Context) -> tuple[Math, int]:
    return Fenced("floor", formula(expr.args[0], context)), BASE


def _reduce(expr: Reduce, context: Context) -> tuple[Math, int]:
    body = expr.body
    if (others := all_but(expr)) is not None:
        mark = row(letter(expr.bound[0], context), Op("!="), affine_math(others[0], context))
        text = (plain(letter(expr.bound[0], context)),)
        return Big("prod", text, mark, None, formula(others[1], context, PRODUCT)), PRODUCT
    level = FACTOR if isinstance(body, (Add, Number)) else PRODUCT
    math = formula(body, context, level)
    if expr.op not in ("sum", "prod", "mean"):
        marks = [letter(index, context) for index in expr.bound]
        return Big(expr.op, tuple(map(plain, marks)), joined(marks, COMMA), None, math), PRODUCT
    for index in reversed(expr.bound):
        math = _one_fold(expr.op, index, math, context)
    return math, PRODUCT


def _one_fold(op: str, index: Index, body: Math, context: Context) -> Math:
    mark = letter(index, context)
    low, high = ranges(index, context)
    text = (plain(mark),)
    if op == "mean":
        whole = _sum(text, mark, low, high, body)
        return row(Frac(Num("1"), size_math(index, context)), TIMES, whole)
    if not context.notation.style.sum_ranges:
        return Big(op, text, mark, None, body)
    return Big(op, text, row(mark, EQUALS, low), high, body)


def sum_over(index: Index, body: Math, context: Context) -> Math:
    """Return the sum of a formula over an index."""
    return _one_fold("sum", index, body, context)


def _sum(text: tuple[str, ...], mark: Math, low: Math, high: Math, body: Math) -> Big:
    return Big("sum", text, row(mark, EQUALS, low), high, body)


def _along(expr: Along, context: Context) -> tuple[Math, int]:
    function, text = function_symbol(expr.name, (), context)
    marks = [letter(index, context) for index in expr.indices]
    args = tuple(formula(arg, context) for arg in expr.args)
    label = ",".join(plain(m) for m in marks)
    head = Scripts(function, sub=joined(marks, COMMA))
    return Apply(head, f"{text}[{label}]", args), BASE


def _where(expr: Where, context: Context) -> tuple[Math, int]:
    rows: list[tuple[Math, Math | None]] = []
    rest: Expr = expr
    while isinstance(rest, Where):
        rows.append((formula(rest.yes, context), condition_math(rest.condition, context)))
        rest = rest.no
    rows.append((formula(rest, context), None))
    return Cases(tuple(rows)), FACTOR


def _iverson(expr: Iverson, context: Context) -> tuple[Math, int]:
    return Fenced("[", condition_math(expr.condition, context)), BASE


def _derivative(expr: Derivative, context: Context) -> tuple[Math, int]:
    above = formula(expr.of, context)
    below = formula(expr.by, context)
    text = f"d({plain(above)}, {plain(below)})"
    return partial_symbol(expr.by.tensor, above, below, text), BASE


def _position(expr: Position, context: Context) -> tuple[Math, int]:
    marks = tuple(letter(index, context) for index in expr.indices)
    if len(marks) == 1:
        return marks[0], BASE
    return parenthesised(joined(list(marks), COMMA)), BASE


def _constant(expr: Constant, context: Context) -> tuple[Math, int]:
    return Sym(expr.name), BASE


def _index_value(expr: IndexValue, context: Context) -> tuple[Math, int]:
    math = affine_math(expr.form, context)
    return math, SUM if isinstance(math, Row) else BASE


def condition_math(condition: Condition, context: Context) -> Math:
    """Return a condition."""
    return _condition(condition, context)


def _condition(condition: Node, context: Context) -> Math:
    match condition:
        case Compare(op, left, right):
            left, right = _balanced(left, right)
            return row(formula(left, context), Op(op), formula(right, context))
        case And((Compare(one, low, mid), Compare(two, same, high))) if mid == same:
            ends = formula(low, context), formula(high, context)
            return row(ends[0], Op(one), formula(mid, context), Op(two), ends[1])
        case And(parts):
            return joined([_grouped(part, context) for part in parts], Op("and"))
        case Or(parts):
            return joined([_grouped(part, context) for part in parts], Op("or"))
        case Not(part):
            return row(Op("not"), _grouped(part, context))
        case _:
            raise AssertionError(f"no condition: {condition}")


def _balanced(left: Expr, right: Expr) -> tuple[Expr, Expr]:
    """Return two index forms without what both add: ``t + 1 < T + 1`` is ``t < T``."""
    if isinstance(left, IndexValue) and isinstance(right, IndexValue):
        common = min(left.form.constant, right.form.constant)
        if common > 0:
            return IndexValue(left.form - common), IndexValue(right.form - common)
    return left, right


def _grouped(part: Node, context: Context) -> Math:
    math = _condition(part, context)
    return math if isinstance(part, Compare) else parenthesised(math)


_SPECIAL_CALLS: dict[str, Callable[[Any, Context], tuple[Math, int]]] = {
    "abs": _abs,
    "sqrt": _sqrt,
    "floor": _floor,
}

_LAYOUTS: dict[type, Callable[[Any, Context], tuple[Math, int]]] = {
    Number: _number,
    Constant: _constant,
    IndexValue: _index_value,
    Access: _access,
    Add: _add,
    Mul: _mul,
    Div: _div,
    Pow: _pow,
    Call: _call,
    Reduce: _reduce,
    Along: _along,
    Where: _where,
    Iverson: _iverson,
    Derivative: _derivative,
    Position: _position,
}
