"""Print a document as plain text for a terminal."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from derivgen.forms.breaks import broken
from derivgen.forms.math import Math
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
from derivgen.notes.packing import Packed, packed
from derivgen.notes.words import prose_width

WIDTH = 80
INDENT = "    "
TIGHT = 69  # steps that together are no wider share a line
Numbers = dict[str, int]


def to_text(document: Document) -> str:
    """Return the document as text, lines of at most 80 characters where they can be broken."""
    counts = numbers(document)
    heading = prose_text(document.title, counts)
    parts = [heading + "\n" + "=" * prose_width(heading)]
    parts += [part for block in document.body if (part := _print(block, counts, document.lang))]
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


def _print(block: Block, counts: Numbers, lang: str) -> str:
    return _PRINTERS[type(block)](block, counts, lang)


def _section(section: Section, counts: Numbers, lang: str) -> str:
    heading = prose_text(section.title, counts)
    lines = [heading, ("-" if section.level == 1 else ".") * prose_width(heading)]
    parts = [part for block in section.body if (part := _print(block, counts, lang))]
    return "\n\n".join(["\n".join(lines), *parts]) if parts else ""


def _wrapped(text: str, indent: str = "") -> str:
    lines: list[str] = []
    current = indent
    for word in text.split(" "):
        if len(current) + len(word) > WIDTH and current.strip():
            lines.append(current.rstrip())
            current = indent
        current += word + " "
    return "\n".join([*lines, current.rstrip()])


def _paragraph(paragraph: Paragraph, counts: Numbers, lang: str) -> str:
    return _wrapped(prose_text(paragraph.prose, counts))


def _equation(equation: Equation, counts: Numbers, lang: str) -> str:
    number = f"({counts[equation.label]})"
    left = 0
    shown: list[str] = []
    for group in packed(equation, lang, TIGHT, _measure):
        if group.first.left is not None:
            left = len(plain(group.first.left))
        shown += _lines(group, left, counts)
    if equation.where is not None:
        shown = _with_last(shown, f"for {plain(equation.where)}", left)
    shown = _with_last(shown, number.rjust(WIDTH - prose_width(shown[-1]) - 3), left)
    code = [f"        | {line}" for line in equation.code.splitlines()]
    return "\n".join([*shown, *code])


def _measure(math: Math) -> int:
    return len(plain(math))


def _lines(group: Packed, left: int, counts: Numbers) -> list[str]:
    """Return steps as lines of text, broken at an operator where they are too long."""
    head = plain(group.first.left) if group.first.left is not None else " " * left
    room = max(WIDTH - len(INDENT) - left - 4, 30)
    pieces = broken(group.whole, room, _measure) if group.whole is not None else []
    if len(pieces) > 1:
        shown = [f"{INDENT}{head} {_sign(group.first)} {plain(pieces[0])}"]
        shown += [f"{INDENT}{' ' * (left + 5)}{plain(piece)}" for piece in pieces[1:]]
    else:
        sides = " ".join(f"{_sign(line)} {plain(line.right)}" for line in group.lines)
        shown = [f"{INDENT}{head} {sides}"]
    return _with_last(shown, f"[{prose_text(group.why, counts)}]", left) if group.why else shown


def _with_last(lines: list[str], note: str, left: int) -> list[str]:
    """Return the lines with a note after the last one, or below it where there is no room."""
    if prose_width(lines[-1]) + 3 + prose_width(note) <= WIDTH:
        return [*lines[:-1], f"{lines[-1]}   {note}"]
    if note.startswith("["):
        return [*lines, f"{INDENT}{' ' * (left + 5)}{note}"]
    return [*lines, note.strip().rjust(WIDTH)]


def _sign(line: Line) -> str:
    return {"def": ":="}.get(line.relation, line.relation)


def _items(items: Items, counts: Numbers, lang: str) -> str:
    return "\n".join(
        _wrapped("- " + prose_text(i, counts)).replace("\n", "\n  ") for i in items.items
    )


def _table(table: Table, counts: Numbers, lang: str) -> str:
    rows = [[prose_text(cell, counts) for cell in line] for line in (table.head, *table.rows)]
    widths = [max(map(prose_width, column)) for column in zip(*rows, strict=True)]
    if sum(widths) + 2 * len(widths) > WIDTH + 2 and len(widths) > 2:
        return "\n".join(_entry(rows[0], line) for line in rows[1:])
    lines = ["  ".join(map(_padded, line, widths)).rstrip() for line in rows]
    lines.insert(1, "  ".join("-" * w for w in widths))
    return "\n".join(lines)


def _padded(cell: str, wide: int) -> str:
    return cell + " " * (wide - prose_width(cell))


def _entry(head: list[str], line: list[str]) -> str:
    """Return a row of a table that is too wide as lines: its first cell, the others named."""
    rest = [f"{word}: {cell}" for word, cell in zip(head[1:], line[1:]) if cell not in ("", "–")]
    shown = [line[0]]
    for cell in rest:
        together = f"{shown[-1]};  {cell}"
        fits = len(shown) > 1 and prose_width(together) <= WIDTH
        shown = [*shown[:-1], together] if fits else [*shown, INDENT + cell]
    return "\n".join(shown)


def _pseudocode(block: Pseudocode, counts: Numbers, lang: str) -> str:
    lines = [prose_text(block.title, counts) + ":"]
    for depth, line in block.lines:
        indent = "    " * (depth + 1)
        first, *rest = _wrapped(prose_text(line, counts), indent).splitlines()
        lines += [first, *("    " + more for more in rest)]
    return "\n".join(lines)


def _code(block: Code, counts: Numbers, lang: str) -> str:
    return "\n".join("    " + line for line in block.text.splitlines())


def _figure(block: Figure, counts: Numbers, lang: str) -> str:
    caption = _wrapped(prose_text(block.caption, counts))
    return f"{caption}\n\n{block.text}" if block.text else ""


_PRINTERS: dict[type, Callable[[Any, Numbers, str], str]] = {
    Section: _section,
    Paragraph: _paragraph,
    Equation: _equation,
    Items: _items,
    Table: _table,
    Pseudocode: _pseudocode,
    Code: _code,
    Figure: _figure,
}
