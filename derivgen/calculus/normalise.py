"""From equations as written to statements ``for I where G: out[g] op= body``.

Rules (the reasons are in Note [Normal form]): a reduction stands only at the top of a statement;
elsewhere it gets a name. Sums are split term by term where a term is a reduction, so no name is
needed for ``sum[d](V*x) + c``. The argument of a nonlinear function gets a name, which makes its
adjoint the textbook's delta. Named parts are shared by structure and ranges. Conditions on indices
become guards; parts taken out of a conditional branch keep its condition.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace

from derivgen.algebra.affine import affine, indices_of
from derivgen.algebra.expressions import (
    ONE,
    ZERO,
    Access,
    Add,
    Call,
    Compare,
    Condition,
    Constant,
    Derivative,
    Div,
    Expr,
    IndexValue,
    Iverson,
    Mul,
    Number,
    Or,
    Reduce,
    Where,
    add,
    children,
    conjunction,
    is_guard,
    map_parts,
    mul,
    negation,
    rebuild,
    walk,
    where,
)
from derivgen.algebra.network import Axis, Equation, Network, Role, Tensor
from derivgen.algebra.statements import Statement
from derivgen.calculus.derivation import Named
from derivgen.calculus.expand import expand, full_arguments
from derivgen.calculus.names import Names
from derivgen.calculus.parts import (
    NUMERIC,
    Scale,
    Scope,
    base_cases,
    canonical,
    conditioned,
    constants,
    differs,
    guarded,
    one_value,
    part_name,
    part_scope,
)
from derivgen.errors import EquationError

# Their arguments stay in place if they are built from one access and numbers: log(1 - p), exp(-z).
TRANSPARENT = ("exp", "log", "sqrt", "log1p", "expm1", "abs", "stop_gradient", "floor", "sign")
# A call whose slope is best written in its own value gets a name when it is only part of a body.
KEPT_IN_PLACE = (*TRANSPARENT, "sin", "cos", "erf", "lgamma", "max", "min", "digamma")

MOST_FACTORS = 12  # of a product: more are named in groups, or its slopes grow with their square


@dataclass(frozen=True)
class Normal:
    """Normal form of a network: statements in the equations' order, tensors, invented names."""

    statements: tuple[Statement, ...]
    tensors: Mapping[str, Tensor]
    named: Mapping[str, Named]
    derivatives: tuple[tuple[str, Derivative], ...] = ()


def normalise(network: Network, names: Names | None = None) -> Normal:
    """Return the statements of a network's equations.

    ``d(u, x)`` leaves an access to a tensor listed in ``derivatives``, whose statements the engine
    supplies (`derivgen.calculus.engine.forward`).
    """
    builder = _Builder(network, names or Names(network))
    for number, equation in enumerate(network.equations):
        builder.add_equation(number, equation)
    return Normal(
        tuple(builder.statements),
        builder.tensors,
        builder.named,
        tuple(builder.derivatives.items()),
    )


