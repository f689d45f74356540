"""What must be true of a network as a whole, once every name has its meaning.

Accesses stay inside their axes, every element of a defined tensor has exactly one equation, no
quantity needs itself, facts are about what is given, and there is one loss, a number.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from derivgen.algebra.affine import (
    Affine,
    Dim,
    Index,
    affine,
    evaluate_affine,
    indices_of,
    lookups_of,
)
from derivgen.algebra.expressions import (
    ZERO,
    Access,
    And,
    Condition,
    Div,
    Expr,
    Iverson,
    Mul,
    Node,
    Reduce,
    Where,
    accesses,
    affine_forms,
    children,
    is_index_only,
    negation,
)
from derivgen.algebra.network import Axis, Equation, Network, Tensor
from derivgen.algebra.text import equation_text, text
from derivgen.errors import DerivgenError, EquationError, Position, ShapeError
from derivgen.language.bounds import (
    Outside,
    Surroundings,
    counterexample,
    letters_of,
    proved,
    sample_sizes,
    with_lookups_as_indices,
)
from derivgen.language.coverage import check_coverage, constants, narrowed_ranges
from derivgen.language.cycles import check_cycles
from derivgen.language.draft import Written
from derivgen.language.facts import check_facts
from derivgen.language.ranges import axis_text


def _first(pair: tuple[int, Access]) -> int:
    return pair[0]


@dataclass(frozen=True)
class Checker:
    """A network, values for its sizes, and where its equations were written."""

    network: Network
    sizes: dict[Dim | Index, int]
    written: Sequence[Written]
    ranks: dict[str, list[tuple[int, Access]]] = field(default_factory=dict)

    def ranked(self, name: str, numbers: list[int]) -> list[tuple[int, Access]]:
        """Return the left sides of a tensor's equations that have constants, and how many."""
        if name not in self.ranks:
            sides = [self.network.equations[number].lhs for number in numbers]
            counts = [(len(constants(lhs)), lhs) for lhs in sides]
            self.ranks[name] = [pair for pair in counts if pair[0] > min(counts, key=_first)[0]]
        return self.ranks[name]

    def subject(self, number: int) -> str | None:
        """Return an equation as written."""
        return self.written[number].span.text if 0 <= number < len(self.written) else None


def check(network: Network, written: Sequence[Written] = (), file: str = "<text>") -> None:
    """Raise the first thing that is wrong; ``written`` says where each equation stands."""
    sizes = sample_sizes(network.dims, network.derived)
    checker = Checker(network, sizes, written)
    _check_loss(network, file)
    groups = _by_tensor(network)
    check_coverage(network, groups, sizes)
    for number, equation in enumerate(network.equations):
        _check_equation(checker, number, equation, groups)
    for update in network.updates:
        _check_expression(
            checker, -1, update.rhs, Surroundings(), update.position, text(update.lhs)
        )
    check_cycles(network, groups)
    check_facts(network)


def _by_tensor(network: Network) -> dict[str, list[int]]:
    groups: dict[str, list[int]] = {}
    for number, equation in enumerate(network.equations):
        groups.setdefault(equation.lhs.tensor, []).append(number)
    return groups


# --- loss ---------------------------------------------------------------------------------------


def _check_loss(network: Network, file: str) -> None:
    if network.loss is None:
        last = network.equations[-1] if network.equations else None
        subject = equation_text(last) if last else f"network {network.name}"
        raise EquationError(
            subject,
            "The network has no loss.",
            f"Write loss E = ... on a line of its own{_example(last)}.",
            last.position if last else Position(file, 1, 1),
        )
    tensor = network.tensors[network.loss]
    if tensor.axes:
        raise ShapeError(
            network.loss,
            f"The loss is one number, {network.loss} has {len(tensor.axes)} axes.",
            f"Write loss E = sum[i]({network.loss}[i]).",
            tensor.position,
        )


def _example(last: Equation | None) -> str:
    if last is None or last.lhs.indices:
        return ""
    return f", for example loss {last.lhs.tensor} = {text(last.rhs)}"


# --- accesses ------------------------------------------------------------------------------------


