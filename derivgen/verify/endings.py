r"""Names that a chain gives to what it has derived: ``\partial L/\partial V = B^T g = \zeta_1``.

The name at the end is defined by the members before it, and later formulas may use it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from derivgen.formulas import tree
from derivgen.formulas.meanings import alias_key, alias_letters
from derivgen.formulas.terms import Term
from derivgen.formulas.tree import Name
from derivgen.verify.claims import has_slopes
from derivgen.verify.judge import resolve_members
from derivgen.verify.report import Finding
from derivgen.verify.session import Desk

Known = Callable[[Name, Desk], bool]
Judge = Callable[[tree.Chain], list[Finding]]


def with_ending(
    chain: tree.Chain, source: str, desk: Desk, known: Known, judge: Judge
) -> list[Finding] | None:
    """Return the findings on a chain whose last member is a new name, or nothing."""
    last, *before = reversed(chain.members)
    if len(before) < 2 or not isinstance(last, Name) or chain.relations[-1] != "=":
        return None
    if last.primes or not has_slopes(chain) or known(last, desk):
        return None
    rest = replace(chain, members=chain.members[:-1], relations=chain.relations[:-1])
    found = judge(rest)
    stage = desk.stages[0]
    members, _ = resolve_members(rest, stage.symbols)
    terms = [member for member in members if isinstance(member, Term)]
    if not terms or any(f.verdict == "not_understood" for f in found):
        return None
    names = alias_letters(last, terms[0])
    if names is None:
        return None
    stage.symbols = stage.symbols.with_alias(alias_key(last, terms[0]), names, terms[0])
    words = desk.notebook.say("definition", text=last.base)
    text = source[last.span[0] : last.span[1]]
    return [*found, Finding("agrees", text, last.span, reason=words)]
