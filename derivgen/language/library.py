"""The standard library, read once from `library.dg`, and its rows as people see them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from importlib.resources import files

from derivgen.algebra.network import Function, InitialiserRule, Optimiser
from derivgen.language.declare import declare_sizes
from derivgen.language.definitions import declare_macros
from derivgen.language.draft import Draft
from derivgen.language.lines import (
    DefineLine,
    InitialiserLine,
    LayerLine,
    Line,
    LossRowLine,
    OptimiserLine,
)
from derivgen.language.rows import LayerRow
from derivgen.language.scope import ELEMENTARY
from derivgen.language.source import Source, make_source
from derivgen.language.statements import read_statements


@dataclass(frozen=True)
class Row:
    """A row of the library: its whole text, how it is called, and where it comes from."""

    kind: str
    name: str
    signature: str
    text: str
    source: str

    @property
    def summary(self) -> str:
        """Return the row in one line: how it is called and its source."""
        return f"{self.signature:<42} {self.source}".rstrip()


@dataclass(frozen=True)
class Library:
    """Rows of each kind by name; ``macros`` are layers and losses."""

    functions: Mapping[str, Function] = field(default_factory=dict)
    optimisers: Mapping[str, Optimiser] = field(default_factory=dict)
    initialisers: Mapping[str, InitialiserRule] = field(default_factory=dict)
    macros: Mapping[str, object] = field(default_factory=dict)
    rows: tuple[Row, ...] = ()


@cache
def library() -> Library:
    """Return the standard library."""
    text = files("derivgen.language").joinpath("library.dg").read_text("utf-8")
    source = make_source(text, "library.dg")
    lines = read_statements(source)
    draft = Draft()
    declare_sizes(draft, lines)
    declare_macros(draft, lines)
    rows = tuple(_row(line, source) for line in lines)
    cited = {row.name: row.source for row in rows}
    return Library(
        {n: replace(f, source=cited[n]) for n, f in draft.functions.items()},
        {n: replace(o, source=cited[n]) for n, o in draft.optimisers.items()},
        {n: replace(i, source=cited[n]) for n, i in draft.initialisers.items()},
        draft.macros,
        rows,
    )


def new_draft() -> Draft:
    """Return an empty network that knows the library."""
    rows = library()
    return Draft(
        functions=dict(rows.functions),
        optimisers=dict(rows.optimisers),
        initialisers=dict(rows.initialisers),
        macros=dict(rows.macros),
        layers={n: row for n, row in rows.macros.items() if isinstance(row, LayerRow)},
    )


def library_rows() -> tuple[Row, ...]:
    """Return every row of the library, in the order of the file."""
    return library().rows


KINDS = ("activations", "layers", "losses", "initialisers", "optimisers")
BUILT_IN = "built in"  # functions that no row defines, tanh and sin among them


def catalogue() -> dict[str, tuple[Row, ...]]:
    """Return the rows by kind."""
    rows = library_rows()
    found = {kind: tuple(row for row in rows if row.kind == kind) for kind in KINDS}
    return {**found, BUILT_IN: tuple(_built_in(*item) for item in ELEMENTARY.items())}


def _built_in(name: str, arity: int) -> Row:
    signature = f"{name}({', '.join('ab'[:arity])})" if arity == 2 else f"{name}(z)"
    text = f"# {signature} is a function of the language itself: derivgen show language"
    return Row(BUILT_IN, name, signature, text, "built in")


def reference() -> str:
    """Return the reference of the language, in Markdown."""
    return files("derivgen.language").joinpath("reference.md").read_text("utf-8")


def _row(line: Line, source: Source) -> Row:
    match line:
        case DefineLine(head=head):
            kind = "activations"
        case LayerLine(head=head):
            kind = "layers"
        case LossRowLine(head=head):
            kind = "losses"
        case InitialiserLine(head=head):
            kind = "initialisers"
        case OptimiserLine(head=head):
            kind = "optimisers"
        case _:
            raise AssertionError(f"the library holds rows only: {line.span.text}")
    text = _whole_text(line, source)
    comments = [part.split("#", 1)[1].strip(" ;") for part in text.splitlines() if "#" in part]
    signature = _signature(text)
    return Row(kind, head.name, signature, text, "; ".join(comments))


def _whole_text(line: Line, source: Source) -> str:
    """Return a row with the comments beside it."""
    end = line.span.end
    if isinstance(line, (LayerLine, OptimiserLine)):
        end = max(part.span.end for part in line.body)
    newline = source.text.find("\n", end)
    return source.text[line.span.start : newline if newline >= 0 else len(source.text)]


def _signature(text: str) -> str:
    """Return what stands after the keyword, up to the matching parenthesis."""
    rest = text.split(None, 1)[1]
    depth = 0
    for place, character in enumerate(rest):
        depth += (character in "([") - (character in ")]")
        if depth == 0 and (character == ")" or character in ":= "):
            return rest[: place + (character == ")")].strip()
    return rest
