r"""NumPy spellings inside formulas: ``np.sum(dZ, axis=1)``, ``np.dot(a, b)``, ``A.T``.

Course notes mix them with LaTeX. Invariant: an argument that is not understood is an error with its
place; ``keepdims`` alone says nothing about the value.
"""

from __future__ import annotations

from derivgen.formulas import tree
from derivgen.formulas.matrices import MatrixParser
from derivgen.formulas.repair import OPEN, argument_end
from derivgen.formulas.tree import FormulaError, Name, Span, Token, Tree

MODULES = ("np", "numpy", "torch", "tf", "jnp")
SUMS = {"0": "colsum", "1": "rowsum", "-1": "rowsum", "": "allsum"}
PRODUCTS = {"dot": "", "matmul": "", "mm": "", "multiply": r"\odot", "outer": r"\otimes"}
FUNCTIONS = {"log": "log", "exp": "exp", "tanh": "tanh", "sqrt": "sqrt", "abs": "abs",
             "maximum": "max", "minimum": "min", "sigmoid": "sigmoid"}  # fmt: skip


class CodeParser(MatrixParser):
    """Reads calls of NumPy; expressions inside are read by the parser built upon it."""

    def _until_closed(self, closer: str) -> list[Token]:
        level = 0
        found: list[Token] = []
        opener = next(o for o, c in OPEN.items() if c == closer)
        while True:
            token = self.next()
            if token.kind == "eof":
                raise self.unexpected()
            if token.text == closer and level == 0:
                return found
            level += (token.text == opener) - (token.text == closer)
            found.append(token)

    def _code_call(self, run: str) -> Tree | None:
        """Read ``np.sum(...)`` where the letters ``np`` begin here, else nothing."""
        start = self.peek().span[0]
        if run not in MODULES or self.peek(len(run)).text != ".":
            return None
        ahead, function = len(run) + 1, ""
        while self.peek(ahead).kind == "name":
            function += self.peek(ahead).text
            ahead += 1
        if not function or self.peek(ahead).text != "(":
            return None
        self.place += ahead
        return self._applied_code(function, start)

    def _applied_code(self, function: str, start: int) -> Tree:
        opened = self.next()
        tokens = self._until_closed(")")
        span = (start, self.span_from(start)[1])
        given, named = _arguments(tokens)
        items = tuple(self._inner(part) for part in given)
        if function in ("sum", "mean") and len(items) == 1 and named.get("axis", "") in SUMS:
            head = Name(SUMS[named.get("axis", "")], (), (), 0, opened.span)
            return self._summed(head, items[0], function, span)
        if function in PRODUCTS and len(items) == 2:
            grouped = tuple(tree.Group((item,), "(", item.span) for item in items)
            inner = tree.Product(grouped, (PRODUCTS[function],), span)
            return tree.Group((inner,), "(", span)
        if function in FUNCTIONS and items:
            head = Name(FUNCTIONS[function], (), (), 0, opened.span)
            return tree.Group((_call(head, items, span),), "(", span)
        if function == "square" and len(items) == 1:
            power = (Token("number", "2", opened.span),)
            return tree.Scripted(tree.Group(items, "(", span), (), power, span)
        raise FormulaError(
            f"np.{function}", "This function of NumPy is not understood here.", "", span
        )

    def _summed(self, head: Name, item: Tree, function: str, span: Span) -> Tree:
        total = _call(head, (item,), span)
        if function == "sum":
            return tree.Group((total,), "(", span)
        size = Name("m", (), (), 0, span)
        return tree.Group((tree.Fraction2(total, size, span),), "(", span)

    def _is_code_transpose(self) -> bool:
        """Tell whether ``.T`` follows without a space."""
        dot, letter = self.peek(), self.peek(1)
        before = self.tokens[self.place - 1] if self.place else dot
        touching = before.span[1] == dot.span[0] and dot.span[1] == letter.span[0]
        after = self.peek(2)
        alone = after.kind != "name" or after.span[0] > letter.span[1]
        return dot.text == "." and letter.text == "T" and touching and alone


def _call(head: Name, items: tuple[Tree, ...], span: Span) -> Tree:
    return tree.Product((head, tree.Group(items, "(", span)), ("",), span)


def _arguments(tokens: list[Token]) -> tuple[list[list[Token]], dict[str, str]]:
    """Return the positional arguments and the named ones as plain text."""
    parts: list[list[Token]] = [[]]
    level = 0
    for token in tokens:
        level += (token.text in OPEN) - (token.text in OPEN.values())
        if token.text == "," and level == 0:
            parts.append([])
        else:
            parts[-1].append(token)
    given: list[list[Token]] = []
    named: dict[str, str] = {}
    for part in parts:
        equals = next((n for n, t in enumerate(part) if t.kind == "relation"), None)
        if equals is None and part:
            given.append(part)
        elif equals is not None:
            named[_word(part[:equals])] = _word(part[equals + 1 :])
    return given, named


def _word(tokens: list[Token]) -> str:
    place = 0
    text = ""
    while place < len(tokens):
        token = tokens[place]
        if token.kind in ("name", "number", "operator"):
            text += token.text
        elif token.kind == "command" and tokens[place + 1 : place + 2]:
            end = argument_end(tokens, place + 1)
            text += "".join(t.text for t in tokens[place + 1 : end] if t.kind not in "{}")
            place = end - 1
        place += 1
    return text
