"""A name with scripts to the term it means, through the surface table or the network's own names.

Every way of splitting the scripts into a longer name, a family member, a sample and indices is
tried; the best fit by axes and declared letters wins, the longest declared name first.
Invariant: a name that nothing declared fits is an error with its place, never a guess.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from derivgen.algebra.affine import Affine, dims_of
from derivgen.formulas.parser import Vocabulary, parse
from derivgen.formulas.scripts import Atom, atoms, index_expression, plain_text, unwrapped
from derivgen.formulas.surface import Reading, Row, surface_parts
from derivgen.formulas.symbols import (
    BATCH_SIZES,
    LOSS_NAMES,
    LOSS_WORDS,
    STEP_SIZES,
    Symbols,
    axis_key,
    canonical,
    declared_letters,
)
from derivgen.formulas.terms import At, Ref, Slope, Term, Test, ats_of, letter
from derivgen.formulas.tree import FormulaError, Name, Notice, Span, Token

_PLACEHOLDER = 0x1D4D0  # mathematical script letters stand for the slots of a row
SAMPLE_LETTERS = ("i", "n", "m", "b", "p", "s", "k", "t", "j")
Key = tuple[Any, ...]


def _starts_later(key: Key, old: Key) -> bool:
    low, before = key[1], old[1]
    return bool(low.is_constant and before.is_constant and low.constant > before.constant)


def same_key(one: Key, other: Key) -> bool:
    """Tell whether two letters run over the same, in every layer where both exist."""
    if one[0] == other[0] == "layered" and one[1] == other[1]:
        there = dict(other[2])
        common = [(axis, there[member]) for member, axis in one[2] if member in there]
        return bool(common) and all(a == b for a, b in common)
    if one[0] == other[0] == "axis":
        # Equal ends and another start: a recurrence with its initial state, h_0 beside x_1.
        return one[2] == other[2]
    return one == other or one[0] == other[0] == "family"


@dataclass
class Letters:
    """What the letters of one formula run over, filled while it is read."""

    declared: Mapping[str, Key]
    known: dict[str, Key] = field(default_factory=dict)
    clashes: list[Notice] = field(default_factory=list)

    def agrees(self, name: str, key: Key) -> int:
        """Return how well a letter fits a slot: 3 known, 2 declared, 0 new, -6 a clash."""
        if name in self.known:
            return 3 if same_key(self.known[name], key) else -6
        if name in self.declared:
            return 2 if same_key(self.declared[name], key) else -2
        return 0

    def bind(self, name: str, key: Key, span: Span) -> None:
        """Note that a letter runs over ``key``; a second meaning is a clash."""
        old = self.known.setdefault(name, key)
        if not same_key(old, key):
            self.clashes.append(Notice("axis-clash", span, name))
        elif key[0] == old[0] == "axis" and _starts_later(key, old):
            self.known[name] = key


@dataclass(frozen=True)
class Candidate:
    """One reading of a name: the term, its score, and which letters it gives which meaning."""

    score: int
    term: Term
    binds: tuple[tuple[str, Key], ...] = ()


@dataclass(frozen=True)
class CompiledRow:
    """A surface row as a name with placeholder tokens."""

    row: Row
    name: Name
    slots: Mapping[str, str]


def new_letters(symbols: Symbols) -> Letters:
    """Return the letters before a formula is read."""
    return Letters(declared_letters(symbols.network))


def compile_rows(symbols: Symbols) -> tuple[CompiledRow, ...]:
    """Return the table's rows that are one name with scripts, the longest first."""
    found: list[CompiledRow] = []
    for row in symbols.table.rows:
        slots: dict[str, str] = {}
        text = ""
        for part, is_slot in surface_parts(row.surface):
            text += _placeholder(part, slots) if is_slot else part
        vocabulary = Vocabulary((*symbols.words,), symbols.letters)
        try:
            chains = parse(text, vocabulary)
        except FormulaError:
            continue
        if len(chains) == 1 and isinstance(chains[0].members[0], Name):
            found.append(CompiledRow(row, chains[0].members[0], slots))
    return tuple(sorted(found, key=lambda c: -len(c.row.surface)))


