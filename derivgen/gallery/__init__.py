"""The shipped networks, by name, and what their training uses.

A network is a file ``NAME.dg`` beside this one; its first comment line is its summary. The data
sets and trainer flags of ``derivgen train NAME`` stand in ``gallery.toml``.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Entry:
    """A shipped network: its name, summary, text, data files and trainer flags."""

    name: str
    summary: str
    text: str
    data: tuple[Path, ...] = ()
    flags: tuple[str, ...] = ()


def names() -> tuple[str, ...]:
    """Return the names of the shipped networks, sorted."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.dg")))


def entry(name: str) -> Entry | None:
    """Return a shipped network, or ``None`` if there is none of that name."""
    if name not in names():
        return None
    text = (FOLDER / f"{name}.dg").read_text(encoding="utf-8")
    row = tomllib.loads((FOLDER / "gallery.toml").read_text(encoding="utf-8")).get(name, {})
    files = tuple(FOLDER / "data" / file for file in row.get("data", ()))
    return Entry(name, _summary(text), text, files, tuple(row.get("flags", ())))


def _summary(text: str) -> str:
    first = text.split("\n", 1)[0]
    return first.removeprefix("#").strip() if first.startswith("#") else ""
