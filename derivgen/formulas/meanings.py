"""The best meaning of one name: the table, the network, a defined symbol, a free number."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from derivgen.formulas.classes import as_vector, one_hot
from derivgen.formulas.conventions import scaling_size
from derivgen.formulas.deltas import adjoint_candidates, delta_candidates, error_candidates
from derivgen.formulas.fit import Candidate, any_member, slot_keys
from derivgen.formulas.names import free_number, index_number, network_candidates
from derivgen.formulas.reader import Reader, replace_span, script_term, shown
from derivgen.formulas.rows import table_candidates
from derivgen.formulas.scripts import (
    Atom,
    atoms,
    index_expression,
    plain_text,
    split_power,
    split_transpose,
    unwrapped,
)
from derivgen.formulas.slopes import function_name, hessian, made_by
from derivgen.formulas.symbols import Symbols, other_case
from derivgen.formulas.terms import (
    At,
    Ref,
    Slope,
    Term,
    Test,
    free_letters,
    letter,
    map_ats,
    walk,
)
from derivgen.formulas.tree import FormulaError, Name

SECOND = ("p", "prime", "2", "out")  # how a second tensor is named that papers write with a prime


def name(node: Name, reader: Reader) -> Term:
    if node.base == "e" and node.sup and "e" not in reader.symbols.tensors:
        return Term("call", (script_term(node.sup, reader),), ("exp", 0), node.span)
    if node.base in reader.symbols.scalars and not (node.sub or node.primes):
        return _scalar(node, reader)
    if node.primes and function_name(node, reader):
        return Term("function", (), (function_name(node, reader), node.primes), node.span)
    best = _best(node, reader)
    if best is None and (target := one_hot(node, reader)) is not None:
        return target
    if best is not None:
        for name, key in best.binds:
            reader.letters.bind(name, key, node.span)
        if not reader.compares and (vector := as_vector(node, best.term, reader)) is not None:
            return vector
        tabled = any(row.surface == node.base for row in reader.symbols.table.rows)
        capital = not tabled and _capital(node, best.term)
        return of_batch(best.term, reader.symbols) if capital else best.term
    for slope in (_subscript_slope(node, reader), _slope_of_value(node, reader)):
        if slope is not None:
            return slope
    if not node.sub and (found := function_name(node, reader)):
        return Term("function", (), (found, node.primes), node.span)
    raise FormulaError(
        shown(node), "Nothing declares this name.", "Declare it in the surface table.", node.span
    )


def _subscript_slope(node: Name, reader: Reader) -> Term | None:
    r"""Read ``E_{W_{ks}}`` as the derivative of the loss by an element, or nothing."""
    loss = reader.symbols.loss
    nested = any(token.kind == "_" for token in node.sub)
    if not loss or node.base != loss or node.sup or node.primes or not nested:
        return None
    try:
        by = script_term(node.sub, reader)
    except FormulaError:
        return None
    if by.op != "element":
        return None
    of = Term("element", (), Ref(loss), node.span)
    return Term("gradient", (of, by), Slope(), node.span)


def _slope_of_value(node: Name, reader: Reader) -> Term | None:
    """Read ``a'`` as the slope of the function that makes a, where it makes it; or nothing."""
    found = _best(replace(node, primes=0), reader) if node.primes else None
    if found is None or found.term.op != "element":
        return None
    made = made_by(found.term.data.tensor, reader.symbols)
    if made is None:
        return None
    for name, key in found.binds:
        reader.letters.bind(name, key, node.span)
    inner = Term("element", (), replace(found.term.data, tensor=made[1]), node.span)
    return Term("call", (inner,), (made[0], node.primes), node.span)


def of_batch(term: Term, symbols: Symbols) -> Term:
    """Mark a vector or number of data for all samples, unless the network declares its batch."""
    if term.op == "transpose":
        return term.with_args((of_batch(term.args[0], symbols),))
    ref = term.data
    if term.op != "element" or symbols.network is None or symbols.network.batch:
        return term
    tensor = symbols.tensors[any_member(ref.tensor, symbols)]
    whole = ref.sample is None and all(slot is None for slot in ref.slots) and len(tensor.axes) < 2
    if not whole or tensor.name not in symbols.data_dependent or ref.tensor == symbols.loss:
        return term
    return Term(term.op, term.args, replace(ref, batch=True), term.span)


def _capital(node: Name, term: Term) -> bool:
    """Tell whether ``Z`` stands for all samples of z: the network has a small letter."""
    inner = term.args[0] if term.op == "transpose" else term
    capital = node.base[0].isupper() and other_case(node.base) != ""
    if not capital or inner.op != "element":
        return False
    return bool(inner.data.tensor[0].islower())


def _scalar(node: Name, reader: Reader) -> Term:
    term = Term("free", (), node.base, node.span)
    if not node.sup:
        return term
    return Term("power", (term, script_term(node.sup, reader)), None, node.span)


