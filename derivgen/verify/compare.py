"""Whether two members of a chain are equal: at random points, small sizes, under some reading.

Sizes are pairwise unequal, so that a transpose cannot hide, and then equal. A pair that agrees
everywhere under one reading is reported with the digits it agreed to.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import islice, product
from typing import Any

import numpy as np

from derivgen.algebra.affine import dims_of
from derivgen.algebra.expressions import Number
from derivgen.algebra.expressions import walk as walk_expr
from derivgen.algebra.network import Role
from derivgen.formulas.names import new_letters, slot_keys
from derivgen.formulas.symbols import Symbols
from derivgen.formulas.terms import At, Claim, Fold, Ref, Term, Test, free_letters, walk
from derivgen.verify.evaluate import (
    Context,
    NoPoint,
    Reading,
    ShapeMismatch,
    at_value,
    evaluate,
    holds,
    outside_of,
    span_of,
    tensor_of,
)
from derivgen.verify.world import Draw, NoValue, World, make_world, mp

# Differences lose 20 of 60 digits a level and wrong formulas are off by far more.
TOLERANCE = mp.mpf(10) ** -12
EPSILON = Fraction(1, 10)  # a constant up to here is one that is added for stability
MAX_POINTS = 24
MAX_LISTED = 3000
DRAWS = (Draw(seed=11, own=True), Draw(seed=47, equal=True))


@dataclass
class Worlds:
    """The worlds of one network, made when first asked for."""

    network: Any
    made: dict[Draw, World | NoValue] = field(default_factory=dict)

    def get(self, draw: Draw) -> World:
        """Return the world of a draw. Raises: NoValue, if it cannot be made."""
        if draw not in self.made:
            try:
                self.made[draw] = make_world(self.network, draw)
            except NoValue as error:
                self.made[draw] = error
        found = self.made[draw]
        if isinstance(found, NoValue):
            raise found
        found.work = 0
        return found


@dataclass(frozen=True)
class Outcome:
    """What comparing two members gave.

    ``equal`` is ``None`` where nothing could be compared (``reason`` says why). ``digits`` is the
    worst agreement; ``place`` and the two values are the first point of disagreement.
    """

    equal: bool | None
    digits: int = 0
    reason: str = ""
    place: tuple[tuple[str, int], ...] = ()
    left: str = ""
    right: str = ""
    shape: bool = False
    reading: Reading = field(default_factory=Reading)


def compare_terms(
    left: Term,
    right: Term,
    claim: Claim,
    symbols: Symbols,
    worlds: Worlds,
    reading: Reading,
    draws: Sequence[Draw] = DRAWS,
) -> Outcome:
    """Compare two members in every world of ``draws`` under one reading."""
    digits, compared = 60, 0
    keep = kept_sizes((left, right), claim, symbols)
    for draw in draws:
        try:
            world = worlds.get(replace(draw, keep=keep))
        except NoValue as error:
            if draw.equal and compared:  # sizes that cannot be equal, as a window and its signal
                continue
            return Outcome(None, reason=error.reason)
        outcome = _in_world(left, right, claim, symbols, world, reading, draw.seed)
        if outcome.equal is None and compared and outcome.reason == "no point":
            continue
        if not outcome.equal:
            return replace(outcome, reading=reading)
        digits = min(digits, outcome.digits)
        compared += 1
    return Outcome(True, digits, reading=reading)


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


def _in_world(
    left: Term,
    right: Term,
    claim: Claim,
    symbols: Symbols,
    world: World,
    reading: Reading,
    seed: int,
) -> Outcome:
    digits, count = 60, 0
    for context in _limited(points((left, right), claim, symbols, world, reading, seed)):
        try:
            values = (evaluate(left, context), evaluate(right, context))
        except NoPoint:
            continue
        except ShapeMismatch as error:
            return Outcome(False, reason=error.reason, shape=True, place=_place(context))
        except NoValue as error:
            return Outcome(None, reason=error.reason)
        except (ZeroDivisionError, OverflowError, ValueError):
            return Outcome(None, reason="no finite value")
        agreed = agreement(*values)
        count += 1
        if agreed is None:
            return _different(values, context)
        digits = min(digits, agreed)
    return Outcome(True, digits) if count else Outcome(None, reason="no point")


def _different(values: tuple[Any, Any], context: Context) -> Outcome:
    shapes = [getattr(v, "shape", ()) for v in values]
    reason = ""
    if shapes[0] != shapes[1]:
        reason = f"{_shape_text(shapes[0])} against {_shape_text(shapes[1])}"
    left, right = _first_difference(*values)
    return Outcome(
        False,
        reason=reason,
        place=_place(context),
        left=left,
        right=right,
        shape=shapes[0] != shapes[1],
    )


def _shape_text(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape)) if shape else "a number"


def _first_difference(left: Any, right: Any) -> tuple[str, str]:
    if isinstance(left, np.ndarray) and isinstance(right, np.ndarray) and left.shape == right.shape:
        for a, b in zip(left.reshape(-1), right.reshape(-1)):
            if agreement(a, b) is None:
                return mp.nstr(a, 8), mp.nstr(b, 8)
    return _text(left), _text(right)


def _text(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return "[" + ", ".join(mp.nstr(v, 5) for v in value.reshape(-1)[:4]) + "]"
    return str(mp.nstr(value, 8))


def _place(context: Context) -> tuple[tuple[str, int], ...]:
    return tuple((name, value) for name, value in context.at.items() if not name.startswith("#"))


def agreement(left: Any, right: Any) -> int | None:
    """Return to how many digits two values agree, or ``None`` if they do not."""
    arrays = [isinstance(v, np.ndarray) for v in (left, right)]
    if all(arrays):
        if left.shape != right.shape:
            return None
        found = [agreement(a, b) for a, b in zip(left.reshape(-1), right.reshape(-1))]
        numbers = [f for f in found if f is not None]
        return min(numbers, default=60) if len(numbers) == len(found) else None
    if any(arrays):
        array, other = (left, right) if arrays[0] else (right, left)
        if other == 0:
            return agreement(array, array * 0)
        return None
    difference, scale = abs(left - right), max(abs(left), abs(right), mp.mpf(1) / 1000)
    if difference > TOLERANCE * scale:
        return None
    return 60 if difference == 0 else min(60, int(mp.floor(-mp.log10(difference / scale))))


# --- points --------------------------------------------------------------------------------------


def _limited(contexts: Iterator[Context]) -> Iterator[Context]:
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
    names = {n: None for n in names if n in claim.letters}
    free = {**free_numbers(members, seed), **_own_constants(symbols)}
    base = _base(members, symbols)
    context = Context(
        world, symbols, claim.letters, free, reading, base=base, sizes=_sizes(members, claim)
    )
    ordered = sorted(names, key=lambda n: claim.letters[n][0] != "family")
    yield from _assigned(ordered, members, claim, context)


def _assigned(
    names: list[str], members: tuple[Term, ...], claim: Claim, context: Context
) -> Iterator[Context]:
    if not names:
        if all(holds(test, context) for test in claim.guards) and _speaks(members, context):
            yield context
        return
    first = names[0]
    try:
        values = list(span_of(first, context))
    except NoValue:
        return
    for value in values:
        inner = context.with_letters({first: value})
        if claim.letters[first][0] == "sample":
            inner = replace(inner, sample=value)
        yield from _assigned(names[1:], members, claim, inner)


def _speaks(members: tuple[Term, ...], context: Context) -> bool:
    """Tell whether all shifted indices (``t+1``, ``l-1``) and layers exist at this point."""
    return all(
        _exists(term, bound, by, context)
        for member in members
        for term, bound, by in _outer_elements(member)
    )


def _outer_elements(
    term: Term, bound: frozenset[str] = frozenset(), by: bool = False
) -> Iterator[tuple[Term, frozenset[str], bool]]:
    if isinstance(term.data, Fold):
        bound = bound | {b.letter for b in term.data.bounds}
    elif term.op == "listing":
        bound = bound | {term.data[0]}
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
        if not by and outside_of(context.world.network, tensor, axis) is not None:
            continue
        try:
            if at_value(slot, context) not in span:
                return False
        except NoValue:
            continue
    return True


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
    found["function argument"] = mp.mpf(rng.randrange(100_000, 900_000)) / 1_000_000
    return found


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


def _base(members: tuple[Term, ...], symbols: Symbols) -> int:
    """Return what written numerals count from: 0 if a 0 is written as an index, else 1."""
    for member in members:
        for _, term in walk(member):
            if isinstance(term.data, Ref):
                for slot in term.data.slots:
                    if slot is not None and slot.written and not slot.letters and not slot.constant:
                        return 0
    return symbols.base


def _sizes(members: tuple[Term, ...], claim: Claim) -> dict[str, tuple[Any, ...]]:
    """Return what letters above a sum sign stand for: the size of what is summed over."""
    found: dict[str, tuple[Any, ...]] = {}
    for member in members:
        for _, term in walk(member):
            if isinstance(term.data, Fold):
                for bound in term.data.bounds:
                    high = bound.high
                    if high is not None and len(high.letters) == 1 and high.constant == 0:
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


# --- readings ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Features:
    """What a pair of members contains that may be read in several ways."""

    arrays: bool
    data_arrays: bool
    samples: bool
    slopes: bool
    steps: bool
    signs: frozenset[str]


def features(members: tuple[Term, ...], claim: Claim, symbols: Symbols) -> Features:
    """Return what can be read in several ways."""
    terms = [term for member in members for _, term in walk(member)]
    refs = [t.data for t in terms if t.op == "element"]
    whole = [r for r in refs if _is_whole(r, symbols)]
    names = [t.data for t in terms if t.op == "size"]
    slopes = [t for t in terms if t.op == "gradient"]
    return Features(
        arrays=bool(whole),
        data_arrays=any(r.tensor in symbols.data_dependent or "{}" in r.tensor for r in whole),
        samples=any(key[0] == "sample" for key in claim.letters.values())
        or any(name in ("m", "N", "n", "M", "B") for name in names)
        or any(isinstance(t.data, Fold) and not t.data.bounds for t in terms),
        slopes=any(_between_values(t, symbols) for t in slopes),
        steps=any(t.data.symbol == "step" for t in slopes),
        signs=frozenset(o for t in terms if t.op == "multiply" for o in t.data),
    )


def _is_whole(ref: Ref, symbols: Symbols) -> bool:
    name = ref.tensor
    if "{}" in name:
        name = next(iter(symbols.families[name[:-2]].values()))
    axes = len(symbols.tensors[name].axes)
    return axes > 0 and (not ref.slots or ref.whole_axes > 0)


def _between_values(term: Term, symbols: Symbols) -> bool:
    of = term.args[0]
    return of.op == "element" and of.data.tensor != symbols.loss and not term.data.symbol


def readings(found: Features, base: Reading) -> list[Reading]:
    """Return the readings worth trying, the plainest first."""
    options: list[list[dict[str, Any]]] = [[{}]]
    if found.samples:
        options.append([{"mean": True}, {"mean": False}])
    if found.arrays:
        dots: list[dict[str, Any]] = [{}, {"dot": "hadamard"}]
        if r"\otimes" in found.signs:
            dots.append({"otimes": "outer"})
        if "*" in found.signs:
            dots.append({"star": "product"})
        options.append(dots)
        options.append([{}, {"jacobian": "denominator"}] if found.slopes else [{}])
        if found.data_arrays and found.samples:
            batches = [{"batch": "rows", "mean": True}, {"batch": "columns", "mean": True}]
            options.append([{}, *batches])
    if found.slopes:
        options.append([{}, {"immediate": True}])
    if found.steps:
        options.append([{}, {"step_sign": 1}])
    made = [_merged(base, parts) for parts in product(*options)]
    return list(dict.fromkeys(made))


def _merged(base: Reading, parts: tuple[dict[str, Any], ...]) -> Reading:
    changes: dict[str, Any] = {}
    for part in parts:
        changes.update(part)
    return replace(base, **changes)


def best_outcome(
    left: Term,
    right: Term,
    claim: Claim,
    symbols: Symbols,
    worlds: Worlds,
    base: Reading,
    draws: Sequence[Draw] = DRAWS,
) -> Outcome:
    """Return the first reading under which the members agree, or the plainest disagreement."""
    first: Outcome | None = None
    for reading in readings(features((left, right), claim, symbols), base):
        outcome = compare_terms(left, right, claim, symbols, worlds, reading, draws)
        if outcome.equal:
            return outcome
        if first is None or (first.equal is None and outcome.equal is False):
            first = outcome
    assert first is not None, "there is at least one reading"
    return first


def test_of(op: str, left: Any, right: Any) -> Test:
    """Return a guard."""
    return Test(op, left, right)


def is_input(symbols: Symbols, tensor: str) -> bool:
    """Tell whether a tensor is given data."""
    found = symbols.tensors.get(tensor)
    return found is not None and found.role in (Role.INPUT, Role.TARGET)
