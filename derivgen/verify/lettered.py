"""A network as claims need it: size letters for numbers, a name for every pre-activation.

``input x[784]`` fixes a size that claims do not depend on, and two layers of 64 make a transpose
invisible; ``h = tanh(sum[d](...))`` hides what a textbook calls z. Both are put right here by an
equal network. Invariant: elements keep their values; no name that the network has is taken away.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from derivgen.algebra.affine import Affine, Dim, Index, affine, atoms
from derivgen.algebra.expressions import (
    Access,
    Along,
    Call,
    Expr,
    IndexValue,
    Node,
    Reduce,
    affine_forms,
    substitute,
    walk,
)
from derivgen.algebra.network import Axis, Equation, Fact, Network, Role, Tensor
from derivgen.verify.parts import with_parts

Place = tuple[str, Any]  # ("tensor", name, axis) or ("index", equation, index)


def lettered(network: Network) -> Network:
    """Return the network with sizes as letters, pre-activations and losses of a time named."""
    return with_letters(with_parts(with_preactivations(network)))


# --- pre-activations -----------------------------------------------------------------------------


def with_preactivations(network: Network) -> Network:
    """Return the network in which ``a[i] = f(e)`` is ``z[i] = e`` and ``a[i] = f(z[i])``."""
    equations: list[Equation] = []
    tensors = dict(network.tensors)
    counts: dict[str, int] = {}
    for equation in network.equations:
        counts[equation.lhs.tensor] = counts.get(equation.lhs.tensor, 0) + 1
    for equation in network.equations:
        argument = _argument(equation, network)
        if argument is None or counts[equation.lhs.tensor] > 1:
            equations.append(equation)
            continue
        name = _free_name(equation.lhs.tensor, tensors)
        made = Access(name, equation.lhs.indices)
        axes = tensors[equation.lhs.tensor].axes
        tensors[name] = Tensor(name, axes)
        equations.append(replace(equation, lhs=made, rhs=argument, predict=None))
        equations.append(replace(equation, rhs=_with_argument(equation.rhs, made)))
    if len(equations) == len(network.equations):
        return network
    return replace(network, equations=tuple(equations), tensors=tensors)


def _argument(equation: Equation, network: Network) -> Expr | None:
    """Return what a function is applied to, if that is the whole right side and has no name."""
    rhs = equation.rhs
    if not isinstance(rhs, (Call, Along)) or equation.predict is not None:
        return None
    if (
        network.tensors[equation.lhs.tensor].role is not Role.VALUE
        or equation.lhs.tensor == network.loss
    ):
        return None
    if any(form.plain is None for form in equation.lhs.indices):
        return None
    argument = rhs.args[0] if len(rhs.args) == 1 else None
    if argument is None or not any(isinstance(p, Reduce) for p in walk(argument)):
        return None
    own = [form.plain for form in equation.lhs.indices]
    inside = isinstance(rhs, Along) and any(i not in own for i in rhs.indices)
    return None if inside else argument


def _with_argument(rhs: Expr, made: Access) -> Expr:
    assert isinstance(rhs, (Call, Along)), "only functions have arguments"
    return replace(rhs, args=(made,))


def _free_name(tensor: str, taken: dict[str, Tensor]) -> str:
    stems = ("z_", "net_", "pre_")
    return next(n for n in (stem + tensor for stem in (*stems, "arg_" * 3)) if n not in taken)


# --- sizes ---------------------------------------------------------------------------------------


@dataclass
class _Classes:
    """Axes and indices that must have one size, joined as they meet."""

    parent: dict[Place, Place] = field(default_factory=dict)
    fixed: dict[Place, None] = field(default_factory=dict)

    def find(self, place: Place) -> Place:
        while self.parent.get(place, place) != place:
            place = self.parent[place]
        return place

    def join(self, one: Place, other: Place) -> None:
        a, b = self.find(one), self.find(other)
        if a != b:
            self.parent[b] = a

    def fix(self, place: Place) -> None:
        self.fixed[place] = None

    def is_fixed(self, place: Place) -> bool:
        root = self.find(place)
        return any(self.find(other) == root for other in self.fixed)


def with_letters(network: Network) -> Network:
    """Return the network with a size letter for every number that is an axis' length alone."""
    numbered = [t for t in network.tensors.values() if any(_literal(axis) for axis in t.axes)]
    if not numbered or network.updates:
        return network
    classes = _Classes()
    for number, part in enumerate(_parts(network)):
        _meet(part, number, classes)
    for tensor in network.tensors.values():
        _meet_tensor(tensor, classes)
    names = _letters(network, classes)
    return _renamed(network, classes, names) if names else network


