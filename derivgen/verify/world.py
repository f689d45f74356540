"""A network at small concrete sizes with random numbers of 60 digits, and its derivatives.

Elements are computed one by one from the equations as written, so any element, of a parameter or
in the middle of the network, can be moved a little: a derivative is the central difference over a
step of 1e-20, exact to about 38 digits. The engine that derives gradients is not used here, so a
verdict is independent of it. Invariant: a world never changes, but for what it has computed.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import product
from typing import Any
from weakref import WeakKeyDictionary

import mpmath

from derivgen.algebra.affine import Affine, Dim, FloorDiv, Index, Lookup, Mod, evaluate_affine
from derivgen.algebra.arithmetic import EXACT
from derivgen.algebra.expressions import (
    Access,
    Add,
    Along,
    And,
    Call,
    Compare,
    Constant,
    Derivative,
    Div,
    Expr,
    IndexValue,
    Iverson,
    Mul,
    Node,
    Not,
    Number,
    Or,
    Pow,
    Reduce,
    Where,
    tensors_read,
    walk,
)
from derivgen.algebra.network import Equation, Function, Network, Role, Tensor
from derivgen.algebra.standin import evaluate_stand_in
from derivgen.errors import DerivgenError

mp: Any = mpmath.mp.clone()
mp.dps = 60
STEP = mp.mpf(10) ** -20
# Pairwise unequal sizes, in several orders: a window must fit into what it slides over.
POOLS = ((2, 3, 4, 5, 6), (5, 3, 2, 4, 6), (4, 2, 3, 5, 6), (3, 2, 5, 4, 6), (7, 3, 2, 4, 5),
         (3, 5, 4, 2, 6), (2, 3, 6, 5, 4), (2, 3, 7, 4, 5, 6))  # fmt: skip
OWN_SIZE = 5  # declared sizes up to here are taken as they are
MAX_STEPS = 400_000  # scalar operations in one evaluation of one element

Key = tuple[int, str, tuple[int, ...]]  # sample, tensor, position


class _Held:
    """The identity of a network, by which what was computed from it is kept."""


class NoValue(Exception):
    """An element has no value: out of range, a pole, too much work. ``reason`` is for messages."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


@dataclass(frozen=True)
class Numbers:
    """Sizes and given values of one world: parameters once, data for every sample."""

    sizes: Mapping[Dim, int]
    given: Mapping[Key, Any]
    samples: int


