"""The language: text and Python to a `Network`, and the library written in it."""

from __future__ import annotations

from derivgen.algebra.network import Network
from derivgen.language.elaborate import elaborate
from derivgen.language.library import Library, library, new_draft
from derivgen.language.source import make_source
from derivgen.language.statements import read_statements

__all__ = ["Library", "library", "parse"]


def parse(text: str, file: str = "<text>") -> Network:
    """Return the network a text declares.

    Raises: a `DerivgenError` with the place of the first thing that is wrong.
    """
    source = make_source(text, file)
    return elaborate(read_statements(source), new_draft(), text)
