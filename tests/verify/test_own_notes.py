"""The notes that derivgen prints, read like anybody's: by the conventions, without their table."""

from __future__ import annotations

import pytest

import derivgen


@pytest.mark.parametrize("name", ["graph", "mazur", "sigmoid_mlp", "softmax_mlp"])
def test_nothing_in_our_own_notes_is_called_wrong(name: str) -> None:
    net = derivgen.load(name)

    report = net.verify(net.derive().markdown())

    assert report.count("wrong") == 0
    assert report.count("proved") > 10


def test_definitions_of_two_errors_do_not_stand_for_each_other() -> None:
    note = r"""
$$\delta_{h1} := \frac{\partial E}{\partial net_{h1}}$$
$$\frac{\partial E}{\partial w_5} = \delta_{o1}\,out_{h1}$$
$$\frac{\partial E}{\partial w_1} = \delta_{h1}\,i_1$$
"""

    report = derivgen.load("mazur").verify(note)

    assert [item.verdict for item in report.items[1:]] == ["proved", "proved"]
