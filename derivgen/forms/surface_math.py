r"""Read the LaTeX of one symbol, ``\hat{y}_i^{(<k>)}``, into a formula with its index slots filled.

Only what a symbol needs is read: letters, Greek, accents, fonts, scripts, brackets, digits, signs.
Anything else is refused, so no LaTeX of a user's reaches a document unread.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from derivgen.errors import SyntaxProblem
from derivgen.forms.math import (
    GREEK,
    Accent,
    Fenced,
    Math,
    Num,
    Op,
    Row,
    Scripts,
    Sym,
    row,
)

_TOKEN = re.compile(r"\s*(\\[A-Za-z]+|<[A-Za-z]\w*>|[A-Za-z]|\d+|[_^{}()\[\],+\-'*/=.;:|])")
ACCENTS = ("hat", "bar", "tilde")
FONTS = {
    "mathbf": "bold",
    "boldsymbol": "bold",
    "mathrm": "upright",
    "mathit": "italic",
    "mathcal": "script",
    "operatorname": "function",
    "text": "upright",
}
SYMBOLS = ("partial", "nabla", "ell")
SIGNS = {",": ",", "+": "+", "-": "-", "*": "star", "=": "=", ".": ".", ";": ",", ":": "colon"}


def read_surface(text: str, slots: Mapping[str, Math]) -> Math:
    """Return the formula of a surface, ``<k>`` replaced by ``slots["k"]``.

    Raises: SyntaxProblem, for anything that is no part of a symbol.
    """
    tokens = _tokens(text)
    reader = _Reader(text, tokens, slots)
    math = reader.sequence("")
    if reader.place < len(tokens):
        raise reader.problem(tokens[reader.place])
    return math


def _tokens(text: str) -> list[str]:
    found: list[str] = []
    place = 0
    while place < len(text.rstrip()):
        match = _TOKEN.match(text, place)
        if match is None:
            raise _problem(text, text[place])
        found.append(match[1])
        place = match.end()
    return found


def _problem(text: str, token: str) -> SyntaxProblem:
    return SyntaxProblem(
        text,
        f"{token} is no part of a symbol.",
        r"Write letters, Greek, \hat, \mathbf, scripts and index slots such as <k>.",
    )


class _Reader:
    """A recursive reader over the tokens of one surface."""

    def __init__(self, text: str, tokens: list[str], slots: Mapping[str, Math]) -> None:
        self.text, self.tokens, self.slots = text, tokens, slots
        self.place = 0

    def problem(self, token: str) -> SyntaxProblem:
        return _problem(self.text, token)

    def peek(self) -> str:
        return self.tokens[self.place] if self.place < len(self.tokens) else ""

    def take(self) -> str:
        token = self.peek()
        self.place += 1
        return token

    def sequence(self, end: str) -> Math:
        """Read parts up to ``end``, which is consumed."""
        parts: list[Math] = []
        while self.peek() and self.peek() != end:
            parts.append(self.scripted())
        if end and self.take() != end:
            raise self.problem(f"a missing {end}")
        return row(*parts) if parts else Row(())

    def scripted(self) -> Math:
        base = self.atom()
        sub: Math | None = None
        sup: list[Math] = []
        while self.peek() in ("_", "^", "'"):
            mark = self.take()
            if mark == "'":
                sup.append(Op("prime"))
            elif mark == "_":
                sub = self.argument()
            else:
                sup.append(self.argument())
        return Scripts(base, sub, row(*sup) if sup else None) if sub or sup else base

    def argument(self) -> Math:
        if self.peek() == "{":
            self.take()
            return self.sequence("}")
        return self.atom()

    def atom(self) -> Math:
        token = self.take()
        if token.startswith("<"):
            if token[1:-1] not in self.slots:
                raise self.problem(token)
            return self.slots[token[1:-1]]
        if token.startswith("\\"):
            return self.command(token[1:])
        if token == "{":
            return self.sequence("}")
        if token in ("(", "["):
            return Fenced(token, self.sequence(")" if token == "(" else "]"))
        if token.isdigit():
            return Num(token)
        if token in SIGNS:
            return Op(SIGNS[token])
        if token.isalpha():
            return Sym(token)
        raise self.problem(token or "the end")

    def command(self, name: str) -> Math:
        if name in GREEK or name in SYMBOLS:
            return Sym(name)
        if name in ACCENTS:
            return Accent(name, self.argument())
        if name in FONTS:
            return self.styled(FONTS[name])
        raise self.problem("\\" + name)

    def styled(self, font: str) -> Math:
        """Read the argument of a font command: its letters make one word."""
        inner = self.argument()
        parts = inner.items if isinstance(inner, Row) else (inner,)
        if all(isinstance(part, Sym) for part in parts):
            word = "".join(part.text for part in parts if isinstance(part, Sym))
            return Sym(word, font)
        return inner