@dataclass
class World:
    """One network at given numbers; ``moved`` holds what is added to single elements."""

    network: Network
    numbers: Numbers
    moved: Mapping[Key, Any] = field(default_factory=dict)
    memo: dict[Key, Any] = field(default_factory=dict)
    children: dict[tuple[Key, int, bool], World] = field(default_factory=dict)
    work: int = 0
    parent: World | None = None
    blocked: tuple[str, ...] = ()
    nudge: Key | None = None
    variants: dict[tuple[str, ...], World] = field(default_factory=dict)

    def without(self, *blocked: str) -> World:
        """Return the world in which a dependence counts as constant when derivatives are taken.

        ``(reader, read)`` blocks one tensor's dependence on another, ``(reader, read, "here")``
        that on the moved element alone, ``("diagonal",)`` that of a function along indices on
        other positions than its own.
        """
        if blocked not in self.variants:
            made = World(self.network, self.numbers, self.moved, self.memo, blocked=blocked)
            self.variants[blocked] = made
        return self.variants[blocked]

    @property
    def samples(self) -> int:
        return self.numbers.samples

    def span(self, tensor: str, axis: int) -> range:
        """Return the index values along an axis."""
        bounds = self.network.tensors[tensor].axes[axis]
        return range(self.size(bounds.low), self.size(bounds.high))

    def size(self, form: Affine) -> int:
        return evaluate_affine(form, self.numbers.sizes)

    def shape(self, tensor: str) -> tuple[range, ...]:
        return tuple(self.span(tensor, n) for n in range(len(self.network.tensors[tensor].axes)))

    def element(self, tensor: str, place: tuple[int, ...], sample: int = 0) -> Any:
        """Return the value of an element. Raises: NoValue."""
        key = (self._sample(tensor, sample), tensor, place)
        found = self.memo.get(key)
        if found is None:
            found = _compute(self, key)
            self.memo[key] = found
        return found

    def _sample(self, tensor: str, sample: int) -> int:
        return sample if self.network.tensors[tensor].role is not Role.PARAM else 0

    def key(self, tensor: str, place: tuple[int, ...], sample: int) -> Key:
        return (self._sample(tensor, sample), tensor, place)

    def nudged(self, key: Key, sign: int) -> World:
        """Return the world in which one element, and all that follows from it, is moved a step."""
        child = self.children.get((key, sign, False))
        if child is None:
            moved = dict(self.moved)
            moved[key] = moved.get(key, mp.mpf(0)) + sign * STEP
            kept = _untouched(self, key)
            child = World(
                self.network,
                self.numbers,
                moved,
                kept,
                parent=self,
                blocked=self.blocked,
                nudge=key,
            )
            self.children[(key, sign, False)] = child
        return child

    def frozen(self, of: Key, by: Key, sign: int) -> World:
        """Return the world in which one equation alone sees ``by`` moved: immediate derivatives."""
        self.element(of[1], of[2], of[0])
        self.element(by[1], by[2], by[0])
        memo = dict(self.memo)
        memo[by] = memo[by] + sign * STEP
        memo.pop(of, None)
        return World(self.network, self.numbers, self.moved, memo)


def _untouched(world: World, key: Key) -> dict[Key, Any]:
    """Keep what an element cannot influence: given numbers, and other samples for data."""
    after = _downstream(world.network)[key[1]]
    kept = {k: v for k, v in world.memo.items() if k[1] not in after and k != key}
    if world.network.tensors[key[1]].role is not Role.PARAM:
        kept.update({k: v for k, v in world.memo.items() if k[0] != key[0]})
    return kept


def _compute(world: World, key: Key) -> Any:
    sample, tensor, place = key
    if key in world.numbers.given:
        value = world.numbers.given[key]
    else:
        value = _defined(world, tensor, place, sample)
    if key in world.moved:
        value = value + world.moved[key]
    return value


def _defined(world: World, tensor: str, place: tuple[int, ...], sample: int) -> Any:
    for number, span in enumerate(world.shape(tensor)):
        if place[number] not in span:
            raise NoValue(f"{tensor}{list(place)} is outside its range")
    best: tuple[int, Equation, dict[Index, int]] | None = None
    for equation in _equations(world.network).get(tensor, ()):
        at = _matching(world, equation.lhs, place)
        if at is not None and (best is None or len(at) < best[0]):
            best = (len(at), equation, at)
    if best is None:
        raise NoValue(f"{tensor}{list(place)} has no value")
    return _Evaluation(world, sample, tensor).value(best[1].rhs, best[2], {})


def _equations(network: Network) -> dict[str, list[Equation]]:
    return _graph(network)[0]


def _downstream(network: Network) -> dict[str, frozenset[str]]:
    """Return what each tensor influences; itself only if it feeds back."""
    return _graph(network)[1]


Graph = tuple[dict[str, list[Equation]], dict[str, frozenset[str]]]
_GRAPHS: WeakKeyDictionary[_Held, Graph] = WeakKeyDictionary()


def _graph(network: Network) -> Graph:
    held = network.__dict__.get("_held")
    if held is None:
        held = _Held()
        object.__setattr__(network, "_held", held)
        _GRAPHS[held] = _make_graph(network)
    return _GRAPHS[held]


def _make_graph(network: Network) -> Graph:
    grouped: dict[str, list[Equation]] = {}
    readers: dict[str, dict[str, None]] = {name: {} for name in network.tensors}
    for equation in network.equations:
        grouped.setdefault(equation.lhs.tensor, []).append(equation)
        for name in tensors_read(equation.rhs):
            readers.setdefault(name, {})[equation.lhs.tensor] = None
    return grouped, {name: _reached(name, readers) for name in readers}


