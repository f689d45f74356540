"""Formulas with their meaning: every name is a tensor, an index, a size or a free number.

A `Term` is one kind of node with an operation, arguments and data, so that an edit of a formula
(what a hint tries) is one replacement at a path. Invariant: a term is immutable and knows the span
of source text it came from, so that an edit can be shown in the writer's own notation.

| op | args | data |
|---|---|---|
| number | | ``(Fraction, printed text)`` |
| free, size, constant | | name |
| index | | `At`, used as a number |
| element | | `Ref` |
| gradient | of, by | `Slope` |
| add, divide, power, negate, transpose, ones | parts | "lying" for a row that no sign makes one |
| multiply | factors | operators between them |
| call | arguments | ``(name, order)`` |
| fold | body | `Fold` |
| item | matrix | slots |
| matrix | entries row by row | ``(rows, columns)`` |
| listing | body, odd entries | `Listing`: the vector of the body over a letter |
| bracket | | `Test` |
| cases | values | tests |
| along | the argument | ``(function name, letters)`` |
| place | | the `At`s of a position in several axes |
| held | the derivative, elements that stay as they are | |
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from derivgen.algebra.node import node
from derivgen.formulas.tree import Notice, Span


@node
class Part:
    """``inner // divisor``, ``inner % divisor``, or the lookup ``token[t]``."""

    kind: str
    name: str = ""
    inner: tuple[At, ...] = ()
    divisor: int = 1

    def __str__(self) -> str:
        if self.kind == "lookup":
            return f"{self.name}[{', '.join(map(str, self.inner))}]"
        return f"({self.inner[0]}){self.kind}{self.divisor}"


@node
class At:
    """An index expression: letters with coefficients, and a constant.

    ``written`` marks numerals of a paper formula, which may count from 1 where the network counts
    from 0. A letter may also be a size (the last position).
    """

    letters: tuple[tuple[str, int], ...] = ()
    constant: int = 0
    written: bool = True
    parts: tuple[tuple[Part, int], ...] = ()

    def __str__(self) -> str:
        parts = [{1: name, -1: f"-{name}"}.get(c, f"{c}{name}") for name, c in self.letters]
        parts += [str(part) if c == 1 else f"{c}*{part}" for part, c in self.parts]
        if self.constant or not parts:
            parts.append(str(self.constant))
        return "+".join(parts).replace("+-", "-")

    def shifted(self, by: int) -> At:
        """Return the expression plus a number."""
        return replace(self, constant=self.constant + by)


def letter(name: str) -> At:
    """Return the index expression that is one letter."""
    return At(((name, 1),))


@node
class Ref:
    """An element, slice or whole of a tensor.

    A slot of ``None`` is a whole axis. ``member`` picks a tensor out of a family whose name holds
    braces: ``W{}`` with member ``l``. ``sample`` picks a sample of the batch. ``updated`` is the
    value after a training step; ``batch`` marks a capital where the network has a small letter: all
    samples at once.
    """

    tensor: str
    slots: tuple[At | None, ...] = ()
    member: At | None = None
    sample: At | None = None
    updated: bool = False
    batch: bool = False

    @property
    def whole_axes(self) -> int:
        """Return how many axes are not fixed."""
        return sum(slot is None for slot in self.slots)


@node
class Slope:
    """How a derivative is meant: total or immediate; ``of`` and ``by`` as a gradient symbol."""

    immediate: bool = False
    order: int = 1
    symbol: str = ""  # delta, nabla, d: one symbol; empty for a Leibniz fraction


@node
class Bound:
    """One bound letter of a fold with its range as written; ``None`` for not written."""

    letter: str
    low: At | None = None
    high: At | None = None
    without: At | None = None


@node
class Fold:
    """A sum, product, maximum over bound letters; ``implicit`` if none were written."""

    op: str
    bounds: tuple[Bound, ...]
    implicit: bool = False


@node
class Listing:
    """A vector written with dots: the letter its entries differ by, and how it stands.

    ``places`` are where the further arguments stand, entries that do not follow the last one;
    ``siblings`` the entries written before the last one, with what the letter is in each.
    """

    letter: str
    way: str  # column or row
    places: tuple[int, ...] = ()
    siblings: tuple[tuple[Term, str], ...] = ()
    last: str = ""


@node
class Test:
    """A comparison; the sides are `At`s or terms."""

    op: str
    left: Any
    right: Any


@node
class Term:
    """One node of a formula with meaning; see the module's table."""

    op: str
    args: tuple[Term, ...] = ()
    data: Any = None
    span: Span = (0, 0)

    def with_args(self, args: tuple[Term, ...]) -> Term:
        """Return this node over other arguments."""
        return Term(self.op, args, self.data, self.span)


