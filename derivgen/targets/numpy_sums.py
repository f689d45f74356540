"""Sums of products as NumPy text: products of matrices where they are, einsum where they are not.

The product is split into factors, each printed over its own indices only, so that nothing is
spread out over the whole nest: two factors make a matrix product, several an einsum.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from derivgen.algebra.affine import Index
from derivgen.algebra.expressions import (
    Access,
    Add,
    Condition,
    Div,
    Expr,
    Iverson,
    Mul,
    add,
    div,
    index_value,
    mul,
    number,
    used_indices,
)
from derivgen.targets.numpy_access import pads
from derivgen.targets.numpy_expr import show
from derivgen.targets.numpy_grid import ATOM, PRODUCT, SUM, UNARY, Grid, Piece
from derivgen.targets.numpy_shapes import axes_in, masked, spread
from derivgen.targets.numpy_windows import inside, needed

WIDE = 64  # stands for the number of samples when sizes are compared


class Factor(NamedTuple):
    """A factor of a summed product with the indices it varies along."""

    expr: Expr
    axes: tuple[Index, ...]
    guard: tuple[Condition, ...] = ()


def sum_over(
    free: tuple[Index, ...],
    bound: tuple[Index, ...],
    guard: tuple[Condition, ...],
    body: Expr,
    grid: Grid,
) -> Piece:
    if not bound:
        return masked(show(body, grid), guard, "0", grid)
    if isinstance(body, Add) and not guard:
        groups = _term_groups(body, grid)
        if len(groups) > 1:
            return _added([sum_over(free, bound, guard, group, grid) for group in groups], grid)
    factors, scale = _factors(body, guard, grid)
    for index in bound:
        if all(index not in factor.axes for factor in factors):
            scale = mul(scale, index_value(index.size))
    factors = _merged(factors)
    return _product(factors, scale, free, bound, grid)


def _term_groups(body: Add, grid: Grid) -> list[Expr]:
    """Return the terms of a sum, those along the same indices together."""
    groups: dict[tuple[Index, ...], list[Expr]] = {}
    for term in body.terms:
        groups.setdefault(axes_in(term, grid), []).append(term)
    return [add(*terms) for terms in groups.values()]


def _added(pieces: list[Piece], grid: Grid) -> Piece:
    text = " + ".join(piece.at(PRODUCT) for piece in grid.scope.fit(pieces, 0))
    return Piece(text, SUM, grid.ordered([a for piece in pieces for a in piece.axes]))


def _factors(body: Expr, guard: tuple[Condition, ...], grid: Grid) -> tuple[list[Factor], Expr]:
    """Return the factors of a body that vary, and the product of those that do not."""
    factors: list[Factor] = []
    scale: Expr = number(1)
    for expr, inverse in _split(body):
        axes = axes_in(expr, grid)
        if not axes:
            scale = div(scale, expr) if inverse else mul(scale, expr)
        else:
            factors.append(Factor(div(number(1), expr) if inverse else expr, axes))
    for factor in factors:
        if isinstance(factor.expr, Access) and pads(factor.expr, grid):
            array = grid.scope.arrays[factor.expr.tensor]
            guard = needed(guard, inside(factor.expr, array))
    for condition in guard:
        axes = axes_in(condition, grid)
        for place, factor in enumerate(factors):
            if set(axes) <= set(factor.axes):
                factors[place] = Factor(factor.expr, factor.axes, (*factor.guard, condition))
                break
        else:
            factors.append(Factor(Iverson(condition), axes))
    return factors, scale


def _split(body: Expr) -> list[tuple[Expr, bool]]:
    """Return factors, each with whether it divides."""
    match body:
        case Mul(factors):
            return [part for factor in factors for part in _split(factor)]
        case Div(above, below):
            return _split(above) + [(expr, not inverse) for expr, inverse in _split(below)]
        case _:
            return [(body, False)]


def _merged(factors: list[Factor]) -> list[Factor]:
    """Multiply factors into others that vary along at least the same indices, down to two."""
    factors = list(factors)
    while len(factors) > 1:
        pair = _mergeable(factors)
        if pair is None:
            break
        small, large = pair
        guards = (*factors[large].guard, *factors[small].guard)
        whole = mul(factors[min(pair)].expr, factors[max(pair)].expr)
        merged = Factor(whole, factors[large].axes, guards)
        factors[min(pair)] = merged
        del factors[max(pair)]
    return factors


def _mergeable(factors: list[Factor]) -> tuple[int, int] | None:
    """Return a factor and one that covers its indices; for two, only if they are the same."""
    for a, small in enumerate(factors):
        for b, large in enumerate(factors):
            if a == b or not set(small.axes) <= set(large.axes):
                continue
            if len(factors) > 2 or set(small.axes) == set(large.axes):
                return a, b
    return None


def _print(factor: Factor, axes: tuple[Index, ...], grid: Grid) -> Piece:
    own = grid.over(axes)
    return masked(show(factor.expr, own), factor.guard, "0", own)


def _scaled(piece: Piece, scale: Expr, grid: Grid) -> Piece:
    """Return a piece times a factor that does not vary."""
    if scale == number(1):
        return piece
    own = grid.over(())
    above, below = (scale.numerator, scale.denominator) if isinstance(scale, Div) else (scale, None)
    text, level = piece.at(PRODUCT), piece.level
    if above == number(-1):
        text, level = piece.negative, PRODUCT
    elif above != number(1):
        text, level = f"{show(above, own).at(PRODUCT)} * {piece.at(UNARY)}", PRODUCT
    if below is not None:
        text, level = f"{text} / {show(below, own).at(UNARY)}", PRODUCT
    return Piece(text, level, piece.axes)


def _product(
    factors: list[Factor],
    scale: Expr,
    free: tuple[Index, ...],
    bound: tuple[Index, ...],
    grid: Grid,
) -> Piece:
    if not factors:
        return show(scale, grid.over(()))
    if len(factors) == 1:
        return _scaled(_single(factors[0], free, bound, grid), scale, grid)
    if len(factors) == 2:
        return _pair(factors, scale, free, bound, grid)
    return _scaled(_einsum(factors, free, grid), scale, grid)


def _single(factor: Factor, free: tuple[Index, ...], bound: tuple[Index, ...], grid: Grid) -> Piece:
    own = _natural(factor, grid)
    piece = spread(_print(factor, own, grid), grid.over(own))
    (piece,) = grid.scope.fit([piece], 20)
    kept = tuple(a for a in own if a in free)
    summed = [str(place) for place, a in enumerate(own) if a in bound]
    if summed:
        axes = summed[0] if len(summed) == 1 else f"({', '.join(summed)})"
        where = f"axis={axes}" if kept else ""
        piece = Piece(f"{piece.at(ATOM)}.sum({where})", ATOM, kept)
    return _permuted(piece.text, piece.level, kept, free)


def _permuted(text: str, level: int, got: tuple[Index, ...], free: tuple[Index, ...]) -> Piece:
    """Return an array over ``got`` with its axes in the order of ``free``."""
    wanted = tuple(a for a in free if a in got)
    if got != wanted:
        order = ", ".join(str(got.index(a)) for a in wanted)
        text = f"{Piece(text, level).at(ATOM)}{'.T' if len(got) == 2 else f'.transpose({order})'}"
        level = ATOM
    return _realign(text, level, wanted, free)


def _realign(text: str, level: int, axes: tuple[Index, ...], free: tuple[Index, ...]) -> Piece:
    """Return an array over ``axes`` with axes of length one where ``free`` has more after them."""
    if axes and free[free.index(axes[0]) :] != axes:
        wanted = free[free.index(axes[0]) :]
        slots = ", ".join(":" if a in axes else "None" for a in wanted)
        return Piece(f"{Piece(text, level).at(ATOM)}[{slots}]", ATOM, axes)
    return Piece(text, level, axes)


# --- two factors ---


class Roles(NamedTuple):
    """The indices of two factors: in both and kept, in one and kept, in both and summed."""

    batch: tuple[Index, ...]
    left: tuple[Index, ...]
    right: tuple[Index, ...]
    inner: tuple[Index, ...]


def _pair(
    factors: list[Factor],
    scale: Expr,
    free: tuple[Index, ...],
    bound: tuple[Index, ...],
    grid: Grid,
) -> Piece:
    first, second = _in_order(factors, free)
    if any(a in bound and a not in second.axes for a in first.axes) or any(
        a in bound and a not in first.axes for a in second.axes
    ):
        return _scaled(_einsum([first, second], free, grid), scale, grid)
    roles = Roles(
        tuple(a for a in free if a in first.axes and a in second.axes),
        tuple(a for a in free if a in first.axes and a not in second.axes),
        tuple(a for a in free if a in second.axes and a not in first.axes),
        tuple(a for a in bound if a in first.axes and a in second.axes),
    )
    first, second, scale = _scale_inside(first, second, scale, roles)
    return _scaled(_pair_text(first, second, roles, free, grid), scale, grid)


def _in_order(factors: list[Factor], free: tuple[Index, ...]) -> tuple[Factor, Factor]:
    """Put first the factor that owns the first index that only one of the two has."""
    first, second = factors
    for index in free:
        if (index in first.axes) != (index in second.axes):
            return (first, second) if index in first.axes else (second, first)
    return first, second


def _scale_inside(
    first: Factor, second: Factor, scale: Expr, roles: Roles
) -> tuple[Factor, Factor, Expr]:
    """Move a numeric factor onto an operand much smaller than the result."""
    if scale == number(1) or not roles.inner:
        return first, second, scale
    result = _volume(roles.batch + roles.left + roles.right)
    for place, factor in enumerate((first, second)):
        if 2 * _volume(factor.axes) < result:
            whole = _times(factor.expr, scale)
            inside = Factor(whole, factor.axes, factor.guard)
            return (inside, second, number(1)) if place == 0 else (first, inside, number(1))
    return first, second, scale


def _times(expr: Expr, scale: Expr) -> Expr:
    if isinstance(scale, Div):
        return div(mul(scale.numerator, expr), scale.denominator)
    return mul(scale, expr)


def _volume(axes: tuple[Index, ...]) -> int:
    return math.prod(a.size.constant if a.size.is_constant else WIDE for a in axes)


def _pair_text(
    first: Factor, second: Factor, roles: Roles, free: tuple[Index, ...], grid: Grid
) -> Piece:
    whole = roles.batch + roles.left + roles.right
    if not roles.inner:
        own = grid.over(grid.ordered(whole))
        one, two = show(first.expr, own), show(second.expr, own)
        one = masked(one, first.guard, "0", own)
        two = masked(two, second.guard, "0", own)
        one, two = grid.scope.fit([one, two], 0)
        return _realign(f"{one.at(PRODUCT)} * {two.at(UNARY)}", PRODUCT, own.axes, free)
    ordered = whole == tuple(a for a in free if a in whole)
    if ordered and len(roles.inner) == 1 and len(roles.right) <= 1:
        if not roles.batch and (roles.left or roles.right or len(first.axes) == 1):
            return _matmul(first, second, roles, free, grid)
        if roles.batch and len(roles.left) == 1 and len(roles.right) == 1:
            return _matmul(first, second, roles, free, grid)
    if not roles.batch:
        return _tensordot(first, second, roles, free, grid)
    return _einsum([first, second], free, grid)


def _matmul(
    first: Factor, second: Factor, roles: Roles, free: tuple[Index, ...], grid: Grid
) -> Piece:
    left = roles.batch + roles.left + roles.inner
    right = roles.batch + roles.inner + roles.right
    one = spread(_print(first, left, grid), grid.over(left))
    two = spread(_print(second, right, grid), grid.over(right))
    one, two = grid.scope.fit([one, two], 0)
    axes = roles.batch + roles.left + roles.right
    return _realign(f"{one.at(PRODUCT)} @ {two.at(UNARY)}", PRODUCT, axes, free)


def _tensordot(
    first: Factor, second: Factor, roles: Roles, free: tuple[Index, ...], grid: Grid
) -> Piece:
    one_axes = _natural(first, grid)
    two_axes = _natural(second, grid)
    one = spread(_print(first, one_axes, grid), grid.over(one_axes))
    two = spread(_print(second, two_axes, grid), grid.over(two_axes))
    one, two = grid.scope.fit([one, two], 30)
    summed = [[axes.index(i) for i in roles.inner] for axes in (one_axes, two_axes)]
    text = f"np.tensordot({one.text}, {two.text}, axes=({summed[0]}, {summed[1]}))"
    got = tuple(a for a in (*one_axes, *two_axes) if a not in roles.inner)
    return _permuted(text, ATOM, got, free)


def _natural(factor: Factor, grid: Grid) -> tuple[Index, ...]:
    """Return a factor's indices in the order in which its text has them without a transpose."""
    order = dict.fromkeys(i for i in used_indices(factor.expr) if i in factor.axes)
    order.update(dict.fromkeys(factor.axes))
    return tuple(order)


def _einsum(factors: list[Factor], free: tuple[Index, ...], grid: Grid) -> Piece:
    letters: dict[Index, str] = {}
    for factor in factors:
        for axis in factor.axes:
            letters.setdefault(axis, _letter(axis, letters))
    orders = [_natural(factor, grid) for factor in factors]
    kept = tuple(a for a in free if a in letters)
    inputs = ",".join("".join(letters[a] for a in order) for order in orders)
    spec = f'"{inputs}->{"".join(letters[a] for a in kept)}"'
    pieces = [
        spread(_print(factor, order, grid), grid.over(order))
        for factor, order in zip(factors, orders)
    ]
    parts = [piece.text for piece in grid.scope.fit(pieces, len(spec) + 20)]
    extra = ", optimize=True" if len(parts) > 2 else ""
    name = "contract" if len(parts) == 2 else "np.einsum"
    return _realign(f"{name}({spec}, {', '.join(parts)}{extra})", ATOM, kept, free)


def _letter(index: Index, taken: dict[Index, str]) -> str:
    """Return the index's own first letter if it is free."""
    for letter in index.name[:1] + "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ":
        if letter.isascii() and letter.isalpha() and letter not in taken.values():
            return letter
    raise AssertionError("a contraction has at most 52 indices")
