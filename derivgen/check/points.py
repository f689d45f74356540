"""The loss of a network at many points at once, in the interpreter.

Everything that depends on the parameters gets one index more, which numbers the points; the
statements are otherwise those of the network.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from derivgen.algebra.affine import Affine, Dim, Index, Lookup, affine, make_index, map_atoms
from derivgen.algebra.expressions import Access, Node, affine_forms, map_affine, tensors_read
from derivgen.algebra.expressions import transform as transform_nodes
from derivgen.algebra.network import Axis, Function, Tensor
from derivgen.algebra.statements import Assign, Block, Scan, Statement
from derivgen.algebra.values import Values
from derivgen.calculus.schedule import schedule
from derivgen.interpret import run

MOST_CELLS = 2_000_000  # elements of the largest lifted tensor times points, per run


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

    def node(self, part: Node) -> Node:
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


def losses_at(
    statements: Sequence[Statement],
    tensors: Mapping[str, Tensor],
    functions: Mapping[str, Function],
    loss: str,
    values: Values,
) -> Callable[[Mapping[str, Any]], Any]:
    """Return a function from arrays with a leading axis of points to the losses there."""
    blocks = schedule(statements, tensors)
    points = Dim("points")

    def losses(stacked: Mapping[str, Any]) -> Any:
        index = make_index("point'", points)
        lifting = Lifting(index, _dependent(statements, stacked))
        if loss not in lifting.names:
            return np.full(len(next(iter(stacked.values()))), _constant())
        lifted = tuple(lifting.block(block) for block in blocks)
        own = {n: _with_axis(t, index) if n in lifting.names else t for n, t in tensors.items()}
        return _in_pieces(lifted, own, stacked)

    def _constant() -> float:
        found = run(blocks, tensors, functions, values.dims, values.arrays)
        return float(found[loss])

    def _in_pieces(
        lifted: tuple[Block, ...], own: Mapping[str, Tensor], stacked: Mapping[str, Any]
    ) -> Any:
        count = len(next(iter(stacked.values())))
        step = max(1, MOST_CELLS // max(1, *(a[0].size for a in stacked.values())))
        found = []
        for start in range(0, count, step):
            piece = {name: array[start : start + step] for name, array in stacked.items()}
            dims = {**values.dims, points: len(next(iter(piece.values())))}
            found.append(run(lifted, own, functions, dims, {**values.arrays, **piece})[loss])
        return np.concatenate(found)

    return losses


def _dependent(statements: Sequence[Statement], names: Mapping[str, Any]) -> frozenset[str]:
    """Return ``names`` and every tensor computed from them."""
    found = set(names)
    size = -1
    while size != len(found):
        size = len(found)
        for statement in statements:
            read = dict(tensors_read(statement.body))
            for condition in statement.guard:
                read.update(tensors_read(condition))
            for form in affine_forms(statement.lhs):
                read.update(tensors_read_in(form))
            if any(name in found for name in read):
                found.add(statement.lhs.tensor)
    return frozenset(found)


def tensors_read_in(form: Affine) -> dict[str, None]:
    """Return the index-valued tensors a form looks up."""
    from derivgen.algebra.affine import lookups_of

    return {lookup.tensor: None for lookup in lookups_of(form)}


def _with_axis(tensor: Tensor, index: Index) -> Tensor:
    return replace(tensor, axes=(Axis(index.low, index.high), *tensor.axes))
