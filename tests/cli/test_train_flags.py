"""The trainer's flags on derivgen's command line, refused early and completed by the gallery."""

from __future__ import annotations

import pytest

from derivgen import gallery
from derivgen.cli.source import Source
from derivgen.cli.train import check_flags, with_defaults
from derivgen.errors import UsageProblem


def test_known_flags_pass_through_in_the_trainers_spelling():
    flags = check_flags(["--data", "a.csv", "b.csv", "--column", "y", "--epochs=3", "--json"])

    assert flags == ["--data", "a.csv", "b.csv", "--target", "y", "--epochs", "3", "--json"]


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (["--epoch", "3"], "Did you mean --epochs?"),
        (["--epochs"], "Write --epochs N."),
        (["--epochs", "--json"], "Write --epochs N."),
        (["--json", "3"], "It follows no flag."),
        (["stray"], "It follows no flag."),
    ],
)
def test_a_wrong_flag_is_refused_with_advice(given, says):
    with pytest.raises(UsageProblem) as caught:
        check_flags(given)

    assert says in str(caught.value)


def test_a_negative_number_is_a_value():
    assert check_flags(["--lr", "-0.5"]) == ["--lr", "-0.5"]


def shipped(name: str) -> Source:
    entry = gallery.entry(name)
    assert entry is not None
    return Source(None, entry.text, entry)


def test_a_shipped_network_brings_its_data_and_settings():
    flags = with_defaults(["--epochs", "3"], shipped("iris"))

    assert flags[0] == "--data" and flags[1].endswith("iris.csv")
    assert flags[2:] == ["--scale", "standard", "--holdout", "0.3333", "--epochs", "3"]


def test_given_data_and_settings_win_over_the_shipped_ones():
    flags = with_defaults(["--data", "my.csv", "--scale", "none"], shipped("iris"))

    assert flags == ["--holdout", "0.3333", "--data", "my.csv", "--scale", "none"]


def test_test_files_leave_nothing_to_hold_out():
    flags = with_defaults(["--data", "a.csv", "--test", "b.csv"], shipped("iris"))

    assert "--holdout" not in flags
