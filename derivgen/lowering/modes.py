"""Networks beside the network: as at prediction, with next states, and of its facts.

Each is again a network of equations, so that the engine's one road from equations to statements
serves them all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from derivgen.algebra.affine import Affine, Index, affine
from derivgen.algebra.expressions import (
    ZERO,
    Access,
    Expr,
    Node,
    Reduce,
    add,
    free_indices,
    neg,
    substitute,
    transform,
)
from derivgen.algebra.network import Axis, Equation, Network, Role, Tensor
from derivgen.calculus.derivation import UsedFact

NEXT = "next_"


def with_next_states(network: Network) -> tuple[Network, dict[str, str]]:
    """Return the network with an equation for each state's next value, and their names."""
    tensors, equations = dict(network.tensors), list(network.equations)
    nexts: dict[str, str] = {}
    for update in network.updates:
        state = update.lhs.tensor
        name = _fresh(f"{NEXT}{state}", tensors)
        nexts[state] = name
        tensors[name] = Tensor(name, tensors[state].axes)
        equations.append(Equation(Access(name, update.lhs.indices), update.rhs, update.position))
    made = replace(network, tensors=tensors, equations=tuple(equations), updates=())
    return (made, nexts) if nexts else (network, nexts)


def predicting(network: Network) -> Network:
    """Return the network as at prediction; the same object if training does not differ.

    Random tensors and states with a ``predict`` become equations, and so do equations' own.
    """
    tensors, equations = dict(network.tensors), list(network.equations)
    swapped: dict[str, str] = {}
    for place, equation in enumerate(equations):
        if equation.predict is not None:
            equations[place] = replace(equation, rhs=equation.predict, predict=None)
    for tensor in network.of_role(Role.RANDOM, Role.STATE):
        indices = tuple(_index(tensor, axis) for axis in range(len(tensor.axes)))
        own = Access(tensor.name, tuple(affine(i) for i in indices))
        if tensor.predict is None or tensor.predict == own:
            continue
        name = _fresh(f"{tensor.name}_predict", tensors)
        swapped[tensor.name] = name
        tensors[name] = Tensor(name, tensor.axes)
        rhs = _over(tensor.predict, indices)
        equations.append(Equation(Access(name, tuple(affine(i) for i in indices)), rhs))
    made = tuple(equations)
    if swapped:
        kept = len(network.equations)
        made = tuple(_renamed(e, swapped) for e in made[:kept]) + made[kept:]
    if made == network.equations:
        return network
    return replace(network, tensors=tensors, equations=made)


def of_facts(network: Network, facts: Sequence[UsedFact]) -> tuple[Network, dict[int, str]]:
    """Return a network that computes ``left - right`` of each fact, and the tensors' names."""
    given = (Role.INPUT, Role.TARGET, Role.CONST)
    tensors = {t.name: t for t in network.of_role(*given)}
    equations: list[Equation] = []
    names: dict[int, str] = {}
    total: list[Expr] = []
    for fact in facts:
        difference = add(fact.left, neg(fact.right))
        indices = tuple(free_indices(difference))
        name = _fresh(f"fact_{fact.number}", tensors)
        names[fact.number] = name
        tensors[name] = Tensor(name, tuple(Axis(i.low, i.high) for i in indices))
        lhs = Access(name, tuple(affine(i) for i in indices))
        equations.append(Equation(lhs, difference))
        total.append(Reduce("sum", indices, lhs) if indices else lhs)
    loss = _fresh("facts", tensors)
    tensors[loss] = Tensor(loss)
    equations.append(Equation(Access(loss), add(*total) if total else ZERO))
    made = replace(
        network,
        tensors=tensors,
        equations=tuple(equations),
        loss=loss,
        facts=(),
        updates=(),
        output=None,
        training=None,
    )
    return made, names


def _fresh(name: str, taken: Mapping[str, object]) -> str:
    while name in taken:
        name += "_"
    return name


def _index(tensor: Tensor, axis: int) -> Index:
    names = tensor.axis_names
    name = names[axis] if axis < len(names) and names[axis] else f"i{axis}"
    return Index(name, tensor.axes[axis].low, tensor.axes[axis].high)


def _over(expr: Expr, indices: tuple[Index, ...]) -> Expr:
    """Return a ``predict`` over the tensor's indices, matched by their letters."""
    by_name = {index.name: index for index in indices}
    mapping: dict[Index, Affine] = {
        index: affine(by_name[index.name]) for index in free_indices(expr) if index.name in by_name
    }
    return substitute(expr, mapping)


def _renamed(equation: Equation, names: Mapping[str, str]) -> Equation:
    def visit(part: Node) -> Node:
        if isinstance(part, Access) and part.tensor in names:
            return Access(names[part.tensor], part.indices, part.outside)
        return part

    return replace(equation, rhs=transform(equation.rhs, visit))
