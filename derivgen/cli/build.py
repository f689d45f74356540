"""``derivgen build``: the shipped networks' derivations and trainers, written to ``generated/``.

The same texts are what ``build --check`` compares the folder with, missing and extra files
included.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from derivgen import gallery
from derivgen.cli.console import say, show, working
from derivgen.cli.source import read_source
from derivgen.errors import FileProblem

DTYPE = "float32"
NOTES = {"latex": ".tex", "markdown": ".md", "html": ".html"}
LONGEST_DIFF = 200  # lines of a file's difference that are shown


def built_files(name: str) -> dict[str, str]:
    """Return every file of one shipped network, by its path below ``generated/``."""
    net = read_source(name).net
    derived = net.derive()
    files = {f"derivation{suffix}": derived.to(form) for form, suffix in NOTES.items()}
    for target in () if net.unknown_functions else ("numpy", "cpp"):
        files |= net.emit_files(target, DTYPE)
    return {f"{name}/{file}": text for file, text in sorted(files.items())}


def differences(made: dict[str, str], folder: Path) -> Iterator[str]:
    """Yield a unified diff for each file of ``folder`` that is not as made, missing or extra."""
    for path in sorted(made.keys() | _existing(folder)):
        file = folder / path
        # A stray file may hold anything; it is shown to be extra, whatever is in it.
        known_text = file.read_bytes().decode("utf-8", "replace") if file.is_file() else ""
        old = known_text.splitlines()
        new = made[path].splitlines() if path in made else []
        fresh = f"{path} (as built)" if path in made else "/dev/null"
        known = str(file) if file.is_file() else "/dev/null"
        lines = list(difflib.unified_diff(old, new, known, fresh, lineterm=""))
        if lines or (path in made) != file.is_file():
            yield "\n".join(lines[:LONGEST_DIFF] or [f"{file}: not as built"])


def _existing(folder: Path) -> set[str]:
    return {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()}


def build_command(
    check: Annotated[bool, typer.Option("--check", help="Write nothing; fail with diffs.")] = False,
    out: Annotated[Path, typer.Option("-o", "--out", help="The folder.")] = Path("generated"),
) -> None:
    """Rebuild the derivations and trainers of all shipped networks, or check that they are so."""
    made: dict[str, str] = {}
    for name in gallery.names():
        with working(f"building {name}"):
            made |= built_files(name)
    if check:
        found = list(differences(made, out))
        if found:
            show("\n".join(found))
            say(f"{len(found)} files of {out} are not as built: run derivgen build")
            raise typer.Exit(1)
        say(f"{len(made)} files of {out} are as built")
        return
    _write_changed(made, out)


def _write_changed(made: dict[str, str], folder: Path) -> None:
    changed = 0
    for path, text in made.items():
        file = folder / path
        try:
            if not file.is_file() or file.read_bytes() != text.encode("utf-8"):
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(text, encoding="utf-8", newline="\n")
                changed += 1
        except OSError as problem:
            raise FileProblem(str(file), f"It cannot be written: {problem.strerror}.") from problem
    extra = sorted(_existing(folder) - made.keys())
    if extra:
        say(f"not made by derivgen build: {', '.join(extra)}")
    say(f"{len(made)} files in {folder}, {changed} of them changed")
