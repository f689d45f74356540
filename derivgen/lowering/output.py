"""Which tensor prediction returns, where the network does not say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from derivgen.algebra.affine import Affine, Dim, Index, lookups_of
from derivgen.algebra.expressions import Access, IndexValue, Node, children
from derivgen.algebra.network import Network, Role
from derivgen.algebra.statements import Statement


def reads_of(statement: Statement) -> dict[str, None]:
    """Return the tensors a statement reads, guards and the left side's lookups included.

    Kept beside the statement's fields once found: every pass asks.
    """
    kept: dict[str, dict[str, None]] = statement.__dict__
    if "_reads" not in kept:
        found: dict[str, None] = {}
        for part in (statement.body, *statement.guard):
            _collect(part, found)
        for form in statement.lhs.indices:
            _lookups(form, found)
        kept["_reads"] = found
    return kept["_reads"]


def _collect(node: Node, found: dict[str, None]) -> None:
    if isinstance(node, Access):
        found[node.tensor] = None
        for form in node.indices:
            _lookups(form, found)
    elif isinstance(node, IndexValue):
        _lookups(node.form, found)
    for part in children(node):
        _collect(part, found)


def _lookups(form: Affine, found: dict[str, None]) -> None:
    for atom, _ in form.terms:
        if not isinstance(atom, (Index, Dim)):
            found.update((lookup.tensor, None) for lookup in lookups_of(form))
            return


def output_of(network: Network, forward: Sequence[Statement], loss: str) -> str:
    """Return what the loss reads that does not depend on targets, the writer's own, first found.

    The loss itself, where there is no such tensor.
    """
    if network.output is not None:
        return network.output
    sources: dict[str, dict[str, None]] = {}
    for statement in forward:
        sources.setdefault(statement.lhs.tensor, {}).update(reads_of(statement))
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
