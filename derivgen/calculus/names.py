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
        self.reused: set[str] = set()
        self.counts: dict[str, int] = {}

    def tensor(self, wish: str) -> str:
        """Return ``wish``, with the first free number behind it if it is taken."""
        name, count = wish, self.counts.get(wish, 2)
        while name in self.taken:
            name, count = f"{wish}_{count}", count + 1
        self.counts[wish] = count
        self.taken.add(name)
        return name

    def index(self, like: Index, avoid: Iterable[str]) -> Index:
        """Return an index over the same range whose name is in neither the network nor ``avoid``.

        Another equation may get the same name: letters matter within one statement only.
        """
        name = _numbered(like.name, self.letters, set(avoid))
        self.reused.add(name)
        return Index(name, like.low, like.high)

    def unique_index(self, like: Index) -> Index:
        """Return an index over the same range whose name no statement has or will get."""
        name = _numbered(like.name, self.letters, self.reused)
        self.letters.add(name)
        return Index(name, like.low, like.high)


def _numbered(letter: str, *taken: set[str]) -> str:
    stem = letter.rstrip("0123456789") or letter
    count = 2
    while any(f"{stem}{count}" in names for names in taken):
        count += 1
    return f"{stem}{count}"
