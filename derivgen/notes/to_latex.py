"""Print a document as LaTeX: a whole article, or a fragment for a document of one's own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from derivgen.forms.breaks import broken
from derivgen.forms.latex import OPERATORS, escape, latex
from derivgen.forms.math import Math, width
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
    blocks,
    numbers,
)
from derivgen.notes.templates import framed
from derivgen.notes.words import word
from derivgen.version import VERSION

LINE = 74  # rough characters of mathematics that fit in a line of the article
WHY = 26
Numbers = dict[str, int]
HEADINGS = {1: "section", 2: "subsection", 3: "paragraph"}


def to_latex(document: Document, fragment: bool = False) -> str:
    """Return the document as LaTeX that compiles as it is, or as a fragment."""
    counts = numbers(document)
    body = "\n\n".join(part for b in document.body if (part := _print(b, counts, document.lang)))
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
    parts = [part for b in section.body if (part := _print(b, counts, lang))]
    return "\n\n".join([heading, *parts])


def _heading(prose: Prose, counts: Numbers) -> str:
    """Return a heading; formulas in it need a plain stand-in for the bookmarks."""
    from derivgen.forms.plain import plain

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


def _equation(equation: Equation, counts: Numbers, lang: str) -> str:
    number = counts[equation.label]
    lines: list[str] = []
    for place, line in enumerate(equation.lines):
        last = place == len(equation.lines) - 1
        lines += line_latex(line, equation.boxed and last, prose_latex(line.why, counts))
    if equation.where is not None:
        lines[-1] += rf" \qquad \text{{{word(lang, 'where for')}}} {latex(equation.where)}"
    body = " \\\\\n".join(lines)
    return (
        f"\\begin{{equation}}\\tag{{{number}}}\\label{{eq:{number}}}\n"
        f"\\begin{{aligned}}\n{body}\n\\end{{aligned}}\n\\end{{equation}}"
    )


def line_latex(line: Line, boxed: bool, why: str, limit: int = LINE) -> list[str]:
    """Return a line of an aligned equation, broken where it is too long; ``why`` stands right."""
    left = "" if line.left is None else latex(line.left) + " "
    room = limit - (WHY if why else 0) - (width(line.left) if line.left is not None else 10)
    pieces = broken(line.right, max(room, 30))
    relation = OPERATORS[line.relation].strip()
    if len(pieces) == 1:
        right = latex(pieces[0])
        shown = [f"{left}&{relation} " + (rf"\boxed{{{right}}}" if boxed else right)]
    else:
        shown = [f"{left}&{relation} {latex(pieces[0])}"]
        shown += [rf"&\qquad {{}} {latex(piece)}" for piece in pieces[1:]]
    if why:
        shown[-1] += rf" && \text{{{why}}}"
    return shown


def _items(items: Items, counts: Numbers, lang: str) -> str:
    lines = [rf"\item {prose_latex(item, counts)}" for item in items.items]
    return "\\begin{itemize}\n" + "\n".join(lines) + "\n\\end{itemize}"


def _table(table: Table, counts: Numbers, lang: str) -> str:
    columns = "l" * len(table.head)
    lines = [" & ".join(prose_latex(cell, counts) for cell in line) for line in table.rows]
    head = " & ".join(prose_latex(cell, counts) for cell in table.head)
    body = " \\\\[2pt]\n".join(lines)
    return (
        f"{{\\small\n\\begin{{longtable}}{{@{{}}{columns}@{{}}}}\n\\toprule\n{head} \\\\\n"
        f"\\midrule\n\\endhead\n{body} \\\\\n\\bottomrule\n\\end{{longtable}}}}"
    )


def _pseudocode(block: Pseudocode, counts: Numbers, lang: str) -> str:
    lines = [prose_latex(block.title, counts) + r":\\"]
    for depth, line in block.lines:
        lines.append(rf"\hspace*{{{1.5 * (depth + 1):g}em}}{prose_latex(line, counts)}\\")
    lines[-1] = lines[-1].removesuffix(r"\\")
    return "{\\raggedright\n" + "\n".join(lines) + "\n\\par}"


def _code(block: Code, counts: Numbers, lang: str) -> str:
    return f"\\begin{{lstlisting}}\n{block.text}\n\\end{{lstlisting}}"


def _figure(block: Figure, counts: Numbers, lang: str) -> str:
    caption = prose_latex(block.caption, counts)
    return f"\\begin{{center}}\n{block.tikz}\n\n\\smallskip\n{caption}\n\\end{{center}}"


def is_wide(math: Math) -> bool:
    """Tell whether a formula needs more than one line."""
    return width(math) > LINE


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
