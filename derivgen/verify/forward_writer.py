"""Formulas of a note as text of derivgen's language, ranges unified while they are written.

``{c1}`` marks an index whose letter is chosen at the end. Invariant: what has no form in the
language raises `NoForm`, and nothing is half written.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from derivgen.formulas import tree
from derivgen.formulas.cursor import Vocabulary
from derivgen.formulas.parser import parse_tokens
from derivgen.formulas.scripts import atoms, plain_text, split_transpose, unwrapped
from derivgen.formulas.symbols import FUNCTION_ALIASES
from derivgen.formulas.tree import FormulaError, Name, Tree

FUNCTIONS = ("exp", "log", "tanh", "sigmoid", "softmax", "relu", "sqrt", "sinh", "cosh", "max",
             "abs")  # fmt: skip
UNKNOWN = ("f", "g", "phi", "act", "psi")
WORDS = ("total", "tot", "in", "out", "hid", "hidden", "input", "output")
PARAMETERS = ("theta", "w", "W,b", "w,b", "W", "Theta")


class NoForm(Exception):
    """A formula is no forward equation that can be written in the language."""


@dataclass
class Quantity:
    """A name of the note: how many indices it has, and the class of each."""

    name: str
    rank: int
    slots: list[str] = field(default_factory=list)


@dataclass
class Builder:
    """Equations found so far and which indices share a range (union-find over names)."""

    quantities: dict[str, Quantity] = field(default_factory=dict)
    parent: dict[str, str] = field(default_factory=dict)
    equations: list[tuple[str, str]] = field(default_factory=list)
    losses: list[tuple[str, str]] = field(default_factory=list)
    functions: dict[str, str] = field(default_factory=dict)  # name to its definition, or nothing
    shifted: dict[str, None] = field(default_factory=dict)
    bound: dict[str, None] = field(default_factory=dict)
    written: dict[str, str] = field(default_factory=dict)  # the note's letter for an index
    fresh: int = 0

    def root(self, name: str) -> str:
        while self.parent.setdefault(name, name) != name:
            name = self.parent[name]
        return name

    def join(self, one: str, other: str) -> None:
        self.parent[self.root(other)] = self.root(one)

    def new(self) -> str:
        self.fresh += 1
        self.parent[f"c{self.fresh}"] = f"c{self.fresh}"
        return f"c{self.fresh}"

    def quantity(self, key: str, rank: int) -> Quantity:
        """Return a quantity of so many indices. Raises: NoForm, if it has another number."""
        found = self.quantities.get(key)
        if found is None:
            slots = [self.new() for _ in range(rank)]
            found = self.quantities[key] = Quantity(key, rank, slots)
        if len(found.slots) != rank:
            raise NoForm
        return found


def key_of(name: Name, matrices: bool) -> tuple[str, list[str]]:
    """Return the name of a quantity without its index letters, and the letters."""
    base, letters = name.base, []
    rest, _ = split_transpose(name.sup)
    text = plain_text(name.sub)
    if text in WORDS and not rest:
        return f"{name.base}_{text}", []
    for atom in (*atoms(name.sub), *atoms(rest)):
        if atom.at is None:
            raise NoForm
        single = len(atom.text) == 1 and atom.text.isalpha()
        if single and not (atom.text in ("i",) and atom.bracketed) and not matrices:
            letters.append(atom.text)
        elif atom.at.letters and atom.at.constant and not matrices:
            letters.append(str(atom.at))
        elif single and matrices and atom.text in "ijkls" and not atom.bracketed:
            letters.append(atom.text)
        elif not (single and atom.bracketed):
            base += atom.text
    if any(c.isdigit() for c in text) and any(c.isalpha() for c in text) and "," not in text:
        return name.base + "_" + text, []  # net_{h1} is one name
    return base, letters


def access(key: str, slots: list[str]) -> str:
    return f"{key}[{', '.join(slots)}]" if slots else key


@dataclass
class Writer:
    """Trees to text. In matrix form the scope holds the index of the vector under ``""``."""

    builder: Builder
    scope: dict[str, str]
    matrices: bool

    def value(self, node: Tree) -> str:
        match node:
            case tree.Literal(text=text):
                return text
            case Name():
                return self._name(node)
            case tree.Group(items=(inner,)):
                return f"({self.value(inner)})"
            case tree.Sum(terms=terms, signs=signs):
                parts = [("-" if s < 0 else "+") + self.value(t) for s, t in zip(signs, terms)]
                return "(" + "".join(parts).lstrip("+") + ")"
            case tree.Fraction2(top=top, bottom=bottom):
                return f"(({self.value(top)})/({self.value(bottom)}))"
            case tree.Product():
                return self._product(node)
            case tree.Root(inner=inner, degree=2):
                return f"sqrt({self.value(inner)})"
            case tree.Scripted(inner=tree.Norm(inner=inner, double=True), sup=sup):
                return self._square(inner, plain_text(sup))
            case tree.Scripted(inner=inner, sub=(), sup=sup):
                return f"({self.value(inner)})^({self._script(sup)})"
            case tree.Big(op="sum"):
                return self._sum(node)
        raise NoForm

    def _square(self, inner: Tree, power: str) -> str:
        """Write the square of a norm as a sum over the entries."""
        if power != "2" or "" in self.scope or not self.matrices:
            raise NoForm
        slot = self._bound()
        vector = Writer(self.builder, {**self.scope, "": slot}, True)
        return f"sum[{{{slot}}}](({vector.value(inner)})^2)"

    def _bound(self) -> str:
        slot = self.builder.new()
        self.builder.bound[slot] = None
        return slot

    def _script(self, tokens: tuple[tree.Token, ...]) -> str:
        try:
            return self.value(parse_tokens(tokens, Vocabulary()))
        except FormulaError:
            raise NoForm from None

    def _name(self, node: Name) -> str:
        if node.base == "e" and node.sup:
            return f"exp({self._script(node.sup)})"
        if node.primes or node.base in ("nabla", "Delta", "delta"):
            raise NoForm
        power = plain_text(node.sup)
        if power.isdigit() and not unwrapped(node.sup)[1]:
            bare = Name(node.base, node.sub, (), 0, node.span)
            return f"({self._name(bare)})^{power}"
        key, letters = key_of(node, self.matrices)
        if self.matrices and not letters and "" in self.scope:
            return self._vector(key)
        return self._element(key, letters)

    def _vector(self, key: str) -> str:
        if key[:1].isupper():
            raise NoForm
        quantity = self.builder.quantity(key, 1)
        self.builder.join(self.scope[""], quantity.slots[0])
        return f"{key}[{{{self.scope['']}}}]"

    def _element(self, key: str, letters: list[str]) -> str:
        quantity = self.builder.quantity(key, len(letters))
        slots: list[str] = []
        for text, slot in zip(letters, quantity.slots):
            name, shift = text[:1], text[1:]
            if name not in self.scope:
                raise NoForm
            self.builder.join(self.scope[name], slot)
            slots.append(f"{{{self.scope[name]}}}{shift}")
            if shift:
                self.builder.shifted[self.scope[name]] = None
        outside = "; 0" if any(text[1:].startswith("-") for text in letters) else ""
        text = access(key, slots)
        return text[:-1] + outside + "]" if outside else text

    def _sum(self, node: tree.Big) -> str:
        bound = [a.text for a in atoms(node.sub) if len(a.text) == 1 and a.text.isalpha()][:1]
        names = [t.text for t in node.sub if t.kind == "name"][:1] or bound
        if not names or names[0] in self.scope:
            raise NoForm
        slot = self._bound()
        self.builder.written.setdefault(slot, names[0])
        inner = Writer(self.builder, {**self.scope, names[0]: slot}, self.matrices)
        inner.scope.pop("", None)
        return f"sum[{{{slot}}}]({inner.value(node.body)})"

    # --- products ---

    def _product(self, node: tree.Product) -> str:
        text, place = "", 0
        factors, operators = node.factors, node.operators
        while place < len(factors):
            operator = "" if not place else "/" if operators[place - 1] == "/" else "*"
            part, taken = self._factor(factors, operators, place)
            text += operator + part
            place += taken
        return text

    def _factor(
        self, factors: tuple[Tree, ...], operators: tuple[str, ...], place: int
    ) -> tuple[str, int]:
        node = factors[place]
        after = factors[place + 1] if place + 1 < len(factors) else None
        beside = after is not None and operators[place] in ("", r"\cdot")
        function = self._function(node)
        if isinstance(node, Name) and _is_output(node, after) and operators[place] == "":
            return self._name(Name(node.base, (), (), 0, node.span)), 2
        if function and after is not None and operators[place] == "":
            return self._applied(function, after, factors[place + 2 :], operators, place)
        if beside and after is not None and (inner := self._inner(node, after)):
            return inner, 2
        if beside and after is not None and self.matrices:
            if self._is_matrix(node):
                return self._matrix_times(node, after, False), 2
            if self._is_matrix(after) and isinstance(node, Name):
                return self._matrix_times(after, node, True), 2
        return self.value(node), 1

    def _function(self, node: Tree) -> str:
        if not isinstance(node, Name) or node.sub or node.sup or node.primes:
            return ""
        if node.base in self.builder.functions:
            return node.base
        name = FUNCTION_ALIASES.get(node.base, node.base)
        known = name in FUNCTIONS or (name in UNKNOWN and name not in self.builder.quantities)
        return name if known else ""

    def _applied(
        self,
        function: str,
        argument: Tree,
        rest: tuple[Tree, ...],
        operators: tuple[str, ...],
        place: int,
    ) -> tuple[str, int]:
        taken = 2
        behind = rest[0] if rest and operators[place + 1] == "" else None
        if isinstance(argument, Name) and _is_output(argument, behind):  # log h_theta(x)
            argument, taken = Name(argument.base, (), (), 0, argument.span), 3
        single = isinstance(argument, tree.Group) and len(argument.items) == 1
        inner = argument.items[0] if isinstance(argument, tree.Group) and single else argument
        if function in UNKNOWN:
            self.builder.functions.setdefault(function, "")
        if function == "softmax":
            if "" not in self.scope:
                raise NoForm
            return f"softmax[{{{self.scope['']}}}]({self.value(inner)})", taken
        return f"{function}({self.value(inner)})", taken

    def _inner(self, node: Tree, after: Tree) -> str:
        r"""Write ``\theta^T x`` as a sum over the entries of two vectors, or nothing."""
        if not isinstance(node, Name) or node.base[:1].isupper() or "" in self.scope:
            return ""
        rest, transposed = split_transpose(node.sup)
        if not transposed or node.sub or rest:
            return ""
        slot = self._bound()
        vector = Writer(self.builder, {"": slot}, True)
        left = vector.value(Name(node.base, (), (), 0, node.span))
        return f"sum[{{{slot}}}]({left}*{vector.value(after)})"

    def _is_matrix(self, node: Tree) -> bool:
        return isinstance(node, Name) and node.base[:1].isupper()

    def _matrix_times(self, matrix: Tree, vector: Tree, row: bool) -> str:
        """Write ``W x``, or ``x W`` of rows; the row of a matrix where a number is wanted."""
        assert isinstance(matrix, Name), "checked by _is_matrix"
        key, letters = key_of(matrix, True)
        if letters or (isinstance(vector, Name) and not vector.base[:1].islower()):
            raise NoForm
        turned = split_transpose(matrix.sup)[1] != row
        slot = self._bound()
        inner = Writer(self.builder, {"": slot}, True)
        if "" not in self.scope:
            quantity = self.builder.quantity(key, 1)
            self.builder.join(slot, quantity.slots[0])
            return f"sum[{{{slot}}}]({access(key, [f'{{{slot}}}'])}*{inner.value(vector)})"
        quantity = self.builder.quantity(key, 2)
        made, read = quantity.slots[::-1] if turned else quantity.slots
        self.builder.join(self.scope[""], made)
        self.builder.join(slot, read)
        places = [f"{{{self.scope['']}}}", f"{{{slot}}}"]
        text = access(key, places[::-1] if turned else places)
        return f"sum[{{{slot}}}]({text}*{inner.value(vector)})"


def _is_output(node: Tree, after: Tree | None) -> bool:
    r"""Tell whether a name and the bracket behind it are the output, ``h_\theta(x)``."""
    named = isinstance(node, Name) and plain_text(node.sub) in PARAMETERS
    return named and isinstance(after, tree.Group)
