"""Put earlier derivatives into a delta, so that the recursion from delta to delta is seen."""

from __future__ import annotations

from itertools import count

from derivgen.algebra.affine import Affine, Index, affine
from derivgen.algebra.expressions import (
    Access,
    Expr,
    Node,
    Reduce,
    accesses,
    replace_nodes,
    substitute,
    used_indices,
    walk,
)
from derivgen.forms.fold import Equality
from derivgen.notes.view import View


def inlined(view: View, equality: Equality) -> tuple[Expr, tuple[str, ...]] | None:
    """Return a right side with derivatives that are no deltas replaced by their equations.

    Also returns the quantities whose equations were used; ``None`` if there is nothing to put in.
    """
    mapping: dict[Node, Node] = {}
    used: list[str] = []
    for access in accesses(equality.rhs):
        adjoint = view.notation.adjoints.get(access.tensor)
        if adjoint is None or adjoint.is_delta or adjoint.quantity in view.derivation.gradients:
            continue
        definition = view.folded.get(access.tensor, ())
        if len(definition) == 1 and not definition[0].where:
            mapping[access] = _unfolded(definition[0], access, equality)
            used.append(adjoint.quantity)
    if not mapping or not any(_is_recursive(view, made) for made in mapping.values()):
        return None
    return replace_nodes(equality.rhs, mapping), tuple(dict.fromkeys(used))


def _is_recursive(view: View, made: Node) -> bool:
    """Tell whether another delta comes into sight."""
    return any(
        isinstance(part, Access)
        and part.tensor in view.notation.adjoints
        and view.notation.adjoints[part.tensor].is_delta
        for part in walk(made)
    )


def _unfolded(definition: Equality, access: Access, inside: Equality) -> Expr:
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