Path = tuple[int, ...]


@dataclass(frozen=True)
class Claim:
    """One chain of members with relations, what its letters run over, and lenient readings.

    ``letters`` maps an index letter to a key of what it runs over: ``("axis", tensor, number)``,
    ``("family", name)`` or ``("sample",)``. ``findings`` are clashes found while reading.
    """

    members: tuple[Term, ...]
    relations: tuple[str, ...]
    letters: dict[str, tuple[Any, ...]]
    notices: tuple[Notice, ...] = ()
    findings: tuple[Notice, ...] = ()
    guards: tuple[Test, ...] = ()
    spans: tuple[Span, ...] = ()
    kind: str = "equation"


def walk(term: Term, path: Path = ()) -> Iterator[tuple[Path, Term]]:
    """Yield every node with its path, parents first."""
    yield path, term
    for number, part in enumerate(term.args):
        yield from walk(part, (*path, number))


def at_path(term: Term, path: Path) -> Term:
    """Return the node at a path."""
    for number in path:
        term = term.args[number]
    return term


def put(term: Term, path: Path, new: Term) -> Term:
    """Return the term with the node at a path exchanged."""
    if not path:
        return new
    args = list(term.args)
    args[path[0]] = put(args[path[0]], path[1:], new)
    return term.with_args(tuple(args))


def same(one: Term, other: Term) -> bool:
    """Tell whether two terms are equal but for their places in the text."""
    return (
        one.op == other.op
        and one.data == other.data
        and len(one.args) == len(other.args)
        and all(map(same, one.args, other.args))
    )


def ats_of(term: Term) -> Iterator[At]:
    """Yield the index expressions of one node, not of its arguments."""
    for at in _direct_ats(term):
        yield at
        yield from _inner_ats(at)


def _inner_ats(at: At) -> Iterator[At]:
    for part, _ in at.parts:
        for inner in part.inner:
            yield inner
            yield from _inner_ats(inner)


def _direct_ats(term: Term) -> Iterator[At]:
    data = term.data
    if isinstance(data, At):
        yield data
    elif isinstance(data, Ref):
        yield from (slot for slot in data.slots if slot is not None)
        yield from (a for a in (data.member, data.sample) if a is not None)
    elif isinstance(data, Test):
        yield from (side for side in (data.left, data.right) if isinstance(side, At))
    elif term.op in ("item", "place"):
        yield from (slot for slot in data if slot is not None)
    elif isinstance(data, Fold):
        for bound in data.bounds:
            yield from (a for a in (bound.low, bound.high, bound.without) if a is not None)


def free_letters(term: Term, bound: frozenset[str] = frozenset()) -> dict[str, None]:
    """Return the letters that occur and are not bound, in order."""
    found: dict[str, None] = {}
    inner = bound
    if isinstance(term.data, Fold):
        inner = bound | {b.letter for b in term.data.bounds}
    elif term.op == "listing":
        inner = bound | {term.data.letter}
    for at in ats_of(term):
        found.update((name, None) for name, _ in at.letters if name not in inner)
    for part in term.args:
        found.update(free_letters(part, inner))
    if isinstance(term.data, Test):
        for side in (term.data.left, term.data.right):
            if isinstance(side, Term):
                found.update(free_letters(side, inner))
    return found


def letters_in(term: Term) -> tuple[str, ...]:
    """Return the letters that occur and are not bound; kept beside the term."""
    found: tuple[str, ...] | None = term.__dict__.get("_letters")
    if found is None:
        found = term.__dict__["_letters"] = tuple(free_letters(term))
    return found


def map_ats(term: Term, change: Callable[[At], At]) -> Term:
    """Return the term with every index expression changed."""
    return Term(
        term.op,
        tuple(map_ats(part, change) for part in term.args),
        _map_data(term, change),
        term.span,
    )


def _map_data(term: Term, change: Callable[[At], At]) -> Any:
    data = term.data

    def some(at: At | None) -> At | None:
        return None if at is None else change(at)

    if isinstance(data, At):
        return change(data)
    if isinstance(data, Ref):
        slots = tuple(some(slot) for slot in data.slots)
        return replace(data, slots=slots, member=some(data.member), sample=some(data.sample))
    if term.op in ("item", "place"):
        return tuple(some(slot) for slot in data)
    if isinstance(data, Fold):
        bounds = tuple(
            replace(b, low=some(b.low), high=some(b.high), without=some(b.without))
            for b in data.bounds
        )
        return replace(data, bounds=bounds)
    if isinstance(data, Test):
        sides = [change(s) if isinstance(s, At) else s for s in (data.left, data.right)]
        return replace(data, left=sides[0], right=sides[1])
    return data
