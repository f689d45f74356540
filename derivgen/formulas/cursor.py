"""A cursor over tokens, and what the parser knows of names and commands."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from derivgen.formulas.tree import FormulaError, Notice, Span, Token

MATRICES = ("matrix", "bmatrix", "pmatrix", "vmatrix", "Bmatrix", "Vmatrix", "smallmatrix", "array")
BIG = {r"\sum": "sum", r"\prod": "prod", r"\max": "max", r"\min": "min", r"\argmax": "argmax",
       r"\argmin": "argmin"}  # fmt: skip
NAMED_FOLDS = ("sum", "prod", "max", "min", "mean", "logsumexp", "argmax", "argmin")
ACCENTS = {
    r"\hat": "hat", r"\widehat": "hat", r"\bar": "bar", r"\overline": "bar", r"\tilde": "tilde",
    r"\widetilde": "tilde", r"\dot": "dot", r"\ddot": "ddot", r"\check": "check",
    r"\breve": "breve",
}  # fmt: skip
FONTS = frozenset(
    [
        r"\mathbf",
        r"\boldsymbol",
        r"\bm",
        r"\mathrm",
        r"\mathit",
        r"\mathcal",
        r"\mathscr",
        r"\mathbb",
        r"\mathsf",
        r"\text",
        r"\textit",
        r"\textbf",
        r"\textrm",
        r"\operatorname",
        r"\pmb",
        r"\mathfrak",
        r"\mbox",
        r"\vec",
        r"\mathnormal",
        r"\textsf",
        r"\texttt",
        r"\mathtt",
    ]
)
UPRIGHT = frozenset(
    [
        r"\mathrm",
        r"\text",
        r"\textit",
        r"\textrm",
        r"\operatorname",
        r"\mbox",
        r"\textsf",
        r"\texttt",
    ]
)
TRANSPARENT = frozenset(
    [r"\underline", r"\underbrace", r"\overbrace", r"\boxed", r"\mathop", r"\cancel", r"\mathstrut"]
)
DOTS = frozenset([r"\dots", r"\cdots", r"\ldots", r"\vdots", r"\ddots", r"\dotsb", r"\dotsc"])
SYMBOLS = frozenset(
    [
        "alpha",
        "beta",
        "gamma",
        "delta",
        "epsilon",
        "varepsilon",
        "zeta",
        "eta",
        "theta",
        "vartheta",
        "iota",
        "kappa",
        "lambda",
        "mu",
        "nu",
        "xi",
        "pi",
        "rho",
        "varrho",
        "sigma",
        "varsigma",
        "tau",
        "upsilon",
        "phi",
        "varphi",
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
        "nabla",
        "ell",
        "top",
        "infty",
        "prime",
        "hbar",
        "imath",
        "jmath",
        "intercal",
        "rot",
        "log",
        "ln",
        "exp",
        "tanh",
        "sinh",
        "cosh",
        "sin",
        "cos",
        "tan",
        "arctan",
        "max",
        "min",
        "argmax",
        "argmin",
        "det",
        "tr",
        "diag",
        "softmax",
        "sigmoid",
        "ReLU",
        "lg",
        "sgn",
        "sign",
        "arg",
        "Pr",
        "odot",
        "omicron",
        "dagger",
        "forall",
        "partial",
        "emptyset",
    ]
)
FUNCTION_WORDS = frozenset(
    [
        "log",
        "ln",
        "exp",
        "tanh",
        "sinh",
        "cosh",
        "sin",
        "cos",
        "tan",
        "arctan",
        "sigmoid",
        "softmax",
        "relu",
        "ReLU",
        "diag",
        "tr",
        "max",
        "min",
        "argmax",
        "softplus",
        "sign",
        "sgn",
        "Softmax",
        "Sigmoid",
        "LayerNorm",
        "CE",
        "BCE",
        "MSE",
        "NLL",
    ]
)
WORD = 3  # so many adjacent letters are one word, unless each of them is a declared symbol

Known = Callable[[str], bool]


@dataclass(frozen=True)
class Vocabulary:
    """What the parser knows of names: words, and single letters that are symbols."""

    words: tuple[str, ...] = ()
    letters: frozenset[str] = frozenset()
    numbered: frozenset[str] = frozenset()  # declared names that end in a number: W2

    def word_at(self, run: str) -> str:
        """Return the name at the beginning of a run of letters; the longest known word wins."""
        known = [w for w in self.words if run.startswith(w) and len(w) > 1]
        known += [w for w in FUNCTION_WORDS if run.startswith(w) and self._splits(run[len(w) :])]
        if known:
            return max(known, key=len)
        if any(word in run[1:] for word in self.words if len(word) > 1):
            return run[0]
        if len(run) >= WORD and not all(letter in self.letters for letter in run):
            return run
        return run[0]

    def _splits(self, rest: str) -> bool:
        """Tell whether what stands behind a function's name is an argument: ``logy``."""
        return not rest or (len(rest) < WORD and all(letter in self.letters for letter in rest))


class Cursor:
    """A cursor over tokens. The only state is the place and the notices."""

    def __init__(
        self, tokens: list[Token], vocabulary: Vocabulary, notices: list[Notice], length: int
    ) -> None:
        self.tokens = [t for t in tokens if t.kind != "nothing"]
        self.vocabulary = vocabulary
        self.notices = notices
        self.place = 0
        self.end = length
        self.norms = 0

    # --- cursor ---

    def peek(self, ahead: int = 0) -> Token:
        place = self.place + ahead
        if place < len(self.tokens):
            return self.tokens[place]
        return Token("eof", "", (self.end, self.end))

    def next(self) -> Token:
        token = self.peek()
        self.place += 1
        return token

    def at(self, *texts: str) -> bool:
        return self.peek().text in texts and self.peek().kind != "eof"

    def expect(self, text: str) -> Token:
        if self.peek().text != text:
            raise self.unexpected()
        return self.next()

    def unexpected(self) -> FormulaError:
        token = self.peek()
        if token.kind == "eof":
            return FormulaError("end of formula", "Something is missing here.", "", token.span)
        return FormulaError(
            token.text, "This token does not fit here.", "Check this place.", token.span
        )

    def finish(self) -> None:
        if self.peek().kind != "eof":
            raise self.unexpected()

    def span_from(self, start: int) -> Span:
        return (start, max(start, self.tokens[self.place - 1].span[1] if self.place else start))

    def _dots(self) -> bool:
        return self.peek().text in DOTS
