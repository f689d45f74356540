"""The loss with the forward equations put back in, layer by layer: why the chain rule is needed."""

from __future__ import annotations

from derivgen.algebra.expressions import Access, Expr, Node, accesses, replace_nodes
from derivgen.algebra.network import Role
from derivgen.forms.fold import Equality
from derivgen.forms.layout import formula
from derivgen.forms.math import Math, width
from derivgen.notes.document import Block, Equation, Line, Paragraph, Section
from derivgen.notes.inline import unfolded
from derivgen.notes.view import View, display
from derivgen.notes.words import say

WIDEST = 420  # rough characters; a longer line teaches nothing


def expanded_section(view: View, depth: int) -> list[Block]:
    """Return the loss written out to ``depth`` substitutions, as far as lines stay readable."""
    definitions = _definitions(view)
    loss = view.derivation.network.loss or ""
    if depth < 1 or loss not in definitions:
        return []
    current = definitions[loss]
    left, right = display(view, current)
    lines = [Line(left, right)]
    for _ in range(depth):
        deeper = _substituted(view, current, definitions)
        if deeper is None:
            break
        math = _math(view, deeper)
        if width(math) > WIDEST:
            break
        current = deeper
        lines.append(Line(None, math))
    if len(lines) == 1:
        return []
    told = Paragraph(say(view.lang, "expanded intro"))
    return [Section(say(view.lang, "expanded"), (told, Equation("x:loss", tuple(lines))))]


def _math(view: View, equality: Equality) -> Math:
    return formula(equality.rhs, view.context(equality.rhs, first=equality.indices))


def _definitions(view: View) -> dict[str, Equality]:
    """Return the equations as written of tensors that have just one."""
    found: dict[str, list[Equality]] = {}
    for equation in view.derivation.network.equations:
        found.setdefault(equation.lhs.tensor, []).append(Equality(equation.lhs, equation.rhs))
    return {
        name: equations[0]
        for name, equations in found.items()
        if len(equations) == 1 and all(f.plain for f in equations[0].lhs.indices)
    }


def _substituted(
    view: View, current: Equality, definitions: dict[str, Equality]
) -> Equality | None:
    """Return the equation with every computed tensor replaced by its definition, once."""
    mapping: dict[Node, Node] = {}
    rhs: Expr = current.rhs
    for access in accesses(rhs):
        role = view.derivation.network.tensors[access.tensor].role
        definition = definitions.get(access.tensor)
        if role is not Role.VALUE or definition is None or _recurs(definition):
            continue
        mapping[access] = unfolded(definition, access, Equality(current.lhs, rhs))
    return Equality(current.lhs, replace_nodes(rhs, mapping)) if mapping else None


def _recurs(definition: Equality) -> bool:
    return any(
        isinstance(part, Access) and part.tensor == definition.lhs.tensor
        for part in accesses(definition.rhs)
    )
