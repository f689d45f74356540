"""The order of computation: plain statements, and scans for what depends on itself.

Statements, not tensors, are ordered, so base cases fall out of a loop. There is an edge from a
statement that writes to one that reads only where the two ranges can meet. A strongly connected
component becomes a scan along one axis of its tensors: every read of a member lies on one side of
the place written. What still depends on itself within a step becomes an inner scan. A statement
that writes at ``2*n + 1`` runs where it reads, if it writes ahead of the scan.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import NamedTuple, Union

from derivgen.algebra.affine import (
    Affine,
    Dim,
    Index,
    Lookup,
    affine,
    indices_of,
    substitute_affine,
    surely_nonnegative,
)
from derivgen.algebra.expressions import (
    Access,
    Compare,
    Condition,
    index_value,
    seen,
    substitute,
)
from derivgen.algebra.inequalities import inequalities, narrowed_by
from derivgen.algebra.network import Equation, Tensor
from derivgen.algebra.pause import no_collection
from derivgen.algebra.statements import Assign, Block, Scan, Statement
from derivgen.calculus.graph import components
from derivgen.errors import EquationError

# Assignments of axes tried before a recurrence is given up.
MOST_CHOICES = 64


class NoOrder(EquationError):
    """A quantity depends on itself in no computable order; ``equation`` is where that shows."""

    equation = -1


def schedule(
    statements: Sequence[Statement],
    tensors: Mapping[str, Tensor],
    equations: Sequence[Equation] = (),
) -> tuple[Block, ...]:
    """Return the statements as blocks in an order of execution, stable in the order given.

    ``equations`` are those the statements come from; they give an error its place.
    Raises: EquationError, if a quantity depends on itself in no computable order.
    """
    try:
        with no_collection():
            return _blocks(statements, _edges(statements), tensors)
    except NoOrder as error:
        place = equations[error.equation].position if 0 <= error.equation < len(equations) else None
        raise EquationError(error.subject, error.problem, error.advice, place) from None


def computing_order(statements: Sequence[Statement]) -> list[Statement]:
    """Return the statements, unchanged, so that each stands after what it reads, where it can."""
    order = components(len(statements), ((e.writer, e.reader) for e in _edges(statements)))
    return [statements[n] for component in order for n in component]


Read = Union[Access, Lookup]  # one read of a tensor


def _at(read: Read, mapping: Mapping[Index, Affine]) -> Read:
    """Return the read with indices replaced."""
    return Access(read.tensor, tuple(substitute_affine(i, mapping) for i in read.indices))


def reads(statement: Statement) -> list[Read]:
    """Return what a statement reads, guards and lookups included, in order of occurrence."""
    found: dict[Read, None] = {}
    for expr in (statement.body, *statement.guard):
        found.update(dict.fromkeys(seen(expr).accesses))
        found.update(dict.fromkeys(seen(expr).lookups))
    found.update(dict.fromkeys(seen(statement.lhs).lookups))
    return list(found)


class Edge(NamedTuple):
    """``reader`` needs what ``writer`` stores, through ``read``; both are statement numbers."""

    writer: int
    reader: int
    read: Read


def _edges(statements: Sequence[Statement]) -> list[Edge]:
    writers: dict[str, list[int]] = {}
    for number, statement in enumerate(statements):
        writers.setdefault(statement.lhs.tensor, []).append(number)
    return [
        Edge(writer, reader, read)
        for reader, statement in enumerate(statements)
        for read in reads(statement)
        for writer in writers.get(read.tensor, ())
        if _can_meet(statements[writer].lhs.indices, read.indices)
    ]


def _can_meet(written: tuple[Affine, ...], read: tuple[Affine, ...]) -> bool:
    """Tell whether a place written can be the place read, as far as their bounds tell."""
    return not any(
        not _same_range(a, b) and (_apart(a, b) or _apart(b, a))
        for a, b in zip(written, read, strict=False)
    )


def _same_range(a: Affine, b: Affine) -> bool:
    one, other = a.plain, b.plain
    return one is not None and other is not None and one.low == other.low


def _apart(below: Affine, above: Affine) -> bool:
    """Tell whether every value of ``below`` is less than every value of ``above``."""
    renamed = {i: affine(Index(i.name + "'", i.low, i.high)) for i in indices_of(below)}
    return surely_nonnegative(above - substitute_affine(below, renamed) - 1)


def _blocks(
    statements: Sequence[Statement], edges: list[Edge], tensors: Mapping[str, Tensor]
) -> tuple[Block, ...]:
    blocks: list[Block] = []
    inside = _edges_inside(len(statements), edges)
    for component in components(len(statements), ((e.writer, e.reader) for e in edges)):
        inner = inside(component)
        if not inner:
            blocks.append(Assign(statements[component[0]]))
        else:
            blocks.append(_scan(statements, component, inner, tensors))
    return tuple(blocks)


def _edges_inside(count: int, edges: list[Edge]) -> Callable[[list[int]], list[Edge]]:
    """Return a function giving the edges within a component, without a search of all edges."""
    incoming: list[list[Edge]] = [[] for _ in range(count)]
    for edge in edges:
        incoming[edge.reader].append(edge)

    def inside(component: list[int]) -> list[Edge]:
        members = set(component)
        return [e for n in component for e in incoming[n] if e.writer in members]

    return inside


# --- scans ---------------------------------------------------------------------------------------


def _scan(
    statements: Sequence[Statement],
    component: list[int],
    edges: list[Edge],
    tensors: Mapping[str, Tensor],
) -> Scan:
    problem: EquationError | None = None
    for axes in _axis_choices(statements, component, edges):
        try:
            return _scan_along(statements, component, edges, axes, tensors)
        except EquationError as error:
            problem = problem or error
    raise problem or _circular(statements, component)


def _circular(statements: Sequence[Statement], component: list[int]) -> EquationError:
    names = list(dict.fromkeys(statements[n].lhs.tensor for n in component))
    error = NoOrder(
        ", ".join(names),
        "Each of these depends on itself at the same place, so none can be computed first.",
        "Read the earlier value at a shifted index, such as h[t-1,k; 0].",
    )
    error.equation = statements[component[0]].equation
    return error


def _axis_choices(
    statements: Sequence[Statement], component: list[int], edges: list[Edge]
) -> Iterator[dict[str, int]]:
    """Yield assignments of one axis to each tensor under which every read lies on some side.

    A search with a look back: a tensor gets an axis as soon as a neighbour has one, and an axis is
    dropped when a read between assigned tensors lies neither before, at, nor after its statement.
    """
    ranks = {statements[n].lhs.tensor: len(statements[n].lhs.indices) for n in component}
    order = _neighbours_first(statements, edges, statements[component[0]].lhs.tensor)

    def extend(axes: dict[str, int]) -> Iterator[dict[str, int]]:
        if len(axes) == len(order):
            yield dict(axes)
            return
        name = order[len(axes)]
        for axis in range(ranks[name]):
            tried = {**axes, name: axis}
            if all(_placed(statements[e.reader], e.read, tried) for e in touching[name]):
                yield from extend(tried)

    touching: dict[str, list[Edge]] = {name: [] for name in order}
    for edge in edges:
        for name in {statements[edge.reader].lhs.tensor: None, edge.read.tensor: None}:
            touching[name].append(edge)
    yield from islice(extend({}), MOST_CHOICES)


def _neighbours_first(statements: Sequence[Statement], edges: list[Edge], first: str) -> list[str]:
    """Return the tensors so that each but the first has a neighbour before it."""
    links: dict[str, list[str]] = {}
    for edge in edges:
        written, read = statements[edge.reader].lhs.tensor, edge.read.tensor
        links.setdefault(written, []).append(read)
        links.setdefault(read, []).append(written)
    found, work = {first: None}, [first]
    for name in work:
        fresh = [other for other in dict.fromkeys(links.get(name, ())) if other not in found]
        found.update((other, None) for other in fresh)
        work.extend(fresh)
    return list(found)


def _placed(statement: Statement, read: Read, axes: dict[str, int]) -> bool:
    """Tell whether a read has a side, if both its tensors have their axes."""
    written = statement.lhs
    if written.tensor not in axes or read.tensor not in axes:
        return True
    offset = read.indices[axes[read.tensor]] - written.indices[axes[written.tensor]]
    return _sign(offset, statement.guard) is not None


def _only_index(form: Affine) -> Index | None:
    """Return the index of ``i + constant``, where the constant may hold size letters."""
    found = [atom for atom, count in form.terms if isinstance(atom, Index)]
    if len(found) != 1 or dict(form.terms)[found[0]] != 1:
        return None
    others = [atom for atom, _ in form.terms if not isinstance(atom, (Index, Dim))]
    return None if others else found[0]


def _scan_along(
    statements: Sequence[Statement],
    component: list[int],
    edges: list[Edge],
    axes: dict[str, int],
    tensors: Mapping[str, Tensor],
) -> Scan:
    step = _scan_index(statements, component, axes, tensors)
    scattered = [n for n in component if _scatters(statements[n], axes)]
    aligned = {
        n: _aligned(statements[n], axes[statements[n].lhs.tensor], step)
        for n in component
        if n not in scattered
    }
    numbers = {n: position for position, n in enumerate(component)}
    signs: dict[int, Read] = {}
    kept: list[Edge] = []
    for n in scattered:
        aligned[n] = _by_a_read(statements[n], [e.read for e in edges if e.reader == n], axes, step)
        signs.setdefault(_ahead(aligned[n][0], axes, step), aligned[n][0].lhs)
    for edge in edges:
        statement, shift = aligned[edge.reader]
        read = _at(edge.read, shift)
        sign = _sign(read.indices[axes[read.tensor]] - affine(step), statement.guard)
        if sign is None:
            raise _unordered(statement, read)
        if sign:
            signs.setdefault(sign, read)
        elif edge.writer not in scattered and _can_meet(
            aligned[edge.writer][0].lhs.indices, read.indices
        ):
            kept.append(Edge(numbers[edge.writer], numbers[edge.reader], read))
    if len(signs) > 1:
        raise _mixed(signs, statements[component[0]].equation)
    if not signs:
        raise _circular(statements, component)
    inner = _blocks([aligned[n][0] for n in component], kept, tensors)
    return Scan(step, 1 in signs, inner)


def _scan_index(
    statements: Sequence[Statement],
    component: list[int],
    axes: dict[str, int],
    tensors: Mapping[str, Tensor],
) -> Index:
    """Return the common index of the steps, over the union of the axes written along."""
    names = []
    for n in component:
        form = statements[n].lhs.indices[axes[statements[n].lhs.tensor]]
        index = _only_index(form)
        if index is not None:
            names.append(index.name)
    if not names:
        raise _circular(statements, component)
    ranges = [tensors[name].axes[axis] for name, axis in axes.items()]
    return Index(
        names[0],
        _extreme([axis.low for axis in ranges], -1),
        _extreme([axis.high for axis in ranges], 1),
    )


def _extreme(forms: list[Affine], sign: int) -> Affine:
    best = forms[0]
    for form in forms[1:]:
        if surely_nonnegative((form - best) * sign):
            best = form
    return best


def _aligned(statement: Statement, axis: int, step: Index) -> tuple[Statement, dict[Index, Affine]]:
    """Exchange the statement's index so that it writes at ``step``; also returns the renaming."""
    form = statement.lhs.indices[axis]
    index = _only_index(form)
    if index is not None:
        return _shifted(statement, index, form, step)
    # A fixed place: the statement runs at that one step.
    at = Compare("=", index_value(affine(step)), index_value(form))
    places = statement.lhs.indices
    lhs = replace(statement.lhs, indices=(*places[:axis], affine(step), *places[axis + 1 :]))
    indices = (step, *_without_clash(statement.indices, step))
    return replace(statement, indices=indices, guard=(at, *statement.guard), lhs=lhs), {}


