"""Reads the values of a network's tensors from JSON, completes them, and checks them.

``{"dims": {...}, "params": {...}, "inputs": {...}}``, arrays as nested lists in the declared shape
or with one leading sample axis. Invariant: what `read_values` returns fits the network - every
shape, index value, one-hot row and declared fact.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from fractions import Fraction
from typing import Any

import numpy as np

from derivgen.algebra.affine import Affine, Dim, dims_of, evaluate_affine
from derivgen.algebra.network import Network, Role, Tensor
from derivgen.algebra.values import Values
from derivgen.errors import DataError
from derivgen.values.draw import declared_values, draw_parameter, draw_random
from derivgen.values.facts import check_facts, check_role

SECTIONS = ("dims", "params", "inputs")
DRAWN = (Role.PARAM, Role.STATE, Role.RANDOM)  # what has a way to come by its values
MOST_VALUES = 10**9  # of an index, as in the language
ONE_SAMPLE = (Role.PARAM, Role.CONST, Role.STATE)  # what all samples share

LARGEST = float(np.finfo(np.float64).max)
JSON = Mapping[str, Any]


def read_values(
    network: Network,
    data: JSON | None = None,
    seed: int = 0,
    extra: Mapping[str, Tensor] | None = None,
) -> Values:
    """Return values for all that ``network`` does not define; ``data`` is what JSON holds.

    ``extra`` are further input tensors, such as the directions of a Hessian-vector product. What
    ``data`` leaves out comes from the network's text; parameters may come from their initialiser,
    random tensors from their distribution, both with ``seed``.
    Raises: DataError, if something is missing, unknown, of the wrong shape, or violates a role;
    FactError, if it violates a declared fact.
    """
    wanted = {t.name: t for t in network.tensors.values() if t.role is not Role.VALUE}
    wanted.update(extra or {})
    data = {} if data is None else data
    arrays = {**_declared(wanted), **_given(wanted, data)}
    _complete(wanted, arrays)
    dims = _sizes(network, wanted, arrays, data.get("dims", {}))
    arrays = {n: _spread(wanted[n], array, dims) for n, array in arrays.items()}
    sampled = tuple(n for n, a in arrays.items() if _check_shape(wanted[n], a, dims, network))
    _check_samples(arrays, sampled)
    drawn = _drawn(network, wanted, arrays, dims, seed)
    values = _with_randoms(network, Values(dims, {**arrays, **drawn}, sampled), seed)
    for name, array in arrays.items():
        check_role(wanted[name], array, dims, name in sampled)
    check_facts(network, values)
    return values


# --- what is given -------------------------------------------------------------------------------


def _declared(wanted: Mapping[str, Tensor]) -> dict[str, Any]:
    """Return the values written in the network's text."""
    return {
        n: _array(t, declared_values(t).tolist()) for n, t in wanted.items() if t.values is not None
    }


def _given(wanted: Mapping[str, Tensor], data: JSON) -> dict[str, Any]:
    if not isinstance(data, Mapping):
        raise DataError("values", "The values are not an object.", f"Write {_example()}.")
    _known(data, SECTIONS, "sections")
    found: dict[str, Any] = {}
    for section in SECTIONS[1:]:
        part = data.get(section, {})
        if not isinstance(part, Mapping):
            raise DataError(section, f"{section} is not an object.", f"Write {_example()}.")
        _known(part, wanted, section)
        found.update({name: _array(wanted[name], value) for name, value in part.items()})
    return found


def _example() -> str:
    return '{"dims": {"N": 3}, "params": {"W": [[0.1, 0.2]]}, "inputs": {"x": [1, 2]}}'


def _known(part: JSON, names: Iterable[str], what: str) -> None:
    names = list(names)
    for name in part:
        if name not in names:
            near = difflib.get_close_matches(str(name), names, 1)
            hint = f"Did you mean {near[0]}?" if near else f"Known: {', '.join(names) or 'none'}."
            raise DataError(str(name), f"There is no {name} among the {what}.", hint)


def _array(tensor: Tensor, value: Any) -> Any:
    """Return nested lists as an array, integers for index values."""
    flat, shape = _flat_numbers(tensor.name, value)
    if not flat.size:
        raise DataError(tensor.name, f"{tensor.name} holds no numbers.", "Give at least one.")
    if tensor.values_of is not None:
        if np.any(flat != np.round(flat)):
            bad = int(np.flatnonzero(flat != np.round(flat))[0])
            place = _entry(tensor.name, np.unravel_index(bad, shape))
            index = tensor.values_of.name
            raise DataError(place, f"{flat[bad]} is no value of index {index}: not an integer.")
        flat = flat.astype(np.int64)
    return flat.reshape(shape)


