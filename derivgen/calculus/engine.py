"""The engine: from a network to its derivation.

Forward statements come from `normalise`; derivatives that equations ask for (``d(u, x)``) are
supplied by the same reverse mode; then the loss is pulled back, tensor by tensor, and what came out
is simplified by named rules. The steps returned hold all of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from derivgen.algebra.affine import Index, affine
from derivgen.algebra.expressions import (
    ONE,
    Access,
    Along,
    Call,
    Derivative,
    mul,
    walk,
)
from derivgen.algebra.network import Axis, Network, Role
from derivgen.algebra.pause import no_collection
from derivgen.algebra.statements import Statement
from derivgen.calculus.bridge import FLAT
from derivgen.calculus.derivation import Contribution, Derivation, Named, Step, UsedFact
from derivgen.calculus.lemmas import Lemmas
from derivgen.calculus.names import Names
from derivgen.calculus.normalise import KEPT_IN_PLACE, normalise
from derivgen.calculus.reverse import Adjoints, Forward, depends_on, needed_for, pull_back, reach
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
    return _derive(extended, forward, scalar, asked, "adj2")


def _directional(forward: Forward, derivation: Derivation, wrt: str) -> str:
    """Append the statement of the scalar product of a gradient with a direction."""
    gradient = derivation.gradients[wrt]
    tensor = forward.tensors[gradient]
    forward.statements += list(derivation.backward)
    forward.statements = computing_order(forward.statements)
    forward.tensors[f"v_{wrt}"] = replace(tensor, name=f"v_{wrt}", role=Role.INPUT)
    scalar = forward.names.tensor(f"slope_{wrt}")
    forward.add_tensor(scalar, (), ())
    indices = _loop(forward, tensor.axes, tensor.axis_names)
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


def reverse(forward: Forward, adjoints: Adjoints, asked: Sequence[str]) -> list[Step]:
    """Return the raw steps that pull the seed back to ``asked``, in an order of computation."""
    statements = list(forward.statements)
    counts = forward.writers()
    forward.single = frozenset(name for name, count in counts.items() if count == 1)
    smooth = [s for s in statements if not s.op.startswith("arg")]
    wanted = depends_on(smooth, asked)
    needed = needed_for(smooth, [adjoints.seed])
    active = {name for name in wanted if name in needed}
    found = [
        contribution
        for statement in reversed(smooth)
        if statement.lhs.tensor in active
        for contribution in pull_back(statement, forward, adjoints, active.__contains__)
    ]
    paths = _from_seed(found, adjoints.seed)
    last = {statement.lhs.tensor: n for n, statement in enumerate(statements)}
    order = sorted(paths, key=lambda name: -last.get(name, -1))
    return [_raw_step(name, paths[name], forward, adjoints) for name in order]


def _from_seed(found: list[Contribution], seed: str) -> dict[str, list[Contribution]]:
    """Return the contributions by operand, without those that nothing reaches.

    A quantity read in conditions only, or under `stop_gradient`, has no adjoint to hand on.
    """
    targets: dict[str, list[str]] = {}
    for path in found:
        targets.setdefault(path.through.lhs.tensor, []).append(path.operand.tensor)
    reached = reach(targets, [seed])
    paths: dict[str, list[Contribution]] = {}
    for path in found:
        if path.through.lhs.tensor in reached:
            paths.setdefault(path.operand.tensor, []).append(path)
    return paths


def _raw_step(name: str, paths: list[Contribution], forward: Forward, adjoints: Adjoints) -> Step:
    made = tuple(path.statement for path in paths)
    delta = name in forward.preactivations
    return Step(name, adjoints.name(name), tuple(paths), (), made, delta)


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
    _supply_derivatives(network, forward, dict(normal.derivatives))
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


# --- derivatives inside equations ----------------------------------------------------------------


def _supply_derivatives(network: Network, forward: Forward, waiting: dict[str, Derivative]) -> None:
    """Add the statements of ``d(u, x)``, innermost first, so that they may be differentiated."""
    while waiting:
        ready = [n for n, d in waiting.items() if not _blocked(forward, d.of.tensor, waiting)]
        if not ready:
            names = " and ".join(f"d({d.of.tensor}, {d.by.tensor})" for d in waiting.values())
            raise EquationError(names, "A derivative is used to define what it differentiates.")
        for name in ready:
            _supply(network, forward, name, waiting.pop(name))
        forward.statements = computing_order(forward.statements)


def _blocked(forward: Forward, tensor: str, waiting: dict[str, Derivative]) -> bool:
    needed = needed_for(forward.statements, [tensor])
    return any(name in needed for name in waiting)


def _supply(network: Network, forward: Forward, name: str, derivative: Derivative) -> None:
    of, by = derivative.of.tensor, derivative.by.tensor
    tensor = forward.tensors[of]
    leading = _loop(forward, tensor.axes, tensor.axis_names)
    known = {by: name}

    def naming(operand: str) -> str:
        if operand not in known:
            known[operand] = forward.names.tensor(f"d_{of}_d_{operand}")
        return known[operand]

    adjoints = Adjoints(naming, of, leading)
    raw = reverse(forward, adjoints, (by,))
    for step in raw:
        old = forward.tensors[step.quantity]
        if step.adjoint != name:
            axis_names = (*(i.name for i in leading), *old.axis_names)
            forward.add_tensor(step.adjoint, (*tensor.axes, *old.axes), axis_names)
            part = Derivative(Access(of), Access(step.quantity))
            forward.named[step.adjoint] = Named(step.adjoint, part, "derivative", -1)
    if leading or of == by:
        forward.statements.append(_seed(forward, adjoints, of, leading))
    steps, _ = simplify(raw, forward, network, {name})
    forward.statements += [statement for step in steps for statement in step.result]


def _seed(forward: Forward, adjoints: Adjoints, of: str, leading: tuple[Index, ...]) -> Statement:
    """Return ``d u[a] / d u[a] = 1``."""
    place = adjoints.place(Access(of, tuple(affine(index) for index in leading)))
    if place.tensor not in forward.tensors:
        axes = forward.tensors[of].axes
        forward.add_tensor(place.tensor, axes + axes, ())
        part = Derivative(Access(of), Access(of))
        forward.named[place.tensor] = Named(place.tensor, part, "derivative", -1)
    return Statement(leading, (), place, "sum", ONE)


def _loop(
    forward: Forward, axes: tuple[Axis, ...], axis_names: tuple[str, ...]
) -> tuple[Index, ...]:
    """Return fresh indices over the given axes."""
    letters = [*axis_names, *"abcdefgh"[len(axis_names) :]]
    return tuple(
        forward.names.unique_index(Index(letter, axis.low, axis.high))
        for letter, axis in zip(letters, axes, strict=False)
    )