def _placeholder(slot: str, slots: dict[str, str]) -> str:
    mark = chr(_PLACEHOLDER + len(slots))
    slots[mark] = slot
    return mark


# --- through the table ---------------------------------------------------------------------------


def table_candidates(
    name: Name, rows: tuple[CompiledRow, ...], symbols: Symbols, letters: Letters
) -> Iterator[Candidate]:
    """Yield the readings of a name that the surface table gives."""
    for compiled in rows:
        pattern = compiled.name
        if pattern.base != name.base or pattern.primes != name.primes:
            continue
        for sub in _matches(pattern.sub, name.sub, compiled.slots):
            for sup in _matches(pattern.sup, name.sup, compiled.slots):
                found = _reading_term(compiled.row.reading, {**sub, **sup}, symbols, name.span)
                if found is not None:
                    yield _scored(found, symbols, letters, 40 + len(compiled.row.surface))
        if compiled.slots and not _has_slots(pattern.sup) and pattern.sup == () == name.sup:
            continue


def _has_slots(tokens: tuple[Token, ...]) -> bool:
    return any(ord(t.text[0]) >= _PLACEHOLDER for t in tokens)


def _clean(tokens: tuple[Token, ...]) -> tuple[Token, ...]:
    return tuple(t for t in tokens if t.kind not in ("{", "}", ",") and t.text != r"\mathrm")


def _matches(
    pattern: tuple[Token, ...], tokens: tuple[Token, ...], slots: Mapping[str, str]
) -> Iterator[dict[str, At]]:
    yield from _match(_clean(pattern), _clean(tokens), slots)


def _match(
    pattern: tuple[Token, ...], tokens: tuple[Token, ...], slots: Mapping[str, str]
) -> Iterator[dict[str, At]]:
    if not pattern:
        if not tokens:
            yield {}
        return
    first = pattern[0]
    if first.text not in slots:
        if tokens and tokens[0].text == first.text:
            yield from _match(pattern[1:], tokens[1:], slots)
        return
    for length in range(1, len(tokens) - len(pattern) + 2):
        piece = tokens[:length]
        at = index_expression(piece)
        if at is None or (length > 1 and not _one_expression(piece)):
            continue
        for rest in _match(pattern[1:], tokens[length:], slots):
            yield {**rest, slots[first.text]: at}


def _one_expression(piece: tuple[Token, ...]) -> bool:
    return any(t.kind == "operator" or t.kind == "'" for t in piece)


def _reading_term(
    reading: Reading, slots: Mapping[str, At], symbols: Symbols, span: Span
) -> Term | None:
    tensor = symbols.tensors.get(reading.tensor)
    if tensor is None:
        if reading.tensor in symbols.network_functions and not reading.of:
            return Term("function", (), reading.tensor, span)
        return None
    if reading.indices is None:
        places: tuple[At | None, ...] = (None,) * len(tensor.axes)
    else:
        places = tuple(_slot_at(text, slots) for text in reading.indices)
    term = Term("element", (), Ref(tensor.name, places), span)
    if reading.of:
        of = parse_access(reading.of, slots, symbols, span)
        term = Term("gradient", (of, term), Slope(symbol="table"), span)
    if reading.scale:
        term = Term("multiply", (_scale(reading.scale, symbols, span), term), ("",), span)
    return term


def parse_access(text: str, slots: Mapping[str, At], symbols: Symbols, span: Span) -> Term:
    """Return the element that ``C`` or ``u[a]`` names."""
    name, _, inside = text.partition("[")
    tensor = symbols.tensors.get(name.strip())
    if tensor is None:
        raise FormulaError(text, "The surface table names no tensor of the network.", "", span)
    if not inside:
        return Term("element", (), Ref(tensor.name, (None,) * len(tensor.axes)), span)
    places = tuple(_slot_at("".join(p.split()), slots) for p in inside.rstrip("] ").split(","))
    return Term("element", (), Ref(tensor.name, places), span)


