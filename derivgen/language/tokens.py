"""Text to tokens, and tokens to logical lines.

A line goes on while a bracket is open, after a trailing operator or comma, and before a line that
begins with an operator. At depth 0 a semicolon parts statements. Invariant: every character of
the text is a token, a space or a comment, or an error names it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple

from derivgen.errors import DerivgenError, LimitError, SyntaxProblem
from derivgen.language.source import MAX_DEPTH, MAX_NAME, Source


class Token(NamedTuple):
    """``kind`` is number, name, string, op or end; ``at`` and ``end`` are offsets."""

    kind: str
    text: str
    at: int
    end: int


@dataclass(frozen=True)
class Line:
    """A logical line: its indentation and its statements (parted by ``;``)."""

    indent: int
    segments: tuple[tuple[Token, ...], ...]


TOKEN = re.compile(
    r"""(?P<space>[ \t\r\f\ufeff]+)
    |(?P<comment>\#[^\n]*)
    |(?P<newline>\n)
    |(?P<number>(?:[0-9]+(?:\.(?!\.)[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)
    |(?P<name>[A-Za-z_][A-Za-z0-9_]*'*)
    |(?P<string>"[^"\n]*")
    |(?P<op>==|!=|<=|>=|\*\*|//|\.\.|[-+*/%^=<>()\[\],;:])""",
    re.VERBOSE,
)
OPENING = {"(": ")", "[": "]"}
GOES_ON_AFTER = frozenset(
    ["+", "-", "*", "/", "//", "%", "^", "**", "=", "==", "!=", "<", "<=", ">", ">=", ","]
)
CANNOT_BEGIN = frozenset(
    ["+", "-", "*", "/", "//", "%", "^", "**", "=", "==", "!=", "<", "<=", ">", ">=", ",", ")"]
)
WORDS_BETWEEN = frozenset(("and", "or"))


def read_lines(source: Source) -> list[Line]:
    """Return the logical lines of a text.

    Raises: SyntaxProblem for a character that is no part of the language or a bracket left open;
    LimitError for brackets or names beyond the limits.
    """
    lines: list[Line] = []
    segments: list[tuple[Token, ...]] = []
    tokens: list[Token] = []
    open_brackets: list[Token] = []
    line_start = 0
    indent = 0

    def end_segment() -> None:
        if tokens:
            segments.append(tuple(tokens))
            tokens.clear()

    def end_line() -> None:
        end_segment()
        if segments:
            lines.append(Line(indent, tuple(segments)))
            segments.clear()

    text = source.text
    at = 0
    pending = False  # a newline was met; whether it ends the line depends on the next token
    match = TOKEN.match
    while found := match(text, at):
        kind = found.lastgroup or ""
        start, at = at, found.end()
        if kind == "space" or kind == "comment":
            continue
        if kind == "newline":
            line_start = at
            pending = not open_brackets
            continue
        word = found.group()
        if pending:
            pending = False
            if not _goes_on(tokens, word):
                end_line()
        if not tokens and not segments:
            indent = start - line_start
        token = Token(kind, word, start, at)
        if kind == "op":
            if word in "([":
                open_brackets.append(token)
                if len(open_brackets) > MAX_DEPTH:
                    raise _too_deep(source, token)
            elif word in ")]":
                _close(source, open_brackets, token)
            elif word == ";" and not open_brackets:
                end_segment()
                continue
        elif kind == "number":
            _check_apart(source, token)
        elif kind == "name" and len(word) > MAX_NAME:
            raise _long_name(source, token)
        tokens.append(token)
    if at < len(text):
        raise _strange(source, at)
    if open_brackets:
        raise _left_open(source, open_brackets[-1])
    end_line()
    return lines


def _goes_on(tokens: list[Token], word: str) -> bool:
    if not tokens:
        return False
    return tokens[-1].text in GOES_ON_AFTER or word in CANNOT_BEGIN or word in WORDS_BETWEEN


def _close(source: Source, open_brackets: list[Token], token: Token) -> None:
    if open_brackets and OPENING[open_brackets[-1].text] == token.text:
        open_brackets.pop()
        return
    opened = open_brackets[-1].text if open_brackets else None
    problem = f"{token.text} closes {opened or 'nothing'}."
    advice = f"Write {OPENING[opened]} first." if opened else f"Remove {token.text}."
    raise SyntaxProblem(source.line_at(token.at), problem, advice, source.position(token.at))


def _left_open(source: Source, token: Token) -> DerivgenError:
    return SyntaxProblem(
        source.line_at(token.at),
        f"{token.text} is never closed.",
        f"Write the missing {OPENING[token.text]}.",
        source.position(token.at),
    )


def _too_deep(source: Source, token: Token) -> DerivgenError:
    return LimitError(
        source.line_at(token.at),
        f"Brackets are nested more than {MAX_DEPTH} deep.",
        "Give an inner part a name of its own.",
        source.position(token.at),
    )


def _long_name(source: Source, token: Token) -> DerivgenError:
    return LimitError(
        token.text[:20] + "...",
        f"The name has {len(token.text)} characters, at most {MAX_NAME} are read.",
        "Choose a shorter name.",
        source.position(token.at),
    )


def _check_apart(source: Source, token: Token) -> None:
    following = source.text[token.end : token.end + 1]
    if not (following.isalnum() or following in ("_", ".")):
        return
    if following == "." and source.text[token.end : token.end + 2] == "..":
        return
    rest = re.match(r"[A-Za-z0-9_.]*", source.text[token.end :])
    word = rest.group() if rest and rest.group() else following
    advice = f"Write {token.text}*{word}."
    if following.isdigit() or following == ".":
        advice = "Write one number with one decimal point."
    raise SyntaxProblem(
        source.line_at(token.at),
        f"{token.text}{word[:20]} is neither a number nor a name.",
        advice,
        source.position(token.at),
    )


def _strange(source: Source, at: int) -> DerivgenError:
    character = source.text[at]
    advice = STRANGE_ADVICE.get(character, "Names are letters, digits and _ of the ASCII alphabet.")
    if name := GREEK.get(character):
        advice = f"Write {name}."
    shown = character if character.isprintable() else f"U+{ord(character):04X}"
    return SyntaxProblem(
        source.line_at(at), f"{shown} is no part of the language.", advice, source.position(at)
    )


STRANGE_ADVICE = {
    "\\": "A name is written without a backslash, and a long line goes on after an operator.",
    "{": "Write [ ] for indices and ( ) for grouping.",
    "}": "Write [ ] for indices and ( ) for grouping.",
    "!": "Write != for unequal, or not for a negation.",
    "&": "Write and.",
    "|": "Write or; the absolute value is abs(x).",
    "@": "Write the sum: sum[i](W[h,i]*x[i]).",
    ".": "A tensor has no attributes: the transpose of W[i,j] is W[j,i].",
    "?": "Write where(condition, a, b).",
    "²": "Write ^2.",
    "³": "Write ^3.",
    "√": "Write sqrt(x).",
    "≤": "Write <=.",
    "≥": "Write >=.",
    "≠": "Write !=.",
    "·": "Write *.",
    "×": "Write *.",
    "−": "Write - (the hyphen).",
    '"': "A text in quotes ends on its own line.",
}
GREEK = dict(
    zip(
        "αβγδεζηθικλμνξπρστυφχψωΓΔΘΛΞΠΣΦΨΩ∂",
        [
            "alpha",
            "beta",
            "gamma",
            "delta",
            "epsilon",
            "zeta",
            "eta",
            "theta",
            "iota",
            "kappa",
            "lambda",
            "mu",
            "nu",
            "xi",
            "pi",
            "rho",
            "sigma",
            "tau",
            "upsilon",
            "phi",
            "chi",
            "psi",
            "omega",
            "Gamma",
            "Delta",
            "Theta",
            "Lambda",
            "Xi",
            "Pi",
            "Sigma",
            "Phi",
            "Psi",
            "Omega",
            "d(u,",
            "x)",
        ],
    )
)
