"""Whether two members are equal for all sizes and all values: the verdict *proved*.

Both are brought to polynomials in accesses with named indices, derivatives of the loss by the
engine's own statements, slopes of activations by its lemmas; their difference must be zero in every
case. Invariant: a step that is not exact raises `NoProof`, and the verdict stays *agrees*.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from derivgen.algebra.expressions import Number
from derivgen.algebra.expressions import walk as walk_expr
from derivgen.formulas.symbols import Symbols
from derivgen.formulas.terms import Claim, Fold, Ref, Term, Test, free_letters, walk
from derivgen.verify.context import Reading
from derivgen.verify.points import EPSILON, base_of, counted_sizes
from derivgen.verify.proving import polynomials as poly
from derivgen.verify.proving.canonical import Rules
from derivgen.verify.proving.elements import existing
from derivgen.verify.proving.exact import Exact, exact_of
from derivgen.verify.proving.known import Known
from derivgen.verify.proving.opened import Opening
from derivgen.verify.proving.places import NoProof
from derivgen.verify.proving.polynomials import Poly
from derivgen.verify.proving.scope import NoLayer, Scope
from derivgen.verify.proving.terms import holds, value_of
from derivgen.verify.proving.values import aligned
from derivgen.verify.proving.zero import is_zero

LEVELS = (0, 1, 2, 3)  # how far forward equations are put in
UNFOLDED = ((0, 0), (1, 0), (0, 1))  # steps of a recursion taken on the left, on the right


def is_proved(left: Term, right: Term, claim: Claim, symbols: Symbols, reading: Reading) -> bool:
    """Tell whether both members are equal for all sizes and values, wherever the claim speaks."""
    other = reading.gates == "argument" or reading.rate_one or reading.entries
    if symbols.network is None or other:
        return False
    exact = exact_of(symbols.network)
    for closed, (here, there) in _ways(exact, symbols, (left, right)):
        for level in LEVELS:
            openings = [Opening(exact, level, closed, unfold) for unfold in (here, there)]
            try:
                if _equal(left, right, claim, symbols, reading, openings):
                    return True
            except (NoProof, RecursionError, KeyError):
                continue
    return False


def _ways(
    exact: Exact, symbols: Symbols, members: tuple[Term, Term]
) -> Iterator[tuple[frozenset[str], tuple[int, int]]]:
    """Yield what stays closed in a recurrence, what the claim names first, and what is unfolded."""
    named = frozenset(_named(exact, symbols, members)) & exact.cyclic
    for unfolded in UNFOLDED if named else UNFOLDED[:1]:
        yield named, unfolded
    if named != exact.cyclic:
        yield exact.cyclic, UNFOLDED[1]


def _named(exact: Exact, symbols: Symbols, members: tuple[Term, Term]) -> Iterator[str]:
    """Yield the tensors that a claim names, for derivatives their adjoints."""
    for member in members:
        for _, term in walk(member):
            if term.op == "gradient":
                for _, by in walk(term.args[1]):
                    for name in _tensors(by, symbols):
                        yield exact.adjoints.get(name, name)
            yield from _tensors(term, symbols)


def _tensors(term: Term, symbols: Symbols) -> tuple[str, ...]:
    if not isinstance(term.data, Ref):
        return ()
    ref = term.data
    return tuple(symbols.families[ref.tensor[:-2]].values()) if ref.member else (ref.tensor,)


def _equal(
    left: Term,
    right: Term,
    claim: Claim,
    symbols: Symbols,
    reading: Reading,
    openings: list[Opening],
) -> bool:
    seen = 0
    for layers in _layers(left, right, claim, symbols):
        try:
            if not _equal_at(left, right, claim, symbols, reading, openings, layers):
                return False
        except NoLayer:
            continue
        seen += 1
    return seen > 0


def _equal_at(
    left: Term,
    right: Term,
    claim: Claim,
    symbols: Symbols,
    reading: Reading,
    openings: list[Opening],
    layers: Mapping[str, int],
) -> bool:
    members = (left, right)
    scope = Scope(
        openings[0],
        symbols,
        claim,
        reading,
        layers,
        openings[0].exact.known,
        base_of(members, symbols),
        counted_sizes(members, claim),
        free=_free(members, symbols),
        step=_step(members),
    )
    names = [n for member in members for n in free_letters(member)]
    names += [n for guard in claim.guards for n in _letters_of(guard)]
    scope = scope.with_free([n for n in dict.fromkeys(names) if n in claim.letters])
    for member in members:
        scope = _existing_in(scope, member, frozenset(), False)
    speaks = poly.constant(1)
    for guard in claim.guards:
        speaks = poly.times(speaks, holds(scope, guard))
    scope = replace(scope, known=_guarded(speaks, scope.known))
    one, other = (
        value_of(replace(scope, opening=opening), member)
        for member, opening in zip(members, openings)
    )
    runs = [run for run in (one.rows, one.columns) if run]
    known = scope.known.also(f for name, span in runs for _, f in poly.within(name, span))
    difference = poly.times(speaks, poly.less(one.entry, aligned(one, other)))
    return is_zero(difference, known, Rules(openings[0].exact.facts))


def _guarded(speaks: Poly, known: Known) -> Known:
    """Return what is known where a claim speaks, as far as one list of inequalities says it."""
    if len(speaks) != 1:
        return known
    (_, conditions, _), _ = next(iter(speaks.items()))
    return known.also(f for kind, f in conditions if kind == "ge")


def _existing_in(scope: Scope, term: Term, bound: frozenset[str], by: bool) -> Scope:
    """Return the scope in which the shifted elements of a term are known to exist."""
    if isinstance(term.data, Fold):
        bound = bound | {b.letter for b in term.data.bounds}
    elif term.op == "listing":
        bound = bound | {term.data.letter}
    if isinstance(term.data, Ref):
        scope = existing(scope, term.data, by, bound)
    if term.op == "padded":
        return scope
    for number, part in enumerate(term.args):
        inside = by or (term.op == "gradient" and number == 1)
        scope = _existing_in(scope, part, bound, inside)
    return scope


def _letters_of(test: Test) -> Iterator[str]:
    yield from free_letters(Term("bracket", (), test))
    for part in test.left if isinstance(test.left, tuple) else (test.left,):
        if isinstance(part, Test):
            yield from _letters_of(part)


# --- free numbers --------------------------------------------------------------------------------


def _free(members: tuple[Term, ...], symbols: Symbols) -> dict[str, Poly]:
    """Return what free numbers stand for: any number, epsilon the small one the network adds."""
    names = [t.data for m in members for _, t in walk(m) if t.op == "free"]
    found = {str(n): poly.generator(("free", str(n))) for n in dict.fromkeys(names)}
    network = symbols.network
    small = [
        part.value
        for equation in (network.equations if network else ())
        for part in walk_expr(equation.rhs)
        if isinstance(part, Number) and 0 < part.value <= EPSILON
    ]
    return {**found, "epsilon": poly.constant(small[0])} if small else found


def _step(members: tuple[Term, ...]) -> Poly | None:
    """Return the step size that a claim writes, or any number where it has none."""
    names = [t.data for m in members for _, t in walk(m) if t.op == "free"]
    for name in (n for n in _STEP_NAMES if n in names):
        return poly.generator(("free", name))
    updated = any(isinstance(t.data, Ref) and t.data.updated for m in members for _, t in walk(m))
    if not updated:
        return None
    rates: list[Any] = []
    for _, term in (pair for member in members for pair in walk(member)):
        if term.op == "multiply" and any(part.op == "gradient" for part in term.args):
            numbers = [part.data[0] for part in term.args if part.op == "number"]
            rates += numbers if len(numbers) == 1 else []
    return poly.constant(rates[0]) if rates else poly.generator(("free", "step size"))


_STEP_NAMES = ("eta", "alpha", "lr", "gamma", "epsilon", "lambda", "mu", "rho")


# --- layers --------------------------------------------------------------------------------------


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
