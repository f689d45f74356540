r"""Products with dots, ``J_t J_{t-1} \dots J_{k+1}``: a fold over the index that runs.

The factors beside the dots must be one group with its indices shifted; what stands before the
first group and behind the last is kept. Invariant: a factor that does not fit the pattern of its
neighbours is a `FormulaError`, never dropped.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from derivgen.formulas.reader import Reader
from derivgen.formulas.terms import At, Bound, Fold, Ref, Term, letter, map_ats
from derivgen.formulas.tree import FormulaError, Span

Shift = tuple[tuple[tuple[str, int], ...], int]  # letters and constant
LONGEST = 3  # so many factors may make one group


@dataclass(frozen=True)
class _Pattern:
    """A group of ``size`` factors: where the first stands, and what runs in it."""

    start: int
    size: int
    step: int
    first: At
    last: At


def dotted_product(
    before: list[Term], after: list[Term], operators: list[str], span: Span, reader: Reader
) -> tuple[list[Term], list[str]]:
    """Return the factors and operators with the dots as a product over a fresh letter.

    ``operators`` stand between all factors, one for each place beside the dots included.
    """
    found = next(_patterns(before, after), None)
    if found is None:
        raise FormulaError("...", "Dots with no pattern.", "Write the product.", span)
    reader.fresh += 1
    name = f"#{reader.fresh}"
    letters, _ = _of(found.first)
    for other, _ in (*letters, *_of(found.last)[0]):
        key = reader.letters.known.get(other) or reader.letters.declared.get(other)
        if key is not None:
            reader.letters.known.setdefault(name, key)
    group = before[found.start : found.start + found.size]
    inner = tuple(operators[found.start : found.start + found.size - 1])
    body = group[0] if found.size == 1 else Term("multiply", tuple(group), inner, span)
    general = map_ats(body, lambda at: _general(at, found.first, name))
    low, high = (found.last, found.first) if found.step < 0 else (found.first, found.last)
    fold = Term("fold", (general,), Fold("prod", (Bound(name, low, high),)), span)
    factors = [*before[: found.start], Term("group", (fold,), "(", span), *after[found.size :]]
    behind = operators[len(before) + found.size :]
    return factors, [*operators[: found.start], *behind][: len(factors) - 1]


def _patterns(before: list[Term], after: list[Term]) -> Iterator[_Pattern]:
    for size in range(1, min(LONGEST, len(before), len(after)) + 1):
        start = len(before) - size
        last = _pair(before[start:], after[:size])
        if last is None:
            continue
        found = _first_group(before, start, size)
        pair = _pair(before[found[0] : found[0] + size], after[:size]) if found else None
        if found and pair:
            yield _Pattern(found[0], size, found[1] or _direction(*pair), *pair)


def _first_group(before: list[Term], start: int, size: int) -> tuple[int, int] | None:
    """Return where the first group stands and the step between groups, 0 if there is one group.

    Nothing, where a group beside another moves by anything but one and the same step.
    """
    step = 0
    while start >= size:
        pair = _pair(before[start - size : start], before[start : start + size])
        if pair is None:
            break
        letters, moved = _difference(*pair)
        if letters or abs(moved) != 1 or step not in (0, moved):
            return None
        step, start = moved, start - size
    return start, step


def _direction(first: At, last: At) -> int:
    """Return which way an index runs where one group alone shows it: towards the smaller."""
    rising = not first.letters or (first.constant > 0 and bool(last.letters))
    return 1 if rising else -1


def _pair(one: list[Term], other: list[Term]) -> tuple[At, At] | None:
    """Return an index of one group and that of the other if all that differ move alike."""
    found: list[tuple[At, At]] = []
    for a, b in zip(one, other):
        if not _collect(a, b, found):
            return None
    moves = list(dict.fromkeys(_difference(a, b) for a, b in found))
    kinds = list(dict.fromkeys(_of(a)[0] for a, _ in found))
    return found[0] if len(moves) == len(kinds) == 1 else None


def _collect(one: Term, other: Term, found: list[tuple[At, At]]) -> bool:
    if one.op != other.op or len(one.args) != len(other.args):
        return False
    if isinstance(one.data, Ref) and isinstance(other.data, Ref):
        if replace(one.data, slots=()) != replace(other.data, slots=()):
            return False
        for a, b in zip(one.data.slots, other.data.slots):
            if (a is None) != (b is None) or a and b and (a.parts or b.parts):
                return False
            if a is not None and b is not None and (a != b or not a.letters):
                found.append((a, b))
    elif one.data != other.data:
        return False
    return all(_collect(a, b, found) for a, b in zip(one.args, other.args))


def _of(at: At) -> Shift:
    return tuple(sorted(at.letters)), at.constant


def _difference(one: At, other: At) -> Shift:
    letters = dict(other.letters)
    for name, count in one.letters:
        letters[name] = letters.get(name, 0) - count
    kept = tuple(sorted((name, count) for name, count in letters.items() if count))
    return kept, other.constant - one.constant


def _general(at: At, first: At, name: str) -> At:
    if at.parts or _of(at)[0] != _of(first)[0]:
        return at
    return replace(letter(name), constant=at.constant - first.constant)
