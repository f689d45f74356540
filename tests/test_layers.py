"""The house rules that a program can read: floors, file lengths, forbidden calls, style, types."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "derivgen"
SOURCES = sorted(PACKAGE.rglob("*.py"))
LONGEST_FILE = 450  # style.md: split near 400

FLOORS = {
    "errors": 0,
    "version": 0,
    "algebra": 1,
    "language": 2,
    "calculus": 2,
    "values": 2,
    "forms": 3,
    "lowering": 3,
    "interpret": 3,
    "formulas": 3,
    "notes": 4,
    "targets": 4,
    "verify": 5,
    "check": 5,
    "": 6,
    "__main__": 6,
    "api": 6,
    "cli": 6,
    "gallery": 6,
}
# On the top floor the commands use the public names and the gallery; nothing else crosses a floor.
NEIGHBOURS = {
    ("cli", "api"),
    ("cli", "gallery"),
    ("", "api"),
    ("api", "gallery"),
    ("__main__", "cli"),
}

FORBIDDEN = {"eval", "exec", "sympify", "parse_expr", "parse_latex", "lambdify", "nsimplify"}


def room(path: Path) -> str:
    """Return the room a source file belongs to; ``derivgen/__init__.py`` is the room ``""``."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return "" if parts == ("__init__",) else parts[0]


def imported_rooms(path: Path) -> Iterator[tuple[str, int]]:
    """Yield each room of derivgen that a file imports, at any depth, with the line."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: imports are absolute"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            parts = name.split(".")
            if parts[0] == "derivgen":
                yield parts[1] if len(parts) > 1 and parts[1] in FLOORS else "", node.lineno


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_go_down_only(path):
    home = room(path)
    assert home in FLOORS, f"{home} has no floor: give it one in FLOORS"

    wrong = [
        f"{path}:{line}: {home or '__init__'} imports {other or '__init__'}"
        for other, line in imported_rooms(path)
        if other != home and (home, other) not in NEIGHBOURS and FLOORS[other] >= FLOORS[home]
    ]

    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_files_are_short_and_say_what_they_hold(path):
    text = path.read_text(encoding="utf-8")

    assert text.count("\n") <= LONGEST_FILE
    assert not text or ast.get_docstring(ast.parse(text)), f"{path} has no module docstring"


def called_names(path: Path) -> Iterator[tuple[str, int]]:
    """Yield the name of every call in a file, without what it is an attribute of."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            if isinstance(node.func, ast.Name):
                yield node.func.id, node.lineno
            elif isinstance(node.func, ast.Attribute):
                yield node.func.attr, node.lineno


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_no_call_turns_text_into_code(path):
    wrong = [f"{path}:{line}: {name}" for name, line in called_names(path) if name in FORBIDDEN]

    assert not wrong, "\n".join(wrong)


def test_templates_name_no_target_but_their_own():
    for folder, other in (("numpy", "std::"), ("cpp", "import numpy")):
        for template in sorted((ROOT / "templates" / folder).glob("*")):
            assert other not in template.read_text(encoding="utf-8"), template


@pytest.mark.parametrize(
    "command",
    [["ruff", "check", "."], ["ruff", "format", "--check", "--diff", "."], ["mypy"]],
    ids=["ruff check", "ruff format", "mypy"],
)
def test_style_and_types_hold(command):
    ran = subprocess.run(
        [sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert ran.returncode == 0, (ran.stdout + ran.stderr)[-8000:]
