"""Exact derivatives of any quantity by another, from the engine's derivative of a seeded sum.

``d(u[a], x[b])`` is the derivative of ``sum[i](seed[i]*u[i])`` by ``x[b]``, with the seed set to
``[i = a]``: the engine's own statements again, for the network with that sum as its loss.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from derivgen.algebra.affine import Index, affine
from derivgen.algebra.expressions import Access, Mul, Reduce
from derivgen.algebra.network import Equation, Network, Role, Tensor
from derivgen.verify import polynomials as poly
from derivgen.verify.exact import Exact, Places, exact_of
from derivgen.verify.polynomials import NoProof, Poly

SEED, SUM = "seed of a derivative", "seeded sum"


def jacobian(exact: Exact, of: str, at: Places, by: str, places: Places) -> Poly:
    """Return the derivative of an element by another. Raises: NoProof."""
    found = exact_of(_seeded(exact.network, of), exact.level).adjoint(by, places)
    return poly.plus(*(_planted(mono, value, at) for mono, value in found.items()))


def _planted(mono: poly.Mono, value: Any, at: Places) -> Poly:
    """Put ``[i = a]`` for the seed in one monomial, which holds it once."""
    bound, factors = mono
    seeds = [gen for gen, exponent in factors if gen[:2] == ("access", SEED) and exponent == 1]
    rest = tuple((gen, exponent) for gen, exponent in factors if gen not in seeds)
    if len(seeds) != 1 or SEED in repr(rest):
        raise NoProof("a derivative that is not linear in its seed")
    same = poly.constant(value)
    for one, other in zip(seeds[0][2], at):
        same = poly.times(same, poly.generator(("same", min(one, other), max(one, other))))
    ((_, made),) = same.keys() if len(same) == 1 else (((), ()),)
    return {(bound, tuple(sorted((*made, *rest), key=repr))): value}


def _seeded(network: Network, of: str) -> Network:
    """Return the network whose loss is the seeded sum of one tensor."""
    kept: dict[str, Network] = network.__dict__.setdefault("_seeded", {})
    if of not in kept:
        axes = network.tensors[of].axes
        letters = tuple(Index(f"seed{n}", a.low, a.high) for n, a in enumerate(axes))
        forms = tuple(affine(i) for i in letters)
        product = Mul((Access(SEED, forms), Access(of, forms)))
        body = Reduce("sum", letters, product) if letters else product
        tensors = {
            **network.tensors,
            SEED: Tensor(SEED, axes, Role.INPUT),
            SUM: Tensor(SUM),
        }
        equations = tuple(e for e in network.equations if e.lhs.tensor != network.loss)
        equations += (Equation(Access(SUM), body),)
        tensors.pop(network.loss or "", None)
        kept[of] = replace(network, tensors=tensors, equations=equations, loss=SUM, training=None)
    return kept[of]
