"""Lines of C++: indentation and comments that keep within a line's width."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable

WIDTH = 100


def indented(lines: Iterable[str], depth: int = 1) -> list[str]:
    """Return lines moved to the right by two blanks for each level; blank lines stay empty."""
    pad = "  " * depth
    return [pad + line if line and not line.startswith("#") else line for line in lines]


def comment(text: str, width: int = WIDTH - 12) -> list[str]:
    """Return ``text`` as comment lines; a line never ends in a backslash, which C++ would join."""
    wrapped = textwrap.wrap(text.replace("\\", "/"), width, subsequent_indent="    ")
    return [f"// {line}" for line in wrapped] or ["//"]
