r"""Pratt parser of LaTeX formulas: tokens to `Chain`s.

Grammar: chain = expr (relation expr)*; expr = sign? term (sign term)*; term = factor (operator?
factor)*; factor = atom scripts*. ``\sum`` and its like take the rest of their term as body.
Invariant: every token is consumed or an error names it; nothing is skipped in silence.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction

from derivgen.formulas import tree
from derivgen.formulas.repair import (
    OPEN,
    argument_end,
    balanced,
    gaps_to_commas,
    plain_relations,
)
from derivgen.formulas.tokens import RELATIONS, Macros, tokenize
from derivgen.formulas.tree import FormulaError, Notice, Span, Token, Tree

MATRICES = ("matrix", "bmatrix", "pmatrix", "vmatrix", "Bmatrix", "Vmatrix", "smallmatrix", "array")
BIG = {r"\sum": "sum", r"\prod": "prod", r"\max": "max", r"\min": "min"}
ACCENTS = {
    r"\hat": "hat", r"\widehat": "hat", r"\bar": "bar", r"\overline": "bar", r"\tilde": "tilde",
    r"\widetilde": "tilde", r"\dot": "dot", r"\ddot": "ddot", r"\check": "check", r"\breve": "breve",
}  # fmt: skip
FONTS = frozenset(
    r"\mathbf \boldsymbol \bm \mathrm \mathit \mathcal \mathscr \mathbb \mathsf \text \textit"
    r" \textbf \textrm \operatorname \pmb \mathfrak \mbox \vec \mathnormal \textsf \texttt"
    r" \mathtt".split(" ")
)
UPRIGHT = frozenset(r"\mathrm \text \textit \textrm \operatorname \mbox \textsf \texttt".split(" "))
TRANSPARENT = frozenset(r"\underline \underbrace \overbrace \boxed \mathop \cancel \mathstrut".split(" "))
DOTS = frozenset(r"\dots \cdots \ldots \vdots \ddots \dotsb \dotsc".split(" "))
SYMBOLS = frozenset(
    "alpha beta gamma delta epsilon varepsilon zeta eta theta vartheta iota kappa lambda mu nu xi pi"
    " rho varrho sigma varsigma tau upsilon phi varphi chi psi omega Gamma Delta Theta Lambda Xi Pi"
    " Sigma Upsilon Phi Psi Omega nabla ell top infty prime hbar imath jmath intercal log ln exp"
    " tanh sinh cosh sin cos tan arctan max min argmax argmin det tr diag softmax sigmoid ReLU"
    " lg sgn sign arg Pr odot omicron dagger forall partial emptyset".split()
)
FUNCTION_WORDS = frozenset(
    "log ln exp tanh sinh cosh sin cos tan arctan sigmoid softmax relu ReLU diag tr max min argmax"
    " softplus sign sgn Softmax Sigmoid LayerNorm".split()
)
WORD = 3  # so many adjacent letters are one word, unless each of them is a declared symbol

Known = Callable[[str], bool]


@dataclass(frozen=True)
class Vocabulary:
    """What the parser must know of names: multi-letter words, and single letters that are symbols."""

    words: tuple[str, ...] = ()
    letters: frozenset[str] = frozenset()

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


def parse(text: str, vocabulary: Vocabulary, macros: Macros | None = None) -> list[tree.Chain]:
    """Return the chains of a formula: rows and top-level commas separate them.

    Raises: FormulaError, with the token and its place.
    """
    tokens, notices = tokenize(text, macros)
    tokens, repaired = balanced(plain_relations(gaps_to_commas(tokens)))
    return _Parser(tokens, vocabulary, notices + repaired, len(text)).chains()


def parse_tokens(tokens: tuple[Token, ...], vocabulary: Vocabulary) -> Tree:
    """Return the expression that script tokens hold."""
    parser = _Parser(list(tokens), vocabulary, [], tokens[-1].span[1] if tokens else 0)
    found = parser.expression()
    parser.finish()
    return found


class _Parser:
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

    # --- chains ---

    def chains(self) -> list[tree.Chain]:
        found: list[tree.Chain] = []
        members: list[Tree] = []
        relations: list[str] = []
        while self.peek().kind != "eof":
            token = self.peek()
            if token.kind == "relation":
                self.next()
                if members and len(relations) < len(members):
                    relations.append(RELATIONS[token.text])
                elif members:  # a doubled relation, as in "= \\\\ ="
                    continue
                else:
                    relations, members = _reopened(found, RELATIONS[token.text])
            elif self._separates(token):
                self._separator(found, members, relations)
            else:
                self._member(found, members, relations)
        self._flush(found, members, relations)
        return [_with_notices(chain, self.notices) for chain in found]

    def _separates(self, token: Token) -> bool:
        if token.kind == "begin":
            return token.text.rstrip("*") not in (*MATRICES, "cases")
        return token.kind in ("row", "&", ",", ";", ".", "end", ":") or self._dots()

    def _dots(self) -> bool:
        return self.peek().text in DOTS

    def _separator(
        self, found: list[tree.Chain], members: list[Tree], relations: list[str]
    ) -> None:
        token = self.next()
        if token.kind in ("&", ":", "begin", "end") or token.text in DOTS:
            return
        following = self._after_separators()
        if token.kind == "row" and (following.kind == "relation" or len(relations) == len(members)):
            return
        if token.kind == "row" and following.text in ("+", "-") and members:
            if len(relations) < len(members):
                self._continue_sum(members)
            return
        self._flush(found, members, relations)

    def _after_separators(self) -> Token:
        ahead = 0
        while self.peek(ahead).kind in ("row", "&", "begin", "end"):
            ahead += 1
        return self.peek(ahead)

    def _continue_sum(self, members: list[Tree]) -> None:
        while self.peek().kind in ("row", "&"):
            self.next()
        more = self.expression()
        last = members.pop()
        terms = (last, more)
        members.append(tree.Sum(terms, (1, 1), (_span(last)[0], _span(more)[1])))

    def _member(self, found: list[tree.Chain], members: list[Tree], relations: list[str]) -> None:
        start = self.place
        if members and len(relations) < len(members):
            raise self.unexpected()
        members.append(self.expression())
        if self.place == start:
            raise self.unexpected()

    def _flush(self, found: list[tree.Chain], members: list[Tree], relations: list[str]) -> None:
        if members:
            kept = tuple(relations[: len(members) - 1])
            span = (_span(members[0])[0], _span(members[-1])[1])
            found.append(tree.Chain(tuple(members), kept, span))
        members.clear()
        relations.clear()

    # --- expressions ---

    def expression(self) -> Tree:
        start = self.peek().span[0]
        signs = [self._sign()]
        terms = [self.term()]
        while self.at("+", "-") and self.peek().kind == "operator":
            signs.append(self._sign())
            if self._dots():
                dots = self.next()
                terms.append(tree.Dots(dots.span))
                continue
            terms.append(self.term())
        if len(terms) == 1 and signs == [1]:
            return terms[0]
        return tree.Sum(tuple(terms), tuple(signs), self.span_from(start))

    def _sign(self) -> int:
        sign = 1
        while self.at("+", "-") and self.peek().kind == "operator":
            sign *= -1 if self.next().text == "-" else 1
        return sign

    def term(self) -> Tree:
        start = self.peek().span[0]
        factors = [self.factor()]
        operators: list[str] = []
        while True:
            operator = self._operator()
            if operator is None:
                break
            if not self._starts_factor() and not (operator and self.at("-")):
                if operator:
                    self._dangling()
                    continue
                break
            operators.append(operator)
            factors.append(self._signed_factor())
        if len(factors) == 1:
            return factors[0]
        return tree.Product(tuple(factors), tuple(operators), self.span_from(start))

    def _signed_factor(self) -> Tree:
        start = self.peek().span[0]
        if not self.at("-"):
            return self.factor()
        self.next()
        inner = self.factor()
        return tree.Sum((inner,), (-1,), self.span_from(start))

    def _operator(self) -> str | None:
        token = self.peek()
        if token.kind == "operator" and token.text not in ("+", "-"):
            self.next()
            return token.text
        if token.text == r"\dot" and not self._is_accent():
            self.next()
            self.notices.append(Notice("dot", token.span))
            return r"\cdot"
        return "" if self._starts_factor() else None

    def _is_accent(self) -> bool:
        after = self.peek(1)
        return after.kind in ("{", "name", "command") and after.text not in DOTS

    def _dangling(self) -> None:
        """Read on over a row break after an operator, the way a hasty writer breaks a row."""
        token = self.peek()
        ahead = 0
        while self.peek(ahead).kind in ("row", "&", "begin", "end"):
            ahead += 1
        if ahead == 0 or self.peek(ahead).kind in ("eof", "relation"):
            raise self.unexpected()
        self.notices.append(Notice("row-break", token.span))
        self.place += ahead
        self.tokens.insert(self.place, Token("operator", r"\cdot", token.span))

    def _starts_factor(self) -> bool:
        token = self.peek()
        if token.kind in ("name", "number", "{", "(", "["):
            return True
        if token.kind == "begin":
            return token.text.rstrip("*") in (*MATRICES, "cases")
        if token.text == "|":
            return False
        if token.text in (r"\|", r"\Vert"):
            return self.norms == 0
        return token.kind == "command" and not self._closes(token)

    def _closes(self, token: Token) -> bool:
        closing = (r"\}", r"\rbrace", r"\rangle", r"\rfloor", r"\rbrack", r"\|", r"\rvert", r"\rVert")
        return token.text in closing or token.text in DOTS or token.text == r"\tag"

    def factor(self) -> Tree:
        return self._scripts(self._atom())

    def _scripts(self, inner: Tree) -> Tree:
        start = _span(inner)[0]
        sub: tuple[Token, ...] = ()
        sup: tuple[Token, ...] = ()
        primes = 0
        while self.peek().kind in ("_", "^", "'") or self.at(r"\prime"):
            token = self.next()
            if token.kind == "'" or token.text == r"\prime":
                primes += 1
                continue
            tokens = self._script_argument()
            if token.kind == "_":
                sub += tokens
            elif tokens and all(t.text in ("'", r"\prime") for t in tokens):
                primes += len(tokens)
            else:
                sup += tokens
        if not (sub or sup or primes):
            return inner
        return _scripted(inner, sub, sup, primes, self.span_from(start))

    def _script_argument(self) -> tuple[Token, ...]:
        token = self.peek()
        if token.kind == "eof":
            raise self.unexpected()
        end = argument_end(self.tokens, self.place)
        if token.kind == "command" and token.text in (*FONTS, *ACCENTS, r"\frac"):
            end = argument_end(self.tokens, end)
        found = self.tokens[self.place : end]
        self.place = end
        return tuple(found[1:-1] if token.kind == "{" else found)

    # --- atoms ---

    def _atom(self) -> Tree:
        token = self.peek()
        handler = self._handlers().get(token.kind)
        if handler is None:
            raise self.unexpected()
        return handler()

    def _handlers(self) -> Mapping[str, Callable[[], Tree]]:
        return {
            "number": self._number,
            "name": self._name,
            "command": self._command,
            "{": self._braces,
            "(": self._group,
            "[": self._group,
            "begin": self._environment,
            "|": lambda: self._norm("|"),
        }

    def _number(self) -> Tree:
        token = self.next()
        if token.text == "1" and self.at(r"\{", r"\lbrace"):
            return self._indicator(token.span[0])
        return tree.Literal(_fraction(token), token.text, token.span)

    def _indicator(self, start: int) -> Tree:
        opened = self.next()
        inner = self._until_closed(OPEN[opened.text])
        return tree.Indicator(tuple(inner), self.span_from(start))

    def _until_closed(self, closer: str) -> list[Token]:
        level, found = 0, []
        opener = next(o for o, c in OPEN.items() if c == closer)
        while True:
            token = self.next()
            if token.kind == "eof":
                raise self.unexpected()
            if token.text == closer and level == 0:
                return found
            level += (token.text == opener) - (token.text == closer)
            found.append(token)

    def _name(self) -> Tree:
        first = self.peek()
        run = first.text
        while self.peek(len(run)).kind == "name" and self._adjacent(len(run)):
            run += self.peek(len(run)).text
        word = self.vocabulary.word_at(run)
        self.place += len(word)
        span = self.span_from(first.span[0])
        if self.peek().kind == "{" and self.peek().span[0] == span[1] and len(word) > 1:
            return self._lost_underscore(word, span)
        return tree.Name(word, (), (), 0, span)

    def _adjacent(self, ahead: int) -> bool:
        before, here = self.peek(ahead - 1), self.peek(ahead)
        cjk = ord(before.text[0]) > 0x2E7F or ord(here.text[0]) > 0x2E7F
        return before.span[1] == here.span[0] and (
            not cjk or (ord(before.text[0]) > 0x2E7F) == (ord(here.text[0]) > 0x2E7F)
        )

    def _lost_underscore(self, word: str, span: Span) -> Tree:
        end = argument_end(self.tokens, self.place)
        inner = self.tokens[self.place + 1 : end - 1]
        if not all(t.kind in ("name", "number") for t in inner):
            return tree.Name(word, (), (), 0, span)
        self.notices.append(Notice("underscore", self.peek().span))
        self.place = end
        return tree.Name(word, tuple(inner), (), 0, self.span_from(span[0]))

    def _braces(self) -> Tree:
        start = self.next().span[0]
        if self.at("}"):
            self.next()
            return tree.Group((), "{", self.span_from(start))
        inner = self.expression()
        if self.at(r"\over"):
            self.next()
            inner = tree.Fraction2(inner, self.expression(), self.span_from(start))
        if self.at(",", ";"):
            return self._braced_list(inner, start)
        self.expect("}")
        if isinstance(inner, (tree.Name, tree.Literal)):
            return inner
        return tree.Group((inner,), "{", self.span_from(start))

    def _braced_list(self, first: Tree, start: int) -> Tree:
        items = [first]
        while self.at(",", ";"):
            self.next()
            if not self.at("}"):
                items.append(self._item())
        self.expect("}")
        return tree.Group(tuple(items), "{", self.span_from(start))

    def _group(self) -> Tree:
        opened = self.next()
        start = opened.span[0]
        if _has_relation(self.tokens, self.place):
            return self._bracketed_condition(opened)
        items: list[Tree] = []
        while True:
            self._skip_to_item()
            if self.peek().text in (OPEN[opened.text], ")", "]") and self.peek().kind != "name":
                break
            items.append(self._item())
            if self.at(",", ";", "|"):
                self.next()
        self.next()
        return tree.Group(tuple(items), opened.text, self.span_from(start))

    def _bracketed_condition(self, opened: Token) -> Tree:
        inner = self._until_closed(OPEN[opened.text])
        return tree.Indicator(tuple(inner), self.span_from(opened.span[0]))

    def _skip_to_item(self) -> None:
        while self.peek().kind in ("&", "row"):
            self.next()

    def _item(self) -> Tree:
        if self._dots() or (self.at(".") and self.peek(1).text == "."):
            start = self.peek().span[0]
            while self._dots() or self.at("."):
                self.next()
            return tree.Dots(self.span_from(start))
        return self.expression()

    def _norm(self, closer: str) -> Tree:
        start = self.next().span[0]
        self.norms += 1
        inner = self.expression()
        self.norms -= 1
        if self.peek().text not in (closer, r"\rvert", r"\rVert", "|", r"\|"):
            raise self.unexpected()
        self.next()
        return tree.Norm(inner, closer != "|", (), self.span_from(start))

    # --- commands ---

    def _command(self) -> Tree:
        token = self.peek()
        text = token.text
        if text in (r"\frac", r"\dfrac", r"\tfrac", r"\cfrac"):
            return self._frac()
        if text == r"\partial":
            return self._differential()
        if text == r"\sqrt":
            return self._root()
        if text in BIG and (text in (r"\sum", r"\prod") or self.peek(1).kind in "_^"):
            return self._big()
        if text in (r"\{", r"\lbrace", r"\langle", r"\lfloor", r"\lbrack", r"\lceil"):
            return self._brace_group()
        if text in (r"\|", r"\lVert", r"\Vert", r"\lvert", r"\vert"):
            return self._norm("|" if text in (r"\lvert", r"\vert") else r"\|")
        return self._styled()

    def _styled(self) -> Tree:
        token = self.next()
        text = token.text
        if text in FONTS:
            return self._font(token)
        if text in ACCENTS:
            return self._accent(token)
        if text in (r"\color", r"\textcolor"):
            self.place = argument_end(self.tokens, self.place)
            return self._argument() if text == r"\textcolor" else self.factor()
        if text in (r"\stackrel", r"\overset"):
            self.place = argument_end(self.tokens, self.place)
            return self._argument()
        if text == r"\underset":
            return self._underset()
        if text in TRANSPARENT:
            return self._transparent(token)
        return self._symbol(token)

    def _underset(self) -> Tree:
        end = argument_end(self.tokens, self.place)
        below = tuple(t for t in self.tokens[self.place : end] if t.kind not in "{}")
        self.place = end
        self.tokens[self.place : self.place] = []
        inner = self._argument()
        return replace(inner, sub=below) if isinstance(inner, tree.Big) else inner

    def _transparent(self, token: Token) -> Tree:
        inner = self._argument()
        while token.text in (r"\underbrace", r"\overbrace") and self.peek().kind in "_^":
            self.next()
            self._script_argument()
        return inner if isinstance(inner, tree.Name) else tree.Group((inner,), "{", _span(inner))

    def _symbol(self, token: Token) -> Tree:
        base = token.text[1:]
        if not base.isalpha():
            raise FormulaError(token.text, "Unknown command.", "Declare it.", token.span)
        aliases = {"varepsilon": "epsilon", "ln": "log", "varphi": "phi", "vartheta": "theta"}
        if base not in SYMBOLS:
            self.notices.append(Notice("unknown-macro", token.span, token.text))
        return tree.Name(aliases.get(base, base), (), (), 0, token.span)

    def _argument(self) -> Tree:
        """Return a command's argument: a braced expression or one token."""
        token = self.peek()
        if token.kind == "{":
            return self._braces()
        if token.kind == "number" and len(token.text) > 1:
            self._split_number(token)
        if token.kind == "name":
            self.next()
            return tree.Name(token.text, (), (), 0, token.span)
        return self._atom()

    def _split_number(self, token: Token) -> None:
        start, end = token.span
        first = Token("number", token.text[0], (start, start + 1))
        rest = Token("number", token.text[1:], (start + 1, end))
        self.tokens[self.place : self.place + 1] = [first, rest]

    def _frac(self) -> Tree:
        start = self.next().span[0]
        self._mark_differentials()
        top = self._argument()
        bottom = self._argument()
        return tree.Fraction2(_bare(top), _bare(bottom), self.span_from(start))

    def _mark_differentials(self) -> None:
        r"""Read ``\frac{dE}{dw}`` and ``\frac{\delta E}{\delta w}`` as Leibniz fractions."""
        first = self.place
        middle = argument_end(self.tokens, first)
        leads = [_lead(self.tokens, p) for p in (first, middle)]
        if leads[0] is None or leads[1] is None:
            return
        signs = [self.tokens[p].text for p in leads]
        if signs[0] != signs[1] or signs[0] not in ("d", r"\delta", r"\Delta"):
            return
        last = argument_end(self.tokens, middle)
        for place in range(first, last):
            token = self.tokens[place]
            if token.text == signs[0] and _may_lead(self.tokens, place):
                self.tokens[place] = Token("command", r"\partial", token.span)

    def _differential(self) -> Tree:
        token = self.next()
        order, sign = 1, "partial"
        if self.peek().kind == "^":
            self.next()
            script = self._script_argument()
            if len(script) == 1 and script[0].kind == "number":
                order = int(script[0].text[:2])
            else:
                sign = "partial" + "".join(t.text for t in script)
        if not self._starts_factor() or self.at(r"\partial"):
            return tree.Differential(None, sign, order, self.span_from(token.span[0]))
        inner = self.factor()
        if self.at("(") and isinstance(inner, tree.Name):
            arguments = self.factor()
            span = self.span_from(_span(inner)[0])
            inner = tree.Product((inner, arguments), ("",), span)
        return tree.Differential(inner, sign, order, self.span_from(token.span[0]))

    def _root(self) -> Tree:
        start = self.next().span[0]
        degree = 2
        if self.at("["):
            self.next()
            inner = self._until_closed("]")
            degree = int(inner[0].text[:2]) if inner and inner[0].kind == "number" else 2
        return tree.Root(_bare(self._argument()), degree, self.span_from(start))

    def _big(self) -> Tree:
        token = self.next()
        scripts: dict[str, tuple[Token, ...]] = {"_": (), "^": ()}
        while self.peek().kind in ("_", "^"):
            kind = self.next().kind
            scripts[kind] = self._script_argument()
        if not scripts["_"] and token.text in (r"\sum", r"\prod"):
            self.notices.append(Notice("no-bounds", token.span))
        if not self._starts_factor() and not self.at("-", "|"):
            raise self.unexpected()
        body = self.term() if not self.at("-") else self._signed_factor()
        span = self.span_from(token.span[0])
        return tree.Big(BIG[token.text], scripts["_"], scripts["^"], body, span)

    def _brace_group(self) -> Tree:
        opened = self.next()
        if self.peek().kind == "begin":
            return self._environment(opened)
        items: list[Tree] = []
        while not self.at(OPEN[opened.text]):
            items.append(self._item())
            if self.at(",", ";"):
                self.next()
            elif not self.at(OPEN[opened.text]):
                raise self.unexpected()
        self.next()
        return tree.Group(tuple(items), opened.text, self.span_from(opened.span[0]))

    def _font(self, token: Token) -> Tree:
        end = argument_end(self.tokens, self.place)
        inner = [t for t in self.tokens[self.place : end] if t.kind not in "{}"]
        plain = all(t.kind in ("name", "number") for t in inner) and inner
        if token.text in (r"\mathbb", r"\mathbf", r"\mathds") and [t.text for t in inner] in (["1"], ["I"]):
            following = self.tokens[end].text if end < len(self.tokens) else ""
            if following in ("(", "[", r"\{") and (
                inner[0].text == "1" or _has_relation(self.tokens, end + 1)
            ):
                self.place = end
                return self._indicator(token.span[0])
        if not plain:
            return self._named_argument(token)
        self.place = end
        text = "".join(t.text for t in inner)
        if inner[0].kind == "number":
            return self._ones_or_number(text, token)
        bold = token.text in (r"\mathbf", r"\boldsymbol", r"\bm", r"\pmb", r"\vec")
        return tree.Name(text, (), (), 0, self.span_from(token.span[0]), bold)

    def _ones_or_number(self, text: str, token: Token) -> Tree:
        span = self.span_from(token.span[0])
        if token.text in UPRIGHT or text not in ("1", "0"):
            return tree.Literal(Fraction(int(text[:300])), text, span)
        return tree.Name({"1": "ones", "0": "zeros"}[text], (), (), 0, span, True)

    def _named_argument(self, token: Token) -> Tree:
        if token.text in (r"\text", r"\mbox", r"\textrm") and self.peek().kind == "{":
            end = argument_end(self.tokens, self.place)
            text = "".join(t.text for t in self.tokens[self.place + 1 : end - 1])
            self.place = end
            return tree.Name(text, (), (), 0, self.span_from(token.span[0]))
        inner = self._argument()
        if isinstance(inner, tree.Name):
            return replace(inner, span=self.span_from(token.span[0]), bold=True)
        return inner

    def _accent(self, token: Token) -> Tree:
        inner = self._argument()
        span = self.span_from(token.span[0])
        if isinstance(inner, tree.Name):
            return replace(inner, base=inner.base + ACCENTS[token.text], span=span)
        if token.text == r"\overline":
            return tree.Group((inner,), "{", span)
        raise FormulaError(token.text, "This accent stands on no name.", "", token.span)

    # --- environments ---

    def _environment(self, opened: Token | None = None) -> Tree:
        token = self.next()
        kind = token.text.rstrip("*")
        if kind == "array" and self.peek().kind == "{":
            self.place = argument_end(self.tokens, self.place)
        rows = self._rows(kind)
        span = self.span_from(token.span[0])
        if kind == "cases" or opened is not None:
            return _cases(rows, span, self.vocabulary)
        parsed = tuple(tuple(self._entry(cell) for cell in row) for row in self._joined(rows))
        return tree.Matrix(parsed, span)

    def _rows(self, kind: str) -> list[list[list[Token]]]:
        rows: list[list[list[Token]]] = [[[]]]
        level = 0
        while True:
            token = self.next()
            if token.kind == "eof":
                raise FormulaError(kind, r"\begin lacks its \end.", "", token.span)
            level += (token.kind == "begin") - (token.kind == "end")
            if level < 0:
                break
            if level == 0 and token.kind == "row":
                rows.append([[]])
            elif level == 0 and token.kind == "&":
                rows[-1].append([])
            else:
                rows[-1][-1].append(token)
        return [row for row in rows if any(row)]

    def _joined(self, rows: list[list[list[Token]]]) -> list[list[list[Token]]]:
        """Join a row that ends in an operator with the next one."""
        found: list[list[list[Token]]] = []
        open_row = False
        for row in rows:
            if open_row:
                found[-1][-1].extend(row[0])
                found[-1].extend(row[1:])
            else:
                found.append(row)
            last = found[-1][-1][-1] if found[-1][-1] else None
            open_row = last is not None and (last.kind == "operator" or last.text == r"\dot")
            if open_row and last is not None:
                self.notices.append(Notice("dot" if last.text == r"\dot" else "row-break", last.span))
                found[-1][-1][-1] = Token("operator", r"\cdot", last.span)
        return found

    def _entry(self, tokens: list[Token]) -> Tree | None:
        if not tokens or all(t.text in DOTS or t.text == "." for t in tokens):
            return None
        inner = _Parser(tokens, self.vocabulary, self.notices, tokens[-1].span[1])
        found = inner.expression()
        while inner.at(","):
            inner.next()
        inner.finish()
        return found


