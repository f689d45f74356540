"""A program that answers JSON lines; whatever it does, an answer comes in time or an error does."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from typing import Any

from derivgen.check import problem
from derivgen.errors import FileProblem

LONGEST = 1 << 28  # bytes of one answer
SHOWN = 60  # characters of an answer that a message quotes
GRACE = 2.0  # seconds a program has to end by itself


@contextlib.contextmanager
def answering(command: str, timeout: float) -> Iterator[Callable[[Any], Any]]:
    """Start a program and yield a function that asks it at a point.

    Raises: FileProblem, if it cannot be started; DataError, if it breaks down, falls silent for
    ``timeout`` seconds, or answers anything but the loss and its gradient.
    """
    process = _started(command)
    assert process.stdin and process.stdout, "both are piped"
    sent, answered = process.stdin, process.stdout

    def ask(point: Any) -> Any:
        expired = threading.Event()

        def expire() -> None:
            expired.set()
            _kill(process)

        timer = threading.Timer(timeout, expire)
        timer.start()
        try:
            with contextlib.suppress(OSError):  # the missing answer says it
                sent.write(json.dumps({"x": _lists(point)}).encode() + b"\n")
                sent.flush()
            line = answered.readline(LONGEST)
        finally:
            timer.cancel()
        if expired.is_set():
            raise problem(command, "late", "flush", seconds=timeout)
        if not line:
            status = _ended(process)
            raise problem(command, "ended", "protocol", status=status)
        return _answer(command, line)

    try:
        yield ask
    finally:
        with contextlib.suppress(OSError):
            sent.close()
        _ended(process)
        answered.close()


def _started(command: str) -> subprocess.Popen[bytes]:
    """Start a program in a group of its own, so that what it starts can be ended with it."""
    try:
        words = shlex.split(command)
        if not words:
            raise ValueError("the command is empty")
        return subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
        )
    except (OSError, ValueError) as reason:
        raise FileProblem(command, f"It cannot be started: {reason}.") from reason


def _ended(process: subprocess.Popen[bytes]) -> int:
    """Return the status of a program that was told to end, or is ended after `GRACE`."""
    try:
        return process.wait(GRACE)
    except subprocess.TimeoutExpired:
        _kill(process)
        return process.wait()


def _kill(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(OSError):
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()


def _lists(point: Any) -> Any:
    if isinstance(point, dict):
        return {name: _lists(part) for name, part in point.items()}
    if isinstance(point, (list, tuple)):
        return [_lists(part) for part in point]
    return point.tolist()


def _answer(command: str, line: bytes) -> Any:
    shown = repr(line[:SHOWN].decode("utf-8", "replace").rstrip("\r\n"))
    if not line.endswith(b"\n") and len(line) == LONGEST:
        raise problem(command, "no-end", "protocol", count=LONGEST)
    try:
        answer = json.loads(line.decode("utf-8-sig"))
    except UnicodeDecodeError as reason:
        raise problem(command, "no-utf8", "protocol", line=shown) from reason
    except (ValueError, RecursionError) as reason:
        raise problem(command, "no-json", "protocol", line=shown) from reason
    if not (isinstance(answer, dict) and {"loss", "gradient"} <= answer.keys()):
        raise problem(command, "no-answer", "protocol", line=shown)
    return answer
