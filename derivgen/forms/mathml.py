"""Print a formula as MathML Core, which browsers show without any script or font of ours.

A tensor's symbol carries its name in ``data-t``, so that a page can highlight it wherever it
stands. Invariant: every text is escaped.
"""

from __future__ import annotations

from collections.abc import Callable
from html import escape
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
    is_flat,
)

OPERATORS = {
    "times": "\u2062",
    "cdot": "\u00b7",
    "star": "\u2217",
    "-": "\u2212",
    "neg": "\u2212",
    "def": ":=",
    "approx": "\u2248",
    "!=": "\u2260",
    "<=": "\u2264",
    ">=": "\u2265",
    "and": "\u2227",
    "or": "\u2228",
    "not": "\u00ac",
    "odot": "\u2299",
    "circ": "\u2218",
    "otimes": "\u2297",
    "oslash": "\u2298",
    "to": "\u2192",
    "gets": "\u2190",
    "in": "\u2208",
    "cross": "\u00d7",
    "quad": "\u2003",
    "colon": ":",
    "prime": "\u2032",
    "dots": "\u22ef",
    "transpose": "\u22a4",
    "ellipsis": "\u2026",
    "mod": "mod",
    "plus": "+",
    "adds": "+=",
    "vdots": "\u22ee",
}
GREEK = {
    "alpha": "α",
    "beta": "β",
    "gamma": "γ",
    "delta": "δ",
    "epsilon": "ε",
    "zeta": "ζ",
    "eta": "η",
    "theta": "θ",
    "iota": "ι",
    "kappa": "κ",
    "lambda": "λ",
    "mu": "μ",
    "nu": "ν",
    "xi": "ξ",
    "pi": "π",
    "rho": "ρ",
    "sigma": "σ",
    "tau": "τ",
    "upsilon": "υ",
    "phi": "φ",
    "chi": "χ",
    "psi": "ψ",
    "omega": "ω",
    "Gamma": "Γ",
    "Delta": "Δ",
    "Theta": "Θ",
    "Lambda": "Λ",
    "Xi": "Ξ",
    "Pi": "Π",
    "Sigma": "Σ",
    "Upsilon": "Υ",
    "Phi": "Φ",
    "Psi": "Ψ",
    "Omega": "Ω",
    "partial": "∂",
    "nabla": "∇",
    "ell": "ℓ",
    "infty": "∞",
}
BIG = {"sum": "\u2211", "prod": "\u220f"}
FENCES = {
    "(": "()",
    "opened": "( ",
    "fixed": " |",
    "closed": " )",
    "[": "[]",
    "|": "||",
    "floor": "\u230a\u230b",
    "{": "{}",
}
ACCENTS = {"hat": "^", "bar": "\u00af", "tilde": "~"}


def mathml(math: Math, display: bool = False) -> str:
    """Return the formula as a ``math`` element."""
    style = ' display="block"' if display else ""
    return f"<math{style}>{_print(math)}</math>"


def _print(math: Math) -> str:
    return _PRINTERS[type(math)](math)


def _sym(math: Sym) -> str:
    text = GREEK.get(math.text, math.text)
    shown = escape(text)
    if math.text in ("partial", "nabla"):
        return f'<mi mathvariant="normal">{shown}</mi>'
    if math.font == "bold":
        return f'<mi class="b" mathvariant="normal">{shown}</mi>'
    if math.font in ("function", "upright"):
        return f'<mi mathvariant="normal">{shown}</mi>' if len(text) == 1 else f"<mi>{shown}</mi>"
    if text.isdigit():
        return f"<mn>{shown}</mn>"
    return f"<mi>{shown}</mi>" if len(text) == 1 else f'<mi class="w">{shown}</mi>'


def _op(math: Op) -> str:
    text = escape(OPERATORS.get(math.key, math.key))
    if math.key == "neg":
        return f'<mo form="prefix">{text}</mo>'
    if math.key == "times":
        return f'<mo lspace="0.09em" rspace="0.09em">{text}</mo>'
    if math.key == "quad":
        return '<mspace width="1em"></mspace>'
    if math.key == "T":
        return "<mi>T</mi>"
    return f"<mo>{text}</mo>"