def _cases(rows: list[list[list[Token]]], span: Span, vocabulary: Vocabulary) -> Tree:
    values: list[Tree] = []
    conditions: list[tuple[Token, ...]] = []
    for row in rows:
        value = [t for t in row[0] if t.kind not in (",", ";")]
        values.append(parse_tokens(tuple(value), vocabulary))
        conditions.append(tuple(row[1]) if len(row) > 1 else ())
    return tree.Cases(tuple(values), tuple(conditions), span)


def _fraction(token: Token) -> Fraction:
    if len(token.text) > 300:
        raise FormulaError(token.text[:20] + "...", "The number is too long.", "", token.span)
    return Fraction("0" + token.text if token.text.startswith(".") else token.text)


def _bare(inner: Tree) -> Tree:
    if isinstance(inner, tree.Group) and inner.bracket == "{" and len(inner.items) == 1:
        return inner.items[0]
    return inner


def _span(node: Tree) -> Span:
    return node.span


def _lead(tokens: list[Token], place: int) -> int | None:
    """Return where the first token of an argument stands."""
    if place >= len(tokens):
        return None
    if tokens[place].kind != "{":
        return place
    inner = place + 1
    if inner < len(tokens) and tokens[inner].text in (r"\mathrm", r"\rm", r"\text"):
        end = argument_end(tokens, inner + 1)
        if end - inner == 4 and tokens[inner + 2].text == "d":
            tokens[inner] = Token("nothing", "", tokens[inner].span)
            del tokens[inner + 3], tokens[inner + 1], tokens[inner]
    return inner if inner < len(tokens) else None


