"""The loss of a network at many points at once, in the interpreter.

Everything that depends on the parameters gets one index more, which numbers the points; the
statements are otherwise those of the network.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from derivgen.algebra.affine import (
    Affine,
    Dim,
    Index,
    Lookup,
    affine,
    evaluate_affine,
    make_index,
    map_atoms,
)
from derivgen.algebra.expressions import Access, Node, map_affine
from derivgen.algebra.expressions import transform as transform_nodes
from derivgen.algebra.network import Axis, Function, Tensor
from derivgen.algebra.statements import Assign, Block, Scan, Statement, statements_of
from derivgen.algebra.values import Values
from derivgen.calculus.derivation import Derivation
from derivgen.calculus.schedule import schedule
from derivgen.check.freeze import freeze
from derivgen.interpret import run

MOST_CELLS = 300_000  # of the largest nest times points, per run: about what a cache holds


@dataclass(frozen=True)
class Lifting:
    """The index of points, and the tensors that have it."""

    index: Index
    names: frozenset[str]

    def access(self, part: Node) -> Node:
        """Put the index in front of an access to a lifted tensor."""
        if isinstance(part, Access) and part.tensor in self.names:
            return replace(part, indices=(affine(self.index), *part.indices))
        return part

    def lookup(self, form: Affine) -> Affine:
        """Put the index in front of a lookup in a lifted tensor."""

        def visit(atom: Any) -> Affine | None:
            if isinstance(atom, Lookup) and atom.tensor in self.names:
                inner = tuple(map_atoms(i, visit) for i in atom.indices)
                return affine(Lookup(atom.tensor, (affine(self.index), *inner)))
            return None

        return map_atoms(form, visit)

    def node(self, part: Node) -> Any:
        """Lift an expression or a condition."""
        return transform_nodes(map_affine(part, self.lookup), self.access)

    def statement(self, statement: Statement) -> Statement:
        """Lift a statement that writes a lifted tensor; others stay as they are."""
        if statement.lhs.tensor not in self.names:
            return statement
        return replace(
            statement,
            indices=(self.index, *statement.indices),
            guard=tuple(self.node(condition) for condition in statement.guard),
            lhs=self.node(statement.lhs),
            body=self.node(statement.body),
        )

    def block(self, block: Block) -> Block:
        """Lift the statements of a block."""
        if isinstance(block, Assign):
            return Assign(self.statement(block.statement))
        return Scan(block.index, block.reverse, tuple(self.block(b) for b in block.blocks))


@dataclass(frozen=True)
class LossAtPoints:
    """The loss of scheduled statements as a function of arrays with a leading axis of points."""

    blocks: tuple[Block, ...]
    tensors: Mapping[str, Tensor]
    functions: Mapping[str, Function]
    loss: str
    values: Values

    def __call__(self, stacked: Mapping[str, Any]) -> Any:
        """Return the loss at every point of ``stacked``, in pieces that fit the memory."""
        count = len(next(iter(stacked.values())))
        index = make_index("point'", Dim("points'"))
        lifting = Lifting(index, _dependent(statements_of(self.blocks), stacked))
        if self.loss not in lifting.names:
            found = run(self.blocks, self.tensors, self.functions, *self._given())
            return np.full(count, float(found[self.loss]))
        step = max(1, MOST_CELLS // self._largest_nest())
        pieces = (
            {name: array[start : start + step] for name, array in stacked.items()}
            for start in range(0, count, step)
        )
        return np.concatenate([self._at(lifting, piece) for piece in pieces])

    def _largest_nest(self) -> int:
        return max(
            math.prod(evaluate_affine(index.size, self.values.dims) for index in statement.indices)
            for statement in statements_of(self.blocks)
        )

    def _given(self) -> tuple[Mapping[Dim, int], Mapping[str, Any]]:
        return self.values.dims, self.values.arrays

    def _at(self, lifting: Lifting, piece: Mapping[str, Any]) -> Any:
        axis = Axis(lifting.index.low, lifting.index.high)
        tensors = {
            name: replace(t, axes=(axis, *t.axes)) if name in lifting.names else t
            for name, t in self.tensors.items()
        }
        dims = {**self.values.dims, Dim("points'"): len(next(iter(piece.values())))}
        blocks = tuple(lifting.block(block) for block in self.blocks)
        arrays = {**self.values.arrays, **piece}
        return run(blocks, tensors, self.functions, dims, arrays)[self.loss]


def _dependent(statements: Sequence[Statement], names: Mapping[str, Any]) -> frozenset[str]:
    """Return ``names`` and every tensor computed from them."""
    found = dict.fromkeys(names)
    size = -1
    while size != len(found):
        size = len(found)
        for statement in statements:
            if any(name in found for name in statement.reads):
                found[statement.lhs.tensor] = None
    return frozenset(found)


def losses_at(derivation: Derivation, values: Values) -> LossAtPoints:
    """Return the loss of a derivation's network as a function of many points.

    What stands inside ``stop_gradient`` keeps the value it has at ``values``: a slope that the
    derivation leaves out by order must not be measured either.
    """
    network = derivation.network
    assert network.loss is not None, "only a network with a loss is derived"
    frozen = freeze(derivation.forward, derivation.tensors, network.functions)
    arrays = dict(values.arrays)
    if frozen.made:
        blocks = schedule((*derivation.forward, *frozen.made), frozen.tensors)
        found = run(blocks, frozen.tensors, network.functions, values.dims, arrays)
        arrays.update({s.lhs.tensor: found[s.lhs.tensor] for s in frozen.made})
    return LossAtPoints(
        schedule(frozen.statements, frozen.tensors),
        frozen.tensors,
        network.functions,
        network.loss,
        Values(values.dims, arrays),
    )
