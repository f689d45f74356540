"""Expressions and conditions as NumPy text, vectorised over a grid of indices."""

from __future__ import annotations

from fractions import Fraction
from functools import singledispatch

from derivgen.algebra.expressions import (
    MINUS_ONE,
    Access,
    Add,
    And,
    Call,
    Compare,
    Constant,
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
    Where,
)
from derivgen.targets.numpy_access import access_text, form_text, position_text
from derivgen.targets.numpy_grid import (
    ATOM,
    BITS,
    COMPARISON,
    POWER,
    PRODUCT,
    SUM,
    UNARY,
    Grid,
    Piece,
)

UFUNCS = {
    "exp": "np.exp", "log": "np.log", "log1p": "np.log1p", "expm1": "np.expm1",
    "sqrt": "np.sqrt", "tanh": "np.tanh", "sinh": "np.sinh", "cosh": "np.cosh",
    "sin": "np.sin", "cos": "np.cos", "asin": "np.arcsin", "acos": "np.arccos",
    "atan": "np.arctan", "abs": "np.abs", "sign": "np.sign", "floor": "np.floor",
    "min": "np.minimum", "max": "np.maximum",
    "erf": "erf", "lgamma": "lgamma", "digamma": "digamma",
    "stop_gradient": "stop_gradient",
}  # fmt: skip
# For numbers alone: what math returns does not fix a precision, as NumPy's doubles would.
MATH = {
    "exp": "math.exp", "log": "math.log", "log1p": "math.log1p", "expm1": "math.expm1",
    "sqrt": "math.sqrt", "tanh": "math.tanh", "sinh": "math.sinh", "cosh": "math.cosh",
    "sin": "math.sin", "cos": "math.cos", "asin": "math.asin", "acos": "math.acos",
    "atan": "math.atan", "abs": "abs", "floor": "math.floor", "min": "min", "max": "max",
    "erf": "math.erf", "lgamma": "math.lgamma",
}  # fmt: skip
COMPARISONS = {"=": "==", "!=": "!=", "<": "<", "<=": "<=", ">": ">", ">=": ">="}


def show(node: Node, grid: Grid) -> Piece:
    """Return an expression or condition as NumPy text over a grid."""
    return _show.registry[type(node)](node, grid)


@singledispatch
def _show(node: object, grid: Grid) -> Piece:
    raise AssertionError(f"no text for {node!r}")


@_show.register
def _(node: Number, grid: Grid) -> Piece:
    return number_text(node.value)


def number_text(value: Fraction) -> Piece:
    """Return an exact number as Python writes it best: ``2``, ``0.1``, ``1 / 3``."""
    if value.denominator == 1 and abs(value.numerator) < 2**53:
        text = str(value.numerator)
    elif Fraction(repr(float(value))) == value or value.denominator > 10**6:
        text = repr(float(value))
    else:
        return Piece(f"{value.numerator} / {value.denominator}", PRODUCT, literal=True)
    return Piece(text, UNARY if value < 0 else ATOM, literal=True)


@_show.register
def _(node: Constant, grid: Grid) -> Piece:
    return Piece(f"np.{node.name}", literal=True)


@_show.register
def _(node: IndexValue, grid: Grid) -> Piece:
    piece = form_text(node.form, grid)
    if not piece.axes:
        return piece._replace(literal=True)
    return Piece(f"{piece.at(ATOM)}.astype(dtype)", ATOM, piece.axes)


@_show.register
def _(node: Position, grid: Grid) -> Piece:
    return position_text(node, grid)


@_show.register
def _(node: Access, grid: Grid) -> Piece:
    if grid.scope.local is not None and node.tensor in grid.scope.local:
        return Piece(grid.scope.local[node.tensor])
    return access_text(node, grid)


# --- arithmetic ---


@_show.register
def _(node: Add, grid: Grid) -> Piece:
    signs, pieces = zip(*(_signed(term, grid) for term in node.terms))
    text = ""
    for sign, piece in zip(signs, grid.scope.fit(list(pieces), 0)):
        if text:
            text += (" - " if sign else " + ") + piece.at(PRODUCT)
        else:
            text = piece.negative if sign else piece.at(SUM)
    axes = grid.ordered([a for piece in pieces for a in piece.axes])
    return Piece(text, SUM, axes, all(piece.literal for piece in pieces))


def _signed(term: Node, grid: Grid) -> tuple[bool, Piece]:
    """Return whether a term is subtracted, and its text without the sign."""
    match term:
        case Number(value) if value < 0:
            return True, number_text(-value)
        case Mul((Number(value), *rest)) if value < 0:
            factors = tuple(rest) if value == -1 else (Number(-value), *rest)
            return True, show(factors[0] if len(factors) == 1 else Mul(factors), grid)
        case Div(Mul((Number(value), *rest)), below) if value < 0:
            factors = tuple(rest) if value == -1 else (Number(-value), *rest)
            above = factors[0] if len(factors) == 1 else Mul(factors)
            return True, show(Div(above, below), grid)
        case _:
            return False, show(term, grid)


@_show.register
def _(node: Mul, grid: Grid) -> Piece:
    first, *rest = node.factors
    if first == MINUS_ONE:
        inner = show(rest[0] if len(rest) == 1 else Mul(tuple(rest)), grid)
        return Piece(inner.negative, PRODUCT, inner.axes, inner.literal)
    pieces = grid.scope.fit([show(factor, grid) for factor in node.factors], 0)
    text = pieces[0].at(PRODUCT) + "".join(f" * {piece.at(UNARY)}" for piece in pieces[1:])
    axes = grid.ordered([a for piece in pieces for a in piece.axes])
    return Piece(text, PRODUCT, axes, all(p.literal for p in pieces), head=pieces[0].head)


