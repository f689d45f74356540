r"""Derivatives against time: ``\partial h_{t-1}/\partial h_t`` is 0, and no one multiplies by it.

A product with such a factor vanishes, so that a sum may be right without it; the writer has turned
the fraction. A derivative that stands alone, as in ``... = 0``, claims what it says.
"""

from __future__ import annotations

from typing import Any

from derivgen.algebra.expressions import Access, walk
from derivgen.algebra.network import Network
from derivgen.formulas.symbols import Symbols
from derivgen.formulas.terms import Fold, Ref, Term, at_path
from derivgen.formulas.terms import walk as walk_term


def against_time(member: Term, symbols: Symbols) -> Term | None:
    """Return a factor that differentiates a quantity by its own value at a later time."""
    for path, term in walk_term(member):
        if term.op != "gradient" or term.data.symbol or not path:
            continue
        around = (at_path(member, path[:depth]) for depth in range(len(path)))
        if _is_later(term.args[1].data, term.args[0].data, symbols) and any(
            map(_multiplies, around)
        ):
            return term
    return None


def _multiplies(term: Term) -> bool:
    return term.op == "multiply" or isinstance(term.data, Fold) and term.data.op == "prod"


def _is_later(by: Any, of: Any, symbols: Symbols) -> bool:
    if not isinstance(by, Ref) or not isinstance(of, Ref):
        return False
    axis = symbols.time_axes.get(of.tensor)
    if axis is None or by.tensor != of.tensor or symbols.network is None:
        return False
    one, other = (ref.slots[axis] if ref.slots else None for ref in (by, of))
    if one is None or other is None or one.letters != other.letters or not one.letters:
        return False
    return (one.constant - other.constant) * _direction(of.tensor, axis, symbols.network) > 0


def _direction(tensor: str, axis: int, network: Network) -> int:
    """Return 1 where a tensor is made from its earlier values, -1 from later ones, 0 from both."""
    shifts = {
        part.indices[axis].constant > 0
        for equation in network.equations
        for part in walk(equation.rhs)
        if isinstance(part, Access) and part.tensor == tensor and part.indices[axis].constant
    }
    return 0 if len(shifts) != 1 else (-1 if shifts.pop() else 1)
