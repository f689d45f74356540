"""Slopes of defined functions: derived once from the function's own definition, then cited.

``sigmoid(z) = 1/(1 + exp(-z))`` has the raw slope ``exp(-z)/(1 + exp(-z))^2``; two named rules
shorten such slopes, branch by branch, for the library's functions and a user's own alike:

*in terms of the output*: where the definition fixes an exponential (or the like) by the value ``a``
to first degree, it is eliminated: ``a*(1 - a)``.
*known function*: a slope equal to another defined function is called by its name.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

import sympy

from derivgen.algebra.expressions import (
    ZERO,
    Access,
    Call,
    Expr,
    Iverson,
    Node,
    Where,
    accesses,
    replace_nodes,
    transform,
    walk,
    where,
)
from derivgen.algebra.network import Function
from derivgen.calculus.bridge import Symbols, denominator_parts, from_sympy, size, to_sympy
from derivgen.calculus.derivation import Lemma
from derivgen.calculus.expand import bind_arguments, full_arguments
from derivgen.calculus.partials import partial


class Lemmas:
    """The lemmas of a derivation, made on first use, in the order of first use."""

    def __init__(self, functions: Mapping[str, Function]) -> None:
        self.functions = functions
        self.known: dict[str, Lemma] = {}

    def slope(self, call: Call) -> Expr:
        """Return the value of ``call``, whose order asks for derivatives, by lemmas."""
        function = self.functions.get(call.name)
        if function is None or function.body is None or not any(call.order):
            return call
        lemma = self.of(function)
        place = next(n for n, order in enumerate(call.order) if order)
        slope = lemma.slopes[place]
        args = full_arguments(Call(call.name, call.args), function)
        own = Call(call.name, tuple(Access(p) for p in lemma.params))
        mapping: dict[Node, Node] = {
            Access(p): arg for p, arg in zip(lemma.params, args, strict=False)
        }
        mapping[own] = Call(call.name, args)
        return replace_nodes(slope, mapping)

    def of(self, function: Function) -> Lemma:
        """Return the lemma of a defined function."""
        if function.name not in self.known:
            made = lemma(function, self.functions)
            self.known[function.name] = made
        return self.known[function.name]

    def resolve(self, expr: Expr) -> tuple[Expr, tuple[str, ...]]:
        """Put lemmas in for all slopes of defined functions; returns the names cited as well."""
        cited: dict[str, None] = {}

        def visit(part: Node) -> Node:
            if isinstance(part, Call) and any(part.order):
                new = self.slope(part)
                if new != part:
                    cited[part.name] = None
                return new
            return part

        resolved = transform(expr, visit) if _has_slope(expr) else expr
        return resolved, tuple(cited)


def _has_slope(expr: Node) -> bool:
    return any(isinstance(part, Call) and any(part.order) for part in walk(expr))


def lemma(function: Function, functions: Mapping[str, Function]) -> Lemma:
    """Derive the slopes of a defined function by each of its parameters."""
    assert function.body is not None, f"{function.name} has no definition"
    params = (*function.params, *(name for name, _ in function.settings))
    inner = Lemmas({n: f for n, f in functions.items() if n != function.name})
    body = function.body
    raw, slopes, rules = [], [], dict[str, None]()
    for name in params:
        slope = inner.resolve(partial(body, Access(name)))[0]
        raw.append(slope)
        short, used = _shorten(slope, function, params, functions)
        slopes.append(short)
        rules.update((rule, None) for rule in used)
    return Lemma(function.name, params, body, tuple(raw), tuple(slopes), tuple(rules))


def _shorten(
    slope: Expr,
    function: Function,
    params: tuple[str, ...],
    functions: Mapping[str, Function],
) -> tuple[Expr, tuple[str, ...]]:
    """Return the slope, each branch in its shortest form, and the rules used."""
    used: dict[str, None] = {}

    def branch(value: Expr, forward: Expr) -> Expr:
        if isinstance(value, Where):
            yes, no = _taken(forward, value, True), _taken(forward, value, False)
            return where(value.condition, branch(value.yes, yes), branch(value.no, no))
        best, rule = _best_form(value, forward, function, params, functions)
        if rule:
            used[rule] = None
        return best

    assert function.body is not None
    return branch(slope, function.body), tuple(used)


def _taken(forward: Expr, split: Where, holds: bool) -> Expr:
    if isinstance(forward, Where) and forward.condition == split.condition:
        return forward.yes if holds else forward.no
    return forward


def _best_form(
    value: Expr,
    forward: Expr,
    function: Function,
    params: tuple[str, ...],
    functions: Mapping[str, Function],
) -> tuple[Expr, str]:
    if value == ZERO or any(isinstance(p, (Where, Iverson)) for p in walk(forward)):
        return value, ""
    symbols = Symbols()
    output = symbols.symbol(Call(function.name, tuple(Access(p) for p in params)))
    there, whole = to_sympy(value, symbols), to_sympy(forward, symbols)
    plain = size(there)
    below = denominator_parts(there)
    forms = [c for c in _eliminated(there, whole, output) if denominator_parts(c) <= below]
    candidates = [(size(c), c, "in terms of the output") for c in forms]
    for name, c in _known(there, symbols, function, params, functions):
        candidates.append((size(c), c, f"known function {name}"))
    better = [c for c in candidates if c[0] < plain]
    if not better:
        return value, ""
    _, best, rule = min(better, key=lambda c: c[0])
    return from_sympy(best, symbols), rule


def _eliminated(
    slope: sympy.Expr, forward: sympy.Expr, output: sympy.Symbol
) -> Iterator[sympy.Expr]:
    """Yield forms of the slope in which ``forward = output`` has been used to remove a part."""
    if forward.is_Mul or forward.is_Function or forward.is_Pow:
        swapped = slope.xreplace({forward: output})
        yield sympy.factor(swapped)
        yield swapped
        if forward.is_Mul:
            yield _without_monomial(slope, forward, output)
    slope, forward = _one_exponential(slope, forward)
    for generator in _generators(slope):
        place = sympy.Dummy("g", positive=True)
        yield from _solved(
            slope.xreplace({generator: place}), forward.xreplace({generator: place}), output, place
        )


def _solved(
    slope: sympy.Expr, forward: sympy.Expr, output: sympy.Symbol, generator: sympy.Symbol
) -> Iterator[sympy.Expr]:
    """Yield the slope with ``generator`` eliminated, if it occurs to one power only."""
    if not _rational(forward - output, generator) or not _rational(slope, generator):
        return
    equation = sympy.Poly(sympy.numer(sympy.together(forward - output)), generator)
    top, bottom = sympy.fraction(sympy.cancel(slope))
    polynomials = [equation, sympy.Poly(top, generator), sympy.Poly(bottom, generator)]
    powers = [power for p in polynomials for (power,) in p.monoms() if power]
    step = math.gcd(*powers) if powers else 0
    if not step or equation.degree() != step:
        return
    solved = -equation.coeff_monomial(1) / equation.LC()
    values = [_at(p, step, solved) for p in polynomials[1:]]
    yield sympy.factor(sympy.cancel(values[0] / values[1]))


def _at(polynomial: sympy.Poly, step: int, value: sympy.Expr) -> sympy.Expr:
    terms = (c * value ** (power // step) for (power,), c in polynomial.terms())
    return sympy.Add(*terms)


def _rational(expr: sympy.Expr, generator: sympy.Symbol) -> bool:
    return bool(expr.is_rational_function(generator)) and bool(expr.has(generator))


def _one_exponential(*exprs: sympy.Expr) -> tuple[sympy.Expr, ...]:
    """Write exp(2z), exp(-z), ... as powers of one symbol's exponential where they are."""
    found = sorted({e for x in exprs for e in x.atoms(sympy.exp)}, key=lambda e: (size(e), str(e)))
    if len(found) < 2:
        return exprs
    base = found[0].args[0]
    ratios = {e: sympy.cancel(e.args[0] / base) for e in found}
    if not all(ratio.is_Integer for ratio in ratios.values()):
        return exprs
    # A dummy keeps SymPy from merging the powers again.
    place = sympy.Function("exp_base", real=True)(base)
    return tuple(x.xreplace({e: place**ratio for e, ratio in ratios.items()}) for x in exprs)


