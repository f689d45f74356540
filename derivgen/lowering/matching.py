"""Whether an expression is another one at other indices."""

from __future__ import annotations

from derivgen.algebra.affine import Affine, Index, substitute_affine
from derivgen.algebra.expressions import Access, IndexValue, Node, children


def matched(pattern: Node, expr: Node, indices: tuple[Index, ...]) -> dict[Index, Affine] | None:
    """Return what to put for ``indices`` in ``pattern`` to get ``expr``, if that is possible."""
    found: dict[Index, Affine] = {}
    return found if _match(pattern, expr, frozenset(indices), found) else None


def _match(pattern: Node, expr: Node, free: frozenset[Index], found: dict[Index, Affine]) -> bool:
    if type(pattern) is not type(expr):
        return False
    match pattern, expr:
        case Access(name, own), Access(other, theirs):
            if name != other or len(own) != len(theirs):
                return False
            return all(_match_form(a, b, free, found) for a, b in zip(own, theirs))
        case IndexValue(a), IndexValue(b):
            return _match_form(a, b, free, found)
    ours, others = children(pattern), children(expr)
    if len(ours) != len(others):
        return False
    if not ours:
        return pattern == expr
    return _same_head(pattern, expr) and all(
        _match(a, b, free, found) for a, b in zip(ours, others)
    )


def _same_head(pattern: Node, expr: Node) -> bool:
    names = ("name", "op", "order")
    return all(getattr(pattern, n, None) == getattr(expr, n, None) for n in names)


def _match_form(
    pattern: Affine, form: Affine, free: frozenset[Index], found: dict[Index, Affine]
) -> bool:
    index = pattern.plain
    if index is not None and index in free and index not in found:
        found[index] = form
        return True
    return substitute_affine(pattern, found) == form
