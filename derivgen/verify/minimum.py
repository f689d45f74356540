r"""Claims that hold where a loss is least: ``\nabla J = 0``, ``X^T X w = X^T y``, its solution.

Invariant: an equation is one of the minimum if its two sides differ by a fixed multiple of the
gradient everywhere, a solution if the gradient is zero where the parameter has its value.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np

from derivgen.algebra.network import Role
from derivgen.formulas.terms import Claim, Ref, Slope, Term, walk
from derivgen.verify.compare import DRAWS, agreement
from derivgen.verify.context import Context, NoPoint, Reading, evaluate
from derivgen.verify.elements import places_of
from derivgen.verify.numeric import NoValue, mp
from derivgen.verify.points import limited, points
from derivgen.verify.readings import features, readings
from derivgen.verify.stage import Stage
from derivgen.verify.world import World

MOST = 3  # parameters tried


def at_minimum(anchor: Term, member: Term, claim: Claim, stage: Stage, reading: Reading) -> bool:
    """Tell whether a member that differs is right where the loss is least."""
    if _sets_to_zero(anchor, member, stage):
        return True
    if any(t.op == "gradient" for m in (anchor, member) for _, t in walk(m)):
        return False
    tensors = [t for t in stage.network.of_role(Role.PARAM) if t.axes]
    for tensor in tensors[:MOST]:
        whole = Term("element", (), Ref(tensor.name, (None,) * len(tensor.axes)))
        loss = Term("element", (), Ref(stage.symbols.loss))
        slope = Term("gradient", (loss, whole), Slope(symbol="nabla"))
        for way in readings(features((anchor, member, slope), claim, stage.symbols), reading):
            if _holds(anchor, member, slope, claim, stage, way):
                return True
    return False


def _sets_to_zero(anchor: Term, member: Term, stage: Stage) -> bool:
    """Tell whether a derivative by a parameter is set to zero."""
    inner = member
    while inner.op == "group":
        inner = inner.args[0]
    zero = inner.op == "zeros" or inner.op == "number" and inner.data[0] == 0
    by = anchor.args[1] if anchor.op == "gradient" else None
    of = anchor.args[0] if anchor.op == "gradient" else None
    if of is None or of.op == "element" and of.data.tensor != stage.symbols.loss:
        return False
    if not zero or by is None or by.op != "element" or "{}" in by.data.tensor:
        return False
    return stage.symbols.tensors[by.data.tensor].role is Role.PARAM


def _holds(
    anchor: Term, member: Term, slope: Term, claim: Claim, stage: Stage, reading: Reading
) -> bool:
    solved = anchor.op == "element" and anchor.data.tensor == slope.args[1].data.tensor
    for draw in DRAWS[:1] if solved else DRAWS:
        try:
            world = stage.worlds.get(draw)
            given = points((anchor, member, slope), claim, stage.symbols, world, reading, draw.seed)
            contexts = list(limited(given))
            test = _is_solution if solved else _is_multiple
            if not contexts or not test(anchor, member, slope, contexts):
                return False
        except (NoValue, NoPoint, ZeroDivisionError, ValueError):
            return False
    return True


def _is_multiple(anchor: Term, member: Term, slope: Term, contexts: list[Context]) -> bool:
    ratios: list[Any] = []
    for context in contexts:
        left, right, step = (evaluate(t, context) for t in (anchor, member, slope))
        right = left * 0 if np.shape(right) == () and right == 0 else right
        shapes = {np.shape(left), np.shape(right), np.shape(step)}
        if len(shapes) > 1 or not isinstance(step, np.ndarray):
            return False
        pairs = zip((left - right).reshape(-1), step.reshape(-1))
        ratios += [mp.mpf(a) / b for a, b in pairs if b != 0]
    return len(ratios) > 1 and all(r != 0 and agreement(r, ratios[0]) is not None for r in ratios)


def _is_solution(anchor: Term, member: Term, slope: Term, contexts: list[Context]) -> bool:
    if any(t.op == "element" and t.data.tensor == anchor.data.tensor for _, t in walk(member)):
        return False
    return all(_vanishes(anchor, member, slope, context) for context in contexts)


def _vanishes(anchor: Term, member: Term, slope: Term, context: Context) -> bool:
    found = evaluate(member, context)
    own = evaluate(replace_updated(anchor), context)
    if np.shape(found) != np.shape(own) or not isinstance(found, np.ndarray):
        return False
    moved = dict(context.world.numbers.given)
    for key, value in zip(_keys(anchor, context), found.reshape(-1)):
        moved[key] = value
    world = World(context.world.network, replace(context.world.numbers, given=moved))
    there = evaluate(slope, replace(context, world=world, memo=None))
    return all(abs(v) < mp.mpf(10) ** -20 for v in there.reshape(-1))


def replace_updated(anchor: Term) -> Term:
    """Return the element of the network that a star or a plus above a name speaks of."""
    return Term(anchor.op, anchor.args, replace(anchor.data, updated=False), anchor.span)


def _keys(anchor: Term, context: Context) -> Iterator[Any]:
    tensor, values, _ = places_of(anchor.data, context)
    for place in product(*values):
        yield context.world.key(tensor, place, 0)
