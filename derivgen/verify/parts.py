"""The loss of one time: ``L = sum[t,k](...)`` as a sum of named parts, so that L_t can be read.

Invariant: an equal network; only a loss that is a sum or mean over times is parted.
"""

from __future__ import annotations

from dataclasses import replace

from derivgen.algebra.affine import Index, affine
from derivgen.algebra.expressions import (
    ONE,
    Access,
    Div,
    Expr,
    IndexValue,
    Mul,
    Reduce,
    div,
    mul,
    walk,
)
from derivgen.algebra.network import Axis, Equation, Network, Tensor
from derivgen.formulas.sequence import part_name, time_key


def with_parts(network: Network) -> Network:
    """Return the network in which the loss of one time has a name, if the loss adds them up."""
    key = time_key(network)
    own = [e for e in network.equations if e.lhs.tensor == network.loss and not e.lhs.indices]
    if key is None or len(own) != 1 or own[0].predict is not None:
        return network
    scale, inner = _scaled(own[0].rhs)
    if not isinstance(inner, Reduce) or inner.op not in ("sum", "mean"):
        return network
    times = [i for i in inner.bound if i.high == key[2]]
    if len(times) != 1:
        return network
    return _parted(network, own[0], scale, inner, times[0])


def _parted(
    network: Network,
    loss: Equation,
    scale: tuple[list[Expr], list[Expr]],
    inner: Reduce,
    time: Index,
) -> Network:
    rest = tuple(index for index in inner.bound if index is not time)
    body = Reduce(inner.op, rest, inner.body) if rest else inner.body
    made = Access(part_name(loss.lhs.tensor), (affine(time),))
    inside, outside = scale
    part = Equation(made, mul(*inside, body), loss.position)
    whole = replace(loss, rhs=mul(*outside, Reduce(inner.op, (time,), made)))
    place = network.equations.index(loss)
    equations = (*network.equations[:place], part, whole, *network.equations[place + 1 :])
    tensor = Tensor(made.tensor, (Axis(time.low, time.high),))
    return replace(network, equations=equations, tensors={**network.tensors, made.tensor: tensor})


def _scaled(rhs: Expr) -> tuple[tuple[list[Expr], list[Expr]], Expr]:
    """Part ``1/2*sum(...)/T``: numbers belong to each part, sizes to the whole."""
    inside: list[Expr] = []
    outside: list[Expr] = []
    while isinstance(rhs, (Mul, Div)):
        if isinstance(rhs, Div):
            if any(isinstance(part, Access) for part in walk(rhs.denominator)):
                break
            (outside if _holds_size(rhs.denominator) else inside).append(div(ONE, rhs.denominator))
            rhs = rhs.numerator
            continue
        sums = [f for f in rhs.factors if any(isinstance(p, Access) for p in walk(f))]
        if len(sums) != 1:
            break
        for factor in rhs.factors:
            if factor is not sums[0]:
                (outside if _holds_size(factor) else inside).append(factor)
        rhs = sums[0]
    return (inside, outside), rhs


def _holds_size(factor: Expr) -> bool:
    return any(isinstance(part, IndexValue) for part in walk(factor))
