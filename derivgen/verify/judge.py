"""A chain to verdicts: each member against the first one, by identity, numbers or a hint.

The first member a chain can read is what the others are measured by: a derivative is computed, a
symbol is the network's. Invariant: a member is `wrong` only if it differs at some point under
every reading tried, and `agrees` only if it agrees at all points of all worlds under one reading.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any

from derivgen.algebra.network import Network
from derivgen.formulas import tree
from derivgen.formulas.conditions import guards
from derivgen.formulas.folds import widened, with_implicit_bounds
from derivgen.formulas.resolve import make_reader, resolve_member
from derivgen.formulas.slopes import made_by
from derivgen.formulas.symbols import Symbols
from derivgen.formulas.terms import Claim, Term, free_letters, walk
from derivgen.formulas.tree import FormulaError
from derivgen.verify.assumptions import Differing, under_assumption
from derivgen.verify.causality import against_time
from derivgen.verify.compare import DRAWS, Outcome, best_outcome, compare_terms
from derivgen.verify.context import Reading
from derivgen.verify.digits import has_values, judge_digits
from derivgen.verify.draw import may_sum_to_one
from derivgen.verify.examples import about_data
from derivgen.verify.gates import has_gates
from derivgen.verify.hints import Hint, find_hint
from derivgen.verify.minimum import at_minimum
from derivgen.verify.notebook import Notebook
from derivgen.verify.numbers import has_decimals, is_example, is_numeric
from derivgen.verify.one_sample import of_one_sample
from derivgen.verify.problems import translated
from derivgen.verify.proofs import is_proved
from derivgen.verify.proportional import judge_ratio
from derivgen.verify.report import Finding
from derivgen.verify.smallest import shown
from derivgen.verify.stage import Stage
from derivgen.verify.windows import WAYS, slides

Member = Term | FormulaError
Agreed = list[tuple[Term, Reading]]  # members of a chain that hold, under one reading


def resolve_members(chain: tree.Chain, symbols: Symbols) -> tuple[list[Member], Claim]:
    """Return the members that can be read, errors for the others, and the claim they form."""
    reader = make_reader(symbols, chain)
    found: list[Member] = []
    for member in chain.members:
        try:
            found.append(resolve_member(member, reader))
        except FormulaError as error:
            found.append(error)
    _bare_functions(found, symbols)
    tests = tuple(guards(chain, reader))
    claim = _claim(found, chain, reader.letters.known, reader.letters.clashes)
    return found, replace(claim, guards=tests)


def _bare_functions(found: list[Member], symbols: Symbols) -> None:
    """A function without its argument has a meaning among functions alone: ``f' = f(1-f)``.

    Beside ``a(1-a)`` it is taken at what makes a, if it does make a.
    """
    terms = [(n, t) for n, m in enumerate(found) if isinstance(m, Term) for _, t in walk(m)]
    elements = [t for _, t in terms if t.op == "element"]
    if not elements:
        return
    for number, term in terms:
        if term.op != "function":
            continue
        name, order = term.data if isinstance(term.data, tuple) else (term.data, 0)
        inner = [e for e in elements if (made_by(e.data.tensor, symbols) or ("",))[0] == name]
        if found[number] is term and order and inner:
            made = made_by(inner[0].data.tensor, symbols)
            assert made is not None, "found just now"
            ref = replace(inner[0].data, tensor=made[1])
            argument = Term("element", (), ref, term.span)
            found[number] = Term("call", (argument,), (name, order), term.span)
        else:
            found[number] = FormulaError(str(name), _UNKNOWN, "Write its argument.", term.span)


_UNKNOWN = "Nothing declares this name."


def _claim(found: list[Member], chain: tree.Chain, known: Any, clashes: Any) -> Claim:
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
    relation: str,
    chain: Agreed,
) -> Finding:
    """Return the verdict on ``anchor = member``; ``chain`` is what was found to agree before."""
    text = source[member.span[0] : member.span[1]]
    numeric = is_numeric(member)
    printed = has_decimals(member) or (is_numeric(previous) and has_decimals(previous))
    printed = printed or is_example(member)
    if numeric and (printed or stage.name or has_values(stage)):
        found = judge_digits(anchor, previous, member, claim, stage, text, notebook)
        if found is not None:
            return found
    if relation == "prop":
        return judge_ratio(anchor, member, claim, stage, text, notebook)
    outcome = best_outcome(anchor, member, claim, stage.symbols, stage.worlds, notebook.reading)
    if outcome.equal:
        common = _common(outcome.reading, anchor, member, claim, stage, chain)
        if common is None:
            return _otherwise(anchor, previous, member, claim, stage, source, notebook, chain)
        chain[:] = [(m, common) for m in (*(own for own, _ in chain), member)]
        outcome = replace(outcome, reading=common)
        return _agreeing(outcome, anchor, member, claim, stage, text, notebook, relation)
    if outcome.equal is None:
        reason = translated(outcome.reason, notebook.lang)
        return Finding("not_understood", text, member.span, reason=reason)
    if (single := of_one_sample(anchor, member, claim, stage.symbols)) is not None:
        own = best_outcome(*single, stage.symbols, stage.worlds, notebook.reading)
        if own.equal:
            return _agreeing(own, *single, stage, text, notebook, relation)
        if outcome.shape and not own.shape:
            anchor, member, claim = single
            outcome = own
    return _disagreeing(anchor, previous, member, claim, stage, source, notebook, outcome)


def _common(
    reading: Reading, anchor: Term, member: Term, claim: Claim, stage: Stage, chain: Agreed
) -> Reading | None:
    """Return a reading under which a member holds together with those of the chain before it.

    A sign of delta or a mean over samples that one member needs is meant in all of them.
    """
    found = (*chain, (member, reading))
    symbols, worlds = stage.symbols, stage.worlds
    for tried in dict.fromkeys(own for _, own in found):
        rest = [m for m, own in found if own != tried]
        if all(compare_terms(anchor, m, claim, symbols, worlds, tried).equal for m in rest):
            return tried
    return None


def _otherwise(
    anchor: Term,
    previous: Term,
    member: Term,
    claim: Claim,
    stage: Stage,
    source: str,
    notebook: Notebook,
    chain: Agreed,
) -> Finding:
    """Judge a member that is right only in another reading than the members before it."""
    reading = replace(chain[-1][1], fixed=True)
    outcome = compare_terms(anchor, member, claim, stage.symbols, stage.worlds, reading)
    fixed = replace(notebook, reading=reading)
    found = _disagreeing(
        anchor, previous, member, claim, stage, source, fixed, replace(outcome, equal=False)
    )
    return found if found.hint else replace(found, hint=notebook.say("other-reading"))


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
    assumption = _assumption_of(outcome.reading, step, stage.network, notebook)
    if relation == "~" and not assumption and _is_mean(member):
        assumption = ""
    if not notebook.reading.gates and _has_gates(anchor, member, stage):
        gates = outcome.reading.gates or "value"
        notebook.reading = replace(notebook.reading, gates=gates)
    if outcome.reading.share:  # what one formula shows of dZ holds for the whole text
        notebook.reading = replace(notebook.reading, share=True)
    verdict = "holds_if" if assumption else "agrees"
    if outcome.reading.rate_one:
        words = notebook.say("rate-one")
        return Finding("holds_if", text, member.span, 0, words, "missing-factor")
    if odd := against_time(member, stage.symbols):
        old = text[odd.span[0] - member.span[0] : odd.span[1] - member.span[0]]
        words = notebook.say("against-time", text=old)
        return Finding("wrong", text, odd.span, mistake="wrong-time-index", hint=words)
    read = _read_so(outcome.reading, notebook)
    if not assumption and is_proved(anchor, member, claim, stage.symbols, outcome.reading):
        return Finding("proved", text, member.span, reason=read)
    return Finding(verdict, text, member.span, outcome.digits, assumption, reason=read)


def _read_so(reading: Reading, notebook: Notebook) -> str:
    """Say which of several readings holds, where it is not the plainest one."""
    base, keys = notebook.reading, []
    if reading.layout != base.layout:
        keys.append("layout-" + reading.layout)
    if reading.jacobian != base.jacobian:
        keys.append("denominator")
    if reading.dot != base.dot:
        keys.append("entrywise")
    words = "; ".join(notebook.say(key) for key in keys)
    return notebook.say("read-so", text=words) if words else ""


def _has_gates(anchor: Term, member: Term, stage: Stage) -> bool:
    slopes = [t for m in (anchor, member) for _, t in walk(m) if t.op == "gradient"]
    return has_gates(slopes, stage.symbols)


def _is_mean(member: Term) -> bool:
    return any(part.op == "fold" for _, part in walk(member))


def _assumption_of(reading: Reading, step: bool, network: Network, notebook: Notebook) -> str:
    if reading.immediate and not notebook.reading.immediate:
        return notebook.say("immediate")
    if reading.star in WAYS and _turns(reading) != (slides(network) == "-"):
        return notebook.say("turned" if _turns(reading) else "not-turned")
    if reading.entries:
        return notebook.say("entries")
    if reading.gates == "argument":
        return notebook.say("gate-argument")
    if reading.delta_sign < 0 and not step:
        return notebook.say("negative-delta")
    return ""


def _turns(reading: Reading) -> bool:
    return reading.star.startswith("turned")


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
    wide = widened(member, anchor)
    if wide is not None:
        symbols, worlds, reading = stage.symbols, stage.worlds, notebook.reading
        if best_outcome(anchor, wide, claim, symbols, worlds, reading).equal:
            words = notebook.say("sum-scope")
            return Finding("holds_if", text, member.span, assumption=words, mistake="notation")
    if at_minimum(anchor, member, claim, stage, notebook.reading):
        return Finding("holds_if", text, member.span, assumption=notebook.say("minimum"))
    if found := about_data(anchor, member, claim, stage, text, notebook):
        return found
    pair = Differing(anchor, member, claim, stage, source)
    if found := under_assumption(pair, notebook.reading, notebook.say):
        return found
    if found := _other_definition(anchor, member, claim, stage, text, notebook):
        return found
    hint = find_hint(anchor, member, claim, stage.symbols, stage.worlds, outcome, source)
    if hint is None and may_sum_to_one(stage.network):
        # The rest of the formula may rest on a fact about the targets that nothing declares.
        draws = tuple(replace(draw, normalised=True) for draw in DRAWS)
        hint = find_hint(anchor, member, claim, stage.symbols, stage.worlds, outcome, source, draws)
    if hint is None and _defines_loss(anchor, stage, source):
        words = notebook.say("another-loss")
        return Finding("holds_if", text, member.span, assumption=words)
    found = wrong_finding(member, text, outcome, hint, claim, notebook)
    both = (anchor, member)
    words = "" if outcome.shape else shown(both, claim, stage, outcome.reading, notebook)
    return replace(found, counterexample=words or found.counterexample)


def wrong_finding(
    member: Term, text: str, outcome: Outcome, hint: Hint | None, claim: Claim, notebook: Notebook
) -> Finding:
    """Return the verdict wrong with what explains it."""
    words = hint_words(hint, notebook) if hint is not None else ""
    if not words and claim.findings:
        words = notebook.say("axis-clash", text=claim.findings[0].detail)
    elif not words:
        words = _loose_words(claim.members[0], member, claim, notebook)
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


def _loose_words(anchor: Term, member: Term, claim: Claim, notebook: Notebook) -> str:
    """Name the letters that only the right side has, and the sum that one over samples needs."""
    left = free_letters(anchor)
    loose = [n for n in free_letters(member) if n in claim.letters and n not in left]
    whole = anchor.op == "gradient" and not anchor.data.symbol or anchor.op == "element"
    samples = [n for n in loose if whole and claim.letters[n][0] == "sample"]
    words = [notebook.say("free-index", text=name) for name in loose if name not in samples]
    words += [notebook.say("samples-loose", text=name) for name in samples]
    return " ".join(words)


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
        return (
            notebook.say("shape", text=translated(outcome.reason, notebook.lang))
            if outcome.reason
            else ""
        )
    place = ", ".join(f"{name} = {value}" for name, value in outcome.place)
    values = f"{outcome.left} != {outcome.right}"
    return (
        notebook.say("counterexample", text=f"{place}: {values}" if place else values)
        if (outcome.left)
        else ""
    )


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
    chain: Agreed = []
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
            judge_member(anchor, previous, member, claim, stage, source, notebook, relation, chain)
        )
        previous = member
        if relation == "prop":  # what follows is equal to this member
            anchor, chain = member, []
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
    subject = translated(error.subject, notebook.lang)
    words = notebook.say("unread", text=subject, problem=problem)
    if error.problem == "Nothing declares this name.":
        words = notebook.say("unknown-name", text=error.subject)
    text = source[error.span[0] : error.span[1]] if source else error.subject
    return Finding("not_understood", text, error.span, reason=words)
