"""``derivgen train``: emit a network's trainer, build it where needed, and run it.

The trainer's own flags pass through; they are known here (`TRAINER_FLAGS`) so that a misspelt one
is refused before anything is derived or built.
"""

from __future__ import annotations

import difflib
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Annotated, Any

import typer

from derivgen.cli import options
from derivgen.cli.console import say, working, write_files
from derivgen.cli.programs import FAST, Runnable, prepare
from derivgen.cli.source import Source, read_source
from derivgen.errors import FileProblem, UsageProblem


@dataclass(frozen=True)
class Flag:
    """A trainer's flag: what follows it (nothing, one value, or several) and what it does."""

    name: str
    value: str
    help: str
    many: bool = False


TRAINER_FLAGS = (
    Flag("--data", "FILE...", "CSV, images and labels in IDX, or NPZ (numpy)", many=True),
    Flag("--column", "COLUMN", "the CSV column to predict (default: the last)"),
    Flag("--test", "FILE...", "data to test on", many=True),
    Flag("--holdout", "FRACTION", "every so-many-th row is for testing"),
    Flag("--epochs", "N", "passes over the data"),
    Flag("--batch", "N", "samples a step"),
    Flag("--lr", "X", "learning rate"),
    Flag("--optimiser", "NAME", "an optimiser of the library or the network's text"),
    Flag("--set", "NAME=X", "a setting of the optimiser"),
    Flag("--freeze", "NAME", "leave a parameter as it is"),
    Flag("--stop-gradient-norm", "X", "stop when the gradient's norm falls below"),
    Flag("--seed", "N", "seed of the initial weights and batches"),
    Flag("--dtype", "float32|float64", "precision"),
    Flag("--save", "FILE", "write the model (safetensors)"),
    Flag("--load", "FILE", "start from a saved model"),
    Flag("--scale", "none|standard|minmax|X", "how inputs are scaled; X divides"),
    Flag("--one-hot", "", "labels become one-hot vectors"),
    Flag("--no-one-hot", "", "they do not"),
    Flag("--no-shuffle", "", "rows in the order of the file"),
    Flag("--json", "", "print one JSON object"),
)
PASS_THROUGH: dict[str, Any] = {
    "context_settings": {"allow_extra_args": True, "ignore_unknown_options": True},
    "epilog": "Flags of the trainer: "
    + ", ".join(f"{flag.name} {flag.value}".strip() for flag in TRAINER_FLAGS)
    + ".",
}


def train_command(
    context: typer.Context,
    net: options.Net = None,
    target: Annotated[
        list[str] | None, typer.Option(metavar="numpy|cpp", help="The trainer's language.")
    ] = None,
    dim: options.Sizes = None,
    equations: options.Equations = None,
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="The folder to keep the program in.")
    ] = None,
    force: options.Force = False,
) -> None:
    """Train a network: emit its trainer, build it where needed, and run it on data.

    Shipped networks train on shipped data unless --data names other files.
    """
    given = list(context.args)
    if net is not None and net.startswith("-") and net != "-":
        if equations is None:
            raise UsageProblem(net, "The network comes first.", "Write derivgen train NET [flags].")
        given, net = [net, *given], None
    language, columns = _languages(target or [])
    flags = [*check_flags(given), *columns]
    source = read_source(net, equations)
    with working("deriving and emitting"):
        files = source.net.emit_files(
            language, _value(flags, "--dtype") or "float32", dims=options.sizes(dim, source.net)
        )
    if out is not None:
        write_files({out / name: text for name, text in files.items()}, force)
    runnable = prepare(files, language, out, FAST)
    raise typer.Exit(_status(run(runnable, ["train", *with_defaults(flags, source)]), runnable))


def _status(code: int, runnable: Runnable) -> int:
    if code >= 0:
        return code
    raise FileProblem(str(runnable.command[-1]), f"The program was ended by signal {-code}.")


def _languages(targets: Sequence[str]) -> tuple[str, list[str]]:
    # --target is the language here and the CSV column in the trainer: values tell them apart.
    languages = [t for t in targets if t in ("numpy", "cpp")]
    columns = [part for t in targets if t not in languages for part in ("--target", t)]
    return (languages[-1] if languages else "numpy"), columns


