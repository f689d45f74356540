"""The report: the place underlined, JSON as promised, a copy of the note that loses nothing."""

from __future__ import annotations

import json
import re

import pytest

from derivgen.verify import annotated, verify_text
from derivgen.verify.report import MISTAKES, VERDICTS
from derivgen.verify.scanner import scan

FIELDS = ["file", "line", "tag", "latex", "members", "verdict", "digits", "assumption", "mistake",
          "hint", "counterexample", "correct"]  # fmt: skip
WRONG = r"$\frac{\partial E}{\partial b_k} = 2$"
NOTE = rf"""---
title: a
---
# A heading {WRONG}

Text before
$$
\frac{{\partial E}}{{\partial W_{{ks}}}} = (y_k-\hat{{y}}_k)\hat{{y}}_k
 (1-\hat{{y}}_k) h_s
$$
text directly after, and {WRONG} inside
the paragraph that goes on.

1. item one {WRONG}
   more of item one
2. item two
   - nested {WRONG}
   - nested two

| a | b |
|---|---|
| {WRONG} | x |
| y | z |

> quoted {WRONG}
> goes on

\begin{{align}}
\frac{{\partial E}}{{\partial b_k}} &= 6 \\
 &= 7
\end{{align}}

```python
x = "$a = 3$"
```
<!-- {WRONG}
-->
Last {WRONG} and $$
\frac{{\partial E}}{{\partial b_k}} = 9
$$
"""


def is_within(lines, others):
    rest = iter(others)
    return all(line in rest for line in lines)


@pytest.fixture(scope="module")
def judged(networks):
    return verify_text(NOTE, networks["mlp"], file="note.md")


def test_the_copy_keeps_all_lines_in_order(judged):
    assert is_within(NOTE.split("\n"), annotated(judged, NOTE).split("\n"))


def test_the_copy_holds_the_same_formulas(judged):
    copy = annotated(judged, NOTE)

    assert [b.text for b in scan(copy).blocks] == [b.text for b in scan(NOTE).blocks]


def test_a_remark_stands_behind_its_table_list_item_and_display(judged):
    copy = annotated(judged, NOTE)

    assert "| y | z |\n\n> **wrong** `2`" in copy
    assert "   more of item one\n\n   > **wrong** `2`" in copy
    assert "     > **wrong** `2`\n" in copy
    assert "\\end{align}\n\n> **wrong** `6`" in copy
    assert "> - wrong `7`: " in copy


def test_every_formula_in_a_remark_is_code(judged):
    remarks = [line for line in annotated(judged, NOTE).split("\n") if line.startswith("> - ")]

    outside = [re.sub(r"`[^`]*`", "", line) for line in remarks]
    assert not any(set(line) & set("\\_^*") for line in outside)


@pytest.mark.parametrize(
    ("file", "text", "sign"),
    [
        ("n.tex", rf"\begin{{document}} {WRONG}" + "\n\\end{document}\n", "%"),
        ("claims.txt", "d(E, b[k]) = 2\nd(E, b[k]) = 3\n", "#"),
    ],
)
def test_other_kinds_of_text_get_their_own_comments(networks, file, text, sign):
    copy = annotated(verify_text(text, networks["mlp"], file=file), text)

    added = [line for line in copy.split("\n") if line not in text.split("\n")]
    assert added and all(line.startswith(sign) for line in added)
    again = verify_text(copy, networks["mlp"], file=file)
    assert len(again.items) == text.count("= ")


def test_windows_line_ends_stay(networks):
    text = f"a {WRONG}\r\nb\r\n"

    assert "\n" not in annotated(verify_text(text, networks["mlp"]), text).replace("\r\n", "")


def test_the_json_report_has_the_fields_of_its_contract_and_no_others(judged):
    records = json.loads(judged.to_json())

    assert all(list(record) == FIELDS for record in records)
    assert all(record["verdict"] in VERDICTS for record in records)
    assert all(record["mistake"] in (*MISTAKES, "") for record in records)
    assert all(m["verdict"] in VERDICTS for record in records for m in record["members"])


def test_the_last_line_counts_every_formula(judged):
    numbers = [int(n) for n in re.findall(r"\d+", judged.summary)]

    assert numbers[0] == sum(numbers[1:6]) == len(judged.items)


@pytest.mark.parametrize(
    ("before", "pad"),
    [("说明：", 2 * len("说明：")), ("\t- a\t", None), ("e\u0301 ", 2)],
)
def test_the_underline_stands_below_wide_characters_tabs_and_accents(networks, before, pad):
    report = verify_text(f"{before}{WRONG}\n", networks["mlp"]).to_text().split("\n")

    source, marks = report[1][4:], report[2][4:]
    start = WRONG.index("2$")
    expected = " " * (pad + start) if pad is not None else "\t   \t" + " " * start
    assert source == before + WRONG
    assert marks == expected + "^"


def test_a_very_long_line_is_cut_around_the_finding(networks):
    report = verify_text("word " * 400 + WRONG + " word" * 400, networks["mlp"]).to_text()

    source, marks = report.split("\n")[1:3]
    assert len(source) < 250
    assert source[marks.index("^")] == "2"
