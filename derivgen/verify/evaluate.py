"""The value of a formula's term in a world: numbers, and matrices where whole tensors stand.

Vectors stand as columns or rows by the layout; what a product sign between matrices means is a
`Reading`, and the judge tries the readings a writer may have had. Invariant: nothing is broadcast
but a bias over samples, so that a missing transpose shows as a shape that does not fit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np

from derivgen.algebra.affine import Index, affine
from derivgen.formulas.conventions import LAYER_FUNCTION
from derivgen.formulas.terms import At, Fold, Listing, Term, Test
from derivgen.verify.context import (
    Beyond,
    Context,
    NoPoint,
    Reading,
    ShapeMismatch,
    Value,
    at_value,
    evaluate,
    size,
    span_of,
)
from derivgen.verify.derivatives import gradient, updated
from derivgen.verify.elements import (
    array,
    element,
    function_of,
    is_of_layers,
    places_of,
    sample_of,
    shaped,
)
from derivgen.verify.matrices import added, beside_rows, multiplied, multiply
from derivgen.verify.numeric import STEP, NoValue, compare, folded, mp, power
from derivgen.verify.ranges import over_samples, points, range_of
from derivgen.verify.special import SPECIAL, elementwise, softmax_along
from derivgen.verify.trace import Key
from derivgen.verify.world import MAX_STEPS, apply, evaluate_along

MAX_TERMS = 20_000
WORK_OF_A_TERM = 8  # a term of a sum takes as long as so many scalar operations


def _along(term: Term, context: Context) -> Value:
    name, letters = term.data
    network = context.world.network
    function = network.functions.get(name)
    if function is None or function.body is None:
        raise NoValue(f"the function {name} is not known")
    spans = [span_of(n, context) for n in letters]

    def argument(at: Mapping[Any, int]) -> Any:
        here = {i.name: v for i, v in at.items()}
        moved = {n: here[own.name] for n, own in zip(letters, function.indices)}
        return evaluate(term.args[0], context.with_letters(moved))

    given = tuple(
        Index(own.name, affine(s.start), affine(s.stop)) for own, s in zip(function.indices, spans)
    )
    at = {i: context.at[n] for i, n in zip(given, letters)}
    return evaluate_along(context.world, function, given, at, argument)


def _add(term: Term, context: Context) -> Value:
    values = [evaluate(part, context) for part in term.args]
    size = _jacobian_size(term, values)
    total: Value = mp.mpf(0)
    for part, value in zip(term.args, values):
        if size and _is_unit(part) and not isinstance(value, np.ndarray):
            value = array([[value * (i == j) for j in range(size)] for i in range(size)])
        total = value if part is term.args[0] else added(total, value)
    return total


def _is_unit(part: Term) -> bool:
    core = _ungrouped(part)
    if core.op == "multiply":
        return any(_ungrouped(factor).op == "identity" for factor in core.args)
    return core.op == "identity" or (core.op == "number" and core.data[0] == 1)


def _jacobian_size(term: Term, values: list[Value]) -> int:
    """Return the size of the unit matrix that 1 or I stands for beside a square Jacobian."""
    cores = [_ungrouped(part) for part in term.args]
    for core, value in zip(cores, values):
        square = isinstance(value, np.ndarray) and value.ndim == 2 and len(set(value.shape)) == 1
        unit = any(_is_unit(c) and c.op != "number" for c in cores)
        if square and (core.op == "gradient" or unit):
            return len(value)
    return 0


def _ungrouped(term: Term) -> Term:
    while term.op in ("group", "negate"):
        term = term.args[0]
    return term


def _call(term: Term, context: Context) -> Value:
    name, order = term.data
    if name == LAYER_FUNCTION or order and is_of_layers(term.args[0]):
        name = function_of(term.args[0], context)
    args = [evaluate(part, context) for part in term.args]
    if name == "softmax" and isinstance(args[0], np.ndarray) and 1 not in args[0].shape:
        return softmax_along(args[0], context)
    special = SPECIAL.get(name)
    if special is not None and (isinstance(args[0], np.ndarray) or name in ("norm", "abs")):
        return special(args[0])
    return elementwise(lambda *values: _applied(name, order, values, context), args)


def _applied(name: str, order: Any, values: tuple[Any, ...], context: Context) -> Any:
    if name not in context.symbols.defined:
        orders = order if isinstance(order, tuple) else (order,) if order else ()
        return apply(context.symbols.network, name, values, orders)
    if order:
        ends = [_applied(name, order - 1, (values[0] + s * STEP,), context) for s in (1, -1)]
        return (ends[0] - ends[1]) / (2 * STEP)
    parameter, body = context.symbols.defined[name]
    return evaluate(body, replace(context, free={**context.free, parameter: values[0]}, memo=None))


def _fold(term: Term, context: Context) -> Value:
    fold: Fold = term.data
    total: list[Value] = []
    for inner in points(fold.bounds, context) if fold.bounds else over_samples(context):
        try:
            total.append(evaluate(term.args[0], inner))
        except Beyond:
            if fold.op != "sum":
                raise
            total.append(mp.mpf(0))  # a full convolution: nothing lies beyond the edge
        context.world.trace.work += WORK_OF_A_TERM
        if len(total) > MAX_TERMS or context.world.trace.work > MAX_STEPS:
            raise NoValue("the sum has too many terms")
    if fold.op == "sum":
        return _summed(total)
    if fold.op in ("argmax", "argmin"):
        return _winner(fold, total, context)
    if not total:
        return _empty(fold, context)
    if any(isinstance(value, np.ndarray) for value in total):
        return _matrix_product(total if context.reading.forward else total[::-1])
    return folded(fold.op, total)


def _winner(fold: Fold, values: list[Value], context: Context) -> Value:
    """Return where the first extreme value stands: a letter's value, or a place counted by rows."""
    place = values.index(max(values) if fold.op == "argmax" else min(values))
    if len(fold.bounds) > 1:
        return mp.mpf(place)
    return mp.mpf(range_of(fold.bounds[0], context)[place])


