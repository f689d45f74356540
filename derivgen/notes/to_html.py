"""Print a document as one HTML page that needs nothing else: MathML and inline drawings."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from hashlib import sha256
from html import escape
from typing import Any

from derivgen.forms.breaks import broken
from derivgen.forms.math import Op, row, width
from derivgen.forms.mathml import mathml
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

LINE = 92
TIGHT = 76  # steps that together are no wider share a line
_CODE = re.compile(r"<pre><code>(.*?)</code></pre>", re.S)
_TARGET = re.compile(r'((?<= )id="|(?<= )href="#|url\(#)')
_RULE = re.compile(r"([^{}]+?)\s*(\{[^}]*\})")
_NAME = re.compile(r"(?<![&\w])[A-Za-z_]\w*\b(?!;)")
Numbers = dict[str, int]


def to_html(document: Document) -> str:
    """Return the document as a page."""
    counts = numbers(document)
    title = prose_html(document.title, counts)
    body = "\n".join(part for b in document.body if (part := _print(b, counts, document.lang)))
    body = _CODE.sub(lambda found: _marked(found[1], document), body)
    return framed(
        "html/page.html.jinja",
        lang=document.lang,
        title=title,
        version=VERSION,
        network=document.about,
        shared=framed("html/notes.css.jinja"),
        contents=_contents(document, counts),
        body=body,
        hint=word(document.lang, "html hint"),
        dark=word(document.lang, "html dark"),
        readers=json.dumps({a: list(b) for a, b in document.readers}).replace("</", "<\\/"),
    )


def _marked(code: str, document: Document) -> str:
    """Return a listing whose names of tensors and adjoints light up with their formulas."""
    known = {name for name, readers in document.readers for name in (name, *readers)}

    def mark(found: re.Match[str]) -> str:
        name = found[0].removeprefix("adj_")
        return f'<span data-t="{name}">{found[0]}</span>' if name in known else found[0]

    return f"<pre><code>{_NAME.sub(mark, code)}</code></pre>"


def fragment_html(document: Document) -> str:
    """Return the body alone, for a notebook: in a frame of its own, its ids apart from others'."""
    counts = numbers(document)
    body = "\n".join(part for b in document.body if (part := _print(b, counts, document.lang)))
    mark = f"{document.about}-{sha256(body.encode()).hexdigest()[:8]}"
    body = _TARGET.sub(lambda found: f"{found[1]}{escape(mark)}-", body)
    css = _RULE.sub(lambda found: _scoped(found[1]) + found[2], framed("html/notes.css.jinja"))
    return framed("html/fragment.html.jinja", css=css, body=body)


def _scoped(selectors: str) -> str:
    """Return the selectors of a rule, for what stands in the frame of a fragment only."""
    parts = (part.strip() for part in selectors.split(","))
    return ", ".join(f"div.derivgen {part}" for part in parts)


def prose_html(prose: Prose, counts: Numbers) -> str:
    """Return prose as HTML."""
    return "".join(_inline(part, counts) for part in prose)


def _inline(part: Any, counts: Numbers) -> str:
    match part:
        case Formula(math):
            return mathml(math)
        case Ref(label):
            number = counts.get(label)
            return "" if number is None else f'<a href="#eq-{number}">({number})</a>'
        case Strong(text):
            return f"<strong>{escape(text)}</strong>"
        case Literal(text):
            return f"<code>{escape(text)}</code>"
        case _:
            return escape(str(part))


def _anchor(section: Section, counts: Numbers) -> str:
    from derivgen.notes.to_text import prose_text

    text = prose_text(section.title, counts)
    return "s-" + "".join(c if c.isalnum() else "-" for c in text)


def _contents(document: Document, counts: Numbers) -> str:
    items = [
        f'<li><a href="#{_anchor(b, counts)}">{prose_html(b.title, counts)}</a></li>'
        for b in document.body
        if isinstance(b, Section)
    ]
    return "\n".join(items)


def _print(block: Block, counts: Numbers, lang: str) -> str:
    return _PRINTERS[type(block)](block, counts, lang)


