"""Slopes of defined functions: derived once from the function's own definition, then cited.

``sigmoid(z) = 1/(1 + exp(-z))`` has the raw slope ``exp(-z)/(1 + exp(-z))^2``; the rules of
`derivgen.calculus.shorten` make it ``a*(1 - a)``, for the library's functions and a user's own.
"""

from __future__ import annotations

from collections.abc import Mapping

from derivgen.algebra.expressions import (
    Access,
    Call,
    Expr,
    Node,
    replace_nodes,
    seen,
    transform,
    walk,
)
from derivgen.algebra.network import Function
from derivgen.calculus.derivation import Lemma
from derivgen.calculus.expand import full_arguments
from derivgen.calculus.partials import conditions_on_top, partial
from derivgen.calculus.shorten import rational_in_exponentials, shortest
from derivgen.errors import LimitError

LONGEST_SLOPE = 50_000


class Lemmas:
    """The lemmas of a derivation, made on first use, in the order of first use."""

    def __init__(self, functions: Mapping[str, Function]) -> None:
        self.functions = functions
        self.known: dict[str, Lemma] = {}
        self.rational = rational_in_exponentials(functions)

    def slope(self, call: Call) -> Expr:
        """Return the value of ``call``, whose order asks for derivatives, by lemmas.

        Raises: LimitError above `LONGEST_SLOPE`: definitions that use others twice double each.
        """
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
        put_in = replace_nodes(slope, mapping)
        if len(walk(put_in)) > LONGEST_SLOPE:
            raise LimitError(
                call.name,
                f"Its slope has more than {LONGEST_SLOPE} parts, with those it is made of put in.",
                "Write some of the definitions as equations: z[i] = ..., and use z.",
            )
        return put_in

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

        if not _has_slope(expr):
            return expr, ()
        return conditions_on_top(transform(expr, visit)), tuple(cited)


def _has_slope(expr: Node) -> bool:
    calls = (part for part in walk(expr) if isinstance(part, Call))
    return Call in seen(expr).kinds and any(any(call.order) for call in calls)


def lemma(function: Function, functions: Mapping[str, Function]) -> Lemma:
    """Derive the slopes of a defined function by each of its parameters."""
    assert function.body is not None, f"{function.name} has no definition"
    params = function.params
    inner = Lemmas({n: f for n, f in functions.items() if n != function.name})
    body = conditions_on_top(function.body)
    output = Call(function.name, tuple(Access(name) for name in params))
    raw, slopes, rules = [], [], dict[str, None]()
    for name in params:
        slope = inner.resolve(partial(body, Access(name)))[0]
        raw.append(slope)
        short, used = shortest(slope, body, output, inner.rational)
        slopes.append(short)
        rules.update((rule, None) for rule in used)
    return Lemma(function.name, params, function.body, tuple(raw), tuple(slopes), tuple(rules))
