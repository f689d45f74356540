"""A person's gradient code, opened for a check: a Python file, or a program that answers."""

from __future__ import annotations

import contextlib
import functools
import runpy
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from derivgen.check import problem
from derivgen.cli.answers import answering
from derivgen.errors import DataError, FileProblem, UsageProblem

LOSS_NAMES = ("loss", "f")
GRADIENT_NAMES = ("gradient", "grad", "df")
POINT_NAMES = ("x", "x0", "params")


class Code(NamedTuple):
    """What is checked: the loss, its gradient, and the point."""

    loss: Callable[..., Any]
    gradient: Callable[..., Any]
    point: Any


@contextlib.contextmanager
def opened(file: Path | None, program: str | None, point: Any, timeout: float) -> Iterator[Code]:
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
    with answering(program, timeout) as ask:
        yield Code(lambda x: ask(x)["loss"], lambda x: ask(x)["gradient"], point)


def _timed(name: str, timeout: float, function: Any) -> Any:
    """Return a function that may take ``timeout`` seconds a call; what is none stays itself."""
    if not callable(function):
        return function

    @functools.wraps(function)
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
        raise problem(name, "late", "raise-timeout", seconds=timeout)

    before = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, timeout)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _python(file: Path, point: Any) -> Code:
    """Run a Python file and take its loss, gradient and point; it may import its neighbours."""
    if not file.is_file():
        raise FileProblem(str(file), "There is no such file.")
    sys.path.insert(0, str(file.resolve().parent))
    try:
        names = runpy.run_path(str(file))
    except OSError as reason:
        raise FileProblem(str(file), f"It cannot be read: {reason.strerror}.") from reason
    except DataError:
        raise
    except SystemExit as reason:
        raise problem(str(file), "quits", "no-exit") from reason
    except Exception as reason:
        raise problem(str(file), "ends", kind=type(reason).__name__, reason=reason) from reason
    at = point if point is not None else _one_of(file, names, POINT_NAMES)
    return Code(_one_of(file, names, LOSS_NAMES), _one_of(file, names, GRADIENT_NAMES), at)


def _one_of(file: Path, names: dict[str, Any], wanted: tuple[str, ...]) -> Any:
    for name in wanted:
        if name in names:
            return names[name]
    raise problem(str(file), "undefined", "name-it", what=wanted[0], names=" / ".join(wanted))
