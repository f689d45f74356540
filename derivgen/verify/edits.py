"""Single edits of a claim, each with the name of the mistake it would mend.

Edits are generated from the term alone and tried by `derivgen.verify.hints`; none of them knows
which formula it stands in. The order is that of how plainly a mistake explains a difference.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import combinations, permutations

from derivgen.algebra.network import Role
from derivgen.formulas.names import slot_keys
from derivgen.formulas.symbols import Symbols, axis_key
from derivgen.formulas.terms import (
    At,
    Bound,
    Claim,
    Fold,
    Path,
    Ref,
    Slope,
    Term,
    Test,
    at_path,
    free_letters,
    letter,
    walk,
)


@dataclass(frozen=True)
class Edit:
    """One change: the node at ``path`` becomes ``new``; ``mistake`` is what it mends."""

    mistake: str
    path: Path
    new: Term


@dataclass(frozen=True)
class Desk:
    """What edits are made of: both members, the claim, the network's names."""

    anchor: Term
    member: Term
    claim: Claim
    symbols: Symbols
    outer_bound: tuple[str, ...] = ()


def number(value: int | Fraction) -> Term:
    """Return a number the writer did not write."""
    return Term("number", (), (Fraction(value), ""))


def times(term: Term, factor: Term, operator: str = "") -> Term:
    """Return a product that the writer did not write."""
    if term.op == "multiply" and term.span == (0, 0):
        return Term("multiply", (*term.args, factor), (*term.data, operator))
    return Term("multiply", (term, factor), (operator,))


def before(factor: Term, term: Term) -> Term:
    return Term("multiply", (factor, term), ("",))


# --- signs and factors ---------------------------------------------------------------------------


def signs(desk: Desk) -> Iterator[Edit]:
    """Turn the sign of the whole, of a term, or of a factor in brackets."""
    yield Edit("sign", (), _negated(desk.member))
    for path, term in walk(desk.member):
        if term.op == "negate" and path:
            yield Edit("sign", path, term.args[0])
        elif term.op == "add":
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
            for value in (1, 2, 3):
                yield Edit("missing-factor" if value > term.args[1].data[0] else "extra-factor",
                           (*path, 1), number(value))  # fmt: skip


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


# --- matrices ------------------------------------------------------------------------------------


def transposes(desk: Desk) -> Iterator[Edit]:
    """Put or take away one transpose."""
    for path, term in walk(desk.member):
        if term.op == "transpose":
            yield Edit("extra-transpose", path, term.args[0])
        elif _is_matrix(term, desk):
            yield Edit("missing-transpose", path, Term("transpose", (term,)))


def _is_matrix(term: Term, desk: Desk) -> bool:
    if term.op == "element":
        return not term.data.slots or term.data.whole_axes > 0
    if term.op == "gradient":
        return _is_matrix(term.args[1], desk)
    if term.op in ("group", "add", "multiply", "listing", "call", "transpose", "negate", "fold",
                   "power", "divide"):  # fmt: skip
        return any(_is_matrix(part, desk) for part in term.args) or term.op == "listing"
    return False


