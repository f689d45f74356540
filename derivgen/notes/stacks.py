"""Stacks of equal layers: derived once, for a general layer l, then listed.

Layers are equal if, with layers counted relative to their own, all their equations print alike;
layers that differ in size alone are equal with letters for the sizes.
Invariant: what is shown for l is the derivation of one layer of the stack, in relative notation.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

from derivgen.calculus.derivation import Step
from derivgen.forms.fold import Equality
from derivgen.forms.latex import latex
from derivgen.forms.math import row
from derivgen.notes.view import View, display
from derivgen.notes.widths import Widths, layer_widths

SHORTEST = 3


@dataclass(frozen=True)
class Stack:
    """Equal layers ``first..last``; ``members`` are the tensors of each layer, role by role.

    ``widths``: the layers whose units each axis counts, if the layers differ in size.
    """

    first: int
    last: int
    members: Mapping[int, tuple[str, ...]]
    widths: Widths = field(default_factory=dict)

    @property
    def shown(self) -> tuple[str, ...]:
        """Return the tensors of the layer that stands for all."""
        return self.members[self.first]

    @cached_property
    def standing(self) -> dict[str, str]:
        """Return for each tensor of the stack the one that is shown in its place."""
        return {
            name: shown
            for names in self.members.values()
            for name, shown in zip(names, self.shown, strict=True)
        }


def stacks(view: View) -> tuple[Stack, ...]:
    """Return the stacks of a derivation, from the input on."""
    layers = _all_layers(view)
    members: dict[int, list[str]] = {}
    for name, layer in layers.items():
        members.setdefault(layer, []).append(name)
    found = _stacks(view, members, {})
    rest = {
        n: names
        for n, names in members.items()
        if not any(stack.first <= n <= stack.last for stack in found)
    }
    if len(rest) >= SHORTEST:
        found += _stacks(view, rest, layer_widths(view.derivation, view.notation))
    return tuple(sorted(found, key=lambda stack: stack.first))


def _stacks(view: View, members: Mapping[int, list[str]], widths: Widths) -> list[Stack]:
    """Return the runs of layers that print alike, their sizes as letters where there are widths."""
    seen = {n: counted(view, n, widths) for n in members}
    signatures = {n: _signature(seen[n], names) for n, names in members.items()}
    found: list[Stack] = []
    for first, last in _runs(signatures):
        inside = {n: tuple(members[n]) for n in range(first, last + 1)}
        alike = len({len(m) for m in inside.values()}) == 1 and any(signatures[first])
        if last - first + 1 >= SHORTEST and alike:
            found.append(Stack(first, last, inside, widths))
    return found


def _all_layers(view: View) -> dict[str, int]:
    """Return the layer of every tensor whose paper name carries its number."""
    return {
        name: int(paper.layer)
        for name, paper in view.notation.names.items()
        if paper.layer.isdigit()
    }


def _runs(signatures: Mapping[int, tuple[str, ...]]) -> Iterator[tuple[int, int]]:
    first = None
    for number in sorted(signatures):
        if first is None or signatures.get(number - 1) != signatures[number]:
            first = number
        if signatures.get(number + 1) != signatures[number]:
            yield first, number


def _signature(view: View, members: list[str]) -> tuple[str, ...]:
    """Return a layer's equations as printed, forward and backward."""
    return tuple(_printed(view, equality) for equality in _equalities(view, members))


def _equalities(view: View, members: list[str]) -> Iterator[Equality]:
    forward = view.forward_of
    for name in members:
        if name in forward:
            yield from view.fold(forward[name])
        yield from view.folded.get(view.adjoint(name), ())


def _printed(view: View, equality: Equality) -> str:
    return latex(row(*display(view, equality)))


def relative(view: View, stack: Stack) -> View:
    """Return the view in which the layer shown is called l, the one before it l-1."""
    return counted(view, stack.first, stack.widths)


def counted(view: View, layer: int, widths: Widths) -> View:
    """Return the view in which layers are counted from one of them."""
    return replace(view, notation=replace(view.notation, origin=layer), widths=widths)


def stack_of(found: tuple[Stack, ...], tensor: str) -> Stack | None:
    """Return the stack a tensor belongs to."""
    return next((stack for stack in found if tensor in stack.standing), None)


def stack_of_step(found: tuple[Stack, ...], step: Step) -> Stack | None:
    """Return the stack a step belongs to."""
    return None if step.auxiliary else stack_of(found, step.quantity)


def aliases(found: tuple[Stack, ...]) -> dict[str, str]:
    """Return for every tensor of a stack the one whose equations are shown."""
    pairs: dict[str, str] = {}
    for stack in found:
        pairs.update(stack.standing)
    return pairs
