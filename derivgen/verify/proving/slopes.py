"""Derivatives in a formula, as polynomials: by the engine's statements, laid out as matrices."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction

from derivgen.algebra.network import Role
from derivgen.formulas.sequence import part_name
from derivgen.formulas.terms import Ref, Slope, Term
from derivgen.verify.proving import polynomials as poly
from derivgen.verify.proving.elements import Slots, is_batch, shaped, slots_of
from derivgen.verify.proving.jacobians import jacobian
from derivgen.verify.proving.places import Form, NoProof, form, fresh, minus
from derivgen.verify.proving.polynomials import Poly
from derivgen.verify.proving.scope import SAMPLES, Scope
from derivgen.verify.proving.values import Run, Value


def inner_of(term: Term) -> Term:
    while term.op == "group":
        term = term.args[0]
    return term


def gradient(scope: Scope, term: Term) -> Value:
    """Return a derivative in the layout of the reading. Raises: NoProof."""
    of, by = term.args[0], inner_of(term.args[1])
    slope: Slope = term.data
    if by.op == "transpose":
        return gradient(scope, term.with_args((of, by.args[0]))).transposed
    if slope.symbol == "step":
        plain = gradient(scope, Term("gradient", term.args, Slope(), term.span))
        factor = poly.constant(1) if scope.step is None else scope.step
        sign = 1 if scope.step is None else scope.reading.step_sign
        return plain.mapped(lambda entry: poly.scaled(poly.times(factor, entry), sign))
    if slope.symbol == "delta" and scope.reading.delta_sign < 0:
        plain_slope = Slope(slope.immediate, slope.order)
        found = gradient(scope, Term("gradient", (of, by), plain_slope, term.span))
        return found.mapped(lambda entry: poly.scaled(entry, -1))
    table = jacobian_of(scope, of, by, slope)
    if not table.by:
        return shaped(table.entry, table.of, scope.reading)
    if not table.of:
        if table.batch:
            found = Value(table.entry, table.by[0], table.by[1] if len(table.by) > 1 else None)
            return found if scope.reading.batch == "rows" else found.transposed
        found = shaped(table.entry, table.by, scope.reading)
        lies = scope.reading.gradient_rows and slope.symbol != "nabla" and len(table.by) == 1
        return found.transposed if lies else found
    if len(table.of) != 1 or len(table.by) != 1:
        raise NoProof("a derivative of a matrix by a matrix")
    found = Value(table.entry, table.of[0], table.by[0])
    return found if scope.reading.jacobian == "numerator" else found.transposed


@dataclass(frozen=True)
class Table:
    """The derivative of every element of one quantity by every element of another."""

    entry: Poly
    of: tuple[Run, ...]
    by: tuple[Run, ...]
    batch: bool = False


def jacobian_of(scope: Scope, of: Term, by: Term, slope: Slope) -> Table:
    """Return the derivative of a term by an element, not laid out. Raises: NoProof."""
    if slope.order != 1 or by.op != "element" or inner_of(of).op != "element":
        raise NoProof("a derivative of another kind")
    ref: Ref = by.data
    if ref.updated or inner_of(of).data.updated:
        raise NoProof("a derivative of a new value")
    lower = slots_of(scope, ref, by=True)
    batch = is_batch(scope, ref, lower)
    if ref.sample is not None and not (scope.reading.mean or scope.reading.total):
        scope = replace(scope, sample=scope.sample_of(ref))
    runs = lower.whole
    place = scope.sample_of(ref)
    if batch:
        if len(runs) > 1:
            raise NoProof("more than a matrix")
        name = fresh()
        place = form(name)
        runs = ((name, scope.range_of_key(("sample",))), *runs)
        if slope.symbol == "d" and not scope.reading.share:
            scope = replace(scope, sample=place, one_sample=True)
    upper = slots_of(scope, inner_of(of).data, by=True)
    if is_batch(scope, inner_of(of).data, upper):
        raise NoProof("a derivative of a batch")
    _refuse_immediate(scope, upper.tensor, lower.tensor, slope)
    entry = _entry(scope, inner_of(of).data, upper, lower, place)
    return Table(entry, upper.whole, runs, batch)


def _refuse_immediate(scope: Scope, of: str, by: str, slope: Slope) -> None:
    if of in (scope.symbols.loss, part_name(scope.symbols.loss)):
        return
    way = scope.reading.immediate if slope.symbol == "" else ""
    param = scope.opening.exact.network.tensors[by].role is Role.PARAM
    if slope.immediate or way in ("all", "member") or (way == "parameters" and param):
        raise NoProof("an immediate derivative")


def _entry(scope: Scope, of: Ref, upper: Slots, lower: Slots, place: Form) -> Poly:
    """Return the derivative by one element, at sample ``place`` where it has samples."""
    param = scope.opening.exact.network.tensors[lower.tensor].role is Role.PARAM
    if upper.tensor != scope.symbols.loss:
        own = scope.sample_of(of)
        inner = scope.at_sample(own)
        found = jacobian(inner, upper.tensor, upper.places, lower.tensor, lower.places)
        return found if param else _same_sample(scope, own, place, found)
    whole = of.sample is None and not scope.one_sample
    averaged = scope.several and whole and (scope.reading.mean or scope.reading.total)
    if not averaged:
        own = scope.sample_of(of)
        found = scope.at_sample(own).adjoint(lower.tensor, lower.places)
        return found if param else _same_sample(scope, own, place, found)
    if param:
        name = fresh()
        found = scope.at_sample(form(name)).adjoint(lower.tensor, lower.places)
        found = poly.summed(found, [(name, scope.range_of_key(("sample",)))])
    else:
        found = scope.at_sample(place).adjoint(lower.tensor, lower.places)
    return averages(found) if scope.reading.mean else found


def averages(entry: Poly) -> Poly:
    """Divide by the number of samples."""
    return poly.times(entry, poly.power(poly.index_value(SAMPLES), Fraction(-1)))


def _same_sample(scope: Scope, own: Form, place: Form, found: Poly) -> Poly:
    if own == place or not scope.several:
        return found
    return poly.times(poly.where(("eq", minus(own, place))), found)


def contracted(scope: Scope, run: list[Term]) -> Value:
    """Contract ``dE/dz . dz/da`` over the elements of z, whatever the layout. Raises: NoProof."""
    if run[0].args[1].data != run[1].args[0].data:
        run = run[::-1]
    flat = replace(scope, reading=replace(scope.reading, layout="columns"))
    entry: Poly | None = None
    above: tuple[Run, ...] = ()
    below: tuple[Run, ...] = ()
    for factor in run:
        of, by = factor.args
        table = jacobian_of(flat, of, inner_of(by), factor.data)
        if table.batch:
            raise NoProof("a chain over a batch")
        if entry is None:
            entry, above, below = table.entry, table.of, table.by
            continue
        if len(below) != len(table.of) or any(a[1] != b[1] for a, b in zip(below, table.of)):
            raise NoProof("fractions that do not link up")
        middle = [(fresh(), run_[1]) for run_ in below]
        left = {old[0]: form(new[0]) for old, new in zip(below, middle)}
        right = {old[0]: form(new[0]) for old, new in zip(table.of, middle)}
        made = poly.times(poly.rename(entry, left), poly.rename(table.entry, right))
        entry, below = poly.summed(made, middle), table.by
    assert entry is not None, "a run has factors"
    if not above:
        return shaped(entry, below, scope.reading)
    if not below:
        return shaped(entry, above, scope.reading)
    if len(above) != 1 or len(below) != 1:
        raise NoProof("a derivative of a matrix by a matrix")
    found = Value(entry, above[0], below[0])
    return found if scope.reading.jacobian == "numerator" else found.transposed
