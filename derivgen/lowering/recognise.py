"""What kind of statement each one is, and how its values reach the tensor it writes.

``=`` serves only where every entry is written for the first time there: the left side is plain,
distinct indices or fixed entries, no condition is left, and no earlier statement may have touched
the entries. Everything else is folded onto a fill. Note [First writes] says how loops are seen.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from derivgen.algebra.affine import Affine, Index, affine, indices_of
from derivgen.algebra.expressions import (
    ONE,
    Access,
    Condition,
    Constant,
    Div,
    Expr,
    IndexValue,
    Mul,
    Number,
    div,
    is_index_only,
    mul,
    used_indices,
)
from derivgen.algebra.statements import Block as Scheduled
from derivgen.algebra.statements import Scan, Statement
from derivgen.algebra.text import SIGNS
from derivgen.lowering.program import Array, Block, Fill, Kind, Loop, Nest, Write
from derivgen.lowering.sizes import narrowed

IDENTITY = {"sum": 0.0, "prod": 1.0, "max": float("-inf"), "min": float("inf")}
IDENTITY |= {"argmax": 0.0, "argmin": 0.0}

Box = tuple[tuple[Affine, Affine], ...]


def kind_of(
    statement: Statement, loops: tuple[Index, ...] = ()
) -> tuple[Kind, tuple[Access, ...], Expr]:
    """Return a statement's kind and, for a contraction, its factors and scale.

    Conditions on the loops around it say only whether it runs at a step.
    """
    guard = [c for c in statement.guard if not is_index_only(c) or _within(c, loops)]
    left = simple_lhs(statement.lhs)
    if left is None:
        return Kind.SCATTER, (), ONE
    if all(index in left for index in statement.indices):
        return Kind.MAP, (), ONE
    if statement.op == "sum" and not guard:
        factors, scale = product_of(statement.body)
        if factors and all(_plain(access) for access in factors):
            return Kind.CONTRACTION, factors, scale
    return Kind.REDUCTION, (), ONE


def _within(condition: Condition, loops: tuple[Index, ...]) -> bool:
    """Tell whether a condition concerns other indices than the loops'."""
    return any(index not in loops for index in used_indices(condition))


def simple_lhs(lhs: Access) -> tuple[Index, ...] | None:
    """Return the indices of a left side of distinct plain indices and fixed entries."""
    found: list[Index] = []
    for form in lhs.indices:
        if form.is_constant:
            continue
        index = form.plain
        if index is None or index in found:
            return None
        found.append(index)
    return tuple(found)


def product_of(body: Expr) -> tuple[tuple[Access, ...], Expr]:
    """Return accesses and scale whose product a body is; no accesses if it is not one."""
    match body:
        case Access():
            return (body,), ONE
        case Mul(parts):
            accesses = tuple(p for p in parts if isinstance(p, Access))
            rest = [p for p in parts if not isinstance(p, Access)]
            if all(_is_scale(p) for p in rest):
                return accesses, mul(*rest)
        case Div(numerator, denominator) if _is_scale(denominator):
            accesses, scale = product_of(numerator)
            return accesses, div(scale, denominator)
    return (), ONE


def _is_scale(expr: Expr) -> bool:
    if isinstance(expr, IndexValue):
        return not any(True for _ in indices_of(expr.form))
    if isinstance(expr, (Mul, Div)):
        parts = expr.factors if isinstance(expr, Mul) else (expr.numerator, expr.denominator)
        return all(_is_scale(p) for p in parts)
    return isinstance(expr, (Number, Constant))


def _plain(access: Access) -> bool:
    found = [form.plain for form in access.indices]
    return None not in found and len(set(found)) == len(found)


@dataclass
class Writers:
    """Which entries of each tensor have been written so far, and the fills this asks for."""

    arrays: Mapping[str, Array]
    numbers: Mapping[str, int] = field(default_factory=dict)
    shifted: frozenset[str] = frozenset()
    boxes: dict[str, list[Box | None]] = field(default_factory=dict)
    made: dict[str, list[Box]] = field(default_factory=dict)  # boxes written with "="
    identity: dict[str, float] = field(default_factory=dict)  # of the first fold seen
    folded_first: set[str] = field(default_factory=set)

    def write(self, statement: Statement, loops: tuple[Index, ...]) -> Write:
        """Note a statement's write and return its mode."""
        name, box = statement.lhs.tensor, box_of(statement, loops)
        self.identity.setdefault(name, IDENTITY[statement.op])
        before = self.boxes.setdefault(name, [])
        fresh = box is not None and all(b is not None and _disjoint(b, box) for b in before)
        before.append(box)
        if box is not None and fresh and name not in self.shifted:
            self.made.setdefault(name, []).append(box)
            return Write.SET
        if len(before) == 1:
            self.folded_first.add(name)
        return Write.FOLD

    def needs_fill(self, name: str) -> bool:
        """Tell whether some entry may be read or folded onto before it is set."""
        array = self.arrays[name]
        whole = tuple((affine(low), size + low) for size, low in zip(array.shape, array.lows))
        return name in self.folded_first or not _tiles(self.made.get(name, []), whole)


