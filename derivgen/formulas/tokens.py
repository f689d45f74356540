r"""LaTeX text to tokens: spacing and sizing dropped, macros expanded, places kept.

Invariant: time and output are bounded (`MAX_LENGTH`, `MAX_TOKENS`), whatever the input.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice

from derivgen.formulas.tree import FormulaError, Notice, Token
from derivgen.formulas.typed import FRACTIONS, accented, as_tex, is_accented, is_typed

MAX_LENGTH = 20_000
MAX_TOKENS = 20_000
MAX_NESTED_MACROS = 30

FULL_WIDTH = str.maketrans("（）［］｛｝，；：＝＋－＊／．｜′’−–×·", "()[]{},;:=+-*/.|''--×·")

# Commands that only set type: they vanish.
SPACING = frozenset((
    r"\,", r"\:", r"\!", r"\>", r"\enspace", r"\thinspace", r"\medspace", r"\thickspace",
    r"\left", r"\right", r"\middle", r"\big", r"\Big", r"\bigg", r"\Bigg", r"\bigl", r"\bigr",
    r"\Bigl", r"\Bigr", r"\biggl", r"\biggr", r"\Biggl", r"\Biggr", r"\bigm", r"\displaystyle",
    r"\textstyle", r"\scriptstyle", r"\limits", r"\nolimits", r"\nonumber", r"\notag",
    r"\hfill", r"\noindent", r"\hline", r"\strut", r"\allowbreak", r"\rm", r"\bf", r"\it",
    r"\hphantom", r"\phantom", r"\smallskip", r"\medskip", r"\bigskip", r"\par", r"\small",
    r"\large", r"\centering", r"\mathstrut", r"\vphantom", r"\/", "\\ ",
))  # fmt: skip
# Those of them that size the bracket behind them.
SIZING = frozenset(c for c in SPACING if c[1:].rstrip("lrm") in ("big", "Big", "bigg", "Bigg")) | {
    r"\left", r"\right", r"\middle"
}  # fmt: skip
# Wide spaces part formulas from each other and from their conditions.
GAPS = frozenset([r"\quad", r"\qquad", r"\;"])
RELATIONS = {
    "=": "=", ":=": "=", r"\equiv": "=", r"\triangleq": "=", r"\doteq": "=", r"\coloneqq": "=",
    r"\coloneq": "=", r"\approx": "~", r"\simeq": "~", r"\cong": "~", r"\propto": "prop",
    r"\sim": "dist", r"\leftarrow": "<-", r"\gets": "<-", r"\longleftarrow": "<-", "<": "<",
    ">": ">", r"\le": "<=", r"\leq": "<=", r"\ge": ">=", r"\geq": ">=", r"\ne": "!=", r"\neq": "!=",
    r"\in": "in", r"\to": "->", r"\rightarrow": "->", r"\Rightarrow": "=>", r"\implies": "=>",
    r"\Leftrightarrow": "=>", r"\iff": "=>", r"\ll": "<", r"\gg": ">", r"\leqslant": "<=",
    r"\geqslant": ">=", r"\longrightarrow": "->", r"\therefore": "=>", r"\because": "=>",
    r"\mapsto": "->", r"\notin": "!=",
}  # fmt: skip
OPERATORS = {
    r"\cdot": r"\cdot", r"\times": r"\times", "×": r"\times", "·": r"\cdot", "*": "*", r"\ast": "*",
    r"\odot": r"\odot", r"\circ": r"\circ", r"\otimes": r"\otimes", r"\star": "*",
    r"\bullet": r"\cdot",
    r"\oplus": "+", "+": "+", "-": "-", "/": "/", r"\div": "/", r"\oslash": "/",
    r"\over": r"\over", r"\ominus": "-",
    "⊙": r"\odot", "∘": r"\circ", "⊗": r"\otimes", r"\pm": "+", r"\bigodot": r"\odot", "@": "@",
    r"\centerdot": r"\cdot", r"\backslash": "/", r"\bmod": "%",
}  # fmt: skip
UNICODE = {
    "∂": r"\partial", "∑": r"\sum", "Σ": r"\sum", "√": r"\sqrt", "∇": r"\nabla", "≈": r"\approx",
    "≤": r"\le", "≥": r"\ge", "≠": r"\ne", "∏": r"\prod", "∈": r"\in", "Δ": r"\Delta",
    "…": r"\dots",
    "∞": r"\infty", "≡": r"\equiv", "←": r"\leftarrow", "→": r"\to", "∝": r"\propto",
    "⋯": r"\cdots",
    "⊤": r"\top", "∼": r"\sim", "⇒": r"\Rightarrow", "ℓ": r"\ell", "∥": r"\|",
}  # fmt: skip
_GREEK_LETTERS = "αβγδεζηθικλμνξοπρστυφχψωΓΘΛΞΠΦΨΩ"
_GREEK_NAMES = (
    "alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa", "lambda",
    "mu", "nu", "xi", "o", "pi", "rho", "sigma", "tau", "upsilon", "phi", "chi", "psi", "omega",
    "Gamma", "Theta", "Lambda", "Xi", "Pi", "Phi", "Psi", "Omega",
)  # fmt: skip
_GREEK = dict(zip(_GREEK_LETTERS, _GREEK_NAMES))
SUPERSCRIPTS = dict(zip("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789")) | {"ᵀ": "T", "⁺": "+", "⁻": "-"}
SUBSCRIPTS = dict(zip("₀₁₂₃₄₅₆₇₈₉", "0123456789")) | {"ᵢ": "i", "ⱼ": "j", "ₖ": "k", "ₜ": "t"}

_PIECE = re.compile(
    r"(?P<comment>(?<!\\)%[^\n]*)|(?P<space>\s+|~|\\\s)|(?P<row>\\\\(?:\s*\[[0-9.]+\s*(?:pt|em|ex|mm|cm)\])?)"
    r"|(?P<wide>\\[hv]space\*?\s*\{[^{}]*\})"
    r"|(?P<begin>\\(?:begin|end)\s*\{[A-Za-z]+\*?\})|(?P<command>\\(?:operatorname\*|[A-Za-z]+|.))"
    r"|(?P<marked>[A-Za-z][\u0302\u0303\u0304\u0307])"
    r"|(?P<dots>\.{0,3}[…⋯]\.{0,3}|\.\s?\.(?:\s?\.)*)"
    r"|(?P<number>\d+(?:\.\d+)?(?:[eE][-+]?\d{1,3}(?![\d.]))?|\.\d+)|(?P<assign>:=|=)|(?P<rest>.)",
    re.DOTALL,
)
_OTHER_NAMES = {r"\part": r"\partial", r"\operatorname*": r"\operatorname", r"\mid": "|",
                r"\bigtriangledown": r"\nabla", r"\triangledown": r"\nabla",
                r"\colon": ":"}  # fmt: skip
_ESCAPED = {r"\_": "_", r"\*": "*", r"\^": "^", r"\-": "-", r"\#": "#", r"\&": "&"}


@dataclass(frozen=True)
class Macro:
    """A private ``\\newcommand``: how many arguments it takes and what it stands for."""

    arguments: int
    body: str


Macros = Mapping[str, Macro]


# Commands of common packages, used in notes without a definition.
PACKAGES: Macros = {
    r"\pdv": Macro(2, r"\frac{\partial #1}{\partial #2}"),
    r"\dv": Macro(2, r"\frac{d #1}{d #2}"),
    r"\norm": Macro(1, r"\|#1\|"),
    r"\abs": Macro(1, r"\lvert #1\rvert"),
    r"\mid": Macro(0, "|"),
    r"\given": Macro(0, "|"),
    r"\bold": Macro(1, r"\mathbf{#1}"),
    r"\grad": Macro(0, r"\nabla"),
    r"\vb": Macro(1, r"\mathbf{#1}"),
    r"\bs": Macro(1, r"\boldsymbol{#1}"),
    r"\softmax": Macro(0, r"\operatorname{softmax}"),
    r"\sigmoid": Macro(0, r"\operatorname{sigmoid}"),
    r"\relu": Macro(0, r"\operatorname{relu}"),
    r"\ReLU": Macro(0, r"\operatorname{relu}"),
    r"\diag": Macro(0, r"\operatorname{diag}"),
}


def tokenize(text: str, macros: Macros | None = None) -> tuple[list[Token], list[Notice]]:
    """Return the tokens of a formula and what had to be read leniently.

    Raises: FormulaError, where the text is longer than the limits or its macros do not end.
    """
    if len(text) > MAX_LENGTH:
        raise FormulaError(
            f"{text[:30]}...",
            f"The formula has {len(text)} characters; at most {MAX_LENGTH} are read.",
            "Split it.",
        )
    notices = [
        Notice("full-width", (i, i + 1), char)
        for i, char in enumerate(text)
        if char in "（）［］｛｝＝＋－＊／"
    ]
    notices += [
        Notice("part-macro", found.span(), r"\part")
        for found in re.finditer(r"\\part(?![A-Za-z])", text)
    ]
    text = _without_empty_fences(_without_frames(text))
    pieces = _expanded(_pieces(text.translate(FULL_WIDTH)), {**PACKAGES, **(macros or {})}, 0)
    found = list(islice(pieces, MAX_TOKENS + 1))
    if len(found) > MAX_TOKENS:
        raise FormulaError(
            text[:30], f"The formula has more than {MAX_TOKENS} tokens.", "Split it."
        )
    return (as_tex(found) if is_typed(text) else found), notices


_FRAME = re.compile(r"\\bbox\s*(?:\[[^\]\n]*\])?\s*\{")


def _without_frames(text: str) -> str:
    r"""Blank ``\bbox[...]{`` and its brace; keep places."""
    made = list(text)
    for found in _FRAME.finditer(text):
        level = 1
        for place in range(found.end(), len(text)):
            level += (text[place] == "{") - (text[place] == "}")
            if level == 0:
                made[found.start() : found.end()] = " " * (found.end() - found.start())
                made[place] = " "
                break
    return "".join(made)


_FENCE = re.compile(r"\\(left|right)(?![A-Za-z])\s*(\\[A-Za-z]+|\\.|[^\s\\])")
# Private marks for the two ends of a value with something held fixed; no text holds them.
HELD_OPEN, HELD_CLOSE = "\ue000", "\ue001"
BARS = ("|", r"\vert", r"\rvert")


def _without_empty_fences(text: str) -> str:
    r"""Blank the dots of ``\left.`` and ``\right.``, mark ``\left. ... \right|_``; keep places."""
    made = list(text)
    opened: list[tuple[int, str]] = []
    for found in _FENCE.finditer(text):
        place = found.start(2)
        if found[1] == "left":
            opened.append((place, found[2]))
            continue
        start, sign = opened.pop() if opened else (place, "")
        if sign == "." and found[2] in BARS and re.match(r"\s*_", text[found.end() :]):
            made[start] = HELD_OPEN
            made[place : found.end()] = HELD_CLOSE.ljust(len(found[2]))
        for at, mark in ((start, sign), (place, found[2])):
            if mark == "." and made[at] == ".":
                made[at] = " "
    for place, sign in opened:
        if sign == ".":
            made[place] = " "
    return "".join(made)


def _pieces(text: str) -> Iterator[Token]:
    sized = -1  # where the \left or \big before a bracket stands: it belongs to the bracket
    for found in _PIECE.finditer(text):
        kind = found.lastgroup or "rest"
        if kind in ("comment", "space"):
            continue
        if found[0] in SIZING:
            sized = found.start() if sized < 0 else sized
            continue
        start = found.start() if sized < 0 else sized
        sized = -1
        yield from _tokens_of(kind, found[0], (start, found.end()))


def _tokens_of(kind: str, text: str, span: tuple[int, int]) -> Iterator[Token]:
    if kind == "wide":
        yield Token("gap", r"\quad", span)
    elif kind == "row" or text == r"\newline":
        yield Token("row", r"\\", span)
    elif kind == "begin":
        yield Token("begin" if text[1] == "b" else "end", text[text.index("{") + 1 : -1], span)
    elif kind == "dots":
        yield Token("command", r"\dots", span)
    elif kind == "number":
        yield Token("number", text, span)
    elif kind == "command":
        yield from _command(text, span)
    elif kind == "marked" or is_accented(text):
        yield from accented(text, span)
    elif text in FRACTIONS:
        top, bottom = FRACTIONS[text]
        yield Token("(", "(", span)
        yield Token("number", str(top), span)
        yield Token("operator", "/", span)
        yield Token("number", str(bottom), span)
        yield Token(")", ")", span)
    elif text in SUPERSCRIPTS or text in SUBSCRIPTS:
        yield Token("^" if text in SUPERSCRIPTS else "_", text, span)
        yield _plain({**SUPERSCRIPTS, **SUBSCRIPTS}[text], span)
    else:
        yield from _command(UNICODE[text], span) if text in UNICODE else [_plain(text, span)]


def _command(text: str, span: tuple[int, int]) -> Iterator[Token]:
    if text in SPACING:
        return
    if text in GAPS:
        yield Token("gap", text, span)
        return
    text = _ESCAPED.get(text, text)
    text = _OTHER_NAMES.get(text, text)
    if text in RELATIONS:
        yield Token("relation", text, span)
    elif text in OPERATORS:
        yield Token("operator", OPERATORS[text], span)
    elif text.startswith("\\"):
        yield Token("command", text, span)
    else:
        yield _plain(text, span)


def _plain(char: str, span: tuple[int, int]) -> Token:
    if char in RELATIONS:
        return Token("relation", char, span)
    if char in OPERATORS:
        return Token("operator", OPERATORS[char], span)
    if char in _GREEK:
        return Token("command", "\\" + _GREEK[char], span)
    if char.isdigit():
        return Token("number", char, span)
    return Token("name" if char.isalpha() else char, char, span)


def _expanded(tokens: Iterator[Token], macros: dict[str, Macro], depth: int) -> Iterator[Token]:
    count = 0
    for token in tokens:
        count += 1
        macro = macros.get(token.text) if token.kind == "command" else None
        if macro is None:
            yield token
            continue
        if depth > MAX_NESTED_MACROS or count > MAX_TOKENS:
            raise FormulaError(token.text, "This macro does not end.", "Check it.", token.span)
        arguments = [_argument(tokens, token) for _ in range(macro.arguments)]
        body = (Token(t.kind, t.text, token.span) for t in _filled(macro.body, arguments))
        yield from _expanded(body, macros, depth + 1)


def _argument(tokens: Iterator[Token], macro: Token) -> list[Token]:
    found: list[Token] = []
    level = 0
    for token in tokens:
        level += (token.kind == "{") - (token.kind == "}")
        found.append(token)
        if level <= 0:
            return found
        if len(found) > MAX_TOKENS:
            break
    raise FormulaError(
        macro.text, "The macro lacks an argument.", "Write it in braces.", macro.span
    )


def _filled(body: str, arguments: list[list[Token]]) -> Iterator[Token]:
    parts = list(_pieces(body))
    skip = False
    for here, following in zip(parts, [*parts[1:], None]):
        if skip:
            skip = False
        elif here.text == "#" and following is not None and following.kind == "number":
            number = int(following.text) - 1
            yield from arguments[number] if number < len(arguments) else []
            skip = True
        else:
            yield here