def _empty(fold: Fold, context: Context) -> Value:
    """Return 1 for a product that ends just before it begins; others speak of nothing."""
    ranges = [range_of(bound, context) for bound in fold.bounds]
    if fold.op == "prod" and all(r.stop >= r.start for r in ranges):
        return mp.mpf(1)
    raise NoPoint("an empty product")


def _matrix_product(values: list[Value]) -> Value:
    """Return a product from left to right."""
    total = values[0]
    for value in values[1:]:
        total = multiplied(total, value, "", Reading())
    return total


def _summed(values: list[Value]) -> Value:
    if not values:
        return mp.mpf(0)
    total = values[0]
    for value in values[1:]:
        total = added(total, value)
    return total


def _item(term: Term, context: Context) -> Value:
    inner = evaluate(term.args[0], context)
    if not isinstance(inner, np.ndarray):
        raise ShapeMismatch("an index on a number")
    places = [_position(slot, context) for slot in term.data]
    if len(places) == 1 and 1 in inner.shape:
        inner = inner.reshape(-1)
    if len(places) != inner.ndim or any(not 0 <= p < n for p, n in zip(places, inner.shape)):
        raise ShapeMismatch("the index leaves the matrix")
    return inner[tuple(places)]


def _position(slot: At, context: Context) -> int:
    low = 0
    for name, _ in slot.letters:
        if name in context.letters:
            low = span_of(name, context).start
    return at_value(slot, context, 0) - low


def _listing(term: Term, context: Context) -> Value:
    listing: Listing = term.data
    entries = [
        evaluate(term.args[0], context.with_letters({listing.letter: value}))
        for value in span_of(listing.letter, context)
    ]
    for place, odd in zip(listing.places, term.args[1:]):
        if -len(entries) <= place < len(entries):
            entries[place] = evaluate(odd, context)
    if any(isinstance(e, np.ndarray) and e.shape[listing.way == "row"] != 1 for e in entries):
        raise ShapeMismatch("the entries of the vector stand the wrong way")
    return _stacked(entries, listing.way)


