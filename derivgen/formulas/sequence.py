"""What a network with times shows without its names: the axis of time, the loss of one time."""

from __future__ import annotations

from derivgen.algebra.affine import Affine
from derivgen.algebra.expressions import Access, walk
from derivgen.algebra.network import Network


def time_key(network: Network | None) -> tuple[str, Affine, Affine] | None:
    """Return what times run over: the axis along which a tensor is read at the place before."""
    for equation in network.equations if network else ():
        for part in walk(equation.rhs):
            if not isinstance(part, Access):
                continue
            for number, form in enumerate(part.indices):
                if form.plain is None and len(form.terms) == 1 and abs(form.constant) == 1:
                    assert network is not None, "it has equations"
                    axis = network.tensors[part.tensor].axes[number]
                    return ("axis", axis.low, axis.high)
    return None


def part_name(loss: str) -> str:
    """Return the name of the loss of one time: one that no one writes."""
    return f"{loss}[t]"


def loss_names(network: Network) -> tuple[str, ...]:
    """Return the loss and the loss of one time, where the network has them."""
    names = (network.loss or "", part_name(network.loss or ""))
    return tuple(name for name in names if name in network.tensors)
