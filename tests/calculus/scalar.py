"""Evaluates scalar expressions with mpmath, straight from the tree: a small oracle."""

from __future__ import annotations

import operator

import mpmath

from derivgen.algebra.expressions import (
    Access,
    Add,
    And,
    Call,
    Compare,
    Constant,
    Div,
    Iverson,
    Mul,
    Not,
    Number,
    Or,
    Pow,
    Where,
)
from derivgen.calculus.expand import bind_arguments

COMPARE = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
KNOWN = {"abs": abs, "lgamma": mpmath.loggamma, "sign": mpmath.sign}


def evaluate(expr, values, functions):
    """Return the value of ``expr`` with rank-0 accesses looked up in ``values``."""

    def go(part):
        return evaluate(part, values, functions)

    match expr:
        case Number(value):
            return mpmath.mpf(value.numerator) / value.denominator
        case Constant("pi"):
            return mpmath.pi
        case Access(name, ()):
            return values[name]
        case Add(terms):
            return sum(go(term) for term in terms)
        case Mul(factors):
            return mpmath.fprod(go(factor) for factor in factors)
        case Div(a, b):
            return go(a) / go(b)
        case Pow(a, b):
            return go(a) ** go(b)
        case Where(condition, yes, no):
            return go(yes) if go(condition) else go(no)
        case Iverson(condition):
            return int(go(condition))
        case Compare(op, a, b):
            return COMPARE[op](go(a), go(b))
        case And(parts):
            return all(go(part) for part in parts)
        case Or(parts):
            return any(go(part) for part in parts)
        case Not(part):
            return not go(part)
        case Call(name, args, ()) if name in functions:
            return go(bind_arguments(functions[name].body, functions[name], args))
        case Call(name, args, ()):
            return (KNOWN.get(name) or getattr(mpmath, name))(*(go(arg) for arg in args))
    raise TypeError(expr)
