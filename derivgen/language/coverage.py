"""Base cases and general equations: every element defined, none twice.

An equation with more constants in index positions wins where it applies; the others' ranges are
narrowed. Only the axes in which the equations of a tensor differ are gone through.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import product

from derivgen.algebra.affine import Affine, Dim, Index, evaluate_affine, indices_of
from derivgen.algebra.expressions import Access, Compare, Condition, IndexValue, Or, index_value
from derivgen.algebra.network import Axis, Equation, Network
from derivgen.algebra.text import equation_text, text
from derivgen.errors import EquationError

MOST_POINTS = 100_000


def constants(lhs: Access) -> dict[int, Affine]:
    """Return the index positions that hold a constant."""
    return {
        place: form
        for place, form in enumerate(lhs.indices)
        if not any(True for _ in indices_of(form))
    }


def narrowed_ranges(
    lhs: Access, bases: list[Access]
) -> tuple[dict[Index, Axis], tuple[Condition, ...]]:
    """Return the ranges and guards an equation has once ``bases`` win where they apply.

    A base case at the end of a range, with full ranges elsewhere, shortens it; any other becomes
    a guard: some index differs from its constant.
    """
    ranges: dict[Index, Axis] = {}
    guards: list[Condition] = []
    waiting = list(bases)
    changed = True
    while changed:
        left = [base for base in waiting if not _shortens(lhs, base, ranges)]
        changed = len(left) < len(waiting)
        waiting = left
    for base in waiting:
        differs = [
            Compare("!=", IndexValue(lhs.indices[place]), index_value(value))
            for place, value in constants(base).items()
            if lhs.indices[place] != value
        ]
        if differs:
            guards.append(differs[0] if len(differs) == 1 else Or(tuple(differs)))
    return ranges, tuple(guards)


def _shortens(lhs: Access, base: Access, ranges: dict[Index, Axis]) -> bool:
    """Take the base case off the end of a range, if it stands there; tell whether it did."""
    fixed = constants(base)
    index = lhs.indices[next(iter(fixed))].plain if len(fixed) == 1 else None
    if index is None or not _full_elsewhere(lhs, base, fixed):
        return False
    axis = ranges.get(index, Axis(index.low, index.high))
    value = next(iter(fixed.values()))
    if value == axis.low:
        ranges[index] = Axis(axis.low + 1, axis.high)
    elif value == axis.high - 1:
        ranges[index] = Axis(axis.low, axis.high - 1)
    else:
        return False
    return True


def _full_elsewhere(lhs: Access, base: Access, fixed: Mapping[int, Affine]) -> bool:
    for place, (own, other) in enumerate(zip(lhs.indices, base.indices)):
        if place in fixed:
            continue
        mine, theirs = own.plain, other.plain
        if mine is None or theirs is None or (mine.low, mine.high) != (theirs.low, theirs.high):
            return False
    return True


def check_coverage(
    network: Network, groups: Mapping[str, list[int]], sizes: Mapping[Dim | Index, int]
) -> None:
    """Raise EquationError for an element that no equation defines, or that two define."""
    for name, numbers in groups.items():
        equations = [network.equations[number] for number in numbers]
        if len(equations) == 1 and _is_plain(equations[0].lhs):
            continue
        _check_tensor(network, name, equations, sizes)


def _is_plain(lhs: Access) -> bool:
    plain = [form.plain for form in lhs.indices]
    return None not in plain and len(set(plain)) == len(plain)


def _check_tensor(
    network: Network, name: str, equations: list[Equation], sizes: Mapping[Dim | Index, int]
) -> None:
    axes = network.tensors[name].axes
    kept = [a for a, axis in enumerate(axes) if not _same_everywhere(a, axis, equations)]
    extents = [_numbers(axes[a].low, axes[a].high, sizes) for a in kept]
    total = 1
    for extent in extents:
        total *= len(extent)
    if total > MOST_POINTS:
        return
    owner: dict[tuple[int, ...], tuple[int, Equation]] = {}
    # Those with more constants first: where they win, others may meet.
    for equation in sorted(equations, key=lambda e: -len(constants(e.lhs))):
        rank = len(constants(equation.lhs))
        for position in _positions(equation.lhs, kept, sizes):
            known = owner.get(position)
            if known is not None and known[0] == rank:
                raise _twice(name, axes, kept, position, known[1], equation)
            if known is None:
                owner[position] = (rank, equation)
    for position in product(*extents):
        if position not in owner:
            raise _gap(name, axes, kept, position, equations)


def _same_everywhere(place: int, axis: Axis, equations: list[Equation]) -> bool:
    for equation in equations:
        index = equation.lhs.indices[place].plain
        if index is None or (index.low, index.high) != (axis.low, axis.high):
            return False
        elsewhere = [f for p, f in enumerate(equation.lhs.indices) if p != place]
        if any(index in indices_of(form) for form in elsewhere):
            return False
    return True


def _numbers(low: Affine, high: Affine, sizes: Mapping[Dim | Index, int]) -> range:
    point: dict[Dim | Index, int] = {}
    point.update(sizes)
    return range(evaluate_affine(low, point), evaluate_affine(high, point))


def _positions(
    lhs: Access, kept: list[int], sizes: Mapping[Dim | Index, int]
) -> Iterator[tuple[int, ...]]:
    forms = [lhs.indices[place] for place in kept]
    indices = list(dict.fromkeys(index for form in forms for index in indices_of(form)))
    ranges = [_numbers(index.low, index.high, sizes) for index in indices]
    for values in product(*ranges):
        point: dict[Dim | Index, int] = {}
        point.update(sizes)
        point.update(zip(indices, values))
        yield tuple(evaluate_affine(form, point) for form in forms)


def _element(name: str, axes: tuple[Axis, ...], kept: list[int], position: tuple[int, ...]) -> str:
    shown = ["..."] * len(axes)
    for place, value in zip(kept, position):
        shown[place] = str(value)
    return f"{name}[{','.join(shown)}]" if axes else name


def _twice(
    name: str,
    axes: tuple[Axis, ...],
    kept: list[int],
    position: tuple[int, ...],
    first: Equation,
    second: Equation,
) -> EquationError:
    element = _element(name, axes, kept, position)
    where = f"{text(first.lhs)} = ..."
    if first is second:
        problem = f"{element} is defined more than once by this equation."
    else:
        line = f" in line {first.position.line}" if first.position else ""
        problem = f"{element} is defined twice: by {where}{line} and here."
    return EquationError(
        equation_text(second),
        problem,
        "Let their ranges not meet; an equation with a constant index wins over a general one.",
        second.position,
    )


def _gap(
    name: str,
    axes: tuple[Axis, ...],
    kept: list[int],
    position: tuple[int, ...],
    equations: list[Equation],
) -> EquationError:
    element = _element(name, axes, kept, position)
    return EquationError(
        equation_text(equations[-1]),
        f"No equation defines {element}.",
        f"Add one, for example {element} = 0, or change the ranges.",
        equations[-1].position,
    )
