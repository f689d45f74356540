"""The prose of the notes, in English and Chinese, one table.

``{name}`` marks where a formula, a reference or another phrase is put. Invariant: every key has
both languages with the same marks (a test reads the table).
"""

from __future__ import annotations

import re

from derivgen.notes.document import Inline, Prose
from derivgen.notes.phrases import PHRASES

LANGUAGES = ("en", "zh")
_MARK = re.compile(r"\{(\w+)\}")


def say(lang: str, key: str, **parts: Inline | Prose) -> Prose:
    """Return the phrase ``key`` in a language with its marks filled."""
    text = PHRASES[key][LANGUAGES.index(lang)]
    pieces: list[Inline] = []
    last = 0
    for mark in _MARK.finditer(text):
        pieces.append(text[last : mark.start()])
        part = parts[mark[1]]
        pieces.extend(part if isinstance(part, tuple) else (part,))
        last = mark.end()
    pieces.append(text[last:])
    return join(tuple(pieces))


def word(lang: str, key: str) -> str:
    """Return a phrase without marks."""
    return PHRASES[key][LANGUAGES.index(lang)]


def join(prose: Prose) -> Prose:
    """Return prose with neighbouring strings made one and empty ones left out."""
    found: list[Inline] = []
    for part in prose:
        if isinstance(part, str) and found and isinstance(found[-1], str):
            found[-1] = found[-1] + part
        elif part != "":
            found.append(part)
    return tuple(found)


def parted(lang: str, items: list[Prose]) -> Prose:
    """Return items one after the other, commas between them."""
    parts: list[Inline] = []
    for item in items:
        parts += [word(lang, "comma"), *item] if parts else list(item)
    return join(tuple(parts))


def listed(lang: str, items: list[Prose]) -> Prose:
    """Return items as an enumeration: ``a, b and c``."""
    parts: list[Inline] = []
    for place, item in enumerate(items):
        if place:
            last = place == len(items) - 1
            parts.append(word(lang, "and" if last else "comma"))
        parts.extend(item)
    return join(tuple(parts))


def prose_width(text: str) -> int:
    """Return how many characters wide a text is; a Chinese one takes the room of two."""
    return sum(2 if ord(character) > 0x2E7F else 1 for character in text)
