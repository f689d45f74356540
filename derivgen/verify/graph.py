"""Which equations define a tensor; grouped once for a network."""

from __future__ import annotations

from weakref import WeakKeyDictionary

from derivgen.algebra.network import Equation, Network


class _Held:
    """The identity of a network, by which what was computed from it is kept."""


_GROUPS: WeakKeyDictionary[_Held, dict[str, list[Equation]]] = WeakKeyDictionary()


def equations(network: Network) -> dict[str, list[Equation]]:
    """Return the equations of each tensor in the order written."""
    held = network.__dict__.get("_held")
    if held is None:
        held = _Held()
        # A network is frozen; this mark is no part of its value.
        object.__setattr__(network, "_held", held)
        grouped: dict[str, list[Equation]] = {}
        for equation in network.equations:
            grouped.setdefault(equation.lhs.tensor, []).append(equation)
        _GROUPS[held] = grouped
    return _GROUPS[held]
