"""The letters that stay labels in matrix form: steps of a recurrence, or heads, or samples.

A tensor of three indices has no matrix form, but for each head or sample it is a matrix.
Invariant: a letter is a label only where every equation reads its axis at that letter.
"""

from __future__ import annotations

from collections.abc import Iterator

from derivgen.algebra.affine import indices_of
from derivgen.algebra.expressions import Access, accesses
from derivgen.algebra.statements import Scan
from derivgen.calculus.derivation import Derivation
from derivgen.calculus.schedule import schedule
from derivgen.forms.letters import letter_text

MOST = 2  # indices of a matrix


def label_letters(derivation: Derivation, written: frozenset[str]) -> frozenset[str]:
    """Return the letters along which equations recur, else one that leaves matrices only."""
    found: dict[str, None] = {}
    pending = list(schedule(derivation.forward, derivation.tensors, derivation.network.equations))
    for block in pending:
        if isinstance(block, Scan):
            found[letter_text(block.index, written)] = None
            pending.extend(block.blocks)
    return frozenset(found) or _slicing(derivation, written)


def _slicing(derivation: Derivation, written: frozenset[str]) -> frozenset[str]:
    """Return the letter whose axis, taken out of every tensor, leaves at most two; if any."""
    named = [t.axis_names for t in derivation.tensors.values() if len(t.axes) > MOST]
    if not named:
        return frozenset()
    batch = derivation.network.batch
    wishes = [batch.name] if batch is not None else []
    for letter in dict.fromkeys([*wishes, *named[0]]):
        fits = letter and all(letter in names and len(names) == MOST + 1 for names in named)
        if fits and all(_keeps(a, letter, derivation, written) for a in _all(derivation)):
            return frozenset([letter])
    return frozenset()


def _all(derivation: Derivation) -> Iterator[Access]:
    for statement in (*derivation.forward, *derivation.backward):
        yield statement.lhs
        yield from accesses(statement.body)


def _keeps(access: Access, letter: str, derivation: Derivation, written: frozenset[str]) -> bool:
    """Tell whether an access reads an axis of that letter, and no other, at that letter."""
    names = derivation.tensors[access.tensor].axis_names
    for place, form in enumerate(access.indices):
        named = place < len(names) and names[place] == letter
        letters = {letter_text(index, written) for index in indices_of(form)}
        if named != (letter in letters) or (named and form.plain is None):
            return False
    return True
