"""Fresh names for invented tensors and bound indices, unique within one network."""

from __future__ import annotations

from collections.abc import Iterable

from derivgen.algebra.affine import Index
from derivgen.algebra.network import Network


class Names:
    """Hands out names that clash with nothing the network or the engine has used."""

    def __init__(self, network: Network) -> None:
        self.taken: set[str] = set(network.tensors) | set(network.functions)
        self.taken |= {dim.name for dim in network.dims}
        self.letters: set[str] = {index.name for index in network.indices} | self.taken

    def tensor(self, wish: str) -> str:
        """Return ``wish``, with the first free number behind it if it is taken."""
        return _claim(wish, self.taken)

    def index(self, like: Index, avoid: Iterable[str]) -> Index:
        """Return an index over the same range whose name is in neither the network nor ``avoid``."""
        base = like.name.rstrip("0123456789") or like.name
        name = _claim(base + "2", self.letters | set(avoid), base, 2)
        return Index(name, like.low, like.high)


def _claim(wish: str, taken: set[str], base: str | None = None, count: int = 2) -> str:
    stem = wish if base is None else base
    name = wish
    while name in taken:
        name = f"{stem}{count}" if base is not None else f"{stem}_{count}"
        count += 1
    taken.add(name)
    return name
