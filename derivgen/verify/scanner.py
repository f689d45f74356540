r"""A note to formulas: what stands between ``$$``, ``\[ \]``, ``\( \)``, ``$`` and in environments.

Code, front matter and comments are blanked, so that offsets stay those of the file. Private macros
are collected, tags and labels taken out, pictures counted. Invariant: every delimiter is either
part of a block or reported as open; nothing is skipped in silence.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass, field

from derivgen.formulas.tokens import Macro

ENVIRONMENTS = (
    "equation|align|aligned|gather|eqnarray|multline|alignat|flalign|displaymath|math|split"
)
_OPENING = re.compile(
    r"(?<!\\)\$\$|\\{1,2}\[|\\{1,2}\(|(?<![\\$])\$(?!\$)|\\begin\{((?:" + ENVIRONMENTS + r")\*?)\}"
)
_TAG = re.compile(r"\\(?:tag\*?|eqno|leqno)\s*(?:\{([^{}]*)\}|\(([^()]*)\)|(\d+))")
_LABEL = re.compile(r"\\label\s*\{([^{}]*)\}")
_PICTURE = re.compile(
    r"!\[[^\]\n]{0,500}\]\([^)\n]{0,2000}\)|<img\b[^>]{0,2000}>|\\includegraphics(?:\[[^\]]*\])?\{[^}]*\}",
    re.I,
)
_HIDDEN = (("<!--", "-->"), (r"\begin{verbatim}", r"\end{verbatim}"))
_FENCE = re.compile(r"[ \t]{0,3}(`{3,}|~{3,})")
_INLINE_CODE = re.compile(r"(?<!`)`(?!`)[^`\n]{1,400}`(?!`)")
_MATH_CODE = re.compile(r"\$`([^`\n]{1,400})`\$")  # as GitHub has it
_FRONT = re.compile(r"\s*---[ \t]*\n")
_MACRO = re.compile(
    r"\\(?:re)?(?:newcommand|providecommand)\*?\s*\{?\s*(\\[A-Za-z]+)\s*\}?\s*(?:\[(\d)\])?\s*(?:\[[^\]]*\])?\s*(?=\{)"
)
_DEF = re.compile(r"\\def\s*(\\[A-Za-z]+)((?:#\d)*)\s*(?=\{)")
_OPERATOR = re.compile(r"\\DeclareMathOperator\*?\s*\{?\s*(\\[A-Za-z]+)\s*\}?\s*(?=\{)")
_RANGE = re.compile(
    r"(?<![A-Za-z\\{_^])([A-Za-z])\s*=\s*(\d+)\s*,\s*(?:\d+\s*,\s*)*(?:\\[cl]?dots[bc]?|\.\.\.|…|⋯)\s*,?\s*"
    r"([A-Za-z](?:\s*-\s*1)?)(?![A-Za-z])"
)


@dataclass(frozen=True)
class Block:
    """One stretch of mathematics: ``text`` begins at ``offset`` of the file.

    ``tags`` are (offset in the block, tag); ``ranges`` what ``k=1,2,...,l`` declares.
    """

    text: str
    offset: int
    display: bool
    tags: tuple[tuple[int, str], ...] = ()
    ranges: tuple[tuple[str, int, str], ...] = ()


@dataclass(frozen=True)
class Scan:
    """What a note holds: its blocks in order, macros, pictures, delimiters left open."""

    blocks: tuple[Block, ...]
    macros: dict[str, Macro] = field(default_factory=dict)
    pictures: int = 0
    open_at: tuple[int, ...] = ()


def line_starts(text: str) -> list[int]:
    """Return the offsets at which lines begin."""
    return [0, *(place + 1 for place, char in enumerate(text) if char == "\n")]


def place_of(offset: int, starts: list[int]) -> tuple[int, int]:
    """Return line and column, both from 1, of an offset."""
    line = bisect_right(starts, offset)
    return line, offset - starts[line - 1] + 1


def scan(text: str) -> Scan:
    """Return the mathematics of a Markdown or LaTeX note."""
    text = _MATH_CODE.sub(r"$ \1 $", text)
    visible = _INLINE_CODE.sub(_blank, _without_code(_without_front(text)))
    for opening, closing in _HIDDEN:
        visible = _blanked(visible, opening, closing)
    pictures = len(_PICTURE.findall(visible))
    visible = _PICTURE.sub(_blank, visible)
    if r"\begin{document}" in visible:
        visible = re.sub(r"(?<!\\)%[^\n]*", _blank, visible)
    visible, macros = _take_macros(visible)
    blocks, left_open = _blocks(visible)
    return Scan(tuple(blocks), macros, pictures, tuple(left_open[:20]))


def protected(text: str) -> list[tuple[int, int]]:
    """Return the stretches of front matter, fenced code and comments: nothing may break them."""
    opened = _FRONT.match(text)
    end = text.find("\n---", opened.end() - 1) if opened else -1
    found = [(0, end + 4)] if end >= 0 else []
    offset = start = 0
    fence = ""
    for line in text.split("\n"):
        mark = _FENCE.match(line)
        if not fence and mark:
            fence, start = mark[1], offset
        elif fence and mark and mark[1].startswith(fence):
            found.append((start, offset + len(line)))
            fence = ""
        offset += len(line) + 1
    for opening, closing in _HIDDEN:
        at = 0
        while (start := text.find(opening, at)) >= 0 and (at := text.find(closing, start)) >= 0:
            found.append((start, at))
    return found


def _blocks(text: str) -> tuple[list[Block], list[int]]:
    blocks: list[Block] = []
    left_open: list[int] = []
    missing: set[str] = set()  # closers known not to occur any more
    at = 0
    while found := _OPENING.search(text, at):
        opening = found[0]
        closing = _closing(opening, found[1])
        end = -1 if closing in missing else _find_end(text, found.end(), closing)
        if end < 0:
            if opening != "$":
                left_open.append(found.start())
            if "\n\n" not in closing:
                missing.add(closing)
            at = found.end()
            continue
        body = text[found.end() : end]
        if body.strip():
            blocks.append(_block(body, found.end(), opening != "$" and "(" not in opening))
        at = end + len(closing)
    return blocks, left_open


def _closing(opening: str, environment: str | None) -> str:
    if environment:
        return rf"\end{{{environment}}}"
    return opening.replace("[", "]").replace("(", ")")


def _find_end(text: str, start: int, closing: str) -> int:
    end = text.find(closing, start)
    while end > 0 and closing[0] == "$" and text[end - 1] == "\\":
        end = text.find(closing, end + 1)
    if closing == "$" and "\n\n" in text[start:end]:
        return -1
    return end


def _without_front(text: str) -> str:
    opened = _FRONT.match(text)
    end = text.find("\n---", opened.end() - 1) if opened else -1
    if opened is None or end < 0:
        return text
    return _spaces(text[: end + 4]) + text[end + 4 :]


def _without_code(text: str) -> str:
    """Blank fenced code; a fence that never closes runs to the end, as Markdown has it.

    What a fence calls ``math`` is a display.
    """
    lines = text.split("\n")
    fence = ""
    formula = False
    for number, line in enumerate(lines):
        found = _FENCE.match(line)
        if fence:
            lines[number] = line if formula else _spaces(line)
            if found and found[1].startswith(fence):
                lines[number] = _display(line) if formula else lines[number]
                fence = ""
        elif found:
            fence = found[1]
            formula = line[found.end() :].strip() == "math"
            lines[number] = _display(line) if formula else _spaces(line)
    return text if fence and not _FENCE.search(text) else "\n".join(lines)


def _display(line: str) -> str:
    return "$$".ljust(len(line))


def _blanked(text: str, opening: str, closing: str) -> str:
    pieces: list[str] = []
    at = 0
    while (start := text.find(opening, at)) >= 0:
        end = text.find(closing, start)
        if end < 0:
            break
        end += len(closing)
        pieces += [text[at:start], _spaces(text[start:end])]
        at = end
    return "".join([*pieces, text[at:]])


def has_mathematics(text: str) -> bool:
    """Tell whether a text marks mathematics, as a note does and a file of plain claims does not."""
    return bool(_blocks(text)[0]) or _PICTURE.search(text) is not None


def whole(text: str) -> Block:
    """Return a formula given by itself as a block."""
    return _block(text, 0, True)


def _blank(found: re.Match[str]) -> str:
    return _spaces(found[0])


def _spaces(text: str) -> str:
    return "".join("\n" if char == "\n" else " " for char in text)


def _block(body: str, offset: int, display: bool) -> Block:
    tags = [(m.start(), m[1] or m[2] or m[3] or "") for m in _TAG.finditer(body)]
    if not tags:
        tags = [(m.start(), m[1]) for m in _LABEL.finditer(body)]
    body = _LABEL.sub(_blank, _TAG.sub(_blank, body))
    ranges = tuple((m[1], int(m[2][:6]), "".join(m[3].split())) for m in _RANGE.finditer(body))
    body = _RANGE.sub(_range_blank, body)
    return Block(body, offset, display, tuple(tags), ranges)


def _range_blank(found: re.Match[str]) -> str:
    return "," + _spaces(found[0])[1:]


def _take_macros(text: str) -> tuple[str, dict[str, Macro]]:
    macros: dict[str, Macro] = {}
    for pattern, kind in ((_MACRO, "new"), (_DEF, "def"), (_OPERATOR, "operator")):
        for found in list(pattern.finditer(text)):
            end = _brace_end(text, found.end())
            body = text[found.end() + 1 : end - 1]
            count = (
                int(found[2] or 0)
                if kind == "new"
                else (len(found[2]) // 2 if kind == "def" else 0)
            )
            macros[found[1]] = Macro(
                count, rf"\operatorname{{{body}}}" if kind == "operator" else body
            )
            text = text[: found.start()] + _spaces(text[found.start() : end]) + text[end:]
    return text, macros


def _brace_end(text: str, start: int) -> int:
    level = 0
    for place in range(start, min(len(text), start + 5000)):
        level += (text[place] == "{") - (text[place] == "}")
        if level == 0:
            return place + 1
    return min(len(text), start + 5000)
