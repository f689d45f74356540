"""Index expressions of plain claims: ``t-1``, ``2*i + u``, ``token[t]``, and bound letters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from derivgen.formulas.fit import Letters, slot_keys
from derivgen.formulas.symbols import Symbols
from derivgen.formulas.terms import (
    At,
    Bound,
    Part,
    Ref,
    Term,
    letter,
)
from derivgen.formulas.tree import FormulaError, Notice, Span
from derivgen.language.syntax import (
    Chain,
    Infix,
    Negative,
    Num,
    Ranged,
    Word,
)
from derivgen.language.syntax import Ref as RefTree


@dataclass
class PlainReader:
    """One line being read."""

    text: str
    symbols: Symbols
    letters: Letters
    bound: tuple[str, ...] = ()
    notices: list[Notice] = field(default_factory=list)

    def problem(self, subject: str, problem: str, at: int, advice: str = "") -> FormulaError:
        return FormulaError(subject, problem, advice, (at, at + len(subject)))


def substituted(at: At, mapping: Mapping[str, At]) -> At:
    """Return an index expression with letters replaced."""
    letters: dict[str, int] = {}
    constant = at.constant
    parts = list(at.parts)
    for name, count in at.letters:
        new = mapping.get(name, letter(name))
        constant += count * new.constant
        parts += [(p, c * count) for p, c in new.parts]
        for inner, more in new.letters:
            letters[inner] = letters.get(inner, 0) + count * more
    kept = tuple((n, c) for n, c in letters.items() if c)
    return At(kept, constant, at.written, tuple(parts))


def bind_all(term: Term, reader: PlainReader, span: Span) -> None:
    if isinstance(term.data, Ref):
        bind(term.data, reader, span)
    for part in term.args:
        bind_all(part, reader, span)


def bind(ref: Ref, reader: PlainReader, span: Span) -> None:
    for at, key in slot_keys(ref, reader.symbols):
        for name, _ in at.letters:
            if name in reader.symbols.sizes or name.startswith("#"):
                continue
            if at.constant == 0 and len(at.letters) == 1 and at.letters[0][1] == 1 and not at.parts:
                reader.letters.bind(name, key, span)
            elif name in reader.letters.declared:
                reader.letters.known.setdefault(name, reader.letters.declared[name])
            else:
                reader.letters.known.setdefault(name, key)


def slot(tree: Any, reader: PlainReader) -> At:
    at = at_or_none(tree, reader)
    if at is None:
        raise reader.problem(
            reader.text[tree.at : tree.at + 1], "This is no index expression.", tree.at
        )
    return at


def at_or_none(tree: Any, reader: PlainReader) -> At | None:
    match tree:
        case Num(value=value) if Fraction(value).denominator == 1:
            return At((), int(value), False)
        case Word(name=name) if _holds_indices(name, reader) and name not in reader.bound:
            if reader.symbols.tensors[name].axes:
                return None
            return At((), 0, False, ((Part("lookup", name, ()), 1),))
        case Word(name=name):
            return At(((name, 1),), 0, False) if _is_index(name, reader) else None
        case Negative(part=part):
            return _scaled(at_or_none(part, reader), -1)
        case Chain(ops=ops, parts=parts) if ops[0] == "+":
            return _added(ops, [at_or_none(part, reader) for part in parts])
        case Chain(ops=ops, parts=parts) if ops[0] == "*":
            return _times([at_or_none(part, reader) for part in parts])
        case Infix(op=op, left=left, right=Num(value=value)) if op in ("//", "%"):
            inner = at_or_none(left, reader)
            return inner and At((), 0, False, ((Part(op, "", (inner,), int(value)), 1),))
        case RefTree(name=name, items=items) if _holds_indices(name, reader):
            slots = tuple(slot(item, reader) for item in items)
            bind(Ref(name, slots), reader, (tree.at, tree.at + len(name)))
            return At((), 0, False, ((Part("lookup", name, slots), 1),))
    return None


def _is_index(name: str, reader: PlainReader) -> bool:
    symbols = reader.symbols
    if name in reader.bound or name in symbols.sizes:
        return True
    if _holds_indices(name, reader) and not symbols.tensors[name].axes:
        return False
    return name not in symbols.tensors or name in reader.letters.declared


def _holds_indices(name: str, reader: PlainReader) -> bool:
    tensor = reader.symbols.tensors.get(name)
    return tensor is not None and tensor.values_of is not None


def _scaled(at: At | None, factor: int) -> At | None:
    if at is None:
        return None
    letters = tuple((n, c * factor) for n, c in at.letters)
    parts = tuple((p, c * factor) for p, c in at.parts)
    return At(letters, at.constant * factor, False, parts)


def _added(ops: tuple[str, ...], ats: list[At | None]) -> At | None:
    letters: dict[str, int] = {}
    parts: list[tuple[Part, int]] = []
    constant = 0
    for op, at in zip(ops, ats):
        if at is None:
            return None
        sign = -1 if op == "-" else 1
        constant += sign * at.constant
        parts += [(p, c * sign) for p, c in at.parts]
        for name, count in at.letters:
            letters[name] = letters.get(name, 0) + sign * count
    kept = tuple((n, c) for n, c in letters.items() if c)
    return At(kept, constant, False, tuple(parts))


def _times(ats: list[At | None]) -> At | None:
    total: At | None = At((), 1, False)
    for at in ats:
        if at is None or total is None:
            return None
        if not at.letters and not at.parts:
            total = _scaled(total, at.constant)
        elif not total.letters and not total.parts:
            total = _scaled(at, total.constant)
        else:
            return None
    return total


def bound_name(item: Any, reader: PlainReader) -> str:
    if isinstance(item, (Word, Ranged)):
        return item.name
    raise reader.problem("[", "Bound indices are letters.", item.at, "Write sum[i](...).")


def bound(item: Any, name: str) -> Bound:
    if not isinstance(item, Ranged):
        return Bound(name)
    low = _simple(item.low) if item.low is not None else At((), 0, False)
    high = _simple(item.high)
    if high is not None and item.low is None:
        high = high.shifted(-1)
    return Bound(name, low, high)


def _simple(tree: Any) -> At | None:
    match tree:
        case Num(value=value):
            return At((), int(value), False)
        case Word(name=name):
            return At(((name, 1),), 0, False)
        case Chain(ops=ops, parts=parts) if ops[0] == "+":
            return _added(ops, [_simple(part) for part in parts])
    return None
