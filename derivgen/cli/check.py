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
from derivgen.cli.programs import prepare, run_for_json
from derivgen.cli.source import Source, read_source

REFUSED = 1
HIDDEN = ("verdict", "worst")  # shown in places of their own


def check_command(
    net: options.Net = None,
    target: Annotated[options.Engines, typer.Option(help="Who is checked.")] = (
        options.Engines.INTERPRETER
    ),
    seed: options.Seed = 0,
    dim: options.Sizes = None,
    as_json: options.Json = False,
    equations: options.Equations = None,
) -> None:
    """Compare every gradient with finite differences whose error is bounded; exit 1 if refused."""
    source = read_source(net, equations)
    engines = _engines(target, source)
    results = {}
    for engine in engines:
        with working(f"checking the gradients, {engine}"):
            results[engine] = _check(source, engine, seed, options.sizes(dim, source.net))
        if not as_json:
            show(_text(engine, results[engine]))
    verdicts = [result["verdict"] for result in results.values()]
    worst = next((verdict for verdict in verdicts if verdict != "pass"), "pass")
    if as_json:
        only = results[engines[0]]
        show(json.dumps(only if len(engines) == 1 else {"verdict": worst, "targets": results}))
    if worst != "pass":
        raise typer.Exit(REFUSED)


def _engines(target: options.Engines, source: Source) -> tuple[str, ...]:
    if target is not options.Engines.ALL:
        return (target.value,)
    if unknown := source.net.unknown_functions:
        say(f"{', '.join(unknown)} has no definition: only the interpreter checks, by a stand-in")
        return (options.Engine.INTERPRETER.value,)
    return tuple(engine.value for engine in options.Engine)


def _check(source: Source, engine: str, seed: int, dims: dict[str, int]) -> dict[str, Any]:
    dims = {**_drawn_sizes(source, seed), **dims}
    if engine == options.Engine.INTERPRETER.value:
        return source.net.check(seed, dims).as_json()
    program = prepare(source.net.emit_files(engine, "float64", dims=dims), engine)
    flags = ["check", "--json", "--seed", str(seed)]
    return dict(run_for_json(program, flags, accepted=REFUSED))


def _drawn_sizes(source: Source, seed: int) -> dict[str, int]:
    """Return a size for every letter: the text's, and small ones where it leaves them open."""
    from derivgen.values import random_values

    if all(size is not None for size in source.net.network.dims.values()):
        return {}
    drawn = random_values(source.net.network, seed).dims
    return {dim.name: size for dim, size in drawn.items()}


def _text(engine: str, result: dict[str, Any]) -> str:
    """Return a line per parameter: its verdict, what was checked, the worst entry if it failed."""
    rows = dict(result["parameters"])
    if "directions" in result:
        rows["(directions)"] = result["directions"]
    lines = [f"{engine}: {result['verdict']}"]
    for name, row in rows.items():
        facts = [_fact(key, row[key]) for key in row if key not in HIDDEN and row[key] != ""]
        lines.append(f"  {name:<14} {row['verdict']:<13} {', '.join(facts)}".rstrip())
        if row["verdict"] != "pass" and isinstance(row.get("worst"), dict):
            lines.append("    " + ", ".join(_fact(k, v) for k, v in row["worst"].items()))
    if note := result.get("note"):
        lines.append(f"  {note}")
    return "\n".join(lines)


def _fact(key: str, value: Any) -> str:
    shown = f"{value:.6g}" if isinstance(value, float) else str(value)
    return f"{key.replace('_', ' ')} {shown}"
