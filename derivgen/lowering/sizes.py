"""Size letters become numbers, and conditions on indices become ranges.

Invariant: what leaves `fixed` holds no size letter but the number of samples, and no condition
that its ranges decide.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar, Union

from derivgen.algebra.affine import (
    Affine,
    Dim,
    FloorDiv,
    Index,
    Lookup,
    Mod,
    affine,
    floor_div,
    mod,
)
from derivgen.algebra.expressions import (
    Access,
    Add,
    Compare,
    Condition,
    Expr,
    IndexValue,
    Mul,
    Node,
    Number,
    Position,
    index_value,
    map_parts,
)
from derivgen.algebra.statements import Statement

N = TypeVar("N", bound=Node)
Bounds = tuple[Union[int, None], Union[int, None]]


@dataclass
class Sizes:
    """The numbers for size letters, with memories of forms and indices already done."""

    numbers: Mapping[Dim, int]
    forms: dict[Affine, Affine] = field(default_factory=dict)
    indices: dict[Index, Index] = field(default_factory=dict)

    def form(self, form: Affine) -> Affine:
        """Return a form with every known letter replaced by its number."""
        found = self.forms.get(form, form)
        if found is form and form not in self.forms:
            found = self.forms[form] = self._form(form)
        return form if found == form else found

    def _form(self, form: Affine) -> Affine:
        total = affine(form.constant)
        for atom, count in form.terms:
            part = self._atom(atom)
            total = total + (part * count if count != 1 else part)
        return form if total == form else total

    def _atom(self, atom: object) -> Affine:
        match atom:
            case Dim():
                return affine(self.numbers.get(atom, atom))
            case Index():
                return affine(self.index(atom))
            case FloorDiv(inner, divisor):
                return floor_div(self.form(inner), divisor)
            case Mod(inner, divisor):
                return mod(self.form(inner), divisor)
            case Lookup(tensor, indices):
                return affine(Lookup(tensor, tuple(self.form(i) for i in indices)))
        raise AssertionError(f"no such atom: {atom!r}")

    def index(self, index: Index) -> Index:
        """Return an index with its bounds as numbers."""
        found = self.indices.get(index)
        if found is None:
            low, high = self.form(index.low), self.form(index.high)
            same = low == index.low and high == index.high
            found = self.indices[index] = index if same else Index(index.name, low, high)
        return index if found == index else found

    def node(self, node: N) -> N:
        """Return an expression or condition over the fixed sizes."""
        made: Any = self._node(node)
        return made

    def _node(self, node: Node) -> Node:
        match node:
            case Access(tensor, indices, None):
                forms = tuple(self.form(i) for i in indices)
                return node if forms == indices else Access(tensor, forms)
            case IndexValue(form):
                known = self.form(form)
                return node if known is form else index_value(known)
            case Position(indices):
                return self._position(tuple(self.index(i) for i in indices))
        return map_parts(node, self._node)

    def _position(self, indices: tuple[Index, ...]) -> Expr:
        """Return a position as an index expression, so that ranges may shrink afterwards."""
        if not all(index.size.is_constant for index in indices[1:]):
            return Position(indices)
        total = affine(0)
        for index in indices:
            total = total * index.size.constant + (affine(index) - index.low)
        return index_value(total)


def fixed(statement: Statement, sizes: Sizes) -> Statement | None:
    """Return a statement over numbers, its conditions turned into ranges where they can be.

    ``None`` if no position satisfies its conditions.
    """
    if not sizes.numbers and not statement.guard and not any(map(_empty, statement.indices)):
        return statement
    guard = tuple(sizes.node(part) for part in statement.guard)
    indices = tuple(sizes.index(i) for i in statement.indices)
    if any(_empty(i) for i in indices):
        return None
    ranges, rest = narrowed(guard, indices)
    if ranges is None:
        return None
    if statement.op in ("argmax", "argmin"):
        # A winner's position counts from the whole range.
        ranges, rest = {}, guard
    lhs, body = sizes.node(statement.lhs), sizes.node(statement.body)
    changed = lhs is not statement.lhs or body is not statement.body or rest != statement.guard
    if not changed and not ranges and all(a is b for a, b in zip(indices, statement.indices)):
        return statement
    if ranges:
        swap = Swap(ranges)
        rest = tuple(swap.node(part) for part in rest)
        lhs, body = swap.node(lhs), swap.node(body)
        indices = tuple(ranges.get(i, i) for i in indices)
    return Statement(indices, rest, lhs, statement.op, body, statement.equation)


class Swap(Sizes):
    """Exchanges indices for others, such as the same index over a smaller range."""

    def __init__(self, indices: Mapping[Index, Index]) -> None:
        super().__init__({}, {}, dict(indices))

    def index(self, index: Index) -> Index:
        """Return what stands for an index: itself, unless it is exchanged."""
        return self.indices.get(index, index)


def _empty(index: Index) -> bool:
    low, high = index.low, index.high
    return low.is_constant and high.is_constant and high.constant <= low.constant


def narrowed(
    guard: tuple[Condition, ...], indices: tuple[Index, ...]
) -> tuple[dict[Index, Index] | None, tuple[Condition, ...]]:
    """Return smaller ranges for indices and the conditions that these do not express.

    The first part is ``None`` where nothing satisfies the conditions.
    """
    ranges: dict[Index, Index] = {}
    rest: list[Condition] = []
    for condition in guard:
        test = comparison(condition)
        if test is None:
            rest.append(condition)
            continue
        op, form = test
        known = decided(op, bounds(form, ranges))
        if known is False:
            return None, ()
        if known is None and not _restrict(op, form, ranges):
            rest.append(condition)
    if any(_empty(i) for i in ranges.values()):
        return None, ()
    return ranges, tuple(rest)


def comparison(condition: Condition) -> tuple[str, Affine] | None:
    """Return ``(op, form)`` for a condition ``form op 0`` on indices alone."""
    if not isinstance(condition, Compare):
        return None
    left, right = as_form(condition.left), as_form(condition.right)
    return None if left is None or right is None else (condition.op, left - right)


def as_form(expr: Expr) -> Affine | None:
    """Return an expression as an affine form, if it is one."""
    match expr:
        case Number(value) if value.denominator == 1:
            return affine(int(value))
        case IndexValue(form):
            return form
        case Add(terms):
            total = affine(0)
            for term in terms:
                part = as_form(term)
                if part is None:
                    return None
                total = total + part
            return total
        case Mul((Number(value), rest)) if value.denominator == 1:
            part = as_form(rest)
            return None if part is None else part * int(value)
        case _:
            return None


def _restrict(op: str, form: Affine, ranges: dict[Index, Index]) -> bool:
    if len(form.terms) != 1 or op == "!=":
        return False
    atom, count = form.terms[0]
    if not isinstance(atom, Index) or abs(count) != 1:
        return False
    # count*i + c op 0 is i op' limit, the comparison turned around for count = -1.
    limit = -form.constant * count
    turned = {"<": ">", ">": "<", "<=": ">=", ">=": "<=", "=": "="}[op] if count < 0 else op
    index = ranges.get(atom, atom)
    low: Affine | None = index.low
    high: Affine | None = index.high
    if turned in (">", ">=", "="):
        low = _largest(index.low, limit + (turned == ">"))
    if turned in ("<", "<=", "="):
        high = _smallest(index.high, limit + (turned != "<"))
    if low is None or high is None:
        return False
    ranges[atom] = Index(index.name, low, high)
    return True


def _largest(form: Affine, limit: int) -> Affine | None:
    return affine(max(form.constant, limit)) if form.is_constant else None


def _smallest(form: Affine, limit: int) -> Affine | None:
    return affine(min(form.constant, limit)) if form.is_constant else None


def bounds(form: Affine, ranges: Mapping[Index, Index] | None = None) -> Bounds:
    """Return the least and the largest value of a form; ``None`` where it has no known bound."""
    low: int | None = form.constant
    high: int | None = form.constant
    for atom, count in form.terms:
        least, most = _atom_bounds(atom, ranges or {})
        if count < 0:
            least, most = most, least
        low = None if low is None or least is None else low + count * least
        high = None if high is None or most is None else high + count * most
    return low, high


def _atom_bounds(atom: object, ranges: Mapping[Index, Index]) -> Bounds:
    match atom:
        case Index():
            index = ranges.get(atom, atom)
            return bounds(index.low)[0], bounds(index.high - 1)[1]
        case Dim():
            return 1, None
        case Mod(inner, divisor):
            low, high = bounds(inner, ranges)
            if low is not None and high is not None and low >= 0 and high < divisor:
                return low, high
            return 0, divisor - 1
        case FloorDiv(inner, divisor):
            low, high = bounds(inner, ranges)
            return (
                None if low is None else low // divisor,
                None if high is None else high // divisor,
            )
    return None, None


def decided(op: str, interval: Bounds) -> bool | None:
    """Return the truth of ``value op 0`` for all values between the bounds, if they settle it."""
    low, high = interval
    positive, negative = low is not None and low > 0, high is not None and high < 0
    zero = low == high == 0
    match op:
        case "=":
            return True if zero else False if positive or negative else None
        case "!=":
            return False if zero else True if positive or negative else None
        case ">":
            return True if positive else False if high is not None and high <= 0 else None
        case ">=":
            return True if low is not None and low >= 0 else False if negative else None
        case "<":
            return True if negative else False if low is not None and low >= 0 else None
        case _:
            return True if high is not None and high <= 0 else False if positive else None
