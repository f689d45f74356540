"""Where the optional data and notes lie; a test that needs them is skipped, saying so."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def _folder(variable: str) -> Path:
    place = os.environ.get(variable)
    if not place:
        pytest.skip(f"{variable} is not set: name a folder to run this test")
    if not Path(place).is_dir():
        pytest.fail(f"{variable} names {place}, which is not a folder")
    return Path(place)


@pytest.fixture(scope="session")
def root() -> Path:
    """Return the repository's root."""
    return ROOT


@pytest.fixture(scope="session")
def data() -> Path:
    """Return the folder of data sets, ``DERIVGEN_DATA``."""
    return _folder("DERIVGEN_DATA")


@pytest.fixture(scope="session")
def notes() -> Path:
    """Return the folder of hand-written notes, ``DERIVGEN_NOTES``."""
    return _folder("DERIVGEN_NOTES")
