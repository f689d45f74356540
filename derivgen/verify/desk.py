"""What edits are made of: the members of a claim, and the elements a formula might have meant."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction

from derivgen.algebra.affine import Affine, Index, Lookup
from derivgen.algebra.expressions import Access, Call, Where, accesses
from derivgen.algebra.expressions import walk as walk_expr
from derivgen.formulas.fit import any_member
from derivgen.formulas.symbols import Symbols, axis_key
from derivgen.formulas.terms import (
    At,
    Claim,
    Part,
    Path,
    Ref,
    Term,
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
    if _is_one(term):
        return factor
    if term.op == "multiply" and term.span == (0, 0):
        return Term("multiply", (*term.args, factor), (*term.data, operator))
    return Term("multiply", (term, factor), (operator,))


def before(factor: Term, term: Term) -> Term:
    return Term("multiply", (factor, term), ("",))


def is_matrix(term: Term, desk: Desk) -> bool:
    if term.op == "element":
        axes = desk.symbols.tensors[real(term.data, desk)].axes
        return bool(axes) and (not term.data.slots or term.data.whole_axes > 0)
    if term.op == "gradient":
        return is_matrix(term.args[1], desk)
    if term.op in ("group", "add", "multiply", "listing", "call", "transpose", "negate", "fold",
                   "power", "divide"):  # fmt: skip
        return any(is_matrix(part, desk) for part in term.args) or term.op == "listing"
    return False


def real(ref: Ref, desk: Desk) -> str:
    if "{}" not in ref.tensor:
        return ref.tensor
    return next(iter(desk.symbols.families[ref.tensor[:-2]].values()))


def slope_pattern(term: Term) -> Term | None:
    """Return a where a term is ``a*(1-a)`` or ``1-a^2``."""
    whole = core(term)
    if whole.op == "add" and len(whole.args) == 2 and _is_one(whole.args[0]):
        last = core(whole.args[1])
        if last.op == "negate" and core(last.args[0]).op == "power":
            base = core(core(last.args[0]).args[0])
            return base if base.op == "element" else None
    if term.op != "multiply":
        return None
    elements = [core(part) for part in term.args if core(part).op == "element"]
    for part in term.args:
        inner = core(part)
        if inner.op == "add" and len(inner.args) == 2 and _is_one(inner.args[0]):
            last = core(inner.args[1])
            if last.op == "negate" and core(last.args[0]).op == "element":
                base = core(last.args[0])
                if any(base.data == e.data for e in elements):
                    return base
    return None


def core(term: Term) -> Term:
    while term.op == "group":
        term = term.args[0]
    return term


def _is_one(term: Term) -> bool:
    return core(term).op == "number" and core(term).data[0] == 1


def exchanged(term: Term, old: Term, new: Term) -> Term:
    if term.op == "element" and term.data == old.data:
        return new
    args = tuple(exchanged(part, old, new) for part in term.args)
    changed = any(a is not b for a, b in zip(args, term.args))
    return Term(term.op, args, term.data) if changed else term


def product_places(member: Term, plain: bool = False) -> list[Path]:
    """Return where a factor may be put: the whole, and the body of each sum and additive term.

    On paper the last place of a product is inside its sum: ``\\sum_k a_k b_k x`` needs no brackets.
    """
    found: list[Path] = [(0,) if member.op == "negate" else ()]
    for path, term in walk(member):
        if term.op == "fold":
            found.append((*path, 0))
        elif term.op == "add":
            for place, part in enumerate(term.args):  # below a minus: it stays where it is
                found.append((*path, place, 0) if part.op == "negate" else (*path, place))
    if plain:
        return found
    inner = [path for path in found if path and at_path(member, path[:-1]).op == "fold"]
    return [*inner[::-1], *(path for path in found if path not in inner)]


def activation_of(tensor: str, desk: Desk) -> str:
    network = desk.symbols.network
    for equation in network.equations if network else ():
        for part in walk_expr(equation.rhs):
            if not isinstance(part, Call) or len(part.args) != 1:
                continue
            if isinstance(part.args[0], Access) and part.args[0].tensor == tensor:
                return part.name
    return ""


def activations(desk: Desk) -> dict[str, list[tuple[str, str]]]:
    """Return for each tensor that is a function of another one element by element: both names."""
    found: dict[str, list[tuple[str, str]]] = {}
    network = desk.symbols.network
    for equation in network.equations if network else ():
        rhs = equation.rhs
        if isinstance(rhs, Call) and len(rhs.args) == 1 and isinstance(rhs.args[0], Access):
            found.setdefault(equation.lhs.tensor, []).append((rhs.name, rhs.args[0].tensor))
    return found


def without(term: Term, places: tuple[int, ...]) -> Term:
    kept = [k for k in range(len(term.args)) if k not in places]
    if not kept:
        return number(1)
    if len(kept) == 1:
        return term.args[kept[0]]
    operators = tuple(term.data[k - 1] for k in kept[1:])
    return Term("multiply", tuple(term.args[k] for k in kept), operators)


def inside_slope(member: Term, path: Path) -> bool:
    """Tell whether a node stands in a derivative."""
    return any(at_path(member, path[:k]).op == "gradient" for k in range(len(path)))


def like_elements(term: Term, desk: Desk) -> list[Term]:
    """Return elements of other tensors with the same indices, and of other layers."""
    ref: Ref = term.data
    found: list[Term] = []
    if ref.member is not None and ref.member.letters:
        names = [n for n, key in desk.claim.letters.items() if key[0] == "family"]
        left = free_letters(desk.anchor)
        members = [letter(n) for n in names if n in left]  # the layer the formula is about
        members += [ref.member.shifted(by) for by in (-1, 1)]
        members += [letter(n) for n in names if n not in left]
        for member in members:
            if member != ref.member:
                found.append(Term("element", (), replace(ref, member=member)))
        for family in desk.symbols.families:
            if family != ref.tensor[:-2] and _same_rank(family, ref, desk):
                found.append(Term("element", (), replace(ref, tensor=family + "{}")))
        return found
    tensor = desk.symbols.tensors[any_member(ref.tensor, desk.symbols)]
    for other in desk.symbols.tensors.values():
        if other.name == tensor.name or len(other.axes) != len(tensor.axes):
            continue
        if other.name == desk.symbols.loss:
            continue
        same = all(axis_key(other, k)[2] == axis_key(tensor, k)[2] for k in range(len(other.axes)))
        if same or ref.whole_axes == len(ref.slots):
            found.append(Term("element", (), replace(ref, tensor=other.name, member=None)))
        else:
            found += [e for e in elements_of(other.name, desk) if e.data.whole_axes == 0]
    return found


def _same_rank(family: str, ref: Ref, desk: Desk) -> bool:
    one = next(iter(desk.symbols.families[family].values()))
    return len(desk.symbols.tensors[one].axes) == len(ref.slots)


def elements_of(tensor: str, desk: Desk) -> list[Term]:
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
    left = free_letters(desk.anchor)
    if declared.axes and (not left or is_matrix(desk.anchor, desk)):
        slice_ = tuple(_own_letter(tensor, n, left, desk) for n in range(len(declared.axes)))
        if None in slice_:
            found.append(Term("element", (), Ref(tensor, slice_)))
    return found


def accesses_of(tensor: str, desk: Desk) -> list[Term]:
    """Return a tensor as the equations of the network read it, where the formula has the letters.

    A convolution reads ``X[i+m, j+n]``, a lookup ``v[c, d]``.
    """
    network, letters = desk.symbols.network, desk.claim.letters
    found: dict[Term, None] = {}
    for equation in network.equations if network else ():
        for access in accesses(equation.rhs):
            if access.tensor != tensor or all(f.plain is not None for f in access.indices):
                continue
            slots = tuple(_at_of(form) for form in access.indices)
            if all(s is not None and all(n in letters for n, _ in s.letters) for s in slots):
                found[Term("element", (), Ref(tensor, slots))] = None
    return list(found)


def _at_of(form: Affine) -> At | None:
    """Return an index of an equation as one of a formula, ``None`` where it has no such form."""
    names: list[tuple[str, int]] = []
    parts: list[tuple[Part, int]] = []
    for atom, count in form.terms:
        if isinstance(atom, Index):
            names.append((str(atom.name), count))
        elif isinstance(atom, Lookup):
            inner = [_at_of(i) for i in atom.indices]
            if any(i is None for i in inner):
                return None
            parts.append((Part("lookup", atom.tensor, tuple(i for i in inner if i)), count))
        else:
            return None
    return At(tuple(names), form.constant, False, tuple(parts))


def _own_letter(tensor: str, axis: int, left: Mapping[str, None], desk: Desk) -> At | None:
    """Return the letter of the left side that runs over an axis; without one it is whole."""
    key = axis_key(desk.symbols.tensors[tensor], axis)
    for name in left:
        own = desk.claim.letters.get(name, ("",))
        if own[0] == "axis" and own[2] == key[2]:
            return letter(name)
    return None


def has_branches(tensor: str, desk: Desk) -> bool:
    """Tell whether the activation of a pre-activation is defined by cases."""
    network = desk.symbols.network
    function = network.functions.get(activation_of(tensor, desk)) if network else None
    return (
        function is not None
        and function.body is not None
        and any(isinstance(part, Where) for part in walk_expr(function.body))
    )


def generic_slots(desk: Desk, rank: int) -> tuple[At | None, ...]:
    for _, term in walk(desk.anchor):
        if term.op == "element" and len(term.data.slots) == rank:
            return term.data.slots
    return (None,) * rank
