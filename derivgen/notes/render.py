"""The one entrance to the notes: a derivation in, a document in the wanted format out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from derivgen.algebra.pause import no_collection
from derivgen.calculus.derivation import Derivation
from derivgen.errors import NameProblem
from derivgen.forms.style import STYLES, Style
from derivgen.notes.backward import layers_known
from derivgen.notes.build import Choice, build
from derivgen.notes.code import code_by_tensor
from derivgen.notes.document import Document, numbers
from derivgen.notes.styles import OwnStyle
from derivgen.notes.to_html import fragment_html, to_html
from derivgen.notes.to_latex import to_latex
from derivgen.notes.to_markdown import FLAVOURS, to_markdown
from derivgen.notes.to_text import to_text
from derivgen.notes.to_typst import to_typst
from derivgen.notes.view import PREFIX, View, make_view
from derivgen.notes.words import LANGUAGES
from derivgen.notes.worked import make_example

DETAILS = ("result", "steps", "full")


def render(
    derivation: Derivation,
    to: str = "latex",
    style: str | Style | OwnStyle = "textbook",
    lang: str = "en",
    detail: str = "steps",
    wrt: Sequence[str] | None = None,
    values: Any = None,
    fragment: bool = False,
    flavour: str = "github",
    layer: int | None = None,
    expand: int = 0,
    code: str = "",
) -> str:
    """Return the notes of a derivation.

    ``to``: one of `PRINTERS`. ``style``: a name in `STYLES`, a `Style`, or what `read_style` made
    of a file. ``values``: JSON, `Values` or a seed for the worked example. ``wrt``, ``layer``: only
    the steps that lead to these tensors, or of one library layer. ``expand``: how often the loss is
    written out.
    ``code``: an emitted program, whose lines are set beside the formulas.
    Raises: NameProblem, for an unknown format, style, language, detail, flavour or tensor.
    """
    _known("format", to, PRINTERS)
    _known("flavour", flavour, FLAVOURS)
    with no_collection():
        document = document_of(derivation, style, lang, detail, wrt, values, layer, expand, code)
        return PRINTERS[to](document, fragment, flavour)


def document_of(
    derivation: Derivation,
    style: str | Style | OwnStyle = "textbook",
    lang: str = "en",
    detail: str = "steps",
    wrt: Sequence[str] | None = None,
    values: Any = None,
    layer: int | None = None,
    expand: int = 0,
    code: str = "",
) -> Document:
    """Return the notes as a document, before any format; options as in `render`."""
    _known("language", lang, LANGUAGES)
    _known("detail", detail, DETAILS)
    if isinstance(style, str):
        _known("style", style, STYLES)
        style = STYLES[style]
    own = style if isinstance(style, OwnStyle) else OwnStyle(style, None)
    for name in wrt or ():
        _known("tensor", name, {step.quantity for step in derivation.steps})
    view = make_view(derivation, own.style, lang, detail, table=own.table)
    if layer is not None:
        _known_layer(view, layer)
    lines = code_by_tensor(code) if code else {}
    choice = Choice(tuple(wrt) if wrt else None, layer, expand, lines)
    return build(view, choice, make_example(derivation, values))


def equation_numbers(derivation: Derivation) -> dict[str, int]:
    """Return the number of the equation that gives each tensor and adjoint, as in the notes."""
    found: dict[str, int] = {}
    for label, number in numbers(document_of(derivation)).items():
        kind, _, name = label.partition(":")
        if kind in ("f", "b") and name in derivation.tensors:
            found[name if kind == "f" else f"{PREFIX}{name}"] = number
    return found


def _known_layer(view: View, layer: int) -> None:
    known = layers_known(view)
    if layer not in known:
        numbers_told = f"Known: {', '.join(map(str, known))}." if known else ""
        advice = "Layers are numbered where the text calls a layer; --wrt W keeps the steps to W."
        raise NameProblem(f"layer {layer}", "There is no such layer.", numbers_told or advice)


def _known(kind: str, name: str, known: Any) -> None:
    if name not in known:
        raise NameProblem(
            name, f"There is no {kind} of that name.", f"Known: {', '.join(sorted(known))}."
        )


PRINTERS: dict[str, Callable[[Document, bool, str], str]] = {
    "latex": lambda document, fragment, flavour: to_latex(document, fragment),
    "markdown": lambda document, fragment, flavour: to_markdown(document, flavour),
    "html": lambda document, fragment, flavour: (
        fragment_html(document) if fragment else to_html(document)
    ),
    "typst": lambda document, fragment, flavour: to_typst(document),
    "text": lambda document, fragment, flavour: to_text(document),
}
