"""Statements to a `Network`: declarations first, then equations in any order, then the rest."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TypeVar

from derivgen.algebra.affine import (
    Affine,
    Index,
    affine,
    lower_bound,
    upper_bound,
)
from derivgen.algebra.expressions import Access, Add, free_indices
from derivgen.algebra.network import Axis, Equation, Network, Role, Tensor
from derivgen.algebra.text import text
from derivgen.errors import DerivgenError, EquationError, NameProblem, SyntaxProblem
from derivgen.language.checks import check
from derivgen.language.chosen import find_chosen, with_values
from derivgen.language.declare import declare_facts, declare_sizes, declare_tensors
from derivgen.language.definitions import declare_macros
from derivgen.language.draft import Draft, Written, check_name, declare_tensor
from derivgen.language.fans import fill_fans
from derivgen.language.indexing import UnboundIndex, index_form
from derivgen.language.lines import EquationLine, Line, OutputLine
from derivgen.language.order import add_in_any_order
from derivgen.language.ranges import find_range, union
from derivgen.language.resolve import expression
from derivgen.language.rows import with_updates
from derivgen.language.scope import Scope, View
from derivgen.language.source import Source
from derivgen.language.syntax import Ref, Tree, Word, parts_of
from derivgen.language.whole import whole_equation

L = TypeVar("L")
NO_VIEW = View("", None)


def lines_of(kind: type[L], lines: Iterable[Line]) -> list[L]:
    """Return the statements of one kind, in order."""
    return [line for line in lines if isinstance(line, kind)]


def elaborate(lines: Sequence[Line], draft: Draft, source: Source) -> Network:
    """Return the network the statements say."""
    lines = with_updates(lines)
    declare_sizes(draft, lines)
    declare_macros(draft, lines)
    declare_tensors(draft, lines)
    _equations(draft, lines_of(EquationLine, lines))
    declare_facts(draft, lines)
    fill_fans(draft)
    for output in lines_of(OutputLine, lines):
        _output(draft, output)
    if draft.loss is None and draft.views.get("loss", NO_VIEW).axes == ():
        draft.loss = "loss"
    network = _network(draft, source.text)
    check(network, draft.written, source.file)
    return network


def _network(draft: Draft, written: str) -> Network:
    return Network(
        name=draft.name,
        dims=draft.sizes,
        indices=tuple(draft.indices.values()),
        tensors=draft.tensors,
        equations=tuple(draft.equations),
        loss=draft.loss,
        facts=tuple(draft.facts),
        functions=draft.functions,
        batch=draft.batch,
        updates=tuple(draft.updates),
        training=draft.training,
        optimisers=draft.optimisers,
        output=draft.output,
        text=written,
        derived=draft.derived,
        layers=draft.layer_index,
        initialisers=draft.initialisers,
    )


def _output(draft: Draft, line: OutputLine) -> None:
    if line.name.name not in draft.tensors:
        raise draft.scope(line.span).problem(
            NameProblem,
            f"{line.name.name} is not defined.",
            "Name a tensor that an equation defines.",
            line.name.at,
        )
    draft.output = line.name.name


# --- equations -----------------------------------------------------------------------------------


def _equations(draft: Draft, lines: list[EquationLine]) -> None:
    for line in lines:
        _announce(draft, line)
    for name in find_chosen(lines, draft.views):
        draft.views[name] = draft.views[name]._replace(holds_indices=True)
        draft.chosen.append(name)
    add_in_any_order(draft, lines, _equation)
    draft.tensors.update(with_values(draft.tensors, draft.equations, draft.chosen))


def _announce(draft: Draft, line: EquationLine) -> None:
    """Make the left side's name known, with its axes where its letters are declared."""
    lhs = line.lhs
    name = lhs.name
    known = draft.tensors.get(name)
    if known is not None and known.role is not Role.VALUE:
        raise draft.scope(line.span).problem(
            NameProblem,
            f"{name} is declared as {known.role.value}, an equation defines it again.",
            "Give one of them another name.",
            lhs.at,
        )
    count = len(lhs.items) if isinstance(lhs, Ref) else 0
    if known is None:
        check_name(draft, name, line.span, lhs.at)
        declare_tensor(draft, _placeholder(name, count, draft, line), line.span, lhs.at)
        is_number = not count and line.is_loss
        draft.views[name] = View(name, () if is_number else None)
        if not count and not is_number:
            draft.pending_names.add(name)
    elif len(known.axes) != count:
        raise draft.scope(line.span).problem(
            EquationError,
            f"{name} is defined with {len(known.axes)} axes before and with {count} here.",
            "Write every equation of a tensor with the same number of indices.",
            lhs.at,
        )
    if line.is_loss:
        _declare_loss(draft, line)
    if isinstance(lhs, Ref) and all(_is_known(item, draft) for item in lhs.items):
        _extend(draft, _left_side(lhs, line.rhs, draft.scope(line.span)))


