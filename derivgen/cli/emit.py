"""``derivgen emit``: a network's trainer, or its predictor, as a program."""

from __future__ import annotations

from typing import Annotated

import typer

from derivgen.algebra.pause import no_collection
from derivgen.cli import options
from derivgen.cli.console import place_for, show, working, write_files
from derivgen.cli.source import read_source


def emit_command(
    net: options.Net = None,
    target: Annotated[options.Language, typer.Option(help="The language.")] = (
        options.Language.NUMPY
    ),
    dtype: Annotated[options.Dtype, typer.Option(help="The precision.")] = options.Dtype.FLOAT32,
    predict_only: Annotated[
        bool, typer.Option("--predict-only", help="Leave training out.")
    ] = False,
    dim: options.Sizes = None,
    equations: options.Equations = None,
    out: options.Out = None,
    force: options.Force = False,
) -> None:
    """Write a network's trainer as one self-contained program; without -o to standard output."""
    with no_collection(), working("deriving and emitting"):
        source = read_source(net, equations)
        files = source.net.emit_files(
            target.value, dtype.value, predict_only, options.sizes(dim, source.net)
        )
        if out is not None:
            write_files({place_for(out, name): text for name, text in files.items()}, force)
    if out is None:
        show("".join(files.values()))
