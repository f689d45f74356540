"""``derivgen check-code``: a person's own gradient code against finite differences.

The code is a Python file with a loss, a gradient and a point, or any program that answers each
JSON line ``{"x": point}`` with ``{"loss": number, "gradient": lists in the form of the point}``.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from derivgen.cli import options
from derivgen.cli.console import show, working
from derivgen.cli.evaluate import read_json
from derivgen.errors import UsageProblem


def check_code_command(
    file: Annotated[
        Path | None,
        typer.Argument(metavar="FILE", help="Python with loss(x), gradient(x) and the point x."),
    ] = None,
    program: Annotated[
        str | None, typer.Option(help="A command that answers JSON lines, in place of FILE.")
    ] = None,
    values: Annotated[
        Path | None, typer.Option(help="The point, as JSON: a number, lists, or lists by name.")
    ] = None,
    timeout: Annotated[
        float, typer.Option(min=0.1, help="How many seconds a single answer may take.")
    ] = 60.0,
    seed: options.Seed = 0,
    lang: options.Lang = "en",
    as_json: options.Json = False,
) -> None:
    """Check your own gradient code; a failure names the entry, both values and the mistake."""
    from derivgen.check import CodeProblem, check_gradient
    from derivgen.cli.opened import opened

    options.known_language(lang)
    if (file is None) == (program is None):
        raise UsageProblem("FILE", "Name one: a Python file, or a program by --program.")
    point = read_json(values) if values else None
    try:
        with opened(file, program, point, timeout) as code, working("checking the gradient"):
            report = check_gradient(code.loss, code.gradient, code.point, seed=seed, lang=lang)
    except CodeProblem as reason:
        raise reason.say_in(lang) from reason.__cause__
    show(json.dumps(report.as_json()) if as_json else str(report))
    if report.verdict != "pass":
        raise typer.Exit(1)
