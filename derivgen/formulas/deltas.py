r"""Errors: ``\delta`` with scripts, the derivative of the loss by the tensor it is the error of.

Which tensor that is, the scripts say or a guess: ``\delta^{(t)}`` of a recurrence may be that of
the state or of what makes the state. Other symbols of errors, e_j, are read by a guess alone.
"""

from __future__ import annotations

from collections.abc import Iterator

from derivgen.formulas.fit import Candidate, Letters, same_key
from derivgen.formulas.names import fits, network_candidates
from derivgen.formulas.scripts import Atom, atoms, plain_text, unwrapped
from derivgen.formulas.symbols import Symbols, canonical
from derivgen.formulas.terms import Ref, Slope, Term, Test
from derivgen.formulas.tree import Name

# The usual names of pre-activations come first, so that a delta is theirs where several fit.
DELTA_STEMS = ("z", "net", "u", "s", "alpha", "a", "n", "h")
ERRORS = ("delta", "e", "err", "EH", "EI")


def meaning_of(base: str) -> str:
    """Return the key under which a table of guesses says whose error a symbol is."""
    return "d" + base + "/"


def error_candidates(name: Name, symbols: Symbols, letters: Letters) -> Iterator[Candidate]:
    """Yield the readings of a name as the error of the tensor that a guess says."""
    meant = symbols.guess.get(meaning_of(name.base))
    if meant is None or name.base == "delta":
        return
    of = Term("element", (), Ref(symbols.loss), name.span)
    for found in fits(meant, None, atoms(name.sub), atoms(name.sup), 1, name, symbols, letters):
        term = Term("gradient", (of, found.term), Slope(symbol="delta"), name.span)
        yield Candidate(found.score, term, found.binds)


BAR = "bar"  # what a bar over a name adds to it
BARS = "bar/"  # the key under which a table of guesses says that bars are derivatives


def has_bar(name: Name, symbols: Symbols) -> bool:
    """Tell whether a name is one of the network with a bar, and not itself one of it."""
    stem = name.base.removesuffix(BAR)
    own = symbols.by_canonical
    return (
        bool(stem)
        and stem != name.base
        and name.base not in own
        and name.base not in _defined(symbols)
    )


def _defined(symbols: Symbols) -> frozenset[str]:
    return frozenset(key.split("#")[0] for key in symbols.aliases)


def adjoint_candidates(name: Name, symbols: Symbols, letters: Letters) -> Iterator[Candidate]:
    r"""Yield ``\overline{z}`` as the derivative of the loss by z, and ``\delta_{c_t}`` by c_t."""
    of = Term("element", (), Ref(symbols.loss), name.span)
    if has_bar(name, symbols) and BARS in symbols.guess:
        meant = Name(name.base.removesuffix(BAR), name.sub, name.sup, 0, name.span)
        symbol = BAR
    elif name.base == "delta" and (inner := _below(name)) is not None:
        meant, symbol = inner, "d"
    else:
        return
    for found in network_candidates(meant, symbols, letters):
        if symbols.loss:
            term = Term("gradient", (of, found.term), Slope(symbol=symbol), name.span)
            yield Candidate(found.score, term, found.binds)


def _below(name: Name) -> Name | None:
    r"""Return the name with its own script that stands below a delta: c_t of ``\delta_{c_t}``."""
    first, *rest = name.sub or (None,)
    if first is None or first.kind != "name" or not rest or rest[0].kind != "_":
        return None
    return Name(first.text, tuple(rest[1:]), name.sup, 0, name.span)


def delta_candidates(name: Name, symbols: Symbols, letters: Letters) -> Iterator[Candidate]:
    r"""Yield the readings of ``\delta`` with scripts as the adjoint of a pre-activation."""
    if not symbols.loss:
        return
    sub, sup = atoms(name.sub), atoms(name.sup)
    meant = symbols.guess.get(meaning_of("delta"))
    if meant is None:
        yield from _kronecker(name, sub, sup, symbols, letters)
    of = Term("element", (), Ref(symbols.loss), name.span)
    for stem in dict.fromkeys((*DELTA_STEMS, *symbols.families)):
        members = symbols.families.get(stem, {})
        if not any(tensor in symbols.preactivations for tensor in members.values()) or meant:
            continue
        renamed = Name(stem, name.sub, name.sup, 0, name.span)
        for found in network_candidates(renamed, symbols, letters):
            if found.term.data.tensor in (*symbols.preactivations, stem + "{}"):
                term = Term("gradient", (of, found.term), Slope(symbol="delta"), name.span)
                yield Candidate(found.score, term, found.binds)
    for tensor in (meant,) if meant else symbols.preactivations:
        text = canonical(plain_text(name.sub) + plain_text(unwrapped(name.sup)[0]))
        named = bool(text) and canonical(tensor).endswith(text)
        if text in letters.declared and symbols.tensors[tensor].axes:
            named = False  # t is a time, not the end of the name net
        ends = ((), ()) if named else (sub, sup)
        if len(sub) > 1 and canonical(tensor).endswith(sub[0].text) and symbols.time_axes:
            ends, named = (sub[1:], sup), True  # o and t of delta_{o,t}: net_o at time t
        for found in fits(tensor, None, *ends, 6 if named else -1, name, symbols, letters):
            term = Term("gradient", (of, found.term), Slope(symbol="delta"), name.span)
            yield Candidate(found.score, term, found.binds)


def _kronecker(
    name: Name, sub: tuple[Atom, ...], sup: tuple[Atom, ...], symbols: Symbols, letters: Letters
) -> Iterator[Candidate]:
    r"""Read ``\delta_{ij}`` as 1 where i = j, if both letters may run over one range."""
    if len(sub) != 2 or sup or any(a.at is None or len(a.at.letters) > 1 for a in sub):
        return
    keys = [letters.known.get(a.text) or letters.declared.get(a.text) for a in sub]
    if keys[0] is not None and keys[1] is not None and not same_key(keys[0], keys[1]):
        return
    text = "".join(a.text for a in sub)
    if any(canonical(t).endswith(text) for t in symbols.preactivations):
        return  # delta_{h1} of net_h1
    ranks = [len(symbols.tensors[t].axes) for t in symbols.preactivations]
    score = 12 if 2 not in ranks or all(a.text in letters.known for a in sub) else 0
    yield Candidate(score, Term("bracket", (), Test("=", sub[0].at, sub[1].at), name.span))
