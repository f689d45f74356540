"""Build the document of a derivation: network, forward, slopes, backward, summary, algorithm."""

from __future__ import annotations

from derivgen.algebra.expressions import tensors_read
from derivgen.notes.backward import backward_label, backward_section
from derivgen.notes.document import Block, Document, Section
from derivgen.notes.forward import forward_label, forward_section, network_section
from derivgen.notes.graph import figure_section
from derivgen.notes.lemmas import lemma_section
from derivgen.notes.stacks import Stack, aliases, stacks
from derivgen.notes.summary import algorithm, summary_section
from derivgen.notes.view import View
from derivgen.notes.words import say
from derivgen.notes.worked import Example, worked_section


def build(
    view: View, wrt: tuple[str, ...] | None = None, example: Example | None = None
) -> Document:
    """Return the document; ``wrt`` keeps only the steps that lead to these quantities."""
    name = view.derivation.network.name
    found = stacks(view)
    body: list[Block] = [network_section(view, found), forward_section(view, found)]
    body += figure_section(view, example)
    if view.detail != "result":
        body += lemma_section(view)
    body.append(backward_section(view, wrt, found))
    if example is not None:
        body.append(worked_section(view, example))
    body.append(summary_section(view, wrt, found))
    if not wrt and view.derivation.network.loss:
        body.append(Section(say(view.lang, "algorithm"), (algorithm(view, found),)))
    return Document(
        say(view.lang, "title", network=name.replace("_", " ")),
        tuple(body),
        view.lang,
        name,
        readers(view),
        _labels(view, found),
    )


def readers(view: View) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Return for each forward tensor the tensors computed from it."""
    found: dict[str, dict[str, None]] = {}
    for statement in view.derivation.forward:
        for name in tensors_read(statement.body):
            found.setdefault(name, {})[statement.lhs.tensor] = None
    return tuple((name, tuple(known)) for name, known in found.items())


def _labels(view: View, found: tuple[Stack, ...]) -> tuple[tuple[str, str], ...]:
    """Return the labels of equations not shown, each with the one shown in its place."""
    pairs: list[tuple[str, str]] = []
    for name, shown in aliases(found).items():
        if name != shown:
            pairs.append((forward_label(name), forward_label(shown)))
            pairs.append((backward_label(name), backward_label(shown)))
    return tuple(pairs)
