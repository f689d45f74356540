"""Names that a note gives to parts of its formulas, kept for the formulas after it."""

from __future__ import annotations

from dataclasses import replace

from derivgen.formulas import tree
from derivgen.formulas.meanings import alias_key, alias_letters
from derivgen.formulas.terms import Term
from derivgen.formulas.tree import Name
from derivgen.verify.judge import resolve_members
from derivgen.verify.session import Desk


def remember(chain: tree.Chain, first: Name, desk: Desk) -> None:
    """Let later formulas use a name, on every given network that can read what it stands for."""
    for stage in [stage for stage in desk.stages if not stage.name]:
        meant, _ = resolve_members(replace(chain, members=chain.members[1:]), stage.symbols)
        if first.primes or not isinstance(meant[0], Term):
            continue
        names, key = alias_letters(first, meant[0]), alias_key(first, meant[0])
        if names is not None:
            stage.symbols = stage.symbols.with_alias(key, names, meant[0])
