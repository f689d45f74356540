"""What a world is given, and which of its elements read which."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from derivgen.algebra.affine import Dim

Key = tuple[int, str, tuple[int, ...]]  # sample, tensor, position


@dataclass(frozen=True)
class Numbers:
    """Sizes and given values of one world: parameters once, data for every sample."""

    sizes: Mapping[Dim, int]
    given: Mapping[Key, Any]
    samples: int
    spans: dict[str, tuple[range, ...]] = field(default_factory=dict, compare=False)


@dataclass
class Trace:
    """Which element reads which: what is being computed, and the readers of each element."""

    computing: list[Key] = field(default_factory=list)
    readers: dict[Key, dict[Key, None]] = field(default_factory=dict)
    work: int = 0  # scalar operations so far
    ties: int = 0  # comparisons of equal numbers, where a slope is a convention

    def after(self, key: Key) -> set[Key]:
        """Return the elements that follow from one."""
        found: set[Key] = set()
        waiting = list(self.readers.get(key, ()))
        while waiting:
            reader = waiting.pop()
            if reader not in found:
                found.add(reader)
                waiting.extend(self.readers.get(reader, ()))
        return found
