r"""Script tokens to atoms: ``_{ks}`` to k and s, ``^{(l+1)}`` to l+1, ``_{o1}`` to the word o1.

Invariant: no token of a script is lost; what is no index expression becomes a word or raises.
"""

from __future__ import annotations

from dataclasses import dataclass

from derivgen.formulas.repair import OPEN
from derivgen.formulas.terms import At
from derivgen.formulas.tree import Token

_BRACKETS = {"(": ")", "[": "]", r"\langle": r"\rangle", "<": ">", r"\{": r"\}", "{": "}"}
ACCENTED = {r"\tilde": "tilde", r"\hat": "hat", r"\bar": "bar", r"\widetilde": "tilde",
            r"\widehat": "hat", r"\overline": "bar"}  # fmt: skip
_IGNORED = frozenset([r"\mathrm", r"\text", r"\mathit", r"\textit", r"\mathbf", r"\rm", r"\prime_",
                      r"\mathsf", r"\textrm", r"\operatorname", r"\boldsymbol", r"\mathcal",
                      "&"])  # fmt: skip


@dataclass(frozen=True)
class Atom:
    """One index of a script: its text, its meaning, and whether brackets stood round it."""

    text: str
    at: At | None
    bracketed: bool = False
    grouped: bool = False  # one of several brackets in a row, ``[2](i)``


def plain_text(tokens: tuple[Token, ...]) -> str:
    """Return the text of script tokens without type-setting commands and braces."""
    kept = [t.text for t in tokens if t.kind not in "{}" and t.text not in _IGNORED]
    return "".join(text.lstrip("\\") for text in kept)


def unwrapped(tokens: tuple[Token, ...]) -> tuple[tuple[Token, ...], bool]:
    """Take off brackets that stand round everything; tell whether there were any."""
    bracketed = False
    while len(tokens) > 2 and _BRACKETS.get(tokens[0].text) == tokens[-1].text:
        if not _closes_last(tokens):
            break
        bracketed = bracketed or tokens[0].text != "{"
        tokens = tokens[1:-1]
    return tokens, bracketed


def _closes_last(tokens: tuple[Token, ...]) -> bool:
    opener, level = tokens[0].text, 0
    for place, token in enumerate(tokens):
        level += (token.text == opener) - (token.text == _BRACKETS[opener])
        if level == 0:
            return place == len(tokens) - 1
    return False


def split_transpose(tokens: tuple[Token, ...]) -> tuple[tuple[Token, ...], bool]:
    r"""Take a trailing transpose sign off superscript tokens: ``(l)T``, ``T``, ``\top``."""
    trimmed = tuple(t for t in tokens if t.kind not in "{}" and t.text not in _IGNORED)
    if trimmed and trimmed[-1].text in ("T", r"\top", r"\intercal"):
        rest = trimmed[:-1]
        if not rest or rest[-1].text in (")", "]", r"\rangle", ">") or len(trimmed) <= 4:
            if rest and rest[-1].kind == "operator":
                return tokens, False
            return rest, True
    return tokens, False


def split_power(tokens: tuple[Token, ...]) -> tuple[tuple[Token, ...], tuple[Token, ...]]:
    r"""Take a number off that stands behind brackets: the square in ``a^{[1](i)2}``."""
    trimmed = tuple(t for t in tokens if t.kind not in "{}" and t.text not in _IGNORED)
    behind = len(trimmed) > 2 and trimmed[-2].text in _BRACKETS.values()
    if behind and trimmed[-1].kind == "number":
        return trimmed[:-1], trimmed[-1:]
    return tokens, ()


def atoms(tokens: tuple[Token, ...]) -> tuple[Atom, ...]:
    """Return the index atoms of a script."""
    inner, bracketed = unwrapped(_last_layer(tokens))
    parts = split_at(inner, ",")
    if len(parts) > 1:
        return tuple(a for part in parts for a in _one(part, bracketed))
    groups = _groups(inner)
    if len(groups) > 1:
        found = [a for group in groups for a in _one(group, True)]
        return tuple(Atom(a.text, a.at, True, True) for a in found)
    return _several(inner, bracketed)


def _last_layer(tokens: tuple[Token, ...]) -> tuple[Token, ...]:
    r"""Write L for ``n_l``, the number of layers."""
    texts = [token.text for token in tokens]
    for place in range(len(texts) - 2):
        if texts[place : place + 2] == ["n", "_"] and texts[place + 2] in ("l", r"\ell"):
            last = Token("name", "L", tokens[place].span)
            return (*tokens[:place], last, *tokens[place + 3 :])
    return tokens


