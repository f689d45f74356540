"""Whether an access stays inside its axis: first for all sizes, then point by point.

`proved` decides by affine bounds and the guards around the access; where those leave it open,
`counterexample` goes through every index value at the declared sizes (small stand-ins for open
ones) and returns the first that leaves the axis.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import product

from derivgen.algebra.affine import (
    Affine,
    Atom,
    Dim,
    Index,
    Lookup,
    affine,
    atoms,
    dims_of,
    evaluate_affine,
    indices_of,
    lower_bound,
    map_atoms,
    surely_nonnegative,
)
from derivgen.algebra.expressions import (
    And,
    Compare,
    Condition,
    Node,
    Not,
    Or,
    affine_forms,
)
from derivgen.algebra.inequalities import index_form_of, inequalities
from derivgen.algebra.network import Axis, Tensor

MOST_POINTS = 200_000
STAND_IN = 11  # open sizes are tried at 11, 12, 13, ...: larger than common windows, all different


@dataclass(frozen=True)
class Surroundings:
    """What is known where an access stands: guards that hold, narrowed ranges of indices.

    ``derived`` are sizes made from others, ``dim P = T + 2``.
    """

    guards: tuple[Condition, ...] = ()
    narrowed: Mapping[Index, Axis] = field(default_factory=dict)
    derived: Mapping[Dim, Affine] = field(default_factory=dict)


@dataclass(frozen=True)
class Outside:
    """A point at which an access leaves its axis."""

    values: tuple[tuple[str, int], ...]
    position: int
    low: int
    high: int


def with_lookups_as_indices(form: Affine, tensors: Mapping[str, Tensor]) -> Affine:
    """Return ``form`` with each index-valued access as an index over the values it may hold."""

    def change(atom: Atom) -> Affine | None:
        if not isinstance(atom, Lookup):
            return None
        values = tensors[atom.tensor].values_of
        return affine(Index(str(atom), values.low, values.high)) if values else None

    return map_atoms(form, change) if any(isinstance(a, Lookup) for a in atoms(form)) else form


def proved(form: Affine, axis: Axis, around: Surroundings) -> bool:
    """Tell whether ``axis.low <= form < axis.high`` for all sizes."""
    guards = [part for guard in around.guards for part in inequalities(guard)]
    return all(
        _nonnegative(target, guards, around) for target in (form - axis.low, axis.high - 1 - form)
    )


def _nonnegative(target: Affine, guards: list[Affine], around: Surroundings) -> bool:
    return any(
        surely_nonnegative(form) or _by_derived_sizes(form, around.derived)
        for form in (_narrow(target - guard, around) for guard in (affine(0), *guards))
    )


def _by_derived_sizes(form: Affine, derived: Mapping[Dim, Affine]) -> bool:
    """Tell whether a form is at least 0 by what sizes are made from."""
    low = lower_bound(form)
    if low is None or not any(dim in derived for dim in dims_of(low)):
        return False
    return surely_nonnegative(
        map_atoms(low, lambda atom: derived.get(atom) if isinstance(atom, Dim) else None)
    )


def _narrow(form: Affine, around: Surroundings) -> Affine:
    if not around.narrowed:
        return form

    def change(atom: Atom) -> Affine | None:
        axis = around.narrowed.get(atom) if isinstance(atom, Index) else None
        return affine(Index(str(atom), axis.low, axis.high)) if axis else None

    return map_atoms(form, change)


# --- point by point ------------------------------------------------------------------------------


def sample_sizes(
    sizes: Mapping[Dim, int | None], derived: Mapping[Dim, Affine]
) -> dict[Dim | Index, int]:
    """Return a value for every size letter: the declared one, or a stand-in."""
    made: dict[Dim | Index, int] = {}
    spare = STAND_IN
    for dim, value in sizes.items():
        if value is None and dim not in derived:
            value, spare = spare, spare + 1
        if value is not None:
            made[dim] = value
    for dim, form in derived.items():
        made[dim] = evaluate_affine(form, {**made})
    return made


def counterexample(
    form: Affine, axis: Axis, around: Surroundings, sizes: Mapping[Dim | Index, int]
) -> Outside | None:
    """Return the first point where ``form`` leaves ``axis`` at these sizes, if there is one."""
    low, high = _value(axis.low, sizes), _value(axis.high, sizes)
    guards = [g for g in around.guards if set(_indices(g)) & set(indices_of(form))]
    involved = list(dict.fromkeys([*indices_of(form), *(i for g in guards for i in _indices(g))]))
    ranges = [_range(index, around, sizes) for index in involved]
    total = 1
    for values in ranges:
        total *= len(values)
    if total > MOST_POINTS:
        if guards:
            return None
        ranges = [range(r[0], r[-1] + 1, max(len(r) - 1, 1)) if r else r for r in ranges]
    for place in product(*ranges):
        point: dict[Dim | Index, int] = {}
        point.update(sizes)
        point.update(zip(involved, place))
        position = evaluate_affine(form, point)
        if low <= position < high or not all(holds(guard, point) for guard in guards):
            continue
        named = tuple((index.name, value) for index, value in zip(involved, place))
        return Outside(named, position, low, high)
    return None


def _indices(condition: Node) -> Iterator[Index]:
    for form in affine_forms(condition):
        yield from indices_of(form)


def _value(form: Affine, sizes: Mapping[Dim | Index, int]) -> int:
    return evaluate_affine(form, {**sizes})


def _range(index: Index, around: Surroundings, sizes: Mapping[Dim | Index, int]) -> range:
    axis = around.narrowed.get(index, Axis(index.low, index.high))
    return range(_value(axis.low, sizes), _value(axis.high, sizes))


COMPARE: dict[str, Callable[[int, int], bool]] = {
    "=": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}


def holds(condition: Condition, point: Mapping[Dim | Index, int]) -> bool:
    """Tell whether an index-only condition holds; what cannot be evaluated counts as holding."""
    match condition:
        case And(parts):
            return all(holds(part, point) for part in parts)
        case Or(parts):
            return any(holds(part, point) for part in parts)
        case Not(part):
            return not holds(part, point)
        case Compare(op, left, right):
            a, b = index_form_of(left), index_form_of(right)
            if a is None or b is None:
                return True
            return COMPARE[op](evaluate_affine(a, point), evaluate_affine(b, point))
    return True


def letters_of(forms: Iterable[Affine]) -> list[Dim]:
    """Return the size letters of forms, in order of occurrence."""
    return list(dict.fromkeys(dim for form in forms for dim in dims_of(form)))
