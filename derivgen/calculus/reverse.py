"""Reverse mode over statements: the loop nest stays, one access and the written place change sides.

    for I where G: out[g(I)] += body(I)      gives, for each access A[h(I)] of the body,
    for I where G: adj_A[h(I)] += adj_out[g(I)] * d body / d A[h]

Nothing is solved and nothing depends on the kind of layer. Maxima send the adjoint to the first
winner, products multiply it by the product over the other factors; both need a forward statement
of their own, made here once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from derivgen.algebra.affine import Index, affine
from derivgen.algebra.expressions import (
    ONE,
    ZERO,
    Access,
    Call,
    Compare,
    Condition,
    Expr,
    Or,
    Position,
    Where,
    conjunction,
    index_value,
    quotient,
    quotient_factors,
    substitute,
    walk,
    where,
)
from derivgen.algebra.network import Axis, Tensor
from derivgen.algebra.statements import Statement
from derivgen.calculus.derivation import Contribution, Named
from derivgen.calculus.lemmas import Lemmas
from derivgen.calculus.names import Names
from derivgen.calculus.partials import conditions_on_top, partials
from derivgen.calculus.shorten import shortest
from derivgen.calculus.support import support


@dataclass
class Forward:
    """The growing forward part of a derivation: statements, tensors, invented names, lemmas."""

    names: Names
    statements: list[Statement]
    tensors: dict[str, Tensor]
    named: dict[str, Named]
    lemmas: Lemmas
    helpers: dict[Statement, str] = field(default_factory=dict)
    preactivations: frozenset[str] = frozenset()
    single: frozenset[str] = frozenset()

    def writers(self) -> Counter[str]:
        """Return how many statements write each tensor."""
        return Counter(statement.lhs.tensor for statement in self.statements)

    def add_tensor(self, name: str, axes: tuple[Axis, ...], axis_names: tuple[str, ...]) -> None:
        """Declare an invented tensor."""
        self.tensors[name] = Tensor(name, axes, axis_names=axis_names)


@dataclass(frozen=True)
class Adjoints:
    """How adjoints are written: their name for each tensor, leading indices, and the seed.

    ``seed`` names the tensor differentiated. Its adjoint is the number 1 where it is a scalar, and
    everywhere if it is a ``unit`` seed.
    """

    name: Callable[[str], str]
    seed: str
    leading: tuple[Index, ...] = ()
    unit: bool = False

    def of(self, access: Access) -> Expr:
        """Return the adjoint of an access."""
        if access.tensor == self.seed and (self.unit or not access.indices):
            return ONE
        return self.place(access)

    def place(self, access: Access) -> Access:
        """Return the place where the adjoint of an access is stored."""
        lead = tuple(affine(index) for index in self.leading)
        return Access(self.name(access.tensor), lead + access.indices)


def pull_back(
    statement: Statement, forward: Forward, adjoints: Adjoints, active: Callable[[str], bool]
) -> Iterator[Contribution]:
    """Yield what a statement adds to the adjoints of its active operands."""
    upstream = adjoints.of(statement.lhs)
    for access, slope, cited in _local(statement, forward):
        if not active(access.tensor):
            continue
        body = times(upstream, slope)
        if body == ZERO:
            continue
        indices = adjoints.leading + statement.indices
        guard = conjunction((*statement.guard, *support(body)))
        place = adjoints.place(access)
        made = Statement(indices, guard, place, "sum", body, statement.equation)
        yield Contribution(access, statement, upstream, slope, cited, made)


def times(upstream: Expr, slope: Expr) -> Expr:
    """Return the product, with conditions outermost: the other branch stays unevaluated."""
    if isinstance(slope, Where):
        return where(slope.condition, times(upstream, slope.yes), times(upstream, slope.no))
    above, below = quotient_factors(slope)
    return quotient((upstream, *above), below)


def _local(
    statement: Statement, forward: Forward
) -> Iterator[tuple[Access, Expr, tuple[str, ...]]]:
    if statement.op == "sum":
        output = statement.lhs if _tells_its_value(statement, forward) else None
        exponentials = any(isinstance(p, Call) and p.name == "exp" for p in walk(statement.body))
        for access, slope in partials(statement.body):
            resolved, cited = forward.lemmas.resolve(slope)
            if exponentials:
                known = forward.lemmas.rational
                body = conditions_on_top(statement.body)
                resolved, _ = shortest(resolved, body, output, known)
            yield access, resolved, cited
    elif statement.op in ("max", "min"):
        operand = statement.body
        assert isinstance(operand, Access), "normal form names the operand of a maximum"
        yield operand, where(_is_winner(statement, forward), ONE, ZERO), ()
    elif statement.op == "prod":
        operand = statement.body
        assert isinstance(operand, Access), "normal form names the operand of a product"
        yield operand, _others(statement, forward), ()


def _tells_its_value(statement: Statement, forward: Forward) -> bool:
    """Tell whether what the statement writes is the value of its body, and of nothing else."""
    return statement.is_map and statement.lhs.tensor in forward.single


def _is_winner(statement: Statement, forward: Forward) -> Condition:
    """Return the condition that the bound indices stand at the first winner."""
    name = forward.helpers.get(statement)
    if name is None:
        name = forward.names.tensor(f"winner_{statement.lhs.tensor}")
        forward.helpers[statement] = name
        old = forward.tensors[statement.lhs.tensor]
        forward.add_tensor(name, old.axes, old.axis_names)
        forward.named[name] = Named(name, statement.body, "position", statement.equation)
        lhs = replace(statement.lhs, tensor=name)
        forward.statements.append(replace(statement, lhs=lhs, op=f"arg{statement.op}"))
    winner = Access(name, statement.lhs.indices)
    return Compare("=", Position(statement.bound), winner)


def _others(statement: Statement, forward: Forward) -> Expr:
    """Return an access to the product over all factors but this one."""
    own = tuple(affine(index) for index in statement.indices)
    name = forward.helpers.get(statement)
    if name is not None:
        return Access(name, own)
    name = forward.names.tensor(f"others_{statement.lhs.tensor}")
    forward.helpers[statement] = name
    axes = tuple(Axis(index.low, index.high) for index in statement.indices)
    forward.add_tensor(name, axes, tuple(index.name for index in statement.indices))
    forward.named[name] = Named(name, statement.body, "others", statement.equation)
    taken = [index.name for index in statement.indices]
    fresh = {index: forward.names.index(index, taken) for index in statement.bound}
    mapping = {old: affine(new) for old, new in fresh.items()}
    tests = [
        Compare("!=", index_value(affine(new)), index_value(affine(old)))
        for old, new in fresh.items()
    ]
    different: Condition = tests[0] if len(tests) == 1 else Or(tuple(tests))
    guard = (*statement.guard, *(substitute(c, mapping) for c in statement.guard), different)
    forward.statements.append(
        Statement(
            statement.indices + tuple(fresh.values()),
            tuple(dict.fromkeys(guard)),
            Access(name, own),
            "prod",
            substitute(statement.body, mapping),
            statement.equation,
        )
    )
    return Access(name, own)


def depends_on(statements: Sequence[Statement], sources: Sequence[str]) -> dict[str, None]:
    """Return the tensors that depend on ``sources``, these included."""
    readers: dict[str, list[str]] = {}
    for statement in statements:
        for name in statement.reads:
            readers.setdefault(name, []).append(statement.lhs.tensor)
    return reach(readers, sources)


def needed_for(statements: Sequence[Statement], targets: Sequence[str]) -> dict[str, None]:
    """Return the tensors that ``targets`` depend on, these included."""
    needs: dict[str, list[str]] = {}
    for statement in statements:
        needs.setdefault(statement.lhs.tensor, []).extend(statement.reads)
    return reach(needs, targets)


def reach(graph: dict[str, list[str]], sources: Sequence[str]) -> dict[str, None]:
    """Return what can be reached from ``sources`` in a graph, these included."""
    found = dict.fromkeys(sources)
    work = list(sources)
    while work:
        for target in graph.get(work.pop(), ()):
            if target not in found:
                found[target] = None
                work.append(target)
    return found
