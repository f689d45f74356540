"""Expressions as NumPy text, vectorised over a grid of indices.

A grid is an ordered list of indices, one array axis each. A printed piece is an array whose axes
are the grid's last ones, from the first one it varies along; axes it does not vary along have
length one, so that pieces broadcast against each other. Indices of loops around are plain numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import singledispatch

from derivgen.algebra.affine import (
    Affine,
    Dim,
    FloorDiv,
    Index,
    Lookup,
    Mod,
    indices_of,
)
from derivgen.algebra.expressions import (
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
from derivgen.lowering.program import Array
from derivgen.lowering.sizes import bounds
from derivgen.targets.numpy_names import Names
from derivgen.targets.numpy_windows import Window, window_of

# Precedence, loosest first.
COMPARISON, BITS, SUM, PRODUCT, UNARY, POWER, ATOM = range(7)

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


@dataclass(frozen=True)
class Piece:
    """Text, how tightly it binds, and the grid's indices it varies along, in grid order.

    ``literal``: Python numbers alone, which do not fix a precision. ``view``: may share memory
    with a tensor. ``head``: how long a power is with which
    the text begins.
    """

    text: str
    level: int = ATOM
    axes: tuple[Index, ...] = ()
    literal: bool = False
    view: bool = False
    head: int = 0

    @property
    def negative(self) -> str:
        """Return the text of a product with a minus; formatters put a power in parentheses."""
        if self.head:
            return f"-({self.text[: self.head]}){self.text[self.head :]}"
        return f"-{self.at(PRODUCT)}"

    def at(self, level: int) -> str:
        """Return the text, in parentheses unless it binds at least as tightly as ``level``."""
        return self.text if self.level >= level else f"({self.text})"


@dataclass(frozen=True)
class Scope:
    """Where names and arrays of index values come from, in one function.

    ``numbers`` are the indices of loops around, by their Python names. ``local`` names parameters
    of a function being printed. ``aranges(index, trailing)`` is the name of an array of an index's
    values followed by ``trailing`` axes of length one. ``fit(parts, around)`` names the
    longest of parts that would not fit on a line together with ``around`` more characters.
    """

    numbers: Mapping[Index, str]
    arrays: Mapping[str, Array]
    names: Names
    aranges: Callable[[Index, int], str]
    functions: Mapping[str, str]
    fit: Callable[[list[Piece], int], list[Piece]] = lambda pieces, around: pieces
    local: Mapping[str, str] | None = None


@dataclass(frozen=True)
class Grid:
    """The axes of what is printed, and its scope."""

    axes: tuple[Index, ...]
    scope: Scope

    def over(self, axes: tuple[Index, ...]) -> Grid:
        """Return the same surroundings with other axes."""
        return Grid(axes, self.scope)

    def ordered(self, axes: Container[Index]) -> tuple[Index, ...]:
        """Return those of the grid's axes that occur in ``axes``."""
        return tuple(a for a in self.axes if a in axes)


def show(node: Node, grid: Grid) -> Piece:
    """Return an expression or condition as NumPy text over a grid."""
    return _show(node, grid)


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
        return replace(piece, literal=True)
    return Piece(f"{piece.at(ATOM)}.astype(dtype)", ATOM, piece.axes)


@_show.register
def _(node: Position, grid: Grid) -> Piece:
    return position_text(node, grid)


def position_text(node: Position, grid: Grid) -> Piece:
    """Return the row-major position of indices as integers."""
    total = Affine(())
    for index in node.indices:
        total = total * index.size.constant + (Affine(((index, 1),)) - index.low)
    return form_text(total, grid)


# --- index arithmetic ---


def form_text(form: Affine, grid: Grid) -> Piece:
    """Return an affine form as integers over the grid."""
    pieces: list[tuple[int, Piece]] = [(n, _atom_text(atom, grid)) for atom, n in form.terms]
    axes = grid.ordered([a for _, piece in pieces for a in piece.axes])
    text = ""
    for count, piece in pieces:
        part = piece.at(PRODUCT) if abs(count) == 1 else f"{abs(count)} * {piece.at(UNARY)}"
        text += (
            (" - " if count < 0 else " + ") + part if text else ("-" if count < 0 else "") + part
        )
    if form.constant or not pieces:
        sign = " - " if form.constant < 0 else " + "
        text += f"{sign}{abs(form.constant)}" if text else str(form.constant)
    if len(pieces) + bool(form.constant) > 1:
        return Piece(text, SUM, axes)
    if pieces and pieces[0][0] != 1:
        return Piece(text, UNARY if pieces[0][0] == -1 else PRODUCT, axes)
    return Piece(text, pieces[0][1].level if pieces else ATOM, axes)


