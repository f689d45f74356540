"""Matrices and cases: the environments that hold rows of entries."""

from __future__ import annotations

from derivgen.formulas import tree
from derivgen.formulas.cursor import DOTS
from derivgen.formulas.grammar import Grammar
from derivgen.formulas.repair import argument_end
from derivgen.formulas.tree import FormulaError, Notice, Span, Token, Tree


class MatrixParser(Grammar):
    """Reads environments; what stands in an entry is read by the parser built upon it."""

    def _environment(self, opened: Token | None = None) -> Tree:
        token = self.next()
        kind = token.text.rstrip("*")
        if kind == "array" and self.peek().kind == "{":
            self.place = argument_end(self.tokens, self.place)
        rows = self._rows(kind)
        span = self.span_from(token.span[0])
        if kind == "cases" or opened is not None:
            return self._cases(rows, span)
        parsed = tuple(tuple(self._entry(cell) for cell in row) for row in self._joined(rows))
        return tree.Matrix(parsed, span)

    def _rows(self, kind: str) -> list[list[list[Token]]]:
        rows: list[list[list[Token]]] = [[[]]]
        level = 0
        while True:
            token = self.next()
            if token.kind == "eof":
                raise FormulaError(kind, r"\begin lacks its \end.", "", token.span)
            level += (token.kind == "begin") - (token.kind == "end")
            if level < 0:
                break
            if level == 0 and token.kind == "row":
                rows.append([[]])
            elif level == 0 and token.kind == "&":
                rows[-1].append([])
            else:
                rows[-1][-1].append(token)
        return [row for row in rows if any(row)]

    def _joined(self, rows: list[list[list[Token]]]) -> list[list[list[Token]]]:
        """Join a row that ends in an operator with the next one."""
        found: list[list[list[Token]]] = []
        open_row = False
        for row in rows:
            if open_row:
                found[-1][-1].extend(row[0])
                found[-1].extend(row[1:])
            else:
                found.append(row)
            last = found[-1][-1][-1] if found[-1][-1] else None
            open_row = last is not None and (last.kind == "operator" or last.text == r"\dot")
            if open_row and last is not None:
                if last.text == r"\dot":
                    self.notices.append(Notice("dot", last.span))
                self.notices.append(Notice("row-break", last.span))
                found[-1][-1][-1] = Token("operator", r"\cdot", last.span)
        return found

    def _entry(self, tokens: list[Token]) -> Tree | None:
        if not tokens or all(t.text in DOTS or t.text == "." for t in tokens):
            return None
        while tokens[-1].text == ",":
            tokens = tokens[:-1]
        return self._inner(tokens)

    def _cases(self, rows: list[list[list[Token]]], span: Span) -> Tree:
        values: list[Tree] = []
        conditions: list[tuple[Token, ...]] = []
        for row in rows:
            value = row[0]
            while value and value[-1].kind in (",", ";"):
                value = value[:-1]
            values.append(self._inner(value))
            conditions.append(tuple(row[1]) if len(row) > 1 else ())
        return tree.Cases(tuple(values), tuple(conditions), span)
