r"""The network of a note that gives its own forward equations.

Equations without derivatives, ``z_j = \sum_i w_{ji} x_i + b_j`` or ``z^{(1)} = W^{(1)} x + b``,
are written in derivgen's own language and parsed by it, so a note's network has no other status
than any network. In matrix form a capital letter is a matrix and a small one a vector. Invariant:
what does not fit is left out; a note whose equations make no network gives none.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from derivgen.algebra.expressions import tensors_read
from derivgen.algebra.network import Network
from derivgen.errors import DerivgenError
from derivgen.formulas import tree
from derivgen.formulas.cursor import Vocabulary
from derivgen.formulas.parser import parse, parse_tokens
from derivgen.formulas.scripts import atoms, plain_text, split_transpose, unwrapped
from derivgen.formulas.surface import SurfaceTable
from derivgen.formulas.symbols import FUNCTION_ALIASES, LOSS_NAMES
from derivgen.formulas.tree import FormulaError, Name, Tree
from derivgen.language import parse as parse_network
from derivgen.verify.claims import has_slopes, is_claim, names_of
from derivgen.verify.scanner import scan

FUNCTIONS = (
    "exp",
    "log",
    "tanh",
    "sigmoid",
    "softmax",
    "relu",
    "sqrt",
    "sinh",
    "cosh",
    "max",
    "abs",
)
UNKNOWN = ("f", "g", "phi", "act")
TARGETS = ("y", "t", "d", "target", "label")
SIZES = (2, 3, 4, 5, 6, 7, 8)


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
    functions: dict[str, None] = field(default_factory=dict)
    shifted: dict[str, None] = field(default_factory=dict)
    fresh: int = 0

    def root(self, name: str) -> str:
        while self.parent.setdefault(name, name) != name:
            name = self.parent[name]
        return name

    def join(self, one: str, other: str) -> None:
        self.parent[self.root(other)] = self.root(one)

    def new(self) -> str:
        self.fresh += 1
        return f"c{self.fresh}"


def network_of(text: str, table: SurfaceTable) -> Network | None:
    """Return the network that a note's forward equations define, or ``None`` if they give none."""
    found = list(_definitions(text))
    if not any(_is_loss(name) for name, _ in found):
        return None
    best: tuple[int, Network] | None = None
    for matrices in (False, True):
        builder = Builder()
        for name, right in found:
            _try_equation(name, right, builder, matrices)
        network = _network(builder)
        # The form in which more of the note's equations can be written is the one it has.
        if network is not None and (best is None or len(builder.equations) > best[0]):
            best = len(builder.equations), network
    return best[1] if best else None


def _definitions(text: str) -> Iterator[tuple[Name, Tree]]:
    notes = scan(text)
    for block in notes.blocks[:400]:
        try:
            chains = parse(block.text, Vocabulary(), notes.macros)
        except (FormulaError, RecursionError):
            continue
        for chain in chains:
            first = chain.members[0]
            if not is_claim(chain) or chain.relations[0] != "=" or has_slopes(chain):
                continue
            if isinstance(first, Name) and not first.primes:
                yield first, chain.members[1]


def _is_loss(name: Name) -> bool:
    return name.base in LOSS_NAMES and plain_text(name.sub) in ("", "total", "i")


def _try_equation(name: Name, right: Tree, builder: Builder, matrices: bool) -> None:
    key = _key(name, matrices)[0]
    if any(made == key for made, _ in builder.equations) or _numeric(right):
        return
    saved = (dict(builder.parent), {k: list(q.slots) for k, q in builder.quantities.items()})
    try:
        left, letters = _left(name, builder, matrices)
        body = _Writer(builder, letters, matrices).value(right)
    except NoForm:
        builder.parent = saved[0]
        builder.quantities = {k: Quantity(k, len(s), s) for k, s in saved[1].items()}
        return
    prefix = "loss " if _is_loss(name) else ""
    builder.equations.append((key, f"{prefix}{left} = {body}"))


def _numeric(node: Tree) -> bool:
    return not any(True for _ in names_of(node))


