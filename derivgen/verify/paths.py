"""Derivatives in a world as sums over all paths: local slopes by differences, multiplied along.

The local slope of an element by one that its equation reads is a central difference of that one
equation, exact to about 38 digits; a total derivative is the sum over paths of their products. A
dependence that counts as constant is an edge left out. The engine is not used here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from derivgen.algebra.affine import Index
from derivgen.algebra.expressions import Add, Derivative, Node, Reduce, walk
from derivgen.algebra.network import Network
from derivgen.verify.numeric import STEP, mp
from derivgen.verify.trace import Key
from derivgen.verify.world import DIAGONAL, Blocked, Evaluation, World, definition

Slopes = Mapping[Key, Any]
Part = tuple[Node, Mapping[Index, int], Fraction]  # an expression, index values, a factor


@dataclass
class Paths:
    """The edges of a world and what was summed along them so far."""

    world: World
    edges: dict[tuple[Key, bool], Slopes] = field(default_factory=dict)
    sums: dict[tuple[Key, Blocked], Slopes] = field(default_factory=dict)

    def local(self, key: Key, diagonal: bool = False) -> Slopes:
        """Return the slope of an element by each element that its equation reads.

        ``diagonal`` takes a function along indices for constant in other positions than its own.
        """
        found = self.edges.get((key, diagonal))
        if found is None:
            slopes: dict[Key, Any] = {}
            for part in self._parts(key):
                for read, slope in self._slopes(part, key[0], diagonal):
                    slopes[read] = slopes.get(read, mp.mpf(0)) + slope
            found = self.edges[key, diagonal] = slopes
        return found

    def _parts(self, key: Key) -> Iterator[Part]:
        """Yield what the equation of an element adds up: a difference is taken of each alone."""
        self.world.element(key[1], key[2], key[0])
        if key in self.world.numbers.given:
            return
        equation, at = definition(self.world, key[1], key[2])
        waiting: list[Part] = [(equation.rhs, at, Fraction(1))]
        while waiting:
            expr, here, weight = waiting.pop()
            if isinstance(expr, Add):
                waiting += [(term, here, weight) for term in expr.terms]
            elif isinstance(expr, Reduce) and expr.op in ("sum", "mean"):
                inner = list(Evaluation(self.world, key[0]).inside(expr, here))
                share = weight / len(inner) if expr.op == "mean" and inner else weight
                waiting += [(expr.body, place, share) for place in inner]
            else:
                yield expr, here, weight

    def _slopes(self, part: Part, sample: int, diagonal: bool) -> Iterator[tuple[Key, Any]]:
        expr, at, weight = part
        seen = Seen(self.world)
        Evaluation(seen, sample).value(expr, at, {})
        blocked = (DIAGONAL,) if diagonal else ()
        for read in seen.seen:
            if self.world.network.tensors[read[1]].values_of is not None:
                continue
            ends = [
                Evaluation(Moved(self.world, read, s * STEP, blocked), sample).value(expr, at, {})
                for s in (1, -1)
            ]
            difference = (ends[0] - ends[1]) / (2 * STEP)
            yield read, difference * weight.numerator / weight.denominator

    def total(self, of: Key, by: Key, blocked: Blocked = ()) -> Any:
        """Return the total derivative of one element by another."""
        whole = self.all_of(of, tuple(edge for edge in blocked if len(edge) < 3))
        here = [edge[0] for edge in blocked if len(edge) == 3 and edge[1] == by[1]]
        if not here or of == by:
            return whole.get(by, mp.mpf(0))
        after = self.world.trace.readers.get(by, {})
        kept = [key for key in after if key[1] not in here and key in whole]
        return mp.fsum(whole[key] * self.local(key)[by] for key in kept)

    def all_of(self, of: Key, blocked: Blocked) -> Slopes:
        """Return the derivatives of one element by all that it follows from."""
        found = self.sums.get((of, blocked))
        if found is None:
            found = self.sums[of, blocked] = self._summed(of, blocked)
        return found

    def within(self, of: Key, follows: Callable[[Key], bool]) -> Slopes:
        """Return the derivatives of an element by what it reads along equations that follow."""
        total: dict[Key, Any] = {of: mp.mpf(1)}
        for key in reversed(list(self._in_order(of, False))):
            here = total.get(key)
            if not here or not follows(key):
                continue
            for read, slope in self.local(key).items():
                total[read] = total.get(read, mp.mpf(0)) + here * slope
        return total

    def _summed(self, of: Key, blocked: Blocked) -> Slopes:
        diagonal = DIAGONAL in blocked
        total: dict[Key, Any] = {of: mp.mpf(1)}
        for key in reversed(list(self._in_order(of, diagonal))):
            here = total.get(key)
            if not here:
                continue
            for read, slope in self.local(key, diagonal).items():
                if slope and (key[1], read[1]) not in blocked:
                    self.world.trace.work += 1
                    total[read] = total.get(read, mp.mpf(0)) + here * slope
        return total

    def _in_order(self, of: Key, diagonal: bool) -> Iterator[Key]:
        """Yield an element and all it follows from, each after what it reads."""
        done: dict[Key, None] = {}
        waiting: list[tuple[Key, Iterator[Key]]] = [(of, iter(self.local(of, diagonal)))]
        opened = {of}
        while waiting:
            key, reads = waiting[-1]
            for read in reads:
                if read not in opened:
                    opened.add(read)
                    waiting.append((read, iter(self.local(read, diagonal))))
                    break
            else:
                waiting.pop()
                done[key] = None
                yield key


class Seen(World):
    """A world that notes which elements are read."""

    def __init__(self, base: World) -> None:
        super().__init__(base.network, base.numbers, base.moved, base.memo, trace=base.trace)
        self.parent = base
        self.seen: dict[Key, None] = {}

    def element(self, tensor: str, place: tuple[int, ...], sample: int = 0) -> Any:
        assert self.parent is not None, "it is seen from a world"
        self.seen[self.key(tensor, place, sample)] = None
        return self.parent.element(tensor, place, sample)


class Moved(World):
    """A world seen by one equation: a single element is off by ``by``, the rest as it is."""

    def __init__(self, base: World, at: Key, by: Any, blocked: Blocked = ()) -> None:
        super().__init__(base.network, base.numbers, base.moved, base.memo, trace=base.trace)
        self.parent, self.at, self.by, self.blocked = base, at, by, blocked

    def element(self, tensor: str, place: tuple[int, ...], sample: int = 0) -> Any:
        assert self.parent is not None, "it is seen from a world"
        value = self.parent.element(tensor, place, sample)
        return value + self.by if self.key(tensor, place, sample) == self.at else value


class Sloped(World):
    """A world whose elements are their derivatives by one element of another world."""

    def __init__(self, base: World, by: Key) -> None:
        super().__init__(base.network, base.numbers, base.moved, {}, blocked=base.blocked)
        self.parent, self.by = base, by

    def element(self, tensor: str, place: tuple[int, ...], sample: int = 0) -> Any:
        assert self.parent is not None, "it is seen from a world"
        of = self.key(tensor, place, sample)
        return paths_of(self.parent).total(of, self.by, self.parent.blocked)


def paths_of(world: World) -> Paths:
    """Return the paths of a world; variants with a blocked dependence share them."""
    if world.paths is None:
        world.paths = Paths(world if world.parent is None else world.parent)
    found: Paths = world.paths
    return found


def has_inner_derivatives(network: Network) -> bool:
    """Tell whether an equation reads a derivative: its local slopes are then no plain ones."""
    found = network.__dict__.get("_inner_derivatives")
    if found is None:
        parts = (part for equation in network.equations for part in walk(equation.rhs))
        found = any(isinstance(part, Derivative) for part in parts)
        object.__setattr__(network, "_inner_derivatives", found)
    return bool(found)
