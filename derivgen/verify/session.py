"""The state of verifying one text: its stages, what its letters are used for, what was found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from derivgen.formulas.symbols import Symbols
from derivgen.formulas.terms import Term
from derivgen.formulas.tokens import Macro
from derivgen.formulas.tree import Notice
from derivgen.verify.notebook import Notebook
from derivgen.verify.report import Item, Mention
from derivgen.verify.stage import Stage
from derivgen.verify.structure import (
    Letters,
)

# Lenient readings that do not question what was meant, only how it is written.
NOTATION = ("brace", "underscore", "bare-superscript", "full-width", "dot", "row-break",
            "no-bounds", "no-start", "part-macro", "unknown-macro", "bracket-kind")  # fmt: skip


@dataclass
class Desk:
    """The state of verifying one text; ``told`` is what it says unknown functions are."""

    text: str
    file: str
    notebook: Notebook
    stages: list[Stage]
    macros: Mapping[str, Macro] = field(default_factory=dict)
    letters: Letters = field(default_factory=Letters)
    starts: list[int] = field(default_factory=list)
    items: list[Item] = field(default_factory=list)
    mentions: list[Mention] = field(default_factory=list)
    told: dict[str, tuple[str, Term]] = field(default_factory=dict)

    @property
    def symbols(self) -> Symbols:
        return self.stages[0].symbols


def notice_text(notice: Notice, notebook: Notebook) -> str:
    """Return a lenient reading in words."""
    return notebook.say(notice.key, text=notice.detail)


def is_slope(term: Term) -> bool:
    """Tell whether a member is a derivative of the loss, or its negative, and nothing more."""
    while term.op in ("negate", "group"):
        term = term.args[0]
    return term.op == "gradient" and not term.data.symbol
