"""Printers and emission: from a program to files in a language."""

from __future__ import annotations

from pathlib import Path

from derivgen.errors import FileProblem


def templates_folder() -> Path:
    """Return the folder of templates: inside the installed package, or beside it in a checkout.

    Raises: FileProblem, if there is none.
    """
    package = Path(__file__).resolve().parent.parent
    for folder in (package / "templates", package.parent / "templates"):
        if folder.is_dir():
            return folder
    raise FileProblem("templates", "The templates are missing.", "Install derivgen again.")
