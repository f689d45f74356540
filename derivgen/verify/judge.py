"""A chain to verdicts: each member against the first one, by identity, numbers or a hint.

The first member a chain can read is what the others are measured by: a derivative is computed, a
symbol is the network's. Invariant: a member is `wrong` only if it differs at some point under
every reading tried, and `agrees` only if it agrees at all points of all worlds under one reading.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any

from derivgen.algebra.network import Role
from derivgen.formulas import tree
from derivgen.formulas.resolve import make_reader, resolve_member
from derivgen.formulas.symbols import Symbols
from derivgen.formulas.terms import Claim, Term, walk
from derivgen.formulas.tree import FormulaError
from derivgen.verify.compare import DRAWS, Outcome, best_outcome
from derivgen.verify.context import Reading, evaluate
from derivgen.verify.draw import Draw, all_sum_to_one
from derivgen.verify.hints import Hint, find_hint
from derivgen.verify.messages import message
from derivgen.verify.numbers import (
    Numeric,
    free_values,
    has_decimals,
    is_numeric,
    judge_number,
    wrong_part,
)
from derivgen.verify.numeric import NoValue, mp
from derivgen.verify.points import free_numbers, points
from derivgen.verify.problems import translated
from derivgen.verify.proofs import is_proved
from derivgen.verify.report import Finding
from derivgen.verify.stage import Stage

Member = Term | FormulaError


@dataclass
class Notebook:
    """What verifying has learnt from a text so far, and in which language it speaks."""

    lang: str = "en"
    reading: Reading = field(default_factory=Reading)
    step_values: dict[str, Any] = field(default_factory=dict)
    explain: bool = True  # look for the edit that mends a wrong member

    def say(self, key: str, **values: object) -> str:
        return message(key, self.lang, **values)


def resolve_members(chain: tree.Chain, symbols: Symbols) -> tuple[list[Member], Claim]:
    """Return the members that can be read, errors for the others, and the claim they form."""
    reader = make_reader(symbols)
    found: list[Member] = []
    for member in chain.members:
        try:
            found.append(resolve_member(member, reader))
        except FormulaError as error:
            found.append(error)
    _bare_functions(found)
    return found, _claim(found, chain, reader.letters.known, reader.letters.clashes)


def _bare_functions(found: list[Member]) -> None:
    """A function without its argument has a meaning among functions alone: ``f' = f(1-f)``."""
    terms = [(n, t) for n, m in enumerate(found) if isinstance(m, Term) for _, t in walk(m)]
    if not any(t.op == "element" for _, t in terms):
        return
    for number, term in terms:
        if term.op == "function":
            found[number] = FormulaError(str(term.data), _UNKNOWN, "Write its argument.", term.span)


_UNKNOWN = "Nothing declares this name."


def _claim(found: list[Member], chain: tree.Chain, known: Any, clashes: Any) -> Claim:
    from derivgen.formulas.folds import with_implicit_bounds

    terms = [m for m in found if isinstance(m, Term)]
    if terms:
        for number, member in enumerate(found):
            if isinstance(member, Term):
                found[number] = with_implicit_bounds(member, terms[0])
    return Claim(
        tuple(m for m in found if isinstance(m, Term)),
        chain.relations,
        dict(known),
        chain.notices,
        tuple(clashes),
        spans=tuple(m.span for m in chain.members),
    )


# --- one member ----------------------------------------------------------------------------------


def judge_member(
    anchor: Term,
    previous: Term,
    member: Term,
    claim: Claim,
    stage: Stage,
    source: str,
    notebook: Notebook,
    relation: str = "=",
) -> Finding:
    """Return the verdict on ``anchor = member``."""
    text = source[member.span[0] : member.span[1]]
    numeric = is_numeric(member)
    if numeric and (has_decimals(member) or has_values(stage)):
        found = _numeric(anchor, previous, member, claim, stage, text, notebook)
        if found is not None:
            return found
    outcome = best_outcome(anchor, member, claim, stage.symbols, stage.worlds, notebook.reading)
    if outcome.equal:
        return _agreeing(outcome, anchor, member, claim, stage, text, notebook, relation)
    if outcome.equal is None:
        reason = translated(outcome.reason, notebook.lang)
        return Finding("not_understood", text, member.span, reason=reason)
    return _disagreeing(anchor, previous, member, claim, stage, source, notebook, outcome)


