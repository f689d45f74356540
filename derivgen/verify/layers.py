"""Formulas about a layer that the network does not have: no reading of them can be judged."""

from __future__ import annotations

from derivgen.formulas import tree
from derivgen.formulas.conventions import BIASES, PREACTIVATIONS, WEIGHTS
from derivgen.formulas.scripts import atoms
from derivgen.formulas.symbols import Symbols
from derivgen.formulas.tree import Name
from derivgen.verify.claims import names_of

NUMBERED = (*WEIGHTS, *BIASES, *PREACTIVATIONS, "a", "delta")


def absent_layer(chain: tree.Chain, symbols: Symbols) -> tuple[Name, int] | None:
    """Return the first name of a layer beyond the last one, and how many layers there are."""
    for member in chain.members:
        for name in names_of(member):
            count = _layers(name.base, symbols)
            if count and _number(name, symbols) > count:
                return name, count
    return None


def _layers(base: str, symbols: Symbols) -> int:
    """Return the number of the last layer a letter is used for, 0 where it names something else."""
    taken = base in symbols.tensors or base in symbols.aliases or base in symbols.guess
    if taken or base not in NUMBERED and base.swapcase() not in NUMBERED:
        return 0
    stems = PREACTIVATIONS if base == "delta" else (base, base.swapcase())
    return max((max(symbols.families[s]) for s in stems if s in symbols.families), default=0)


def _number(name: Name, symbols: Symbols) -> int:
    """Return the layer that stands above a name; bare numerals are powers of other letters."""
    above = atoms(name.sup)
    if not above or not above[0].text.isdigit():
        return 0
    own = name.base in symbols.families and name.base not in symbols.conventional
    own = own and not (name.sub and above[0].text == "2")  # z_j^2 is the square of z_j
    return int(above[0].text) if above[0].bracketed or own or name.base == "delta" else 0
