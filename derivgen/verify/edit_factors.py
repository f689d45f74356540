"""Edits of signs and factors: halves, means, slopes of activations, whole factors."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction
from functools import partial
from itertools import product

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


def signs(desk: Desk) -> Iterator[Edit]:
    """Turn the sign of the whole, of a term, or of a factor in brackets."""
    yield Edit("sign", (), _negated(desk.member))
    for path, term in walk(desk.member):
        if term.op == "negate" and path:
            yield Edit("sign", path, term.args[0])
        elif term.op == "add" or term.op == "cases":
            for place, part in enumerate(term.args):
                yield Edit("sign", (*path, place), _negated(part))
        elif term.op == "call" and term.args[0].op != "negate":
            yield Edit("sign", (*path, 0), _negated(term.args[0]))


def _negated(term: Term) -> Term:
    if term.op == "negate":
        return term.args[0]
    return Term("negate", (term,))


def twos(desk: Desk) -> Iterator[Edit]:
    """Double or halve the whole or a term; take a two away."""
    for value in (Fraction(2), Fraction(1, 2)):
        yield Edit("factor-2", (), before(number(value), desk.member))
    for path, term in walk(desk.member):
        if term.op == "add":
            for place, part in enumerate(term.args):
                for value in (Fraction(2), Fraction(1, 2)):
                    yield Edit("factor-2", (*path, place), before(number(value), part))
        if term.op == "power" and term.args[1].op == "number":
            for whole in (1, 2, 3):
                yield Edit("missing-factor" if whole > term.args[1].data[0] else "extra-factor",
                           (*path, 1), number(whole))  # fmt: skip


def sample_means(desk: Desk) -> Iterator[Edit]:
    """Divide by the number of samples, or by the size the loss is a mean over."""
    names = [n for n in ("m", "N", "n") if _size_occurs(desk, n)] or ["m"]
    sized = [dim for dim in desk.symbols.sizes if _is_batch(desk, dim)]
    for name in dict.fromkeys([*sized, *names]):
        size = Term("size", (), name)
        inverse = Term("divide", (number(1), size))
        yield Edit("missing-1-over-m", (), before(inverse, desk.member))
        yield Edit("extra-factor", (), before(size, desk.member))


def sizes(desk: Desk) -> Iterator[Edit]:
    """Multiply or divide by any other size."""
    for name in desk.symbols.sizes:
        size = Term("size", (), name)
        inverse = Term("divide", (number(1), size))
        for path in [()] + [p for p, t in walk(desk.member) if t.op == "fold" and p]:
            part = at_path(desk.member, path)
            yield Edit("missing-1-over-m", path, before(inverse, part))
            yield Edit("extra-factor", path, before(size, part))


def _size_occurs(desk: Desk, name: str) -> bool:
    return any(t.op == "size" and t.data == name for _, t in walk(desk.anchor))


def _is_batch(desk: Desk, name: str) -> bool:
    network = desk.symbols.network
    batch = network.batch if network else None
    return batch is not None and name in str(batch.high)


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
    for path in product_places(desk.member):
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


def extra_factors(desk: Desk) -> Iterator[Edit]:
    """Take a factor away, or a pair ``a*(1-a)``."""
    for path, term in walk(desk.member):
        if term.op == "divide":
            yield Edit("extra-factor", path, term.args[0])
        if term.op != "multiply":
            continue
        for place, part in enumerate(term.args):
            slope = core(part).op == "call" and core(part).data[1] or slope_pattern(core(part))
            mistake = "extra-fprime" if slope else "extra-factor"
            yield Edit(mistake, path, without(term, (place,)))
        for first in range(len(term.args)):
            for second in range(first + 1, len(term.args)):
                pair = Term("multiply", (term.args[first], term.args[second]), ("",))
                if slope_pattern(pair) is not None:
                    yield Edit("extra-fprime", path, without(term, (first, second)))


def call_orders(desk: Desk) -> Iterator[Edit]:
    """Write f for f', or f' for f."""
    for path, term in walk(desk.member):
        if term.op == "call":
            name, order = term.data
            mistake = "extra-fprime" if order else "missing-fprime"
            yield Edit(mistake, path, Term("call", term.args, (name, 0 if order else 1)))


def missing_factors(desk: Desk) -> Iterator[Edit]:
    """Multiply by one quantity of the network."""
    matrix = is_matrix(desk.anchor, desk)
    for path in product_places(desk.member):
        part = at_path(desk.member, path)
        for tensor in desk.symbols.tensors.values():
            if tensor.name == desk.symbols.loss:
                continue
            for element in elements_of(tensor.name, desk):
                if element.data.whole_axes and not matrix:
                    continue
                yield Edit("missing-factor", path, times(part, element))
                if element.data.whole_axes:
                    transposed = Term("transpose", (element,))
                    yield Edit("missing-factor", path, times(part, transposed))
                    yield Edit("missing-factor", path, times(part, element, r"\odot"))
                else:
                    one_less = Term("add", (number(1), Term("negate", (element,))))
                    yield Edit("missing-factor", path, times(part, one_less))


def missing_weights(desk: Desk) -> Iterator[Edit]:
    """Multiply a layer-generic product by the weights of a layer, from the left."""
    names = [n for n, k in desk.claim.letters.items() if k[0] == "family"]
    for stem, members in desk.symbols.families.items():
        tensor = desk.symbols.tensors[next(iter(members.values()))]
        if stem in desk.symbols.conventional or len(tensor.axes) != 2:
            continue
        for name, shift, path in product(names, (0, 1), product_places(desk.member)):
            weights = Term("element", (), Ref(stem + "{}", (None, None), At(((name, 1),), shift)))
            factor = Term("transpose", (weights,)) if shift else weights
            yield Edit("missing-factor", path, before(factor, at_path(desk.member, path)))


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