def has_values(stage: Stage) -> bool:
    """Tell whether the network declares a number for every input and parameter."""
    given = stage.network.of_role(Role.INPUT, Role.TARGET, Role.PARAM)
    return bool(given) and all(t.values is not None for t in given)


def _agreeing(
    outcome: Outcome,
    anchor: Term,
    member: Term,
    claim: Claim,
    stage: Stage,
    text: str,
    notebook: Notebook,
    relation: str,
) -> Finding:
    step = anchor.op == "gradient" and anchor.data.symbol == "step"  # eta delta y: the delta rule
    assumption = _assumption_of(outcome.reading, step, notebook)
    if relation == "~" and not assumption and _is_mean(member):
        assumption = ""
    verdict = "holds_if" if assumption else "agrees"
    if not assumption and is_proved(anchor, member, claim, stage.symbols, outcome.reading):
        return Finding("proved", text, member.span)
    return Finding(verdict, text, member.span, outcome.digits, assumption)


def _is_mean(member: Term) -> bool:
    return any(part.op == "fold" for _, part in walk(member))


def _assumption_of(reading: Reading, step: bool, notebook: Notebook) -> str:
    if reading.immediate and not notebook.reading.immediate:
        return notebook.say("immediate")
    if reading.delta_sign < 0 and not step:
        return notebook.say("negative-delta")
    return ""


def _disagreeing(
    anchor: Term,
    previous: Term,
    member: Term,
    claim: Claim,
    stage: Stage,
    source: str,
    notebook: Notebook,
    outcome: Outcome,
) -> Finding:
    text = source[member.span[0] : member.span[1]]
    if not notebook.explain:
        return Finding("wrong", text, member.span, reason="shape" if outcome.shape else "")
    if found := _with_fact(anchor, member, claim, stage, text, notebook):
        return found
    if found := _other_definition(anchor, member, claim, stage, text, notebook):
        return found
    hint = find_hint(anchor, member, claim, stage.symbols, stage.worlds, outcome, source)
    if hint is None and not all_sum_to_one(stage.network):
        # The rest of the formula may rest on a fact about the targets that nothing declares.
        draws = tuple(replace(draw, normalised=True) for draw in DRAWS)
        hint = find_hint(anchor, member, claim, stage.symbols, stage.worlds, outcome, source, draws)
    if hint is None and _defines_loss(anchor, stage, source):
        words = notebook.say("another-loss")
        return Finding("holds_if", text, member.span, assumption=words)
    return wrong_finding(member, text, outcome, hint, claim, notebook)


def wrong_finding(
    member: Term, text: str, outcome: Outcome, hint: Hint | None, claim: Claim, notebook: Notebook
) -> Finding:
    """Return the verdict wrong with what explains it."""
    words = ""
    if hint is not None:
        words = hint_words(hint, notebook)
    elif claim.findings:
        words = notebook.say("axis-clash", text=claim.findings[0].detail)
    span = hint.span if hint is not None and hint.span != (0, 0) else member.span
    return Finding(
        "wrong",
        text,
        span,
        mistake=hint.mistake if hint else "",
        hint=words,
        counterexample=counterexample(outcome, notebook),
        correct=hint.correct if hint else "",
    )


