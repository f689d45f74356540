"""The worked example: symbols = numbers = value, forwards, backwards, and one step of training."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

from derivgen.algebra.expressions import Access, Expr, replace_nodes, walk
from derivgen.algebra.network import Network, Role, Tensor
from derivgen.algebra.statements import Assign, Statement
from derivgen.algebra.values import Values
from derivgen.calculus.derivation import Derivation
from derivgen.forms.fold import Equality
from derivgen.forms.layout import Context, formula
from derivgen.forms.math import EQUALS, Frac, Math, Op, Scripts, Sym, Symbol, parenthesised, row
from derivgen.forms.matrix import NoMatrixForm
from derivgen.forms.matrix_layout import matrix_math
from derivgen.forms.notation import loss_symbol, symbol
from derivgen.forms.numbers import as_factor, grid, significant
from derivgen.interpret import evaluate, run
from derivgen.notes.chain import Chains, chain, is_scalar_net, make_chains, named_view
from derivgen.notes.document import (
    Block,
    Equation,
    Formula,
    Items,
    Line,
    Paragraph,
    Prose,
    Section,
    Table,
)
from derivgen.notes.view import View, display, matrix_display, tree_of
from derivgen.notes.words import parted, say, word
from derivgen.values import random_values, read_values

RATE = Sym("eta")
ANY = Sym("theta")  # a parameter in general
Arrays = Mapping[str, Any]


@dataclass(frozen=True)
class Example:
    """A network's numbers: given values, everything computed from them, and the learning rate."""

    values: Values
    arrays: Arrays
    rate: Fraction


def make_example(derivation: Derivation, values: Any = None) -> Example | None:
    """Return the example for ``values``: JSON, `Values`, a seed, or the numbers of the text.

    Without values there is an example only if the text gives all numbers.
    """
    network = derivation.network
    if values is None:
        if not _complete(network):
            return None
        values = {}
    if isinstance(values, int):
        values = random_values(network, values)
    elif not isinstance(values, Values):
        values = read_values(network, values)
    if values.samples is not None:
        values = values.sample(0)
    return Example(values, evaluate(derivation, values), _rate(network))


def _complete(network: Network) -> bool:
    wanted = network.of_role(Role.INPUT, Role.TARGET, Role.PARAM, Role.CONST)
    return bool(wanted) and all(tensor.values is not None for tensor in wanted)


def _rate(network: Network) -> Fraction:
    if network.training is not None:
        for name, setting in network.training.optimiser.settings:
            if name == "lr":
                return setting
    return Fraction(1, 10)


def worked_section(view: View, example: Example) -> Section:
    """Return the worked example."""
    lang = view.lang
    body: list[Block] = [Paragraph(say(lang, "worked intro")), *_given(view, example)]
    body.append(Section(say(lang, "worked forward"), tuple(_forward(view, example)), 2))
    body.append(Section(say(lang, "worked backward"), tuple(_backward(view, example)), 2))
    body.append(Section(say(lang, "worked update"), tuple(_updates(view, example)), 2))
    return Section(say(lang, "worked"), tuple(body))


def _given(view: View, example: Example) -> list[Block]:
    """Return the given values: numbers in a list, one item a role; arrays in a table."""
    known = [t for t in view.derivation.network.tensors.values() if _is_given(t, example)]
    found: list[Block] = []
    if numbers := [tensor for tensor in known if not example.arrays[tensor.name].ndim]:
        found.append(_given_numbers(view, example, numbers))
    if arrays := [tensor for tensor in known if example.arrays[tensor.name].ndim]:
        found.append(_given_arrays(view, example, arrays))
    return found


def _is_given(tensor: Tensor, example: Example) -> bool:
    return tensor.name in example.values.arrays


def _given_numbers(view: View, example: Example, known: list[Tensor]) -> Items:
    by_role: dict[Role, list[Prose]] = {}
    for tensor in known:
        value = significant(example.arrays[tensor.name].item())
        shown = row(symbol(view.notation, tensor.name), EQUALS, value)
        by_role.setdefault(tensor.role, []).append((Formula(shown),))
    items = [
        say(view.lang, "given", role=word(view.lang, f"{role.value}s"), values=parted(view.lang, v))
        for role, v in by_role.items()
    ]
    return Items(tuple(items))


