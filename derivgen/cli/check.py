"""``derivgen check``: every gradient against finite differences, by any of three programs.

The interpreter's check is `derivgen.check`; an emitted program runs the one it carries. Exit code
1 unless every verdict is *pass*; a kink where the gradient lies between the one-sided slopes
passes.
"""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from derivgen.cli import options
from derivgen.cli.console import say, show, working
from derivgen.cli.programs import prepare, run_quietly
from derivgen.cli.source import Source, read_source

REFUSED = 1


def check_command(
    net: options.Net = None,
    target: Annotated[options.Engines, typer.Option(help="Who is checked.")] = (
        options.Engines.INTERPRETER
    ),
    seed: options.Seed = 0,
    as_json: options.Json = False,
    equations: options.Equations = None,
) -> None:
    """Compare every gradient with finite differences whose error is bounded; exit 1 if refused."""
    source = read_source(net, equations)
    results = {}
    for engine in _engines(target):
        with working(f"checking the gradients, {engine}"):
            results[engine] = _check(source, engine, seed)
    verdicts = [result["verdict"] for result in results.values()]
    worst = next((verdict for verdict in verdicts if verdict != "pass"), "pass")
    if as_json:
        only = next(iter(results.values()))
        show(json.dumps(only if len(results) == 1 else {"verdict": worst, "targets": results}))
    else:
        for engine, result in results.items():
            _report(engine, result)
    if worst != "pass":
        raise typer.Exit(REFUSED)


def _engines(target: options.Engines) -> tuple[str, ...]:
    if target is options.Engines.ALL:
        return tuple(engine.value for engine in options.Engine)
    return (target.value,)


def _check(source: Source, engine: str, seed: int) -> dict[str, Any]:
    if engine == options.Engine.INTERPRETER.value:
        return source.net.check(seed).as_json()
    program = prepare(source.net.emit_files(engine, "float64"), engine, None)
    code, out, messages = run_quietly(program, ["check", "--json", "--seed", str(seed)])
    if code > REFUSED or not out.strip():
        say(messages.rstrip())
        raise typer.Exit(code or REFUSED)
    return dict(json.loads(out))


def _report(engine: str, result: dict[str, Any]) -> None:
    show(f"{engine}: {result['verdict']}")
    for name, row in result["parameters"].items():
        facts = ", ".join(
            f"{key} {_shown(value)}" for key, value in row.items() if key != "verdict"
        )
        show(f"  {name:<12} {row['verdict']:<12} {facts}".rstrip())


def _shown(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
