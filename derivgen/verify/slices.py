r"""Derivatives of vectors by matrices, ``\partial h_t/\partial W``: one element of W at a time.

They have three indices and no matrix form; an equation between them holds if it holds for every
element ``W_{ab}``, of which each such derivative is a vector. Texts also write what is not zero in
one alone, ``\partial z/\partial W = x^T`` for ``\partial z_a/\partial W_{ab} = x_b``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from derivgen.formulas.symbols import Symbols, axis_key
from derivgen.formulas.terms import At, Claim, Ref, Term, letter, walk

ROW, COLUMN = "#row", "#column"
NO_FORM = "a derivative of a matrix by a matrix has no matrix form"
Pair = tuple[Term, Term, Claim]


def by_elements(left: Term, right: Term, claim: Claim, symbols: Symbols) -> Pair | None:
    """Return both members with the element W_ab for the matrix W that vectors are derived by."""
    ref = _matrix(left, right, symbols)
    if ref is None:
        return None
    whole = iter((letter(ROW), letter(COLUMN)))
    axes = symbols.tensors[ref.tensor].axes
    slots = ref.slots or (None,) * len(axes)
    keys = [axis_key(symbols.tensors[ref.tensor], n) for n, s in enumerate(slots) if s is None]
    element = replace(ref, slots=tuple(next(whole) if s is None else s for s in slots))
    more = {**claim.letters, ROW: keys[0], COLUMN: keys[1]}
    one, other = (_exchanged(term, ref, element) for term in (left, right))
    return one, other, replace(claim, letters=more)


def nonzero_entries(left: Term, right: Term, claim: Claim, symbols: Symbols) -> Iterator[Pair]:
    """Yield the entries of a lone derivative that a vector on the right may stand for."""
    found = by_elements(left, right, claim, symbols)
    if found is None or left.op != "gradient" or any(t.op == "gradient" for _, t in walk(right)):
        return
    slope, _, more = found
    of, by = slope.args
    if of.op != "element" or of.data.whole_axes != 1:
        return
    slots = of.data.slots or (None,) * len(symbols.tensors[of.data.tensor].axes)
    for own, other in ((ROW, COLUMN), (COLUMN, ROW)):
        key = axis_key(symbols.tensors[of.data.tensor], slots.index(None))
        if key[2] == more.letters[own][2]:
            at: tuple[At | None, ...] = tuple(letter(own) if s is None else s for s in slots)
            entry = Term("element", (), replace(of.data, slots=at), of.span)
            item = Term("item", (right,), (letter(other),), right.span)
            yield Term("gradient", (entry, by), slope.data, slope.span), item, more


def _matrix(left: Term, right: Term, symbols: Symbols) -> Ref | None:
    """Return the one matrix by which some vector is derived, if there is one."""
    found: dict[Ref, bool] = {}
    for member in (left, right):
        for _, term in walk(member):
            if term.op != "gradient" or term.args[1].op != "element":
                continue
            of, ref = term.args[0], term.args[1].data
            if "{}" not in ref.tensor and ref.sample is None and _whole(ref, symbols) == 2:
                vector = of.op == "element" and "{}" not in of.data.tensor
                vector = vector and _whole(of.data, symbols) > 0 or of.op in ("multiply", "add")
                found[ref] = found.get(ref, False) or vector
    return next(iter(found)) if len(found) == 1 and all(found.values()) else None


def _whole(ref: Ref, symbols: Symbols) -> int:
    return ref.whole_axes if ref.slots else len(symbols.tensors[ref.tensor].axes)


def _exchanged(term: Term, old: Ref, new: Ref) -> Term:
    if term.op == "gradient" and term.args[1].op == "element" and term.args[1].data == old:
        by = Term("element", (), new, term.args[1].span)
        return Term("gradient", (_exchanged(term.args[0], old, new), by), term.data, term.span)
    return term.with_args(tuple(_exchanged(part, old, new) for part in term.args))
