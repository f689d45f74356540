r"""How published notes call what a network holds: layers by order, times, roles of single tensors.

A net of dense layers is written with ``W^{(l)}, b^{(l)}, z^{(l)}, a^{(l)}`` whatever its own names
are; `layering` numbers them by order, and `layered_families` says what those letters then mean.
Invariant: a name that the network declares keeps its meaning.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from derivgen.algebra.affine import dims_of
from derivgen.algebra.expressions import (
    Access,
    Along,
    Call,
    Expr,
    IndexValue,
    Mul,
    Reduce,
    tensors_read,
    walk,
)
from derivgen.algebra.network import Axis, Equation, Network, Role
from derivgen.formulas.sequence import loss_names
from derivgen.formulas.tree import Name

WEIGHTS = ("W", "w", "Theta", "theta", "omega", "Omega")
BIASES = ("b",)
PREACTIVATIONS = ("z", "net", "s", "u")
ACTIVATIONS = ("a", "h", "o")  # x^{(1)} and y^{(1)} are samples
LAYER_FUNCTION = "activation of the layer"
FUNCTIONS = ("f", "g", "h", "phi", "sigma", "psi", "varphi")
LAYER_LETTERS = ("l", "L", "ell")


@dataclass(frozen=True)
class Layer:
    """One dense layer: its weights, bias (or nothing), pre-activation and activation."""

    weight: str
    bias: str
    preactivation: str
    activation: str


@dataclass(frozen=True)
class Layering:
    """The layers of a chain of dense layers, from the input on."""

    source: str
    layers: tuple[Layer, ...]


def layering(network: Network) -> Layering | None:
    """Return the layers of a network that is one chain of dense layers, else nothing."""
    inputs = network.of_role(Role.INPUT)
    if len(inputs) != 1:
        return None
    defined: dict[str, list[Equation]] = {}
    for equation in network.equations:
        defined.setdefault(equation.lhs.tensor, []).append(equation)
    found: list[Layer] = []
    fed = inputs[0].name
    while True:
        layer = _next_layer(fed, network, defined)
        if layer is None or any(layer.preactivation == other.preactivation for other in found):
            break
        found.append(layer)
        fed = layer.activation
    return Layering(inputs[0].name, tuple(found)) if found else None


def unit_axes(tensor: str, network: Network) -> tuple[Axis, ...]:
    """Return the axes of a tensor without that of the samples, where the network numbers them."""
    axes = network.tensors[tensor].axes
    batch = network.batch
    if batch is None or network.tensors[tensor].role is Role.PARAM:
        return axes
    return tuple(axis for axis in axes if (axis.low, axis.high) != (batch.low, batch.high))


def stands_in_rows(network: Network) -> bool:
    """Tell whether every layer's weights are stored as (in, out), as in ``x W + b``."""
    return _chain_in_rows(network) or _samples_in_rows(network)


def _samples_in_rows(network: Network) -> bool:
    """Tell whether matrices of data meet weights as in ``X W``, and nowhere as in ``W X``."""
    met = {
        found
        for equation in network.equations
        for part in walk(equation.rhs)
        if isinstance(part, Reduce) and isinstance(part.body, Mul)
        if (found := _order(part.body.factors, equation, network))
    }
    return met == {"rows"}


def _order(factors: tuple[Expr, ...], equation: Equation, network: Network) -> str:
    """Return on which side of a product of matrices the weights stand."""
    pair = [f for f in factors if isinstance(f, Access) and len(f.indices) == 2]
    weights = [f for f in pair if network.tensors[f.tensor].role is Role.PARAM]
    if len(factors) != 2 or len(pair) != 2 or len(weights) != 1:
        return ""
    (weight,) = weights
    data = pair[1 - pair.index(weight)]
    left = equation.lhs.indices
    if (data.indices[0], weight.indices[1]) == left and data.indices[1] == weight.indices[0]:
        return "rows"
    return "columns" if data.indices[0] in weight.indices else ""


def _chain_in_rows(network: Network) -> bool:
    found = layering(network)
    fed = found.source if found else ""
    for layer in found.layers if found else ():
        ends = [unit_axes(name, network) for name in (fed, layer.preactivation)]
        if any(len(axes) != 1 for axes in ends):
            return False
        if network.tensors[layer.weight].axes != (*ends[0], *ends[1]):
            return False
        if ends[0] == ends[1] and _row_first(layer, network):
            return False  # sizes that are equal do not tell: the index that is summed does
        fed = layer.activation
    return found is not None


def _row_first(layer: Layer, network: Network) -> bool:
    """Tell whether the weights are ``W[made, fed]``: their first index is not summed."""
    return any(
        isinstance(part, Access)
        and part.tensor == layer.weight
        and part.indices[-2:-1] == equation.lhs.indices[-1:]
        for equation in network.equations
        if equation.lhs.tensor == layer.preactivation
        for part in walk(equation.rhs)
    )


def _next_layer(fed: str, network: Network, defined: Mapping[str, list[Equation]]) -> Layer | None:
    readers = [
        e
        for e in network.equations
        if fed in tensors_read(e.rhs) and e.lhs.tensor not in loss_names(network)
    ]
    affine = [found for e in readers if (found := _dense(e, fed, network)) is not None]
    if len(affine) != 1 or len(readers) != 1:
        return None
    weight, bias, made = affine[0]
    if len(defined[made]) > 1:
        return None
    return Layer(weight, bias, made, activation_of(network, made) or made)


