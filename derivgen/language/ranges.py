"""The ranges of index letters: declared ones, and undeclared ones read off the axes.

A letter that no line declares gets, equation by equation, the range of the axes it stands in
plainly (``x[i]``, not ``x[i+1]``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from derivgen.algebra.affine import Affine, Index, affine, surely_nonnegative
from derivgen.algebra.network import Axis
from derivgen.errors import EquationError, LimitError, ShapeError
from derivgen.language.scope import FOLDS, Scope, undefined
from derivgen.language.syntax import Apply, Ranged, Ref, Tree, Word, parts_of

MAX_SIZE = 10**9


class Pending(Exception):
    """A range is not known yet; it waits for the equations of ``tensors``."""

    def __init__(self, letter: str, at: int, tensors: tuple[str, ...]) -> None:
        super().__init__(letter)
        self.letter = letter
        self.at = at
        self.tensors = tensors


def range_index(item: Ranged, form: Callable[[Tree], Affine], known: Mapping[str, Index]) -> Index:
    """Return the index of ``i: SIZE`` (from 0), ``i: LOW..HIGH`` (both included) or ``i: j``.

    The last has the range of another index.
    """
    if item.low is None and isinstance(item.high, Word) and item.high.name in known:
        other = known[item.high.name]
        return Index(item.name, other.low, other.high)
    if item.low is None:
        low, high = affine(0), form(item.high)
    else:
        low, high = form(item.low), form(item.high) + 1
    return Index(item.name, low, high)


def check_size(size: Affine, scope: Scope, at: int, what: str) -> None:
    """Refuse a range that is empty or too large whatever the sizes."""
    if surely_nonnegative(size * -1):
        raise scope.problem(
            EquationError, f"{what} has no values: its size is {size}.", "Sizes are at least 1.", at
        )
    if size.is_constant and size.constant > MAX_SIZE:
        raise scope.problem(
            LimitError, f"{what} has {size} values.", f"At most {MAX_SIZE} are possible.", at
        )


def find_range(letter: Word, tree: Tree, scope: Scope) -> Index:
    """Return the index ``letter`` with the range of the axes it stands in plainly.

    Raises: Pending, if those axes are not known yet; EquationError, if there are none;
    ShapeError, if two of them differ.
    """
    found: tuple[Axis, Ref] | None = None
    waiting: list[str] = []
    unknown: Ref | None = None
    for ref, place in standing(letter.name, tree):
        view = scope.tensors.get(ref.name)
        if view is None:
            unknown = unknown or ref
            continue
        if view.axes is None:
            waiting.append(ref.name)
            continue
        if place >= len(view.axes):
            continue
        axis = view.axes[place]
        if found is not None and found[0] != axis:
            raise _two_ranges(letter, found, (axis, ref), scope)
        found = found or (axis, ref)
    if found is not None:
        return Index(letter.name, found[0].low, found[0].high)
    if waiting:
        raise Pending(letter.name, letter.at, tuple(waiting))
    if unknown is not None:
        raise undefined(scope, unknown.name, unknown.at)
    raise scope.problem(
        EquationError,
        f"The range of index {letter.name} is not known: it stands in no axis plainly.",
        f"Declare it: index {letter.name}: SIZE.",
        letter.at,
    )


def _two_ranges(
    letter: Word, one: tuple[Axis, Ref], two: tuple[Axis, Ref], scope: Scope
) -> ShapeError:
    (a, first), (b, second) = one, two
    return ShapeError(
        scope.span.text,
        f"Index {letter.name} runs over {axis_text(a)} in {first.name} and over "
        f"{axis_text(b)} in {second.name}.",
        f"Use two letters, or declare index {letter.name}: SIZE.",
        scope.position(second.at),
    )


def standing(letter: str, tree: Tree) -> Iterator[tuple[Ref, int]]:
    """Yield the accesses and axes where ``letter`` stands plainly and is not bound inside."""
    stack = [tree]
    while stack:
        part = stack.pop()
        if isinstance(part, Ref):
            for place, item in enumerate(part.items):
                if isinstance(item, Word) and item.name == letter:
                    yield part, place
        if isinstance(part, Apply) and part.items and _binds(part, letter):
            continue
        stack.extend(reversed(parts_of(part)))


def _binds(part: Apply, letter: str) -> bool:
    return part.name in FOLDS and any(
        isinstance(item, (Word, Ranged)) and item.name == letter for item in part.items or ()
    )


def axis_text(axis: Axis) -> str:
    """Return a range for a message: its size, or low..high where it does not begin at 0."""
    if axis.low == affine(0):
        return f"{axis.high} values"
    return f"{axis.low}..{axis.high - 1}"


def union(a: Axis, b: Axis) -> Axis:
    """Return the range from the lower beginning to the higher end."""
    if a == b:
        return a
    low = a.low if surely_nonnegative(b.low - a.low) else b.low
    high = a.high if surely_nonnegative(a.high - b.high) else b.high
    return Axis(low, high)
