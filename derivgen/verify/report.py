"""What verifying returns: a verdict for each formula, and the counts of the last line."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from derivgen.formulas.tree import Span
from derivgen.verify.messages import message

LONGEST = 180  # columns of a source line that are shown
BESIDE = 60  # characters kept on either side of a finding in a longer line
VERDICTS = ("proved", "agrees", "holds_if", "wrong", "not_understood")
# From best to worst: a formula is as good as its worst member.
_RANK = {"proved": 0, "agrees": 1, "holds_if": 2, "not_understood": 3, "wrong": 4}
MISTAKES = (
    "sign", "factor-2", "missing-factor", "extra-factor", "missing-1-over-m", "sum-forgotten",
    "path-forgotten", "sum-range", "index-swap", "missing-transpose", "extra-transpose", "order",
    "missing-fprime", "extra-fprime", "fprime-argument", "wrong-layer-fprime", "wrong-layer-weight",
    "softmax-diagonal", "wrong-time-index", "wrong-variable", "indicator-dropped",
    "updated-weights-used", "digit", "notation",
)  # fmt: skip


@dataclass(frozen=True)
class Finding:
    """The verdict on one member of a chain, or on a whole formula.

    ``text`` is the member as written, ``span`` its place in the formula. ``assumption`` is what a
    ``holds_if`` needs; ``mistake`` one of `MISTAKES`; ``hint`` the edit in words, ``correct`` the
    right formula in the writer's notation; ``counterexample`` a point with both values.
    """

    verdict: str
    text: str = ""
    span: Span = (0, 0)
    digits: int = 0
    assumption: str = ""
    mistake: str = ""
    hint: str = ""
    counterexample: str = ""
    correct: str = ""
    reason: str = ""


def weight(finding: Finding) -> tuple[int, bool]:
    """Return how bad a finding is; of two alike, the one that says more is the worse."""
    return _RANK[finding.verdict], bool(finding.mistake or finding.hint or finding.reason)


@dataclass(frozen=True)
class Item:
    """One formula of the text with its verdict; ``column`` and ``length`` place the finding."""

    file: str
    line: int
    column: int
    tag: str
    latex: str
    members: tuple[Finding, ...]
    source_line: str = ""
    length: int = 1
    last_line: int = 0  # where the block of mathematics ends that the formula stands in
    correct: str = ""  # the whole formula, each wrong member put right

    @property
    def worst(self) -> Finding:
        """Return the first of the worst findings."""
        return max(self.members, key=weight, default=Finding("not_understood"))

    @property
    def verdict(self) -> str:
        return self.worst.verdict

    def record(self) -> dict[str, Any]:
        """Return the formula as the JSON report has it."""
        worst = self.worst
        return {
            "file": self.file,
            "line": self.line,
            "tag": self.tag,
            "latex": self.latex,
            "members": [_member_record(member) for member in self.members],
            "verdict": worst.verdict,
            "digits": worst.digits,
            "assumption": worst.assumption,
            "mistake": worst.mistake,
            "hint": worst.hint,
            "counterexample": worst.counterexample,
            "correct": self.correct,
        }


def _member_record(finding: Finding) -> dict[str, Any]:
    return {
        "latex": finding.text,
        "verdict": finding.verdict,
        "digits": finding.digits,
        "assumption": finding.assumption,
        "mistake": finding.mistake,
        "hint": finding.hint,
        "counterexample": finding.counterexample,
        "correct": finding.correct,
        "reason": finding.reason,
    }


def put_right(source: str, start: int, stop: int, findings: Sequence[Finding]) -> str:
    """Return a piece of the source with every wrong member exchanged for its right form.

    Nothing is returned where one of them has none: the rest would be no right formula.
    """
    wrong = [f for f in findings if f.verdict == "wrong"]
    if not wrong or not all(f.correct for f in wrong):
        return ""
    text = ""
    for finding in findings:
        place = source.find(finding.text, start)
        while place >= 0 and place + len(finding.text) < finding.span[1]:
            place = source.find(finding.text, place + 1)  # the text may occur twice
        if place < 0:
            return ""
        if finding.verdict == "wrong":
            text += source[start:place] + finding.correct
            start = place + len(finding.text)
    return " ".join((text + source[start:stop]).split())


_AFTER = re.compile(r"\s*(?:,|\\q?quad|\\;|\\text)[^=]*?(?=\\\\|\\tag|\\end|[.。]?\s*$)")


def condition_after(source: str, stop: int) -> str:
    """Return the condition that follows a formula, which its right form needs as well."""
    found = _AFTER.match(source, stop)
    return found[0].rstrip(" .,") if found and found[0].strip(" ,.") else ""


@dataclass(frozen=True)
class Mention:
    """Mathematics that claims nothing, kept so that nothing is skipped in silence."""

    line: int
    text: str
    problem: str = ""


@dataclass(frozen=True)
class Report:
    """Everything said about one text; ``lang`` is the language of its messages."""

    items: tuple[Item, ...]
    pictures: int = 0
    mentions: tuple[Mention, ...] = ()
    lang: str = "en"
    strict: bool = False
    notes: tuple[str, ...] = field(default=())
    kind: str = "note"  # or formula, or plain

    def count(self, verdict: str) -> int:
        """Return how many formulas have a verdict."""
        return sum(item.verdict == verdict for item in self.items)

    @property
    def exit_code(self) -> int:
        """Return 0 if nothing is wrong, 1 if something is, 4 if nothing was understood."""
        if self.count("wrong"):
            return 1
        if self.items and self.count("not_understood") == len(self.items):
            return 4
        if not self.items:
            return 4
        return 1 if self.strict and self.count("not_understood") else 0

    @property
    def summary(self) -> str:
        """Return the last line of the report."""
        return message(
            "summary",
            self.lang,
            n=len(self.items),
            proved=self.count("proved"),
            agrees=self.count("agrees"),
            holds_if=self.count("holds_if"),
            wrong=self.count("wrong"),
            not_understood=self.count("not_understood"),
            pictures=self.pictures,
        )

    def to_json(self) -> str:
        """Return the list of formulas as JSON text."""
        return json.dumps([item.record() for item in self.items], ensure_ascii=False, indent=2)

    def to_text(self) -> str:
        """Return the report for a terminal, the place of each finding underlined."""
        lines = list(self.notes)
        for item in self.items:
            lines += _item_lines(item, self.lang)
        lines += _mention_lines(self.mentions, self.lang)
        return "\n".join([*lines, self.summary]) + "\n"

    def __str__(self) -> str:
        return self.to_text()


def _item_lines(item: Item, lang: str) -> list[str]:
    worst = item.worst
    tag = f" ({item.tag})" if item.tag else ""
    head = f"{item.file}:{item.line}{tag}: {message(item.verdict, lang)}"
    if worst.verdict in ("proved", "agrees") and worst.digits:
        head += message("digits", lang, digits=worst.digits)
    lines = [head]
    if worst.verdict in ("proved", "agrees"):
        return lines + [f"  {reason}" for reason in _reasons(item)]
    if item.source_line:
        lines += ["    " + part for part in underlined(item)]
    lines += ["  " + part for part in details(worst, lang)]
    for member in further(item):
        lines.append(f"  {message(member.verdict, lang)}: {' '.join(member.text.split())}")
        lines += ["    " + part for part in details(member, lang)]
    return lines


def _reasons(item: Item) -> list[str]:
    """Return how the members were read, where that needs saying."""
    return list(dict.fromkeys(member.reason for member in item.members if member.reason))


def underlined(item: Item) -> tuple[str, str]:
    """Return the source line of a finding and its underline; a long line is cut around the place.

    A wide character takes two columns of a terminal, a combining one none; tabs stay tabs.
    """
    start, stop = item.column - 1, item.column - 1 + max(1, item.length)
    line = item.source_line
    if _columns(line) > LONGEST:
        low, high = max(0, start - BESIDE), min(len(line), max(stop, start + 1) + BESIDE)
        high = min(high, low + LONGEST)
        head, tail = ("..." if low else ""), ("..." if high < len(line) else "")
        line = head + line[low:high] + tail
        start, stop = start - low + len(head), min(stop, high) - low + len(head)
    pad = "".join("\t" if c == "\t" else " " * _columns(c) for c in line[:start])
    return line, pad + "^" * max(1, _columns(line[start:stop]))


def _columns(text: str) -> int:
    """Return how many columns of a terminal a text takes."""
    wide = sum(unicodedata.east_asian_width(c) in "WF" for c in text)
    return len(text) + wide - sum(unicodedata.combining(c) > 0 for c in text)


def further(item: Item) -> list[Finding]:
    """Return the members beside the worst one that need a word as well."""
    told = ("holds_if", "wrong", "not_understood")
    return [m for m in item.members if m is not item.worst and m.verdict in told]


def details(
    finding: Finding, lang: str, code: Callable[[str], str] = lambda text: text
) -> list[str]:
    """Return what is said besides the verdict; ``code`` marks formulas and what holds them."""
    found: list[str] = []
    if finding.assumption:
        found.append(message("assumption", lang, text=finding.assumption))
    if finding.mistake:
        found.append(message("mistake", lang, text=message("mistake:" + finding.mistake, lang)))
    found.append(_one_line(finding.hint))
    made = [code(part) if any(c in part for c in _SIGNS) else part for part in found if part]
    if finding.correct:
        made.append(message("correct", lang, text=code(_one_line(finding.correct))))
    rest = (finding.counterexample, finding.reason)
    return made + [code(part) if any(c in part for c in _SIGNS) else part for part in rest if part]


_SIGNS = "\\_^*{}<>|$[]#~`"  # what Markdown would take for its own


def _one_line(text: str) -> str:
    """Return a formula on one line, unless a comment ends one of its lines."""
    return text if "%" in text else " ".join(text.split())


def _mention_lines(mentions: Sequence[Mention], lang: str) -> list[str]:
    if not mentions:
        return []
    troubled = [m for m in mentions if m.problem]
    lines = [message("mentions", lang, n=len(mentions))]
    return [f"{m.line}: {m.text}: {m.problem}" for m in troubled] + lines
