"""Index arithmetic and accesses as NumPy text: slices, windows, lookups, gathers.

Invariant: positions that a condition excludes are padded or clipped, so that a masked read never
leaves its array.
"""

from __future__ import annotations

from typing import NamedTuple

from derivgen.algebra.affine import Affine, Dim, FloorDiv, Index, Lookup, Mod, indices_of
from derivgen.algebra.expressions import Access, Position
from derivgen.lowering.program import Array
from derivgen.lowering.sizes import bounds
from derivgen.targets.numpy_grid import ATOM, PRODUCT, SUM, UNARY, Grid, Piece
from derivgen.targets.numpy_windows import Window, window_of


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


class Slice(NamedTuple):
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
    index = index_array(form, array, place, grid.over(own))
    texts = [index if s is None else s.text for s in slices]
    while texts[-1] == ":":
        texts.pop()
    return Piece(f"{grid.scope.names[access.tensor]}[{', '.join(texts)}]", ATOM, tuple(order))  # type: ignore[arg-type]


def pads(access: Access, grid: Grid) -> bool:
    """Tell whether what an access reads outside its array is 0."""
    if all(form.plain is not None for form in access.indices):
        return False
    array = grid.scope.arrays[access.tensor]
    slices = [slice_of(form, array, axis, grid) for axis, form in enumerate(access.indices)]
    return None in slices and _windows_of(access, slices, grid) is not None


def _windows_of(
    access: Access, slices: list[Slice | None], grid: Grid
) -> tuple[list[Index], list[tuple[int, Window]]] | None:
    """Return the axes of an access and where its windows lie among them, if it has only such."""
    array = grid.scope.arrays[access.tensor]
    order: list[Index] = []
    windows: list[tuple[int, Window]] = []
    for axis, (form, part) in enumerate(zip(access.indices, slices)):
        if part is not None:
            order += [] if part.axis is None else [part.axis]
            continue
        window = window_of(form, array, axis, grid.axes)
        if window is None:
            return None
        windows.append((len(order), window))
        order += [window.outer, window.inner]
    return (order, windows) if len(set(order)) == len(order) else None


def _windowed(access: Access, slices: list[Slice | None], grid: Grid) -> Piece | None:
    """Return a view in which an axis read along two indices is two axes."""
    found = _windows_of(access, slices, grid)
    if found is None:
        return None
    order, windows = found
    texts = [":" if part is None else part.text for part in slices]
    text = grid.scope.names[access.tensor] + _subscript(texts)
    for place, window in windows:
        start = form_text(window.start, grid).text
        text = f"windows({text}, {place}, {start}, {window.sides})"
    axes = grid.ordered(order)
    if tuple(order) != axes:
        (piece,) = grid.scope.fit([Piece(text, ATOM, tuple(order))], 45)
        text = f"{piece.text}.transpose({', '.join(str(order.index(a)) for a in axes)})"
    gaps = _spread([":"] * len(axes), [Slice(":", a) for a in axes], axes, grid)
    return Piece(text + _subscript(gaps), ATOM, axes, view=True)


def index_array(form: Affine, array: Array, axis: int, grid: Grid) -> str:
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
    texts = [index_array(f, array, a, grid) for a, f in enumerate(access.indices)]
    varying = [i for f in access.indices for i in indices_of(f) if i not in grid.scope.numbers]
    return Piece(f"{name}[{', '.join(texts)}]", ATOM, grid.ordered(varying))


def position_text(node: Position, grid: Grid) -> Piece:
    """Return the row-major position of indices as integers."""
    total = Affine(())
    for index in node.indices:
        total = total * index.size.constant + (Affine(((index, 1),)) - index.low)
    return form_text(total, grid)
