"""The value of a formula's term in a world: numbers, and matrices where whole tensors stand.

Vectors stand as columns or rows by the layout; what a product sign between matrices means is a
`Reading`, and the judge tries the readings a writer may have had. Invariant: nothing is broadcast
but a bias over samples, so that a missing transpose shows as a shape that does not fit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Any

import numpy as np

from derivgen.algebra.affine import Index, affine
from derivgen.algebra.expressions import Access, walk
from derivgen.algebra.network import Network, Role
from derivgen.formulas.symbols import Symbols
from derivgen.formulas.terms import At, Bound, Fold, Part, Ref, Slope, Term, Test
from derivgen.verify.world import (
    STEP,
    Key,
    NoValue,
    World,
    apply,
    compare,
    evaluate_along,
    evaluate_expression,
    folded,
    mp,
    power,
)

Value = Any  # a number of 60 digits, or an object array of them
MAX_TERMS = 20_000


class NoPoint(NoValue):
    """The formula does not speak of this point."""


class ShapeMismatch(NoValue):
    """Two matrices do not fit; ``reason`` tells their shapes."""


@dataclass(frozen=True)
class Reading:
    """One consistent way to read what paper leaves open."""

    layout: str = "columns"  # how vectors stand
    dot: str = "product"  # two vectors beside each other: product (inner) or hadamard
    star: str = "hadamard"  # the sign * between matrices of one shape
    otimes: str = "hadamard"  # or outer
    jacobian: str = "numerator"  # rows are the differentiated quantity; or denominator
    immediate: bool = False  # a Leibniz fraction between intermediates is the equation's own slope
    mean: bool = False  # the loss without a sample index is the mean over samples
    batch: str = ""  # whole data tensors hold all samples, as rows or as columns
    total: bool = False  # the loss without a sample index is the sum over samples
    step_sign: int = -1  # Delta w is minus or plus the step size times the gradient


@dataclass(frozen=True)
class Context:
    """Where a term is evaluated: a world, the letters' values, the free numbers, a reading."""

    world: World
    symbols: Symbols
    letters: Mapping[str, tuple[Any, ...]]
    free: Mapping[str, Any]
    reading: Reading
    at: Mapping[str, int] = field(default_factory=dict)
    sample: int = 0
    base: int = 1
    sizes: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    one_sample: bool = False  # inside a sum over samples, the loss is that of one sample

    def with_letters(self, more: Mapping[str, int]) -> Context:
        return replace(self, at={**self.at, **more})


def span_of(name: str, context: Context) -> range:
    """Return what a letter runs over. Raises: NoValue, for a letter that indexes nothing."""
    key = context.letters.get(name)
    if key is None:
        raise NoValue(f"the index {name} runs over nothing known")
    whole = span_of_key(key, context)
    if key[0] == "family" and name == "L":
        return whole[-1:]
    return whole


def span_of_key(key: tuple[Any, ...], context: Context) -> range:
    """Return the values that a key of `Letters` stands for."""
    world = context.world
    if key[0] == "axis":
        return range(world.size(key[1]), world.size(key[2]))
    if key[0] == "sample":
        return range(world.samples)
    if key[0] == "layered":
        axes = dict(key[2])
        member = context.at.get(key[1], next(iter(axes)))
        if member not in axes:
            raise NoValue("no such layer")
        return span_of_key(axes[member], context)
    members = context.symbols.families[key[1][:-2]]
    return range(min(members), max(members) + 1)


def at_value(at: At, context: Context, low: int | None = None) -> int:
    """Return the value of an index expression; ``low`` is where its axis starts."""
    total = at.constant
    paper = at.written and not at.letters
    for name, count in at.letters:
        if name in context.at:
            total += count * context.at[name]
        else:
            total += count * _size(name, context)
            paper = at.written
    for part, count in at.parts:
        total += count * _part(part, context)
    if at.parts:
        paper = False
    if paper and low is not None:
        total += low - context.base if low == 0 else 0
    return total