def _scatters(statement: Statement, axes: dict[str, int]) -> bool:
    """Tell whether the place written moves otherwise than by ``i + constant``: ``2*i + 1``."""
    form = statement.lhs.indices[axes[statement.lhs.tensor]]
    return _only_index(form) is None and any(True for _ in indices_of(form))


def _by_a_read(
    statement: Statement, found: list[Read], axes: dict[str, int], step: Index
) -> tuple[Statement, dict[Index, Affine]]:
    """Shift the index of a statement that scatters so that it reads at ``step``."""
    for read in found:
        form = read.indices[axes[read.tensor]]
        index = _only_index(form)
        if index is not None:
            return _shifted(statement, index, form, step)
    raise _unordered(statement, statement.lhs)


def _ahead(statement: Statement, axes: dict[str, int], step: Index) -> int:
    """Return the sign of the reads with which a scatter goes: it must write ahead of the scan."""
    form = statement.lhs.indices[axes[statement.lhs.tensor]]
    sign = _sign(form - affine(step), statement.guard)
    if not sign:
        raise _unordered(statement, statement.lhs)
    return -sign


def _shifted(
    statement: Statement, index: Index, form: Affine, step: Index
) -> tuple[Statement, dict[Index, Affine]]:
    """Exchange the index so that ``form``, its ``i + constant``, is at ``step``."""
    shift = form - affine(index)
    guard: list[Condition] = []
    if not surely_nonnegative(step.low - index.low - shift):
        guard.append(Compare(">=", index_value(affine(step)), index_value(index.low + shift)))
    if not surely_nonnegative(index.high + shift - step.high):
        last = index.high + shift - 1
        guard.append(Compare("<=", index_value(affine(step)), index_value(last)))
    return _renamed(statement, index, affine(step) - shift, step, tuple(guard))


