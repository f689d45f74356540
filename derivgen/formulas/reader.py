"""One formula being read: the symbols, the letters so far, and how each part is read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from derivgen.formulas import tree
from derivgen.formulas.cursor import Vocabulary
from derivgen.formulas.fit import Letters
from derivgen.formulas.parser import parse_tokens
from derivgen.formulas.rows import CompiledRow
from derivgen.formulas.scripts import (
    plain_text,
)
from derivgen.formulas.symbols import (
    Symbols,
)
from derivgen.formulas.terms import (
    Term,
)
from derivgen.formulas.tree import Name, Notice, Span, Token, Tree


@dataclass
class Reader:
    """One formula being read: the symbols, the letters so far, what was read leniently."""

    symbols: Symbols
    letters: Letters
    rows: tuple[CompiledRow, ...]
    vocabulary: Vocabulary
    notices: list[Notice] = field(default_factory=list)
    fresh: int = 0
    compares: bool = False  # inside a condition, where an index-valued target is a number
    handlers: Mapping[type, Callable[[Any, Reader], Term]] = field(default_factory=dict)

    def term(self, node: Tree) -> Term:
        """Return the meaning of a part of the tree."""
        return self.handlers[type(node)](node, self)


def vocabulary_of(symbols: Symbols) -> Vocabulary:
    """Return what the parser needs to know of the names."""
    return Vocabulary(symbols.words, symbols.letters, symbols.numbered)


def replace_span(term: Term, span: Span) -> Term:
    return Term(term.op, term.args, term.data, span)


def leading(node: Tree) -> Tree:
    return node.factors[0] if isinstance(node, tree.Product) else node


def bare(term: Term) -> Term:
    while term.op == "group":
        term = term.args[0]
    return term


def shown(node: Name) -> str:
    sub, sup = plain_text(node.sub), plain_text(node.sup)
    return node.base + (f"_{sub}" if sub else "") + (f"^{sup}" if sup else "") + "'" * node.primes


def script_term(tokens: tuple[Token, ...], reader: Reader) -> Term:
    return reader.term(parse_tokens(tokens, reader.vocabulary))
