"""Derivatives inside equations, ``g[i] = d(u, x[i])``: statements made by reverse mode itself.

In general ``d(u[a], x[b])`` is a Jacobian with an axis for ``a`` and one for ``b``. Where it is
read on a diagonal only, ``d(u[n], x[n])``, and ``n`` is carried along unchanged from ``x`` to ``u``
(one sample does not look at another), only the diagonal is computed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from derivgen.algebra.affine import Index, affine, indices_of
from derivgen.algebra.expressions import ONE, Access, Derivative, Node, transform, walk
from derivgen.algebra.network import Axis, Network
from derivgen.algebra.statements import Statement
from derivgen.calculus.derivation import Contribution, Named, Step
from derivgen.calculus.reverse import (
    Adjoints,
    Forward,
    depends_on,
    needed_for,
    pull_back,
    reach,
)
from derivgen.calculus.schedule import computing_order
from derivgen.calculus.simplify import simplify
from derivgen.errors import EquationError


def reverse(forward: Forward, adjoints: Adjoints, asked: Sequence[str]) -> list[Step]:
    """Return the raw steps that pull the seed back to ``asked``, in an order of computation."""
    statements = list(forward.statements)
    counts = forward.writers()
    forward.single = frozenset(name for name, count in counts.items() if count == 1)
    smooth = [s for s in statements if not s.op.startswith("arg")]
    wanted = depends_on(smooth, asked)
    needed = needed_for(smooth, [adjoints.seed])
    active = {name for name in wanted if name in needed}
    found = [
        contribution
        for statement in reversed(smooth)
        if statement.lhs.tensor in active
        for contribution in pull_back(statement, forward, adjoints, active.__contains__)
    ]
    paths = _from_seed(found, adjoints.seed)
    last = {statement.lhs.tensor: n for n, statement in enumerate(statements)}
    order = sorted(paths, key=lambda name: -last.get(name, -1))
    return [_raw_step(name, paths[name], forward, adjoints) for name in order]


def _from_seed(found: list[Contribution], seed: str) -> dict[str, list[Contribution]]:
    """Return the contributions by operand, without those that nothing reaches.

    A quantity read in conditions only, or under `stop_gradient`, has no adjoint to hand on.
    """
    targets: dict[str, list[str]] = {}
    for path in found:
        targets.setdefault(path.through.lhs.tensor, []).append(path.operand.tensor)
    reached = reach(targets, [seed])
    paths: dict[str, list[Contribution]] = {}
    for path in found:
        if path.through.lhs.tensor in reached:
            paths.setdefault(path.operand.tensor, []).append(path)
    return paths


def _raw_step(name: str, paths: list[Contribution], forward: Forward, adjoints: Adjoints) -> Step:
    made = tuple(path.statement for path in paths)
    delta = name in forward.preactivations
    return Step(name, adjoints.name(name), tuple(paths), (), made, delta)


def supply_derivatives(network: Network, forward: Forward, waiting: dict[str, Derivative]) -> None:
    """Add the statements of ``d(u, x)``, innermost first, so that they may be differentiated."""
    while waiting:
        ready = [n for n, d in waiting.items() if not _blocked(forward, d.of.tensor, waiting)]
        if not ready:
            names = " and ".join(f"d({d.of.tensor}, {d.by.tensor})" for d in waiting.values())
            raise EquationError(names, "A derivative is used to define what it differentiates.")
        for name in ready:
            _supply(network, forward, name, waiting.pop(name))
        forward.statements = computing_order(forward.statements)


def _blocked(forward: Forward, tensor: str, waiting: dict[str, Derivative]) -> bool:
    needed = needed_for(forward.statements, [tensor])
    return any(name in needed for name in waiting)


def _supply(network: Network, forward: Forward, name: str, derivative: Derivative) -> None:
    of, by = derivative.of.tensor, derivative.by.tensor
    shared = _carried_axis(forward, name, derivative)
    if shared is not None:
        _read_diagonal(forward, name, shared)
    axes = forward.tensors[of].axes
    free = [axis for axis in range(len(axes)) if axis != shared]
    letters = forward.tensors[of].axis_names
    leading = loop(
        forward,
        tuple(axes[axis] for axis in free),
        tuple(letters[axis] for axis in free) if letters else (),
    )
    unit = shared is not None and not leading
    adjoints = Adjoints(_naming(forward, of, {by: name}), of, leading, unit)
    raw = reverse(forward, adjoints, (by,))
    for step in raw:
        if step.adjoint != name:
            _declare(forward, step.adjoint, of, step.quantity, leading)
    if (axes and not unit) or of == by:
        forward.statements.append(_seed(forward, adjoints, of, leading, shared))
    steps, _ = simplify(raw, forward, network, {name})
    forward.statements += _read([s for step in steps for s in step.result], name)


def _read(statements: list[Statement], name: str) -> list[Statement]:
    """Return the statements that lead to ``name``; simplification left others unread."""
    needed = needed_for(statements, [name])
    return [statement for statement in statements if statement.lhs.tensor in needed]


def _naming(forward: Forward, of: str, known: dict[str, str]) -> Callable[[str], str]:
    def name(operand: str) -> str:
        if operand not in known:
            known[operand] = forward.names.tensor(f"d_{of}_d_{operand}")
        return known[operand]

    return name


def _declare(
    forward: Forward, name: str, of: str, quantity: str, leading: tuple[Index, ...]
) -> None:
    old = forward.tensors[quantity]
    axes = (*(Axis(i.low, i.high) for i in leading), *old.axes)
    forward.add_tensor(name, axes, (*(i.name for i in leading), *old.axis_names))
    part = Derivative(Access(of), Access(quantity))
    forward.named[name] = Named(name, part, "derivative", -1)


def _seed(
    forward: Forward,
    adjoints: Adjoints,
    of: str,
    leading: tuple[Index, ...],
    shared: int | None,
) -> Statement:
    """Return ``d u[a] / d u[a] = 1``."""
    own = list(leading)
    looped = leading
    if shared is not None:
        tensor = forward.tensors[of]
        letters = (tensor.axis_names[shared],) if tensor.axis_names else ()
        (index,) = loop(forward, (tensor.axes[shared],), letters)
        own.insert(shared, index)
        looped = (*leading, index)
    place = adjoints.place(Access(of, tuple(affine(index) for index in own)))
    if place.tensor not in forward.tensors:
        _declare(forward, place.tensor, of, of, leading)
    return Statement(looped, (), place, "sum", ONE)


# --- diagonals -----------------------------------------------------------------------------------


def _carried_axis(forward: Forward, name: str, derivative: Derivative) -> int | None:
    """Return the axis of ``u`` whose index is carried along from ``x``, or ``None``."""
    of, by = derivative.of.tensor, derivative.by.tensor
    rank = len(forward.tensors[of].axes)
    reads = [
        part
        for statement in forward.statements
        for part in walk(statement.body)
        if isinstance(part, Access) and part.tensor == name
    ]
    for axis in range(rank):
        for other in range(len(forward.tensors[by].axes)):
            if reads and all(_same_index(read, axis, rank + other) for read in reads):
                carried = _carry(forward, of, axis, by)
                if carried is not None and carried.get(by) == other:
                    return axis
    return None


def _same_index(read: Access, one: int, other: int) -> bool:
    index = read.indices[one].plain
    return index is not None and index == read.indices[other].plain


def _carry(forward: Forward, of: str, axis: int, by: str) -> dict[str, int] | None:
    """Return the axis that carries the index for every tensor between ``x`` and ``u``."""
    smooth = [s for s in forward.statements if not s.op.startswith("arg")]
    wanted, needed = depends_on(smooth, [by]), needed_for(smooth, [of])
    writers: dict[str, list[Statement]] = {}
    for statement in smooth:
        writers.setdefault(statement.lhs.tensor, []).append(statement)
    axes, work = {of: axis}, [of]
    while work:
        tensor = work.pop()
        for statement in writers.get(tensor, ()) if tensor != by else ():
            index = statement.lhs.indices[axes[tensor]].plain
            for part in walk(statement.body):
                if not isinstance(part, Access) or part.tensor not in wanted:
                    continue
                if part.tensor not in needed:
                    continue
                place = _only_place(part, index)
                if place is None or axes.setdefault(part.tensor, place) != place:
                    return None
                if part.tensor != tensor and part.tensor not in work:
                    work.append(part.tensor)
    return axes


def _only_place(access: Access, index: Index | None) -> int | None:
    """Return the axis where ``index`` stands alone, if it stands nowhere else."""
    if index is None:
        return None
    found = [n for n, form in enumerate(access.indices) if index in set(indices_of(form))]
    return found[0] if len(found) == 1 and access.indices[found[0]].plain == index else None


def _read_diagonal(forward: Forward, name: str, axis: int) -> None:
    """Drop an axis of a Jacobian from the tensor and from everything that reads it."""

    def visit(part: Node) -> Node:
        if isinstance(part, Access) and part.tensor == name:
            return replace(part, indices=part.indices[:axis] + part.indices[axis + 1 :])
        return part

    forward.statements = [replace(s, body=transform(s.body, visit)) for s in forward.statements]
    old = forward.tensors[name]
    letters = old.axis_names[:axis] + old.axis_names[axis + 1 :]
    forward.add_tensor(name, old.axes[:axis] + old.axes[axis + 1 :], letters)


def loop(
    forward: Forward, axes: tuple[Axis, ...], axis_names: tuple[str, ...]
) -> tuple[Index, ...]:
    """Return fresh indices over the given axes."""
    letters = [*axis_names, *"abcdefgh"[len(axis_names) :]]
    return tuple(
        forward.names.unique_index(Index(letter, axis.low, axis.high))
        for letter, axis in zip(letters, axes, strict=False)
    )
