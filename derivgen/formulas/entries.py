"""Vectors and matrices of a formula, those with dots between a first and a last entry included."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from derivgen.formulas import tree
from derivgen.formulas.fit import slot_keys
from derivgen.formulas.positions import FLOOR, position
from derivgen.formulas.reader import Reader
from derivgen.formulas.rows import tabled
from derivgen.formulas.terms import (
    At,
    Bound,
    Fold,
    Listing,
    Ref,
    Term,
    at_path,
    free_letters,
    letter,
    map_ats,
    put,
)
from derivgen.formulas.tree import FormulaError, Span


def dotted_sum(terms: list[Term | None], span: Span, reader: Reader) -> list[Term]:
    """Return the terms of a sum, ``a_1 + a_2 + ... + a_n`` as one sum over the letter n stands for.

    ``None`` stands for dots. What does not follow the term behind them stays a term of its own.
    """
    if None not in terms:
        return [term for term in terms if term is not None]
    dots = terms.index(None)
    before = [term for term in terms[:dots] if term is not None]
    after = [term for term in terms[dots + 1 :] if term is not None]
    if not before or not after or None in terms[dots + 1 :]:
        raise FormulaError("...", "The dots stand between no two entries.", "", span)
    start = len(before)
    while start and _number_of(before[start - 1], after[0]) is not None:
        start -= 1
    if start == len(before) or _counts([*before[start:], after[0]]) is False:
        raise FormulaError("...", "The terms of this sum follow no one pattern.", "", span)
    name, body = _listed(before[start], after[0], reader, span)
    whole = (before[start].span[0], after[0].span[1])
    fold = Term("fold", (body,), Fold("sum", (Bound(name),)), whole)
    return [*before[:start], fold, *after[1:]]


def _counts(terms: list[Term]) -> bool:
    """Tell whether the terms before the last one count up from 0 or 1."""
    numbers = [_number_of(term, terms[-1]) for term in terms[:-1]]
    first = 0 if numbers[0] == "0" else 1
    return numbers == [str(first + n) for n in range(len(numbers))]


def group(node: tree.Group, reader: Reader) -> Term:
    if len(node.items) == 1 and not isinstance(node.items[0], tree.Dots):
        if node.bracket == FLOOR:
            return _floor(node, reader)
        inner = reader.term(node.items[0])
        return Term("group", (inner,), node.bracket, node.span)
    if node.bracket == r"\langle" and len(node.items) == 2:
        return Term("multiply", tuple(reader.term(i) for i in node.items), (r"\langle",), node.span)
    items = [None if isinstance(i, tree.Dots) else reader.term(i) for i in node.items]
    if not items:
        raise FormulaError("()", "An empty bracket.", "", node.span)
    # [h, x] of two vectors is one longer vector.
    way = "column" if all(i is not None and _is_vector(i) for i in items) else "row"
    return _vector([[item] for item in items], node.span, reader, way)


def _is_vector(term: Term) -> bool:
    return term.op == "element" and term.data.whole_axes == 1


def _floor(node: tree.Group, reader: Reader) -> Term:
    """Read the floor of a quotient of indices as an index, of anything else as a function."""
    at = position(node, reader.symbols, tabled(reader.rows, reader.symbols, reader.letters))
    names = (*reader.letters.known, *reader.letters.bound)
    if at is not None and all(name in names for name in free_letters(Term("index", (), at))):
        return Term("index", (), at, node.span)
    return Term("call", (reader.term(node.items[0]),), ("floor", 0), node.span)


def matrix(node: tree.Matrix, reader: Reader) -> Term:
    rows = [[None if e is None else reader.term(e) for e in row] for row in node.rows]
    if all(len(row) == 1 for row in rows):
        return _vector(rows, node.span, reader, "column")
    if len(rows) == 1:
        return _vector([[entry] for entry in rows[0]], node.span, reader, "row")
    if any(entry is None for row in rows for entry in row):
        return _dotted_matrix(rows, node.span, reader)
    width = len(rows[0])
    if any(len(row) != width for row in rows):
        raise FormulaError("matrix", "The rows have different lengths.", "", node.span)
    entries = tuple(entry for row in rows for entry in row if entry is not None)
    return Term("matrix", entries, (len(rows), width), node.span)


def _dotted_matrix(rows: list[list[Term | None]], span: Span, reader: Reader) -> Term:
    full = [[e for e in row if e is not None] for row in rows]
    full = [row for row in full if row]
    tops = [_listed(row[0], row[-1], reader, span) for row in (full[0], full[-1])]
    name, body = _listed(tops[0][1], tops[1][1], reader, span)
    inner = tops[1][0]
    row = Term("listing", (_renamed(body, tops[0][0], inner),), Listing(inner, "row"), span)
    return Term("listing", (row,), Listing(name, "column"), span)


def _renamed(term: Term, old: str, new: str) -> Term:
    return map_ats(term, lambda at: _swap_letter(at, old, new))


def _swap_letter(at: At, old: str, new: str) -> At:
    return replace(at, letters=tuple((new if n == old else n, c) for n, c in at.letters))


def _vector(rows: list[list[Term | None]], span: Span, reader: Reader, way: str) -> Term:
    entries = [row[0] for row in rows]
    if any(entry is None for entry in entries):
        kept = [entry for entry in entries if entry is not None]
        if len(kept) < 2:
            raise FormulaError("...", "The dots stand between no two entries.", "", span)
        return _listing(entries, way, span, reader)
    found = tuple(entry for entry in entries if entry is not None)
    shape = (len(found), 1) if way == "column" else (1, len(found))
    return Term("matrix", found, shape, span)


def _listing(entries: list[Term | None], way: str, span: Span, reader: Reader) -> Term:
    """Return a vector with dots; an entry that does not follow the pattern stands for itself."""
    dots = entries.index(None)
    kept = [(n if n < dots else n - len(entries), e) for n, e in enumerate(entries) if e]
    last = kept[-1][1]
    name, body = _listed(kept[0][1], last, reader, span)
    siblings: list[tuple[Term, str]] = []
    odd: list[tuple[int, Term]] = []
    first = 0 if _number_of(kept[0][1], last) == "0" else 1
    for place, entry in kept[:-1]:
        number = _number_of(entry, last)
        if number == str(first + place) and place >= 0:
            siblings.append((entry, number))
        else:
            odd.append((place, entry))
    index = _number_of(last, kept[0][1]) or ""
    data = Listing(name, way, tuple(place for place, _ in odd), tuple(siblings), index)
    return Term("listing", (body, *(entry for _, entry in odd)), data, span)


def _number_of(entry: Term, last: Term) -> str | None:
    """Return the one index by which an entry differs from the last one, nothing if by more."""
    found: dict[str, None] = {}
    if not _follows(entry, last, found) or len(found) != 1:
        return None
    return next(iter(found))


def _follows(one: Term, other: Term, found: dict[str, None]) -> bool:
    if one.op != other.op or len(one.args) != len(other.args):
        return False
    if not isinstance(one.data, Ref) or not isinstance(other.data, Ref):
        alike = one.data == other.data
    else:
        places = zip((*one.data.slots, one.data.sample), (*other.data.slots, other.data.sample))
        found.update((str(a), None) for a, b in places if a != b)
        moved = replace(one.data, slots=other.data.slots, sample=other.data.sample)
        alike = len(one.data.slots) == len(other.data.slots) and moved == other.data
    return alike and all(_follows(a, b, found) for a, b in zip(one.args, other.args))


def _listed(first: Term, last: Term, reader: Reader, span: Span) -> tuple[str, Term]:
    """Return a fresh letter and the general entry between a first and a last one."""
    reader.fresh += 1
    name = f"#{reader.fresh}"
    changed = 0
    body = last
    for path, one, other in _side_by_side(first, last, ()):
        if one.op == "element" and isinstance(other.data, Ref):
            body, more = _general_entry(body, path, one.data, other.data, name, reader)
            changed += more
    if not changed:
        raise FormulaError("...", "The entries do not show what runs.", "", span)
    return name, body


def _side_by_side(
    one: Term, other: Term, path: tuple[int, ...]
) -> Iterator[tuple[tuple[int, ...], Term, Term]]:
    if one.op != other.op or len(one.args) != len(other.args):
        return
    yield path, one, other
    for number, (a, b) in enumerate(zip(one.args, other.args)):
        yield from _side_by_side(a, b, (*path, number))


def _general_entry(
    body: Term, path: tuple[int, ...], one: Ref, other: Ref, name: str, reader: Reader
) -> tuple[Term, int]:
    slots = list(other.slots)
    keys = iter([key for at, key in slot_keys(other, reader.symbols) if at in other.slots])
    ranges = [None if slot is None else next(keys) for slot in other.slots]
    changed = 0
    for number, (a, b) in enumerate(zip(one.slots, other.slots)):
        if a is not None and b is not None and a != b and not a.letters:
            slots[number] = letter(name)
            changed = 1
            known = [n for n, _ in b.letters if n in reader.letters.known]
            key = reader.letters.known[known[0]] if known else ranges[number]
            if key is not None:
                reader.letters.known.setdefault(name, key)
    sample = other.sample
    if one.sample != other.sample and one.sample is not None and not one.sample.letters:
        sample, changed = letter(name), 1
        reader.letters.known[name] = ("sample",)
    new = replace(other, slots=tuple(slots), sample=sample)
    node = at_path(body, path)
    return put(body, path, Term("element", (), new, node.span)), changed