def _placeholder(name: str, count: int, draft: Draft, line: EquationLine) -> Tensor:
    nothing = Axis(affine(0), affine(0))
    position = line.span.source.position(line.lhs.at)
    return Tensor(name, (nothing,) * count, position=position)


def _declare_loss(draft: Draft, line: EquationLine) -> None:
    if draft.loss is not None:
        raise draft.scope(line.span).problem(
            NameProblem,
            f"The loss is {draft.loss} already.",
            f"Write one loss, for example loss {line.lhs.name} = {draft.loss} + ...",
            line.lhs.at,
        )
    draft.loss = line.lhs.name


def _is_known(item: Tree, draft: Draft) -> bool:
    if isinstance(item, Word):
        return item.name in draft.indices or item.name in draft.dims
    return True


def _left_side(lhs: Word | Ref, rhs: Tree, scope: Scope) -> tuple[Access, dict[str, Index]]:
    """Return the left side and its indices; undeclared letters take their axes' range."""
    if isinstance(lhs, Word):
        return Access(lhs.name), {}
    if lhs.outside is not None:
        raise scope.problem(
            SyntaxProblem,
            "The left side says what is read outside.",
            "Leave out what stands after the semicolon.",
            lhs.at,
        )
    letters: dict[str, Index] = {}
    for item in lhs.items:
        for word in _letters(item):
            if word.name in scope.declared:
                letters[word.name] = scope.declared[word.name]
            elif word.name not in scope.dims:
                letters[word.name] = find_range(word, rhs, scope)
    inside = scope.binding(letters)
    return Access(lhs.name, tuple([index_form(item, inside) for item in lhs.items])), letters


def _letters(item: Tree) -> list[Word]:
    found: list[Word] = []
    stack = [item]
    while stack:
        part = stack.pop()
        if isinstance(part, Word):
            found.append(part)
        stack.extend(reversed(parts_of(part)))
    return found


def _equation(draft: Draft, line: EquationLine) -> None:
    """Add the equations a line says; raises Pending while a range in it is not known."""
    if isinstance(line.lhs, Word) and whole_equation(draft, line):
        return
    scope = draft.scope(line.span)
    lhs, letters = _left_side(line.lhs, line.rhs, scope)
    log: list[tuple[Access, int]] = []
    inside = scope._replace(active=letters, log=log)
    try:
        rhs = expression(line.rhs, inside)
        predict = None if line.predict is None else expression(line.predict, inside)
    except UnboundIndex as error:
        raise _advise(error, line, inside) from None
    if lhs.indices:
        _extend(draft, (lhs, letters))
    draft.equations.append(Equation(lhs, rhs, scope.position(line.span.start), predict))
    draft.written.append(Written(line.span, log))


def _extend(draft: Draft, left: tuple[Access, dict[str, Index]]) -> None:
    """Let the tensor's axes span what an equation writes."""
    lhs, _ = left
    tensor = draft.tensors[lhs.tensor]
    known = draft.views[lhs.tensor].axes
    written = tuple([_span(form) for form in lhs.indices])
    if known is None:
        axes = written
        names = tuple([form.plain.name if form.plain else "" for form in lhs.indices])
    else:
        axes = tuple([union(a, b) for a, b in zip(known, written)])
        names = tuple(
            [
                old or (f.plain.name if f.plain else "")
                for old, f in zip(tensor.axis_names, lhs.indices)
            ]
        )
    if axes != known or names != tensor.axis_names:
        draft.tensors[lhs.tensor] = replace(tensor, axes=axes, axis_names=names)
        draft.views[lhs.tensor] = draft.views[lhs.tensor]._replace(axes=axes)


def _span(form: Affine) -> Axis:
    plain = form.plain
    if plain is not None:
        return Axis(plain.low, plain.high)
    low, high = lower_bound(form), upper_bound(form)
    return Axis(form if low is None else low, (form if high is None else high) + 1)


def _advise(error: UnboundIndex, line: EquationLine, scope: Scope) -> EquationError:
    """Complete the advice for an unbound index: the term it stands in, summed."""
    full = EquationError(error.subject, error.problem, error.advice, error.position)
    letter = error.letter
    try:
        rhs = expression(line.rhs, scope.binding({letter.name: letter}))
    except DerivgenError:
        return full
    terms = rhs.terms if isinstance(rhs, Add) else (rhs,)
    shown = []
    for term in terms:
        inside = letter in free_indices(term)
        shown.append(f"sum[{letter.name}]({text(term)})" if inside else text(term))
    full.advice = "Write " + " + ".join(shown).replace("+ -", "- ") + "."
    return full
