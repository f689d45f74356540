"""``derivgen verify``: the formulas of a hand-written note, judged line by line.

Exit code 0 if nothing is wrong, 1 if something is, 4 if nothing was understood.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from derivgen import gallery
from derivgen.cli import options
from derivgen.cli.console import place_for, read_text, show, working, write_files
from derivgen.cli.source import Source, read_source
from derivgen.errors import UsageProblem

if TYPE_CHECKING:
    from derivgen.verify import Report

FORMATS = ("text", "json", "markdown")


def verify_command(
    net: options.Net = None,
    note: Annotated[
        str | None, typer.Argument(metavar="NOTE", help="A Markdown, LaTeX or text file, or -.")
    ] = None,
    formula: Annotated[str | None, typer.Option(help="One formula, in place of NOTE.")] = None,
    symbols: Annotated[
        Path | None, typer.Option(help="A surface table: lines SURFACE -> ACCESS.")
    ] = None,
    lang: options.Lang = "en",
    strict: Annotated[
        bool, typer.Option("--strict", help="What is not understood counts as a failure.")
    ] = False,
    to: Annotated[
        str, typer.Option(help="text, json, or markdown: the note with remarks.")
    ] = "text",
    as_json: options.Json = False,
    print_symbols: Annotated[
        bool, typer.Option("--print-symbols", help="Print the surface table of NET and stop.")
    ] = False,
    print_network: Annotated[
        bool,
        typer.Option("--print-network", help="Print the network that NOTE itself gives and stop."),
    ] = False,
    equations: options.Equations = None,
    out: options.Out = None,
    force: options.Force = False,
) -> None:
    """Judge hand-written formulas: proved, agrees, holds if, wrong, or not understood.

    With one file and no network, the network is read from the note's own forward equations.
    """
    options.known_language(lang)
    form = "json" if as_json else to
    if form not in FORMATS:
        raise UsageProblem(to, "There is no such form.", f"Write one of {', '.join(FORMATS)}.")
    if print_symbols:
        show(_table(read_source(net, equations)))
        return
    net, note = _parts(net, note, formula, equations)
    if print_network:
        show(_network_text(read_text(Path(note or "-")), note or "-"))
        return
    source = read_source(net, equations) if net or equations else None
    text = formula if formula is not None else read_text(Path(note or "-"))
    report = _judge(text, source, symbols, lang, note or "<formula>", strict)
    printers = {"text": report.to_text, "json": report.to_json}
    made = _annotated(report, text) if form == "markdown" else printers[form]()
    if out is None:
        show(made)
    else:
        suffix = {"text": ".txt", "json": ".json", "markdown": ".md"}[form]
        write_files({place_for(out, f"verified{suffix}"): made}, force)
        print(report.summary, file=sys.stderr)
    raise typer.Exit(report.exit_code)


def _annotated(report: Report, text: str) -> str:
    from derivgen.verify import annotated

    return annotated(report, text)


def _parts(
    net: str | None, note: str | None, formula: str | None, equations: str | None
) -> tuple[str | None, str | None]:
    """Tell network and note apart: a single name is the note unless a formula is given."""
    if formula is not None and note is not None:
        raise UsageProblem(note, "Give a note or --formula, not both.", "Leave one out.")
    if formula is None and note is None:
        if net is None or net.endswith(".dg") or gallery.entry(net):
            raise UsageProblem(
                net or "NOTE", "There is nothing to verify.", "Name a note, or write --formula."
            )
        return None, net
    return net, note


def _table(source: Source) -> str:
    """Return the surface table of a network: how the notes write it, and what --symbols takes."""
    from derivgen.forms.style import STYLES
    from derivgen.formulas.surface import print_table
    from derivgen.notes.surface import surface_table
    from derivgen.notes.view import make_view

    return print_table(surface_table(make_view(source.net.derive().derivation, STYLES["textbook"])))


def _network_text(text: str, note: str) -> str:
    """Return the network of a note's own equations, as a file that NET can be."""
    from derivgen.verify.forward import read_network

    found = read_network(text)
    if found.network is None:
        raise UsageProblem(
            note,
            "No network can be read from its equations.",
            "Write the forward equations and a loss, L = ..., or give NET.",
        )
    return found.text


def _judge(
    text: str, source: Source | None, symbols: Path | None, lang: str, file: str, strict: bool
) -> Report:
    from derivgen.formulas.surface import parse_table
    from derivgen.verify import verify_text

    table = parse_table(read_text(symbols), str(symbols)) if symbols else None
    network = source.net.network if source else None
    with working("judging"):
        return verify_text(text, network, table, lang, file, strict)
