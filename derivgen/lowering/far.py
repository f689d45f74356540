"""Rules that keep an expression finite far out; each rewrites one node whose parts are done.

``log`` of products with exponentials becomes sums; sums of exponentials are taken relative to
their largest; quotients in which numerator and denominator both grow are taken relative to the
denominator; ``0*log(0)`` is 0. They look through definitions, so a user's own functions are served
as the library's are.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

from derivgen.algebra.expressions import (
    MINUS_ONE,
    ONE,
    ZERO,
    Access,
    Add,
    Call,
    Compare,
    Constant,
    Div,
    Expr,
    IndexValue,
    Iverson,
    Mul,
    Node,
    Number,
    Pow,
    Where,
    add,
    div,
    mul,
    neg,
    number,
    power,
    transform,
    walk,
)
from derivgen.lowering.cancel import same_condition
from derivgen.lowering.definitions import Definitions
from derivgen.lowering.exponents import Linear, Scaled, as_expr, exp_of, largest, linear, plus

Rule = Callable[[Expr, Definitions], Expr]


def kept_finite(expr: Expr, definitions: Definitions) -> Expr:
    """Return an expression in a form that stays finite wherever its value does."""

    def visit(node: Node) -> Node:
        for rule in RULES:
            node = rule(node, definitions)  # type: ignore[arg-type]
        return node

    return transform(expr, visit)


# --- products and quotients ----------------------------------------------------------------------


def parts_of(expr: Expr) -> tuple[list[Expr], list[Expr]]:
    """Return the factors above and below of a product."""
    match expr:
        case Mul(factors):
            above: list[Expr] = []
            below: list[Expr] = []
            for factor in factors:
                up, down = parts_of(factor)
                above += up
                below += down
            return above, below
        case Div(numerator, denominator):
            up, down = parts_of(numerator)
            more_down, more_up = parts_of(denominator)
            return up + more_up, down + more_down
        case Pow(base, Number(value)) if value < 0:
            return [], [power(base, Number(-value))]
        case _:
            return [expr], []


def balanced(expr: Expr, definitions: Definitions) -> Expr:
    """Take a product relative to its largest exponentials where some of them could meet."""
    if not isinstance(expr, (Mul, Div)):
        return expr
    above, below = parts_of(expr)
    if not _may_meet(above, below, definitions):
        return expr
    if found := _tanh(above, below, definitions):
        return found
    return _scaled_product(expr, definitions).whole()


def _is_exp(expr: Expr) -> bool:
    return isinstance(expr, Call) and expr.name == "exp"


def _may_meet(above: list[Expr], below: list[Expr], definitions: Definitions) -> bool:
    """Tell whether both an infinite and a vanishing or infinite factor may occur."""
    if sum(map(_is_exp, above)) > 1:
        return True
    return any(_grows(p, definitions) for p in above) and any(_grows(p, definitions) for p in below)


def _grows(expr: Expr, definitions: Definitions) -> bool:
    """Tell whether an exponential stands in a factor, or in what a named part stands for."""
    for part in walk(expr):
        if isinstance(part, Call) and part.name in ("exp", "cosh", "sinh"):
            return True
        if isinstance(part, Access) and definitions.opens(part):
            return True
    return False


def _tanh(above: list[Expr], below: list[Expr], definitions: Definitions) -> Expr | None:
    """Return ``sinh(u)/cosh(u)`` as ``tanh(u)``."""
    up = [_named(part, definitions) for part in above if part != ONE]
    down = [_named(part, definitions) for part in below]
    for place, part in enumerate(up):
        match part, down:
            case Call("sinh", args), [Call("cosh", others)] if args == others:
                return mul(*up[:place], Call("tanh", args), *up[place + 1 :])
    return None


def _named(expr: Expr, definitions: Definitions) -> Expr:
    """Return what a name stands for, if it is an exponential."""
    if isinstance(expr, Access) and definitions.opens(expr):
        return definitions.body(expr) or expr
    return expr


def scaled(expr: Expr, definitions: Definitions) -> Scaled:
    """Return an expression as a core times an exponential."""
    match expr:
        case Call("exp", (argument,)):
            return Scaled(ONE, linear(argument))
        case Call("cosh" | "sinh" as name, (argument,)):
            size: Linear = {Call("abs", (argument,)): Fraction(1)}
            both = [exp_of(plus(linear(argument, Fraction(s)), size, -1)) for s in (1, -1)]
            whole = add(*both) if name == "cosh" else add(both[0], neg(both[1]))
            return Scaled(div(whole, number(2)), size)
        case Mul() | Div():
            return _scaled_product(expr, definitions)
        case Pow(base, Number(value)):
            inner = scaled(base, definitions)
            exponent = {part: count * value for part, count in inner.exponent.items()}
            return Scaled(power(inner.core, Number(value)), exponent)
        case Add(terms):
            return _scaled_sum(terms, definitions)
        case Access():
            if definitions.opens(expr) and (body := definitions.body(expr)) is not None:
                return scaled(body, definitions)
    return Scaled(expr, {})


def _scaled_product(expr: Expr, definitions: Definitions) -> Scaled:
    above, below = parts_of(expr)
    up = [scaled(part, definitions) for part in above]
    down = [scaled(part, definitions) for part in below]
    if all(part.plain for part in (*up, *down)):
        return Scaled(expr, {})
    exponent: Linear = {}
    for part in up:
        exponent = plus(exponent, part.exponent)
    for part in down:
        exponent = plus(exponent, part.exponent, -1)
    core = mul(*(part.core for part in up))
    if down:
        core = div(core, mul(*(part.core for part in down)))
    return Scaled(core, exponent)


def _scaled_sum(terms: tuple[Expr, ...], definitions: Definitions) -> Scaled:
    found = [scaled(term, definitions) for term in terms]
    if all(part.plain for part in found):
        return Scaled(add(*terms), {})
    top = largest([part.exponent for part in found])
    cores = [mul(part.core, exp_of(plus(part.exponent, top, -1))) for part in found]
    return Scaled(add(*cores), top)


# --- logarithms ----------------------------------------------------------------------------------


def logarithms(expr: Expr, definitions: Definitions) -> Expr:
    """Open the logarithm of what contains exponentials; use log1p near 1."""
    match expr:
        case Call("log", (argument,)):
            return log_of(argument, definitions)
        case Call("log1p", (Call("exp", (u,)),)) if not _is_negative(u):
            return softplus(u)
    return expr


def log_of(expr: Expr, definitions: Definitions) -> Expr:
    """Return the logarithm of a positive expression."""
    if not definitions.growing(expr):
        return _plain_log(expr)
    match expr:
        case Where(condition, yes, no):
            return Where(condition, log_of(yes, definitions), log_of(no, definitions))
        case Call("exp", (argument,)):
            return argument
        case Call("cosh", (argument,)):
            size = Call("abs", (argument,))
            twice = Call("exp", (mul(number(-2), size),))
            return add(size, Call("log1p", (twice,)), neg(Call("log", (number(2),))))
        case Mul() | Div():
            return _log_of_product(expr, definitions)
        case Pow(base, exponent) if positive(base, definitions):
            return mul(exponent, log_of(base, definitions))
        case Add(terms):
            return _log_of_sum(terms, definitions)
        case Access():
            body = definitions.body(expr)
            return Call("log", (expr,)) if body is None else _opened(expr, body, definitions)
        case Call():
            body = definitions.call(expr)
            return Call("log", (expr,)) if body is None else _opened(expr, body, definitions)
    return _plain_log(expr)


def _opened(expr: Expr, body: Expr, definitions: Definitions) -> Expr:
    """Return the logarithm of what a name stands for, if that helps."""
    if isinstance(body, Add) and not _sums_exponentials(body, definitions):
        return _plain_log(expr)
    return log_of(body, definitions)


def _sums_exponentials(body: Expr, definitions: Definitions) -> bool:
    return isinstance(body, Add) and not _scaled_sum(body.terms, definitions).plain


def _plain_log(expr: Expr) -> Expr:
    match expr:
        case Number(value) if value == 1:
            return ZERO
        case Add(terms) if ONE in terms:
            rest = list(terms)
            rest.remove(ONE)
            return Call("log1p", (add(*rest),))
        case _:
            return Call("log", (expr,))


def _log_of_product(expr: Expr, definitions: Definitions) -> Expr:
    above, below = parts_of(expr)
    terms = [log_of(p, definitions) for p in above if positive(p, definitions)]
    terms += [neg(log_of(p, definitions)) for p in below if positive(p, definitions)]
    up = [p for p in above if not positive(p, definitions)]
    down = [p for p in below if not positive(p, definitions)]
    if up or down:
        terms.append(Call("log", (div(mul(*up), mul(*down)) if down else mul(*up),)))
    return add(*terms)


def _log_of_sum(terms: tuple[Expr, ...], definitions: Definitions) -> Expr:
    if (found := _complement(terms, definitions)) is not None:
        return found
    parts = [scaled(term, definitions) for term in terms]
    if all(part.plain for part in parts):
        return _plain_log(Add(terms))
    if len(parts) == 2 and parts[0].core == parts[1].core == ONE:
        gap = plus(parts[1].exponent, parts[0].exponent, -1)
        lowest = as_expr(parts[0].exponent)
        return add(*(() if lowest == ZERO else (lowest,)), softplus(as_expr(gap)))
    whole = _scaled_sum(terms, definitions)
    return add(as_expr(whole.exponent), Call("log", (whole.core,)))


def _is_negative(u: Expr) -> bool:
    """Tell whether an exponent is ``-|u|``, so that its exponential is at most 1."""
    match u:
        case Mul((Number(value), Call("abs", _))):
            return value < 0
    return False


def softplus(u: Expr) -> Expr:
    """Return ``log(1 + exp(u))`` as ``max(u, 0) + log1p(exp(-|u|))``."""
    size = Call("abs", (u,))
    match u:
        case Mul((Number(value), *rest)) if value == -1:
            size = Call("abs", (mul(*rest),))
    return add(Call("max", (u, ZERO)), Call("log1p", (Call("exp", (neg(size),)),)))


def _complement(terms: tuple[Expr, ...], definitions: Definitions) -> Expr | None:
    """Return ``log(1 - a/b)`` as ``log(b - a) - log(b)`` where a is one of the terms of b."""
    if len(terms) != 2 or ONE not in terms:
        return None
    other = terms[1] if terms[0] == ONE else terms[0]
    match other:
        case Mul((Number(value), part)) if value == -1:
            quotient = _as_quotient(part, definitions)
        case _:
            return None
    if quotient is None or not isinstance(quotient.denominator, Add):
        return None
    rest = list(quotient.denominator.terms)
    if quotient.numerator not in rest:
        return None
    rest.remove(quotient.numerator)
    return add(log_of(add(*rest), definitions), neg(log_of(quotient.denominator, definitions)))


def _as_quotient(expr: Expr, definitions: Definitions) -> Div | None:
    for _ in range(3):
        if isinstance(expr, Div):
            return expr
        body = None
        if isinstance(expr, Access):
            body = definitions.body(expr)
        elif isinstance(expr, Call):
            body = definitions.call(expr)
        if body is None:
            return None
        expr = body
    return None


def positive(expr: Expr, definitions: Definitions) -> bool:
    """Tell whether an expression is surely positive."""
    match expr:
        case Number(value):
            return value > 0
        case Constant():
            return True
        case Call("exp" | "cosh", _):
            return True
        case Add(parts) | Mul(parts):
            return all(positive(part, definitions) for part in parts)
        case Div(above, below):
            return positive(above, definitions) and positive(below, definitions)
        case Pow(base, _):
            return positive(base, definitions)
        case Access():
            if expr.tensor in definitions.positive:
                return True
            body = definitions.body(expr)
            return body is not None and definitions.growing(expr) and positive(body, definitions)
        case Call():
            body = definitions.call(expr)
            return body is not None and positive(body, definitions)
    return False


# --- small rules ---------------------------------------------------------------------------------


def near_one(expr: Expr, definitions: Definitions) -> Expr:
    """Write ``exp(u) - 1`` as ``expm1(u)``."""
    if not isinstance(expr, Add):
        return expr
    terms = list(expr.terms)
    for one, sign in ((MINUS_ONE, 1), (ONE, -1)):
        for place, term in enumerate(terms):
            match term, sign:
                case (Call("exp", args), 1) | (
                    Mul((Number(Fraction(numerator=-1)), Call("exp", args))),
                    -1,
                ):
                    if one in terms:
                        terms[place] = mul(number(sign), Call("expm1", args))
                        terms.remove(one)
                        return add(*terms)
    return expr


def masks(expr: Expr, definitions: Definitions) -> Expr:
    """Write ``[c]*e`` as ``where(c, e, 0)`` where e may be infinite."""
    if not isinstance(expr, Mul) or not any(isinstance(f, Iverson) for f in expr.factors):
        return expr
    rest = mul(*(f for f in expr.factors if not isinstance(f, Iverson)))
    if not any(isinstance(part, (Call, Div, Pow)) for part in walk(rest)):
        return expr
    for factor in expr.factors:
        if isinstance(factor, Iverson):
            rest = Where(factor.condition, rest, ZERO)
    return rest


def zero_times_log(expr: Expr, definitions: Definitions) -> Expr:
    """Let ``c*log(q)`` be 0 where c is 0, whatever q is."""
    if not isinstance(expr, Mul):
        return expr
    for factor in expr.factors:
        if not _may_be_infinite(factor, definitions):
            continue
        others = mul(*(f for f in expr.factors if f is not factor and not isinstance(f, Number)))
        if isinstance(others, (Number, Constant, IndexValue)) or positive(others, definitions):
            continue
        return Where(Compare("=", others, ZERO), ZERO, expr)
    return expr


def _may_be_infinite(factor: Expr, definitions: Definitions) -> bool:
    match factor:
        case Call("log", (argument,)):
            return not positive(argument, definitions)
        case Call("log1p", (argument,)):
            return not positive(argument, definitions)
        case Where(_, yes, no):
            return any(_may_be_infinite(part, definitions) for part in (yes, no))
        case Add(terms):
            return any(_may_be_infinite(term, definitions) for term in terms)
        case Mul((Number(), part)):
            return _may_be_infinite(part, definitions)
    return False


def once(expr: Expr, definitions: Definitions) -> Expr:
    """Drop a condition inside a branch that has it already."""
    return same_condition(expr)


RULES: tuple[Rule, ...] = (
    logarithms,
    balanced,
    near_one,
    masks,
    zero_times_log,
    once,
)
