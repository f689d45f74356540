"""Print a formula as LaTeX that amsmath, KaTeX and MathJax all read.

Invariant: no colour, no macro definitions, no ``\\bm``; CJK characters only inside ``\\text``.
"""

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
    is_flat,
)

OPERATORS = {
    "times": r"\,",
    "cdot": r" \cdot ",
    "star": r" * ",
    "+": " + ",
    "-": " - ",
    "neg": "-",
    "=": " = ",
    "def": r" := ",
    "approx": r" \approx ",
    "!=": r" \neq ",
    "<": " < ",
    "<=": r" \le ",
    ">": " > ",
    ">=": r" \ge ",
    ",": ",",
    ";": r";\; ",
    "and": r" \wedge ",
    "or": r" \vee ",
    "not": r"\neg ",
    "odot": r" \odot ",
    "circ": r" \circ ",
    "otimes": r" \otimes ",
    "oslash": r" \oslash ",
    "to": r" \to ",
    "gets": r" \leftarrow ",
    "in": r" \in ",
    "cross": r" \times ",
    "quad": r"\quad ",
    "colon": r"\colon ",
    "prime": "'",
    "dots": r" \dots ",
    "transpose": r"\top",
    "T": "T",
    "plus": "+",
    "/": "/",
    "adds": r" \mathrel{+}= ",
    "vdots": r"\vdots",
    "ellipsis": r"\ldots",
    "mod": r" \bmod ",
}

FUNCTIONS = frozenset(
    [
        "exp",
        "log",
        "sin",
        "cos",
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
SYMBOLS = {"partial": r"\partial", "ell": r"\ell", "nabla": r"\nabla", "infty": r"\infty"}
FENCES = {
    "(": (r"\left(", r"\right)"),
    "opened": (r"\left(", r"\right."),
    "fixed": (r"\left.", r"\right|"),
    "closed": (r"\left.", r"\right)"),
    "[": (r"\left[", r"\right]"),
    "|": (r"\left|", r"\right|"),
    "floor": (r"\left\lfloor ", r"\right\rfloor"),
    "{": (r"\left\{", r"\right\}"),
}
SMALL_FENCES = {
    "(": ("(", ")"),
    "opened": ("(", ""),
    "closed": ("", ")"),
    "[": ("[", "]"),
    "|": ("|", "|"),
}
BIG = {"sum": r"\sum", "prod": r"\prod", "max": r"\max", "min": r"\min"}
ACCENTS = {"hat": r"\hat", "bar": r"\bar", "tilde": r"\tilde"}
SPECIAL = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "_": r"\_",
    "%": r"\%",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
}


def escape(text: str) -> str:
    """Return text safe in LaTeX prose."""
    return "".join(SPECIAL.get(character, character) for character in text)


def latex(math: Math) -> str:
    """Return the formula as LaTeX, without delimiters."""
    return _tidy(_print(math))


def _tidy(text: str) -> str:
    # Two spaces or a space before a brace arise where operators meet; they change nothing.
    while "  " in text:
        text = text.replace("  ", " ")
    return text.strip()


def _print(math: Math) -> str:
    return _PRINTERS[type(math)](math)


def _sym(math: Sym) -> str:
    text = math.text
    if math.font == "slot":
        return text
    if text in SYMBOLS:
        return SYMBOLS[text]
    greek = text in GREEK
    body = "\\" + text if greek else text.replace("_", r"\_")
    if math.font == "bold":
        return ("\\boldsymbol{" if greek else "\\mathbf{") + body + "}"
    if math.font == "function":
        return "\\" + text if text in FUNCTIONS else rf"\operatorname{{{body}}}"
    if math.font == "upright":
        return rf"\mathrm{{{body}}}"
    if math.font == "script":
        return rf"\mathcal{{{body}}}"
    return body if greek or len(text) == 1 else rf"\mathit{{{body}}}"


def _row(math: Row) -> str:
    text = ""
    for item in math.items:
        piece = _print(item)
        # A control word swallows what follows unless something that is no letter stands between.
        if text and text[-1].isalpha() and piece[:1].isalpha() and _ends_in_word(text):
            text += " "
        text += piece
    return text


def _ends_in_word(text: str) -> bool:
    stripped = text.rstrip("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
    return stripped.endswith("\\")


def _scripts(math: Scripts) -> str:
    base = _print(math.base)
    if isinstance(math.base, Scripts):
        base = "{" + base + "}"
    sup = "" if math.sup is None else _superscript(math.sup)
    sub = "" if math.sub is None else "_{" + script(math.sub) + "}"
    return base + (sup + sub if sup.startswith("'") else sub + sup)


def script(math: Math) -> str:
    """Return a formula for a script, set tight."""
    text = latex(math)
    for sign in "=+-":
        text = text.replace(f" {sign} ", sign)
    return text


def _superscript(sup: Math) -> str:
    primes = sup.items if isinstance(sup, Row) else (sup,)
    if all(isinstance(p, Op) and p.key == "prime" for p in primes):
        return "'" * len(primes)
    return "^{" + script(sup) + "}"


def _fenced(math: Fenced) -> str:
    fences = SMALL_FENCES if is_flat(math.body) and math.kind in SMALL_FENCES else FENCES
    left, right = fences[math.kind]
    return left + _print(math.body).strip() + right


def _big(math: Big) -> str:
    lower = "_{" + script(math.lower) + "}" if math.lower is not None else ""
    upper = "^{" + script(math.upper) + "}" if math.upper is not None else ""
    head = BIG.get(math.op) or rf"\operatorname*{{{math.op}}}"
    return f"{head}{lower}{upper} {_print(math.body)}"


def _apply(math: Apply) -> str:
    args = _print(Row(tuple(separated(math.args))))
    left, right = ("(", ")") if all(map(is_flat, math.args)) else FENCES["("]
    return f"{_print(math.function)}{left}{args.strip()}{right}"


def separated(args: tuple[Math, ...]) -> list[Math]:
    """Return arguments with commas between them."""
    found: list[Math] = []
    for number, arg in enumerate(args):
        found += [Op(","), Op("times"), arg] if number else [arg]
    return found


def _cases(math: Cases) -> str:
    lines = [
        f"{latex(value)} & " + (r"\text{if } " + latex(c) if c is not None else r"\text{otherwise}")
        for value, c in math.rows
    ]
    return r"\begin{cases} " + r" \\ ".join(lines) + r" \end{cases}"


def _grid(math: Grid) -> str:
    lines = [" & ".join(latex(entry) for entry in line) for line in math.rows]
    return r"\begin{bmatrix} " + r" \\ ".join(lines) + r" \end{bmatrix}"


_PRINTERS: dict[type, Callable[[Any], str]] = {
    Sym: _sym,
    Num: lambda m: m.text,
    Op: lambda m: OPERATORS[m.key],
    Words: lambda m: r"\text{" + escape(m.text) + "}",
    Row: _row,
    Scripts: _scripts,
    Accent: lambda m: f"{ACCENTS[m.kind]}{{{_print(m.base)}}}",
    Frac: lambda m: rf"\frac{{{latex(m.top)}}}{{{latex(m.bottom)}}}",
    Root: lambda m: rf"\sqrt{{{latex(m.body)}}}",
    Fenced: _fenced,
    Big: _big,
    Apply: _apply,
    Cases: _cases,
    Grid: _grid,
    Symbol: lambda m: _print(m.math),
    Under: lambda m: rf"\underbrace{{{latex(m.body)}}}_{{{latex(m.label)}}}",
}