def _without_monomial(slope: sympy.Expr, forward: sympy.Expr, output: sympy.Symbol) -> sympy.Expr:
    """Replace the product ``forward`` inside each term of the slope by ``output``."""
    terms = []
    for term in sympy.Add.make_args(sympy.expand(slope)):
        quotient = sympy.cancel(term / forward)
        plain = quotient.is_polynomial(*quotient.free_symbols)
        terms.append(output * quotient if plain else term)
    total = sympy.Add(*terms)
    return sympy.collect(total, output)


def _generators(expr: sympy.Expr) -> list[sympy.Expr]:
    found = expr.atoms(sympy.Function)
    return sorted(found, key=lambda g: (-int(g.count_ops()), str(g)))


def _known(
    slope: sympy.Expr,
    symbols: Symbols,
    function: Function,
    params: tuple[str, ...],
    functions: Mapping[str, Function],
) -> Iterator[tuple[str, sympy.Expr]]:
    """Yield calls of other defined functions of one parameter that equal the slope."""
    if not slope.atoms(sympy.exp):
        return
    for name in sorted(functions):
        other = functions[name]
        if name == function.name or other.body is None or other.indices or len(other.params) != 1:
            continue
        if any(isinstance(p, (Where, Iverson, Call)) and not _is_exp(p) for p in walk(other.body)):
            continue
        if other.settings or not accesses(other.body):
            continue
        for param in params:
            called = Call(name, (Access(param),))
            there = to_sympy(bind_arguments(other.body, other, called.args), symbols)
            if there.atoms(sympy.exp) and sympy.cancel(slope - there) == 0:
                yield name, symbols.symbol(called)


def _is_exp(part: Node) -> bool:
    return isinstance(part, Call) and part.name == "exp"
