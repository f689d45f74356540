"""The surface table is read as it is printed."""

from __future__ import annotations

import pytest

from derivgen.errors import SyntaxProblem
from derivgen.formulas.surface import Reading, parse_table, print_table

TABLE = r"""
\hat{y}_i^{(<k>)} -> yhat[k]   # an element
\mathbf{W}^{(1)} -> W1
h_{<t>} -> h[t,:]
\delta^{(2)}_{<j>} -> d(C, z2[j])
dZ^{[1]} -> N*d(J, Z1)
\sigma -> f
layout rows
"""


def test_a_printed_table_reads_back_equal():
    table = parse_table(TABLE)

    again = parse_table(print_table(table))

    assert again == table
    assert again.layout == "rows"


def test_each_kind_of_reading_is_told_apart():
    readings = [row.reading for row in parse_table(TABLE).rows]

    assert readings == [
        Reading("yhat", ("k",)),
        Reading("W1"),
        Reading("h", ("t", ":")),
        Reading("z2", ("j",), of="C"),
        Reading("Z1", None, of="J", scale="N"),
        Reading("f"),
    ]


@pytest.mark.parametrize("line", ["W_{ks}", "W -> W[", "-> W[k]", "layout diagonal"])
def test_a_line_that_is_no_row_is_refused_with_its_place(line):
    with pytest.raises(SyntaxProblem) as caught:
        parse_table("\n" + line, "style.txt")

    assert str(caught.value).startswith("style.txt:2:1: SyntaxProblem:")
