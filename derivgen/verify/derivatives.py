"""Derivatives in a formula, total and immediate, as central differences of 60 digits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import product

import numpy as np

from derivgen.algebra.network import Role
from derivgen.formulas.sequence import part_name
from derivgen.formulas.terms import Ref, Slope, Term
from derivgen.verify.context import Context, ShapeMismatch, Value, evaluate
from derivgen.verify.elements import element, is_batch, places_of, sample_of, shaped
from derivgen.verify.gates import is_gate, slope_at
from derivgen.verify.numeric import STEP, NoValue, mp
from derivgen.verify.paths import Sloped, has_inner_derivatives, paths_of
from derivgen.verify.slices import NO_FORM
from derivgen.verify.trace import Key


def updated(term: Term, context: Context) -> Value:
    plain = Term("element", (), replace(term.data, updated=False), term.span)
    loss = Term("element", (), Ref(context.symbols.loss), term.span)
    slope = gradient(Term("gradient", (loss, plain), Slope(), term.span), context)
    step = context.free.get("step size")
    if step is None:
        raise NoValue("the step size is not known")
    return element(plain, context) - step * slope


def gradient(term: Term, context: Context) -> Value:
    of, by = term.args
    slope: Slope = term.data
    if by.op == "transpose":
        return evaluate(
            Term("transpose", (Term("gradient", (of, by.args[0]), slope, term.span),)), context
        )
    if by.op == "free":
        return _by_number(of, by.data, context)
    by = element_of(by)
    if slope.symbol == "step":
        return _step(term, context)
    if slope.symbol == "delta" and context.reading.delta_sign < 0:
        return -gradient(Term("gradient", (of, by), Slope(slope.immediate, slope.order)), context)
    table, of_shape, by_sizes = jacobian(of, by, slope, context)
    tensor, _, whole = places_of(by.data, context)
    batch = is_batch(by.data, tensor, whole, context)
    lies = context.reading.gradient_rows and slope.symbol != "nabla" and not of_shape
    if lies and len(by_sizes) == 1:
        return _laid_out(table, of_shape, by_sizes, batch, context).T
    return _laid_out(table, of_shape, by_sizes, batch, context)


def _by_number(of: Term, name: str, context: Context) -> Value:
    """Return the derivative by a free number, the argument of a function."""
    at = context.free[name]
    ends = [
        evaluate(of, replace(context, free={**context.free, name: at + s * STEP}, memo=None))
        for s in (1, -1)
    ]
    return (ends[0] - ends[1]) / (2 * STEP)


def element_of(by: Term) -> Term:
    while by.op == "group":
        by = by.args[0]
    if by.op != "element":
        raise NoValue("a derivative by something that is no element")
    return by


def _step(term: Term, context: Context) -> Value:
    step = context.free.get("step size")
    slope = gradient(Term("gradient", term.args, Slope(), term.span), context)
    if step is None:
        return -slope if context.reading.rate_one else slope
    return context.reading.step_sign * step * slope


def jacobian(
    of: Term, by: Term, slope: Slope, context: Context
) -> tuple[list[Value], tuple[int, ...], list[int]]:
    """Return the derivative of ``of`` by each element of ``by``, and both shapes."""
    ref: Ref = by.data
    symbols = context.symbols
    tensor, values, whole = places_of(ref, context)
    sizes = [len(v) for v, w in zip(values, whole) if w]
    batch = is_batch(ref, tensor, whole, context)
    if ref.sample is not None and not (context.reading.mean or context.reading.total):
        context = replace(context, sample=sample_of(ref, context))  # that sample's own loss
    samples = range(context.world.samples) if batch else [sample_of(ref, context)]
    table = [
        _slope(
            of, context.world.key(tensor, place, s), slope, _per_sample(slope, s, batch, context)
        )
        for s in samples
        for place in product(*values)
    ]
    if batch:
        sizes = [len(samples), len(table) // len(samples)]
    if context.reading.gates == "argument" and is_gate(Term("gradient", (of, by), slope), symbols):
        sloped = product(samples, product(*values))
        table = [
            entry * slope_at(context.world, tensor, place, sample)
            for entry, (sample, place) in zip(table, sloped)
        ]
    shape = table[0].shape if isinstance(table[0], np.ndarray) else ()
    return table, shape, sizes


def _per_sample(slope: Slope, sample: int, batch: bool, context: Context) -> Context:
    """The short form dZ of a batch holds each sample's own gradient, not that of the mean."""
    if batch and slope.symbol == "d" and not context.reading.share:
        return replace(context, sample=sample, one_sample=True)
    return context


def _slope(of: Term, key: Key, slope: Slope, context: Context) -> Value:
    if _is_immediate(of, key, slope, context):
        return _immediate(of, key, context)
    if _is_plain(of, context):
        return evaluate(of, replace(context, world=Sloped(context.world, key), memo=None))
    plus = evaluate(of, replace(context, world=context.world.nudged(key, 1), memo=None))
    minus = evaluate(of, replace(context, world=context.world.nudged(key, -1), memo=None))
    return (plus - minus) / (2 * STEP)


def _is_plain(of: Term, context: Context) -> bool:
    """Tell whether an element, with all its places inside its range, is differentiated."""
    if of.op != "element" or of.data.updated or has_inner_derivatives(context.world.network):
        return False
    tensor, values, _ = places_of(of.data, context)
    spans = context.world.shape(tensor)
    return all(v in span for places, span in zip(values, spans) for v in places)


def _is_immediate(of: Term, key: Key, slope: Slope, context: Context) -> bool:
    loss = context.symbols.loss
    if of.op != "element" or of.data.tensor in (loss, part_name(loss)):
        return False
    way = context.reading.immediate if slope.symbol == "" else ""
    role = context.world.network.tensors[key[1]].role
    return slope.immediate or way == "all" or (way == "parameters" and role is Role.PARAM)


def _same_step(own: Key, context: Context) -> Callable[[Key], bool]:
    """Return what tells whether an element follows from others within the step of ``own``.

    In a recurrence these are the equations of one time; elsewhere the element's own equation.
    """
    axes = context.symbols.time_axes
    if own[1] not in axes:
        return lambda key: key == own
    time = own[2][axes[own[1]]]
    return lambda key: key[1] in axes and key[2][axes[key[1]]] == time


def _immediate(of: Term, key: Key, context: Context) -> Value:
    tensor, values, whole = places_of(of.data, context)
    sample = sample_of(of.data, context)
    world = context.world
    flat = []
    for place in product(*values):
        own = world.key(tensor, place, sample)
        if own == key:
            flat.append(mp.mpf(1))
            continue
        flat.append(paths_of(world).within(own, _same_step(own, context)).get(key, mp.mpf(0)))
    return shaped(flat, [len(v) for v, w in zip(values, whole) if w], context.reading)


def _laid_out(
    table: list[Value],
    of_shape: tuple[int, ...],
    sizes: list[int],
    batch: bool,
    context: Context,
) -> Value:
    reading = context.reading
    if not sizes:
        return table[0]
    if not of_shape:
        if batch:
            found = shaped(table, sizes, reading)
            return found if reading.batch == "rows" else found.T
        return shaped(table, sizes, reading)
    if 1 in of_shape and len(of_shape) == 2 and len(sizes) == 1:
        columns = [entry.reshape(-1) for entry in table]
        found = np.stack(columns, axis=1)
        return found if reading.jacobian == "numerator" else found.T
    raise ShapeMismatch(NO_FORM)