def _check_equation(
    checker: Checker, number: int, equation: Equation, groups: Mapping[str, list[int]]
) -> None:
    others = groups[equation.lhs.tensor]
    narrowed: Mapping[Index, Axis] = {}
    guards: tuple[Condition, ...] = ()
    if len(others) > 1:
        own = len(constants(equation.lhs))
        bases = [lhs for rank, lhs in checker.ranked(equation.lhs.tensor, others) if rank > own]
        narrowed, guards = narrowed_ranges(equation.lhs, bases)
    around = Surroundings(guards, narrowed, checker.network.derived)
    subject = checker.subject(number)
    for expr in (equation.rhs, equation.predict):
        if expr is not None:
            _check_expression(checker, number, expr, around, equation.position, subject)


def _check_expression(
    checker: Checker,
    number: int,
    expr: Expr,
    around: Surroundings,
    position: Position | None,
    subject: str | None,
) -> None:
    tensors = checker.network.tensors
    for access, guards in guarded_accesses(expr, around.guards):
        tensor = tensors[access.tensor]
        if len(access.indices) != len(tensor.axes):
            raise _wrong_count(checker, number, access, tensor, position, subject)
        for place, (form, axis) in enumerate(zip(access.indices, tensor.axes)):
            plain = form.plain
            if plain is not None and plain.low == axis.low and plain.high == axis.high:
                continue
            known = replace(around, guards=guards)
            for lookup in _inner_forms(form):
                _check_lookup(checker, lookup, known, number, access, position, subject)
            if access.outside is not None:
                continue
            problem = _leaves(checker, access, place, axis, known)
            if problem is not None:
                raise problem.at(_position(checker, number, access) or position)


def _inner_forms(form: Affine) -> Iterator[Access]:
    for lookup in lookups_of(form):
        yield Access(lookup.tensor, lookup.indices)


def _check_lookup(
    checker: Checker,
    lookup: Access,
    around: Surroundings,
    number: int,
    access: Access,
    position: Position | None,
    subject: str | None,
) -> None:
    tensor = checker.network.tensors[lookup.tensor]
    if len(lookup.indices) != len(tensor.axes):
        raise _wrong_count(checker, number, lookup, tensor, position, subject)
    for place, axis in enumerate(tensor.axes):
        problem = _leaves(checker, lookup, place, axis, around)
        if problem is not None:
            raise problem.at(_position(checker, number, access) or position)


def guarded_accesses(
    expr: Node, guards: tuple[Condition, ...]
) -> Iterator[tuple[Access, tuple[Condition, ...]]]:
    """Yield each access with the index conditions that hold wherever it is evaluated."""
    stack: list[tuple[Node, tuple[Condition, ...]]] = [(expr, guards)]
    while stack:
        part, known = stack.pop()
        if isinstance(part, Access):
            yield part, known
        if isinstance(part, Where):
            stack.append((part.no, (*known, *_index_only(negation(part.condition)))))
            stack.append((part.yes, (*known, *_index_only(part.condition))))
            stack.append((part.condition, known))
            continue
        if isinstance(part, Reduce):
            known = tuple(g for g in known if not _mentions(g, part.bound))
        if isinstance(part, Mul):
            known = (*known, *(c for f in part.factors for c in _nonzero_where(f)))
        if isinstance(part, And):
            known = (*known, *(c for p in part.parts for c in _index_only(p)))
        stack.extend((child, known) for child in reversed(children(part)))


def _nonzero_where(factor: Node) -> tuple[Condition, ...]:
    """Return index conditions outside which a factor is 0, so that the others do not count."""
    if isinstance(factor, Iverson):
        return _index_only(factor.condition)
    if isinstance(factor, Div):
        return _nonzero_where(factor.numerator)
    if isinstance(factor, Where) and factor.no == ZERO:
        return _index_only(factor.condition)
    if isinstance(factor, Where) and factor.yes == ZERO:
        return _index_only(negation(factor.condition))
    return ()


def _index_only(condition: Condition) -> tuple[Condition, ...]:
    if isinstance(condition, And):
        return tuple(c for part in condition.parts for c in _index_only(part))
    return (condition,) if is_index_only(condition) else ()


def _mentions(condition: Condition, bound: tuple[Index, ...]) -> bool:
    return any(i in bound for form in affine_forms(condition) for i in indices_of(form))


