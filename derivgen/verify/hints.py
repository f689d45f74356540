"""The single edit that makes a wrong member right, found by trying.

Besides edits of the text, two mistakes show on the other side: a path of the chain rule that the
writer forgot, or a softmax taken for diagonal, gives the derivative of a network in which that
dependence counts as constant. Invariant: a hint is reported only if the edited formula agrees in
all worlds.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import combinations, islice, permutations

from derivgen.algebra.expressions import Along, tensors_read
from derivgen.algebra.expressions import walk as walk_expr
from derivgen.formulas.symbols import Symbols
from derivgen.formulas.terms import (
    Claim,
    Listing,
    Path,
    Term,
    Test,
    at_path,
    free_letters,
    letter,
    put,
    same,
    walk,
)
from derivgen.formulas.tree import Span
from derivgen.verify.compare import DRAWS, Outcome, Worlds, agreement, compare_terms, diagonal_meant
from derivgen.verify.context import Reading
from derivgen.verify.derived import contributions, whole_formulas
from derivgen.verify.desk import Desk, Edit
from derivgen.verify.draw import Draw
from derivgen.verify.edit_pairs import pairs
from derivgen.verify.edits import DEFINITIONS, GENERATORS
from derivgen.verify.hand import SCRIPTED, Pen, cleaned, make_pen
from derivgen.verify.numeric import NoValue
from derivgen.verify.points import infer_letters
from derivgen.verify.readings import features, readings
from derivgen.verify.search import Bench, Search, Spent
from derivgen.verify.windows import WAYS
from derivgen.verify.world import DIAGONAL, Blocked
from derivgen.verify.write import can_write, composed, is_elementwise, written

MAX_EDITS = 900
MAX_WORK = 40_000  # parts of formulas evaluated for one hint
MAX_PAIRS = 600
Draws = tuple[Draw, ...]


@dataclass(frozen=True)
class Hint:
    """The mistake, what to write for what, where, and the whole member put right."""

    mistake: str
    old: str = ""
    new: str = ""
    correct: str = ""
    span: Span = (0, 0)
    also: str = ""  # a second mistake, where only two edits together mend the formula


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
    anchor, member = cleaned(anchor, source), cleaned(member, source)
    tried = _readings(anchor, member, claim, symbols, outcome)
    benches = [Bench(anchor, member, claim, symbols, worlds, r, draws[0]) for r in tried]
    try:
        if any(r.star in WAYS for r in tried):  # the way to slide that gives the right shape
            benches = sorted(benches, key=lambda bench: not bench.fits(member))[:2]
        if not any(bench.contexts for bench in benches):
            return None
    except NoValue:
        return None
    desk = Desk(anchor, member, claim, symbols)

    def confirm(new: Term, reading: Reading) -> bool:
        letters = infer_letters((anchor, new), claim, symbols)
        changed = replace(claim, letters=letters)
        return bool(compare_terms(anchor, new, changed, symbols, worlds, reading, draws).equal)

    if hint := _dependences([b for b in benches if b.fits(member)], symbols, worlds):
        return replace(
            hint, correct=_completed(desk, Search(benches, confirm, MAX_WORK), hint, pen)
        )
    try:
        # The plainest reading first for all edits: another one could make a silly edit true.
        for group in (benches[:1], benches[1:]):
            search = Search(group, confirm, MAX_WORK)
            for edit in _edits(desk) if group else ():
                if search.holds(put(member, edit.path, edit.new)):
                    return _hint(edit, member, pen)
        if hint := _half_right(desk, Search(benches[:1], confirm, MAX_WORK), pen):
            return hint
        if hint := _pair(desk, Search(benches[:1], confirm, 2 * MAX_WORK), pen):
            return hint
        if hint := _left_swap(anchor, member, claim, symbols, worlds, tried, pen, draws):
            return hint
    except Spent:
        pass
    # No edit mends it: only the right formula can be shown.
    correct = _completed(desk, Search(benches, confirm, 2 * MAX_WORK), None, pen)
    return Hint("", correct=correct) if correct else None


def _half_right(desk: Desk, search: Search, pen: Pen) -> Hint | None:
    """Name a Jacobian of a softmax that holds on its diagonal only, or everywhere else."""
    slope, network = desk.anchor, desk.symbols.network
    if slope.op != "gradient" or any(part.op != "element" for part in slope.args):
        return None
    of, by = slope.args
    ends = [[n for n in free_letters(part) if n in desk.claim.letters] for part in (of, by)]
    pairs_ = [(a, b) for a in ends[0] for b in ends[1] if a not in ends[1] and b not in ends[0]]
    along = network is not None and any(
        equation.lhs.tensor == of.data.tensor and by.data.tensor in tensors_read(equation.rhs)
        for equation in network.equations
        if any(isinstance(part, Along) for part in walk_expr(equation.rhs))
    )
    for one, other in pairs_ if along and search.benches[0].contexts else ():
        if desk.claim.letters[one][2:] != desk.claim.letters[other][2:]:
            continue
        found = search.benches[0].agreements(one, other)
        if len(found) < 2 or all(found.values()) or not any(found.values()):
            continue
        slots = tuple(letter(other) if s == letter(one) else s for s in of.data.slots)
        second = Term("element", (), replace(of.data, slots=slots))
        same_place = Term("bracket", (), Test("=", letter(other), letter(one)))
        inner = Term("group", (Term("add", (same_place, Term("negate", (second,)))),), "(")
        new = Term("multiply", (of, inner), ("",))
        correct = composed(new, pen) if search.holds(new) else ""
        return Hint("softmax-diagonal", correct=correct)
    return None


def _completed(desk: Desk, search: Search, hint: Hint | None, pen: Pen) -> str:
    """Return the member with the forgotten terms, or the engine's own formula."""
    candidates: list[Term] = []
    if hint is not None and hint.mistake == "path-forgotten":
        parts = contributions(desk.anchor, desk.symbols, desk.claim.letters)
        chosen = [*((part,) for part in parts), *combinations(parts, 2)]
        candidates += [Term("add", (desk.member, *some)) for some in chosen]
    candidates += whole_formulas(desk.anchor, desk.symbols, desk.claim.letters)
    try:
        for new in candidates:
            if can_write(new) and search.holds(new):
                return written(new, pen) if new.span[1] else composed(new, pen)
    except Spent:
        return ""
    return ""


