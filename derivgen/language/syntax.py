"""The surface tree: what was written, before any name has a meaning.

Nodes are named tuples with the offset ``at`` of their first character; what a name is (index,
size, tensor, function) is decided by `derivgen.language.resolve`.
"""

from __future__ import annotations

from fractions import Fraction
from typing import NamedTuple, Union


class Num(NamedTuple):
    """A number."""

    at: int
    value: Fraction


class Word(NamedTuple):
    """A name standing alone."""

    at: int
    name: str


class Ref(NamedTuple):
    """``W[k,s]``, or ``x[i-1; 0]`` with what is read outside."""

    at: int
    name: str
    items: tuple[Tree, ...]
    outside: Tree | None


class Apply(NamedTuple):
    """``f(a, b)``, or with brackets ``sum[i](e)``, ``softmax[k](e)``."""

    at: int
    name: str
    items: tuple[Tree, ...] | None
    args: tuple[Tree, ...]


class Negative(NamedTuple):
    """``-e``."""

    at: int
    part: Tree


class Infix(NamedTuple):
    """``a op b``; ``at`` is the offset of the left side, ``op_at`` of the operator."""

    at: int
    op: str
    left: Tree
    right: Tree
    op_at: int


class Chain(NamedTuple):
    """``a + b - c``, ``a*b*c``, ``p and q``: ``ops[i]`` stands before ``parts[i]``."""

    at: int
    ops: tuple[str, ...]
    parts: tuple[Tree, ...]


class NotTree(NamedTuple):
    """``not c``."""

    at: int
    part: Tree


class Bracket(NamedTuple):
    """``[c]``, or a list of numbers where a value stands."""

    at: int
    parts: tuple[Tree, ...]


class Ranged(NamedTuple):
    """``i: 3`` or ``i: 1..T`` inside brackets; ``low`` is None where it starts at 0."""

    at: int
    name: str
    low: Tree | None
    high: Tree


Tree = Union[Num, Word, Ref, Apply, Negative, Infix, Chain, NotTree, Bracket, Ranged]


def parts_of(tree: Tree) -> tuple[Tree, ...]:
    """Return the direct parts of a node."""
    match tree:
        case Infix(left=a, right=b):
            return (a, b)
        case Negative(part=a) | NotTree(part=a):
            return (a,)
        case Ref(items=items, outside=outside):
            return items if outside is None else (*items, outside)
        case Apply(items=items, args=args):
            return args if items is None else (*items, *args)
        case Bracket(parts=parts) | Chain(parts=parts):
            return parts
        case Ranged(low=low, high=high):
            return (high,) if low is None else (low, high)
        case _:
            return ()
