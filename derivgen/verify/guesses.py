"""Chains with names that nothing declares, judged under the usual names of the network's parts.

Right under a table of names is right, and says which table. Wrong is wrong only where one edit
would mend it: a formula that fails under a guess for no known reason is not understood.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from derivgen.algebra.network import Role
from derivgen.formulas import tree
from derivgen.formulas.conventions import table_rows
from derivgen.formulas.deltas import BARS, ERRORS, has_bar, meaning_of
from derivgen.formulas.joint import assignments
from derivgen.formulas.resolve import make_reader
from derivgen.formulas.scripts import plain_text
from derivgen.formulas.sequence import loss_names
from derivgen.formulas.symbols import Symbols, canonical
from derivgen.formulas.terms import Ref, Term, walk
from derivgen.formulas.tree import FormulaError
from derivgen.formulas.usual import Lettered, guesses, lettered_guesses
from derivgen.verify.claims import names_of
from derivgen.verify.judge import Member, resolve_members
from derivgen.verify.report import Finding
from derivgen.verify.session import Desk
from derivgen.verify.stage import Stage

# Mistakes that no wrong table of names looks like; another tensor in a place may be the table's.
SURE = ("sign", "factor-2", "missing-factor", "extra-factor", "missing-1-over-m", "sum-forgotten",
        "path-forgotten", "index-swap", "missing-transpose", "extra-transpose", "order",
        "missing-fprime", "extra-fprime", "wrong-time-index", "softmax-diagonal",
        "indicator-dropped")  # fmt: skip
SURE_OF_LAYERS = ("wrong-layer-weight", "wrong-layer-fprime", "fprime-argument", "wrong-variable")
ASSIGNED = 4  # so many ways to give the letters ranges are tried under one table of names
TRIED = 40  # so many different readings of one chain are judged
MENDED = 2  # so many tables may be searched for the edit that mends a wrong formula
Judge = Callable[[tree.Chain, str, Stage, Desk], list[Finding]]


@dataclass(frozen=True)
class Guess:
    """Names to try: of single tensors, and of several that index letters tell apart."""

    names: Mapping[str, str] = field(default_factory=dict)
    lettered: Lettered = Lettered({})

    def on(self, given: Stage) -> Stage:
        """Return a stage that reads names so."""
        symbols = replace(
            given.symbols,
            guess=self.names,
            several=self.lettered.several,
            turned=self.lettered.turned,
        )
        return replace(given, symbols=symbols)


def on_guesses(chain: tree.Chain, source: str, desk: Desk, judge: Judge) -> list[Finding] | None:
    """Return the findings under the first table that makes the chain right, or one edit from it."""
    failed: list[tuple[Stage, str]] = []
    seen: list[list[Member]] = []
    shapeless = 0  # how many failed for shapes that do not fit: they are tried last
    for stage, guess in _stages(chain, desk):
        members, _ = resolve_members(chain, stage.symbols)
        words = _words(chain, members, guess, desk)
        if members in seen or any(isinstance(m, FormulaError) for m in members):
            continue
        if any(_names_twice(chain, member) for member in members):
            continue
        seen.append(members)
        if len(seen) > TRIED:
            break
        desk.notebook.explain = False
        findings = judge(chain, source, stage, desk)
        desk.notebook.explain = True
        if all(f.verdict in ("agrees", "proved", "holds_if") for f in findings):
            return _with_words(findings, words)
        wrong = [f for f in findings if f.verdict == "wrong"]
        if wrong and all(f.reason != "shape" for f in wrong):
            failed.insert(len(failed) - shapeless, (stage, words))
        elif wrong:
            failed.append((stage, words))
            shapeless += 1
    return _mended(chain, source, desk, judge, failed)


def _stages(chain: tree.Chain, desk: Desk) -> Iterator[tuple[Stage, Guess]]:
    """Yield the given stage under each table of names, and under what letters may run over."""
    given = desk.stages[0]
    for guess in _guesses(chain, desk):
        stage = guess.on(given)
        yield stage, guess
        letters = assignments(chain.members, make_reader(stage.symbols))
        for known in letters[:ASSIGNED]:
            yield replace(stage, symbols=replace(stage.symbols, letters_known=known)), guess


def _guesses(chain: tree.Chain, desk: Desk) -> Iterator[Guess]:
    yield Guess()
    for table in _tables(chain, desk):
        yield Guess(table)
    network, own = desk.symbols.network, desk.symbols.by_letters
    for lettered in lettered_guesses(network) if network else ():
        several = {k: v for k, v in lettered.several.items() if k not in own}
        turned = tuple(name for name in lettered.turned if name in several)
        yield Guess({}, Lettered(several, turned))


def _words(chain: tree.Chain, members: list[Member], guess: Guess, desk: Desk) -> str:
    """Say which names were read as what."""
    rows = _used(chain, members, guess.names)
    if not rows:
        rows = ", ".join(_read_as(chain, members, guess))
    return desk.notebook.say("guess", text=rows) if rows else ""


def _read_as(chain: tree.Chain, members: list[Member], guess: Guess) -> Iterator[str]:
    """Yield ``w_{kj} -> W2[k,j]`` for the names of several tensors."""
    seen: dict[str, None] = {}
    for member in members:
        for _, part in walk(member) if isinstance(member, Term) else ():
            if isinstance(part.data, Ref) and part.op == "element":
                seen[part.data.tensor + "[" + ",".join(map(str, part.data.slots)) + "]"] = None
    if guess.lettered.several:
        yield from (row for row in seen if "None" not in row and not row.endswith("[]"))


def with_layers(
    findings: list[Finding], chain: tree.Chain, members: list[Member], stage: Stage, desk: Desk
) -> list[Finding]:
    """Say which tensors the layered names of a chain were read as, where the network has others."""
    conventional = {stem.lower() for stem in stage.symbols.conventional}
    letters = conventional & set(_renamed(chain, members)) if conventional else set()
    letters -= {name.lower() for name in stage.symbols.guess}  # those are named by their guess
    rows = (
        [r for r in table_rows(stage.network, stage.symbols.value_shift) if r[0].lower() in letters]
        if letters
        else []
    )
    if not rows:
        return findings
    words = desk.notebook.say("guess", text=", ".join(rows))
    read = ("agrees", "proved", "holds_if")
    return [f if f.verdict not in read else _with_words([f], words)[0] for f in findings]


def _with_words(findings: list[Finding], words: str) -> list[Finding]:
    """Say how names were read, before what else is said of the reading."""
    return [
        f if words in f.reason else replace(f, reason=" ".join(p for p in (words, f.reason) if p))
        for f in findings
    ]


def _renamed(chain: tree.Chain, members: list[Member]) -> Iterator[str]:
    """Yield the bases, in small letters, of names that were read as tensors of other names."""
    for member in members:
        for base, tensor in _read_names(chain, member):
            if "{}" in tensor or canonical(tensor) != base:
                yield base.lower()


def _read_names(chain: tree.Chain, member: Member) -> Iterator[tuple[str, str]]:
    """Yield the bases of a member's names with the tensors they were read as."""
    names = [n for part in chain.members for n in names_of(part) if n.base not in ERRORS]
    by_place = {name.span: name.base for name in names}
    for _, part in walk(member) if isinstance(member, Term) else ():
        if part.op == "element" and part.span in by_place:
            yield by_place[part.span], part.data.tensor


