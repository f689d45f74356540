"""Sizes, shapes, masks: what folds and statements say about whole arrays."""

from __future__ import annotations

from derivgen.algebra.affine import Index
from derivgen.algebra.expressions import And, Condition, Node, used_indices
from derivgen.targets.numpy_expr import show
from derivgen.targets.numpy_grid import ATOM, Grid, Piece


def axes_in(node: Node, grid: Grid) -> tuple[Index, ...]:
    """Return the grid's indices that a node varies along."""
    return grid.ordered(used_indices(node))


def size_text(index: Index, grid: Grid) -> str:
    """Return the number of values of an index."""
    size = index.size
    if size.is_constant:
        return str(size.constant)
    return " + ".join(
        [grid.scope.names[str(atom)] for atom, _ in size.terms]
        + ([str(size.constant)] if size.constant else [])
    )


def shape_text(axes: tuple[Index, ...], grid: Grid) -> str:
    """Return a shape as a Python tuple."""
    sizes = ", ".join(size_text(axis, grid) for axis in axes)
    return f"({sizes},)" if len(axes) == 1 else f"({sizes})"


def masked(piece: Piece, guard: tuple[Condition, ...], other: str, grid: Grid) -> Piece:
    """Return a piece where a guard holds, and ``other`` elsewhere."""
    if not guard:
        return piece
    test = show(guard[0] if len(guard) == 1 else And(guard), grid)
    piece, test = grid.scope.fit([piece, test], 15)
    axes = grid.ordered([*piece.axes, *test.axes])
    text = f"np.where({test.text}, {piece.text}, {other})"
    return Piece(f"{text}.astype(dtype)" if piece.literal else text, ATOM, axes)


def spread(piece: Piece, grid: Grid) -> Piece:
    """Return a piece that has all axes of the grid at full length."""
    if piece.axes == grid.axes:
        return piece
    text = f"np.broadcast_to({piece.text}, {shape_text(grid.axes, grid)})"
    return Piece(text, ATOM, grid.axes, view=True)
