"""Small questions about tokens and parsed parts, asked by the parser."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from derivgen.formulas import tree
from derivgen.formulas.repair import (
    OPEN,
    argument_end,
)
from derivgen.formulas.tokens import RELATIONS
from derivgen.formulas.tree import FormulaError, Span, Token, Tree


def exact(token: Token) -> Fraction:
    if len(token.text) > 300:
        raise FormulaError(token.text[:20] + "...", "The number is too long.", "", token.span)
    return Fraction("0" + token.text if token.text.startswith(".") else token.text)


def bare(inner: Tree) -> Tree:
    if isinstance(inner, tree.Group) and inner.bracket == "{" and len(inner.items) == 1:
        return inner.items[0]
    return inner


def span_of(node: Tree) -> Span:
    return node.span


def lead(tokens: list[Token], place: int) -> int | None:
    """Return where the first token of an argument stands."""
    if place >= len(tokens):
        return None
    if tokens[place].kind != "{":
        return place
    inner = place + 1
    if inner < len(tokens) and tokens[inner].text in (r"\mathrm", r"\rm", r"\text"):
        end = argument_end(tokens, inner + 1)
        if end - inner == 4 and tokens[inner + 2].text == "d":
            tokens[inner] = Token("nothing", "", tokens[inner].span)
            del tokens[inner + 3], tokens[inner + 1], tokens[inner]
    return inner if inner < len(tokens) else None


def may_lead(tokens: list[Token], place: int) -> bool:
    before = tokens[place - 1] if place else None
    return before is None or before.kind not in ("_", "^")


def has_relation(tokens: list[Token], place: int) -> bool:
    """Tell whether a bracket that opens before ``place`` holds a relation at its own level."""
    level = 0
    for token in tokens[place:]:
        if (token.text in OPEN and token.kind != "name") or token.kind == "begin":
            level += 1
        elif (token.text in OPEN.values() and token.kind != "name") or token.kind == "end":
            level -= 1
            if level < 0:
                return False
        elif token.kind == "relation" and level == 0:
            return RELATIONS[token.text] in ("=", "!=", "<", ">", "<=", ">=", "in")
    return False


def with_scripts(
    inner: Tree, sub: tuple[Token, ...], sup: tuple[Token, ...], primes: int, span: Span
) -> Tree:
    if isinstance(inner, tree.Name) and not (inner.sub and sub) and not (inner.sup and sup):
        return replace(
            inner,
            sub=inner.sub + sub,
            sup=inner.sup + sup,
            primes=inner.primes + primes,
            span=(min(inner.span[0], span[0]), span[1]),
        )
    if isinstance(inner, tree.Group) and inner.bracket == "{" and len(inner.items) == 1:
        only = inner.items[0]
        if isinstance(only, tree.Name):
            return with_scripts(only, sub, sup, primes, span)
    if isinstance(inner, tree.Norm) and sub:
        inner = replace(inner, sub=sub)
        return inner if not (sup or primes) else tree.Scripted(inner, (), sup, span, primes)
    return tree.Scripted(inner, sub, sup, span, primes)