def _given_arrays(view: View, example: Example, known: list[Tensor]) -> Table:
    rows: list[tuple[Prose, ...]] = []
    for tensor in known:
        array = example.arrays[tensor.name]
        shown = grid(array, view.layout == "columns") if array.ndim <= 2 else Op("ellipsis")
        left = Formula(symbol(view.notation, tensor.name))
        rows.append(((left,), (word(view.lang, tensor.role.value),), (Formula(shown),)))
    head = tuple((word(view.lang, key),) for key in ("symbol", "meaning", "number"))
    return Table(head, tuple(rows))


def figures(view: View, arrays: Arrays) -> dict[str, Math]:
    """Return all tensors as numbers ready to print."""
    found: dict[str, Math] = {}
    for name, array in arrays.items():
        if array.ndim <= 2 and array.dtype.kind == "f":
            found[name] = grid(array, view.layout == "columns")
    return found


# --- forward --------------------------------------------------------------------------------------


def _forward(view: View, example: Example) -> list[Block]:
    shown = figures(view, example.arrays)
    found: list[Block] = []
    done: set[str] = set()
    for statement in view.derivation.forward:
        name = statement.lhs.tensor
        if name in done or name not in shown:
            continue
        done.add(name)
        own = [s for s in view.derivation.forward if s.lhs.tensor == name]
        equality = _as_written(view, name) or view.fold(own)[-1]
        if block := _numbers(view, equality, shown, f"n:{name}"):
            found.append(block)
    return found


def _as_written(view: View, name: str) -> Equality | None:
    """Return the equation as the text has it, if there is one and nothing in it got a name."""
    derivation = view.derivation
    for number, equation in enumerate(derivation.network.equations):
        if equation.lhs.tensor == name:
            named = any(n.equation == number for n in derivation.named.values())
            return None if named else Equality(equation.lhs, equation.rhs)
    return None


def _numbers(
    view: View, equality: Equality, shown: Mapping[str, Math], label: str
) -> Equation | None:
    """Return ``symbols = numbers = value``."""
    value = shown[equality.lhs.tensor]
    if not equality.lhs.indices:
        return _scalar_numbers(view, equality, shown, label)
    try:
        left, right = matrix_display(view, equality)
        context = replace(view.context(equality.rhs), figures=shown)
        filled = matrix_math(tree_of(view, equality), context)
    except NoMatrixForm:
        return Equation(label, (Line(symbol(view.notation, equality.lhs.tensor), value),))
    lines = [Line(left, right)]
    if filled not in (right, value):
        lines.append(Line(None, filled))
    return Equation(label, (*lines, Line(None, value)), about=equality.lhs.tensor)


def _scalar_numbers(
    view: View, equality: Equality, shown: Mapping[str, Math], label: str
) -> Equation:
    left, right = display(view, equality)
    lines = [Line(left, right)]
    context = Context(view.notation, {}, shown)
    if not _has_entries(equality.rhs):
        lines.append(Line(None, formula(equality.rhs, context)))
    value = shown[equality.lhs.tensor]
    if lines[-1].right != value:
        lines.append(Line(None, value))
    return Equation(label, tuple(lines), about=equality.lhs.tensor)


def _has_entries(expr: Expr) -> bool:
    return any(isinstance(part, Access) and part.indices for part in walk(expr))


# --- backward -------------------------------------------------------------------------------------


def _backward(view: View, example: Example) -> list[Block]:
    if is_scalar_net(view.derivation):
        return _scalar_backward(view, example)
    shown = figures(view, example.arrays)
    found: list[Block] = []
    for step in view.derivation.steps:
        for equality in view.folded[step.adjoint][-1:]:
            if step.adjoint in shown and not equality.where:
                block = _numbers(view, equality, shown, f"n:{step.adjoint}")
                found += [] if block is None else [block]
    return found


def _scalar_backward(view: View, example: Example) -> list[Block]:
    chains = make_chains(view.derivation)
    seen = named_view(view, chains)
    local = local_values(view.derivation, example)
    found: list[Block] = [Paragraph(say(view.lang, "worked local"))]
    for name, (_, below) in chains.pairs.items():
        known = below in view.derivation.gradients or below in chains.passed
        if not known and not isinstance(chains.partials[name], Access):
            found.append(_local_equation(seen, chains, name, example, local))
    found.append(Paragraph(say(view.lang, "worked chains")))
    for name in view.derivation.gradients:
        if name in chains.steps:
            found.append(_chain_equation(seen, chains, name, example, local))
    return found


