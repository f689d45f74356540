"""Put earlier derivatives into a delta, so that the recursion from delta to delta is seen."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count

from derivgen.algebra.affine import Affine, Index, affine, indices_of
from derivgen.algebra.expressions import (
    Access,
    Condition,
    Expr,
    Node,
    Position,
    Reduce,
    accesses,
    affine_forms,
    replace_nodes,
    substitute,
    used_indices,
    walk,
)
from derivgen.calculus.gather import excluded, needed
from derivgen.forms.fold import Equality
from derivgen.notes.view import View


@dataclass(frozen=True)
class Recursion:
    """A delta in terms of other deltas: the equation, and what was put in for it.

    ``used`` names quantities, each with the number of the case of its equation.
    """

    equality: Equality
    used: tuple[tuple[str, int], ...]


def recursions(view: View, equality: Equality) -> list[Recursion]:
    """Return a right side with derivatives that are no deltas replaced by their equations.

    One for each case: where the derivative put in has an equation of its own at one layer, so has
    the delta. Empty if nothing can be put in or no other delta comes into sight.
    """
    found = [Recursion(equality, ())]
    for access in accesses(equality.rhs):
        adjoint = view.notation.adjoints.get(access.tensor)
        if adjoint is None or adjoint.is_delta or adjoint.quantity in view.derivation.gradients:
            continue
        cases = view.folded.get(access.tensor, ())
        if len(cases) > 1 and not _parted_by_free(access, cases, equality):
            continue  # the cases meet inside a sum: the derivative keeps its name
        if any(isinstance(part, Position) for case in cases for part in walk(case.rhs)):
            continue  # a winner's place is told by its own letters
        found = [
            new
            for old in found
            for number, case in enumerate(cases)
            if (new := _put_in(old, access, case, (adjoint.quantity, number))) is not None
        ]
    useful = any(_is_recursive(view, r.equality.rhs) for r in found)
    return [r for r in found if r.used] if useful else []


def _parted_by_free(access: Access, cases: tuple[Equality, ...], equality: Equality) -> bool:
    """Tell whether the cases differ by indices that are free on the left side."""
    free = equality.indices
    for case in cases:
        for form, place in zip(access.indices, case.lhs.indices, strict=True):
            if place.plain is None and form.plain not in free:
                return False
        targets = {p.plain: f for p, f in zip(case.lhs.indices, access.indices, strict=True)}
        for condition in case.where:
            for form in affine_forms(condition):
                for index in indices_of(form):
                    known = targets.get(index)
                    if known is not None and known.plain not in free:
                        return False
    return True


def _put_in(
    old: Recursion, access: Access, case: Equality, source: tuple[str, int]
) -> Recursion | None:
    """Return the equation with one case of a definition in the place of ``access``."""
    fixed: dict[Index, Affine] = {}
    where: tuple[Condition, ...] = ()
    for form, place in zip(access.indices, case.lhs.indices, strict=True):
        if place.plain is None:
            if form.plain is None or _outside(place, form.plain):
                return None
            fixed[form.plain] = place
    if case.where:
        moved = {p.plain: f for p, f in zip(case.lhs.indices, access.indices) if p.plain}
        where = tuple(substitute(c, moved) for c in case.where)
    rhs = replace_nodes(old.equality.rhs, {access: unfolded(case, access, old.equality)})
    lhs = substitute(old.equality.lhs, fixed)
    conditions = (*(substitute(c, fixed) for c in old.equality.where), *where)
    if any(excluded(c) for c in conditions):
        return None
    equality = Equality(lhs, substitute(rhs, fixed), needed(conditions))
    return Recursion(equality, tuple(dict.fromkeys((*old.used, source))))


def _outside(place: Affine, index: Index) -> bool:
    """Tell whether a fixed place is none that an index takes, whatever the sizes."""
    beyond = (index.low - place, place - index.high + 1)
    return any(ahead.is_constant and ahead.constant > 0 for ahead in beyond)


def _is_recursive(view: View, made: Node) -> bool:
    """Tell whether another delta comes into sight."""
    return any(
        isinstance(part, Access)
        and part.tensor in view.notation.adjoints
        and view.notation.adjoints[part.tensor].is_delta
        for part in walk(made)
    )


def unfolded(definition: Equality, access: Access, inside: Equality) -> Expr:
    """Return the definition at an access, its bound indices apart from all others in sight."""
    taken = {i.name for i in (*used_indices(inside.rhs), *inside.indices)}
    mapping: dict[Index, Affine] = {}
    for part in walk(definition.rhs):
        if isinstance(part, Reduce):
            for index in part.bound:
                if index.name in taken:
                    mapping[index] = affine(_renamed(index, taken))
    rhs = substitute(definition.rhs, mapping)
    targets = [form.plain for form in definition.lhs.indices]
    moved = {t: form for t, form in zip(targets, access.indices) if t is not None}
    return substitute(rhs, moved)


def _renamed(index: Index, taken: set[str]) -> Index:
    base = index.name.rstrip("0123456789") or index.name
    name = next(n for n in (f"{base}{c}" for c in count(2)) if n not in taken)
    taken.add(name)
    return Index(name, index.low, index.high)
