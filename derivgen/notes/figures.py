"""A drawing as a figure of a document: printed once in every medium."""

from __future__ import annotations

from derivgen.notes.document import Figure, Prose
from derivgen.notes.drawing import Drawing, mermaid, svg, text, tikz
from derivgen.notes.drawing_typst import drawing_typst


def figure(drawing: Drawing, caption: Prose) -> Figure:
    """Return the drawing in every medium."""
    return Figure(
        tikz(drawing),
        svg(drawing),
        mermaid(drawing),
        text(drawing),
        drawing_typst(drawing),
        caption,
    )
