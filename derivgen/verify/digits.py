"""Members of numbers: their printed digits against the values that the network declares."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

from derivgen.algebra.network import Role
from derivgen.formulas.terms import Claim, Term
from derivgen.verify.context import evaluate
from derivgen.verify.draw import Draw
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
        mistake="sign" if found.turned else "digit",
        hint=notebook.say("digit-wrong", text=should),
        correct=should,
    )


def has_values(stage: Stage) -> bool:
    """Tell whether the network declares a number for every input and parameter."""
    given = stage.network.of_role(Role.INPUT, Role.TARGET, Role.PARAM)
    return bool(given) and all(t.values is not None for t in given)
