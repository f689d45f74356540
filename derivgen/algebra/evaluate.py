"""The value of an expression in the cells of a loop nest, in doubles or exactly.

A nest is a flat list of cells, each with a value for every index. Whatever a condition excludes
leaves the list before anything is computed, so the branch not taken is never evaluated and never
read. Invariant: no read leaves its tensor; a read outside raises, and never wraps around.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import singledispatch
from typing import Any

import numpy as np

from derivgen.algebra.affine import Affine, Dim, FloorDiv, Index, Lookup, Mod, evaluate_affine
from derivgen.algebra.arithmetic import COMPARE, Arithmetic
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
    Reduce,
    Where,
)
from derivgen.algebra.network import Function
from derivgen.algebra.standin import evaluate_stand_in
from derivgen.errors import EquationError

Array = Any  # an ndarray of float64, of int64 (index values), or of exact numbers


@dataclass
class Store:
    """The array of one tensor; ``written`` and ``read`` are kept for what statements write."""

    array: Array
    lows: tuple[int, ...]
    written: Array | None = None
    read: Array | None = None
    best: Array | None = None


@dataclass(frozen=True)
class Machine:
    """What evaluation needs: arrays, sizes, functions, and the kind of numbers."""

    stores: dict[str, Store]
    dims: Mapping[Dim, int]
    functions: Mapping[str, Function]
    arithmetic: Arithmetic


@dataclass(frozen=True)
class Cells:
    """Some cells of a nest: a flat array of values for every index (one number where fixed)."""

    machine: Machine
    count: int
    at: Mapping[Index, Any]
    local: Mapping[str, Any] = field(default_factory=dict)

    def over(self, bound: Sequence[Index]) -> Cells:
        """Return the cells times the values of bound indices, those of a cell side by side."""
        spans = [range_of(index, self.machine.dims) for index in bound]
        count = int(np.prod([len(span) for span in spans], dtype=np.int64))
        grid = np.meshgrid(*(np.arange(s.start, s.stop) for s in spans), indexing="ij")
        inner = {i: np.tile(g.ravel(), self.count) for i, g in zip(bound, grid)}
        outer = {i: _repeat(values, count) for i, values in self.at.items()}
        local = {name: _repeat(values, count) for name, values in self.local.items()}
        return replace(self, count=self.count * count, at={**outer, **inner}, local=local)

    def only(self, mask: Array) -> Cells:
        """Return the cells where the mask holds."""
        if not isinstance(mask, np.ndarray) or mask.ndim == 0:
            mask = np.full(self.count, bool(mask))
        return replace(
            self,
            count=int(mask.sum()),
            at={index: _pick(values, mask) for index, values in self.at.items()},
            local={name: _pick(values, mask) for name, values in self.local.items()},
        )


def _repeat(values: Any, count: int) -> Any:
    return np.repeat(values, count) if isinstance(values, np.ndarray) and values.ndim else values


def _pick(values: Any, mask: Array) -> Any:
    return values[mask] if isinstance(values, np.ndarray) and values.ndim else values


# --- places --------------------------------------------------------------------------------------


_NEUTRAL = {"sum": Fraction(0), "prod": Fraction(1)}


def identity(op: str, arithmetic: Arithmetic) -> Any:
    """Return what a fold starts from: 0, 1, -inf, inf, or -1 where nobody has won."""
    if op in ("argmax", "argmin"):
        return -1
    if op in ("max", "min"):
        return arithmetic.infinity * (-1 if op == "max" else 1)
    return arithmetic.number(_NEUTRAL[op])


def range_of(index: Index, dims: Mapping[Dim, int]) -> range:
    return range(evaluate_affine(index.low, dims), evaluate_affine(index.high, dims))


def row_major(indices: Sequence[Index], cells: Cells) -> Any:
    position: Any = 0
    for index in indices:
        span = range_of(index, cells.machine.dims)
        position = position * len(span) + (cells.at[index] - span.start)
    return position


def places_of(access: Access | Lookup, cells: Cells) -> list[Any]:
    """Return the array position along each axis, checked against the axis."""
    store = cells.machine.stores[access.tensor]
    places = []
    for axis, form in enumerate(access.indices):
        place = form_value(form, cells) - store.lows[axis]
        size = store.array.shape[axis]
        if np.any(place < 0) or np.any(place >= size):
            raise _outside(access, axis, store, place)
        places.append(place)
    return places


def _outside(access: Access | Lookup, axis: int, store: Store, place: Any) -> EquationError:
    size, low = store.array.shape[axis], store.lows[axis]
    bad = np.atleast_1d(place)
    found = int(bad[(bad < 0) | (bad >= size)][0]) + low
    text = f"{access.tensor}[{', '.join(map(str, access.indices))}]"
    return EquationError(
        text,
        f"Axis {axis} runs over {low}..{low + size - 1}; the access asks for {found}.",
        "Narrow the index, or say what is read outside: A[i-1; 0].",
    )


def flat_places(places: Sequence[Any], store: Store, count: int) -> Array:
    flat: Any = 0
    for place, size in zip(places, store.array.shape):
        flat = flat * size + place
    return np.broadcast_to(np.asarray(flat, dtype=np.int64), (count,))


# --- expressions ---------------------------------------------------------------------------------


def form_value(form: Affine, cells: Cells) -> Any:
    """Return the value of an affine form in every cell."""
    total: Any = form.constant
    for atom, count in form.terms:
        total = total + count * _atom(atom, cells)
    return total


def _atom(atom: Any, cells: Cells) -> Any:
    match atom:
        case Dim():
            return cells.machine.dims[atom]
        case Index():
            return cells.at[atom]
        case FloorDiv(inner, divisor):
            return form_value(inner, cells) // divisor
        case Mod(inner, divisor):
            return form_value(inner, cells) % divisor
        case _:
            return _read(atom, cells).astype(np.int64)


def _read(access: Access | Lookup, cells: Cells) -> Any:
    store = cells.machine.stores.get(access.tensor)
    if store is None:
        raise EquationError(str(access.tensor), "No value is given and no equation defines it.")
    places = flat_places(places_of(access, cells), store, cells.count)
    if store.read is not None:
        store.read.reshape(-1)[places] = True
    return store.array.reshape(-1)[places]


def holds(condition: Node, cells: Cells) -> Any:
    """Return where a condition holds; a part is not evaluated where those before it decide."""
    match condition:
        case Compare(op, left, right):
            return COMPARE[op](value(left, cells), value(right, cells))
        case Not(part):
            return np.logical_not(holds(part, cells))
        case And(parts) | Or(parts):
            return _decide(parts, isinstance(condition, And), cells)
    raise AssertionError(f"not a condition: {condition}")


def _decide(parts: Sequence[Node], every: bool, cells: Cells) -> Array:
    open_ = np.ones(cells.count, dtype=bool)
    for part in parts:
        rest = cells.only(open_)
        found = np.broadcast_to(np.asarray(holds(part, rest), dtype=bool), (rest.count,))
        open_[open_] = found if every else ~found
    return open_ if every else ~open_


@singledispatch
def value(expr: Any, cells: Cells) -> Any:
    """Return the value of an expression in every cell, as an array or one number."""
    raise EquationError(type(expr).__name__, "This has no value inside a statement.")


@value.register
def _number(expr: Number, cells: Cells) -> Any:
    return cells.machine.arithmetic.number(expr.value)


@value.register
def _constant(expr: Constant, cells: Cells) -> Any:
    return cells.machine.arithmetic.constants[expr.name]


@value.register
def _index_value(expr: IndexValue, cells: Cells) -> Any:
    return form_value(expr.form, cells)


@value.register
def _place_value(expr: Position, cells: Cells) -> Any:
    return row_major(expr.indices, cells)


@value.register
def _access(expr: Access, cells: Cells) -> Any:
    if not expr.indices and expr.tensor in cells.local:
        return cells.local[expr.tensor]
    return _read(expr, cells)


@value.register
def _add(expr: Add, cells: Cells) -> Any:
    return _folded(cells.machine.arithmetic.add, expr.terms, cells)


@value.register
def _mul(expr: Mul, cells: Cells) -> Any:
    return _folded(cells.machine.arithmetic.mul, expr.factors, cells)


def _folded(operation: Any, parts: Sequence[Node], cells: Cells) -> Any:
    total = value(parts[0], cells)
    for part in parts[1:]:
        total = operation(total, value(part, cells))
    return total


@value.register
def _div(expr: Div, cells: Cells) -> Any:
    arithmetic = cells.machine.arithmetic
    try:
        return arithmetic.div(value(expr.numerator, cells), value(expr.denominator, cells))
    except ZeroDivisionError:
        raise EquationError("/", "Division by zero, which has no exact value.") from None


@value.register
def _pow(expr: Pow, cells: Cells) -> Any:
    return cells.machine.arithmetic.pow(value(expr.base, cells), value(expr.exponent, cells))


@value.register
def _iverson(expr: Iverson, cells: Cells) -> Any:
    number = cells.machine.arithmetic.number
    return np.where(holds(expr.condition, cells), number(Fraction(1)), number(Fraction(0)))


@value.register
def _where(expr: Where, cells: Cells) -> Any:
    mask = np.broadcast_to(np.asarray(holds(expr.condition, cells), dtype=bool), (cells.count,))
    result = np.empty(cells.count, dtype=cells.machine.arithmetic.dtype)
    for branch, taken in ((expr.yes, mask), (expr.no, ~mask)):
        if taken.any():
            result[taken] = value(branch, cells.only(taken))
    return result


@value.register
def _reduce(expr: Reduce, cells: Cells) -> Any:
    """Fold a reduction as it is written; statements have none, facts and definitions may."""
    arithmetic, inner = cells.machine.arithmetic, cells.over(expr.bound)
    values = np.broadcast_to(value(expr.body, inner), (inner.count,))
    places = np.repeat(np.arange(cells.count), inner.count // max(1, cells.count))
    op = "sum" if expr.op == "mean" else expr.op
    result = np.full(cells.count, identity(op, arithmetic), dtype=arithmetic.dtype)
    arithmetic.at[op](result, places, values)
    if expr.op == "mean":
        return arithmetic.div(result, inner.count // max(1, cells.count))
    return result


@value.register
def _call(expr: Call, cells: Cells) -> Any:
    args = tuple(value(arg, cells) for arg in expr.args)
    function = cells.machine.functions.get(expr.name)
    if function is None:
        return cells.machine.arithmetic.functions[expr.name](*args)
    if function.body is None:
        return evaluate_stand_in(expr.name, expr.order, args, cells.machine.arithmetic)
    number = cells.machine.arithmetic.number
    settings = {name: number(default) for name, default in function.settings}
    names = (*function.params, *settings)
    return value(function.body, replace(cells, local={**settings, **dict(zip(names, args))}))
