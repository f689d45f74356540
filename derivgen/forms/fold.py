"""Statements that write one tensor, folded into equations a person would write.

``for I where G: out[g(I)] += body`` becomes ``out[m] = sum ... body`` with the writer's letters on
the left; scatters are gathered where that is possible, else an Iverson bracket says which terms
arrive. Entries that some statement writes at a fixed place get an equation of their own (the last
layer, the last time step). Invariant: an `Equality` is in explicit form and true as it stands.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain, count

from derivgen.algebra.affine import Affine, Index, affine, indices_of, make_index
from derivgen.algebra.expressions import (
    ONE,
    ZERO,
    Access,
    And,
    Compare,
    Condition,
    Div,
    Expr,
    IndexValue,
    Iverson,
    Mul,
    Number,
    Position,
    Reduce,
    Where,
    add,
    div,
    index_value,
    mul,
    substitute,
    used_indices,
    walk,
)
from derivgen.algebra.network import Axis, Tensor
from derivgen.algebra.statements import Statement
from derivgen.calculus.gather import excluded, gather, needed
from derivgen.forms.bounds import plain_bounds


@dataclass(frozen=True)
class Equality:
    """``lhs = rhs`` for all values of the left side's indices that satisfy ``where``."""

    lhs: Access
    rhs: Expr
    where: tuple[Condition, ...] = ()

    @property
    def indices(self) -> tuple[Index, ...]:
        """Return the free indices, in order."""
        found = (i for form in self.lhs.indices for i in indices_of(form))
        return tuple(dict.fromkeys(found))


def fold(statements: Sequence[Statement], tensor: Tensor) -> tuple[Equality, ...]:
    """Return the equations that say what ``statements`` together write to ``tensor``."""
    targets = _targets(statements, tensor)
    fixed = list(dict.fromkeys(f for s in statements for f in _fixed(s)))
    equations = [
        _equality(_at(statements, targets, tensor, place, value), targets, tensor, place, value)
        for place, value in fixed
    ]
    narrowed = _narrow(targets, fixed, tensor)
    general = [s for s in statements if not _fixed(s)]
    if (general or not fixed) and not _covered(fixed, tensor):
        conditions = _apart(narrowed, targets, fixed)
        equations.append(_general(general, narrowed, tensor, conditions))
    return tuple(equations)


def _covered(fixed: list[tuple[int, Affine]], tensor: Tensor) -> bool:
    """Tell whether every place along some axis is a fixed one, so that no general one is left."""
    for place, axis in enumerate(tensor.axes):
        if axis.low.is_constant and axis.high.is_constant:
            known = {value.constant for p, value in fixed if p == place and value.is_constant}
            if all(n in known for n in range(axis.low.constant, axis.high.constant)):
                return True
    return False


def _fixed(statement: Statement) -> list[tuple[int, Affine]]:
    """Return the first place of the left side that holds no index, with what stands there."""
    forms = enumerate(statement.lhs.indices)
    return [(p, form) for p, form in forms if _constant_place(form)][:1]


def _constant_place(form: Affine) -> bool:
    return not list(indices_of(form)) and _constant(form)


def _constant(form: Affine) -> bool:
    return all(type(atom).__name__ == "Dim" for atom, _ in form.terms)


def _at(
    statements: Sequence[Statement],
    targets: tuple[Index, ...],
    tensor: Tensor,
    place: int,
    value: Affine,
) -> list[Expr]:
    """Return the terms that arrive where the index at ``place`` has one value."""
    terms: list[Expr] = []
    for statement in statements:
        own = statement.lhs.indices[place]
        if _constant_place(own) and own != value:
            continue
        gathered = _gathered(statement, targets, tensor)
        if isinstance(gathered, Statement) and _tells_place(gathered, targets[place]):
            here = Compare("=", index_value(affine(targets[place])), index_value(value))
            kept = tuple(i for i in gathered.indices if i not in targets or i == targets[place])
            terms.append(_sum_of(gathered.body, (*gathered.guard, here), kept))
        elif isinstance(gathered, Statement):
            moved = _specialised(gathered, targets[place], value)
            terms += [] if moved is None else [_term(moved, targets)]
        else:
            terms.append(substitute(gathered, {targets[place]: value}))
    return terms


def _tells_place(statement: Statement, index: Index) -> bool:
    """Tell whether an index's position is compared with a winner's: it then stays a letter."""
    parts = (*statement.guard, statement.body)
    positions = (p for part in parts for p in walk(part) if isinstance(p, Position))
    return any(index in position.indices for position in positions)


def _specialised(statement: Statement, index: Index, value: Affine) -> Statement | None:
    """Return a statement at one value of an index, or ``None`` if its guard excludes that."""
    mapping = {index: value}
    guard = tuple(substitute(c, mapping) for c in statement.guard)
    if any(excluded(c) for c in guard):
        return None
    lhs = Access(statement.lhs.tensor, ())
    body = substitute(statement.body, mapping)
    indices = tuple(i for i in statement.indices if i != index)
    return replace(
        statement,
        indices=indices,
        guard=needed(guard),
        lhs=lhs,
        body=body,
    )


