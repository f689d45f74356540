"""`verify_text`: a note, a formula or plain claims to a `Report`.

Formulas are read in order; what one defines, later ones may use. Every block of mathematics ends as
an item with a verdict, or as a mention that claims nothing.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from derivgen.algebra.network import Network, Role
from derivgen.formulas import tree
from derivgen.formulas.conditions import with_conditions
from derivgen.formulas.plain import read_plain
from derivgen.formulas.resolve import read_chains
from derivgen.formulas.surface import SurfaceTable
from derivgen.formulas.symbols import Symbols
from derivgen.formulas.tree import FormulaError
from derivgen.verify.chains import as_update, verdicts
from derivgen.verify.claims import (
    assigned,
    equality_members,
    is_claim,
)
from derivgen.verify.context import Reading
from derivgen.verify.forward import Found, read_network
from derivgen.verify.judge import Member, judge_terms, unread
from derivgen.verify.messages import message
from derivgen.verify.notebook import Notebook
from derivgen.verify.numbering import shift_of, shifted, speaks_of_layers
from derivgen.verify.problems import translated
from derivgen.verify.remarks import with_notices, with_structure
from derivgen.verify.report import (
    Finding,
    Item,
    Mention,
    Report,
    condition_after,
    put_right,
    weight,
)
from derivgen.verify.scanner import Block, has_mathematics, line_starts, place_of, scan, whole
from derivgen.verify.session import NOTATION, Desk, notice_text
from derivgen.verify.stage import GENERIC, Stage, generic_stage, make_stage
from derivgen.verify.structure import (
    learn,
)
from derivgen.verify.vicinity import Parsed, with_nearby

# Characters that nobody sees: marks of direction, joints, controls, halves of pairs. As blanks they
# leave every place where it is, and no terminal obeys them.
UNSEEN = dict.fromkeys(
    (
        *(k for k in range(1, 32) if chr(k) not in "\t\n\r\f\v"),
        *(0x7F, 0xAD, *range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x206A)),
        *(0xFEFF, *range(0x80, 0xA0), *range(0xD800, 0xE000)),
    ),
    " ",
)
MAX_TEXT = 2_000_000
MAX_FORMULAS = 10_000


def verify_text(
    text: str,
    network: Network | None = None,
    symbols: SurfaceTable | None = None,
    lang: str = "en",
    file: str = "<text>",
    strict: bool = False,
    kind: str = "",
) -> Report:
    """Judge every formula of a text; see the module's docstring.

    ``kind`` is note, formula or plain; it is told from the text where it is empty.
    """
    if "\0" in text or len(text) > MAX_TEXT:
        return _unreadable(text, file, lang)
    text = text.translate(UNSEEN)
    table = symbols or SurfaceTable()
    notebook = Notebook(lang, Reading(layout=table.layout))
    kind = kind or kind_of(text)
    said: tuple[str, ...] = ()
    if network is None and kind != "plain":
        found = read_network(text)
        network, said = found.network, (_said(found, lang),) if kind == "note" else ()
    stages = [make_stage(network, table)] if network is not None else []
    if kind == "note" or network is None:
        base = stages[0].symbols if stages else Symbols(None, table)
        stages += [generic_stage(n, base) for n in range(len(GENERIC))]
    desk = Desk(text, file, notebook, stages, starts=line_starts(text))
    pictures = _KINDS[kind](desk)
    items, mentions = tuple(desk.items), tuple(desk.mentions)
    return Report(items, pictures, mentions, lang, strict, said, kind=kind)


def _said(found: Found, lang: str) -> str:
    """Say which network a note is judged by, or why it gives none."""
    network = found.network
    if network is None:
        return message(found.problem, lang)
    made = list(dict.fromkeys(e.lhs.tensor for e in network.equations))
    names = {role: ", ".join(t.name for t in network.of_role(role)) for role in Role}
    return message(
        "note-network",
        lang,
        given=", ".join(n for n in (names[Role.INPUT], names[Role.TARGET]) if n),
        learnt=names[Role.PARAM],
        made=", ".join(name for name in made if name != network.loss),
        loss=network.loss or "",
    )


def kind_of(text: str) -> str:
    """Tell a note, a single formula and plain claims apart by what they contain."""
    if has_mathematics(text):
        return "note"
    lines = [
        line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")
    ]
    if len(lines) <= 3 and ("\\" in text or "_{" in text or "^{" in text):
        return "formula"
    claims = sum("=" in line and _is_ascii_claim(line) for line in lines)
    return "plain" if lines and 2 * claims > len(lines) else "note"


def _is_ascii_claim(line: str) -> bool:
    return line.isascii() and "\\" not in line


def _unreadable(text: str, file: str, lang: str) -> Report:
    key = "binary" if "\0" in text else "unread"
    size = translated(f"{len(text)} characters", lang)
    words = message(key, lang, text=file, problem=size)
    finding = Finding("not_understood", reason=words)
    return Report((Item(file, 1, 1, "", "", (finding,), last_line=1),), lang=lang)


def _note(desk: Desk) -> int:
    found = scan(desk.text)
    desk.macros = found.macros
    parsed = [(block, _parsed(block, desk)) for block in found.blocks[:MAX_FORMULAS]]
    for block, chains in parsed:
        for chain in chains if isinstance(chains, list) else []:
            learn(chain, block.ranges, desk.letters)
    _judge_numbered(with_nearby(parsed, desk.text, desk.symbols.tensors), desk)
    for block in found.blocks[MAX_FORMULAS : MAX_FORMULAS + 1]:
        rest = len(found.blocks) - MAX_FORMULAS
        words = desk.notebook.say("too-many", n=rest, most=MAX_FORMULAS)
        _add_item(block, (0, 1), [Finding("not_understood", reason=words)], desk)
    for offset in found.open_at:
        line, column = place_of(offset, desk.starts)
        words = desk.notebook.say("unread", text=desk.text[offset : offset + 2], problem="...")
        finding = Finding("not_understood", desk.text[offset : offset + 20], reason=words)
        item = Item(desk.file, line, column, "", finding.text, (finding,), last_line=line)
        desk.items.append(item)
    return found.pictures


def _judge_numbered(parsed: Parsed, desk: Desk) -> None:
    """Judge all blocks under the numbering of layers that the note has; see `numbering`."""
    chains = [c for _, found in parsed if not isinstance(found, FormulaError) for c in found]
    shift = shift_of(chains)
    other = replace(desk, stages=[shifted(stage) for stage in desk.stages], items=[], mentions=[])
    if shift == 1:
        desk.stages = other.stages
    _judge_blocks(parsed, desk)
    if shift is None and _count_wrong(desk) and speaks_of_layers(chains):
        other.notebook = replace(desk.notebook)
        _judge_blocks(parsed, other)
        if _count_wrong(other) < _count_wrong(desk):
            desk.stages, desk.items, desk.mentions = other.stages, other.items, other.mentions


def _count_wrong(desk: Desk) -> int:
    return sum(item.verdict == "wrong" for item in desk.items)


def _judge_blocks(parsed: Parsed, desk: Desk) -> None:
    places: list[tuple[int, int]] = []
    known = [len(stage.symbols.aliases) for stage in desk.stages]
    for block, chains in parsed:
        start = len(desk.items)
        _judge_block(block, chains, desk)
        places.append((start, len(desk.items)))
    if known != [len(stage.symbols.aliases) for stage in desk.stages]:
        _judge_again(parsed, places, desk)


def _judge_again(
    parsed: Parsed,
    places: list[tuple[int, int]],
    desk: Desk,
) -> None:
    """Judge what was not understood once more: a symbol may be defined after its first use."""
    items, mentions = desk.items, list(desk.mentions)
    for (block, chains), (start, stop) in reversed(list(zip(parsed, places))):
        if all(item.verdict != "not_understood" for item in items[start:stop]):
            continue
        desk.items = []
        _judge_block(block, chains, desk)
        again = desk.items
        if len(again) == stop - start and all(i.verdict != "not_understood" for i in again):
            items[start:stop] = again
    desk.items, desk.mentions = items, mentions


def _formula(desk: Desk) -> int:
    block = whole(desk.text.strip("\n"))
    chains = _parsed(block, desk)
    for chain in chains if isinstance(chains, list) else []:
        learn(chain, block.ranges, desk.letters)
    _judge_block(block, chains, desk)
    return 0


def _parsed(block: Block, desk: Desk) -> list[tree.Chain] | FormulaError:
    symbols = desk.symbols if desk.stages else Symbols(None)
    try:
        return [assigned(chain) for chain in read_chains(block.text, symbols, desk.macros)]
    except FormulaError as error:
        return error
    except RecursionError:
        return FormulaError(block.text[:20], "Nested too deeply.", "Name the parts.", (0, 1))


def _judge_block(block: Block, chains: list[tree.Chain] | FormulaError, desk: Desk) -> None:
    if isinstance(chains, FormulaError):
        if block.display or "=" in block.text:
            _add_item(block, (0, len(block.text)), [unread(chains, desk.notebook)], desk)
        else:
            _mention(block, desk, unread(chains, desk.notebook).reason)
        return
    claimed = False
    for chain in with_conditions(chains, block.text, desk.symbols.tensors):
        if not is_claim(chain, desk.symbols.tensors):
            continue
        claimed = True
        _judged_or_refused(block, equality_members(chain), desk)
    if not claimed:
        notices = [n for chain in chains for n in chain.notices if n.key in NOTATION]
        problem = "; ".join(notice_text(n, desk.notebook) for n in dict.fromkeys(notices))
        _mention(block, desk, problem)


def _mention(block: Block, desk: Desk, problem: str = "") -> None:
    line, _ = place_of(block.offset, desk.starts)
    desk.mentions.append(Mention(line, " ".join(block.text.split())[:80], problem))


def _judged_or_refused(block: Block, chain: tree.Chain, desk: Desk) -> None:
    """Judge a chain; one that breaks the reader down must not take the rest of the note with it."""
    try:
        _judge_chain(block, chain, desk)
    except RecursionError:
        deep = FormulaError(block.text[:20], "Nested too deeply.", "Name the parts.", (0, 1))
        _add_item(block, (0, 1), [unread(deep, desk.notebook)], desk)
    except Exception as defect:
        if os.environ.get("DERIVGEN_DEBUG"):
            raise
        words = desk.notebook.say("defect", kind=type(defect).__name__, text=str(defect)[:80])
        _add_item(block, chain.span, [Finding("not_understood", reason=words)], desk)


def _judge_chain(block: Block, chain: tree.Chain, desk: Desk) -> None:
    findings = verdicts(block, chain, desk)
    findings = with_structure(findings, chain, block.text, desk)
    findings = with_notices(findings, chain, desk)
    for tag, start, stop in _rows(block, chain):
        span, head = chain.span, ""
        if start or stop < len(chain.members):  # a row of its own: `= b` stands for `a = b`
            span = chain.members[start].span[0], chain.members[stop - 1].span[1]
            first, last = chain.members[0].span
            head = f"{block.text[first:last].strip()} = " if start else ""
        _add_item(block, span, findings[start:stop], desk, tag, head)


def _rows(block: Block, chain: tree.Chain) -> Iterator[tuple[str, int, int]]:
    """Yield the members that stand before each tag; the first one goes with the second."""
    start = 0
    inside = [(offset, tag) for offset, tag in block.tags if chain.span[0] <= offset]
    for offset, tag in inside:
        stop = start
        while stop < len(chain.members) and chain.members[stop].span[0] < offset:
            stop += 1
        if stop > start:
            yield tag, start, stop
            start = stop
    if start < len(chain.members):
        tag = ""
        yield tag, start, len(chain.members)


def _add_item(
    block: Block,
    span: tuple[int, int],
    findings: list[Finding],
    desk: Desk,
    tag: str = "",
    head: str = "",
) -> None:
    if not findings:
        return
    worst = max(findings, key=weight)
    marked = worst if worst.span != (0, 0) else replace(worst, span=span)
    offset = block.offset + marked.span[0]
    line, column = place_of(min(offset, len(desk.text) - 1), desk.starts)
    ends = [span, *(f.span for f in findings if f.span != (0, 0))]
    start, stop = min(s for s, _ in ends), max(e for _, e in ends)
    latex, fixed = block.text[start:stop], put_right(block.text, start, stop, findings)
    source = desk.text[desk.starts[line - 1] :].split("\n", 1)[0]
    length = max(1, min(marked.span[1] - marked.span[0], len(source) - column + 1))
    words = " ".join(latex.split())
    last, _ = place_of(min(block.offset + len(block.text), len(desk.text)), desk.starts)
    desk.items.append(
        Item(
            desk.file, line, column, tag, words, tuple(findings), source, length, last,
            " ".join((head + fixed + condition_after(block.text, stop)).split()) if fixed else "",
        )
    )  # fmt: skip


def _plain(desk: Desk) -> int:
    offset = 0
    for line in desk.text.split("\n"):
        content = line.split("#", 1)[0]
        if content.strip():
            _plain_line(content, offset, desk)
        offset += len(line) + 1
    return 0


def _plain_line(content: str, offset: int, desk: Desk) -> None:
    block = Block(content.rstrip(), offset, True)
    if not desk.stages:
        error = FormulaError(content.strip()[:30], "No network is given.", "", (0, 1))
        _add_item(block, (0, len(content)), [unread(error, desk.notebook)], desk)
        return
    stage = desk.stages[0]
    try:
        claim = read_plain(block.text, stage.symbols)
    except FormulaError as error:
        if _as_latex(block, desk):
            return
        learnt = _plain_definition(block.text, stage, desk)
        findings = [learnt] if learnt else [unread(error, desk.notebook, block.text)]
        _add_item(block, (0, len(block.text)), findings, desk)
        return
    except RecursionError:
        deep = FormulaError(content[:20], "Nested too deeply.", "", (0, 1))
        _add_item(block, (0, 1), [unread(deep, desk.notebook)], desk)
        return
    if len(claim.members) < 2:
        empty = FormulaError(content.strip()[:30], "This claims nothing.", "Write A = B.", (0, 1))
        _add_item(block, (0, 1), [unread(empty, desk.notebook)], desk)
        return
    members: list[Member] = list(claim.members)
    changed, claim, rate = as_update(members, claim)
    findings = judge_terms(changed, claim, stage, block.text, desk.notebook)
    if rate:
        findings[-1] = replace(
            findings[-1],
            verdict="holds_if",
            assumption=desk.notebook.say("rate-one"),
            mistake="missing-factor",
        )
    _add_item(block, (0, len(block.text)), findings, desk)


def _as_latex(block: Block, desk: Desk) -> bool:
    """Judge a line that is no plain claim as a formula, if it can be read as one."""
    chains = _parsed(block, desk)
    if isinstance(chains, FormulaError):
        return False
    claims = [chain for chain in chains if is_claim(chain, desk.symbols.tensors)]
    if len(claims) != 1 or len(chains) != 1:
        return False
    findings = verdicts(block, claims[0], desk)
    if any(f.verdict == "not_understood" or "define" in f.reason for f in findings):
        return False
    _add_item(block, claims[0].span, findings, desk)
    return True


def _plain_definition(text: str, stage: Stage, desk: Desk) -> Finding | None:
    """Take ``name[k] = ...`` for the definition of a name that nothing declares."""
    match = re.match(r"\s*([A-Za-z_][A-Za-z0-9_]*)\s*(?:\[([A-Za-z0-9_, ]*)\])?\s*=(?!=)", text)
    if match is None or match[1] in stage.symbols.tensors:
        return None
    try:
        claim = read_plain(text[match.end() :], stage.symbols)
    except FormulaError:
        return None
    names = tuple("".join(n.split()) for n in (match[2] or "").split(",") if n.strip())
    if any(n not in claim.letters for n in names):
        return None
    stage.symbols = stage.symbols.with_alias(match[1], names, claim.members[0])
    words = desk.notebook.say("definition", text=match[1])
    return Finding("agrees", text.strip(), (0, len(text)), reason=words)


_KINDS: Mapping[str, Any] = {"note": _note, "formula": _formula, "plain": _plain}
