"""The reference of the language: every example in it is read as it stands."""

from __future__ import annotations

import re

import pytest

from derivgen.language import parse, reference

BLOCK = re.compile(r"```dg(?P<kind> rows)?\n(?P<text>.*?)```", re.DOTALL)
EXAMPLES = [(bool(m["kind"]), m["text"]) for m in BLOCK.finditer(reference())]
SMALLEST = "\nparam a = 1\nloss E = a^2\n"


@pytest.mark.parametrize("rows, text", EXAMPLES, ids=lambda part: str(part)[:24].split("\n")[0])
def test_an_example_of_the_reference_is_a_network(rows: bool, text: str) -> None:
    network = parse(text + (SMALLEST if rows else ""))

    assert network.loss is not None


def test_the_reference_has_examples_of_both_kinds() -> None:
    assert {rows for rows, _ in EXAMPLES} == {False, True}
