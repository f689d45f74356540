"""The nodes of scalar expressions over tensor accesses, and of conditions on indices and values.

The same nodes serve the explicit form (what a person writes, reductions anywhere) and the normal
form (no reduction inside a body). Names are data: a node never evaluates or parses text.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TypeVar, Union

from derivgen.algebra.affine import Affine, Index
from derivgen.algebra.node import node


@node
class Number:
    """An exact rational number, as the writer's decimals are."""

    value: Fraction

    def __bool__(self) -> bool:
        raise TypeError("compare a Number with ZERO or ONE")


@node
class Constant:
    """A named mathematical constant: ``pi``."""

    name: str


@node
class IndexValue:
    """An index expression or a size used as a number: ``0.1*k``, ``1/N``."""

    form: Affine


@node
class Access:
    """An element of a tensor, ``W[k,s]``; ``outside`` is what an out-of-range read yields."""

    tensor: str
    indices: tuple[Affine, ...] = ()
    outside: Expr | None = None


@node
class Add:
    """The n-ary sum of two or more terms."""

    terms: tuple[Expr, ...]


@node
class Mul:
    """The n-ary product of two or more factors; a leading ``Number(-1)`` is a minus sign."""

    factors: tuple[Expr, ...]


@node
class Div:
    """``numerator / denominator``."""

    numerator: Expr
    denominator: Expr


@node
class Pow:
    """``base ^ exponent``."""

    base: Expr
    exponent: Expr


@node
class Call:
    """A function of numbers. ``order`` counts derivatives by each argument of an unknown one."""

    name: str
    args: tuple[Expr, ...]
    order: tuple[int, ...] = ()


@node
class Reduce:
    """A fold over bound indices: sum, prod, max, min, mean, logsumexp or argmax."""

    op: str
    bound: tuple[Index, ...]
    body: Expr


@node
class Along:
    """A function along indices that stay free: ``softmax[k](z[k])``."""

    name: str
    indices: tuple[Index, ...]
    args: tuple[Expr, ...]


@node
class Where:
    """``yes`` where the condition holds, else ``no``; the branch not taken is never evaluated."""

    condition: Condition
    yes: Expr
    no: Expr


@node
class Iverson:
    """1 where the condition holds, else 0."""

    condition: Condition


@node
class Derivative:
    """The total derivative of one quantity by another, ``d(u[a], x[b])``."""

    of: Access
    by: Access


@node
class Position:
    """The row-major position (from 0) of bound indices; what ``argmax`` stores."""

    indices: tuple[Index, ...]


@node
class Compare:
    """``left op right`` with op one of ``= != < <= > >=``, over indices or values."""

    op: str
    left: Expr
    right: Expr


@node
class And:
    """All of the parts hold."""

    parts: tuple[Condition, ...]


@node
class Or:
    """At least one of the parts holds."""

    parts: tuple[Condition, ...]


@node
class Not:
    """The part does not hold."""

    part: Condition


Condition = Union[Compare, And, Or, Not]
Expr = Union[
    Number,
    Constant,
    IndexValue,
    Access,
    Add,
    Mul,
    Div,
    Pow,
    Call,
    Reduce,
    Along,
    Where,
    Iverson,
    Derivative,
    Position,
]
Node = Union[Expr, Condition]
# What a rewrite keeps: an expression stays one, a condition stays one, a place written stays one.
N = TypeVar("N", bound=Node)