def _part(part: Part, context: Context) -> int:
    inner = [at_value(at, context) for at in part.inner]
    if part.kind == "lookup":
        return int(context.world.element(part.name, tuple(inner), context.sample))
    return inner[0] // part.divisor if part.kind == "//" else inner[0] % part.divisor


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


def _size(name: str, context: Context) -> int:
    for dim, size in context.world.numbers.sizes.items():
        if dim.name == name:
            return size
    if name in context.sizes:
        return len(span_of_key(context.sizes[name], context))
    if name in context.letters:
        raise NoValue(f"the index {name} is not bound")
    if name in ("L",) and context.symbols.families:
        return max(max(m) for m in context.symbols.families.values())
    if name in ("m", "N", "n", "M", "B", "batch", "bs"):
        return context.world.samples
    raise NoValue(f"the size {name} is not known")


# --- elements ------------------------------------------------------------------------------------


def tensor_of(ref: Ref, context: Context) -> str:
    """Return the tensor a reference names, its family member resolved."""
    if ref.member is None:
        return ref.tensor
    members = context.symbols.families[ref.tensor[:-2]]
    found = members.get(at_value(ref.member, context))
    if found is None:
        raise NoValue(f"{ref.tensor} has no member {at_value(ref.member, context)}")
    return found


def places_of(ref: Ref, context: Context) -> tuple[str, list[list[int]], list[bool]]:
    """Return the tensor, the values along each axis and which axes are whole."""
    tensor = tensor_of(ref, context)
    spans = context.world.shape(tensor)
    slots = ref.slots or (None,) * len(spans)
    if len(slots) != len(spans):
        raise ShapeMismatch(f"{tensor} has {len(spans)} indices")
    values: list[list[int]] = []
    for slot, span in zip(slots, spans):
        if slot is None:
            values.append(list(span))
            continue
        value = at_value(slot, context, span.start)
        if value not in span and not (slot.constant and slot.letters):
            raise ShapeMismatch(f"index {slot} leaves the range of {tensor}")
        values.append([value])
    return tensor, values, [slot is None for slot in slots]


def _is_data(tensor: str, context: Context) -> bool:
    return context.world.network.tensors[tensor].role is not Role.PARAM


def _sample_of(ref: Ref, context: Context) -> int:
    return context.sample if ref.sample is None else at_value(ref.sample, context, 0)


def _element(term: Term, context: Context) -> Value:
    ref: Ref = term.data
    if ref.updated:
        return _updated(term, context)
    tensor, values, whole = places_of(ref, context)
    reading = context.reading
    whole_loss = ref.sample is None and not context.one_sample
    if tensor == context.symbols.loss and whole_loss and (reading.mean or reading.total):
        found = [context.world.element(tensor, (), s) for s in range(context.world.samples)]
        return folded("mean" if reading.mean else "sum", found)
    if _is_batch(ref, tensor, whole, context):
        return _batched(tensor, values, whole, context)
    sample = _sample_of(ref, context)
    flat = [_value_at(tensor, place, sample, context) for place in product(*values)]
    return _shaped(flat, [len(v) for v, w in zip(values, whole) if w], reading)


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
            if isinstance(part, Access) and part.tensor == tensor and part.outside is not None:
                if part.indices[axis].plain is None:
                    return part
    return None


def _is_batch(ref: Ref, tensor: str, whole: list[bool], context: Context) -> bool:
    """Tell whether a tensor stands for all samples: a matrix, or a vector of single numbers."""
    if not context.reading.batch or ref.sample is not None or tensor == context.symbols.loss:
        return False
    return (any(whole) or not whole) and _is_data(tensor, context) and not context.one_sample


def _batched(tensor: str, values: list[list[int]], whole: list[bool], context: Context) -> Value:
    rows = [
        [context.world.element(tensor, place, s) for place in product(*values)]
        for s in range(context.world.samples)
    ]
    matrix = _array(rows)
    return matrix if context.reading.batch == "rows" else matrix.T


def _array(rows: list[list[Any]]) -> Any:
    found = np.empty((len(rows), len(rows[0]) if rows else 0), dtype=object)
    for i, row in enumerate(rows):
        for j, value in enumerate(row):
            found[i, j] = value
    return found


