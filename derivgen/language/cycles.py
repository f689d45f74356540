"""Quantities that need themselves: a cycle of definitions without a shift along any index."""

from __future__ import annotations

from collections.abc import Mapping

from derivgen.algebra.expressions import (
    Access,
    Iverson,
    Mul,
    Node,
    Where,
    children,
    is_index_only,
)
from derivgen.algebra.network import Equation, Network
from derivgen.algebra.text import equation_text, text
from derivgen.errors import EquationError


def check_cycles(network: Network, groups: Mapping[str, list[int]]) -> None:
    """Raise EquationError for a cycle in which every step reads what it writes, unshifted.

    Cycles that shift an index are recurrences; their order is found when they are scheduled.
    """
    edges = {name: _unshifted(network, numbers, groups) for name, numbers in groups.items()}
    done: set[str] = set()
    for start in edges:
        if start not in done:
            cycle = _find(start, edges, done)
            if cycle:
                raise _problem(network, cycle, groups)


def _unshifted(
    network: Network, numbers: list[int], groups: Mapping[str, list[int]]
) -> dict[str, Equation]:
    found: dict[str, Equation] = {}
    if len(numbers) > 1:
        return found
    equation = network.equations[numbers[0]]
    stack: list[Node] = [equation.rhs]
    while stack:
        part = stack.pop()
        if isinstance(part, Access) and _needs(equation.lhs, part, groups):
            found.setdefault(part.tensor, equation)
        if not _guarded(part):
            stack.extend(reversed(children(part)))
    return found


def _guarded(part: Node) -> bool:
    # What stands under a condition on indices need not meet what it defines.
    if isinstance(part, Where):
        return is_index_only(part.condition)
    if isinstance(part, Mul):
        return any(isinstance(f, Iverson) and is_index_only(f.condition) for f in part.factors)
    return False


def _needs(lhs: Access, read: Access, groups: Mapping[str, list[int]]) -> bool:
    """Tell whether an element is defined by one equation and read at the place written."""
    if read.outside is not None or len(groups.get(read.tensor, ())) != 1:
        return False
    return all(form in lhs.indices for form in read.indices) or not read.indices


def _find(start: str, edges: Mapping[str, Mapping[str, Equation]], done: set[str]) -> list[str]:
    """Return a cycle reachable from ``start``, or nothing; depth first without recursion."""
    path: list[str] = [start]
    on_path = {start}
    trail = [iter(edges[start])]
    while trail:
        following = next(trail[-1], None)
        if following is None:
            trail.pop()
            name = path.pop()
            on_path.discard(name)
            done.add(name)
        elif following in on_path:
            return [*path[path.index(following) :], following]
        elif following not in done:
            path.append(following)
            on_path.add(following)
            trail.append(iter(edges[following]))
    return []


def _problem(network: Network, cycle: list[str], groups: Mapping[str, list[int]]) -> EquationError:
    equation = network.equations[groups[cycle[0]][0]]
    if len(cycle) == 2:
        problem = f"{text(equation.lhs)} is defined by itself."
    else:
        problem = f"{cycle[0]} needs itself: {' <- '.join(cycle)}."
    return EquationError(
        equation_text(equation),
        problem,
        "Read an earlier value, as in h[t-1; 0], or define one of them without the other.",
        equation.position,
    )
