"""The border to SymPy: scalar expressions go over with opaque symbols and come back checked.

Only explicit constructors are used and only symbols that we made exist on the other side, so no
text is ever interpreted. Whatever SymPy returns that we do not know is an error, never a guess.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from fractions import Fraction

import sympy

from derivgen.algebra.expressions import (
    ONE,
    Access,
    Add,
    Call,
    Constant,
    Div,
    Expr,
    IndexValue,
    Mul,
    Number,
    Pow,
    add,
    div,
    mul,
    neg,
    number,
    power,
)

TO_SYMPY: Mapping[str, Callable[..., sympy.Expr]] = {
    "exp": sympy.exp,
    "log": sympy.log,
    "log1p": lambda x: sympy.log(1 + x),
    "expm1": lambda x: sympy.exp(x) - 1,
    "sqrt": sympy.sqrt,
    "tanh": sympy.tanh,
    "sinh": sympy.sinh,
    "cosh": sympy.cosh,
    "sin": sympy.sin,
    "cos": sympy.cos,
    "asin": sympy.asin,
    "acos": sympy.acos,
    "atan": sympy.atan,
    "abs": sympy.Abs,
    "erf": sympy.erf,
    "lgamma": sympy.loggamma,
    "digamma": lambda x: sympy.polygamma(0, x),
    "trigamma": lambda x: sympy.polygamma(1, x),
}
# Slope 0 wherever they have one: their value is opaque to differentiation.
FLAT = ("sign", "floor", "stop_gradient")
FROM_SYMPY = {
    sympy.exp: "exp",
    sympy.log: "log",
    sympy.tanh: "tanh",
    sympy.sinh: "sinh",
    sympy.cosh: "cosh",
    sympy.sin: "sin",
    sympy.cos: "cos",
    sympy.asin: "asin",
    sympy.acos: "acos",
    sympy.atan: "atan",
    sympy.Abs: "abs",
    sympy.sign: "sign",
    sympy.erf: "erf",
    sympy.loggamma: "lgamma",
}


# Of what is factored: letters, and terms once products of sums are multiplied out.
MOST_LETTERS = 40
MOST_TERMS = 300


class Symbols:
    """A two-way table between opaque expressions and SymPy symbols, numbered by occurrence.

    ``places`` gives the numbers, where these are the occurrences in something larger.
    """

    def __init__(self, places: Mapping[Expr, int] | None = None) -> None:
        self.of: dict[Expr, sympy.Symbol] = {}
        self.back: dict[sympy.Symbol, Expr] = {}
        self.places = places

    def symbol(self, expr: Expr) -> sympy.Symbol:
        """Return the symbol that stands for ``expr``."""
        if expr not in self.of:
            place = len(self.of) if self.places is None else self.places[expr]
            made = sympy.Symbol(f"p{place:04d}", real=True)
            self.of[expr], self.back[made] = made, expr
        return self.of[expr]


def to_sympy(expr: Expr, symbols: Symbols, exponent: bool = False) -> sympy.Expr:
    """Return ``expr`` on SymPy's side; accesses, sizes, decimals and other calls are opaque."""
    match expr:
        case Number(value):
            if value.denominator == 1 or exponent:
                return sympy.Rational(value.numerator, value.denominator)
            return symbols.symbol(expr)
        case Add(terms):
            return sympy.Add(*(to_sympy(term, symbols) for term in terms))
        case Mul(factors):
            return sympy.Mul(*(to_sympy(factor, symbols) for factor in factors))
        case Div(a, b):
            return sympy.Mul(to_sympy(a, symbols), sympy.Pow(to_sympy(b, symbols), -1))
        case Pow(a, b):
            return sympy.Pow(to_sympy(a, symbols), to_sympy(b, symbols, exponent=True))
        case Call(name, args, ()) if name in TO_SYMPY:
            return TO_SYMPY[name](*(to_sympy(arg, symbols) for arg in args))
        case Access() | IndexValue() | Constant() | Call():
            return symbols.symbol(expr)
        case _:
            raise AssertionError(f"{type(expr).__name__} cannot go to SymPy: {expr}")


def from_sympy(expr: sympy.Expr, symbols: Symbols) -> Expr:
    """Return a SymPy expression on our side; fails loudly on anything unknown."""
    if expr.is_Symbol:
        return symbols.back[expr]
    if expr.is_Rational:
        return _rational(expr)
    if expr.is_Add:
        return _sum(expr, symbols)
    if expr.is_Mul:
        return _product(expr, symbols)
    if expr.is_Pow:
        return _power(expr.base, expr.exp, symbols)
    if expr is sympy.pi:
        return Constant("pi")
    if expr is sympy.E:
        return Call("exp", (ONE,))
    args = tuple(from_sympy(arg, symbols) for arg in expr.args)
    if expr.func is sympy.polygamma and expr.args[0] in (0, 1):
        return Call("digamma" if expr.args[0] == 0 else "trigamma", args[1:])
    if expr.func not in FROM_SYMPY:
        raise AssertionError(f"SymPy returned {expr.func.__name__}, which has no meaning here")
    return Call(FROM_SYMPY[expr.func], args)


def _rational(value: sympy.Rational) -> Expr:
    return number(Fraction(int(value.p), int(value.q)))


def _sum(expr: sympy.Expr, symbols: Symbols) -> Expr:
    # The terms that carry a minus sign come last: 1 - a rather than -a + 1.
    terms = sorted(expr.args, key=lambda term: (term.could_extract_minus_sign(), _key(term)))
    return add(*(from_sympy(term, symbols) for term in terms))


def _key(term: sympy.Expr) -> tuple[bool, str]:
    return (bool(term.is_number), str(term))


