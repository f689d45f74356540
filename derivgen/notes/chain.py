"""The chain rule written out from a scalar to the loss, every factor named, over all paths.

``dE/dw5 = dE/dout_o1 * dout_o1/dnet_o1 * dnet_o1/dw5``. Invariant: factors are the contributions of
the derivation's steps; quantities whose derivative is 1 (a sum of losses) are passed through.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from derivgen.algebra.expressions import ONE, Access, Expr, add, mul, replace_nodes, walk
from derivgen.algebra.statements import Statement
from derivgen.calculus.derivation import Contribution, Derivation, Step
from derivgen.forms.notation import partial_name
from derivgen.notes.view import View

LONGEST = 12  # factors; beyond, the derivative found before stands for its part


@dataclass(frozen=True)
class Chains:
    """The local derivatives of a net of scalars, by stand-in name.

    ``pairs``: what each stand-in is a derivative of and by; ``partials``: its value as an
    expression; ``steps``: the derivation's steps by quantity.
    """

    loss: str
    pairs: Mapping[str, tuple[str, str]]
    partials: Mapping[str, Expr]
    steps: Mapping[str, Step]
    passed: frozenset[str] = field(default=frozenset())


def is_scalar_net(derivation: Derivation) -> bool:
    """Tell whether every tensor is a number and every step has one factor for each path."""
    if any(tensor.axes for tensor in derivation.tensors.values()):
        return False
    for step in derivation.steps:
        pairs = [(c.through.lhs.tensor, c.operand.tensor) for c in step.contributions]
        if len(set(pairs)) < len(pairs):
            return False
    return True


def make_chains(derivation: Derivation) -> Chains:
    """Return the local derivatives between the scalars of a derivation."""
    loss = derivation.network.loss or ""
    steps = {step.quantity: step for step in derivation.steps if not step.auxiliary}
    passed = frozenset(q for q, step in steps.items() if _is_one(step))
    pairs: dict[str, tuple[str, str]] = {}
    partials: dict[str, Expr] = {}
    stored = _stored(derivation.forward)
    for step in steps.values():
        for made in step.contributions:
            out = loss if made.through.lhs.tensor in passed else made.through.lhs.tensor
            name = partial_name(out, step.quantity)
            pairs[name] = (out, step.quantity)
            partials[name] = replace_nodes(made.partial, stored)
    return Chains(loss, pairs, partials, steps, passed)


def _is_one(step: Step) -> bool:
    return len(step.result) == 1 and step.result[0].body == ONE


def _stored(statements: tuple[Statement, ...]) -> dict[Expr, Expr]:
    """Return the calls whose value a forward equation names."""
    return {s.body: s.lhs for s in statements if type(s.body).__name__ == "Call"}


def chain(chains: Chains, quantity: str) -> Expr:
    """Return the derivative of the loss by ``quantity`` as products of named local derivatives."""
    full = _chain(chains, quantity, {})
    return full if _factors(full) <= LONGEST else _short(chains, quantity)


def _chain(chains: Chains, quantity: str, known: dict[str, Expr]) -> Expr:
    if quantity not in known:
        step = chains.steps[quantity]
        terms = [_path(chains, made, quantity, known) for made in step.contributions]
        known[quantity] = add(*terms)
    return known[quantity]


def _path(chains: Chains, made: Contribution, quantity: str, known: dict[str, Expr]) -> Expr:
    reader = made.through.lhs.tensor
    local = Access(partial_name(_out(chains, reader), quantity))
    if reader == chains.loss or reader in chains.passed:
        return local
    return mul(_chain(chains, reader, known), local)


def _short(chains: Chains, quantity: str) -> Expr:
    terms: list[Expr] = []
    for made in chains.steps[quantity].contributions:
        reader = made.through.lhs.tensor
        local = Access(partial_name(_out(chains, reader), quantity))
        outer = reader == chains.loss or reader in chains.passed
        terms.append(local if outer else mul(Access(chains.steps[reader].adjoint), local))
    return add(*terms)


def _out(chains: Chains, reader: str) -> str:
    return chains.loss if reader in chains.passed else reader


def _factors(expr: Expr) -> int:
    return sum(isinstance(part, Access) for part in walk(expr))


def named_view(view: View, chains: Chains) -> View:
    """Return the view that prints the stand-ins as partial derivatives."""
    style = replace(view.notation.style, product="cdot")
    return replace(
        view,
        notation=replace(
            view.notation, partials={**view.notation.partials, **chains.pairs}, style=style
        ),
    )
