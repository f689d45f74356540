"""``derivgen eval``: the loss and its gradients at given values, by any of three programs."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Annotated, Any

import typer

from derivgen.cli import options
from derivgen.cli.console import read_text, show_json, working
from derivgen.cli.programs import prepare, run_for_json
from derivgen.cli.source import Source, read_source
from derivgen.errors import DataError, Position, UsageProblem


def eval_command(
    net: options.Net = None,
    values: options.Values = None,
    target: Annotated[options.Engine, typer.Option(help="Who computes.")] = (
        options.Engine.INTERPRETER
    ),
    wrt: options.Wrt = None,
    hvp: Annotated[
        bool,
        typer.Option("--hvp", help='Also the Hessian times the "directions" that the values give.'),
    ] = False,
    equations: options.Equations = None,
) -> None:
    """Print {"loss": x, "gradients": {NAME: nested lists}} at the values of a file or the text."""
    if net == "-" and values == Path("-"):
        raise UsageProblem("-", "Both NET and --values read standard input.", "Name a file.")
    source = read_source(net, equations)
    given = read_json(values) if values else None
    by = options.names(wrt)
    if target is not options.Engine.INTERPRETER:
        if hvp:
            raise UsageProblem("--hvp", "Only the interpreter computes it.", "Leave out --target.")
        _by_program(source, target.value, given, by)
        return
    with working("evaluating"):
        result = source.net.evaluate(given, by, hvp)
    show_json(result)


def read_json(path: Path) -> Any:
    """Return what a JSON file holds.

    Raises: DataError, with line and column, if it is not JSON; FileProblem.
    """
    text = read_text(path)
    try:
        return json.loads(text)
    except json.JSONDecodeError as problem:
        place = Position(str(path), problem.lineno, problem.colno)
        raise DataError("values", f"It is not JSON: {problem.msg}.", "", place) from problem
    except (RecursionError, ValueError) as problem:
        raise DataError(str(path), f"It is not JSON that can be read: {problem}.") from problem


def _by_program(source: Source, target: str, given: Any, by: tuple[str, ...] | None) -> None:
    """Emit, run and print; the values are checked first, so that all engines refuse alike."""
    from derivgen.values import read_values

    parameters = [t.name for t in source.net.network.parameters]
    for name in by or ():
        if name not in parameters:
            raise UsageProblem(
                name,
                "An emitted program gives gradients by parameters only.",
                f"The parameters are: {', '.join(parameters)}; or leave out --target.",
            )
    with working("deriving and emitting"):
        sizes = read_values(source.net.network, given).dims
        dims = {dim.name: size for dim, size in sizes.items()}
        files = source.net.emit_files(target, "float64", dims=dims)
    program = prepare(files, target)
    flags = ["eval", "--json"]
    with tempfile.TemporaryDirectory() as folder:
        if given is not None:
            values = Path(folder) / "values.json"
            values.write_text(json.dumps(given), encoding="utf-8")
            flags += ["--values", str(values)]
        result = run_for_json(program, flags)
    if by is not None:
        result["gradients"] = {name: result["gradients"][name] for name in by}
    show_json(result)
