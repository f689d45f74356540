"""A document as a tree: sections, numbered equations, tables, figures; no output language in it.

Formats are printers over this tree. Invariant: an equation's number is its place in the document,
so every format, and the emitted code, counts alike.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Union

from derivgen.forms.math import Math


@dataclass(frozen=True)
class Formula:
    """A formula in a line of prose."""

    math: Math


@dataclass(frozen=True)
class Ref:
    """A reference to the equation with this label."""

    label: str


@dataclass(frozen=True)
class Strong:
    """Emphasised words."""

    text: str


@dataclass(frozen=True)
class Literal:
    """Words in a typewriter face: a name in the code, a command."""

    text: str


Inline = Union[str, Formula, Ref, Strong, Literal]
Prose = tuple[Inline, ...]


@dataclass(frozen=True)
class Line:
    """One line ``left relation right``; ``left`` is ``None`` where a chain goes on."""

    left: Math | None
    right: Math
    relation: str = "="
    why: Prose = ()


@dataclass(frozen=True)
class Equation:
    """A displayed equation with a label others refer to.

    ``where`` says for which indices it holds; ``about`` is the tensor it computes; ``code`` are the
    emitted lines beside it; a ``loose`` one has every step on a line of its own.
    """

    label: str
    lines: tuple[Line, ...]
    where: Math | None = None
    boxed: bool = False
    about: str = ""
    code: str = ""
    loose: bool = False


@dataclass(frozen=True)
class Paragraph:
    """A paragraph of prose."""

    prose: Prose


@dataclass(frozen=True)
class Items:
    """A list of short paragraphs."""

    items: tuple[Prose, ...]


@dataclass(frozen=True)
class Table:
    """A table; cells are prose. ``wide`` columns may wrap."""

    head: tuple[Prose, ...]
    rows: tuple[tuple[Prose, ...], ...]
    caption: Prose = ()


@dataclass(frozen=True)
class Pseudocode:
    """An algorithm: lines with their indentation."""

    title: Prose
    lines: tuple[tuple[int, Prose], ...]


@dataclass(frozen=True)
class Code:
    """Source text."""

    text: str
    language: str = ""


@dataclass(frozen=True)
class Figure:
    """A drawing, given once in each medium."""

    tikz: str
    svg: str
    mermaid: str
    text: str
    typst: str
    caption: Prose = ()


@dataclass(frozen=True)
class Section:
    """A heading with what stands under it; ``about`` is the tensor it concerns."""

    title: Prose
    body: tuple[Block, ...]
    level: int = 1
    about: str = ""


Block = Union[Paragraph, Equation, Items, Table, Pseudocode, Code, Figure, Section]


@dataclass(frozen=True)
class Document:
    """The whole: title, blocks, language, and which tensors read each tensor.

    ``aliases`` are labels of equations not shown, with the label of the one shown for them.
    """

    title: Prose
    body: tuple[Block, ...]
    lang: str = "en"
    about: str = ""
    readers: tuple[tuple[str, tuple[str, ...]], ...] = ()
    aliases: tuple[tuple[str, str], ...] = ()


def blocks(body: tuple[Block, ...]) -> Iterator[Block]:
    """Yield all blocks in reading order, sections before what stands in them."""
    for block in body:
        yield block
        if isinstance(block, Section):
            yield from blocks(block.body)


def formulas(body: tuple[Block, ...]) -> Iterator[Math]:
    """Yield the formulas of equations and tables."""
    for block in blocks(body):
        if isinstance(block, Equation):
            for line in block.lines:
                yield line.right
        elif isinstance(block, Table):
            for cell in (cell for row in block.rows for cell in row):
                yield from (part.math for part in cell if isinstance(part, Formula))


def equations(document: Document) -> list[Equation]:
    """Return the displayed equations in reading order."""
    return [block for block in blocks(document.body) if isinstance(block, Equation)]


def numbers(document: Document) -> dict[str, int]:
    """Return the number of each labelled equation, counted from 1."""
    found = {equation.label: n for n, equation in enumerate(equations(document), 1)}
    found.update({old: found[new] for old, new in document.aliases if new in found})
    return found
