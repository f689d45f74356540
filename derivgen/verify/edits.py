"""Single edits of a claim, each with the name of the mistake it would mend.

Edits are generated from the term alone and tried by `derivgen.verify.hints`; none of them knows
which formula it stands in. The order is that of how plainly a mistake explains a difference.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import combinations

from derivgen.algebra.affine import Index
from derivgen.algebra.expressions import accesses
from derivgen.algebra.network import Role
from derivgen.formulas.symbols import axis_key
from derivgen.formulas.terms import (
    At,
    Part,
    Ref,
    Slope,
    Term,
    Test,
    at_path,
    letter,
    walk,
)
from derivgen.verify.desk import (
    Desk,
    Edit,
    accesses_of,
    elements_of,
    exchanged,
    has_branches,
    inside_slope,
    like_elements,
    number,
    product_places,
    times,
)
from derivgen.verify.edit_factors import (
    complements,
    extra_factors,
    missing_factors,
    missing_weights,
    sample_means,
    signs,
    sizes,
    twos,
    unnamed_means,
)
from derivgen.verify.edit_indices import (
    forgotten_sums,
    index_swaps,
    orders,
    outer_products,
    shifted_times,
    sum_ranges,
    transposes,
    turned_orders,
)
from derivgen.verify.edit_slopes import (
    call_orders,
    diagonal_slopes,
    exchanged_slopes,
    matrix_slopes,
    missing_slopes,
    own_slopes,
    slope_arguments,
    slopes_beside,
    slopes_in_values,
    squares,
)


def layer_weights(desk: Desk) -> Iterator[Edit]:
    """Exchange a parameter for another of the same rank."""
    for path, term in walk(desk.member):
        if term.op != "element" or "{}" in term.data.tensor:
            continue
        tensor = desk.symbols.tensors[term.data.tensor]
        if tensor.role is not Role.PARAM:
            continue
        for other in desk.symbols.tensors.values():
            alike = len(other.axes) == len(tensor.axes) and other.axes
            if alike and other.role is Role.PARAM and other.name != tensor.name:
                ref = replace(term.data, tensor=other.name)
                yield Edit("wrong-layer-weight", path, Term("element", (), ref))


def updated_weights(desk: Desk) -> Iterator[Edit]:
    """Take the value before the step for the one after it."""
    for path, term in walk(desk.member):
        if term.op == "element" and term.data.updated:
            ref = replace(term.data, updated=False)
            yield Edit("updated-weights-used", path, Term("element", (), ref))


def all_updated_weights(desk: Desk) -> Iterator[Edit]:
    """Take the values before the step everywhere."""

    def plain(term: Term) -> Term:
        args = tuple(plain(part) for part in term.args)
        data = term.data
        if isinstance(data, Ref) and data.updated:
            return Term(term.op, args, replace(data, updated=False))
        changed = any(a is not b for a, b in zip(args, term.args))
        return Term(term.op, args, data) if changed else term

    new = plain(desk.member)
    if new is not desk.member:
        yield Edit("updated-weights-used", (), new)


def confused_activations(desk: Desk) -> Iterator[Edit]:
    """Write the activation for its pre-activation, or the other way round."""
    pairs = _activation_pairs(desk)
    for path, term in walk(desk.member):
        if term.op != "element" or inside_slope(desk.member, path):
            continue
        for other in pairs.get(term.data.tensor, ()):
            yield Edit(
                "wrong-variable", path, Term("element", (), replace(term.data, tensor=other))
            )


def _activation_pairs(desk: Desk) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    network = desk.symbols.network
    for equation in network.equations if network else ():
        for pre in desk.symbols.preactivations:
            arguments = getattr(equation.rhs, "args", ())
            if arguments and getattr(arguments[0], "tensor", "") == pre:
                found.setdefault(pre, []).append(equation.lhs.tensor)
                found.setdefault(equation.lhs.tensor, []).append(pre)
    return found


def wrong_variables(desk: Desk) -> Iterator[Edit]:
    """Exchange one quantity for another of the same shape."""
    for path, term in walk(desk.member):
        if term.op == "element" and not inside_slope(desk.member, path):
            for other in like_elements(term, desk):
                yield Edit("wrong-variable", path, other)


def everywhere(desk: Desk) -> Iterator[Edit]:
    """Exchange one quantity for another wherever it stands in one part."""
    seen: dict[Ref, Term] = {}
    for _, term in walk(desk.member):
        if term.op == "element":
            seen.setdefault(term.data, term)
    for old in seen.values():
        for other in like_elements(old, desk):
            yield Edit("wrong-variable", (), exchanged(desk.member, old, other))


def in_functions(desk: Desk) -> Iterator[Edit]:
    """Exchange one quantity for another in the arguments of all functions."""
    calls = [t for _, t in walk(desk.member) if t.op == "call"]
    seen = {t.data: t for call in calls for _, t in walk(call) if t.op == "element"}
    for old in seen.values():
        for other in like_elements(old, desk):
            yield Edit("wrong-variable", (), _in_calls(desk.member, old, other))


def _in_calls(term: Term, old: Term, new: Term) -> Term:
    if term.op == "call":
        return exchanged(term, old, new)
    args = tuple(_in_calls(part, old, new) for part in term.args)
    changed = any(a is not b for a, b in zip(args, term.args))
    return Term(term.op, args, term.data) if changed else term


def missing_brackets(desk: Desk) -> Iterator[Edit]:
    """Multiply by an indicator: equal indices, a lookup's winner, a positive pre-activation."""
    for test in _tests(desk):
        bracket = Term("bracket", (), test)
        for path in product_places(desk.member):
            yield Edit("indicator-dropped", path, times(at_path(desk.member, path), bracket))
        for path, term in walk(desk.member):
            if term.op == "number" and term.data[0] == 1:
                yield Edit("indicator-dropped", path, bracket)
            if term.op == "add":
                for place, part in enumerate(term.args):
                    yield Edit("indicator-dropped", (*path, place), times(part, bracket))


