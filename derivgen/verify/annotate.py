"""A copy of a text with a remark after each formula that is not right.

Every line of the text stays as it is, in its order. A remark stands where the text may be broken:
behind the paragraph, list item, table or display that holds the formula, never inside another one.
LaTeX gets comments of its own, and so do plain claims, so that the copy means what the text means.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from derivgen.verify.messages import message
from derivgen.verify.report import Item, Report, details, further
from derivgen.verify.scanner import line_starts, place_of, protected, scan

SHOWN = 120  # characters of a formula that a remark repeats
_STARTS = re.compile(r"\s*(?:[-*+]\s|\d+[.)]\s|#{1,6}\s|```|~~~|>|\$\$|\\{1,2}\[|\\begin\b|<!--)")
_MARKER = re.compile(r"(\s*)((?:[-*+]|\d+[.)])\s+)?")


def annotated(report: Report, text: str) -> str:
    """Return the text with remarks, in the comments of its own kind."""
    end = "\r\n" if "\r\n" in text else "\n"
    lines = [line.removesuffix("\r") for line in text.split("\n")]
    marked = [item for item in report.items if item.verdict not in ("proved", "agrees")]
    sign = _comment_sign(report, text)
    places = {id(item): item.last_line for item in marked}
    if not sign:
        inside = _inside(text)
        places = {key: _break_after(line, lines, inside) for key, line in places.items()}
    out: list[str] = []
    for number, line in enumerate(lines, 1):
        out.append(line)
        for item in marked:
            if places[id(item)] == number:
                out += _comments(item, report.lang, sign) if sign else _quote(item, lines, report)
    if out[-1:] == [""]:
        out.pop()
    closing = [f"{sign} {report.summary}"] if sign else ["", f"> {report.summary}"]
    return end.join([*out, *closing, ""])


def _comment_sign(report: Report, text: str) -> str:
    """Return what begins a comment in LaTeX and in plain claims, nothing for Markdown."""
    if report.kind == "plain":
        return "#"
    named = any(item.file.endswith((".tex", ".ltx")) for item in report.items[:1])
    return "%" if named or r"\documentclass" in text or r"\begin{document}" in text else ""


def _comments(item: Item, lang: str, sign: str) -> Iterator[str]:
    yield f"{sign} {message(item.verdict, lang)}: {_short(item)}"
    for finding in (item.worst, *further(item)):
        if finding is not item.worst:
            words = " ".join(finding.text.split())
            yield f"{sign} {message(finding.verdict, lang)}: {words}"
        yield from (f"{sign}   {' '.join(part.split())}" for part in details(finding, lang))


# --- Markdown ------------------------------------------------------------------------------------


def _inside(text: str) -> set[int]:
    """Return the lines after which a block of mathematics, code or a comment goes on."""
    starts = line_starts(text)
    found: set[int] = set()
    spans = [(block.offset, block.offset + len(block.text)) for block in scan(text).blocks]
    for start, stop in (*spans, *protected(text)):
        first, last = (place_of(min(at, len(text)), starts)[0] for at in (start, stop))
        found.update(range(first, last))
    return found


def _break_after(line: int, lines: Sequence[str], inside: set[int]) -> int:
    """Return the first line from ``line`` on behind which the text may be broken."""
    while line < len(lines) and (line in inside or _goes_on(lines[line - 1], lines[line])):
        line += 1
    return line


def _goes_on(here: str, following: str) -> bool:
    """Tell whether a paragraph, a table or a quotation goes on in the following line."""
    if not following.strip():
        return False
    if here.lstrip().startswith(">"):
        return following.lstrip().startswith(">")
    return not _STARTS.match(following)


def _quote(item: Item, lines: Sequence[str], report: Report) -> Iterator[str]:
    """Yield a quotation, as far in as the list item that holds the formula."""
    found = _MARKER.match(lines[item.line - 1])
    assert found is not None, "the pattern may match nothing"
    indent = found[1] + " " * len(found[2] or "")
    yield ""
    yield f"{indent}> **{message(item.verdict, report.lang)}** {_code(_short(item))}"
    yield f"{indent}>"
    for part in details(item.worst, report.lang, _code):
        yield f"{indent}> - {part}"
    for member in further(item):
        words = f"{message(member.verdict, report.lang)} {_code(' '.join(member.text.split()))}"
        parts = details(member, report.lang, _code)
        yield f"{indent}> - {': '.join(part for part in (words, ' '.join(parts)) if part)}"
    yield ""


def _short(item: Item) -> str:
    text = " ".join(item.worst.text.split()) or item.latex
    return text if len(text) <= SHOWN else text[:SHOWN] + " ..."


def _code(text: str) -> str:
    """Return a code span; what stands in it is shown as it is."""
    text = " ".join(text.split())
    if "`" not in text:
        return f"`{text}`" if text else ""
    return f"`` {text.replace('``', '` `')} ``"
