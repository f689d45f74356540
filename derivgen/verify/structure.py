"""Findings about letters that need no network: limits, bindings, and how superscripts are written.

In ``sum_{k=1}^{j}`` the limit j must not be an index elsewhere; a sum inside another must not bind
its letter again while the body waits for another one. The rules look at letters alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from derivgen.formulas import tree
from derivgen.formulas.scripts import atoms, unwrapped
from derivgen.formulas.tree import Name, Span, Token, Tree


@dataclass
class Letters:
    """What the letters of a whole note are used for."""

    indices: dict[str, None] = field(default_factory=dict)
    limits: dict[str, str] = field(default_factory=dict)  # what k = 1, 2, ..., l declares
    # How often an index stands above a name: in brackets, x and k of ``x^{(k)}``, and bare.
    bracketed: dict[tuple[str, str], int] = field(default_factory=dict)
    bare: dict[tuple[str, str], int] = field(default_factory=dict)


@dataclass(frozen=True)
class Structural:
    """One finding: a message key with values, where, and what would be right."""

    key: str
    values: Mapping[str, str]
    span: Span
    mistake: str = "sum-range"
    correct: str = ""


def learn(chain: tree.Chain, ranges: tuple[tuple[str, int, str], ...], letters: Letters) -> None:
    """Note what a formula's letters are used for."""
    for name, _, high in ranges:
        letters.limits[name] = high
        letters.indices[name] = None
    for member in chain.members:
        for node, _ in _walk(member, ()):
            if isinstance(node, Name):
                for atom in (*atoms(node.sub), *atoms(node.sup)):
                    if atom.at is not None and len(atom.text) == 1 and atom.text.isalpha():
                        letters.indices[atom.text] = None
                _count_above(node, letters)
            elif isinstance(node, tree.Big):
                for name in _bound(node):
                    letters.indices[name] = None


def _count_above(node: Name, letters: Letters) -> None:
    inner, bracketed = unwrapped(node.sup)
    if len(inner) == 1 and inner[0].kind == "name":
        counts = letters.bracketed if bracketed else letters.bare
        key = (node.base, inner[0].text)
        counts[key] = counts.get(key, 0) + 1


def structural(chain: tree.Chain, letters: Letters) -> list[list[Structural]]:
    """Return the findings of each member."""
    return [list(_member_findings(member, letters)) for member in chain.members]


def _member_findings(member: Tree, letters: Letters) -> Iterator[Structural]:
    for node, outer in _walk(member, ()):
        if not isinstance(node, tree.Big) or node.op not in ("sum", "prod"):
            continue
        yield from _limit_findings(node, letters)
        yield from _rebound(node, outer)
        if node.sup and not _has_start(node):
            yield Structural("no-start", {}, node.span, "notation")


def _has_start(node: tree.Big) -> bool:
    return any(t.kind == "relation" for t in node.sub)


def _limit_findings(node: tree.Big, letters: Letters) -> Iterator[Structural]:
    limit = _letters_of(node.sup)
    if len(limit) != 1 or not _has_start(node):
        return
    name = limit[0]
    inner = {
        n for part, _ in _walk(node.body, ()) if isinstance(part, tree.Big) for n in _bound(part)
    }
    bound = _bound(node)
    declared = letters.limits.get(bound[0]) if bound else None
    clash = name in inner or (name.islower() and name in letters.indices and name not in bound)
    if not clash or (declared == name) or _is_running(node, name):
        return
    start = next((t.span[0] for t in node.sup), node.span[0])
    correct = declared or ""
    yield Structural(
        "limit-clash", {"text": name, "limit": correct}, (start, start + 1), "sum-range", correct
    )


def _is_running(node: tree.Big, name: str) -> bool:
    """A limit such as t in ``sum_{k=1}^{t}`` is meant where the letter stands for a time."""
    return name in ("t", "n", "m", "N", "i") or name.isupper()