def _disjoint(a: Box, b: Box) -> bool:
    return any(_below(x[1], y[0]) or _below(y[1], x[0]) for x, y in zip(a, b))


def _below(a: Affine, b: Affine) -> bool:
    gap = b - a
    return gap.constant >= 0 and all(count > 0 for _, count in gap.terms)


def _tiles(boxes: list[Box], whole: Box) -> bool:
    """Tell whether disjoint ``boxes`` fill ``whole``: all differ along one axis only."""
    if whole in boxes:
        return True
    for axis, (low, high) in enumerate(whole):
        alike = all(_same_but(box, whole, axis) for box in boxes)
        if alike and boxes:
            sizes = [box[axis][1] - box[axis][0] for box in boxes]
            total = sum(sizes[1:], sizes[0])
            if total == high - low:
                return True
    return False


def _same_but(box: Box, whole: Box, axis: int) -> bool:
    return all(a == b for k, (a, b) in enumerate(zip(box, whole)) if k != axis)


def box_of(statement: Statement, loops: tuple[Index, ...]) -> Box | None:
    """Return the entries a statement writes, or ``None`` if they are not such a box.

    The indices of the loops around it must stand on the left, or an entry is written many times.
    """
    ranges, guard = narrowed(statement.guard, statement.indices)
    left = simple_lhs(statement.lhs)
    if ranges is None or guard or left is None or any(i not in left for i in loops):
        return None
    sides: list[tuple[Affine, Affine]] = []
    for form in statement.lhs.indices:
        index = form.plain
        if index is None:
            sides.append((form, form + 1))
        else:
            index = ranges.get(index, index)
            sides.append((index.low, index.high))
    return tuple(sides)


def recognised(
    blocks: tuple[Scheduled, ...],
    arrays: Mapping[str, Array],
    text: Callable[[Statement], str],
    numbers: Mapping[str, int],
) -> tuple[Block, ...]:
    """Return scheduled blocks as a program's blocks, with fills where folds begin.

    ``text`` gives a statement's equation for its comment, ``numbers`` its number by its tensor.
    """
    writers = Writers(arrays, numbers)
    made: list[Block] = []
    for block in blocks:
        writers.shifted = _shifted(block)
        made.append(_block(block, (), writers, text))
    out: list[Block] = []
    filled: set[str] = set()
    for part in made:
        for name in written(part):
            if name not in filled and writers.needs_fill(name):
                out.append(Fill(name, writers.identity[name]))
            filled.add(name)
        out.append(part)
    return tuple(out)


def _block(
    block: Scheduled,
    loops: tuple[Index, ...],
    writers: Writers,
    text: Callable[[Statement], str],
) -> Block:
    if isinstance(block, Scan):
        inside = (*loops, block.index)
        parts = tuple(_block(b, inside, writers, text) for b in block.blocks)
        return Loop(block.index, block.reverse, parts)
    statement = block.statement
    kind, factors, scale = kind_of(statement, loops)
    write = writers.write(statement, loops)
    words = text(statement)
    if write is Write.FOLD:
        words = words.replace(" = ", f" {SIGNS.get(statement.op, '=')} ", 1)
    number = writers.numbers.get(statement.lhs.tensor, 0)
    return Nest(statement, kind, write, words, number, factors, scale)


def _shifted(block: Scheduled) -> frozenset[str]:
    """Return the tensors a loop writes at more than one step's place: these are only folded."""
    if not isinstance(block, Scan):
        return frozenset()
    places: dict[str, dict[tuple[Affine | None, ...], None]] = {}
    _places(block, (), places)
    return frozenset(name for name, found in places.items() if len(found) > 1)


def _places(
    block: Scheduled,
    loops: tuple[Index, ...],
    places: dict[str, dict[tuple[Affine | None, ...], None]],
) -> None:
    if isinstance(block, Scan):
        for part in block.blocks:
            _places(part, (*loops, block.index), places)
        return
    lhs = block.statement.lhs
    steps = tuple(f if any(i in loops for i in indices_of(f)) else None for f in lhs.indices)
    places.setdefault(lhs.tensor, {})[steps] = None


def written(block: Block) -> list[str]:
    """Return the tensors a block writes, in order, without repeats."""
    if isinstance(block, Nest):
        return [block.statement.lhs.tensor]
    if isinstance(block, Loop):
        return list(dict.fromkeys(name for part in block.blocks for name in written(part)))
    return []


# Note [First writes]
# Inside a loop, "=" at step t must not wipe out what another statement of the same loop folded into
# that place at an earlier step, as adj_h[t-1] += ... does before step t-1 begins. So a tensor that
# a loop writes at two different places is filled before the loop and only folded inside it.