def _equality(
    terms: list[Expr], targets: tuple[Index, ...], tensor: Tensor, place: int, value: Affine
) -> Equality:
    forms = [affine(t) for t in targets]
    forms[place] = value
    return Equality(Access(tensor.name, tuple(forms)), add(*terms) if terms else ZERO)


def _general(
    statements: Sequence[Statement],
    targets: tuple[Index, ...],
    tensor: Tensor,
    conditions: tuple[Condition, ...],
) -> Equality:
    terms: list[Expr] = []
    for statement in statements:
        gathered = _gathered(statement, targets, tensor)
        if isinstance(gathered, Statement):
            gathered, exists = _where_it_exists(gathered, targets)
            conditions = (*conditions, *exists)
        terms.append(_term(gathered, targets) if isinstance(gathered, Statement) else gathered)
    lhs = Access(tensor.name, tuple(affine(t) for t in targets))
    return Equality(lhs, add(*terms) if terms else ZERO, conditions)


def _where_it_exists(
    statement: Statement, targets: tuple[Index, ...]
) -> tuple[Statement, tuple[Condition, ...]]:
    """Take the conditions of an extreme's place out of its guard: elsewhere it has no value."""
    if statement.op in ("sum", "prod"):
        return statement, ()
    bound = tuple(i for i in statement.indices if i not in targets)
    exists = tuple(c for c in statement.guard if not _depends(Iverson(c), bound))
    inner = tuple(c for c in statement.guard if c not in exists)
    return replace(statement, guard=inner), tuple(joined_bounds(exists))


def _narrow(
    targets: tuple[Index, ...], fixed: list[tuple[int, Affine]], tensor: Tensor
) -> tuple[Index, ...]:
    """Return the left indices without a fixed value at an end of their range."""
    narrowed = list(targets)
    for place, value in fixed:
        index = narrowed[place]
        if value == index.low:
            narrowed[place] = Index(index.name, index.low + 1, index.high)
        elif value == index.high - 1:
            narrowed[place] = Index(index.name, index.low, index.high - 1)
    return tuple(narrowed)


def _apart(
    narrowed: tuple[Index, ...], targets: tuple[Index, ...], fixed: list[tuple[int, Affine]]
) -> tuple[Condition, ...]:
    """Return the conditions that keep the general equation away from the fixed places."""
    conditions: list[Condition] = []
    for place, value in fixed:
        old, new = targets[place], narrowed[place]
        here = index_value(affine(new))
        if new.low != old.low and value == old.low:
            conditions.append(Compare(">", here, index_value(value)))
        elif new.high != old.high and value == old.high - 1:
            conditions.append(Compare("<", here, index_value(value)))
        else:
            conditions.append(Compare("!=", here, index_value(value)))
    return tuple(conditions)


def _targets(statements: Sequence[Statement], tensor: Tensor) -> tuple[Index, ...]:
    """Return an index for each axis: the letter a statement has there, else the declared one."""
    targets: list[Index] = []
    for place, axis in enumerate(tensor.axes):
        own = _own_letter(statements, place, axis, targets)
        if own is None:
            own = _declared(tensor, place, axis, targets)
        targets.append(own)
    return tuple(targets)


def _own_letter(
    statements: Sequence[Statement], place: int, axis: Axis, taken: list[Index]
) -> Index | None:
    # Letters come from the general case; a statement for one layer or step may use others.
    for statement in sorted(statements, key=lambda s: bool(_fixed(s))):
        index = statement.lhs.indices[place].plain
        spans = index is not None and (index.low, index.high) == (axis.low, axis.high)
        spans = spans and bool(index and index.name)  # an axis without a letter gets one below
        if index is not None and spans and all(index.name != t.name for t in taken):
            return index
    return None


def _declared(tensor: Tensor, place: int, axis: Axis, taken: list[Index]) -> Index:
    used = {index.name for index in taken}
    wishes = [name for name in tensor.axis_names[place : place + 1] if name]
    name = next(n for n in chain(wishes, "mnpqruv", map("m{}".format, count())) if n not in used)
    return make_index(name, axis.size, axis.low)


def _gathered(statement: Statement, targets: tuple[Index, ...], tensor: Tensor) -> Statement | Expr:
    """Return the statement with ``targets`` on the left, or a term with an Iverson bracket."""
    statement = _apart_from(statement, targets)
    found = gather(statement, targets)
    if found is not None:
        return replace(found, guard=needed(found.guard))
    arrives = tuple(
        Compare("=", index_value(affine(t)), index_value(form))
        for t, form in zip(targets, statement.lhs.indices, strict=True)
        if form.plain != t
    )
    kept = tuple(i for i in statement.indices if i not in targets)
    return _sum_of(statement.body, (*statement.guard, *arrives), kept)