def check_flags(given: Sequence[str]) -> list[str]:
    """Return the trainer's flags in its own spelling.

    Raises: UsageProblem, for a flag the trainers do not have or one without its value.
    """
    known = {flag.name: flag for flag in TRAINER_FLAGS}
    flags: list[str] = []
    waiting: Flag | None = None
    for word in given:
        name, equals, value = word.partition("=")
        if word.startswith("--"):
            _need_value(waiting)
            if name not in known:
                raise _unknown(name, known)
            flags += [_spelling(name), value] if equals else [_spelling(name)]
            waiting = None if equals or not known[name].value else known[name]
        elif waiting is None and not (flags and _last_is_many(flags, known)):
            raise UsageProblem(word, "It follows no flag.", "Flags of the trainer begin with --.")
        else:
            flags.append(word)
            waiting = None
    _need_value(waiting)
    return flags


def _spelling(name: str) -> str:
    return "--target" if name == "--column" else name


def _need_value(flag: Flag | None) -> None:
    if flag is not None:
        raise UsageProblem(flag.name, "Its value is missing.", f"Write {flag.name} {flag.value}.")


def _last_is_many(flags: Sequence[str], known: dict[str, Flag]) -> bool:
    named = [word for word in flags if word.startswith("--")]
    return bool(named) and named[-1] in known and known[named[-1]].many


def _unknown(name: str, known: dict[str, Flag]) -> UsageProblem:
    near = difflib.get_close_matches(name, known, 1)
    advice = f"Did you mean {near[0]}?" if near else "derivgen train --help lists them."
    return UsageProblem(name, "The trainers have no such flag.", advice)


def _value(flags: Sequence[str], name: str) -> str | None:
    return flags[flags.index(name) + 1] if name in flags else None


def with_defaults(flags: Sequence[str], source: Source) -> list[str]:
    """Return the flags with the gallery's data files and settings where none are given."""
    if source.entry is None:
        return list(flags)
    added: list[str] = []
    if "--data" not in flags and source.entry.data:
        added += ["--data", *map(str, source.entry.data)]
    for group in _groups(source.entry.flags):
        if group[0] not in flags and not (group[0] == "--holdout" and "--test" in flags):
            added += group
    return [*added, *flags]


def _groups(flags: Sequence[str]) -> Iterator[list[str]]:
    group: list[str] = []
    for word in flags:
        if word.startswith("--") and group:
            yield group
            group = []
        group.append(word)
    if group:
        yield group


def run(runnable: Runnable, flags: Sequence[str]) -> int:
    """Run a trainer; on a terminal its progress line becomes a bar. Return its exit code."""
    command = [*runnable.command, *flags]
    if not sys.stderr.isatty():
        return subprocess.run(command, check=False).returncode
    environment = os.environ | {"DERIVGEN_PROGRESS": "1"}
    # Results wait for the bar to go: both are drawn on the same lines of the terminal.
    with (
        tempfile.TemporaryFile("w+") as results,
        subprocess.Popen(
            command, stdout=results, stderr=subprocess.PIPE, text=True, env=environment
        ) as process,
    ):
        assert process.stderr is not None, "stderr is piped"
        try:
            _follow(process.stderr)
            process.wait()
        except KeyboardInterrupt:
            process.terminate()
            raise
        results.seek(0)
        sys.stdout.write(results.read())
    return process.returncode


_EPOCH = re.compile(r"epoch\s+(\d+)\s*/\s*(\d+)[:,\s]*(.*)")


def _follow(lines: IO[str]) -> None:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("epoch"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    text = TextColumn("{task.description}", markup=False)
    with Progress(*columns, text, console=Console(stderr=True), transient=True) as progress:
        task = None
        for line in lines:
            match = _EPOCH.search(line)
            if match is None:
                say(line.rstrip())
                continue
            done, total, rest = int(match[1]), int(match[2]), match[3]
            if task is None:
                task = progress.add_task(rest, total=total)
            progress.update(task, completed=done, description=rest)
