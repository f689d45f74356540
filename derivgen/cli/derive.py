"""``derivgen derive``: a network's derivation as text, LaTeX, Markdown, HTML or PDF."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Annotated, Any

import typer

from derivgen.cli import options
from derivgen.cli.console import (
    place_for,
    read_text,
    refuse_existing,
    say,
    show,
    working,
    write_files,
)
from derivgen.cli.evaluate import read_json
from derivgen.cli.source import read_source
from derivgen.errors import FileProblem, UsageProblem

SUFFIX = {"text": ".txt", "latex": ".tex", "markdown": ".md", "html": ".html", "typst": ".typ"}
TEX = ("xelatex", "lualatex", "tectonic", "pdflatex")
MOST_RUNS = 4  # references and the widths of tables settle after two or three
INSTALL = "Install one: apt-get install texlive-xetex texlive-lang-chinese; or leave out --pdf."


def derive_command(
    net: options.Net = None,
    to: Annotated[str, typer.Option(help="text, latex, markdown, html or typst.")] = "text",
    wrt: options.Wrt = None,
    then: Annotated[
        str | None, typer.Option(help="Differentiate the gradient by --wrt once more, by this.")
    ] = None,
    style: Annotated[
        str, typer.Option(help="The notation: one of derivgen show styles, or a file of your own.")
    ] = "textbook",
    lang: Annotated[str, typer.Option(help="The language of the prose: en or zh.")] = "en",
    detail: Annotated[str, typer.Option(help="How much: result, steps or full.")] = "steps",
    layer: Annotated[int | None, typer.Option(help="The steps of one library layer only.")] = None,
    expand: Annotated[
        int, typer.Option(help="Write the loss out by so many layers of its equations.")
    ] = 0,
    values: options.Values = None,
    seed: Annotated[int | None, typer.Option(help="Draw the values of the worked example.")] = None,
    code: Annotated[
        options.Language | None, typer.Option(help="Set the emitted lines beside each formula.")
    ] = None,
    flavour: Annotated[
        str,
        typer.Option("--flavour", "--flavor", help="Markdown of github, jekyll, obsidian, quarto."),
    ] = "github",
    fragment: Annotated[
        bool, typer.Option("--fragment", help="Without the frame of a whole document.")
    ] = False,
    pdf: Annotated[bool, typer.Option("--pdf", help="Set the LaTeX and write a PDF.")] = False,
    equations: options.Equations = None,
    out: options.Out = None,
    force: options.Force = False,
) -> None:
    """Derive every gradient and show how: the chain rule, local derivatives, product, result."""
    source = read_source(net, equations)
    by = options.names(wrt)
    if then is not None and by is None:
        raise UsageProblem("--then", "It needs --wrt.", "Write --wrt W --then V.")
    numbers: Any = read_json(values) if values else seed
    with working("deriving"):
        derived = source.net.derive(by, then)
        text = derived.to(
            "latex" if pdf else to,
            style=_style(style),
            lang=lang,
            detail=detail,
            layer=layer,
            expand=expand,
            values=numbers,
            code=source.net.emit(code.value) if code else "",
            flavour=flavour,
            fragment=fragment,
        )
    for warning in derived.derivation.warnings:
        say(f"warning: {warning}")
    if pdf:
        write_pdf(text, place_for(out or "./", "derivation.pdf"), force)
    elif out is None:
        show(text)
    else:
        write_files({place_for(out, f"derivation{SUFFIX.get(to, '.txt')}"): text}, force)


def _style(name: str) -> Any:
    """Return a style by name, or the one in a person's own file."""
    from derivgen.notes import read_style

    return read_style(read_text(Path(name)), name) if Path(name).is_file() else name


def write_pdf(latex: str, file: Path, force: bool) -> None:
    """Set a LaTeX document and write the PDF.

    Raises: FileProblem, if there is no TeX or it refuses the document; the source stays.
    """
    program = next((name for name in TEX if shutil.which(name)), None)
    source = file.with_suffix(".tex")
    if program is None:
        write_files({source: latex}, force)
        raise FileProblem(str(source), "There is no TeX here; the source was written.", INSTALL)
    refuse_existing([file], force)
    with tempfile.TemporaryDirectory() as folder, working("setting the document"):
        place = Path(folder)
        (place / "derivation.tex").write_text(latex, encoding="utf-8")
        flags = [] if program == "tectonic" else ["-interaction=nonstopmode", "-halt-on-error"]
        for _ in range(1 if program == "tectonic" else MOST_RUNS):
            command = [program, *flags, "derivation.tex"]
            ran = subprocess.run(command, cwd=place, capture_output=True, text=True, check=False)
            if ran.returncode or "Rerun" not in ran.stdout:
                break
        made = place / "derivation.pdf"
        if ran.returncode or not made.is_file():
            write_files({source: latex}, force)
            raise FileProblem(str(source), f"{program} refused it: {ran.stdout[-600:]}")
        file.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(made, file)
    say(f"wrote {file}")