def _flat_numbers(name: str, value: Any) -> tuple[Any, tuple[int, ...]]:
    """Return all numbers of nested lists, and the shape."""
    if isinstance(value, np.ndarray) and value.dtype.kind in "iuf" and np.isfinite(value).all():
        return value.astype(np.float64).ravel(), value.shape
    value = value.tolist() if isinstance(value, (np.ndarray, np.generic)) else value
    shape = _nested_shape(name, value, ())
    return np.array(list(_numbers(name, value, ())), dtype=np.float64), shape


def _nested_shape(name: str, value: Any, place: tuple[int, ...]) -> tuple[int, ...]:
    if not isinstance(value, (list, tuple)):
        return ()
    shapes = [_nested_shape(name, part, (*place, k)) for k, part in enumerate(value)]
    for k, shape in enumerate(shapes):
        if shape != shapes[0]:
            raise DataError(
                _entry(name, (*place, k)),
                f"The lists are ragged: shape {shape} here, {shapes[0]} before.",
                "Give every row the same length.",
            )
    return (len(value), *(shapes[0] if shapes else ()))


def _numbers(name: str, value: Any, place: tuple[int, ...]) -> Iterator[float]:
    if isinstance(value, (list, tuple)):
        for k, part in enumerate(value):
            yield from _numbers(name, part, (*place, k))
        return
    if isinstance(value, bool) or not isinstance(value, (int, float, np.number)):
        raise DataError(_entry(name, place), f"{value!r} is not a number.", "Write a number.")
    size: Any = abs(value)
    if not size <= LARGEST:  # nor NaN
        shown = repr(value) if isinstance(value, float) else "An integer beyond 1.8e308"
        raise DataError(_entry(name, place), f"{shown} is not finite.", "Write a finite number.")
    yield float(value)


def _entry(name: str, place: Iterable[Any]) -> str:
    inside = ", ".join(str(int(k)) for k in place)
    return f"{name}[{inside}]" if inside else name


# --- sizes ---------------------------------------------------------------------------------------


def _sizes(
    network: Network, wanted: Mapping[str, Tensor], arrays: Mapping[str, Any], given: Any
) -> dict[Dim, int]:
    """Return the value of every size letter: given, declared, or found in a shape."""
    letters = {dim.name: dim for dim in network.dims}
    if not isinstance(given, Mapping):
        raise DataError("dims", "dims is not an object.", f"Write {_example()}.")
    _known(given, letters, "dims")
    samples = set() if network.batch is None else set(dims_of(network.batch.size))
    declared = {dim: size for dim, size in network.dims.items() if size is not None}
    # The number of samples is what the data say; the declared one serves where they say nothing.
    sizes = {dim: size for dim, size in declared.items() if dim not in samples}
    for name, size in given.items():
        if isinstance(size, bool) or not isinstance(size, int) or size < 1:
            raise DataError(name, f"The size {name} is {size!r}.", "Write a whole number above 0.")
        if size > MOST_VALUES:
            raise DataError(
                name, f"The size {name} is {size}.", f"At most {MOST_VALUES} are possible."
            )
        sizes[letters[name]] = size
    while found := _infer(wanted, arrays, sizes):
        sizes.update(found)
    sizes = {**declared, **sizes}
    if missing := [dim.name for dim in network.dims if dim not in sizes]:
        raise DataError(
            ", ".join(missing),
            f"No value is given for the size {missing[0]}, and no array shows it.",
            f'Write "dims": {{"{missing[0]}": 3}} or dim {missing[0]} = 3.',
        )
    return sizes


def _infer(
    wanted: Mapping[str, Tensor], arrays: Mapping[str, Any], sizes: Mapping[Dim, int]
) -> dict[Dim, int]:
    for name, array in arrays.items():
        axes = wanted[name].axes
        extra = array.ndim - len(axes)
        if extra not in (0, 1):
            if _stands_for_all(wanted[name], array):
                continue
            raise _rank(wanted[name], array)
        for axis, length in zip(axes, array.shape[extra:]):
            found = _solve(axis.size, length, sizes)
            if found is not None:
                return {found[0]: found[1]}
    return {}