def _literal(axis: Axis) -> bool:
    bounds = (axis.low, axis.high)
    return all(b.is_constant for b in bounds) and axis.low.constant == 0 and axis.high.constant > 1


def _parts(network: Network) -> list[tuple[Node, ...]]:
    found: list[tuple[Node, ...]] = [(e.lhs, e.rhs) for e in network.equations]
    return [*found, *((f.left, f.right) for f in network.facts)]


def _meet(part: tuple[Node, ...], number: int, classes: _Classes) -> None:
    for top in part:
        for node in walk(top):
            if isinstance(node, Access):
                for axis, form in enumerate(node.indices):
                    place: Place = ("tensor", (node.tensor, axis))
                    if form.plain is not None:
                        classes.join(place, ("index", (number, form.plain)))
                    else:
                        _fix_form(form, number, place, classes)
            elif not isinstance(node, (Reduce, Along)):
                for form in _own_forms(node):
                    _fix_form(form, number, None, classes)


def _own_forms(node: Node) -> Iterator[Affine]:
    if isinstance(node, IndexValue):
        yield node.form


def _fix_form(form: Affine, number: int, place: Place | None, classes: _Classes) -> None:
    """What is shifted, strided or a number keeps its declared size."""
    if place is not None:
        classes.fix(place)
    for atom in atoms(form):
        if isinstance(atom, Index):
            classes.fix(("index", (number, atom)))


def _meet_tensor(tensor: Tensor, classes: _Classes) -> None:
    for axis, bounds in enumerate(tensor.axes):
        place: Place = ("tensor", (tensor.name, axis))
        if isinstance(tensor.values, tuple) or not _literal(bounds) or tensor.values_of is not None:
            classes.fix(place)


def _letters(network: Network, classes: _Classes) -> dict[Place, Dim]:
    names: dict[Place, Dim] = {}
    for tensor in network.tensors.values():
        for axis, bounds in enumerate(tensor.axes):
            root = classes.find(("tensor", (tensor.name, axis)))
            if _literal(bounds) and root not in names and not classes.is_fixed(root):
                names[root] = Dim(f"#{len(names) + 1}")
    return names


def _renamed(network: Network, classes: _Classes, names: dict[Place, Dim]) -> Network:
    dims = dict(network.dims)
    tensors: dict[str, Tensor] = {}
    for tensor in network.tensors.values():
        axes = []
        for axis, bounds in enumerate(tensor.axes):
            dim = names.get(classes.find(("tensor", (tensor.name, axis))))
            axes.append(bounds if dim is None else Axis(bounds.low, affine(dim)))
            if dim is not None:
                dims.setdefault(dim, bounds.high.constant)
        tensors[tensor.name] = replace(tensor, axes=tuple(axes))
    count = len(network.equations)
    changes = [_changes(part, n, classes, names) for n, part in enumerate(_parts(network))]
    equations = tuple(
        replace(
            e,
            lhs=substitute(e.lhs, c),
            rhs=substitute(e.rhs, c),
            predict=e.predict and substitute(e.predict, c),
        )
        for e, c in zip(network.equations, changes)
    )
    facts = tuple(
        Fact(substitute(f.left, c), substitute(f.right, c), f.position, f.implied_by)
        for f, c in zip(network.facts, changes[count:])
    )
    return replace(network, dims=dims, tensors=tensors, equations=equations, facts=facts)


def _changes(
    part: tuple[Node, ...], number: int, classes: _Classes, names: dict[Place, Dim]
) -> dict[Index, Affine]:
    found: dict[Index, Affine] = {}
    for top in part:
        for node in walk(top):
            own = [i for f in affine_forms(node) for i in atoms(f) if isinstance(i, Index)]
            bound = node.bound if isinstance(node, Reduce) else ()
            along = node.indices if isinstance(node, Along) else ()
            for index in (*own, *bound, *along):
                dim = names.get(classes.find(("index", (number, index))))
                if dim is not None:
                    found[index] = affine(Index(index.name, index.low, affine(dim)))
    return found
