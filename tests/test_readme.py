"""What the READMEs show is what derivgen does: every marked block is run or compared.

A block after ``<!-- file: NAME -->`` is written to a folder; one after ``<!-- run -->`` is Python
and runs there; one after ``<!-- excerpt of: COMMAND -->`` holds lines that the command prints, in
that order: ``...`` stands for lines left out; equation numbers, reasons and runs of spaces do not
count.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parent.parent
READMES = ("README.md", "README.zh.md")
BLOCK = re.compile(r"<!-- (file|run|excerpt of)(?:: (.*?))? -->\n+```\w*\n(.*?)```", re.DOTALL)


class Block(NamedTuple):
    """A marked block: what to do with it, the file or command it names, its text."""

    kind: str
    name: str
    text: str


def blocks(readme: str) -> Iterator[Block]:
    """Yield the marked blocks of a README."""
    for match in BLOCK.finditer((ROOT / readme).read_text(encoding="utf-8")):
        yield Block(match[1], match[2] or "", match[3])


def run(command: list[str], folder: Path, code: int = 0) -> str:
    """Run Python in a folder and return what it prints."""
    ran = subprocess.run(
        [sys.executable, *command],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == code, ran.stderr
    return ran.stdout


ASIDE = re.compile(r"\s*\(\d+\)$|\s{3}\[.*\](\s*\(\d+\))?$")


def plain(line: str) -> str:
    """Return a line without its equation's number and reason, runs of spaces as one."""
    return " ".join(ASIDE.sub("", line.rstrip()).split())


def missing_line(excerpt: str, output: str) -> str | None:
    """Return the first line of an excerpt that the output lacks at its place."""
    rest = [plain(line) for line in output.splitlines()]
    for line in map(plain, excerpt.splitlines()):
        if line in ("", "..."):
            continue
        if line not in rest:
            return line
        rest = rest[rest.index(line) + 1 :]
    return None


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return a folder with the files that the READMEs show."""
    place = tmp_path_factory.mktemp("readme")
    for readme in READMES:
        for block in blocks(readme):
            if block.kind == "file":
                (place / block.name).write_text(block.text, encoding="utf-8")
    return place


def finds_a_mistake(block: Block) -> bool:
    """Tell whether the command shown ends with exit code 1: it has found a mistake."""
    return "wrong" in block.text or "fail" in block.text


@pytest.mark.parametrize("readme", READMES)
def test_excerpts_are_what_the_commands_print(readme, folder):
    excerpts = [block for block in blocks(readme) if block.kind == "excerpt of"]
    assert excerpts

    for block in excerpts:
        program, *arguments = shlex.split(block.name)
        assert program == "derivgen"
        output = run(["-m", "derivgen", *arguments], folder, 1 if finds_a_mistake(block) else 0)
        line = missing_line(block.text, output)
        assert line is None, f"{block.name} does not print: {line}"


@pytest.mark.parametrize("readme", READMES)
def test_python_blocks_run(readme, folder):
    programs = [block for block in blocks(readme) if block.kind == "run"]
    assert programs

    for block in programs:
        run(["-c", block.text], folder)


def test_both_readmes_show_the_same_commands():
    shown = [[b for b in blocks(readme) if b.kind != "run"] for readme in READMES]

    assert shown[0] == shown[1]


def test_the_command_table_names_every_command():
    from typer.main import get_command

    from derivgen.cli.main import app

    text = (ROOT / "README.md").read_text(encoding="utf-8")

    for command in get_command(app).commands:
        assert f"`derivgen {command}" in text, command
