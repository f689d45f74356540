"""Files of definitions that a text includes: ``include "rows.dg"``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from derivgen.errors import FileProblem, SyntaxProblem
from derivgen.language.lines import (
    DefineLine,
    FunctionLine,
    IncludeLine,
    InitialiserLine,
    LayerLine,
    Line,
    LossRowLine,
    OptimiserLine,
)
from derivgen.language.source import MAX_TEXT, make_source
from derivgen.language.statements import read_statements

ROWS = (
    DefineLine,
    FunctionLine,
    InitialiserLine,
    LayerLine,
    LossRowLine,
    OptimiserLine,
    IncludeLine,
)


def with_included(lines: Sequence[Line], seen: tuple[Path, ...] = ()) -> list[Line]:
    """Return the statements with those of included files in place of ``include``.

    Raises: FileProblem, if a file cannot be read or includes itself; SyntaxProblem, if it holds
    more than definitions.
    """
    made: list[Line] = []
    for line in lines:
        if isinstance(line, IncludeLine):
            made += _included(line, seen)
        else:
            made.append(line)
    return made


def _included(line: IncludeLine, seen: tuple[Path, ...]) -> list[Line]:
    position = line.span.source.position(line.span.start)
    place = line.span.source.file
    if place.startswith("<"):
        raise FileProblem(
            line.span.text,
            "A text that is no file has no place to include from.",
            "Save the network as a file beside the included one.",
            position,
        )
    path = (Path(place).parent / line.path).resolve()
    if path in seen:
        raise FileProblem(
            line.span.text, f"{line.path} includes itself.", "Remove the line.", position
        )
    inside = read_statements(make_source(_read(path, line), str(Path(place).parent / line.path)))
    for part in inside:
        if not isinstance(part, ROWS):
            raise SyntaxProblem(
                part.span.text,
                "An included file holds definitions only.",
                "Write define, function, layer, loss f(...), initialiser or optimiser.",
                part.span.source.position(part.span.start),
            )
    return with_included(inside, (*seen, path))


def _read(path: Path, line: IncludeLine) -> str:
    position = line.span.source.position(line.span.start)
    try:
        if path.stat().st_size > MAX_TEXT:
            raise FileProblem(line.span.text, f"{line.path} is too long.", "Split it.", position)
        return path.read_text(encoding="utf-8")
    except (OSError, ValueError) as problem:
        reason = getattr(problem, "strerror", None) or "it is no UTF-8 text"
        raise FileProblem(
            line.span.text,
            f"{line.path} cannot be read: {reason}.",
            "The path is relative to the network's file.",
            position,
        ) from problem
