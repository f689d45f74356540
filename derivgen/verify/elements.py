"""Elements, slices and whole tensors of a formula as numbers and matrices."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np

from derivgen.algebra.expressions import Access, walk
from derivgen.algebra.network import Network, Role
from derivgen.formulas.conventions import function_at
from derivgen.formulas.terms import Ref, Term
from derivgen.formulas.terms import walk as walk_term
from derivgen.verify.context import (
    Beyond,
    Context,
    NoPoint,
    Reading,
    ShapeMismatch,
    Value,
    at_value,
)
from derivgen.verify.numeric import NoValue, folded
from derivgen.verify.world import evaluate_expression


def tensor_of(ref: Ref, context: Context) -> str:
    """Return the tensor a reference names, its family member resolved."""
    if ref.member is None:
        return ref.tensor
    members = context.symbols.families[ref.tensor[:-2]]
    found = members.get(at_value(ref.member, context))
    if found is None:
        raise NoValue(f"{ref.tensor} has no member {at_value(ref.member, context)}")
    return found


def function_of(argument: Term, context: Context) -> str:
    """Return the activation of the layer that an argument belongs to."""
    for _, part in walk_term(argument):
        if part.op == "element":
            name = function_at(context.world.network, tensor_of(part.data, context))
            if name:
                return name
    raise NoPoint("the layer has no elementwise activation")


def is_of_layers(argument: Term) -> bool:
    """Tell whether an argument is what a layer has in general, ``z^{(l)}``."""
    while argument.op == "group":
        argument = argument.args[0]
    ref = argument.data
    return argument.op == "element" and ref.member is not None and bool(ref.member.letters)


def places_of(ref: Ref, context: Context) -> tuple[str, list[list[int]], list[bool]]:
    """Return the tensor, the values along each axis and which axes are whole."""
    tensor = tensor_of(ref, context)
    spans = context.world.shape(tensor)
    slots = ref.slots or (None,) * len(spans)
    if len(slots) != len(spans):
        raise ShapeMismatch(f"{tensor} has {len(spans)} indices")
    values: list[list[int]] = []
    axes = context.world.network.tensors[tensor].axes
    for slot, span, axis in zip(slots, spans, axes):
        if slot is None:
            values.append(list(span))
            continue
        # An axis from 0 to L has its own zero: numerals mean what they say there.
        counted = bool(axis.high.terms) and axis.high.constant > 0
        value = at_value(slot, context, None if counted else span.start)
        if value not in span and not (slot.constant and slot.letters):
            kind = Beyond if len(slot.letters) > 1 else ShapeMismatch
            raise kind(f"index {slot} leaves the range of {tensor}")
        values.append([value])
    return tensor, values, [slot is None for slot in slots]


def _is_data(tensor: str, context: Context) -> bool:
    return context.world.network.tensors[tensor].role is not Role.PARAM


def sample_of(ref: Ref, context: Context) -> int:
    return context.sample if ref.sample is None else at_value(ref.sample, context, 0)


def element(term: Term, context: Context) -> Value:
    ref: Ref = term.data
    tensor, values, whole = places_of(ref, context)
    reading = context.reading
    whole_loss = ref.sample is None and not context.one_sample
    if tensor == context.symbols.loss and whole_loss and (reading.mean or reading.total):
        found = [context.world.element(tensor, (), s) for s in range(context.world.samples)]
        return folded("mean" if reading.mean else "sum", found)
    if is_batch(ref, tensor, whole, context):
        return _batched(tensor, values, whole, context)
    sample = sample_of(ref, context)
    flat = [_value_at(tensor, place, sample, context) for place in product(*values)]
    return shaped(flat, [len(v) for v, w in zip(values, whole) if w], reading)


def _value_at(tensor: str, place: tuple[int, ...], sample: int, context: Context) -> Any:
    """Return an element; outside its range, what the network itself reads there."""
    spans = context.world.shape(tensor)
    for axis, span in enumerate(spans):
        if place[axis] not in span:
            access = outside_of(context.world.network, tensor, axis)
            if access is None or access.outside is None:
                raise ShapeMismatch(f"index {place[axis]} leaves the range of {tensor}")
            at = {f.plain: v for f, v in zip(access.indices, place) if f.plain is not None}
            return evaluate_expression(context.world, access.outside, at, sample)
    return context.world.element(tensor, place, sample)


def outside_of(network: Network, tensor: str, axis: int) -> Access | None:
    """Return an access of the network that says what is read outside along an axis."""
    for equation in network.equations:
        for part in walk(equation.rhs):
            if not isinstance(part, Access) or part.tensor != tensor or part.outside is None:
                continue
            if part.indices[axis].plain is None:
                return part
    return None


def is_batch(ref: Ref, tensor: str, whole: list[bool], context: Context) -> bool:
    """Tell whether a tensor stands for all samples: a matrix, or a vector of single numbers."""
    if not context.reading.batch or ref.sample is not None or tensor == context.symbols.loss:
        return False
    return (any(whole) or not whole) and _is_data(tensor, context) and not context.one_sample


def _batched(tensor: str, values: list[list[int]], whole: list[bool], context: Context) -> Value:
    rows = [
        [context.world.element(tensor, place, s) for place in product(*values)]
        for s in range(context.world.samples)
    ]
    matrix = array(rows)
    return matrix if context.reading.batch == "rows" else matrix.T


def array(rows: list[list[Any]]) -> Any:
    found = np.empty((len(rows), len(rows[0]) if rows else 0), dtype=object)
    for i, row in enumerate(rows):
        for j, value in enumerate(row):
            found[i, j] = value
    return found


def shaped(flat: list[Any], sizes: list[int], reading: Reading) -> Value:
    if not sizes:
        return flat[0]
    found = np.empty(len(flat), dtype=object)
    found[:] = flat
    if len(sizes) == 1:
        return found.reshape((-1, 1) if reading.layout == "columns" else (1, -1))
    return found.reshape(sizes)
