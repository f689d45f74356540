"""Expressions, equations and statements as text in the language of `.dg` files.

What is printed parses back to the same expression, as far as the language can write it; the marks
of the normal form (`Position`) are shown in the same style.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

from derivgen.algebra.affine import Affine
from derivgen.algebra.expressions import (
    MINUS_ONE,
    Access,
    Add,
    Along,
    And,
    Call,
    Compare,
    Constant,
    Derivative,
    Div,
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
from derivgen.algebra.network import Equation
from derivgen.algebra.statements import Statement

# How tightly the outermost operator of a printed part binds.
OR, AND, NOT, COMPARE, SUM, PRODUCT, UNARY, POWER, ATOM = range(9)
LONGEST_DECIMAL = 17

Printed = tuple[str, int]


def text(expr: Node) -> str:
    """Return an expression or condition as text."""
    return _print(expr)[0]


def equation_text(equation: Equation) -> str:
    """Return ``lhs = rhs`` as text, with ``, predict e`` where it has one."""
    line = f"{text(equation.lhs)} = {text(equation.rhs)}"
    return line if equation.predict is None else f"{line}, predict {text(equation.predict)}"


SIGNS = {"sum": "+=", "prod": "*=", "max": "max=", "min": "min="}


def statement_text(statement: Statement) -> str:
    """Return ``lhs = fold[bound](body)``, or ``lhs += ...``, and the guard after ``where``."""
    body = text(statement.body)
    names = ",".join(index.name for index in statement.bound)
    if names:
        body = f"{statement.op}[{names}]({body})"
    line = f"{text(statement.lhs)} = {body}"
    if statement.guard:
        line += " where " + " and ".join(_wrap(_print(part), NOT) for part in statement.guard)
    return line


def _print(expr: Node) -> Printed:
    return PRINT[type(expr)](expr)


def _wrap(printed: Printed, least: int) -> str:
    shown, binding = printed
    return shown if binding >= least else f"({shown})"


def _part(expr: Node, least: int) -> str:
    return _wrap(_print(expr), least)


# --- numbers -------------------------------------------------------------------------------------


def number_text(value: Fraction) -> str:
    """Return an exact number: a whole one, a decimal where it ends, else a fraction."""
    if value.denominator == 1:
        return _whole_text(value.numerator)
    if value.denominator != 2 and (decimal := _decimal(value)):
        return decimal
    return f"{value.numerator}/{value.denominator}"


def _whole_text(value: int) -> str:
    digits = str(abs(value))
    kept = digits.rstrip("0")
    if len(digits) > LONGEST_DECIMAL and len(digits) - len(kept) > 6:
        digits = f"{kept}e{len(digits) - len(kept)}"
    return f"-{digits}" if value < 0 else digits


def _decimal(value: Fraction) -> str | None:
    rest, twos, fives = value.denominator, 0, 0
    while rest % 2 == 0:
        rest, twos = rest // 2, twos + 1
    while rest % 5 == 0:
        rest, fives = rest // 5, fives + 1
    if rest != 1:
        return None
    places = max(twos, fives)
    digits = str(abs(value.numerator) * 10**places // value.denominator)
    sign = "-" if value < 0 else ""
    if places > 6 and len(digits) <= LONGEST_DECIMAL and len(digits) < places - 3:
        return f"{sign}{digits}e-{places}"
    digits = digits.rjust(places + 1, "0")
    return f"{sign}{digits[:-places]}.{digits[-places:]}"


def _number(expr: Number) -> Printed:
    shown = number_text(expr.value)
    if expr.value < 0:
        return shown, UNARY if "/" not in shown else PRODUCT
    return shown, PRODUCT if "/" in shown else ATOM


# --- accesses and names --------------------------------------------------------------------------


def index_text(form: Affine) -> str:
    """Return an index expression as text."""
    return str(form)


def _access(expr: Access) -> Printed:
    if not expr.indices:
        return expr.tensor, ATOM
    inside = ",".join([_place(form) for form in expr.indices])
    if expr.outside is not None:
        inside += f"; {text(expr.outside)}"
    return f"{expr.tensor}[{inside}]", ATOM


def _place(form: Affine) -> str:
    return form.plain.name if form.plain else index_text(form).replace(" ", "")


def _index_value(expr: IndexValue) -> Printed:
    form = expr.form
    shown = index_text(form)
    parts = len(form.terms) + bool(form.constant)
    if parts > 1:
        return shown, SUM
    count = form.terms[0][1] if form.terms else form.constant
    if count == 1:
        # A quotient or remainder of indices prints with its operator.
        return shown, PRODUCT if ("//" in shown or "%" in shown) else ATOM
    return shown, PRODUCT if count != -1 else UNARY


# --- arithmetic ----------------------------------------------------------------------------------


def _add(expr: Add) -> Printed:
    shown = _part(expr.terms[0], SUM)
    for term in expr.terms[1:]:
        part = _part(term, PRODUCT)
        shown += f" - {part[1:]}" if part.startswith("-") else f" + {part}"
    return shown, SUM


def _mul(expr: Mul) -> Printed:
    factors = expr.factors
    first, rest = factors[0], factors[1:]
    if first == MINUS_ONE and rest:
        return "-" + _product(rest, UNARY), PRODUCT if len(rest) > 1 else UNARY
    return _product(factors, PRODUCT), PRODUCT


def _product(factors: tuple[Node, ...], first: int) -> str:
    # After the first factor a quotient needs brackets: a*b/c is (a*b)/c.
    shown = [_part(factors[0], first if first == PRODUCT else POWER)]
    shown += [_part(factor, POWER) for factor in factors[1:]]
    return "*".join(shown)


def _div(expr: Div) -> Printed:
    return f"{_part(expr.numerator, PRODUCT)}/{_part(expr.denominator, POWER)}", PRODUCT


def _pow(expr: Pow) -> Printed:
    return f"{_part(expr.base, ATOM)}^{_part(expr.exponent, POWER)}", POWER


# --- applications --------------------------------------------------------------------------------


def _arguments(args: tuple[Node, ...]) -> str:
    return ", ".join(text(arg) for arg in args)


def _call(expr: Call) -> Printed:
    if len(expr.order) == 1:
        return f"{expr.name}{chr(39) * expr.order[0]}({_arguments(expr.args)})", ATOM
    mark = "".join(f"_{count}" for count in expr.order)
    return f"{expr.name}{mark}({_arguments(expr.args)})", ATOM


def _reduce(expr: Reduce) -> Printed:
    return f"{expr.op}[{','.join(i.name for i in expr.bound)}]({text(expr.body)})", ATOM


def _along(expr: Along) -> Printed:
    return f"{expr.name}[{','.join(i.name for i in expr.indices)}]({_arguments(expr.args)})", ATOM


def _position(expr: Position) -> Printed:
    return f"position[{','.join(i.name for i in expr.indices)}]", ATOM


# --- conditions ----------------------------------------------------------------------------------


def _compare(expr: Compare) -> Printed:
    return f"{_part(expr.left, SUM)} {expr.op} {_part(expr.right, SUM)}", COMPARE


def _and(expr: And) -> Printed:
    return " and ".join(_part(part, NOT) for part in expr.parts), AND


def _or(expr: Or) -> Printed:
    return " or ".join(_part(part, AND) for part in expr.parts), OR


PRINT: dict[type, Callable[[Any], Printed]] = {
    Number: _number,
    Constant: lambda expr: (expr.name, ATOM),
    IndexValue: _index_value,
    Access: _access,
    Add: _add,
    Mul: _mul,
    Div: _div,
    Pow: _pow,
    Call: _call,
    Reduce: _reduce,
    Along: _along,
    Where: lambda expr: (f"where({_arguments((expr.condition, expr.yes, expr.no))})", ATOM),
    Iverson: lambda expr: (f"[{text(expr.condition)}]", ATOM),
    Derivative: lambda expr: (f"d({text(expr.of)}, {text(expr.by)})", ATOM),
    Position: _position,
    Compare: _compare,
    And: _and,
    Or: _or,
    Not: lambda expr: (f"not {_part(expr.part, NOT)}", NOT),
}
