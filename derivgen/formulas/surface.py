r"""The surface table: lines ``SURFACE -> ACCESS``, one format for printing and for reading.

    \hat{y}_i^{(<k>)} -> yhat[k]          # an element; <k> is an index slot
    \mathbf{W}^{(1)}  -> W1               # a whole tensor, or a function of that name
    h_{<t>}           -> h[t,:]           # a slice
    \delta^{(2)}_{<j>} -> d(C, z2[j])     # an adjoint
    dZ^{[1]}          -> N*d(J, Z1)       # a scaled one
    layout columns                        # how vectors stand: columns or rows

Invariant: `parse_table` of `print_table` gives an equal table.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from derivgen.errors import Position, SyntaxProblem

LAYOUTS = ("columns", "rows")
_SLOT = re.compile(r"<([A-Za-z][A-Za-z0-9_]*)>")
_NAME = r"[A-Za-z_\u0370-\u03ff][A-Za-z0-9_\u0370-\u03ff]*'*"
_ACCESS = re.compile(rf"\s*({_NAME})\s*(?:\[([^\[\]]*)\])?\s*")
_ADJOINT = re.compile(r"\s*d\(\s*([^,\[\]]+(?:\[[^\[\]]*\])?)\s*,(.*)\)\s*")
_SCALE = re.compile(r"\s*([A-Za-z0-9_./]+)\s*\*(.*)")


@dataclass(frozen=True)
class Reading:
    """What a surface stands for: ``scale * tensor[indices]`` or ``scale * d(of, tensor[indices])``.

    ``indices`` is ``None`` for a bare name; an entry is an index text such as ``k``, ``t-1`` or
    ``0``, or ``:`` for a whole axis. ``of`` is empty unless the reading is a derivative, and holds
    the differentiated quantity as written, ``C`` or ``u[a]``.
    """

    tensor: str
    indices: tuple[str, ...] | None = None
    of: str = ""
    scale: str = ""

    def __str__(self) -> str:
        access = self.tensor
        if self.indices is not None:
            access += f"[{','.join(self.indices)}]"
        if self.of:
            access = f"d({self.of}, {access})"
        return f"{self.scale}*{access}" if self.scale else access


@dataclass(frozen=True)
class Row:
    """One line of the table: LaTeX with index slots, and what it stands for."""

    surface: str
    reading: Reading

    @property
    def slots(self) -> tuple[str, ...]:
        """Return the letters of the index slots, from left to right."""
        return tuple(_SLOT.findall(self.surface))

    def __str__(self) -> str:
        return f"{self.surface} -> {self.reading}"


@dataclass(frozen=True)
class SurfaceTable:
    """A notation style: the rows in order, and whether vectors stand as columns or rows."""

    rows: tuple[Row, ...] = ()
    layout: str = "columns"

    def __add__(self, other: SurfaceTable) -> SurfaceTable:
        return SurfaceTable(self.rows + other.rows, other.layout)


def parse_table(text: str, file: str = "<symbols>") -> SurfaceTable:
    """Return the table written in ``text``.

    Raises: SyntaxProblem, for a line that is neither a row nor a layout, with its place.
    """
    rows: list[Row] = []
    layout = LAYOUTS[0]
    for number, line in enumerate(text.splitlines(), 1):
        content = _without_comment(line).strip()
        if not content:
            continue
        position = Position(file, number, 1)
        if content.split()[0] == "layout":
            layout = _layout(content, position)
        else:
            rows.append(_row(content, position))
    return SurfaceTable(tuple(rows), layout)


def print_table(table: SurfaceTable) -> str:
    """Return the text of a table, one row a line, arrows aligned."""
    width = max((len(row.surface) for row in table.rows), default=0)
    lines = [f"layout {table.layout}"]
    lines += [f"{row.surface.ljust(width)} -> {row.reading}" for row in table.rows]
    return "\n".join(lines) + "\n"


def parse_reading(text: str, position: Position | None = None) -> Reading:
    """Return the right side of a row: an access, a bare name, an adjoint, or a scaled one."""
    if found := _ADJOINT.fullmatch(text):
        inner = parse_reading(found[2], position)
        if not inner.of and not inner.scale:
            return Reading(inner.tensor, inner.indices, of=found[1].strip())
    elif found := _ACCESS.fullmatch(text):
        return Reading(found[1], _indices(found[2]))
    elif found := _SCALE.fullmatch(text):
        inner = parse_reading(found[2], position)
        if not inner.scale:
            return Reading(inner.tensor, inner.indices, inner.of, found[1])
    raise SyntaxProblem(
        text.strip(),
        "This is no reading of a surface.",
        "Write W[k,s], a bare name, h[t,:], d(E, z[j]) or N*d(E, z[j]).",
        position,
    )


def surface_parts(surface: str) -> list[tuple[str, bool]]:
    """Split a surface at its slots: ``(text, is_slot)`` in order."""
    parts: list[tuple[str, bool]] = []
    last = 0
    for found in _SLOT.finditer(surface):
        if found.start() > last:
            parts.append((surface[last : found.start()], False))
        parts.append((found[1], True))
        last = found.end()
    if last < len(surface):
        parts.append((surface[last:], False))
    return parts


def _without_comment(line: str) -> str:
    found = re.search(r"(?<!\\)#", line)
    return line[: found.start()] if found else line


def _layout(content: str, position: Position) -> str:
    words = content.split()
    if len(words) != 2 or words[1] not in LAYOUTS:
        raise SyntaxProblem(
            content, "A layout is columns or rows.", "Write layout columns.", position
        )
    return words[1]


def _row(content: str, position: Position) -> Row:
    surface, arrow, reading = content.rpartition("->")
    if not arrow or not surface.strip():
        raise SyntaxProblem(
            content, "A row is SURFACE -> ACCESS.", r"Write W_{<k><s>} -> W[k,s].", position
        )
    return Row(surface.strip(), parse_reading(reading, position))


def _indices(text: str | None) -> tuple[str, ...] | None:
    if text is None:
        return None
    return tuple("".join(part.split()) for part in text.split(",")) if text.strip() else ()
