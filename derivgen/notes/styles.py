r"""A notation style of one's own: a surface table with settings, in one file.

    set loss = J                          # a field of `Style`
    set hadamard = odot
    start nielsen                         # the style to start from, textbook if none is named
    \hat{y}_i^{(<k>)} -> yhat[k]          # an element; <k> is an index slot
    \delta_{<j>}      -> d(C, z2[j])      # a derivative of the loss
    layout rows

The lines after the settings are the table that formulas are read with, so a note written in this
notation can be proof-read with the same file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace

from derivgen.errors import NameProblem, Position, SyntaxProblem
from derivgen.forms.math import Sym
from derivgen.forms.style import STYLES, Style
from derivgen.forms.surface_math import read_surface
from derivgen.formulas.surface import Row, SurfaceTable, parse_table

_FIELDS = {field.name: field.type for field in fields(Style)}
SETTINGS = tuple(n for n, kind in _FIELDS.items() if kind in ("str", "bool") and n != "name")


@dataclass(frozen=True)
class OwnStyle:
    """A style with the symbols of a user's table."""

    style: Style
    table: SurfaceTable | None = None


def read_style(text: str, file: str = "<style>") -> OwnStyle:
    """Return the style written in ``text``.

    Raises: SyntaxProblem, with its place, for a line that is neither a setting nor a row;
    NameProblem, for an unknown setting or style to start from.
    """
    style = STYLES["textbook"]
    rest: list[str] = []
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split("#")[0].split()
        if words[:1] == ["start"]:
            style = replace(_started(words, Position(file, number, 1)), names=style.names)
        elif words[:1] == ["set"]:
            style = _set(style, line.split("#")[0], Position(file, number, 1))
        rest.append("" if words[:1] in (["start"], ["set"]) else line)
    table = parse_table("\n".join(rest), file)
    for row in table.rows:
        read_surface(row.surface, {slot: Sym(slot) for slot in row.slots})
    return OwnStyle(replace(style, name=file), table)


def _started(words: list[str], position: Position) -> Style:
    name = words[1] if len(words) == 2 else ""
    if name not in STYLES:
        known = ", ".join(STYLES)
        raise NameProblem(
            " ".join(words), f"There is no style {name}.", f"Known: {known}.", position
        )
    return STYLES[name]


def _set(style: Style, line: str, position: Position) -> Style:
    name, equals, value = line.strip().removeprefix("set").partition("=")
    name, value = name.strip(), value.strip()
    if not equals:
        raise SyntaxProblem(
            line.strip(), "A setting is KEY = VALUE.", "Write set loss = J.", position
        )
    if name not in SETTINGS:
        known = ", ".join(SETTINGS)
        raise NameProblem(
            line.strip(), f"There is no setting {name}.", f"Known: {known}.", position
        )
    if _FIELDS[name] == "bool":
        if value not in ("yes", "no"):
            raise SyntaxProblem(line.strip(), f"{value} is not yes or no.", "", position)
        return replace(style, **{name: value == "yes"})  # type: ignore[arg-type]
    return replace(style, **{name: "" if value == "none" else value})  # type: ignore[arg-type]


def surfaces(table: SurfaceTable, adjoints: Mapping[str, str]) -> dict[str, dict[int, Row]]:
    """Return the rows by the tensor or adjoint they print and by their number of indices.

    ``adjoints`` gives the adjoint of each quantity. Slices and scaled readings only serve reading.
    """
    found: dict[str, dict[int, Row]] = {}
    for row in table.rows:
        reading = row.reading
        indices = reading.indices
        name = adjoints.get(reading.tensor, "") if reading.of else reading.tensor
        plain = indices is None or (":" not in indices and set(row.slots) == set(indices))
        if name and plain and not reading.scale:
            found.setdefault(name, {}).setdefault(-1 if indices is None else len(indices), row)
    return found