def _shaped(flat: list[Any], sizes: list[int], reading: Reading) -> Value:
    if not sizes:
        return flat[0]
    found = np.empty(len(flat), dtype=object)
    found[:] = flat
    if len(sizes) == 1:
        return found.reshape((-1, 1) if reading.layout == "columns" else (1, -1))
    return found.reshape(sizes)


def _updated(term: Term, context: Context) -> Value:
    plain = Term("element", (), replace(term.data, updated=False), term.span)
    loss = Term("element", (), Ref(context.symbols.loss), term.span)
    gradient = _gradient(Term("gradient", (loss, plain), Slope(), term.span), context)
    step = context.free.get("step size")
    if step is None:
        raise NoValue("the step size is not known")
    return _element(plain, context) - step * gradient


# --- derivatives ---------------------------------------------------------------------------------


def _gradient(term: Term, context: Context) -> Value:
    of, by = term.args
    slope: Slope = term.data
    if by.op == "transpose":
        return evaluate(Term("gradient", (of, by.args[0]), slope, term.span), context).T
    if by.op == "free":
        return _by_number(of, by.data, context)
    by = _element_of(by)
    if slope.symbol == "step":
        return _step(term, context)
    table, of_shape, by_sizes = _jacobian(of, by, slope, context)
    tensor, _, whole = places_of(by.data, context)
    batch = _is_batch(by.data, tensor, whole, context)
    return _laid_out(table, of_shape, by_sizes, batch, context)


def _by_number(of: Term, name: str, context: Context) -> Value:
    """Return the derivative by a free number, the argument of a function."""
    ends = [
        evaluate(of, replace(context, free={**context.free, name: context.free[name] + s * STEP}))
        for s in (1, -1)
    ]
    return (ends[0] - ends[1]) / (2 * STEP)


def _element_of(by: Term) -> Term:
    while by.op == "group":
        by = by.args[0]
    if by.op != "element":
        raise NoValue("a derivative by something that is no element")
    return by


def _step(term: Term, context: Context) -> Value:
    step = context.free.get("step size")
    gradient = _gradient(Term("gradient", term.args, Slope(), term.span), context)
    if step is None:
        return gradient * 1
    return context.reading.step_sign * step * gradient


