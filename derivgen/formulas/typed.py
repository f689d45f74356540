"""Formulas typed without TeX: ``W_ks`` is W with two indices, ``W[k,s]`` too, ``.*`` a Hadamard.

Only where a text has neither a command nor a brace; in TeX ``W_ks`` is W_k times s. Invariant:
tokens keep their places.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator

from derivgen.formulas.tree import Token

MARKS = {"\u0302": r"\hat", "\u0303": r"\tilde", "\u0304": r"\bar", "\u0307": r"\dot"}
FRACTIONS = {"½": (1, 2), "⅓": (1, 3), "¼": (1, 4), "⅛": (1, 8)}


def is_typed(text: str) -> bool:
    """Tell whether a formula has nothing of TeX but indices and exponents."""
    return "\\" not in text and "{" not in text


def as_tex(tokens: list[Token]) -> list[Token]:
    """Return the tokens with braces round typed indices, and TeX's signs for typed ones."""
    found: list[Token] = []
    place = 0
    while place < len(tokens):
        token, taken = tokens[place], 1
        if token.kind == "_":
            end = _run_end(tokens, place + 1)
            found += [token, *_braced(tokens[place + 1 : end], token)]
            taken = max(1, end - place)
        elif token.text == "[" and (end := _bracket_end(tokens, place)):
            opened = Token("_", "_", token.span)
            found += [opened, *_braced(tokens[place + 1 : end], token)]
            taken = end + 1 - place
        elif token.kind == "number" and _is_numbered(tokens, place):
            found += [Token("_", "_", token.span), *_braced([token], token)]
        elif token.text == "." and _next_is(tokens, place, "*", "/", "^"):
            after = tokens[place + 1]
            dotted = Token("operator", r"\odot", after.span) if after.text == "*" else after
            found.append(dotted)
            taken = 2
        else:
            found.append(token)
        place += taken
    return found


def _is_numbered(tokens: list[Token], place: int) -> bool:
    """Tell whether a number touches the name before it: ``W2`` is W with an index."""
    before = tokens[place - 1] if place else None
    touching = before is not None and before.span[1] == tokens[place].span[0]
    whole = tokens[place].text.isdigit()
    return touching and before is not None and before.kind == "name" and whole


def _braced(inner: list[Token], sign: Token) -> list[Token]:
    if not inner:
        return []
    return [Token("{", "{", sign.span), *inner, Token("}", "}", inner[-1].span)]


def _run_end(tokens: list[Token], start: int) -> int:
    """Return where letters and numbers that touch one another end; ``W_1x`` is W_1 times x."""
    place = start
    while place < len(tokens) and tokens[place].kind in ("name", "number"):
        if place > start and tokens[place].span[0] != tokens[place - 1].span[1]:
            break
        if tokens[start].kind == "number" and tokens[place].kind == "name":
            break
        place += 1
    return place


def _bracket_end(tokens: list[Token], start: int) -> int:
    """Return where index brackets that touch a name close, or 0 if these are none."""
    before = tokens[start - 1] if start else None
    touching = before is not None and before.span[1] == tokens[start].span[0]
    if before is None or before.kind != "name" or not touching:
        return 0
    for place in range(start + 1, len(tokens)):
        token = tokens[place]
        if token.text == "]":
            return place if place > start + 1 else 0
        if token.kind not in ("name", "number", ",") and token.text not in ("+", "-"):
            return 0
    return 0


def _next_is(tokens: list[Token], place: int, *texts: str) -> bool:
    after = tokens[place + 1] if place + 1 < len(tokens) else None
    touching = after is not None and after.span[0] == tokens[place].span[1]
    return touching and after is not None and after.text in texts


def accented(text: str, span: tuple[int, int]) -> Iterator[Token]:
    r"""Yield ``\hat y`` for the letter ŷ, in one character or two."""
    parts = unicodedata.normalize("NFD", text)
    for mark in parts[1:]:
        yield Token("command", MARKS[mark], span)
    yield Token("name", parts[0], span)


def is_accented(text: str) -> bool:
    """Tell whether a character is a letter with accents that mathematics uses."""
    parts = unicodedata.normalize("NFD", text)
    return len(parts) > 1 and parts[0].isascii() and all(mark in MARKS for mark in parts[1:])
