"""Parts of a program: the blocks that some tensors need."""

from __future__ import annotations

from collections.abc import Iterable

from derivgen.lowering.program import Block, Fill, nests
from derivgen.lowering.recognise import written


def part_for(blocks: tuple[Block, ...], asked: Iterable[str]) -> tuple[Block, ...]:
    """Return those of the blocks that the asked tensors need, in order."""
    needed = set(asked)
    kept: list[Block] = []
    for block in reversed(blocks):
        names = [block.tensor] if isinstance(block, Fill) else written(block)
        if any(name in needed for name in names):
            kept.append(block)
            for nest in nests((block,)):
                needed.update(nest.statement.reads)
    return tuple(reversed(kept))
