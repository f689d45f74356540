r"""Leibniz fractions, ``\frac{\partial E}{\partial W_{ks}}``, gradients, names of functions."""

from __future__ import annotations

import re
from dataclasses import replace

from derivgen.algebra.expressions import Access, Call
from derivgen.algebra.network import Role
from derivgen.formulas import tree
from derivgen.formulas.conventions import LAYER_FUNCTION
from derivgen.formulas.reader import Reader, bare, leading
from derivgen.formulas.scripts import (
    plain_text,
)
from derivgen.formulas.symbols import (
    ELEMENTARY,
    FUNCTION_ALIASES,
    GENERIC_FUNCTIONS,
    LOSS_NAMES,
    Symbols,
    other_case,
)
from derivgen.formulas.terms import (
    Ref,
    Slope,
    Term,
)
from derivgen.formulas.tree import FormulaError, Name, Span, Token, Tree

_TURN = re.compile(r"(?i)(rot|rotate|flip)(180(\^?circ)?)?")


def fraction(node: tree.Fraction2, reader: Reader) -> Term:
    if isinstance(leading(node.bottom), tree.Differential):
        return derivative(node, None, reader)
    return Term("divide", (reader.term(node.top), reader.term(node.bottom)), None, node.span)


def derivative(node: tree.Fraction2, operand: Term | None, reader: Reader) -> Term:
    top, bottom = leading(node.top), node.bottom
    factors = bottom.factors if isinstance(bottom, tree.Product) else (bottom,)
    if not isinstance(top, tree.Differential):
        raise FormulaError("fraction", "The numerator is no differential.", "", node.span)
    if operand is None:
        if top.inner is None:
            raise FormulaError("operator", "Nothing stands behind this operator.", "", node.span)
        inner = top.inner
        if isinstance(node.top, tree.Product):
            inner = tree.Product((inner, *node.top.factors[1:]), node.top.operators, node.top.span)
        operand = differentiated(inner, reader)
    slope = Slope(immediate="+" in top.sign)
    for factor in reversed(factors):
        if not isinstance(factor, tree.Differential) or factor.inner is None:
            raise FormulaError("fraction", "The denominator is no differential.", "", factor.span)
        by, times = _variable(factor, top, reader)
        for _ in range(times):
            operand = _of_function(operand, by, reader) or Term(
                "gradient", (operand, by), slope, node.span
            )
    return operand


def _of_function(operand: Term, by: Term, reader: Reader) -> Term | None:
    r"""Read ``\frac{d\varphi}{dz}`` as the slope of the function at z.

    By what the function is not applied to, it is the function's value that is differentiated.
    """
    if operand.op != "function":
        return None
    name, order = operand.data if isinstance(operand.data, tuple) else (operand.data, 0)
    if by.op == "free":
        return Term("call", (by,), (name, order + 1), operand.span)
    if by.op != "element" or order:
        return None
    made = {t: found for t in reader.symbols.tensors if (found := made_by(t, reader.symbols))}
    made = {t: found for t, found in made.items() if found[0] == name}
    if any(by.data.tensor == inner for _, inner in made.values()):
        return Term("call", (by,), (name, 1), operand.span)
    numbers = [t for t in made if not reader.symbols.tensors[t].axes]
    if len(made) != 1 or not numbers:
        return None
    return Term("gradient", (Term("element", (), Ref(numbers[0])), by), Slope(), operand.span)


def made_by(tensor: str, symbols: Symbols) -> tuple[str, str] | None:
    """Return the function and the tensor that make a tensor element by element, or nothing."""
    for equation in symbols.network.equations if symbols.network else ():
        rhs = equation.rhs
        if equation.lhs.tensor != tensor or not isinstance(rhs, Call) or len(rhs.args) != 1:
            continue
        if isinstance(rhs.args[0], Access):
            return rhs.name, rhs.args[0].tensor
    return None


def differentiated(inner: Tree, reader: Reader) -> Term:
    """Return what is differentiated; the arguments of a loss are dropped."""
    if isinstance(inner, tree.Product) and isinstance(inner.factors[0], Name):
        first, rest = inner.factors[0], inner.factors[1:]
        grouped = len(rest) == 1 and isinstance(rest[0], tree.Group) and rest[0].bracket == "("
        if len(rest) == 1 and (timed := at_time(first, rest[0], reader)) is not None:
            return reader.term(timed)
        if grouped and not function_name(first, reader):
            return reader.term(first)
    return reader.term(inner)


def at_time(node: Name, following: Tree | None, reader: Reader) -> Name | None:
    r"""Return ``L_{t+1}`` for ``\mathcal{L}(t+1)``: the loss of one time."""
    named = node.base in (*LOSS_NAMES, reader.symbols.loss)
    if not named or node.sub or node.sup or reader.symbols.time_key is None:
        return None
    item = following.items[0] if isinstance(following, tree.Group) and following.items else None
    parts = item.terms if isinstance(item, tree.Sum) else (item,)
    first, *more = parts
    timed = isinstance(first, Name) and first.base in ("t", "tau", "T", "k")
    if not isinstance(first, Name) or not timed or first.sub or first.sup or len(more) > 1:
        return None
    tokens = [Token("name", first.base, first.span)]
    for sign, part in zip(item.signs[1:] if isinstance(item, tree.Sum) else (), more):
        if not isinstance(part, tree.Literal):
            return None
        mark = "+" if sign > 0 else "-"
        tokens += [Token("operator", mark, part.span), Token("number", part.text, part.span)]
    return Name(node.base, tuple(tokens), (), 0, node.span)


