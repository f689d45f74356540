"""Tokens to surface trees: a Pratt parser.

From loose to tight: ``or``, ``and``, ``not``, comparisons, ``+ -``, ``* / // %``, unary minus,
``^`` (right-associative; ``-a^2`` is ``-(a^2)``). Nesting is limited, so recursion is too.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from fractions import Fraction

from derivgen.errors import DerivgenError, LimitError, SyntaxProblem
from derivgen.language.scope import ELEMENTARY
from derivgen.language.source import MAX_DEPTH, MAX_DIGITS, MAX_EXPONENT, Source, shorten
from derivgen.language.syntax import (
    Apply,
    Bracket,
    Chain,
    Infix,
    Negative,
    NotTree,
    Num,
    Ranged,
    Ref,
    Tree,
    Word,
)
from derivgen.language.tokens import Token

COMPARISONS = frozenset(("=", "==", "!=", "<", "<=", ">", ">="))
POWERS = {
    "or": (1, 2),
    "and": (3, 4),
    **dict.fromkeys(COMPARISONS, (7, 8)),
    "+": (9, 10),
    "-": (9, 10),
    "*": (11, 12),
    "/": (11, 12),
    "//": (11, 12),
    "%": (11, 12),
    "^": (16, 15),
    "**": (16, 15),
}
NOT_POWER = 5
VALUE = 9  # the loosest power of an arithmetic expression: no comparison outside brackets
UNARY = 13
SPELLING = {"==": "=", "**": "^"}
CHAINS = {"+": "+", "-": "+", "*": "*", "and": "and", "or": "or"}  # operators of one flat chain


class Reader:
    """The tokens of one statement and how far they have been read."""

    def __init__(self, source: Source, tokens: tuple[Token, ...]) -> None:
        self.source = source
        self.tokens = tokens
        self.end = Token("end", "", tokens[-1].end, tokens[-1].end)
        self.at = 0
        self.depth = 0
        self.height = 0  # of the tree read last

    def peek(self, ahead: int = 0) -> Token:
        place = self.at + ahead
        return self.tokens[place] if place < len(self.tokens) else self.end

    def next(self) -> Token:
        token = self.peek()
        self.at += 1
        return token

    def take(self, text: str) -> Token | None:
        """Read ``text`` if it comes next."""
        if self.at < len(self.tokens) and self.tokens[self.at].text == text:
            self.at += 1
            return self.tokens[self.at - 1]
        return None

    def expect(self, text: str, advice: str = "") -> Token:
        token = self.take(text)
        if token is None:
            raise self.problem(f"Expected {text}, found {found(self.peek())}.", advice)
        return token

    def name(self, what: str) -> Token:
        token = self.peek()
        if token.kind != "name":
            raise self.problem(f"Expected {what}, found {found(token)}.")
        self.at += 1
        return token

    def done(self, advice: str = "") -> None:
        """Refuse whatever is left of the statement."""
        if self.at < len(self.tokens):
            raise unexpected(self, advice)

    def problem(self, problem: str, advice: str = "", at: int | None = None) -> DerivgenError:
        place = self.peek().at if at is None else at
        return SyntaxProblem(self.text(), problem, advice, self.source.position(place))

    def text(self) -> str:
        """Return the statement as written."""
        return shorten(self.source.text[self.tokens[0].at : self.tokens[-1].end])


def found(token: Token) -> str:
    """Name a token in a message."""
    return "the end of the line" if token.kind == "end" else token.text


def unexpected(reader: Reader, advice: str = "") -> DerivgenError:
    """Return the error for a token that cannot stand where it does."""
    token = reader.peek()
    before = reader.peek(-1) if reader.at else reader.end
    if token.kind == "end":
        return reader.problem(
            f"The line ends after {before.text}, where a formula is expected.",
            "Write the rest of the formula.",
        )
    operand = token.kind in ("name", "number") or token.text in ("(", "[")
    if not advice and operand and (before.kind in ("name", "number") or before.text in ")]"):
        advice = _joining(before, token)
    return reader.problem(f"{found(token)} cannot stand here.", advice)


def _joining(before: Token, token: Token) -> str:
    """Say how two parts that stand side by side may be joined."""
    if token.text in ("epochs", "batch", "predict", "summed"):
        return f"Write a comma before {token.text}."
    if before.text in ELEMENTARY:
        return f"Write {before.text}({token.text})."
    if before.text == "]":
        return "Write an operator between, or brackets for what is folded: sum[i](x[i])."
    return f"Write an operator between: {before.text} * {token.text}."


def read_expression(reader: Reader, power: int = VALUE) -> Tree:
    """Read an expression whose operators bind at least as tightly as ``power``."""
    reader.depth += 1
    if reader.depth > MAX_DEPTH:
        raise _too_deep(reader)
    tree = _prefix(reader)
    tokens, powers = reader.tokens, POWERS
    ops: list[str] = []
    parts: list[Tree] = []
    while reader.at < len(tokens):
        token = tokens[reader.at]
        binding = powers.get(token.text)
        if binding is None or binding[0] < power or token.kind == "string":
            break
        reader.at += 1
        height = reader.height
        right = read_expression(reader, binding[1])
        group = CHAINS.get(token.text)
        if ops and CHAINS.get(ops[-1]) == group:
            reader.height = max(height, reader.height + 1)
        else:
            reader.height = max(height, reader.height) + 1
            tree = _closed(tree, ops, parts)
        if group:
            if not ops:
                ops.append("+" if group == "+" else group)
                parts.append(tree)
            ops.append(token.text)
            parts.append(right)
        else:
            _refuse_chained(reader, token, tree)
            tree = Infix(tree.at, SPELLING.get(token.text, token.text), tree, right, token.at)
        if reader.height > MAX_DEPTH:
            raise _too_deep(reader)
    reader.depth -= 1
    return _closed(tree, ops, parts)


def _closed(tree: Tree, ops: list[str], parts: list[Tree]) -> Tree:
    if not ops:
        return tree
    chain = Chain(tree.at, tuple(ops), tuple(parts))
    ops.clear()
    parts.clear()
    return chain


def _too_deep(reader: Reader) -> DerivgenError:
    return LimitError(
        reader.text(),
        f"The expression is nested more than {MAX_DEPTH} deep.",
        "Give an inner part a name of its own.",
        reader.source.position(reader.peek().at),
    )


def _refuse_chained(reader: Reader, token: Token, left: Tree) -> None:
    if token.text not in COMPARISONS or not isinstance(left, Infix):
        return
    if left.op in COMPARISONS and left.at >= 0:
        raise reader.problem("Comparisons cannot be chained.", "Write a < b and b < c.", token.at)


def _prefix(reader: Reader) -> Tree:
    token = reader.next()
    reader.height = 0
    if token.kind == "number":
        return Num(token.at, number_value(reader, token))
    if token.kind == "name":
        if token.text == "not" and reader.peek().text not in NOT_IS_A_NAME:
            return NotTree(token.at, read_expression(reader, NOT_POWER))
        return _named(reader, token)
    reading = PREFIX.get(token.text) if token.kind == "op" else None
    if reading is None:
        reader.at -= 1
        raise unexpected(reader)
    return reading(reader, token)


NOT_IS_A_NAME = frozenset(
    ["[", ")", "]", ",", "=", "+", "-", "*", "/", "^", "**", "<", ">", "<=", ">=", "==", "!="]
) | {""}


def _minus(reader: Reader, token: Token) -> Tree:
    part = read_expression(reader, UNARY)
    reader.height += 1
    return Negative(token.at, part)


def _plus(reader: Reader, token: Token) -> Tree:
    return read_expression(reader, UNARY)


def _group(reader: Reader, token: Token) -> Tree:
    inner = read_expression(reader, 0)
    reader.expect(")")
    return inner


def _bracket(reader: Reader, token: Token) -> Tree:
    parts = _listed(reader, 0)
    reader.expect("]")
    return Bracket(token.at, parts)


PREFIX: dict[str, Callable[[Reader, Token], Tree]] = {
    "-": _minus,
    "+": _plus,
    "(": _group,
    "[": _bracket,
}


def _listed(reader: Reader, power: int) -> tuple[Tree, ...]:
    # One or more expressions with commas between; the height is that of the tallest, plus one.
    parts: list[Tree] = []
    height = 0
    while True:
        if power and reader.peek().kind == "name" and reader.peek(1).text == ":":
            parts.append(read_ranged(reader))
        else:
            parts.append(read_expression(reader, power))
        height = max(height, reader.height)
        if not reader.take(","):
            break
    reader.height = height + 1
    if reader.height > MAX_DEPTH:
        raise _too_deep(reader)
    return tuple(parts)


def _named(reader: Reader, token: Token) -> Tree:
    items: tuple[Tree, ...] | None = None
    outside: Tree | None = None
    height = 0
    if reader.take("["):
        items, outside = _index_items(reader)
        height = reader.height
    if reader.take("("):
        args = () if reader.peek().text == ")" else _listed(reader, 0)
        reader.height = max(height, reader.height)
        reader.expect(")")
        if outside is not None:
            raise reader.problem(f"{token.text}[...](...) takes no ; in its brackets.")
        return Apply(token.at, token.text, items, args)
    if items is None:
        return Word(token.at, token.text)
    return Ref(token.at, token.text, items, outside)


def _index_items(reader: Reader) -> tuple[tuple[Tree, ...], Tree | None]:
    if reader.peek().text == "]":
        raise reader.problem("[] names no index.", "Write the name alone for a single number.")
    items = _listed(reader, VALUE)
    outside = None
    if reader.take(";"):
        height = reader.height
        outside = read_expression(reader, 0)
        reader.height = max(height, reader.height + 1)
    reader.expect("]")
    return items, outside


def read_ranged(reader: Reader) -> Ranged:
    """Read ``i: 3`` or ``i: 1..T``."""
    name = reader.name("an index letter")
    reader.expect(":", f"Write {name.text}: SIZE, or {name.text}: LOW..HIGH.")
    first = read_expression(reader, VALUE)
    if reader.take(".."):
        return Ranged(name.at, name.text, first, read_expression(reader, VALUE))
    return Ranged(name.at, name.text, None, first)


LARGEST = Fraction(sys.float_info.max)
NUMBER = re.compile(r"([0-9]*)\.?([0-9]*)(?:[eE]([+-]?[0-9]+))?$")


def number_value(reader: Reader, token: Token) -> Fraction:
    """Return the exact value of a number token.

    Raises: LimitError beyond `MAX_DIGITS` digits or `MAX_EXPONENT`.
    """
    match = NUMBER.match(token.text)
    assert match, f"the tokenizer let {token.text!r} through as a number"
    whole, part, exponent = match.groups()
    power = exponent or "0"
    if len(whole) + len(part) > MAX_DIGITS or len(power) > 6 or abs(int(power)) > MAX_EXPONENT:
        raise LimitError(
            shorten(token.text, 40),
            f"A number has at most {MAX_DIGITS} digits and an exponent up to {MAX_EXPONENT}.",
            "Write a shorter number.",
            reader.source.position(token.at),
        )
    value = Fraction(int(whole + part or "0"), 10 ** len(part)) * Fraction(10) ** int(power)
    if value > LARGEST:
        raise LimitError(
            shorten(token.text, 40),
            "The number is larger than a double-precision number can be.",
            "Write a number below 1.8e308.",
            reader.source.position(token.at),
        )
    return value
