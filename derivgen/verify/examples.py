"""Numbers of an example, and what a text says of its data: no network can contradict either."""

from __future__ import annotations

from derivgen.algebra.network import Role
from derivgen.formulas.terms import Claim, Term, walk
from derivgen.verify.compare import is_fixed
from derivgen.verify.digits import has_values
from derivgen.verify.notebook import Notebook
from derivgen.verify.numbers import has_decimals, is_numeric
from derivgen.verify.report import Finding
from derivgen.verify.stage import Stage


def about_data(
    anchor: Term, member: Term, claim: Claim, stage: Stage, text: str, notebook: Notebook
) -> Finding | None:
    """Tell apart numbers of an example that the network does not have, and what data are."""
    slope = any(part.op == "gradient" for _, part in walk(anchor))
    example = is_numeric(member) and (has_decimals(member) or not slope)
    if example and not has_values(stage) and not is_fixed(anchor, claim, stage):
        return Finding("not_understood", text, member.span, reason=notebook.say("no-values"))
    if anchor.op != "element" or "{}" in anchor.data.tensor:
        return None
    tensor = stage.symbols.tensors[anchor.data.tensor]
    if tensor.role not in (Role.INPUT, Role.TARGET):
        return None
    words = notebook.say("data", text=tensor.name)
    return Finding("holds_if", text, member.span, assumption=words)
