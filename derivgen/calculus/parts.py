"""The pieces normal form is made with: scopes, base cases, and the sharing of named parts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from derivgen.algebra.affine import Affine, Index, affine, indices_of, surely_nonnegative
from derivgen.algebra.expressions import (
    ONE,
    ZERO,
    Access,
    Add,
    And,
    Call,
    Compare,
    Condition,
    Constant,
    Div,
    Expr,
    IndexValue,
    Iverson,
    Mul,
    Number,
    Pow,
    Reduce,
    Where,
    affine_forms,
    conjunction,
    div,
    free_indices,
    index_value,
    is_guard,
    mul,
    substitute,
    walk,
    where,
)
from derivgen.algebra.network import Axis, Network, Tensor
from derivgen.calculus.expand import looked_up_within

IDENTITY = {"sum": ZERO, "prod": ONE}


@dataclass(frozen=True)
class Scope:
    """Where an expression stands: indices looped over, guard, and value conditions around it."""

    indices: tuple[Index, ...]
    guard: tuple[Condition, ...] = ()
    conditions: tuple[Condition, ...] = ()

    def looping(self, bound: tuple[Index, ...]) -> Scope:
        """Return the scope inside a reduction over ``bound``."""
        return replace(self, indices=self.indices + bound)

    def where(self, condition: Condition) -> Scope:
        """Return the scope in which an index-only ``condition`` holds."""
        return replace(self, guard=conjunction((*self.guard, condition)))

    def given(self, condition: Condition) -> Scope:
        """Return the scope of a branch taken when a value ``condition`` holds."""
        return replace(self, conditions=(*self.conditions, condition))


@dataclass(frozen=True)
class Scale:
    """A numeric factor moved into a sum: ``numerator * body / denominator``."""

    numerator: tuple[Expr, ...] = ()
    denominator: tuple[Expr, ...] = ()

    def apply(self, body: Expr) -> Expr:
        """Return the body with the factor."""
        scaled = mul(*self.numerator, body)
        return div(scaled, mul(*self.denominator)) if self.denominator else scaled


NUMERIC = (Number, Constant, IndexValue, Access, Mul, Div, Pow, Add, Call)


def guarded(expr: Expr) -> bool:
    """Tell whether a factor, or the top of a quotient, is conditional on indices alone."""
    match expr:
        case Where(condition, _, _) | Iverson(condition):
            return is_guard(condition)
        case Mul(factors):
            return any(guarded(factor) for factor in factors)
        case Div(numerator, _):
            return guarded(numerator)
        case _:
            return False


def one_value(
    scope: Scope, lhs: Access, body: Expr, tensors: Mapping[str, Tensor]
) -> tuple[Scope, Expr]:
    """Put in the one value that a guard ``[y = k]`` leaves to a summed index."""
    written = {i for form in lhs.indices for i in indices_of(form)}
    for condition in scope.guard:
        for index, form in _equation_for(condition):
            axis = Axis(index.low, index.high)
            inside = looked_up_within(form, axis, tensors) or (
                surely_nonnegative(form - index.low) and surely_nonnegative(index.high - 1 - form)
            )
            if index in scope.indices and index not in written and inside:
                mapping = {index: form}
                rest = (c for c in scope.guard if c is not condition)
                guard = tuple(substitute(c, mapping) for c in rest)
                indices = tuple(i for i in scope.indices if i != index)
                smaller = replace(scope, indices=indices, guard=guard)
                return one_value(smaller, lhs, substitute(body, mapping), tensors)
    return scope, body


def _equation_for(condition: Condition) -> Iterator[tuple[Index, Affine]]:
    """Yield ``index, form`` for a condition ``index = form`` read either way."""
    if not isinstance(condition, Compare) or condition.op != "=":
        return
    sides = (condition.left, condition.right)
    for mine, other in (sides, sides[::-1]):
        form = _form(other)
        index = mine.form.plain if isinstance(mine, IndexValue) else None
        if index is not None and form is not None and index not in set(indices_of(form)):
            yield index, form


def _form(expr: Expr) -> Affine | None:
    if isinstance(expr, IndexValue):
        return expr.form
    if isinstance(expr, Number) and expr.value.denominator == 1:
        return affine(int(expr.value))
    return None


def base_cases(network: Network) -> dict[str, tuple[Access, ...]]:
    bases: dict[str, tuple[Access, ...]] = {}
    for equation in network.equations:
        if constants(equation.lhs):
            known = bases.get(equation.lhs.tensor, ())
            bases[equation.lhs.tensor] = (*known, equation.lhs)
    return bases


def constants(lhs: Access) -> dict[int, Affine]:
    """Return the positions of the left side that hold no index, with what stands there."""
    return {
        axis: form
        for axis, form in enumerate(lhs.indices)
        if not any(True for _ in indices_of(form))
    }


def differs(form: Affine, value: Affine) -> Condition:
    index = form.plain
    if index is not None and value == index.low:
        return Compare(">=", index_value(form), index_value(value + 1))
    if index is not None and value == index.high - 1:
        return Compare("<=", index_value(form), index_value(value - 1))
    return Compare("!=", index_value(form), index_value(value))


def part_scope(
    expr: Expr, scope: Scope, tensors: Mapping[str, Tensor]
) -> tuple[tuple[Index, ...], tuple[Condition, ...]]:
    """Return the indices a part depends on and the guards that concern them.

    Where an access of the part could leave its range, a guard that ties an index of the part to
    another one brings that one in; otherwise such a guard is no concern of the part.
    """
    wanted = set(free_indices(expr))
    guards = {c: {i for f in affine_forms(c) for i in indices_of(f)} for c in scope.guard}
    size = len(wanted) if surely_inside(expr, tensors) else -1
    while size != len(wanted):
        size = len(wanted)
        for used in guards.values():
            if used & wanted:
                wanted |= used
    indices = tuple(index for index in scope.indices if index in wanted)
    return indices, tuple(c for c, used in guards.items() if used and used <= wanted)


def surely_inside(expr: Expr, tensors: Mapping[str, Tensor]) -> bool:
    """Tell whether every access stays in its range for all values of its indices."""
    for part in walk(expr):
        if isinstance(part, Access):
            for form, axis in zip(part.indices, tensors[part.tensor].axes, strict=False):
                if not surely_nonnegative(form - axis.low):
                    return False
                if not surely_nonnegative(axis.high - 1 - form):
                    return False
    return True


def conditioned(expr: Expr, conditions: tuple[Condition, ...]) -> Expr:
    """Keep the branch condition on a part taken out of it, so that it stays unevaluated."""
    condition = conditions[0] if len(conditions) == 1 else And(conditions)
    if isinstance(expr, Reduce):
        identity = IDENTITY.get(expr.op)
        return (
            expr if identity is None else replace(expr, body=where(condition, expr.body, identity))
        )
    return where(condition, expr, ZERO)


def canonical(
    expr: Expr, indices: tuple[Index, ...], guard: tuple[Condition, ...]
) -> tuple[Expr, tuple[Index, ...], tuple[Condition, ...]]:
    """Return a key equal for parts that differ only in the letters of their indices."""
    bound = [i for part in walk(expr) if isinstance(part, Reduce) for i in part.bound]
    order = dict.fromkeys([*indices, *bound])
    renamed = {old: Index(f"#{n}", old.low, old.high) for n, old in enumerate(order)}
    mapping = {old: affine(new) for old, new in renamed.items()}
    key = substitute(expr, mapping)
    return key, tuple(renamed[i] for i in indices), tuple(substitute(c, mapping) for c in guard)


PART_NAMES = {"argument": "z", "operand": "u", "position": "winner", "value": "a"}


def part_name(expr: Expr, reason: str, owner: str) -> str:
    if reason == "reduction" and isinstance(expr, Reduce):
        return f"{expr.op}_{owner}"
    if reason == "value" and isinstance(expr, Call):
        return f"{expr.name}_{owner}"
    return f"{PART_NAMES.get(reason, reason)}_{owner}"
