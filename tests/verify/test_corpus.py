"""Verdicts and hints on the corpus: no false alarm, no mistake passed, each mistake named.

``python -m tests.verify.test_corpus`` prints the table of verdicts and hints by kind. By default
one formula in four is judged and the first of every kind; ``-m slow`` judges the rest.
"""

from __future__ import annotations

from collections import Counter

import pytest

from derivgen.verify import verify_text
from tests.verify.conftest import read_networks
from tests.verify.corpus_claims import Row, rows

EVERY = 4


def judged(row: Row, networks):
    kind = "plain" if row.notation == "plain" else "formula"
    report = verify_text(row.text, networks[row.network], kind=kind)
    (item,) = report.items
    return item


def parameters(right):
    """Return the right formulas or the mistakes; most of them are marked slow."""
    kinds: Counter[str] = Counter()
    for row in rows():
        number = kinds[row.kind]
        kinds[row.kind] += 1
        if (row.kind == "right") == right:
            name = f"{row.network}, {row.kind}: {row.text[:50]}"
            marks = [pytest.mark.slow] if number % EVERY else []
            yield pytest.param(row, id=name, marks=marks)


@pytest.mark.parametrize("row", list(parameters(right=True)))
def test_a_right_formula_is_never_called_wrong(row, networks):
    assert judged(row, networks).verdict in ("proved", "agrees")


@pytest.mark.parametrize("row", list(parameters(right=False)))
def test_a_mistake_is_found_and_named(row, networks):
    item = judged(row, networks)

    assert item.verdict == "wrong"
    assert item.worst.mistake == row.kind


def test_the_corpus_has_the_size_and_the_notations_it_promises():
    found = list(rows())

    assert len(found) >= 200
    assert len({row.notation for row in found}) >= 6
    assert len({row.network for row in found}) >= 7


def table() -> str:
    """Return verdicts and hints by kind of mistake."""
    networks = read_networks()
    count: Counter[str] = Counter()
    verdicts: Counter[str] = Counter()
    hints: Counter[str] = Counter()
    for row in rows():
        item = judged(row, networks)
        right = item.verdict in ("proved", "agrees")
        count[row.kind] += 1
        verdicts[row.kind] += right if row.kind == "right" else item.verdict == "wrong"
        hints[row.kind] += row.kind != "right" and item.worst.mistake == row.kind
    lines = ["| formulas | number | right verdict | right hint |", "|---|---|---|---|"]
    for kind in count:
        hint = "-" if kind == "right" else hints[kind]
        lines.append(f"| {kind} | {count[kind]} | {verdicts[kind]} | {hint} |")
    total = sum(count.values())
    lines.append(f"| all | {total} | {sum(verdicts.values())} | {sum(hints.values())} |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(table())