@_show.register
def _(node: Div, grid: Grid) -> Piece:
    above, below = grid.scope.fit([show(node.numerator, grid), show(node.denominator, grid)], 0)
    text = f"{above.at(PRODUCT)} / {below.at(UNARY)}"
    axes = grid.ordered([*above.axes, *below.axes])
    return Piece(text, PRODUCT, axes, above.literal and below.literal, head=above.head)


@_show.register
def _(node: Pow, grid: Grid) -> Piece:
    base = show(node.base, grid)
    match node.exponent:
        case Number(value) if value == Fraction(1, 2):
            kind = "math" if base.literal else "np"
            return Piece(f"{kind}.sqrt({base.text})", ATOM, base.axes, base.literal)
        case Number(value) if value == -1:
            return Piece(f"1 / {base.at(UNARY)}", PRODUCT, base.axes)
    above = show(node.exponent, grid)
    axes = grid.ordered([*base.axes, *above.axes])
    simple = _operand(base) and _operand(above)
    text = (
        f"{base.at(ATOM)}**{above.at(POWER)}" if simple else f"{base.at(ATOM)} ** {above.at(POWER)}"
    )
    return Piece(text, POWER, axes, base.literal and above.literal, head=len(text))


def _operand(piece: Piece) -> bool:
    # Formatters hug ** between names and numbers, and space it otherwise.
    return piece.level == ATOM and piece.text.replace(".", "").replace("_", "").isalnum()


@_show.register
def _(node: Call, grid: Grid) -> Piece:
    pieces = grid.scope.fit([show(arg, grid) for arg in node.args], 0)
    if node.name in MATH and all(piece.literal for piece in pieces):
        text = f"{MATH[node.name]}({', '.join(piece.text for piece in pieces)})"
        return Piece(text, ATOM, literal=True)
    name = UFUNCS.get(node.name) or grid.scope.functions[node.name]
    axes = grid.ordered([a for piece in pieces for a in piece.axes])
    return Piece(f"{name}({', '.join(piece.text for piece in pieces)})", ATOM, axes)


# --- conditions ---


@_show.register
def _(node: Where, grid: Grid) -> Piece:
    parts = (node.condition, node.yes, node.no)
    condition, yes, no = grid.scope.fit([show(part, grid) for part in parts], 0)
    axes = grid.ordered([*condition.axes, *yes.axes, *no.axes])
    if _is_larger(node):
        return Piece(f"np.maximum({yes.text}, {no.text})", ATOM, axes)
    if not condition.axes and condition.literal:
        text = f"({yes.at(BITS)} if {condition.text} else {no.at(BITS)})"
        return Piece(text, ATOM, axes, yes.literal and no.literal)
    text = f"np.where({condition.text}, {yes.text}, {no.text})"
    return Piece(f"{text}.astype(dtype)" if yes.literal and no.literal else text, ATOM, axes)


def _is_larger(node: Where) -> bool:
    """Tell whether a node is ``where(a > b, a, b)``, as relu is."""
    condition = node.condition
    return (
        isinstance(condition, Compare)
        and condition.op in (">", ">=")
        and (condition.left, condition.right) == (node.yes, node.no)
    )


@_show.register
def _(node: Iverson, grid: Grid) -> Piece:
    condition = show(node.condition, grid)
    if not condition.axes and condition.literal:
        return Piece(f"float({condition.text})", ATOM, (), True)
    if not condition.axes:
        return Piece(f"float({condition.text})", ATOM)
    return Piece(f"({condition.text}).astype(dtype)", ATOM, condition.axes)


@_show.register
def _(node: Compare, grid: Grid) -> Piece:
    left, right = grid.scope.fit([_compared(node.left, grid), _compared(node.right, grid)], 0)
    text = f"{left.at(BITS)} {COMPARISONS[node.op]} {right.at(BITS)}"
    axes = grid.ordered([*left.axes, *right.axes])
    return Piece(text, COMPARISON, axes, left.literal and right.literal)


def _compared(node: Node, grid: Grid) -> Piece:
    """Return a side of a comparison; indices are compared as the integers they are."""
    if isinstance(node, IndexValue):
        piece = form_text(node.form, grid)
        return piece._replace(literal=not piece.axes)
    return show(node, grid)


def _joined(parts: tuple[Node, ...], sign: str, word: str, grid: Grid) -> Piece:
    pieces = grid.scope.fit([show(part, grid) for part in parts], 0)
    axes = grid.ordered([a for piece in pieces for a in piece.axes])
    literal = all(piece.literal for piece in pieces)
    if literal:
        return Piece(f" {word} ".join(f"({p.text})" for p in pieces), COMPARISON, axes, True)
    return Piece(f" {sign} ".join(piece.at(ATOM) for piece in pieces), BITS, axes)


@_show.register
def _(node: And, grid: Grid) -> Piece:
    return _joined(node.parts, "&", "and", grid)


@_show.register
def _(node: Or, grid: Grid) -> Piece:
    return _joined(node.parts, "|", "or", grid)


@_show.register
def _(node: Not, grid: Grid) -> Piece:
    piece = show(node.part, grid)
    if piece.literal:
        return Piece(f"not ({piece.text})", COMPARISON, piece.axes, True)
    return Piece(f"np.logical_not({piece.text})", ATOM, piece.axes)
