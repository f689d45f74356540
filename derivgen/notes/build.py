"""Build the document of a derivation: network, forward, slopes, backward, summary, algorithm."""

from __future__ import annotations

from derivgen.algebra.expressions import Access, walk
from derivgen.notes.backward import backward_section
from derivgen.notes.document import Block, Document, Section
from derivgen.notes.forward import forward_section, network_section
from derivgen.notes.lemmas import lemma_section
from derivgen.notes.summary import algorithm, summary_section
from derivgen.notes.view import View
from derivgen.notes.words import say
from derivgen.notes.worked import Example, worked_section


def build(
    view: View, wrt: tuple[str, ...] | None = None, example: Example | None = None
) -> Document:
    """Return the document; ``wrt`` keeps only the steps that lead to these quantities."""
    name = view.derivation.network.name
    body: list[Block] = [network_section(view), forward_section(view)]
    if view.detail != "result":
        body += lemma_section(view)
    body.append(backward_section(view, wrt))
    if example is not None:
        body.append(worked_section(view, example))
    body.append(summary_section(view, wrt))
    if not wrt and view.derivation.network.loss:
        body.append(Section(say(view.lang, "algorithm"), (algorithm(view),)))
    return Document(
        say(view.lang, "title", network=name.replace("_", " ")),
        tuple(body),
        view.lang,
        name,
        chains(view),
    )


def chains(view: View) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Return for each tensor the forward tensors between it and the loss, itself first."""
    readers: dict[str, dict[str, None]] = {}
    for statement in view.derivation.forward:
        for part in walk(statement.body):
            if isinstance(part, Access):
                readers.setdefault(part.tensor, {})[statement.lhs.tensor] = None
    found: list[tuple[str, tuple[str, ...]]] = []
    for name in dict.fromkeys((*view.derivation.network.tensors, *view.derivation.named)):
        reached: dict[str, None] = {name: None}
        pending = [name]
        while pending:
            for reader in readers.get(pending.pop(), {}):
                if reader not in reached:
                    reached[reader] = None
                    pending.append(reader)
        found.append((name, tuple(reached)))
    return tuple(found)
