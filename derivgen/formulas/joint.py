"""What the letters of a chain run over, found from all its names at once.

In ``dE/dw_{kj} = delta_k z_j`` only k and j together tell which weights, which error and which
units are meant. Every name's readings are kept, and the assignments of letters under which the
most names fit are returned. Invariant: within an assignment a letter runs over one range, and the
search is bounded by `WIDTH` and `NAMES`, whatever the formula.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from derivgen.formulas import tree
from derivgen.formulas.fit import Candidate, Key, same_key, slot_keys
from derivgen.formulas.meanings import candidates
from derivgen.formulas.reader import Reader
from derivgen.formulas.terms import Ref, walk
from derivgen.formulas.tree import FormulaError, Name, Tree

WIDTH = 24
NAMES = 24
UNREAD = -12
AGREES = 3

Binds = tuple[tuple[str, Key], ...]


@dataclass(frozen=True)
class _State:
    """Letters given a meaning so far, and how well the names read so far fit."""

    score: int
    known: Mapping[str, Key]
    unread: int = 0


def assignments(members: tuple[Tree, ...], reader: Reader) -> list[dict[str, Key]]:
    """Return what the letters may run over, the best fit first.

    They read all names, or all but one where none reads all: an index of the wrong axis.
    """
    options = [_options(name, reader) for name in _lettered(members)]
    options = sorted((found for found in options if found), key=len)[:NAMES]
    states = [_State(0, {})]
    for found in options:
        states = _extended(states, found)
    least = min(state.unread for state in states)
    kept = [state for state in states if state.unread == least < 2 and state.known]
    return [dict(state.known) for state in kept]


def _extended(states: list[_State], options: list[tuple[int, Binds]]) -> list[_State]:
    made: list[_State] = []
    for state in states:
        fitting = [new for score, binds in options if (new := _with(state, score, binds))]
        made += [*fitting, _State(state.score + UNREAD, state.known, state.unread + 1)]
    made.sort(key=lambda state: -state.score)
    kept: list[_State] = []
    for state in made:
        if all(state.known != other.known for other in kept):
            kept.append(state)
        if len(kept) == WIDTH:
            break
    return kept


def _with(state: _State, score: int, binds: Binds) -> _State | None:
    known = dict(state.known)
    for name, key in binds:
        if name in known:
            if not same_key(known[name], key):
                return None
            score += AGREES
        else:
            known[name] = key
    return _State(state.score + score, known, state.unread)


def _options(name: Name, reader: Reader) -> list[tuple[int, Binds]]:
    """Return score and letters of each reading of a name, the best of equal letters only."""
    try:
        found = candidates(name, reader)
    except FormulaError:
        return []
    best: dict[Binds, int] = {}
    for candidate in found:
        binds = _binds(candidate, reader)
        if binds and candidate.score > best.get(binds, -99):
            best[binds] = candidate.score
    return [(score, binds) for binds, score in best.items()]


def _binds(candidate: Candidate, reader: Reader) -> Binds:
    found: dict[tuple[str, Key], None] = {}
    for _, part in walk(candidate.term):
        if isinstance(part.data, Ref):
            for at, key in slot_keys(part.data, reader.symbols):
                found.update(((name, key), None) for name, _ in at.letters)
    return tuple(found)


def _lettered(members: tuple[Tree, ...]) -> list[Name]:
    """Return the different names with scripts, in order."""
    found: dict[tuple[object, ...], Name] = {}
    for member in members:
        for name in names_in(member):
            if name.sub or name.sup:
                key = (name.base, *(t.text for t in name.sub), "^", *(t.text for t in name.sup))
                found.setdefault(key, name)
    return list(found.values())


def names_in(node: Tree) -> Iterator[Name]:
    """Yield the names of a tree, those in scripts left out."""
    if isinstance(node, Name):
        yield node
        return
    for value in vars(node).values():
        for part in value if isinstance(value, tuple) else (value,):
            for inner in part if isinstance(part, tuple) else (part,):
                if hasattr(inner, "span") and not isinstance(inner, tree.Token):
                    yield from names_in(inner)
