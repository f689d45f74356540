"""Statements as loop nests, each under its equation.

A sum is gathered in a register, or, where the last axis on the left can run innermost over
neighbouring elements, row by row, which a compiler turns into vector instructions. Conditions on
indices become bounds of loops where they can, else an ``if`` as far out as their indices allow.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from derivgen.algebra.affine import Affine, Index, affine, atoms, indices_of, lookups_of
from derivgen.algebra.expressions import (
    Access,
    Call,
    Condition,
    Div,
    Expr,
    IndexValue,
    Iverson,
    Node,
    Pow,
    Where,
    accesses,
    is_index_only,
    used_indices,
    walk,
)
from derivgen.algebra.statements import Statement
from derivgen.lowering.program import Block, Fill, Kind, Loop, Nest, Write, extent
from derivgen.targets.cpp_bounds import Bound, bounds_of, extreme_text, range_conditions
from derivgen.targets.cpp_expressions import condition_text, expression, operand
from derivgen.targets.cpp_forms import Scope, form_text, place, position_text
from derivgen.targets.cpp_products import product_lines
from derivgen.targets.cpp_text import comment, indented

Lines = list[str]

IDENTITIES = {"sum": "0", "prod": "1", "max": "-infinity<real>", "min": "infinity<real>"}
SHORTEST_ROW = 4  # a vector loop over fewer elements costs more than it saves


def block_lines(blocks: Iterable[Block], scope: Scope, fixed: tuple[Index, ...] = ()) -> Lines:
    """Return blocks as lines; ``fixed`` are the indices of the loops around them."""
    lines: Lines = []
    for block in blocks:
        if isinstance(block, Fill):
            lines += fill_lines(block, scope)
        elif isinstance(block, Loop):
            lines += loop_lines(block, scope, fixed)
        else:
            lines += nest_lines(block, scope, fixed)
    return lines


def fill_lines(fill: Fill, scope: Scope) -> Lines:
    """Return the line that sets every element of a tensor to one value."""
    name = scope.tensors[fill.tensor]
    array = scope.array(fill.tensor)
    count = _product_text(array.shape, scope)
    value = _fill_value(fill.value, array.integer)
    return [f"std::fill_n({name}, {count}, {value});" if array.shape else f"{name}[0] = {value};"]


def _product_text(shape: tuple[Affine, ...], scope: Scope) -> str:
    total = 1
    letters: list[str] = []
    for size in shape:
        if size.is_constant:
            total *= size.constant
        else:
            letters.append(form_text(size, scope))
    return " * ".join([*letters, *([str(total)] if total != 1 or not letters else [])])


def _fill_value(value: float, integer: bool) -> str:
    if value in (float("inf"), float("-inf")):
        return f"{'-' if value < 0 else ''}infinity<real>"
    return str(int(value)) if integer else f"real({int(value)})"


def loop_lines(loop: Loop, scope: Scope, fixed: tuple[Index, ...]) -> Lines:
    """Return a scan: its blocks step by step along an index."""
    index = loop.index
    name = scope.indices[index.name]
    low, high = form_text(index.low, scope), form_text(index.high, scope)
    last = form_text(index.high - 1, scope)
    head = f"for (int {name} = {low}; {name} < {high}; ++{name}) {{"
    if loop.reverse:
        head = f"for (int {name} = {last}; {name} >= {low}; --{name}) {{"
    return [head, *indented(block_lines(loop.blocks, scope, (*fixed, index))), "}"]


def nest_lines(nest: Nest, scope: Scope, fixed: tuple[Index, ...]) -> Lines:
    """Return a statement's comment and its code."""
    number = f"({nest.number}) " if nest.number else ""
    lines = comment(number + nest.text) if nest.text else []
    statement = nest.statement
    if statement.indices and scope.sizes:
        scope = scope.with_highs((statement.lhs, *accesses(statement.body)))
    names = [index.name for index in fixed]
    own = tuple(i for i in statement.indices if i.name in names)
    work = _Work(nest, scope, fixed, own)
    return lines + (work.product() or work.lines())


