r"""Pratt parser of LaTeX formulas: tokens to `Chain`s.

Grammar: chain = expr (relation expr)*; expr = sign? term (sign term)*; term = factor (operator?
factor)*; factor = atom scripts*. ``\sum`` and its like take the rest of their term as body.
Invariant: every token is consumed or an error names it; nothing is skipped in silence.
"""

from __future__ import annotations

from dataclasses import replace

from derivgen.formulas import tree
from derivgen.formulas.atoms import AtomParser
from derivgen.formulas.cursor import ACCENTS, DOTS, FONTS, MATRICES, Vocabulary
from derivgen.formulas.frames import double_bars, round_signs, unframed
from derivgen.formulas.repair import (
    argument_end,
    balanced,
    equation_rows,
    gaps_to_commas,
    joined_rows,
    plain_relations,
    without_prose,
)
from derivgen.formulas.shapes import span_of, with_scripts
from derivgen.formulas.tokens import HELD_OPEN, RELATIONS, Macros, tokenize
from derivgen.formulas.tree import FormulaError, Notice, Token, Tree


def parse(text: str, vocabulary: Vocabulary, macros: Macros | None = None) -> list[tree.Chain]:
    """Return the chains of a formula: rows and top-level commas separate them.

    Raises: FormulaError, with the token and its place.
    """
    tokens, notices = tokenize(text, macros)
    plain = unframed(round_signs(double_bars(tokens)))
    tokens, repaired = balanced(
        plain_relations(gaps_to_commas(without_prose(joined_rows(equation_rows(plain)), text)))
    )
    return _Parser(tokens, vocabulary, notices + repaired, len(text)).chains()


_FACTORS = (r"\frac", r"\dfrac", r"\operatorname", r"\mathrm", r"\text", r"\mathbf", r"\left(",
            r"\boldsymbol")  # fmt: skip


def parse_tokens(tokens: tuple[Token, ...], vocabulary: Vocabulary) -> Tree:
    """Return the expression that script tokens hold."""
    parser = _Parser(list(tokens), vocabulary, [], tokens[-1].span[1] if tokens else 0)
    found = parser.expression()
    parser.finish()
    return found


class _Parser(AtomParser):
    """Chains, expressions, terms and factors."""

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

    def _separator(
        self, found: list[tree.Chain], members: list[Tree], relations: list[str]
    ) -> None:
        token = self.next()
        following = self._after_separators()
        whole = 0 < len(relations) < len(members)
        if token.kind == "&" and whole and self._begins(following) or token.kind == ":" and whole:
            self._flush(found, members, relations)  # the formula is over: a condition is next
        if token.kind in ("&", ":", "begin", "end") or token.text in DOTS:
            return
        if token.kind == "row" and (following.kind == "relation" or len(relations) == len(members)):
            return
        if token.kind == "row" and following.text in ("+", "-") and members:
            if len(relations) < len(members):
                self._continue_sum(members)
            return
        self._flush(found, members, relations)

    def _begins(self, token: Token) -> bool:
        """Tell whether a token begins an expression of its own."""
        return token.kind in ("name", "number", "(") or token.kind == "command"

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
        members.append(tree.Sum(terms, (1, 1), (span_of(last)[0], span_of(more)[1])))

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
            span = (span_of(members[0])[0], span_of(members[-1])[1])
            found.append(tree.Chain(tuple(members), kept, span))
        members.clear()
        relations.clear()

    def _inner(self, tokens: list[Token]) -> Tree:
        end = tokens[-1].span[1] if tokens else 0
        parser = _Parser(tokens, self.vocabulary, self.notices, end)
        found = parser.expression()
        parser.finish()
        return found

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
            if self._dots() and self._dots_between():
                operators.append("")
                factors.append(tree.Dots(self.next().span))
            operator = self._operator()
            if operator is None:
                break
            if operator and self._dots() and self._dots_between():
                operators.append(operator)
                factors.append(tree.Dots(self.next().span))
                continue
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

    def _dots_between(self) -> bool:
        """Tell whether another factor stands behind dots: ``J_t J_{t-1} \\dots J_{k+1}``."""
        after = self.peek(1)
        signs = ("operator",) if after.text not in ("+", "-") else ()
        return after.kind in ("name", "(", *signs) or after.text in _FACTORS

    def _signed_term(self) -> Tree:
        start = self.next().span[0]
        inner = self.term()
        return tree.Sum((inner,), (-1,), self.span_from(start))

    def _signed_factor(self) -> Tree:
        start = self.peek().span[0]
        if not self.at("-"):
            return self.factor()
        self.next()
        inner = self.factor()
        return tree.Sum((inner,), (-1,), self.span_from(start))

    def _operator(self) -> str | None:
        token = self.peek()
        if token.text == r"\over":
            return None
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
        if token.kind in ("name", "number", "{", "(", "[", HELD_OPEN):
            return True
        if token.kind == "begin":
            return token.text.rstrip("*") in (*MATRICES, "cases")
        if token.text == "|":
            return False
        if token.text in (r"\|", r"\Vert"):
            return self.norms == 0
        return token.kind == "command" and not self._closes(token)

    def _closes(self, token: Token) -> bool:
        closing = (
            r"\}",
            r"\rbrace",
            r"\rangle",
            r"\rfloor",
            r"\rbrack",
            r"\|",
            r"\rvert",
            r"\rVert",
        )
        return token.text in closing or token.text in DOTS or token.text == r"\tag"

    def factor(self) -> Tree:
        found = self._scripts(self._atom())
        while self.norms == 0 and self.at("|", r"\vert") and self.peek(1).kind == "_":
            self._label_below()
        return found

    def _label_below(self) -> None:
        r"""Drop the bar of ``\frac{\partial E}{\partial h_s}\big|_s`` that repeats an index."""
        bar = self.next()
        self.next()
        if any(token.kind == "relation" for token in self._script_argument()):
            raise FormulaError(
                bar.text, "A value at a point is not read.", "Name the point.", bar.span
            )

    def _scripts(self, inner: Tree) -> Tree:
        start = span_of(inner)[0]
        sub: tuple[Token, ...] = ()
        sup: tuple[Token, ...] = ()
        primes = 0
        while self.peek().kind in ("_", "^", "'") or self.at(r"\prime", "."):
            if self.at("."):
                if not self._is_code_transpose():
                    break
                self.next()
                sup += (self.next(),)
                continue
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
        return with_scripts(inner, sub, sup, primes, self.span_from(start))

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


def _reopened(found: list[tree.Chain], relation: str) -> tuple[list[str], list[Tree]]:
    if not found:
        return [], []
    last = found.pop()
    return [*last.relations, relation], list(last.members)


def _with_notices(chain: tree.Chain, notices: list[Notice]) -> tree.Chain:
    own = [n for n in notices if chain.span[0] - 1 <= n.span[0] <= chain.span[1] + 1]
    return replace(chain, notices=tuple(dict.fromkeys(own)))
