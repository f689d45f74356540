"""Which equations define a tensor, and what it influences; computed once for a network."""

from __future__ import annotations

from collections.abc import Mapping
from weakref import WeakKeyDictionary

from derivgen.algebra.expressions import (
    tensors_read,
)
from derivgen.algebra.network import Equation, Network


class _Held:
    """The identity of a network, by which what was computed from it is kept."""


def equations(network: Network) -> dict[str, list[Equation]]:
    return _graph(network)[0]


def downstream(network: Network) -> dict[str, frozenset[str]]:
    """Return what each tensor influences; itself only if it feeds back."""
    return _graph(network)[1]


Graph = tuple[dict[str, list[Equation]], dict[str, frozenset[str]]]
_GRAPHS: WeakKeyDictionary[_Held, Graph] = WeakKeyDictionary()


def _graph(network: Network) -> Graph:
    held = network.__dict__.get("_held")
    if held is None:
        held = _Held()
        object.__setattr__(network, "_held", held)
        _GRAPHS[held] = _make_graph(network)
    return _GRAPHS[held]


def _make_graph(network: Network) -> Graph:
    grouped: dict[str, list[Equation]] = {}
    readers: dict[str, dict[str, None]] = {name: {} for name in network.tensors}
    for equation in network.equations:
        grouped.setdefault(equation.lhs.tensor, []).append(equation)
        for name in tensors_read(equation.rhs):
            readers.setdefault(name, {})[equation.lhs.tensor] = None
    return grouped, {name: _reached(name, readers) for name in readers}


def _reached(start: str, readers: Mapping[str, Mapping[str, None]]) -> frozenset[str]:
    found: set[str] = set()
    waiting = list(readers[start])
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting.extend(readers.get(name, {}))
    return frozenset(found)