def _atom_text(atom: object, grid: Grid) -> Piece:
    match atom:
        case Index() if atom in grid.scope.numbers:
            return Piece(grid.scope.numbers[atom])
        case Index():
            trailing = len(grid.axes) - 1 - grid.axes.index(atom)
            return Piece(grid.scope.aranges(atom, trailing), ATOM, (atom,))
        case Dim():
            return Piece(grid.scope.names[str(atom)])
        case FloorDiv(inner, divisor):
            piece = form_text(inner, grid)
            return Piece(f"{piece.at(PRODUCT)} // {divisor}", PRODUCT, piece.axes)
        case Mod(inner, divisor):
            piece = form_text(inner, grid)
            return Piece(f"{piece.at(PRODUCT)} % {divisor}", PRODUCT, piece.axes)
        case Lookup(tensor, indices):
            return access_text(Access(tensor, indices), grid)
    raise AssertionError(f"no such atom: {atom!r}")


# --- accesses ---


@dataclass(frozen=True)
class Slice:
    """One position of an access as a slice along one index, or as a number (``axis is None``)."""

    text: str
    axis: Index | None


def slice_of(form: Affine, array: Array, axis: int, grid: Grid) -> Slice | None:
    """Return a position as a slice or a number; ``None`` if it needs an array of indices."""
    plain = form.plain
    if plain is not None and plain not in grid.scope.numbers:
        low = plain.low
        if low.constant == array.lows[axis] and low.is_constant and plain.high == array.highs[axis]:
            return Slice(":", plain)
    varying = [i for i in dict.fromkeys(indices_of(form)) if i not in grid.scope.numbers]
    if not varying:
        if any(isinstance(atom, Lookup) for atom, _ in form.terms):
            return None
        return Slice(form_text(form - array.lows[axis], grid).text, None)
    index = varying[0]
    counts = [count for atom, count in form.terms if atom == index]
    if len(varying) > 1 or len(counts) != 1 or counts[0] < 1 or not _simple(form, index, grid):
        return None
    rest = form - Affine(((index, counts[0]),)) - array.lows[axis]
    start, stop = rest + index.low * counts[0], rest + (index.high - 1) * counts[0] + 1
    if not _inside(start, stop, array.shape[axis]):
        return None
    return Slice(_slice_text(start, stop, counts[0], array.shape[axis], grid), index)


def _simple(form: Affine, index: Index, grid: Grid) -> bool:
    return all(
        atom == index or atom in grid.scope.numbers or isinstance(atom, Dim)
        for atom, _ in form.terms
    )


def _inside(start: Affine, stop: Affine, size: Affine) -> bool:
    low, above = bounds(start)[0], bounds(size - stop)[0]
    return low is not None and low >= 0 and above is not None and above >= 0


def _slice_text(start: Affine, stop: Affine, step: int, size: Affine, grid: Grid) -> str:
    first = "" if start == Affine(()) else form_text(start, grid).text
    last = "" if stop == size else form_text(stop, grid).text
    if step == 1:
        return f"{first}:{last}" if first.isalnum() or not first else f"{first} : {last}".rstrip()
    return f"{first}:{last}:{step}"


@_show.register
def _(node: Access, grid: Grid) -> Piece:
    if grid.scope.local is not None and node.tensor in grid.scope.local:
        return Piece(grid.scope.local[node.tensor])
    return access_text(node, grid)


def access_text(access: Access, grid: Grid) -> Piece:
    """Return an access as an array over the grid."""
    name = grid.scope.names[access.tensor]
    array = grid.scope.arrays[access.tensor]
    if not access.indices:
        return Piece(name)
    slices = [slice_of(f, array, a, grid) for a, f in enumerate(access.indices)]
    along = [s.axis for s in slices if s is not None and s.axis is not None]
    if None not in slices and len(set(along)) == len(along):
        return _sliced(name, [s for s in slices if s is not None], grid)
    if piece := _windowed(access, slices, grid) or _looked_up(access, slices, grid):
        return piece
    return _gathered(name, access, array, grid)


def _sliced(name: str, slices: list[Slice], grid: Grid) -> Piece:
    """Return a view: slices, then axes in grid order, then axes of length one between them."""
    texts = [s.text for s in slices]
    along = [s.axis for s in slices if s.axis is not None]
    axes = grid.ordered(along)
    if tuple(along) == axes:
        return Piece(
            f"{name}{_subscript(_spread(texts, slices, axes, grid))}", ATOM, axes, view=True
        )
    text = f"{name}{_subscript(texts)}"
    if len(axes) == 2:
        text += ".T"
    else:
        text += f".transpose({', '.join(str(along.index(a)) for a in axes)})"
    gaps = _spread([":"] * len(axes), [Slice(":", a) for a in axes], axes, grid)
    return Piece(text + _subscript(gaps), ATOM, axes, view=True)


