"""Members of numbers: their printed digits against the values that the network declares."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np

from derivgen.algebra.network import Role
from derivgen.formulas.terms import Claim, Ref, Slope, Term, walk
from derivgen.verify.context import Context, evaluate
from derivgen.verify.draw import Draw
from derivgen.verify.edit_pairs import changed
from derivgen.verify.hand import make_pen
from derivgen.verify.notebook import Notebook
from derivgen.verify.numbers import (
    Numeric,
    error_of,
    free_values,
    is_numeric,
    judge_after,
    judge_number,
    wrong_part,
)
from derivgen.verify.numeric import NoValue, mp
from derivgen.verify.points import free_numbers, points
from derivgen.verify.report import Finding
from derivgen.verify.stage import Stage
from derivgen.verify.write import composed

DECLARED = Draw(seed=5, declared=True, samples=1)


def judge_digits(
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
        if not is_numeric(previous):
            return Finding("not_understood", text, member.span, reason=notebook.say("no-values"))
        anchor = previous  # the arithmetic can be checked, if not where it starts
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
    source = anchor if is_numeric(anchor) else None
    printed = notebook.printed
    found = judge_number(member, target, context, exact, source, printed)
    if found.status == "unknown":
        return None
    if found.status != "right" and is_numeric(previous) and previous is not anchor:
        found = judge_after(previous, member, target, context, found, printed)
    if found.status == "wrong" and not is_numeric(previous):
        part = wrong_part(previous, member, context, exact, printed)
        found = part or found
    if found.status != "wrong" and (own := error_of(member, target)):
        printed[own[0]] = max(own[1], printed.get(own[0], own[1]))
    if found.status == "wrong" and found.wrong is None:
        for new in _turned_terms(member):
            if judge_number(new, target, context, exact).status == "right":
                return _turned_finding(new, found, member, text, notebook)
    finding = _number_finding(found, member, text, notebook)
    if finding.mistake == "digit" and _is_updated(found, member, target, context, step, stage):
        return replace(finding, mistake="updated-weights-used")
    return finding


def _turned_terms(member: Term) -> Iterator[Term]:
    """Yield the sums of a member with one sign turned."""
    for path, term in walk(member):
        for place, part in enumerate(term.args if term.op == "add" else ()):
            new = part.args[0] if part.op == "negate" else Term("negate", (part,))
            args = (*term.args[:place], new, *term.args[place + 1 :])
            yield changed(member, path, Term("add", args))


def _turned_finding(
    new: Term, found: Numeric, member: Term, text: str, notebook: Notebook
) -> Finding:
    padded = " " * member.span[0] + text
    correct = composed(new, make_pen(padded, (), False))
    words = notebook.say("edit", old=text, new=correct)
    return Finding("wrong", text, member.span, mistake="sign", hint=words, correct=correct)


def _is_updated(
    found: Numeric, member: Term, target: Any, context: Context, step: Any, stage: Stage
) -> bool:
    """Tell whether a printed number comes from a weight after its step: ``w - eta dE/dw``.

    The number is off by the factor by which one step changes a weight; where no step size is
    given it must come out as a round one.
    """
    printed = evaluate(found.wrong or member, context)
    right = mp.mpf(found.should) if found.wrong is not None and found.should else target
    if not right or np.ndim(right) or np.ndim(printed) or found.digits < 0:
        return False
    ratio, digits = printed / right, _last_place(found.wrong or member)
    for tensor in stage.network.parameters:
        if tensor.axes or tensor.values is None or not stage.symbols.loss:
            continue
        weight = Term("element", (), Ref(tensor.name))
        loss = Term("element", (), Ref(stage.symbols.loss))
        try:
            old = evaluate(weight, context)
            slope = evaluate(Term("gradient", (loss, weight), Slope()), context)
        except NoValue:
            continue
        if not slope or not old:
            continue
        rate = old * (1 - ratio) / slope
        error = abs(old / slope) * 2 * digits / abs(right)
        if rate > 0 and (abs(rate - step) <= error if step else _is_round(rate, error)):
            return True
    return False


def _last_place(term: Term) -> Any:
    """Return the unit of the last place of the number that a term is written with."""
    places = [len(str(t.data[1]).partition(".")[2]) for _, t in walk(term) if t.op == "number"]
    return mp.mpf(10) ** -min(places, default=0)


def _is_round(rate: Any, error: Any) -> bool:
    """Tell whether a rate is a number of one digit, as people choose, known to a thousandth."""
    if not mp.mpf("1e-4") <= rate <= 2 or error > rate / 1000:
        return False
    unit = mp.mpf(10) ** mp.floor(mp.log10(rate))
    return bool(abs(rate - unit * mp.nint(rate / unit)) <= error)


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
    start = member.span[0]
    before, after = text[: wrong.span[0] - start], text[wrong.span[1] - start :]
    part = text[len(before) : len(text) - len(after)]
    return Finding(
        "wrong",
        text,
        wrong.span,
        mistake="sign" if found.turned or _turned(part, should) else "digit",
        hint=notebook.say("digit-wrong", text=should),
        correct=_joined(before, should, after),
    )


def _turned(printed: str, should: str) -> bool:
    """Tell whether two numbers differ by their sign alone, up to a unit of the last place."""
    try:
        one, other = Fraction(printed), Fraction(should)
    except ValueError:
        return printed.lstrip("-") == should.lstrip("-")
    unit = Fraction(1, 10 ** max(len(n.partition(".")[2]) for n in (printed, should)))
    return one * other < 0 and abs(one + other) <= 2 * unit


def _joined(before: str, number: str, after: str) -> str:
    """Put a number into its place: ``a - 2``, and not ``a + -2``."""
    bare = before.rstrip()
    if number.startswith("-") and bare.endswith(("+", "-")):
        sign = "-" if bare[-1] == "+" else "+"
        return bare[:-1] + sign + before[len(bare) :] + number[1:] + after
    return before + number + after


def has_values(stage: Stage) -> bool:
    """Tell whether the network declares a number for every input and parameter."""
    given = stage.network.of_role(Role.INPUT, Role.TARGET, Role.PARAM)
    return bool(given) and all(t.values is not None for t in given)