def _stacked(entries: list[Value], way: str) -> Value:
    blocks = [e if isinstance(e, np.ndarray) else array([[e]]) for e in entries]
    axis = 0 if way == "column" else 1
    if len({block.shape[1 - axis] for block in blocks}) != 1:
        raise ShapeMismatch("the entries have different shapes")
    return np.concatenate(blocks, axis=axis)


def _matrix(term: Term, context: Context) -> Value:
    rows, columns = term.data
    values = [evaluate(part, context) for part in term.args]
    grid = [values[r * columns : (r + 1) * columns] for r in range(rows)]
    if any(isinstance(v, np.ndarray) for v in values):
        return _stacked([_stacked(row, "row") if columns > 1 else row[0] for row in grid], "column")
    return array(grid)


def _bracket(term: Term, context: Context) -> Value:
    test: Test = term.data
    found = _class_indicator(test) if test.op == "=" else None
    if found is not None:
        return evaluate(found, context)
    if test.op in _COMPARISONS and not isinstance(test.left, (At, tuple)):
        return _compared(test, context)
    return mp.mpf(1 if holds(term.data, context) else 0)


_COMPARISONS = ("=", "!=", "<", "<=", ">", ">=")


def _compared(test: Test, context: Context) -> Value:
    """Return 1 where a comparison holds, element by element for a vector: ``1{z > 0}``."""
    sides = [_side(side, context) for side in (test.left, test.right)]
    return elementwise(lambda a, b: mp.mpf(1 if compare(test.op, a, b) else 0), sides)


def _class_indicator(test: Test) -> Term | None:
    """Read ``1{y = k}`` of a target vector as its element: 1 where k is the class."""
    left, right = test.left, test.right
    if not isinstance(left, Term) or not isinstance(right, At):
        return None
    if left.op != "element" or len(left.data.slots) != 1 or left.data.slots[0] is not None:
        return None
    return Term("element", (), replace(left.data, slots=(right,)), left.span)


def holds(test: Test, context: Context) -> bool:
    """Return whether a comparison of a formula holds here."""
    if test.op == "not":
        return not holds(test.left, context)
    if test.op in ("and", "or"):
        found = [holds(part, context) for part in test.left]
        return all(found) if test.op == "and" else any(found)
    sides = [_side(side, context) for side in (test.left, test.right)]
    if any(isinstance(side, np.ndarray) for side in sides):
        raise NoValue("a comparison of a vector")
    return compare(test.op, sides[0], sides[1])


def _side(side: Any, context: Context) -> Any:
    if isinstance(side, At):
        return mp.mpf(at_value(side, context, None))
    return evaluate(side, context)


def _cases(term: Term, context: Context) -> Value:
    for value, test in zip(term.args, term.data):
        if test is None or holds(test, context):
            return evaluate(value, context)
    raise NoValue("no case holds")


def _padded(term: Term, context: Context) -> Value:
    try:
        return evaluate(term.args[0], context)
    except ShapeMismatch:
        return evaluate(term.args[1], context)


def _free(term: Term, context: Context) -> Value:
    found = context.free.get(term.data)
    if found is None:
        raise NoValue(f"{term.data} has no value")
    return found


def _any_element(term: Term, context: Context) -> Value:
    return updated(term, context) if term.data.updated else element(term, context)


def _ones(term: Term, context: Context) -> Value:
    if term.data is None:
        raise NoValue("a vector of ones whose length is not clear")
    value = mp.mpf(1 if term.op == "ones" else 0)
    return shaped([value] * at_value(term.data, context), [0], context.reading)


def _place(term: Term, context: Context) -> Value:
    """Return a position in several axes, counted by rows from 0."""
    place = 0
    for at in term.data:
        span = span_of(at.letters[0][0], context) if at.letters else range(at.constant + 1)
        place = place * len(span) + at_value(at, context) - span.start
    return mp.mpf(place)


def _held(term: Term, context: Context) -> Value:
    """Return a derivative while some quantities, its own two apart, stay as they are."""
    inner = term.args[0]
    ends = [key for part in inner.args for key in _keys(part, context)]
    fixed = [key for part in term.args[1:] for key in _keys(part, context) if key not in ends]
    return evaluate(inner, replace(context, world=context.world.pinned(tuple(fixed))))


