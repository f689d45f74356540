"""Scalar expressions, index forms and conditions as C++ text.

Numbers of the network have the type ``real``, indices and stored index values are ``int``. Whole
numbers stand bare beside a ``real`` operand, everything else is converted in plain sight, so that
the text compiles without a warning for float and for double.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

from derivgen.algebra.expressions import (
    Access,
    Add,
    And,
    Call,
    Compare,
    Condition,
    Constant,
    Div,
    Expr,
    IndexValue,
    Iverson,
    Mul,
    Not,
    Number,
    Or,
    Position,
    Pow,
    Where,
)
from derivgen.errors import EquationError
from derivgen.lowering.sizes import as_form, bounds, decided
from derivgen.targets.cpp_forms import (
    ATOM,
    PRODUCT,
    SUM,
    UNARY,
    Scope,
    Text,
    form_text,
    place,
    position_text,
)

# Functions of the language as functions of C++; the others are printed in the file's frame.
FUNCTIONS = {
    "exp": "std::exp",
    "log": "std::log",
    "log1p": "std::log1p",
    "expm1": "std::expm1",
    "sqrt": "std::sqrt",
    "tanh": "std::tanh",
    "sinh": "std::sinh",
    "cosh": "std::cosh",
    "sin": "std::sin",
    "cos": "std::cos",
    "tan": "std::tan",
    "asin": "std::asin",
    "acos": "std::acos",
    "atan": "std::atan",
    "abs": "std::fabs",
    "erf": "std::erf",
    "lgamma": "std::lgamma",
    "floor": "std::floor",
    "sign": "sign_of",
    "digamma": "digamma",
    "min": "smaller",
    "max": "larger",
}
CONSTANTS = {"pi": "real(3.141592653589793)"}
COMPARISONS = {"=": "==", "!=": "!=", "<": "<", "<=": "<=", ">": ">", ">=": ">="}
BARE_LIMIT = 1 << 20  # larger whole numbers may not fit a float exactly


def expression(expr: Expr, scope: Scope) -> str:
    """Return an expression of type ``real``."""
    return _print(expr, scope)[0]


def operand(expr: Expr, scope: Scope) -> str:
    """Return an expression that surely has the type ``real``, numbers included."""
    if isinstance(expr, Number):
        return f"real({_literal(expr.value)})"
    return expression(expr, scope)


def _wrapped(expr: Expr, scope: Scope, level: int) -> str:
    text, own = _print(expr, scope)
    return f"({text})" if own < level else text


def _print(expr: Expr, scope: Scope) -> Text:
    return _PRINTERS[type(expr)](expr, scope)


def _literal(value: Fraction) -> str:
    return str(value.numerator) if value.denominator == 1 else repr(float(value))


def _number(expr: Number, scope: Scope) -> Text:
    value = expr.value
    if value.denominator == 1 and abs(value) < BARE_LIMIT:
        return str(value), ATOM if value >= 0 else UNARY
    return f"real({_literal(value)})", ATOM


def _constant(expr: Constant, scope: Scope) -> Text:
    return CONSTANTS[expr.name], ATOM


def _index_value(expr: IndexValue, scope: Scope) -> Text:
    return f"real({form_text(expr.form, scope)})", ATOM


def _position(expr: Position, scope: Scope) -> Text:
    return f"real({position_text(expr.indices, scope)})", ATOM


def _access(expr: Access, scope: Scope) -> Text:
    for name, text in scope.scalars:
        if name == expr.tensor:
            return text, ATOM
    text = place(expr, scope)
    return (f"real({text})" if scope.array(expr.tensor).integer else text), ATOM


def _add(expr: Add, scope: Scope) -> Text:
    text = ""
    for term in expr.terms:
        negative, rest = _sign_split(term)
        if not text:
            text = _wrapped(term, scope, SUM)
        else:
            text += f" {'-' if negative else '+'} {_wrapped(rest, scope, PRODUCT)}"
    return text, SUM


def _sign_split(term: Expr) -> tuple[bool, Expr]:
    match term:
        case Number(value) if value < 0:
            return True, Number(-value)
        case Mul((Number(value), *rest)) if value < 0:
            if value == -1:
                return True, rest[0] if len(rest) == 1 else Mul(tuple(rest))
            return True, Mul((Number(-value), *rest))
        case Div(numerator, denominator):
            negative, inner = _sign_split(numerator)
            return (True, Div(inner, denominator)) if negative else (False, term)
    return False, term


def _mul(expr: Mul, scope: Scope) -> Text:
    first, *rest = expr.factors
    if first == Number(Fraction(-1)) and rest:
        inner = rest[0] if len(rest) == 1 else Mul(tuple(rest))
        return f"-{_wrapped(inner, scope, PRODUCT)}", UNARY
    # Two bare whole numbers would be multiplied as int: convert the first one.
    parts = [operand(first, scope)] if _all_numbers(expr.factors) else []
    rest = rest if parts else [first, *rest]
    parts += [_wrapped(f, scope, PRODUCT if k == 0 else UNARY) for k, f in enumerate(rest)]
    return " * ".join(parts), PRODUCT


def _all_numbers(parts: tuple[Expr, ...]) -> bool:
    return all(isinstance(part, Number) for part in parts)


def _div(expr: Div, scope: Scope) -> Text:
    top = expr.numerator
    if isinstance(top, Number) and isinstance(expr.denominator, Number):
        left = operand(top, scope)
    else:
        left = _wrapped(top, scope, PRODUCT)
    return f"{left} / {_wrapped(expr.denominator, scope, UNARY)}", PRODUCT


def _power(expr: Pow, scope: Scope) -> Text:
    exponent = expr.exponent
    if isinstance(exponent, Number):
        base = operand(expr.base, scope)
        if exponent.value == 2:
            return f"square({base})", ATOM
        if exponent.value == Fraction(1, 2):
            return f"std::sqrt({base})", ATOM
        if exponent.value.denominator == 1 and 2 < abs(exponent.value) <= 64:
            return f"power({base}, {exponent.value})", ATOM
        if exponent.value == -1:
            return f"1 / {_wrapped(expr.base, scope, UNARY)}", PRODUCT
        if exponent.value == -2:
            return f"1 / square({base})", PRODUCT
    return f"std::pow({operand(expr.base, scope)}, {operand(exponent, scope)})", ATOM


def _call(expr: Call, scope: Scope) -> Text:
    if expr.name == "stop_gradient":
        return _print(expr.args[0], scope)
    if any(expr.order):
        raise EquationError(
            expr.name,
            "A trainer needs the function's definition, but it is declared unknown.",
            f"Write define {expr.name}(z) = ... instead of function {expr.name}.",
        )
    name = FUNCTIONS.get(expr.name) or scope.routines[expr.name]
    return f"{name}({', '.join(operand(arg, scope) for arg in expr.args)})", ATOM


def _where(expr: Where, scope: Scope) -> Text:
    yes, no = operand(expr.yes, scope), operand(expr.no, scope)
    return f"({condition_text(expr.condition, scope)} ? {yes} : {no})", ATOM


def _iverson(expr: Iverson, scope: Scope) -> Text:
    return f"({condition_text(expr.condition, scope)} ? real(1) : real(0))", ATOM


_PRINTERS: dict[type, Callable[..., Text]] = {
    Number: _number,
    Constant: _constant,
    IndexValue: _index_value,
    Position: _position,
    Access: _access,
    Add: _add,
    Mul: _mul,
    Div: _div,
    Pow: _power,
    Call: _call,
    Where: _where,
    Iverson: _iverson,
}


# --- conditions ----------------------------------------------------------------------------------


def condition_text(condition: Condition, scope: Scope) -> str:
    """Return a condition as a C++ expression of type bool."""
    match condition:
        case Compare(op, left, right):
            if (ints := _as_int(left, scope)) and (other := _as_int(right, scope)):
                known = _known(op, left, right) if ints != other else op in ("=", "<=", ">=")
                if known is not None:  # compilers warn of a comparison that decides nothing
                    return "true" if known else "false"
                return f"{ints} {COMPARISONS[op]} {other}"
            sides = (operand(left, scope), operand(right, scope))
            return f"{sides[0]} {COMPARISONS[op]} {sides[1]}"
        case Not(part):
            return f"!({condition_text(part, scope)})"
        case And(parts) | Or(parts):
            joint = " && " if isinstance(condition, And) else " || "
            return joint.join(_part(part, scope) for part in parts)
    raise AssertionError(f"no such condition: {condition!r}")


def _known(op: str, left: Expr, right: Expr) -> bool | None:
    """Return the truth of a comparison that the ranges of its indices settle."""
    one, other = as_form(left), as_form(right)
    return None if one is None or other is None else decided(op, bounds(one - other))


def _part(condition: Condition, scope: Scope) -> str:
    text = condition_text(condition, scope)
    return f"({text})" if isinstance(condition, (And, Or)) else text


def _as_int(expr: Expr, scope: Scope) -> str | None:
    """Return an expression as C++ of type ``int``, if all of it is whole by its nature."""
    match expr:
        case Number(value) if value.denominator == 1:
            return str(value)
        case IndexValue(form):
            return form_text(form, scope)
        case Position(indices):
            return position_text(indices, scope)
        case Access(tensor, _, _) if all(tensor != name for name, _ in scope.scalars):
            return place(expr, scope) if scope.array(tensor).integer else None
        case Add(terms):
            parts = [_as_int(term, scope) for term in terms]
            whole = [part for part in parts if part is not None]
            return f"({' + '.join(whole)})" if len(whole) == len(parts) else None
    return None
