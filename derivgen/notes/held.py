"""What a local derivative holds fixed: other operands that depend on what it is taken by.

``d above / d below`` of one equation differs from the total derivative where another operand of
``above`` depends on ``below``. Dependence is followed from tensor to tensor along with the offset
on the axis that counts steps: ``h_{t-1}`` depends on ``R``, not on ``a_t``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from derivgen.algebra.affine import Affine
from derivgen.algebra.expressions import Access, accesses
from derivgen.algebra.statements import Statement
from derivgen.calculus.derivation import Contribution, Derivation

FARTHEST = 3  # steps of a recurrence that are followed beyond the offsets at hand

Offset = int | None  # ``None`` where any step, or all of them, may be meant
Spot = tuple[str, Offset]


@dataclass(frozen=True)
class Steps:
    """Which axis of each tensor counts steps."""

    axes: Mapping[str, int | None]

    def axis(self, tensor: str) -> int | None:
        """Return the place of the axis that counts steps, if a tensor has one."""
        return self.axes.get(tensor)

    def form(self, access: Access) -> Affine | None:
        """Return the index of an access on the axis that counts steps."""
        axis = self.axis(access.tensor)
        return access.indices[axis] if axis is not None else None

    def offset(self, access: Access, statement: Statement) -> Offset:
        """Return how many steps away from the one being computed an access reads."""
        own, read = self.form(statement.lhs), self.form(access)
        if own is None or read is None or own.plain is None:
            return None
        ahead = read - own
        return ahead.constant if ahead.is_constant else None


@dataclass(frozen=True)
class Dependence:
    """What each forward tensor reads, with offsets; ``beside`` has it by equation."""

    steps: Steps
    reads: Mapping[str, tuple[Spot, ...]]
    beside: Mapping[tuple[str, int], tuple[Spot, ...]]

    def depends(self, start: Spot, target: Spot) -> bool:
        """Tell whether a quantity depends on another one, itself apart."""
        near = [o for o in (start[1], target[1]) if o is not None] or [0]
        ends = range(min(near) - FARTHEST, max(near) + FARTHEST + 1)
        seen: set[Spot] = set()
        pending = list(self._read_from(start))
        while pending:
            spot = pending.pop()
            if spot[1] is not None and spot[1] not in ends or spot in seen:
                continue
            if spot[0] == target[0] and (None in (spot[1], target[1]) or spot[1] == target[1]):
                return True
            seen.add(spot)
            pending += self._read_from(spot)
        return False

    def _read_from(self, spot: Spot) -> Iterator[Spot]:
        tensor, at = spot
        for name, offset in self.reads.get(tensor, ()):
            moved = None if at is None or offset is None else at + offset
            yield name, moved if self.steps.axis(name) is not None else None


def make_dependence(derivation: Derivation, axes: Mapping[str, int | None]) -> Dependence:
    """Return what the forward statements of a derivation read."""
    steps = Steps(axes)
    reads: dict[str, dict[Spot, None]] = {}
    beside: dict[tuple[str, int], dict[Spot, None]] = {}
    for statement in derivation.forward:
        for access in accesses(statement.body):
            spot = access.tensor, steps.offset(access, statement)
            reads.setdefault(statement.lhs.tensor, {})[spot] = None
            beside.setdefault((statement.lhs.tensor, statement.equation), {})[spot] = None
    return Dependence(
        steps,
        {name: tuple(spots) for name, spots in reads.items()},
        {key: tuple(spots) for key, spots in beside.items()},
    )


@dataclass(frozen=True)
class Held:
    """A tensor that stays as it is: at the step ``form`` says, or at all of them."""

    tensor: str
    form: Affine | None = None


def held_fixed(dependence: Dependence, made: Contribution) -> tuple[Held, ...]:
    """Return what a contribution's local derivative holds fixed, the two ends of it apart."""
    steps, through = dependence.steps, made.through
    below = (made.operand.tensor, steps.offset(made.operand, through))
    here = steps.form(through.lhs)
    found: dict[Held, None] = {}
    for spot in dependence.beside.get((through.lhs.tensor, through.equation), ()):
        if dependence.depends(spot, below):
            form = None if here is None or spot[1] is None else here + spot[1]
            found[Held(spot[0], form)] = None
    return tuple(found)
