"""Numeric members: a printed number against the value it stands for, by its digits.

A printed number may be off by half a unit in its last place, and what is computed from printed
numbers by what their rounding carries through. A number that is cut instead of rounded is told
apart from a wrong one. A wrong number inside a sum or product is found by laying the member beside
the one before it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from types import MappingProxyType
from typing import Any

import numpy as np

from derivgen.formulas.terms import Term, put, walk
from derivgen.verify.context import Context, evaluate
from derivgen.verify.numeric import STEP, NoValue, mp

# Slack is carried through slopes; what rounding does at the second order is beside it.
LINEAR = mp.mpf("1.01")
Printed = Mapping[Fraction, Any]  # how far numbers that a text has printed are from their values


@dataclass(frozen=True)
class Numeric:
    """What judging a numeric member gave: ``status`` is right, truncated, wrong or unknown.

    ``wrong`` is the printed number that is wrong, if one was found, and ``should`` its value.
    """

    status: str
    digits: int = 0
    value: str = ""
    wrong: Term | None = None
    should: str = ""
    turned: bool = False  # it would be right with the other sign


def judge_after(
    previous: Term, member: Term, target: Any, context: Context, found: Numeric, printed: Printed
) -> Numeric:
    """Take a number for right where it is the rounded value of the right numbers before it."""
    try:
        value = evaluate(previous, context)
    except NoValue:
        return found
    if judge_number(previous, target, context, frozenset(), printed=printed).status != "right":
        return found
    again = judge_number(member, value, context, frozenset(), printed=printed)
    return replace(again, value=found.value) if again.status != "wrong" else found


def error_of(member: Term, target: Any) -> tuple[Fraction, Any] | None:
    """Return a printed number, without its sign, and how far it is from its value."""
    single = _bare(member)
    if single.op != "number" or isinstance(target, np.ndarray):
        return None
    value = single.data[0]
    return abs(value), abs(mp.mpf(value.numerator) / value.denominator - target)


def is_numeric(term: Term) -> bool:
    """Tell whether a member is made of numbers alone."""
    return all(part.op not in ("element", "gradient", "free", "size", "index", "fold", "function",
                               "listing", "ones")
               for _, part in walk(term))  # fmt: skip


def is_example(term: Term) -> bool:
    """Tell whether a member is a matrix of given numbers, more than ones and zeros."""
    inner = [part for _, part in walk(term)]
    values = {part.data[0] for part in inner if part.op == "number"}
    return is_numeric(term) and any(p.op == "matrix" for p in inner) and not values <= {0, 1}


def has_decimals(term: Term) -> bool:
    """Tell whether a printed decimal occurs."""
    return any(part.op == "number" and decimals(part.data[1]) for _, part in walk(term))


def decimals(text: str) -> int | None:
    """Return how far behind the point the last digit stands; ``None`` for a whole number."""
    digits, _, exponent = text.lower().partition("e")
    behind = len(digits.partition(".")[2])
    return behind - int(exponent or 0) if behind or exponent.startswith("-") else None


def half_unit(term: Term, printed: Printed) -> Any:
    """Return half a unit in the last place of a printed number; whole numbers are exact.

    A number that the text has printed for a quantity before is off by what it was off there.
    """
    places = decimals(term.data[1])
    if places is None:
        return mp.mpf(0)
    return max(mp.mpf(10) ** -places / 2, printed.get(abs(term.data[0]), mp.mpf(0)))


def judge_number(
    member: Term,
    target: Any,
    context: Context,
    exact: frozenset[Fraction],
    source: Term | None = None,
    printed: Printed = MappingProxyType({}),
) -> Numeric:
    """Compare a numeric member with its true value.

    ``exact`` are values the network declares: printed so, they carry no rounding. ``source`` are
    the printed numbers that the true value was computed from, if it was.
    """
    try:
        value = evaluate(member, context)
        slack = _carried(member, context, exact, printed)
        before = mp.mpf(0) if source is None else _carried(source, context, exact, printed)
    except NoValue:
        return Numeric("unknown")
    if isinstance(value, np.ndarray) or isinstance(target, np.ndarray):
        return Numeric("unknown")
    difference = abs(value - target)
    single = _bare(member)
    text = single.data[1] if single.op == "number" else ""
    own = (half_unit(single, {}) if text else slack) + before
    slack += before
    # A sum of printed numbers is itself rounded where it is printed on: allow one unit more.
    allowed = (
        own * (1 + mp.mpf(10) ** -20) + mp.mpf(10) ** -30
        if text
        else slack * LINEAR + mp.mpf(10) ** -30
    )
    shown = _shown(target, text)
    if difference <= allowed:
        return Numeric("right", _digits(difference, target), shown)
    if text and _is_truncated(value, target, decimals(text)):
        return Numeric("truncated", _digits(difference, target), shown)
    turned = bool(abs(value + target) <= allowed)
    return Numeric("wrong", 0, shown, single if text else None, shown, turned)


def _carried(member: Term, context: Context, exact: frozenset[Fraction], printed: Printed) -> Any:
    """Return how far the rounding of the printed inputs can move the member."""
    total = mp.mpf(0)
    for path, part in walk(member):
        if part.op != "number" or decimals(part.data[1]) is None or part.data[0] in exact:
            continue
        ends = [evaluate(put(member, path, _moved(part, s)), context) for s in (1, -1)]
        total += abs((ends[0] - ends[1]) / (2 * STEP)) * half_unit(part, printed)
    return total


def _moved(part: Term, sign: int) -> Term:
    step = Fraction(sign, 10**20)
    return Term("number", (), (part.data[0] + step, part.data[1]), part.span)


def _bare(term: Term) -> Term:
    while term.op == "group":
        term = term.args[0]
    if term.op == "negate" and _bare(term.args[0]).op == "number":
        inner = _bare(term.args[0])
        text = inner.data[1]
        return Term("number", (), (-inner.data[0], text), term.span)
    return term


def _shown(target: Any, text: str) -> str:
    places = decimals(text) if text else None
    if places is None:  # a whole number of many digits may have lost its point
        return str(mp.nstr(target, max(len(text.lstrip("-0")), 6) if text else 10))
    scaled = mp.nint(target * mp.mpf(10) ** places)
    digits = str(int(abs(scaled))).rjust(places + 1, "0")
    sign = "-" if scaled < 0 else ""
    if places <= 0:
        return sign + str(int(digits)) + "0" * -places
    return f"{sign}{digits[:-places]}.{digits[-places:]}"


def _is_truncated(value: Any, target: Any, places: int | None) -> bool:
    if places is None:
        return False
    unit = mp.mpf(10) ** -places
    cut = mp.floor(abs(target) / unit) * unit
    return bool(abs(abs(value) - cut) < unit / 1000 and (value >= 0) == (target >= 0))


def _digits(difference: Any, target: Any) -> int:
    if difference == 0 or target == 0:
        return 60 if difference == 0 else 0
    return max(0, min(60, int(mp.floor(-mp.log10(difference / abs(target))))))


def aligned(symbolic: Term, numeric: Term) -> Iterator[tuple[Term, Term]]:
    """Yield pairs of a symbolic part and the printed number in its place."""
    one, other = _bare(symbolic), _bare(numeric)
    if other.op == "number":
        yield one, other
        return
    if "negate" in (one.op, other.op) and one.op != other.op:  # a sign that the writer turned
        one, other = (_bare(t.args[0]) if t.op == "negate" else t for t in (one, other))
    if one.op == "gradient" or one.op == "element" or one.op != other.op:
        return
    if len(one.args) == len(other.args):
        for a, b in zip(one.args, other.args):
            yield from aligned(a, b)


def wrong_part(
    symbolic: Term, numeric: Term, context: Context, exact: frozenset[Fraction], printed: Printed
) -> Numeric | None:
    """Return the printed number that differs from the part it stands for, if one does."""
    for part, number in aligned(symbolic, numeric):
        if part.op in ("number", "free"):
            continue
        try:
            target = evaluate(part, context)
        except NoValue:
            continue
        found = judge_number(number, target, context, exact, printed=printed)
        own = error_of(number, target)
        known = own is not None and own[1] <= printed.get(own[0], mp.mpf(0)) * LINEAR
        if found.status == "wrong" and not known:
            return replace(found, wrong=number)
    return None


def free_values(symbolic: Term, numeric: Term) -> dict[str, Any]:
    """Return the values that free numbers of one member have in the next one."""
    found: dict[str, Any] = {}
    for part, printed in aligned(symbolic, numeric):
        if part.op == "free":
            value = printed.data[0]
            found[part.data] = mp.mpf(value.numerator) / value.denominator
    return found
