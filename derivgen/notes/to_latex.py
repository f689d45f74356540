"""Print a document as LaTeX: a whole article, or a fragment for a document of one's own."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from derivgen.forms.breaks import broken
from derivgen.forms.latex import OPERATORS, escape, latex
from derivgen.forms.math import width
from derivgen.forms.plain import plain
from derivgen.notes.document import (
    Block,
    Code,
    Document,
    Equation,
    Figure,
    Formula,
    Inline,
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
    blocks,
    numbers,
)
from derivgen.notes.packing import Packed, packed
from derivgen.notes.templates import framed
from derivgen.notes.words import prose_width, word
from derivgen.version import VERSION

TABLE = 84  # rough characters of a row of a table
NARROW = 16  # columns up to this wide never wrap
CLOSE = r"\vspace{-\baselineskip}"
TIGHT = 70  # steps that together are no wider share a line
LINE = 78  # rough characters of mathematics that fit in a line of the article
Numbers = dict[str, int]
HEADINGS = {1: "section", 2: "subsection", 3: "paragraph"}


def to_latex(document: Document, fragment: bool = False) -> str:
    """Return the document as LaTeX that compiles as it is, or as a fragment."""
    counts = numbers(document)
    body = "\n\n".join(_body(document.body, counts, document.lang))
    if fragment:
        return body + "\n"
    figures = any(isinstance(block, Figure) for block in blocks(document.body))
    return framed(
        "latex/article.tex.jinja",
        about=prose_latex(document.title, counts),
        version=VERSION,
        network=document.about,
        title=prose_latex(document.title, counts),
        body=body + "\n",
        chinese=document.lang == "zh",
        figures=figures,
    )


def prose_latex(prose: Prose, counts: Numbers) -> str:
    """Return prose as LaTeX."""
    return "".join(_inline(part, counts) for part in prose)


def _inline(part: Any, counts: Numbers) -> str:
    match part:
        case Formula(math):
            return f"${latex(math)}$"
        case Ref(label):
            return rf"\eqref{{eq:{counts[label]}}}" if label in counts else ""
        case Strong(text):
            return rf"\textbf{{{escape(text)}}}"
        case Literal(text):
            return rf"\texttt{{{escape(text)}}}"
        case _:
            return escape(str(part)).replace("–", "--")


def _print(block: Block, counts: Numbers, lang: str) -> str:
    return _PRINTERS[type(block)](block, counts, lang)


def _section(section: Section, counts: Numbers, lang: str) -> str:
    heading = rf"\{HEADINGS[section.level]}{{{_heading(section.title, counts)}}}"
    body = _body(section.body, counts, lang)
    if body and body[0].startswith(r"\begin{align}"):
        heading += "\n" + CLOSE  # an alignment begins with an empty line of text
    return "\n\n".join([heading, *body])


def _heading(prose: Prose, counts: Numbers) -> str:
    """Return a heading; formulas in it need a plain stand-in for the bookmarks."""
    parts: list[str] = []
    for part in prose:
        if isinstance(part, Formula):
            shown = escape(plain(part.math))
            parts.append(rf"\texorpdfstring{{${latex(part.math)}$}}{{{shown}}}")
        else:
            parts.append(_inline(part, counts))
    return "".join(parts)


def _paragraph(paragraph: Paragraph, counts: Numbers, lang: str) -> str:
    return prose_latex(paragraph.prose, counts)


def _body(body: tuple[Block, ...], counts: Numbers, lang: str) -> list[str]:
    """Return blocks as LaTeX; equations that follow each other share one alignment."""
    parts: list[str] = []
    together: list[Equation] = []
    for block in (*body, None):
        if isinstance(block, Equation):
            together.append(block)
            if not block.code:
                continue
            _displayed(parts, _align(together, counts, lang))
            parts.append(_listing(block.code))
            together = []
            continue
        if together:
            _displayed(parts, _align(together, counts, lang))
            together = []
        if block is not None and (part := _print(block, counts, lang)):
            parts.append(part)
    return parts


def _displayed(parts: list[str], display: str) -> None:
    """Add a display; after prose it belongs to the paragraph, with no empty line between."""
    if parts and not parts[-1].startswith(("\\", "{")):
        display = f"{parts.pop()}\n{display}"
    parts.append(display)


def _align(together: list[Equation], counts: Numbers, lang: str) -> str:
    rows = [_rows(equation, counts, lang) for equation in together]
    return "\\begin{align}\n" + " \\\\[3pt]\n".join(rows) + "\n\\end{align}"


def _equation(equation: Equation, counts: Numbers, lang: str) -> str:
    return _align([equation], counts, lang)


def _rows(equation: Equation, counts: Numbers, lang: str) -> str:
    """Return the rows of an equation; its number stands at the last one."""
    number = counts[equation.label]
    lines: list[str] = []
    for group in packed(equation, lang, TIGHT):
        tail = prose_latex(group.why, counts)
        if group.last and equation.where is not None:
            about = f"{word(lang, 'where for')} ${latex(equation.where)}$"
            tail = f"{tail},\\quad {about}" if tail else about
        lines += line_latex(group, equation.boxed and group.last, tail)
    lines[-1] += rf" \tag{{{number}}}\label{{eq:{number}}}"
    return " \\\\\n".join(line if r"\tag" in line else line + r" \notag" for line in lines)


def line_latex(
    group: Packed, boxed: bool, why: str, limit: int = LINE, column: str = r" \qquad "
) -> list[str]:
    """Return a line of an aligned equation, broken where it is too long.

    ``why`` stands to the right after ``column``, or on a line of its own where there is no room.
    """
    first = group.first
    left = "" if first.left is None else latex(first.left) + " "
    room = limit - (width(first.left) if first.left is not None else 10)
    pieces = [first.right] if group.whole is None else broken(group.whole, max(room, 30))
    if len(pieces) == 1:
        shown = [f"{left}&{_sides(group.lines, boxed)}"]
    else:
        shown = [f"{left}&{_sign(first)} {latex(pieces[0])}"]
        shown += [rf"&\qquad {{}} {latex(piece)}" for piece in pieces[1:]]
    if why and group.whole is not None and width(pieces[-1]) + _length(why) + 4 > room:
        shown.append(rf"&\qquad \text{{({why})}}")
    elif why:
        shown[-1] += rf"{column}\text{{{why}}}"
    return shown


def _sides(lines: tuple[Line, ...], boxed: bool) -> str:
    """Return ``= a = b``, the last side in a box if it is to stand out."""
    sides = [latex(line.right) for line in lines]
    if boxed:
        sides[-1] = rf"\boxed{{{sides[-1]}}}"
    return " ".join(f"{_sign(line)} {side}" for line, side in zip(lines, sides, strict=True))


def _sign(line: Line) -> str:
    return OPERATORS[line.relation].strip()


def _length(why: str) -> int:
    """Return a rough width of prose, commands counted as the few characters they print."""
    return prose_width(re.sub(r"\\eqref\{eq:(\d+)\}|[$\\{}]", r"(\1)", why)) * 5 // 6


def _items(items: Items, counts: Numbers, lang: str) -> str:
    lines = [rf"\item {prose_latex(item, counts)}" for item in items.items]
    return "\\begin{itemize}\\itemsep=1pt\\parskip=0pt\n" + "\n".join(lines) + "\n\\end{itemize}"


def _table(table: Table, counts: Numbers, lang: str) -> str:
    columns = _columns(table, counts)
    wraps = "p{" in columns
    lines = [" & ".join(_cell(cell, counts, wraps) for cell in line) for line in table.rows]
    size = r"\footnotesize" if wraps else r"\small"
    head = " & ".join(prose_latex(cell, counts) for cell in table.head)
    return "\n".join(
        [
            rf"{{{size}\setlength{{\extrarowheight}}{{3pt}}\setlength{{\tabcolsep}}{{4pt}}",
            rf"\begin{{longtable}}{{@{{}}{columns}@{{}}}}",
            r"\toprule",
            head + r" \\",
            r"\midrule\endhead",
            *(line + r" \\[2pt]" for line in lines),
            r"\bottomrule",
            r"\end{longtable}}",
        ]
    )


def _cell(cell: Prose, counts: Numbers, wraps: bool) -> str:
    text = prose_latex(cell, counts)
    return text.replace(r"\,", r"\,\allowbreak ") if wraps else text


def _columns(table: Table, counts: Numbers) -> str:
    """Return the column types: formulas that would not fit beside each other may wrap."""
    rows = (table.head, *table.rows)
    widths = [max(_cell_width(line[c], counts) for line in rows) for c in range(len(table.head))]
    if sum(widths) + 2 * len(widths) <= TABLE:
        return "l" * len(widths)
    narrow = sum(w for w in widths if w <= NARROW) + 2.6 * len(widths)
    wide = sum(w for w in widths if w > NARROW)
    room = max(0.3, 1 - narrow / TABLE)
    return "".join(
        "l"
        if w <= NARROW
        else rf">{{\raggedright\arraybackslash}}p{{{room * w / wide:.2f}\linewidth}}"
        for w in widths
    )


def _cell_width(cell: Prose, counts: Numbers) -> int:
    return sum(
        width(p.math) if isinstance(p, Formula) else prose_width(_bare(p, counts)) for p in cell
    )


def _bare(part: Inline, counts: Numbers) -> str:
    return "(00)" if isinstance(part, Ref) else part if isinstance(part, str) else "x" * 8


def _pseudocode(block: Pseudocode, counts: Numbers, lang: str) -> str:
    lines = [prose_latex(block.title, counts) + r":\par"]
    for depth, line in block.lines:
        deep = 1.5 * (depth + 1)
        start = rf"\hangindent={deep + 2:g}em \hspace*{{{deep:g}em}}"
        lines.append(rf"{start}{prose_latex(line, counts)}\par")
    return "{\\raggedright\\parskip=2pt\n" + "\n".join(lines) + "}"


def _code(block: Code, counts: Numbers, lang: str) -> str:
    return _listing(block.text)


def _listing(text: str) -> str:
    return f"\\begin{{lstlisting}}\n{text}\n\\end{{lstlisting}}"


def _figure(block: Figure, counts: Numbers, lang: str) -> str:
    caption = prose_latex(block.caption, counts)
    together = f"{block.tikz}\n\n\\smallskip\n{caption}"
    kept = f"\\begin{{minipage}}{{\\linewidth}}\\centering\n{together}\n\\end{{minipage}}"
    return f"\\begin{{center}}\n{kept}\n\\end{{center}}"


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