def _tests(desk: Desk) -> Iterator[Test]:
    letters = desk.claim.letters
    names = [n for n in letters if not n.startswith("#")]
    for one in names:
        for other in names:
            if one < other and letters[one] == letters[other]:
                yield Test("=", letter(one), letter(other))
    for tensor in desk.symbols.preactivations:
        if not has_branches(tensor, desk):
            continue
        for element in elements_of(tensor, desk):
            if element.data.whole_axes == 0:
                yield Test(">", element, number(0))
    yield from _lookup_tests(desk)
    yield from _window_tests(desk)


def _window_tests(desk: Desk) -> Iterator[Test]:
    """Yield ``i + u = j`` where the network reads position ``i + u`` of an axis j runs over."""
    network = desk.symbols.network
    for equation in network.equations if network else ():
        for access in accesses(equation.rhs):
            for place, form in enumerate(access.indices):
                if form.plain is not None or not all(isinstance(a, Index) for a, _ in form.terms):
                    continue
                at = At(tuple((str(a), c) for a, c in form.terms), form.constant, False)
                key = axis_key(desk.symbols.tensors[access.tensor], place)
                for name, own in desk.claim.letters.items():
                    if own == key and name not in [n for n, _ in at.letters]:
                        yield Test("=", at, letter(name))


def _lookup_tests(desk: Desk) -> Iterator[Test]:
    for tensor in desk.symbols.tensors.values():
        if tensor.values_of is None:
            continue
        for element in elements_of(tensor.name, desk):
            part = At((), 0, False, ((Part("lookup", tensor.name, tuple(
                s for s in element.data.slots if s is not None)), 1),))  # fmt: skip
            for name, key in desk.claim.letters.items():
                if key[0] == "axis" and key[2] == tensor.values_of.high:
                    yield Test("=", part, letter(name))


def functions(desk: Desk) -> Iterator[Edit]:
    """Take a function of a quantity, or leave the function away: ``tanh(c)`` for ``c``."""
    names = dict.fromkeys(desk.symbols.activations)
    for path, term in walk(desk.member):
        if inside_slope(desk.member, path):
            continue
        if term.op == "call" and not term.data[1] and term.data[0] in names:
            yield Edit("wrong-variable", path, term.args[0])
        elif term.op == "element":
            for name in names:
                yield Edit("wrong-variable", path, Term("call", (term,), (name, 0)))


def swapped_parameters(desk: Desk) -> Iterator[Edit]:
    """Exchange two parameters that stand in each other's place."""
    found = {t.data.tensor: t for _, t in walk(desk.member) if t.op == "element"}
    tensors = desk.symbols.tensors
    own = [n for n in found if n in tensors and tensors[n].role is Role.PARAM]
    for one, other in combinations(own, 2):
        if len(tensors[one].axes) != len(tensors[other].axes):
            continue

        def visit(term: Term, one: str = one, other: str = other) -> Term:
            args = tuple(visit(part) for part in term.args)
            if term.op == "element" and term.data.tensor in (one, other):
                name = other if term.data.tensor == one else one
                return Term("element", (), replace(term.data, tensor=name))
            changed = any(a is not b for a, b in zip(args, term.args))
            return Term(term.op, args, term.data) if changed else term

        yield Edit("wrong-layer-weight", (), visit(desk.member))


