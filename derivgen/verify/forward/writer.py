r"""Formulas of a note as text of derivgen's language; every name, sum and function in its axes.

A name carries the axes that its written indices leave free, so ``W x + b``, ``\sum_i w_{ji} x_i``
and ``h_t = \tanh(W h_{t-1})`` are read alike. Invariant: what has no form in the language raises
`NoForm`, and nothing is half written.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from derivgen.formulas import tree
from derivgen.formulas.cursor import Vocabulary
from derivgen.formulas.parser import parse_tokens
from derivgen.formulas.scripts import plain_text, split_transpose
from derivgen.formulas.symbols import BATCH_SIZES, FUNCTION_ALIASES, LOSS_NAMES, STEP_SIZES
from derivgen.formulas.terms import At
from derivgen.formulas.tree import FormulaError, Name, Token, Tree
from derivgen.verify.forward import algebra
from derivgen.verify.forward.book import ATOM, TARGETS, Book, Value
from derivgen.verify.forward.letters import Symbol, bound_letters, symbol
from derivgen.verify.forward.ranges import NoForm, Window

FUNCTIONS = ("exp", "log", "tanh", "sigmoid", "softmax", "relu", "sqrt", "sinh", "cosh", "max",
             "min", "abs", "erf", "softplus")  # fmt: skip
UNKNOWN = ("f", "g", "phi", "act", "psi")
PARAMETERS = ("theta", "w", "W,b", "w,b", "W", "Theta")
ELEMENTWISE = (r"\odot", r"\circ", "*", r"\otimes", r"\ast", r"\bigodot")
MATRIX = (r"\cdot", r"\times", "", "@")


@dataclass(frozen=True)
class Writer:
    """Trees to values; ``scope`` holds the mark of every index letter that is written here."""

    book: Book
    scope: Mapping[str, str]

    def value(self, node: Tree, expected: int | None = None) -> Value:
        """Return a tree as a value; ``expected`` is the number of free axes wanted, if any is."""
        match node:
            case tree.Literal(text=text):
                return Value(text)
            case Name():
                return self._name(node, expected)
            case tree.Group(items=(inner,)):
                return self.value(inner, expected)
            case tree.Group(items=items, bracket="[" | "(") if len(items) > 1:
                return algebra.concatenated([self.value(i) for i in items], self.book.ranges)
            case tree.Sum():
                return self._sum(node, expected)
            case tree.Fraction2(top=top, bottom=bottom):
                return self._quotient(self.value(top, expected), bottom)
            case tree.Product():
                return self._product(node, expected)
            case tree.Root(inner=inner, degree=2):
                return self.value(inner, expected).applied("sqrt")
            case tree.Norm():
                return self._norm(node)
            case tree.Scripted():
                return self._scripted(node, expected)
            case tree.Big(op="sum" | "prod" | "max" | "min" as op):
                return self._fold(op, node, expected)
        raise NoForm

    # --- names ---

    def _name(self, node: Name, expected: int | None) -> Value:
        if node.base == "e" and node.sup and not node.sub:
            return self._script(node.sup, expected).applied("exp")
        if node.base in ("ones", "pi"):
            return Value("1" if node.base == "ones" else "pi")
        if node.base in ("nabla", "Delta", "delta", "infty"):
            raise NoForm
        if (size := self._size(node)) is not None:
            return size
        parts = symbol(node, self.book.letters, self._is_index)
        if parts.power and parts.key + parts.power in self.book.defined:  # sigma^2, a variance
            parts = replace(parts, key=parts.key + parts.power, power="")
        found = self._of_class(parts) or self._access(parts.key, parts.indices, expected)
        if parts.turned and found.rank == 1 and node.base[:1].isupper():
            raise NoForm  # a capital that is transposed is no vector
        if parts.power:
            found = found.raised(parts.power)
        return algebra.transposed(found) if parts.turned else found

    def _of_class(self, parts: Symbol) -> Value | None:
        """Return the element that a target chooses: ``p_y``."""
        key, _, label = parts.key.rpartition("_")
        quantity = self.book.quantities.get(key)
        if quantity is None or label not in TARGETS or label in self.book.quantities:
            return None
        if len(quantity.slots) != len(parts.indices) + 1:
            return None
        self.book.classes[label] = quantity.slots[-1]
        places = [self._place(at, slot)[0] for at, slot in zip(parts.indices, quantity.slots)]
        return Value(f"{key}[{', '.join([*places, label])}]")

    def _is_index(self, letter: str) -> bool:
        return letter in self.scope

    def _size(self, node: Name) -> Value | None:
        """Return the size of a range: N where a sum runs to N, d of keys under a root."""
        book, base = self.book, node.base
        known = base in book.defined or base in book.full or base in self.scope
        sizes = (*book.size_marks, *book.letters.limits, *BATCH_SIZES)
        if node.sub or node.sup or known or base not in sizes:
            return None
        if base not in book.size_marks:
            book.size_marks[base] = book.ranges.new()
        return Value(f"{{#{book.size_marks[base]}}}")

    def _access(self, key: str, indices: tuple[At, ...], expected: int | None) -> Value:
        book, timed = self.book, 0
        if key in book.parts and indices:
            return self._part(key, indices)
        if key in STEP_SIZES and key not in ("gamma", "mu"):
            expected = 0
        for at in indices:
            timed += any(c in book.letters.times or book.letters.is_last(c) for c, _ in at.letters)
        free = book.free_axes(key, len(indices), timed, expected)
        quantity = book.quantity(key, len(indices) + free)
        places, outside = [], False
        for at, slot in zip(indices, quantity.slots):
            text, beyond = self._place(at, slot)
            places.append(text)
            outside |= beyond
        axes = tuple(book.ranges.new() for _ in range(free))
        for axis, slot in zip(axes, quantity.slots[len(indices) :]):
            book.ranges.join(slot, axis)
        places += [f"{{{axis}}}" for axis in axes]
        inside = ", ".join(places) + ("; 0" if outside else "")
        return Value(f"{key}[{inside}]" if places else key, axes)

    def _part(self, key: str, indices: tuple[At, ...]) -> Value:
        """Return the loss of one time as it is defined."""
        mark, value = self.book.parts[key]
        if len(indices) != 1 or str(indices[0]) not in self.scope:
            raise NoForm
        own = self.scope[str(indices[0])]
        self.book.ranges.join(own, mark)
        return value.renamed(mark, own)

    def _place(self, at: At, slot: str) -> tuple[str, bool]:
        """Return the text of an index, and whether it may leave its range."""
        ranges, letters = self.book.ranges, self.book.letters
        if len(at.letters) == 1 and at.letters[0][1] == 1:
            letter = at.letters[0][0]
            shift = f"{at.constant:+d}" if at.constant else ""
            if letter not in self.scope and letters.is_last(letter):
                ranges.from_one[slot] = None
                return f"{{#{slot}}}{shift}", False
            mark = self.scope[letter]
            ranges.join(slot, mark)
            if shift:
                ranges.from_one[mark] = None
            return f"{{{mark}}}{shift}", bool(shift)
        if any(c < 0 for _, c in at.letters) or at.constant < 0:
            raise NoForm
        parts = tuple((self.scope[letter], factor) for letter, factor in at.letters)
        ranges.windows.append(Window(slot, parts, at.constant))
        text = "+".join(f"{{{m}}}" if c == 1 else f"{c}*{{{m}}}" for m, c in parts)
        return text + (f"+{at.constant}" if at.constant else ""), False

    def _script(self, tokens: tuple[Token, ...], expected: int | None) -> Value:
        try:
            return self.value(parse_tokens(tokens, Vocabulary()), expected)
        except FormulaError:
            raise NoForm from None

    # --- sums, quotients, scripts ---

    def _sum(self, node: tree.Sum, expected: int | None) -> Value:
        """Write a sum; what may have any rank takes that of its neighbours."""
        parts: dict[int, Value] = {}
        places = sorted(range(len(node.terms)), key=lambda p: self._is_open(node.terms[p]))
        for place in places:
            wanted = max((v.rank for v in parts.values()), default=expected)
            parts[place] = self.value(node.terms[place], wanted)
        found = parts[0] if node.signs[0] > 0 else parts[0].negative()
        for place in range(1, len(node.terms)):
            sign = "+" if node.signs[place] > 0 else "-"
            found = algebra.elementwise(found, parts[place], sign, self.book.ranges)
        return found

    def _is_open(self, node: Tree) -> bool:
        """Tell whether a term is a bare name of which nothing is known, such as a bias."""
        if not isinstance(node, Name):
            return isinstance(node, tree.Literal)
        try:
            parts = symbol(node, self.book.letters, self._is_index)
        except NoForm:
            return False
        known = parts.key in self.book.quantities or parts.key in self.book.defined
        return not known and parts.key not in self.book.full

    def _quotient(self, top: Value, bottom: Tree) -> Value:
        if (size := self._contracted_size(top, bottom)) is not None:
            return algebra.elementwise(top, Value(size), "/", self.book.ranges)
        below = self.value(bottom, None if top.rank else 0)
        return algebra.elementwise(top, below, "/", self.book.ranges)

    def _contracted_size(self, top: Value, bottom: Tree) -> str | None:
        r"""Return ``sqrt`` of the size that ``\frac{QK^T}{\sqrt{d_k}}`` divides by."""
        inner = bottom.inner if isinstance(bottom, tree.Root) else None
        if not isinstance(inner, Name) or inner.base.lower() != "d" or inner.sup:
            return None
        if not top.text.startswith("sum[{"):
            return None
        mark = top.text.removeprefix("sum[{").split("}", 1)[0]
        return f"sqrt({{#{mark}}})"

    def _scripted(self, node: tree.Scripted, expected: int | None) -> Value:
        power = plain_text(node.sup)
        if isinstance(node.inner, tree.Norm) and power == "2":
            return self._square(node.inner.inner)
        if not node.sub and split_transpose(node.sup) == ((), True):
            return algebra.transposed(self.value(node.inner))
        if node.sub:
            inner = self.value(node.inner)
            found = self._item(inner, node.sub)
        else:
            found = self.value(node.inner, expected)
        if node.sup:
            found = found.raised(self._script(node.sup, 0).within(ATOM))
        return found

    def _item(self, value: Value, script: tuple[Token, ...]) -> Value:
        r"""Return an element of a vector in brackets, ``(W x + b)_k``."""
        letters = [token.text for token in script if token.kind == "name"]
        if len(letters) != value.rank or not all(letter in self.scope for letter in letters):
            raise NoForm
        for letter, axis in zip(letters, value.axes):
            self.book.ranges.join(axis, self.scope[letter])
            value = value.renamed(axis, self.scope[letter])
        return Value(value.text, level=value.level)

    def _norm(self, node: tree.Norm) -> Value:
        inner = self.value(node.inner)
        if not node.double and not inner.rank:
            return inner.applied("abs")
        if not node.double:
            raise NoForm
        return self._square(node.inner).applied("sqrt")

    def _square(self, inner: Tree) -> Value:
        """Write the square of a norm as a sum over all entries."""
        return algebra.total(self.value(inner).raised("2"))

    def _fold(self, op: str, node: tree.Big, expected: int | None) -> Value:
        ranges, letters = self.book.ranges, bound_letters(node)
        if any(letter in self.scope for letter in letters) or any(
            token.text in (r"\ne", r"\neq", "<", ">", r"\le", r"\leq") for token in node.sub
        ):
            raise NoForm
        marks = {letter: ranges.new(letter) for letter in letters}
        above = plain_text(node.sup)
        if len(letters) == 1:
            self._bounded(above or letters[0].upper(), marks[letters[0]])
        inner = Writer(self.book, {**self.scope, **marks}).value(node.body, expected)
        used = [mark for mark in marks.values() if f"{{{mark}}}" in inner.text]
        if len(used) < len(marks) or not marks:  # \sum y \log p and \sum_i y \log p
            if op != "sum" or used or not inner.rank:
                raise NoForm
            return algebra.total(inner)
        bound = ",".join(f"{{{mark}}}" for mark in used)
        return Value(f"{op}[{bound}]({inner.text})", inner.axes)

    def _bounded(self, limit: str, mark: str) -> None:
        """Take N for the number of values of n, as the limit of a sum or by custom."""
        book = self.book
        if limit.isalpha() and limit not in book.defined and limit not in book.full:
            first = book.size_marks.setdefault(limit, mark)
            book.ranges.join(first, mark)

    # --- products ---

    def _product(self, node: tree.Product, expected: int | None) -> Value:
        factors = self._factors(node, expected)
        found, operator = factors[0]
        held: list[tuple[str, Value]] = []  # what stands left of a sign that acts entry by entry
        for value, following in factors[1:]:
            if (
                operator in ELEMENTWISE
                and value.rank
                and found.rank
                and not _multiplies(operator, found, value)
            ):
                held.append(("*", found))
                found = value
            elif operator == "/":
                found = algebra.elementwise(found, value, "/", self.book.ranges)
            elif operator == r"\cdot":
                found = algebra.dotted(found, value, expected, self.book.ranges)
            else:
                found = algebra.juxtaposed(found, value, expected, self.book.ranges)
            operator = following
        for sign, left in held[::-1]:
            found = algebra.elementwise(left, found, sign, self.book.ranges)
        return found

    def _factors(self, node: tree.Product, expected: int | None) -> list[tuple[Value, str]]:
        """Return the factors, functions applied, each with the operator behind it."""
        factors, operators = node.factors, (*node.operators, "")
        plain = not any(map(_is_vectorial, factors))
        wanted = 0 if expected == 0 and plain else None
        found: dict[int, tuple[Value, str]] = {}
        waiting: list[int] = []
        place = 0
        while place < len(factors):
            if plain and self._is_open(factors[place]) and not self._is_call(factors, place):
                waiting.append(place)
                place += 1
                continue
            value, taken = self._factor(factors, operators, place, wanted)
            found[place] = value, operators[place + taken - 1]
            place += taken
        for place in waiting:  # y of y log(a) has the rank of a
            ranks = [value.rank for value, _ in found.values()]
            value = self.value(factors[place], max(ranks) if ranks else wanted)
            found[place] = value, operators[place]
        if any(o not in (*ELEMENTWISE, *MATRIX, "/") for _, o in found.values()):
            raise NoForm
        return [found[place] for place in sorted(found)]

    def _is_call(self, factors: tuple[Tree, ...], place: int) -> bool:
        node = factors[place]
        after = factors[place + 1] if place + 1 < len(factors) else None
        if not isinstance(node, Name) or after is None:
            return False
        return _is_output(node, after) or bool(self._function(node, after))

    def _factor(
        self,
        factors: tuple[Tree, ...],
        operators: tuple[str, ...],
        place: int,
        wanted: int | None,
    ) -> tuple[Value, int]:
        node = factors[place]
        after = factors[place + 1] if place + 1 < len(factors) else None
        if after is not None and operators[place] == "" and isinstance(node, Name):
            if _is_output(node, after):
                return self._name(replace(node, sub=(), sup=()), wanted), 2
            if _is_loss_of(node, after):
                return self._name(node, wanted), 2
            function = self._function(node, after)
            if function:
                rest = factors[place + 1 :]
                return self._call(function, node, rest, operators[place + 1 :], wanted)
        return self.value(node, wanted), 1

    def _function(self, node: Name, after: Tree) -> str:
        """Return the function that a name stands for before its argument, or nothing."""
        name = FUNCTION_ALIASES.get(node.base, node.base)
        if node.primes or (node.sub and name != "softmax") or node.sup:
            return ""
        if node.base in self.book.functions:
            return node.base
        if name in ("log", "exp", "tanh"):
            return name
        grouped = isinstance(after, tree.Group) or (
            isinstance(after, tree.Scripted) and isinstance(after.inner, tree.Group)
        )
        if not grouped or node.base in self.book.defined:
            return ""
        return name if name in FUNCTIONS or name in UNKNOWN else ""

    def _call(
        self,
        function: str,
        node: Name,
        rest: tuple[Tree, ...],
        operators: tuple[str, ...],
        wanted: int | None,
    ) -> tuple[Value, int]:
        argument = rest[0]
        after = rest[1] if len(rest) > 1 and operators[0] == "" else None
        if after is not None and isinstance(argument, Name):  # log h_theta(x), log sigma(u v)
            inner, more = self._factor(rest, operators, 0, wanted)
            if more == 2:
                return self._elementwise(function, inner), 3
        return self._called(function, argument, node.sub, wanted), 2

    def _called(
        self, function: str, argument: Tree, item: tuple[Token, ...], wanted: int | None
    ) -> Value:
        """Apply a function; ``item`` is the element taken of what it gives."""
        if isinstance(argument, tree.Scripted) and argument.sub and not argument.sup:
            return self._called(function, argument.inner, argument.sub, wanted)
        items = argument.items if isinstance(argument, tree.Group) else (argument,)
        if function in ("max", "min"):
            return self._smaller_or_larger(function, items)
        if len(items) != 1:
            raise NoForm
        if function == "softmax":
            return self._softmax(self.value(items[0], None if item else wanted), item)
        found = self._elementwise(function, self.value(items[0], None if item else wanted))
        return self._item(found, item) if item else found

    def _smaller_or_larger(self, function: str, items: tuple[Tree, ...]) -> Value:
        if len(items) != 2:
            raise NoForm
        one, other = (self.value(item) for item in items)
        one, other = algebra.matched(one, other, self.book.ranges)
        return Value(f"{function}({one.text}, {other.text})", max(one.axes, other.axes, key=len))

    def _elementwise(self, function: str, argument: Value) -> Value:
        if function in UNKNOWN:
            self.book.functions.setdefault(function, "")
        return argument.applied(function)

    def _softmax(self, argument: Value, item: tuple[Token, ...]) -> Value:
        r"""Write a softmax over the units; of a number, over its last index."""
        if argument.rank:
            axis = algebra.unit_axis(argument, self.book.ranges)
            found = Value(f"softmax[{{{axis}}}]({argument.text})", argument.axes)
            return self._item(found, item) if item else found
        own = [token.text for token in item if token.text in self.scope]
        letters = own or [c for c, m in self.scope.items() if f"{{{m}}}" in argument.text]
        if not letters:
            raise NoForm
        return Value(f"softmax[{{{self.scope[letters[-1]]}}}]({argument.text})")


def _multiplies(operator: str, left: Value, right: Value) -> bool:
    """Tell a matrix product written with an asterisk."""
    return operator == "*" and left.rank == 2 and right.rank == 1


def _is_vectorial(node: Tree) -> bool:
    """Tell whether a factor of a number may be a vector: it is transposed, or a matrix is near."""
    if not isinstance(node, (tree.Scripted, Name)):
        return False
    capital = isinstance(node, Name) and node.base[:1].isupper()
    return capital or split_transpose(node.sup)[1]


def _is_output(node: Name, after: Tree) -> bool:
    r"""Tell whether a name and the bracket behind it are the output, ``h_\theta(x)``."""
    return plain_text(node.sub) in PARAMETERS and isinstance(after, tree.Group)


def _is_loss_of(node: Name, after: Tree) -> bool:
    r"""Tell whether a bracket says whose loss it is, ``E_t(y_t, \hat y_t)``."""
    if not isinstance(after, tree.Group) or after.bracket != "(":
        return False
    return node.base in LOSS_NAMES and len(after.items) > 1