def _pair(desk: Desk, search: Search, pen: Pen) -> Hint | None:
    """Return two edits that together make the claim true."""
    for pair in islice(pairs(desk, search.benches[0].fits), MAX_PAIRS):
        if not same(pair.new, desk.anchor) and search.holds(pair.new):
            whole = desk.member.span
            old = pen.source[whole[0] : whole[1]]
            new = composed(pair.new, pen) if can_write(pair.new) else ""
            return Hint(pair.mistake, old if new else "", new, new, whole, pair.also)
    return None


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
    sliding = [r for r in plain if r.star in WAYS]
    return sliding or plain[:4]


def _edits(desk: Desk) -> Iterator[Edit]:
    count = 0
    seen: dict[Term, None] = {}
    slopes = any(part.op == "gradient" for _, part in walk(desk.anchor))
    defines = desk.anchor.op == "element" and desk.anchor.data.tensor == desk.symbols.loss
    for generator in DEFINITIONS if defines and not slopes else GENERATORS:
        for edit in generator(desk):
            new = put(desk.member, edit.path, edit.new)
            if new in seen or same(new, desk.anchor):
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
    path, new = lifted(edit, member, pen)
    node = at_path(member, path)
    span = node.span if node.span[1] > node.span[0] else member.span
    text = _fitting(written(bare(new, path, member), pen), new, path, member)
    start, end = member.span
    before = pen.source[start : span[0]]
    correct = _like_siblings(before, start, text, path, member, pen) + pen.source[span[1] : end]
    return Hint(edit.mistake, pen.source[span[0] : span[1]], text, correct, span)


def _like_siblings(before: str, start: int, new: str, path: Path, member: Term, pen: Pen) -> str:
    """Return what stands before an edit and the edit, made in every entry of a vector with dots."""
    for depth in range(len(path)):
        vector, rest = at_path(member, path[:depth]), path[depth:]
        if not isinstance(vector.data, Listing) or rest[0] != 0:
            continue
        for entry, number in reversed(vector.data.siblings):
            low, high = at_path(entry, rest[1:]).span
            last = rf"(?<![A-Za-z\\]){re.escape(vector.data.last)}(?![A-Za-z])"
            own = re.sub(last, number, new)
            if start <= low and high - start <= len(before):
                before = before[: low - start] + own + before[high - start :]
    return before + new