def _scripts(math: Scripts) -> str:
    base = _print(math.base)
    if math.sub is not None and math.sup is not None:
        return f"<msubsup>{base}{_one(math.sub)}{_one(math.sup)}</msubsup>"
    if math.sub is not None:
        return f"<msub>{base}{_one(math.sub)}</msub>"
    assert math.sup is not None, "scripts hold a script"
    return f"<msup>{base}{_one(math.sup)}</msup>"


def _one(math: Math) -> str:
    """Return exactly one element."""
    return f"<mrow>{_print(math)}</mrow>" if isinstance(math, Row) else _print(math)


def _fenced(math: Fenced) -> str:
    return _between(math.kind, _print(math.body), is_flat(math.body))


def _between(kind: str, body: str, flat: bool) -> str:
    left, right = FENCES[kind][0], FENCES[kind][1]
    tight = ' stretchy="false"' if flat else ""
    before = f'<mo form="prefix"{tight}>{left}</mo>' if left != " " else ""
    after = f'<mo form="postfix"{tight}>{right}</mo>' if right != " " else ""
    return f"<mrow>{before}{body}{after}</mrow>"


def _big(math: Big) -> str:
    sign = BIG.get(math.op)
    head = f"<mo>{sign}</mo>" if sign else f'<mi mathvariant="normal">{escape(math.op)}</mi>'
    lower = _one(math.lower) if math.lower is not None else "<mrow></mrow>"
    if math.upper is not None:
        head = f"<munderover>{head}{lower}{_one(math.upper)}</munderover>"
    else:
        head = f"<munder>{head}{lower}</munder>"
    return f"<mrow>{head}{_print(math.body)}</mrow>"


def _apply(math: Apply) -> str:
    args = "<mo>,</mo>".join(_print(arg) for arg in math.args)
    flat = all(map(is_flat, math.args))
    return f"<mrow>{_one(math.function)}{_between('(', args, flat)}</mrow>"


def _cases(math: Cases) -> str:
    rows = []
    for value, condition in math.rows:
        when = f"<mtext>if </mtext>{_print(condition)}" if condition else "<mtext>otherwise</mtext>"
        rows.append(f"<mtr><mtd>{_print(value)}</mtd><mtd>{when}</mtd></mtr>")
    table = f'<mtable class="cases">{"".join(rows)}</mtable>'
    return f'<mrow><mo form="prefix" stretchy="true">{{</mo>{table}</mrow>'


def _grid(math: Grid) -> str:
    rows = "".join(
        "<mtr>" + "".join(f"<mtd>{_print(entry)}</mtd>" for entry in line) + "</mtr>"
        for line in math.rows
    )
    return _between("[", f"<mtable>{rows}</mtable>", False)


def _symbol(math: Symbol) -> str:
    """Return a symbol marked with what it belongs to; the size of a layer belongs to nothing."""
    inner = _print(math.math)
    return f'<mrow data-t="{escape(math.tensor)}">{inner}</mrow>' if math.tensor else inner


_PRINTERS: dict[type, Callable[[Any], str]] = {
    Sym: _sym,
    Num: lambda m: f"<mn>{escape(m.text)}</mn>",
    Op: _op,
    Words: lambda m: f"<mtext>{escape(m.text)}</mtext>",
    Row: lambda m: "".join(_print(item) for item in m.items),
    Scripts: _scripts,
    Accent: lambda m: (
        f'<mover accent="true">{_one(m.base)}<mo stretchy="false">{ACCENTS[m.kind]}</mo></mover>'
    ),
    Frac: lambda m: f"<mfrac>{_one(m.top)}{_one(m.bottom)}</mfrac>",
    Root: lambda m: f"<msqrt>{_print(m.body)}</msqrt>",
    Fenced: _fenced,
    Big: _big,
    Apply: _apply,
    Cases: _cases,
    Grid: _grid,
    Symbol: _symbol,
    Under: lambda m: (
        f"<munder><munder>{_one(m.body)}<mo>\u23df</mo></munder>{_one(m.label)}</munder>"
    ),
}
