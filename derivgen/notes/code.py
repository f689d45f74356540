"""The emitted lines that compute each tensor, found by the equations written above them."""

from __future__ import annotations

import re

_EQUATION = re.compile(
    r"\s*(?:#|//)\s*(?:\(\d+\)\s*)?([A-Za-z_]\w*'*)(?:\[[^=]*\])?\s*[+*]?=[^=].*"
)
_HEAD = re.compile(r"(?:#|//).*|\s*")
_END = re.compile(r"\s*(?:return\b.*|[{}]?)\s*")


def code_by_tensor(source: str) -> dict[str, str]:
    """Return the lines of an emitted program under each equation's comment, by tensor.

    A tensor's further statements follow on; the comments stay, so the lines explain themselves.
    """
    found: dict[str, list[str]] = {}
    current: list[str] | None = None
    for line in _below_head(source.splitlines()):
        match = _EQUATION.fullmatch(line)
        if match:
            current = found.setdefault(match[1], [])
            current.append(line)
        elif current is not None and (_END.fullmatch(line) or _leaves(line, current[0])):
            current = None
        elif current is not None:
            current.append(line)
    return {name: _dedented(lines) for name, lines in found.items()}


def _below_head(lines: list[str]) -> list[str]:
    """Return the lines after the comment at the head of a program, which tells its network."""
    start = next((n for n, line in enumerate(lines) if not _HEAD.fullmatch(line)), len(lines))
    return lines[start:]


def _leaves(line: str, first: str) -> bool:
    """Tell whether a line stands further left than the comment: the block has ended."""
    return _indent(line) < _indent(first)


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _dedented(lines: list[str]) -> str:
    margin = min(_indent(line) for line in lines)
    return "\n".join(line[margin:] for line in lines)
