"""Emitted programs on this machine: written to a folder, built where needed, run.

A built program is kept in a cache folder named by the hash of its source and its compiler flags,
so that a second run of the same network starts at once.
"""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer

from derivgen.cli.console import say, working
from derivgen.errors import FileProblem

GXX_FLAGS = ("-std=c++17", "-march=native", "-fno-math-errno")
FAST, SOON = "-O3", "-O1"  # what trains runs fast; what answers once is built soon
INSTALL = (
    "Install one: apt-get install g++ (Debian, Ubuntu), dnf install gcc-c++ (Fedora), "
    "xcode-select --install (macOS); or use --target numpy."
)


@dataclass(frozen=True)
class Runnable:
    """A program that can be started: its command and the folder that holds it."""

    command: tuple[str, ...]
    folder: Path


def prepare(
    files: Mapping[str, str], target: str, folder: Path | None = None, level: str = SOON
) -> Runnable:
    """Write a program's files to ``folder`` or the cache, build it, and return how to start it.

    ``level`` is how much the C++ compiler is to optimise.

    Raises: FileProblem, if a file cannot be written or C++ cannot be built; the source stays.
    """
    place = folder or _cache(files, target, level)
    for name, text in files.items():
        _write(place / name, text)
    main = place / next(iter(files))
    if target == "numpy":
        return Runnable((sys.executable, str(main)), place)
    return Runnable((str(_build(main, level, kept=folder is not None)),), place)


def _cache(files: Mapping[str, str], target: str, level: str) -> Path:
    hashed = hashlib.sha256(
        repr((target, level, GXX_FLAGS, sorted(files.items()))).encode()
    ).hexdigest()
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    place = base / "derivgen" / hashed[:16]
    try:
        place.mkdir(parents=True, exist_ok=True)
    except OSError:
        return Path(tempfile.mkdtemp(prefix="derivgen-"))
    return place


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8", newline="\n")
    except (OSError, UnicodeDecodeError) as problem:
        raise FileProblem(str(path), f"It cannot be written: {problem}.") from problem


def _build(source: Path, level: str, kept: bool) -> Path:
    program = source.with_suffix("")
    if not kept and program.exists():
        return program
    compiler = _compiler()
    if shutil.which(compiler[0]) is None:
        raise FileProblem(str(source), "There is no C++ compiler; the source stays here.", INSTALL)
    # Built beside its final place and moved there, so that a cached program is always whole.
    made = program.with_name(f"{program.name}.{os.getpid()}")
    command = [*compiler, *GXX_FLAGS, level, str(source), "-o", str(made)]
    with working("building the C++ program"):
        ran = subprocess.run(command, capture_output=True, text=True, check=False)
    if ran.returncode:
        say(ran.stderr[-4000:])
        raise FileProblem(str(source), f"{compiler[0]} refused it, see above; the source stays.")
    made.replace(program)
    return program


def _compiler() -> list[str]:
    """Return the compiler's command: CXX of the environment, which may hold flags, or g++."""
    asked = os.environ.get("CXX") or shutil.which("g++") or "c++"
    try:
        return shlex.split(asked)
    except ValueError as problem:
        raise FileProblem(f"CXX={asked}", f"It is no command: {problem}.") from problem


def run_for_json(runnable: Runnable, flags: Sequence[str], accepted: int = 0) -> Any:
    """Run a program and return the JSON object it prints, if its exit code is at most accepted.

    Raises: typer.Exit with its code after its own message; FileProblem, if it broke down.
    """
    command = [*runnable.command, *flags]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    if 0 <= ran.returncode <= accepted and ran.stdout.strip():
        return json.loads(ran.stdout)
    say(ran.stderr.rstrip())
    if ran.returncode in (2, 3, 5):
        raise typer.Exit(ran.returncode)
    raise FileProblem(
        runnable.command[-1],
        f"The emitted program broke down with status {ran.returncode}.",
        "This is a defect of derivgen: please report it with the network.",
    )
