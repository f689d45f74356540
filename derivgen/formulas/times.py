r"""Times: which axes a recurrence runs along, and which letters of a formula stand for a time.

In ``\prod_{i=k+1}^{t} \partial h_i/\partial h_{i-1}`` the letters i and k are times, whatever the
network's own i and k run over: i is shifted alone, and its bounds tie k and t to it.
"""

from __future__ import annotations

from collections.abc import Iterator

from derivgen.formulas import tree
from derivgen.formulas.conventions import LAYER_LETTERS
from derivgen.formulas.fit import Key, same_key
from derivgen.formulas.folds import bounds_of
from derivgen.formulas.scripts import atoms
from derivgen.formulas.symbols import Symbols
from derivgen.formulas.terms import At
from derivgen.formulas.tree import FormulaError, Tree


def time_letters(chain: tree.Chain, symbols: Symbols) -> dict[str, Key]:
    """Return the letters of a chain that are times, with what they run over."""
    key = symbols.time_key
    if key is None:
        return {}
    nodes = [node for member in chain.members for node in _nodes(member)]
    found = {name: None for node in nodes for name in _shifted(node, symbols)}
    for name, own in symbols.declared.items():
        if same_key(own, key) and own[1] == key[1]:
            found.setdefault(name)
    ties = [tie for node in nodes for tie in _ties(node, symbols)]
    for _ in ties:
        for one, other in ties:
            if one in found or other in found:
                found.update({one: None, other: None})
    return dict.fromkeys(found, key)


def _nodes(node: Tree) -> Iterator[Tree]:
    yield node
    for value in vars(node).values():
        for part in value if isinstance(value, tuple) else (value,):
            for inner in part if isinstance(part, tuple) else (part,):
                if hasattr(inner, "span") and not isinstance(inner, tree.Token):
                    yield from _nodes(inner)


def _shifted(node: Tree, symbols: Symbols) -> Iterator[str]:
    """Yield the letter of a script that is one letter and a number: ``t-1``."""
    if not isinstance(node, tree.Name):
        return
    for atom in (*atoms(node.sub), *atoms(node.sup)):
        if atom.at is not None and atom.at.constant and len(atom.at.letters) == 1:
            name = atom.at.letters[0][0]
            if not (symbols.families and name in LAYER_LETTERS):
                yield name


def _ties(node: Tree, symbols: Symbols) -> Iterator[tuple[str, str]]:
    """Yield the pairs of letters that the bounds of a sum or product tie together."""
    if not isinstance(node, tree.Big):
        return
    try:
        bounds = bounds_of(node, symbols)
    except FormulaError:
        return
    for bound in bounds:
        for end in (bound.low, bound.high):
            name = _letter(end)
            if name and name not in symbols.sizes and name.islower():
                yield bound.letter, name


def _letter(end: At | None) -> str:
    return end.letters[0][0] if end is not None and len(end.letters) == 1 else ""
