"""Layers and losses as data: what a ``layer`` or ``loss f(...)`` statement defines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeGuard

from derivgen.errors import NameProblem, SyntaxProblem
from derivgen.language.lines import (
    DimLine,
    EquationLine,
    IndexLine,
    LayerLine,
    Line,
    LossRowLine,
    OutputLine,
    RandomLine,
    Span,
    StateLine,
    TensorLine,
)
from derivgen.language.statements import keyword_argument
from derivgen.language.syntax import Apply, Ranged, Ref, Tree, Word, parts_of


@dataclass(frozen=True)
class Param:
    """A parameter of a row: a tensor with its index letters, or a setting with its default."""

    name: str
    letters: tuple[str, ...] | None  # None for a setting
    default: Tree | None = None


@dataclass(frozen=True)
class LayerRow:
    """``layer name(params): body``; ``output`` is the tensor that is the layer's value."""

    name: str
    params: tuple[Param, ...]
    body: tuple[Line, ...]
    output: str
    words: frozenset[str]
    span: Span
    signature: str
    equations: tuple[tuple[EquationLine, frozenset[str]], ...]  # with the names each one reads


@dataclass(frozen=True)
class LossRow:
    """``loss name(params) = body``, averaged (or summed) over the axes it does not name."""

    name: str
    params: tuple[Param, ...]
    body: Tree
    summed: bool
    words: frozenset[str]
    span: Span
    signature: str


@dataclass
class Shared:
    """A layer made once: ``layer enc = dense(128, relu)``; ``names`` are its parameters."""

    name: str
    row: LayerRow
    args: tuple[Tree, ...]
    number: int = 0
    names: dict[str, str] = field(default_factory=dict)


def with_updates(lines: Sequence[Line]) -> list[Line]:
    """Return the statements with ``mu' = e`` moved into the ``state`` statement of ``mu``.

    Raises: NameProblem, if there is no such state or it has two updates.
    """
    primed = {i: line for i, line in enumerate(lines) if _is_update(line)}
    if not primed:
        return list(lines)
    updates: dict[str, EquationLine] = {}
    for line in primed.values():
        name = line.lhs.name.rstrip("'")
        states = [s for s in lines if isinstance(s, StateLine) and s.item.name.name == name]
        if len(states) != 1 or states[0].update is not None or name in updates:
            raise NameProblem(
                line.span.text,
                f"{line.lhs.name} is the next value of no state, or has two.",
                f"Write state {name} = 0: {line.lhs.name} = ...",
                line.span.source.position(line.lhs.at),
            )
        updates[name] = line
    made: list[Line] = []
    for place, part in enumerate(lines):
        if isinstance(part, StateLine) and (update := updates.get(part.item.name.name)):
            made.append(replace(part, update=(update.lhs, update.rhs)))
        elif place not in primed:
            made.append(part)
    return made


def _is_update(line: Line) -> TypeGuard[EquationLine]:
    return isinstance(line, EquationLine) and line.lhs.name.endswith("'")


def layer_row(line: LayerLine) -> LayerRow:
    """Return the layer a statement defines."""
    line = replace(line, body=tuple(with_updates(line.body)))
    allowed = (IndexLine, DimLine, TensorLine, RandomLine, StateLine, EquationLine, OutputLine)
    for part in line.body:
        wrong = not isinstance(part, allowed) or (
            isinstance(part, TensorLine) and part.role not in ("param", "const")
        )
        if wrong or (isinstance(part, EquationLine) and part.is_loss):
            raise SyntaxProblem(
                part.span.text,
                f"The statement cannot stand in the layer {line.head.name}.",
                "A layer has index, dim, param, const, random, state, output and equations.",
                part.span.source.position(part.span.start),
            )
    params = _params(line.head, line.span, first_is_tensor=True)
    words = frozenset(word for part in line.body for word in _words(part))
    words |= {letter for param in params for letter in param.letters or ()}
    signature = line.span.text.split(":", 1)[0].removeprefix("layer ")
    equations = tuple(
        (part, frozenset(names_in(part.rhs)))
        for part in line.body
        if isinstance(part, EquationLine)
    )
    return LayerRow(
        line.head.name, params, line.body, _output(line), words, line.span, signature, equations
    )


def loss_row(line: LossRowLine) -> LossRow:
    """Return the loss a statement defines."""
    params = _params(line.head, line.span, first_is_tensor=False)
    words = frozenset(names_in(line.body))
    signature = line.span.text.split("=", 1)[0]
    signature = signature if signature.count("(") == signature.count(")") else line.span.text
    return LossRow(
        line.head.name, params, line.body, line.summed, words, line.span, signature.strip()
    )


def _params(head: Apply, span: Span, first_is_tensor: bool) -> tuple[Param, ...]:
    made: list[Param] = []
    for place, arg in enumerate(head.args):
        named = keyword_argument(arg)
        if named is not None:
            param = Param(named[0], None, named[1])
        elif isinstance(arg, Ref) and all(isinstance(item, Word) for item in arg.items):
            param = Param(arg.name, tuple(i.name for i in arg.items if isinstance(i, Word)))
        elif isinstance(arg, Word):
            tensor = not first_is_tensor or place == 0
            param = Param(arg.name, () if tensor else None)
        else:
            raise _bad_parameter(head, span, arg)
        if any(param.name == other.name for other in made):
            raise _bad_parameter(head, span, arg)
        made.append(param)
    if not made or made[0].letters is None:
        raise _bad_parameter(head, span, head)
    return tuple(made)


def _bad_parameter(head: Apply, span: Span, at: Tree) -> SyntaxProblem:
    return SyntaxProblem(
        span.text,
        f"{head.name} names what it is applied to first, then distinct settings.",
        f"Write {head.name}(x[i], SIZE, setting = 1).",
        span.source.position(at.at),
    )


def _output(line: LayerLine) -> str:
    for part in line.body:
        if isinstance(part, OutputLine):
            return part.name.name
    names = [part.lhs.name for part in line.body if isinstance(part, EquationLine)]
    if not names:
        raise SyntaxProblem(
            line.span.text,
            f"The layer {line.head.name} has no equation.",
            "Its last equation is its value.",
            line.span.source.position(line.span.start),
        )
    return names[-1]


def names_in(tree: Tree) -> Iterator[str]:
    """Yield every name of a tree."""
    stack = [tree]
    while stack:
        part = stack.pop()
        if isinstance(part, (Word, Ref, Apply, Ranged)):
            yield part.name
        stack.extend(parts_of(part))


def _words(line: Line) -> Iterator[str]:
    match line:
        case EquationLine(lhs=lhs, rhs=rhs):
            yield from names_in(lhs)
            yield from names_in(rhs)
        case IndexLine(items=items):
            yield from (item.name for item in items)
        case TensorLine(items=tensors):
            for tensor in tensors:
                yield tensor.name.name
                for axis in tensor.axes:
                    yield from names_in(axis)
        case RandomLine(item=item) | StateLine(item=item):
            yield item.name.name
