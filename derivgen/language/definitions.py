"""Definitions of layers, losses, initialisers and optimisers: what a library is made of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction

from derivgen.algebra.expressions import ZERO, Access, Expr
from derivgen.algebra.network import (
    Distribution,
    InitialiserRule,
    Optimiser,
    Training,
)
from derivgen.errors import LimitError, NameProblem, SyntaxProblem
from derivgen.language.draft import Draft
from derivgen.language.functions import check_function_name, constant_value
from derivgen.language.lines import (
    EquationLine,
    InitialiserLine,
    LayerLine,
    Line,
    LossRowLine,
    OptimiserLine,
    SharedLine,
    Span,
    StateLine,
    TrainLine,
)
from derivgen.language.macros import expand_loss
from derivgen.language.resolve import expression
from derivgen.language.rows import Shared, layer_row, loss_row, names_in
from derivgen.language.scope import Scope, View
from derivgen.language.starts import DISTRIBUTIONS, distribution
from derivgen.language.statements import keyword_argument
from derivgen.language.syntax import Apply, Tree, Word

LONGEST_UPDATE = 5000


def declare_macros(draft: Draft, lines: Sequence[Line]) -> None:
    """Read layers, losses, initialisers, optimisers, and ``train with``."""
    draft.expand = lambda name, tree, scope: expand_loss(draft, name, tree, scope)
    for line in lines:
        if isinstance(line, LayerLine):
            check_function_name(draft, line.head.name, line.span, line.head.at)
            row = layer_row(line)
            draft.macros[row.name] = draft.layers[row.name] = row
            draft.functions.pop(row.name, None)
        elif isinstance(line, LossRowLine):
            check_function_name(draft, line.head.name, line.span, line.head.at)
            draft.macros[line.head.name] = loss_row(line)
            draft.functions.pop(line.head.name, None)
        elif isinstance(line, InitialiserLine):
            _initialiser(draft, line)
        elif isinstance(line, OptimiserLine):
            draft.optimisers[line.head.name] = _optimiser(draft, line)
    for line in lines:
        if isinstance(line, SharedLine):
            _shared(draft, line)
        elif isinstance(line, TrainLine):
            draft.training = _training(draft, line)


def _shared(draft: Draft, line: SharedLine) -> None:
    row = draft.layers.get(line.made.name)
    if row is None:
        raise draft.scope(line.span).problem(
            NameProblem,
            f"{line.made.name} is no layer.",
            "Write layer enc = dense(128, relu), or layer enc(x[i]): and its equations.",
            line.made.at,
        )
    check_function_name(draft, line.name.name, line.span, line.name.at)
    args = line.made.args if isinstance(line.made, Apply) else ()
    shared = Shared(line.name.name, row, args)
    draft.shared.append(shared)
    draft.macros[shared.name] = shared


# --- initialisers --------------------------------------------------------------------------------


def _settings(draft: Draft, head: Word | Apply, span: Span) -> tuple[tuple[str, Fraction], ...]:
    scope = draft.scope(span)
    made: list[tuple[str, Fraction]] = []
    for arg in head.args if isinstance(head, Apply) else ():
        named = keyword_argument(arg)
        if named is None:
            raise scope.problem(
                SyntaxProblem,
                f"A setting of {head.name} has no default.",
                f"Write {head.name}(lr = 0.01).",
                arg.at,
            )
        made.append((named[0], constant_value(named[1], scope)))
    return tuple(made)


def _number_scope(draft: Draft, span: Span, names: Iterator[str]) -> Scope:
    views = {name: View(name, ()) for name in names}
    return Scope(span, {}, {}, views, draft.functions)


def _initialiser(draft: Draft, line: InitialiserLine) -> None:
    settings = _settings(draft, line.head, line.span)
    names = ["fan_in", "fan_out", *[name for name, _ in settings]]
    scope = _number_scope(draft, line.span, iter(names))
    made: Distribution
    if isinstance(line.body, Apply) and line.body.name in DISTRIBUTIONS:
        made = distribution(line.body, scope)
    else:
        made = Distribution("constant", (expression(line.body, scope),))
    name = line.head.name
    draft.initialisers[name] = InitialiserRule(name, settings, made)


# --- optimisers ----------------------------------------------------------------------------------


def _optimiser(draft: Draft, line: OptimiserLine) -> Optimiser:
    """Return the rule; names it defines on the way are written out in the updates."""
    settings = _settings(draft, line.head, line.span)
    states: list[tuple[str, Expr]] = []
    updates: list[tuple[str, Expr]] = []
    known: dict[str, Expr] = {name: Access(name) for name in ("w", "g", "t")}
    known |= {name: Access(name) for name, _ in settings}
    sizes: dict[str, int] = {}
    for part in line.body:
        scope = Scope(part.span, {}, {}, {}, draft.functions, values=known)
        if isinstance(part, StateLine):
            name = part.item.name.name
            value = part.item.value
            states.append((name, expression(value, scope) if value is not None else ZERO))
            known[name] = Access(name)
            if part.update is not None:
                updates.append(_next_value(part.update[0].name, part.update[1], known, scope))
        elif isinstance(part, EquationLine) and isinstance(part.lhs, Word):
            name = part.lhs.name
            sizes[name] = _size(part, sizes)
            if name.endswith("'"):
                updates.append(_next_value(name, part.rhs, known, scope))
            else:
                known[name] = expression(part.rhs, scope)
        else:
            raise _cannot_stand(line, part)
    _check_updates(line, states, updates)
    return Optimiser(line.head.name, settings, tuple(states), tuple(updates))


def _next_value(name: str, tree: Tree, known: dict[str, Expr], scope: Scope) -> tuple[str, Expr]:
    made = expression(tree, scope)
    known[name] = Access(name)
    return name.rstrip("'"), made


def _size(part: EquationLine, sizes: Mapping[str, int]) -> int:
    """Return how long an update's formula is, with the names it uses written out.

    Raises: LimitError above `LONGEST_UPDATE`.
    """
    size = 1 + sum(sizes.get(name, 1) for name in names_in(part.rhs))
    if size > LONGEST_UPDATE:
        raise LimitError(
            part.span.text,
            f"Written out, the formula has more than {LONGEST_UPDATE} names.",
            "Make a part of it a state.",
            part.span.source.position(part.lhs.at),
        )
    return 1 if part.lhs.name.endswith("'") else size


def _cannot_stand(line: OptimiserLine, part: Line) -> SyntaxProblem:
    return SyntaxProblem(
        part.span.text,
        f"The statement cannot stand in the optimiser {line.head.name}.",
        "Write state v = 0: v' = ..., and w' = ... for the parameter.",
        part.span.source.position(part.span.start),
    )


def _check_updates(
    line: OptimiserLine, states: list[tuple[str, Expr]], updates: list[tuple[str, Expr]]
) -> None:
    names = [name for name, _ in updates]
    if "w" not in names:
        raise SyntaxProblem(
            line.span.text,
            f"The optimiser {line.head.name} does not update the parameter w.",
            "Write w' = w - lr*g.",
            line.span.source.position(line.head.at),
        )
    for name in names:
        if name != "w" and name not in [state for state, _ in states]:
            raise SyntaxProblem(
                line.span.text,
                f"{name}' is the next value of no state.",
                f"Write state {name} = 0: {name}' = ...",
                line.span.source.position(line.head.at),
            )


def _training(draft: Draft, line: TrainLine) -> Training:
    scope = draft.scope(line.span)
    rule = draft.optimisers.get(line.rule.name)
    if rule is None:
        raise scope.problem(
            NameProblem,
            f"{line.rule.name} is no optimiser.",
            f"There are {', '.join(sorted(draft.optimisers))}.",
            line.rule.at,
        )
    settings = dict(rule.settings)
    for place, arg in enumerate(line.rule.args if isinstance(line.rule, Apply) else ()):
        named = keyword_argument(arg)
        name = named[0] if named else list(settings)[min(place, len(settings) - 1)]
        if name not in settings or (named is None and place >= len(settings)):
            raise scope.problem(
                NameProblem,
                f"{rule.name} has no setting {name}.",
                f"Its settings are {', '.join(settings)}.",
                arg.at,
            )
        settings[name] = constant_value(named[1] if named else arg, scope)
    default = Training(rule)
    return Training(
        replace(rule, settings=tuple(settings.items())),
        _count(line.epochs, default.epochs, scope),
        _count(line.batch, default.batch, scope),
    )


def _count(tree: Tree | None, default: int, scope: Scope) -> int:
    if tree is None:
        return default
    value = constant_value(tree, scope)
    if value.denominator != 1 or not 1 <= value <= 10**9:
        raise scope.problem(
            SyntaxProblem, "A whole number from 1 is expected.", "Write for example 10.", tree.at
        )
    return int(value)
