"""Edits of indices, sums and the order of matrices."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations, permutations

from derivgen.algebra.network import Role
from derivgen.formulas.symbols import axis_key
from derivgen.formulas.terms import (
    At,
    Bound,
    Fold,
    Path,
    Ref,
    Term,
    at_path,
    free_letters,
    letter,
    walk,
)
from derivgen.verify.desk import Desk, Edit, elements_of, inside_slope, is_matrix, real


def outer_products(desk: Desk) -> Iterator[Edit]:
    """Write an outer product the other way round: ``b a^T`` for ``a b^T``."""
    for path, term in walk(desk.member):
        if term.op != "multiply" or len(term.args) != 2 or term.args[1].op != "transpose":
            continue
        one, other = term.args[0], term.args[1].args[0]
        if one.op != "transpose" and is_matrix(one, desk) and is_matrix(other, desk):
            turned = Term("transpose", (_grouped(one),))
            yield Edit("order", path, Term("multiply", (other, turned), term.data))


def _grouped(term: Term) -> Term:
    return Term("group", (term,), "(") if term.op in ("add", "multiply", "negate") else term


def transposes(desk: Desk) -> Iterator[Edit]:
    """Take away a transpose, or put one: the plainer edit first."""
    for path, term in walk(desk.member):
        if term.op == "transpose":
            yield Edit("extra-transpose", path, term.args[0])
    for path, term in walk(desk.member):
        if term.op != "transpose" and is_matrix(term, desk):
            yield Edit("missing-transpose", path, Term("transpose", (term,)))


def orders(desk: Desk) -> Iterator[Edit]:
    """Exchange two neighbours of a product."""
    for path, term in walk(desk.member):
        if term.op != "multiply":
            continue
        for place in range(len(term.args) - 1):
            swapped = _swapped(term, place)
            if swapped is None or not all(
                is_matrix(term.args[k], desk) for k in (place, place + 1)
            ):
                continue
            yield Edit("order", path, swapped)


def turned_orders(desk: Desk) -> Iterator[Edit]:
    """Exchange two neighbours of a product and put or take a transpose with it."""
    for path, term in walk(desk.member):
        if term.op != "multiply":
            continue
        for place in range(len(term.args) - 1):
            swapped = _swapped(term, place)
            if swapped is None or not all(
                is_matrix(term.args[k], desk) for k in (place, place + 1)
            ):
                continue
            for k in (place, place + 1):
                yield Edit("missing-transpose", path, _transposed_at(swapped, k))
            both = _transposed_at(_transposed_at(swapped, place), place + 1)
            yield Edit("missing-transpose", path, both)


def _swapped(term: Term, place: int) -> Term | None:
    args = list(term.args)
    args[place], args[place + 1] = args[place + 1], args[place]
    return Term("multiply", tuple(args), term.data)


def _transposed_at(term: Term, place: int) -> Term:
    args = list(term.args)
    inner = args[place]
    args[place] = inner.args[0] if inner.op == "transpose" else Term("transpose", (inner,))
    return Term("multiply", tuple(args), term.data)


def forgotten_sums(desk: Desk) -> Iterator[Edit]:
    """Sum over a letter that only the right side has."""
    left = free_letters(desk.anchor)
    loose = [n for n in free_letters(desk.member) if n not in left and n in desk.claim.letters]
    for name in loose:
        for path, term in walk(desk.member):
            if name in free_letters(term) and term.op not in ("element", "index"):
                fold = Fold("sum", (Bound(name),))
                yield Edit("sum-forgotten", path, Term("fold", (term,), fold))
    if len(loose) > 1:
        everything = Fold("sum", tuple(map(Bound, loose)))
        yield Edit("sum-forgotten", (), Term("fold", (desk.member,), everything))
    for name in loose:
        if len(loose) == 1:
            for other in left:
                yield from renamed_letters(desk, name, other)


def renamed_letters(desk: Desk, old: str, new: str) -> Iterator[Edit]:
    """Write one letter for another everywhere in one element."""
    for path, term in walk(desk.member):
        if term.op == "element" and any(s == letter(old) for s in term.data.slots):
            slots = tuple(letter(new) if s == letter(old) else s for s in term.data.slots)
            yield Edit("index-swap", path, Term("element", (), replace(term.data, slots=slots)))


def sum_ranges(desk: Desk) -> Iterator[Edit]:
    """Shift an end of a sum, drop its bounds, drop or add an exception, drop the sum."""
    for path, term in walk(desk.member):
        if not isinstance(term.data, Fold):
            continue
        fold = term.data
        for place, bound in enumerate(fold.bounds):
            for other in _other_bounds(bound, desk):
                bounds = (*fold.bounds[:place], other, *fold.bounds[place + 1 :])
                yield Edit("sum-range", path, Term("fold", term.args, replace(fold, bounds=bounds)))


def _other_bounds(bound: Bound, desk: Desk) -> Iterator[Bound]:
    for by in (1, -1):
        if bound.low is not None:
            yield replace(bound, low=bound.low.shifted(by))
        if bound.high is not None:
            yield replace(bound, high=bound.high.shifted(by))
    if bound.without is not None or bound.low is not None or bound.high is not None:
        yield Bound(bound.letter)
    own = desk.claim.letters.get(bound.letter)
    for name in free_letters(desk.anchor):
        if desk.claim.letters.get(name) == own and bound.without is None:
            yield Bound(bound.letter, without=letter(name))
            yield Bound(bound.letter, letter(name), None)
            yield Bound(bound.letter, At((), 1), letter(name))
            yield Bound(bound.letter, At((), 1), At(((name, 1),), -1))


def index_swaps(desk: Desk) -> Iterator[Edit]:
    """Permute the indices of one element, or write another letter of the formula there."""
    names = list(dict.fromkeys([*desk.claim.letters]))
    for path, term in walk(desk.member):
        if term.op != "element":
            continue
        ref: Ref = term.data
        for order in permutations(range(len(ref.slots))):
            if list(order) != list(range(len(ref.slots))) and None not in ref.slots:
                slots = tuple(ref.slots[k] for k in order)
                yield Edit("index-swap", path, Term("element", (), replace(ref, slots=slots)))
        for place, slot in enumerate(ref.slots):
            if slot is None or not slot.letters:
                continue
            for name in names:
                if name not in [n for n, _ in slot.letters]:
                    slots = (*ref.slots[:place], letter(name), *ref.slots[place + 1 :])
                    yield Edit("index-swap", path, Term("element", (), replace(ref, slots=slots)))
    yield from _numerals(desk)
    yield from _all_axes(desk)
    for one, other in combinations(names, 2):
        yield Edit("index-swap", (), _letters_swapped(desk.member, one, other))


def _numerals(desk: Desk) -> Iterator[Edit]:
    """Write another numeral of the formula for one: ``h_1`` for ``h_2``."""
    written = [
        slot.constant
        for term in (desk.anchor, desk.member)
        for _, part in walk(term)
        if part.op == "element"
        for slot in part.data.slots
        if slot is not None and not slot.letters and not slot.parts
    ]
    for path, term in walk(desk.member):
        for place, slot in enumerate(term.data.slots if term.op == "element" else ()):
            if slot is None or slot.letters or slot.parts:
                continue
            for value in dict.fromkeys(written):
                if value != slot.constant:
                    slots = list(term.data.slots)
                    slots[place] = replace(slot, constant=value)
                    ref = replace(term.data, slots=tuple(slots))
                    yield Edit("index-swap", path, Term("element", (), ref))


def _letters_swapped(term: Term, one: str, other: str) -> Term:
    """Exchange two letters in all elements of a term."""
    names = {one: other, other: one}

    def visit(part: Term) -> Term:
        args = tuple(visit(a) for a in part.args)
        data = part.data
        if isinstance(data, Ref):
            slots = tuple(
                s and replace(s, letters=tuple((names.get(n, n), c) for n, c in s.letters))
                for s in data.slots
            )
            data = replace(data, slots=slots)
        changed = data != part.data or any(a is not b for a, b in zip(args, part.args))
        return Term(part.op, args, data) if changed else part

    return visit(term)


def _all_axes(desk: Desk) -> Iterator[Edit]:
    """Give every index of one element a letter of the formula that runs over its axis."""
    for path, term in walk(desk.member):
        if term.op != "element" or None in term.data.slots or len(term.data.slots) < 2:
            continue
        if any(slot.constant for slot in term.data.slots):
            continue
        for other in elements_of(term.data.tensor, desk):
            if other.data.slots != term.data.slots and other.data.whole_axes == 0:
                yield Edit("index-swap", path, other)


def shifted_times(desk: Desk) -> Iterator[Edit]:
    """Shift one index or one layer by one; first of what stands in no derivative."""
    elements = [place for place in walk(desk.member) if place[1].op == "element"]
    for path, term in sorted(elements, key=lambda place: inside_slope(desk.member, place[0])):
        ref: Ref = term.data
        for place, slot in enumerate(ref.slots):
            if slot is None or not slot.letters:
                continue
            for by in (-1, 1, -2, 2):
                slots = (*ref.slots[:place], slot.shifted(by), *ref.slots[place + 1 :])
                kind = _shift_kind(ref, place, path, desk)
                yield Edit(kind, path, Term("element", (), replace(ref, slots=slots)))
        if ref.member is not None and ref.member.letters:
            for by in (-1, 1, -2, 2):
                other = replace(ref, member=ref.member.shifted(by))
                yield Edit(_layer_mistake(ref, path, desk), path, Term("element", (), other))


def _shift_kind(ref: Ref, place: int, path: Path, desk: Desk) -> str:
    """Tell a layer index from a time: parameters have the one in front and not the other."""
    tensors = desk.symbols.tensors
    high = axis_key(tensors[real(ref, desk)], place)[2]
    layered = place == 0 and any(
        axis_key(tensor, 0)[2] == high
        for tensor in tensors.values()
        if tensor.role is Role.PARAM and tensor.axes
    )
    return _layer_mistake(ref, path, desk) if layered else "wrong-time-index"


def _layer_mistake(ref: Ref, path: Path, desk: Desk) -> str:
    if path and at_path(desk.member, path[:-1]).op == "call":
        return "wrong-layer-fprime"
    tensor = desk.symbols.tensors[real(ref, desk)]
    return "wrong-layer-weight" if tensor.role is Role.PARAM else "wrong-variable"
