"""The single edit that makes a wrong member right, found by trying.

Besides edits of the text, two mistakes show on the other side: a path of the chain rule that the
writer forgot, or a softmax taken for diagonal, gives the derivative of a network in which that
dependence counts as constant. Invariant: a hint is reported only if the edited formula agrees in
all worlds.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import permutations

from derivgen.algebra.expressions import Along, tensors_read
from derivgen.algebra.expressions import walk as walk_expr
from derivgen.formulas.symbols import Symbols
from derivgen.formulas.terms import Claim, Term, at_path, put, walk
from derivgen.formulas.tree import Span
from derivgen.verify.compare import DRAWS, Outcome, Worlds, compare_terms
from derivgen.verify.context import Reading
from derivgen.verify.desk import Desk, Edit
from derivgen.verify.draw import Draw
from derivgen.verify.edits import DEFINITIONS, GENERATORS
from derivgen.verify.numeric import NoValue
from derivgen.verify.points import infer_letters
from derivgen.verify.readings import features, readings
from derivgen.verify.world import World
from derivgen.verify.write import Pen, composed, make_pen, written

MAX_EDITS = 900
MAX_WORK = 3_000_000  # scalar operations spent on one hint
Draws = tuple[Draw, ...]


@dataclass(frozen=True)
class Hint:
    """The mistake, what to write for what, where, and the whole member put right."""

    mistake: str
    old: str = ""
    new: str = ""
    correct: str = ""
    span: Span = (0, 0)


def find_hint(
    anchor: Term,
    member: Term,
    claim: Claim,
    symbols: Symbols,
    worlds: Worlds,
    outcome: Outcome,
    source: str,
    draws: Draws = DRAWS,
) -> Hint | None:
    """Return the first edit that makes ``anchor = member`` true, or ``None``."""
    pen = make_pen(source, (anchor, member), claim.kind == "plain")
    tried = _readings(anchor, member, claim, symbols, outcome)
    if hint := _dependences(anchor, member, claim, symbols, worlds, tried):
        return hint
    desk = Desk(anchor, member, claim, symbols)
    # The plainest reading first for all edits: another one could make a silly edit true.
    budget = worlds.spent + MAX_WORK
    for group in (tried[:1], tried[1:]):
        for edit in _edits(desk) if group else ():
            if worlds.spent > budget:
                return None
            new = put(member, edit.path, edit.new)
            changed = replace(claim, letters=infer_letters((anchor, new), claim, symbols))
            if any(_holds(anchor, new, changed, symbols, worlds, r, draws) for r in group):
                return _hint(edit, member, pen)
    return _left_swap(anchor, member, claim, symbols, worlds, tried, pen, draws)


def _left_swap(
    anchor: Term,
    member: Term,
    claim: Claim,
    symbols: Symbols,
    worlds: Worlds,
    tried: list[Reading],
    pen: Pen,
    draws: Draws,
) -> Hint | None:
    """Try other orders of the indices that stand on the left."""
    for path, term in walk(anchor):
        if term.op != "element" or len(term.data.slots) < 2 or None in term.data.slots:
            continue
        for order in permutations(term.data.slots):
            if order == term.data.slots:
                continue
            new = Term("element", (), replace(term.data, slots=order))
            left = put(anchor, path, new)
            changed = replace(claim, letters=infer_letters((left, member), claim, symbols))
            if any(_holds(left, member, changed, symbols, worlds, r, draws) for r in tried):
                text = composed(new, pen)
                return Hint("index-swap", written(term, pen), text, "", term.span)
    return None


def _readings(
    anchor: Term, member: Term, claim: Claim, symbols: Symbols, outcome: Outcome
) -> list[Reading]:
    found = readings(features((anchor, member), claim, symbols), outcome.reading)
    plain = [r for r in found if not r.immediate]
    return plain[:4]


def _edits(desk: Desk) -> Iterator[Edit]:
    count = 0
    seen: dict[Term, None] = {}
    slopes = any(part.op == "gradient" for _, part in walk(desk.anchor))
    defines = desk.anchor.op == "element" and desk.anchor.data.tensor == desk.symbols.loss
    for generator in DEFINITIONS if defines and not slopes else GENERATORS:
        for edit in generator(desk):
            new = put(desk.member, edit.path, edit.new)
            if new in seen:
                continue
            seen[new] = None
            count += 1
            if count > MAX_EDITS:
                return
            yield edit


def _holds(
    anchor: Term,
    member: Term,
    claim: Claim,
    symbols: Symbols,
    worlds: Worlds,
    reading: Reading,
    draws: Draws,
) -> bool:
    if not compare_terms(anchor, member, claim, symbols, worlds, reading, draws[:1]).equal:
        return False
    return compare_terms(anchor, member, claim, symbols, worlds, reading, draws).equal is True


def _hint(edit: Edit, member: Term, pen: Pen) -> Hint:
    node = at_path(member, edit.path)
    span = node.span if node.span[1] > node.span[0] else member.span
    new = written(edit.new, pen) if edit.new.span[1] > edit.new.span[0] else composed(edit.new, pen)
    start, end = member.span
    start -= len(r"\left") if pen.source[:start].endswith(r"\left") else 0
    correct = pen.source[start : span[0]] + _fitting(new, edit, member) + pen.source[span[1] : end]
    return Hint(edit.mistake, pen.source[span[0] : span[1]], new, correct, span)


def _fitting(new: str, edit: Edit, member: Term) -> str:
    """Put brackets round a sign or sum that now stands inside a product."""
    if edit.path:
        parent = at_path(member, edit.path[:-1])
        if parent.op == "add" and new.startswith("-"):
            return new
        if parent.op == "multiply" and edit.new.op in ("negate", "add"):
            return f"({new})"
    return new


# --- dependences that were forgotten -------------------------------------------------------------


@dataclass
class _Without:
    """Worlds in which one dependence is blocked."""

    worlds: Worlds
    blocked: tuple[str, ...]

    def get(self, draw: Draw) -> World:
        return self.worlds.get(draw).without(*self.blocked)


def _dependences(
    anchor: Term,
    member: Term,
    claim: Claim,
    symbols: Symbols,
    worlds: Worlds,
    tried: list[Reading],
) -> Hint | None:
    if not any(part.op == "gradient" for _, part in walk(anchor)):
        return None
    if any(part.op == "gradient" for _, part in walk(member)) and not _same_world(member, symbols):
        pass
    for blocked in _blockable(symbols):
        world = _Without(worlds, blocked)
        for reading in tried[:2]:
            if _holds_between(anchor, member, claim, symbols, worlds, world, reading):
                if blocked == ("diagonal",):
                    return Hint("softmax-diagonal")
                return Hint("path-forgotten", new=f"{blocked[1]} -> {blocked[0]}")
    return None


def _same_world(member: Term, symbols: Symbols) -> bool:
    return True


def _blockable(symbols: Symbols) -> Iterator[tuple[str, ...]]:
    network = symbols.network
    if network is None:
        return
    along = any(isinstance(p, Along) for e in network.equations for p in walk_expr(e.rhs))
    if along:
        yield ("diagonal",)
    readers: dict[str, list[str]] = {}
    for equation in network.equations:
        for name in tensors_read(equation.rhs):
            readers.setdefault(name, [])
            if equation.lhs.tensor not in readers[name]:
                readers[name].append(equation.lhs.tensor)
    for read, by in readers.items():
        if len(by) > 1 or _is_recurrent(read, by, readers):
            for reader in by:
                yield (reader, read)
                yield (reader, read, "here")


def _is_recurrent(read: str, by: list[str], readers: dict[str, list[str]]) -> bool:
    return read in by or any(read in readers.get(b, []) for b in by)


def _holds_between(
    anchor: Term,
    member: Term,
    claim: Claim,
    symbols: Symbols,
    worlds: Worlds,
    blocked: _Without,
    reading: Reading,
) -> bool:
    """Tell whether the member is the derivative in which a dependence is blocked.

    Derivatives inside the member stay total ones.
    """
    from derivgen.verify.compare import agreement
    from derivgen.verify.context import evaluate
    from derivgen.verify.points import kept_sizes, points

    keep = kept_sizes((anchor, member), claim, symbols)
    for draw in DRAWS:
        try:
            world = worlds.get(replace(draw, keep=keep))
        except NoValue:
            if draw.equal:
                continue
            return False
        try:
            context_points = list(
                points((anchor, member), claim, symbols, world, reading, draw.seed)
            )
            for context in context_points[:24]:
                without = replace(context, world=world.without(*blocked.blocked))
                values = (evaluate(anchor, without), evaluate(member, context))
                if agreement(*values) is None:
                    return False
        except NoValue:
            return False
        except (ZeroDivisionError, ValueError, OverflowError):
            return False
        if not context_points:
            return False
    return True
