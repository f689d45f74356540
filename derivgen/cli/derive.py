"""``derivgen derive``: a network's derivation as text, LaTeX or Markdown."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from derivgen.cli import options
from derivgen.cli.console import place_for, say, show, working, write_files
from derivgen.cli.source import UsageProblem, read_source


class Format(StrEnum):
    """How a derivation is written."""

    TEXT = "text"
    LATEX = "latex"
    MARKDOWN = "markdown"


SUFFIX = {Format.TEXT: ".txt", Format.LATEX: ".tex", Format.MARKDOWN: ".md"}


def derive_command(
    net: options.Net = None,
    to: Annotated[Format, typer.Option(help="The form of the notes.")] = Format.TEXT,
    wrt: options.Wrt = None,
    then: Annotated[
        str | None, typer.Option(help="Differentiate the gradient by --wrt once more, by this.")
    ] = None,
    style: Annotated[
        str, typer.Option(help="The notation: textbook, nielsen, ng, goodfellow, cs231n, ...")
    ] = "textbook",
    lang: Annotated[str, typer.Option(help="The language of the prose: en or zh.")] = "en",
    detail: Annotated[str, typer.Option(help="How much: result, steps or full.")] = "steps",
    flavour: Annotated[
        str, typer.Option("--flavour", "--flavor", help="Of Markdown: github, jekyll, ...")
    ] = "github",
    fragment: Annotated[
        bool, typer.Option("--fragment", help="LaTeX without its preamble.")
    ] = False,
    equations: options.Equations = None,
    out: options.Out = None,
    force: options.Force = False,
) -> None:
    """Derive every gradient and show how: the chain rule, local derivatives, product, result."""
    source = read_source(net, equations)
    by = options.names(wrt)
    if then is not None and by is None:
        raise UsageProblem("--then", "It needs --wrt.", "Write --wrt W --then V.")
    with working("deriving"):
        derived = source.net.derive(by, then)
        text = derived.to(
            to.value, style=style, lang=lang, detail=detail, flavour=flavour, fragment=fragment
        )
    for warning in derived.derivation.warnings:
        say(f"warning: {warning}")
    if out is None:
        show(text)
        return
    write_files({place_for(out, f"derivation{SUFFIX[to]}"): text}, force)