def local_values(derivation: Derivation, example: Example) -> dict[str, Any]:
    """Return the values of a scalar net's local derivatives, computed by the interpreter."""
    chains = make_chains(derivation)
    tensors = dict(derivation.tensors)
    nests: list[Statement] = []
    for name, partial in chains.partials.items():
        tensors[name] = Tensor(name)
        nests.append(Statement((), (), Access(name), "sum", partial))
    blocks = tuple(Assign(nest) for nest in nests)
    functions = derivation.network.functions
    return run(blocks, tensors, functions, example.values.dims, example.arrays)


def _local_equation(
    view: View, chains: Chains, name: str, example: Example, local: Arrays
) -> Equation:
    shown = figures(view, {**example.arrays, **local})
    left = formula(Access(name), Context(view.notation, {}))
    partial = chains.partials[name]
    lines = [Line(left, formula(partial, Context(view.notation, {})))]
    filled = formula(partial, Context(view.notation, {}, shown))
    if filled != shown[name]:
        lines.append(Line(None, filled))
    if lines[-1].right != shown[name]:
        lines.append(Line(None, shown[name]))
    return Equation(f"n:{name}", tuple(lines), about=chains.pairs[name][1])


def _chain_equation(
    view: View, chains: Chains, name: str, example: Example, local: Arrays
) -> Equation:
    context = Context(view.notation, {})
    product = chain(chains, name)
    adjoint = chains.steps[name].adjoint
    shown = figures(view, {**example.arrays, **local})
    symbols = replace_nodes(product, {Access(n): p for n, p in chains.partials.items()})
    lines = [
        Line(symbol(view.notation, adjoint), formula(product, context)),
        Line(None, formula(symbols, context)),
        Line(None, formula(product, Context(view.notation, {}, shown))),
        Line(None, significant(example.arrays[adjoint].item())),
    ]
    kept = [line for n, line in enumerate(lines) if not n or line.right != lines[n - 1].right]
    return Equation(f"n:{adjoint}", tuple(kept), boxed=True, about=name)


# --- one step of training -------------------------------------------------------------------------


def _updates(view: View, example: Example) -> list[Block]:
    derivation = view.derivation
    rate = significant(float(example.rate))
    found: list[Block] = [
        Paragraph(
            say(
                view.lang,
                "worked rate",
                rate=Formula(row(RATE, EQUALS, rate)),
                rule=Formula(_rule(view)),
            )
        )
    ]
    stepped = dict(example.values.arrays)
    for name, adjoint in derivation.gradients.items():
        stepped[name] = example.arrays[name] - float(example.rate) * example.arrays[adjoint]
        if stepped[name].ndim <= 2:
            found.append(_update(view, example, name, adjoint, stepped[name]))
    after = evaluate(derivation, example.values.with_arrays(stepped))
    loss = derivation.network.loss or ""
    sign, value = Formula(loss_symbol(view.notation)), after[loss].item()
    if not math.isfinite(value):
        return [*found, Paragraph(say(view.lang, "worked lost", loss=sign))]
    told = say(
        view.lang,
        "worked after",
        loss=sign,
        before=Formula(significant(example.arrays[loss].item())),
        after=Formula(significant(value)),
    )
    return [*found, Paragraph(told)]


def _rule(view: View) -> Math:
    """Return the step for a general parameter: ``theta^+ = theta - eta dE/dtheta``."""
    slope = Frac(row(Sym("partial"), loss_symbol(view.notation)), row(Sym("partial"), ANY))
    return row(Scripts(ANY, sup=Op("plus")), EQUALS, ANY, Op("-"), RATE, Op("times"), slope)


def _update(view: View, example: Example, name: str, adjoint: str, new: Any) -> Equation:
    parameter = symbol(view.notation, name)
    columns = view.layout == "columns"
    old = grid(example.arrays[name], columns)
    slope = as_factor(grid(example.arrays[adjoint], columns))
    rate = significant(float(example.rate))
    filled = row(old, Op("-"), rate, Op("cdot"), slope)
    lines = (Line(next_value(name, parameter), filled), Line(None, grid(new, columns)))
    return Equation(f"u:{name}", lines, about=name)


def next_value(name: str, parameter: Math) -> Math:
    """Return the symbol of a parameter after the step: ``w^+``."""
    inner = parameter.math if isinstance(parameter, Symbol) else parameter
    if isinstance(inner, Scripts) and inner.sup is not None:
        math: Math = Scripts(parenthesised(inner), sup=Op("plus"))
    elif isinstance(inner, Scripts):
        math = Scripts(inner.base, inner.sub, Op("plus"))
    else:
        math = Scripts(inner, sup=Op("plus"))
    return Symbol(name, math, f"{name}'")
