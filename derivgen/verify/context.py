"""Where a term is evaluated: the world, the values of its letters, and one consistent reading."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from derivgen.formulas.symbols import Symbols
from derivgen.formulas.terms import At, Part, Term, letters_in
from derivgen.verify.numeric import NoValue
from derivgen.verify.world import World

Value = Any  # a number of 60 digits, or an object array of them


class NoPoint(NoValue):
    """The formula does not speak of this point."""


class ShapeMismatch(NoValue):
    """Two matrices do not fit; ``reason`` tells their shapes."""


class Beyond(ShapeMismatch):
    """A window reaches over the edge: an index of two letters, as in ``x_{i+m}``, is outside."""


@dataclass(frozen=True)
class Reading:
    """One consistent way to read what paper leaves open."""

    layout: str = "columns"  # how vectors stand
    dot: str = "product"  # two vectors beside each other: product (inner) or hadamard
    tight: bool = False  # A (.) B C is A (.) (B C): a product without a sign binds closer
    star: str = "hadamard"  # the sign * between matrices of one shape
    otimes: str = "hadamard"  # or outer
    jacobian: str = "numerator"  # rows are the differentiated quantity; or denominator
    gradient_rows: bool = False  # a derivative of a number by a vector stands across the vector
    # Fractions that are the equation's own slope: all, those by parameters, those by parameters
    # beside a total one ("member").
    immediate: str = ""
    entries: bool = False  # dz/dW = x stands for what is not zero in it, dz_a/dW_ab = x_b
    mean: bool = False  # the loss without a sample index is the mean over samples
    batch: str = ""  # whole data tensors hold all samples, as rows or as columns
    forward: bool = False  # a product sign over matrices runs to the right; Jacobians to the left
    total: bool = False  # the loss without a sample index is the sum over samples
    delta_sign: int = 1  # delta is the derivative by a pre-activation, or minus it
    delta_rule: bool = False  # the text may mean minus the derivative: it writes t - o or Delta w
    share: bool = False  # dZ is the gradient of the mean over samples, not of each sample's loss
    # Whose derivative delta o and do are, where o = f(z): "value", "argument"; empty if open.
    gates: str = ""
    step_sign: int = -1  # Delta w is minus or plus the step size times the gradient
    rate_one: bool = False  # Delta w without a step size is minus the gradient, not the gradient
    fixed: bool = False  # no other reading is tried: the rest of the chain was read so


MANY = 8  # parts of one sum or product take as long as a part of its own


@dataclass
class Memo:
    """Values of parts of formulas at one world, reading and meaning of the letters.

    ``layers`` are the letters on which the ranges of others depend; ``work`` counts what was
    computed anew.
    """

    layers: tuple[str, ...] = ()
    known: dict[Any, Any] = field(default_factory=dict)
    work: int = 0


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
    evaluators: Mapping[str, Callable[[Term, Context], Value]] = field(default_factory=dict)
    memo: Memo | None = None

    def with_letters(self, more: Mapping[str, int]) -> Context:
        return replace(self, at={**self.at, **more})


def evaluate(term: Term, context: Context) -> Value:
    """Return the value of a term. Raises: NoValue, ShapeMismatch."""
    memo = context.memo
    if memo is None:
        return context.evaluators[term.op](term, context)
    names = (*letters_in(term), *memo.layers)
    key = (term, context.sample, context.one_sample, *(context.at.get(n) for n in names))
    found = memo.known.get(key)
    if found is None:
        memo.work += max(1, len(term.args) // MANY)
        try:
            found = context.evaluators[term.op](term, context)
        except NoValue as error:
            found = error
        memo.known[key] = found
    if isinstance(found, NoValue):
        raise found.with_traceback(None)
    return found


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
            total += count * size(name, context)
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


def size(name: str, context: Context) -> int:
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
        samples = context.world.network.batch
        if samples is not None:
            return context.world.size(samples.high) - context.world.size(samples.low)
        return context.world.samples
    raise NoValue(f"the size {name} is not known")
