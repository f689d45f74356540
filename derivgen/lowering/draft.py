"""A program in the making: statement lists by part, tensors, sizes; what every pass maps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from derivgen.algebra.affine import Dim
from derivgen.algebra.network import Function, Network, Tensor
from derivgen.algebra.statements import Block as Scheduled
from derivgen.algebra.statements import Statement
from derivgen.calculus.derivation import Derivation
from derivgen.lowering.program import Array, Block


@dataclass(frozen=True)
class Draft:
    """What passes hand on.

    ``parts``: forward, backward, evaluate (the forward part as at prediction; absent if the same)
    and one ``fact N`` per used fact. A part goes from statements to scheduled blocks to blocks.
    """

    network: Network
    derivation: Derivation
    numbers: Mapping[Dim, int]
    samples: Dim
    parts: Mapping[str, tuple[Statement, ...]]
    tensors: Mapping[str, Tensor]
    output: str = ""
    arrays: Mapping[str, Array] = field(default_factory=dict)
    ops: Mapping[str, str] = field(default_factory=dict)  # how each tensor is folded
    functions: Mapping[str, Function] = field(default_factory=dict)
    scheduled: Mapping[str, tuple[Scheduled, ...]] = field(default_factory=dict)
    blocks: Mapping[str, tuple[Block, ...]] = field(default_factory=dict)
    equations: Mapping[str, int] = field(default_factory=dict)  # numbers in the notes
    nexts: Mapping[str, str] = field(default_factory=dict)  # state -> tensor of its next value
    facts: Mapping[str, tuple[str, str]] = field(default_factory=dict)  # part -> tensor, text
