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
from tests.notes.documents import ALL, SHIPPED
from tests.notes.readback import BackReader

ORACLE = Path(__file__).resolve().parents[1] / "oracle" / "networks"
NUMBERS = ("n:", "u:")  # labels of the worked example; its rounded numbers have a test of their own
# Wide layers say no more than narrow ones, and each of their entries is computed to 60 digits.
NARROW: Mapping[str, tuple[tuple[str, str], ...]] = {
    "mnist_mlp": (("784", "6"), ("128", "5")),
    "digits_mlp": (("x[64]", "x[6]"), ("64,", "5,")),
}
# Networks with lines that are not read back, by label, each with the reason.
UNREAD: Mapping[str, tuple[str, ...]] = {
    # w[N-1] and w[3] are one entry at the declared N alone; a letter and a number are kept apart.
    "fixed_entries": ("b:w:0", "b:w:4"),
    # Two tensors hold du/dz, one on the way to du/dw and one to du/db, and print alike.
    "derivative_by_parameter": ("b:d_u_d_z_u_2", "local:z_u", "b:z_u", "local:b", "b:b"),
    # t' runs over the steps of a second derivative, which no letter of the text names.
    "second_order_scan": ("local:a",),
    # The winner's place is counted from 0, under the letter that the text has for 3..7.
    "winners_from_three": ("f:winner_worst", "f:winner_E"),
    # One entry of A may be read at several t; the printed local derivative is that of one t.
    "viterbi_path": ("local:A", "b:A"),
    # The maximum of t = 0 does not exist; the reader takes one of zeros, a tie.
    "best_path": ("local:u_v",),
}
QUICK = ("attention_over_past", "batch_norm", "crf", "embedding", "gru", "rotary")
QUICK += ("product_reduction",)


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
    known = UNREAD.get(derivation.network.name, ())
    kept = [e for e in shown if not e.label.startswith(NUMBERS) and e.label not in known]
    assert kept
    return dict(problem for equation in kept for problem in reader.problems(equation))


@pytest.mark.parametrize("name", [*ALL, *QUICK])
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
@pytest.mark.parametrize("name", [path.stem for path in sorted(ORACLE.glob("*.dg"))])
def test_every_formula_of_all_networks_is_read_back_and_holds(name: str) -> None:
    assert problems(derived(name), "textbook") == {}


@pytest.mark.slow
@pytest.mark.parametrize("name", SHIPPED)
@pytest.mark.parametrize("style", [style for style in STYLES if style != "textbook"])
def test_every_style_can_be_read_back(style: str, name: str) -> None:
    assert problems(derived(name), style) == {}