def _reached(start: str, readers: Mapping[str, Mapping[str, None]]) -> frozenset[str]:
    found: set[str] = set()
    waiting = list(readers[start])
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting.extend(readers.get(name, {}))
    return frozenset(found)


def _matching(world: World, lhs: Access, place: tuple[int, ...]) -> dict[Index, int] | None:
    at: dict[Index, int] = {}
    rest: list[tuple[Affine, int]] = []
    for form, value in zip(lhs.indices, place):
        index = form.plain
        if index is None:
            rest.append((form, value))
        elif at.setdefault(index, value) != value or not _inside(world, index, value):
            return None
    for form, value in rest:
        if form.is_constant or all(isinstance(a, Dim) for a, _ in form.terms):
            if world.size(form) != value:
                return None
        elif not _solve(world, form, value, at):
            return None
    return at


def _inside(world: World, index: Index, value: int) -> bool:
    return world.size(index.low) <= value < world.size(index.high)


def _solve(world: World, form: Affine, value: int, at: dict[Index, int]) -> bool:
    """Find the one unknown index of an affine left side such as ``2*i+1``."""
    unknown = [a for a, _ in form.terms if isinstance(a, Index) and a not in at]
    if len(unknown) != 1:
        return evaluate_affine(form, {**world.numbers.sizes, **at}) == value
    for guess in range(world.size(unknown[0].low), world.size(unknown[0].high)):
        if evaluate_affine(form, {**world.numbers.sizes, **at, unknown[0]: guess}) == value:
            at[unknown[0]] = guess
            return True
    return False


Frame = Mapping[str, Any]


@dataclass(frozen=True)
class _Later:
    """An argument of a function along indices: evaluated where it is used."""

    expr: Expr
    at: Mapping[Index, int]
    frame: Frame
    rename: Mapping[str, Index]


