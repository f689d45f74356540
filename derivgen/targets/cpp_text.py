"""Lines of C++: indentation and comments that keep within a line's width."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable

WIDTH = 100

Printed = tuple[str, ...]


def indented(lines: Iterable[str], depth: int = 1) -> list[str]:
    """Return lines moved to the right by two blanks for each level; blank lines stay empty."""
    pad = "  " * depth
    return [pad + line if line and not line.startswith("#") else line for line in lines]


def wrapped(line: str, width: int = WIDTH) -> list[str]:
    """Return a line of code, broken behind operators or commas where it is too long."""
    if len(line) <= width:
        return [line]
    lines: list[str] = []
    call = _CALL.match(line)
    pad = " " * (call.end() if call else len(line) - len(line.lstrip()) + 4)
    while len(line) > width and not line.lstrip().startswith("//"):
        found = _break(line, len(pad) + 1, width)
        if found is None:
            break
        lines.append(line[:found].rstrip())
        line = pad + line[found:].lstrip()
    return [*lines, line]


_CALL = re.compile(r" *[a-z_]+(<real>)?\(")  # arguments of a call stand below each other


def _break(line: str, start: int, width: int) -> int | None:
    """Return where to break: after an assignment, if the rest fits then, else where it cuts least.

    That is between the fewest brackets, before the loosest operator, as far right as may be.
    """
    for sign in (" = ", " += "):
        place = line.find(sign, start)
        if 0 < place < width and len(line) - place + start <= width:
            return place + len(sign)
    best: tuple[int, int, int] | None = None
    depth = 0
    for mark in _MARKS.finditer(line):
        place = mark.start()
        if place >= width:
            break
        depth += (line[place] in "([{") - (line[place] in ")]}")
        strength = _STRENGTH.get(line[place : place + 3] if line[place] == " " else line[place])
        if place <= start or strength is None:
            continue
        if best is None or (depth, strength) <= best[:2]:
            best = (depth, strength, place + 1)
    return None if best is None else best[2]


# How tightly the marks bind before which, or for a comma behind which, a line may be broken.
_MARKS = re.compile(r"[()\[\]{},]| (?=[?:+*/-] )")
_STRENGTH = {",": 0, " ? ": 0, " : ": 0, " + ": 1, " - ": 1, " * ": 2, " / ": 2}


def wrapped_all(lines: Iterable[str]) -> Printed:
    """Return lines of a function or table, broken where they are too long there."""
    return tuple(part for line in lines for part in wrapped(line, WIDTH - 6))


def braced(parts: Iterable[str]) -> str:
    """Return a list in braces."""
    return "{" + ", ".join(parts) + "}"


def quoted(text: str) -> str:
    """Return a C++ literal for a text."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def comment(text: str, width: int = WIDTH - 12) -> list[str]:
    """Return ``text`` as comment lines; a line never ends in a backslash, which C++ would join."""
    if len(text) <= width and "\\" not in text:
        return [f"// {text}"]
    wrapped = textwrap.wrap(text.replace("\\", "/"), width, subsequent_indent="    ")
    return [f"// {line}" for line in wrapped] or ["//"]