def _may_lead(tokens: list[Token], place: int) -> bool:
    before = tokens[place - 1] if place else None
    return before is None or before.kind not in ("_", "^")


def _has_relation(tokens: list[Token], place: int) -> bool:
    """Tell whether a bracket that opens before ``place`` holds a relation at its own level."""
    level = 0
    for token in tokens[place:]:
        if token.text in OPEN and token.kind != "name":
            level += 1
        elif token.text in OPEN.values() and token.kind != "name":
            level -= 1
            if level < 0:
                return False
        elif token.kind == "relation" and level == 0:
            return RELATIONS[token.text] in ("=", "!=", "<", ">", "<=", ">=", "in")
    return False


def _scripted(
    inner: Tree, sub: tuple[Token, ...], sup: tuple[Token, ...], primes: int, span: Span
) -> Tree:
    if isinstance(inner, tree.Name) and not (inner.sub and sub) and not (inner.sup and sup):
        return replace(
            inner,
            sub=inner.sub + sub,
            sup=inner.sup + sup,
            primes=inner.primes + primes,
            span=(min(inner.span[0], span[0]), span[1]),
        )
    if isinstance(inner, tree.Group) and inner.bracket == "{" and len(inner.items) == 1:
        only = inner.items[0]
        if isinstance(only, tree.Name):
            return _scripted(only, sub, sup, primes, span)
    if isinstance(inner, tree.Norm) and sub:
        inner = replace(inner, sub=sub)
        return inner if not sup else tree.Scripted(inner, (), sup, span)
    return tree.Scripted(inner, sub, sup, span)


def _reopened(found: list[tree.Chain], relation: str) -> tuple[list[str], list[Tree]]:
    if not found:
        return [], []
    last = found.pop()
    return [*last.relations, relation], list(last.members)


def _with_notices(chain: tree.Chain, notices: list[Notice]) -> tree.Chain:
    own = [n for n in notices if chain.span[0] - 1 <= n.span[0] <= chain.span[1] + 1]
    return replace(chain, notices=tuple(dict.fromkeys(own)))