@dataclass(frozen=True)
class _Evaluation:
    """Values of expressions for one sample."""

    world: World
    sample: int
    reader: str = ""

    def form(self, form: Affine, at: Mapping[Index, int]) -> int:
        total = form.constant
        for atom, count in form.terms:
            total += count * self._atom(atom, at)
        return total

    def _atom(self, atom: Any, at: Mapping[Index, int]) -> int:
        match atom:
            case Dim():
                return self.world.numbers.sizes[atom]
            case FloorDiv(inner, divisor):
                return self.form(inner, at) // divisor
            case Mod(inner, divisor):
                return self.form(inner, at) % divisor
            case Lookup(tensor, indices):
                place = tuple(self.form(i, at) for i in indices)
                return int(self.world.element(tensor, place, self.sample))
        if atom in at:
            return at[atom]
        for index, value in at.items():
            if index.name == atom.name:
                return value
        raise NoValue(f"index {atom.name} has no value")

    def value(self, expr: Node, at: Mapping[Index, int], frame: Frame) -> Any:
        self.world.work += 1
        if self.world.work > MAX_STEPS:
            raise NoValue("the network is too large to be evaluated")
        match expr:
            case Number(value):
                return mp.mpf(value.numerator) / value.denominator
            case Access():
                return self._access(expr, at, frame)
            case Add(terms):
                return mp.fsum(self.value(t, at, frame) for t in terms)
            case Mul(factors):
                total = mp.mpf(1)
                for factor in factors:
                    total = total * self.value(factor, at, frame)
                return total
            case Div(a, b):
                return _checked_div(self.value(a, at, frame), self.value(b, at, frame))
            case Pow(a, b):
                return power(self.value(a, at, frame), self.value(b, at, frame))
        return self._other(expr, at, frame)

    def _other(self, expr: Node, at: Mapping[Index, int], frame: Frame) -> Any:
        match expr:
            case IndexValue(form):
                return mp.mpf(self.form(form, at))
            case Call():
                args = tuple(self.value(a, at, frame) for a in expr.args)
                return apply(self.world.network, expr.name, args, expr.order)
            case Reduce():
                return self._reduce(expr, at, frame)
            case Along():
                return self._along(expr, at, frame)
            case Where(condition, yes, no):
                return self.value(yes if self.holds(condition, at, frame) else no, at, frame)
            case Iverson(condition):
                return mp.mpf(1 if self.holds(condition, at, frame) else 0)
            case Constant(name):
                return EXACT.constants[name]
            case Derivative(of, by):
                return self._derivative(of, by, at)
        raise NoValue(f"{type(expr).__name__} is not evaluated")

    def _access(self, expr: Access, at: Mapping[Index, int], frame: Frame) -> Any:
        if not expr.indices and expr.tensor in frame:
            found = frame[expr.tensor]
            if callable(found):
                return found(at)
            return self._forced(found, at) if isinstance(found, _Later) else found
        place = tuple(self.form(form, at) for form in expr.indices)
        if expr.outside is not None:
            spans = self.world.shape(expr.tensor)
            if any(p not in span for p, span in zip(place, spans)):
                return self.value(expr.outside, at, frame)
        source = self.world
        if source.blocked[:2] == (self.reader, expr.tensor) and source.parent is not None:
            key = source.key(expr.tensor, place, self.sample)
            if len(source.blocked) == 2 or source.nudge == key:
                source = source.parent
        return source.element(expr.tensor, place, self.sample)

    def _forced(self, later: _Later, at: Mapping[Index, int]) -> Any:
        inner = dict(later.at)
        for name, target in later.rename.items():
            for index, value in at.items():
                if index.name == name:
                    inner[target] = value
        moved = any(inner.get(target) != later.at.get(target) for target in later.rename.values())
        if moved and self.world.blocked == ("diagonal",) and self.world.parent is not None:
            return _Evaluation(self.world.parent, self.sample).value(later.expr, inner, later.frame)
        return self.value(later.expr, inner, later.frame)

    def _reduce(self, expr: Reduce, at: Mapping[Index, int], frame: Frame) -> Any:
        spans = [range(self.form(i.low, at), self.form(i.high, at)) for i in expr.bound]
        found = []
        for places in product(*spans):
            inner = {k: v for k, v in at.items() if k.name not in {b.name for b in expr.bound}}
            inner.update(zip(expr.bound, places))
            found.append(self.value(expr.body, inner, frame))
        return folded(expr.op, found)

    def _along(self, expr: Along, at: Mapping[Index, int], frame: Frame) -> Any:
        function = self.world.network.functions.get(expr.name)
        if function is None or function.body is None:
            raise NoValue(f"{expr.name} is not defined")
        rename = {own.name: given for own, given in zip(function.indices, expr.indices)}
        later = {p: _Later(a, at, frame, rename) for p, a in zip(function.params, expr.args)}
        settings = {n: mp.mpf(v.numerator) / v.denominator for n, v in function.settings}
        body = _rebound(function, expr.indices)
        inner = {_like(own, given): at[given] for own, given in zip(function.indices, expr.indices)}
        return self.value(body, inner, {**settings, **later})

    def _derivative(self, of: Access, by: Access, at: Mapping[Index, int]) -> Any:
        place = tuple(self.form(form, at) for form in by.indices)
        key = self.world.key(by.tensor, place, self.sample)
        target = tuple(self.form(form, at) for form in of.indices)
        plus = self.world.nudged(key, 1).element(of.tensor, target, self.sample)
        minus = self.world.nudged(key, -1).element(of.tensor, target, self.sample)
        return (plus - minus) / (2 * STEP)

    def holds(self, condition: Node, at: Mapping[Index, int], frame: Frame) -> bool:
        match condition:
            case Compare(op, left, right):
                return compare(op, self.value(left, at, frame), self.value(right, at, frame))
            case And(parts):
                return all(self.holds(p, at, frame) for p in parts)
            case Or(parts):
                return any(self.holds(p, at, frame) for p in parts)
            case Not(part):
                return not self.holds(part, at, frame)
        raise NoValue("this condition is not evaluated")


