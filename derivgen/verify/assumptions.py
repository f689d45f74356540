"""What would make a differing member right: a fact or a convention, named as an assumption.

Each is tried by comparing again; a member that holds under none of them is left to the hints.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction

from derivgen.algebra.network import Role
from derivgen.formulas.symbols import axis_key
from derivgen.formulas.terms import Claim, Ref, Term, Test, free_letters, letter, walk
from derivgen.verify.compare import DRAWS, best_outcome
from derivgen.verify.context import Reading
from derivgen.verify.draw import Draw, may_be_onehot, may_sum_to_one
from derivgen.verify.report import Finding
from derivgen.verify.stage import Stage


@dataclass(frozen=True)
class Differing:
    """Two members that differ under the plain readings, and what the writer wrote."""

    anchor: Term
    member: Term
    claim: Claim
    stage: Stage
    source: str


@dataclass(frozen=True)
class Assumption:
    """A message key, and what is compared under it."""

    key: str
    anchor: Term
    reading: Reading
    draws: tuple[Draw, ...] = DRAWS
    guard: Test | None = None  # the points it speaks of
    letter: str = ""
    member: Term | None = None  # the member as it is meant, where that is not as it is read


Say = Callable[..., str]


def under_assumption(pair: Differing, reading: Reading, say: Say) -> Finding | None:
    """Return the finding under the first assumption that makes the member right."""
    start, stop = pair.member.span
    for made in _assumptions(pair, reading):
        guards = (made.guard,) if made.guard is not None else ()
        found = best_outcome(
            made.anchor,
            made.member or pair.member,
            replace(pair.claim, guards=(*pair.claim.guards, *guards)),
            pair.stage.symbols,
            pair.stage.worlds,
            made.reading,
            made.draws,
        )
        if found.equal:
            text, words = pair.source[start:stop], say(made.key, text=made.letter)
            return Finding("holds_if", text, pair.member.span, found.digits, words)
    return None


def _assumptions(pair: Differing, reading: Reading) -> Iterator[Assumption]:
    yield from _facts(pair, reading)
    anchor = pair.anchor
    if _has_vector_slope((anchor, pair.member)):
        yield Assumption("gradient-rows", anchor, replace(reading, gradient_rows=True))
    own = _own_slope(anchor, pair.member)
    if own is not pair.member:
        yield Assumption("immediate", anchor, reading, member=own)
    if anchor.op == "element" and anchor.data.updated:
        yield Assumption("sum-loss", anchor, replace(reading, total=True))
    if anchor.op == "gradient" and _says_likelihood(pair):
        number = Term("negate", (anchor,), None, anchor.span)
        yield Assumption("likelihood", number, reading)


def _own_slope(anchor: Term, member: Term) -> Term:
    """Return a member in which the derivative that stands on the left is the immediate one.

    ``dh_t/dW = dh_t/dW + dh_t/dh_{t-1} dh_{t-1}/dW``: the first on the right is the equation's own.
    """
    if anchor.op != "gradient" or anchor.data.symbol or anchor.data.immediate:
        return member
    if _same(anchor, member):
        return Term("gradient", member.args, replace(member.data, immediate=True), member.span)
    parts = tuple(_own_slope(anchor, part) for part in member.args)
    return member if all(a is b for a, b in zip(parts, member.args)) else member.with_args(parts)


def _same(one: Term, other: Term) -> bool:
    alike = one.op == other.op and one.data == other.data and len(one.args) == len(other.args)
    return alike and all(_same(a, b) for a, b in zip(one.args, other.args))


def _facts(pair: Differing, reading: Reading) -> Iterator[Assumption]:
    """The usual facts about targets: they sum to one, they are one-hot."""
    if may_sum_to_one(pair.stage.network):
        draws = tuple(replace(draw, normalised=True) for draw in DRAWS)
        yield Assumption("normalised", pair.anchor, reading, draws)
    if may_be_onehot(pair.stage.network):
        draws = tuple(replace(draw, onehot=True) for draw in DRAWS)
        yield Assumption("onehot", pair.anchor, reading, draws)
    else:
        draws = DRAWS  # the network says itself that one class is chosen, if it has classes
    for name, test in _class_letters(pair):
        yield Assumption("class-letter", pair.anchor, reading, draws, test, name)


def _class_letters(pair: Differing) -> Iterator[tuple[str, Test]]:
    """Yield the one letter that only the right side has, if it runs over a target's classes.

    ``-log p_c`` is the loss where c is the class: the target is 1 there. A letter by which the
    member differentiates waits for its sum instead.
    """
    left, letters = free_letters(pair.anchor), pair.claim.letters
    slopes = [t for _, t in walk(pair.member) if t.op == "gradient"]
    summed = {name for slope in slopes for name in free_letters(slope.args[1])}
    skipped = {*left, *summed}
    loose = [n for n in free_letters(pair.member) if n not in skipped and n in letters]
    for target in pair.stage.network.of_role(Role.TARGET) if len(loose) == 1 else ():
        if not target.onehot and not may_be_onehot(pair.stage.network):
            continue
        axes = [axis_key(target, n) for n in range(len(target.axes))]
        if axes == [letters[loose[0]]]:
            element = Term("element", (), Ref(target.name, (letter(loose[0]),)))
            yield loose[0], Test("=", element, Term("number", (), (Fraction(1), "1")))


def _has_vector_slope(members: tuple[Term, ...]) -> bool:
    """Tell whether a derivative by a whole tensor occurs: it may stand as a row."""
    slopes = [t for member in members for _, t in walk(member) if t.op == "gradient"]
    return any(
        t.args[1].op == "element" and t.args[1].data.whole_axes and t.data.symbol != "nabla"
        for t in slopes
    )


def _says_likelihood(pair: Differing) -> bool:
    r"""Tell whether ``\ell`` is differentiated where the network's loss is called otherwise."""
    start, stop = pair.anchor.args[0].span
    written = pair.source[start:stop].strip()
    loss = pair.stage.symbols.loss
    if any(t.op == "gradient" and t.args[0].data == Ref(loss) for _, t in walk(pair.member)):
        return False  # its sign would change on both sides
    return written.startswith((r"\ell", "l", "LL")) and written.lstrip("\\") != loss
