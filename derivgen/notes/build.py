"""Build the document of a derivation: network, forward, slopes, backward, summary, algorithm."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from derivgen.algebra.expressions import tensors_read
from derivgen.notes.algorithm import algorithm
from derivgen.notes.backward import backward_label, backward_section
from derivgen.notes.depth import depth_section
from derivgen.notes.document import Block, Document, Equation, Section
from derivgen.notes.expand import expanded_section
from derivgen.notes.forward import forward_label, forward_section, network_section
from derivgen.notes.graph import figure_section
from derivgen.notes.lemmas import lemma_section
from derivgen.notes.reuse import reuse_paragraph
from derivgen.notes.signs import signs_used
from derivgen.notes.stacks import Stack, aliases, stacks
from derivgen.notes.summary import summary_section
from derivgen.notes.view import PREFIX, View
from derivgen.notes.words import say
from derivgen.notes.worked import Example, worked_section

MOST_WORKED = 60  # statements; a longer forward pass is no example to follow by hand


@dataclass(frozen=True)
class Choice:
    """What a reader asked for.

    ``wrt`` keeps the steps that lead to these quantities, ``layer`` those of one layer. ``expand``
    writes the loss out to that depth. ``code`` are emitted lines by tensor, set beside formulas.
    """

    wrt: tuple[str, ...] | None = None
    layer: int | None = None
    expand: int = 0
    code: Mapping[str, str] = field(default_factory=dict)


def build(view: View, choice: Choice, example: Example | None = None) -> Document:
    """Return the document of a view."""
    found = stacks(view) if choice.layer is None else ()
    document = Document(
        say(view.lang, "title", network=view.derivation.network.name.replace("_", " ")),
        tuple(_body(view, choice, example, found)),
        view.lang,
        view.derivation.network.name,
        readers(view),
        _labels(view, found),
    )
    if view.detail == "full":
        document = replace(document, body=tuple(map(_loose, document.body)))
    return with_code(document, choice.code) if choice.code else document


def _loose(block: Block) -> Block:
    """Return a block in which every step has a line of its own."""
    if isinstance(block, Section):
        return replace(block, body=tuple(map(_loose, block.body)))
    return replace(block, loose=True) if isinstance(block, Equation) else block


def _body(
    view: View, choice: Choice, example: Example | None, found: tuple[Stack, ...]
) -> list[Block]:
    rest = _equations(view, choice, example, found)
    return [network_section(view, found, signs_used(tuple(rest))), *rest]


def _equations(
    view: View, choice: Choice, example: Example | None, found: tuple[Stack, ...]
) -> list[Block]:
    wrt, layer = choice.wrt, choice.layer
    body: list[Block] = [forward_section(view, found)]
    body += figure_section(view, example)
    body += expanded_section(view, choice.expand)
    if view.detail != "result":
        body += lemma_section(view)
    backward = backward_section(view, wrt, found, layer)
    body.append(replace(backward, body=(*backward.body, *reuse_paragraph(view))))
    if example is not None and len(view.derivation.forward) <= MOST_WORKED:
        body.append(worked_section(view, example))
    body.append(summary_section(view, wrt, found, layer))
    if wrt or layer is not None or not view.derivation.network.loss:
        return body
    body += depth_section(view, example)
    body.append(Section(say(view.lang, "algorithm"), (algorithm(view, found),)))
    return body


def with_code(document: Document, code: Mapping[str, str]) -> Document:
    """Return the document with emitted lines beside the equations they compute."""
    return replace(document, body=tuple(_coded(block, code) for block in document.body))


def _coded(block: Block, code: Mapping[str, str]) -> Block:
    if isinstance(block, Section):
        return replace(block, body=tuple(_coded(part, code) for part in block.body))
    if isinstance(block, Equation):
        kind, _, name = block.label.partition(":")
        wanted = {"f": name, "b": f"{PREFIX}{name}"}.get(kind, "")
        return replace(block, code=code.get(wanted, ""))
    return block


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
