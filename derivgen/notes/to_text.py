"""Print a document as plain text for a terminal."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from derivgen.forms.plain import plain
from derivgen.notes.document import (
    Block,
    Code,
    Document,
    Equation,
    Figure,
    Formula,
    Items,
    Line,
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
from derivgen.notes.words import prose_width

WIDTH = 96
Numbers = dict[str, int]


def to_text(document: Document) -> str:
    """Return the document as text, lines of at most about a hundred characters."""
    counts = numbers(document)
    heading = prose_text(document.title, counts)
    parts = [heading + "\n" + "=" * prose_width(heading)]
    parts += [part for block in document.body if (part := _print(block, counts))]
    return "\n\n".join(parts) + "\n"


def prose_text(prose: Prose, counts: Numbers) -> str:
    """Return prose as text."""
    return "".join(_inline(part, counts) for part in prose)


def _inline(part: Any, counts: Numbers) -> str:
    match part:
        case Formula(math):
            return plain(math)
        case Ref(label):
            return f"({counts[label]})" if label in counts else ""
        case Strong(text) | Literal(text):
            return text
        case _:
            return str(part)


def _print(block: Block, counts: Numbers) -> str:
    return _PRINTERS[type(block)](block, counts)


def _section(section: Section, counts: Numbers) -> str:
    heading = prose_text(section.title, counts)
    lines = [heading, ("-" if section.level == 1 else ".") * prose_width(heading)]
    parts = [part for block in section.body if (part := _print(block, counts))]
    return "\n\n".join(["\n".join(lines), *parts])


def _wrapped(text: str, indent: str = "") -> str:
    lines: list[str] = []
    current = indent
    for word in text.split(" "):
        if len(current) + len(word) > WIDTH and current.strip():
            lines.append(current.rstrip())
            current = indent
        current += word + " "
    return "\n".join([*lines, current.rstrip()])


def _paragraph(paragraph: Paragraph, counts: Numbers) -> str:
    return _wrapped(prose_text(paragraph.prose, counts))


def _equation(equation: Equation, counts: Numbers) -> str:
    lines = [_line(line, counts) for line in equation.lines]
    if equation.where is not None:
        lines[0] += f"   for {plain(equation.where)}"
    number = f"({counts[equation.label]})"
    indent = " " * _left_width(equation)
    shown = [f"    {_indented(text, line, indent)}" for text, line in zip(lines, equation.lines)]
    shown[-1] = f"{shown[-1].ljust(WIDTH - len(number))} {number}"
    code = [f"        | {line}" for line in equation.code.splitlines()]
    return "\n".join([*shown, *code])


def _left_width(equation: Equation) -> int:
    widths = [len(plain(line.left)) for line in equation.lines if line.left is not None]
    return widths[0] if widths else 0


def _indented(text: str, line: Line, indent: str) -> str:
    return text if line.left is not None else indent + text


def _line(line: Line, counts: Numbers) -> str:
    left = "" if line.left is None else plain(line.left)
    relation = {"def": ":="}.get(line.relation, line.relation)
    text = f"{left} {relation} {plain(line.right)}"
    return f"{text}   [{prose_text(line.why, counts)}]" if line.why else text


def _items(items: Items, counts: Numbers) -> str:
    return "\n".join(
        _wrapped("- " + prose_text(i, counts)).replace("\n", "\n  ") for i in items.items
    )


def _table(table: Table, counts: Numbers) -> str:
    rows = [[prose_text(cell, counts) for cell in line] for line in (table.head, *table.rows)]
    widths = [max(len(line[c]) for line in rows) for c in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(w) for cell, w in zip(line, widths)).rstrip() for line in rows]
    lines.insert(1, "  ".join("-" * w for w in widths))
    return "\n".join(lines)


def _pseudocode(block: Pseudocode, counts: Numbers) -> str:
    lines = [prose_text(block.title, counts) + ":"]
    lines += ["    " * (depth + 1) + prose_text(line, counts) for depth, line in block.lines]
    return "\n".join(lines)


def _code(block: Code, counts: Numbers) -> str:
    return "\n".join("    " + line for line in block.text.splitlines())


def _figure(block: Figure, counts: Numbers) -> str:
    return block.text


_PRINTERS: dict[type, Callable[[Any, Numbers], str]] = {
    Section: _section,
    Paragraph: _paragraph,
    Equation: _equation,
    Items: _items,
    Table: _table,
    Pseudocode: _pseudocode,
    Code: _code,
    Figure: _figure,
}
