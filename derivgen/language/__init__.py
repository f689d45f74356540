"""The language: text and Python to a `Network`, and the library written in it."""

from __future__ import annotations

from derivgen.algebra.network import Network
from derivgen.algebra.pause import no_collection
from derivgen.language.elaborate import elaborate
from derivgen.language.include import with_included
from derivgen.language.library import (
    Library,
    Row,
    catalogue,
    library,
    library_rows,
    new_draft,
    reference,
)
from derivgen.language.loose import loose_statements
from derivgen.language.source import make_source
from derivgen.language.statements import read_statements

__all__ = [
    "Library",
    "Row",
    "catalogue",
    "library",
    "library_rows",
    "parse",
    "parse_equations",
    "reference",
]


def parse(text: str, file: str = "<text>") -> Network:
    """Return the network a text declares.

    Raises: a `DerivgenError` with the place of the first thing that is wrong.
    """
    source = make_source(text, file)
    with no_collection():
        return elaborate(with_included(read_statements(source)), new_draft(), source)


def parse_equations(text: str, file: str = "<equations>") -> Network:
    """Return the network of equations between numbers, ``J = 3*(a + b*c)``.

    Names that no equation defines are parameters, ``a = 5`` gives one its value; the last
    equation is the loss unless one says ``loss``.
    """
    source = make_source(text, file)
    with no_collection():
        return elaborate(loose_statements(read_statements(source)), new_draft(), source)
