"""A formula as it stands on paper, free of any output language.

One tree serves every format: LaTeX, MathML, Typst and plain text are printers over it, so they
cannot disagree about what a formula says. Invariant: nothing here knows tensors or derivatives;
products are explicit operators, so a printer never has to guess what stands side by side.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Union


@dataclass(frozen=True)
class Sym:
    """A letter or word: ``W``, ``alpha``, ``net``; ``font`` is italic, bold, upright or script."""

    text: str
    font: str = "italic"


@dataclass(frozen=True)
class Num:
    """A number as its printed digits."""

    text: str


@dataclass(frozen=True)
class Op:
    """An operator or relation by its key, see `derivgen.forms.latex.OPERATORS`."""

    key: str


@dataclass(frozen=True)
class Words:
    """Prose inside a formula."""

    text: str


@dataclass(frozen=True)
class Row:
    """Parts in a line."""

    items: tuple[Math, ...]


@dataclass(frozen=True)
class Scripts:
    """A base with a subscript, a superscript or both."""

    base: Math
    sub: Math | None = None
    sup: Math | None = None


@dataclass(frozen=True)
class Accent:
    """A base under a hat, bar or tilde."""

    kind: str
    base: Math


@dataclass(frozen=True)
class Frac:
    """A fraction."""

    top: Math
    bottom: Math


@dataclass(frozen=True)
class Root:
    """A square root."""

    body: Math


@dataclass(frozen=True)
class Fenced:
    """A body between delimiters: ``(``, ``[``, ``|``, ``floor``."""

    kind: str
    body: Math


@dataclass(frozen=True)
class Big:
    """A large operator over its body: a sum, a product, a maximum.

    ``bound`` are the bound letters in plain text; ``lower`` and ``upper`` are what paper shows.
    """

    op: str
    bound: tuple[str, ...]
    lower: Math | None
    upper: Math | None
    body: Math


@dataclass(frozen=True)
class Apply:
    """A function applied to arguments in parentheses; ``plain`` is its name in text."""

    function: Math
    plain: str
    args: tuple[Math, ...]


@dataclass(frozen=True)
class Cases:
    """Values by condition, the last condition may be ``None`` for otherwise."""

    rows: tuple[tuple[Math, Math | None], ...]


@dataclass(frozen=True)
class Grid:
    """A matrix of entries in brackets."""

    rows: tuple[tuple[Math, ...], ...]


@dataclass(frozen=True)
class Symbol:
    """What stands for a tensor, an entry of one, or a derivative by one.

    ``tensor`` is the name it belongs to (highlighting), ``plain`` its text in derivgen's language.
    """

    tensor: str
    math: Math
    plain: str


@dataclass(frozen=True)
class Under:
    """A body with a label under a brace."""

    body: Math
    label: Math


Math = Union[
    Sym,
    Num,
    Op,
    Words,
    Row,
    Scripts,
    Accent,
    Frac,
    Root,
    Fenced,
    Big,
    Apply,
    Cases,
    Grid,
    Symbol,
    Under,
]


def row(*items: Math | None) -> Math:
    """Return the parts in a line, nested rows flattened and ``None`` left out."""
    flat: list[Math] = []
    for item in items:
        if isinstance(item, Row):
            flat.extend(item.items)
        elif item is not None:
            flat.append(item)
    return flat[0] if len(flat) == 1 else Row(tuple(flat))


def joined(items: list[Math], between: Math) -> Math:
    """Return the items in a line with ``between`` after each but the last."""
    parts: list[Math] = []
    for item in items:
        if parts:
            parts.append(between)
        parts.append(item)
    return row(*parts)


def parenthesised(body: Math) -> Math:
    """Return the body in round parentheses."""
    return Fenced("(", body)


TIMES = Op("times")  # a product written by standing side by side
DOT = Op("cdot")
EQUALS = Op("=")
COMMA = Op(",")


def parts(math: Math) -> tuple[Math, ...]:
    """Return the direct parts of a node."""
    match math:
        case Row(items):
            return items
        case Scripts(base, sub, sup):
            return tuple(p for p in (base, sub, sup) if p is not None)
        case Accent(_, body) | Root(body) | Fenced(_, body) | Symbol(_, body, _):
            return (body,)
        case Frac(a, b) | Under(a, b):
            return (a, b)
        case Big(_, _, lower, upper, body):
            return tuple(p for p in (lower, upper, body) if p is not None)
        case Apply(function, _, args):
            return (function, *args)
        case Cases(rows):
            return tuple(p for pair in rows for p in pair if p is not None)
        case Grid(grid):
            return tuple(entry for line in grid for entry in line)
        case _:
            return ()


def walk_math(math: Math) -> Iterator[Math]:
    """Yield the node and all below it, parents first."""
    yield math
    for part in parts(math):
        yield from walk_math(part)


def is_flat(math: Math) -> bool:
    """Tell whether plain delimiters are tall enough around a formula."""
    return not any(isinstance(p, (Frac, Big, Cases, Grid, Under)) for p in walk_math(math))


def width(math: Math) -> int:
    """Return a rough width in characters, for deciding where a long formula breaks."""
    match math:
        case Frac(top, bottom):
            return max(width(top), width(bottom)) + 1
        case Scripts(base, sub, sup):
            scripts = max((width(p) for p in (sub, sup) if p is not None), default=0)
            return width(base) + (2 * scripts + 2) // 3
        case Big(_, _, lower, _, body):
            return max(3, width(lower) // 2 if lower else 0) + width(body)
        case Apply(function, _, args):
            return width(function) + 2 + sum(width(a) + 1 for a in args)
        case Sym(text) | Num(text) | Words(text):
            return 1 if text in GREEK or text in LETTERLIKE else max(1, len(text))
        case Grid(rows):
            return 2 + sum(max(width(line[c]) + 2 for line in rows) for c in range(len(rows[0])))
        case Op(key):
            return 0 if key == "times" else 2
        case Cases(rows):
            return 6 + max(width(a) + (width(b) if b else 8) for a, b in rows)
        case _:
            return sum(width(part) for part in parts(math)) + (2 if isinstance(math, Fenced) else 0)


LETTERLIKE = ("partial", "nabla", "ell", "infty")
GREEK = [
    "alpha",
    "beta",
    "gamma",
    "delta",
    "epsilon",
    "zeta",
    "eta",
    "theta",
    "iota",
    "kappa",
    "lambda",
    "mu",
    "nu",
    "xi",
    "pi",
    "rho",
    "sigma",
    "tau",
    "upsilon",
    "phi",
    "chi",
    "psi",
    "omega",
    "Gamma",
    "Delta",
    "Theta",
    "Lambda",
    "Xi",
    "Pi",
    "Sigma",
    "Upsilon",
    "Phi",
    "Psi",
    "Omega",
]
