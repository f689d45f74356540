"""How many elements a parameter sums, and how many it feeds: what initialisers scale by."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from fractions import Fraction

from derivgen.algebra.affine import Affine, Index, indices_of
from derivgen.algebra.expressions import Access, Expr, Reduce, children
from derivgen.algebra.network import Equation, Initialiser, Role, Tensor
from derivgen.language.draft import Draft
from derivgen.language.starts import constant_start


def fill_fans(draft: Draft) -> None:
    """Give every parameter the sizes of its axes that are summed, and of the others.

    They are read off the first equation that uses it; a parameter without a start gets one.
    """
    wanted = {name for name, tensor in draft.tensors.items() if tensor.role is Role.PARAM}
    for equation in draft.equations:
        if not wanted:
            break
        for access, bound in _first_uses(equation, wanted):
            tensor = draft.tensors[access.tensor]
            draft.tensors[access.tensor] = _with_fans(tensor, access, bound)
            wanted.discard(access.tensor)
    for name, tensor in draft.tensors.items():
        if tensor.role is Role.PARAM and tensor.initialiser is None and tensor.values is None:
            draft.tensors[name] = replace(tensor, initialiser=_default(draft, tensor))


def _first_uses(equation: Equation, wanted: set[str]) -> Iterable[tuple[Access, tuple[Index, ...]]]:
    found: dict[str, tuple[Access, tuple[Index, ...]]] = {}
    stack: list[tuple[Expr, tuple[Index, ...]]] = [(equation.rhs, ())]
    while stack:
        part, bound = stack.pop()
        if isinstance(part, Access) and part.tensor in wanted:
            found.setdefault(part.tensor, (part, bound))
        if isinstance(part, Reduce):
            bound = (*bound, *part.bound)
        stack.extend((child, bound) for child in reversed(children(part)))
    return found.values()


def _with_fans(tensor: Tensor, access: Access, bound: tuple[Index, ...]) -> Tensor:
    summed: list[Affine] = []
    others: list[Affine] = []
    for form, axis in zip(access.indices, tensor.axes):
        inside = any(index in bound for index in indices_of(form))
        (summed if inside else others).append(axis.size)
    return replace(tensor, fan_in=tuple(summed), fan_out=tuple(others))


def _default(draft: Draft, tensor: Tensor) -> Initialiser:
    # A vector nothing sums over is a bias as a rule: it starts at 0, everything else from fan_in.
    if len(tensor.axes) == 1 and not tensor.fan_in:
        return constant_start(Fraction(0))
    rule = draft.initialisers["fan_in"]
    return Initialiser(rule.name, (), rule.distribution)
