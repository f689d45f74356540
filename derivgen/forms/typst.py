"""Print a formula in the mathematics of Typst."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from derivgen.forms.math import (
    GREEK,
    Accent,
    Apply,
    Big,
    Cases,
    Fenced,
    Frac,
    Grid,
    Math,
    Num,
    Op,
    Root,
    Row,
    Scripts,
    Sym,
    Symbol,
    Under,
    Words,
)

OPERATORS = {
    "times": " thin ",
    "cdot": " dot ",
    "star": " * ",
    "neg": "-",
    "def": " := ",
    "approx": " approx ",
    "!=": " != ",
    "<=": " <= ",
    ">=": " >= ",
    ",": " comma ",  # by name: a bare one would part the arguments of a fraction
    ";": " semi ",
    "and": " and ",
    "or": " or ",
    "not": "not ",
    "odot": " dot.o ",
    "circ": " compose ",
    "otimes": " times.o ",
    "oslash": " div.o ",
    "to": " -> ",
    "gets": " <- ",
    "adds": ' "+=" ',
    "in": " in ",
    "cross": " times ",
    "quad": " quad ",
    "colon": ": ",
    "prime": "'",
    "dots": " dots.c ",
    "transpose": "top",
    "T": "T",
    "plus": "+",
    "vdots": "dots.v",
    "ellipsis": "dots.h",
    "mod": " mod ",
    "/": " slash ",
}
FUNCTIONS = frozenset(
    [
        "exp",
        "log",
        "sin",
        "cos",
        "tan",
        "tanh",
        "sinh",
        "cosh",
        "max",
        "min",
        "ln",
        "arcsin",
        "arccos",
        "arctan",
    ]
)
SYMBOLS = {"partial": "partial", "ell": "ell", "nabla": "nabla", "infty": "infinity"}
ACCENTS = {"hat": "hat", "bar": "macron", "tilde": "tilde"}
FENCES = {
    "(": ("(", ")"),
    "opened": ("lr(size: #100%, (", ")"),
    "closed": ("", ")"),
    "[": ("[", "]"),
    "|": ("abs(", ")"),
    "floor": ("floor(", ")"),
    "{": ("{", "}"),
}


def typst(math: Math) -> str:
    """Return the formula as Typst mathematics, without dollars."""
    text = _print(math)
    while "  " in text:
        text = text.replace("  ", " ")
    return text.strip()


def _print(math: Math) -> str:
    return _PRINTERS[type(math)](math)


def quoted(text: str) -> str:
    """Return text as a Typst string."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _sym(math: Sym) -> str:
    text = math.text
    if text in SYMBOLS:
        return SYMBOLS[text]
    if math.font == "function":
        return text if text in FUNCTIONS else f"op({quoted(text)})"
    body = text if text in GREEK or len(text) == 1 else f"italic({quoted(text)})"
    return f"bold({body})" if math.font == "bold" else body


def _row(math: Row) -> str:
    # Letters that stand side by side would be read as one word.
    return " ".join(_print(item) for item in math.items)


def _scripts(math: Scripts) -> str:
    text = _print(math.base)
    if not isinstance(math.base, (Sym, Symbol, Accent, Apply, Fenced)):
        text = f"({text})"
    if math.sub is not None:
        text += f"_({typst(math.sub)})"
    if math.sup is None:
        return text
    sup = typst(math.sup)
    primes = sup.replace(" ", "")
    return text + (primes if set(primes) <= {"'"} else f"^({sup})")


def _fenced(math: Fenced) -> str:
    body = typst(math.body)
    if math.kind == "fixed":
        return f"lr({body} |)"
    if math.kind in ("opened", "closed"):  # Typst sizes delimiters in pairs only
        return f"\\( {body}" if math.kind == "opened" else f"{body} \\)"
    left, right = FENCES[math.kind]
    return f"{left}{body}{right}"


def _big(math: Big) -> str:
    head = {"prod": "product"}.get(math.op, math.op if math.op in ("sum", "max", "min") else "")
    head = head or f"op({quoted(math.op)}, limits: #true)"
    lower = f"_({typst(math.lower)})" if math.lower is not None else ""
    upper = f"^({typst(math.upper)})" if math.upper is not None else ""
    return f"{head}{lower}{upper} {_print(math.body)}"


def _cases(math: Cases) -> str:
    lines = (
        f"{typst(value)} & " + (f'"if" {typst(c)}' if c is not None else '"otherwise"')
        for value, c in math.rows
    )
    return f"cases({', '.join(lines)})"


def _grid(math: Grid) -> str:
    lines = (", ".join(typst(entry) for entry in line) for line in math.rows)
    return f'mat(delim: "[", {"; ".join(lines)})'


_PRINTERS: dict[type, Callable[[Any], str]] = {
    Sym: _sym,
    Num: lambda m: m.text,
    Op: lambda m: OPERATORS.get(m.key, f" {m.key} "),
    Words: lambda m: quoted(m.text),
    Row: _row,
    Scripts: _scripts,
    Accent: lambda m: f"{ACCENTS[m.kind]}({_print(m.base)})",
    Frac: lambda m: f"frac({typst(m.top)}, {typst(m.bottom)})",
    Root: lambda m: f"sqrt({typst(m.body)})",
    Fenced: _fenced,
    Big: _big,
    Apply: lambda m: f"{_print(m.function)}({', '.join(typst(a) for a in m.args)})",
    Cases: _cases,
    Grid: _grid,
    Symbol: lambda m: _print(m.math),
    Under: lambda m: f"underbrace({typst(m.body)}, {typst(m.label)})",
}
