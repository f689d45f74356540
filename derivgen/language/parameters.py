"""The tensors a layer declares for itself: parameters, constants, random tensors, states."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from derivgen.algebra.network import Axis, Role, Tensor
from derivgen.errors import ShapeError, SyntaxProblem
from derivgen.language.draft import Draft
from derivgen.language.lines import (
    RandomLine,
    StateLine,
    TensorItem,
    TensorLine,
)
from derivgen.language.place import (
    Application,
    Place,
    local_axis,
    set_tensor,
)
from derivgen.language.ranges import axis_text
from derivgen.language.resolve import expression
from derivgen.language.scope import View
from derivgen.language.starts import distribution, read_value
from derivgen.language.syntax import Word

GREEK = frozenset(
    "alpha beta gamma delta epsilon zeta eta theta kappa lambda mu nu xi pi rho sigma tau phi chi "  # noqa: SIM905
    "psi omega Gamma Delta Theta Lambda Xi Pi Sigma Phi Psi Omega".split()
)


def declare_body(inner: Place, done: Application) -> None:
    """Declare the tensors that a layer's body declares.

    Raises: SyntaxProblem, if the call names a parameter that the body does not have.
    """
    used: set[str] = set()
    for line in done.row.body:
        if isinstance(line, TensorLine):
            for item in line.items:
                used.add(item.name.name)
                _declare_param(inner, line, item, done)
        elif isinstance(line, RandomLine):
            _declare_random(inner, line, done)
        elif isinstance(line, StateLine):
            _declare_state(inner, line, done)
    for extra in done.bound.extra:
        if extra not in used:
            raise SyntaxProblem(
                done.span.text,
                f"{done.row.name} has no setting or parameter {extra}.",
                f"Write {done.row.signature}.",
                done.position,
            )


def _declare_param(inner: Place, line: TensorLine, item: TensorItem, done: Application) -> None:
    names = done.names
    local = item.name.name
    pairs = [local_axis(axis, inner, line.span) for axis in item.axes]
    axes = tuple(axis for axis, _ in pairs)
    if local in names:
        _same_axes(inner.draft.tensors[names[local]], axes, done)
        inner.views[local] = View(names[local], axes)
        return
    said = done.bound.extra.get(local)
    renamed = said is not None and isinstance(said, Word) and not _is_start(inner.draft, said)
    name = said.name if renamed and isinstance(said, Word) else f"{local}_{done.owner}"
    names[local] = name
    inner.views[local] = View(name, axes)
    if renamed and name in inner.draft.tensors:
        _same_axes(inner.draft.tensors[name], axes, done)
        return
    value = item if said is None or renamed else replace(item, value=said)
    role = Role(line.role)
    start, values = read_value(inner.draft, value, role, axes, inner.scope(line.span))
    tensor = Tensor(
        name,
        axes,
        role,
        start,
        values,
        latex=None if renamed else paper_name(local, inner.number),
        axis_names=tuple(letter for _, letter in pairs),
        position=done.position,
    )
    set_tensor(inner.draft, tensor, done.span, done.at)


def _is_start(draft: Draft, word: Word) -> bool:
    return word.name in draft.initialisers and word.name not in draft.tensors


def _same_axes(tensor: Tensor, axes: tuple[Axis, ...], done: Application) -> None:
    if tensor.axes == axes:
        return
    shapes = [
        "(" + ", ".join(axis_text(axis) for axis in part) + ")" for part in (tensor.axes, axes)
    ]
    raise ShapeError(
        done.span.text,
        f"{tensor.name} has the shape {shapes[0]}, {shapes[1]} is needed here.",
        "Give the layer a parameter of its own, or make both shapes equal.",
        done.position,
    )


def paper_name(name: str, number: int) -> str | None:
    """Return a parameter's name on paper, ``W^{(1)}`` for the first layer's ``W``."""
    if not number:
        return None
    base, _, rest = name.partition("_")
    shown = f"\\{base}" if base in GREEK else base if len(base) == 1 else f"\\mathrm{{{base}}}"
    if rest:
        inside = rest if len(rest) == 1 else f"\\mathrm{{{rest.replace('_', ' ')}}}"
        shown += f"_{{{inside}}}"
    return f"{shown}^{{({number})}}"


def _declare_random(inner: Place, line: RandomLine, done: Application) -> None:
    local = line.item.name.name
    pairs = [local_axis(axis, inner, line.span) for axis in line.item.axes]
    scope = inner.scope(line.span)
    assert line.item.value is not None, "the statement has a distribution"
    name = local + inner.suffix
    carried = done.bound.carried
    tensor = Tensor(
        name,
        (*[Axis(i.low, i.high) for i in carried], *[axis for axis, _ in pairs]),
        Role.RANDOM,
        distribution=distribution(line.item.value, scope),
        predict=None if line.predict is None else expression(line.predict, scope),
        axis_names=(*[i.name for i in carried], *[letter for _, letter in pairs]),
        position=done.position,
    )
    set_tensor(inner.draft, tensor, done.span, done.at)
    inner.views[local] = View(name, tuple(axis for axis, _ in pairs), carried)


def _declare_state(inner: Place, line: StateLine, done: Application) -> None:
    local = line.item.name.name
    pairs = [local_axis(axis, inner, line.span) for axis in line.item.axes]
    axes = tuple(axis for axis, _ in pairs)
    name = done.names.setdefault(local, f"{local}_{done.owner}")
    inner.views[local] = View(name, axes)
    if name in inner.draft.tensors:
        return
    _, values = read_value(inner.draft, line.item, Role.STATE, axes, inner.scope(line.span))
    tensor = Tensor(
        name,
        axes,
        Role.STATE,
        values=Fraction(0) if values is None else values,
        axis_names=tuple(letter for _, letter in pairs),
        position=done.position,
    )
    set_tensor(inner.draft, tensor, done.span, done.at)
