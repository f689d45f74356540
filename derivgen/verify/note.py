"""`verify_text`: a note, a formula or plain claims to a `Report`.

Formulas are read in order; what one defines, later ones may use. Every block of mathematics ends as
an item with a verdict, or as a mention that claims nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from derivgen.algebra.network import Network
from derivgen.formulas import tree
from derivgen.formulas.meanings import alias_key
from derivgen.formulas.names import slot_keys
from derivgen.formulas.plain import read_plain
from derivgen.formulas.resolve import make_reader, read_chains, resolve_member
from derivgen.formulas.scripts import atoms
from derivgen.formulas.surface import SurfaceTable
from derivgen.formulas.symbols import LOSS_NAMES, Symbols
from derivgen.formulas.terms import Claim, Ref, Term, letter, walk
from derivgen.formulas.tokens import Macro
from derivgen.formulas.tree import FormulaError, Name, Notice
from derivgen.verify.claims import (
    chain_alone,
    chain_sum,
    descent,
    equality_members,
    function_claim,
    has_slopes,
    initial_scale,
    is_claim,
    is_initial_scale,
    is_update,
    lacks_rate,
    names_of,
    updated,
)
from derivgen.verify.evaluate import Reading
from derivgen.verify.judge import Member, Notebook, judge_terms, resolve_members, unread
from derivgen.verify.report import Finding, Item, Mention, Report
from derivgen.verify.scanner import Block, has_mathematics, line_starts, place_of, scan, whole
from derivgen.verify.stage import GENERIC, Stage, generic_stage, make_stage
from derivgen.verify.structure import (
    Letters,
    Structural,
    bare_superscripts,
    learn,
    structural,
)

MAX_TEXT = 2_000_000
MAX_FORMULAS = 2_000
# Lenient readings that do not question what was meant, only how it is written.
NOTATION = ("brace", "underscore", "bare-superscript", "full-width", "dot", "row-break",
            "no-bounds", "no-start", "part-macro", "unknown-macro", "bracket-kind")  # fmt: skip


@dataclass
class Desk:
    """The state of verifying one text."""

    text: str
    file: str
    notebook: Notebook
    stages: list[Stage]
    macros: Mapping[str, Macro] = field(default_factory=dict)
    letters: Letters = field(default_factory=Letters)
    starts: list[int] = field(default_factory=list)
    items: list[Item] = field(default_factory=list)
    mentions: list[Mention] = field(default_factory=list)

    @property
    def symbols(self) -> Symbols:
        return self.stages[0].symbols


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
    table = symbols or SurfaceTable()
    notebook = Notebook(lang, Reading(layout=table.layout))
    kind = kind or kind_of(text)
    if network is None and kind != "plain":
        from derivgen.verify.forward import network_of

        network = network_of(text, table)
    stages = [make_stage(network, table)] if network is not None else []
    if kind == "note" or network is None:
        base = stages[0].symbols if stages else Symbols(None, table)
        stages += [generic_stage(n, base) for n in range(len(GENERIC))]
    desk = Desk(text, file, notebook, stages, starts=line_starts(text))
    pictures = _KINDS[kind](desk)
    return Report(tuple(desk.items), pictures, tuple(desk.mentions), lang, strict)


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
    from derivgen.verify.messages import message

    key = "binary" if "\0" in text else "unread"
    words = message(key, lang, text=file, problem=f"{len(text)} characters")
    finding = Finding("not_understood", reason=words)
    return Report((Item(file, 1, 1, "", "", (finding,)),), lang=lang)


# --- notes ---------------------------------------------------------------------------------------


def _note(desk: Desk) -> int:
    found = scan(desk.text)
    desk.macros = found.macros
    parsed = [(block, _parsed(block, desk)) for block in found.blocks[:MAX_FORMULAS]]
    for block, chains in parsed:
        for chain in chains if isinstance(chains, list) else []:
            learn(chain, block.ranges, desk.letters)
    for block, chains in parsed:
        _judge_block(block, chains, desk)
    for offset in found.open_at:
        line, column = place_of(offset, desk.starts)
        words = desk.notebook.say("unread", text=desk.text[offset : offset + 2], problem="...")
        finding = Finding("not_understood", desk.text[offset : offset + 20], reason=words)
        desk.items.append(Item(desk.file, line, column, "", finding.text, (finding,)))
    return found.pictures


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
        return read_chains(block.text, symbols, desk.macros)
    except FormulaError as error:
        return error
    except RecursionError:
        return FormulaError(block.text[:20], "Nested too deeply.", "Name the parts.", (0, 1))


def _judge_block(block: Block, chains: list[tree.Chain] | FormulaError, desk: Desk) -> None:
    if isinstance(chains, FormulaError):
        if block.display or "=" in block.text:
            _add_item(
                block, (chains.span[0], chains.span[1]), [unread(chains, desk.notebook)], desk
            )
        else:
            _mention(block, desk, unread(chains, desk.notebook).reason)
        return
    claimed = False
    for chain in chains:
        if not is_claim(chain):
            continue
        claimed = True
        _judge_chain(block, equality_members(chain), desk)
    if not claimed:
        notices = [n for chain in chains for n in chain.notices if n.key in NOTATION]
        problem = "; ".join(notice_text(n, desk.notebook) for n in dict.fromkeys(notices))
        _mention(block, desk, problem)


def _mention(block: Block, desk: Desk, problem: str = "") -> None:
    line, _ = place_of(block.offset, desk.starts)
    desk.mentions.append(Mention(line, " ".join(block.text.split())[:80], problem))


def notice_text(notice: Notice, notebook: Notebook) -> str:
    """Return a lenient reading in words."""
    return notebook.say(notice.key, text=notice.detail)


def _judge_chain(block: Block, chain: tree.Chain, desk: Desk) -> None:
    findings = _verdicts(block, chain, desk)
    findings = _with_structure(findings, chain, block.text, desk)
    findings = _with_notices(findings, chain, desk)
    for tag, start, stop in _rows(block, chain):
        _add_item(block, chain.span, findings[start:stop], desk, tag)


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
    block: Block, span: tuple[int, int], findings: list[Finding], desk: Desk, tag: str = ""
) -> None:
    if not findings:
        return
    worst = max(findings, key=lambda f: _ORDER[f.verdict])
    marked = worst if worst.span != (0, 0) else replace(worst, span=span)
    offset = block.offset + marked.span[0]
    line, column = place_of(min(offset, len(desk.text) - 1), desk.starts)
    ends = [f.span for f in findings if f.span != (0, 0)] or [span]
    latex = block.text[min(s for s, _ in ends) : max(e for _, e in ends)]
    source = desk.text[desk.starts[line - 1] :].split("\n", 1)[0]
    length = max(1, min(marked.span[1] - marked.span[0], len(source) - column + 1))
    desk.items.append(
        Item(desk.file, line, column, tag, " ".join(latex.split()), tuple(findings), source, length)
    )


_ORDER = {"proved": 0, "agrees": 1, "holds_if": 2, "not_understood": 3, "wrong": 4}


# --- verdicts of a chain -------------------------------------------------------------------------


def _verdicts(block: Block, chain: tree.Chain, desk: Desk) -> list[Finding]:
    source = block.text
    for special in (_initial, _function, _bare_chain_rule, _descent, _new_symbol):
        found = special(chain, source, desk)
        if found is not None:
            return found
    return _on_stages(chain, source, desk)


def _on_stages(chain: tree.Chain, source: str, desk: Desk) -> list[Finding]:
    """Judge a chain on the stage that reads most of it; right on any stage is right."""
    best: list[Finding] = []
    best_score = (-1, -9)
    chosen = desk.stages[0]
    desk.notebook.explain = False
    stages = _ordered(chain, desk)
    for stage in stages:
        findings = _on_stage(chain, source, stage, desk)
        score = _score(findings)
        if score > best_score:
            best, best_score, chosen = findings, score, stage
        if not any(f.verdict in ("wrong", "not_understood") for f in best):
            break
    desk.notebook.explain = True
    if any(f.verdict == "wrong" for f in best):
        best = _on_stage(chain, source, chosen, desk)
    plainest = next((s for s in stages if s.name), None)
    if chosen.name and plainest is not None and chosen is not plainest:
        return _conditional(best, chosen, desk)
    return best


def _ordered(chain: tree.Chain, desk: Desk) -> list[Stage]:
    given = [s for s in desk.stages if not s.name]
    generic = [s for s in desk.stages if s.name]
    if _speaks_of_layers(chain) and given and not given[0].symbols.families:
        return generic + given
    return given + generic if _speaks_of_layers(chain) or not given else given


def _speaks_of_layers(chain: tree.Chain) -> bool:
    from derivgen.verify.claims import names_of

    for member in chain.members:
        for name in names_of(member):
            for atom in (*atoms(name.sup), *atoms(name.sub)[-1:]):
                if atom.at is not None and any(n in ("l", "L", "ell") for n, _ in atom.at.letters):
                    return True
    return False


def _score(findings: list[Finding]) -> tuple[int, int]:
    read = sum(f.verdict != "not_understood" for f in findings)
    wrong = sum(f.verdict == "wrong" for f in findings)
    return read, -wrong


def _conditional(findings: list[Finding], stage: Stage, desk: Desk) -> list[Finding]:
    words = desk.notebook.say("other-world", text=stage.name)
    return [
        replace(f, verdict="holds_if", assumption=words) if f.verdict in ("agrees", "proved") else f
        for f in findings
    ]


def _on_stage(chain: tree.Chain, source: str, stage: Stage, desk: Desk) -> list[Finding]:
    try:
        members, claim = resolve_members(chain, stage.symbols)
    except RecursionError:
        error = FormulaError(source[:20], "Nested too deeply.", "Name the parts.", (0, 1))
        return [unread(error, desk.notebook)]
    defined = _definition(chain, members, claim, source, stage, desk)
    if defined is not None:
        return defined
    members, claim, rate = _as_update(members, claim)
    if claim.relations and claim.relations[0] == "~":
        found = _approximation(members, claim, source, stage, desk)
        if found is not None:
            return found
    findings = judge_terms(members, claim, stage, source, desk.notebook)
    if rate:
        words = desk.notebook.say("rate-one")
        findings[-1] = replace(
            findings[-1], verdict="holds_if", assumption=words, mistake="missing-factor"
        )
    return findings


def _as_update(members: list[Member], claim: Claim) -> tuple[list[Member], Claim, bool]:
    terms = [m for m in members if isinstance(m, Term)]
    if len(terms) < 2 or members[0] is not terms[0] or not is_update(terms, claim.relations):
        return members, claim, False
    left = updated(terms[0])
    lacks = lacks_rate(terms[1]) and any(t.op == "gradient" for _, t in walk(terms[1]))
    changed = [left, *members[1:]]
    if lacks:
        left = Term("element", (), left.data, left.span)
    new = replace(claim, members=tuple(m for m in changed if isinstance(m, Term)))
    return changed, new, lacks


def _approximation(
    members: list[Member], claim: Claim, source: str, stage: Stage, desk: Desk
) -> list[Finding] | None:
    """A mean over samples approximates the whole gradient by definition."""
    findings = judge_terms(members, claim, stage, source, desk.notebook)
    if all(f.verdict in ("agrees", "proved") for f in findings):
        words = desk.notebook.say("approximation")
        return [replace(f, verdict="holds_if", assumption=words) if k else f
                for k, f in enumerate(findings)]  # fmt: skip
    return None


def _definition(
    chain: tree.Chain,
    members: list[Member],
    claim: Claim,
    source: str,
    stage: Stage,
    desk: Desk,
) -> list[Finding] | None:
    """Take an unknown symbol on the left for defined by the first member that can be read."""
    first = chain.members[0]
    terms = [m for m in members[1:] if isinstance(m, Term)]
    if not isinstance(first, Name) or not terms:
        return None
    defines = first.base == "delta" and "delta" not in stage.symbols.tensors and is_slope(terms[0])
    if not isinstance(members[0], FormulaError) and not defines:
        return None
    if isinstance(members[0], FormulaError) and members[0].span != first.span or first.primes:
        return None
    if not any(t.op == "gradient" for _, t in walk(terms[0])):
        return None
    given = [a for a in (*atoms(first.sub), *atoms(first.sup))]
    if any(a.at is None or len(a.at.letters) != 1 or a.at.constant for a in given):
        return None
    names = tuple(a.at.letters[0][0] for a in given if a.at is not None)
    for each in desk.stages:
        if each is stage:
            each.symbols = each.symbols.with_alias(alias_key(first), names, terms[0])
    words = desk.notebook.say("definition", text=first.base)
    start = Finding("agrees", source[first.span[0] : first.span[1]], first.span, reason=words)
    rest = judge_terms(list(members[1:]), claim, stage, source, desk.notebook)
    return [start, *rest]


def is_slope(term: Term) -> bool:
    """Tell whether a member is a derivative of the loss, or its negative, and nothing more."""
    while term.op in ("negate", "group"):
        term = term.args[0]
    return term.op == "gradient" and not term.data.symbol


# --- special forms -------------------------------------------------------------------------------


def _initial(chain: tree.Chain, source: str, desk: Desk) -> list[Finding] | None:
    first, last = chain.members[0], chain.members[-1]
    start = Finding("agrees", source[first.span[0] : first.span[1]], first.span)
    text = source[last.span[0] : last.span[1]]
    if found := initial_scale(chain):
        key, correct = found
        values = {"text": correct if key == "variance" else source[first.span[0] : first.span[1]]}
        words = desk.notebook.say(key, **values)
        mistake = "extra-factor" if key == "initialisation" else "wrong-variable"
        wrong = Finding("wrong", text, last.span, mistake=mistake, hint=words, correct=correct)
        return [start, wrong]
    if is_initial_scale(chain):
        return [start, replace(start, text=text, span=last.span)]
    return None


def _bare_chain_rule(chain: tree.Chain, source: str, desk: Desk) -> list[Finding] | None:
    """The chain rule of quantities that no network declares."""
    if not _unknown(chain, desk):
        return None
    first, last = chain.members[0], chain.members[-1]
    start = Finding("agrees", source[first.span[0] : first.span[1]], first.span)
    text = source[last.span[0] : last.span[1]]
    if chain_sum(chain):
        return [start, replace(start, text=text, span=last.span)]
    if found := chain_alone(chain):
        words = desk.notebook.say("chain-alone", of=found[0], by=found[1], middle=found[2])
        return [start, Finding("holds_if", text, last.span, assumption=words)]
    return None


def _unknown(chain: tree.Chain, desk: Desk) -> bool:
    """Tell whether no stage can read the chain."""
    for stage in _ordered(chain, desk):
        members, _ = resolve_members(chain, stage.symbols)
        if not any(isinstance(m, FormulaError) for m in members):
            return False
    return True


def _descent(chain: tree.Chain, source: str, desk: Desk) -> list[Finding] | None:
    """Judge a step of gradient descent by its form where no network declares its names."""
    found = descent(chain)
    if found is None or not _unknown(chain, desk):
        return None
    first, last = chain.members[0], chain.members[-1]
    start = Finding("agrees", source[first.span[0] : first.span[1]], first.span)
    text = source[last.span[0] : last.span[1]]
    if found == "sign":
        return [start, Finding("wrong", text, last.span, mistake="sign")]
    if found == "rate":
        words = desk.notebook.say("rate-one")
        return [
            start,
            Finding("holds_if", text, last.span, assumption=words, mistake="missing-factor"),
        ]
    return [start, replace(start, text=text, span=last.span)]


def _new_symbol(chain: tree.Chain, source: str, desk: Desk) -> list[Finding] | None:
    """An equation without derivatives for a name that nothing declares defines it."""
    first = chain.members[0]
    if len(chain.members) != 2 or not isinstance(first, Name) or has_slopes(chain):
        return None
    alias = first.base in LOSS_NAMES and first.base != desk.symbols.loss
    if (
        (is_known(first, desk) and not alias)
        or not _unknown(chain, desk)
        or chain.relations[0] != "="
    ):
        return None
    if not any(True for _ in names_of(chain.members[1])):
        return None
    words = desk.notebook.say("definition", text=source[first.span[0] : first.span[1]])
    return [
        Finding("holds_if", source[m.span[0] : m.span[1]], m.span, assumption=words)
        for m in chain.members
    ]


def is_known(name: Name, desk: Desk) -> bool:
    """Tell whether a stage that is no generic one can read a name."""
    for stage in [s for s in desk.stages if not s.name] or desk.stages:
        try:
            resolve_member(name, make_reader(stage.symbols))
            return True
        except FormulaError:
            continue
    return False


def _function(chain: tree.Chain, source: str, desk: Desk) -> list[Finding] | None:
    """Judge or learn a function of one number."""
    stage = desk.stages[0]
    found = function_claim(chain, stage.symbols)
    if found is None:
        return None
    name, argument = found
    from derivgen.formulas.slopes import function_name

    reader = make_reader(replace(stage.symbols, scalars=(argument,) if argument else ()))
    first = chain.members[0]
    known = function_name(Name(name, (), (), 0, first.span), reader)
    if (
        not known
        or known not in (*stage.symbols.network_functions, *stage.symbols.defined)
        and (stage.network.functions.get(known) is None and known not in _ELEMENTARY)
    ):
        return _learn_function(chain, name, argument, source, desk)
    scalars = replace(stage.symbols, scalars=(argument,) if argument else ())
    scene = Stage(scalars, stage.worlds, stage.name)
    members, claim = resolve_members(chain, scalars)
    findings = judge_terms(members, claim, scene, source, desk.notebook)
    if any(f.verdict == "wrong" for f in findings) and isinstance(first, tree.Product):
        primes = first.factors[0].primes if isinstance(first.factors[0], Name) else 0
        if not primes and name in ("f", "g", "phi", "h", "F"):
            return _learn_function(chain, name, argument, source, desk)
    return findings


_ELEMENTARY = ("exp", "log", "tanh", "sinh", "cosh", "sin", "cos", "sqrt", "abs")


def _learn_function(
    chain: tree.Chain, name: str, argument: str, source: str, desk: Desk
) -> list[Finding] | None:
    """Take ``f(x) = ...`` for the definition of f."""
    first = chain.members[0]
    if not isinstance(first, tree.Product) or not argument:
        return None
    stage = desk.stages[0]
    scalars = replace(stage.symbols, scalars=(argument,))
    try:
        body = resolve_member(chain.members[1], make_reader(scalars))
    except FormulaError as error:
        return [unread(error, desk.notebook, source)]
    for each in desk.stages[:1]:
        each.symbols = replace(
            each.symbols, defined={**each.symbols.defined, name: (argument, body)}
        )
    words = desk.notebook.say("definition", text=name)
    return [
        Finding("agrees", source[m.span[0] : m.span[1]], m.span, reason=words)
        for m in chain.members
    ]


# --- structure and notation ----------------------------------------------------------------------


def _with_structure(
    findings: list[Finding], chain: tree.Chain, source: str, desk: Desk
) -> list[Finding]:
    """Add what the letters alone show; it outweighs a verdict that found nothing wrong."""
    found = structural(chain, desk.letters)
    result = list(findings)
    for number, parts in enumerate(found[: len(result)]):
        kept = [part for part in parts if part.mistake != "notation"]
        if not kept:
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


def _with_notices(findings: list[Finding], chain: tree.Chain, desk: Desk) -> list[Finding]:
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


# --- plain claims --------------------------------------------------------------------------------


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
        learnt = _plain_definition(block.text, stage, desk)
        findings = [learnt] if learnt else [unread(error, desk.notebook, block.text)]
        _add_item(block, error.span, findings, desk)
        return
    except RecursionError:
        error = FormulaError(content[:20], "Nested too deeply.", "", (0, 1))
        _add_item(block, (0, 1), [unread(error, desk.notebook)], desk)
        return
    if len(claim.members) < 2:
        error = FormulaError(content.strip()[:30], "This claims nothing.", "Write A = B.", (0, 1))
        _add_item(block, (0, 1), [unread(error, desk.notebook)], desk)
        return
    members: list[Member] = list(claim.members)
    changed, claim, rate = _as_update(members, claim)
    findings = judge_terms(changed, claim, stage, block.text, desk.notebook)
    if rate:
        findings[-1] = replace(
            findings[-1],
            verdict="holds_if",
            assumption=desk.notebook.say("rate-one"),
            mistake="missing-factor",
        )
    _add_item(block, (0, len(block.text)), findings, desk)


def _plain_definition(text: str, stage: Stage, desk: Desk) -> Finding | None:
    """Take ``name[k] = ...`` for the definition of a name that nothing declares."""
    import re

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


def letters_bound(term: Term, symbols: Symbols) -> list[str]:
    """Return the letters of a term's references."""
    found: list[str] = []
    for _, part in walk(term):
        if isinstance(part.data, Ref):
            found += [n for at, _ in slot_keys(part.data, symbols) for n, _ in at.letters]
    return found


def one_letter(name: str) -> Any:
    """Return the index expression of a letter."""
    return letter(name)
