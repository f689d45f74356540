"""Networks of the corpus and of the notes, for all tests of proof-reading."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from derivgen.language import parse

CORPUS = Path(__file__).parent / "corpus"


def read_networks(file="networks.txt"):
    text = re.sub(r"#.*", "", (CORPUS / file).read_text(encoding="utf-8"))
    parts = [part for part in re.split(r"(?m)^(?=network )", text) if part.strip()]
    return {network.name: network for network in map(parse, parts)}


@pytest.fixture(scope="session")
def networks():
    """Return the networks of the corpus by name."""
    return read_networks()


@pytest.fixture(scope="session")
def text_networks():
    """Return the networks of the formulas from well-known texts by name."""
    return read_networks("text_networks.txt")


@pytest.fixture(scope="session")
def mazur(root):
    """Return the net of the step by step example, with its numbers."""
    return parse((root / "derivgen/gallery/mazur.dg").read_text(encoding="utf-8"))
