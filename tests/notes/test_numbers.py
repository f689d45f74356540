"""The worked example read as arithmetic: its lines of numbers give the values that it prints."""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from derivgen.calculus.engine import derive
from derivgen.forms.plain import plain
from derivgen.language import parse
from derivgen.notes import document_of
from derivgen.notes.document import equations
from tests.notes.documents import SHIPPED

ORACLE = Path(__file__).resolve().parents[1] / "oracle" / "networks"
PRINTED = 1e-7  # nine digits are printed; a sum of several loses one or two
KNOWN: Mapping[str, Callable[..., float]] = {
    "sigmoid": lambda z: 1 / (1 + math.exp(-z)),
    **{name: getattr(math, name) for name in ("exp", "log", "sqrt", "tanh", "sin", "cos", "erf")},
    "max": max,
    "min": min,
    "abs": abs,
}
SIGNS: Mapping[type, Callable[..., float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
    ast.USub: operator.neg,
}


def value(node: Any) -> tuple[float, float]:
    """Return the value of arithmetic and the size of its largest part; KeyError for other text."""
    match node:
        case ast.Constant(float() | int() as number):
            return float(number), abs(number)
        case ast.UnaryOp(op, operand):
            parts = [value(operand)]
            made = SIGNS[type(op)](parts[0][0])
        case ast.BinOp(left, op, right):
            parts = [value(left), value(right)]
            made = SIGNS[type(op)](parts[0][0], parts[1][0])
        case ast.Call(ast.Name(name), args):
            parts = [value(arg) for arg in args]
            made = KNOWN[name](*(part for part, _ in parts))
        case _:
            raise KeyError(ast.dump(node))
    return made, max(abs(made), *(size for _, size in parts))


def read(text: str) -> tuple[float, float] | None:
    """Return what a line says in numbers alone, None if it says more than numbers."""
    try:
        return value(ast.parse(" ".join(text.split()).replace("^", "**"), mode="eval").body)
    except (SyntaxError, KeyError):
        return None


def claims(text: str, values: int | None) -> list[tuple[str, str, bool]]:
    """Return the neighbouring lines of numbers alone, and whether they agree as printed."""
    found = []
    for equation in equations(document_of(derive(parse(text)), values=values)):
        lines = [plain(line.right) for line in equation.lines]
        for one, other in zip(lines, lines[1:], strict=False):
            left, right = read(one), read(other)
            if equation.label.startswith(("n:", "u:")) and left is not None and right is not None:
                gap = abs(left[0] - right[0])
                found.append((one, other, gap <= PRINTED * max(1e-3, left[1], right[1])))
    return found


@pytest.mark.parametrize(("name", "count"), [("mazur", 37), ("graph", 10)])
def test_lines_of_numbers_give_the_values_printed(name: str, count: int) -> None:
    found = claims(SHIPPED[name], None)

    assert [claim for claim in found if not claim[2]] == []
    assert len(found) >= count


@pytest.mark.slow
def test_lines_of_numbers_of_all_networks_give_the_values_printed() -> None:
    found = []
    for path in sorted(ORACLE.glob("*.dg")):
        found += claims(path.read_text(encoding="utf-8"), 3)

    assert [claim for claim in found if not claim[2]] == []
    assert len(found) > 100


def test_a_wrong_number_is_found() -> None:
    assert read("0.4*0.593269992 + 0.6") == pytest.approx((0.8373079968, 0.8373079968))
    assert read("w*0.5") is None
