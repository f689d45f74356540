"""The corpus as data: right formulas and machine-made mistakes.

A line ``kind: OLD => NEW`` replaces text once in the right formula above it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

CORPUS = Path(__file__).parent / "corpus"
CLAIMS = CORPUS / "claims.txt"
TEXTS = CORPUS / "texts.txt"
PUBLISHED = CORPUS / "published_claims.txt"


@dataclass(frozen=True)
class Row:
    """One formula of the corpus: its network, its notation, and what is wrong with it."""

    network: str
    notation: str
    kind: str  # "right", or the mistake
    text: str


def rows(claims: Path = CLAIMS) -> Iterator[Row]:
    network = notation = right = ""
    for line in claims.read_text(encoding="utf-8").splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        if line.startswith("@"):
            network, notation = line[1:].split()
        elif not line.startswith(" "):
            right = line
            yield Row(network, notation, "right", right)
        else:
            kind, _, rest = line.strip().partition(": ")
            old, _, new = (rest + " ").partition(" =>")
            assert old in right, f"{old!r} does not occur in {right!r}"
            yield Row(network, notation, kind, right.replace(old, new.strip(), 1))
