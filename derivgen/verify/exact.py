"""Equations of a network, and the engine's derivatives of its loss, as polynomials."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from typing import Any

from derivgen.algebra.affine import Affine, Index
from derivgen.algebra.expressions import (
    Access,
    Add,
    Along,
    Call,
    Compare,
    Div,
    Expr,
    IndexValue,
    Iverson,
    Mul,
    Node,
    Number,
    Pow,
    Reduce,
    Where,
)
from derivgen.algebra.network import Equation, Network, Role
from derivgen.algebra.statements import Statement, plain_lhs
from derivgen.calculus.derivation import Derivation
from derivgen.calculus.engine import derive
from derivgen.calculus.lemmas import Lemmas
from derivgen.calculus.partials import partial
from derivgen.errors import DerivgenError
from derivgen.formulas.sequence import loss_names
from derivgen.verify import polynomials as poly
from derivgen.verify.polynomials import Letter, NoProof, Poly

ARGUMENT = "argument of a function"
MAX_DEPTH = 200
Places = tuple[Letter, ...]
Env = Mapping[Index, Letter]


@dataclass
class Exact:
    """One network; ``level`` 0 keeps forward tensors, 1 puts affine maps in, 2 activations too."""

    network: Network
    level: int
    known: dict[tuple[str, Places], Poly] = field(default_factory=dict)
    depth: int = 0

    @cached_property
    def derivation(self) -> Derivation:
        names = [t.name for t in self.network.tensors.values() if t.name != self.network.loss]
        params = [t.name for t in self.network.parameters]
        try:
            return derive(self.network, names)
        except DerivgenError:
            return derive(self.network, params)

    @cached_property
    def lemmas(self) -> Lemmas:
        return Lemmas(self.network.functions)

    @cached_property
    def facts(self) -> Mapping[tuple[str, int], Fraction]:
        """Return the declared sums: ``sum[k](y[k]) = 1`` as ``(y, 0): 1``."""
        found: dict[tuple[str, int], Fraction] = {}
        for fact in self.network.facts:
            left, right = fact.left, fact.right
            if not (isinstance(left, Reduce) and left.op == "sum" and isinstance(right, Number)):
                continue
            if len(left.bound) == 1 and isinstance(left.body, Access):
                plain = [form.plain for form in left.body.indices]
                if plain.count(left.bound[0]) == 1 and None not in plain:
                    found[left.body.tensor, plain.index(left.bound[0])] = right.value
        return found

    @cached_property
    def defined(self) -> Mapping[str, Equation]:
        """Return the equations that alone define their tensor, index by plain index."""
        counts: dict[str, int] = {}
        for equation in self.network.equations:
            counts[equation.lhs.tensor] = counts.get(equation.lhs.tensor, 0) + 1
        return {
            e.lhs.tensor: e
            for e in self.network.equations
            if counts[e.lhs.tensor] == 1 and plain_lhs(e.lhs) is not None
        }

    def forward(self, tensor: str, places: Places) -> Poly:
        """Return an element: itself, or what its equation says at this level."""
        equation = self.defined.get(tensor)
        given = self.network.tensors[tensor].role is not Role.VALUE
        if given or equation is None or not self._opens(equation):
            return poly.generator(("access", tensor, places))
        return self._at(equation.lhs, equation.rhs, places)

    def _opens(self, equation: Equation) -> bool:
        if isinstance(equation.rhs, Along):
            return False
        if equation.lhs.tensor in loss_names(self.network):
            return True
        return self.level > (1 if isinstance(equation.rhs, Call) else 0)

    def _at(self, lhs: Access, rhs: Expr, places: Places) -> Poly:
        indices = plain_lhs(lhs)
        assert indices is not None, "checked by the caller"
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise NoProof("a recurrence")
        try:
            return self.expr(rhs, dict(zip(indices, places)))
        finally:
            self.depth -= 1

    # --- adjoints ---

    def adjoint(self, tensor: str, places: Places) -> Poly:
        """Return the derivative of the loss by an element, by the engine's statements."""
        if tensor == self.network.loss:
            return poly.constant(1)
        step = self.derivation.step(tensor)
        return self._written(step.result, step.adjoint, places)

    def _written(self, statements: tuple[Statement, ...], name: str, places: Places) -> Poly:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise NoProof("a recurrence")
        try:
            return poly.plus(*(self._statement(s, name, places) for s in statements))
        finally:
            self.depth -= 1

    def _statement(self, statement: Statement, name: str, places: Places) -> Poly:
        left = plain_lhs(statement.lhs)
        if statement.lhs.tensor != name or left is None or statement.op != "sum":
            raise NoProof("a statement of another form")
        self._whole(statement, left)
        env: dict[Index, Letter] = dict(zip(left, places))
        bound = [(index, poly.fresh()) for index in statement.bound]
        env.update(bound)
        body = self.expr(statement.body, env)
        for condition in statement.guard:
            body = poly.times(body, self.condition(condition, env))
        return poly.summed(body, [(place, (str(i.low), str(i.high))) for i, place in bound])

    def _whole(self, statement: Statement, left: tuple[Index, ...]) -> None:
        """A statement that writes a part of its tensor has no one formula."""
        axes = self.derivation.tensors[statement.lhs.tensor].axes
        if any((i.low, i.high) != (a.low, a.high) for i, a in zip(left, axes)):
            raise NoProof("a part of a tensor")

    def other(self, tensor: str, places: Places) -> Poly:
        """Return an element of a tensor that the engine invented: an adjoint or a named part."""
        for step in self.derivation.steps:
            if step.adjoint == tensor:
                return self._written(step.result, tensor, places)
        found = tuple(s for s in self.derivation.forward if s.lhs.tensor == tensor)
        if not found:
            raise NoProof(f"{tensor} is not known")
        return self._written(found, tensor, places)

    # --- expressions ---

    def expr(self, expr: Node, env: Env) -> Poly:
        match expr:
            case Number(value):
                return poly.constant(value)
            case Access():
                return self._access(expr, env)
            case Add(terms):
                return poly.plus(*(self.expr(t, env) for t in terms))
            case Mul(factors):
                found = poly.constant(1)
                for factor in factors:
                    found = poly.times(found, self.expr(factor, env))
                return found
            case Div(a, b):
                return poly.times(self.expr(a, env), poly.inverse(self.expr(b, env)))
            case Pow(a, Number(value)) if value.denominator == 1:
                return poly.power(self.expr(a, env), int(value))
            case Call(name, (argument,), order) if sum(order) < 2:
                return self.call(name, self.expr(argument, env), sum(order))
        return self._more(expr, env)

    def _more(self, expr: Node, env: Env) -> Poly:
        match expr:
            case Reduce(op, bound, body) if op in ("sum", "mean"):
                letters = {index: poly.fresh() for index in bound}
                made = self.expr(body, {**env, **letters})
                spans = [(place, (str(i.low), str(i.high))) for i, place in letters.items()]
                found = poly.summed(made, spans)
                for index in bound if op == "mean" else ():
                    size = self.size(index.size if hasattr(index, "size") else index.high)
                    found = poly.times(found, poly.inverse(size))
                return found
            case IndexValue(form):
                return self.size(form)
            case Where(condition, yes, no):
                chosen = self.condition(condition, env)
                other = poly.plus(poly.constant(1), poly.scaled(chosen, Fraction(-1)))
                return poly.plus(
                    poly.times(chosen, self.expr(yes, env)), poly.times(other, self.expr(no, env))
                )
            case Iverson(condition):
                return self.condition(condition, env)
        raise NoProof(type(expr).__name__)

    def size(self, form: Affine) -> Poly:
        """Return a size as a polynomial in the size letters. Raises: NoProof."""
        if any(isinstance(atom, Index) for atom, _ in form.terms):
            raise NoProof("an index as a number")
        parts = [poly.scaled(poly.generator(("size", str(a))), Fraction(c)) for a, c in form.terms]
        return poly.plus(*parts, poly.constant(form.constant))

    def _access(self, access: Access, env: Env) -> Poly:
        if access.tensor == ARGUMENT:
            raise NoProof("an argument outside of its function")
        if access.outside is not None:
            raise NoProof("a read outside")
        places = []
        for form in access.indices:
            if form.plain is None or form.plain not in env:
                raise NoProof("an index that is no letter")
            places.append(env[form.plain])
        if access.tensor not in self.network.tensors:
            return self.other(access.tensor, tuple(places))
        return self.forward(access.tensor, tuple(places))

    def condition(self, condition: Any, env: Env) -> Poly:
        """Return 1 where a comparison holds, else 0, as a factor."""
        if not isinstance(condition, Compare):
            raise NoProof("a condition")
        left, right = condition.left, condition.right
        if isinstance(left, IndexValue) and isinstance(right, IndexValue) and condition.op == "=":
            ends = [side.form.plain for side in (left, right)]
            if None not in ends and all(e in env for e in ends):
                places = sorted(env[e] for e in ends if e is not None)
                return poly.generator(("same", places[0], places[1]))
        difference = poly.plus(
            self.expr(left, env), poly.scaled(self.expr(right, env), Fraction(-1))
        )
        return comparison(condition.op, difference)

    # --- functions ---

    def call(self, name: str, argument: Poly, order: int) -> Poly:
        """Return ``f(x)`` or ``f'(x)``: an activation's own tensor, a lemma, or one factor."""
        if order:
            return self._slope(name, argument)
        made = poly.single(argument)
        if isinstance(made, tuple) and made[0] == "access" and self.level < 2:
            for equation in self.defined.values():
                rhs = equation.rhs
                place = Access(made[1], equation.lhs.indices)
                if rhs == Call(name, (place,)):
                    return poly.generator(("access", equation.lhs.tensor, made[2]))
        return poly.generator(("call", name, 0, poly.canonical(argument, self.facts)))

    def _slope(self, name: str, argument: Poly) -> Poly:
        at = Access(ARGUMENT)
        function = self.network.functions.get(name)
        if function is not None and (function.body is None or len(function.params) != 1):
            return poly.generator(("call", name, 1, poly.canonical(argument, self.facts)))
        if function is not None:
            slope = self.lemmas.slope(Call(name, (at,), (1,)))
        else:
            slope = partial(Call(name, (at,)), at)
        if isinstance(slope, Call) and any(slope.order):
            return poly.generator(("call", name, 1, poly.canonical(argument, self.facts)))
        return _Filled(self.network, self.level, self.known, self.depth, argument).expr(slope, {})


@dataclass
class _Filled(Exact):
    """Expressions in which the argument of a function is a given polynomial."""

    argument: Poly = field(default_factory=dict)

    def _access(self, access: Access, env: Env) -> Poly:
        return self.argument if access.tensor == ARGUMENT else super()._access(access, env)


def comparison(op: str, difference: Poly) -> Poly:
    """Return the factor of ``difference op 0``; both directions have one form."""
    if op in ("<", "<="):
        difference, op = poly.scaled(difference, Fraction(-1)), {"<": ">", "<=": ">="}[op]
    return poly.generator(("compare", op, poly.canonical(difference)))


def exact_of(network: Network, level: int) -> Exact:
    """Return the polynomials of a network; what was derived once is kept beside it."""
    kept = network.__dict__.get("_exact")
    if kept is None:
        kept = {}
        object.__setattr__(network, "_exact", kept)
    if level not in kept:
        kept[level] = Exact(network, level)
    found: Exact = kept[level]
    return found
