"""Which signs a document uses, so that each is explained before it is met."""

from __future__ import annotations

from derivgen.forms.math import Fenced, Op, Scripts, Sym, walk_math
from derivgen.notes.document import Block, formulas

ENTRYWISE = ("odot", "circ", "otimes", "star")


def signs_used(body: tuple[Block, ...]) -> frozenset[str]:
    """Return the signs that want an explanation: entrywise, quotient, bracket, fixed, ones."""
    found: dict[str, None] = {}
    for math in formulas(body):
        for part in walk_math(math):
            match part:
                case Op(key) if key in ENTRYWISE:
                    found["entrywise"] = None
                case Op("oslash"):
                    found["quotient"] = None
                case Fenced("["):
                    found["bracket"] = None
                case Fenced("fixed"):
                    found["fixed"] = None
                case Scripts(Sym("1", "bold")):
                    found["ones"] = None
    return frozenset(found)
