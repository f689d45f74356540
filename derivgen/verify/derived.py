"""The engine's own formula for a derivative of the loss, in the letters of a claim.

Only for what is written with all its indices. A formula that the engine gives is tried like any
edit, so a letter that was named badly costs a hint and never makes a wrong one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import singledispatchmethod

from derivgen.algebra.affine import Affine, Dim, Index, Lookup
from derivgen.algebra.expressions import (
    Access,
    Add,
    Call,
    Compare,
    Div,
    IndexValue,
    Iverson,
    Mul,
    Node,
    Number,
    Pow,
)
from derivgen.algebra.network import Axis, Network
from derivgen.algebra.statements import Statement
from derivgen.errors import DerivgenError
from derivgen.formulas.symbols import Symbols
from derivgen.formulas.terms import At, Bound, Fold, Part, Ref, Slope, Term, Test, letter
from derivgen.verify.proving.exact import exact_of
from derivgen.verify.vectors import vectorised

Env = Mapping[Index, At]
MAX_TERMS = 12
LETTERS = "ijklmnpqrsuv"


class NoTerm(Exception):
    """An expression has no form as a term."""


def contributions(anchor: Term, symbols: Symbols, letters: Mapping[str, object]) -> list[Term]:
    """Return the terms of a derivative of the loss, one for each path of the chain rule."""
    return [t for group in _formulas(anchor, symbols, letters) for t in group][:MAX_TERMS]


def whole_formulas(anchor: Term, symbols: Symbols, letters: Mapping[str, object]) -> list[Term]:
    """Return the engine's formulas for a derivative of the loss, the simplified one first."""
    groups = _formulas(anchor, symbols, letters)
    return [_sum(group) for group in groups[::-1] if group]


def _formulas(anchor: Term, symbols: Symbols, letters: Mapping[str, object]) -> list[list[Term]]:
    """Return two sums of terms: by paths as they come, and what simplification left."""
    network = symbols.network
    by = anchor.args[1] if anchor.op == "gradient" and len(anchor.args) == 2 else None
    if network is None or by is None or by.op != "element" or "{}" in by.data.tensor:
        return []
    of = anchor.args[0]
    if of.op != "element" or of.data.tensor != network.loss:
        return []
    try:
        derivation = exact_of(network).derivation
        step = derivation.step(by.data.tensor)
    except (DerivgenError, KeyError):
        return []
    writer = _Writer(network, tuple(derivation.backward), letters)
    places = dict.fromkeys(range(len(by.data.slots)))
    try:
        names = {n: writer.letter_of(by.data.tensor, n) for n in places if by.data.slots[n] is None}
    except NoTerm:
        return []
    slots = tuple(letter(names[n]) if n in names else slot for n, slot in enumerate(by.data.slots))
    paths = [c.statement for c in step.contributions]
    found = [list(writer.terms(some, slots)) for some in (paths, step.result)]
    if not names:
        return found
    whole = [[vectorised(term, tuple(names.values())) for term in group] for group in found]
    return [[term for term in group if term is not None] for group in whole]


def _sum(terms: list[Term]) -> Term:
    return terms[0] if len(terms) == 1 else Term("add", tuple(terms))


