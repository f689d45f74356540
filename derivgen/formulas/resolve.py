r"""A parsed formula to a `Claim`: products sorted into calls, gradients and factors.

The reader knows what a mathematician knows of notation: ``f(x)`` is a call if f is a function,
``\frac{\partial}{\partial w}(...)`` acts on what follows, ``\nabla W`` is a gradient, ``e^x`` the
exponential. Invariant: whatever has no meaning is a `FormulaError` that names the token.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from fractions import Fraction
from typing import Any

from derivgen.formulas import tree
from derivgen.formulas.entries import dotted_sum, group, matrix
from derivgen.formulas.fit import Letters, new_letters
from derivgen.formulas.folds import big, cases, indicator, scripted
from derivgen.formulas.meanings import candidates, name
from derivgen.formulas.parser import parse
from derivgen.formulas.products import product
from derivgen.formulas.reader import Reader, replace_span, script_term, vocabulary_of
from derivgen.formulas.rows import compile_rows
from derivgen.formulas.scripts import split_at
from derivgen.formulas.slopes import differential, fraction
from derivgen.formulas.symbols import (
    Symbols,
)
from derivgen.formulas.terms import (
    Term,
    letters_in,
)
from derivgen.formulas.times import time_letters
from derivgen.formulas.tokens import Macros
from derivgen.formulas.tree import FormulaError, Tree

ONE = Fraction(1)


def read_chains(text: str, symbols: Symbols, macros: Macros | None = None) -> list[tree.Chain]:
    """Return the parsed chains of a formula; see `derivgen.formulas.parser.parse`."""
    return parse(text, vocabulary_of(symbols), macros)


def resolve_member(member: Tree, reader: Reader) -> Term:
    """Return the meaning of one member with letters shared with the others."""
    return reader.term(member)


def make_reader(symbols: Symbols, chain: tree.Chain | None = None) -> Reader:
    """Return a reader for the members of one chain."""
    letters = new_letters(symbols)
    if chain is not None and (times := time_letters(chain, symbols)):
        letters = Letters({**letters.declared, **times})
    return Reader(
        symbols,
        letters,
        compile_rows(symbols),
        vocabulary_of(symbols),
        handlers=_HANDLERS,
    )


def _literal(node: tree.Literal, reader: Reader) -> Term:
    return Term("number", (), (node.value, node.text), node.span)


def _sum(node: tree.Sum, reader: Reader) -> Term:
    terms = [
        None if isinstance(part, tree.Dots) else _signed(reader.term(part), sign)
        for sign, part in zip(node.signs, node.terms)
    ]
    found = dotted_sum(terms, node.span, reader)
    if len(found) == 1:
        return replace_span(found[0], node.span)
    return Term("add", tuple(found), None, node.span)


def _signed(term: Term, sign: int) -> Term:
    return term if sign == 1 else Term("negate", (term,), None, term.span)


def _root(node: tree.Root, reader: Reader) -> Term:
    inner = reader.term(node.inner)
    if node.degree == 2:
        return Term("call", (inner,), ("sqrt", 0), node.span)
    exponent = Term("number", (), (Fraction(1, node.degree), ""), node.span)
    return Term("power", (inner, exponent), None, node.span)


def _norm(node: tree.Norm, reader: Reader) -> Term:
    batch = node.inner if isinstance(node.inner, tree.Name) and not node.double else None
    if batch is not None and batch.base in _SETS and not name_is_known(batch, reader):
        return Term("size", (), "m", node.span)  # how many samples a batch has
    inner = reader.term(node.inner)
    name = "norm" if node.double else "abs"
    return Term("call", (inner,), (name, 0), node.span)


_SETS = ("B", "D", "S", "M", "T", "N")


def name_is_known(node: tree.Name, reader: Reader) -> bool:
    """Tell whether the network or the note has a quantity of a name."""
    return bool(candidates(node, reader))


def _held(node: tree.Held, reader: Reader) -> Term:
    inner = reader.term(node.inner)
    # No guess says what is held fixed: a wrong one would turn a right formula into a wrong one.
    declared = replace(reader, symbols=replace(reader.symbols, guess={}))
    fixed = tuple(script_term(part, declared) for part in split_at(node.fixed, ","))
    for term in fixed:
        strange = [name for name in letters_in(term) if name in reader.symbols.by_canonical]
        if term.op not in ("element", "gradient") or strange:  # s_{\hat{y}}: no index is a tensor
            raise FormulaError("|", "What is held fixed is no quantity.", "", term.span)
    return Term("held", (inner, *fixed), None, node.span)


def _dots(node: tree.Dots, reader: Reader) -> Term:
    raise FormulaError("...", "Dots with no pattern.", "Write the sum or the vector.", node.span)


_HANDLERS: Mapping[type, Callable[[Any, Reader], Term]] = {
    tree.Literal: _literal,
    tree.Name: name,
    tree.Scripted: scripted,
    tree.Group: group,
    tree.Sum: _sum,
    tree.Product: product,
    tree.Fraction2: fraction,
    tree.Differential: differential,
    tree.Big: big,
    tree.Root: _root,
    tree.Matrix: matrix,
    tree.Cases: cases,
    tree.Indicator: indicator,
    tree.Norm: _norm,
    tree.Held: _held,
    tree.Dots: _dots,
}
