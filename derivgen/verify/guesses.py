"""Chains with names that nothing declares, judged under the usual names of the network's parts.

Right under a table of names is right, and says which table. Wrong is wrong only where one edit
would mend it: a formula that fails under a guess for no known reason is not understood.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from derivgen.formulas import tree
from derivgen.formulas.conventions import guesses
from derivgen.formulas.terms import Ref, Term, walk
from derivgen.formulas.tree import FormulaError
from derivgen.verify.judge import Member, resolve_members
from derivgen.verify.report import Finding
from derivgen.verify.session import Desk
from derivgen.verify.stage import Stage

MENDED = 2  # so many tables may be searched for the edit that mends a wrong formula
Judge = Callable[[tree.Chain, str, Stage, Desk], list[Finding]]


def on_guesses(chain: tree.Chain, source: str, desk: Desk, judge: Judge) -> list[Finding] | None:
    """Return the findings under the first table that makes the chain right, or one edit from it."""
    failed: list[tuple[Stage, str]] = []
    for table in guesses(desk.stages[0].network):
        stage = _guessing(desk.stages[0], table)
        members, _ = resolve_members(chain, stage.symbols)
        words = desk.notebook.say("guess", text=_used(members, table))
        if any(isinstance(m, FormulaError) for m in members):
            continue
        desk.notebook.explain = False
        findings = judge(chain, source, stage, desk)
        desk.notebook.explain = True
        if all(f.verdict in ("agrees", "proved", "holds_if") for f in findings):
            return [replace(f, reason=words) for f in findings]
        if any(f.verdict == "wrong" for f in findings):
            failed.append((stage, words))
    return _mended(chain, source, desk, judge, failed)


def _guessing(given: Stage, table: Mapping[str, str]) -> Stage:
    return Stage(replace(given.symbols, guess=table), given.worlds, given.name, given.declared)


def _mended(
    chain: tree.Chain, source: str, desk: Desk, judge: Judge, failed: list[tuple[Stage, str]]
) -> list[Finding] | None:
    for stage, words in failed[:MENDED]:
        findings = judge(chain, source, stage, desk)
        wrong = [f for f in findings if f.verdict == "wrong"]
        if wrong and all(f.mistake for f in wrong):
            return [replace(f, reason=words) for f in findings]
    return None


def _used(members: list[Member], table: Mapping[str, str]) -> str:
    """Return the rows of a table whose tensors a chain speaks of."""
    tensors = {
        part.data.tensor: None
        for member in members
        if isinstance(member, Term)
        for _, part in walk(member)
        if isinstance(part.data, Ref)
    }
    return ", ".join(f"{name} -> {tensor}" for name, tensor in table.items() if tensor in tensors)
