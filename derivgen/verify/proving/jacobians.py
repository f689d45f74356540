"""Exact derivatives of any quantity by another, from the engine's derivative of a seeded sum.

``d(u[a], x[b])`` is the derivative of ``sum[i](seed[i]*u[i])`` by ``x[b]``, with the seed set to
``[i = a]``: the engine's own statements again, for the network with that sum as its loss.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from derivgen.algebra.affine import Index, affine
from derivgen.algebra.expressions import (
    Access,
    Along,
    Derivative,
    Mul,
    Reduce,
    tensors_read,
    walk,
)
from derivgen.algebra.network import Equation, Network, Role, Tensor
from derivgen.verify.proving.exact import Exact
from derivgen.verify.proving.opened import Opening, Places
from derivgen.verify.proving.places import minus
from derivgen.verify.proving.polynomials import Poly

SEED, SUM = "seed of a derivative", "seeded sum"


def jacobian(opening: Opening, of: str, at: Places, by: str, places: Places) -> Poly:
    """Return the derivative of an element by another. Raises: NoProof."""
    seeded = _seeded(opening.exact, of)
    axes = time_axes(seeded.network, of, by)
    inner = replace(
        opening,
        exact=seeded,
        closed=opening.closed & set(seeded.network.tensors) if axes else seeded.cyclic,
        unfold=0 if axes else 1,
        planted=(SEED, at, of),
        late=_late(seeded, axes, of, at),
    )
    return inner.adjoint(by, places)


def _late(
    exact: Exact, axes: dict[str, int] | None, of: str, at: Places
) -> Callable[[str, Places], bool] | None:
    """Return what tells the adjoints of later times: the seed does not depend on them."""
    if axes is None:
        return None
    times = {exact.adjoints[name]: axis for name, axis in axes.items() if name in exact.adjoints}

    def late(tensor: str, places: Places) -> bool:
        if tensor not in times:
            return False
        gap = minus(places[times[tensor]], at[axes[of]])
        return not gap[1] and gap[2] > 0

    return late


def _seeded(exact: Exact, of: str) -> Exact:
    """Return the network whose loss is the seeded sum of one tensor."""
    if of not in exact.seeded:
        exact.seeded[of] = Exact(_seeded_network(exact.network, of))
    return exact.seeded[of]


def _seeded_network(network: Network, of: str) -> Network:
    axes = network.tensors[of].axes
    letters = tuple(Index(f"seed{n}", a.low, a.high) for n, a in enumerate(axes))
    forms = tuple(affine(i) for i in letters)
    product = Mul((Access(SEED, forms), Access(of, forms)))
    body = Reduce("sum", letters, product) if letters else product
    tensors = {
        **network.tensors,
        SEED: Tensor(SEED, axes, Role.INPUT),
        SUM: Tensor(SUM),
    }
    equations = tuple(e for e in network.equations if e.lhs.tensor != network.loss)
    equations += (Equation(Access(SUM), body),)
    tensors.pop(network.loss or "", None)
    return replace(network, tensors=tensors, equations=equations, loss=SUM, training=None)


# --- time flows forward --------------------------------------------------------------------------


def time_axes(network: Network, of: str, by: str) -> dict[str, int] | None:
    """Return an axis of every tensor between two, along which nothing depends on later places.

    Each equation between them writes the place t of its own axis and reads others at t or before.
    ``None``, if there is no such choice: then what is later may matter.
    """
    between = _between(network, of, by)
    if of not in between or by not in between:
        return None
    for axis in range(len(network.tensors[of].axes)):
        found = _axes_from(network, of, axis, between)
        if found is not None and by in found:
            return found
    return None


def _between(network: Network, of: str, by: str) -> set[str]:
    """Return the tensors that one depends on and that depend on the other, both included."""
    reads: dict[str, set[str]] = {}
    for equation in network.equations:
        reads.setdefault(equation.lhs.tensor, set()).update(tensors_read(equation.rhs))
    below = _closure(of, reads)
    return {name for name in below if by in _closure(name, reads)}


def _closure(name: str, reads: dict[str, set[str]]) -> set[str]:
    found = {name}
    waiting = [name]
    while waiting:
        for tensor in reads.get(waiting.pop(), ()):
            if tensor not in found:
                found.add(tensor)
                waiting.append(tensor)
    return found


def _axes_from(network: Network, of: str, axis: int, between: set[str]) -> dict[str, int] | None:
    found = {of: axis}
    waiting, done = [of], set()
    while waiting:
        name = waiting.pop()
        if name in done:
            continue
        done.add(name)
        for equation in network.equations:
            if equation.lhs.tensor == name and not _flows(equation, found, between):
                return None
        waiting += [tensor for tensor in found if tensor not in done]
    return found


def _flows(equation: Equation, axes: dict[str, int], between: set[str]) -> bool:
    """Tell whether an equation reads at its own place or before; notes the axes it reads along."""
    reads = [a for a in walk(equation.rhs) if isinstance(a, Access) and a.tensor in between]
    if not reads:
        return True
    time = equation.lhs.indices[axes[equation.lhs.tensor]].plain
    if time is None or _binds(equation, time):
        return False
    for access in reads:
        places = [
            n
            for n, form in enumerate(access.indices)
            if form.terms == ((time, 1),) and form.constant <= 0
        ]
        if not places or axes.setdefault(access.tensor, places[0]) not in places:
            return False
    return True


def _binds(equation: Equation, time: Index) -> bool:
    """Tell whether a fold or a function of a vector runs over the letter itself."""
    for part in walk(equation.rhs):
        if isinstance(part, Derivative):
            return True
        bound = part.bound if isinstance(part, Reduce) else ()
        bound = part.indices if isinstance(part, Along) else bound
        if any(index.name == time.name for index in bound):
            return True
    return False