def _key(name: Name, matrices: bool) -> tuple[str, list[str]]:
    """Return the name of a quantity without its index letters, and the letters."""
    base, letters = name.base, []
    rest, _ = split_transpose(name.sup)
    for atom in (*atoms(name.sub), *atoms(rest)):
        if atom.at is None:
            raise NoForm
        single = len(atom.text) == 1 and atom.text.isalpha()
        if single and not (atom.text in ("i",) and atom.bracketed) and not matrices:
            letters.append(atom.text)
        elif atom.at.letters and atom.at.constant and not matrices:
            letters.append(str(atom.at))
        elif single and matrices and atom.text in "jkls":
            letters.append(atom.text)
        elif not (single and atom.bracketed):
            base += atom.text
    text = plain_text(name.sub)
    if any(c.isdigit() for c in text) and any(c.isalpha() for c in text) and "," not in text:
        return name.base + "_" + text, []  # net_{h1} is one name
    return base, letters


def _left(name: Name, builder: Builder, matrices: bool) -> tuple[str, dict[str, str]]:
    key, letters = _key(name, matrices)
    if len(dict.fromkeys(letters)) != len(letters) or not all(c.isalpha() for c in letters):
        raise NoForm
    if _is_loss(name):
        return name.base, {}
    quantity = _quantity(key, len(letters), builder)
    if matrices and not letters:
        quantity.rank = 1
        quantity.slots = quantity.slots or [builder.new()]
        return f"{key}[{{{quantity.slots[0]}}}]", {"": quantity.slots[0]}
    scope = dict(zip(letters, quantity.slots))
    return _access(key, [f"{{{slot}}}" for slot in quantity.slots]), scope


def _quantity(key: str, rank: int, builder: Builder) -> Quantity:
    found = builder.quantities.get(key)
    if found is None:
        found = builder.quantities[key] = Quantity(key, rank, [builder.new() for _ in range(rank)])
    if len(found.slots) != rank:
        raise NoForm
    return found


def _access(key: str, slots: list[str]) -> str:
    return f"{key}[{', '.join(slots)}]" if slots else key


@dataclass
class _Writer:
    """Trees to text of the language; ``{c1}`` marks an index whose letter is chosen at the end."""

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
            case tree.Scripted(inner=inner, sub=(), sup=sup):
                return f"({self.value(inner)})^({self._script(sup)})"
            case tree.Big(op="sum"):
                return self._sum(node)
        raise NoForm

    def _script(self, tokens: tuple[tree.Token, ...]) -> str:
        try:
            return self.value(parse_tokens(tokens, Vocabulary()))
        except FormulaError:
            raise NoForm from None

    def _name(self, node: Name) -> str:
        if node.base == "e" and node.sup:
            return f"exp({self._script(node.sup)})"
        if node.primes or node.base in ("nabla", "Delta"):
            raise NoForm
        power = plain_text(node.sup)
        if power.isdigit() and not unwrapped(node.sup)[1]:
            bare = Name(node.base, node.sub, (), 0, node.span)
            return f"({self._name(bare)})^{power}"
        key, letters = _key(node, self.matrices)
        if self.matrices and not letters and "" in self.scope:
            return self._vector(key)
        return self._element(key, letters)

    def _vector(self, key: str) -> str:
        if key[:1].isupper():
            raise NoForm
        quantity = _quantity(key, 1, self.builder)
        self.builder.join(self.scope[""], quantity.slots[0])
        return f"{key}[{{{self.scope['']}}}]"

    def _element(self, key: str, letters: list[str]) -> str:
        quantity = _quantity(key, len(letters), self.builder)
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
        text = _access(key, slots)
        return text[:-1] + outside + "]" if outside else text

    def _sum(self, node: tree.Big) -> str:
        bound = [a.text for a in atoms(node.sub) if len(a.text) == 1 and a.text.isalpha()][:1]
        names = [t.text for t in node.sub if t.kind == "name"][:1] or bound
        if not names or names[0] in self.scope:
            raise NoForm
        slot = self.builder.new()
        inner = _Writer(self.builder, {**self.scope, names[0]: slot}, self.matrices)
        inner.scope.pop("", None)
        return f"sum[{{{slot}}}]({inner.value(node.body)})"

    def _product(self, node: tree.Product) -> str:
        if self.matrices and len(node.factors) == 2 and self._is_matrix(node.factors[0]):
            return self._matrix_times(node)
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
        function = self._function(node)
        if function and place + 1 < len(factors) and operators[place] == "":
            argument = factors[place + 1]
            inner = (
                argument.items[0]
                if isinstance(argument, tree.Group) and (len(argument.items) == 1)
                else argument
            )
            return self._applied(function, inner), 2
        return self.value(node), 1

    def _function(self, node: Tree) -> str:
        if not isinstance(node, Name) or node.sub or node.sup or node.primes:
            return ""
        name = FUNCTION_ALIASES.get(node.base, node.base)
        known = name in FUNCTIONS or (name in UNKNOWN and name not in self.builder.quantities)
        return name if known else ""

    def _applied(self, function: str, inner: Tree) -> str:
        if function in UNKNOWN:
            self.builder.functions[function] = None
        if function == "softmax":
            if "" not in self.scope:
                raise NoForm
            return f"softmax[{{{self.scope['']}}}]({self.value(inner)})"
        return f"{function}({self.value(inner)})"

    def _is_matrix(self, node: Tree) -> bool:
        return isinstance(node, Name) and node.base[:1].isupper() and "" in self.scope

    def _matrix_times(self, node: tree.Product) -> str:
        matrix, vector = node.factors
        if not isinstance(matrix, Name):
            raise NoForm
        key, letters = _key(matrix, True)
        transposed = split_transpose(matrix.sup)[1]
        quantity = _quantity(key, 2, self.builder)
        slot = self.builder.new()
        row, column = quantity.slots if not transposed else quantity.slots[::-1]
        self.builder.join(self.scope[""], row)
        self.builder.join(slot, column)
        inner = _Writer(self.builder, {"": slot}, True)
        places = [f"{{{self.scope['']}}}", f"{{{slot}}}"]
        if letters:
            raise NoForm
        access = _access(key, places if not transposed else places[::-1])
        return f"sum[{{{slot}}}]({access}*{inner.value(vector)})"


