"""Names read through the surface table: its rows as patterns of tokens with slots."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction

from derivgen.formulas.cursor import Vocabulary
from derivgen.formulas.fit import Candidate, Letters, scored
from derivgen.formulas.parser import parse, parse_tokens
from derivgen.formulas.positions import plus, position
from derivgen.formulas.repair import CLOSE, OPEN, is_grouping
from derivgen.formulas.scripts import index_expression
from derivgen.formulas.surface import Reading, Row, surface_parts
from derivgen.formulas.symbols import (
    Symbols,
)
from derivgen.formulas.terms import At, Ref, Slope, Term, letter
from derivgen.formulas.tree import FormulaError, Name, Span, Token

_PLACEHOLDER = 0x1D4D0  # mathematical script letters stand for the slots of a row


@dataclass(frozen=True)
class CompiledRow:
    """A surface row as a name with placeholder tokens."""

    row: Row
    name: Name
    slots: Mapping[str, str]


def compile_rows(symbols: Symbols) -> tuple[CompiledRow, ...]:
    """Return the table's rows that are one name with scripts, the longest first."""
    found: list[CompiledRow] = []
    for row in symbols.table.rows:
        slots: dict[str, str] = {}
        text = ""
        for part, is_slot in surface_parts(row.surface):
            text += _placeholder(part, slots) if is_slot else part
        vocabulary = Vocabulary(symbols.words, symbols.letters, symbols.numbered)
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


def table_candidates(
    name: Name, rows: tuple[CompiledRow, ...], symbols: Symbols, letters: Letters
) -> Iterator[Candidate]:
    """Yield the readings of a name that the surface table gives."""
    read = _index_reader(rows, symbols, letters)
    for compiled in rows:
        pattern = compiled.name
        if pattern.base != name.base or pattern.primes != name.primes:
            continue
        if pattern.bold and symbols.is_size(name):
            continue  # beside a bold W for a matrix a plain W is the size of that name
        literal = len(re.sub("<[^<>]*>", "", compiled.row.surface))
        for sub in _matches(pattern.sub, name.sub, compiled.slots, read):
            for sup in _matches(pattern.sup, name.sup, compiled.slots, read):
                found = _reading_term(compiled.row.reading, {**sub, **sup}, symbols, name.span)
                if found is not None:
                    yield scored(found, symbols, letters, 40 + 3 * literal)
        if compiled.slots and not _has_slots(pattern.sup) and pattern.sup == () == name.sup:
            continue


def _has_slots(tokens: tuple[Token, ...]) -> bool:
    return any(ord(t.text[0]) >= _PLACEHOLDER for t in tokens)


def _clean(tokens: tuple[Token, ...]) -> tuple[Token, ...]:
    """Drop braces that only group; those of an argument or of a script stay."""
    kept = [token for token in tokens if token.text != r"\mathrm"]
    drop: set[int] = set()
    opened: list[int] = []
    for place, token in enumerate(kept):
        if token.kind == "{":
            opened.append(place)
        elif token.kind == "}" and opened and is_grouping(kept, opened[-1]):
            drop |= {opened.pop(), place}
        elif token.kind == "}" and opened:
            opened.pop()
    return tuple(token for place, token in enumerate(kept) if place not in drop)


IndexOf = Callable[[tuple[Token, ...]], "At | None"]


def _matches(
    pattern: tuple[Token, ...], tokens: tuple[Token, ...], slots: Mapping[str, str], read: IndexOf
) -> Iterator[dict[str, At]]:
    yield from _match(_clean(pattern), _clean(tokens), slots, read, True)


def _match(
    pattern: tuple[Token, ...],
    tokens: tuple[Token, ...],
    slots: Mapping[str, str],
    read: IndexOf,
    signed: bool,
) -> Iterator[dict[str, At]]:
    """Match tokens; a comma in one of the two alone parts indices and nothing else."""
    if not pattern:
        if not tokens:
            yield {}
        return
    first = pattern[0]
    commas = (first.kind == ",", bool(tokens) and tokens[0].kind == ",")
    if commas[0] != commas[1]:
        skipped = int(commas[0]), int(commas[1])
        yield from _match(pattern[skipped[0] :], tokens[skipped[1] :], slots, read, commas[1])
        return
    if first.text not in slots:
        if tokens and tokens[0].text == first.text:
            yield from _match(pattern[1:], tokens[1:], slots, read, first.kind in ("(", ","))
        return
    if tokens and tokens[0].kind == "operator" and not signed:
        return  # h_{t-1} has one index, not t and -1
    for length in _lengths(tokens):
        if (at := read(tokens[:length])) is None:
            continue
        for rest in _match(pattern[1:], tokens[length:], slots, read, False):
            yield {**rest, slots[first.text]: at}


def _lengths(tokens: tuple[Token, ...]) -> Iterator[int]:
    """Yield where an index may end: before the next comma, outside all brackets."""
    level = 0
    for place, token in enumerate(tokens):
        if level == 0 and token.kind == ",":
            return
        level += (token.text in OPEN) - (token.text in CLOSE)
        if level == 0:
            yield place + 1


_SIGNS = ("'", "_", "operator")


def tabled(
    rows: tuple[CompiledRow, ...], symbols: Symbols, letters: Letters
) -> Callable[[Name], Term | None]:
    """Return what looks a name up in the table alone."""

    def named(node: Name) -> Term | None:
        found = table_candidates(node, rows, symbols, letters)
        return max(found, key=lambda c: c.score, default=Candidate(0, Term("none"))).term

    return named


def _index_reader(rows: tuple[CompiledRow, ...], symbols: Symbols, letters: Letters) -> IndexOf:
    """Return how a piece of a script is read as one index."""

    named = tabled(rows, symbols, letters)

    def read(piece: tuple[Token, ...]) -> At | None:
        text = piece[0].text
        if len(piece) == 1 and text not in symbols.tensors:
            return index_expression(piece)
        plain = len(piece) > 1 and not any(t.kind in _SIGNS or t.text in OPEN for t in piece)
        plain = plain and piece[0].kind != "number"
        if plain or piece[-1].kind in ("_", "operator"):
            return None
        known = index_expression(piece)
        if known is not None and not any(name in symbols.tensors for name, _ in known.letters):
            return known
        try:
            tree = parse_tokens(piece, Vocabulary(symbols.words, symbols.letters, symbols.numbered))
        except FormulaError:
            return known
        return position(tree, symbols, named) or known

    return read


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
        empty = not total.letters and total.constant == 0
        made = plus(total, part, sign)
        total = replace(made, written=part.written if empty else total.written)
    return total


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