def _rebound(node: tree.Big, outer: tuple[str, ...]) -> Iterator[Structural]:
    """A letter bound again inside its own sum, while the body has one that nothing binds."""
    for name in _bound(node):
        free = [n for n in _indices_in(node.body) if n not in (*_bound(node), *outer)]
        if name in outer and len(free) == 1:
            start = next((t.span[0] for t in node.sub), node.span[0])
            values = {"text": name, "letter": free[0]}
            yield Structural("rebound", values, (start, start + 1), "sum-range", free[0])


def _indices_in(node: Tree) -> list[str]:
    found: dict[str, None] = {}
    for part, inner in _walk(node, ()):
        if isinstance(part, Name):
            for atom in atoms(part.sub):
                single = atom.at is not None and len(atom.text) == 1 and atom.text.isalpha()
                if single and atom.text not in inner:
                    found[atom.text] = None
    return list(found)


def _bound(node: tree.Big) -> tuple[str, ...]:
    names: list[str] = []
    for token in node.sub:
        if token.kind == "relation":
            break
        if token.kind in ("name", "command") and token.text.lstrip("\\").isalpha():
            names.append(token.text.lstrip("\\"))
    return tuple(names)


def _letters_of(tokens: tuple[Token, ...]) -> list[str]:
    return [t.text for t in tokens if t.kind == "name"]


def _walk(node: Tree, bound: tuple[str, ...]) -> Iterator[tuple[Tree, tuple[str, ...]]]:
    yield node, bound
    inner = (*bound, *_bound(node)) if isinstance(node, tree.Big) else bound
    for value in vars(node).values():
        for part in value if isinstance(value, tuple) else (value,):
            if isinstance(part, tuple):
                for deep in part:
                    if hasattr(deep, "span") and not isinstance(deep, Token):
                        yield from _walk(deep, inner)
            elif hasattr(part, "span") and not isinstance(part, Token):
                yield from _walk(part, inner)


def lone_letters(chain: tree.Chain, number: int) -> Iterator[tuple[Name, Name, str]]:
    r"""Yield names whose index stands nowhere else, where the same name has another one.

    ``y^o`` beside ``1-y^i`` where no other o occurs: the first name, the second, the letter.
    """
    member, names = chain.members[number], [n for m in chain.members for n in _names(m)]
    counts: dict[str, int] = {}
    for name in names:
        for text in _single_letters(name):
            counts[text] = counts.get(text, 0) + 1
    bound = {n for m in chain.members for part, _ in _walk(m, ()) if isinstance(part, tree.Big)
             for n in _bound(part)}  # fmt: skip
    own = list(_names(member))
    for name in own:
        lone = [t for t in _single_letters(name) if counts[t] == 1 and t not in bound]
        for text in lone:
            twins = [n for n in own if n is not name and _differs_in(name, n, text)]
            if twins:
                yield name, twins[0], text


def _names(node: Tree) -> Iterator[Name]:
    yield from (part for part, _ in _walk(node, ()) if isinstance(part, Name))


def _single_letters(name: Name) -> list[str]:
    found = (*atoms(name.sub), *atoms(name.sup))
    return [a.text for a in found if a.at is not None and len(a.text) == 1 and a.text.isalpha()]


def _differs_in(one: Name, other: Name, text: str) -> bool:
    """Tell whether two names are alike but for the letter ``text``."""
    if one.base != other.base or one.primes != other.primes:
        return False
    pairs = [(atoms(one.sub), atoms(other.sub)), (atoms(one.sup), atoms(other.sup))]
    if any(len(a) != len(b) for a, b in pairs):
        return False
    both = [(a, b) for left, right in pairs for a, b in zip(left, right) if a.text != b.text]
    return [a.text for a, _ in both] == [text] and both[0][1].text.isalpha()


def bare_superscripts(member: Tree, letters: Letters) -> Iterator[tuple[str, Span]]:
    """Yield names whose index above lacks the brackets it has elsewhere in the note."""
    for node, _ in _walk(member, ()):
        if not isinstance(node, Name) or not node.sup:
            continue
        inner, bracketed = unwrapped(node.sup)
        if len(inner) != 1 or bracketed:
            continue
        key = (node.base, inner[0].text)
        if letters.bracketed.get(key, 0) > letters.bare.get(key, 0):
            yield node.base, node.span
