"""What tensors and functions stand for, where a rule may look through their names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from derivgen.algebra.affine import Index
from derivgen.algebra.expressions import (
    Access,
    Call,
    Div,
    Expr,
    Mul,
    children,
    replace_nodes,
    substitute,
    tensors_read,
)
from derivgen.algebra.network import Function
from derivgen.algebra.statements import Statement, plain_lhs
from derivgen.lowering.program import Array

GROWING = ("exp", "cosh", "sinh")
DEPTH = 3  # names looked through


@dataclass
class Definitions:
    """Bodies of tensors that one map defines everywhere, and of functions.

    ``positive`` are sums of exponentials taken relative to their largest.
    """

    maps: dict[str, tuple[tuple[Index, ...], Expr]]
    functions: Mapping[str, Function]
    positive: set[str] = field(default_factory=set)
    maxima: set[str] = field(default_factory=set)  # what they are relative to
    grows: dict[tuple[str, int], bool] = field(default_factory=dict)

    def body(self, access: Access) -> Expr | None:
        """Return what an access stands for, if a map says so."""
        found = self.maps.get(access.tensor)
        if found is None:
            return None
        indices, body = found
        return substitute(body, dict(zip(indices, access.indices)))

    def call(self, call: Call) -> Expr | None:
        """Return a defined function's body at the arguments of a call."""
        function = self.functions.get(call.name)
        if function is None or function.body is None or len(function.params) != len(call.args):
            return None
        return bound_to(function.body, dict(zip(function.params, call.args)))

    def growing(self, expr: Expr, depth: int = DEPTH) -> bool:
        """Tell whether an expression contains an exponential, looking through names so deep."""
        if isinstance(expr, Call) and expr.name in GROWING:
            return True
        if isinstance(expr, Access):
            return self._growing_name(expr.tensor, depth)
        if isinstance(expr, Call) and self._growing_name(expr.name, depth):
            return True
        return any(self.growing(part, depth) for part in children(expr))

    def _growing_name(self, name: str, depth: int) -> bool:
        key = (name, depth)
        if key not in self.grows:
            function = self.functions.get(name)
            body = function.body if function else self.maps.get(name, (None, None))[1]
            self.grows[key] = body is not None and depth > 0 and self.growing(body, depth - 1)
        return self.grows[key]

    def opens(self, access: Access) -> bool:
        """Tell whether a tensor is a product with an exponential, so that it may overflow."""
        found = self.maps.get(access.tensor)
        return found is not None and self._has_factor(found[1])

    def _has_factor(self, body: Expr) -> bool:
        match body:
            case Call("exp", (argument,)):
                return not any(name in self.maxima for name in tensors_read(argument))
            case Call(name):
                return name in GROWING
            case Mul(factors):
                return any(self._has_factor(factor) for factor in factors)
            case Div(above, below):
                return self._has_factor(above) or self._has_factor(below)
            case _:
                return False


def bound_to(body: Expr, values: Mapping[str, Expr]) -> Expr:
    """Return a function's body with its parameters replaced."""
    return replace_nodes(body, {Access(name): value for name, value in values.items()})


def maps_of(
    statements: Iterable[Statement], arrays: Mapping[str, Array]
) -> dict[str, tuple[tuple[Index, ...], Expr]]:
    """Return the tensors that a single map defines at every place."""
    found: dict[str, Statement | None] = {}
    for statement in statements:
        name = statement.lhs.tensor
        found[name] = None if name in found else statement
    maps = {}
    for name, only in found.items():
        if only is None or only.guard or only.op != "sum":
            continue
        left = plain_lhs(only.lhs)
        if left is not None and len(left) == len(only.indices) and _whole(left, arrays[name]):
            maps[name] = (left, only.body)
    return maps


def _whole(left: tuple[Index, ...], array: Array) -> bool:
    return all(
        index.size == size and index.low.constant == low
        for index, size, low in zip(left, array.shape, array.lows)
    )
