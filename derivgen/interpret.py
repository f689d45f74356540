"""The slow reference: runs statements as they stand, one nest after the other.

It knows nothing of lowering, so a lowering bug cannot hide in it.
Invariant: no read or write leaves its tensor, and nothing is read before it is complete.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from derivgen.algebra.affine import Dim, Index, evaluate_affine
from derivgen.algebra.arithmetic import COMPARE, EXACT, FLOATS, Arithmetic
from derivgen.algebra.evaluate import (
    Array,
    Cells,
    Machine,
    Store,
    flat_places,
    holds,
    identity,
    places_of,
    range_of,
    row_major,
    value,
)
from derivgen.algebra.network import Function, Role, Tensor
from derivgen.algebra.statements import Assign, Block, Statement, statements_of
from derivgen.algebra.values import Values
from derivgen.calculus.derivation import Derivation
from derivgen.calculus.normalise import Normal
from derivgen.calculus.schedule import schedule

MAX_CELLS = 4_000_000


# --- running blocks ------------------------------------------------------------------------------


def run(
    blocks: Sequence[Block],
    tensors: Mapping[str, Tensor],
    functions: Mapping[str, Function],
    dims: Mapping[Dim, int],
    arrays: Mapping[str, Array],
    exact: bool = False,
) -> dict[str, Array]:
    """Run scheduled statements on ``arrays`` and return the arrays of all tensors by name.

    Raises: EquationError, where a statement leaves a tensor's range.
    """
    arithmetic = EXACT if exact else FLOATS
    stores = {
        name: Store(_converted(array, arithmetic), _lows(tensors[name], dims))
        for name, array in arrays.items()
        if name in tensors
    }
    machine = Machine(stores, dims, functions, arithmetic)
    for statement in statements_of(tuple(blocks)):
        _allocate(machine, tensors[statement.lhs.tensor], statement.op)
    for tensor in tensors.values():  # what nobody writes, such as the adjoint of an unused value
        if tensor.role is Role.VALUE and tensor.name not in stores:
            _allocate(machine, tensor, "sum")
    with np.errstate(all="ignore"):
        _run_blocks(machine, blocks, {})
    return {name: store.array for name, store in stores.items()}


def _converted(array: Array, arithmetic: Arithmetic) -> Array:
    array = np.asarray(array)
    if array.dtype.kind in "iu":
        return array
    return array if arithmetic is EXACT else array.astype(np.float64)


def _lows(tensor: Tensor, dims: Mapping[Dim, int]) -> tuple[int, ...]:
    return tuple(evaluate_affine(axis.low, dims) for axis in tensor.axes)


def shape_of(tensor: Tensor, dims: Mapping[Dim, int]) -> tuple[int, ...]:
    """Return the sizes of a tensor's axes."""
    return tuple(evaluate_affine(axis.size, dims) for axis in tensor.axes)


def _allocate(machine: Machine, tensor: Tensor, op: str) -> None:
    store = machine.stores.get(tensor.name)
    if store is not None and store.written is not None:
        return
    shape = shape_of(tensor, machine.dims)
    array = np.full(shape, identity(op, machine.arithmetic), dtype=_kind(op, machine.arithmetic))
    machine.stores[tensor.name] = Store(
        array,
        _lows(tensor, machine.dims),
        written=np.zeros(shape, dtype=bool),
        read=np.zeros(shape, dtype=bool),
    )


def _kind(op: str, arithmetic: Arithmetic) -> Any:
    return np.int64 if op in ("argmax", "argmin") else arithmetic.dtype


def _run_blocks(machine: Machine, blocks: Sequence[Block], fixed: Mapping[Index, int]) -> None:
    for block in blocks:
        if isinstance(block, Assign):
            _run_statement(machine, block.statement, fixed)
            continue
        steps = range_of(block.index, machine.dims)
        for step in reversed(steps) if block.reverse else steps:
            _run_blocks(machine, block.blocks, {**fixed, block.index: step})


def _run_statement(machine: Machine, statement: Statement, fixed: Mapping[Index, int]) -> None:
    for cells in _nest(machine, statement, fixed):
        for condition in statement.guard:
            cells = cells.only(holds(condition, cells))
        if cells.count:
            _write(statement, cells, value(statement.body, cells))