def _names_twice(chain: tree.Chain, member: Member) -> bool:
    r"""Tell whether a member calls one tensor by its own name and by another.

    In ``\hat{y}_k(1-z_k)`` z is not y: who writes two letters means two quantities.
    """
    names = list(_read_names(chain, member))
    own = {tensor for base, tensor in names if canonical(tensor) == base}
    return any(
        tensor in own and canonical(tensor).lower() != base.lower() for base, tensor in names
    )


def _tables(chain: tree.Chain, desk: Desk) -> Iterator[Mapping[str, str]]:
    """Yield the tables of names; for an error symbol, one more for each layer it may be of."""
    symbols = desk.stages[0].symbols
    tables = guesses(symbols.network) if symbols.network else ()
    yield from tables
    if has_adjoints(chain, symbols):
        yield from ({**table, BARS: symbols.loss} for table in ({}, *tables))
    for base in _errors(chain, symbols):
        for tensor in reversed(symbols.preactivations):
            for table in ({}, *tables):
                yield {**table, meaning_of(base): tensor}
        for tensor in _other_values(symbols):
            for table in ({}, *tables[:1]):
                yield {**table, meaning_of(base): tensor}


def has_adjoints(chain: tree.Chain, symbols: Symbols) -> bool:
    """Tell whether a bar stands over a name of the network that has no meaning with it."""
    return any(has_bar(name, symbols) for m in chain.members for name in names_of(m))


def _errors(chain: tree.Chain, symbols: Symbols) -> Iterator[str]:
    """Yield the symbols of errors that nothing says the meaning of; a chain has one of them."""
    own = (*symbols.by_canonical, *symbols.aliases, *symbols.guess)
    bases = {n.base for member in chain.members for n in names_of(member)}
    yield from [base for base in ERRORS if base in bases and base not in own][:1]


def _other_values(symbols: Symbols) -> list[str]:
    """Return the tensors that are made, the last first; pre-activations and losses left out."""
    assert symbols.network is not None, "a guess is made for a network"
    taken = (*symbols.preactivations, *loss_names(symbols.network))
    names = [t.name for t in symbols.network.of_role(Role.VALUE) if t.name not in taken]
    return names[::-1]


def _mended(
    chain: tree.Chain, source: str, desk: Desk, judge: Judge, failed: list[tuple[Stage, str]]
) -> list[Finding] | None:
    for stage, words in failed[:MENDED]:
        findings = judge(chain, source, stage, desk)
        wrong = [f for f in findings if f.verdict == "wrong"]
        if all(f.verdict in ("agrees", "proved", "holds_if") for f in findings):
            return _with_words(findings, words)
        if wrong and all(f.mistake in SURE for f in wrong):
            return _with_words(findings, words)
    return None


def _used(chain: tree.Chain, members: list[Member], table: Mapping[str, str]) -> str:
    """Return the rows of a table whose names and tensors a chain speaks of."""
    written = {text for m in chain.members for n in names_of(m) for text in _texts(n)}
    tensors = {
        part.data.tensor: None
        for member in members
        if isinstance(member, Term)
        for _, part in walk(member)
        if isinstance(part.data, Ref)
    }
    rows = [(name, tensor) for name, tensor in table.items() if tensor in tensors]
    return ", ".join(f"{name} -> {tensor}" for name, tensor in rows if name in written)


def _texts(name: tree.Name) -> tuple[str, ...]:
    """Return what a table may call a name: its base in either case, or with its scripts."""
    scripts = plain_text(name.sub) + plain_text(name.sup)
    return name.base, name.base.swapcase(), name.base + scripts
