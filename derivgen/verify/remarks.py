"""What is said besides the verdict: findings about letters, and lenient readings of notation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from derivgen.formulas import tree
from derivgen.formulas.names import UNWRITTEN
from derivgen.formulas.terms import Term, letter, walk
from derivgen.formulas.tree import Notice
from derivgen.verify.judge import Member
from derivgen.verify.report import Finding
from derivgen.verify.session import NOTATION, Desk, notice_text
from derivgen.verify.structure import (
    Structural,
    bare_superscripts,
    lone_letters,
    structural,
)


def with_structure(
    findings: list[Finding], chain: tree.Chain, source: str, desk: Desk
) -> list[Finding]:
    """Add what the letters alone show; it outweighs a verdict that found nothing wrong."""
    found = structural(chain, desk.letters)
    result = [_with_twins(f, chain, n, source, desk) for n, f in enumerate(findings)]
    for number, parts in enumerate(found[: len(result)]):
        kept = [part for part in parts if part.mistake != "notation"]
        if not kept:
            result[number] = _with_notation(result[number], parts, desk)
            continue
        words = " ".join(desk.notebook.say(part.key, **part.values) for part in kept)
        result[number] = replace(
            result[number],
            verdict="wrong",
            text=_member_text(chain, number, source),
            span=kept[0].span,
            mistake=kept[0].mistake,
            hint=words,
            correct=_put_right(chain, number, kept, source),
            assumption="",
            reason="",
        )
    return result


def _with_twins(
    finding: Finding, chain: tree.Chain, number: int, source: str, desk: Desk
) -> Finding:
    """Name a letter that stands once, where no edit mends what is wrong."""
    if finding.verdict != "wrong" or finding.mistake or number >= len(chain.members):
        return finding
    twins = list(lone_letters(chain, number))
    if not twins:
        return finding
    words: list[str] = []
    for name, twin, text in twins:
        old, new = (source[n.span[0] : n.span[1]] for n in (name, twin))
        words.append(desk.notebook.say("edit", old=old, new=new))
        words.append(desk.notebook.say("twin-letter", text=text))
    return replace(
        finding,
        span=twins[0][0].span,
        mistake="index-swap",
        hint=" ".join(part for part in (*words, finding.hint) if part),
    )


def _with_notation(finding: Finding, parts: list[Structural], desk: Desk) -> Finding:
    """Name a sum without a start where the formula does not stand without more words."""
    if not parts or finding.verdict in ("agrees", "proved"):
        return finding
    words = "; ".join(dict.fromkeys(desk.notebook.say(part.key, **part.values) for part in parts))
    mistake = finding.mistake or "notation"
    if finding.verdict == "holds_if":
        both = "; ".join(text for text in (finding.assumption, words) if text)
        return replace(finding, assumption=both, mistake=mistake)
    hint = "; ".join(text for text in (finding.hint, words) if text)
    return replace(finding, hint=hint, mistake=mistake)


def _member_text(chain: tree.Chain, number: int, source: str) -> str:
    start, stop = chain.members[number].span
    return source[start:stop]


def _put_right(chain: tree.Chain, number: int, parts: list[Structural], source: str) -> str:
    """Return a member with the letters put right, where the right letter is known."""
    start, stop = chain.members[number].span
    text = source[start:stop]
    for part in sorted(parts, key=lambda p: -p.span[0]):
        if part.correct:
            low, high = part.span[0] - start, part.span[1] - start
            text = text[:low] + part.correct + text[high:]
    return text if any(part.correct for part in parts) else ""


def with_unwritten(
    findings: list[Finding], members: Sequence[Member], source: str, desk: Desk
) -> list[Finding]:
    """Say of ``sum (target - output)^2`` that the index it runs over is not written."""
    result = list(findings)
    for number, (finding, member) in enumerate(zip(findings, members)):
        parts = [part for _, part in walk(member)] if isinstance(member, Term) else []
        names = [p for p in parts if p.op == "element" and p.data.member == letter(UNWRITTEN)]
        if not names or finding.verdict not in ("agrees", "proved"):
            continue
        text = ", ".join(dict.fromkeys(source[p.span[0] : p.span[1]] for p in names))
        words = desk.notebook.say("unwritten", text=text)
        span = names[0].span
        result[number] = replace(
            finding, verdict="holds_if", assumption=words, mistake="notation", span=span
        )
    return result


def with_notices(findings: list[Finding], chain: tree.Chain, desk: Desk) -> list[Finding]:
    """Name lenient readings: a formula that is right but for them holds if they are meant."""
    result = list(findings)
    for number, finding in enumerate(result):
        if number >= len(chain.members):
            break
        notices = _own_notices(number, chain, desk)
        if not notices:
            continue
        if finding.verdict in ("agrees", "proved") and all(n.key == "no-bounds" for n in notices):
            continue
        words = "; ".join(dict.fromkeys(notice_text(n, desk.notebook) for n in notices))
        if finding.verdict in ("agrees", "proved"):
            assumption = words
            result[number] = replace(
                finding,
                verdict="holds_if",
                assumption=assumption,
                mistake="notation",
                span=notices[0].span,
            )
        elif finding.verdict == "holds_if":
            both = "; ".join(p for p in (finding.assumption, words) if p)
            result[number] = replace(
                finding, assumption=both, mistake=finding.mistake or "notation"
            )
        else:
            joint = " " if finding.hint.endswith((".", "。")) else "; "
            hint = joint.join(p for p in (finding.hint, words) if p)
            mistake = finding.mistake or "notation"
            result[number] = replace(finding, hint=hint, mistake=mistake)
    return result


def _own_notices(number: int, chain: tree.Chain, desk: Desk) -> list[Notice]:
    start, stop = chain.members[number].span
    last = number == len(chain.members) - 1
    found = [
        n
        for n in chain.notices
        if n.key in NOTATION and (start <= n.span[0] < stop or (last and n.span[0] >= stop))
    ]
    found += [
        Notice("bare-superscript", span, base)
        for base, span in bare_superscripts(chain.members[number], desk.letters)
    ]
    return found
