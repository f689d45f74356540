"""Usual names of single tensors: h for the hidden layer, W_{hh} for what feeds a state back.

Each table is a guess: it is tried as a whole and named in the report. Invariant: a table never
holds a name that the network declares, and follows from what tensors do, not from their names.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from derivgen.algebra.expressions import Access, Add, Along, Call, Pow, Reduce, tensors_read, walk
from derivgen.algebra.network import Equation, Network, Role
from derivgen.formulas.conventions import activation_of, layering
from derivgen.formulas.sequence import loss_names

Table = dict[str, str]
STATES = ("h", "s", "a")  # letters of a state in scripts such as W_{hh}
SOURCES = ("x", "i", "u")
OUTPUTS = ("y", "o", "z")


def guesses(network: Network) -> tuple[Mapping[str, str], ...]:
    """Return tables of usual names for tensors of this network, the likeliest first."""
    own = {name.replace("_", "") for name in network.tensors} | set(network.tensors)
    made: list[Table] = []
    for source in (_by_time, _by_words, _by_batch, _by_attention, _by_softmax, _by_layers):
        for options in source(network):
            kept = {k: v for k, v in options.items() if k not in own and v}
            if kept and kept not in made:
                made.append(kept)
    merged: Table = {}
    for table in made:
        for name, tensor in table.items():
            merged.setdefault(name, tensor)
    tables = [merged]
    for table in made:
        if (whole := {**merged, **table}) not in tables:
            tables.append(whole)
    return tuple(tables)


TARGET_WORDS = ("target", "targets", "t", "y", "d", "desired", "expected", "label")
OUTPUT_WORDS = ("output", "outputs", "out", "o", "yhat", "a", "p", "actual", "prediction", "pred")


def unit_groups(network: Network, families: Mapping[str, Mapping[int, str]]) -> Table:
    """Return the families that the words for all targets and all outputs stand for.

    A net of named neurons has target_o1, target_o2 and out_o1, out_o2; a sum without an index
    of ``(target - output)^2`` speaks of one for each neuron.
    """
    targets = {t.name for t in network.of_role(Role.TARGET)}
    readers = [e for e in network.equations if targets & set(tensors_read(e.rhs))]
    read = {n for e in readers for n in tensors_read(e.rhs)} - targets
    found: Table = {}
    for words, names in ((TARGET_WORDS, targets), (OUTPUT_WORDS, read)):
        stems = [s for s, members in families.items() if set(members.values()) == names]
        if len(stems) == 1 and len(names) > 1:
            own = {name.split("_")[0] for name in names}
            found.update(dict.fromkeys((*words, *own), stems[0]))
    return found


@dataclass(frozen=True)
class Lettered:
    """Names of several layers at once, told apart by index letters; see `Symbols`."""

    several: Mapping[str, tuple[str, ...]]
    turned: tuple[str, ...] = ()


def lettered_guesses(network: Network) -> tuple[Lettered, ...]:
    """Return the conventions of texts that number no layers: Bishop's, Haykin's, Rumelhart's.

    ``w_{ji}`` leads from i to j, in some texts from j to i; a, net, v or z are pre-activations.
    """
    found = layering(network)
    if found is None:
        return ()
    before = tuple(layer.preactivation for layer in found.layers)
    after = (found.source, *(layer.activation for layer in found.layers))
    weights = tuple(layer.weight for layer in found.layers)
    biases = tuple(layer.bias for layer in found.layers if layer.bias)
    always = {
        **dict.fromkeys(("net", "s", "v", "u"), before),
        **dict.fromkeys(("o", "y", "x", "h", "out", "O"), after),
        **dict.fromkeys(("w", "W", "omega"), weights),
        **dict.fromkeys(("b", "theta"), biases),
    }
    tables = ({"a": before, "z": after}, {"z": before, "a": after})
    own = {name.replace("_", "") for name in network.tensors}
    return tuple(
        Lettered({k: v for k, v in {**always, **table}.items() if k not in own and v}, turned)
        for turned in ((), ("w", "W", "omega"))
        for table in tables
    )


# --- layers and outputs --------------------------------------------------------------------------


def _by_layers(network: Network) -> Iterator[Table]:
    found = layering(network)
    if found is None:
        return
    first, last = found.layers[0], found.layers[-1]
    common = {"x": found.source, "o": last.activation, "p": last.activation}
    if len(found.layers) == 1:
        yield {**common, "W": first.weight, "w": first.weight, "b": first.bias,
               "z": first.preactivation, "a": first.activation, "theta": first.weight}  # fmt: skip
        yield {"o": first.preactivation, "s": first.preactivation, "u": first.preactivation}
        return
    yield {**common, "h": found.layers[-2].activation, "a": last.activation,
           "z": last.preactivation, "W": last.weight, "b": last.bias}  # fmt: skip
    if len(found.layers) == 2:
        yield {"W": first.weight, "V": last.weight, "U": last.weight, "a": first.activation,
               "z": first.preactivation, "b": first.bias}  # fmt: skip
        yield {"V": first.weight, "U": first.weight, "W": last.weight, "o": last.preactivation,
               "h": first.preactivation}  # fmt: skip


def _by_softmax(network: Network) -> Iterator[Table]:
    """Logits and probabilities of the softmax that the loss reads."""
    loss = [e for e in network.equations if e.lhs.tensor in loss_names(network)]
    read = [n for e in loss for n in tensors_read(e.rhs)]
    for equation in network.equations:
        rhs = equation.rhs
        if not isinstance(rhs, Along) or equation.lhs.tensor not in read:
            continue
        if isinstance(rhs.args[0], Access):
            logits, made = rhs.args[0].tensor, equation.lhs.tensor
            chances = dict.fromkeys(("p", "a", "S", "q", "pi", "phat", "P", "yhat"), made)
            yield {**chances, **dict.fromkeys(("z", "o", "f", "s", "u", "beta"), logits)}
            yield {"o": made, "y": made, "s": made, "a": logits, "x": logits, "h": logits}


def _by_attention(network: Network) -> Iterator[Table]:
    """Queries, keys and values around a softmax of their products."""
    for equation in network.equations:
        rhs = equation.rhs
        if not isinstance(rhs, Along) or not isinstance(rhs.args[0], Access):
            continue
        scores, weights = rhs.args[0].tensor, equation.lhs.tensor
        pair = [_matrices(e, network) for e in network.equations if e.lhs.tensor == scores]
        mixed = [
            (e.lhs.tensor, [n for n in _matrices(e, network) if n != weights])
            for e in network.equations
            if weights in tensors_read(e.rhs) and e.lhs.tensor not in loss_names(network)
        ]
        if len(pair) == 1 and len(pair[0]) == 2 and len(mixed) == 1 and len(mixed[0][1]) == 1:
            out, values = mixed[0][0], mixed[0][1][0]
            names = {"S": scores, "A": weights, "P": weights, "O": out, "V": values, "Y": out,
                     "Q": pair[0][0], "K": pair[0][1]}  # fmt: skip
            yield names
            yield {**names, "A": scores}


def _matrices(equation: Equation, network: Network) -> list[str]:
    return [n for n in tensors_read(equation.rhs) if len(network.tensors[n].axes) == 2]


def _by_batch(network: Network) -> Iterator[Table]:
    """Mean, variance and normalised values of a batch."""
    if network.batch is None:
        return
    means = {
        e.lhs.tensor: e.rhs
        for e in network.equations
        if isinstance(e.rhs, Reduce) and e.rhs.op == "mean" and network.batch in e.rhs.bound
    }
    plain = [n for n, rhs in means.items() if isinstance(rhs.body, Access) and n != network.loss]
    spread = [n for n, rhs in means.items() if isinstance(rhs.body, Pow) and n != network.loss]
    if len(plain) != 1 or len(spread) != 1:
        return
    given = tensors_read(means[plain[0]].body)
    ready = [
        e.lhs.tensor
        for e in network.equations
        if plain[0] in tensors_read(e.rhs) and spread[0] in tensors_read(e.rhs)
    ]
    names = {"mu": plain[0], "sigma2": spread[0], "var": spread[0], "v": spread[0]}
    if len(ready) == 1:
        scaled = [e.lhs.tensor for e in network.equations if ready[0] in tensors_read(e.rhs)]
        names.update({"xhat": ready[0], "y": scaled[0] if len(scaled) == 1 else ""})
        names.update(_scale_and_shift(ready[0], network))
    yield {**names, "x": next(iter(given), "")}


def _scale_and_shift(ready: str, network: Network) -> Table:
    """Return gamma and beta: what multiplies the normalised values, what is added to that."""
    for equation in network.equations:
        terms = equation.rhs.terms if isinstance(equation.rhs, Add) else ()
        scaled = [t for t in terms if ready in tensors_read(t)]
        params = [n for t in scaled for n in tensors_read(t) if n != ready]
        added = [t.tensor for t in terms if isinstance(t, Access) and t not in scaled]
        if len(params) == len(added) == 1:
            return {"gamma": params[0], "beta": added[0]}
    return {}


# --- words ---------------------------------------------------------------------------------------


def _by_words(network: Network) -> Iterator[Table]:
    """Vectors of a word and its context, v_c and u_o; a key ``@o`` says which input o holds."""
    inputs = [t.name for t in network.tensors.values() if t.values_of is not None and not t.axes]
    for equation in network.equations:
        read = equation.rhs
        if not isinstance(read, Access) or network.tensors[read.tensor].role is not Role.PARAM:
            continue
        chosen = [i for i in inputs if any(f"{i}" == str(form) for form in read.indices)]
        made = equation.lhs.tensor
        outs = {w for e in network.equations for w, t in _products(network, e) if t == made}
        others = [name for name in inputs if name not in chosen]
        if len(chosen) == len(others) == len(outs) == 1:
            out = outs.pop()
            yield {"v_c": made, "v_wI": made, "h": made, "v": read.tensor, "V": read.tensor,
                   "u": out, "U": out, "@o": others[0], "@c": chosen[0]}  # fmt: skip


# --- recurrences ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Gate:
    """One affine map of the input and the last state, and what it opens."""

    made: str
    activation: str
    inward: str
    back: str
    bias: str
    function: str


def _by_time(network: Network) -> Iterator[Table]:
    gates = list(_gates(network))
    if not gates:
        return
    states = _states(network)
    if len(gates) == 1:
        yield from _plain_recurrence(network, gates[0], states)
        return
    yield from _gated(gates, states)


def _states(network: Network) -> list[str]:
    """Return the tensors read at an earlier time, in order."""
    found: dict[str, None] = {}
    for equation in network.equations:
        for part in walk(equation.rhs):
            if isinstance(part, Access) and _is_earlier(part):
                found[part.tensor] = None
    return list(found)


def _is_earlier(access: Access) -> bool:
    return any(form.plain is None and form.constant < 0 and form.terms for form in access.indices)


def _gates(network: Network) -> Iterator[Gate]:
    states = _states(network)
    for equation in network.equations:
        products = _products(network, equation)
        back = [w for w, t in products if t in states]
        inward = [w for w, t in products if network.tensors[t].role is Role.INPUT]
        if len(back) != 1 or len(inward) > 1 or len(equation.lhs.indices) != 2:
            continue
        if not any(isinstance(p, Access) and _is_earlier(p) for p in walk(equation.rhs)):
            continue
        made = equation.lhs.tensor
        shown = activation_of(network, made) or made
        yield Gate(made, shown, inward[0] if inward else "", back[0], _bias(network, equation),
                   _function(network, shown))  # fmt: skip


def _function(network: Network, tensor: str) -> str:
    for equation in network.equations:
        if equation.lhs.tensor == tensor and isinstance(equation.rhs, Call):
            return equation.rhs.name
    return ""


def _bias(network: Network, equation: Equation) -> str:
    weights = [w for w, _ in _products(network, equation)]
    found = [n for n in tensors_read(equation.rhs)
             if network.tensors[n].role is Role.PARAM and n not in weights]  # fmt: skip
    return found[0] if len(found) == 1 else ""


def _products(network: Network, equation: Equation) -> list[tuple[str, str]]:
    """Return the pairs of a parameter and what it is multiplied with under a sum."""
    found: list[tuple[str, str]] = []
    for part in walk(equation.rhs):
        if isinstance(part, Reduce) and part.op == "sum":
            names = list(dict.fromkeys(p.tensor for p in walk(part.body) if isinstance(p, Access)))
            params = [n for n in names if network.tensors[n].role is Role.PARAM]
            others = [n for n in names if network.tensors[n].role is not Role.PARAM]
            if len(params) == 1 and others:
                found.append((params[0], others[0]))
    return found


def joined_weights(weight: str, tensors: list[str], network: Network | None) -> list[str]:
    """Return the parameters that multiply each tensor where ``weight`` multiplies one of them.

    ``W_f [h, x]`` in a network with one matrix for h and another for x; nothing if there is no
    equation with one for each.
    """
    for equation in network.equations if network and len(tensors) > 1 else ():
        pairs = _products(network, equation) if network else []
        by_tensor = {tensor: param for param, tensor in pairs}
        found = [by_tensor.get(tensor, "") for tensor in tensors]
        if all(found) and weight in found:
            return found
    return []


def _plain_recurrence(network: Network, gate: Gate, states: list[str]) -> Iterator[Table]:
    state = gate.activation if gate.activation in states else states[0]
    outs = [
        (equation, w)
        for equation in network.equations
        for w, t in _products(network, equation)
        if t == state and equation.lhs.tensor != gate.made
    ]
    out, logits, out_bias = "", "", ""
    if len(outs) == 1:
        out, logits, out_bias = outs[0][1], outs[0][0].lhs.tensor, _bias(network, outs[0][0])
    names: Table = {"h": state, "s": state, "a": gate.made, "net": gate.made, "z": gate.made}
    names.update(_pairs("W", STATES, STATES, gate.back))
    names.update(_pairs("W", STATES, SOURCES, gate.inward))
    names.update(_pairs("W", STATES, OUTPUTS, out))
    names.update({"Wh": gate.back, "Wx": gate.inward, "Wy": out, "c": out_bias, "b": gate.bias})
    names.update(
        {"bh": gate.bias, "by": out_bias, "bo": out_bias, "Wrec": gate.back, "Win": gate.inward}
    )
    if logits:
        names.update({"o": logits, "z": logits})
    yield {**names, "W": gate.back, "U": gate.inward, "V": out}
    yield {"a": state, "ba": gate.bias, "U": gate.back, "W": gate.inward, "V": out}
    yield {"V": gate.inward, "W": gate.back, "U": out, "z": gate.made}


def _pairs(stem: str, one: tuple[str, ...], other: tuple[str, ...], tensor: str) -> Table:
    found = [first + second for first in one for second in other]
    return {stem + text: tensor for pair in found for text in (pair, pair[::-1])}


def _gated(gates: list[Gate], states: list[str]) -> Iterator[Table]:
    plain: Table = {}
    turned: Table = {}
    for gate in gates:
        for letter in _gate_letters(gate, gates, states):
            plain.update(
                {f"U{letter}": gate.back, f"R{letter}": gate.back, f"W{letter}": gate.inward}
            )
            turned.update(
                {f"W{letter}": gate.back, f"U{letter}": gate.inward, f"V{letter}": gate.back}
            )
            plain.update(_pairs("W", (letter,), ("h",), gate.back))
            plain.update(_pairs("W", (letter,), ("x",), gate.inward))
            plain.update({f"b{letter}": gate.bias})
            if not gate.activation.startswith(letter) and letter.lower() not in states:
                plain[letter] = gate.activation
    yield plain
    yield {**plain, **turned}


def _gate_letters(gate: Gate, gates: list[Gate], states: list[str]) -> Iterator[str]:
    """Yield the letters of a gate: its own, and those of the candidate for a new state."""
    functions = [other.function for other in gates]
    if len(gate.activation) == 1:
        yield gate.activation
    if functions.count(gate.function) == 1 and len(gates) > 2:
        for state in states:
            for name in (state, state.upper()):
                yield from (name + mark for mark in ("tilde", "hat", "bar"))
        yield from ("g", "c", "C", "h") if len(states) > 1 else ("h", "n")
