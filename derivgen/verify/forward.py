"""The network of a note that gives its own forward equations."""

from __future__ import annotations

from derivgen.algebra.network import Network
from derivgen.formulas.surface import SurfaceTable


def network_of(text: str, table: SurfaceTable) -> Network | None:
    """Return the network that a note's forward equations define, or ``None`` if they give none."""
    return None
