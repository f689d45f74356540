"""Expressions of a network and the engine's derivatives of its loss, as polynomials.

How far equations are put in is the `Opening`: level 0 keeps every tensor, 1 puts affine maps in,
2 activations too, 3 the definitions of functions. Recurrent tensors stay closed but for the first
``unfold`` of them on a path, so that one step of a recursion can be compared with another.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any

from derivgen.algebra.affine import Affine, Index
from derivgen.algebra.expressions import (
    Access,
    Add,
    Along,
    And,
    Call,
    Compare,
    Constant,
    Div,
    Expr,
    IndexValue,
    Iverson,
    Mul,
    Node,
    Not,
    Number,
    Or,
    Pow,
    Reduce,
    Where,
)
from derivgen.algebra.network import Role
from derivgen.algebra.statements import Statement, plain_lhs
from derivgen.calculus.partials import partial
from derivgen.formulas.sequence import loss_names
from derivgen.verify.proving import polynomials as poly
from derivgen.verify.proving.exact import Exact, form_of
from derivgen.verify.proving.places import (
    Endless,
    Form,
    NoProof,
    combined,
    form,
    fresh,
    from_affine,
    minus,
)
from derivgen.verify.proving.polynomials import Poly
from derivgen.verify.world import rebound

ARGUMENT = "argument of a function"
MAX_DEPTH = 120
Places = tuple[Form, ...]
Env = Mapping[Index, Form]
Frame = Mapping[str, Callable[[Env], Poly]]  # parameters of the function being put in
# Functions by exponentials: the identity of each holds for all real numbers.
_BY_EXP: Mapping[str, Callable[[Poly, Poly], Poly]] = {
    "tanh": lambda up, down: poly.times(poly.less(up, down), poly.inverse(poly.plus(up, down))),
    "sinh": lambda up, down: poly.scaled(poly.less(up, down), Fraction(1, 2)),
    "cosh": lambda up, down: poly.scaled(poly.plus(up, down), Fraction(1, 2)),
}


def _fixed(value: Poly) -> Callable[[Env], Poly]:
    return lambda env: value


def _only_index(value: Affine) -> Index | None:
    """Return the index of ``i + c``, the form that says at once what i is."""
    if len(value.terms) == 1 and value.terms[0][1] == 1 and isinstance(value.terms[0][0], Index):
        return value.terms[0][0]
    return None


def _range_conditions(place: Form, index: Index) -> list[poly.Condition]:
    low, high = form_of(index.low), form_of(index.high)
    return [("ge", minus(place, low)), ("ge", minus(high, place, -1))]


@dataclass(frozen=True)
class Opening:
    """One way to put equations in; ``sample`` is the place of the sample where there are several.

    ``planted`` gives the seed of a derivative its place: its tensor, where it is 1, of what.
    """

    exact: Exact
    level: int = 0
    closed: frozenset[str] = frozenset()
    unfold: int = 0
    sample: tuple[Form, ...] = ()
    planted: tuple[str, Places, str] | None = None
    late: Callable[[str, Places], bool] | None = None  # what a seed cannot reach
    frame: Frame = field(default_factory=dict)
    depth: int = 0

    # --- tensors ---

    def forward(self, tensor: str, places: Places) -> Poly:
        """Return an element: itself, or what its equation says at this level."""
        if self.planted and tensor == self.planted[0]:
            same = (("eq", minus(a, b)) for a, b in zip(places, self.planted[1]))
            return poly.where(*same)
        closed = self._element(tensor, places)
        equation = self.exact.defined.get(tensor)
        inner = self._deeper(tensor)
        if equation is None or inner is None or not self._opens(tensor, equation.rhs):
            return closed
        indices = plain_lhs(equation.lhs)
        assert indices is not None, "it is defined index by index"
        try:
            return inner.expr(equation.rhs, dict(zip(indices, places)))
        except Endless:
            raise
        except NoProof:
            return closed

    def _element(self, tensor: str, places: Places) -> Poly:
        kept = self.exact.network.tensors.get(tensor)
        sample = () if kept is not None and kept.role is Role.PARAM else self.sample
        if kept is None and self.planted is not None:
            # What the engine made for a derivative of something else than the loss.
            seed, at, of = self.planted
            return poly.generator(("access", f"{tensor}, {seed} {of}", places + sample + at))
        return poly.generator(("access", tensor, places + sample))

    def _deeper(self, tensor: str) -> Opening | None:
        """Return the opening inside a tensor's equation, ``None`` where it stays closed."""
        if self.depth >= MAX_DEPTH:
            raise Endless("a recurrence")
        if tensor not in self.closed:
            return replace(self, depth=self.depth + 1, frame={})
        if not self.unfold:
            return None
        return replace(self, depth=self.depth + 1, unfold=self.unfold - 1, frame={})

    def _opens(self, tensor: str, rhs: Expr) -> bool:
        if tensor in loss_names(self.exact.network) or tensor in self.closed:
            return True
        needed = 3 if isinstance(rhs, Along) else 2 if isinstance(rhs, Call) else 1
        return self.level >= needed

    # --- derivatives of the loss ---

    def adjoint(self, tensor: str, places: Places) -> Poly:
        """Return the derivative of the loss by an element, by the engine's statements."""
        if tensor == self.exact.network.loss:
            return poly.constant(1)
        if tensor not in self.exact.adjoints:
            raise NoProof("no derivative")
        return self._invented(self.exact.adjoints[tensor], places)

    def _invented(self, tensor: str, places: Places) -> Poly:
        """Return an element of a tensor that the engine made: an adjoint or a named part."""
        if self.late is not None and self.late(tensor, places):
            return {}
        inner = self._deeper(tensor)
        if inner is None:
            return self._element(tensor, places)
        step = self.exact.steps.get(tensor)
        forward = self.exact.derivation.forward
        found = step.result if step else tuple(s for s in forward if s.lhs.tensor == tensor)
        if not found and step is None:
            raise NoProof(f"{tensor} is not known")
        if any(statement.op != "sum" for statement in found):
            return self._element(tensor, places)
        return poly.plus(*(inner.written(s, places) for s in found))

    def written(self, statement: Statement, places: Places) -> Poly:
        """Return what a statement adds to an element: the sum over all that it writes there."""
        env: dict[Index, Form] = {}
        conditions = []
        left_over = []
        for axis, (left, place) in enumerate(zip(statement.lhs.indices, places)):
            index = _only_index(left)
            if index is None or index in env:
                left_over.append((left, place))
                continue
            env[index] = combined((place, 1), constant=-left.constant)
            if left.constant or self._is_part(statement, axis, index):
                conditions += _range_conditions(env[index], index)
        bound = [(index, fresh()) for index in statement.indices if index not in env]
        env.update((index, form(name)) for index, name in bound)
        for left, place in left_over:
            conditions.append(("eq", minus(place, from_affine(left, env, self.sample))))
        found = poly.where(*conditions)
        for condition in statement.guard:
            found = poly.times(found, self.condition(condition, env))
        found = poly.times(found, self.expr(statement.body, env))
        return poly.summed(found, [(n, (form_of(i.low), form_of(i.high))) for i, n in bound])

    def _is_part(self, statement: Statement, axis: int, index: Index) -> bool:
        """Tell whether a statement writes a part of its tensor along an axis."""
        low, high = self.exact.span(statement.lhs.tensor, axis)
        return (form_of(index.low), form_of(index.high)) != (low, high)

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
            case Pow(a, Number(value)):
                return poly.power(self.expr(a, env), value)
            case Call(name, args, order):
                return self.call(name, tuple(self.expr(a, env) for a in args), order)
        return self._more(expr, env)

    def _more(self, expr: Node, env: Env) -> Poly:
        match expr:
            case Reduce(op, bound, body) if op in ("sum", "mean"):
                return self._reduced(op, bound, body, env)
            case IndexValue(value):
                return poly.index_value(from_affine(value, env, self.sample))
            case Where(condition, yes, no):
                chosen = self.condition(condition, env)
                other = poly.less(poly.constant(1), chosen)
                return poly.plus(
                    poly.times(chosen, self.expr(yes, env)), poly.times(other, self.expr(no, env))
                )
            case Iverson(condition):
                return self.condition(condition, env)
            case Along(name, indices, args) if len(args) == 1:
                return self.along(name, indices, lambda at: self.expr(args[0], at), env)
            case Constant(name):
                return poly.generator(("free", name))
        raise NoProof(type(expr).__name__)

    def _reduced(self, op: str, bound: tuple[Index, ...], body: Expr, env: Env) -> Poly:
        names = {index: fresh() for index in bound}
        # A letter inside a fold hides one of the same name outside.
        outer = {i: f for i, f in env.items() if i.name not in [b.name for b in bound]}
        made = self.expr(body, {**outer, **{i: form(n) for i, n in names.items()}})
        spans = {
            i: (from_affine(i.low, env, self.sample), from_affine(i.high, env, self.sample))
            for i in bound
        }
        found = poly.summed(made, [(n, spans[i]) for i, n in names.items()])
        for index in bound if op == "mean" else ():
            count = minus(spans[index][1], spans[index][0])
            found = poly.times(found, poly.inverse(poly.index_value(count)))
        return found

    def _access(self, access: Access, env: Env) -> Poly:
        if not access.indices and access.tensor in self.frame:
            return self.frame[access.tensor](env)
        places = tuple(from_affine(f, env, self.sample) for f in access.indices)
        if access.tensor not in self.exact.network.tensors:
            return self._invented(access.tensor, places)
        found = self.forward(access.tensor, places)
        if access.outside is None:
            return found
        return self.padded(access.tensor, places, found, self.expr(access.outside, env))

    def padded(self, tensor: str, places: Places, inside: Poly, outside: Poly) -> Poly:
        """Return an element that has another value outside of its tensor."""
        ranges = [self.exact.span(tensor, axis) for axis in range(len(places))]
        conditions = [
            condition
            for place, (low, high) in zip(places, ranges)
            for condition in (("ge", minus(place, low)), ("ge", minus(high, place, -1)))
        ]
        there = poly.where(*conditions)
        found = poly.times(there, inside)
        if outside:
            found = poly.plus(found, poly.times(poly.less(poly.constant(1), there), outside))
        return found

    def condition(self, condition: Any, env: Env) -> Poly:
        """Return 1 where a comparison holds, else 0, as a factor."""
        match condition:
            case And(parts):
                found = poly.constant(1)
                for part in parts:
                    found = poly.times(found, self.condition(part, env))
                return found
            case Or(parts):
                none = poly.constant(1)
                for part in parts:
                    none = poly.times(none, poly.less(poly.constant(1), self.condition(part, env)))
                return poly.less(poly.constant(1), none)
            case Not(part):
                return poly.less(poly.constant(1), self.condition(part, env))
            case Compare(op, left, right):
                sides = [self._place(side, env) for side in (left, right)]
                if sides[0] is not None and sides[1] is not None:
                    return poly.index_condition(op, minus(sides[0], sides[1]))
                difference = poly.less(self.expr(left, env), self.expr(right, env))
                return poly.comparison(op, difference)
        raise NoProof("a condition")

    def _place(self, side: Node, env: Env) -> Form | None:
        if isinstance(side, IndexValue):
            return from_affine(side.form, env, self.sample)
        if isinstance(side, Number) and side.value.denominator == 1:
            return combined(constant=int(side.value))
        return None

    # --- functions ---

    def call(self, name: str, args: tuple[Poly, ...], order: tuple[int, ...] = ()) -> Poly:
        """Return ``f(x)`` or a slope: an activation's own tensor, a lemma, or one factor."""
        if sum(order) > 1:
            raise NoProof("a second derivative")
        if sum(order):
            return self._slope(name, args, order)
        if name == "stop_gradient":
            return args[0]
        if name in ("exp", "sqrt") and len(args) == 1:
            return (
                poly.exponential(args[0]) if name == "exp" else poly.power(args[0], Fraction(1, 2))
            )
        if self.level < 2 and (own := self._own_tensor(name, args)) is not None:
            return own
        function = self.exact.network.functions.get(name)
        if self.level == 3 and function is not None and function.body is not None:
            return self._put_in(name, args, function.body)
        if self.level == 3 and name in _BY_EXP:
            up = poly.exponential(args[0])
            return _BY_EXP[name](up, poly.exponential(poly.scaled(args[0], -1)))
        return poly.generator(("call", name, (), tuple(map(poly.enclosed, args))))

    def _own_tensor(self, name: str, args: tuple[Poly, ...]) -> Poly | None:
        """Return the tensor that is defined as this function of this element."""
        if len(args) != 1 or len(args[0]) != 1:
            return None
        (((bound, conditions, factors), value),) = args[0].items()
        if bound or conditions or value != 1:
            return None
        if len(factors) != 1 or factors[0][1] != 1 or factors[0][0][0] != "access":
            return None
        _, tensor, places = factors[0][0]
        for made, equation in self.exact.defined.items():
            if equation.rhs == Call(name, (Access(tensor, equation.lhs.indices),)):
                return poly.generator(("access", made, places))
        return None

    def _put_in(self, name: str, args: tuple[Poly, ...], body: Expr) -> Poly:
        function = self.exact.network.functions[name]
        if function.indices:
            raise NoProof("a function of a vector")
        return self._framed(function, args).expr(body, {})

    def _framed(self, function: Any, args: tuple[Poly, ...]) -> Opening:
        values = {n: poly.constant(v) for n, v in function.settings}
        values.update(zip(function.params, args))
        return self._with({n: _fixed(v) for n, v in values.items()})

    def _with(self, frame: Frame) -> Opening:
        if self.depth >= MAX_DEPTH:
            raise Endless("a recurrence")
        return replace(self, frame=frame, depth=self.depth + 1)

    def along(
        self, name: str, indices: tuple[Index, ...], argument: Callable[[Env], Poly], env: Env
    ) -> Poly:
        """Return a function along indices, put in: softmax as a quotient of exponentials."""
        function = self.exact.network.functions.get(name)
        if self.level < 3 or function is None or function.body is None:
            raise NoProof("a function of a vector")
        frame = {n: _fixed(poly.constant(v)) for n, v in function.settings}

        def given(at: Env) -> Poly:
            here = {i.name: place for i, place in at.items()}
            moved = {i: here[own.name] for own, i in zip(function.indices, indices)}
            return argument({**env, **moved})

        frame[function.params[0]] = given
        inner = {
            Index(own.name, i.low, i.high): env[i] for own, i in zip(function.indices, indices)
        }
        return self._with(frame).expr(rebound(function, indices), inner)

    def _slope(self, name: str, args: tuple[Poly, ...], order: tuple[int, ...]) -> Poly:
        own = poly.generator(("call", name, tuple(order), tuple(map(poly.enclosed, args))))
        function = self.exact.network.functions.get(name)
        if function is not None and (function.body is None or function.indices):
            return own
        ats = tuple(Access(f"{ARGUMENT} {n}") for n in range(len(args)))
        if function is not None:
            slope = self.exact.lemmas.slope(Call(name, ats, order))
        else:
            slope = partial(Call(name, ats), ats[order.index(1)])
        if isinstance(slope, Call) and any(slope.order):
            return own
        frame = {at.tensor: _fixed(v) for at, v in zip(ats, args)}
        return self._with(frame).expr(slope, {})
