"""Takes ``stop_gradient(e)`` out of statements, so that ``e`` can keep its value at one point."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from derivgen.algebra.affine import affine
from derivgen.algebra.expressions import Access, Call, Expr, Node, transform, walk
from derivgen.algebra.network import Axis, Function, Tensor
from derivgen.algebra.statements import Statement
from derivgen.calculus.expand import bind_arguments

STOP = "stop_gradient"


@dataclass(frozen=True)
class Frozen:
    """Statements that read a tensor for each ``stop_gradient``; ``made`` are what fills those."""

    statements: tuple[Statement, ...]
    made: tuple[Statement, ...]
    tensors: Mapping[str, Tensor]


def freeze(
    statements: Sequence[Statement],
    tensors: Mapping[str, Tensor],
    functions: Mapping[str, Function],
) -> Frozen:
    """Return the statements with every ``stop_gradient(e)`` replaced by an access."""
    made: list[Statement] = []
    kept: list[Statement] = []
    known = dict(tensors)
    for statement in statements:
        body = _inlined(statement.body, functions)
        own = [_filling(statement, e, len(made) + k) for k, e in enumerate(_stopped(body))]
        axes = tuple(Axis(index.low, index.high) for index in statement.indices)
        known.update({s.lhs.tensor: Tensor(s.lhs.tensor, axes) for s in own})
        made += own
        places = {Call(STOP, (s.body,)): s.lhs for s in own}
        kept.append(replace(statement, body=_put(body, places)) if own else statement)
    return Frozen(tuple(kept), tuple(made), known)


def _put(body: Expr, places: Mapping[Any, Any]) -> Any:
    return transform(body, lambda part: places.get(part, part))


def _stopped(body: Expr) -> list[Expr]:
    """Return what stands inside a ``stop_gradient`` that holds no other."""
    calls = [part for part in walk(body) if isinstance(part, Call) and part.name == STOP]
    inner = [c.args[0] for c in calls if not _stops(c.args[0])]
    return list(dict.fromkeys(inner))


def _stops(expr: Node) -> bool:
    return any(isinstance(part, Call) and part.name == STOP for part in walk(expr))


def _filling(statement: Statement, stopped: Expr, number: int) -> Statement:
    lhs = Access(f"stopped'{number}", tuple(affine(index) for index in statement.indices))
    return replace(statement, lhs=lhs, op="sum", body=stopped)


def _inlined(body: Expr, functions: Mapping[str, Function]) -> Any:
    """Write out the defined functions that hold a ``stop_gradient``."""

    def visit(part: Node) -> Node:
        function = functions.get(part.name) if isinstance(part, Call) else None
        if function is None or function.body is None or not _stops_deep(function, functions):
            return part
        assert isinstance(part, Call)
        return _inlined(bind_arguments(function.body, function, part.args), functions)

    return transform(body, visit)


def _stops_deep(function: Function, functions: Mapping[str, Function]) -> bool:
    if function.body is None:
        return False
    called = [part.name for part in walk(function.body) if isinstance(part, Call)]
    inner = [functions[name] for name in called if name in functions]
    return STOP in called or any(_stops_deep(f, functions) for f in inner)
