"""NET on the command line: what it may name, and what is said when it names nothing."""

from __future__ import annotations

import pytest

from derivgen.cli.source import read_source
from derivgen.errors import DerivgenError, FileProblem, NameProblem, UsageProblem


def test_letters_that_no_equation_defines_become_parameters():
    net = read_source(None, "J = 3*(a + b*c)").net

    assert [t.name for t in net.network.parameters] == ["a", "b", "c"]
    assert net.network.loss == "J"


def test_a_letter_set_to_a_number_gets_that_value():
    net = read_source(None, "a = 5; u = a*exp(b); J = u^2").net

    assert {t.name: t.values for t in net.network.parameters} == {"a": 5, "b": None}


@pytest.mark.parametrize("equations", ["", "  ;", "3*(a + b)"])
def test_a_text_without_equation_is_refused(equations):
    with pytest.raises(DerivgenError):
        read_source(None, equations).net.derive()


def test_a_misspelt_shipped_name_is_answered_with_the_near_one():
    with pytest.raises(NameProblem) as caught:
        read_source("mazurr")

    assert "Did you mean mazur?" in str(caught.value)


def test_a_missing_file_is_named():
    with pytest.raises(FileProblem, match="There is no such file"):
        read_source("no/such.dg")


def test_a_folder_is_not_a_network(tmp_path):
    with pytest.raises(FileProblem, match="It is a folder"):
        read_source(str(tmp_path))


def test_a_binary_file_is_refused_with_the_byte(tmp_path):
    file = tmp_path / "bad.dg"
    file.write_bytes(b"network x\n\xff\xfe")

    with pytest.raises(FileProblem, match="byte 10 is 0xff"):
        read_source(str(file))


@pytest.mark.parametrize("given", [(None, None), ("mazur", "J = a")])
def test_exactly_one_network_is_asked_for(given):
    with pytest.raises(UsageProblem, match="Name one network"):
        read_source(*given)
