"""Why backpropagation shares: paths of the naive chain rule against products computed once."""

from __future__ import annotations

from dataclasses import dataclass

from derivgen.forms.math import Num
from derivgen.notes.document import Formula, Paragraph
from derivgen.notes.view import View
from derivgen.notes.words import say


@dataclass(frozen=True)
class Reuse:
    """Counts over the graph of tensors.

    ``paths`` from the loss to the asked quantities, ``naive`` products of local derivatives along
    all of them, each path on its own, ``shared`` products when every derivative is found once.
    """

    paths: int
    naive: int
    shared: int


def count_reuse(view: View) -> Reuse | None:
    """Return the counts, or ``None`` where a recurrence makes paths of any length."""
    readers: dict[str, list[str]] = {}
    for step in view.derivation.steps:
        if not step.auxiliary:
            readers[step.quantity] = [c.through.lhs.tensor for c in step.contributions]
    loss = view.derivation.network.loss or ""
    counts: dict[str, tuple[int, int]] = {loss: (1, 0)}
    for quantity in readers:  # steps stand in an order of computation
        known = [counts[r] for r in readers[quantity] if r in counts]
        if len(known) < len(readers[quantity]):
            return None
        paths = sum(paths for paths, _ in known)
        counts[quantity] = (paths, sum(length + paths for paths, length in known))
    asked = [counts[name] for name in view.derivation.gradients if name in counts]
    return Reuse(
        sum(paths for paths, _ in asked),
        sum(length for _, length in asked),
        sum(len(found) for found in readers.values()),
    )


def reuse_paragraph(view: View) -> list[Paragraph]:
    """Return a line on what sharing saves."""
    found = count_reuse(view)
    if found is None or found.naive <= found.shared:
        return []
    numbers = {
        key: Formula(Num(str(value)))
        for key, value in (
            ("paths", found.paths),
            ("naive", found.naive),
            ("shared", found.shared),
        )
    }
    return [Paragraph(say(view.lang, "reuse", **numbers))]