def _product(expr: sympy.Expr, symbols: Symbols) -> Expr:
    coefficient, rest = expr.as_coeff_Mul()
    factors = sorted(sympy.Mul.make_args(rest), key=_factor_key)
    if coefficient.could_extract_minus_sign():
        coefficient, factors = _turn_difference(coefficient, factors)
    factors = _turn_quotient(factors)
    above: list[Expr] = []
    below: list[Expr] = []
    for factor in factors:
        base, exponent = factor.as_base_exp() if factor.is_Pow else (factor, sympy.Integer(1))
        if exponent.could_extract_minus_sign() and not isinstance(factor, sympy.exp):
            below.append(_power(base, -exponent, symbols))
        else:
            above.append(from_sympy(factor, symbols))
    sign = coefficient.p < 0
    top = mul(number(abs(int(coefficient.p))), *above)
    bottom = mul(number(int(coefficient.q)), *below)
    quotient = div(top, bottom)
    return neg(quotient) if sign else quotient


def _turn_difference(
    coefficient: sympy.Expr, factors: list[sympy.Expr]
) -> tuple[sympy.Expr, list[sympy.Expr]]:
    """Write ``-a*(b - 1)`` as ``a*(1 - b)``."""
    for place, factor in enumerate(factors):
        if _is_difference(factor):
            turned = sympy.Add(*(-term for term in factor.args))
            return -coefficient, [*factors[:place], turned, *factors[place + 1 :]]
    return coefficient, factors


def _turn_quotient(factors: list[sympy.Expr]) -> list[sympy.Expr]:
    """Write ``(y - p)/(p - 1)`` as ``(p - y)/(1 - p)``."""
    above = next((n for n, f in enumerate(factors) if _is_difference(f)), None)
    below = next(
        (n for n, f in enumerate(factors) if f.is_Pow and f.exp == -1 and _lacks(f.base)), None
    )
    if above is None or below is None:
        return factors
    turned = list(factors)
    turned[above] = sympy.Add(*(-term for term in factors[above].args))
    turned[below] = sympy.Pow(sympy.Add(*(-term for term in factors[below].base.args)), -1)
    return turned


def _is_difference(expr: sympy.Expr) -> bool:
    return bool(expr.is_Add) and any(term.could_extract_minus_sign() for term in expr.args)


def _lacks(expr: sympy.Expr) -> bool:
    """Tell whether an expression is of the form ``p - 1``."""
    return bool(expr.is_Add) and any(t.is_number and t.is_negative for t in expr.args)


def _factor_key(factor: sympy.Expr) -> tuple[bool, int, str]:
    return (factor.is_Add, 0, str(factor))


def _power(base: sympy.Expr, exponent: sympy.Expr, symbols: Symbols) -> Expr:
    if exponent.could_extract_minus_sign():
        return div(ONE, _power(base, -exponent, symbols))
    inner = from_sympy(base, symbols)
    if exponent == sympy.Rational(1, 2):
        return Call("sqrt", (inner,))
    return power(inner, from_sympy(exponent, symbols))


def tidy(expr: sympy.Expr) -> sympy.Expr:
    """Return the shortest of an expression, its cancelled and its factored form.

    What is too large to be factored stays as it is.
    """
    if not factorable(expr):
        return expr
    candidates = [sympy.factor_terms(expr), expr, sympy.factor(expr), sympy.cancel(expr)]
    if expr.has(sympy.sign):
        # z*sign(z) is |z|; taken only if no 1/z is left over.
        names = {m: sympy.Dummy() for m in expr.atoms(sympy.Abs)}
        moduli = {s: sympy.Abs(s.args[0]) / s.args[0] for s in expr.atoms(sympy.sign)}
        form = sympy.factor(expr.xreplace(moduli).xreplace(names))
        form = form.xreplace({name: m for m, name in names.items()})
        if denominator_parts(form) <= denominator_parts(expr):
            candidates.append(form)
    if expr.has(sympy.sinh) and expr.has(sympy.cosh):
        # sinh/cosh overflows to inf/inf where tanh is 1.
        quotients = {
            s: sympy.tanh(s.args[0]) * sympy.cosh(s.args[0]) for s in expr.atoms(sympy.sinh)
        }
        candidates.append(sympy.cancel(expr.xreplace(quotients)))
    return min(candidates, key=size)


def factorable(expr: sympy.Expr) -> bool:
    """Tell whether an expression is so small that factoring it, which is exponential, ends soon."""
    return len(expr.free_symbols) <= MOST_LETTERS and _terms(expr) <= MOST_TERMS


def _terms(expr: sympy.Expr) -> int:
    """Return about how many terms there are once products of sums are multiplied out."""
    if expr.is_Add:
        return sum(_terms(term) for term in expr.args)
    if expr.is_Mul:
        return math.prod(_terms(factor) for factor in expr.args)
    if expr.is_Pow and expr.exp.is_Integer:
        return int(_terms(expr.base) ** min(abs(int(expr.exp)), 32))
    return 1


def denominator_parts(expr: sympy.Expr) -> frozenset[sympy.Expr]:
    """Return the factors, numbers aside, that stand in denominators."""
    below = sympy.factor(sympy.denom(sympy.together(expr)))
    parts = (factor.as_base_exp()[0] for factor in sympy.Mul.make_args(below))
    return frozenset(part for part in parts if not part.is_number)


def size(expr: sympy.Expr) -> int:
    """Return how much there is to read: operations, with two more for every denominator."""
    expr = expr.as_coeff_Mul()[1]  # a sign or a number in front makes no difference
    quotients = sum(1 for p in expr.atoms(sympy.Pow) if p.exp.could_extract_minus_sign())
    return int(expr.count_ops()) + 2 * quotients
