"""Folds as NumPy text: over bound indices of a body, to an array over the free ones."""

from __future__ import annotations

import math

from derivgen.algebra.affine import Index
from derivgen.algebra.expressions import Condition, Expr
from derivgen.targets.numpy_expr import show
from derivgen.targets.numpy_grid import ATOM, Grid, Piece
from derivgen.targets.numpy_shapes import masked, size_text, spread
from derivgen.targets.numpy_sums import sum_over

FOLDS = {"prod": "prod", "max": "max", "min": "min"}
IDENTITIES = {"sum": "0", "prod": "1", "max": "-np.inf", "min": "np.inf"}
FAR = {"argmax": "-np.inf", "argmin": "np.inf"}


def fold(
    op: str,
    free: tuple[Index, ...],
    bound: tuple[Index, ...],
    guard: tuple[Condition, ...],
    body: Expr,
    around: Grid,
) -> Piece:
    """Return ``op over bound of body where guard`` as an array over ``free``."""
    grid = around.over(free + bound)
    if op == "sum":
        return sum_over(free, bound, guard, body, grid)
    if op in FAR:
        return _winner(op, free, bound, guard, body, grid)
    piece = masked(show(body, grid), guard, IDENTITIES[op], grid)
    if not bound:
        return piece
    if op == "prod" or not piece.axes:
        piece = spread(piece, grid)
    (piece,) = grid.scope.fit([piece], 20)
    return _reduced(piece, bound, FOLDS[op], around.over(free))


def _reduced(piece: Piece, bound: tuple[Index, ...], method: str, result: Grid) -> Piece:
    """Fold those of a piece's axes that are bound; the others stay as the result's axes."""
    # The piece's array begins at its first axis; the bound ones are counted from the end.
    if not piece.axes:
        return piece
    kept = tuple(a for a in piece.axes if a not in bound)
    if not kept:
        return Piece(f"{piece.at(ATOM)}.{method}()", ATOM, ())
    return Piece(f"{piece.at(ATOM)}.{method}(axis={_axes_text(piece, bound, result)})", ATOM, kept)


def _axes_text(piece: Piece, bound: tuple[Index, ...], result: Grid) -> str:
    full = (*result.axes, *bound)
    first = full.index(piece.axes[0])
    places = [full.index(axis) - first for axis in bound if axis in full[first:]]
    return str(places[0]) if len(places) == 1 else f"({', '.join(map(str, places))})"


def _winner(
    op: str,
    free: tuple[Index, ...],
    bound: tuple[Index, ...],
    guard: tuple[Condition, ...],
    body: Expr,
    grid: Grid,
) -> Piece:
    piece = spread(masked(show(body, grid), guard, FAR[op], grid), grid)
    (piece,) = grid.scope.fit([piece], 40)
    if len(bound) == 1:
        return Piece(f"{piece.at(ATOM)}.{op}(axis={len(free)})", ATOM, free)
    if not free:
        return Piece(f"{piece.at(ATOM)}.{op}()", ATOM, free)
    count = math.prod(index.size.constant for index in bound)
    sizes = [*(size_text(axis, grid) for axis in free), str(count)]
    text = f"{piece.at(ATOM)}.reshape({', '.join(sizes)}).{op}(axis={len(free)})"
    return Piece(text, ATOM, free)