def _slot_at(text: str, slots: Mapping[str, At]) -> At | None:
    if text == ":":
        return None
    sign, total = 1, At((), 0, False)
    for piece in text.replace("-", "+-").split("+"):
        sign = -1 if piece.startswith("-") else 1
        body = piece.lstrip("-")
        if not body:
            continue
        part = At((), int(body), False) if body.isdigit() else slots.get(body, letter(body))
        total = _plus(total, part, sign)
    return total


def _plus(left: At, right: At, sign: int) -> At:
    counts = dict(left.letters)
    for name, count in right.letters:
        counts[name] = counts.get(name, 0) + sign * count
    kept = tuple((name, c) for name, c in counts.items() if c)
    written = right.written if not left.letters and left.constant == 0 else left.written
    return At(kept, left.constant + sign * right.constant, written)


def _scale(text: str, symbols: Symbols, span: Span) -> Term:
    factors = [_scale_factor(piece, symbols, span) for piece in text.split("/")]
    term = factors[0]
    for factor in factors[1:]:
        term = Term("divide", (term, factor), None, span)
    return term


def _scale_factor(text: str, symbols: Symbols, span: Span) -> Term:
    if text.replace(".", "").isdigit():
        return Term("number", (), (Fraction(text), text), span)
    if text in symbols.tensors:
        return Term("element", (), Ref(text, ()), span)
    return Term("size", (), text, span)


# --- through the network's names -----------------------------------------------------------------


def network_candidates(name: Name, symbols: Symbols, letters: Letters) -> Iterator[Candidate]:
    """Yield the readings of a name as a tensor, a family member or the loss."""
    sub, sup = atoms(name.sub), atoms(name.sup)
    for stem, rest_sub, rest_sup, used in _splits(name, sub, sup):
        tensor = symbols.by_canonical.get(stem)
        if tensor is None and stem == name.base and _only_other_case(stem, symbols):
            tensor, used = stem.swapcase(), used - 3
        if tensor is not None:
            yield from _fits(tensor, None, rest_sub, rest_sup, used, name, symbols, letters)
    yield from _family_candidates(name, sub, sup, symbols, letters)
    yield from _role_candidates(name, sub, sup, symbols, letters)
    yield from _loss_candidates(name, sub, sup, symbols, letters)


def _splits(
    name: Name, sub: tuple[Atom, ...], sup: tuple[Atom, ...]
) -> Iterator[tuple[str, tuple[Atom, ...], tuple[Atom, ...], int]]:
    """Yield ways to take scripts into the name: the name, the atoms left, how much was taken."""
    base = name.base
    sub_text = canonical(plain_text(name.sub))
    sup_text = canonical(plain_text(unwrapped(name.sup)[0]))
    joined = "" if name.base in ("", "nabla") else base
    if sub_text and sup_text:
        yield joined + sub_text + sup_text, (), (), 12
        yield joined + sup_text + sub_text, (), (), 12
    if sub_text:
        yield joined + sub_text, (), sup, 10
    if sup:
        yield joined + sup_text, sub, (), 10 if len(sup_text) > 1 else 8
        yield joined + sup[0].text, sub, sup[1:], 6
    for taken in range(1, len(sub)):
        yield joined + "".join(a.text for a in sub[:taken]), sub[taken:], sup, 5 + taken
        if sup:
            yield joined + sup[0].text + sub[0].text, sub[1:], sup[1:], 7
    yield joined, sub, sup, 0


def _fits(
    tensor: str,
    member: At | None,
    sub: tuple[Atom, ...],
    sup: tuple[Atom, ...],
    used: int,
    name: Name,
    symbols: Symbols,
    letters: Letters,
) -> Iterator[Candidate]:
    real = _any_member(tensor, symbols)
    rank = len(symbols.tensors[real].axes)
    for sample, left in _sample_choices(real, rank, sub, sup, symbols):
        if sample is not None and any(n in letters.declared for n, _ in sample.letters):
            continue  # the letter runs over something else here
        for order, bonus in _orders(left[0], left[1]):
            for slots, partial in _placements(order, rank):
                ref = Ref(tensor, slots, member, sample)
                term = Term("element", (), ref, name.span)
                penalty = 2 * (sample is not None) + 2 * partial + _literal_powers(order, name)
                yield _scored(term, symbols, letters, used + bonus - penalty)


