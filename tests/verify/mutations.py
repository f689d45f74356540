"""Mistakes made by machine: every way a person spoils a right formula, applied wherever it fits.

A mutation changes one node of the meaning of a right member and is written back into its text.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import permutations

from derivgen.algebra.network import Role
from derivgen.formulas.plain import read_plain
from derivgen.formulas.resolve import read_chains
from derivgen.formulas.surface import SurfaceTable
from derivgen.formulas.terms import Claim, Path, Term, at_path, letter, walk
from derivgen.formulas.tree import FormulaError
from derivgen.verify.desk import Desk as Parts
from derivgen.verify.desk import core, is_matrix, like_elements, slope_pattern, without
from derivgen.verify.hand import make_pen
from derivgen.verify.judge import resolve_members
from derivgen.verify.stage import Stage, make_stage
from derivgen.verify.write import can_write, composed, written


@dataclass(frozen=True)
class Right:
    """A right formula, read: its stage, its claim, and its two members."""

    text: str
    stage: Stage
    claim: Claim
    anchor: Term
    member: Term
    plain: bool

    @property
    def parts(self) -> Parts:
        return Parts(self.anchor, self.member, self.claim, self.stage.symbols)


@dataclass(frozen=True)
class Mutation:
    """One mistake: its kind, the spoilt member, and the whole formula as text."""

    kind: str
    member: Term
    text: str


def read_right(text: str, network, plain: bool) -> Right | None:
    """Return a formula of two members as terms, ``None`` where it has another form."""
    stage = make_stage(network, SurfaceTable())
    try:
        if plain:
            claim = read_plain(text, stage.symbols)
            members = claim.members
        else:
            (chain,) = read_chains(text, stage.symbols, {})
            members, claim = resolve_members(chain, stage.symbols)
    except (FormulaError, ValueError):
        return None
    if len(members) != 2 or not all(isinstance(m, Term) for m in members):
        return None
    return Right(text, stage, claim, members[0], members[1], plain)


def mutations(right: Right) -> Iterator[Mutation]:
    """Yield every machine-made mistake of a right formula that can be written down."""
    pen = make_pen(right.text, (right.anchor, right.member), right.plain)
    seen = {right.text}
    for kind, maker in KINDS:
        for path, new in maker(right):
            old = at_path(right.member, path)
            if old.span[1] <= old.span[0] or not can_write(new):
                continue
            new_text = written(new, pen) if new.span[1] > new.span[0] else composed(new, pen)
            parent = at_path(right.member, path[:-1]).op if path else ""
            if new.op in ("negate", "add") and parent in ("multiply", "power", "fold", "divide"):
                new_text = f"({new_text})"
            text = right.text[: old.span[0]] + new_text + right.text[old.span[1] :]
            if text in seen:
                continue
            seen.add(text)
            member = _put(right.member, path, new)
            yield Mutation(kind, member, text)


def _put(term: Term, path: Path, new: Term) -> Term:
    if not path:
        return new
    args = list(term.args)
    args[path[0]] = _put(args[path[0]], path[1:], new)
    return term.with_args(tuple(args))


Made = Iterator[tuple[Path, Term]]


def _number(value) -> Term:
    return Term("number", (), (Fraction(value), ""))


def _places(right: Right, *ops: str) -> Made:
    for path, term in walk(right.member):
        inside = any(at_path(right.member, path[:k]).op == "gradient" for k in range(len(path)))
        if term.op in ops and not inside:
            yield path, term


def _signs(right: Right) -> Made:
    yield (), Term("negate", (right.member,))
    for path, term in _places(right, "add"):
        for place, part in enumerate(term.args):
            new = part.args[0] if part.op == "negate" else Term("negate", (part,))
            args = (*term.args[:place], new, *term.args[place + 1 :])
            yield path, Term("add", args)


def _twos(right: Right) -> Made:
    yield (), Term("multiply", (_number(2), right.member), ("",))
    yield (), Term("multiply", (_number(Fraction(1, 2)), right.member), ("",))


def _is_slope(term: Term) -> bool:
    inner = core(term)
    return bool(inner.op == "call" and inner.data[1]) or slope_pattern(inner) is not None


def _dropped(right: Right, slopes: bool) -> Made:
    for path, term in _places(right, "multiply"):
        for place, part in enumerate(term.args):
            if _is_slope(part) == slopes and part.op in ("element", "group", "call", "power"):
                yield path, without(term, (place,))
        if slopes:
            for one in range(len(term.args)):
                for two in range(one + 1, len(term.args)):
                    pair = Term("multiply", (term.args[one], term.args[two]), ("",))
                    if slope_pattern(pair) is not None:
                        yield path, without(term, (one, two))


def _means(right: Right) -> Made:
    for path, term in _places(right, "divide"):
        if term.args[1].op == "size":
            yield path, term.args[0]
    for path, term in _places(right, "multiply"):
        for place, part in enumerate(term.args):
            if part.op == "divide" and part.args[1].op == "size":
                yield path, without(term, (place,))


def _sums(right: Right) -> Made:
    for path, term in _places(right, "fold"):
        if term.data.op == "sum":
            yield path, term.args[0]


def _paths(right: Right) -> Made:
    for path, term in _places(right, "add"):
        for place, part in enumerate(term.args):
            if any(t.op == "gradient" for _, t in walk(part)):
                rest = (*term.args[:place], *term.args[place + 1 :])
                yield path, rest[0] if len(rest) == 1 else Term("add", rest)


def _swaps(right: Right) -> Made:
    for path, term in _places(right, "element"):
        slots = term.data.slots
        if None in slots or len(slots) < 2:
            continue
        for order in permutations(slots):
            if order != slots:
                yield path, Term("element", (), replace(term.data, slots=order))


def _transposes(right: Right, there: bool) -> Made:
    for path, term in _places(right, "transpose" if there else "element"):
        if there:
            yield path, term.args[0]
        elif is_matrix(term, right.parts) and not (
            path and at_path(right.member, path[:-1]).op == "transpose"
        ):
            yield path, Term("transpose", (term,))


def _orders(right: Right) -> Made:
    for path, term in _places(right, "multiply"):
        for place in range(len(term.args) - 1):
            pair = term.args[place : place + 2]
            if term.data[place] == "" and all(is_matrix(p, right.parts) for p in pair):
                args = (*term.args[:place], pair[1], pair[0], *term.args[place + 2 :])
                yield path, Term("multiply", args, term.data)


def _extra_slopes(right: Right) -> Made:
    for path, term in _places(right, "multiply"):
        for part in term.args:
            if _is_slope(part):
                sign = r"\odot" if is_matrix(part, right.parts) else ""
                yield path, Term("multiply", (*term.args, part), (*term.data, sign))


def _slope_arguments(right: Right) -> Made:
    for path, term in _places(right, "call"):
        if term.data[1] and term.args[0].op == "element":
            for other in like_elements(term.args[0], right.parts)[:3]:
                yield path, Term("call", (other,), term.data)


def _layers(right: Right) -> Made:
    for path, term in _places(right, "element"):
        ref = term.data
        if ref.member is not None and ref.member.letters:
            for by in (-1, 1):
                yield path, Term("element", (), replace(ref, member=ref.member.shifted(by)))


def _times(right: Right) -> Made:
    for path, term in _places(right, "element"):
        ref = term.data
        for place, slot in enumerate(ref.slots):
            if slot is None or "t" not in [n for n, _ in slot.letters]:
                continue
            for by in (-1, 1):
                slots = (*ref.slots[:place], slot.shifted(by), *ref.slots[place + 1 :])
                yield path, Term("element", (), replace(ref, slots=slots))


def _variables(right: Right) -> Made:
    for path, term in _places(right, "element"):
        for other in like_elements(term, right.parts)[:4]:
            yield path, other


def _indicators(right: Right) -> Made:
    for path, term in _places(right, "multiply"):
        for place, part in enumerate(term.args):
            if part.op == "bracket":
                yield path, without(term, (place,))
    for path, _ in _places(right, "bracket"):
        yield path, _number(1)


def _updates(right: Right) -> Made:
    for path, term in _places(right, "element"):
        tensor = right.stage.symbols.tensors.get(term.data.tensor)
        if tensor is not None and tensor.role is Role.PARAM and not term.data.updated:
            yield path, Term("element", (), replace(term.data, updated=True))


def _digits(right: Right) -> Made:
    for path, term in _places(right, "number"):
        text = term.data[1]
        if "." in text and len(text) > 4:
            last = text[-2]
            new = text[:-2] + str((int(last) + 3) % 10) + text[-1]
            yield path, Term("number", (), (Fraction(new), new))


def _letters(right: Right) -> Made:
    names = [n for n in right.claim.letters if not n.startswith("#")]
    for path, term in _places(right, "element"):
        for place, slot in enumerate(term.data.slots):
            if slot is None or len(slot.letters) != 1 or slot.constant:
                continue
            for name in names:
                if name != slot.letters[0][0]:
                    slots = list(term.data.slots)
                    slots[place] = letter(name)
                    yield path, Term("element", (), replace(term.data, slots=tuple(slots)))


def _factors(right: Right) -> Made:
    for path, term in _places(right, "element"):
        if not is_matrix(term, right.parts):
            yield path, Term("multiply", (term, term), ("",))


KINDS = (
    ("sign", _signs),
    ("factor-2", _twos),
    ("missing-1-over-m", _means),
    ("sum-forgotten", _sums),
    ("path-forgotten", _paths),
    ("missing-fprime", lambda right: _dropped(right, True)),
    ("extra-fprime", _extra_slopes),
    ("fprime-argument", _slope_arguments),
    ("missing-transpose", lambda right: _transposes(right, True)),
    ("extra-transpose", lambda right: _transposes(right, False)),
    ("order", _orders),
    ("index-swap", _swaps),
    ("wrong-layer", _layers),
    ("wrong-time-index", _times),
    ("indicator-dropped", _indicators),
    ("updated-weights-used", _updates),
    ("digit", _digits),
    ("missing-factor", lambda right: _dropped(right, False)),
    ("wrong-variable", _variables),
    ("extra-factor", _factors),
    ("wrong-letter", _letters),
)
