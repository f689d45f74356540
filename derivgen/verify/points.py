"""At which index values, layers and free numbers a formula is tried, and at which it is silent."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from itertools import islice
from typing import Any

from derivgen.algebra.affine import dims_of
from derivgen.algebra.expressions import Number
from derivgen.algebra.expressions import walk as walk_expr
from derivgen.formulas.fit import new_letters, slot_keys
from derivgen.formulas.symbols import Symbols
from derivgen.formulas.terms import At, Claim, Fold, Ref, Term, Test, ats_of, free_letters, walk
from derivgen.verify.context import (
    Context,
    Reading,
    at_value,
    span_of,
)
from derivgen.verify.elements import outside_of, tensor_of
from derivgen.verify.evaluate import EVALUATORS, holds
from derivgen.verify.numeric import NoValue, mp
from derivgen.verify.world import World

EPSILON = Fraction(1, 10)  # a constant up to here is one that is added for stability
LAST_TIME = "tau"  # what papers call the last time, unless it is shifted
MAX_POINTS = 24
MAX_LISTED = 3000


def kept_sizes(members: tuple[Term, ...], claim: Claim, symbols: Symbols) -> tuple[str, ...]:
    """Return the size letters whose declared values matter: a numeral stands as an index there."""
    found: dict[str, None] = {}
    for member in members:
        for _, term in walk(member):
            if isinstance(term.data, Ref):
                for at, key in slot_keys(term.data, symbols):
                    if not at.letters and not at.parts:
                        found.update(_size_names(key))
            for test in [term.data] if isinstance(term.data, Test) else []:
                found.update(_tested(test, claim))
            if isinstance(term.data, Fold):
                for bound in term.data.bounds:
                    if bound.high is not None and not bound.high.letters:
                        found.update(_size_names(claim.letters.get(bound.letter, ("",))))
    for guard in claim.guards:
        found.update(_tested(guard, claim))
    return tuple(found)


def _tested(test: Test, claim: Claim) -> dict[str, None]:
    sides = (test.left, test.right)
    if not any(isinstance(s, At) and not s.letters and not s.parts for s in sides):
        return {}
    found: dict[str, None] = {}
    for side in sides:
        for name in _names(side) if isinstance(side, At) else ():
            found.update(_size_names(claim.letters.get(name, ("",))))
    return found


def _size_names(key: tuple[Any, ...]) -> dict[str, None]:
    if key[0] != "axis":
        return {}
    return {dim.name: None for form in key[1:3] for dim in dims_of(form)}


def limited(contexts: Iterator[Context]) -> Iterator[Context]:
    """Yield some points spread over all of them, the first and last included."""
    found = list(islice(contexts, MAX_LISTED))
    if len(found) <= MAX_POINTS:
        yield from found
        return
    picked = random.Random(len(found)).sample(range(1, len(found) - 1), MAX_POINTS - 2)
    yield from (found[number] for number in sorted([0, *picked, len(found) - 1]))


def points(
    members: tuple[Term, ...],
    claim: Claim,
    symbols: Symbols,
    world: World,
    reading: Reading,
    seed: int,
) -> Iterator[Context]:
    """Yield a context for every value of the free letters at which the formula speaks."""
    names: dict[str, None] = {}
    for member in members:
        names.update(free_letters(member))
    for guard in claim.guards:
        names.update(free_letters(Term("bracket", (), guard)))
    names = {n: None for n in names if n in claim.letters}
    free = {**free_numbers(members, seed), **_own_constants(symbols)}
    base = base_of(members, symbols)
    context = Context(
        world,
        symbols,
        claim.letters,
        free,
        reading,
        base=base,
        sizes=counted_sizes(members, claim),
        evaluators=EVALUATORS,
    )
    ordered = sorted(names, key=lambda n: claim.letters[n][0] != "family")
    yield from _assigned(ordered, members, claim, context)


def _allowed(claim: Claim, context: Context) -> bool:
    """Tell whether all conditions hold; one that has no value here does not."""
    try:
        return all(holds(test, context) for test in claim.guards)
    except NoValue:
        return False


def _assigned(
    names: list[str], members: tuple[Term, ...], claim: Claim, context: Context
) -> Iterator[Context]:
    if not names:
        if _allowed(claim, context) and _speaks(members, context):
            yield context
        return
    first = names[0]
    try:
        values = list(span_of(first, context))
    except NoValue:
        return
    if first == LAST_TIME and not any(_shifts(member, first) for member in members):
        values = values[-1:]
    for value in values:
        inner = context.with_letters({first: value})
        if claim.letters[first][0] == "sample":
            inner = replace(inner, sample=value)
        yield from _assigned(names[1:], members, claim, inner)


def _shifts(member: Term, name: str) -> bool:
    """Tell whether a letter stands beside a number in an index, as in ``t+1``."""
    return any(
        at.constant and any(letter == name for letter, _ in at.letters)
        for _, term in walk(member)
        for at in ats_of(term)
    )


def _speaks(members: tuple[Term, ...], context: Context) -> bool:
    """Tell whether all shifted indices (``t+1``, ``l-1``) and layers exist at this point."""
    return all(speaks(shifted_elements(member), context) for member in members)


Shifted = list[tuple[Term, frozenset[str], bool]]


def shifted_elements(term: Term) -> Shifted:
    """Return the elements that may not exist at a point, each with the letters bound around it."""
    found: Shifted | None = term.__dict__.get("_shifted")
    if found is None:
        found = [part for part in _outer_elements(term) if _may_lack(part[0].data)]
        term.__dict__["_shifted"] = found
    return found


def _may_lack(ref: Ref) -> bool:
    return ref.member is not None or any(
        slot is not None and slot.letters and (slot.constant or len(slot.letters) > 1)
        for slot in ref.slots
    )


def speaks(shifted: Shifted, context: Context) -> bool:
    """Tell whether all of some shifted elements exist at a point."""
    return all(_exists(term, bound, by, context) for term, bound, by in shifted)


def _outer_elements(
    term: Term, bound: frozenset[str] = frozenset(), by: bool = False
) -> Iterator[tuple[Term, frozenset[str], bool]]:
    if isinstance(term.data, Fold):
        bound = bound | {b.letter for b in term.data.bounds}
    elif term.op == "listing":
        bound = bound | {term.data.letter}
    if isinstance(term.data, Ref):
        yield term, bound, by
    if term.op == "padded":
        return
    for number, part in enumerate(term.args):
        inside = by or (term.op == "gradient" and number == 1)
        yield from _outer_elements(part, bound, inside)


def _names(slot: At | None) -> set[str]:
    return {name for name, _ in slot.letters} if slot is not None else set()


def _exists(term: Term, bound: frozenset[str], by: bool, context: Context) -> bool:
    ref: Ref = term.data
    if _names(ref.member) & bound:
        return True
    try:
        tensor = tensor_of(ref, context)
    except NoValue:
        return False
    spans = context.world.shape(tensor)
    for axis, (slot, span) in enumerate(zip(ref.slots, spans)):
        if slot is None or not slot.letters or (slot.constant == 0 and len(slot.letters) == 1):
            continue
        if _names(slot) & bound or slot.parts:
            continue
        try:
            value = at_value(slot, context)
            if value not in span and (by or not _read_outside(tensor, axis, value, span, context)):
                return False
        except NoValue:
            continue
    return True


def _read_outside(tensor: str, axis: int, value: int, span: range, context: Context) -> bool:
    """Tell whether the network says what stands before or behind an axis, on this side of it."""
    access = outside_of(context.world.network, tensor, axis)
    if access is None:
        return False
    shift = access.indices[axis]
    return len(shift.terms) > 1 or (value < span.start) == (shift.constant < 0)


def free_numbers(members: tuple[Term, ...], seed: int) -> dict[str, Any]:
    """Return random values for free numbers; the step size is one of them."""
    found: dict[str, Any] = {}
    rng = random.Random(seed)
    for member in members:
        for _, term in walk(member):
            if term.op == "free" and term.data not in found:
                found[term.data] = mp.mpf(rng.randrange(100_000, 900_000)) / 1_000_000
    for name in ("eta", "alpha", "lr", "gamma", "epsilon", "lambda", "mu", "rho"):
        if name in found:
            found["step size"] = found[name]
            break
    updated = any(isinstance(t.data, Ref) and t.data.updated for m in members for _, t in walk(m))
    if updated:  # a value after a step, where no rate is written
        drawn = mp.mpf(rng.randrange(100_000, 900_000)) / 1_000_000
        found.setdefault("step size", _written_rate(members) or drawn)
    found["function argument"] = mp.mpf(rng.randrange(100_000, 900_000)) / 1_000_000
    return found


def _written_rate(members: tuple[Term, ...]) -> Any:
    """Return the number that multiplies a gradient, as in ``w - 0.5*d(E, w)``, if there is one."""
    for member in members:
        for _, term in walk(member):
            if term.op == "multiply" and any(part.op == "gradient" for part in term.args):
                numbers = [part.data[0] for part in term.args if part.op == "number"]
                if len(numbers) == 1:
                    return mp.mpf(numbers[0].numerator) / numbers[0].denominator
    return None


def _own_constants(symbols: Symbols) -> dict[str, Any]:
    """Return epsilon as the network has it: the small number it adds."""
    network = symbols.network
    small = [
        part.value
        for equation in (network.equations if network else ())
        for part in walk_expr(equation.rhs)
        if isinstance(part, Number) and 0 < part.value <= EPSILON
    ]
    return {"epsilon": mp.mpf(small[0].numerator) / small[0].denominator} if small else {}


def base_of(members: tuple[Term, ...], symbols: Symbols) -> int:
    """Return what written numerals count from: 0 if a 0 is written as an index, else 1."""
    for member in members:
        for _, term in walk(member):
            if isinstance(term.data, Ref):
                for slot in term.data.slots:
                    if slot is not None and slot.written and not slot.letters and not slot.constant:
                        return 0
    return symbols.base


def counted_sizes(members: tuple[Term, ...], claim: Claim) -> dict[str, tuple[Any, ...]]:
    """Return what letters above a sum sign stand for: the size of what is summed over."""
    found: dict[str, tuple[Any, ...]] = {}
    for member in members:
        for _, term in walk(member):
            if isinstance(term.data, Fold):
                for bound in term.data.bounds:
                    high = bound.high
                    if high is None or len(high.letters) != 1 or high.constant:
                        continue
                    if bound.letter in claim.letters:
                        found.setdefault(high.letters[0][0], claim.letters[bound.letter])
    return found


def infer_letters(
    members: tuple[Term, ...], claim: Claim, symbols: Symbols
) -> dict[str, tuple[Any, ...]]:
    """Return what the letters of edited members run over; the first plain use decides."""
    letters = new_letters(symbols)
    for member in members:
        for _, term in walk(member):
            if isinstance(term.data, Ref):
                for at, key in slot_keys(term.data, symbols):
                    plain = len(at.letters) == 1 and at.constant == 0 and not at.parts
                    if plain and at.letters[0][0] not in symbols.sizes:
                        letters.bind(at.letters[0][0], key, (0, 0))
    return {**claim.letters, **letters.known}
