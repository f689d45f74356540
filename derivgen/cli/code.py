"""``derivgen check-code``: a person's own gradient code against finite differences.

The code is a Python file with a loss, a gradient and a point, or any program that answers each
JSON line ``{"x": point}`` with ``{"loss": number, "gradient": lists in the form of the point}``.
"""

from __future__ import annotations

import contextlib
import json
import runpy
import shlex
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer

from derivgen.cli import options
from derivgen.cli.console import show, working
from derivgen.cli.evaluate import read_json
from derivgen.errors import DataError, FileProblem, UsageProblem

LOSS_NAMES = ("loss", "f")
GRADIENT_NAMES = ("gradient", "grad", "df")
POINT_NAMES = ("x", "x0", "params")


class Code(NamedTuple):
    """What is checked: the loss, its gradient, and the point."""

    loss: Callable[..., Any]
    gradient: Callable[..., Any]
    point: Any


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
    as_json: options.Json = False,
) -> None:
    """Check your own gradient code; a failure names the entry, both values and the mistake."""
    from derivgen.check import check_gradient

    if (file is None) == (program is None):
        raise UsageProblem("FILE", "Name one: a Python file, or a program by --program.")
    point = read_json(values) if values else None
    with _opened(file, program, point, timeout) as code, working("checking the gradient"):
        report = check_gradient(code.loss, code.gradient, code.point, seed=seed)
    show(json.dumps(report.as_json()) if as_json else str(report))
    if report.verdict != "pass":
        raise typer.Exit(1)


@contextlib.contextmanager
def _opened(file: Path | None, program: str | None, point: Any, timeout: float) -> Iterator[Code]:
    if file is not None:
        # What their code prints is no result of ours.
        with contextlib.redirect_stdout(sys.stderr):
            with _limited(str(file), timeout):
                code = _python(file, point)
            yield Code(
                _timed(str(file), timeout, code.loss),
                _timed(str(file), timeout, code.gradient),
                code.point,
            )
        return
    if point is None:
        raise UsageProblem("--program", "It needs a point.", "Write --values POINT.json.")
    assert program is not None, "one of the two is given"
    with _answering(program, timeout) as ask:
        yield Code(lambda x: ask(x)["loss"], lambda x: ask(x)["gradient"], point)


def _timed(name: str, timeout: float, function: Any) -> Any:
    """Return a function that may take ``timeout`` seconds a call; what is none stays itself."""
    if not callable(function):
        return function

    def limited(*arguments: Any) -> Any:
        with _limited(name, timeout):
            return function(*arguments)

    return limited


@contextlib.contextmanager
def _limited(name: str, timeout: float) -> Iterator[None]:
    """Interrupt Python code that takes too long, where the system has a timer for it."""
    if (
        not hasattr(signal, "setitimer")
        or threading.current_thread() is not threading.main_thread()
    ):
        yield
        return

    def late(number: int, frame: Any) -> None:
        raise _late(name, timeout)

    before = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, timeout)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _late(name: str, timeout: float) -> DataError:
    return DataError(name, f"It gave no answer within {timeout:g} seconds.", "Raise --timeout.")


def _python(file: Path, point: Any) -> Code:
    """Run a Python file and take its loss, gradient and point."""
    try:
        names = runpy.run_path(str(file))
    except OSError as problem:
        raise FileProblem(str(file), f"It cannot be read: {problem.strerror}.") from problem
    except DataError:
        raise
    except SystemExit as problem:
        raise DataError(str(file), "It ends the program.", "Leave out exit().") from problem
    except Exception as problem:
        raise DataError(str(file), f"It ends in {type(problem).__name__}: {problem}.") from problem
    at = point if point is not None else _one_of(file, names, POINT_NAMES)
    return Code(_one_of(file, names, LOSS_NAMES), _one_of(file, names, GRADIENT_NAMES), at)


def _one_of(file: Path, names: dict[str, Any], wanted: tuple[str, ...]) -> Any:
    for name in wanted:
        if name in names:
            return names[name]
    raise DataError(str(file), f"It defines no {wanted[0]}.", f"Name it {' or '.join(wanted)}.")


@contextlib.contextmanager
def _answering(command: str, timeout: float) -> Iterator[Callable[[Any], Any]]:
    """Start a program and yield a function that asks it at a point."""
    try:
        process = subprocess.Popen(
            shlex.split(command), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
    except (OSError, ValueError) as problem:
        raise FileProblem(command, f"It cannot be started: {problem}.") from problem
    with process:
        assert process.stdin and process.stdout, "both are piped"
        sent, answered = process.stdin, process.stdout

        def ask(point: Any) -> Any:
            with contextlib.suppress(BrokenPipeError):  # the missing answer says it
                sent.write(json.dumps({"x": _lists(point)}) + "\n")
                sent.flush()
            expired = threading.Event()

            def expire() -> None:
                expired.set()
                process.kill()

            timer = threading.Timer(timeout, expire)
            timer.start()
            try:
                line = answered.readline()
            finally:
                timer.cancel()
            if expired.is_set() and not line:
                raise _late(command, timeout)
            return _answer(command, line)

        try:
            yield ask
        finally:
            with contextlib.suppress(BrokenPipeError):
                sent.close()
            process.terminate()


def _lists(point: Any) -> Any:
    if isinstance(point, dict):
        return {name: part.tolist() for name, part in point.items()}
    return point.tolist()


def _answer(command: str, line: str) -> Any:
    advice = 'Answer each line {"x": point} with one line {"loss": x, "gradient": lists}.'
    if not line:
        raise DataError(command, "The program ended without an answer.", advice)
    try:
        answer = json.loads(line)
    except ValueError as problem:
        raise DataError(
            command, f"It answered {line[:60]!r}, which is no JSON.", advice
        ) from problem
    if not (isinstance(answer, dict) and {"loss", "gradient"} <= answer.keys()):
        raise DataError(command, f"It answered {line[:60]!r}.", advice)
    return answer