def evaluate_expression(world: World, expr: Expr, at: Mapping[Any, int], sample: int) -> Any:
    """Return the value of an expression of the network at index values."""
    return _Evaluation(world, sample).value(expr, at, {})


def evaluate_along(
    world: World,
    function: Function,
    given: tuple[Index, ...],
    at: Mapping[Index, int],
    argument: Callable[[Mapping[Index, int]], Any],
) -> Any:
    """Return a function along indices of an argument that is a Python function of them."""
    frame: dict[str, Any] = {n: mp.mpf(v.numerator) / v.denominator for n, v in function.settings}
    frame[function.params[0]] = argument
    return _Evaluation(world, 0).value(_rebound(function, given), at, frame)


def _like(own: Index, given: Index) -> Index:
    return Index(own.name, given.low, given.high)


def _rebound(function: Function, given: tuple[Index, ...]) -> Expr:
    """Give the reductions of a function along indices the range of the caller's indices."""
    from derivgen.algebra.expressions import transform

    mapping = {own.name: _like(own, g) for own, g in zip(function.indices, given)}

    def visit(part: Node) -> Node:
        if isinstance(part, Reduce):
            return Reduce(part.op, tuple(mapping.get(i.name, i) for i in part.bound), part.body)
        return part

    assert function.body is not None, "checked by the caller"
    return transform(function.body, visit)


def folded(op: str, values: list[Any]) -> Any:
    """Return the fold of some numbers."""
    if op == "sum":
        return mp.fsum(values)
    if op == "mean":
        return mp.fsum(values) / len(values)
    if op == "prod":
        total = mp.mpf(1)
        for value in values:
            total = total * value
        return total
    if op == "logsumexp":
        return mp.log(mp.fsum(mp.exp(v) for v in values))
    if op in ("max", "min") and values:
        return max(values) if op == "max" else min(values)
    raise NoValue(f"{op} over {len(values)} values")


def compare(op: str, left: Any, right: Any) -> bool:
    """Return whether a comparison holds."""
    if op in ("=", "!="):
        return (left == right) == (op == "=")
    if op in ("<", "<="):
        return bool(left < right or (op == "<=" and left == right))
    return bool(left > right or (op == ">=" and left == right))


def _checked_div(a: Any, b: Any) -> Any:
    if b == 0:
        raise NoValue("a division by zero")
    return a / b


def power(base: Any, exponent: Any) -> Any:
    """Return ``base ^ exponent``, real or no value."""
    if exponent == mp.floor(exponent) and abs(exponent) < 1000:
        if base == 0 and exponent < 0:
            raise NoValue("a division by zero")
        return base ** int(exponent)
    if base < 0:
        raise NoValue("a root of a negative number")
    return base**exponent


def apply(
    network: Network | None, name: str, args: tuple[Any, ...], order: tuple[int, ...] = ()
) -> Any:
    """Return a function's value, or its derivative where ``order`` asks for one.

    A derivative is a central difference: 60 digits leave it exact to 38.
    """
    if any(order):
        place = next(k for k, count in enumerate(order) if count)
        less = tuple(c - (k == place) for k, c in enumerate(order))
        moved = [
            tuple(a + s * STEP if k == place else a for k, a in enumerate(args)) for s in (1, -1)
        ]
        plus, minus = (apply(network, name, m, less) for m in moved)
        return (plus - minus) / (2 * STEP)
    function = network.functions.get(name) if network else None
    if function is None:
        return _builtin(name, args)
    if function.body is None:
        return mp.mpf(evaluate_stand_in(name, (0,) * len(args), args, EXACT))
    if function.indices:
        raise NoValue(f"{name} acts on a vector")
    settings = {n: mp.mpf(v.numerator) / v.denominator for n, v in function.settings}
    frame = {**settings, **dict(zip((*function.params, *settings), args))}
    assert network is not None, "a function comes from a network"
    return _Evaluation(World(network, Numbers({}, {}, 1)), 0).value(function.body, {}, frame)


