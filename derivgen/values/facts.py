"""Checks values against what a network declares of them: index ranges, one-hot rows, facts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from derivgen.algebra.affine import Dim, Index, evaluate_affine
from derivgen.algebra.arithmetic import FLOATS
from derivgen.algebra.evaluate import Cells, Machine, Store, value
from derivgen.algebra.expressions import Access, Expr, Reduce, free_indices
from derivgen.algebra.network import Fact, Network, Tensor
from derivgen.algebra.values import Values
from derivgen.errors import DataError, FactError

# How far data may be from a declared equality (design: beyond 1e-6 it is refused).
FACT_TOLERANCE = 1e-6


def check_role(tensor: Tensor, array: Any, dims: Mapping[Dim, int], sampled: bool) -> None:
    """Raise DataError if an index value is out of range."""
    index = tensor.values_of
    if index is None:
        return
    low, high = evaluate_affine(index.low, dims), evaluate_affine(index.high, dims)
    outside = np.argwhere((array < low) | (array >= high))
    if len(outside):
        place = tuple(int(k) for k in outside[0])
        raise DataError(
            entry_text(tensor.name, place, sampled),
            f"{int(array[place])} is no value of index {index.name}, which runs {low}..{high - 1}.",
            f"Give values from {low} to {high - 1}.",
        )


def entry_text(name: str, place: tuple[int, ...], sampled: bool) -> str:
    """Return ``name[1, 2]``, or ``name[1, 2] in row 7`` where the first number is the sample."""
    row, inside = (place[:1], place[1:]) if sampled else ((), place)
    text = f"{name}[{', '.join(map(str, inside))}]" if inside else name
    return f"{text} in row {row[0]}" if row else text


def one_hot_axes(network: Network) -> dict[str, tuple[int, ...]]:
    """Return for each one-hot tensor the axes along which exactly one entry is 1."""
    return {t.name: (len(t.axes) - 1,) for t in network.tensors.values() if t.onehot and t.axes}


@dataclass(frozen=True)
class Violation:
    """Where a fact fails: the values of its free indices, and both sides."""

    fact: Fact
    place: tuple[int, ...]
    left: float
    right: float


def check_facts(network: Network, values: Values) -> None:
    """Raise FactError, naming row and entry, if values break a one-hot role or a declared fact."""
    for row in range(values.samples or 1):
        sample = values.sample(row) if values.sampled else values
        where = f" in row {row}" if values.sampled else ""
        for name in one_hot_axes(network):
            _check_one_hot(name, sample.arrays[name], where)
        for fact in network.facts:
            for violation in violations(network, fact, sample):
                raise _broken(violation, where)


def _check_one_hot(name: str, array: Any, where: str) -> None:
    near = np.minimum(np.abs(array), np.abs(array - 1)) <= FACT_TOLERANCE
    if not near.all():
        place = tuple(int(k) for k in np.argwhere(~near)[0])
        raise FactError(
            f"{entry_text(name, place, False)}{where}",
            f"{name} is declared onehot; this entry is {float(array[place])!r}, not 0 or 1.",
            f"Give one-hot rows, or drop onehot from the declaration of {name}.",
        )
    sums = np.asarray(array.sum(axis=-1))
    if np.any(np.abs(sums - 1) > FACT_TOLERANCE):
        place = tuple(int(k) for k in np.argwhere(np.abs(sums - 1) > FACT_TOLERANCE)[0])
        raise FactError(
            f"{entry_text(name, place, False)}{where}",
            f"{name} is declared onehot; this row sums to {float(sums[place])!r}, not 1.",
            f"Give one-hot rows, or drop onehot from the declaration of {name}.",
        )


def violations(network: Network, fact: Fact, values: Values) -> Iterator[Violation]:
    """Yield where ``left = right`` is off by more than 1e-6, for one sample's values."""
    free = free_indices(fact.left)
    free += [index for index in free_indices(fact.right) if index not in free]
    cells = _all_cells(network, values, free)
    left, right = (
        np.broadcast_to(np.asarray(value(side, cells), dtype=np.float64), (cells.count,))
        for side in (fact.left, fact.right)
    )
    for bad in np.flatnonzero(~(np.abs(left - right) <= FACT_TOLERANCE)):
        place = tuple(int(cells.at[index][bad]) for index in free)
        yield Violation(fact, place, float(left[bad]), float(right[bad]))


def _all_cells(network: Network, values: Values, free: list[Index]) -> Cells:
    stores = {
        name: Store(np.asarray(array), _lows(network.tensors[name], values.dims))
        for name, array in values.arrays.items()
        if name in network.tensors
    }
    start = Cells(Machine(stores, values.dims, network.functions, FLOATS), 1, {})
    return start.over(free) if free else start


def _lows(tensor: Tensor, dims: Mapping[Dim, int]) -> tuple[int, ...]:
    return tuple(evaluate_affine(axis.low, dims) for axis in tensor.axes)


def _broken(violation: Violation, where: str) -> FactError:
    fact = violation.fact
    free = free_indices(fact.left)
    at = ", ".join(f"{i.name} = {k}" for i, k in zip(free, violation.place))
    subject = f"{fact_text(fact)}{where}" + (f" at {at}" if at else "")
    cause = f" ({fact.implied_by} is onehot)" if fact.implied_by else ""
    return FactError(
        subject,
        f"The fact is declared{cause}, but the left side is {violation.left!r}, "
        f"the right side {violation.right!r}.",
        "Mend the values, or drop the fact.",
    )


def fact_text(fact: Fact) -> str:
    """Return a fact as the writer has it."""
    return f"assume {_text(fact.left)} = {_text(fact.right)}"


def _text(expr: Expr) -> str:
    if isinstance(expr, Reduce):
        bound = ", ".join(index.name for index in expr.bound)
        return f"{expr.op}[{bound}]({_text(expr.body)})"
    if isinstance(expr, Access):
        return (
            f"{expr.tensor}[{', '.join(map(str, expr.indices))}]" if expr.indices else expr.tensor
        )
    return str(getattr(expr, "value", "..."))