def lifted(edit: Edit, member: Term, pen: Pen) -> tuple[Path, Term]:
    r"""Return an edit at a node that has a place of its own in the text.

    The name below the script of ``W^{(2)\top}`` has none, nor has what ``\delta_j`` stands for;
    and the minus of a term of a sum does not belong to its text.
    """
    path, new = edit.path, edit.new
    while path:
        node, parent = at_path(member, path), at_path(member, path[:-1])
        placed = node.span[1] > node.span[0]
        scripted = parent.op in SCRIPTED and path[-1] == 0 and "^" in written(new, pen)
        minus = node.op == "negate" and pen.source[node.span[0]] not in "-−－"
        if placed and not scripted and not minus:
            break
        args = (*parent.args[: path[-1]], new, *parent.args[path[-1] + 1 :])
        path, new = path[:-1], Term(parent.op, args, parent.data)
    return path, new


def bare(new: Term, path: Path, member: Term) -> Term:
    """Return a term without brackets of the writer's that hold nothing together any more."""
    if new.op != "group":
        return new
    alone = not path or at_path(member, path[:-1]).op == "group"
    return new.args[0] if alone or new.args[0].op in ("element", "number", "gradient") else new


def _fitting(text: str, new: Term, path: Path, member: Term) -> str:
    """Put brackets round a sign or sum that now stands inside a product."""
    if path:
        parent = at_path(member, path[:-1])
        if parent.op == "add" and text.startswith("-"):
            return text
        if parent.op in ("multiply", "power", "transpose") and new.op in ("negate", "add"):
            return f"({text})"
        if parent.op == "multiply" and new.op == "multiply" and is_elementwise(new):
            return f"({text})"  # an elementwise product inside a product of matrices
    return text


# --- dependences that were forgotten -------------------------------------------------------------


def _dependences(benches: list[Bench], symbols: Symbols, worlds: Worlds) -> Hint | None:
    """Find the dependences that a writer took for constant."""
    slopes = (part.op == "gradient" for bench in benches[:1] for _, part in walk(bench.anchor))
    if not any(slopes):
        return None
    for blocked in _blockable(symbols):
        for bench in benches:
            if not _explains(bench, blocked) or not _always(bench, blocked, worlds):
                continue
            if blocked == (DIAGONAL,):
                return Hint("softmax-diagonal")
            paths = dict.fromkeys(f"{edge[1]} -> {edge[0]}" for edge in blocked)
            return Hint("path-forgotten", new=", ".join(paths))
    return None


def _explains(bench: Bench, blocked: Blocked) -> bool:
    """Tell whether the member is the derivative in which some dependences are blocked.

    Derivatives inside the member stay total ones.
    """
    seen = 0
    for left, right in zip(bench.left(blocked), bench.right()):
        if left is None or right is None:
            return False
        if agreement(*diagonal_meant((bench.anchor, bench.member), (left, right))) is None:
            return False
        seen += 1
    return seen > 0


def _always(bench: Bench, blocked: Blocked, worlds: Worlds) -> bool:
    """Tell whether blocked dependences explain the member in every world."""
    for draw in DRAWS[1:]:
        other = Bench(
            bench.anchor, bench.member, bench.claim, bench.symbols, worlds, bench.reading, draw
        )
        try:
            if not _explains(other, blocked):
                return False
        except NoValue:
            if not draw.equal:
                return False
    return True


def _blockable(symbols: Symbols) -> Iterator[Blocked]:
    """Yield sets of dependences that people forget: one, two, or all but one reader of a tensor."""
    network = symbols.network
    if network is None:
        return
    along = any(isinstance(p, Along) for e in network.equations for p in walk_expr(e.rhs))
    if along:
        yield (DIAGONAL,)
    readers: dict[str, list[str]] = {}
    for equation in network.equations:
        for name in tensors_read(equation.rhs):
            readers.setdefault(name, [])
            if equation.lhs.tensor not in readers[name]:
                readers[name].append(equation.lhs.tensor)
    several = {
        read: by for read, by in readers.items() if len(by) > 1 or _is_recurrent(read, by, readers)
    }
    for read, by in several.items():
        for reader in by:
            yield ((reader, read),)
            yield ((reader, read, "here"),)
    for read, by in several.items():
        for kept in by if len(by) > 2 else ():
            yield tuple((reader, read) for reader in by if reader != kept)
            yield tuple((reader, read, "here") for reader in by if reader != kept)


def _is_recurrent(read: str, by: list[str], readers: dict[str, list[str]]) -> bool:
    return read in by or any(read in readers.get(b, []) for b in by)
