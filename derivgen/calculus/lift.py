"""One sample becomes many: the sample index is added to everything that depends on data.

Adjoints are linear in the loss's adjoint, so the mean loss over N samples has, for every quantity
that does not depend on data (a parameter), the mean of the per-sample adjoints:
``adj_W[k,s] = sum[n](delta[n,k]*h[n,s]) / N``. A network that declares its own ``batch`` index is
left as it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import chain, count

from derivgen.algebra.affine import Affine, Dim, Index, Lookup, affine, make_index, map_atoms
from derivgen.algebra.expressions import (
    Access,
    IndexValue,
    Node,
    div,
    index_value,
    map_leaves,
)
from derivgen.algebra.network import Axis, Role, Tensor
from derivgen.algebra.pause import no_collection
from derivgen.algebra.statements import Statement
from derivgen.calculus.derivation import Derivation
from derivgen.calculus.reverse import depends_on

DATA_ROLES = (Role.INPUT, Role.TARGET, Role.RANDOM)


@dataclass(frozen=True)
class Lifted:
    """A derivation over samples. ``index`` runs over them, ``dim`` is their number.

    ``lifted`` names the tensors that got the sample axis (always their first). Both are ``None``
    and empty where the network declares ``batch`` with a fixed size or has no data.
    """

    forward: tuple[Statement, ...]
    backward: tuple[Statement, ...]
    tensors: Mapping[str, Tensor]
    index: Index | None
    dim: Dim | None
    lifted: frozenset[str]


def lift(derivation: Derivation) -> Lifted:
    """Return the derivation's statements over a run-time number of samples."""
    network = derivation.network
    if network.batch is not None:
        return _declared(derivation, network.batch)
    letter, dim = _letters(derivation)
    index = make_index(letter, dim)
    data = [tensor.name for tensor in network.of_role(*DATA_ROLES)]
    forward = list(derivation.forward)
    dependent = depends_on(forward, data)
    backward = _dependent_backward(derivation, dependent)
    axis = Axis(index.low, index.high)
    tensors = {
        name: _with_axis(tensor, axis, index) if name in dependent else tensor
        for name, tensor in derivation.tensors.items()
    }
    lifter = _Lifter(index, dependent)
    with no_collection():
        return Lifted(
            tuple(lifter.statement(s, mean=False) for s in forward),
            tuple(lifter.statement(s, mean=True) for s in backward),
            tensors,
            index,
            dim,
            frozenset(dependent),
        )


def _declared(derivation: Derivation, batch: Index) -> Lifted:
    size = batch.size
    dims = [atom for atom, _ in size.terms if isinstance(atom, Dim)]
    dim = dims[0] if len(dims) == 1 and size == affine(dims[0]) else None
    lifted = frozenset(
        name
        for name, tensor in derivation.tensors.items()
        if any(axis == Axis(batch.low, batch.high) for axis in tensor.axes)
    )
    return Lifted(derivation.forward, derivation.backward, derivation.tensors, batch, dim, lifted)


def _letters(derivation: Derivation) -> tuple[str, Dim]:
    """Return an index letter and a size letter for the samples that nobody uses."""
    network = derivation.network
    taken = {index.name for index in network.indices} | {dim.name for dim in network.dims}
    taken |= set(network.tensors)
    for statement in (*derivation.forward, *derivation.backward):
        taken.update(index.name for index in statement.indices)
    return _unused(("n", "m"), "sample", taken), Dim(_unused(("N", "M"), "SAMPLES", taken))


def _unused(wishes: tuple[str, ...], last: str, taken: set[str]) -> str:
    numbered = (f"{last}_{number}" for number in count(1))
    return next(name for name in chain(wishes, (last,), numbered) if name not in taken)


def _dependent_backward(
    derivation: Derivation, dependent: dict[str, None]
) -> tuple[Statement, ...]:
    """Mark the backward tensors that get the sample axis; returns the backward statements."""
    for step in derivation.steps:
        if not step.auxiliary:
            if step.quantity in dependent:
                dependent[step.adjoint] = None
        elif any(name in dependent for s in step.result for name in s.reads):
            dependent[step.adjoint] = None
    return derivation.backward


def _with_axis(tensor: Tensor, axis: Axis, index: Index) -> Tensor:
    names = (index.name, *tensor.axis_names) if tensor.axis_names else ()
    return replace(tensor, axes=(axis, *tensor.axes), axis_names=names)


@dataclass(frozen=True)
class _Lifter:
    index: Index
    dependent: Mapping[str, None]
    done: dict[Access, Access] = field(default_factory=dict)

    def statement(self, statement: Statement, mean: bool) -> Statement:
        """Return the statement over all samples; a target without the axis gets their mean."""
        lhs = map_leaves(statement.lhs, self._visit)
        guard = tuple(map_leaves(condition, self._visit) for condition in statement.guard)
        body = map_leaves(statement.body, self._visit)
        if lhs is statement.lhs and body is statement.body and guard == statement.guard:
            return statement
        if mean and statement.lhs.tensor not in self.dependent:
            body = div(body, index_value(self.index.size))
        indices = (self.index, *statement.indices)
        return Statement(indices, guard, lhs, statement.op, body, statement.equation)

    def _visit(self, part: Node) -> Node:
        if isinstance(part, Access):
            made = self.done.get(part)
            if made is not None:
                return made
            forms = tuple(self._form(form) for form in part.indices)
            if part.tensor in self.dependent:
                made = self.done[part] = Access(part.tensor, (affine(self.index), *forms))
                return made
            return part if forms == part.indices else Access(part.tensor, forms)
        if isinstance(part, IndexValue):
            form = self._form(part.form)
            return part if form == part.form else index_value(form)
        return part

    def _form(self, form: Affine) -> Affine:
        return form if form.plain is not None else map_atoms(form, self._atom)

    def _atom(self, atom: object) -> Affine | None:
        if isinstance(atom, Lookup) and atom.tensor in self.dependent:
            inner = tuple(self._form(form) for form in atom.indices)
            return affine(Lookup(atom.tensor, (affine(self.index), *inner)))
        return None