def _groups(tokens: tuple[Token, ...]) -> list[tuple[Token, ...]]:
    """Return the brackets of a script that is nothing but brackets, ``[2](i)``; else nothing."""
    found: list[tuple[Token, ...]] = []
    start, level = 0, 0
    for place, token in enumerate(tokens):
        if level == 0 and token.text not in ("[", "(", r"\{", r"\langle"):
            return []
        level += (token.text in OPEN) - (token.text in OPEN.values())
        if level == 0:
            found.append(tokens[start : place + 1])
            start = place + 1
    return found


def split_at(tokens: tuple[Token, ...], mark: str) -> list[tuple[Token, ...]]:
    """Return the pieces between marks that stand in no bracket."""
    parts: list[list[Token]] = [[]]
    level = 0
    for token in tokens:
        level += (token.text in OPEN) - (token.text in OPEN.values())
        if token.text == mark and level == 0:
            parts.append([])
        else:
            parts[-1].append(token)
    return [tuple(part) for part in parts if part]


def _one(tokens: tuple[Token, ...], bracketed: bool) -> tuple[Atom, ...]:
    inner, more = unwrapped(tokens)
    at = index_expression(inner)
    if at is not None:
        return (Atom(plain_text(inner), at, bracketed or more),)
    return _several(inner, bracketed or more)


def _several(tokens: tuple[Token, ...], bracketed: bool) -> tuple[Atom, ...]:
    if any(t.kind == "operator" for t in tokens):
        at = index_expression(tokens)
        return (Atom(plain_text(tokens), at, bracketed),)
    found: list[Atom] = []
    tokens = _accented(tokens)
    for token in tokens:
        if token.kind in "{}" or token.text in _IGNORED or token.text in (r"\cdot", "~"):
            continue
        if token.kind in ("'", "^") or token.text == r"\prime":
            if found:
                last = found.pop()
                found.append(_lettered(last.text + "'", bracketed))
            continue
        if token.text in _BRACKETS or token.text in _BRACKETS.values():
            continue
        if token.text == ":":
            found.append(Atom(":", None, bracketed))  # a whole axis
        elif token.kind == "number" and token.text.isdigit():
            found.append(Atom(token.text, At((), int(token.text[:9])), bracketed))
        else:
            found.append(_lettered(token.text.lstrip("\\"), bracketed))
    return tuple(found)


def _accented(tokens: tuple[Token, ...]) -> tuple[Token, ...]:
    r"""Join an accent with the letter under it: ``\tilde c`` is the name ctilde."""
    kept = [t for t in tokens if t.kind not in "{}"]
    found: list[Token] = []
    for token in kept:
        if found and found[-1].text in ACCENTED and token.kind in ("name", "command"):
            accent = found.pop()
            name = token.text.lstrip("\\") + ACCENTED[accent.text]
            found.append(Token("name", name, (accent.span[0], token.span[1])))
        else:
            found.append(token)
    return tuple(found)


def _lettered(text: str, bracketed: bool) -> Atom:
    return Atom(text, At(((text, 1),)), bracketed)


def index_expression(tokens: tuple[Token, ...]) -> At | None:
    """Return an affine index expression such as ``t-1``, ``2i`` or ``k'``, or ``None``."""
    tokens = tuple(t for t in tokens if t.kind not in "{}" and t.text not in _IGNORED)
    letters: dict[str, int] = {}
    constant, sign, factor, place = 0, 1, 1, 0
    seen = False
    while place < len(tokens):
        token = tokens[place]
        place += 1
        if token.text in ("+", "-") and token.kind == "operator":
            sign, factor, seen = (1 if token.text == "+" else -1), 1, False
        elif token.kind == "number" and token.text.isdigit():
            following = tokens[place] if place < len(tokens) else None
            if following is not None and (following.kind == "name" or following.text == "*"):
                factor = int(token.text[:9])
                place += following.text == "*"
                continue
            if seen:
                return None
            constant += sign * factor * int(token.text[:9])
            seen = True
        elif token.kind == "name" or (token.kind == "command" and token.text[1:].isalpha()):
            if seen:
                return None
            name = token.text.lstrip("\\")
            while place < len(tokens) and tokens[place].text in ("'", r"\prime", "^"):
                name += "'" if tokens[place].text != "^" else ""
                place += 1
            letters[name] = letters.get(name, 0) + sign * factor
            seen = True
        elif token.text not in ("(", ")"):
            return None
    if not letters and not seen and not tokens:
        return None
    kept = tuple((name, c) for name, c in letters.items() if c)
    return At(kept, constant)