def candidates(node: Name, reader: Reader) -> list[Candidate]:
    """Return every reading of a name as something the network or the note declares."""
    found: list[Candidate] = []
    for bonus, name, finish in _variants(node, reader):
        for candidate in _plain_candidates(name, reader):
            done = finish(candidate.term)
            found.append(Candidate(candidate.score + bonus, done, candidate.binds))
    return found


def _best(node: Name, reader: Reader) -> Candidate | None:
    found = candidates(node, reader)
    if not found:
        return _other_meaning(node, reader)
    best = max(found, key=lambda c: c.score)
    if node.base == "delta" and _adjoined(best.term):
        names = [_adjoined(c.term) for c in found if c.score == best.score]
        families = reader.symbols.families
        rivals = [families.get(name[:-2], name) if "{}" in name else name for name in names]
        if any(rival != rivals[0] for rival in rivals):  # the delta of which layer?
            return None
    return best


def _adjoined(term: Term) -> str:
    """Return the tensor whose adjoint a term is, or nothing."""
    for _, part in walk(term):
        if part.op == "gradient" and part.args[1].op == "element":
            return str(part.args[1].data.tensor)
    return ""


def _plain_candidates(name: Name, reader: Reader) -> list[Candidate]:
    symbols, letters = reader.symbols, reader.letters
    if name.primes:
        return list(_second(name, reader))
    found = list(table_candidates(name, reader.rows, symbols, letters))
    if aliased := _alias(name, reader):
        found.append(aliased)
    found += network_candidates(name, symbols, letters)
    found += error_candidates(name, symbols, letters)
    if not aliased:
        found += adjoint_candidates(name, symbols, letters)
    if name.base == "delta" and "delta" not in symbols.tensors and not aliased:
        found += delta_candidates(name, symbols, letters)
    return found


def _second(name: Name, reader: Reader) -> Iterator[Candidate]:
    """Read ``w'_{ij}`` as the second of two tensors: Wp, W2 or Wprime beside W."""
    symbols = reader.symbols
    for base in (name.base, name.base.swapcase()) if name.primes == 1 else ():
        for mark in SECOND if base in symbols.by_canonical else ():
            if base + mark in symbols.by_canonical:
                second = replace(name, base=symbols.by_canonical[base + mark], primes=0)
                yield from network_candidates(second, symbols, reader.letters)


Finish = Callable[[Term], Term]


def _variants(node: Name, reader: Reader) -> list[tuple[int, Name, Finish]]:
    """Return ways to read superscripts as an operation on the name without them."""
    found: list[tuple[int, Name, Finish]] = [(0, node, lambda term: term)]
    if not node.sup:
        return found
    rest, transposed = split_transpose(node.sup)
    if transposed:
        name = replace(node, sup=rest)
        found.append((1, name, lambda term: Term("transpose", (term,), None, node.span)))
    text = plain_text(node.sup)
    if node.base == "sigma" and text == "2" and "sigma2" in reader.symbols.guess:
        found.append((9, replace(node, base="sigma2", sup=()), lambda term: term))
    bare = replace(node, sup=())
    if text in ("+", "new", "(new)", "next", "*", "'"):
        found.append((5, bare, lambda term: _updated(term, node)))
    elif (split := split_power(node.sup))[1]:
        exponent = script_term(split[1], reader)
        span = node.span
        squared = replace(node, sup=split[0])
        found.append((1, squared, lambda term: Term("power", (term, exponent), None, span)))
    elif not transposed and (power := _power(node, reader)) is not None:
        bonus = 0 if text.replace(".", "").isdigit() else -3
        bonus -= 20 * (node.base == "delta")  # no one raises an error to a power: it is a layer
        span = node.span
        found.append((bonus, bare, lambda term: Term("power", (term, power), None, span)))
    return found


def _updated(term: Term, node: Name) -> Term:
    if term.op != "element":
        raise FormulaError(shown(node), "This is no parameter.", "", node.span)
    return Term("element", (), replace(term.data, updated=True), node.span)


def _power(node: Name, reader: Reader) -> Term | None:
    if unwrapped(node.sup)[1] and not any(t.kind == "operator" for t in node.sup):
        return None
    try:
        return script_term(node.sup, reader)
    except FormulaError:
        return None


def _other_meaning(node: Name, reader: Reader) -> Candidate | None:
    if node.primes:
        found = index_number(node, reader.letters)
        return None if found is None else Candidate(0, found)
    if node.sup and (inner := _other_meaning(replace(node, sup=()), reader)):
        return _raised(inner, node, reader)
    for found in (index_number(node, reader.letters), free_number(node, reader.symbols)):
        if found is not None:
            return Candidate(0, found)
    network = reader.symbols.network
    if node.base in ("d", "n") and not node.sup and network and (scale := scaling_size(network)):
        return Candidate(0, Term("size", (), scale, node.span))
    if node.base in ("I", "Id") and not node.sup:
        if (entry := _unit_entry(node, reader)) is not None:
            return Candidate(0, entry)
        return Candidate(0, Term("identity", (), None, node.span))
    if (second := hessian(node, reader)) is not None:
        return Candidate(0, second)
    if node.base in ("ones", "zeros"):
        return Candidate(0, Term(node.base, (), index_expression(node.sub), node.span))
    return None


