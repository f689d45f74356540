"""Where claims are judged: the given network, and a generic layered one for claims about layer l.

A stage is a network with its symbols and worlds. A claim is read on the stage that knows all its
names; formulas about a layer l of a net that has no numbered layers are read on three layers of
unequal widths with an unknown activation f.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cache

from derivgen.algebra.network import Network
from derivgen.formulas.surface import SurfaceTable
from derivgen.formulas.symbols import Symbols
from derivgen.language import parse
from derivgen.verify.compare import Worlds
from derivgen.verify.lettered import lettered

_GENERIC = """
network layers
dim N0 = 2, N1 = 4, N2 = 3, N3 = 5
index i0: N0, i1: N1, i2: N2, i3: N3
input x[i0]
target y[i3]{fact}
param W1[i1,i0], b1[i1], W2[i2,i1], b2[i2], W3[i3,i2], b3[i3]
{function}
z1[i1] = sum[i0](W1[i1,i0]*x[i0]) + b1[i1]
a1[i1] = f(z1[i1])
z2[i2] = sum[i1](W2[i2,i1]*a1[i1]) + b2[i2]
a2[i2] = f(z2[i2])
z3[i3] = sum[i2](W3[i3,i2]*a2[i2]) + b3[i3]
a3[i3] = {output}
yhat[i3] = a3[i3]
loss J = {loss}
"""
_QUADRATIC = "1/2*sum[i3]((yhat[i3] - y[i3])^2)"
_ENTROPY = "-sum[i3](y[i3]*log(yhat[i3]))"
_BINARY = "-sum[i3](y[i3]*log(yhat[i3]) + (1 - y[i3])*log(1 - yhat[i3]))"
_SIGMOID = "define f(z) = 1/(1 + exp(-z))"
# In the order they are tried: name, activation, output, loss, declared fact.
GENERIC = (
    ("f, squared error", "function f", "f(z3[i3])", _QUADRATIC, ""),
    ("sigmoid, squared error", _SIGMOID, "f(z3[i3])", _QUADRATIC, ""),
    (
        "softmax, cross-entropy",
        "function f",
        "softmax[i3](z3[i3])",
        _ENTROPY,
        "\nassume sum[i3](y[i3]) = 1",
    ),
    ("sigmoid, binary cross-entropy", _SIGMOID, "f(z3[i3])", _BINARY, ""),
    ("tanh, squared error", "define f(z) = tanh(z)", "f(z3[i3])", _QUADRATIC, ""),
    ("linear output, squared error", "function f", "z3[i3]", _QUADRATIC, ""),
)


@dataclass
class Stage:
    """A network with what its names mean and the numbers it is tried at."""

    symbols: Symbols
    worlds: Worlds
    name: str = ""
    declared: Worlds | None = None
    extra: dict[str, object] = field(default_factory=dict)

    @property
    def network(self) -> Network:
        assert self.symbols.network is not None, "a stage has a network"
        return self.symbols.network


def make_stage(network: Network, table: SurfaceTable, name: str = "") -> Stage:
    """Return the stage of a network."""
    made = lettered(network)
    return Stage(Symbols(made, table), Worlds(made), name)


@cache
def _generic_network(number: int) -> Network:
    _, function, output, loss, fact = GENERIC[number]
    text = _GENERIC.format(function=function, output=output, loss=loss, fact=fact)
    return parse(text, f"<{GENERIC[number][0]}>")


def generic_stage(number: int, symbols: Symbols) -> Stage:
    """Return a stage of three layers that shares the note's own definitions."""
    network = _generic_network(number)
    own = replace(
        Symbols(network, SurfaceTable((), symbols.table.layout)),
        base=symbols.base,
        defined={k: v for k, v in symbols.defined.items() if k != "f"},
    )
    return Stage(own, Worlds(network), GENERIC[number][0])
