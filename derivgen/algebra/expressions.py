"""Constructors and traversal of scalar expressions; the nodes themselves are in `nodes`.

Invariant: an expression is a tree of frozen nodes; `children` and `rebuild` see all of it except
the affine forms inside accesses, which `map_affine` reaches. Everything imports from here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from fractions import Fraction
from typing import Any

from derivgen.algebra.affine import (
    Affine,
    Index,
    Lookup,
    affine,
    indices_of,
    lookups_of,
    substitute_affine,
)
from derivgen.algebra.nodes import (
    Access,
    Add,
    Along,
    And,
    Call,
    Compare,
    Condition,
    Constant,
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

__all__ = [
    "Number",
    "Constant",
    "IndexValue",
    "Access",
    "Add",
    "Mul",
    "Div",
    "Pow",
    "Call",
    "Reduce",
    "Along",
    "Where",
    "Iverson",
    "Derivative",
    "Position",
    "Compare",
    "And",
    "Or",
    "Not",
    "Condition",
    "Expr",
    "Node",
    "N",
    "number",
    "add",
    "mul",
    "neg",
    "div",
    "power",
    "quotient_factors",
    "quotient",
    "where",
    "conjunction",
    "negation",
    "children",
    "rebuild",
    "transform",
    "replace_nodes",
    "walk",
    "accesses",
    "affine_forms",
    "tensors_read",
    "used_indices",
    "free_indices",
    "map_affine",
    "index_value",
    "substitute",
    "is_index_only",
    "is_guard",
    "ZERO",
    "ONE",
    "MINUS_ONE",
    "OPPOSITE",
]

ZERO = Number(Fraction(0))
ONE = Number(Fraction(1))
MINUS_ONE = Number(Fraction(-1))


def number(value: int | Fraction) -> Number:
    """Return an exact number."""
    return Number(Fraction(value))


# --- constructors that keep the trivial laws -----------------------------------------------------


def add(*terms: Expr) -> Expr:
    """Return the flat sum of ``terms`` without zeros; numbers are folded where the first stood."""
    flat: list[Expr] = []
    total, place = Fraction(0), -1
    for term in terms:
        for part in term.terms if isinstance(term, Add) else (term,):
            if isinstance(part, Number):
                total += part.value
                place = len(flat) if place < 0 else place
            else:
                flat.append(part)
    if total:
        flat.insert(place, Number(total))
    if not flat:
        return ZERO
    return flat[0] if len(flat) == 1 else Add(tuple(flat))


def mul(*factors: Expr) -> Expr:
    """Return the flat product of ``factors`` without ones; numbers are folded to the front."""
    flat: list[Expr] = []
    total = Fraction(1)
    for factor in factors:
        for part in factor.factors if isinstance(factor, Mul) else (factor,):
            if isinstance(part, Number):
                total *= part.value
            else:
                flat.append(part)
    if total == 0:
        return ZERO
    if total != 1 or not flat:
        flat.insert(0, Number(total))
    return flat[0] if len(flat) == 1 else Mul(tuple(flat))


def neg(expr: Expr) -> Expr:
    """Return ``-expr``."""
    return mul(MINUS_ONE, expr)


def div(numerator: Expr, denominator: Expr) -> Expr:
    """Return ``numerator / denominator``; numbers are divided exactly."""
    if denominator == ONE or numerator == ZERO:
        return numerator
    if isinstance(denominator, Number) and isinstance(numerator, Number) and denominator.value:
        return Number(numerator.value / denominator.value)
    return Div(numerator, denominator)


def power(base: Expr, exponent: Expr) -> Expr:
    """Return ``base ^ exponent`` with the exponents 0 and 1 resolved."""
    if exponent == ONE:
        return base
    return ONE if exponent == ZERO else Pow(base, exponent)


def quotient_factors(expr: Expr) -> tuple[tuple[Expr, ...], tuple[Expr, ...]]:
    """Return the factors of a product of quotients: those above and those below the line."""
    if isinstance(expr, Div):
        above, under = quotient_factors(expr.numerator)
        below, over = quotient_factors(expr.denominator)
        return above + over, under + below
    if isinstance(expr, Mul):
        parts = [quotient_factors(factor) for factor in expr.factors]
        above = tuple(factor for part, _ in parts for factor in part)
        return above, tuple(factor for _, part in parts for factor in part)
    return (expr,), ()


def quotient(above: Iterable[Expr], below: Iterable[Expr]) -> Expr:
    """Return the product of ``above`` over the product of ``below``, as one quotient."""
    return div(mul(*above), mul(*below))


def where(condition: Condition, yes: Expr, no: Expr) -> Expr:
    """Return ``yes`` where the condition holds, else ``no``."""
    return yes if yes == no else Where(condition, yes, no)


def conjunction(parts: tuple[Condition, ...]) -> tuple[Condition, ...]:
    """Return the conjuncts of a conjunction, flat, without repeats, in order."""
    flat: dict[Condition, None] = {}
    for part in parts:
        for piece in conjunction(part.parts) if isinstance(part, And) else (part,):
            flat[piece] = None
    return tuple(flat)


OPPOSITE = {"=": "!=", "!=": "=", "<": ">=", ">=": "<", ">": "<=", "<=": ">"}


def negation(condition: Condition) -> Condition:
    """Return the opposite condition, comparisons turned around rather than wrapped."""
    if isinstance(condition, Not):
        return condition.part
    if isinstance(condition, Compare):
        return Compare(OPPOSITE[condition.op], condition.left, condition.right)
    parts = tuple(negation(part) for part in condition.parts)
    return Or(parts) if isinstance(condition, And) else And(parts)


# --- traversal -----------------------------------------------------------------------------------


def children(expr: Node) -> tuple[Any, ...]:
    """Return the direct parts of a node, conditions included."""
    kept = expr.__dict__
    found = kept.get("_children")
    if found is None:
        found = kept["_children"] = _PARTS.get(type(expr), _no_parts)(expr)
    return found


def _no_parts(expr: Node) -> tuple[Node, ...]:
    return ()


_PARTS: Mapping[type, Callable[[Any], tuple[Any, ...]]] = {
    Add: lambda e: e.terms,
    Mul: lambda e: e.factors,
    And: lambda e: e.parts,
    Or: lambda e: e.parts,
    Div: lambda e: (e.numerator, e.denominator),
    Pow: lambda e: (e.base, e.exponent),
    Compare: lambda e: (e.left, e.right),
    Derivative: lambda e: (e.of, e.by),
    Call: lambda e: e.args,
    Along: lambda e: e.args,
    Reduce: lambda e: (e.body,),
    Where: lambda e: (e.condition, e.yes, e.no),
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


def transform(expr: N, visit: Callable[[Any], Any]) -> N:
    """Rebuild ``expr`` bottom-up, each node passed through ``visit``."""
    parts = children(expr)
    if parts:
        new = tuple(transform(part, visit) for part in parts)
        if any(a is not b for a, b in zip(new, parts, strict=False)):
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
    parts = children(expr)
    new = tuple(replace_nodes(part, mapping) for part in parts)
    return rebuild(expr, new) if any(a is not b for a, b in zip(new, parts, strict=False)) else expr


def walk(expr: Node) -> tuple[Node, ...]:
    """Return the node and all nodes below it, parents first, left to right.

    The list is kept beside the node: every rule and check of a derivation asks for it.
    """
    kept = expr.__dict__
    found = kept.get("_below")
    if found is None:
        order = []
        waiting = [expr]
        while waiting:
            part = waiting.pop()
            order.append(part)
            waiting.extend(reversed(children(part)))
        found = kept["_below"] = tuple(order)
    return found


def accesses(expr: Node) -> list[Access]:
    """Return the distinct accesses in order of first occurrence."""
    return list(dict.fromkeys(part for part in walk(expr) if isinstance(part, Access)))


def affine_forms(expr: Node) -> Iterator[Affine]:
    """Yield the affine forms of every node below ``expr``."""
    for part in walk(expr):
        if isinstance(part, Access):
            yield from part.indices
        elif isinstance(part, IndexValue):
            yield part.form
        elif isinstance(part, Position):
            yield from (affine(i) for i in part.indices)


def tensors_read(expr: Node) -> dict[str, None]:
    """Return the names of the tensors read, lookups included, in order of occurrence."""
    kept = expr.__dict__
    found = kept.get("_tensors")
    if found is None:
        names: dict[str, None] = {}
        for part in walk(expr):
            if isinstance(part, Access):
                names[part.tensor] = None
        for form in affine_forms(expr):
            names.update((lookup.tensor, None) for lookup in lookups_of(form))
        found = kept["_tensors"] = tuple(names)
    return dict.fromkeys(found)


def used_indices(expr: Node) -> tuple[Index, ...]:
    """Return the indices that occur in affine forms, in order of first occurrence."""
    kept = expr.__dict__
    found = kept.get("_indices")
    if found is None:
        names: dict[Index, None] = {}
        for form in affine_forms(expr):
            names.update((index, None) for index in indices_of(form))
        found = kept["_indices"] = tuple(names)
    return found


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
    own: tuple[Affine, ...] = ()
    if isinstance(expr, Access):
        own = expr.indices
    elif isinstance(expr, IndexValue):
        own = (expr.form,)
    elif isinstance(expr, Position):
        own = tuple(affine(i) for i in expr.indices)
    for form in own:
        found.update((i, None) for i in indices_of(form) if i not in bound)
    for part in children(expr):
        _collect_free(part, bound, found)


def map_affine(expr: N, change: Callable[[Affine], Affine]) -> N:
    """Rebuild ``expr`` with every affine form changed; bound index lists are left as they are."""

    def visit(part: Node) -> Node:
        if isinstance(part, Access) and part.indices:
            return Access(part.tensor, tuple(change(i) for i in part.indices), part.outside)
        if isinstance(part, IndexValue):
            return index_value(change(part.form))
        return part

    return transform(expr, visit)


def index_value(form: Affine) -> Expr:
    """Return an index expression as a number."""
    return number(form.constant) if form.is_constant else IndexValue(form)


def substitute(expr: N, mapping: Mapping[Index, Affine]) -> N:
    """Replace indices by affine forms, in accesses, conditions, and lists of bound indices.

    Bound indices carry unique names in normal form, so no capture can happen there; in explicit
    form the caller renames first (`derivgen.calculus.normalise` does).
    """
    if not mapping:
        return expr
    renamed = map_affine(expr, lambda form: substitute_affine(form, mapping))
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