@dataclass(frozen=True)
class _Work:
    """A statement about to become loops; ``fixed`` indices have their loop already.

    ``free_fixed`` are the statement's own versions of them, whose ranges may be smaller.
    """

    nest: Nest
    scope: Scope
    fixed: tuple[Index, ...]
    free_fixed: tuple[Index, ...]

    @property
    def statement(self) -> Statement:
        return self.nest.statement

    @property
    def open(self) -> tuple[Index, ...]:
        return tuple(i for i in self.statement.indices if i not in self.free_fixed)

    @property
    def target(self) -> str:
        return place(self.statement.lhs, self.scope)

    @property
    def sets(self) -> bool:
        return self.nest.write is Write.SET

    def product(self) -> Lines:
        """Return the call of a matrix product, if the statement is one at every step."""
        if self.nest.kind is Kind.MAP:
            return []
        if any(i not in self.free_fixed for c in self.guard for i in used_indices(c)):
            return []
        lines = product_lines(self.nest, self.scope, self.free_fixed)
        return self._level([], list(self.guard), set(), lines) if lines else []

    def lines(self) -> Lines:
        """Return the nest: loops over the left side's indices around the fold over the others."""
        statement = self.statement
        left = self._left()
        if left is None:
            return self._nested(self.open, self._fold_into(self.target, statement.body))
        bound = tuple(i for i in self.open if i not in left)
        if statement.op in ("argmax", "argmin"):
            return self._winner(left, bound)
        if not bound:
            return self._nested(left, self._assign())
        if row := self._row_index(left):
            return self._by_rows(tuple(i for i in left if i is not row), bound, row)
        return self._gathered(left, bound)

    def _left(self) -> tuple[Index, ...] | None:
        """Return the open indices on the left, in order of the axes; ``None`` for a scatter."""
        found: list[Index] = []
        for form in self.statement.lhs.indices:
            moving = [i for i in indices_of(form) if i not in self.free_fixed]
            if any(True for _ in lookups_of(form)) or len(moving) > 1:
                return None
            if moving and (form.plain is None or moving[0] in found):
                return None
            found += moving
        return tuple(found)

    # --- the four ways to write ---

    def _assign(self) -> Lines:
        if self.sets:
            return [f"{self.target} = {self._body(self.statement.body)};"]
        return self._fold_into(self.target, self.statement.body)

    def _body(self, body: Expr) -> str:
        if self.scope.array(self.statement.lhs.tensor).integer:
            return f"static_cast<int>({operand(body, self.scope)})"
        text = expression(body, self.scope)
        return text[1:-1] if isinstance(body, (Where, Iverson)) else text

    def _fold_into(self, target: str, body: Expr) -> Lines:
        text = self._body(body)
        op = self.statement.op
        if op == "sum":
            return _added(target, text)
        if op == "prod":
            return [f"{target} *= {text};"]
        name = "larger" if op == "max" else "smaller"
        return [f"{target} = {name}({target}, {operand(body, self.scope)});"]

    def _by_rows(self, left: tuple[Index, ...], bound: tuple[Index, ...], row: Index) -> Lines:
        # The row stays in the nearest cache while the bound indices run over it.
        start: Lines = []
        outer = self._conditions_of(left)
        if self.sets:
            start = _loop(row, [f"{self.target} = 0;"], self.scope)
        inner = self._nested(
            (*bound, row), self._fold_into(self.target, self.statement.body), skip=outer
        )
        return self._nested(left, start + inner, only=outer)

    def _gathered(self, left: tuple[Index, ...], bound: tuple[Index, ...]) -> Lines:
        outer = self._conditions_of(left)
        name = {"sum": "sum", "prod": "product", "max": "largest", "min": "smallest"}
        kept = name[self.statement.op]
        kind = "int" if self.scope.array(self.statement.lhs.tensor).integer else "real"
        body, divisor = self._parted(bound)
        inner = self._nested(bound, self._fold_into(kept, body), skip=outer)
        whole = f"{kept} / {expression(divisor, self.scope)}" if divisor is not None else kept
        lines = [f"{kind} {kept} = {IDENTITIES[self.statement.op]};", *inner, self._store(whole)]
        return self._scoped(left, self._nested(left, lines, only=outer))

    def _parted(self, bound: tuple[Index, ...]) -> tuple[Expr, Expr | None]:
        """Return a sum's body and a common divisor, which is applied once to the sum."""
        match self.statement.body:
            case Div(numerator, IndexValue() as divisor) if self.statement.op == "sum":
                if not any(i in bound for i in used_indices(divisor)):
                    return numerator, divisor
        return self.statement.body, None

    def _store(self, kept: str) -> str:
        if self.sets:
            return f"{self.target} = {kept};"
        marks = {"sum": "+=", "prod": "*="}
        if mark := marks.get(self.statement.op):
            return f"{self.target} {mark} {kept};"
        name = "larger" if self.statement.op == "max" else "smaller"
        return f"{self.target} = {name}({self.target}, {kept});"

    def _winner(self, left: tuple[Index, ...], bound: tuple[Index, ...]) -> Lines:
        op = self.statement.op
        outer = self._conditions_of(left)
        position = position_text(bound, self.scope)
        sign = ">" if op == "argmax" else "<"
        update = [
            f"const real value = {expression(self.statement.body, self.scope)};",
            f"if (position < 0 || value {sign} best) {{",
            "  best = value;",
            f"  position = {position};",
            "}",
        ]
        lines = [
            "real best = 0;",
            "int position = -1;",
            *self._nested(bound, update, skip=outer),
            f"{self.target} = position < 0 ? 0 : position;",
        ]
        return self._scoped(left, self._nested(left, lines, only=outer))

    def _scoped(self, left: tuple[Index, ...], lines: Lines) -> Lines:
        """Put lines that declare variables into a block, if no loop makes one."""
        return lines if left else ["{", *indented(lines), "}"]

    # --- loops and conditions ---

    @property
    def guard(self) -> tuple[Condition, ...]:
        """The statement's conditions, and those by which a fixed index has a smaller range."""
        made: list[Condition] = []
        for own in self.free_fixed:
            outer = next(i for i in self.fixed if i.name == own.name)
            made += range_conditions(own, outer)
        return (*made, *self.statement.guard)

    def _conditions_of(self, left: tuple[Index, ...]) -> tuple[Condition, ...]:
        """Return the conditions on the left indices alone: they decide whether to write at all."""
        open_left = set(left) | set(self.free_fixed)
        return tuple(
            c
            for c in self.guard
            if is_index_only(c) and all(i in open_left for i in used_indices(c))
        )

    def _nested(
        self,
        loops: tuple[Index, ...],
        body: Lines,
        only: tuple[Condition, ...] | None = None,
        skip: tuple[Condition, ...] = (),
    ) -> Lines:
        """Return ``body`` inside loops, each condition as far out as its indices allow."""
        pending = [c for c in (self.guard if only is None else only) if c not in skip]
        inner = set(loops)
        return self._level(list(loops), pending, inner, body)

    def _level(
        self, loops: list[Index], pending: list[Condition], inner: set[Index], body: Lines
    ) -> Lines:
        ready = [c for c in pending if not any(i in inner for i in used_indices(c))]
        rest = [c for c in pending if c not in ready]
        if loops:
            index = loops[0]
            inside = inner - {index}
            bounds = [b for c in rest if (b := bounds_of(c, index, inside)) is not None]
            left = [c for c in rest if bounds_of(c, index, inside) is None]
            deeper = self._level(loops[1:], left, inside, body)
            lines = _loop(index, deeper, self.scope, [part for b in bounds for part in b])
        else:
            lines = body
        if ready:
            tests = " && ".join(_guarded(c, self.scope, len(ready)) for c in ready)
            lines = [f"if ({tests}) {{", *indented(lines), "}"]
        return lines

    def _row_index(self, left: tuple[Index, ...]) -> Index | None:
        """Return the last axis' index if it may run innermost over neighbouring elements."""
        lhs = self.statement.lhs
        row = lhs.indices[-1].plain if lhs.indices else None
        if self.statement.op != "sum" or row is None or row not in left:
            return None
        size = extent(row)
        if size is not None and size < SHORTEST_ROW:
            return None
        read = accesses(self.statement.body)
        if not all(_neighbouring(access, row) for access in read):
            return None
        if any(isinstance(part, (Call, Pow, Div)) for part in _moving(self.statement.body, row)):
            return None
        looked = any(row in indices_of(f) for c in self.guard for f in _forms(c, index_only=False))
        return None if looked else row