def _spread(
    texts: list[str], slices: list[Slice], axes: tuple[Index, ...], grid: Grid
) -> list[str]:
    """Put ``None`` for the grid's axes, after the first one used, that a view does not have."""
    if not axes:
        return texts
    wanted = list(grid.axes[grid.axes.index(axes[0]) :])
    out: list[str] = []
    for text, part in zip(texts, slices):
        if part.axis is not None:
            while wanted and wanted[0] != part.axis:
                out.append("None")
                wanted.pop(0)
            wanted.pop(0)
        out.append(text)
    return out + ["None"] * len(wanted)


def _subscript(texts: list[str]) -> str:
    if all(text == ":" for text in texts):
        return ""
    while texts and texts[-1] == ":" and "None" not in texts:
        texts = texts[:-1]
    return f"[{', '.join(texts)}]"


def _looked_up(access: Access, slices: list[Slice | None], grid: Grid) -> Piece | None:
    """Return ``Emb[token]``: one position an array of indices, the others slices or numbers."""
    if slices.count(None) != 1:
        return None
    place = slices.index(None)
    form, array = access.indices[place], grid.scope.arrays[access.tensor]
    own = grid.ordered([i for i in indices_of(form) if i not in grid.scope.numbers])
    before = [s.axis for s in slices[:place] if s is not None]
    after = [s.axis for s in slices[place + 1 :] if s is not None]
    order = [*before, *own, *after]
    if None in order or tuple(order) != grid.axes[-len(order) :] or len(set(order)) < len(order):
        return None
    index = _index_array(form, array, place, grid.over(own))
    texts = [index if s is None else s.text for s in slices]
    while texts[-1] == ":":
        texts.pop()
    return Piece(f"{grid.scope.names[access.tensor]}[{', '.join(texts)}]", ATOM, tuple(order))  # type: ignore[arg-type]


def pads(access: Access, grid: Grid) -> bool:
    """Tell whether what an access reads outside its array is 0."""
    array = grid.scope.arrays[access.tensor]
    slices = [slice_of(form, array, axis, grid) for axis, form in enumerate(access.indices)]
    return None in slices and _windowed(access, slices, grid) is not None


def _windowed(access: Access, slices: list[Slice | None], grid: Grid) -> Piece | None:
    """Return a view in which an axis read along two indices is two axes."""
    array = grid.scope.arrays[access.tensor]
    text, order, texts = grid.scope.names[access.tensor], [], []
    windows: list[tuple[int, Window]] = []
    for axis, (form, part) in enumerate(zip(access.indices, slices)):
        window = window_of(form, array, axis, grid.axes) if part is None else None
        if part is None and window is None:
            return None
        texts.append(":" if part is None else part.text)
        if window is not None:
            windows.append((len(order), window))
            order += [window.outer, window.inner]
        elif part is not None and part.axis is not None:
            order.append(part.axis)
    if len(set(order)) < len(order):
        return None
    text += _subscript(texts)
    for place, window in windows:
        start = form_text(window.start, grid).text
        text = f"windows({text}, {place}, {start}, {window.sides})"
    axes = grid.ordered(order)
    if tuple(order) != axes:
        text += f".transpose({', '.join(str(order.index(a)) for a in axes)})"
    gaps = _spread([":"] * len(axes), [Slice(":", a) for a in axes], axes, grid)
    return Piece(text + _subscript(gaps), ATOM, axes, view=True)


def _index_array(form: Affine, array: Array, axis: int, grid: Grid) -> str:
    """Return positions along an axis; those a guard excludes are clipped, to be read in vain."""
    piece = form_text(form - array.lows[axis], grid)
    plain = form.plain
    starts_inside = plain is not None and plain.low.constant >= array.lows[axis]
    if plain is not None and starts_inside and plain.high == array.highs[axis]:
        return piece.text
    low, high = bounds(form - array.lows[axis])
    size = array.shape[axis]
    lookup = any(isinstance(atom, Lookup) for atom, _ in form.terms)
    inside = (
        low is not None and low >= 0 and (bounds(size - 1 - form + array.lows[axis])[0] or 0) >= 0
    )
    inside = inside and high is not None
    if lookup or inside:
        return piece.text
    last = form_text(size - 1, grid).text
    return f"np.clip({piece.text}, 0, {last})"


def _gathered(name: str, access: Access, array: Array, grid: Grid) -> Piece:
    texts = [_index_array(f, array, a, grid) for a, f in enumerate(access.indices)]
    varying = [i for f in access.indices for i in indices_of(f) if i not in grid.scope.numbers]
    return Piece(f"{name}[{', '.join(texts)}]", ATOM, grid.ordered(varying))


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
    if first == Number(Fraction(-1)):
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
        return replace(piece, literal=not piece.axes)
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
