"""The normal form everything computes with: ``for I where G: out[g(I)] op= body(I)``.

Several statements may write one tensor: their contributions are folded by ``op`` onto its
identity (0 for sum). A body is a scalar expression in accesses; no reduction stands inside it.
Invariant: `Statement` refuses to exist in any other form.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from typing import Any, Union

from derivgen.algebra.affine import Index, lookups_of
from derivgen.algebra.expressions import (
    Access,
    Condition,
    Expr,
    seen,
    tensors_read,
    used_indices,
)
from derivgen.algebra.node import node, record

OPS = ("sum", "prod", "max", "min", "argmax", "argmin")


@node
class Statement:
    """One loop nest ``for indices where guard: lhs op= body``.

    ``equation`` is the number of the network's equation it comes from (-1 for none).
    """

    indices: tuple[Index, ...]
    guard: tuple[Condition, ...]
    lhs: Access
    op: str
    body: Expr
    equation: int = -1

    def __post_init__(self) -> None:
        if reason := not_normal(self):
            raise AssertionError(f"not in normal form: {reason}: {self}")

    @property
    def bound(self) -> tuple[Index, ...]:
        """Return the indices that do not occur on the left: those folded away."""
        left = used_indices(self.lhs)
        return tuple(i for i in self.indices if i not in left)

    @property
    def reads(self) -> tuple[str, ...]:
        """Return the tensors read, those of guards and of the left side's lookups included."""
        kept: Any = self
        found: tuple[str, ...] | None = kept._reads
        if found is None:
            lookups = (x.tensor for form in self.lhs.indices for x in lookups_of(form))
            parts = (tensors_read(part) for part in (self.body, *self.guard))
            found = kept._reads = tuple(dict.fromkeys(chain(*parts, lookups)))
        return found

    @property
    def is_map(self) -> bool:
        """Tell whether the left side is plain distinct indices and nothing is folded."""
        return plain_lhs(self.lhs) is not None and not self.bound


def plain_lhs(lhs: Access) -> tuple[Index, ...] | None:
    """Return the left side's indices if they are plain and distinct, else ``None``."""
    found: list[Index] = []
    for form in lhs.indices:
        index = form.plain
        if index is None or index in found:
            return None
        found.append(index)
    return tuple(found)


def not_normal(statement: Statement) -> str | None:
    """Return why ``statement`` is not in normal form, or ``None``."""
    looped = statement.indices
    if statement.op not in OPS:
        return f"unknown fold {statement.op}"
    if len({index.name for index in looped}) != len(looped):
        return f"repeated index among {[index.name for index in looped]}"
    if explicit := seen(statement.body).explicit:
        return explicit
    for expr in (statement.body, statement.lhs, *statement.guard):
        used = seen(expr).indices
        if not all(index in looped for index in used):
            return f"indices {[i.name for i in used if i not in looped]} are not looped over"
    return None


@record
class Assign:
    """A block of one statement."""

    statement: Statement


@dataclass(frozen=True)
class Scan:
    """A block run step by step along an index: ``for index: blocks``.

    Every statement below loops over ``index`` itself (the scheduler renames); at a step it is run
    with that index fixed, over the rest of its nest. ``index`` spans the union of the statements'
    ranges; a statement whose own range is smaller carries that as a guard. ``reverse``: downwards.
    """

    index: Index
    reverse: bool
    blocks: tuple[Block, ...]


Block = Union[Assign, Scan]


def statements_of(blocks: tuple[Block, ...]) -> tuple[Statement, ...]:
    """Return the statements of a block list in order of execution."""
    found: list[Statement] = []
    for block in blocks:
        if isinstance(block, Assign):
            found.append(block.statement)
        else:
            found.extend(statements_of(block.blocks))
    return tuple(found)
