"""Edits of the slopes of activations: f' forgotten, of another layer, of another argument."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

from derivgen.algebra.expressions import Access, Call
from derivgen.formulas.terms import (
    At,
    Ref,
    Term,
    at_path,
    walk,
)
from derivgen.verify.desk import (
    Desk,
    Edit,
    activation_of,
    activations,
    before,
    core,
    elements_of,
    exchanged,
    generic_slots,
    is_matrix,
    like_elements,
    number,
    product_places,
    real,
    slope_pattern,
    times,
    without,
)


def slope_arguments(desk: Desk) -> Iterator[Edit]:
    """Give f' another argument: another layer's, or the pre-activation."""
    for path, term in walk(desk.member):
        if term.op != "call" or not term.data[1] or not term.args:
            continue
        inner = term.args[0]
        if inner.op != "element":
            continue
        for other in like_elements(inner, desk):
            same = _layer_kind(inner.data, other.data, desk)
            mistake = "wrong-layer-fprime" if same else "fprime-argument"
            yield Edit(mistake, (*path, 0), other)


def _layer_kind(one: Ref, other: Ref, desk: Desk) -> bool:
    """Tell whether both are pre-activations, only of another layer."""
    if one.tensor == other.tensor:
        return True
    pres = desk.symbols.preactivations
    return real(one, desk) in pres and real(other, desk) in pres


def own_slopes(desk: Desk) -> Iterator[Edit]:
    """Give ``a(1-a)`` or ``1-a^2`` another a: its own function's value, another layer's."""
    for path, term in walk(desk.member):
        factor = slope_pattern(term)
        if factor is None:
            continue
        if name := activation_of(real(factor.data, desk), desk):
            value = Term("call", (factor,), (name, 0))
            yield Edit("fprime-argument", path, exchanged(term, factor, value))
        for other in like_elements(factor, desk):
            kind = "wrong-layer-fprime"
            if real(factor.data, desk) in desk.symbols.preactivations:
                kind = "fprime-argument"
            yield Edit(kind, path, exchanged(term, factor, other))


def squares(desk: Desk) -> Iterator[Edit]:
    """Square what stands in a sum: ``1 - a^2`` for ``1 - a``."""
    for path, term in walk(desk.member):
        if term.op != "add":
            continue
        for place, part in enumerate(term.args):
            inner = part.args[0] if part.op == "negate" else part
            if inner.op != "element":
                continue
            where = (*path, place, 0) if part.op == "negate" else (*path, place)
            power = Term("power", (inner, number(2)))
            yield Edit("missing-factor", where, power)
            if is_matrix(inner, desk):
                product = Term("multiply", (inner, inner), (r"\odot",))
                yield Edit("missing-factor", where, product)


def exchanged_slopes(desk: Desk) -> Iterator[Edit]:
    """Write f' of any pre-activation, or the slope in an activation's value, for another slope."""
    slopes = list(_all_slopes(desk))
    for path, term in walk(desk.member):
        if term.op != "multiply":
            continue
        for places in _slope_places(term):
            kept = without(term, places) if len(places) < len(term.args) else None
            sign = r"\odot" if any(is_matrix(term.args[k], desk) for k in places) else ""
            for slope in slopes:
                new = slope if kept is None else times(kept, slope, sign)
                yield Edit("wrong-layer-fprime", path, new)


def _slope_places(term: Term) -> Iterator[tuple[int, ...]]:
    """Yield the places of a product that are a slope: ``f'(z)``, ``1-a^2``, ``a (1-a)``."""
    for place, part in enumerate(term.args):
        if (core(part).op == "call" and core(part).data[1]) or slope_pattern(core(part)):
            yield (place,)
    for first in range(len(term.args)):
        for second in range(first + 1, len(term.args)):
            pair = Term("multiply", (term.args[first], term.args[second]), ("",))
            if slope_pattern(pair) is not None:
                yield (first, second)


def _all_slopes(desk: Desk) -> Iterator[Term]:
    for tensor in desk.symbols.preactivations:
        name = activation_of(tensor, desk)
        for argument in elements_of(tensor, desk) if name else ():
            yield Term("call", (argument,), (name, 1))
    yield from value_slopes(desk)


def value_slopes(desk: Desk) -> Iterator[Term]:
    """Yield ``1 - a^2`` and ``a (1 - a)`` for each tensor a that is a function of a whole sum."""
    network = desk.symbols.network
    for equation in network.equations if network else ():
        rhs = equation.rhs
        if not isinstance(rhs, Call) or len(rhs.args) != 1 or isinstance(rhs.args[0], Access):
            continue
        for value in elements_of(equation.lhs.tensor, desk):
            for shift in (0, 1, -1) if value.data.slots and value.data.slots[0] else (0,):
                yield from _in_value(_shifted(value, shift))