def _unit_entry(node: Name, reader: Reader) -> Term | None:
    """Return an element of the unit matrix, ``I_{kj}``: 1 where k = j."""
    places = [atom.at for atom in atoms(node.sub)]
    known = all(at and at.letters and at.letters[0][0] in reader.letters.known for at in places)
    if len(places) != 2 or not known:
        return None
    return Term("bracket", (), Test("=", places[0], places[1]), node.span)


def _raised(inner: Candidate, node: Name, reader: Reader) -> Candidate | None:
    """Return a size or an index letter with what stands above it: a transpose or a power."""
    rest, transposed = split_transpose(node.sup)
    if transposed and not rest:
        return Candidate(0, Term("transpose", (inner.term,), None, node.span))
    if (power := _power(node, reader)) is None:
        return None
    return Candidate(0, Term("power", (inner.term, power), None, node.span))


def alias_key(node: Name, term: Term) -> str:
    """Return the text by which a symbol defined by a term is found again: base, accent, labels.

    ``\\delta_1`` and ``\\delta_2`` are two symbols, so are ``\\delta_k^{(\\alpha)}`` and
    ``\\delta_k^{(\\beta)}``; ``\\delta_k`` is one for all k.
    """
    return "#".join([node.base, *(atom.text for atom in _labels(node, term))])


def alias_letters(node: Name, term: Term) -> tuple[str, ...] | None:
    """Return the letters that a symbol is defined for, or nothing where it has other scripts."""
    labels = _labels(node, term)
    if any(a.text in ("T", "top", "intercal") for a in labels):
        return None
    letters = [a for a in (*atoms(node.sub), *atoms(node.sup)) if a not in labels]
    if any(a.at is None or len(a.at.letters) != 1 or a.at.constant for a in letters):
        return None
    return tuple(a.at.letters[0][0] for a in letters if a.at is not None)


def _labels(node: Name, term: Term) -> list[Atom]:
    """Return the scripts that tell a symbol from others: numerals, and what the term lacks."""
    letters = free_letters(term)
    given = (*atoms(node.sub), *atoms(node.sup))
    return [a for a in given if a.at and not a.at.parts and not _indexes(a.at, letters)]


def _indexes(at: At, letters: Mapping[str, None]) -> bool:
    return any(name in letters for name, _ in at.letters)


def _alias(node: Name, reader: Reader) -> Candidate | None:
    for key, (names, term) in _defined(node.base, reader):
        slots = _unlabelled(node, key.split("#")[1:])
        if slots is None or len(slots) != len(names):
            continue
        new = map_ats(term, partial(_substituted, mapping=dict(zip(names, slots))))
        return Candidate(30, replace_span(_unplaced(new), node.span), _binds(new, reader))
    return None


def _unplaced(term: Term) -> Term:
    """Return a term without places in the source: it was written in another formula."""
    return Term(term.op, tuple(map(_unplaced, term.args)), term.data)


def _unlabelled(node: Name, labels: list[str]) -> list[At] | None:
    """Return the scripts of a name beside the labels of a defined symbol, if it has those."""
    rest = [*atoms(node.sub), *atoms(node.sup)]
    for label in labels:
        found = next((atom for atom in rest if atom.text == label), None)
        if found is None:
            return None
        rest.remove(found)
    slots = [atom.at for atom in rest if atom.at is not None]
    return slots if len(slots) == len(rest) else None


def _defined(base: str, reader: Reader) -> list[tuple[str, tuple[tuple[str, ...], Term]]]:
    """Return what the note defined under a base, that with the most labels first."""
    own = [(key, made) for key, made in reader.symbols.aliases.items() if key.split("#")[0] == base]
    return sorted(own, key=lambda pair: -pair[0].count("#"))


def _binds(term: Term, reader: Reader) -> tuple[tuple[str, tuple[Any, ...]], ...]:
    found: list[tuple[str, tuple[Any, ...]]] = []
    for _, part in walk(term):
        if isinstance(part.data, Ref):
            for at, key in slot_keys(part.data, reader.symbols):
                found += [(name, key) for name, _ in at.letters]
    return tuple(found)


def _substituted(at: At, mapping: Mapping[str, At]) -> At:
    letters: dict[str, int] = {}
    constant, written = at.constant, at.written
    for name, count in at.letters:
        new = mapping.get(name, letter(name))
        constant += count * new.constant
        written = written and new.written
        for inner, more in new.letters:
            letters[inner] = letters.get(inner, 0) + count * more
    return At(tuple((n, c) for n, c in letters.items() if c), constant, written)
