"""Print a document as Typst."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from derivgen.forms.breaks import broken
from derivgen.forms.math import Op, width
from derivgen.forms.typst import quoted, typst
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
from derivgen.notes.templates import framed
from derivgen.notes.words import word
from derivgen.version import VERSION

LINE = 70
TIGHT = 64  # steps that together are no wider share a line
Numbers = dict[str, int]
ESCAPED = str.maketrans({c: "\\" + c for c in "\\*_#$@<>[]`~"})


def to_typst(document: Document) -> str:
    """Return the document as Typst."""
    counts = numbers(document)
    body = "\n\n".join(part for b in document.body if (part := _print(b, counts, document.lang)))
    return framed(
        "typst/note.typ.jinja",
        title=prose_typst(document.title, counts),
        version=VERSION,
        network=document.about,
        lang=document.lang,
        body=body + "\n",
    )


def prose_typst(prose: Prose, counts: Numbers) -> str:
    """Return prose as Typst."""
    return "".join(_inline(part, counts) for part in prose)


def _inline(part: Any, counts: Numbers) -> str:
    match part:
        case Formula(math):
            return f"${typst(math)}$"
        case Ref(label):
            number = counts.get(label)
            return "" if number is None else f"#link(<eq-{number}>)[({number})];"
        case Strong(text):
            return f"*{text.translate(ESCAPED)}*"
        case Literal(text):
            return f"#raw({quoted(text)})"
        case _:
            return str(part).translate(ESCAPED)


def _print(block: Block, counts: Numbers, lang: str) -> str:
    return _PRINTERS[type(block)](block, counts, lang)


def _section(section: Section, counts: Numbers, lang: str) -> str:
    heading = "=" * section.level + " " + prose_typst(section.title, counts)
    return "\n\n".join([heading, *(p for b in section.body if (p := _print(b, counts, lang)))])


def _equation(equation: Equation, counts: Numbers, lang: str) -> str:
    number = counts[equation.label]
    groups = packed(equation, lang, TIGHT)
    lines = [row for g in groups for row in _line(g, equation.boxed and g.last, counts)]
    if equation.where is not None:
        lines[-1] += f" quad {quoted(word(lang, 'where for'))} {typst(equation.where)}"
    body = " \\\n  ".join(lines)
    code = f"\n\n{_raw(equation.code)}" if equation.code else ""
    return (
        f'#math.equation(block: true, numbering: n => "({number})")[$ {body} $] <eq-{number}>{code}'
    )


def _line(group: Packed, boxed: bool, counts: Numbers) -> list[str]:
    line = group.first
    left = "" if line.left is None else typst(line.left)
    pieces = [line.right] if group.whole is None else broken(group.whole, LINE)
    if len(pieces) == 1:
        shown = [f"{left} & {_sides(group.lines, boxed)}"]
    else:
        shown = [f"{left} & {typst(Op(line.relation))} {typst(pieces[0])}"]
        shown += [f"& quad {typst(piece)}" for piece in pieces[1:]]
    if not group.why:
        return shown
    extra = f" quad {quoted(_told(group.why, counts))}"
    if group.whole is None or width(pieces[-1]) < 50:
        return [*shown[:-1], shown[-1] + extra]
    return [*shown, "&" + extra]


def _sides(lines: tuple[Line, ...], boxed: bool) -> str:
    """Return ``= a = b``, the last side in a box if it is to stand out."""
    sides = [typst(line.right) for line in lines]
    if boxed:
        sides[-1] = f"#box(stroke: 0.5pt, inset: 4pt, $ {sides[-1]} $)"
    signs = [typst(Op(line.relation)) for line in lines]
    return " ".join(f"{sign} {side}" for sign, side in zip(signs, sides, strict=True))


def _told(why: Prose, counts: Numbers) -> str:
    """Return a reason as text for the inside of a formula, where nothing links."""
    parts = (
        f"({counts.get(p.label, '')})" if isinstance(p, Ref) else str(p)
        for p in why
        if isinstance(p, (Ref, str))
    )
    return "".join(parts)


def _items(items: Items, counts: Numbers, lang: str) -> str:
    return "\n".join("- " + prose_typst(item, counts) for item in items.items)


def _table(table: Table, counts: Numbers, lang: str) -> str:
    rows = [table.head, *table.rows]
    cells = ["  " + " ".join(f"[{prose_typst(c, counts)}]," for c in line) for line in rows]
    columns = ", ".join("auto" for _ in table.head)
    return f"#table(columns: ({columns}), stroke: none,\n" + "\n".join(cells) + "\n)"


def _pseudocode(block: Pseudocode, counts: Numbers, lang: str) -> str:
    lines = [prose_typst(block.title, counts) + ":"]
    lines += [f"#h({1.5 * (d + 1):g}em){prose_typst(line, counts)}" for d, line in block.lines]
    return " \\\n".join(lines)


def _raw(text: str) -> str:
    return f"#raw(block: true, {quoted(text).replace(chr(10), chr(92) + 'n')})"


def _figure(block: Figure, counts: Numbers, lang: str) -> str:
    caption = prose_typst(block.caption, counts)
    return f"{block.typst}\n#align(center, text(9pt)[{caption}])"


_PRINTERS: dict[type, Callable[[Any, Numbers, str], str]] = {
    Section: _section,
    Paragraph: lambda block, counts, lang: prose_typst(block.prose, counts),
    Equation: _equation,
    Items: _items,
    Table: _table,
    Pseudocode: _pseudocode,
    Code: lambda block, counts, lang: _raw(block.text),
    Figure: _figure,
}
