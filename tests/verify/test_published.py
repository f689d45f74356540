"""Formulas of recurrent, convolutional, normalising and attending networks, as papers print them.

Papers name what a network file may name otherwise, index times by any letter, speak of the loss of
one time. A right formula is never wrong; a line ``mistake: OLD => NEW`` below it is found.
"""

from __future__ import annotations

import pytest

from derivgen.verify import verify_text
from tests.verify.conftest import read_networks
from tests.verify.corpus_claims import PUBLISHED, Row, rows

RIGHT = ("proved", "agrees", "holds_if")


@pytest.fixture(scope="module")
def published():
    return read_networks("published_networks.txt")


def parameters(right: bool):
    for row in rows(PUBLISHED):
        if (row.kind == "right") == right:
            yield pytest.param(row, id=f"{row.network}, {row.kind}: {row.text[:60]}")


def worst(row: Row, networks):
    report = verify_text(row.text, networks[row.network], kind="formula")
    (item,) = report.items
    return item


@pytest.mark.parametrize("row", list(parameters(right=True)))
def test_a_published_formula_is_read_and_never_called_wrong(row, published):
    assert worst(row, published).verdict in RIGHT


@pytest.mark.parametrize("row", list(parameters(right=False)))
def test_a_mistake_in_a_published_formula_is_found(row, published):
    item = worst(row, published)

    assert item.verdict == "wrong"
    if not row.kind.startswith("any"):
        assert item.worst.mistake == row.kind
