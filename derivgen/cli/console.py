"""What a person sees besides results: messages, the sign of work going on, and written files.

Results go to stdout and everything else to stderr, so that results can be piped.
"""

from __future__ import annotations

import json
import math
import os
import sys
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import typer

from derivgen.errors import FileProblem

PATIENCE = 1.0  # seconds of silence before a person is told what is going on


def say(text: str) -> None:
    """Print one message to stderr."""
    print(text, file=sys.stderr, flush=True)


def show(text: str) -> None:
    """Print a result to stdout, ended by one newline; a reader that has gone away ends the program.

    Raises: FileProblem, if it cannot be written.
    """
    try:
        sys.stdout.write(text if text.endswith("\n") else text + "\n")
        sys.stdout.flush()
    except OSError as problem:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(problem, BrokenPipeError):
            raise typer.Exit(0) from problem
        reason = f"It cannot be written: {problem.strerror}."
        raise FileProblem("standard output", reason) from problem


def show_json(value: Any) -> None:
    """Print a value as JSON, which has no word for what is not finite: such numbers are null."""
    show(json.dumps(_known(value), allow_nan=False))


def _known(part: Any) -> Any:
    if isinstance(part, dict):
        return {name: _known(inner) for name, inner in part.items()}
    if isinstance(part, list):
        return [_known(inner) for inner in part]
    return None if isinstance(part, float) and not math.isfinite(part) else part


@contextmanager
def working(what: str) -> Iterator[None]:
    """Show what is going on if it lasts longer than `PATIENCE`, on a terminal only."""
    if not sys.stderr.isatty():
        yield
        return
    from rich.console import Console

    status = Console(stderr=True).status(f"{what} ...")
    timer = threading.Timer(PATIENCE, status.start)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        status.stop()


def place_for(out: str, default_name: str) -> Path:
    """Return the file that ``-o out`` names: ``out`` itself, or a file in the folder it names."""
    if Path(out).is_dir() or out.endswith(("/", "\\")):
        return Path(out) / default_name
    return Path(out)


def refuse_existing(files: Iterable[Path], force: bool) -> None:
    """Refuse to overwrite a file unless ``force``.

    Raises: FileProblem, naming the first file that exists.
    """
    for path in files:
        if path.exists() and not force:
            raise FileProblem(str(path), "The file exists.", "Write --force to overwrite it.")


def write_files(files: Mapping[Path, str], force: bool) -> None:
    """Write all of the files or none: an existing one is kept unless ``force``; - is stdout.

    Raises: FileProblem, naming the file.
    """
    refuse_existing((path for path in files if str(path) != "-"), force)
    for path, text in files.items():
        if str(path) == "-":
            show(text)
            continue
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8", newline="\n")
        except OSError as problem:
            raise FileProblem(str(path), f"It cannot be written: {problem.strerror}.") from problem
        say(f"wrote {path}")


def read_text(path: Path) -> str:
    """Return a file's text; ``-`` is standard input.

    Raises: FileProblem, if there is no such file or it is not UTF-8 text.
    """
    try:
        if str(path) == "-":
            return sys.stdin.buffer.read().decode("utf-8")
        return path.read_bytes().decode("utf-8")
    except OSError as problem:
        raise FileProblem(str(path), f"It cannot be read: {problem.strerror}.") from problem
    except UnicodeDecodeError as problem:
        raise FileProblem(
            str(path),
            f"It is not UTF-8 text: byte {problem.start} is 0x{problem.object[problem.start]:02x}.",
            "Save it as UTF-8.",
        ) from problem
