"""Explicit form made plain: what is only a way of writing is written out.

Functions along indices, means, logsumexp and outside values become sums, quotients and conditions;
bound indices whose letter is already in use get another one. Nothing is multiplied out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from derivgen.algebra.affine import (
    Affine,
    Index,
    Lookup,
    affine,
    surely_nonnegative,
)
from derivgen.algebra.expressions import (
    Access,
    Along,
    And,
    Call,
    Compare,
    Condition,
    Expr,
    Number,
    Reduce,
    Where,
    add,
    div,
    index_value,
    map_parts,
    mul,
    replace_nodes,
    seen,
    substitute,
    transform,
    walk,
)
from derivgen.algebra.network import Axis, Function, Network, Tensor
from derivgen.calculus.names import Names
from derivgen.errors import EquationError


def expand(expr: Expr, network: Network, names: Names, free: Iterable[Index]) -> Expr:
    """Return ``expr`` without functions along indices, means and outside values."""
    if not seen(expr).explicit:
        return expr
    expr = _along(expr, network, names)
    expr = transform(expr, lambda part: _plain(part, network))
    return rename_bound(expr, {index.name for index in free}, names)


def rename_bound(expr: Expr, taken: set[str], names: Names) -> Expr:
    """Give every bound index whose letter is in use around it a fresh one."""
    if isinstance(expr, Reduce):
        fresh = {i: names.index(i, taken) for i in expr.bound if i.name in taken}
        if fresh:
            expr = substitute(expr, {old: affine(new) for old, new in fresh.items()})
        taken = taken | {i.name for i in expr.bound}
    return map_parts(expr, lambda part: rename_bound(part, taken, names))


def _along(expr: Expr, network: Network, names: Names) -> Expr:
    expr = map_parts(expr, lambda part: _along(part, network, names))
    if isinstance(expr, Along):
        function = network.functions.get(expr.name)
        if function is None or function.body is None:
            raise EquationError(expr.name, f"{expr.name} is not a function along indices.")
        return _along(apply_along(expr, function, names), network, names)
    return expr


def apply_along(call: Along, function: Function, names: Names) -> Expr:
    """Return the definition of a function along indices with the call's arguments put in."""
    assert function.body is not None, "checked by the caller"
    formal = {i.name: actual for i, actual in zip(function.indices, call.indices, strict=False)}
    body = function.body
    inner = [i for part in walk(body) if isinstance(part, Reduce) for i in part.bound]
    mapping: dict[Index, Affine] = {}
    used = {i.name for i in call.indices}
    for index in [*function.indices, *inner]:
        if index.name in formal:
            mapping[index] = affine(formal[index.name])
        elif index not in mapping:
            mapping[index] = affine(names.index(index, used))
    return bind_arguments(substitute(body, mapping), function, call.args)


def bind_arguments(body: Expr, function: Function, args: tuple[Expr, ...]) -> Expr:
    """Return ``body`` with the function's parameters replaced by ``args`` or their defaults."""
    full = full_arguments(Call(function.name, args), function)
    mapping = dict(zip(map(Access, function.params), full, strict=True))
    return replace_nodes(body, mapping)


def full_arguments(call: Call, function: Function) -> tuple[Expr, ...]:
    """Return the call's arguments, with the defaults of those left out.

    Raises: EquationError, if there are too many or too few.
    """
    defaults = dict(function.settings)
    rest = function.params[len(call.args) :]
    missing = [name for name in rest if name not in defaults]
    if missing or len(call.args) > len(function.params):
        given, wanted = len(call.args), ", ".join(function.params)
        raise EquationError(
            call.name,
            f"{call.name} is given {given} values; it takes {wanted}.",
            f"Write {call.name}({wanted}).",
        )
    return call.args + tuple(Number(defaults[name]) for name in rest)


def _plain(expr: Expr, network: Network) -> Expr:
    if isinstance(expr, Reduce) and expr.op == "mean":
        sizes = [index_value(index.size) for index in expr.bound]
        return div(Reduce("sum", expr.bound, expr.body), mul(*sizes))
    if isinstance(expr, Reduce) and expr.op == "logsumexp":
        return Call("log", (Reduce("sum", expr.bound, Call("exp", (expr.body,))),))
    if isinstance(expr, Reduce) and expr.op in ("argmax", "argmin"):
        return _from_zero(expr)
    if isinstance(expr, Access) and expr.outside is not None:
        return _padded(expr, network)
    return expr


def _from_zero(winner: Reduce) -> Expr:
    """Return the first winner over ``i: a..b`` as ``a`` and a winner counted from 0.

    A statement stores a winner's position, an equation means the index value.
    """
    index = winner.bound[0]
    if len(winner.bound) > 1 or index.low == affine(0):
        return winner
    shifted = Index(index.name, affine(0), index.size)
    body = substitute(winner.body, {index: affine(shifted) + index.low})
    return add(index_value(index.low), Reduce(winner.op, (shifted,), body))


def _padded(access: Access, network: Network) -> Expr:
    axes = network.tensors[access.tensor].axes
    tests: list[Condition] = []
    for form, axis in zip(access.indices, axes, strict=False):
        if not looked_up_within(form, axis, network.tensors):
            tests += _range_tests(form, axis.low, axis.high)
    inside = Access(access.tensor, access.indices)
    if not tests or access.outside is None:
        return inside
    condition = tests[0] if len(tests) == 1 else And(tuple(tests))
    return Where(condition, inside, access.outside)


def looked_up_within(form: Affine, axis: Axis, tensors: Mapping[str, Tensor]) -> bool:
    """Tell whether a form is an index value that by declaration lies on the axis."""
    if form.constant or len(form.terms) != 1:
        return False
    atom, count = form.terms[0]
    if not isinstance(atom, Lookup) or count != 1:
        return False
    values = tensors[atom.tensor].values_of
    return values is not None and (values.low, values.high) == (axis.low, axis.high)


def _range_tests(form: Affine, low: Affine, high: Affine) -> list[Condition]:
    tests: list[Condition] = []
    if not surely_nonnegative(form - low):
        tests.append(Compare(">=", index_value(form), index_value(low)))
    if not surely_nonnegative(high - 1 - form):
        tests.append(Compare("<=", index_value(form), index_value(high - 1)))
    return tests
