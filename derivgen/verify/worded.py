"""Cases told apart by words: "if j is an output neuron", "if j is inner".

No such condition can be evaluated, so each of these cases is a formula of its own, with the names
read as it needs them. Invariant: no case is left unread because another one comes before it.
"""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace
from typing import Any

from derivgen.formulas import tree
from derivgen.formulas.tree import Tree
from derivgen.verify.report import Finding, weight


def one_by_one(chain: tree.Chain) -> list[tree.Chain]:
    """Return the chain once for each case that only words tell apart, else the chain."""
    found = next((c for m in chain.members if (c := _worded(m)) is not None), None)
    if found is None:
        return [chain]
    chains = [
        replace(chain, members=tuple(_put(m, found, value) for m in chain.members))
        for value in found.values
    ]
    return [each for made in chains for each in one_by_one(made)]


def worst_of(lists: list[list[Finding]]) -> list[Finding]:
    """Return for each member the worst finding of all cases."""
    lists = [found for found in lists if len(found) == max(map(len, lists))]
    return [max(members, key=weight) for members in zip(*lists)]


def _worded(node: Any) -> tree.Cases | None:
    """Return cases of which one that is not the last has a condition without a relation."""
    if isinstance(node, tree.Cases):
        tests = [any(t.kind == "relation" for t in tokens) for tokens in node.conditions]
        if not all(tests[:-1]) and len(tests) > 1:
            return node
    for part in _parts(node):
        if (found := _worded(part)) is not None:
            return found
    return None


def _put(node: Any, old: tree.Cases, new: Tree) -> Any:
    if node is old:
        return new if isinstance(new, tree.Name) else tree.Group((new,), "(", new.span)
    if isinstance(node, tuple):
        return tuple(_put(part, old, new) for part in node)
    if not is_dataclass(node) or isinstance(node, (tree.Token, type)):
        return node
    changes = {f.name: _put(getattr(node, f.name), old, new) for f in fields(node)}
    changed = any(changes[name] is not getattr(node, name) for name in changes)
    return replace(node, **changes) if changed else node


def _parts(node: Any) -> tuple[Any, ...]:
    if isinstance(node, tuple):
        return node
    if not is_dataclass(node) or isinstance(node, (tree.Token, type)):
        return ()
    return tuple(getattr(node, f.name) for f in fields(node))
