"""Which equations define a tensor, grouped once for a network; which of them gives an element."""

from __future__ import annotations

from collections.abc import Mapping
from weakref import WeakKeyDictionary

from derivgen.algebra.affine import Affine, Dim, Index, evaluate_affine
from derivgen.algebra.expressions import Access
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


Sizes = Mapping[Dim, int]


def matching(lhs: Access, place: tuple[int, ...], sizes: Sizes) -> dict[Index, int] | None:
    """Return the index values at which a left side is an element, or ``None`` if it never is."""
    at: dict[Index, int] = {}
    rest: list[tuple[Affine, int]] = []
    for form, value in zip(lhs.indices, place):
        index = form.plain
        if index is None:
            rest.append((form, value))
        elif at.setdefault(index, value) != value or value not in _span(index, sizes):
            return None
    for form, value in rest:
        if form.is_constant or all(isinstance(a, Dim) for a, _ in form.terms):
            if evaluate_affine(form, sizes) != value:
                return None
        elif not _solve(form, value, at, sizes):
            return None
    return at


def _span(index: Index, sizes: Sizes) -> range:
    return range(evaluate_affine(index.low, sizes), evaluate_affine(index.high, sizes))


def _solve(form: Affine, value: int, at: dict[Index, int], sizes: Sizes) -> bool:
    """Find the one unknown index of an affine left side such as ``2*i+1``."""
    unknown = [a for a, _ in form.terms if isinstance(a, Index) and a not in at]
    if len(unknown) != 1:
        return evaluate_affine(form, {**sizes, **at}) == value
    for guess in _span(unknown[0], sizes):
        if evaluate_affine(form, {**sizes, **at, unknown[0]: guess}) == value:
            at[unknown[0]] = guess
            return True
    return False
