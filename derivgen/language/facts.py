"""Declared facts: about data only, of a shape that random values can be made to satisfy."""

from __future__ import annotations

from derivgen.algebra.expressions import (
    Access,
    Expr,
    Number,
    Pow,
    Reduce,
    free_indices,
    number,
    tensors_read,
)
from derivgen.algebra.network import Fact, Network, Role, Tensor
from derivgen.algebra.text import text
from derivgen.errors import FactError

DATA = (Role.INPUT, Role.TARGET, Role.CONST)


def check_facts(network: Network) -> None:
    """Raise FactError for a fact that no data could be checked for, or none could be drawn for."""
    levels: dict[Expr, Fact] = {}
    for fact in network.facts:
        for name in [*tensors_read(fact.left), *tensors_read(fact.right)]:
            if network.tensors[name].role not in DATA:
                raise _about_no_data(fact, network.tensors[name])
        if not fact.implied_by and not (_drawable(fact.left, fact.right)):
            raise _undrawable(fact)
        known = levels.setdefault(fact.left, fact)
        if known.right != fact.right and isinstance(fact.right, Number):
            raise _contradiction(known, fact)


def _drawable(left: Expr, right: Expr) -> bool:
    if isinstance(left, Number):
        left, right = right, left
    if isinstance(left, Access) and isinstance(right, Access) and left.tensor == right.tensor:
        return sorted(map(str, left.indices)) == sorted(map(str, right.indices))
    if free_indices(right):
        return False
    if isinstance(left, Reduce) and left.op in ("sum", "mean"):
        body = left.body
        if isinstance(body, Pow) and body.exponent == number(2):
            positive = not isinstance(right, Number) or right.value > 0
            return positive and isinstance(body.base, Access)
        return isinstance(body, Access)
    return isinstance(left, Access)


def _error(fact: Fact, problem: str, advice: str) -> FactError:
    shown = f"assume {text(fact.left)} = {text(fact.right)}"
    error = FactError(shown, problem, advice, fact.position)
    error.exit_code = 2  # the text is wrong, not the data
    return error


def _about_no_data(fact: Fact, tensor: Tensor) -> FactError:
    role = "defined by equations" if tensor.role is Role.VALUE else f"a {tensor.role.value}"
    return _error(
        fact,
        f"{tensor.name} is {role}: no data can be checked for it.",
        "A fact is about inputs, targets and consts.",
    )


def _undrawable(fact: Fact) -> FactError:
    return _error(
        fact,
        "No random values can be drawn that satisfy a fact of this form.",
        "Write it as sum[k](x[k]) = c, sum[k](x[k]^2) = c with c > 0, x[i,j] = x[j,i] or x[0] = c.",
    )


def _contradiction(known: Fact, fact: Fact) -> FactError:
    other = f"{known.implied_by} is onehot" if known.implied_by else "another fact"
    return _error(
        fact,
        f"{other}: {text(known.left)} = {text(known.right)}.",
        "Keep one of the two.",
    )