def _leaves(
    checker: Checker, access: Access, place: int, axis: Axis, around: Surroundings
) -> DerivgenError | None:
    """Return what is wrong with one index of an access, or ``None``."""
    form = with_lookups_as_indices(access.indices[place], checker.network.tensors)
    if proved(form, axis, around):
        return None
    point = counterexample(form, axis, around, checker.sizes)
    plain = form.plain
    if (
        plain is not None
        and _different_letters(plain, axis)
        and not (point is None and _shifted_elsewhere(checker.network, access.tensor, place, plain))
    ):
        return _different_size(access, place, axis, plain, checker if point is None else None)
    if point is None:
        return None
    if plain is not None and plain not in around.narrowed and not around.guards:
        return _different_size(access, place, axis, plain, None)
    return _outside(access, place, axis, point, checker)


def _different_letters(index: Index, axis: Axis) -> bool:
    mine, theirs = letters_of((index.size,)), letters_of((axis.size,))
    return bool(mine) and bool(theirs) and mine != theirs


def _shifted_elsewhere(network: Network, tensor: str, place: int, index: Index) -> bool:
    """Tell whether the axis is also read at a shift of ``index``, as in ``x[i+1] - x[i]``.

    Then its own, shorter range is meant; otherwise a letter of another size is a slip.
    """
    for equation in network.equations:
        for part in accesses(equation.rhs):
            if part.tensor != tensor or part.indices[place].plain is not None:
                continue
            if index in indices_of(part.indices[place]):
                return True
    return False


def _different_size(
    access: Access, place: int, axis: Axis, index: Index, fits: Checker | None
) -> DerivgenError:
    """Return the error; ``fits``: with the numbers declared the index stays on the axis."""
    own = axis_text(Axis(index.low, index.high))
    meant = "" if fits is None else _one_from_the_other(index, axis, fits.network.dims)
    return ShapeError(
        text(access),
        f"Index {index.name} runs over {own}, axis {place} of {access.tensor} has "
        f"{axis_text(axis)}.",
        f"Use an index of size {axis.size} there, or declare {access.tensor} with size "
        f"{index.size} on this axis{meant}.",
    )


def _one_from_the_other(index: Index, axis: Axis, numbers: Mapping[Dim, int | None]) -> str:
    """Return how to say that an axis reaches as far as an index does: ``dim P = T + 2``."""
    letters, others = letters_of((axis.size,)), letters_of((index.size,))
    if axis.size != affine(letters[0]) or letters[0] in others:
        return ""
    known = {dim: number for dim, number in numbers.items() if number is not None}
    more = 0
    if all(dim in known for dim in (*letters, *others)):
        more = known[letters[0]] - evaluate_affine(index.size, known)
    return f"; if the sizes belong together, say so: dim {letters[0]} = {index.size + more}"


def _outside(
    access: Access, place: int, axis: Axis, point: Outside, checker: Checker
) -> DerivgenError:
    at = ", ".join(f"{name} = {value}" for name, value in point.values)
    open_sizes = [d for d, value in checker.network.dims.items() if value is None]
    used = [d for d in letters_of((axis.low, axis.high, access.indices[place])) if d in open_sizes]
    at += "".join(f", {dim} = {checker.sizes[dim]}" for dim in used)
    shown = text(access)
    return EquationError(
        shown,
        f"It reads position {point.position}{' at ' + at.lstrip(', ') if at else ''}; axis {place} "
        f"of {access.tensor} runs from {point.low} to {point.high - 1}.",
        f"Say what is read outside, {shown[:-1]}; 0], narrow the index, or add a base case.",
    )


def _wrong_count(
    checker: Checker,
    number: int,
    access: Access,
    tensor: Tensor,
    position: Position | None,
    subject: str | None,
) -> DerivgenError:
    count, written = len(tensor.axes), len(access.indices)
    return ShapeError(
        subject or text(access),
        f"{access.tensor} has {count} axes, {written} indices are written.",
        f"Write {access.tensor} with {count} indices.",
        _position(checker, number, access) or position,
    )


def _position(checker: Checker, number: int, access: Access) -> Position | None:
    if not 0 <= number < len(checker.written):
        return None
    span, log = checker.written[number]
    for known, at in log:
        if known == access:
            return span.source.position(at)
    return None