def orders(desk: Desk) -> Iterator[Edit]:
    """Exchange two neighbours of a product."""
    for path, term in walk(desk.member):
        if term.op != "multiply":
            continue
        for place in range(len(term.args) - 1):
            swapped = _swapped(term, place)
            if swapped is None or not all(
                _is_matrix(term.args[k], desk) for k in (place, place + 1)
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
                _is_matrix(term.args[k], desk) for k in (place, place + 1)
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


# --- slopes of activations -----------------------------------------------------------------------


def slope_arguments(desk: Desk) -> Iterator[Edit]:
    """Give f' another argument: another layer's, or the pre-activation."""
    for path, term in walk(desk.member):
        if term.op != "call" or not term.data[1] or not term.args:
            continue
        inner = term.args[0]
        if inner.op != "element":
            continue
        for other in _like_elements(inner, desk):
            same = _layer_kind(inner.data, other.data, desk)
            mistake = "wrong-layer-fprime" if same else "fprime-argument"
            yield Edit(mistake, (*path, 0), other)


def _layer_kind(one: Ref, other: Ref, desk: Desk) -> bool:
    """Tell whether both are pre-activations, only of another layer."""
    if one.tensor == other.tensor:
        return True
    pres = desk.symbols.preactivations
    return _real(one, desk) in pres and _real(other, desk) in pres


def _real(ref: Ref, desk: Desk) -> str:
    if "{}" not in ref.tensor:
        return ref.tensor
    return next(iter(desk.symbols.families[ref.tensor[:-2]].values()))


def own_slopes(desk: Desk) -> Iterator[Edit]:
    """Move ``a(1-a)`` or ``1-a^2`` to another layer's activation."""
    for path, term in walk(desk.member):
        factor = _slope_pattern(term)
        if factor is None:
            continue
        for other in _like_elements(factor, desk):
            yield Edit("wrong-layer-fprime", path, _exchanged(term, factor, other))


def _slope_pattern(term: Term) -> Term | None:
    """Return a where a term is ``a*(1-a)`` or ``1-a^2``."""
    core = _core(term)
    if core.op == "add" and len(core.args) == 2 and _is_one(core.args[0]):
        last = _core(core.args[1])
        if last.op == "negate" and _core(last.args[0]).op == "power":
            base = _core(_core(last.args[0]).args[0])
            return base if base.op == "element" else None
    if term.op != "multiply":
        return None
    elements = [_core(part) for part in term.args if _core(part).op == "element"]
    for part in term.args:
        inner = _core(part)
        if inner.op == "add" and len(inner.args) == 2 and _is_one(inner.args[0]):
            last = _core(inner.args[1])
            if last.op == "negate" and _core(last.args[0]).op == "element":
                base = _core(last.args[0])
                if any(base.data == e.data for e in elements):
                    return base
    return None


def _core(term: Term) -> Term:
    while term.op == "group":
        term = term.args[0]
    return term


def _is_one(term: Term) -> bool:
    return _core(term).op == "number" and _core(term).data[0] == 1


def _exchanged(term: Term, old: Term, new: Term) -> Term:
    if term.op == "element" and term.data == old.data:
        return new
    args = tuple(_exchanged(part, old, new) for part in term.args)
    changed = any(a is not b for a, b in zip(args, term.args))
    return Term(term.op, args, term.data) if changed else term


def missing_slopes(desk: Desk) -> Iterator[Edit]:
    """Multiply by f' of some pre-activation."""
    for path in _product_places(desk.member):
        part = at_path(desk.member, path)
        for slope in _slopes(desk, bool(path)):
            yield Edit("missing-fprime", path, slope(part))


def _product_places(member: Term) -> list[Path]:
    """Return where a factor may be put: the whole, and the body of each sum and additive term."""
    found: list[Path] = [()]
    for path, term in walk(member):
        if term.op == "fold":
            found.append((*path, 0))
        elif term.op == "add":
            found += [(*path, place) for place in range(len(term.args))]
    return found


def _slopes(desk: Desk, inner: bool) -> list[Callable[[Term], Term]]:
    found: list[Callable[[Term], Term]] = []
    for tensor in desk.symbols.preactivations:
        name = _activation_of(tensor, desk)
        if not name:
            continue
        for argument in _elements_of(tensor, desk):
            call = Term("call", (argument,), (name, 1))
            matrix = argument.data.whole_axes > 0
            found.append(lambda part, c=call, m=matrix: times(part, c, r"\odot" if m else ""))
    return found


def _activation_of(tensor: str, desk: Desk) -> str:
    from derivgen.algebra.expressions import Access, Call
    from derivgen.algebra.expressions import walk as walk_expr

    network = desk.symbols.network
    for equation in network.equations if network else ():
        for part in walk_expr(equation.rhs):
            if isinstance(part, Call) and len(part.args) == 1:
                if isinstance(part.args[0], Access) and part.args[0].tensor == tensor:
                    return part.name
    return ""


def extra_factors(desk: Desk) -> Iterator[Edit]:
    """Take a factor away, or a pair ``a*(1-a)``."""
    for path, term in walk(desk.member):
        if term.op == "divide":
            yield Edit("extra-factor", path, term.args[0])
        if term.op != "multiply":
            continue
        for place, part in enumerate(term.args):
            slope = _core(part).op == "call" and _core(part).data[1] or _slope_pattern(_core(part))
            mistake = "extra-fprime" if slope else "extra-factor"
            yield Edit(mistake, path, _without(term, (place,)))
        for first in range(len(term.args)):
            for second in range(first + 1, len(term.args)):
                pair = Term("multiply", (term.args[first], term.args[second]), ("",))
                if _slope_pattern(pair) is not None:
                    yield Edit("extra-fprime", path, _without(term, (first, second)))


def _without(term: Term, places: tuple[int, ...]) -> Term:
    kept = [k for k in range(len(term.args)) if k not in places]
    if not kept:
        return number(1)
    if len(kept) == 1:
        return term.args[kept[0]]
    operators = tuple(term.data[k - 1] for k in kept[1:])
    return Term("multiply", tuple(term.args[k] for k in kept), operators)


# --- sums ----------------------------------------------------------------------------------------


def forgotten_sums(desk: Desk) -> Iterator[Edit]:
    """Sum over a letter that only the right side has."""
    left = free_letters(desk.anchor)
    loose = [n for n in free_letters(desk.member) if n not in left and n in desk.claim.letters]
    for name in loose:
        for path, term in walk(desk.member):
            if name in free_letters(term) and term.op not in ("element", "index"):
                fold = Fold("sum", (Bound(name),))
                yield Edit("sum-forgotten", path, Term("fold", (term,), fold))
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
    if bound.without is not None or bound.low is not None or bound.high is not None:
        yield Bound(bound.letter)
    for by in (1, -1):
        if bound.low is not None:
            yield replace(bound, low=bound.low.shifted(by))
        if bound.high is not None:
            yield replace(bound, high=bound.high.shifted(by))
    own = desk.claim.letters.get(bound.letter)
    for name in free_letters(desk.anchor):
        if desk.claim.letters.get(name) == own and bound.without is None:
            yield Bound(bound.letter, without=letter(name))
            yield Bound(bound.letter, letter(name), None)
            yield Bound(bound.letter, At((), 1), letter(name))
            yield Bound(bound.letter, At((), 1), At(((name, 1),), -1))


# --- indices -------------------------------------------------------------------------------------


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
    yield from _all_axes(desk)
    for one, other in combinations(names, 2):
        yield Edit("index-swap", (), _letters_swapped(desk.member, one, other))


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
        for other in _elements_of(term.data.tensor, desk):
            if other.data.slots != term.data.slots and other.data.whole_axes == 0:
                yield Edit("index-swap", path, other)


def shifted_times(desk: Desk) -> Iterator[Edit]:
    """Shift one index or one layer by one."""
    for path, term in walk(desk.member):
        if term.op != "element":
            continue
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
    return "wrong-time-index"


def _layer_mistake(ref: Ref, path: Path, desk: Desk) -> str:
    if path and at_path(desk.member, path[:-1]).op == "call":
        return "wrong-layer-fprime"
    tensor = desk.symbols.tensors[_real(ref, desk)]
    return "wrong-layer-weight" if tensor.role is Role.PARAM else "wrong-variable"


def layer_weights(desk: Desk) -> Iterator[Edit]:
    """Exchange a parameter for another of the same rank."""
    for path, term in walk(desk.member):
        if term.op != "element" or "{}" in term.data.tensor:
            continue
        tensor = desk.symbols.tensors[term.data.tensor]
        if tensor.role is not Role.PARAM:
            continue
        for other in desk.symbols.tensors.values():
            if other.role is Role.PARAM and other.name != tensor.name:
                if len(other.axes) == len(tensor.axes) and other.axes:
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


# --- other quantities ----------------------------------------------------------------------------


def confused_activations(desk: Desk) -> Iterator[Edit]:
    """Write the activation for its pre-activation, or the other way round."""
    pairs = _activation_pairs(desk)
    for path, term in walk(desk.member):
        if term.op != "element" or _inside_slope(desk.member, path):
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
            rhs = equation.rhs
            if getattr(rhs, "args", None) and getattr(rhs.args[0], "tensor", "") == pre:
                found.setdefault(pre, []).append(equation.lhs.tensor)
                found.setdefault(equation.lhs.tensor, []).append(pre)
    return found


def _inside_slope(member: Term, path: Path) -> bool:
    """Tell whether a node stands in a derivative."""
    return any(at_path(member, path[:k]).op == "gradient" for k in range(len(path)))


def call_orders(desk: Desk) -> Iterator[Edit]:
    """Write f for f', or f' for f."""
    for path, term in walk(desk.member):
        if term.op == "call":
            name, order = term.data
            mistake = "extra-fprime" if order else "missing-fprime"
            yield Edit(mistake, path, Term("call", term.args, (name, 0 if order else 1)))


def wrong_variables(desk: Desk) -> Iterator[Edit]:
    """Exchange one quantity for another of the same shape."""
    for path, term in walk(desk.member):
        if term.op == "element" and not _inside_slope(desk.member, path):
            for other in _like_elements(term, desk):
                yield Edit("wrong-variable", path, other)


def everywhere(desk: Desk) -> Iterator[Edit]:
    """Exchange one quantity for another wherever it stands in one part."""
    seen: dict[Ref, Term] = {}
    for _, term in walk(desk.member):
        if term.op == "element":
            seen.setdefault(term.data, term)
    for old in seen.values():
        for other in _like_elements(old, desk):
            yield Edit("wrong-variable", (), _exchanged(desk.member, old, other))


def in_functions(desk: Desk) -> Iterator[Edit]:
    """Exchange one quantity for another in the arguments of all functions."""
    calls = [t for _, t in walk(desk.member) if t.op == "call"]
    seen = {t.data: t for call in calls for _, t in walk(call) if t.op == "element"}
    for old in seen.values():
        for other in _like_elements(old, desk):
            yield Edit("wrong-variable", (), _in_calls(desk.member, old, other))


def _in_calls(term: Term, old: Term, new: Term) -> Term:
    if term.op == "call":
        return _exchanged(term, old, new)
    args = tuple(_in_calls(part, old, new) for part in term.args)
    changed = any(a is not b for a, b in zip(args, term.args))
    return Term(term.op, args, term.data) if changed else term


def _like_elements(term: Term, desk: Desk) -> list[Term]:
    """Return elements of other tensors with the same indices, and of other layers."""
    ref: Ref = term.data
    found: list[Term] = []
    if ref.member is not None and ref.member.letters:
        for by in (-1, 1):
            found.append(Term("element", (), replace(ref, member=ref.member.shifted(by))))
        for name, key in desk.claim.letters.items():
            if key[0] == "family" and letter(name) != ref.member:
                found.append(Term("element", (), replace(ref, member=letter(name))))
        for family in desk.symbols.families:
            if family != ref.tensor[:-2] and _same_rank(family, ref, desk):
                found.append(Term("element", (), replace(ref, tensor=family + "{}")))
        return found
    tensor = desk.symbols.tensors[ref.tensor]
    for other in desk.symbols.tensors.values():
        if other.name == tensor.name or len(other.axes) != len(tensor.axes):
            continue
        if other.name == desk.symbols.loss:
            continue
        same = all(axis_key(other, k)[2] == axis_key(tensor, k)[2] for k in range(len(other.axes)))
        if same or ref.whole_axes == len(ref.slots):
            found.append(Term("element", (), replace(ref, tensor=other.name)))
        else:
            found += [e for e in _elements_of(other.name, desk) if e.data.whole_axes == 0]
    return found


def _same_rank(family: str, ref: Ref, desk: Desk) -> bool:
    one = next(iter(desk.symbols.families[family].values()))
    return len(desk.symbols.tensors[one].axes) == len(ref.slots)


def _elements_of(tensor: str, desk: Desk) -> list[Term]:
    """Return a tensor with letters of the formula that run over its axes, and whole."""
    if "{}" in tensor:
        return []
    declared = desk.symbols.tensors[tensor]
    choices: list[list[At]] = [[]]
    for number_ in range(len(declared.axes)):
        key = axis_key(declared, number_)
        names = [n for n, k in desk.claim.letters.items() if k[0] == "axis" and k[2] == key[2]]
        choices = [[*choice, letter(n)] for choice in choices for n in names][:30]
    found = [Term("element", (), Ref(tensor, tuple(choice))) for choice in choices]
    if declared.axes and not free_letters(desk.anchor):
        found.append(Term("element", (), Ref(tensor, (None,) * len(declared.axes))))
    return found


def missing_factors(desk: Desk) -> Iterator[Edit]:
    """Multiply by one quantity of the network."""
    matrix = _is_matrix(desk.anchor, desk)
    for path in _product_places(desk.member):
        part = at_path(desk.member, path)
        for tensor in desk.symbols.tensors.values():
            if tensor.name == desk.symbols.loss:
                continue
            for element in _elements_of(tensor.name, desk):
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


def missing_brackets(desk: Desk) -> Iterator[Edit]:
    """Multiply by an indicator: equal indices, a lookup's winner, a positive pre-activation."""
    for test in _tests(desk):
        bracket = Term("bracket", (), test)
        for path in _product_places(desk.member):
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
        if not _has_branches(tensor, desk):
            continue
        for element in _elements_of(tensor, desk):
            if element.data.whole_axes == 0:
                yield Test(">", element, number(0))
    yield from _lookup_tests(desk)
    yield from _window_tests(desk)


def _window_tests(desk: Desk) -> Iterator[Test]:
    """Yield ``i + u = j`` where the network reads position ``i + u`` of an axis j runs over."""
    from derivgen.algebra.affine import Index
    from derivgen.algebra.expressions import accesses

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


def _has_branches(tensor: str, desk: Desk) -> bool:
    """Tell whether the activation of a pre-activation is defined by cases."""
    from derivgen.algebra.expressions import Where
    from derivgen.algebra.expressions import walk as walk_expr

    network = desk.symbols.network
    function = network.functions.get(_activation_of(tensor, desk)) if network else None
    return (
        function is not None
        and function.body is not None
        and any(isinstance(part, Where) for part in walk_expr(function.body))
    )


def _lookup_tests(desk: Desk) -> Iterator[Test]:
    from derivgen.formulas.terms import Part

    for tensor in desk.symbols.tensors.values():
        if tensor.values_of is None:
            continue
        for element in _elements_of(tensor.name, desk):
            part = At((), 0, False, ((Part("lookup", tensor.name, tuple(
                s for s in element.data.slots if s is not None)), 1),))  # fmt: skip
            for name, key in desk.claim.letters.items():
                if key[0] == "axis" and key[2] == tensor.values_of.high:
                    yield Test("=", part, letter(name))


def matrix_slopes(desk: Desk) -> Iterator[Edit]:
    """Multiply a layer-generic formula by ``f'(z^l)``."""
    for stem in ("z", "net", "u", "s"):
        if stem not in desk.symbols.families:
            continue
        real = desk.symbols.families[stem]
        names = [n for n, k in desk.claim.letters.items() if k[0] == "family"]
        function = _activation_of(next(iter(real.values())), desk)
        rank = len(desk.symbols.tensors[next(iter(real.values()))].axes)
        for name in names:
            for shift in (0, -1, 1):
                slots = _generic_slots(desk, rank)
                ref = Ref(stem + "{}", slots, At(((name, 1),), shift))
                call = Term("call", (Term("element", (), ref),), (function, 1))
                operator = r"\odot" if None in slots else ""
                yield Edit("missing-fprime", (), times(desk.member, call, operator))


def _generic_slots(desk: Desk, rank: int) -> tuple[At | None, ...]:
    for _, term in walk(desk.anchor):
        if term.op == "element" and len(term.data.slots) == rank:
            return term.data.slots
    return (None,) * rank


def slope_terms(desk: Desk) -> Iterator[Edit]:
    """Write the derivative of another quantity in a Leibniz factor."""
    for path, term in walk(desk.member):
        if term.op == "gradient" and isinstance(term.data, Slope):
            of, by = term.args
            for other in _like_elements(by, desk) if by.op == "element" else []:
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
    confused_activations,
    missing_brackets,
    missing_slopes,
    matrix_slopes,
    call_orders,
    orders,
    transposes,
    turned_orders,
    index_swaps,
    shifted_times,
    layer_weights,
    sum_ranges,
    in_functions,
    wrong_variables,
    extra_factors,
    missing_factors,
    sizes,
    everywhere,
    slope_terms,
)
# What a definition may have wrong; anything else would be another definition.
DEFINITIONS = (signs, in_functions, wrong_variables, index_swaps, sum_ranges, sample_means)


def key_letters(ref: Ref, symbols: Symbols) -> list[str]:
    """Return the letters of a reference."""
    return [name for at, _ in slot_keys(ref, symbols) for name, _ in at.letters]