def _keys(term: Term, context: Context) -> list[Key]:
    """Return the elements a term names, those beyond the edge left out."""
    while term.op == "group":
        term = term.args[0]
    if term.op != "element":
        raise NoValue("what is held fixed is no element")
    tensor, values, _ = places_of(term.data, context)
    spans = context.world.shape(tensor)
    there = [p for p in product(*values) if all(v in span for v, span in zip(p, spans))]
    return [context.world.key(tensor, place, sample_of(term.data, context)) for place in there]


def _identity(term: Term, context: Context) -> Value:
    return mp.mpf(1)  # as a factor; as a term see `_add`


def _number(term: Term, context: Context) -> Value:
    value = term.data[0]
    return mp.mpf(value.numerator) / value.denominator


def _transpose(term: Term, context: Context) -> Value:
    inner = evaluate(term.args[0], context)
    return inner.T if isinstance(inner, np.ndarray) else inner


def _power(term: Term, context: Context) -> Value:
    base, exponent = (evaluate(part, context) for part in term.args)
    square = isinstance(base, np.ndarray) and len(set(base.shape)) == 1 and 1 not in base.shape
    if square and exponent == -1:
        return _inverse(base)
    if square and term.args[1].op in ("index", "add", "size") and exponent == int(exponent):
        return _repeated(base, int(exponent))
    return elementwise(power, [base, exponent])


def _inverse(base: Value) -> Value:
    """Return the inverse of a square matrix. Raises: NoValue, where it has none."""
    try:
        found = mp.matrix(base.tolist()) ** -1
    except ZeroDivisionError:
        raise NoValue("a matrix without an inverse") from None
    return array([[found[i, j] for j in range(len(base))] for i in range(len(base))])


def _repeated(base: Value, times: int) -> Value:
    """Return a matrix times itself: ``W^{t-k}``, which is 1 where t = k."""
    if not 0 <= times <= MAX_TERMS:
        raise NoPoint("a matrix to a negative power")
    return _matrix_product([base] * times) if times else mp.mpf(1)


def _divide(term: Term, context: Context) -> Value:
    top, bottom = (evaluate(part, context) for part in term.args)
    arrays = [isinstance(v, np.ndarray) for v in (top, bottom)]
    if all(arrays) and top.shape != bottom.shape:
        top, bottom = beside_rows(top, bottom)
        if top.ndim != 2 or bottom.shape != (1, top.shape[1]):
            raise ShapeMismatch("a matrix divided by one of another shape")
    if not arrays[1] and bottom == 0:
        raise NoValue("a division by zero")
    return top / bottom


def _function(term: Term, context: Context) -> Value:
    scalars = [n for n in context.symbols.scalars if n in context.free]
    argument = context.free.get(scalars[0] if scalars else "function argument")
    if argument is None:
        raise NoValue("a function without an argument")
    name, order = term.data if isinstance(term.data, tuple) else (term.data, 0)
    return _applied(name, order, (argument,), context)


EVALUATORS: Mapping[str, Callable[[Term, Context], Value]] = {
    "number": _number,
    "identity": _identity,
    "free": _free,
    "size": lambda term, context: mp.mpf(size(term.data, context)),
    "constant": lambda term, context: +mp.pi,
    "index": lambda term, context: mp.mpf(at_value(term.data, context)),
    "element": _any_element,
    "gradient": gradient,
    "add": _add,
    "negate": lambda term, context: -evaluate(term.args[0], context),
    "multiply": multiply,
    "divide": _divide,
    "power": _power,
    "call": _call,
    "fold": _fold,
    "transpose": _transpose,
    "item": _item,
    "matrix": _matrix,
    "listing": _listing,
    "bracket": _bracket,
    "cases": _cases,
    "along": _along,
    "padded": _padded,
    "held": _held,
    "place": _place,
    "group": lambda term, context: evaluate(term.args[0], context),
    "ones": _ones,
    "zeros": _ones,
    "function": _function,
}
