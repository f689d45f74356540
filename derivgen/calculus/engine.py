"""The engine: from a network to its derivation.

Forward statements come from `normalise`; derivatives that equations ask for (``d(u, x)``) are
supplied by the same reverse mode; then the loss is pulled back, tensor by tensor, and what came out
is simplified by named rules. The steps returned hold all of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from derivgen.algebra.affine import affine
from derivgen.algebra.expressions import (
    Access,
    Along,
    Call,
    mul,
    walk,
)
from derivgen.algebra.network import Network, Role
from derivgen.algebra.pause import no_collection
from derivgen.algebra.statements import Statement
from derivgen.calculus.bridge import FLAT
from derivgen.calculus.derivation import Derivation, Named, Step, UsedFact
from derivgen.calculus.derivatives import loop, reverse, supply_derivatives
from derivgen.calculus.lemmas import Lemmas
from derivgen.calculus.names import Names
from derivgen.calculus.normalise import KEPT_IN_PLACE, normalise
from derivgen.calculus.reverse import Adjoints, Forward
from derivgen.calculus.schedule import computing_order
from derivgen.calculus.simplify import simplify
from derivgen.errors import EquationError, NameProblem


def derive(network: Network, wrt: Sequence[str] | None = None) -> Derivation:
    """Derive the gradients of the loss by ``wrt`` (all parameters by default), for one sample.

    Raises: EquationError, if there is no loss or no order of computation exists;
    NameProblem, if ``wrt`` names no tensor that can be differentiated by.
    """
    loss = _loss(network)
    asked = _asked(network, wrt)
    with no_collection():
        return _derive(network, forward_part(network), loss, asked)


def hessian_vector(network: Network, wrt: str, then: Sequence[str] | None = None) -> Derivation:
    """Derive ``sum_V v_V`` products of second derivatives: the gradient of a gradient.

    With ``g = dE/dW`` for ``wrt`` W, the scalar ``sum(g * v_W)`` is differentiated by each tensor
    of ``then`` (all parameters by default): ``H v``. The direction is the input ``v_W``.
    """
    loss = _loss(network)
    first = _asked(network, (wrt,))
    asked = _asked(network, then)
    forward = forward_part(network)
    derivation = _derive(network, forward, loss, first)
    scalar = _directional(forward, derivation, wrt)
    extended = replace(
        network,
        tensors={**network.tensors, f"v_{wrt}": forward.tensors[f"v_{wrt}"]},
        loss=scalar,
    )
    second = _derive(extended, forward, scalar, asked, "adj2")
    facts = {fact.number: fact for fact in (*derivation.facts, *second.facts)}
    return replace(second, facts=tuple(facts.values()))


def _directional(forward: Forward, derivation: Derivation, wrt: str) -> str:
    """Append the statement of the scalar product of a gradient with a direction."""
    gradient = derivation.gradients[wrt]
    tensor = forward.tensors[gradient]
    forward.statements += list(derivation.backward)
    forward.statements = computing_order(forward.statements)
    forward.tensors[f"v_{wrt}"] = replace(tensor, name=f"v_{wrt}", role=Role.INPUT)
    scalar = forward.names.tensor(f"slope_{wrt}")
    forward.add_tensor(scalar, (), ())
    indices = loop(forward, tensor.axes, tensor.axis_names)
    own = tuple(affine(index) for index in indices)
    body = mul(Access(gradient, own), Access(f"v_{wrt}", own))
    forward.statements.append(Statement(indices, (), Access(scalar), "sum", body))
    return scalar


def _loss(network: Network) -> str:
    if network.loss is None:
        raise EquationError(
            network.name, "There is no loss to differentiate.", "Add a line such as: loss E = ..."
        )
    return network.loss


def _asked(network: Network, wrt: Sequence[str] | None) -> tuple[str, ...]:
    if wrt is None:
        return tuple(tensor.name for tensor in network.parameters)
    for name in wrt:
        if name not in network.tensors:
            known = ", ".join(network.tensors)
            raise NameProblem(name, f"There is no tensor {name}.", f"The tensors are: {known}.")
        if network.tensors[name].values_of is not None:
            raise NameProblem(name, f"{name} holds index values; nothing has a slope by it.")
    return tuple(wrt)


def _derive(
    network: Network, forward: Forward, loss: str, asked: tuple[str, ...], prefix: str = "adj"
) -> Derivation:
    adjoints = Adjoints(_AdjointNames(forward, prefix), loss)
    steps = reverse(forward, adjoints, asked)
    warnings = []
    reached = {step.quantity for step in steps}
    for name in asked:
        if name not in reached:
            warnings.append(f"The loss {loss} does not depend on {name}: its gradient is zero.")
            steps.append(Step(name, adjoints.name(name), (), (), ()))
    for step in steps:
        old = forward.tensors[step.quantity]
        forward.add_tensor(step.adjoint, old.axes, old.axis_names)
    kept = {adjoints.name(name) for name in asked}
    simple, used = simplify(steps, forward, network, kept)
    facts = tuple(UsedFact(n, network.facts[n].left, network.facts[n].right) for n in used)
    return Derivation(
        network,
        forward.tensors,
        tuple(forward.statements),
        forward.named,
        simple,
        forward.lemmas.known,
        {name: adjoints.name(name) for name in asked},
        facts,
        tuple(warnings),
    )


class _AdjointNames:
    """Names of adjoints, kept clear of the network's own names."""

    def __init__(self, forward: Forward, prefix: str) -> None:
        self.forward, self.prefix = forward, prefix
        self.known: dict[str, str] = {}

    def __call__(self, name: str) -> str:
        if name not in self.known:
            self.known[name] = self.forward.names.tensor(f"{self.prefix}_{name}")
        return self.known[name]


def forward_part(network: Network) -> Forward:
    """Return the forward statements, those of derivatives inside the equations included."""
    names = Names(network)
    normal = normalise(network, names)
    forward = Forward(
        names,
        computing_order(normal.statements),
        dict(normal.tensors),
        dict(normal.named),
        Lemmas(network.functions),
        preactivations=_preactivations(network, normal.named),
    )
    supply_derivatives(network, forward, dict(normal.derivatives))
    return forward


def _preactivations(network: Network, named: Mapping[str, Named]) -> frozenset[str]:
    """Return the tensors whose values an activation is applied to; their adjoints are deltas."""
    found = {name for name, part in named.items() if part.reason == "argument"}
    for equation in network.equations:
        for part in walk(equation.rhs):
            activation = isinstance(part, Call) and part.name not in (*KEPT_IN_PLACE, *FLAT)
            if isinstance(part, (Call, Along)) and (activation or isinstance(part, Along)):
                found |= {arg.tensor for arg in part.args if isinstance(arg, Access)}
    return frozenset(found)
