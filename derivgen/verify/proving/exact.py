"""A network for proofs: what its equations, facts and derivatives say, derived once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property

from derivgen.algebra.affine import Affine
from derivgen.algebra.expressions import Access, Number, Reduce, tensors_read
from derivgen.algebra.network import Equation, Network, Role
from derivgen.algebra.statements import plain_lhs
from derivgen.calculus.derivation import Derivation, Step
from derivgen.calculus.engine import derive
from derivgen.calculus.lemmas import Lemmas
from derivgen.errors import DerivgenError
from derivgen.verify.proving.canonical import Facts
from derivgen.verify.proving.known import Known
from derivgen.verify.proving.places import Form, Range, from_affine, minus


def form_of(value: Affine) -> Form:
    """Return a form over sizes."""
    return from_affine(value, {})


@dataclass
class Exact:
    """One network and everything about it that proofs ask for."""

    network: Network
    seeded: dict[str, Exact] = field(default_factory=dict)

    @cached_property
    def derivation(self) -> Derivation:
        names = [t.name for t in self.network.tensors.values() if t.name != self.network.loss]
        params = [t.name for t in self.network.parameters]
        try:
            return derive(self.network, names)
        except DerivgenError:
            return derive(self.network, params)

    @cached_property
    def lemmas(self) -> Lemmas:
        return Lemmas(self.network.functions)

    @cached_property
    def steps(self) -> Mapping[str, Step]:
        """Return what writes each adjoint, by its name."""
        return {step.adjoint: step for step in self.derivation.steps}

    @cached_property
    def adjoints(self) -> Mapping[str, str]:
        """Return the adjoint of each tensor that the derivation has one for."""
        return {s.quantity: s.adjoint for s in self.derivation.steps if not s.auxiliary}

    @cached_property
    def defined(self) -> Mapping[str, Equation]:
        """Return the equations that alone define their tensor, index by plain index."""
        counts: dict[str, int] = {}
        for equation in self.network.equations:
            counts[equation.lhs.tensor] = counts.get(equation.lhs.tensor, 0) + 1
        return {
            e.lhs.tensor: e
            for e in self.network.equations
            if counts[e.lhs.tensor] == 1
            and plain_lhs(e.lhs) is not None
            and self.network.tensors[e.lhs.tensor].role is Role.VALUE
        }

    @cached_property
    def cyclic(self) -> frozenset[str]:
        """Return the tensors and adjoints that lead back to themselves: recurrences."""
        reads: dict[str, set[str]] = {}
        for equation in self.network.equations:
            reads.setdefault(equation.lhs.tensor, set()).update(tensors_read(equation.rhs))
        for name, step in self.steps.items():
            found = {tensor for statement in step.result for tensor in statement.reads}
            reads.setdefault(name, set()).update(found)
        return frozenset(name for name in reads if name in _reached(name, reads))

    @cached_property
    def facts(self) -> Facts:
        """Return the declared sums: ``sum[k](y[k]) = 1`` as ``(y, 0)``: its range and 1."""
        found: dict[tuple[str, int], tuple[Range, Fraction]] = {}
        for fact in self.network.facts:
            left, right = fact.left, fact.right
            if not (isinstance(left, Reduce) and left.op == "sum" and isinstance(right, Number)):
                continue
            if len(left.bound) != 1 or not isinstance(left.body, Access):
                continue
            body = left.body
            places = [form.plain for form in body.indices]
            if places.count(left.bound[0]) != 1 or None in places or len(set(places)) < len(places):
                continue
            axes = self.network.tensors[body.tensor].axes
            whole = all(i and (i.low, i.high) == (a.low, a.high) for i, a in zip(places, axes))
            if whole and body.outside is None:
                span = (form_of(left.bound[0].low), form_of(left.bound[0].high))
                found[body.tensor, places.index(left.bound[0])] = (span, right.value)
        return found

    @cached_property
    def known(self) -> Known:
        """Return what holds of all sizes: every axis has an element, index values are in range."""
        lookups = {
            t.name: (form_of(t.values_of.low), form_of(t.values_of.high))
            for t in self.network.tensors.values()
            if t.values_of is not None
        }
        made = [
            minus(form_of(axis.high), form_of(axis.low), -1)
            for tensor in self.network.tensors.values()
            for axis in tensor.axes
        ]
        return Known((), lookups).also(f for f in made if f[1])

    def span(self, tensor: str, axis: int) -> Range:
        tensors = self.network.tensors
        found = tensors.get(tensor) or self.derivation.tensors[tensor]
        return form_of(found.axes[axis].low), form_of(found.axes[axis].high)


def _reached(name: str, reads: Mapping[str, set[str]]) -> set[str]:
    found: set[str] = set()
    waiting = list(reads.get(name, ()))
    while waiting:
        tensor = waiting.pop()
        if tensor not in found:
            found.add(tensor)
            waiting.extend(reads.get(tensor, ()))
    return found


def exact_of(network: Network) -> Exact:
    """Return what proofs know of a network; it is kept beside it."""
    kept: Exact | None = network.__dict__.get("_exact")
    if kept is None:
        kept = Exact(network)
        object.__setattr__(network, "_exact", kept)
    return kept
