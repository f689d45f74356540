r"""Whether two members are proportional: ``\Delta w \propto -\partial E/\partial w``.

The factor is positive and the same at every point of a world; where it is the same only along one
index, that is said. A change of a parameter points downhill, whatever the factor.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from derivgen.formulas.symbols import Symbols
from derivgen.formulas.terms import Claim, Term
from derivgen.verify.compare import DRAWS, NO_POINT, Outcome, Worlds, agreement
from derivgen.verify.context import Reading, ShapeMismatch, evaluate
from derivgen.verify.notebook import Notebook
from derivgen.verify.numeric import NoValue
from derivgen.verify.points import kept_sizes, limited, points
from derivgen.verify.problems import translated
from derivgen.verify.readings import features, readings
from derivgen.verify.report import Finding
from derivgen.verify.stage import Stage


@dataclass(frozen=True)
class Ratio:
    """What the quotient of two members is: ``along`` the only index along which it is constant."""

    outcome: Outcome
    along: str = ""
    negative: bool = False


Pair = tuple[Mapping[str, int], list[Any], list[Any]]


def ratio(
    left: Term, right: Term, claim: Claim, symbols: Symbols, worlds: Worlds, base: Reading
) -> Ratio:
    """Return the quotient under the first reading in which it is constant, or the plainest."""
    first: Ratio | None = None
    base = replace(base, rate_one=True)
    for reading in readings(features((left, right), claim, symbols), base):
        found = _under(left, right, claim, symbols, worlds, reading)
        if found.outcome.equal:
            return found
        first = first or found
    assert first is not None, "there is at least one reading"
    return first


def _under(
    left: Term, right: Term, claim: Claim, symbols: Symbols, worlds: Worlds, reading: Reading
) -> Ratio:
    keep = kept_sizes((left, right), claim, symbols)
    kinds: list[tuple[list[str], bool]] = []
    for draw in DRAWS:
        try:
            world = worlds.get(replace(draw, keep=keep))
            pairs: list[Pair] = []
            for context in limited(
                points((left, right), claim, symbols, world, reading, draw.seed)
            ):
                sides = [np.atleast_2d(evaluate(term, context)) for term in (left, right)]
                if sides[0].shape != sides[1].shape:
                    raise ShapeMismatch("the entries have different shapes")
                pairs.append((context.at, list(sides[0].flat), list(sides[1].flat)))
        except ShapeMismatch as error:
            return Ratio(Outcome(False, reason=error.reason, shape=True, reading=reading))
        except (NoValue, ZeroDivisionError, OverflowError, ValueError) as error:
            return Ratio(Outcome(None, reason=getattr(error, "reason", "no finite value")))
        if not pairs:
            return Ratio(Outcome(None, reason=NO_POINT))
        kinds.append(_constant_along(pairs))
    letters = [n for n in kinds[0][0] if all(n in names for names, _ in kinds)]
    negative = any(sign for _, sign in kinds)
    equal = bool(letters) and not negative
    along = "" if "" in letters or not letters else letters[0]
    return Ratio(Outcome(equal, 40, reading=reading), along, bool(letters) and negative)


def _constant_along(pairs: list[Pair]) -> tuple[list[str], bool]:
    """Return the letters along which the quotient is one number, "" for all; is it negative?"""
    factor = _factor(pairs)
    if factor is not None:
        return [""], factor < 0
    found: list[str] = []
    negative = False
    for name in pairs[0][0]:
        groups: dict[tuple[int, ...], list[Pair]] = {}
        for pair in pairs:
            rest = tuple(v for n, v in pair[0].items() if n != name)
            groups.setdefault(rest, []).append(pair)
        factors = [_factor(group) for group in groups.values()]
        if all(f is not None for f in factors) and any(len(g) > 1 for g in groups.values()):
            found.append(name)
            negative = negative or all(f < 0 for f in factors)
    return found, negative


def _factor(pairs: list[Pair]) -> Any:
    """Return c where the left is c times the right everywhere, else ``None``."""
    numbers = [(a, b) for _, left, right in pairs for a, b in zip(left, right)]
    above, below = max(numbers, key=lambda pair: abs(pair[1]))
    if below == 0 or above == 0:
        return None
    factor = above / below
    return factor if all(agreement(a, factor * b) is not None for a, b in numbers) else None


def judge_ratio(
    anchor: Term, member: Term, claim: Claim, stage: Stage, text: str, notebook: Notebook
) -> Finding:
    """Return the verdict on a proportion of two members."""
    found = ratio(anchor, member, claim, stage.symbols, stage.worlds, notebook.reading)
    if found.outcome.equal is None:
        reason = translated(found.outcome.reason, notebook.lang)
        return Finding("not_understood", text, member.span, reason=reason)
    if found.outcome.equal and found.along:
        words = notebook.say("factor-along", text=found.along)
        return Finding("holds_if", text, member.span, found.outcome.digits, words)
    if found.outcome.equal:
        return Finding("agrees", text, member.span, found.outcome.digits)
    words = "" if found.negative else notebook.say("no-ratio")
    return Finding("wrong", text, member.span, mistake="sign" if found.negative else "", hint=words)
