"""Elements, slices and whole tensors of a formula as polynomials, and where they exist."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from derivgen.algebra.network import Role
from derivgen.formulas.terms import At, Ref, Term
from derivgen.verify.context import Reading
from derivgen.verify.elements import outside_of
from derivgen.verify.proving import polynomials as poly
from derivgen.verify.proving.places import (
    Form,
    NoProof,
    Range,
    form,
    fresh,
    minus,
    number,
)
from derivgen.verify.proving.polynomials import Poly
from derivgen.verify.proving.scope import Scope
from derivgen.verify.proving.values import Run, Value


@dataclass(frozen=True)
class Slots:
    """Where an element of a tensor stands; ``whole`` are the letters of its whole axes."""

    tensor: str
    places: tuple[Form, ...]
    whole: tuple[Run, ...]
    outside: Any = None  # how the network reads outside, where the place may be outside


PADDED = object()  # the claim says what stands outside


def slots_of(scope: Scope, ref: Ref, by: bool = False, padded: bool = False) -> Slots:
    """Return where an element stands. Raises: NoProof, where it may lie outside of its tensor."""
    tensor = scope.tensor(ref)
    axes = scope.opening.exact.network.tensors[tensor].axes
    slots = ref.slots or (None,) * len(axes)
    if len(slots) != len(axes):
        raise NoProof("another number of indices")
    whole: list[Run] = []
    places: list[Form] = []
    outside = None
    for number_, (slot, axis) in enumerate(zip(slots, axes)):
        span = scope.opening.exact.span(tensor, number_)
        if slot is None:
            name = fresh()
            whole.append((name, _not_single(span)))
            places.append(form(name))
            continue
        counted = bool(axis.high.terms) and axis.high.constant > 0
        places.append(scope.place(slot, None if counted else span[0]))
        if not _inside(scope, places[-1], span):
            found = _beyond(scope, tensor, number_, slot, places[-1], span, padded)
            if found is not None and (by or outside is not None):
                raise NoProof("a place that may not exist")
            outside = outside or found
    return Slots(tensor, tuple(places), tuple(whole), outside)


def _not_single(span: Range) -> Range:
    if minus(span[1], span[0]) == number(1):
        raise NoProof("an axis of one element")
    return span


def _inside(scope: Scope, place: Form, span: Range) -> bool:
    return scope.known.implies(minus(place, span[0])) and scope.known.implies(
        minus(span[1], place, -1)
    )


def _beyond(
    scope: Scope, tensor: str, axis: int, slot: At, place: Form, span: Range, padded: bool
) -> Any:
    """Return what is read outside; a term of a sum that leaves the edge is no term."""
    if not slot.letters:
        raise NoProof("a place that may not exist")
    if padded and (slot.constant == 0 or _read_outside(scope, tensor, axis) is None):
        return PADDED
    if slot.constant == 0 and len(slot.letters) > 1:
        if scope.beyond is None:
            raise NoProof("a place that may not exist")
        scope.beyond.extend((("ge", minus(place, span[0])), ("ge", minus(span[1], place, -1))))
        return None
    if slot.constant == 0:
        raise NoProof("a place that may not exist")
    access = _read_outside(scope, tensor, axis)
    if access is None:
        raise NoProof("a place that may not exist")
    return access


def _read_outside(scope: Scope, tensor: str, axis: int) -> Any:
    access = outside_of(scope.opening.exact.network, tensor, axis)
    return access if access is not None and access.outside is not None else None


def is_batch(scope: Scope, ref: Ref, slots: Slots) -> bool:
    """Tell whether a tensor stands for all samples: a matrix, or a vector of single numbers."""
    if not scope.reading.batch or ref.sample is not None or slots.tensor == scope.symbols.loss:
        return False
    if scope.opening.exact.network.tensors[slots.tensor].role is Role.PARAM or scope.one_sample:
        return False
    if not scope.several:
        raise NoProof("a batch of one")
    return bool(slots.whole) or not slots.places


def element(scope: Scope, term: Term) -> Value:
    """Return an element, vector (a column or row by the layout) or matrix of a tensor."""
    ref: Ref = term.data
    slots = slots_of(scope, ref)
    reading = scope.reading
    whole_loss = ref.sample is None and not scope.one_sample
    if (
        slots.tensor == scope.symbols.loss
        and whole_loss
        and scope.several
        and (reading.mean or reading.total)
    ):
        return Value(_of_all(scope, slots))
    if is_batch(scope, ref, slots):
        return _batched(scope, slots)
    return shaped(entry(scope, slots, scope.sample_of(ref)), slots.whole, reading)


def entry(scope: Scope, slots: Slots, sample: Form) -> Poly:
    """Return an element at one sample; outside its range, what the network itself reads there."""
    opening = scope.at_sample(sample)
    found = opening.forward(slots.tensor, slots.places)
    if slots.outside is None or slots.outside is PADDED:
        return found
    access = slots.outside
    env = {f.plain: p for f, p in zip(access.indices, slots.places) if f.plain is not None}
    return opening.padded(slots.tensor, slots.places, found, opening.expr(access.outside, env))


def _of_all(scope: Scope, slots: Slots) -> Poly:
    name = fresh()
    samples = scope.range_of_key(("sample",))
    found = entry(scope, slots, form(name))
    found = poly.summed(found, [(name, samples)])
    if scope.reading.mean:
        found = poly.times(found, poly.inverse(poly.index_value(samples[1])))
    return found


def _batched(scope: Scope, slots: Slots) -> Value:
    if len(slots.whole) > 1:
        raise NoProof("more than a matrix")
    name = fresh()
    rows = (name, scope.range_of_key(("sample",)))
    columns = slots.whole[0] if slots.whole else None
    found = Value(entry(scope, slots, form(name)), rows, columns)
    return found if scope.reading.batch == "rows" else found.transposed


def shaped(entry_: Poly, whole: tuple[Run, ...], reading: Reading) -> Value:
    """Return entries over whole axes as a number, vector or matrix. Raises: NoProof, for more."""
    if len(whole) > 2:
        raise NoProof("more than a matrix")
    if len(whole) == 2:
        return Value(entry_, whole[0], whole[1])
    if not whole:
        return Value(entry_)
    found = Value(entry_, whole[0])
    return found if reading.layout == "columns" else found.transposed


def existing(scope: Scope, ref: Ref, by: bool, bound: frozenset[str]) -> Scope:
    """Return the scope in which a shifted element is known to exist: the claim speaks there alone.

    As `derivgen.verify.points` has it: letters bound around it say nothing, and where the network
    reads outside on this side the place need not exist.
    """
    if ref.member is not None and {n for n, _ in ref.member.letters} & bound:
        return scope
    tensor = scope.tensor(ref)
    network = scope.opening.exact.network
    forms = []
    for axis, slot in enumerate(ref.slots):
        if slot is None or not slot.letters or (slot.constant == 0 and len(slot.letters) == 1):
            continue
        if {n for n, _ in slot.letters} & bound or slot.parts:
            continue
        try:
            place = scope.place(slot)
        except NoProof:
            continue
        span = scope.opening.exact.span(tensor, axis)
        access = None if by else outside_of(network, tensor, axis)
        shift = access.indices[axis] if access is not None else None
        low = shift is None or not (len(shift.terms) > 1 or shift.constant < 0)
        high = shift is None or not (len(shift.terms) > 1 or shift.constant >= 0)
        forms += [minus(place, span[0])] if low else []
        forms += [minus(span[1], place, -1)] if high else []
    return replace(scope, known=scope.known.also(forms))