def _section(section: Section, counts: Numbers, lang: str) -> str:
    tag = f"h{section.level + 1}"
    heading = prose_html(section.title, counts)
    about = f' data-about="{escape(section.about)}"' if section.about else ""
    parts = [part for b in section.body if (part := _print(b, counts, lang))]
    return (
        f'<section id="{_anchor(section, counts)}"{about}>\n<{tag}>{heading}</{tag}>\n'
        + "\n".join(parts)
        + "\n</section>"
    )


def _paragraph(paragraph: Paragraph, counts: Numbers, lang: str) -> str:
    return f"<p>{prose_html(paragraph.prose, counts)}</p>" if paragraph.prose else ""


def _equation(equation: Equation, counts: Numbers, lang: str) -> str:
    number = counts[equation.label]
    rows: list[str] = []
    for group in packed(equation, lang, TIGHT):
        rows += _line(group, equation.boxed and group.last, counts)
    if equation.where is not None:
        rows[-1] += f'<div class="y">{word(lang, "where for")} {mathml(equation.where)}</div>'
    code = f"<pre><code>{escape(equation.code)}</code></pre>" if equation.code else ""
    about = escape(equation.about)
    return (
        f'<div class="eq" id="eq-{number}" data-about="{about}"><div class="g">'
        + "\n".join(rows)
        + f'</div><div class="n">({number})</div></div>{code}'
    )


def _line(group: Packed, boxed: bool, counts: Numbers) -> list[str]:
    line = group.first
    left = "" if line.left is None else mathml(line.left, True)
    room = LINE - (width(line.left) if line.left is not None else 8) - (24 if group.why else 0)
    pieces = [line.right] if group.whole is None else broken(group.whole, max(room, 30))
    head = mathml(row(Op(line.relation), pieces[0]), True)
    if len(pieces) == 1:
        head = _sides(group.lines, boxed)
    shown = [f'<div class="l">{left}</div><div class="r">{head}</div>']
    shown += [f'<div class="l"></div><div class="r c">{mathml(p, True)}</div>' for p in pieces[1:]]
    why = f'<div class="y">{prose_html(group.why, counts)}</div>'
    return [*(f'{s}<div class="y"></div>' for s in shown[:-1]), shown[-1] + why]


def _sides(lines: tuple[Line, ...], boxed: bool) -> str:
    """Return ``= a = b``, the last side in a box if it is to stand out."""
    *before, last = lines
    open_lines = before if boxed else lines
    parts = [part for line in open_lines for part in (Op(line.relation), line.right)]
    shown = mathml(row(*parts), True) if parts else ""
    if not boxed:
        return shown
    box = f'<span class="x">{mathml(last.right, True)}</span>'
    return f"{shown}{mathml(Op(last.relation), True)} {box}"


def _items(items: Items, counts: Numbers, lang: str) -> str:
    return "<ul>" + "\n".join(f"<li>{prose_html(i, counts)}</li>" for i in items.items) + "</ul>"


def _table(table: Table, counts: Numbers, lang: str) -> str:
    head = "".join(f"<th>{prose_html(cell, counts)}</th>" for cell in table.head)
    rows = "\n".join(
        "<tr>" + "".join(f"<td>{prose_html(cell, counts)}</td>" for cell in line) + "</tr>"
        for line in table.rows
    )
    return (
        f'<div class="t"><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>'
    )


def _pseudocode(block: Pseudocode, counts: Numbers, lang: str) -> str:
    lines = "\n".join(
        f'<div style="margin-left:{1.6 * depth:g}em">{prose_html(line, counts)}</div>'
        for depth, line in block.lines
    )
    return f'<div class="alg"><p>{prose_html(block.title, counts)}</p>{lines}</div>'


def _code(block: Code, counts: Numbers, lang: str) -> str:
    return f"<pre><code>{escape(block.text)}</code></pre>"


def _figure(block: Figure, counts: Numbers, lang: str) -> str:
    caption = prose_html(block.caption, counts)
    return f"<figure>{block.svg}<figcaption>{caption}</figcaption></figure>"


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
