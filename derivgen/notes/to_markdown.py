"""Print a document as Markdown, in the flavours of GitHub, Jekyll, Obsidian and Quarto.

Invariant: formulas hold nothing Markdown would take for itself: no ``|``, ``*`` or ``<``, and no
backslash before punctuation inside a line of prose. Displays stand on lines of their own.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from derivgen.forms.latex import latex
from derivgen.forms.math import Math
from derivgen.notes.document import (
    Block,
    Code,
    Document,
    Equation,
    Figure,
    Formula,
    Items,
    Literal,
    Paragraph,
    Prose,
    Pseudocode,
    Ref,
    Section,
    Strong,
    Table,
    numbers,
)
from derivgen.notes.packing import packed
from derivgen.notes.templates import framed
from derivgen.notes.to_latex import TIGHT, line_latex
from derivgen.notes.words import word
from derivgen.version import VERSION

LINE = 84


@dataclass(frozen=True)
class Flavour:
    """How a Markdown dialect marks formulas: delimiters, front matter, links to equations."""

    name: str
    inline: tuple[str, str] = ("$", "$")
    front: bool = False
    mermaid: tuple[str, str] = ("```mermaid", "```")
    label: str = ""  # after a display, ``{}`` for the number
    link: str = "({})"
    tag: str = r" \tag{{{}}}"


FLAVOURS = {
    flavour.name: flavour
    for flavour in (
        Flavour("github"),
        Flavour("jekyll", ("$$", "$$"), True, ('<pre class="mermaid">', "</pre>")),
        Flavour("obsidian", label="\n\n^eq-{}", link="[[#^eq-{}|({})]]"),
        Flavour(
            "quarto",
            front=True,
            mermaid=("```{mermaid}", "```"),
            label=" {{#eq-{}}}",
            link="([-@eq-{}])",
            tag="",  # Quarto numbers what has a label
        ),
    )
}
SAFE = (
    (r"\left|", r"\left\vert "),
    (r"\right|", r"\right\vert "),
    ("|", r"\vert "),
    ("<", r"\lt "),
    (">", r"\gt "),
    ("*", r"\ast "),
)
_OPENING = re.compile(r"(?<![A-Za-z0-9])_(?=\S)")
ESCAPED = str.maketrans({c: "\\" + c for c in "\\*_|<>[]#$`"})


@dataclass(frozen=True)
class _Frame:
    counts: dict[str, int]
    lang: str
    flavour: Flavour


def to_markdown(document: Document, flavour: str = "github") -> str:
    """Return the document as Markdown of a flavour."""
    frame = _Frame(numbers(document), document.lang, FLAVOURS[flavour])
    body = "\n\n".join(part for b in document.body if (part := _print(b, frame)))
    return framed(
        "markdown/note.md.jinja",
        title=prose_markdown(document.title, frame),
        version=VERSION,
        network=document.about,
        flavour=flavour,
        front=frame.flavour.front,
        lang=document.lang,
        body=body + "\n",
    )


def safe(math: Math, in_line: bool) -> str:
    """Return LaTeX that Markdown leaves alone."""
    text = _shielded(latex(math))
    if in_line:
        text = text.replace(r"\,", " ").replace(r"\;", " ").replace(r"\\", r"\cr")
    while "  " in text:
        text = text.replace("  ", " ")
    return text


def prose_markdown(prose: Prose, frame: _Frame) -> str:
    """Return prose as Markdown."""
    return "".join(_inline(part, frame) for part in prose)


def _inline(part: Any, frame: _Frame) -> str:
    match part:
        case Formula(math):
            before, after = frame.flavour.inline
            return f"{before}{safe(math, True)}{after}"
        case Ref(label):
            number = frame.counts.get(label)
            return "" if number is None else _link(frame.flavour, number)
        case Strong(text):
            return f"**{text.translate(ESCAPED)}**"
        case Literal(text):
            return f"`{text}`"
        case _:
            return str(part).translate(ESCAPED)


def _link(flavour: Flavour, number: int) -> str:
    return flavour.link.replace("{}", str(number))


def _plain_refs(prose: Prose, frame: _Frame) -> str:
    """Return prose for the inside of ``\\text{}``, where nothing links."""
    parts: list[str] = []
    for part in prose:
        if isinstance(part, Ref):
            number = frame.counts.get(part.label)
            parts.append("" if number is None else f"({number})")
        elif isinstance(part, Formula):
            parts.append(f"}}{safe(part.math, False)}\\text{{")
        else:
            parts.append(str(part) if isinstance(part, str) else part.text)
    return "".join(parts)


def _print(block: Block, frame: _Frame) -> str:
    return _PRINTERS[type(block)](block, frame)


def _section(section: Section, frame: _Frame) -> str:
    heading = "#" * (section.level + 1) + " " + prose_markdown(section.title, frame)
    return "\n\n".join([heading, *(p for b in section.body if (p := _print(b, frame)))])


def _paragraph(paragraph: Paragraph, frame: _Frame) -> str:
    return _line(paragraph.prose, frame)


def _line(prose: Prose, frame: _Frame) -> str:
    """Return prose that stands alone; a lone ``$$`` formula is kept from being a display."""
    text = prose_markdown(prose, frame)
    alone = frame.flavour.inline[0] == "$$" and text.startswith("$$") and text.endswith("$$")
    return "\\" + text if alone else text


def _equation(equation: Equation, frame: _Frame) -> str:
    number = frame.counts[equation.label]
    lines: list[str] = []
    for group in packed(equation, frame.lang, TIGHT):
        why = _plain_refs(group.why, frame)
        lines += line_latex(group, equation.boxed and group.last, why, LINE, r" && ")
    if equation.where is not None:
        condition = latex(equation.where)
        lines[-1] += rf" \qquad \text{{{word(frame.lang, 'where for')} }} {condition}"
    body = " \\\\\n".join(_shielded(line) for line in lines)
    if len(lines) > 1 or "&&" in body:
        body = f"\\begin{{aligned}}\n{body}\n\\end{{aligned}}"
    else:
        body = body.replace("&", "", 1)
    label = frame.flavour.label.format(number) if frame.flavour.label else ""
    code = f"\n\n```\n{equation.code}\n```" if equation.code else ""
    tag = frame.flavour.tag.format(number)
    return f"$$\n{body}{tag}\n$${label}{code}"


def _shielded(text: str) -> str:
    """Return LaTeX without signs that Markdown knows; a space keeps ``_`` from opening emphasis."""
    for old, new in SAFE:
        text = text.replace(old, new)
    return _OPENING.sub("_ ", text)


def _items(items: Items, frame: _Frame) -> str:
    return "\n".join("- " + _line(item, frame) for item in items.items)


def _table(table: Table, frame: _Frame) -> str:
    lines = ["| " + " | ".join(prose_markdown(c, frame) for c in table.head) + " |"]
    lines.append("|" + " --- |" * len(table.head))
    for line in table.rows:
        lines.append("| " + " | ".join(prose_markdown(c, frame) for c in line) + " |")
    return "\n".join(lines)


def _pseudocode(block: Pseudocode, frame: _Frame) -> str:
    lines = [prose_markdown(block.title, frame) + ":", ""]
    for depth, line in block.lines:
        lines.append("  " * depth + "- " + _line(line, frame))
    return "\n".join(lines)


def _code(block: Code, frame: _Frame) -> str:
    return f"```{block.language}\n{block.text}\n```"


def _figure(block: Figure, frame: _Frame) -> str:
    before, after = frame.flavour.mermaid
    caption = prose_markdown(block.caption, frame)
    return f"{before}\n{block.mermaid}\n{after}\n\n{caption}"


_PRINTERS: dict[type, Callable[[Any, _Frame], str]] = {
    Section: _section,
    Paragraph: _paragraph,
    Equation: _equation,
    Items: _items,
    Table: _table,
    Pseudocode: _pseudocode,
    Code: _code,
    Figure: _figure,
}