def _renamed(
    statement: Statement, old: Index, form: Affine, step: Index, guard: tuple[Condition, ...]
) -> tuple[Statement, dict[Index, Affine]]:
    mapping = {old: form}
    others = [i for i in statement.indices if i != old]
    for other in others:
        if other.name == step.name:
            fresh = Index(_unused(other.name, statement.indices), other.low, other.high)
            mapping[other] = affine(fresh)
    rest = tuple(mapping[i].plain or i if i in mapping else i for i in others)
    own = tuple(substitute(c, mapping) for c in statement.guard)
    moved = replace(
        statement,
        indices=(step, *rest),
        guard=(*guard, *own),
        lhs=substitute(statement.lhs, mapping),
        body=substitute(statement.body, mapping),
    )
    return moved, mapping


def _without_clash(indices: tuple[Index, ...], step: Index) -> tuple[Index, ...]:
    assert all(i.name != step.name for i in indices), "a fixed place has no scan index of its own"
    return indices


def _unused(name: str, indices: tuple[Index, ...]) -> str:
    taken = {i.name for i in indices}
    count = 2
    while f"{name}{count}" in taken:
        count += 1
    return f"{name}{count}"


def _sign(offset: Affine, guard: tuple[Condition, ...]) -> int | None:
    """Return -1, 0 or 1 as the place read lies before, at or after the step; None if unknown."""
    known = [*(fact for part in guard for fact in inequalities(part)), affine(0)]
    if sum(1 for _ in indices_of(offset)) <= 1 and offset in known and offset * -1 in known:
        return 0  # a fixed place, read at the one step at which the statement runs
    for sign in (-1, 1):
        # offset*sign - 1 >= 0 follows, possibly from one guard.
        beyond = [offset * sign - 1 - fact for fact in known]
        if any(surely_nonnegative(narrowed_by(form, known)) for form in beyond):
            return sign
    return None


def _unordered(statement: Statement, read: Read) -> EquationError:
    place = f"{read.tensor}[{', '.join(map(str, read.indices))}]"
    error = NoOrder(
        f"{statement.lhs.tensor} reads {place}",
        "The place read is neither surely before nor surely after the place written.",
        "Shift the index by a constant, such as h[t-1,k], or add a condition such as [s < t].",
    )
    error.equation = statement.equation
    return error


def _mixed(signs: dict[int, Read], equation: int) -> EquationError:
    texts = [
        f"{read.tensor}[{', '.join(map(str, read.indices))}]" for _, read in sorted(signs.items())
    ]
    error = NoOrder(
        " and ".join(texts),
        "One reads an earlier place and the other a later one, so no order computes both.",
        "Read on one side only, or split the equations into two recurrences.",
    )
    error.equation = equation
    return error
