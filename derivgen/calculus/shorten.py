"""Named rules that shorten a slope with the help of the function it is the slope of.

*in terms of the output*: where ``forward = a`` fixes an exponential (or the like) to first degree,
it is eliminated: ``exp(-z)/(1 + exp(-z))^2`` becomes ``a*(1 - a)``.
*known function*: a slope equal to a defined function is called by its name: softplus' is sigmoid.
A rule is used where the result is shorter and has no new denominator, branch by branch. The rules
serve defined functions and equations alike; equal shapes are worked out once.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from functools import lru_cache

import sympy

from derivgen.algebra.expressions import (
    ZERO,
    Access,
    Call,
    Expr,
    Iverson,
    Where,
    accesses,
    replace_nodes,
    walk,
    where,
)
from derivgen.algebra.network import Function
from derivgen.calculus.bridge import (
    Symbols,
    denominator_parts,
    factorable,
    from_sympy,
    size,
    to_sympy,
)
from derivgen.calculus.partials import shape_of

# Name, parameter and definition of the functions of one number that are rational in exp.
Rational = tuple[tuple[str, Access, Expr], ...]


def rational_in_exponentials(functions: Mapping[str, Function]) -> Rational:
    """Return the defined functions of one number that are rational in its exponential."""
    found = []
    for name in sorted(functions):
        function = functions[name]
        if function.body is None or function.indices or len(function.params) != 1:
            continue
        calls = [part for part in walk(function.body) if isinstance(part, Call)]
        if any(isinstance(part, (Where, Iverson)) for part in walk(function.body)):
            continue
        if calls and all(call.name == "exp" for call in calls):
            found.append((name, Access(function.params[0]), function.body))
    return tuple(found)


def shortest(
    slope: Expr, forward: Expr, output: Expr | None, known: Rational
) -> tuple[Expr, tuple[str, ...]]:
    """Return the slope of ``forward``, each branch in its shortest form, and the rules used.

    ``output`` is where the value of ``forward`` can be read, if it can. Both have their conditions
    on top.
    """
    if isinstance(slope, Where):
        yes, used = shortest(slope.yes, _taken(forward, slope, True), output, known)
        no, more = shortest(slope.no, _taken(forward, slope, False), output, known)
        return where(slope.condition, yes, no), tuple(dict.fromkeys(used + more))
    if slope == ZERO or any(isinstance(p, (Where, Iverson)) for p in walk(forward)):
        return slope, ()
    parts: tuple[Expr, ...] = (slope, forward) if output is None else (slope, forward, output)
    own = output.name if isinstance(output, Call) else ""
    if isinstance(output, Call):  # its own value is one leaf, not a call to look into
        parts = tuple(replace_nodes(part, {output: _OWN}) for part in parts)
    shape, leaves = shape_of(Call("#slope", parts))
    assert isinstance(shape, Call), "a call keeps its shape"
    short, rule = _shortest_shape(shape, tuple(k for k in known if k[0] != own))
    result = replace_nodes(short, leaves)
    if isinstance(output, Call):
        result = replace_nodes(result, {_OWN: output})
    return result, (rule,) if rule else ()


_OWN = Access("#own")


def _taken(forward: Expr, split: Where, holds: bool) -> Expr:
    if isinstance(forward, Where) and forward.condition == split.condition:
        return forward.yes if holds else forward.no
    return forward


@lru_cache(maxsize=4096)
def _shortest_shape(shape: Call, known: Rational) -> tuple[Expr, str]:
    slope, forward, *rest = shape.args
    symbols = Symbols()
    there, whole = to_sympy(slope, symbols), to_sympy(forward, symbols)
    if not (factorable(there) and factorable(whole)):
        return slope, ""
    below = denominator_parts(there)
    candidates = []
    if rest:
        forms = _eliminated(there, whole, symbols.symbol(rest[0]))
        kept = [form for form in forms if denominator_parts(form) <= below]
        candidates += [(size(form), form, "in terms of the output") for form in kept]
    for name, form in _equal_functions(slope, there, symbols, known):
        candidates.append((size(form), form, f"known function {name}"))
    better = [c for c in candidates if c[0] < size(there)]
    if not better:
        return slope, ""
    _, best, rule = min(better, key=lambda c: c[0])
    return from_sympy(best, symbols), rule


def _equal_functions(
    slope: Expr, there: sympy.Expr, symbols: Symbols, known: Rational
) -> Iterator[tuple[str, sympy.Expr]]:
    """Yield the slope with a factor that equals a defined function called by its name."""
    if not there.atoms(sympy.exp):
        return
    constant, varying = sympy.factor(there).as_independent(sympy.exp, as_Add=False)
    for name, param, body in known:
        for access in accesses(slope):
            called = Call(name, (access,))
            other = to_sympy(replace_nodes(body, {param: access}), symbols)
            ratio = sympy.cancel(varying / other)
            if not ratio.has(sympy.exp) and ratio.is_polynomial(*ratio.free_symbols):
                yield name, constant * ratio * symbols.symbol(called)


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