def _builtin(name: str, args: tuple[Any, ...]) -> Any:
    if name not in EXACT.functions:
        raise NoValue(f"the function {name} is not known")
    found = EXACT.functions[name](*args)
    if isinstance(found, Fraction):
        return mp.mpf(found.numerator) / found.denominator
    value = mp.mpf(found)
    if mp.isnan(value) or mp.isinf(value):
        raise NoValue(f"{name} has no finite value here")
    return value


# --- drawing numbers -----------------------------------------------------------------------------


@dataclass(frozen=True)
class Draw:
    """How numbers are drawn: a seed, sizes equal or not, declared values or random ones."""

    seed: int = 1
    equal: bool = False
    own: bool = False  # the declared sizes, if they are small
    keep: tuple[str, ...] = ()  # size letters that keep their declared values
    declared: bool = False
    samples: int = 3
    normalised: bool = False  # targets sum to one though nothing declares it
    onehot: bool = False


def make_world(network: Network, draw: Draw) -> World:
    """Return a world of small sizes in which the loss has a value.

    Raises: NoValue, if none of the sizes tried gives one.
    """
    problem = NoValue("no sizes work")
    for sizes in _sizes(network, draw):
        if not _has_room(network, sizes, 1 if draw.declared else 2):
            continue
        for attempt in range(3):
            world = World(
                network, _numbers(network, sizes, replace(draw, seed=draw.seed + attempt))
            )
            try:
                _probe(world)
                return World(network, world.numbers)
            except NoValue as error:
                problem = error
            except DerivgenError as error:
                problem = NoValue(error.problem or error.subject)
    raise problem


def _has_room(network: Network, sizes: Mapping[Dim, int], least: int) -> bool:
    """Tell whether every axis has enough elements, or one where it is declared so."""
    for tensor in network.tensors.values():
        for axis in tensor.axes:
            count = evaluate_affine(axis.high, sizes) - evaluate_affine(axis.low, sizes)
            if count < least and not axis.size.is_constant or count < 1:
                return False
    return True


def _probe(world: World) -> None:
    for tensor in world.network.tensors.values():
        if tensor.role is Role.VALUE:
            first = tuple(span.start for span in world.shape(tensor.name))
            last = tuple(span[-1] for span in world.shape(tensor.name) if len(span))
            if len(last) == len(first):
                world.element(tensor.name, last)
    if world.network.loss:
        for sample in range(world.samples):
            world.element(world.network.loss, (), sample)


def _sizes(network: Network, draw: Draw) -> Iterator[dict[Dim, int]]:
    dims = list(network.dims)
    if draw.declared and all(network.dims[d] is not None for d in dims):
        yield {d: int(network.dims[d] or 1) for d in dims}
        return
    kept = {d: int(network.dims[d] or 3) for d in dims if d.name in draw.keep}
    own = [network.dims[d] or 99 for d in dims]
    if draw.own and max(own, default=0) <= OWN_SIZE and len(dict.fromkeys(own)) == len(own):
        yield {d: int(network.dims[d] or 3) for d in dims}
    if draw.equal:
        for size in (3, 2, 4):
            yield {**dict.fromkeys(dims, size), **kept}
        return
    for pool in POOLS:
        yield {**{d: pool[n] if n < len(pool) else 2 + n for n, d in enumerate(dims)}, **kept}
    for size in (3, 4):
        yield dict.fromkeys(dims, size)
    yield {d: int(network.dims[d] or 3) for d in dims}


