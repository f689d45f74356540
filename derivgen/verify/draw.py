"""Small sizes and random numbers that respect roles and declared facts, for a world."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

from derivgen.algebra.affine import Dim, evaluate_affine
from derivgen.algebra.expressions import (
    Access,
    Along,
    Call,
    Reduce,
    tensors_read,
    walk,
)
from derivgen.algebra.network import Network, Role, Tensor
from derivgen.errors import DerivgenError
from derivgen.verify.numeric import NoValue, mp
from derivgen.verify.trace import Key, Numbers
from derivgen.verify.world import World

# Pairwise unequal sizes, in several orders: a window must fit into what it slides over.
POOLS = ((2, 3, 4, 5, 6), (5, 3, 2, 4, 6), (4, 2, 3, 5, 6), (3, 2, 5, 4, 6), (7, 3, 2, 4, 5),
         (3, 5, 4, 2, 6), (2, 3, 6, 5, 4), (2, 3, 7, 4, 5, 6))  # fmt: skip
OWN_SIZE = 5  # declared sizes up to here are taken as they are
SMALL = mp.mpf(10) ** -9  # a chance below this does not bear the steps of a difference quotient
# Changes of a draw that gives no value: other numbers, a calmer network, inputs above zero.
ATTEMPTS: tuple[dict[str, Any], ...] = (
    {}, {"seed": 1}, {"seed": 2}, {"calm": 8}, {"positive": True},
    {"positive": True, "calm": 8},
)  # fmt: skip


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
    scale: int = 1  # how many times the usual size inputs and parameters have
    calm: int = 1  # what the parameters are divided by
    positive: bool = False  # inputs are above zero: the network takes their logarithm or root
    whole: bool = False  # small whole numbers, for a person to follow
    size: int = 0  # of every axis, where it is given


def make_world(network: Network, draw: Draw) -> World:
    """Return a world of small sizes in which the loss has a value.

    Raises: NoValue, if none of the sizes tried gives one.
    """
    problem = NoValue("no sizes work")
    for chosen in _sizes(network, draw):
        sizes = _with_derived(network, chosen)
        if not _has_room(network, sizes, 1 if draw.declared or draw.size else 2):
            continue
        for changes in ATTEMPTS:
            changed = replace(draw, **{**changes, "seed": draw.seed + changes.get("seed", 0)})
            world = World(network, _numbers(network, sizes, changed))
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
    for name in _under_logarithms(world.network):
        for place in product(*world.shape(name)):
            value = world.element(name, place)
            # A value of exactly 0 stands where no logarithm reads it: that one would have failed.
            if 0 < min(abs(value), abs(1 - value)) < SMALL:
                raise NoValue(f"{name} is too close to 0 or 1")


def _under_logarithms(network: Network) -> tuple[str, ...]:
    """Return the values whose logarithm is taken."""
    found: dict[str, None] = {}
    for equation in network.equations:
        for part in walk(equation.rhs):
            if isinstance(part, Call) and part.name == "log":
                found.update(dict.fromkeys(tensors_read(part)))
    return tuple(n for n in found if network.tensors[n].role is Role.VALUE)


def _sizes(network: Network, draw: Draw) -> Iterator[dict[Dim, int]]:
    dims = list(network.dims)
    if draw.declared and all(network.dims[d] is not None for d in dims):
        yield {d: int(network.dims[d] or 1) for d in dims}
        return
    kept = {d: int(network.dims[d] or 3) for d in dims if d.name in draw.keep}
    if draw.size:
        for other in (draw.size, draw.size + 1, draw.size + 2):
            # A window must fit into what it slides over: the first sizes may have to be larger.
            first = dict.fromkeys(dims[: (len(dims) + 1) // 2], other)
            yield {**dict.fromkeys(dims, draw.size), **first, **kept}
        return
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


def _with_derived(network: Network, sizes: dict[Dim, int]) -> dict[Dim, int]:
    """Return the sizes in which those made from others follow."""
    made = dict(sizes)
    for dim, form in network.derived.items():
        made[dim] = evaluate_affine(form, made)
    return made


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
    classes = _holds_classes(network, tensor)
    if tensor.onehot or (draw.onehot and classes):
        return _onehot(places, rng)
    if draw.whole:
        if _sums_to_one(network, tensor):
            return _onehot(places, rng)
        # The first numbers tried are positive: roots and logarithms exist.
        signs = (1,) if draw.seed == 1 else (1, -1)
        return [mp.mpf(rng.choice((1, 2, 3)) * rng.choice(signs)) for _ in places]
    if tensor.role is Role.TARGET or tensor.role is Role.RANDOM or tensor.role is Role.STATE:
        drawn = [_uniform(rng, 150, 850) for _ in places]
        if draw.normalised and classes or _sums_to_one(network, tensor):
            return _normalised(drawn, places)
        return drawn
    calm = draw.calm if tensor.role is Role.PARAM else 1
    signs = (1, 1) if draw.positive and tensor.role is not Role.PARAM else (1, -1)
    return [_uniform(rng, 200, 1200) * draw.scale * rng.choice(signs) / calm for _ in places]


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


def may_sum_to_one(network: Network) -> bool:
    """Tell whether some target may hold classes, and nothing says yet that it sums to one."""
    targets = network.of_role(Role.TARGET)
    return any(
        _holds_classes(network, t) and not t.onehot and not _sums_to_one(network, t)
        for t in targets
    )


def may_be_onehot(network: Network) -> bool:
    """Tell whether some target may hold classes, and nothing says yet that one is chosen."""
    targets = network.of_role(Role.TARGET)
    return any(_holds_classes(network, t) and not t.onehot for t in targets)


def _holds_classes(network: Network, tensor: Tensor) -> bool:
    """Tell whether a target has an axis of classes: a logarithm or a softmax scores them."""
    if tensor.role is not Role.TARGET or not tensor.axes or tensor.values_of is not None:
        return False
    batch = network.batch
    if batch is not None and tensor.axes[-1].high == batch.high:
        return False
    parts = (part for equation in network.equations for part in walk(equation.rhs))
    return any(isinstance(p, Along) or isinstance(p, Call) and p.name == "log" for p in parts)


def _sums_to_one(network: Network, tensor: Tensor) -> bool:
    return any(
        isinstance(side, Reduce) and side.body == part
        for fact in network.facts
        for side in (fact.left, fact.right)
        for part in walk(side)
        if isinstance(part, Access) and part.tensor == tensor.name
    )
