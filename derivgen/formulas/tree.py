"""What the LaTeX parser returns: a tree as written, scripts kept as tokens.

Nothing here knows a network: ``h(1-h)`` is a product of a name and a group, ``W_{ks}`` a name with
two script tokens. `derivgen.formulas.resolve` gives names and scripts their meaning.
Invariant: every node knows the half-open span of source text it was read from.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Union

from derivgen.errors import DerivgenError, Position

Span = tuple[int, int]


class FormulaError(DerivgenError):
    """A formula cannot be read; ``span`` is the place in its own text."""

    def __init__(
        self,
        subject: str,
        problem: str = "",
        advice: str = "",
        span: Span = (0, 0),
        position: Position | None = None,
    ) -> None:
        super().__init__(subject, problem, advice, position)
        self.span = span


@dataclass(frozen=True)
class Token:
    """One token; ``kind`` is name, number, command, operator, relation, or the character itself."""

    kind: str
    text: str
    span: Span

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class Notice:
    """Something read leniently that the writer should know: the message key and the place."""

    key: str
    span: Span
    detail: str = ""


@dataclass(frozen=True)
class Literal:
    """A number; ``text`` keeps the printed digits."""

    value: Fraction
    text: str
    span: Span


@dataclass(frozen=True)
class Name:
    """A symbol with its scripts. ``base`` is plain text: ``yhat`` for ``\\hat{y}``.

    ``slots`` are the numbers of the arguments by which a function is differentiated.
    """

    base: str
    sub: tuple[Token, ...]
    sup: tuple[Token, ...]
    primes: int
    span: Span
    bold: bool = False
    slots: tuple[int, ...] = ()


@dataclass(frozen=True)
class Scripted:
    """Scripts on something that is not a name: ``(...)^2``, ``[...]_k``, ``(...)'``."""

    inner: Tree
    sub: tuple[Token, ...]
    sup: tuple[Token, ...]
    span: Span
    primes: int = 0


@dataclass(frozen=True)
class Group:
    """A bracketed list: one item for ``(a+b)``, several for ``(a, b)``.

    ``bracket`` is the opening sign, with a bar behind it where one parts the items: ``p(y|x)``.
    """

    items: tuple[Tree, ...]
    bracket: str
    span: Span


@dataclass(frozen=True)
class Sum:
    """Signed terms; ``signs[i]`` is 1 or -1."""

    terms: tuple[Tree, ...]
    signs: tuple[int, ...]
    span: Span


@dataclass(frozen=True)
class Product:
    """Factors with the operators between them; ``""`` is juxtaposition, ``/`` division."""

    factors: tuple[Tree, ...]
    operators: tuple[str, ...]
    span: Span


@dataclass(frozen=True)
class Fraction2:
    """``\\frac{top}{bottom}``."""

    top: Tree
    bottom: Tree
    span: Span


@dataclass(frozen=True)
class Differential:
    """``\\partial x`` or ``d x``; ``inner`` is ``None`` in an operator on what follows."""

    inner: Tree | None
    sign: str
    order: int
    span: Span


@dataclass(frozen=True)
class Big:
    """``\\sum``, ``\\prod``, ``\\max`` with scripts, over the rest of the product."""

    op: str
    sub: tuple[Token, ...]
    sup: tuple[Token, ...]
    body: Tree
    span: Span


@dataclass(frozen=True)
class Root:
    """``\\sqrt[degree]{inner}``."""

    inner: Tree
    degree: int
    span: Span


@dataclass(frozen=True)
class Matrix:
    """Rows of entries; an entry is ``None`` for dots."""

    rows: tuple[tuple[Tree | None, ...], ...]
    span: Span


@dataclass(frozen=True)
class Cases:
    """Values with the tokens of their conditions."""

    values: tuple[Tree, ...]
    conditions: tuple[tuple[Token, ...], ...]
    span: Span


@dataclass(frozen=True)
class Indicator:
    """``1\\{y = k\\}`` or ``\\mathbb{1}[...]``; the condition is kept as tokens."""

    tokens: tuple[Token, ...]
    span: Span


@dataclass(frozen=True)
class Norm:
    """``\\|inner\\|`` or ``|inner|``."""

    inner: Tree
    double: bool
    sub: tuple[Token, ...]
    span: Span


@dataclass(frozen=True)
class Held:
    """``\\left. inner \\right|_{fixed}``: a derivative while other quantities stay as they are."""

    inner: Tree
    fixed: tuple[Token, ...]
    span: Span


@dataclass(frozen=True)
class Dots:
    """An ellipsis standing as a factor or term."""

    span: Span


Tree = Union[
    Literal,
    Name,
    Scripted,
    Group,
    Sum,
    Product,
    Fraction2,
    Differential,
    Big,
    Root,
    Matrix,
    Cases,
    Indicator,
    Norm,
    Held,
    Dots,
]


@dataclass(frozen=True)
class Chain:
    """``a = b \\approx c``: members and the relations between them, and what was read leniently.

    ``conditions`` are chains that say where it holds, ``nearby`` those that the text around it has.
    """

    members: tuple[Tree, ...]
    relations: tuple[str, ...]
    span: Span
    notices: tuple[Notice, ...] = ()
    conditions: tuple[Chain, ...] = ()
    nearby: tuple[Chain, ...] = ()
