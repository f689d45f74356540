"""Notes: a derivation as an article, in several formats, styles and languages."""

from derivgen.notes.render import document_of, equation_numbers, render

__all__ = ["document_of", "equation_numbers", "render"]
