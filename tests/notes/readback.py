"""Formulas of the notes read back through the surface table alone, and compared with numbers.

Stricter than the proof-reader: no notation is guessed. The letters of the left side run over all
values at which it exists, the condition beside the equation holding; the right side must then have
a value everywhere, and the same one. Numbers are compared under the notes' own layout of vectors.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice, product
from typing import Any

from derivgen.algebra.expressions import Access, Derivative, Node, Reduce, accesses, transform
from derivgen.algebra.expressions import walk as walk_expr
from derivgen.algebra.network import Equation as Defined
from derivgen.algebra.network import Network
from derivgen.errors import DerivgenError
from derivgen.forms.fold import Equality
from derivgen.forms.latex import latex
from derivgen.forms.math import Apply, Math, Sym, walk_math
from derivgen.forms.notation import parted_places
from derivgen.formulas.fit import new_letters, slot_keys
from derivgen.formulas.resolve import make_reader, read_chains, resolve_member
from derivgen.formulas.symbols import Symbols
from derivgen.formulas.terms import At, Bound, Fold, Ref, Term, free_letters, map_ats, walk
from derivgen.notes.document import Equation
from derivgen.notes.surface import surface_table
from derivgen.notes.view import View
from derivgen.verify.compare import agreement
from derivgen.verify.context import Context, NoPoint, Reading, at_value, span_of_key
from derivgen.verify.draw import Draw, make_world
from derivgen.verify.evaluate import EVALUATORS, evaluate, holds
from derivgen.verify.numeric import NoValue, mp
from derivgen.verify.world import World

MOST = 12  # places of an equation at which both sides are computed


def with_invented(view: View) -> Network:
    """Return the network with what the engine named as equations of its own."""
    network = view.derivation.network
    invented = {name for name in view.derivation.named if name in view.derivation.tensors}
    defined: list[Defined] = []
    for name, statements in view.forward_of.items():
        written = [e for e in network.equations if e.lhs.tensor == name]
        through = any(a.tensor in invented for s in statements for a in accesses(s.body))
        if written and not through:
            defined += written
        else:
            defined += [Defined(e.lhs, e.rhs) for e in view.fold(statements)]
    for step in view.derivation.steps:
        if step.auxiliary:
            invented.add(step.adjoint)
            defined += [_in_derivatives(view, e) for e in view.folded[step.adjoint]]
    tensors = {**network.tensors, **{n: view.derivation.tensors[n] for n in sorted(invented)}}
    return replace(network, equations=tuple(defined), tensors=tensors)


def _in_derivatives(view: View, equality: Equality) -> Defined:
    """Return an equation of the backward pass with derivatives in the place of adjoints."""

    def visit(part: Node) -> Node:
        adjoint = view.notation.adjoints.get(part.tensor) if isinstance(part, Access) else None
        if adjoint is None:
            return part
        return Derivative(Access(adjoint.loss, ()), Access(adjoint.quantity, part.indices))

    return Defined(equality.lhs, transform(equality.rhs, visit))


@dataclass(frozen=True)
class Claim:
    """``left = right`` where the conditions hold, each with its text."""

    left: Term
    right: Term
    guards: tuple[Any, ...]
    letters: Mapping[str, Any]


@dataclass(frozen=True)
class BackReader:
    """Reads the formulas of one view and says why one cannot be read or does not hold."""

    view: View
    seed: int = 5

    @cached_property
    def symbols(self) -> Symbols:
        return Symbols(with_invented(self.view), surface_table(self.view), base=0)

    @cached_property
    def world(self) -> World:
        return make_world(self.symbols.network, Draw(self.seed, own=True, samples=1))

    @cached_property
    def larger(self) -> BackReader:
        """Return the reader of the same formulas over larger sizes."""
        return LargerReader(self.view, self.seed)

    def problems(self, equation: Equation) -> Iterator[tuple[str, str]]:
        """Yield the lines of a displayed equation that are not as they should be, with why."""
        left = None
        for line in equation.lines:
            left = line.left or left
            assert left is not None, "an equation begins with a left side"
            text = f"{latex(left)} = {latex(line.right)}"
            if why := self.problem(left, line.right, equation.where):
                yield text, why

    def problem(self, left: Math, right: Math, where: Math | None = None) -> str:
        """Return why an equation cannot be read or does not hold; empty if it does."""
        try:
            return self.compare(self._claim(left, right, where))
        except DerivgenError as error:
            return f"{error.subject}: {error.problem}"
        except NoValue as error:
            return error.reason

    def _claim(self, left: Math, right: Math, where: Math | None) -> Claim:
        symbols = replace(self.symbols, scalars=_arguments(left))
        text = f"{latex(left)} = {latex(right)}"
        chains = read_chains(text, symbols)
        if len(chains) != 1 or len(chains[0].members) != 2:
            raise NoValue(f"{len(chains)} formulas instead of one equation")
        reader = make_reader(symbols)
        members = [self._stored(_plain(resolve_member(m, reader))) for m in chains[0].members]
        guards = [_plain(g).data for g in self._conditions(where, reader, symbols)]
        allowed = (*symbols.scalars, "eta")
        for part in (p for m in members for _, p in walk(m)):
            if part.op == "free" and part.data not in allowed:
                raise NoValue(f"{part.data} stands for nothing in the table")
        letters = dict(reader.letters.known)
        sides = [self._counted(member, letters) for member in members]
        return Claim(sides[0], sides[1], tuple(guards), letters)

    def _stored(self, term: Term) -> Term:
        """Return a term with ``d u / d x`` that the loss reads as the tensor the engine made."""
        term = term.with_args(tuple(map(self._stored, term.args)))
        if term.op != "gradient" or any(part.op != "element" for part in term.args):
            return term
        above, below = (part.data for part in term.args)
        for name, pair in self.view.notation.partials.items():
            if pair != (above.tensor, below.tensor) or name not in self.view.forward_of:
                continue
            rank = len(self.symbols.tensors[name].axes)
            own, others = parted_places(self.symbols.tensors, *pair, rank)
            slots: list[At | None] = [None] * rank
            for place, slot in [*zip(own, above.slots), *zip(others, below.slots)]:
                slots[place] = slot
            return Term("element", (), Ref(name, tuple(slots)), term.span)
        return term

    def _counted(self, term: Term, letters: Mapping[str, Any]) -> Term:
        """Return a term in which ``1..K`` over an axis that begins at 0 means all of it."""
        args = tuple(self._counted(part, letters) for part in term.args)
        fold = term.data
        if isinstance(fold, Fold):
            fold = replace(fold, bounds=tuple(self._bound(b, letters) for b in fold.bounds))
        return Term(term.op, args, fold, term.span)

    def _bound(self, bound: Bound, letters: Mapping[str, Any]) -> Bound:
        key = letters.get(bound.letter, ("",))
        if key[0] != "axis" or bound.low != At((), 1, False) or bound.high is None:
            return bound
        if any(n not in {d.name for d in self.world.numbers.sizes} for n, _ in bound.high.letters):
            return bound
        context = self._context(Claim(Term("number"), Term("number"), (), letters))
        whole = span_of_key(key, context)
        counted = whole.start == 0 and at_value(bound.high, context) == whole.stop
        return replace(bound, low=None, high=None) if counted else bound

    def _conditions(self, where: Math | None, reader: Any, symbols: Symbols) -> list[Term]:
        if where is None:
            return []
        texts = latex(where).split(",")
        chains = [read_chains(rf"1\{{{text}\}}", symbols)[0] for text in texts]
        return [resolve_member(chain.members[0], reader) for chain in chains]

    def compare(self, claim: Claim) -> str:
        places = list(islice(self._places(claim), 3000))
        if not places:
            return self.larger.compare(claim)
        if len(places) > MOST:
            inner = random.Random(len(places)).sample(range(1, len(places) - 1), MOST - 2)
            places = [places[n] for n in (0, *inner, len(places) - 1)]
        silent = 0
        for context in places:
            try:
                values = evaluate(claim.left, context), evaluate(claim.right, context)
            except NoPoint:
                silent += 1  # a product of matrices over nothing
                continue
            if agreement(*values) is None:
                return f"at {dict(context.at)}: {_shown(values[0])} != {_shown(values[1])}"
        return "the formula speaks of nothing" if silent == len(places) else ""

    def _places(self, claim: Claim) -> Iterator[Context]:
        """Yield a context for every place at which the left side exists and the conditions hold."""
        names = list(free_letters(claim.left))
        names = [n for n in names if n in claim.letters or n in self.symbols_letters]
        context = self._context(claim)
        known = list(_slots(claim.left, self.symbols))
        declared = self.symbols_letters
        spans = [_reach(name, known, declared, context) for name in names]
        for values in product(*spans):
            inner = context.with_letters(dict(zip(names, values)))
            if all(at_value(at, inner) in span_of_key(key, inner) for at, key in known) and all(
                holds(test, inner) for test in claim.guards
            ):
                yield inner

    @cached_property
    def symbols_letters(self) -> Mapping[str, Any]:
        parts = (part for e in self.symbols.network.equations for part in walk_expr(e.rhs))
        bound = [i for part in parts if isinstance(part, Reduce) for i in part.bound]
        inline = {i.name: ("axis", i.low, i.high) for i in bound}
        return {**inline, **new_letters(self.symbols).declared}

    def _context(self, claim: Claim) -> Context:
        rng = random.Random(self.seed)
        free = {
            name: mp.mpf(rng.randrange(100_000, 900_000)) / 1_000_000
            for name in (*_names(claim.left), "eta")
        }
        free["step size"] = free["eta"]
        reading = Reading(layout=self.view.layout, forward=True)
        letters = {**self.symbols_letters, **claim.letters}
        return Context(
            self.world, self.symbols, letters, free, reading, base=0, evaluators=EVALUATORS
        )


class LargerReader(BackReader):
    """A reader whose sizes are two more than declared."""

    @cached_property
    def world(self) -> World:
        network = with_invented(self.view)
        dims = {dim: (size or 3) + 2 for dim, size in network.dims.items()}
        return make_world(replace(network, dims=dims), Draw(self.seed, declared=True, samples=1))

    def compare(self, claim: Claim) -> str:
        if not any(True for _ in self._places(claim)):
            return "there is no place at which the left side exists"
        return super().compare(claim)


def _arguments(left: Math) -> tuple[str, ...]:
    """Return the arguments of a function on the left: ``z`` of ``sigma(z)``."""
    if not isinstance(left, Apply):
        return ()
    found = (part for argument in left.args for part in walk_math(argument))
    return tuple(dict.fromkeys(part.text for part in found if isinstance(part, Sym)))


def _names(term: Term) -> list[str]:
    return [part.data for _, part in walk(term) if part.op == "free"]


def _plain(term: Term) -> Term:
    """Return a term whose numerals as indices mean what the network means by them."""
    return map_ats(term, lambda at: replace(at, written=False))


def _slots(term: Term, symbols: Symbols) -> Iterator[tuple[At, Any]]:
    for _, part in walk(term):
        if isinstance(part.data, Ref):
            yield from slot_keys(part.data, symbols)


def _reach(
    name: str, known: list[tuple[At, Any]], declared: Mapping[str, Any], context: Context
) -> range:
    """Return values among which are all those a letter may have.

    A letter that stands in index arithmetic alone has the values that the network declares.
    """
    alone = any(at.letters == ((name, 1),) and not at.parts for at, _ in known)
    if not alone and name in declared:
        return span_of_key(declared[name], context)
    low, high = 0, 1
    for at, key in known:
        count = dict(at.letters).get(name, 0)
        if count:
            span = span_of_key(key, context)
            low = min(low, span.start - abs(at.constant) - 1)
            high = max(high, span.stop + abs(at.constant) + 1)
    return range(low, high)


def _shown(value: Any) -> str:
    flat = getattr(value, "reshape", None)
    if flat is None:
        return str(mp.nstr(value, 6))
    return f"{value.shape} [{', '.join(mp.nstr(v, 4) for v in flat(-1)[:4])}]"