def subtracted_brackets(desk: Desk) -> Iterator[Edit]:
    """Subtract an indicator from a quantity: ``y_w - 1{w = o}`` for ``y_w``."""
    tests = [test for test in _tests(desk) if test.op == "="]
    own = desk.anchor.op == "gradient" and desk.anchor.args[0].op == "element"
    loss = own and desk.anchor.args[0].data.tensor == desk.symbols.loss
    mistake = "softmax-diagonal" if own and not loss else "indicator-dropped"
    for path, term in walk(desk.member):
        if term.op != "element" or inside_slope(desk.member, path) or term.data.whole_axes:
            continue
        for test in tests:
            less = Term("add", (term, Term("negate", (Term("bracket", (), test),))))
            yield Edit(mistake, path, Term("group", (less,), "(") if path else less)


def other_ranks(desk: Desk) -> Iterator[Edit]:
    """Exchange an element for any other that the letters of the formula can name."""
    for path, term in walk(desk.member):
        if term.op != "element" or inside_slope(desk.member, path) or term.data.whole_axes:
            continue
        for tensor in desk.symbols.tensors.values():
            if tensor.name in (desk.symbols.loss, term.data.tensor):
                continue
            for other in [*elements_of(tensor.name, desk), *accesses_of(tensor.name, desk)]:
                if other.data.whole_axes == 0:
                    yield Edit("wrong-variable", path, other)


def turned_shifts(desk: Desk) -> Iterator[Edit]:
    """Write ``x_{i+m}`` for ``x_{i-m}``, in one index or in all of an element."""
    for path, term in walk(desk.member):
        if term.op != "element" or inside_slope(desk.member, path):
            continue
        slots = term.data.slots
        places = [k for k, s in enumerate(slots) if s is not None and len(s.letters) == 2]
        for some in dict.fromkeys([tuple(places), *((k,) for k in places)]) if places else ():
            for which in (0, 1):
                turned = tuple(
                    _turned_at(s, which) if s is not None and k in some else s
                    for k, s in enumerate(slots)
                )
                ref = replace(term.data, slots=turned)
                yield Edit("index-swap", path, Term("element", (), ref))


def _turned_at(at: At, which: int) -> At:
    letters = list(at.letters)
    letters[which] = (letters[which][0], -letters[which][1])
    return replace(at, letters=tuple(letters))


def missing_terms(desk: Desk) -> Iterator[Edit]:
    """Add or subtract one quantity of the network."""
    if desk.anchor.op != "gradient":
        return
    for tensor in desk.symbols.tensors.values():
        for element in [*elements_of(tensor.name, desk), *accesses_of(tensor.name, desk)]:
            for part in (element, Term("negate", (element,))):
                yield Edit("path-forgotten", (), Term("add", (desk.member, part)))


def slope_terms(desk: Desk) -> Iterator[Edit]:
    """Write the derivative of another quantity in a Leibniz factor."""
    for path, term in walk(desk.member):
        if term.op == "gradient" and isinstance(term.data, Slope):
            of, by = term.args
            for other in like_elements(by, desk) if by.op == "element" else []:
                yield Edit("wrong-variable", (*path, 1), other)


GENERATORS: tuple[Callable[[Desk], Iterator[Edit]], ...] = (
    signs,
    twos,
    all_updated_weights,
    updated_weights,
    sample_means,
    forgotten_sums,
    slope_arguments,
    own_slopes,
    squares,
    confused_activations,
    missing_brackets,
    slopes_beside,
    missing_slopes,
    slopes_in_values,
    matrix_slopes,
    call_orders,
    diagonal_slopes,
    outer_products,
    orders,
    transposes,
    turned_orders,
    index_swaps,
    shifted_times,
    layer_weights,
    sum_ranges,
    in_functions,
    wrong_variables,
    swapped_parameters,
    extra_factors,
    exchanged_slopes,
    complements,
    functions,
    subtracted_brackets,
    missing_weights,
    missing_factors,
    sizes,
    unnamed_means,
    everywhere,
    slope_terms,
    other_ranks,
    turned_shifts,
    missing_terms,
)
# What a definition may have wrong; anything else would be another definition.
DEFINITIONS = (signs, in_functions, wrong_variables, index_swaps, sum_ranges, sample_means)
