"""Whether two members are equal for all sizes and all values: the verdict *proved*.

Both are brought to polynomials in accesses with named indices, derivatives of the loss by the
engine's own statements, slopes of activations by its lemmas; equal canonical forms are equal.
Invariant: a step that is not exact raises `NoProof`, and the verdict stays *agrees*.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction

from derivgen.algebra.affine import affine
from derivgen.formulas.conventions import LAYER_FUNCTION, function_at
from derivgen.formulas.symbols import Symbols
from derivgen.formulas.terms import At, Claim, Ref, Term, free_letters, walk
from derivgen.verify import polynomials as poly
from derivgen.verify.context import Reading
from derivgen.verify.exact import Exact, exact_of
from derivgen.verify.jacobians import jacobian
from derivgen.verify.polynomials import Letter, NoProof, Poly, Range
from derivgen.verify.windows import WAYS

Value = tuple[tuple[Letter, Range] | None, tuple[Letter, Range] | None, Poly]  # rows, columns
LEVELS = (0, 1, 2)  # how far forward equations are put infrom derivgen.verify.windows import WAYS


def is_proved(left: Term, right: Term, claim: Claim, symbols: Symbols, reading: Reading) -> bool:
    """Tell whether both members are equal for all sizes; only claims about one sample are tried."""
    # Where the network numbers its samples itself, its loss is the loss of them all.
    own = symbols.network is not None and symbols.network.batch is not None
    plain = own or not (reading.mean or reading.total)
    plain = plain and not (reading.batch or reading.immediate)
    plain = plain and reading.delta_sign > 0 and not reading.gradient_rows
    plain = plain and reading.gates != "argument" and not reading.entries
    if not plain or symbols.network is None or claim.guards:
        return False
    if any(key[0] == "sample" for key in claim.letters.values()):
        return False
    for level in LEVELS:
        try:
            if _equal(left, right, claim, symbols, reading, level):
                return True
        except (NoProof, RecursionError, KeyError):
            continue
    return False


def _equal(
    left: Term, right: Term, claim: Claim, symbols: Symbols, reading: Reading, level: int
) -> bool:
    assert symbols.network is not None, "checked by the caller"
    exact = exact_of(symbols.network, level)
    seen = 0
    for layers in _layers(left, right, claim, symbols):
        prover = _Prover(exact, symbols, claim, reading, layers)
        try:
            sides = [prover.value(term) for term in (left, right)]
        except _NoLayer:
            continue
        seen += 1
        if not _same(sides[0], sides[1], exact):
            return False
    return seen > 0


def _same(one: Value, other: Value, exact: Exact) -> bool:
    mapping: dict[Letter, Letter] = {}
    for a, b in zip(one[:2], other[:2]):
        if (a is None) != (b is None) or a and b and a[1] != b[1]:
            return False
        if a and b:
            mapping[b[0]] = a[0]
    difference = poly.plus(one[2], poly.scaled(poly.rename(other[2], mapping), Fraction(-1)))
    return not poly.canonical(difference, exact.facts)[2]


class _NoLayer(Exception):
    """A layer the claim speaks of does not exist: the claim does not speak of this point."""


def _layers(left: Term, right: Term, claim: Claim, symbols: Symbols) -> Iterator[Mapping[str, int]]:
    names = [n for term in (left, right) for n in free_letters(term)]
    generic = [n for n in dict.fromkeys(names) if claim.letters.get(n, ("",))[0] == "family"]
    if len(generic) > 1:
        raise NoProof("two layer letters")
    if not generic:
        yield {}
        return
    stem = claim.letters[generic[0]][1][:-2]
    members = symbols.families[stem]
    numbers = range(min(members), max(members) + 1)
    for number in [max(members)] if generic[0] == "L" else numbers:
        yield {generic[0]: number}


@dataclass
class _Prover:
    """One claim at one layer."""

    exact: Exact
    symbols: Symbols
    claim: Claim
    reading: Reading
    layers: Mapping[str, int]
    bound: dict[str, tuple[Letter, Range]] = field(default_factory=dict)

    def value(self, term: Term) -> Value:
        handler = _HANDLERS.get(term.op)
        if handler is None:
            raise NoProof(term.op)
        return handler(self, term)

    def number(self, term: Term) -> Poly:
        rows, columns, found = self.value(term)
        if rows or columns:
            raise NoProof("a matrix where a number is wanted")
        return found

    def span(self, name: str) -> Range:
        key = self.claim.letters.get(name)
        if key is not None and key[0] == "layered":
            axes = dict(key[2])
            if self.layers.get(key[1]) not in axes:
                raise _NoLayer
            key = axes[self.layers[key[1]]]
        if key is None or key[0] != "axis":
            raise NoProof("a letter that runs over nothing known")
        return (str(key[1]), str(key[2]))

    def place(self, at: At, span: Range) -> Letter:
        if len(at.letters) != 1 or at.letters[0][1] != 1 or at.constant or at.parts:
            raise NoProof("an index that is no letter")
        name = at.letters[0][0]
        own = self.bound.get(name) or (poly.letter(name), self.span(name))
        if own[1] != span:
            raise NoProof("a letter over another range")
        return own[0]

    def tensor(self, ref: Ref) -> str:
        if ref.sample is not None or ref.updated:
            raise NoProof("a sample or an updated value")
        if ref.member is None:
            return ref.tensor
        total = ref.member.constant
        for name, times in ref.member.letters:
            if name == "L" and name not in self.layers:
                total += times * max(self.symbols.families[ref.tensor[:-2]])
            else:
                total += times * self.layers[name]
        found = self.symbols.families[ref.tensor[:-2]].get(total)
        if found is None:
            raise _NoLayer
        return found

    def shaped(self, ref: Ref, make: Callable[[str, tuple[Letter, ...]], Poly]) -> Value:
        """Return an element, vector (a column or row by the layout) or matrix of a tensor."""
        name = self.tensor(ref)
        spans = [(str(a.low), str(a.high)) for a in self.symbols.tensors[name].axes]
        slots = ref.slots or (None,) * len(spans)
        if len(slots) != len(spans):
            raise NoProof("another number of indices")
        whole: list[tuple[Letter, Range]] = []
        places: list[Letter] = []
        for slot, span in zip(slots, spans):
            if slot is None:
                whole.append((poly.fresh(), span))
                places.append(whole[-1][0])
            else:
                places.append(self.place(slot, span))
        found = make(name, tuple(places))
        if len(whole) > 2:
            raise NoProof("more than a matrix")
        if len(whole) == 2:
            return whole[0], whole[1], found
        if not whole:
            return None, None, found
        columns = self.reading.layout == "columns"
        return (whole[0], None, found) if columns else (None, whole[0], found)


def _element(prover: _Prover, term: Term) -> Value:
    return prover.shaped(term.data, prover.exact.forward)


def _gradient(prover: _Prover, term: Term) -> Value:
    of, by = term.args
    slope = term.data
    while by.op == "group":
        by = by.args[0]
    if by.op == "transpose":
        rows, columns, found = _gradient(prover, term.with_args((of, by.args[0])))
        return columns, rows, found
    if slope.immediate or slope.symbol == "step" or by.op != "element" or of.op != "element":
        raise NoProof("no derivative of the loss")
    if of.data.sample is not None:
        raise NoProof("the loss of a sample")
    tensor = prover.tensor(of.data)
    if tensor == prover.symbols.loss:
        return prover.shaped(by.data, prover.exact.adjoint)
    whole = prover.shaped(of.data, lambda name, places: poly.generator(("access", name, places)))
    if whole[0] or whole[1]:
        raise NoProof("a Jacobian as a matrix")
    ((_, ((gen, _),)),) = whole[2].keys()
    return prover.shaped(by.data, lambda n, p: jacobian(prover.exact, tensor, gen[2], n, p))


def _add(prover: _Prover, term: Term) -> Value:
    total = prover.value(term.args[0])
    for part in term.args[1:]:
        other = prover.value(part)
        numbers = [not (v[0] or v[1]) for v in (total, other)]
        if any(numbers) and not all(numbers):  # a number is added to every entry
            shape = other[:2] if numbers[0] else total[:2]
            total = (*shape, poly.plus(total[2], other[2]))
        else:
            total = _combined(total, other, poly.plus)
    return total


def _combined(one: Value, other: Value, join: Callable[[Poly, Poly], Poly]) -> Value:
    """Join two values of one shape entry by entry."""
    mapping: dict[Letter, Letter] = {}
    for a, b in zip(one[:2], other[:2]):
        if (a is None) != (b is None) or a and b and a[1] != b[1]:
            raise NoProof("two shapes")
        if a and b:
            mapping[b[0]] = a[0]
    return one[0], one[1], join(one[2], poly.rename(other[2], mapping))


def _multiply(prover: _Prover, term: Term) -> Value:
    values = [prover.value(part) for part in term.args]
    operators = list(term.data)
    if prover.reading.tight:
        while "" in operators:
            place = operators.index("")
            pair = _product(values[place], values[place + 1], "", prover.reading)
            values[place : place + 2] = [pair]
            del operators[place]
    found = values[0]
    for operator, value in zip(operators, values[1:]):
        found = _product(found, value, operator, prover.reading)
    return found


def _product(one: Value, other: Value, operator: str, reading: Reading) -> Value:
    scalars = [not (v[0] or v[1]) for v in (one, other)]
    if any(scalars):
        rows, columns = other[:2] if scalars[0] else one[:2]
        return rows, columns, poly.times(one[2], other[2])
    same = [bool(a) == bool(b) for a, b in zip(one[:2], other[:2])]
    star = operator == "*" and reading.star == "hadamard"
    vectors = all(same) and not (one[0] and one[1])
    if operator == "*" and reading.star in WAYS:
        raise NoProof("a convolution")
    if operator in (r"\odot", r"\circ") or star and all(same):
        return _combined(one, other, poly.times)
    if operator in (r"\otimes", r"\langle"):
        raise NoProof("a product with two meanings")
    if vectors:
        joined = _combined(one, other, poly.times)
        if reading.dot == "hadamard":
            return joined
        run = joined[0] or joined[1]
        assert run is not None, "a vector has one axis"
        return None, None, poly.summed(joined[2], [run])
    inner, outer = one[1], other[0]
    if (inner is None) != (outer is None) or inner and outer and inner[1] != outer[1]:
        raise NoProof("sizes that do not fit")
    if inner is None or outer is None:
        return one[0], other[1], poly.times(one[2], other[2])
    new = poly.fresh()
    made = poly.times(poly.rename(one[2], {inner[0]: new}), poly.rename(other[2], {outer[0]: new}))
    return one[0], other[1], poly.summed(made, [(new, inner[1])])


def _divide(prover: _Prover, term: Term) -> Value:
    top, bottom = (prover.value(part) for part in term.args)
    if bottom[0] or bottom[1]:
        return _combined(top, (bottom[0], bottom[1], poly.inverse(bottom[2])), poly.times)
    return top[0], top[1], poly.times(top[2], poly.inverse(bottom[2]))


def _power(prover: _Prover, term: Term) -> Value:
    rows, columns, base = prover.value(term.args[0])
    exponent = term.args[1]
    while exponent.op == "group":
        exponent = exponent.args[0]
    if exponent.op != "number" or exponent.data[0].denominator != 1:
        raise NoProof("an exponent that is no number")
    return rows, columns, poly.power(base, int(exponent.data[0]))


def _call(prover: _Prover, term: Term) -> Value:
    name, order = term.data
    if len(term.args) != 1 or order > 1 or name in prover.symbols.defined:
        raise NoProof("a call")
    if name == LAYER_FUNCTION:
        name = _layer_function(prover, term.args[0])
    rows, columns, argument = prover.value(term.args[0])
    if name == "diag" or (rows or columns) and name in ("softmax", "tr", "norm", "rowsum"):
        raise NoProof("a function of a matrix")
    return rows, columns, prover.exact.call(name, argument, order)


def _layer_function(prover: _Prover, argument: Term) -> str:
    for _, part in walk(argument):
        if part.op == "element":
            found = function_at(prover.exact.network, prover.tensor(part.data))
            if found:
                return found
    raise NoProof("no activation")


def _fold(prover: _Prover, term: Term) -> Value:
    fold = term.data
    if fold.op not in ("sum", "mean") or not fold.bounds:
        raise NoProof("no sum")
    made: list[tuple[Letter, Range]] = []
    inner = dict(prover.bound)
    for bound in fold.bounds:
        span = prover.span(bound.letter)
        if bound.without is not None or not _is_whole(bound.low, bound.high, span, prover):
            raise NoProof("a part of a range")
        made.append((poly.fresh(), span))
        inner[bound.letter] = made[-1]
    rows, columns, body = replace(prover, bound=inner).value(term.args[0])
    found = poly.summed(body, made)
    for bound in fold.bounds if fold.op == "mean" else ():
        key = prover.claim.letters[bound.letter]
        if key[0] != "axis" or key[1] != affine(0):
            raise NoProof("a mean over a part")
        found = poly.times(found, poly.inverse(prover.exact.size(key[2])))
    return rows, columns, found


def _size(prover: _Prover, term: Term) -> Value:
    if term.data not in prover.symbols.sizes:
        raise NoProof("a size that is not declared")
    return None, None, poly.generator(("size", str(term.data)))


def _is_whole(low: At | None, high: At | None, span: Range, prover: _Prover) -> bool:
    if low is None:
        return high is None
    if low.letters or low.parts or low.constant not in (0, 1) or high is None:
        return False
    if len(high.letters) != 1 or high.letters[0][1] != 1 or high.parts or span[0] != "0":
        return False
    name = high.letters[0][0]
    declared = name in prover.symbols.sizes
    counted = high.constant == (0 if low.constant == 1 else -1)
    return counted and (name == span[1] if declared else name.isupper())


def _bracket(prover: _Prover, term: Term) -> Value:
    test = term.data
    if test.op != "=" or not isinstance(test.left, At) or not isinstance(test.right, At):
        raise NoProof("a comparison")
    names = [at.letters[0][0] for at in (test.left, test.right) if len(at.letters) == 1]
    if len(names) != 2:
        raise NoProof("a comparison")
    spans = [prover.bound[n][1] if n in prover.bound else prover.span(n) for n in names]
    places = [prover.place(at, spans[0]) for at in (test.left, test.right)]
    return None, None, poly.generator(("same", min(places), max(places)))


def _transpose(prover: _Prover, term: Term) -> Value:
    rows, columns, found = prover.value(term.args[0])
    return columns, rows, found


def _negate(prover: _Prover, term: Term) -> Value:
    rows, columns, found = prover.value(term.args[0])
    return rows, columns, poly.scaled(found, Fraction(-1))


_HANDLERS: Mapping[str, Callable[[_Prover, Term], Value]] = {
    "number": lambda prover, term: (None, None, poly.constant(term.data[0])),
    "element": _element,
    "size": _size,
    "gradient": _gradient,
    "add": _add,
    "negate": _negate,
    "multiply": _multiply,
    "divide": _divide,
    "power": _power,
    "call": _call,
    "fold": _fold,
    "transpose": _transpose,
    "bracket": _bracket,
    "group": lambda prover, term: prover.value(term.args[0]),
}