def hint_words(hint: Hint, notebook: Notebook) -> str:
    """Return an edit in words."""
    if hint.also:
        also = notebook.say("also", text=notebook.say("mistake:" + hint.also))
        return f"{also} {hint_words(replace(hint, also=''), notebook)}".rstrip()
    if hint.old and hint.new:
        return notebook.say("edit", old=hint.old, new=hint.new)
    if hint.mistake == "path-forgotten" and not hint.old:
        return notebook.say("path", new=hint.new)
    if hint.new:
        return notebook.say("put", new=hint.new)
    return notebook.say("drop", old=hint.old) if hint.old else ""


def counterexample(outcome: Outcome, notebook: Notebook) -> str:
    """Return the first point of disagreement."""
    if outcome.shape:
        return notebook.say("shape", text=outcome.reason) if outcome.reason else ""
    place = ", ".join(f"{name} = {value}" for name, value in outcome.place)
    values = f"{outcome.left} != {outcome.right}"
    return (
        notebook.say("counterexample", text=f"{place}: {values}" if place else values)
        if (outcome.left)
        else ""
    )


def _with_fact(
    anchor: Term, member: Term, claim: Claim, stage: Stage, text: str, notebook: Notebook
) -> Finding | None:
    """Try the usual facts about targets: they sum to one, they are one-hot."""
    if not stage.network.of_role(Role.TARGET):
        return None
    for key in ("onehot",) if all_sum_to_one(stage.network) else ("normalised", "onehot"):
        sums, hot = key == "normalised", key == "onehot"
        draws = [replace(draw, normalised=sums, onehot=hot) for draw in DRAWS]
        found = best_outcome(
            anchor, member, claim, stage.symbols, stage.worlds, notebook.reading, draws
        )
        if found.equal:
            words = notebook.say(key)
            return Finding("holds_if", text, member.span, found.digits, words)
    return None


def _defines_loss(anchor: Term, stage: Stage, source: str) -> bool:
    """Tell whether the left side is a loss under a name that is not the network's own."""
    if anchor.op != "element" or anchor.data.tensor != stage.symbols.loss:
        return False
    written = source[anchor.span[0] : anchor.span[1]].strip()
    return written != stage.symbols.loss


def _other_definition(
    anchor: Term, member: Term, claim: Claim, stage: Stage, text: str, notebook: Notebook
) -> Finding | None:
    """A definition of the loss that differs by a constant factor is another definition."""
    if anchor.op != "element" or anchor.data.tensor != stage.symbols.loss or anchor.data.updated:
        return None
    for factor in (Fraction(2), Fraction(1, 2), Fraction(-1)):
        number = Term("number", (), (factor, str(factor)))
        scaled = Term("multiply", (number, anchor), ("",), anchor.span)
        found = best_outcome(
            scaled, member, claim, stage.symbols, stage.worlds, notebook.reading, DRAWS[:2]
        )
        if found.equal and factor > 0:
            words = notebook.say("another-definition", factor=factor)
            return Finding("holds_if", text, member.span, found.digits, words)
    return None


# --- numbers -------------------------------------------------------------------------------------


DECLARED = Draw(seed=5, declared=True, samples=1)


def _numeric(
    anchor: Term,
    previous: Term,
    member: Term,
    claim: Claim,
    stage: Stage,
    text: str,
    notebook: Notebook,
) -> Finding | None:
    """Judge a member of numbers at the declared values; ``None`` if there are none."""
    if not has_values(stage) and not is_numeric(anchor):
        return None
    free = {**notebook.step_values, **free_values(previous, member)}
    notebook.step_values.update(free)
    try:
        world = stage.worlds.get(DECLARED)
        context = next(points((anchor,), claim, stage.symbols, world, notebook.reading, 5))
    except (NoValue, StopIteration):
        return None
    step = step_size(free, stage)
    given = {**context.free, **free}
    if step is not None:
        rates = [k for k in free_numbers((anchor,), 5) if k not in free and "function" not in k]
        given = {**given, **dict.fromkeys(["step size", *rates], step)}
    context = replace(context, free=given)
    try:
        target = evaluate(anchor, context)
    except NoValue:
        return None
    exact = declared_numbers(stage)
    found = judge_number(member, target, context, exact)
    if found.status == "unknown":
        return None
    if found.status == "wrong" and not is_numeric(previous):
        part = wrong_part(previous, member, context, exact)
        found = part or found
    return _number_finding(found, member, text, notebook)


