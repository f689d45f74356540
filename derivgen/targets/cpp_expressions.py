"""Scalar expressions, index forms and conditions as C++ text.

Numbers of the network have the type ``real``, indices and stored index values are ``int``. Whole
numbers stand bare beside a ``real`` operand, everything else is converted in plain sight, so that
the text compiles without a warning for float and for double.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction

from derivgen.algebra.affine import (
    Affine,
    Dim,
    FloorDiv,
    Index,
    Lookup,
    Mod,
    affine,
    surely_nonnegative,
)
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
from derivgen.lowering.program import Array, Program
from derivgen.targets.cpp_names import Names

SUM, PRODUCT, UNARY, ATOM = 1, 2, 3, 4

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


@dataclass(frozen=True)
class Scope:
    """The program being printed and the C++ names of what it mentions.

    ``scalars`` are rank-0 accesses that are plain variables: parameters of a function, settings.
    ``sizes`` are the C++ names of size letters, ``samples`` that of the number of samples; ``highs``
    are the letters at which indices end, ``gradients`` the parameters of adjoints.
    """

    program: Program
    tensors: Names
    indices: Names
    routines: Names
    scalars: tuple[tuple[str, str], ...] = ()
    sizes: Mapping[str, str] = field(default_factory=dict)
    samples: str = "N"
    highs: Mapping[Index, str] = field(default_factory=dict)
    gradients: Mapping[str, str] = field(default_factory=dict)

    def array(self, name: str) -> Array:
        """Return the storage of a tensor."""
        return self.program.arrays[name]

    def high_text(self, index: Index) -> str:
        """Return the upper end of an index: the letter of an axis it runs along, or a number."""
        return self.highs.get(index) or form_text(index.high, self)

    def with_highs(self, accesses: Iterable[Access]) -> Scope:
        """Return this scope knowing the letters of the axes along which plain indices run."""
        found: dict[Index, str] = {}
        for access in accesses:
            array = self.array(access.tensor)
            for axis, form in enumerate(access.indices):
                index = form.plain
                if index is None or index in found or index.high != array.shape[axis]:
                    continue
                if array.lows[axis] == 0 and array.letters and array.letters[axis] in self.sizes:
                    found[index] = self.sizes[array.letters[axis]]
        return replace(self, highs=found)

    def size_text(self, array: Array, axis: int) -> str:
        """Return the size of an axis: the writer's letter, if it is one, else a number."""
        letter = array.letters[axis] if array.letters else ""
        size = array.shape[axis]
        return self.sizes.get(letter) or (str(size.constant) if size.is_constant else self.samples)


Text = tuple[str, int]


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
                return f"{ints} {COMPARISONS[op]} {other}"
            sides = (operand(left, scope), operand(right, scope))
            return f"{sides[0]} {COMPARISONS[op]} {sides[1]}"
        case Not(part):
            return f"!({condition_text(part, scope)})"
        case And(parts) | Or(parts):
            joint = " && " if isinstance(condition, And) else " || "
            return joint.join(_part(part, scope) for part in parts)
    raise AssertionError(f"no such condition: {condition!r}")


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


# --- index forms ---------------------------------------------------------------------------------


def form_text(form: Affine, scope: Scope) -> str:
    """Return an affine form as C++ of type ``int``."""
    return _form(form, scope)[0]


def _form(form: Affine, scope: Scope) -> Text:
    text = ""
    for atom, count in form.terms:
        part = _atom(atom, scope)
        if abs(count) != 1:
            part = f"{abs(count)} * {part}"
        if not text:
            text = f"-{part}" if count < 0 else part
        else:
            text += f" {'-' if count < 0 else '+'} {part}"
    if not text:
        return str(form.constant), ATOM if form.constant >= 0 else UNARY
    if form.constant:
        text += f" {'-' if form.constant < 0 else '+'} {abs(form.constant)}"
        return text, SUM
    if len(form.terms) > 1:
        return text, SUM
    count = form.terms[0][1]
    return text, ATOM if count == 1 else UNARY if count == -1 else PRODUCT


def _atom(atom: object, scope: Scope) -> str:
    match atom:
        case Index(name):
            return scope.indices[name]
        case Dim():
            return scope.samples
        case FloorDiv(inner, divisor):
            if surely_nonnegative(inner):
                return f"({_inner(inner, scope)} / {divisor})"
            return f"floor_quotient({form_text(inner, scope)}, {divisor})"
        case Mod(inner, divisor):
            if surely_nonnegative(inner):
                return f"({_inner(inner, scope)} % {divisor})"
            return f"floor_remainder({form_text(inner, scope)}, {divisor})"
        case Lookup(tensor, indices):
            return place(Access(tensor, indices), scope)
    raise AssertionError(f"no such atom: {atom!r}")


def _inner(form: Affine, scope: Scope) -> str:
    text, level = _form(form, scope)
    return f"({text})" if level < UNARY else text


def position_text(indices: tuple[Index, ...], scope: Scope) -> str:
    """Return the row-major position, from 0, of indices within their ranges."""
    sizes = tuple(form_text(index.size, scope) for index in indices)
    return flat_text(tuple(affine(index) - index.low for index in indices), sizes, scope)


def place(access: Access, scope: Scope) -> str:
    """Return the element ``W[h * 784 + i]`` of a tensor's storage."""
    array = scope.array(access.tensor)
    forms = tuple(form - low for form, low in zip(access.indices, array.lows))
    sizes = tuple(scope.size_text(array, axis) for axis in range(array.rank))
    return f"{scope.tensors[access.tensor]}[{flat_text(forms, sizes, scope)}]"


def flat_text(forms: tuple[Affine, ...], sizes: tuple[str, ...], scope: Scope) -> str:
    """Return the row-major position of ``forms`` in an array of ``sizes``, by Horner's rule."""
    kept = [(f, s) for f, s in zip(forms, sizes) if s != "1" or not f.is_constant]
    text, level = "0", ATOM
    for number, (form, size) in enumerate(kept):
        part, own = _form(form, scope)
        if number == 0:
            text, level = part, own
            continue
        head = f"({text})" if level < PRODUCT else text
        tail = "" if part == "0" else f" {part}" if part.startswith("-") else f" + {part}"
        tail = tail.replace(" -", " - ", 1) if part.startswith("-") else tail
        text = f"{head} * {size}{tail}"
        level = SUM if tail else PRODUCT
    return text