def _numbers(network: Network, sizes: Mapping[Dim, int], draw: Draw) -> Numbers:
    rng = random.Random(draw.seed)
    samples = 1 if network.batch else draw.samples
    given: dict[Key, Any] = {}
    defined = {e.lhs.tensor for e in network.equations}
    for tensor in network.tensors.values():
        if tensor.name in defined and tensor.role is Role.VALUE:
            continue
        for sample in range(1 if tensor.role is Role.PARAM else samples):
            _draw_tensor(network, tensor, sample, sizes, rng, draw, given)
    return Numbers(sizes, given, samples)


def _draw_tensor(
    network: Network,
    tensor: Tensor,
    sample: int,
    sizes: Mapping[Dim, int],
    rng: random.Random,
    draw: Draw,
    given: dict[Key, Any],
) -> None:
    spans = [
        range(evaluate_affine(a.low, sizes), evaluate_affine(a.high, sizes)) for a in tensor.axes
    ]
    count = 1
    for span in spans:
        count *= len(span)
    if count > 3000:
        raise NoValue(f"{tensor.name} has {count} elements, too many to be evaluated")
    places = list(product(*spans))
    values = _declared(tensor, spans, draw) or _random(network, tensor, places, sizes, rng, draw)
    for place, value in zip(places, values):
        given[(sample, tensor.name, place)] = value


def _declared(tensor: Tensor, spans: list[range], draw: Draw) -> list[Any] | None:
    if tensor.values is None or not (draw.declared or tensor.role is Role.CONST):
        return None
    flat: list[Any] = []
    _flatten(tensor.values, flat)
    count = 1
    for span in spans:
        count *= len(span)
    if len(flat) == 1:
        flat = flat * count
    if len(flat) != count:
        return None
    return [mp.mpf(v.numerator) / v.denominator for v in flat]


def _flatten(values: Any, flat: list[Any]) -> None:
    if isinstance(values, tuple):
        for part in values:
            _flatten(part, flat)
    else:
        flat.append(values)


def _random(
    network: Network,
    tensor: Tensor,
    places: list[tuple[int, ...]],
    sizes: Mapping[Dim, int],
    rng: random.Random,
    draw: Draw,
) -> list[Any]:
    if tensor.values_of is not None:
        low = evaluate_affine(tensor.values_of.low, sizes)
        high = evaluate_affine(tensor.values_of.high, sizes)
        return [mp.mpf(rng.randrange(low, high)) for _ in places]
    if tensor.onehot or (draw.onehot and tensor.role is Role.TARGET):
        return _onehot(places, rng)
    if tensor.role is Role.TARGET or tensor.role is Role.RANDOM or tensor.role is Role.STATE:
        drawn = [_uniform(rng, 150, 850) for _ in places]
        if tensor.role is Role.TARGET and (draw.normalised or _sums_to_one(network, tensor)):
            return _normalised(drawn, places)
        return drawn
    return [_uniform(rng, 200, 1200) * rng.choice((1, -1)) for _ in places]


def _uniform(rng: random.Random, low: int, high: int) -> Any:
    return mp.mpf(rng.randrange(low * 1000, high * 1000)) / 1_000_000


def _onehot(places: list[tuple[int, ...]], rng: random.Random) -> list[Any]:
    rows = dict.fromkeys(place[:-1] for place in places)
    last = sorted({place[-1] for place in places if place})
    winners = {row: rng.choice(last) if last else 0 for row in rows}
    return [mp.mpf(1 if place and place[-1] == winners[place[:-1]] else 0) for place in places]


def _normalised(values: list[Any], places: list[tuple[int, ...]]) -> list[Any]:
    totals: dict[tuple[int, ...], Any] = {}
    for place, value in zip(places, values):
        totals[place[:-1]] = totals.get(place[:-1], mp.mpf(0)) + value
    return [value / totals[place[:-1]] for place, value in zip(places, values)]


def _sums_to_one(network: Network, tensor: Tensor) -> bool:
    return any(
        isinstance(side, Reduce) and side.body == part
        for fact in network.facts
        for side in (fact.left, fact.right)
        for part in walk(side)
        if isinstance(part, Access) and part.tensor == tensor.name
    )
