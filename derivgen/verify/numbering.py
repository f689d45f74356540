r"""Which layer ``W^{(l)}`` leads to: layer l, or layer l+1 where the input counts as layer 1.

A note's forward equations decide, ``z^{(l+1)} = W^{(l)} a^{(l)}``; a note without any is judged
under both. One note has one numbering. Invariant: only names and numbers of layers change.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any

from derivgen.algebra.expressions import Access
from derivgen.algebra.network import Network
from derivgen.formulas import tree
from derivgen.formulas.conventions import (
    ACTIVATIONS,
    PREACTIVATIONS,
    WEIGHTS,
    first_numbers,
    layering,
)
from derivgen.formulas.scripts import atoms
from derivgen.formulas.terms import At
from derivgen.formulas.tree import Name
from derivgen.verify.claims import has_slopes, is_claim, names_of
from derivgen.verify.compare import Worlds
from derivgen.verify.stage import Stage


def shift_of(chains: Iterable[tree.Chain]) -> int | None:
    """Return 1 where weights carry the number of the layer they leave, 0 where of the one they
    lead to, ``None`` where no forward equation tells."""
    for chain in chains:
        first = chain.members[0]
        if not isinstance(first, Name) or not is_claim(chain) or has_slopes(chain):
            continue
        made = _layer(first, (*PREACTIVATIONS, *ACTIVATIONS))
        weights = [_layer(n, WEIGHTS) for m in chain.members[1:] for n in names_of(m)]
        known = [at for at in weights if at is not None]
        if made is not None and known and made.letters == known[0].letters:
            shift = made.constant - known[0].constant
            if shift in (0, 1):
                return shift
    return None


def _layer(name: Name, bases: tuple[str, ...]) -> At | None:
    scripts = atoms(name.sup)
    if name.base not in bases or not scripts or scripts[0].at is None:
        return None
    at = scripts[0].at
    plain = all(letter in ("l", "ell", "k", "i") for letter, _ in at.letters)
    return at if plain and (scripts[0].bracketed or at.letters) else None


def speaks_of_layers(chains: Iterable[tree.Chain]) -> bool:
    """Tell whether weights and values of numbered layers occur."""
    names = [n for chain in chains for m in chain.members for n in names_of(m)]
    weights = any(_layer(n, WEIGHTS) is not None for n in names)
    return weights and any(n.base == "delta" and n.sup for n in names)


def shifted(stage: Stage) -> Stage:
    """Return a stage whose values carry the number of the layer they belong to from 2 on."""
    found = layering(stage.network)
    if found is None or first_numbers(found)["value"] > first_numbers(found)["weight"]:
        return stage
    network = renumbered(stage.network)
    symbols = replace(stage.symbols, network=network, value_shift=1)
    return Stage(symbols, Worlds(network), stage.name)


def renumbered(network: Network) -> Network:
    """Return the network in which the values of layer n are called n+1: z2 for z1."""
    found = layering(network)
    names: dict[str, str] = {}
    for layer in found.layers if found else ():
        for name in (layer.preactivation, layer.activation):
            if match := re.fullmatch(r"(.*?)(\d+)", name):
                names[name] = match[1] + str(int(match[2]) + 1)
    if any(new in network.tensors and new not in names for new in names.values()):
        return network
    return _renamed_network(network, names) if names else network


def _renamed_network(network: Network, names: Mapping[str, str]) -> Network:
    tensors = {
        names.get(name, name): replace(tensor, name=names.get(name, name))
        for name, tensor in network.tensors.items()
    }
    changes: dict[str, Any] = {"tensors": tensors}
    for field in fields(network):
        if field.name in ("equations", "facts", "updates"):
            changes[field.name] = _renamed(getattr(network, field.name), names)
    output = names.get(network.output, network.output) if network.output else None
    return replace(network, output=output, **changes)


def _renamed(value: Any, names: Mapping[str, str]) -> Any:
    if isinstance(value, tuple):
        return tuple(_renamed(part, names) for part in value)
    if not is_dataclass(value) or isinstance(value, type):
        return value
    changes: dict[str, Any] = {}
    for field in fields(value):
        old = getattr(value, field.name)
        new = _renamed(old, names)
        if isinstance(value, Access) and field.name == "tensor":
            new = names.get(old, old)
        if new is not old and new != old:
            changes[field.name] = new
    return replace(value, **changes) if changes else value
