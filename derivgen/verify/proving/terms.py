"""The terms of a formula as matrices of polynomials, each by one handler."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from fractions import Fraction
from typing import Any

from derivgen.algebra.affine import Index
from derivgen.formulas.conventions import LAYER_FUNCTION, function_at
from derivgen.formulas.terms import At, Fold, Ref, Slope, Term, Test, walk
from derivgen.verify.elements import is_of_layers
from derivgen.verify.proving import polynomials as poly
from derivgen.verify.proving import values as val
from derivgen.verify.proving.elements import PADDED, element, entry, slots_of
from derivgen.verify.proving.fractions import (
    beside_jacobian,
    ends_in_matrix,
    is_unit,
    linked_whole,
    runs_of,
)
from derivgen.verify.proving.places import Form, NoProof, form, fresh, minus
from derivgen.verify.proving.polynomials import Poly
from derivgen.verify.proving.scope import Scope
from derivgen.verify.proving.slopes import contracted, gradient, inner_of
from derivgen.verify.proving.values import Value


def value_of(scope: Scope, term: Term) -> Value:
    """Return a term as a matrix of polynomials. Raises: NoProof."""
    handler = _HANDLERS.get(term.op)
    if handler is None:
        raise NoProof(term.op)
    return handler(scope, term)


def _number_of(scope: Scope, term: Term) -> Poly:
    found = value_of(scope, term)
    if not found.is_number:
        raise NoProof("a matrix where a number is wanted")
    return found.entry


def _element(scope: Scope, term: Term) -> Value:
    ref: Ref = term.data
    if not ref.updated:
        return element(scope, term)
    if scope.step is None:
        raise NoProof("no step size")
    plain_term = Term("element", (), replace(ref, updated=False), term.span)
    loss = Term("element", (), Ref(scope.symbols.loss), term.span)
    slope = gradient(scope, Term("gradient", (loss, plain_term), Slope(), term.span))
    step = slope.mapped(lambda entry: poly.scaled(poly.times(scope.step or {}, entry), -1))
    return val.added(element(scope, plain_term), step)


# --- sums and products ---------------------------------------------------------------------------


def _add(scope: Scope, term: Term) -> Value:
    parts = [value_of(scope, part) for part in term.args]
    square = beside_jacobian(term, parts)
    total: Value | None = None
    for part, found in zip(term.args, parts):
        if square is not None and is_unit(part) and found.is_number:
            found = val.entrywise(found, val.unit(square), poly.times)
        total = found if total is None else val.added(total, found)
    assert total is not None, "a sum has parts"
    return total


def _multiply(scope: Scope, term: Term) -> Value:
    if ends_in_matrix(term):
        raise NoProof("a chain that ends in a derivative by a matrix")
    values: list[Value] = []
    operators: list[str] = []
    for opening, run in runs_of(term):
        if linked_whole(run):
            values.append(contracted(scope, [inner_of(t) for t in run]))
            operators.append(opening)
            continue
        values += [value_of(scope, factor) for factor in run]
        operators += [opening, *[""] * (len(run) - 1)]
    del operators[0]
    if scope.reading.tight:
        while "" in operators:
            k = operators.index("")
            values[k : k + 2] = [val.multiplied(values[k], values[k + 1], "", scope.reading)]
            del operators[k]
    found = values[0]
    for operator, other in zip(operators, values[1:]):
        found = val.multiplied(found, other, operator, scope.reading)
    return found


def _divide(scope: Scope, term: Term) -> Value:
    top, bottom = (value_of(scope, part) for part in term.args)
    return val.entrywise(top, bottom.mapped(poly.inverse), poly.times)


def _power(scope: Scope, term: Term) -> Value:
    base = value_of(scope, term.args[0])
    exponent = _number_of(scope, term.args[1])
    if set(exponent) - {((), (), ())}:
        raise NoProof("an exponent that is no number")
    if base.is_square and term.args[1].op in ("index", "add", "size"):
        raise NoProof("a power of a matrix")
    times = exponent.get(((), (), ()), Fraction(0))
    if base.is_square and times == -1:
        raise NoProof("the inverse of a matrix")
    return base.mapped(lambda entry: poly.power(entry, times))


def _fold(scope: Scope, term: Term) -> Value:
    fold: Fold = term.data
    if fold.op not in ("sum", "mean"):
        raise NoProof("no sum")
    if not fold.bounds:
        return _over_samples(scope, term)
    inner, made, conditions = scope, [], []
    for bound in fold.bounds:
        inner, name, span, left_out = inner.binding(bound)
        made.append((name, span))
        conditions += left_out
    if fold.op == "mean" and conditions:
        raise NoProof("a mean that leaves values out")
    inner = replace(inner, beyond=[] if fold.op == "sum" else None)
    body = value_of(inner, term.args[0])
    there = poly.where(*(inner.beyond or ()))
    for condition in conditions:
        there = poly.times(there, poly.less(poly.constant(1), poly.where(condition)))
    found = body.mapped(lambda entry: poly.summed(poly.times(there, entry), made))
    count = poly.constant(1)
    for _, span in made if fold.op == "mean" else ():
        count = poly.times(count, _one_over(span))
    return found.mapped(lambda entry: poly.times(entry, count))


def _one_over(span: tuple[Form, Form]) -> Poly:
    return poly.inverse(poly.index_value(minus(span[1], span[0])))


def _over_samples(scope: Scope, term: Term) -> Value:
    """A sum without a letter runs over the samples."""
    name, span = fresh(), scope.range_of_key(("sample",))
    inner = replace(scope, sample=form(name), one_sample=True, beyond=None)
    found = value_of(inner, term.args[0]).mapped(lambda entry: poly.summed(entry, [(name, span)]))
    if term.data.op == "mean":
        found = found.mapped(lambda entry: poly.times(entry, _one_over(span)))
    return found


# --- functions -----------------------------------------------------------------------------------


def _call(scope: Scope, term: Term) -> Value:
    name, order = term.data
    if name == LAYER_FUNCTION or order and is_of_layers(term.args[0]):
        name = _layer_function(scope, term.args[0])
    args = [value_of(scope, part) for part in term.args]
    special = _SPECIAL.get(name)
    if special is not None and (not args[0].is_number or name == "norm"):
        return special(scope, args[0])
    if name == "rot180" or (name == "abs" and order):
        raise NoProof("a function of a matrix")
    shapes = [a for a in args if not a.is_number]
    if len(shapes) > 1:
        raise NoProof("a function of several matrices")
    orders = order if isinstance(order, tuple) else (order,) if order else ()

    def applied(entry: Poly) -> Poly:
        given = tuple(a.entry if a.is_number else entry for a in args)
        return _applied(scope, name, given, orders)

    return shapes[0].mapped(applied) if shapes else Value(applied({}))


def _applied(scope: Scope, name: str, args: tuple[Poly, ...], orders: tuple[int, ...]) -> Poly:
    if name not in scope.symbols.defined:
        return scope.opening.call(name, args, orders)
    if any(orders):
        raise NoProof("the slope of a function that the text defines")
    parameter, body = scope.symbols.defined[name]
    return _number_of(replace(scope, free={**scope.free, parameter: args[0]}), body)


def _layer_function(scope: Scope, argument: Term) -> str:
    for _, part in walk(argument):
        if part.op == "element":
            found = function_at(scope.opening.exact.network, scope.tensor(part.data))
            if found:
                return found
    raise NoProof("no activation")


def _softmax(scope: Scope, vector: Value) -> Value:
    run = vector.run
    exps = vector.mapped(poly.exponential)
    name = fresh()
    total = poly.summed(poly.rename(exps.entry, {run[0]: form(name)}), [(name, run[1])])
    return exps.mapped(lambda entry: poly.times(entry, poly.inverse(total)))


def _norm(scope: Scope, found: Value) -> Value:
    squares = val.total(found.mapped(lambda e: poly.times(e, e)), True, True)
    return squares.mapped(lambda entry: poly.power(entry, Fraction(1, 2)))


def _row_sums(value: Value) -> Value:
    return val.total(value, False, True)


_SPECIAL: Mapping[str, Callable[[Scope, Value], Value]] = {
    "softmax": _softmax,
    "diag": lambda scope, value: val.diagonal(value),
    "rowsum": lambda scope, value: _row_sums(value),
    "colsum": lambda scope, value: _row_sums(value.transposed).transposed,
    "allsum": lambda scope, value: val.total(value, True, True),
    "tr": lambda scope, value: val.trace(value),
    "norm": _norm,
}


def _along(scope: Scope, term: Term) -> Value:
    name, names = term.data
    spans = [scope.spans[n] for n in names if n in scope.spans]
    if len(spans) != len(names):
        raise NoProof("a letter that is not bound")
    keys = [scope.key_of(n) for n in names]
    if any(key[0] != "axis" for key in keys):
        raise NoProof("a function along samples")
    indices = tuple(Index(n, key[1], key[2]) for n, key in zip(names, keys))

    def argument(at: Mapping[Index, Form]) -> Poly:
        moved = {i.name: (place, scope.spans[i.name][1]) for i, place in at.items()}
        return _number_of(replace(scope, spans={**scope.spans, **moved}), term.args[0])

    env = {i: span[0] for i, span in zip(indices, spans)}
    return Value(scope.at_sample(scope.sample).along(name, indices, argument, env))


# --- conditions ----------------------------------------------------------------------------------


def holds(scope: Scope, test: Test) -> Poly:
    """Return 1 where a comparison holds, else 0. Raises: NoProof."""
    one = poly.constant(1)
    if test.op == "not":
        return poly.less(one, holds(scope, test.left))
    if test.op in ("and", "or"):
        found = one
        for part in test.left:
            here = holds(scope, part)
            found = poly.times(found, here if test.op == "and" else poly.less(one, here))
        return found if test.op == "and" else poly.less(one, found)
    places = [_place(scope, side) for side in (test.left, test.right)]
    if places[0] is not None and places[1] is not None:
        return poly.index_condition(test.op, minus(places[0], places[1]))
    left, right = (_side(scope, side) for side in (test.left, test.right))
    return poly.comparison(test.op, poly.less(left, right))


def _side(scope: Scope, side: Any) -> Poly:
    if isinstance(side, At):
        return poly.index_value(scope.place(side))
    return _number_of(scope, side)


def _place(scope: Scope, side: Any) -> Form | None:
    if isinstance(side, At):
        return scope.place(side)
    if isinstance(side, Term) and side.op == "index":
        return scope.place(side.data)
    return None


def _bracket(scope: Scope, term: Term) -> Value:
    test: Test = term.data
    left, right = test.left, test.right
    if isinstance(right, At) and _is_class(test.op, left):
        chosen = replace(left.data, slots=(right,))
        return value_of(scope, Term("element", (), chosen, left.span))
    if isinstance(left, Term) and isinstance(right, Term) and test.op not in ("and", "or", "not"):
        sides = value_of(scope, left), value_of(scope, right)
        if not all(side.is_number for side in sides):
            return val.entrywise(*sides, lambda a, b: poly.comparison(test.op, poly.less(a, b)))
    return Value(holds(scope, test))


def _is_class(op: str, left: Any) -> bool:
    """Tell whether ``1{y = k}`` asks for an element of a target vector."""
    if op != "=" or not isinstance(left, Term) or left.op != "element":
        return False
    return len(left.data.slots) == 1 and left.data.slots[0] is None


def _cases(scope: Scope, term: Term) -> Value:
    """Return the value of the first test that holds."""
    total: Value | None = None
    before = poly.constant(1)
    for part, test in zip(term.args, term.data):
        here = poly.constant(1) if test is None else holds(scope, test)
        chosen = poly.times(before, here)
        found = val.entrywise(Value(chosen), value_of(scope, part), poly.times)
        total = found if total is None else val.added(total, found)
        before = poly.times(before, poly.less(poly.constant(1), here))
    if total is None:
        raise NoProof("no cases")
    return total


# --- vectors by their entries --------------------------------------------------------------------


def _listing(scope: Scope, term: Term) -> Value:
    if term.data.places:
        raise NoProof("entries that do not follow the others")
    name, way = term.data.letter, term.data.way
    span = scope.whole(name)
    new = fresh()
    inner = replace(
        scope,
        spans={**scope.spans, name: (form(new), span)},
        known=scope.known.also(f for _, f in poly.within(new, span)),
    )
    found = value_of(inner, term.args[0])
    if way == "column" and found.rows is None:
        return Value(found.entry, (new, span), found.columns)
    if way == "row" and found.columns is None:
        return Value(found.entry, found.rows, (new, span))
    raise NoProof("entries that stand the wrong way")


def _item(scope: Scope, term: Term) -> Value:
    found = value_of(scope, term.args[0])
    runs = [run for run in (found.rows, found.columns) if run]
    if len(runs) != len(term.data):
        raise NoProof("an index on a number")
    mapping = {}
    for run, slot in zip(runs, term.data):
        name = slot.letters[0][0] if slot is not None and len(slot.letters) == 1 else ""
        if name not in scope.spans or slot.constant or slot.parts or scope.whole(name) != run[1]:
            raise NoProof("an index that is no letter")
        mapping[run[0]] = scope.place(slot)
    return Value(poly.rename(found.entry, mapping))


def _ones(scope: Scope, term: Term) -> Value:
    if term.data is None:
        raise NoProof("a vector of ones whose length is not clear")
    run = (fresh(), (minus(scope.place(term.data), scope.place(term.data)), scope.place(term.data)))
    found = Value(poly.constant(1 if term.op == "ones" else 0), run)
    return found if scope.reading.layout == "columns" else found.transposed


def _free(scope: Scope, term: Term) -> Value:
    return Value(scope.free.get(term.data, poly.generator(("free", str(term.data)))))


def _function(scope: Scope, term: Term) -> Value:
    """Return a function without its argument at any number, the same for all of them."""
    name, order = term.data if isinstance(term.data, tuple) else (term.data, 0)
    scalars = [n for n in scope.symbols.scalars if n in scope.free]
    argument = scope.free[scalars[0]] if scalars else poly.generator(("free", "any argument"))
    return Value(_applied(scope, name, (argument,), (order,) if order else ()))


def _padded(scope: Scope, term: Term) -> Value:
    """Return an element that the claim itself gives another value outside of its tensor."""
    inside, outside = inner_of(term.args[0]), term.args[1]
    if inside.op != "element" or inside.data.updated:
        raise NoProof("a value for what is no element")
    slots = slots_of(scope, inside.data, padded=True)
    if slots.whole and slots.outside is not None:
        raise NoProof("a value outside of a vector")
    found = entry(scope, slots, scope.sample_of(inside.data))
    if slots.outside is not None and slots.outside is not PADDED:
        return Value(found)
    opening = scope.at_sample(scope.sample)
    other = _number_of(scope, outside)
    return Value(opening.padded(slots.tensor, slots.places, found, other))


def _transpose(scope: Scope, term: Term) -> Value:
    return value_of(scope, term.args[0]).transposed


_HANDLERS: Mapping[str, Callable[[Scope, Term], Value]] = {
    "number": lambda scope, term: val.number(term.data[0]),
    "identity": lambda scope, term: val.number(1),  # as a factor; as a term see `_add`
    "free": _free,
    "size": lambda scope, term: Value(poly.index_value(scope.size(term.data))),
    "constant": lambda scope, term: Value(poly.generator(("free", "pi"))),
    "index": lambda scope, term: Value(poly.index_value(scope.place(term.data))),
    "element": _element,
    "gradient": gradient,
    "add": _add,
    "negate": lambda scope, term: value_of(scope, term.args[0]).mapped(
        lambda entry: poly.scaled(entry, -1)
    ),
    "multiply": _multiply,
    "divide": _divide,
    "power": _power,
    "call": _call,
    "fold": _fold,
    "transpose": _transpose,
    "item": _item,
    "listing": _listing,
    "bracket": _bracket,
    "cases": _cases,
    "along": _along,
    "padded": _padded,
    "group": lambda scope, term: value_of(scope, term.args[0]),
    "ones": _ones,
    "zeros": _ones,
    "function": _function,
}