def _nest(machine: Machine, statement: Statement, fixed: Mapping[Index, int]) -> Iterator[Cells]:
    """Yield the cells of a nest, in pieces along its first index where there are too many."""
    outer = {i: fixed[i] for i in statement.indices if i in fixed}
    ranges = {i: range_of(i, machine.dims) for i in statement.indices if i not in fixed}
    if not ranges:
        yield Cells(machine, 1, outer)
        return
    first, *rest = ranges
    inner = int(np.prod([len(ranges[i]) for i in rest], dtype=np.int64))
    whole = statement.op in ("argmax", "argmin")
    step = len(ranges[first]) if whole else max(1, MAX_CELLS // max(1, inner))
    for start in range(0, len(ranges[first]), max(1, step)):
        pieces = [ranges[first][start : start + step], *(ranges[i] for i in rest)]
        grid = np.meshgrid(*(np.arange(p.start, p.stop) for p in pieces), indexing="ij")
        at = {index: values.ravel() for index, values in zip(ranges, grid)}
        yield Cells(machine, grid[0].size, {**outer, **at})


# --- writing -------------------------------------------------------------------------------------


def _write(statement: Statement, cells: Cells, values: Any) -> None:
    machine = cells.machine
    store = machine.stores[statement.lhs.tensor]
    values = np.broadcast_to(np.asarray(values, dtype=machine.arithmetic.dtype), (cells.count,))
    places = flat_places(places_of(statement.lhs, cells), store, cells.count)
    assert store.written is not None and store.read is not None
    if store.read.ravel()[places].any():
        raise AssertionError(f"{statement.lhs.tensor} is read before it is complete: {statement}")
    flat, written = store.array.reshape(-1), store.written.reshape(-1)
    fresh = places[~written[places]]
    flat[fresh] = identity(statement.op, machine.arithmetic)
    written[places] = True
    if statement.op in ("argmax", "argmin"):
        _write_winner(statement, cells, store, places, values)
    else:
        machine.arithmetic.at[statement.op](flat, places, values)


def _write_winner(
    statement: Statement, cells: Cells, store: Store, places: Array, values: Array
) -> None:
    """Store the position of the first winner: row-major over the bound indices."""
    fold = statement.op.removeprefix("arg")
    best = np.full(store.array.size, identity(fold, cells.machine.arithmetic), dtype=values.dtype)
    cells.machine.arithmetic.at[fold](best, places, values)
    wins = np.asarray(COMPARE["="](values, best[places]), dtype=bool)
    positions = np.broadcast_to(row_major(statement.bound, cells), (cells.count,))[wins]
    flat, nobody = store.array.reshape(-1), np.iinfo(np.int64).max
    flat[places] = nobody
    np.minimum.at(flat, places[wins], positions)
    flat[flat == nobody] = 0  # only NaN competes: the first position stands for it


# --- networks ------------------------------------------------------------------------------------


def evaluate(
    source: Derivation | Normal,
    values: Values,
    functions: Mapping[str, Function] | None = None,
    exact: bool = False,
) -> dict[str, Array]:
    """Return the arrays of all tensors for one sample; of a derivation, its adjoints too."""
    if isinstance(source, Derivation):
        functions = source.network.functions
    statements = statements_to_run(source)
    arrays = {**values.arrays, **_seeds(source, statements, exact)}
    blocks = schedule(statements, source.tensors)
    return run(blocks, source.tensors, functions or {}, values.dims, arrays, exact)


def statements_to_run(source: Derivation | Normal) -> tuple[Statement, ...]:
    """Return the statements of a network, or of its forward and backward pass."""
    if isinstance(source, Derivation):
        return (*source.forward, *source.backward)
    return source.statements


def _seeds(
    source: Derivation | Normal, statements: Sequence[Statement], exact: bool
) -> dict[str, Array]:
    """Return ``adj_loss = 1``, unless a statement says so."""
    if not isinstance(source, Derivation) or source.network.loss is None:
        return {}
    name = f"adj_{source.network.loss}"
    if name not in source.tensors or any(s.lhs.tensor == name for s in statements):
        return {}
    return {name: np.asarray((EXACT if exact else FLOATS).number(Fraction(1)))}


def value_and_gradients(
    derivation: Derivation, values: Values, exact: bool = False
) -> tuple[Any, dict[str, Array]]:
    """Return the loss and its gradients by name; with several samples, of the mean loss.

    The gradient by an input that differs from sample to sample keeps the sample axis.
    Raises: EquationError, if an access leaves its tensor.
    """
    network = derivation.network
    assert network.loss is not None, "only a network with a loss is derived"
    statements = statements_to_run(derivation)
    blocks = schedule(statements, derivation.tensors, network.equations)
    seeds = _seeds(derivation, statements, exact)
    names = {**derivation.gradients, network.loss: network.loss}
    rows: dict[str, list[Array]] = {name: [] for name in names}
    for number in range(values.samples or 1):
        row = values if values.samples is None else values.sample(number)
        arrays = {**row.arrays, **seeds}
        found = run(blocks, derivation.tensors, network.functions, row.dims, arrays, exact)
        for name, computed in names.items():
            rows[name].append(found[computed])
    made = {
        name: _per_sample(arrays) if name in values.sampled else _mean(arrays)
        for name, arrays in rows.items()
    }
    return made.pop(network.loss)[()], made


def _per_sample(arrays: Sequence[Array]) -> Array:
    return np.stack(arrays) / len(arrays)


def _mean(arrays: Sequence[Array]) -> Array:
    total = arrays[0]
    for array in arrays[1:]:
        total = total + array
    return np.asarray(total / len(arrays) if len(arrays) > 1 else total)
