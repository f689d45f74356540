"""Stable rewriting: sums of exponentials relative to their largest, then the rules of `far`.

A sum ``s = sum exp(u)`` that stands in a quotient or a logarithm becomes ``m = max u`` and
``s = sum exp(u - m)``; where it is read, ``s * exp(m)`` takes its place, and the rules cancel
``exp(m)``. Any equation of that shape is served; no name of a function is known here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from derivgen.algebra.affine import Index, affine
from derivgen.algebra.expressions import (
    ZERO,
    Access,
    Call,
    Condition,
    Div,
    Expr,
    Node,
    Number,
    Pow,
    Where,
    mul,
    neg,
    tensors_read,
    transform,
    walk,
)
from derivgen.algebra.network import Axis, Function, Role, Tensor
from derivgen.algebra.statements import Statement, plain_lhs
from derivgen.lowering.cancel import cancelled
from derivgen.lowering.definitions import Definitions, maps_of
from derivgen.lowering.draft import Draft
from derivgen.lowering.far import kept_finite
from derivgen.lowering.matching import matched
from derivgen.lowering.program import Array

WATCHED = ("exp", "log", "cosh", "sinh", "log1p", "expm1")


def made_stable(draft: Draft) -> Draft:
    """Return the draft with every part and every function rewritten."""
    functions = stable_functions(draft.functions)
    arrays, tensors = dict(draft.arrays), dict(draft.tensors)
    parts = dict(draft.parts)
    for name, after in (("forward", ("backward",)), ("evaluate", ())):
        if name in parts:
            definitions = Definitions(maps_of(parts[name], arrays), draft.functions)
            rewriter = Rewriter(definitions, arrays, tensors)
            later = tuple(s for part in after for s in parts[part])
            parts[name] = rewriter.rewritten(parts[name], later)
            for part in after:
                parts[part] = rewriter.readers(parts[part])
    return replace(draft, parts=parts, arrays=arrays, tensors=tensors, functions=functions)


def stable_functions(functions: Mapping[str, Function]) -> dict[str, Function]:
    """Return functions with their bodies rewritten."""
    definitions = Definitions({}, functions)
    made = {}
    for name, function in functions.items():
        body = function.body
        if body is not None and not function.indices and _is_watched(body):
            function = replace(function, body=kept_finite(body, definitions))
        made[name] = function
    return made


def _is_watched(expr: Expr) -> bool:
    return any(isinstance(part, Call) and part.name in WATCHED for part in walk(expr))


class Rewriter:
    """Rewrites the statements of one part; keeps what definitions become up to date."""

    def __init__(
        self, definitions: Definitions, arrays: dict[str, Array], tensors: dict[str, Tensor]
    ) -> None:
        self.definitions = definitions
        self.arrays = arrays
        self.tensors = tensors
        self.shifts: dict[str, str] = {}  # sum -> the maximum it is relative to
        self.terms: list[tuple[str, tuple[Index, ...], Expr]] = []

    def rewritten(
        self, part: tuple[Statement, ...], after: tuple[Statement, ...]
    ) -> tuple[Statement, ...]:
        """Return a part's statements, with those of maxima added."""
        singles = _single_writers(part)
        wanted = _balanced_sums((*part, *after), singles)
        out: list[Statement] = []
        for statement in part:
            name = statement.lhs.tensor
            if name in wanted and (made := self._shifted(statement)):
                out += made
                continue
            new = self._finite(statement)
            if name in self.definitions.maps and new is not statement:
                indices, _ = self.definitions.maps[name]
                self.definitions.maps[name] = (indices, new.body)
            out.append(self._with_terms(new))
        return tuple(out)

    def readers(self, part: tuple[Statement, ...]) -> tuple[Statement, ...]:
        """Return statements that only read what was rewritten: the backward part."""
        vanishing = any(
            isinstance(p, Div) and tensors_read(p.denominator) for s in part for p in walk(s.body)
        )
        maps = dict(maps_of(part, self.arrays)) if vanishing else {}
        known = Definitions(maps, {})
        out = []
        for statement in part:
            if vanishing:
                body = cancelled(statement.body, known, self.definitions)
                if body is not statement.body:
                    statement = replace(statement, body=body)
                    name = statement.lhs.tensor
                    if name in maps:
                        maps[name] = (maps[name][0], body)
            out.append(self._with_terms(self._finite(statement)))
        return tuple(out)

    def _with_terms(self, statement: Statement) -> Statement:
        """Return a statement that reads exponentials from where they are kept."""
        if not self.terms:
            return statement
        body = transform(statement.body, self._take_terms)
        return statement if body is statement.body else replace(statement, body=body)

    def _finite(self, statement: Statement) -> Statement:
        """Return a statement with its body kept finite."""
        body = statement.body
        if self.shifts:
            body = transform(body, self._put_back)
        if body is statement.body and not self._watches(body):
            return statement
        body = kept_finite(body, self.definitions)
        return statement if body == statement.body else replace(statement, body=body)

    def _watches(self, body: Expr) -> bool:
        quotient = False
        for part in walk(body):
            if isinstance(part, Call) and part.name in WATCHED:
                return True
            quotient = quotient or isinstance(part, (Div, Pow))
            if quotient and isinstance(part, Access) and self.definitions.opens(part):
                return True
        return False

    def _put_back(self, part: Node) -> Node:
        if isinstance(part, Access) and part.tensor in self.shifts:
            m = Access(self.shifts[part.tensor], part.indices)
            return mul(part, Call("exp", (m,)))
        return part

    def _shifted(self, statement: Statement) -> list[Statement]:
        """Return the statements of a sum relative to its largest exponent, none if it has none."""
        found = self._exponent(statement)
        if found is None:
            return []
        u, condition = found
        lhs = statement.lhs
        stem = lhs.tensor.removeprefix("sum_")
        m = self._new(f"max_{stem}", lhs.tensor)
        guard = statement.guard if condition is None else (*statement.guard, condition)
        largest = Statement(
            statement.indices, guard, replace(lhs, tensor=m), "max", u, statement.equation
        )
        down = Call("exp", (neg(Access(m, lhs.indices)),))
        body = self._times(transform(statement.body, self._put_back), down)
        body = kept_finite(body, self.definitions)
        self.definitions.positive.add(lhs.tensor)
        self.definitions.maxima.add(m)
        self.shifts[lhs.tensor] = m
        if guard or plain_lhs(lhs) is None:
            return [largest, replace(statement, body=body)]
        terms = self._terms(f"exp_{stem}", statement, body)
        return [largest, terms, replace(statement, body=terms.lhs)]

    def _terms(self, name: str, statement: Statement, body: Expr) -> Statement:
        """Return the statement of the terms of a sum, which readers take instead of exp."""
        axes = tuple(Axis(index.low, index.high) for index in statement.indices)
        name = self._new(name, statement.lhs.tensor, axes)
        lhs = Access(name, tuple(affine(index) for index in statement.indices))
        self.terms.append((name, statement.indices, body))
        return Statement(statement.indices, (), lhs, "sum", body, statement.equation)

    def _take_terms(self, part: Node) -> Node:
        if isinstance(part, Call) and part.name == "exp":
            for name, indices, body in self.terms:
                places = matched(body, part, indices)
                if places is not None and len(places) == len(indices):
                    return Access(name, tuple(places[index] for index in indices))
        return part

    def _times(self, body: Expr, factor: Expr) -> Expr:
        if isinstance(body, Where):
            return Where(body.condition, self._times(body.yes, factor), body.no)
        return mul(self._opened(body), factor)

    def _opened(self, body: Expr) -> Expr:
        """Put the exponential for a tensor that holds one."""
        if isinstance(body, Access) and self.definitions.opens(body):
            return self.definitions.body(body) or body
        return body

    def _exponent(self, statement: Statement) -> tuple[Expr, Condition | None] | None:
        """Return the exponent of ``exp(u)`` or ``where(c, exp(u), 0)``, and the condition."""
        body = statement.body
        condition: Condition | None = None
        if isinstance(body, Where) and body.no == ZERO:
            condition, body = body.condition, body.yes
        match self._opened(body):
            case Call("exp", (u,)):
                return transform(u, self._put_back), condition
        return None

    def _new(self, name: str, like: str, axes: tuple[Axis, ...] | None = None) -> str:
        while name in self.arrays:
            name += "_"
        tensor = Tensor(name, self.tensors[like].axes if axes is None else axes)
        self.tensors[name] = tensor
        array = self.arrays[like]
        if axes is not None:
            array = Array(
                name,
                Role.VALUE,
                tuple(axis.size for axis in axes),
                tuple(axis.low.constant for axis in axes),
                self._sample_axis(axes),
            )
        self.arrays[name] = replace(array, name=name, role=Role.VALUE, integer=False)
        return name

    def _sample_axis(self, axes: tuple[Axis, ...]) -> int | None:
        open_axes = [place for place, axis in enumerate(axes) if not axis.size.is_constant]
        return open_axes[0] if open_axes else None


def _single_writers(part: Iterable[Statement]) -> dict[str, Statement]:
    found: dict[str, Statement | None] = {}
    for statement in part:
        name = statement.lhs.tensor
        found[name] = None if name in found else statement
    return {name: s for name, s in found.items() if s is not None}


def _balanced_sums(
    statements: Iterable[Statement], singles: Mapping[str, Statement]
) -> dict[str, None]:
    """Return the sums that stand below a fraction bar or in a logarithm somewhere."""
    sums = {name for name, s in singles.items() if s.op == "sum" and s.bound}
    found: dict[str, None] = {}
    if not sums:
        return found
    for statement in statements:
        for part in walk(statement.body):
            below = _below(part)
            if below is not None:
                found.update((n, None) for n in tensors_read(below) if n in sums)
    return found


def _below(part: Node) -> Expr | None:
    match part:
        case Div(_, denominator):
            return denominator
        case Call("log", (argument,)):
            return argument
        case Pow(base, exponent) if not (isinstance(exponent, Number) and exponent.value > 0):
            return base
    return None