def _literal_powers(order: tuple[Atom, ...], name: Name) -> int:
    """Return a penalty for reading a bare number above a name as an index: it is a power."""
    bare = {
        a.text
        for a in atoms(name.sup)
        if not a.bracketed and (a.text.isdigit() or a.text in ("T", "top"))
    }
    return 9 if any(atom.text in bare for atom in order) else 0


def _role_candidates(
    name: Name, sub: tuple[Atom, ...], sup: tuple[Atom, ...], symbols: Symbols, letters: Letters
) -> Iterator[Candidate]:
    """Read the usual names of input, target and output where the network has others."""
    if name.base in symbols.by_canonical or name.base in symbols.families:
        return
    tensor = symbols.roles.get(name.base)
    if tensor is not None:
        yield from _fits(tensor, None, sub, sup, -2, name, symbols, letters)


def _any_member(tensor: str, symbols: Symbols) -> str:
    if "{}" not in tensor:
        return tensor
    return next(iter(symbols.families[tensor[:-2]].values()))


def _sample_choices(
    tensor: str, rank: int, sub: tuple[Atom, ...], sup: tuple[Atom, ...], symbols: Symbols
) -> Iterator[tuple[At | None, tuple[tuple[Atom, ...], tuple[Atom, ...]]]]:
    if len(sub) + len(sup) <= rank:
        yield None, (sub, sup)
    if tensor not in symbols.data_dependent or (symbols.network and symbols.network.batch):
        return
    if len(sub) + len(sup) not in (rank + 1, 1):
        return
    for number, atom in enumerate(sup):
        if atom.at is not None and (atom.bracketed or rank < len(sub) + len(sup)):
            yield atom.at, (sub, sup[:number] + sup[number + 1 :])
    for number, atom in enumerate(sub):
        if atom.at is not None and atom.text in SAMPLE_LETTERS:
            yield atom.at, (sub[:number] + sub[number + 1 :], sup)


def _orders(sub: tuple[Atom, ...], sup: tuple[Atom, ...]) -> Iterator[tuple[tuple[Atom, ...], int]]:
    yield sub + sup, 1
    if sub and sup:
        yield sup + sub, 1


def _placements(order: tuple[Atom, ...], rank: int) -> Iterator[tuple[tuple[At | None, ...], bool]]:
    if any(atom.at is None for atom in order) or len(order) > rank:
        return
    places = tuple(atom.at for atom in order)
    if len(places) == rank:
        yield places, False
    elif not places:
        yield (None,) * rank, False
    else:
        for start in range(rank - len(places) + 1):
            rest = rank - len(places) - start
            yield (None,) * start + places + (None,) * rest, True


def _family_candidates(
    name: Name, sub: tuple[Atom, ...], sup: tuple[Atom, ...], symbols: Symbols, letters: Letters
) -> Iterator[Candidate]:
    family = _cased(name.base, symbols)
    if family in symbols.families and not sub and not sup and family not in symbols.tensors:
        members = symbols.families[family]
        yield from _fits(members[max(members)], None, (), (), -3, name, symbols, letters)
    prefixed = [(family, sub, sup)]
    if sub:
        prefixed.append((family + sub[0].text, sub[1:], sup))
    for stem, own_sub, own_sup in prefixed:
        if stem not in symbols.families:
            continue
        if stem != family and not own_sub and not own_sup and sub[0].at is not None:
            # out_o stands for out_o1, out_o2: the letter is the number.
            yield from _fits(stem + "{}", sub[0].at, (), (), 1, name, symbols, letters)
        for member, rest_sub, rest_sup, used in _members(own_sub, own_sup):
            literal = symbols.families[stem].get(member.constant) if not member.letters else None
            tensor, at = (literal, None) if literal else (stem + "{}", member)
            if not member.letters and literal is None:
                continue
            yield from _fits(tensor, at, rest_sub, rest_sup, used, name, symbols, letters)


