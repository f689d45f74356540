"""Notes: a derivation as an article, in several formats, styles and languages."""

from derivgen.notes.render import document_of, equation_numbers, render
from derivgen.notes.styles import read_style

__all__ = ["document_of", "equation_numbers", "read_style", "render"]
