"""The reference of the language: every example in it is read as it stands."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from derivgen.language import parse, reference

ROOT = Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"```dg(?P<kind> rows)?\n(?P<text>.*?)```", re.DOTALL)
EXAMPLES = [(bool(m["kind"]), m["text"]) for m in BLOCK.finditer(reference())]
SMALLEST = "\nparam a = 1\nloss E = a^2\n"


@pytest.mark.parametrize("rows, text", EXAMPLES, ids=lambda part: str(part)[:24].split("\n")[0])
def test_an_example_of_the_reference_is_a_network(rows: bool, text: str) -> None:
    network = parse(text + (SMALLEST if rows else ""))

    assert network.loss is not None


def test_the_reference_has_examples_of_both_kinds() -> None:
    assert {rows for rows, _ in EXAMPLES} == {False, True}


def test_the_python_example_builds_a_network() -> None:
    (code,) = re.findall(r"```python\n(.*?)```", reference(), re.DOTALL)
    command = [sys.executable, "-c", code + "print(network.loss, len(network.parameters))"]

    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)

    assert done.stdout == "E 4\n", done.stderr