def _shifted(element: Term, by: int) -> Term:
    if not by:
        return element
    slots = (element.data.slots[0].shifted(by), *element.data.slots[1:])
    return Term("element", (), replace(element.data, slots=slots))


def _in_value(value: Term) -> Iterator[Term]:
    for inner in (Term("power", (value, number(2))), value):
        less = Term("group", (Term("add", (number(1), Term("negate", (inner,)))),), "(")
        whole = r"\odot" if value.data.whole_axes else ""
        yield less if inner is not value else Term("multiply", (value, less), (whole,))


def slopes_in_values(desk: Desk) -> Iterator[Edit]:
    """Multiply by the slope of an activation whose argument has no name."""
    slopes = list(value_slopes(desk))
    for path in product_places(desk.member, desk.claim.kind == "plain"):
        part = at_path(desk.member, path)
        for slope in slopes:
            sign = r"\odot" if is_matrix(slope, desk) else ""
            yield Edit("missing-fprime", path, times(part, slope, sign))


def diagonal_slopes(desk: Desk) -> Iterator[Edit]:
    """Multiply a Jacobian by the diagonal matrix of the slopes, from the left."""
    if desk.anchor.op != "gradient" or not is_matrix(desk.anchor, desk):
        return
    for slope in _all_slopes(desk):
        if is_matrix(slope, desk):
            factor = Term("call", (slope,), ("diag", 0))
            yield Edit("missing-fprime", (), before(factor, desk.member))


def slopes_beside(desk: Desk) -> Iterator[Edit]:
    """Multiply a derivative by an activation with f' at the same place: ``dE/dh_t f'(a_t)``."""
    sources = activations(desk)
    for path, term in walk(desk.member):
        if term.op != "gradient" or term.args[1].op != "element":
            continue
        by = term.args[1]
        for name, tensor in sources.get(real(by.data, desk), ()):
            at = Term("element", (), replace(by.data, tensor=tensor, member=None))
            sign = r"\odot" if is_matrix(by, desk) else ""
            yield Edit("missing-fprime", path, times(term, Term("call", (at,), (name, 1)), sign))


def missing_slopes(desk: Desk) -> Iterator[Edit]:
    """Multiply by f' of some pre-activation."""
    for path in product_places(desk.member, desk.claim.kind == "plain"):
        part = at_path(desk.member, path)
        for slope in _slopes(desk, bool(path)):
            yield Edit("missing-fprime", path, slope(part))


def _slopes(desk: Desk, inner: bool) -> list[Callable[[Term], Term]]:
    found: list[Callable[[Term], Term]] = []
    for tensor in desk.symbols.preactivations:
        name = activation_of(tensor, desk)
        if not name:
            continue
        for argument in elements_of(tensor, desk):
            call = Term("call", (argument,), (name, 1))
            matrix = argument.data.whole_axes > 0
            found.append(partial(_with_slope, call, r"\odot" if matrix else ""))
    return found


def _with_slope(slope: Term, operator: str, part: Term) -> Term:
    return times(part, slope, operator)


def call_orders(desk: Desk) -> Iterator[Edit]:
    """Write f for f', or f' for f."""
    for path, term in walk(desk.member):
        if term.op == "call":
            name, order = term.data
            mistake = "extra-fprime" if order else "missing-fprime"
            yield Edit(mistake, path, Term("call", term.args, (name, 0 if order else 1)))


def matrix_slopes(desk: Desk) -> Iterator[Edit]:
    """Multiply a layer-generic formula by ``f'(z^l)``."""
    for stem in ("z", "net", "u", "s"):
        if stem not in desk.symbols.families:
            continue
        real = desk.symbols.families[stem]
        names = [n for n, k in desk.claim.letters.items() if k[0] == "family"]
        function = activation_of(next(iter(real.values())), desk)
        rank = len(desk.symbols.tensors[next(iter(real.values()))].axes)
        for name in names:
            for shift in (0, -1, 1):
                slots = generic_slots(desk, rank)
                ref = Ref(stem + "{}", slots, At(((name, 1),), shift))
                call = Term("call", (Term("element", (), ref),), (function, 1))
                operator = r"\odot" if None in slots else ""
                yield Edit("missing-fprime", (), times(desk.member, call, operator))