def _rank(tensor: Tensor, array: Any) -> DataError:
    return DataError(
        tensor.name,
        f"{tensor.name} has {len(tensor.axes)} axes, the array has {array.ndim}.",
        "Give the array in the declared shape, or with one leading sample axis.",
    )


def _solve(size: Affine, length: int, sizes: Mapping[Dim, int]) -> tuple[Dim, int] | None:
    """Return the one letter that ``size = length`` leaves open, with its value."""
    unknown = [(atom, count) for atom, count in size.terms if atom not in sizes]
    if len(unknown) != 1:
        return None
    dim, count = unknown[0]
    if not isinstance(dim, Dim):
        return None
    rest = length - evaluate_affine(size - Affine((unknown[0],)), dict(sizes))
    return (dim, rest // count) if rest % count == 0 and rest // count > 0 else None


def _spread(tensor: Tensor, array: Any, dims: Mapping[Dim, int]) -> Any:
    """Return a single declared number as an array of the declared shape."""
    if not _stands_for_all(tensor, array):
        return array
    return np.full(tuple(evaluate_affine(axis.size, dims) for axis in tensor.axes), array)


def _stands_for_all(tensor: Tensor, array: Any) -> bool:
    return bool(array.ndim == 0 and tensor.axes and isinstance(tensor.values, Fraction))


def _check_shape(tensor: Tensor, array: Any, dims: Mapping[Dim, int], network: Network) -> bool:
    """Tell whether an array has a sample axis; raise if it has neither shape."""
    shape = tuple(evaluate_affine(axis.size, dims) for axis in tensor.axes)
    if array.shape == shape:
        return False
    may_have = tensor.role not in ONE_SAMPLE and network.batch is None
    if may_have and array.ndim == len(shape) + 1 and array.shape[1:] == shape and len(array):
        return True
    letters = ", ".join(str(axis.size) for axis in tensor.axes)
    also = f", or samples first: ({', '.join(map(str, ('N', *shape)))})" if may_have else ""
    raise DataError(
        tensor.name,
        f"{tensor.name} has shape {array.shape}; expected {shape} ({letters or 'a number'}){also}.",
        "Give the array in the declared shape.",
    )


def _check_samples(arrays: Mapping[str, Any], sampled: tuple[str, ...]) -> None:
    for name in sampled[1:]:
        if len(arrays[name]) != len(arrays[sampled[0]]):
            raise DataError(
                name,
                f"{name} has {len(arrays[name])} samples, "
                f"{sampled[0]} has {len(arrays[sampled[0]])}.",
                "Give every input the same number of samples.",
            )


# --- what is missing -----------------------------------------------------------------------------


def _complete(wanted: Mapping[str, Tensor], arrays: Mapping[str, Any]) -> None:
    """Raise DataError for tensors that have no value and cannot be drawn."""
    missing = [n for n, t in wanted.items() if n not in arrays and t.role not in DRAWN]
    if missing:
        raise DataError(
            ", ".join(missing),
            f"No value is given for {' and '.join(missing)}.",
            f'Write "inputs": {{"{missing[0]}": ...}}, or declare a value in the text.',
        )


def _drawn(
    network: Network,
    wanted: Mapping[str, Tensor],
    arrays: Mapping[str, Any],
    dims: Mapping[Dim, int],
    seed: int,
) -> dict[str, Any]:
    """Return the parameters and states nobody gave, from their initialisers."""
    made: dict[str, Any] = {}
    for number, tensor in enumerate(network.parameters):
        if tensor.name in wanted and tensor.name not in arrays:
            made[tensor.name] = draw_parameter(tensor, number, dims, seed, network.initialisers)
    for tensor in network.of_role(Role.STATE):
        if tensor.name not in arrays:
            made[tensor.name] = draw_parameter(tensor, 0, dims, seed, network.initialisers)
    return made


def _with_randoms(network: Network, values: Values, seed: int) -> Values:
    """Draw the random tensors, for every sample where there are several."""
    constants = {n: a for n, a in values.arrays.items() if np.ndim(a) == 0}
    made: dict[str, Any] = {}
    for number, tensor in enumerate(network.of_role(Role.RANDOM)):
        if tensor.name not in values.arrays:
            made[tensor.name] = draw_random(
                tensor, number, values.dims, seed, constants, values.samples
            )
    sampled = (*values.sampled, *made) if values.sampled else ()
    return Values(values.dims, {**values.arrays, **made}, sampled)
