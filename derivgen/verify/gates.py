r"""Gates: values that a function makes of one argument, and derivatives by that argument.

Texts write ``\delta o_t`` for the derivative by the gate ``o_t = \sigma(z_t)`` or for that by
``z_t``; the second is the first times the slope of the function, whether z has a name or not.
"""

from __future__ import annotations

from typing import Any

from derivgen.algebra.expressions import Call, tensors_read
from derivgen.algebra.network import Equation, Network
from derivgen.formulas.symbols import Symbols
from derivgen.formulas.terms import Term
from derivgen.verify.world import World, apply, evaluate_expression


def is_gate(term: Term, symbols: Symbols) -> bool:
    """Tell whether a short form is the derivative by a value that a function makes, at a time."""
    by = term.args[1]
    if term.data.symbol != "d" or by.op != "element" or "{}" in by.data.tensor:
        return False
    timed = by.data.tensor in symbols.time_axes
    return timed and symbols.network is not None and bool(made_by(symbols.network, by.data.tensor))


def has_gates(slopes: list[Term], symbols: Symbols) -> bool:
    """Tell whether a short form may be by a gate's argument: that has no short form beside it."""
    by = [t.args[1].data.tensor for t in slopes if t.args[1].op == "element"]
    for slope in slopes:
        if is_gate(slope, symbols) and symbols.network is not None:
            (made,) = made_by(symbols.network, slope.args[1].data.tensor)
            if not any(name in by for name in tensors_read(made.rhs)):
                return True
    return False


def made_by(network: Network, tensor: str) -> tuple[Equation, ...]:
    """Return the equation that makes a tensor a function of one argument, or nothing."""
    found = [e for e in network.equations if e.lhs.tensor == tensor]
    if len(found) != 1 or not isinstance(found[0].rhs, Call) or len(found[0].rhs.args) != 1:
        return ()
    if found[0].rhs.name in ("log", "exp", "sqrt", "stop_gradient"):
        return ()
    return (found[0],) if all(form.plain for form in found[0].lhs.indices) else ()


def slope_at(world: World, tensor: str, place: tuple[int, ...], sample: int) -> Any:
    """Return ``f'(z)`` at one element of ``o = f(z)``."""
    found = made_by(world.network, tensor)
    assert found, "checked by is_gate"
    equation = found[0]
    at = {form.plain: n for form, n in zip(equation.lhs.indices, place) if form.plain}
    call = equation.rhs
    assert isinstance(call, Call), "checked by made_by"
    argument = evaluate_expression(world, call.args[0], at, sample)
    return apply(world.network, call.name, (argument,), (1,))
