"""What is said besides the verdict: findings about letters, and lenient readings of notation."""

from __future__ import annotations

from dataclasses import replace

from derivgen.formulas import tree
from derivgen.formulas.tree import Notice
from derivgen.verify.report import Finding
from derivgen.verify.session import NOTATION, Desk, notice_text
from derivgen.verify.structure import (
    Structural,
    bare_superscripts,
    structural,
)


def with_structure(
    findings: list[Finding], chain: tree.Chain, source: str, desk: Desk
) -> list[Finding]:
    """Add what the letters alone show; it outweighs a verdict that found nothing wrong."""
    found = structural(chain, desk.letters)
    result = list(findings)
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
            hint = "; ".join(p for p in (finding.hint, words) if p)
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