def _variable(
    factor: tree.Differential, top: tree.Differential, reader: Reader
) -> tuple[Term, int]:
    inner = factor.inner
    times = factor.order
    if top.order > 1 and isinstance(inner, Name):
        power = plain_text(inner.sup)
        if power == str(top.order):
            inner, times = replace(inner, sup=()), top.order
    assert inner is not None, "checked by the caller"
    by = bare(reader.term(inner))
    if by.op == "transpose":
        return by, times
    unknown = (
        by.op == "free" and by.data not in reader.symbols.scalars and bool(reader.symbols.loss)
    )
    if unknown and by.data not in reader.symbols.free:
        raise FormulaError(by.data, "Nothing declares this name.", "", factor.span)
    if by.op not in ("element", "gradient", "free"):
        raise FormulaError("denominator", "This is no quantity of the network.", "", factor.span)
    return by, times


def differential(node: tree.Differential, reader: Reader) -> Term:
    raise FormulaError("\\partial", "A differential outside a fraction.", "", node.span)


def function_name(node: Name, reader: Reader) -> str:
    """Return the function a name stands for here, or nothing."""
    symbols = reader.symbols
    if node.base == "Sigma" and node.primes and "Sigma" not in symbols.tensors:
        return function_name(replace(node, base="sigma"), reader)
    text = node.base + plain_text(node.sub)
    for name in (text, node.base):
        if name in symbols.functions:
            return symbols.functions[name]
        if name in symbols.defined:
            return name
    small = other_case(node.base)
    taken = node.base in (*symbols.tensors, *symbols.guess)
    taken = taken or len(small) > 1 and small in symbols.tensors  # Phi holds phi of all samples
    if taken and not node.primes:
        return ""
    for row in reader.rows:
        if row.name.base == node.base and row.row.reading.tensor in symbols.network_functions:
            return row.row.reading.tensor
    for name in (text, node.base):
        if name in symbols.network_functions or name in ELEMENTARY:
            return name
    if _TURN.fullmatch(text):
        return "rot180"
    alone = symbols.activations[0] if len(symbols.activations) == 1 else ""
    if node.base == "sigma" and alone and "sigmoid" not in symbols.activations:
        return alone  # sigma stands for whatever the activation is
    if node.base in FUNCTION_ALIASES:
        return FUNCTION_ALIASES[node.base]
    if node.base in (
        "diag",
        "tr",
        "softmax",
        "sigmoid",
        "relu",
        "norm",
        "det",
        "rowsum",
        "colsum",
        "allsum",
    ):
        return node.base
    others = [name for name in symbols.activations if name != "sigmoid"]
    if node.base in ("g", "h") and len(others) == 1 and symbols.time_key is not None:
        return others[0]  # of an LSTM: sigma opens the gates, g and h are the other one
    layered = symbols.activations and symbols.has_softmax and "a" in symbols.families
    if node.base in GENERIC_FUNCTIONS and layered:
        return LAYER_FUNCTION  # not every layer has the one elementwise activation
    if node.base in GENERIC_FUNCTIONS and len(symbols.activations) == 1:
        return symbols.activations[0]
    if node.base in GENERIC_FUNCTIONS and symbols.activations and "a" in symbols.families:
        return LAYER_FUNCTION
    return ""


def loss_gradient(by: Term, span: Span, symbol: str, reader: Reader) -> Term:
    loss = reader.symbols.loss
    if not loss:
        raise FormulaError("gradient", "No loss is declared.", "Write loss E = ...", span)
    of = Term("element", (), Ref(loss), span)
    return Term("gradient", (of, by), Slope(symbol=symbol), span)


def only_parameter(symbols: Symbols, span: Span) -> Term | None:
    """Return the network's parameter, if it has but one."""
    found = [t for t in symbols.tensors.values() if t.role is Role.PARAM]
    if len(found) != 1:
        return None
    return Term("element", (), Ref(found[0].name, (None,) * len(found[0].axes)), span)


def hessian(node: Name, reader: Reader) -> Term | None:
    """Return the second derivatives of the loss that ``H`` names where there is one parameter."""
    by = only_parameter(reader.symbols, node.span)
    if node.base != "H" or node.sub or node.sup or node.primes or by is None:
        return None
    inner = loss_gradient(by, node.span, "nabla", reader)
    return Term("gradient", (inner, by), Slope(symbol="nabla"), node.span)


def mentions_bare(node: Tree, base: str) -> bool:
    """Tell whether a group holds the function's own name without an argument: ``f(1-f)``."""
    inner = node.inner if isinstance(node, tree.Scripted) else node
    if not isinstance(inner, tree.Group) or len(inner.items) != 1:
        return False
    item = inner.items[0]
    parts = item.terms if isinstance(item, tree.Sum) else (item,)
    return any(isinstance(p, Name) and p.base == base for p in parts)