def _only_other_case(stem: str, symbols: Symbols) -> bool:
    """Tell whether a letter names a tensor in the other case alone: X for x, w for W."""
    return len(stem) == 1 and stem.swapcase() in symbols.tensors and stem not in symbols.families


def _cased(base: str, symbols: Symbols) -> str:
    """Return the family of a name, in the other case if only that exists: w for W."""
    other = base.swapcase()
    taken = base in symbols.families or base in symbols.tensors
    return other if not taken and len(base) == 1 and other in symbols.families else base


def _members(
    sub: tuple[Atom, ...], sup: tuple[Atom, ...]
) -> Iterator[tuple[At, tuple[Atom, ...], tuple[Atom, ...], int]]:
    if sup and sup[0].at is not None and (sup[0].bracketed or sup[0].text not in ("T", "top")):
        yield sup[0].at, sub, sup[1:], 6
    if sub and sub[0].at is not None:
        yield sub[0].at, sub[1:], sup, 4
    if len(sub) > 1 and sub[-1].at is not None:
        yield sub[-1].at, sub[:-1], sup, 3


def _loss_candidates(
    name: Name, sub: tuple[Atom, ...], sup: tuple[Atom, ...], symbols: Symbols, letters: Letters
) -> Iterator[Candidate]:
    if (
        not symbols.loss
        or name.base not in LOSS_NAMES
        or name.base in symbols.tensors
        and (name.base != symbols.loss)
    ):
        return
    tensor = symbols.tensors[symbols.loss]
    if tensor.axes:
        return
    penalty = 0 if name.base == symbols.loss else 2
    text = canonical(plain_text(name.sub)) + canonical(plain_text(unwrapped(name.sup)[0]))
    if not text or text in LOSS_WORDS:
        yield _scored(
            Term("element", (), Ref(tensor.name), name.span), symbols, letters, 4 - penalty
        )
    elif len(sub) + len(sup) == 1 and (sub + sup)[0].text in letters.declared:
        return  # L_t is the loss of one time, not of one sample
    elif len(sub) + len(sup) == 1 and (sub + sup)[0].at is not None:
        ref = Ref(tensor.name, sample=(sub + sup)[0].at)
        yield _scored(Term("element", (), ref, name.span), symbols, letters, 2 - penalty)


def delta_candidates(name: Name, symbols: Symbols, letters: Letters) -> Iterator[Candidate]:
    r"""Yield the readings of ``\delta`` with scripts as the adjoint of a pre-activation."""
    if not symbols.loss:
        return
    sub, sup = atoms(name.sub), atoms(name.sup)
    yield from _kronecker(name, sub, sup, symbols, letters)
    of = Term("element", (), Ref(symbols.loss), name.span)
    for stem in ("z", "net", "u", "s", "alpha", "a", "n", "h"):
        members = symbols.families.get(stem, {})
        if not any(tensor in symbols.preactivations for tensor in members.values()):
            continue
        renamed = Name(stem, name.sub, name.sup, 0, name.span)
        for found in network_candidates(renamed, symbols, letters):
            if found.term.data.tensor in (*symbols.preactivations, stem + "{}"):
                term = Term("gradient", (of, found.term), Slope(symbol="delta"), name.span)
                yield Candidate(found.score, term, found.binds)
    for tensor in symbols.preactivations:
        text = canonical(plain_text(name.sub) + plain_text(unwrapped(name.sup)[0]))
        named = bool(text) and canonical(tensor).endswith(text)
        ends = ((), ()) if named else (sub, sup)
        for found in _fits(tensor, None, *ends, 6 if named else -1, name, symbols, letters):
            term = Term("gradient", (of, found.term), Slope(symbol="delta"), name.span)
            yield Candidate(found.score, term, found.binds)


