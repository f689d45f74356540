"""Formulas as well-known texts print them: read, right called right, mistakes named.

One formula in fourteen is judged by default and the first of every text; ``-m slow`` the rest.
"""

from __future__ import annotations

from collections import Counter

import pytest

from derivgen.verify import verify_text
from tests.verify.corpus_claims import TEXTS, rows

EVERY = 14


def parameters(right):
    """Return the right formulas or the mistakes; most of them are marked slow."""
    count: Counter[str] = Counter()
    for row in rows(TEXTS):
        if (row.kind == "right") == right:
            marks = [pytest.mark.slow] if count[row.notation] % EVERY else []
            count[row.notation] += 1
            yield pytest.param(row, id=f"{row.notation}, {row.kind}: {row.text[:50]}", marks=marks)


def judged(row, networks):
    (item,) = verify_text(row.text, networks[row.network], kind="formula").items
    return item


@pytest.mark.parametrize("row", list(parameters(right=True)))
def test_a_formula_is_right_as_its_text_prints_it(row, text_networks):
    assert judged(row, text_networks).verdict in ("proved", "agrees")


@pytest.mark.parametrize("row", list(parameters(right=False)))
def test_a_mistake_in_it_is_found_and_named(row, text_networks):
    item = judged(row, text_networks)

    assert (item.verdict, item.worst.mistake) == ("wrong", row.kind)