# --- the text of the network ---------------------------------------------------------------------


def _network(builder: Builder) -> Network | None:
    text = _text(builder)
    if "loss " not in text or len(builder.equations) < 2:
        return None
    try:
        network = parse_network(text, "<note>")
    except DerivgenError:
        return None
    read = [
        n for e in network.equations if e.lhs.tensor == network.loss for n in tensors_read(e.rhs)
    ]
    defined = {e.lhs.tensor for e in network.equations}
    return network if any(name in defined for name in read) else None


def _text(builder: Builder) -> str:
    roots: dict[str, None] = {}
    for quantity in builder.quantities.values():
        roots.update((builder.root(slot), None) for slot in quantity.slots)
    for slot in list(builder.parent):
        roots[builder.root(slot)] = None
    letters = {root: f"n{number}" for number, root in enumerate(roots)}
    lines = ["network note"]
    for number, root in enumerate(roots):
        low = "1.." if any(builder.root(s) == root for s in builder.shifted) else ""
        size = f"D{number}"
        lines += [f"dim {size} = {SIZES[number % len(SIZES)]}", f"index n{number}: {low}{size}"]
    defined = {key for key, _ in builder.equations}
    for quantity in builder.quantities.values():
        if quantity.name not in defined:
            lines.append(_declaration(quantity, builder, letters))
    lines += [f"function {name}" for name in builder.functions]
    for _, equation in builder.equations:
        lines.append(_lettered(equation, builder, letters))
    return "\n".join(lines) + "\n"


def _declaration(quantity: Quantity, builder: Builder, letters: dict[str, str]) -> str:
    slots = [letters[builder.root(slot)] for slot in quantity.slots]
    if len(dict.fromkeys(slots)) != len(slots):
        slots = [f"{slot}" for slot in slots]
    base = quantity.name.split("_")[0].rstrip("0123456789")
    role = "target" if base in TARGETS else "input" if base in ("x", "X", "i", "chi") else "param"
    return f"{role} {_access(quantity.name, slots)}"


def _lettered(equation: str, builder: Builder, letters: dict[str, str]) -> str:
    text = equation
    for slot in sorted(builder.parent, key=len, reverse=True):
        text = text.replace("{" + slot + "}", letters[builder.root(slot)])
    return text
