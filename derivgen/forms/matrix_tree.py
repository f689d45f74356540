"""The tree of a matrix form, and its two layouts.

Trees are built with vectors standing as columns; `as_rows` gives the same equation for vectors
that stand as rows. Invariant: both layouts name the same entries.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Union

from derivgen.algebra.affine import Affine, Index
from derivgen.algebra.expressions import Call, Expr


@dataclass(frozen=True)
class Leaf:
    """A whole vector or matrix, of one layer if the tensor has an axis that counts layers."""

    tensor: str
    rank: int
    layer: Affine | None = None


@dataclass(frozen=True)
class Scalar:
    """An expression without free indices."""

    expr: Expr


@dataclass(frozen=True)
class Ones:
    """A column of ones."""

    size: Affine


@dataclass(frozen=True)
class Transpose:
    """A transpose."""

    inner: Matrix


@dataclass(frozen=True)
class Product:
    """A matrix product of two or more parts."""

    items: tuple[Matrix, ...]


@dataclass(frozen=True)
class Hadamard:
    """An entrywise product."""

    items: tuple[Matrix, ...]


@dataclass(frozen=True)
class Quotient:
    """An entrywise quotient."""

    above: Matrix
    below: Matrix


@dataclass(frozen=True)
class Sum:
    """A sum of parts of one shape."""

    items: tuple[Matrix, ...]


@dataclass(frozen=True)
class Scaled:
    """A number times a part."""

    factor: Expr
    inner: Matrix


@dataclass(frozen=True)
class Weighted:
    """A number that is itself a product of vectors, times a part."""

    weight: Matrix
    inner: Matrix


@dataclass(frozen=True)
class Series:
    """A sum over an index that counts layers or steps."""

    index: Index
    inner: Matrix


@dataclass(frozen=True)
class Diag:
    """The diagonal matrix of a vector."""

    inner: Matrix


@dataclass(frozen=True)
class Power:
    """An entrywise power."""

    base: Matrix
    exponent: Expr


@dataclass(frozen=True)
class Map:
    """A function applied entry by entry, or along the whole vector (``along``)."""

    call: Call
    args: tuple[Matrix, ...]
    along: bool = False


@dataclass(frozen=True)
class Indicator:
    """1 where a comparison of entries holds, else 0."""

    op: str
    left: Matrix
    right: Matrix


Matrix = Union[
    Leaf,
    Scalar,
    Ones,
    Transpose,
    Product,
    Hadamard,
    Quotient,
    Sum,
    Scaled,
    Weighted,
    Series,
    Diag,
    Power,
    Map,
    Indicator,
]


def product(*items: Matrix) -> Matrix:
    """Return a flat matrix product."""
    flat: list[Matrix] = []
    for item in items:
        flat.extend(item.items if isinstance(item, Product) else (item,))
    return flat[0] if len(flat) == 1 else Product(tuple(flat))


def hadamard(items: Sequence[Matrix]) -> Matrix:
    """Return a flat entrywise product."""
    flat: list[Matrix] = []
    for item in items:
        flat.extend(item.items if isinstance(item, Hadamard) else (item,))
    return flat[0] if len(flat) == 1 else Hadamard(tuple(flat))


def transposed(item: Matrix) -> Matrix:
    """Return a transpose, pushed through products."""
    match item:
        case Transpose(inner):
            return inner
        case Product(items):
            return Product(tuple(transposed(part) for part in reversed(items)))
        case Scaled(factor, inner):
            return Scaled(factor, transposed(inner))
        case Weighted(weight, inner):
            return Weighted(weight, transposed(inner))
        case Diag() | Scalar():
            return item
        case _:
            return Transpose(item)


def kind(item: Matrix) -> str:
    """Return what a tree is when vectors stand as columns: scalar, column, row or matrix."""
    match item:
        case Leaf(_, rank, _):
            return "column" if rank == 1 else "matrix"
        case Scalar():
            return "scalar"
        case Ones():
            return "column"
        case Transpose(inner):
            return {"column": "row", "row": "column"}.get(kind(inner), kind(inner))
        case Product(items):
            return _product_kind([kind(part) for part in items])
        case Hadamard(items) | Sum(items) | Map(_, items):
            return next((k for k in map(kind, items) if k != "scalar"), "scalar")
        case (
            Scaled(_, inner)
            | Weighted(_, inner)
            | Series(_, inner)
            | Power(inner, _)
            | Indicator(_, inner, _)
            | Quotient(inner, _)
        ):
            return kind(inner)
        case Diag():
            return "matrix"


def _product_kind(kinds: list[str]) -> str:
    one_row = kinds[0] in ("row", "scalar")
    one_column = kinds[-1] in ("column", "scalar")
    if one_row and one_column:
        return "scalar"
    return "row" if one_row else "column" if one_column else "matrix"


def as_rows(item: Matrix) -> Matrix:
    """Return the form for vectors that stand as rows: ``W x`` becomes ``x W^T``."""
    own = kind(item)
    match item:
        case Product(items) if own == "column":
            return Product(tuple(_beside(transposed(part)) for part in reversed(items)))
        case Product(items):
            return Product(tuple(_beside(part) for part in items))
        case Transpose(inner) if own == "row":
            return Transpose(as_rows(inner))
        case Transpose(inner):
            return transposed(as_rows(inner))
        case Hadamard(items) | Sum(items):
            return type(item)(tuple(as_rows(part) for part in items))
        case Map(call, args, along):
            return Map(call, tuple(as_rows(part) for part in args), along)
        case Quotient(above, below):
            return Quotient(as_rows(above), as_rows(below))
        case Scaled(factor, inner):
            return Scaled(factor, as_rows(inner))
        case Series(index, inner):
            return Series(index, as_rows(inner))
        case Weighted(weight, inner):
            return Weighted(as_rows(weight), as_rows(inner))
        case Power(base, exponent):
            return Power(as_rows(base), exponent)
        case Diag(inner):
            return Diag(as_rows(inner))
        case _:
            return item


def _beside(part: Matrix) -> Matrix:
    """Return a factor of a product: a column must turn to stand where it stood."""
    own = kind(part)
    if own == "column":
        return transposed(as_rows(part))
    if own == "row":
        return as_rows(transposed(part))
    return as_rows(part)