def declared_numbers(stage: Stage) -> frozenset[Fraction]:
    """Return the numbers the network declares as values."""
    found: list[Fraction] = []

    def collect(values: Any) -> None:
        if isinstance(values, tuple):
            for part in values:
                collect(part)
        elif values is not None:
            found.append(values)

    for tensor in stage.network.tensors.values():
        collect(tensor.values)
    training = stage.network.training
    if training is not None:
        found += [value for _, value in training.optimiser.settings]
    return frozenset(found)


def step_size(free: dict[str, Any], stage: Stage) -> Any:
    """Return the learning rate: as the text gives it, else as the network trains."""
    for name in ("eta", "alpha", "lr"):
        if name in free:
            return free[name]
    training = stage.network.training
    if training is not None:
        for name, value in training.optimiser.settings:
            if name == "lr":
                return mp.mpf(value.numerator) / value.denominator
    return None


def _number_finding(found: Numeric, member: Term, text: str, notebook: Notebook) -> Finding:
    if found.status == "right":
        return Finding("agrees", text, member.span, found.digits)
    if found.status == "truncated":
        words = notebook.say("truncated", text=found.value)
        return Finding("agrees", text, member.span, found.digits, reason=words)
    wrong = found.wrong or member
    should = found.should or found.value
    return Finding(
        "wrong",
        text,
        wrong.span,
        mistake="digit",
        hint=notebook.say("digit-wrong", text=should),
        correct=should,
    )


# --- whole chains --------------------------------------------------------------------------------


def judge_terms(
    members: Sequence[Member],
    claim: Claim,
    stage: Stage,
    source: str,
    notebook: Notebook,
) -> list[Finding]:
    """Return a finding for every member; the first readable one is what the others must equal."""
    findings: list[Finding] = []
    anchor: Term | None = None
    previous: Term | None = None
    for number, member in enumerate(members):
        if isinstance(member, FormulaError):
            findings.append(unread(member, notebook, source))
            continue
        if anchor is None or previous is None:
            anchor = previous = member
            findings.append(Finding("agrees", source[member.span[0] : member.span[1]], member.span))
            continue
        relation = claim.relations[number - 1] if number - 1 < len(claim.relations) else "="
        findings.append(
            judge_member(anchor, previous, member, claim, stage, source, notebook, relation)
        )
        previous = member
    return _without_first(findings, members)


def _without_first(findings: list[Finding], members: Sequence[Member]) -> list[Finding]:
    """The first member says nothing by itself: drop its verdict where another one exists."""
    judged = [f for f, m in zip(findings, members) if isinstance(m, Term)]
    if len(judged) > 1 and all(f.verdict == "proved" for f in judged[1:]):
        return [replace(f, verdict="proved") if f is judged[0] else f for f in findings]
    if len(judged) < 2 and len(findings) > 1:
        # Nothing could be compared: the whole formula is not understood.
        return [f if f.verdict == "not_understood" else replace(f, verdict="not_understood")
                for f in findings]  # fmt: skip
    return findings


def unread(error: FormulaError, notebook: Notebook, source: str = "") -> Finding:
    """Return the finding for a member that could not be read."""
    problem = translated(error.problem, notebook.lang)
    words = notebook.say("unread", text=error.subject, problem=problem)
    if error.problem == "Nothing declares this name.":
        words = notebook.say("unknown-name", text=error.subject)
    text = source[error.span[0] : error.span[1]] if source else error.subject
    return Finding("not_understood", text, error.span, reason=words)
