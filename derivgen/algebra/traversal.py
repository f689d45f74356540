"""Looking at expressions and rebuilding them: parts, accesses, indices, substitution.

Invariant: `children` and `rebuild` see all of an expression except the affine forms inside
accesses, which `map_affine` reaches.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from operator import attrgetter, is_not
from typing import Any, NamedTuple

from derivgen.algebra.affine import (
    Affine,
    Index,
    Lookup,
    affine,
    indices_of,
    lookups_of,
    substitute_affine,
)
from derivgen.algebra.construct import (
    add,
    div,
    mul,
    number,
    power,
    where,
)
from derivgen.algebra.nodes import (
    Access,
    Add,
    Along,
    And,
    Call,
    Compare,
    Derivative,
    Div,
    Expr,
    IndexValue,
    Iverson,
    Mul,
    N,
    Node,
    Not,
    Number,
    Or,
    Position,
    Pow,
    Reduce,
    Where,
)


def children(expr: Node) -> tuple[Any, ...]:
    """Return the direct parts of a node, conditions included."""
    parts = _PARTS.get(type(expr))
    return () if parts is None else parts(expr)


_PARTS: Mapping[type, Callable[[Any], tuple[Any, ...]]] = {
    Add: attrgetter("terms"),
    Mul: attrgetter("factors"),
    And: attrgetter("parts"),
    Or: attrgetter("parts"),
    Div: attrgetter("numerator", "denominator"),
    Pow: attrgetter("base", "exponent"),
    Compare: attrgetter("left", "right"),
    Derivative: attrgetter("of", "by"),
    Call: attrgetter("args"),
    Along: attrgetter("args"),
    Reduce: lambda e: (e.body,),
    Where: attrgetter("condition", "yes", "no"),
    Iverson: lambda e: (e.condition,),
    Not: lambda e: (e.part,),
    Access: lambda e: () if e.outside is None else (e.outside,),
}


def rebuild(expr: N, parts: tuple[Any, ...]) -> N:
    """Return ``expr`` with its direct parts exchanged; trivial laws are applied on the way."""
    made: N = _rebuilt(expr, parts)
    return made


def _rebuilt(expr: Any, parts: tuple[Any, ...]) -> Any:
    match expr:
        case Add():
            return add(*parts)
        case Mul():
            return mul(*parts)
        case Div():
            return div(*parts)
        case Pow():
            return power(*parts)
        case Compare(op, _, _):
            return Compare(op, *parts)
        case And() | Or():
            return type(expr)(parts)
        case Call(name, _, order):
            return Call(name, parts, order)
        case Along(name, indices, _):
            return Along(name, indices, parts)
        case Reduce(op, bound, _):
            return Reduce(op, bound, parts[0])
        case Where():
            return where(*parts)
        case Iverson() | Not():
            return type(expr)(parts[0])
        case Derivative():
            return Derivative(*parts)
        case Access(tensor, indices, outside) if outside is not None:
            return Access(tensor, indices, parts[0])
        case _:
            return expr


def map_parts(expr: N, change: Callable[[Any], Any]) -> N:
    """Return ``expr`` with each direct part changed; ``expr`` itself if none comes out another."""
    parts = children(expr)
    new = tuple([change(part) for part in parts])
    return rebuild(expr, new) if any(map(is_not, new, parts)) else expr


def transform(expr: N, visit: Callable[[Any], Any]) -> N:
    """Rebuild ``expr`` bottom-up, each node passed through ``visit``."""
    parts = children(expr)
    if parts:
        new = tuple([transform(part, visit) for part in parts])
        if any(map(is_not, new, parts)):
            rebuilt: N = rebuild(expr, new)
            if any(rebuilt is part for part in new):  # x + 0 became x, which has been visited
                return rebuilt
            expr = rebuilt
    made: N = visit(expr)
    return made


def replace_nodes(expr: N, mapping: Mapping[Any, Any]) -> N:
    """Replace whole nodes, outermost first; what was put in is not searched again."""
    if expr in mapping:
        found: N = mapping[expr]
        return found
    return map_parts(expr, lambda part: replace_nodes(part, mapping))


def walk(expr: Node) -> tuple[Node, ...]:
    """Return the node and all nodes below it, parents first, left to right.

    The list is kept beside the node: every rule and check of a derivation asks for it.
    """
    kept: Any = expr
    found: tuple[Node, ...] | None = kept._below
    if found is None:
        order = []
        waiting: list[Any] = [expr]
        while waiting:
            part = waiting.pop()
            order.append(part)
            parts = _PARTS.get(type(part))
            if parts is not None:
                waiting += parts(part)[::-1]
        found = kept._below = tuple(order)
    return found


def accesses(expr: Node) -> list[Access]:
    """Return the distinct accesses in order of first occurrence."""
    return list(seen(expr).accesses)


FOLDS = (Reduce, Along, Derivative)


class Seen(NamedTuple):
    """What stands in an expression, each once, in order of first occurrence.

    ``tensors`` are those read, by accesses and lookups; ``kinds`` the types of the nodes.
    ``explicit`` names what the normal form forbids: a fold, or a value outside a range.
    """

    kinds: frozenset[type]
    accesses: tuple[Access, ...]
    lookups: tuple[Lookup, ...]
    tensors: tuple[str, ...]
    indices: tuple[Index, ...]
    explicit: str


def seen(expr: Node) -> Seen:
    """Return what stands in an expression."""
    kept: Any = expr
    found: Seen | None = kept._seen
    if found is None:
        found = kept._seen = _seen(expr)
    return found


def _seen(expr: Node) -> Seen:
    accesses: dict[Access, None] = {}
    lookups: dict[Lookup, None] = {}
    tensors: dict[str, None] = {}
    indices: dict[Index, None] = {}
    for part in walk(expr):
        if isinstance(part, Access):
            accesses[part] = tensors[part.tensor] = None
        for form in _own_forms(part):
            if form.plain is not None:
                indices[form.plain] = None
            elif form.terms:
                indices.update((index, None) for index in indices_of(form))
                for lookup in lookups_of(form):
                    lookups[lookup] = tensors[lookup.tensor] = None
    kinds = frozenset(map(type, walk(expr)))
    explicit = [f"{kind.__name__} inside a body" for kind in FOLDS if kind in kinds]
    explicit += ["an access with an outside value" for part in accesses if part.outside is not None]
    return Seen(
        kinds,
        tuple(accesses),
        tuple(lookups),
        tuple(tensors),
        tuple(indices),
        explicit[0] if explicit else "",
    )


def affine_forms(expr: Node) -> Iterator[Affine]:
    """Yield the affine forms of every node below ``expr``."""
    for part in walk(expr):
        yield from _own_forms(part)


def _own_forms(part: Node) -> tuple[Affine, ...]:
    if isinstance(part, Access):
        return part.indices
    if isinstance(part, IndexValue):
        return (part.form,)
    if isinstance(part, Position):
        return tuple(affine(i) for i in part.indices)
    return ()


def tensors_read(expr: Node) -> tuple[str, ...]:
    """Return the names of the tensors read, lookups included, in order of occurrence."""
    return seen(expr).tensors


def used_indices(expr: Node) -> tuple[Index, ...]:
    """Return the indices that occur in affine forms, in order of first occurrence."""
    return seen(expr).indices


def free_indices(expr: Node) -> list[Index]:
    """Return the indices that occur and are not bound by a reduction around them."""
    found: dict[Index, None] = {}
    _collect_free(expr, frozenset(), found)
    return list(found)


def _collect_free(expr: Node, bound: frozenset[Index], found: dict[Index, None]) -> None:
    if isinstance(expr, Reduce):
        bound = bound | set(expr.bound)
    if isinstance(expr, Along):
        found.update((i, None) for i in expr.indices if i not in bound)
    for form in _own_forms(expr):
        found.update((i, None) for i in indices_of(form) if i not in bound)
    for part in children(expr):
        _collect_free(part, bound, found)


def map_leaves(expr: N, change: Callable[[Any], Any]) -> N:
    """Rebuild ``expr`` with its accesses, index values and positions changed, one for one.

    The tree keeps its form, so no law is applied again - unless a leaf became a number.
    """
    parts = children(expr)
    if isinstance(expr, Access) or not parts:
        made: N = change(expr)
        return made
    new = tuple([map_leaves(part, change) for part in parts])
    if not any(map(is_not, new, parts)):
        return expr
    if any(isinstance(part, Number) and part is not old for part, old in zip(new, parts)):
        return rebuild(expr, new)
    again: N = _SAME_FORM.get(type(expr), _rebuilt)(expr, new)
    return again


_SAME_FORM: Mapping[type, Callable[[Any, tuple[Any, ...]], Any]] = {
    Add: lambda e, parts: Add(parts),
    Mul: lambda e, parts: Mul(parts),
    Div: lambda e, parts: Div(*parts),
    Pow: lambda e, parts: Pow(*parts),
    Call: lambda e, parts: Call(e.name, parts, e.order),
}


def map_affine(expr: N, change: Callable[[Affine], Affine]) -> N:
    """Rebuild ``expr`` with every affine form changed; bound index lists are left as they are."""

    def leaf(part: Any) -> Any:
        if isinstance(part, Access):
            outside = None if part.outside is None else map_leaves(part.outside, leaf)
            return Access(part.tensor, tuple(change(i) for i in part.indices), outside)
        if isinstance(part, IndexValue):
            return index_value(change(part.form))
        return part

    return map_leaves(expr, leaf)


def index_value(form: Affine) -> Expr:
    """Return an index expression as a number."""
    return number(form.constant) if form.is_constant else IndexValue(form)


def substitute(expr: N, mapping: Mapping[Index, Affine]) -> N:
    """Replace indices by affine forms, in accesses, conditions, and lists of bound indices.

    Bound indices carry unique names in normal form, so no capture can happen there; in explicit
    form the caller renames first (`derivgen.calculus.normalise` does).
    """
    if all(new.plain == old for old, new in mapping.items()):
        return expr
    renamed = map_affine(expr, lambda form: substitute_affine(form, mapping))
    if not any(isinstance(part, (Reduce, Along, Position)) for part in walk(renamed)):
        return renamed
    plain = {old: new.plain for old, new in mapping.items() if new.plain is not None}

    def visit(part: Node) -> Node:
        if isinstance(part, Reduce):
            return Reduce(part.op, tuple(plain.get(i) or i for i in part.bound), part.body)
        if isinstance(part, Along):
            return Along(part.name, tuple(plain.get(i) or i for i in part.indices), part.args)
        if isinstance(part, Position):
            return Position(tuple(plain.get(i) or i for i in part.indices))
        return part

    return transform(renamed, visit)


def is_index_only(condition: Node) -> bool:
    """Tell whether a condition depends on indices and sizes alone, not on tensor values."""
    return is_guard(condition) and not any(
        isinstance(part, Lookup) for form in affine_forms(condition) for part in lookups_of(form)
    )


def is_guard(condition: Node) -> bool:
    """Tell whether a condition can guard a loop nest: on indices, sizes and index values only.

    Such a condition is the same whatever real numbers the tensors hold; unlike `is_index_only` it
    may look up index-valued tensors, as ``[y = k]`` does. A reduction is a loop of its own.
    """
    return not any(isinstance(part, (Access, Reduce)) for part in walk(condition))
