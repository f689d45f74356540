"""What is printed can be read: every displayed formula of the notes, read back and compared.

The reader knows the network by its surface table alone and evaluates both sides itself; it shares
no code with the printer beyond the table.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from derivgen.calculus.derivation import Derivation
from derivgen.calculus.engine import derive
from derivgen.forms.style import STYLES
from derivgen.language import parse
from derivgen.notes import document_of
from derivgen.notes.document import equations
from derivgen.notes.view import make_view
from tests.notes.documents import ALL
from tests.notes.readback import BackReader

ORACLE = Path(__file__).resolve().parents[1] / "oracle" / "networks"
NUMBERS = ("n:", "u:")  # labels of the worked example; its rounded numbers have a test of their own
# Wide layers say no more than narrow ones, and each of their entries is computed to 60 digits.
NARROW: Mapping[str, tuple[tuple[str, str], ...]] = {
    "mnist_mlp": (("784", "6"), ("128", "5")),
    "digits_mlp": (("x[64]", "x[6]"), ("64,", "5,")),
}
LATER = ("general_mlp", "test layers", "test recurrent", "test window")


@cache
def derived(name: str) -> Derivation:
    text = ALL[name] if name in ALL else (ORACLE / f"{name}.dg").read_text(encoding="utf-8")
    for wide, narrow in NARROW.get(name, ()):
        text = text.replace(wide, narrow)
    return derive(parse(text))


def problems(derivation: Derivation, style: str, lang: str = "en") -> dict[str, str]:
    """Return the displayed formulas of the notes that cannot be read or do not hold, with why."""
    reader = BackReader(make_view(derivation, STYLES[style], lang))
    shown = equations(document_of(derivation, style=style, lang=lang))
    kept = [equation for equation in shown if not equation.label.startswith(NUMBERS)]
    assert len(kept) > 5
    return dict(problem for equation in kept for problem in reader.problems(equation))


@pytest.mark.parametrize("name", [name for name in ALL if name not in LATER])
def test_every_formula_of_the_notes_is_read_back_and_holds(name: str) -> None:
    assert problems(derived(name), "textbook") == {}


def test_a_wrong_line_is_found() -> None:
    derivation = derived("sigmoid_mlp")
    view = make_view(derivation, STYLES["textbook"])
    shown = {e.label: e for e in equations(document_of(derivation))}

    wrong = replace(shown["b:W"], lines=(replace(shown["b:b"].lines[-1], left=None),))
    led = replace(wrong, lines=(shown["b:W"].lines[0], *wrong.lines))

    assert [text for text, _ in BackReader(view).problems(led)] == [
        r"\frac{\partial E}{\partial W_{kh}} = \delta_{k}^{(\beta)}"
    ]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["sigmoid_mlp", "softmax_mlp", "iris", "mazur"])
@pytest.mark.parametrize("style", [style for style in STYLES if style != "textbook"])
def test_every_style_can_be_read_back(style: str, name: str) -> None:
    assert problems(derived(name), style) == {}
