"""Values for a network's tensors: sizes, arrays by name, and which arrays hold several samples."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from derivgen.algebra.affine import Dim


@dataclass(frozen=True)
class Values:
    """Numbers for everything a network does not define by equations.

    ``arrays`` come in the declared shape; those named in ``sampled`` have a leading sample axis
    more. Index-valued tensors hold index values as int64.
    """

    dims: Mapping[Dim, int]
    arrays: Mapping[str, Any]
    sampled: tuple[str, ...] = field(default=())

    @property
    def samples(self) -> int | None:
        """Return the number of samples, or ``None`` for values of one sample without the axis."""
        return len(self.arrays[self.sampled[0]]) if self.sampled else None

    def sample(self, number: int) -> Values:
        """Return the values of one sample, without the sample axis."""
        arrays = dict(self.arrays)
        for name in self.sampled:
            arrays[name] = self.arrays[name][number]
        return Values(self.dims, arrays)

    def with_arrays(self, arrays: Mapping[str, Any]) -> Values:
        """Return the values with some arrays exchanged."""
        return replace(self, arrays={**self.arrays, **arrays})
