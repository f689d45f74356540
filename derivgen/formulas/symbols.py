"""What the names of a formula may mean: a network's tensors, families of them, a surface table.

Longest declared name wins: ``net_{o1}`` is the tensor net_o1 before it is an element of ``net``.
Invariant: a `Symbols` is read-only; what a note defines on the way makes a new one (`with_alias`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from derivgen.algebra.affine import indices_of
from derivgen.algebra.expressions import Access, Along, Call, tensors_read, walk
from derivgen.algebra.network import Network, Role, Tensor
from derivgen.formulas.conventions import layered_families, layering, stands_in_rows
from derivgen.formulas.sequence import loss_names, time_key
from derivgen.formulas.surface import SurfaceTable
from derivgen.formulas.terms import Term
from derivgen.formulas.tree import Name
from derivgen.formulas.usual import unit_groups

LOSS_NAMES = ("E", "J", "L", "C", "ell", "Loss", "loss", "cost", "Cost", "Err", "error", "Q", "R",
              "l", "Error", "err", "LOSS", "CE", "BCE", "MSE", "NLL")  # fmt: skip
LOSS_WORDS = ("total", "tot", "all", "sum", "theta", "data", "in", "train", "tr", "emp", "CE", "ce",
              "MSE", "mse", "BCE", "bce", "NLL", "nll", "hinge", "SVM", "svm", "log", "logistic",
              "softmax", "xent", "cls", "batch", "LS", "ls", "OLS", "SSE", "sse", "RSS", "D", "S",
              "entropy", "crossentropy", "perceptron", "ridge")  # fmt: skip
STEP_SIZES = ("eta", "alpha", "lr", "gamma", "epsilon", "mu", "lambda", "rho")
BATCH_SIZES = ("m", "N", "n", "M", "B", "batch", "bs")
ELEMENTARY = ("exp", "log", "tanh", "sinh", "cosh", "sin", "cos", "sqrt", "abs", "sign", "atan",
              "max", "min", "erf", "log1p", "expm1", "asin", "acos", "lgamma", "digamma", "floor",
              "stop_gradient")  # fmt: skip
FUNCTION_ALIASES = {
    "sigma": "sigmoid", "Sigmoid": "sigmoid", "sgm": "sigmoid", "logistic": "sigmoid",
    "ReLU": "relu",
    "lg": "log", "ln": "log", "arctan": "atan", "arcsin": "asin",
    "arccos": "acos", "sgn": "sign", "Softmax": "softmax", "th": "tanh",
    "S": "sigmoid",
}  # fmt: skip
GENERIC_FUNCTIONS = (
    "f",
    "g",
    "phi",
    "h",
    "sigma",
    "psi",
    "varphi",
    "act",
    "F",
    "Phi",
    "activation",
)


AxisKey = tuple[Any, ...]


GREEK = ("Gamma", "Theta", "Lambda", "Xi", "Pi", "Phi", "Psi", "Omega")


def other_case(name: str) -> str:
    """Return the letter in the other case, ``x`` for X and ``phi`` for Phi, or nothing."""
    if len(name) == 1 or name[1:] in ("hat", "tilde", "bar"):
        return name[0].swapcase() + name[1:]
    if name in GREEK:
        return name.lower()
    return name.capitalize() if name.capitalize() in GREEK else ""


def canonical(name: str) -> str:
    """Return a name without underscores: y_hat and yhat are one name on paper."""
    return name.replace("_", "")


@dataclass(frozen=True)
class Symbols:
    """Everything a formula's names are looked up in.

    ``aliases`` are symbols the note has defined (canonical text to term template with the letters
    of its definition), ``base`` is what written numerals count from, ``free`` the names allowed as
    free numbers, ``functions`` extra function names to their meaning, ``defined`` functions of one
    number that the note defines, ``scalars`` names that are plain numbers in this formula alone.
    ``guess`` is a table of usual names being tried, ``several`` names of several tensors told apart
    by their index letters, ``turned`` those of them whose indices stand the other way round, and
    ``letters_known`` what letters are taken to run over. ``value_shift`` is 1 where a note's
    ``W^{(l)}`` leads to layer l+1.
    """

    network: Network | None
    table: SurfaceTable = field(default_factory=SurfaceTable)
    aliases: Mapping[str, tuple[tuple[str, ...], Term]] = field(default_factory=dict)
    functions: Mapping[str, str] = field(default_factory=dict)
    defined: Mapping[str, tuple[str, Term]] = field(default_factory=dict)
    base: int = 1
    free: tuple[str, ...] = ()
    scalars: tuple[str, ...] = ()
    guess: Mapping[str, str] = field(default_factory=dict)
    several: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    turned: tuple[str, ...] = ()
    letters_known: Mapping[str, AxisKey] = field(default_factory=dict)
    value_shift: int = 0

    def with_alias(self, key: str, letters: tuple[str, ...], term: Term) -> Symbols:
        """Return the symbols with one more defined symbol."""
        return replace(self, aliases={**self.aliases, key: (letters, term)})

    @cached_property
    def tensors(self) -> Mapping[str, Tensor]:
        return self.network.tensors if self.network else {}

    @cached_property
    def by_canonical(self) -> Mapping[str, str]:
        found: dict[str, str] = {}
        for name in self.tensors:
            found.setdefault(canonical(name), name)
            found[name] = name
        return found

    @cached_property
    def loss(self) -> str:
        return (self.network.loss if self.network else None) or ""

    @cached_property
    def sizes(self) -> Mapping[str, int | None]:
        return {dim.name: n for dim, n in self.network.dims.items()} if self.network else {}

    def is_size(self, name: Name) -> bool:
        """Tell a size from a tensor of its letter: in the other case, or in bold in the table."""
        power = all(token.kind in ("number", "{", "}") for token in name.sup)
        if name.bold or name.sub or name.primes or not power or name.base not in self.sizes:
            return False
        if name.sup and name.base in self.families:
            return False  # W^{(2)} where W is a width too
        bold = rf"\mathbf{{{name.base}}}"
        return name.base not in self.tensors or any(r.surface == bold for r in self.table.rows)

    @cached_property
    def families(self) -> Mapping[str, Mapping[int, str]]:
        """Tensors that differ in one number: ``W{}`` has members 1 and 2 for W1 and W2."""
        own = _families(self.network) if self.network else {}
        return {**own, **self._layered(own)}

    @cached_property
    def unit_groups(self) -> Mapping[str, str]:
        """Return the families that words such as ``target`` stand for, one for each neuron."""
        return unit_groups(self.network, self.families) if self.network else {}

    @cached_property
    def by_letters(self) -> Mapping[str, tuple[str, ...]]:
        """Return names that index letters tell apart: ``w_{kj}`` and ``w_{ji}`` of w1 and w2."""
        found = {
            stem: tuple(members.values())
            for stem, members in (_families(self.network) if self.network else {}).items()
            if stem not in self.tensors
        }
        for name, stem in self.spelled.items():
            if stem not in self.tensors:
                found[stem] = (*found.get(stem, ()), name)
        return {**found, **self.several}

    @cached_property
    def spelled(self) -> Mapping[str, str]:
        """Return tensors whose name ends in the letters of their own indices: ``wkj`` of w."""
        declared = declared_letters(self.network)
        found: dict[str, str] = {}
        for tensor in self.tensors.values():
            rank, text = len(tensor.axes), canonical(tensor.name)
            stem, ends = text[: len(text) - rank], text[len(text) - rank :]
            keys = [declared.get(c) for c in ends]
            own = [axis_key(tensor, k) for k in range(rank)]
            if stem and rank and all(k and k[2] == o[2] for k, o in zip(keys, own)):
                found[tensor.name] = stem
        return found

    @cached_property
    def conventional(self) -> frozenset[str]:
        """Return the families that published notes name so and the network does not."""
        own = _families(self.network) if self.network else {}
        return frozenset(stem for stem in self._layered(own) if stem not in own)

    def _layered(self, own: Mapping[str, Mapping[int, str]]) -> dict[str, dict[int, str]]:
        found = layered_families(self.network, self.value_shift) if self.network else {}
        return {
            stem: members
            for stem, members in found.items()
            if all(members.get(n) == tensor for n, tensor in own.get(stem, {}).items())
        }

    @cached_property
    def data_dependent(self) -> frozenset[str]:
        return _data_dependent(self.network) if self.network else frozenset()

    @cached_property
    def preactivations(self) -> tuple[str, ...]:
        return _preactivations(self.network) if self.network else ()

    @cached_property
    def in_rows(self) -> bool:
        """Tell whether vectors may stand as rows: the weights are stored as in ``x W``."""
        return stands_in_rows(self.network) if self.network else False

    @cached_property
    def roles(self) -> Mapping[str, str]:
        """Return what the usual names of output, target and input mean in this network."""
        return {**_roles(self.network), **self.guess} if self.network else {}

    @cached_property
    def activations(self) -> tuple[str, ...]:
        """Names of the functions applied to pre-activations, in order of first use."""
        found: dict[str, None] = {}
        for equation in self.network.equations if self.network else ():
            for part in walk(equation.rhs):
                if (
                    isinstance(part, Call)
                    and len(part.args) == 1
                    and part.name not in ("log", "exp")
                ):
                    found[part.name] = None
        return tuple(found)

    @cached_property
    def declared(self) -> Mapping[str, AxisKey]:
        return declared_letters(self.network)

    @cached_property
    def time_key(self) -> AxisKey | None:
        return time_key(self.network)

    @cached_property
    def time_axes(self) -> Mapping[str, int]:
        """Return which axis of each tensor is the time."""
        found: dict[str, int] = {}
        for tensor in self.tensors.values() if self.time_key else ():
            for number in range(len(tensor.axes)):
                if self.time_key and axis_key(tensor, number)[2] == self.time_key[2]:
                    found.setdefault(tensor.name, number)
        return found

    @cached_property
    def has_softmax(self) -> bool:
        """Tell whether a layer ends in a function along its units."""
        equations = self.network.equations if self.network else ()
        return any(isinstance(equation.rhs, Along) for equation in equations)

    @cached_property
    def words(self) -> tuple[str, ...]:
        """Return multi-letter names, so that letters that form one are not multiplied."""
        stems = [re.sub(r"[0-9]+$", "", name.split("_")[0]) for name in self.tensors]
        more = [canonical(name) for name in self.tensors] + list(self.aliases)
        table = [row.surface for row in self.table.rows if row.surface.isalpha()]
        known = [*stems, *more, *table, *self.functions, *self.network_functions, *self.unit_groups]
        return tuple(dict.fromkeys(w for w in known if len(w) > 1 and w.isalpha()))

    @cached_property
    def numbered(self) -> frozenset[str]:
        """Return declared names that end in a number, so that ``W2`` is no product."""
        return frozenset(canonical(name) for name in self.tensors if name[-1].isdigit())

    @cached_property
    def network_functions(self) -> tuple[str, ...]:
        return tuple(self.network.functions) if self.network else ()

    @cached_property
    def letters(self) -> frozenset[str]:
        """Return single letters that are symbols or indices of the network."""
        names = [*self.tensors, *self.sizes]
        if self.network:
            names += [index.name for index in self.network.indices]
        return frozenset(name for name in names if len(name) == 1)


def _families(network: Network) -> dict[str, dict[int, str]]:
    found: dict[str, dict[int, str]] = {}
    for name in network.tensors:
        if match := re.fullmatch(r"(.*?[A-Za-z'])_?(\d+)", name):
            found.setdefault(canonical(match[1]), {})[int(match[2])] = name
    for stem in [
        s for s, members in found.items() if s in network.tensors and list(members) == [0]
    ]:
        del found[stem]  # h0 beside h is where h starts, not one of several
    _complete_activations(network, found)
    return found


def _complete_activations(network: Network, families: dict[str, dict[int, str]]) -> None:
    """Give ``a`` its first member (the input) and its last (the output), however they are named."""
    inputs = network.of_role(Role.INPUT)
    for base in [s for s in ("z", "a", "h", "u", "s", "net", "n") if s in families]:
        members = families[base]
        for equation in network.equations:
            reads = [n for n in tensors_read(equation.rhs) if n in members.values()]
            if len(reads) == 1 and _is_elementwise(
                network, equation.lhs.tensor, reads[0], equation.rhs
            ):
                number = next(k for k, n in members.items() if n == reads[0])
                for other in ("a", "h", "o", "x", "out"):
                    if other != base and (other not in families or number not in families[other]):
                        families.setdefault(other, {})[number] = equation.lhs.tensor
    inner = _preactivations(network)
    for stem in list(families):
        first = min(families[stem])
        if any(tensor in inner for tensor in families[stem].values()):
            continue  # what an activation is applied to has no layer before the first
        if stem in ("a", "h", "x", "o", "out") and first in (1, 2) and len(inputs) == 1:
            families[stem][first - 1] = inputs[0].name


def _roles(network: Network) -> dict[str, str]:
    found: dict[str, str] = {}
    for letter, role in (("x", Role.INPUT), ("y", Role.TARGET), ("t", Role.TARGET)):
        tensors = network.of_role(role)
        if len(tensors) == 1:
            found[letter] = tensors[0].name
    targets = network.of_role(Role.TARGET)
    loss = [e for e in network.equations if e.lhs.tensor in loss_names(network)]
    read = [name for equation in loss for name in tensors_read(equation.rhs)]
    for name in read if len(targets) == 1 else ():
        tensor = network.tensors[name]
        rank = len(targets[0].axes)
        if (
            tensor.role is Role.VALUE
            and len(tensor.axes) == rank
            and name not in loss_names(network)
        ):
            found.setdefault("yhat", name)
    return found


def _is_elementwise(network: Network, made: str, read: str, rhs: object) -> bool:
    return (
        made != read
        and isinstance(rhs, (Call, Along, Access))
        and len(network.tensors[made].axes) == len(network.tensors[read].axes)
    )


def _data_dependent(network: Network) -> frozenset[str]:
    found = {t.name for t in network.of_role(Role.INPUT, Role.TARGET, Role.RANDOM)}
    changed = True
    while changed:
        before = len(found)
        for equation in network.equations:
            if any(name in found for name in tensors_read(equation.rhs)):
                found.add(equation.lhs.tensor)
        changed = len(found) > before
    return frozenset(found)


def _preactivations(network: Network) -> tuple[str, ...]:
    """Return the arguments of one-argument functions and softmax, and of linear layers."""
    found: dict[str, None] = {}
    for equation in network.equations:
        if equation.lhs.tensor in loss_names(network):
            continue
        for part in walk(equation.rhs):
            if isinstance(part, (Call, Along)) and part.args and isinstance(part.args[0], Access):
                name = part.args[0].tensor
                if network.tensors[name].role is Role.VALUE:
                    found[name] = None
    layers = layering(network)
    for layer in layers.layers if layers and len(layers.layers) > 1 else ():
        found[layer.preactivation] = None  # a linear output layer has its delta too
    return tuple(found)


def axis_key(tensor: Tensor, number: int) -> AxisKey:
    """Return what a letter in this slot runs over, comparable between tensors."""
    axis = tensor.axes[number]
    return ("axis", axis.low, axis.high)


def declared_letters(network: Network | None) -> dict[str, AxisKey]:
    """Return the network's own index letters and what they run over."""
    if network is None:
        return {}
    found: dict[str, AxisKey] = {i.name: ("axis", i.low, i.high) for i in network.indices}
    for equation in network.equations:
        for form in equation.lhs.indices:
            for index in indices_of(form):
                found.setdefault(index.name, ("axis", index.low, index.high))
    return found
