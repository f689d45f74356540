"""Equations alone, without declarations: every number not defined is a parameter."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from derivgen.errors import SyntaxProblem
from derivgen.language.lines import EquationLine, Line, TensorItem, TensorLine
from derivgen.language.rows import names_in
from derivgen.language.syntax import Apply, Tree, Word, parts_of


def loose_statements(lines: Sequence[Line]) -> list[Line]:
    """Return the statements with the declarations they leave out.

    Raises: SyntaxProblem, if there is no equation.
    """
    equations = [line for line in lines if isinstance(line, EquationLine)]
    if not equations:
        where = lines[0].span if lines else None
        raise SyntaxProblem(
            where.text if where else "<equations>",
            "There is no equation.",
            "Write NAME = FORMULA, such as J = 3*(a + b*c).",
            where.source.position(where.start) if where else None,
        )
    last = equations[-1]
    values = [e for e in equations if e is not last and _is_value(e)]
    kept = [line for line in lines if line not in values]
    if not any(line.is_loss for line in equations):
        kept[kept.index(last)] = replace(last, is_loss=True)
    return [*_declared(lines, equations, values), *kept]


def _is_value(line: EquationLine) -> bool:
    return isinstance(line.lhs, Word) and not line.is_loss and not any(names_in(line.rhs))


def _declared(
    lines: Sequence[Line], equations: list[EquationLine], values: list[EquationLine]
) -> list[Line]:
    known = {line.lhs.name for line in equations}
    known |= {i.name.name for line in lines if isinstance(line, TensorLine) for i in line.items}
    known.add("pi")
    made: list[Line] = []
    for line in values:
        item = TensorItem(Word(line.lhs.at, line.lhs.name), (), line.rhs)
        made.append(TensorLine(line.span, "param", (item,)))
    for line in equations:
        for word in _numbers(line.rhs):
            if word.name not in known:
                known.add(word.name)
                made.append(TensorLine(line.span, "param", (TensorItem(word, ()),)))
    return made


def _numbers(tree: Tree) -> list[Word]:
    found: list[Word] = []
    stack = [tree]
    while stack:
        part = stack.pop()
        if isinstance(part, Word):
            found.append(part)
        parts = part.args if isinstance(part, Apply) else parts_of(part)
        stack.extend(reversed(parts))
    return found
