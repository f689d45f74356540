"""Equations in any order: one that needs the range of a tensor waits until that is known.

An attempt that must wait leaves nothing behind. A tensor waited for is tried next, so a chain of
definitions written backwards costs no more than one written forwards.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Union

from derivgen.algebra.network import Equation, Tensor
from derivgen.errors import DerivgenError, EquationError, NameProblem
from derivgen.language.draft import Draft, Written
from derivgen.language.lines import EquationLine
from derivgen.language.ranges import Pending
from derivgen.language.scope import View
from derivgen.language.syntax import Word
from derivgen.language.whole import applies_layer, set_number

Add = Callable[[Draft, EquationLine], None]
Reason = Union[Pending, NameProblem]


@dataclass
class Progress:
    """What has been added so far, by line, and which lines wait for what."""

    lines: Sequence[EquationLine]
    add: Add
    made: dict[int, tuple[list[Equation], list[Written]]] = field(default_factory=dict)
    blocked: dict[int, Reason] = field(default_factory=dict)
    definers: dict[str, list[int]] = field(default_factory=dict)


def add_in_any_order(draft: Draft, lines: Sequence[EquationLine], add: Add) -> None:
    """Add every line by ``add``; the equations end in the order of the lines.

    Raises: what the first line that can never be added raises.
    """
    progress = Progress(lines, add)
    for number, line in enumerate(lines):
        progress.definers.setdefault(line.lhs.name, []).append(number)
    waiting = list(range(len(lines)))
    settled = False
    while waiting:
        progress.blocked.clear()
        for number in waiting:
            _follow(draft, progress, number)
        left = [number for number in waiting if number not in progress.made]
        if left and len(left) == len(waiting):
            if settled:
                raise _never(draft, lines[left[0]], progress.blocked[left[0]])
            settled = True
            _settle_numbers(draft, lines)
        waiting = left
    for number in range(len(lines)):
        draft.equations += progress.made[number][0]
        draft.written += progress.made[number][1]


def _follow(draft: Draft, progress: Progress, number: int) -> None:
    """Add a line, and first the lines that define what it waits for."""
    stack = [number]
    entered = {number}
    while stack:
        top = stack[-1]
        if top in progress.made or top in progress.blocked:
            stack.pop()
            continue
        reason = _attempt(draft, progress, top)
        if reason is None:
            continue
        names = reason.tensors if isinstance(reason, Pending) else ()
        needed = [n for name in names for n in progress.definers.get(name, ())]
        needed = [n for n in needed if n not in entered and n not in progress.blocked]
        if needed:
            stack += reversed(needed)
            entered.update(needed)
        else:
            progress.blocked[top] = reason


def _attempt(draft: Draft, progress: Progress, number: int) -> Reason | None:
    line = progress.lines[number]
    mark = _mark(draft, line)
    try:
        progress.add(draft, line)
    except (Pending, NameProblem) as reason:
        _undo(draft, line, mark)
        return reason
    progress.made[number] = (draft.equations, draft.written)
    draft.equations, draft.written = [], []
    return None


class Mark(NamedTuple):
    """What an equation may change before it turns out to wait for another."""

    tensors: int
    tensor: Tensor
    view: View
    pending: bool
    layers: int


def _mark(draft: Draft, line: EquationLine) -> Mark:
    name = line.lhs.name
    pending = name in draft.pending_names
    return Mark(
        len(draft.tensors), draft.tensors[name], draft.views[name], pending, draft.layer_count
    )


def _undo(draft: Draft, line: EquationLine, mark: Mark) -> None:
    name = line.lhs.name
    while len(draft.tensors) > mark.tensors:
        made, _ = draft.tensors.popitem()
        draft.views.pop(made, None)
    draft.tensors[name], draft.views[name] = mark.tensor, mark.view
    if mark.pending:
        draft.pending_names.add(name)
    draft.layer_count = mark.layers
    draft.equations, draft.written = [], []
    for shared in draft.shared:
        kept = {n: t for n, t in shared.names.items() if t in draft.tensors}
        shared.names.clear()
        shared.names.update(kept)


def _settle_numbers(draft: Draft, lines: Sequence[EquationLine]) -> None:
    # What is left waits for itself: a name without indices is then a number.
    for line in lines:
        view = draft.views[line.lhs.name]
        if isinstance(line.lhs, Word) and view.axes is None and not applies_layer(draft, line.rhs):
            set_number(draft, line.lhs.name)


def _never(draft: Draft, line: EquationLine, reason: Reason) -> DerivgenError:
    if isinstance(reason, NameProblem):
        return reason
    return draft.scope(line.span).problem(
        EquationError,
        f"The range of {reason.letter} is not known.",
        f"Declare it: index {reason.letter}: SIZE.",
        reason.at,
    )