def _jacobian(
    of: Term, by: Term, slope: Slope, context: Context
) -> tuple[list[Value], tuple[int, ...], list[int]]:
    """Return the derivative of ``of`` by each element of ``by``, and both shapes."""
    ref: Ref = by.data
    tensor, values, whole = places_of(ref, context)
    sizes = [len(v) for v, w in zip(values, whole) if w]
    batch = _is_batch(ref, tensor, whole, context)
    samples = range(context.world.samples) if batch else [_sample_of(ref, context)]
    table = [
        _slope(
            of, context.world.key(tensor, place, s), slope, _per_sample(slope, s, batch, context)
        )
        for s in samples
        for place in product(*values)
    ]
    if batch:
        sizes = [len(samples), len(table) // len(samples)]
    shape = table[0].shape if isinstance(table[0], np.ndarray) else ()
    return table, shape, sizes


def _per_sample(slope: Slope, sample: int, batch: bool, context: Context) -> Context:
    """The short form dZ of a batch holds each sample's own gradient, not that of the mean."""
    if batch and slope.symbol == "d":
        return replace(context, sample=sample, one_sample=True)
    return context


def _slope(of: Term, key: Key, slope: Slope, context: Context) -> Value:
    immediate = slope.immediate or (context.reading.immediate and slope.symbol == "")
    if immediate and of.op == "element" and of.data.tensor != context.symbols.loss:
        return _immediate(of, key, context)
    plus = evaluate(of, replace(context, world=context.world.nudged(key, 1)))
    minus = evaluate(of, replace(context, world=context.world.nudged(key, -1)))
    return (plus - minus) / (2 * STEP)


def _immediate(of: Term, key: Key, context: Context) -> Value:
    tensor, values, whole = places_of(of.data, context)
    sample = _sample_of(of.data, context)
    world = context.world
    flat = []
    for place in product(*values):
        own = world.key(tensor, place, sample)
        if own == key:
            flat.append(mp.mpf(1))
            continue
        ends = [world.frozen(own, key, s).element(tensor, place, sample) for s in (1, -1)]
        flat.append((ends[0] - ends[1]) / (2 * STEP))
    return _shaped(flat, [len(v) for v, w in zip(values, whole) if w], context.reading)


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
            found = _shaped(table, sizes, reading)
            return found if reading.batch == "rows" else found.T
        return _shaped(table, sizes, reading)
    if 1 in of_shape and len(of_shape) == 2 and len(sizes) == 1:
        columns = [entry.reshape(-1) for entry in table]
        found = np.stack(columns, axis=1)
        return found if reading.jacobian == "numerator" else found.T
    raise ShapeMismatch("a derivative of a matrix by a matrix has no matrix form")


# --- products ------------------------------------------------------------------------------------


def _multiply(term: Term, context: Context) -> Value:
    values, operators = _chained(term, context)
    total = values[0]
    for operator, value in zip(operators, values[1:]):
        total = multiplied(total, value, operator, context.reading)
    return total


def _chained(term: Term, context: Context) -> tuple[list[Value], list[str]]:
    """Evaluate the factors; a run of Leibniz fractions that link up is contracted as one."""
    values: list[Value] = []
    operators: list[str] = []
    run: list[Term] = []
    between = ["", *term.data]
    opening = ""
    for operator, factor in zip(between, term.args):
        if run and not _links(run, factor):
            _close(run, opening, values, operators, context)
        if not run:
            opening = operator
        run.append(factor)
    _close(run, opening, values, operators, context)
    return values, operators[1:]


def _links(run: list[Term], factor: Term) -> bool:
    last = run[-1]
    pair = (_inner(last), _inner(factor))
    if any(t.op != "gradient" or t.data.symbol for t in pair):
        return False
    one, other = pair
    linked = one.args[1].data == other.args[0].data or other.args[1].data == one.args[0].data
    return linked and one.args[1].op == other.args[0].op == "element"


def _inner(term: Term) -> Term:
    while term.op == "group":
        term = term.args[0]
    return term


def _close(
    run: list[Term],
    opening: str,
    values: list[Value],
    operators: list[str],
    context: Context,
) -> None:
    if not run:
        return
    if len(run) > 1 and any(_has_whole_link(_inner(t)) for t in run):
        values.append(_contracted([_inner(t) for t in run], context))
        operators.append(opening)
    else:
        for number, factor in enumerate(run):
            values.append(evaluate(factor, context))
            operators.append(opening if number == 0 else "")
    run.clear()


def _has_whole_link(term: Term) -> bool:
    return any(
        isinstance(part.data, Ref) and (not part.data.slots or part.data.whole_axes)
        for part in term.args
    )


def _contracted(run: list[Term], context: Context) -> Value:
    """Contract ``dE/dz . dz/da`` over the elements of z, whatever the layout."""
    if len(run) > 1 and run[0].args[1].data != run[1].args[0].data:
        run = run[::-1]
    flat = replace(context, reading=replace(context.reading, layout="columns"))
    total: Any = None
    for factor in run:
        of, by = factor.args
        table, shape, sizes = _jacobian(of, _element_of(by), factor.data, flat)
        columns = [np.atleast_1d(np.asarray(e, dtype=object)).reshape(-1) for e in table]
        matrix = np.stack(columns, axis=1)
        total = matrix if total is None else total.dot(matrix)
        last_sizes = sizes
    if total.shape[0] == 1:
        return _shaped(list(total.reshape(-1)), last_sizes, context.reading)
    if not last_sizes:
        return _shaped(list(total.reshape(-1)), [total.shape[0]], context.reading)
    return total if context.reading.jacobian == "numerator" else total.T


def multiplied(a: Value, b: Value, operator: str, reading: Reading) -> Value:
    """Return a product of numbers or matrices under one sign. Raises: ShapeMismatch."""
    if not isinstance(a, np.ndarray) or not isinstance(b, np.ndarray):
        return a * b
    if operator in (r"\odot", r"\circ"):
        return _hadamard(a, b)
    if operator == r"\otimes":
        return _outer(a, b) if reading.otimes == "outer" else _hadamard(a, b)
    if operator == "*" and reading.star == "hadamard" and a.shape == b.shape:
        return _hadamard(a, b)
    vectors = a.shape == b.shape and 1 in a.shape
    if vectors and operator in ("", r"\cdot", "*", r"\times"):
        if reading.dot == "hadamard":
            return _hadamard(a, b)
        return folded("sum", list((a * b).reshape(-1)))
    if a.ndim == 2 and b.ndim == 2 and a.shape[1] == b.shape[0]:
        found = a.dot(b)
        return found[0, 0] if found.shape == (1, 1) else found
    if operator in ("*", r"\cdot") and a.shape == b.shape and reading.dot == "hadamard":
        return _hadamard(a, b)
    raise ShapeMismatch(f"{_sizes_text(a)} times {_sizes_text(b)} does not fit")


def _sizes_text(a: Any) -> str:
    return "x".join(map(str, a.shape))


def _hadamard(a: Any, b: Any) -> Any:
    if a.shape != b.shape:
        raise ShapeMismatch(f"{_sizes_text(a)} elementwise {_sizes_text(b)} does not fit")
    return a * b


def _outer(a: Any, b: Any) -> Any:
    return np.outer(a.reshape(-1), b.reshape(-1))


# --- everything else -----------------------------------------------------------------------------


def _add(term: Term, context: Context) -> Value:
    total = evaluate(term.args[0], context)
    for part in term.args[1:]:
        total = _added(total, evaluate(part, context))
    return total


def _added(a: Value, b: Value) -> Value:
    if isinstance(a, np.ndarray) and isinstance(b, np.ndarray) and a.shape != b.shape:
        bias = a.ndim == b.ndim == 2 and all(
            x == y or 1 in (x, y) for x, y in zip(a.shape, b.shape)
        )
        one_vector = sum(1 in s and max(s) > 1 for s in (a.shape, b.shape)) == 1
        if not (bias and one_vector):
            raise ShapeMismatch(f"{_sizes_text(a)} plus {_sizes_text(b)} does not fit")
    return a + b


def _call(term: Term, context: Context) -> Value:
    name, order = term.data
    args = [evaluate(part, context) for part in term.args]
    special = _SPECIAL.get(name)
    if special is not None and (isinstance(args[0], np.ndarray) or name in ("norm", "abs")):
        return special(args[0])
    return elementwise(lambda *values: _applied(name, order, values, context), args)


def _applied(name: str, order: int, values: tuple[Any, ...], context: Context) -> Any:
    if name not in context.symbols.defined:
        return apply(context.symbols.network, name, values, (order,) if order else ())
    if order:
        ends = [_applied(name, order - 1, (values[0] + s * STEP,), context) for s in (1, -1)]
        return (ends[0] - ends[1]) / (2 * STEP)
    parameter, body = context.symbols.defined[name]
    return evaluate(body, replace(context, free={**context.free, parameter: values[0]}))


def elementwise(function: Callable[..., Any], args: list[Value]) -> Value:
    """Apply a function of numbers to numbers or to matrices of one shape."""
    if not any(isinstance(a, np.ndarray) for a in args):
        return function(*args)
    made = np.frompyfunc(function, len(args), 1)
    return made(*args)


def _softmax(a: Any) -> Any:
    exps = elementwise(mp.exp, [a])
    if 1 in a.shape:
        return exps / folded("sum", list(exps.reshape(-1)))
    raise NoValue("softmax of a matrix: the axis is not written")


def _diag(a: Any) -> Any:
    if 1 not in a.shape:
        raise NoValue("diag of a matrix")
    flat = a.reshape(-1)
    found = np.full((len(flat), len(flat)), mp.mpf(0), dtype=object)
    for k, value in enumerate(flat):
        found[k, k] = value
    return found


def _trace(a: Any) -> Any:
    if a.shape[0] != a.shape[1]:
        raise ShapeMismatch("the trace of a matrix that is not square")
    return folded("sum", [a[k, k] for k in range(a.shape[0])])


def _norm(a: Value) -> Any:
    flat = list(a.reshape(-1)) if isinstance(a, np.ndarray) else [a]
    return mp.sqrt(folded("sum", [v * v for v in flat]))


def _absolute(a: Value) -> Any:
    return elementwise(abs, [a])


_SPECIAL: Mapping[str, Callable[[Any], Any]] = {
    "softmax": _softmax,
    "diag": _diag,
    "tr": _trace,
    "norm": _norm,
    "abs": _absolute,
}


def _fold(term: Term, context: Context) -> Value:
    fold: Fold = term.data
    total: list[Value] = []
    for inner in _points(fold.bounds, context) if fold.bounds else _over_samples(context):
        total.append(evaluate(term.args[0], inner))
        if len(total) > MAX_TERMS:
            raise NoValue("the sum has too many terms")
    if fold.op == "sum":
        return _summed(total)
    if any(isinstance(value, np.ndarray) for value in total) or not total:
        return _matrix_product(total)
    return folded(fold.op, total)


def _matrix_product(values: list[Value]) -> Value:
    """Return a product of Jacobians, later ones on the left; an empty one speaks of nothing."""
    if not values:
        raise NoPoint("an empty product")
    total = values[0]
    for value in values[1:]:
        total = multiplied(value, total, "", Reading())
    return total


def _over_samples(context: Context) -> Iterator[Context]:
    """A sum without a letter runs over the samples."""
    for sample in range(context.world.samples):
        yield replace(context, sample=sample, one_sample=True)


def _summed(values: list[Value]) -> Value:
    if not values:
        return mp.mpf(0)
    total = values[0]
    for value in values[1:]:
        total = _added(total, value)
    return total


def _points(bounds: tuple[Bound, ...], context: Context) -> Iterator[Context]:
    if not bounds:
        yield context
        return
    first = bounds[0]
    for value in range_of(first, context):
        inner = context.with_letters({first.letter: value})
        if first.without is not None and at_value(first.without, inner) == value:
            continue
        if context.letters.get(first.letter, ("",))[0] == "sample":
            inner = replace(inner, sample=value, one_sample=True)
        yield from _points(bounds[1:], inner)


def range_of(bound: Bound, context: Context) -> range:
    """Return the values of a bound letter: its whole range, or the part that is written.

    A written range counts as paper does: from 1 or 0 to the size means the whole axis.
    """
    if bound.letter not in context.letters:
        return _written_only(bound, context)
    whole = span_of(bound.letter, context)
    low, high = bound.low, bound.high
    if low is None:
        return whole
    start = whole.start
    base = low.constant if not low.letters and low.constant in (0, 1) else context.base
    if low.letters:
        start = at_value(low, context, whole.start)
    elif low.constant not in (0, 1):
        start = whole.start + low.constant - 1 if whole.start == 0 else low.constant
    if high is None:
        return range(start, whole.stop)
    return range(start, _end(high, whole, base, context))


def _written_only(bound: Bound, context: Context) -> range:
    """Return the range of a letter that indexes nothing: only numbers and sizes can say it."""
    if bound.low is None or bound.high is None:
        raise NoValue(f"the index {bound.letter} runs over nothing known")
    return range(at_value(bound.low, context), at_value(bound.high, context) + 1)


def _end(high: At, whole: range, base: int, context: Context) -> int:
    if not high.letters:
        declared = high.constant - base + 1
        return whole.stop if _is_declared(declared, context) else whole.start + declared
    bound_letters = [name for name, _ in high.letters if name in context.at]
    if bound_letters:
        return at_value(high, context) + 1
    name = high.letters[0][0]
    count = _known_size(name, context)
    if count is None or count == len(whole):
        shift = high.constant + (1 if base == 0 and high.constant < 0 else 0)
        return whole.stop + shift
    return whole.start + count + high.constant


def _is_declared(count: int, context: Context) -> bool:
    """Tell whether a written number is a size the network declares: all of the axis is meant."""
    return count in [n for n in context.symbols.sizes.values() if n is not None] and count > 1


def _known_size(name: str, context: Context) -> int | None:
    for dim, size in context.world.numbers.sizes.items():
        if dim.name == name:
            return size
    return None


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
    name, way = term.data
    entries = [
        evaluate(term.args[0], context.with_letters({name: value}))
        for value in span_of(name, context)
    ]
    return _stacked(entries, way)


def _stacked(entries: list[Value], way: str) -> Value:
    blocks = [e if isinstance(e, np.ndarray) else _array([[e]]) for e in entries]
    axis = 0 if way == "column" else 1
    if len({block.shape[1 - axis] for block in blocks}) != 1:
        raise ShapeMismatch("the entries have different shapes")
    if way == "column" and blocks[0].shape[0] != 1 or way == "row" and blocks[0].shape[1] != 1:
        raise ShapeMismatch("the entries of the vector stand the wrong way")
    return np.concatenate(blocks, axis=axis)


def _matrix(term: Term, context: Context) -> Value:
    rows, columns = term.data
    values = [evaluate(part, context) for part in term.args]
    grid = [values[r * columns : (r + 1) * columns] for r in range(rows)]
    if any(isinstance(v, np.ndarray) for v in values):
        return _stacked([_stacked(row, "row") if columns > 1 else row[0] for row in grid], "column")
    return _array(grid)


def _bracket(term: Term, context: Context) -> Value:
    test: Test = term.data
    if test.op == "=" and isinstance(test.left, Term) and isinstance(test.right, At):
        if found := _class_indicator(test.left, test.right):
            return evaluate(found, context)
    return mp.mpf(1 if holds(term.data, context) else 0)


def _class_indicator(left: Term, right: At) -> Term | None:
    """Read ``1{y = k}`` of a target vector as its element: 1 where k is the class."""
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


def _ones(term: Term, context: Context) -> Value:
    raise NoValue("a vector of ones whose length is not clear")


def _number(term: Term, context: Context) -> Value:
    value = term.data[0]
    return mp.mpf(value.numerator) / value.denominator


def _transpose(term: Term, context: Context) -> Value:
    inner = evaluate(term.args[0], context)
    return inner.T if isinstance(inner, np.ndarray) else inner


def _power(term: Term, context: Context) -> Value:
    base, exponent = (evaluate(part, context) for part in term.args)
    return elementwise(power, [base, exponent])


def _divide(term: Term, context: Context) -> Value:
    top, bottom = (evaluate(part, context) for part in term.args)
    arrays = [isinstance(v, np.ndarray) for v in (top, bottom)]
    if all(arrays) and top.shape != bottom.shape:
        raise ShapeMismatch("a matrix divided by one of another shape")
    if not arrays[1] and bottom == 0:
        raise NoValue("a division by zero")
    return top / bottom


def _function(term: Term, context: Context) -> Value:
    argument = context.free.get("function argument")
    if argument is None:
        raise NoValue("a function without an argument")
    name, order = term.data if isinstance(term.data, tuple) else (term.data, 0)
    return _applied(name, order, (argument,), context)


_EVALUATORS: Mapping[str, Callable[[Term, Context], Value]] = {
    "number": _number,
    "free": _free,
    "size": lambda term, context: mp.mpf(_size(term.data, context)),
    "constant": lambda term, context: +mp.pi,
    "index": lambda term, context: mp.mpf(at_value(term.data, context)),
    "element": _element,
    "gradient": _gradient,
    "add": _add,
    "negate": lambda term, context: -evaluate(term.args[0], context),
    "multiply": _multiply,
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
    "group": lambda term, context: evaluate(term.args[0], context),
    "ones": _ones,
    "zeros": _ones,
    "function": _function,
}


def evaluate(term: Term, context: Context) -> Value:
    """Return the value of a term. Raises: NoValue, ShapeMismatch."""
    return _EVALUATORS[term.op](term, context)