def _dense(equation: Equation, fed: str, network: Network) -> tuple[str, str, str] | None:
    """Return weights, bias and the result of ``z = W a + b``."""
    names = tensors_read(equation.rhs)
    made = equation.lhs.tensor
    if any(isinstance(p, (Call, Along)) for p in walk(equation.rhs)):
        return None
    ranks = {n: len(unit_axes(n, network)) for n in (*names, made)}
    params = [n for n in names if network.tensors[n].role is Role.PARAM]
    weights = [n for n in params if ranks[n] == ranks[made] + ranks[fed]]
    biases = [n for n in params if n not in weights and ranks[n] == ranks[made]]
    summed = any(isinstance(p, Reduce) for p in walk(equation.rhs)) or ranks[fed] == 0
    if len(weights) != 1 or len(biases) > 1 or not summed or ranks[made] > 1 or ranks[fed] > 1:
        return None
    if len(names) != 2 + len(biases):
        return None
    return weights[0], biases[0] if biases else "", made


def activation_of(network: Network, preactivation: str) -> str:
    """Return the tensor that a function of the pre-activation alone makes, or nothing."""
    found = [
        e.lhs.tensor
        for e in network.equations
        if e.lhs.tensor not in (*loss_names(network), preactivation)
        and isinstance(e.rhs, (Call, Along, Access))
        and list(tensors_read(e.rhs)) == [preactivation]
    ]
    return found[0] if len(found) == 1 else ""


def function_at(network: Network, tensor: str) -> str:
    """Return the function that makes a layer's activation, given either end of it."""
    for equation in network.equations:
        rhs = equation.rhs
        if not isinstance(rhs, Call) or len(rhs.args) != 1 or not isinstance(rhs.args[0], Access):
            continue
        made = tensor == equation.lhs.tensor and not _is_preactivation(network, tensor)
        if tensor == rhs.args[0].tensor or made:
            return rhs.name
    return ""


def _is_preactivation(network: Network, tensor: str) -> bool:
    return bool(activation_of(network, tensor))


def scaling_size(network: Network) -> str:
    r"""Return the size under a root of the network: d of ``QK^T/\sqrt{d}``, or nothing."""
    for equation in network.equations:
        for part in walk(equation.rhs):
            if (
                isinstance(part, Call)
                and part.name == "sqrt"
                and isinstance(part.args[0], IndexValue)
            ):
                return next((dim.name for dim in dims_of(part.args[0].form)), "")
    return ""


def layer_function(name: Name) -> Name:
    r"""Return ``g'`` for ``g^{[l]\prime}``: whose layer it is, its argument says."""
    if name.base not in FUNCTIONS or not name.sup or name.sub:
        return name
    kept = [t for t in name.sup if t.kind not in "{}"]
    primes = [t for t in kept if t.text in ("'", r"\prime")]
    rest = [t for t in kept if t not in primes]
    if not rest:
        return replace(name, sup=(), primes=name.primes + len(primes))
    if rest[0].text in ("[", "(") and rest[-1].text in ("]", ")"):
        inner = rest[1:-1]
        if len(inner) in (1, 3) and (inner[0].kind == "number" or inner[0].text in LAYER_LETTERS):
            return replace(name, sup=(), primes=name.primes + len(primes))
    return name


def layered_families(network: Network, shift: int = 0) -> dict[str, dict[int, str]]:
    """Return what ``W^{(l)}``, ``b^{(l)}``, ``z^{(l)}`` and ``a^{(l)}`` name, letter by letter.

    ``shift`` is 1 for a note in which ``W^{(l)}`` leads to layer l+1.
    """
    found = layering(network)
    if found is None:
        return {}
    first = first_numbers(found, shift)
    weights = dict(enumerate((layer.weight for layer in found.layers), first["weight"]))
    biases = dict(enumerate((layer.bias for layer in found.layers), first["weight"]))
    biases = {n: bias for n, bias in biases.items() if bias}
    before = dict(enumerate((layer.preactivation for layer in found.layers), first["value"]))
    after = dict(enumerate((layer.activation for layer in found.layers), first["value"]))
    after = {first["value"] - 1: found.source, **after}
    families: dict[str, dict[int, str]] = {}
    for stems, members in (
        (WEIGHTS, weights),
        (BIASES, biases),
        (PREACTIVATIONS, before),
        (ACTIVATIONS, after),
    ):
        for stem in stems if members else ():
            families[stem] = members
    return families


def first_numbers(found: Layering, shift: int = 0) -> dict[str, int]:
    """Return the numbers of the first layer's weights and of its values, as the names say.

    W1 may lead to z1, or to z2 where the input counts as layer 1; without numbers all count from 1.
    """
    own = {
        "weight": _first([layer.weight for layer in found.layers]),
        "value": _first([layer.preactivation for layer in found.layers])
        or _first([layer.activation for layer in found.layers[:-1]]),
    }
    known = own["value"] or own["weight"] or 1
    return {"weight": own["weight"] or known, "value": own["value"] or known + shift}


def _first(names: list[str]) -> int | None:
    """Return the number that the first of consecutively numbered names ends in."""
    numbers = [re.search(r"\d+$", name) for name in names]
    found = [int(number[0]) for number in numbers if number]
    consecutive = found == list(range(found[0], found[0] + len(names))) if found else False
    return found[0] if consecutive else None


def table_rows(network: Network, shift: int = 0) -> Iterator[str]:
    """Yield the layered names in the format of a surface table, for whoever asks what was read."""
    found = layering(network)
    first = first_numbers(found, shift) if found else {}
    for place, layer in enumerate(found.layers) if found else ():
        number, value = first["weight"] + place, first["value"] + place
        yield f"W^{{({number})}} -> {layer.weight}"
        if layer.bias:
            yield f"b^{{({number})}} -> {layer.bias}"
        yield f"z^{{({value})}} -> {layer.preactivation}"
        yield f"a^{{({value})}} -> {layer.activation}"
