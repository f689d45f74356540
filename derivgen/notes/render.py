"""The one entrance to the notes: a derivation in, a document in the wanted format out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from derivgen.calculus.derivation import Derivation
from derivgen.errors import NameProblem
from derivgen.forms.style import STYLES, Style
from derivgen.notes.build import build
from derivgen.notes.document import Document
from derivgen.notes.to_html import to_html
from derivgen.notes.to_latex import to_latex
from derivgen.notes.to_markdown import FLAVOURS, to_markdown
from derivgen.notes.to_text import to_text
from derivgen.notes.view import make_view
from derivgen.notes.words import LANGUAGES
from derivgen.notes.worked import make_example

DETAILS = ("result", "steps", "full")


def render(
    derivation: Derivation,
    to: str = "latex",
    style: str | Style = "textbook",
    lang: str = "en",
    detail: str = "steps",
    wrt: Sequence[str] | None = None,
    values: Any = None,
    fragment: bool = False,
    flavour: str = "github",
) -> str:
    """Return the notes of a derivation.

    ``to``: latex, markdown, html or text. ``style``: a name in `STYLES` or a style of one's own.
    ``wrt``: only the steps that lead to these tensors.
    Raises: NameProblem, for an unknown format, style, language, detail, flavour or tensor.
    """
    document = document_of(derivation, style, lang, detail, wrt, values)
    _known("format", to, PRINTERS)
    _known("flavour", flavour, FLAVOURS)
    return PRINTERS[to](document, fragment, flavour)


def document_of(
    derivation: Derivation,
    style: str | Style = "textbook",
    lang: str = "en",
    detail: str = "steps",
    wrt: Sequence[str] | None = None,
    values: Any = None,
) -> Document:
    """Return the notes as a document, before any format."""
    _known("language", lang, LANGUAGES)
    _known("detail", detail, DETAILS)
    if isinstance(style, str):
        _known("style", style, STYLES)
        style = STYLES[style]
    for name in wrt or ():
        _known("tensor", name, {step.quantity for step in derivation.steps})
    example = make_example(derivation, values)
    return build(make_view(derivation, style, lang, detail), tuple(wrt) if wrt else None, example)


def _known(kind: str, name: str, known: Any) -> None:
    if name not in known:
        raise NameProblem(
            name, f"There is no {kind} of that name.", f"Known: {', '.join(sorted(known))}."
        )


PRINTERS: dict[str, Callable[[Document, bool, str], str]] = {
    "latex": lambda document, fragment, flavour: to_latex(document, fragment),
    "markdown": lambda document, fragment, flavour: to_markdown(document, flavour),
    "html": lambda document, fragment, flavour: to_html(document),
    "text": lambda document, fragment, flavour: to_text(document),
}