def _kronecker(
    name: Name, sub: tuple[Atom, ...], sup: tuple[Atom, ...], symbols: Symbols, letters: Letters
) -> Iterator[Candidate]:
    r"""Read ``\delta_{ij}`` as 1 where i = j, if both letters may run over one range."""
    if len(sub) != 2 or sup or any(a.at is None for a in sub):
        return
    keys = [letters.known.get(a.text) or letters.declared.get(a.text) for a in sub]
    if keys[0] is not None and keys[1] is not None and not same_key(keys[0], keys[1]):
        return
    ranks = [len(symbols.tensors[t].axes) for t in symbols.preactivations]
    score = 12 if 2 not in ranks or all(a.text in letters.known for a in sub) else 0
    yield Candidate(score, Term("bracket", (), Test("=", sub[0].at, sub[1].at), name.span))


# --- scoring -------------------------------------------------------------------------------------


def _scored(term: Term, symbols: Symbols, letters: Letters, score: int) -> Candidate:
    binds: list[tuple[str, Key]] = []
    for part in _elements(term):
        for at, key in slot_keys(part.data, symbols):
            for name, _ in at.letters:
                if name in symbols.sizes:
                    score += 1
                    continue
                score += letters.agrees(name, key)
                if len(at.letters) == 1 and (at.constant == 0 or name not in letters.known):
                    binds.append((name, key))
            score -= _outside(at, key, symbols)
    return Candidate(score, term, tuple(binds))


def _outside(at: At, key: Key, symbols: Symbols) -> int:
    if at.letters or key[0] != "axis":
        return 0
    low, high = (_constant(form, symbols) for form in key[1:3])
    if low is None or high is None:
        return 0
    count = high - low
    return 8 if at.constant > max(high, count) else 0


def _constant(form: Affine, symbols: Symbols) -> int | None:
    if form.is_constant:
        return form.constant
    sizes = {dim.name: symbols.sizes.get(dim.name) for dim in dims_of(form)}
    if len(form.terms) != len(sizes) or any(size is None for size in sizes.values()):
        return None
    return form.constant + sum(c * (sizes[str(atom)] or 0) for atom, c in form.terms)


def _elements(term: Term) -> Iterator[Term]:
    if term.op == "element":
        yield term
    for part in term.args:
        yield from _elements(part)


def slot_keys(ref: Ref, symbols: Symbols) -> Iterator[tuple[At, Key]]:
    """Yield every index expression of a reference with what it runs over."""
    tensor = symbols.tensors[_any_member(ref.tensor, symbols)]
    for number, slot in enumerate(ref.slots):
        if slot is not None:
            key: Key = axis_key(tensor, number)
            if "{}" in ref.tensor and ref.member is not None:
                key = _layered_key(ref, number, symbols)
            yield slot, key
    if ref.member is not None:
        yield ref.member, ("family", ref.tensor)
    if ref.sample is not None:
        yield ref.sample, ("sample",)


def _layered_key(ref: Ref, number: int, symbols: Symbols) -> Key:
    assert ref.member is not None, "a family reference has a member"
    members = symbols.families[ref.tensor[:-2]]
    name = ref.member.letters[0][0] if ref.member.letters else ""
    axes = tuple(
        (member - ref.member.constant, axis_key(symbols.tensors[tensor], number))
        for member, tensor in sorted(members.items())
        if number < len(symbols.tensors[tensor].axes)
    )
    if len({axis for _, axis in axes}) == 1:
        return axes[0][1]
    return ("layered", name, axes)


def free_number(name: Name, symbols: Symbols) -> Term | None:
    """Return a step size or a batch size, if the name is one by convention."""
    text = name.base + canonical(plain_text(name.sub))
    if name.sup:
        return None
    if text in symbols.sizes:
        return Term("size", (), text, name.span)
    if text in symbols.free or (name.base in STEP_SIZES and not name.sub):
        return Term("free", (), text, name.span)
    if text in BATCH_SIZES:
        return Term("size", (), text, name.span)
    return Term("constant", (), "pi", name.span) if text == "pi" else None


def index_number(name: Name, letters: Letters) -> Term | None:
    """Return an index letter used as a number, if the letter is one."""
    if not name.sub and not name.sup and name.base in letters.known:
        return Term("index", (), letter(name.base), name.span)
    return None


def letters_of(term: Term) -> dict[str, None]:
    """Return the letters in one node's index expressions."""
    return {name: None for at in ats_of(term) for name, _ in at.letters}
