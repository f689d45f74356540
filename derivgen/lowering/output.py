"""Which tensor prediction returns, where the network does not say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from derivgen.algebra.network import Network, Role
from derivgen.algebra.statements import Statement


def output_of(network: Network, forward: Sequence[Statement], loss: str) -> str:
    """Return what the loss reads that does not depend on targets, the writer's own, first found.

    The loss itself, where there is no such tensor.
    """
    if network.output is not None:
        return network.output
    sources: dict[str, dict[str, None]] = {}
    for statement in forward:
        sources.setdefault(statement.lhs.tensor, {}).update(dict.fromkeys(statement.reads))
    on_targets = _depending(sources, {t.name for t in network.of_role(Role.TARGET)})
    on_inputs = _depending(sources, {t.name for t in network.of_role(Role.INPUT)})
    found: dict[str, None] = {}
    seen = {loss}
    waiting = list(sources.get(loss, ()))
    while waiting:
        name = waiting.pop(0)
        if name in seen or name not in sources:
            continue
        seen.add(name)
        if name in network.tensors and name not in on_targets:
            found[name] = None
        else:
            waiting.extend(sources[name])
    ranked = sorted(found, key=lambda name: name not in on_inputs)
    return ranked[0] if ranked else loss


def _depending(sources: Mapping[str, Mapping[str, None]], roots: set[str]) -> set[str]:
    """Return the tensors that depend on any of ``roots``, those included."""
    readers: dict[str, list[str]] = {}
    for name, read in sources.items():
        for source in read:
            readers.setdefault(source, []).append(name)
    found, waiting = set(roots), sorted(roots)
    while waiting:
        for name in readers.get(waiting.pop(), ()):
            if name not in found:
                found.add(name)
                waiting.append(name)
    return found
