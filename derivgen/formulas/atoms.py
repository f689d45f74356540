r"""The smallest parts of a formula: numbers, names, groups, fractions, commands, matrices.

Invariant: an atom knows nothing of the operators around it; expressions inside it are read by the
parser that is built upon it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from fractions import Fraction

from derivgen.formulas import tree
from derivgen.formulas.code import MODULES
from derivgen.formulas.cursor import (
    ACCENTS,
    BIG,
    FONTS,
    NAMED_FOLDS,
    SYMBOLS,
    TRANSPARENT,
    UPRIGHT,
)
from derivgen.formulas.indicators import IndicatorParser
from derivgen.formulas.repair import (
    OPEN,
    argument_end,
)
from derivgen.formulas.shapes import bare, exact, has_relation, lead, may_lead, span_of
from derivgen.formulas.tokens import HELD_CLOSE, HELD_OPEN
from derivgen.formulas.tree import FormulaError, Notice, Span, Token, Tree

_WORDED = (r"\text", r"\mbox", r"\textrm", r"\operatorname", r"\mathrm", r"\texttt", r"\mathtt")


class AtomParser(IndicatorParser):
    """Reads atoms: what an operator or a script is put to."""

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
            HELD_OPEN: self._held,
        }

    def _number(self) -> Tree:
        token = self.next()
        if token.text == "1" and self.at(r"\{", r"\lbrace"):
            return self._indicator(token.span[0])
        if token.text == "1" and self._below_is_condition(self.place):
            return self._condition_below(token.span[0])
        return tree.Literal(exact(token), token.text, token.span)

    def _name(self) -> Tree:
        first = self.peek()
        run = first.text
        while self.peek(len(run)).kind == "name" and self._adjacent(len(run)):
            run += self.peek(len(run)).text
        if (call := self._code_call(run)) is not None:
            return call
        word = self.vocabulary.word_at(run)
        self.place += len(word)
        if word == "rot" and self.peek().text == "180" and self._adjacent(0):
            word += self.next().text
        span = self.span_from(first.span[0])
        if self.peek().kind == "{" and self.peek().span[0] == span[1] and len(word) > 1:
            return self._lost_underscore(word, span)
        number = self.peek()
        known = number.kind == "number" and word + number.text in self.vocabulary.numbered
        if known and self._adjacent(0):  # the longest declared name wins
            return tree.Name(word, (self.next(),), (), 0, self.span_from(span[0]))
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
        if has_relation(self.tokens, self.place):
            return self._bracketed_condition(opened)
        items: list[Tree] = []
        bracket = opened.text
        while True:
            self._skip_to_item()
            if self.peek().text in (OPEN[opened.text], ")", "]") and self.peek().kind != "name":
                break
            items.append(self._item())
            bracket += "|" * (self.at("|") and "|" not in bracket)
            if self.at(",", ";", "|"):
                self.next()
        self.next()
        return tree.Group(tuple(items), bracket, self.span_from(start))

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
            return self._big(BIG[text])
        if (named := self._named_fold()) is not None:
            return named
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
        return inner if isinstance(inner, tree.Name) else tree.Group((inner,), "{", span_of(inner))

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
        return tree.Fraction2(bare(top), bare(bottom), self.span_from(start))

    def _mark_differentials(self) -> None:
        r"""Read ``\frac{dE}{dw}`` and ``\frac{\delta E}{\delta w}`` as Leibniz fractions."""
        first = self.place
        above = lead(self.tokens, first)  # takes an upright d out of its font, before the rest
        middle = argument_end(self.tokens, first)
        below = lead(self.tokens, middle)
        if above is None or below is None:
            return
        signs = [self.tokens[p].text for p in (above, below)]
        if signs[0] != signs[1] or signs[0] not in ("d", r"\delta", r"\Delta"):
            return
        last = argument_end(self.tokens, middle)
        for place in range(first, last):
            token = self.tokens[place]
            if token.text == signs[0] and may_lead(self.tokens, place):
                self.tokens[place] = Token("command", r"\partial", token.span)

    def _differential(self) -> Tree:
        token = self.next()
        order, sign = 1, "partial"
        if self.peek().kind == "_":  # \\partial_W E
            self.next()
            script = self._script_argument()
            if script and all(t.kind == "number" for t in script):
                return self._partial_slope("".join(t.text for t in script))
            return tree.Name("nabla", script, (), 0, self.span_from(token.span[0]))
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
            span = self.span_from(span_of(inner)[0])
            inner = tree.Product((inner, arguments), ("",), span)
        return tree.Differential(inner, sign, order, self.span_from(token.span[0]))

    def _partial_slope(self, digits: str) -> Tree:
        r"""Read ``\partial_1 f``: the slope of a function by its first argument."""
        inner = self.factor()
        if not isinstance(inner, tree.Name) or len(digits) > 9:
            raise self.unexpected()
        return replace(inner, slots=tuple(int(digit) for digit in digits))

    def _root(self) -> Tree:
        start = self.next().span[0]
        degree = 2
        if self.at("["):
            self.next()
            inner = self._until_closed("]")
            degree = int(inner[0].text[:2]) if inner and inner[0].kind == "number" else 2
        return tree.Root(bare(self._argument()), degree, self.span_from(start))

    def _named_fold(self) -> Tree | None:
        r"""Read ``\operatorname{argmax}_k`` and ``\arg\max_k`` as the signs they stand for."""
        token = self.peek()
        if token.text == r"\arg" and self.peek(1).text in (r"\max", r"\min"):
            end, name = self.place + 2, "arg" + self.peek(1).text[1:]
        elif token.text == r"\operatorname":
            end = argument_end(self.tokens, self.place + 1)
            inner = self.tokens[self.place + 1 : end]
            name = "".join(t.text for t in inner if t.kind not in "{}")
        else:
            return None
        if name not in NAMED_FOLDS or end >= len(self.tokens) or self.tokens[end].kind != "_":
            return None
        self.place = end - 1
        return self._big(name)

    def _big(self, op: str) -> Tree:
        token = self.next()
        scripts: dict[str, tuple[Token, ...]] = {"_": (), "^": ()}
        while self.peek().kind in ("_", "^"):
            kind = self.next().kind
            scripts[kind] = self._script_argument()
        if not scripts["_"] and op in ("sum", "prod"):
            self.notices.append(Notice("no-bounds", token.span))
        if not self._starts_factor() and not self.at("-", "|"):
            raise self.unexpected()
        body = self.term() if not self.at("-") else self._signed_term()
        span = self.span_from(token.span[0])
        return tree.Big(op, scripts["_"], scripts["^"], body, span)

    def _held(self) -> Tree:
        start = self.next().span[0]
        inner = self.expression()
        self.expect(HELD_CLOSE)
        self.expect("_")
        fixed = self._script_argument()
        if any(token.kind == "relation" for token in fixed):
            raise FormulaError("|", "A value at a point is not read.", "", self.span_from(start))
        return tree.Held(bare(inner), fixed, self.span_from(start))

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
        plain = all(t.kind in ("name", "number") or _is_written_underscore(t) for t in inner)
        plain = plain and bool(inner)
        if token.text in (r"\mathbb", r"\mathbf", r"\mathds") and [t.text for t in inner] in (
            ["1"],
            ["I"],
        ):
            following = self.tokens[end].text if end < len(self.tokens) else ""
            if following in ("(", "[", r"\{") and (
                inner[0].text == "1" or has_relation(self.tokens, end + 1)
            ):
                self.place = end
                return self._indicator(token.span[0])
        if not plain:
            return self._named_argument(token)
        if [t.text for t in inner] in (["1"], ["I"]) and self._below_is_condition(end):
            self.place = end
            return self._condition_below(token.span[0])
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
        if token.text in _WORDED and self.peek().kind == "{":
            end = argument_end(self.tokens, self.place)
            text = "".join(t.text for t in self.tokens[self.place + 1 : end - 1])
            self.place = end
            module, _, function = text.partition(".")
            if module in MODULES and function.isalpha() and self.at("("):
                return self._applied_code(function, token.span[0])
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


def _is_written_underscore(token: Token) -> bool:
    r"""Tell ``\_`` of a name from the sign of a subscript."""
    return token.kind == "_" and token.span[1] - token.span[0] == 2
