"""Lines of an equation put together where they fit, in their order, with their reasons."""

from __future__ import annotations

from derivgen.forms.math import Math, Sym
from derivgen.notes import render
from derivgen.notes.document import Equation, Line, Ref
from derivgen.notes.packing import packed
from tests.notes.documents import derived

BY = "by "


def chain(*rights: Math, loose: bool = False) -> Equation:
    lines = [Line(Sym("y") if not n else None, right) for n, right in enumerate(rights)]
    return Equation("e", tuple(lines), loose=loose)


def shape(equation: Equation, limit: int) -> list[int]:
    return [len(group.lines) for group in packed(equation, "en", limit)]


def test_short_steps_share_a_line() -> None:
    assert shape(chain(Sym("a"), Sym("b"), Sym("c")), 40) == [3]


def test_steps_are_put_together_from_the_last_one_back() -> None:
    assert shape(chain(Sym("a" * 10), Sym("b" * 10), Sym("c" * 10)), 30) == [1, 2]


def test_a_loose_equation_has_a_line_for_each_step() -> None:
    assert shape(chain(Sym("a"), Sym("b"), loose=True), 40) == [1, 1]


def test_reasons_that_cite_one_equation_each_are_listed_once() -> None:
    lines = (
        Line(Sym("y"), Sym("a"), why=(BY, Ref("p"))),
        Line(None, Sym("b"), why=(BY, Ref("q"))),
    )

    (group,) = packed(Equation("e", lines), "en", 60)

    assert group.why == (BY, Ref("p"), " and ", Ref("q"))


def test_the_gradients_of_named_weights_stand_together_in_declared_order() -> None:
    text = render(derived("mazur"), "text")

    gradients = text.split("Gradients of w1, ... and b2")[1].split("Worked example")[0]
    found = [line.split()[0] for line in gradients.splitlines() if " dE/d" in line[:8]]
    assert found == [f"dE/dw{n}" for n in range(1, 9)] + ["dE/db1", "dE/db2"]


def test_full_detail_keeps_a_section_for_each_quantity() -> None:
    text = render(derived("mazur"), "text", detail="full")

    assert "Gradient of w5" in text
    assert "dnet_o1/dw5 = out_h1   [from (5)]" in text


def test_text_keeps_to_eighty_columns_where_lines_can_break() -> None:
    text = render(derived("softmax_mlp"), "text")

    assert [line for line in text.splitlines() if len(line) > 80] == []
