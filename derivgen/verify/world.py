"""A network at small concrete sizes with random numbers of 60 digits, and its derivatives.

Elements are computed one by one from the equations as written, so any element, of a parameter or
in the middle of the network, can be moved a little: a derivative is the central difference over a
step of 1e-20, exact to about 38 digits. The engine that derives gradients is not used here, so a
verdict is independent of it. Invariant: a world never changes, but for what it has computed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Any

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
    Position,
    Pow,
    Reduce,
    Where,
    transform,
)
from derivgen.algebra.network import Equation, Function, Network, Role
from derivgen.algebra.standin import evaluate_stand_in
from derivgen.verify.graph import equations, matching
from derivgen.verify.numeric import STEP, NoValue, builtin, checked_div, compare, folded, mp, power
from derivgen.verify.trace import Key, Numbers, Trace

MOST_MOVES = 1  # a difference of slopes; of a difference of differences no digit is left
MAX_STEPS = 2_000_000  # scalar operations in one comparison, derivatives included


Blocked = tuple[tuple[str, ...], ...]
DIAGONAL = ("diagonal",)


@dataclass
class World:
    """One network at given numbers; ``moved`` holds what is added to single elements."""

    network: Network
    numbers: Numbers
    moved: Mapping[Key, Any] = field(default_factory=dict)
    memo: dict[Key, Any] = field(default_factory=dict)
    children: dict[tuple[Key, int], World] = field(default_factory=dict)
    parent: World | None = None
    blocked: Blocked = ()
    paths: Any = None  # `derivgen.verify.paths.Paths`, made when first asked for
    variants: dict[Blocked, World] = field(default_factory=dict)
    trace: Trace = field(default_factory=Trace)

    def without(self, *blocked: tuple[str, ...]) -> World:
        """Return the world in which dependences count as constant when derivatives are taken.

        ``(reader, read)`` blocks one tensor's dependence on another, ``(reader, read, "here")``
        that on the moved element alone, ``("diagonal",)`` that of a function along indices on
        other positions than its own.
        """
        if blocked not in self.variants:
            made = World(self.network, self.numbers, self.moved, self.memo, trace=self.trace)
            made.blocked, made.parent, made.paths = blocked, self, self.paths
            self.variants[blocked] = made
        return self.variants[blocked]

    def pinned(self, keys: tuple[Key, ...]) -> World:
        """Return the world in which some elements keep their values, whatever they depend on."""
        if (name := (("pinned", *map(str, keys)),)) not in self.variants:
            fixed = {key: self.element(key[1], key[2], key[0]) for key in keys}
            numbers = replace(self.numbers, given={**self.numbers.given, **fixed})
            memo = dict(self.memo)
            self.variants[name] = World(self.network, numbers, self.moved, memo, trace=self.trace)
        return self.variants[name]

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
        found = self.numbers.spans.get(tensor)
        if found is None:
            axes = range(len(self.network.tensors[tensor].axes))
            found = self.numbers.spans[tensor] = tuple(self.span(tensor, n) for n in axes)
        return found

    def element(self, tensor: str, place: tuple[int, ...], sample: int = 0) -> Any:
        """Return the value of an element. Raises: NoValue."""
        key = (self._sample(tensor, sample), tensor, place)
        computing = self.trace.computing
        if computing:
            self.trace.readers.setdefault(key, {})[computing[-1]] = None
        found = self.memo.get(key)
        if found is None:
            computing.append(key)
            try:
                found = self.memo[key] = _compute(self, key)
            finally:
                computing.pop()
        return found

    def _sample(self, tensor: str, sample: int) -> int:
        return sample if self.network.tensors[tensor].role is not Role.PARAM else 0

    def key(self, tensor: str, place: tuple[int, ...], sample: int) -> Key:
        return (self._sample(tensor, sample), tensor, place)

    def nudged(self, key: Key, sign: int) -> World:
        """Return the world in which one element, and all that follows from it, is moved a step.

        Raises: NoValue, where so many moves leave no digit of a difference of differences.
        """
        child = self.children.get((key, sign))
        if child is None:
            moved = dict(self.moved)
            moved[key] = moved.get(key, mp.mpf(0)) + sign * STEP
            if sum(map(abs, moved.values())) > (MOST_MOVES + 0.5) * STEP:
                raise NoValue("derivatives are nested too deeply")
            kept = _untouched(self, key)
            child = World(self.network, self.numbers, moved, kept, trace=self.trace)
            self.children[(key, sign)] = child
        return child


def _untouched(world: World, key: Key) -> dict[Key, Any]:
    """Keep what an element cannot influence."""
    after = world.trace.after(key)
    return {k: v for k, v in world.memo.items() if k not in after and k != key}


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
    equation, at = definition(world, tensor, place)
    return Evaluation(world, sample).value(equation.rhs, at, {})


def definition(
    world: World, tensor: str, place: tuple[int, ...]
) -> tuple[Equation, dict[Index, int]]:
    """Return the equation that defines an element, and its index values. Raises: NoValue."""
    for number, span in enumerate(world.shape(tensor)):
        if place[number] not in span:
            raise NoValue(f"{tensor}{list(place)} is outside its range")
    best: tuple[Equation, dict[Index, int]] | None = None
    for equation in equations(world.network).get(tensor, ()):
        at = matching(equation.lhs, place, world.numbers.sizes)
        if at is not None and (best is None or len(at) < len(best[1])):
            best = (equation, at)
    if best is None:
        raise NoValue(f"{tensor}{list(place)} has no value")
    return best


Frame = Mapping[str, Any]


@dataclass(frozen=True)
class _Later:
    """An argument of a function along indices: evaluated where it is used."""

    expr: Expr
    at: Mapping[Index, int]
    frame: Frame
    rename: Mapping[str, Index]


@dataclass(frozen=True)
class Evaluation:
    """Values of expressions for one sample."""

    world: World
    sample: int

    def form(self, form: Affine, at: Mapping[Index, int]) -> int:
        plain = form.plain
        if plain is not None and plain in at:
            return at[plain]
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
        trace = self.world.trace
        trace.work += 1
        if trace.work > MAX_STEPS:
            raise NoValue("the network is too large to be evaluated")
        match expr:
            case Number(value):
                return mp.mpf(value.numerator) / value.denominator
            case Access():
                return self._access(expr, at, frame)
            case Add(terms):
                return mp.fsum(self.value(t, at, frame) for t in terms)
            case Mul(factors):
                return self._product(factors, at, frame)
            case Div(a, b):
                return checked_div(self.value(a, at, frame), self.value(b, at, frame))
            case Pow(a, b):
                return power(self.value(a, at, frame), self.value(b, at, frame))
        return self._other(expr, at, frame)

    def _product(self, factors: tuple[Expr, ...], at: Mapping[Index, int], frame: Frame) -> Any:
        """Return a product; where a bracket in it is zero nothing else is read."""
        brackets = [f for f in factors if isinstance(f, Iverson)]
        if not all(self.holds(f.condition, at, frame) for f in brackets):
            return mp.mpf(0)
        return mp.fprod(self.value(f, at, frame) for f in factors if not isinstance(f, Iverson))

    def _other(self, expr: Node, at: Mapping[Index, int], frame: Frame) -> Any:
        match expr:
            case IndexValue(form):
                return mp.mpf(self.form(form, at))
            case Position(indices):
                return self._position(indices, at)
            case Call():
                seen = self if expr.name != "stop_gradient" else self._unmoved()
                args = tuple(seen.value(a, at, frame) for a in expr.args)
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

    def _unmoved(self) -> Evaluation:
        """Return the evaluation in the world before any element was moved: slopes stop there."""
        world = self.world
        while world.parent is not None:
            world = world.parent
        return Evaluation(world, self.sample)

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
        return self.world.element(expr.tensor, place, self.sample)

    def _forced(self, later: _Later, at: Mapping[Index, int]) -> Any:
        inner = dict(later.at)
        for name, target in later.rename.items():
            for index, value in at.items():
                if index.name == name:
                    inner[target] = value
        moved = any(inner.get(target) != later.at.get(target) for target in later.rename.values())
        if moved and DIAGONAL in self.world.blocked and self.world.parent is not None:
            return Evaluation(self.world.parent, self.sample).value(later.expr, inner, later.frame)
        return self.value(later.expr, inner, later.frame)

    def _reduce(self, expr: Reduce, at: Mapping[Index, int], frame: Frame) -> Any:
        found = [self.value(expr.body, inner, frame) for inner in self.inside(expr, at)]
        return folded(expr.op, found)

    def inside(self, expr: Reduce, at: Mapping[Index, int]) -> Iterator[dict[Index, int]]:
        """Yield the index values inside a reduction."""
        spans = [range(self.form(i.low, at), self.form(i.high, at)) for i in expr.bound]
        names = [index.name for index in expr.bound]
        outer = {k: v for k, v in at.items() if k.name not in names}
        for places in product(*spans):
            yield {**outer, **dict(zip(expr.bound, places))}

    def _position(self, indices: tuple[Index, ...], at: Mapping[Index, int]) -> Any:
        place = 0
        for index in indices:
            low = self.form(index.low, at)
            place = place * (self.form(index.high, at) - low) + at[index] - low
        return mp.mpf(place)

    def _along(self, expr: Along, at: Mapping[Index, int], frame: Frame) -> Any:
        function = self.world.network.functions.get(expr.name)
        if function is None or function.body is None:
            raise NoValue(f"{expr.name} is not defined")
        rename = {own.name: given for own, given in zip(function.indices, expr.indices)}
        later = {p: _Later(a, at, frame, rename) for p, a in zip(function.params, expr.args)}
        settings = {n: mp.mpf(v.numerator) / v.denominator for n, v in function.settings}
        body = rebound(function, expr.indices)
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
                sides = self.value(left, at, frame), self.value(right, at, frame)
                if sides[0] == sides[1] and not isinstance(left, IndexValue):
                    self.world.trace.ties += 1
                return compare(op, *sides)
            case And(parts):
                return all(self.holds(p, at, frame) for p in parts)
            case Or(parts):
                return any(self.holds(p, at, frame) for p in parts)
            case Not(part):
                return not self.holds(part, at, frame)
        raise NoValue("this condition is not evaluated")


def evaluate_expression(world: World, expr: Expr, at: Mapping[Any, int], sample: int) -> Any:
    """Return the value of an expression of the network at index values."""
    return Evaluation(world, sample).value(expr, at, {})


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
    return Evaluation(world, 0).value(rebound(function, given), at, frame)


def _like(own: Index, given: Index) -> Index:
    return Index(own.name, given.low, given.high)


def rebound(function: Function, given: tuple[Index, ...]) -> Expr:
    """Give the reductions of a function along indices the range of the caller's indices."""
    mapping = {own.name: _like(own, g) for own, g in zip(function.indices, given)}

    def visit(part: Node) -> Node:
        if isinstance(part, Reduce):
            return Reduce(part.op, tuple(mapping.get(i.name, i) for i in part.bound), part.body)
        return part

    assert function.body is not None, "checked by the caller"
    return transform(function.body, visit)


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
        return builtin(name, args)
    if function.body is None:
        return mp.mpf(evaluate_stand_in(name, (0,) * len(args), args, EXACT))
    if function.indices:
        raise NoValue(f"{name} acts on a vector")
    settings = {n: mp.mpf(v.numerator) / v.denominator for n, v in function.settings}
    frame = {**settings, **dict(zip((*function.params, *settings), args))}
    assert network is not None, "a function comes from a network"
    return Evaluation(World(network, Numbers({}, {}, 1)), 0).value(function.body, {}, frame)