def _added(target: str, text: str) -> Lines:
    if text.startswith("-") and " + " not in text and " - " not in text:
        return [f"{target} -= {text[1:]};"]
    return [f"{target} += {text};"]


def _moving(body: Expr, row: Index) -> list[Node]:
    return [part for part in walk(body) if row in used_indices(part)]


def _neighbouring(access: Access, row: Index) -> bool:
    """Tell whether stepping ``row`` by one stays or steps to the next element."""
    *outer, last = access.indices or (affine(0),)
    if any(row in indices_of(form) for form in outer):
        return False
    deep = [a for a, _ in last.terms if not isinstance(a, Index) and row in atoms(affine(a))]
    return not deep and dict(last.terms).get(row, 0) in (0, 1)


def _forms(condition: Condition, index_only: bool) -> list[Affine]:
    """Return the forms of conditions that read tensors."""
    if is_index_only(condition) != index_only:
        return []
    return [f for part in walk(condition) for f in _own_forms(part)]


def _own_forms(part: Node) -> tuple[Affine, ...]:
    return part.indices if isinstance(part, Access) else ()


def _guarded(condition: Condition, scope: Scope, count: int) -> str:
    text = condition_text(condition, scope)
    return f"({text})" if count > 1 and " || " in text else text


def _loop(index: Index, body: Lines, scope: Scope, bounds: Iterable[Bound] = ()) -> Lines:
    name = scope.indices[index.name]
    low, high = [index.low], [index.high]
    for bound in bounds:
        (low if bound.lower else high).append(bound.form)
    start = extreme_text(low, "std::max", scope)
    end = extreme_text(high, "std::min", scope) if len(high) > 1 else scope.high_text(index)
    if start == "0" and end == "1" and not any(name in line for line in body):
        return ["{", *indented(body), "}"] if _declares(body) else body
    return [f"for (int {name} = {start}; {name} < {end}; ++{name}) {{", *indented(body), "}"]


def _declares(body: Lines) -> bool:
    return any(line.startswith(("real ", "int ", "const ")) for line in body)
