"""What both printers consume: a `Program`, everything about a trainer that is not text.

Sizes are numbers here, all but the number of samples, which stays a letter (`Program.samples`).
Index sets, access maps and shapes are kept as they are in the statements, so that a printer can
choose loops, products of matrices or tiles. Invariant: nothing in a program is left to derive.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from fractions import Fraction
from functools import cached_property
from typing import Union

from derivgen.algebra.affine import Affine, Dim, Index
from derivgen.algebra.expressions import ONE, Access, Expr
from derivgen.algebra.network import Distribution, Optimiser, Role, Training
from derivgen.algebra.node import record
from derivgen.algebra.statements import Statement


class Kind(Enum):
    """What a statement is, for a printer that wants to print it well."""

    CONTRACTION = "contraction"  # a sum over a product of accesses with plain indices
    MAP = "map"  # plain distinct indices on the left, nothing folded
    REDUCTION = "reduction"  # plain distinct indices or fixed entries on the left, a general fold
    SCATTER = "scatter"  # anything on the left: shifted, strided, repeated, looked-up entries


class Write(Enum):
    """How a statement's values reach its tensor.

    SET: every written entry is written here first, so ``=`` serves. FOLD: values are folded by
    the statement's op (``+=`` for sum) onto what a `Fill` or an earlier statement left there.
    """

    SET = "="
    FOLD = "op="


@record
class Array:
    """A tensor with its storage: entry ``i`` of an axis is at ``i - low``.

    ``shape`` holds constants, or the letter for the number of samples on ``sample_axis``.
    ``integer``: holds index values or positions of winners. ``values_of`` is the range of the
    index values held. ``letters`` is each size as the writer has it, ``S`` or ``784``.
    """

    name: str
    role: Role
    shape: tuple[Affine, ...] = ()
    lows: tuple[int, ...] = ()
    sample_axis: int | None = None
    integer: bool = False
    values_of: Index | None = None
    onehot: bool = False
    letters: tuple[str, ...] = ()

    @cached_property
    def highs(self) -> tuple[Affine, ...]:
        """Return the end of each axis: one beyond its last index."""
        return tuple(size + low for size, low in zip(self.shape, self.lows))

    @property
    def rank(self) -> int:
        """Return the number of axes."""
        return len(self.shape)

    @property
    def inner_shape(self) -> tuple[int, ...]:
        """Return the constant sizes: the shape of one sample."""
        return tuple(s.constant for a, s in enumerate(self.shape) if a != self.sample_axis)


@dataclass(frozen=True)
class Start:
    """How a parameter or state begins: ``kind`` is uniform, normal, constant or values.

    ``numbers``: low and high; mean and standard deviation; the constant; all values in row-major
    order. ``text`` says it in the writer's words (``glorot``).
    """

    kind: str
    numbers: tuple[float, ...]
    text: str = ""


@record
class Parameter:
    """A trained tensor, the number of its random stream, how it starts, and its gradient.

    ``gradient`` is the name of its adjoint, "" for one that the loss does not depend on.
    """

    name: str
    stream: int
    start: Start
    gradient: str


@dataclass(frozen=True)
class Random:
    """A random tensor of a training step; ``number`` enters its stream."""

    name: str
    number: int
    distribution: Distribution


@record
class Nest:
    """One statement to execute, with what lowering found out about it.

    For a contraction, ``scale * product of factors`` is the body. ``text`` is the equation as a
    comment, ``number`` its number in the notes (0 for none).
    """

    statement: Statement
    kind: Kind
    write: Write
    text: str = ""
    number: int = 0
    factors: tuple[Access, ...] = ()
    scale: Expr = ONE


@dataclass(frozen=True)
class Fill:
    """Set every entry of a tensor to the identity of its fold: 0, 1, -inf or inf."""

    tensor: str
    value: float


@dataclass(frozen=True)
class Loop:
    """Blocks run once for each value of ``index``, downwards if ``reverse``."""

    index: Index
    reverse: bool
    blocks: tuple[Block, ...]


Block = Union[Nest, Fill, Loop]


@dataclass(frozen=True)
class Routine:
    """A defined function that statements call; ``body`` is its stable form.

    Parameters are rank-0 accesses in the body. Routines stand in an order of definition.
    """

    name: str
    params: tuple[str, ...]
    body: Expr
    text: str = ""


@dataclass(frozen=True)
class Update:
    """The next value of a state: the tensor ``next`` is copied to ``state`` after a step."""

    state: str
    next: str


@dataclass(frozen=True)
class FactCheck:
    """Blocks that compute ``difference`` (left minus right of a used fact) from data alone."""

    text: str
    difference: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class Program:
    """A network ready to be printed.

    ``forward`` computes the loss in training, ``backward`` the gradients, ``predict`` the output
    from inputs alone, ``evaluate`` output and loss as at prediction; two of them that would be the
    same are the same object. ``loss`` has the sample axis exactly if the network was lifted:
    training minimises its mean. ``arrays`` holds every tensor that any block reads or writes.
    """

    name: str
    hash: str
    version: str
    dims: tuple[tuple[str, int], ...]
    samples: Dim
    dtype: str
    arrays: Mapping[str, Array]
    parameters: tuple[Parameter, ...]
    inputs: tuple[str, ...]
    targets: tuple[str, ...]
    constants: Mapping[str, Start]
    examples: Mapping[str, Start]  # declared values of inputs and targets
    randoms: tuple[Random, ...]
    states: Mapping[str, Start]
    updates: tuple[Update, ...]
    output: str
    loss: str
    forward: tuple[Block, ...]
    predict: tuple[Block, ...]
    evaluate: tuple[Block, ...]
    backward: tuple[Block, ...]
    routines: tuple[Routine, ...] = ()
    optimisers: Mapping[str, Optimiser] = field(default_factory=dict)
    training: Training | None = None
    facts: tuple[FactCheck, ...] = ()
    warnings: tuple[str, ...] = ()
    description: str = ""  # the network's text, for the header's comment

    @property
    def lifted(self) -> bool:
        """Tell whether the loss is one number per sample."""
        return self.arrays[self.loss].sample_axis is not None

    @property
    def blocks(self) -> tuple[Block, ...]:
        """Return the blocks of every part, forward first."""
        return self.forward + self.backward + self.predict + self.evaluate


def nests(blocks: tuple[Block, ...]) -> Iterator[Nest]:
    """Yield the statements of a block list in order of execution."""
    for block in blocks:
        if isinstance(block, Nest):
            yield block
        elif isinstance(block, Loop):
            yield from nests(block.blocks)


def extent(index: Index) -> int | None:
    """Return the number of values of an index, ``None`` if it is the number of samples."""
    return index.size.constant if index.size.is_constant else None


def exact(value: Fraction | int) -> float:
    """Return the double nearest to an exact number."""
    return float(Fraction(value))