class _Writer:
    """Writes statements as terms; ``letters`` are those the claim uses already."""

    def __init__(
        self, network: Network, backward: tuple[Statement, ...], letters: Mapping[str, object]
    ) -> None:
        self.network, self.backward = network, backward
        self.used = dict.fromkeys(letters)

    def terms(
        self, statements: Iterable[Statement], slots: tuple[At | None, ...]
    ) -> Iterator[Term]:
        for statement in statements:
            try:
                yield self.statement(statement, slots)
            except NoTerm:
                continue

    def letter_of(self, tensor: str, axis: int) -> str:
        """Return a letter that runs over an axis and is not used. Raises: NoTerm."""
        span = self.network.tensors[tensor].axes[axis]
        return self._fresh(span)

    def statement(self, statement: Statement, slots: tuple[At | None, ...]) -> Term:
        """Return the value a statement adds to its left side at some indices."""
        env: dict[Index, At] = {}
        tests: list[Test] = []
        for form, slot in zip(statement.lhs.indices, slots):
            if slot is None:
                raise NoTerm
            self._bind(form, slot, env, tests)
        bound: list[Bound] = []
        for index in statement.indices:
            if index not in env:
                name = self._fresh(index)
                env[index] = letter(name)
                bound.append(Bound(name))
        body = self.expr(statement.body, env)
        for test in tests:
            body = _product([body, Term("bracket", (), test)])
        if bound:
            negative = body.op == "negate"
            inner = body.args[0] if negative else body
            fold = Term("fold", (inner,), Fold("sum", tuple(bound)))
            body = Term("negate", (fold,)) if negative else fold
        return body

    def _bind(self, form: Affine, slot: At, env: dict[Index, At], tests: list[Test]) -> None:
        """Solve ``form = slot`` for the one letter of the form, or test it."""
        atoms = form.terms
        if len(atoms) == 1 and isinstance(atoms[0][0], Index) and atoms[0][1] == 1:
            index = atoms[0][0]
            if index not in env:
                env[index] = slot.shifted(-form.constant)
                return
        if not all(isinstance(a, Lookup) or a in env for a, _ in atoms):
            raise NoTerm
        place = self.at(form, env)
        if (place.letters, place.parts, place.constant) != (
            slot.letters,
            slot.parts,
            slot.constant,
        ):
            tests.append(Test("=", place, slot))

    def _fresh(self, span: Index | Axis) -> str:
        """Return a letter that runs over a range and is not used. Raises: NoTerm."""
        own = [span.name] if isinstance(span, Index) else []
        same = [i.name for i in self.network.indices if (i.low, i.high) == (span.low, span.high)]
        for name in map(str, [*own, *same, *LETTERS]):
            if name not in self.used and name not in self.network.tensors:
                self.used[name] = None
                return name
        raise NoTerm

    def at(self, form: Affine, env: Env) -> At:
        names: dict[str, int] = {}
        parts: list[tuple[Part, int]] = []
        constant = form.constant
        for atom, count in form.terms:
            if isinstance(atom, Index) and atom in env:
                inner = env[atom]
                constant += count * inner.constant
                parts += [(part, count * c) for part, c in inner.parts]
                for name, c in inner.letters:
                    names[name] = names.get(name, 0) + count * c
            elif isinstance(atom, Lookup):
                places = tuple(self.at(i, env) for i in atom.indices)
                parts.append((Part("lookup", atom.tensor, places), count))
            else:
                raise NoTerm
        kept = tuple((name, c) for name, c in names.items() if c)
        return At(kept, constant, bool(kept), tuple(parts))

    @singledispatchmethod
    def expr(self, expr: Node, env: Env) -> Term:
        """Return an expression as a term."""
        raise NoTerm

    @expr.register
    def _number(self, expr: Number, env: Env) -> Term:
        number = Term("number", (), (abs(expr.value), ""))
        return Term("negate", (number,)) if expr.value < 0 else number

    @expr.register
    def _add(self, expr: Add, env: Env) -> Term:
        parts = [self.expr(term, env) for term in expr.terms]
        first = next((n for n, part in enumerate(parts) if part.op != "negate"), 0)
        return Term("add", (parts[first], *parts[:first], *parts[first + 1 :]))

    @expr.register
    def _mul(self, expr: Mul, env: Env) -> Term:
        return _product([self.expr(factor, env) for factor in expr.factors])

    @expr.register
    def _div(self, expr: Div, env: Env) -> Term:
        top, bottom = self.expr(expr.numerator, env), self.expr(expr.denominator, env)
        if top.op == "negate":
            return Term("negate", (Term("divide", (top.args[0], bottom)),))
        return Term("divide", (top, bottom))

    @expr.register
    def _pow(self, expr: Pow, env: Env) -> Term:
        return Term("power", (self.expr(expr.base, env), self.expr(expr.exponent, env)))

    @expr.register
    def _call(self, expr: Call, env: Env) -> Term:
        if len(expr.args) != 1:
            raise NoTerm
        return Term("call", (self.expr(expr.args[0], env),), (expr.name, sum(expr.order)))

    @expr.register
    def _index(self, expr: IndexValue, env: Env) -> Term:
        atoms = expr.form.terms
        alone = len(atoms) == 1 and atoms[0][1] == 1 and not expr.form.constant
        if alone and isinstance(atoms[0][0], Dim):
            return Term("size", (), atoms[0][0].name)
        return Term("index", (), self.at(expr.form, env))

    @expr.register
    def _iverson(self, expr: Iverson, env: Env) -> Term:
        test = expr.condition
        if not isinstance(test, Compare):
            raise NoTerm
        sides = [
            self.at(s.form, env) if isinstance(s, IndexValue) else self.expr(s, env)
            for s in (test.left, test.right)
        ]
        return Term("bracket", (), Test(test.op, *sides))

    @expr.register
    def _access(self, expr: Access, env: Env) -> Term:
        name = expr.tensor
        if name in self.network.tensors:
            slots = tuple(self.at(form, env) for form in expr.indices)
            return Term("element", (), Ref(name, slots))
        of = name.removeprefix("adj_")
        if of != name and of in self.network.tensors and self.network.loss:
            slots = tuple(self.at(form, env) for form in expr.indices)
            loss = Term("element", (), Ref(self.network.loss))
            return Term("gradient", (loss, Term("element", (), Ref(of, slots))), Slope())
        return self._inlined(expr, env)

    def _inlined(self, expr: Access, env: Env) -> Term:
        """Return what a sum that simplification named stands for."""
        slots = tuple(self.at(form, env) for form in expr.indices)
        made = [s for s in self.backward if s.lhs.tensor == expr.tensor]
        if not made:
            raise NoTerm
        return _sum([self.statement(s, slots) for s in made])


def _product(parts: list[Term]) -> Term:
    """Return a product with one sign in front, without ones."""
    sign = sum(part.op == "negate" for part in parts) % 2
    bare = [part.args[0] if part.op == "negate" else part for part in parts]
    flat: list[Term] = []
    for part in bare:
        flat += part.args if part.op == "multiply" else [part]
    flat = [f for f in flat if not (f.op == "number" and f.data[0] == 1)] or [flat[0]]
    whole = flat[0] if len(flat) == 1 else Term("multiply", tuple(flat), ("",) * (len(flat) - 1))
    return Term("negate", (whole,)) if sign else whole
