"""Whole notes without a network file: their own forward equations, letters and numbering."""

from __future__ import annotations

from pathlib import Path

import pytest

from derivgen.verify import verify_text

NOTES = Path(__file__).parent / "corpus" / "notes"
WRONG = {"two_layers": [15], "index_letters": [8]}  # the lines with a seeded mistake


def judged(name):
    return verify_text((NOTES / f"{name}.md").read_text(encoding="utf-8"), kind="note")


@pytest.mark.parametrize("name", sorted(path.stem for path in NOTES.glob("*.md")))
def test_a_note_is_judged_by_the_network_it_defines(name):
    report = judged(name)

    wrong = [item.line for item in report.items if item.verdict == "wrong"]
    read = [item for item in report.items if item.verdict != "not_understood"]
    assert wrong == WRONG.get(name, []), report
    assert len(read) >= 0.85 * len(report.items), report


def test_capitals_stand_for_all_samples_and_want_their_number():
    (missing,) = [item for item in judged("two_layers").items if item.verdict == "wrong"]

    assert missing.worst.mistake == "missing-1-over-m"


def test_a_symbol_defined_below_its_first_use_is_known_above():
    report = judged("gradients_of_thresholds")

    assert all(item.verdict in ("agrees", "proved") for item in report.items), report


def test_a_note_whose_equations_leave_the_numbering_open_is_judged_under_both():
    lines = (NOTES / "weights_leave_their_layer.md").read_text(encoding="utf-8").splitlines()

    report = verify_text("\n".join(lines[2:]), kind="note")

    assert all(item.verdict in ("agrees", "proved") for item in report.items), report


def test_printed_numbers_are_not_judged_where_no_network_gives_any():
    report = verify_text("$$out_{h1} = \\frac{1}{1+e^{-net_{h1}}} = 0.59326999$$", kind="note")

    assert report.items[0].verdict == "not_understood"
