r"""Indicators: ``1\{y = k\}``, ``\mathbb{1}_{i=j}``, a condition kept as tokens."""

from __future__ import annotations

from derivgen.formulas import tree
from derivgen.formulas.code import CodeParser
from derivgen.formulas.repair import OPEN, argument_end
from derivgen.formulas.tree import Tree


class IndicatorParser(CodeParser):
    """Reads the condition of an indicator; the parser built upon it reads what brackets hold."""

    def _below_is_condition(self, place: int) -> bool:
        r"""Tell whether a subscript holds a relation: ``\mathbb{1}_{i=j}``."""
        under = self.tokens[place : place + 2]
        braced = len(under) == 2 and under[0].kind == "_" and under[1].kind == "{"
        return braced and any(
            t.kind == "relation" for t in self.tokens[place : argument_end(self.tokens, place + 1)]
        )

    def _condition_below(self, start: int) -> Tree:
        self.next()
        inner = self._script_argument()
        if len(inner) > 2 and OPEN.get(inner[0].text) == inner[-1].text:
            inner = inner[1:-1]
        return tree.Indicator(inner, self.span_from(start))

    def _indicator(self, start: int) -> Tree:
        opened = self.next()
        inner = self._until_closed(OPEN[opened.text])
        return tree.Indicator(tuple(inner), self.span_from(start))
