"""Every sentence of a report has a Chinese form, those of reading errors included."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import derivgen
from derivgen.verify import verify_text
from derivgen.verify.problems import translated
from derivgen.verify.stage import GENERIC
from tests.verify.corpus_claims import rows

ROOMS = [Path(derivgen.__file__).parent / room for room in ("verify", "formulas")]
RAISED = {"NoValue": 0, "ShapeMismatch": 0, "Beyond": 0, "NoPoint": 0, "FormulaError": 1}
EVERY = 9
PROSE = re.compile(r"\b[A-Za-z]{2,} [a-z]{2,} [a-z]{2,}\b")


def sentences():
    """Yield every sentence that is raised where formulas are read or evaluated, gaps as x."""
    for path in (path for room in ROOMS for path in sorted(room.glob("*.py"))):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            name = getattr(getattr(node, "func", None), "id", "")
            if name not in RAISED or len(node.args) <= RAISED[name]:
                continue
            argument = node.args[RAISED[name]]
            if isinstance(argument, ast.Constant):
                yield argument.value
            elif isinstance(argument, ast.JoinedStr):
                parts = [p.value if isinstance(p, ast.Constant) else "x" for p in argument.values]
                yield "".join(parts)


@pytest.mark.parametrize("text", sorted({s for s in sentences() if " " in s.strip()} - {"x · x"}))
def test_every_reading_error_has_a_chinese_sentence(text):
    if re.fullmatch(r"x [·⊙+] x", text):
        return

    assert re.search(r"[\u4e00-\u9fff]", translated(text, "zh")), text


@pytest.mark.parametrize("name", [row[0] for row in GENERIC])
def test_every_generic_network_has_a_chinese_name(name):
    assert translated(name, "zh") != name


@pytest.mark.parametrize("row", list(rows())[::EVERY], ids=lambda row: row.text[:60])
def test_a_chinese_report_holds_no_english_sentence(row, networks):
    kind = "plain" if row.notation == "plain" else "formula"
    report = verify_text(row.text, networks[row.network], lang="zh", kind=kind)

    for item in report.items:
        for member in item.members:
            for text in (member.hint, member.assumption, member.reason, member.counterexample):
                assert not PROSE.search(text), text
        assert not PROSE.search(report.summary)


@pytest.mark.parametrize(
    "text",
    [
        r"\frac{\partial E}{\partial W_{ks}} = \sin(q_k",
        r"\frac{\partial E}{\partial W_{ks}} = \frac{\partial q}{\partial r}",
        r"\nabla_W E = h\,(\hat y - y)",
        r"z^{[7]} = W^{[7]} a^{[6]}",
    ],
)
def test_what_is_not_understood_says_so_in_chinese(text, networks):
    report = verify_text(text, networks["mlp"], lang="zh", kind="formula")

    assert not PROSE.search(report.to_text().replace(text, "")), report.to_text()