class _Builder:
    """Collects statements; the tables of names make equal parts one tensor."""

    def __init__(self, network: Network, names: Names) -> None:
        self.network = network
        self.names = names
        self.statements: list[Statement] = []
        self.tensors: dict[str, Tensor] = dict(network.tensors)
        self.named: dict[str, Named] = {}
        self.derivatives: dict[str, Derivative] = {}
        self.parts: dict[object, str] = {}
        self.equation = -1
        self.owner = ""
        self.constants = {t.name for t in network.of_role(Role.CONST) if not t.axes}
        self.bases = base_cases(network)
        written = Counter(equation.lhs.tensor for equation in network.equations)
        self.shared = {name for name, count in written.items() if count > 1}

    def add_equation(self, number: int, equation: Equation) -> None:
        self.equation, self.owner = number, equation.lhs.tensor
        left = tuple(dict.fromkeys(i for f in equation.lhs.indices for i in indices_of(f)))
        _no_zero_denominator(equation)
        rhs = expand(equation.rhs, self.network, self.names, left)
        guard = self._base_guard(equation.lhs)
        self.define(equation.lhs, Scope(left, guard), rhs)

    def define(self, lhs: Access, scope: Scope, expr: Expr) -> None:
        """Add the statements that make ``lhs`` equal to ``expr``."""
        # A tensor with several equations keeps one fold, the sum, whatever each equation does.
        if isinstance(expr, Reduce) and expr.op != "sum" and lhs.tensor not in self.shared:
            self._fold(lhs, scope, expr)
        else:
            self._sum(lhs, scope, Scale(), expr)

    # --- sums, term by term ---

    def _sum(self, lhs: Access, scope: Scope, scale: Scale, expr: Expr) -> None:
        match expr:
            case Reduce("sum", bound, body):
                self._sum(lhs, scope.looping(bound), scale, body)
            case Add(terms) if any(self._splits(term) for term in terms):
                rest = [term for term in terms if not self._splits(term)]
                for term in terms:
                    if self._splits(term):
                        self._sum(lhs, scope, scale, term)
                if rest:
                    self._emit(lhs, scope, scale.apply(add(*rest)))
            case Mul(factors) if self._splits(expr):
                self._product(lhs, scope, scale, factors)
            case Div(numerator, denominator) if self._splits(expr):
                deeper = replace(scale, denominator=(*scale.denominator, denominator))
                self._sum(lhs, scope, deeper, numerator)
            case Where(condition, yes, no) if is_guard(condition):
                self._sum(lhs, scope.where(condition), scale, yes)
                self._sum(lhs, scope.where(negation(condition)), scale, no)
            case Iverson(condition) if is_guard(condition):
                self._emit(lhs, scope.where(condition), scale.apply(ONE))
            case _:
                self._emit(lhs, scope, scale.apply(expr))

    def _splits(self, expr: Expr) -> bool:
        """Tell whether a term becomes statements of its own."""
        match expr:
            case Reduce("sum", _, _):
                return True
            case Where(condition, _, _) | Iverson(condition):
                return is_guard(condition)
            case Add(terms):
                return any(self._splits(term) for term in terms)
            case Div(numerator, denominator):
                return guarded(numerator) or (
                    self._numeric(denominator) and self._splits(numerator)
                )
            case Mul(factors):
                if any(guarded(factor) for factor in factors):
                    return True
                others = [factor for factor in factors if not self._numeric(factor)]
                return len(others) == 1 and self._splits(others[0])
            case _:
                return False

    def _product(self, lhs: Access, scope: Scope, scale: Scale, factors: tuple[Expr, ...]) -> None:
        for place, factor in enumerate(factors):
            before, after = factors[:place], factors[place + 1 :]
            if isinstance(factor, Div) and guarded(factor):
                deeper = replace(scale, denominator=(*scale.denominator, factor.denominator))
                self._sum(lhs, scope, deeper, mul(*before, factor.numerator, *after))
                return
            if isinstance(factor, (Where, Iverson)) and guarded(factor):
                yes, no = (factor.yes, factor.no) if isinstance(factor, Where) else (ONE, ZERO)
                inside = scope.where(factor.condition)
                outside = scope.where(negation(factor.condition))
                self._sum(lhs, inside, scale, mul(*before, yes, *after))
                self._sum(lhs, outside, scale, mul(*before, no, *after))
                return
        numbers = tuple(factor for factor in factors if self._numeric(factor))
        others = [factor for factor in factors if not self._numeric(factor)]
        self._sum(lhs, scope, replace(scale, numerator=(*scale.numerator, *numbers)), others[0])

    def _numeric(self, expr: Expr) -> bool:
        """Tell whether an expression is made of numbers, sizes and rank-0 constants."""
        for part in walk(expr):
            if isinstance(part, IndexValue) and any(True for _ in indices_of(part.form)):
                return False
            if isinstance(part, Access) and part.tensor not in self.constants:
                return False
            if not isinstance(part, NUMERIC):
                return False
        return True

    def _emit(self, lhs: Access, scope: Scope, body: Expr) -> None:
        body = self.scalar(body, scope, top=True)
        if body != ZERO:
            self._append(lhs, scope, "sum", body)

    def _append(self, lhs: Access, scope: Scope, op: str, body: Expr) -> None:
        if op == "sum":
            scope, body = one_value(scope, lhs, body, self.tensors)
        self.statements.append(Statement(scope.indices, scope.guard, lhs, op, body, self.equation))

    # --- other folds ---

    def _fold(self, lhs: Access, scope: Scope, reduction: Reduce) -> None:
        inner = replace(scope.looping(reduction.bound), conditions=())
        operand = reduction.body
        if not isinstance(operand, Access):
            operand = self.name_part(operand, inner, "operand")
        self._append(lhs, inner, reduction.op, operand)

    # --- scalar bodies ---

    def scalar(self, expr: Expr, scope: Scope, top: bool = False) -> Expr:
        """Return ``expr`` as a body: reductions and arguments of functions get names."""
        match expr:
            case Reduce():
                winner = expr.op in ("argmax", "argmin")
                return self.name_part(expr, scope, "position" if winner else "reduction")
            case Derivative(of, by):
                return self._derivative(of, by)
            case Call():
                return self._call(expr, scope, top)
            case Where(condition, yes, no):
                if is_guard(condition) and not top:
                    return self.name_part(expr, scope, "argument")
                condition = self._condition(condition, scope)
                return where(
                    condition,
                    # A branch of the top is a top itself, or a part would be named after itself.
                    self.scalar(yes, scope.given(condition), top),
                    self.scalar(no, scope.given(negation(condition)), top),
                )
            case Iverson(condition):
                return Iverson(self._condition(condition, scope))
            case Mul(factors) if len(factors) > MOST_FACTORS:
                return self.scalar(self._shorter(factors, scope), scope)
            case _:
                if isinstance(expr, Access):
                    return expr
                return map_parts(expr, lambda part: self.scalar(part, scope))

    def _shorter(self, factors: tuple[Expr, ...], scope: Scope) -> Expr:
        """Return a long product with each few of its factors named: its slope has them all."""
        step = MOST_FACTORS // 2
        groups = [factors[at : at + step] for at in range(0, len(factors), step)]
        named = (self.name_part(mul(*g), scope, "product") for g in groups if len(g) > 1)
        return mul(*named, *(g[0] for g in groups if len(g) == 1))

    def _condition(self, condition: Condition, scope: Scope) -> Condition:
        if isinstance(condition, Compare):
            left, right = self.scalar(condition.left, scope), self.scalar(condition.right, scope)
            return Compare(condition.op, left, right)
        return rebuild(condition, tuple(self._condition(p, scope) for p in children(condition)))

    def _call(self, call: Call, scope: Scope, top: bool) -> Expr:
        function = self.network.functions.get(call.name)
        if function is not None:
            call = replace(call, args=full_arguments(call, function))
        args = tuple(self._argument(call, arg, scope) for arg in call.args)
        call = replace(call, args=args)
        if top or call.name in KEPT_IN_PLACE or not any(isinstance(a, Access) for a in args):
            return call
        return self.name_part(call, scope, "value")

    def _argument(self, call: Call, arg: Expr, scope: Scope) -> Expr:
        if isinstance(arg, (Access, Number, Constant)):
            return arg
        leaves = _leaves(arg)
        if not leaves:
            return arg
        conditional = any(isinstance(part, (Where, Iverson)) for part in walk(arg))
        if call.name in TRANSPARENT and len(leaves) == 1 and not conditional:
            return self.scalar(arg, scope)
        return self.name_part(arg, scope, "argument")

    def _derivative(self, of: Access, by: Access) -> Expr:
        base = Derivative(Access(of.tensor), Access(by.tensor))
        for name, known in self.derivatives.items():
            if known == base:
                return Access(name, (*of.indices, *by.indices))
        name = self.names.tensor(f"d_{of.tensor}_d_{by.tensor}")
        axes = self.tensors[of.tensor].axes + self.tensors[by.tensor].axes
        self.tensors[name] = Tensor(name, axes)
        self.named[name] = Named(name, base, "derivative", self.equation)
        self.derivatives[name] = base
        return Access(name, (*of.indices, *by.indices))

    # --- named parts ---

    def name_part(self, expr: Expr, scope: Scope, reason: str) -> Access:
        """Return an access to a tensor that holds ``expr``, made now unless it exists."""
        indices, guard = part_scope(expr, scope, self.tensors)
        if scope.conditions:
            expr = conditioned(expr, scope.conditions)
            indices, guard = part_scope(expr, scope, self.tensors)
        key = canonical(expr, indices, guard)
        access_indices = tuple(affine(index) for index in indices)
        if key in self.parts:
            return Access(self.parts[key], access_indices)
        name = self.names.tensor(part_name(expr, reason, self.owner))
        self.parts[key] = name
        axes = tuple(Axis(index.low, index.high) for index in indices)
        self.tensors[name] = Tensor(name, axes, axis_names=tuple(i.name for i in indices))
        self.named[name] = Named(name, expr, reason, self.equation)
        access = Access(name, access_indices)
        self.define(access, Scope(indices, guard), expr)
        return access

    # --- base cases ---

    def _base_guard(self, lhs: Access) -> tuple[Condition, ...]:
        own = constants(lhs)
        guard: list[Condition] = []
        for base in self.bases.get(lhs.tensor, ()):
            fixed = constants(base)
            if len(fixed) <= len(own) or base == lhs:
                continue
            tests = [
                differs(lhs.indices[axis], value)
                for axis, value in fixed.items()
                if lhs.indices[axis] != affine(value)
            ]
            if tests:
                guard.append(tests[0] if len(tests) == 1 else Or(tuple(tests)))
        return conjunction(tuple(guard))


def _leaves(expr: Expr) -> set[Expr]:
    """Return what would stand as a single access below ``expr`` once its parts have names."""
    if isinstance(expr, (Access, Derivative, Reduce)):
        return {expr}
    if isinstance(expr, Call):
        inside = {leaf for arg in expr.args for leaf in _leaves(arg)}
        in_place = expr.name in TRANSPARENT and len(inside) <= 1
        return inside if in_place else {expr}
    return {leaf for part in children(expr) for leaf in _leaves(part)}


def _no_zero_denominator(equation: Equation) -> None:
    for part in walk(equation.rhs):
        if isinstance(part, Div) and part.denominator == ZERO:
            raise EquationError(
                equation.lhs.tensor,
                "The right side divides by the constant 0.",
                "Divide by something that can differ from 0.",
                equation.position,
            )


# Note [Normal form]
# Splitting sums instead of naming each reduction keeps the writer's own quantities: the adjoint of
# alpha = sum_d V x + c is then one delta that both terms receive. Naming arguments stops second
# derivatives from swelling. A part hoisted out of where(c, log(x)*2, 0) must not be evaluated where
# c is false: its slope would be 0 * inf in the backward pass.
