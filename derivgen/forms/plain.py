"""Print a formula as plain text in derivgen's own language, for terminals and comments.

``\\delta_k h_s`` becomes ``delta_beta[k]*h[s]``.
Invariant: ASCII only, except for prose.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from derivgen.forms.math import (
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
    "times": "*",
    "cdot": "*",
    "star": "*",
    "+": " + ",
    "-": " - ",
    "neg": "-",
    "=": " = ",
    "def": " := ",
    "approx": " ~ ",
    "!=": " != ",
    "<": " < ",
    "<=": " <= ",
    ">": " > ",
    ">=": " >= ",
    ",": ", ",
    ";": "; ",
    "and": " and ",
    "or": " or ",
    "not": "not ",
    "odot": " .* ",
    "circ": " .* ",
    "otimes": " .* ",
    "oslash": " ./ ",
    "to": " -> ",
    "gets": " <- ",
    "in": " in ",
    "cross": " x ",
    "quad": "  ",
    "colon": ": ",
    "prime": "'",
    "dots": " ... ",
    "transpose": "T",
    "T": "T",
    "plus": "+",
    "/": "/",
    "adds": " += ",
    "vdots": ":",
    "ellipsis": "...",
    "mod": " % ",
}


def plain(math: Math) -> str:
    """Return the formula as one line of text."""
    text = _print(math)
    while "  " in text:
        text = text.replace("  ", " ")
    return text.strip()


def _print(math: Math) -> str:
    return _PRINTERS[type(math)](math)


def _operand(math: Math) -> str:
    """Return a part in parentheses unless it is a single thing."""
    text = _print(math)
    single = isinstance(math, (Sym, Num, Symbol, Scripts, Apply, Fenced, Grid, Accent, Root, Big))
    return text if single else f"({text})"


def _scripts(math: Scripts) -> str:
    text = _operand(math.base)
    if math.sub is not None:
        text += f"_{_print(math.sub)}"
    if math.sup is None:
        return text
    sup = _print(math.sup)
    if set(sup) <= {"'"}:
        return text + sup
    if sup == "T":
        return f"{text}^T"
    return f"{text}^{sup if sup.isalnum() else f'({sup})'}"


def _fenced(math: Fenced) -> str:
    left, right = {
        "(": ("(", ")"),
        "opened": ("(", ""),
        "fixed": ("", ""),
        "closed": ("", ")"),
        "[": ("[", "]"),
        "|": ("abs(", ")"),
        "floor": ("floor(", ")"),
        "{": ("{", "}"),
    }[math.kind]
    return f"{left}{_print(math.body)}{right}"


def _big(math: Big) -> str:
    body, bound = math.body, math.bound
    while isinstance(body, Big) and body.op == math.op:
        bound, body = (*bound, *body.bound), body.body
    if isinstance(body, Fenced) and body.kind == "(":
        body = body.body
    return f"{math.op}[{','.join(bound)}]({_print(body)})"


def _cases(math: Cases) -> str:
    text = ""
    for value, condition in reversed(math.rows):
        if condition is None or not text:
            text = _print(value)
        else:
            text = f"where({_print(condition)}, {_print(value)}, {text})"
    return text


def _grid(math: Grid) -> str:
    lines = (", ".join(_print(entry) for entry in line) for line in math.rows)
    return "[" + "; ".join(lines) + "]"


_PRINTERS: dict[type, Callable[[Any], str]] = {
    Sym: lambda m: m.text,
    Num: lambda m: m.text,
    Op: lambda m: OPERATORS[m.key],
    Words: lambda m: m.text,
    Row: lambda m: "".join(_print(item) for item in m.items),
    Scripts: _scripts,
    Accent: lambda m: f"{_print(m.base)}{m.kind}",
    Frac: lambda m: f"{_operand(m.top)}/{_operand(m.bottom)}",
    Root: lambda m: f"sqrt({_print(m.body)})",
    Fenced: _fenced,
    Big: _big,
    Apply: lambda m: f"{m.plain}({', '.join(_print(a) for a in m.args)})",
    Cases: _cases,
    Grid: _grid,
    Symbol: lambda m: m.plain,
    Under: lambda m: _print(m.body),
}


def parted_texts(texts: str) -> list[str]:
    """Return the plain texts of indices, parted at the commas that stand in no bracket."""
    words = [""] if texts else []
    level = 0
    for character in texts:
        level += (character in "([") - (character in ")]")
        if character == "," and level == 0:
            words.append("")
        else:
            words[-1] += character
    return words
