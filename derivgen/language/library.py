"""The standard library, read once from `library.dg`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files

from derivgen.algebra.network import Function, InitialiserRule, Optimiser
from derivgen.language.declare import declare_sizes
from derivgen.language.definitions import declare_macros
from derivgen.language.draft import Draft
from derivgen.language.rows import LayerRow
from derivgen.language.source import make_source
from derivgen.language.statements import read_statements


@dataclass(frozen=True)
class Library:
    """Rows of each kind by name."""

    functions: Mapping[str, Function] = field(default_factory=dict)
    optimisers: Mapping[str, Optimiser] = field(default_factory=dict)
    initialisers: Mapping[str, InitialiserRule] = field(default_factory=dict)
    macros: Mapping[str, object] = field(default_factory=dict)


@cache
def library() -> Library:
    """Return the standard library."""
    text = files("derivgen.language").joinpath("library.dg").read_text("utf-8")
    draft = Draft()
    lines = read_statements(make_source(text, "library.dg"))
    declare_sizes(draft, lines)
    declare_macros(draft, lines)
    return Library(draft.functions, draft.optimisers, draft.initialisers, draft.macros)


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