def _apart_from(statement: Statement, targets: tuple[Index, ...]) -> Statement:
    """Rename the statement's indices that carry a target's name but do not stand in its place."""
    places = {t.name: affine(t) for t in targets}
    own = [form.plain for form in statement.lhs.indices]
    mapping: dict[Index, Affine] = {}
    taken = {i.name for i in statement.indices} | set(places)
    for index in statement.indices:
        in_place = any(o == index == t for o, t in zip(own, targets, strict=True))
        if index.name in places and not in_place:
            name = next(n for n in (f"{index.name}{c}" for c in count(2)) if n not in taken)
            taken.add(name)
            mapping[index] = affine(Index(name, index.low, index.high))
    return renamed(statement, mapping) if mapping else statement


def renamed(statement: Statement, mapping: dict[Index, Affine]) -> Statement:
    """Return a statement with indices renamed everywhere."""
    lhs = substitute(statement.lhs, mapping)
    indices = tuple(mapping[i].plain or i if i in mapping else i for i in statement.indices)
    return Statement(
        indices,
        tuple(substitute(c, mapping) for c in statement.guard),
        lhs,
        statement.op,
        substitute(statement.body, mapping),
        statement.equation,
    )


def _term(statement: Statement, targets: tuple[Index, ...]) -> Expr:
    """Return what one gathered statement adds, as an expression in the targets."""
    bound = tuple(i for i in statement.indices if i not in targets)
    return _sum_of(statement.body, statement.guard, bound, statement.op)


def _sum_of(
    body: Expr, guard: tuple[Condition, ...], bound: tuple[Index, ...], op: str = "sum"
) -> Expr:
    """Return ``fold over bound of [guard] body``, factors free of the bound indices outside."""
    factors = [*(Iverson(c) for c in joined_bounds(guard)), *_factors(body)]
    if not bound:
        return _product(factors)
    if op != "sum":
        return Reduce(op, bound, _kept(op, joined_bounds(guard), _product(_factors(body))))
    outside = [f for f in factors if not _depends(f, bound)]
    inside = [f for f in factors if _depends(f, bound)]
    if not inside:
        return _product([*outside, *(index_value(index.size) for index in bound)])
    return _product([*outside, Reduce("sum", bound, _product(inside))])


def _kept(op: str, guard: list[Condition], body: Expr) -> Expr:
    """Return what a product takes where its guard fails: a factor 1, not 0."""
    if not guard:
        return body
    assert op == "prod", "an extreme has no neutral value to stand where its guard fails"
    return Where(guard[0] if len(guard) == 1 else And(tuple(guard)), body, ONE)


def joined_bounds(guard: tuple[Condition, ...]) -> list[Condition]:
    """Return conditions with ``a <= i`` and ``i < b`` made one: ``a <= i < b``."""
    found: list[Condition] = []
    pending = plain_bounds(guard)
    while pending:
        first = pending.pop(0)
        low = _as_low(first)
        match = next((c for c in pending if low is not None and _upper_of(c) == low.right), None)
        if low is None or match is None:
            found.append(first)
            continue
        pending.remove(match)
        found.append(And((low, match)))
    return found


def _as_low(condition: Condition) -> Compare | None:
    """Return ``i >= a`` as ``a <= i``; other conditions are no lower bounds."""
    if not isinstance(condition, Compare) or not isinstance(condition.right, (IndexValue, Number)):
        return None
    if condition.op == ">=" and isinstance(condition.left, IndexValue):
        return Compare("<=", condition.right, condition.left)
    return condition if condition.op == "<=" and is_size(condition.left) else None


def _upper_of(condition: Condition) -> Expr | None:
    """Return ``i`` of an upper bound ``i < b`` or ``i <= b``."""
    if isinstance(condition, Compare) and condition.op in ("<", "<="):
        return condition.left if is_size(condition.right) else None
    return None


def _factors(body: Expr) -> list[Expr]:
    if isinstance(body, Mul):
        return list(body.factors)
    if isinstance(body, Div) and not isinstance(body.denominator, Number):
        top = _factors(body.numerator)
        return [*top, Div(Number(ZERO.value + 1), body.denominator)] if len(top) > 1 else [body]
    return [body]


def _product(factors: list[Expr]) -> Expr:
    """Return a product, reciprocals gathered into one fraction."""
    below = [f.denominator for f in factors if isinstance(f, Div) and _is_one(f.numerator)]
    above = [f for f in factors if not (isinstance(f, Div) and _is_one(f.numerator))]
    if not below:
        return mul(*above) if above else ONE
    # A bracket stays in front of the fraction: where it fails, nothing in it is read.
    brackets = [f for f in above if isinstance(f, Iverson)]
    rest = [f for f in above if not isinstance(f, Iverson)]
    return mul(*brackets, div(mul(*rest) if rest else ONE, mul(*below)))


def _is_one(expr: Expr) -> bool:
    return isinstance(expr, Number) and expr.value == 1


def _depends(expr: Expr, bound: tuple[Index, ...]) -> bool:
    return any(index in bound for index in used_indices(expr))


def is_size(expr: Expr) -> bool:
    """Tell whether an expression is a size or a number."""
    if isinstance(expr, IndexValue):
        return not list(indices_of(expr.form))
    return isinstance(expr, Number)
