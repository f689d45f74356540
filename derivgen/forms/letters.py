"""What each index is called in a formula: the writer's letter, with a prime where two would clash.

The engine gives bound indices names of their own (``k2``); on paper that is ``k`` again, unless
another ``k`` stands in the same formula.
"""

from __future__ import annotations

from collections.abc import Iterable

from derivgen.algebra.affine import Index


def letter_text(index: Index, written: frozenset[str]) -> str:
    """Return the writer's letter of an index, without what the engine appended."""
    name = index.name
    base = name.rstrip("0123456789")
    return name if name in written or not base else base


def assign_letters(indices: Iterable[Index], written: frozenset[str]) -> dict[Index, str]:
    """Return a name for each index, earlier ones keeping their letter unprimed.

    Two indices get one name only if they are equal.
    """
    names: dict[Index, str] = {}
    taken: set[str] = set()
    for index in indices:
        if index in names:
            continue
        text = letter_text(index, written)
        while text in taken:
            text += "'"
        names[index] = text
        taken.add(text)
    return names
