"""Edits of signs and factors: halves, means, sizes, whole factors."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from itertools import product

from derivgen.algebra.network import Role
from derivgen.formulas.terms import (
    At,
    Fold,
    Path,
    Ref,
    Term,
    at_path,
    put,
    walk,
)
from derivgen.verify.desk import (
    Desk,
    Edit,
    accesses_of,
    before,
    core,
    elements_of,
    inside_slope,
    is_matrix,
    number,
    product_places,
    real,
    slope_pattern,
    times,
    without,
)

OPPOSITE = {"<": ">", ">": "<", "<=": ">=", ">=": "<="}


def signs(desk: Desk) -> Iterator[Edit]:
    """Turn the sign of the whole, of a term, or of what a function is taken of."""
    yield _turned(desk)
    for path, term in walk(desk.member):
        if term.op == "negate" and path and at_path(desk.member, path[:-1]).op != "add":
            yield Edit("sign", path, term.args[0])
        elif term.op == "add":
            for place, part in enumerate(term.args):
                args = (*term.args[:place], _negated(part), *term.args[place + 1 :])
                yield Edit("sign", path, Term("add", args))
        elif term.op == "cases":
            for place, part in enumerate(term.args):
                yield Edit("sign", (*path, place), _negated(part))
        elif term.op == "call" and term.args[0].op != "negate":
            yield Edit("sign", (*path, 0), _negated(term.args[0]))
        elif term.op == "bracket" and term.data.op in OPPOSITE:
            test = replace(term.data, op=OPPOSITE[term.data.op])
            yield Edit("sign", path, Term("bracket", (), test))


def _turned(desk: Desk) -> Edit:
    """Turn the sign of the whole where a person would: a minus in front, or a difference.

    ``(t - y) x`` becomes ``(y - t) x`` and ``a (a - 1)`` becomes ``a (1 - a)``.
    """
    member = desk.member
    if member.op == "negate":
        return Edit("sign", (), member.args[0])
    places = [(path, term) for path, term in factors(member) if _is_difference(term)]
    places.sort(key=lambda place: _unlikely(place[1], desk))
    if places and _unlikely(places[0][1], desk) < 3:
        path, term = places[0]
        args = tuple(_negated(part) for part in term.args)
        return Edit("sign", path, Term("add", args if args[0].op != "negate" else args[::-1]))
    if member.op == "add" and any(part.op == "negate" for part in member.args):
        turned = [_negated(part) for part in member.args]
        first = next(n for n, part in enumerate(turned) if part.op != "negate")
        return Edit("sign", (), Term("add", (turned.pop(first), *turned)))
    return Edit("sign", (), _negated(member))


def _is_difference(term: Term) -> bool:
    return term.op == "add" and [part.op == "negate" for part in term.args].count(True) == 1 == (
        len(term.args) - 1
    )


def _unlikely(term: Term, desk: Desk) -> int:
    """Return how unlikely a difference is what the writer turned; from 3 on it is not."""
    first, last = (core(part.args[0] if part.op == "negate" else part) for part in term.args)
    if term.args[0].op == "negate" or _is_one(last):
        return 0
    if _is_one(first):
        return 3
    roles = [desk.symbols.tensors.get(p.data.tensor) for p in (first, last) if p.op == "element"]
    return 1 if any(r is not None and r.role is Role.TARGET for r in roles) else 2


def _is_one(term: Term) -> bool:
    return term.op == "number" and bool(term.data[0] == 1)


def factors(term: Term, path: Path = ()) -> Iterator[tuple[Path, Term]]:
    """Yield the nodes that the whole is a multiple of: factors, and what a sum is taken of."""
    yield path, term
    if term.op in ("multiply", "group", "negate", "transpose"):
        inner = list(range(len(term.args)))
    elif term.op == "divide" or (term.op == "fold" and term.data.op in ("sum", "mean")):
        inner = [0]
    else:
        inner = []
    for place in inner:
        yield from factors(term.args[place], (*path, place))


def _negated(term: Term) -> Term:
    if term.op == "negate":
        return term.args[0]
    return Term("negate", (term,))


def twos(desk: Desk) -> Iterator[Edit]:
    """Double or halve the whole or a term: first where a two stands already."""
    parts: list[tuple[Path, Term]] = [((), desk.member)]
    for path, term in walk(desk.member):
        if term.op == "add":
            parts += [((*path, n), part) for n, part in enumerate(term.args)]
    for path, part in parts:
        inner, at = (part.args[0], (*path, 0)) if part.op == "negate" else (part, path)
        for value in (Fraction(2), Fraction(1, 2)):
            where, new = scaled(inner, value)
            yield Edit("factor-2", (*at, *where), new)
    for path, term in walk(desk.member):
        if term.op == "power" and term.args[1].op == "number":
            for whole in (1, 2, 3):
                power = Term("power", (term.args[0], number(whole))) if whole > 1 else term.args[0]
                yield Edit("missing-factor" if whole > term.args[1].data[0] else "extra-factor",
                           path, power)  # fmt: skip


def scaled(term: Term, by: Fraction) -> tuple[Path, Term]:
    """Return where and how a term is multiplied by 2 or 1/2: in a number it has, else in front."""
    for path, part in factors(term):
        if part.op == "number" and part.data[0] * by in (Fraction(1), Fraction(2), Fraction(1, 2)):
            outer = at_path(term, path[:-1]) if path else None
            if part.data[0] * by == 1 and outer is not None and outer.op == "multiply":
                return path[:-1], without(outer, (path[-1],))
            return path, number(part.data[0] * by)
        if part.op == "divide" and (new := _other_denominator(part, by)):
            return path, new
    return (), before(number(by), term)


def _other_denominator(term: Term, by: Fraction) -> Term | None:
    """Return ``a/m`` for ``a/(2m)``, or the reverse; a quotient without its bottom is its top."""
    top, bottom = term.args
    if bottom.op == "number" and bottom.data[0] / by in (1, 2, 4):
        left = bottom.data[0] / by
        return top if left == 1 and not _is_one(core(top)) else _over(top, number(left))
    if by == 2:
        for path, part in factors(bottom):
            outer = at_path(bottom, path[:-1]) if path else None
            if part.op == "number" and part.data[0] == 2 and outer and outer.op == "multiply":
                return _over(top, put(bottom, path[:-1], without(outer, (path[-1],))))
    elif _is_one(core(top)) and bottom.op in ("size", "free"):
        return _over(top, before(number(2), bottom))
    return None


def _over(top: Term, bottom: Term) -> Term:
    return Term("divide", (top, bottom))


def sample_means(desk: Desk) -> Iterator[Edit]:
    """Divide by the number of samples, or by the size the loss is a mean over, or do not."""
    for path, part in factors(desk.member):
        if part.op == "divide" and part.args[1].op in ("size", "free"):
            outer = at_path(desk.member, path[:-1]) if path else None
            if _is_one(core(part.args[0])) and outer is not None and outer.op == "multiply":
                yield Edit("extra-factor", path[:-1], without(outer, (path[-1],)))
            else:
                yield Edit("extra-factor", path, part.args[0])
    sized = [dim for dim in desk.symbols.sizes if _is_batch(desk, dim)]
    for name in dict.fromkeys([*sized, *(n for n in ("m", "N", "n") if _size_occurs(desk, n))]):
        size = Term("size", (), name)
        inverse = Term("divide", (number(1), size))
        yield Edit("missing-1-over-m", (), before(inverse, desk.member))
        yield Edit("extra-factor", (), before(size, desk.member))


def unnamed_means(desk: Desk) -> Iterator[Edit]:
    """Divide by a number of samples that nothing names."""
    if not any(_is_batch(desk, dim) for dim in desk.symbols.sizes):
        size = Term("size", (), "m")
        yield Edit("missing-1-over-m", (), before(_over(number(1), size), desk.member))
        yield Edit("extra-factor", (), before(size, desk.member))


def sizes(desk: Desk) -> Iterator[Edit]:
    """Multiply or divide the whole, a sum or a term by any other size, or by its root."""
    batch = [dim for dim in desk.symbols.sizes if _is_batch(desk, dim)]
    for name in dict.fromkeys([*batch, *desk.symbols.sizes]):
        size = Term("size", (), name)
        for path in product_places(desk.member, plain=True):
            part = at_path(desk.member, path)
            yield Edit("missing-1-over-m", path, before(_over(number(1), size), part))
            yield Edit("extra-factor", path, before(size, part))
    for name in desk.symbols.sizes:
        root = Term("call", (Term("size", (), name),), ("sqrt", 0))
        yield Edit("missing-factor", (), before(_over(number(1), root), desk.member))
        yield Edit("extra-factor", (), before(root, desk.member))
        for path, term in walk(desk.member):
            own = term.op in ("size", "free") and str(term.data).lower() == name.lower()
            if own and (not path or at_path(desk.member, path[:-1]).op != "call"):
                yield Edit("missing-factor", path, Term("call", (term,), ("sqrt", 0)))


def _size_occurs(desk: Desk, name: str) -> bool:
    for term in (desk.anchor, desk.member):
        for _, part in walk(term):
            if part.op in ("size", "free") and part.data == name and term is desk.anchor:
                return True
            ends = [b.high for b in part.data.bounds] if isinstance(part.data, Fold) else []
            if any(end is not None and str(end) == name for end in ends):
                return True
    return False


def _is_batch(desk: Desk, name: str) -> bool:
    network = desk.symbols.network
    batch = network.batch if network else None
    return batch is not None and name in str(batch.high)


def _complement_of(term: Term) -> Term | None:
    """Return z where a term is ``1 - z``."""
    if term.op != "add" or len(term.args) != 2 or not _is_one(term.args[0]):
        return None
    last = term.args[1]
    return last.args[0] if last.op == "negate" and core(last.args[0]).op == "element" else None


def complements(desk: Desk) -> Iterator[Edit]:
    """Write ``1 - z`` for ``z``, or the other way round."""
    for path, term in walk(desk.member):
        outer = at_path(desk.member, path[:-1]) if path else None
        if term.op == "element" and not inside_slope(desk.member, path):
            if outer is None or outer.op not in ("add", "negate", "call", "power"):
                less = Term("add", (number(1), Term("negate", (term,))))
                yield Edit("wrong-variable", path, Term("group", (less,), "("))
        elif value := _complement_of(term):
            where = path[:-1] if outer is not None and outer.op == "group" else path
            yield Edit("wrong-variable", where, value)


def extra_factors(desk: Desk) -> Iterator[Edit]:
    """Take a factor away, or a pair ``a*(1-a)``."""
    for path, term in walk(desk.member):
        if term.op == "divide":
            yield Edit("extra-factor", path, term.args[0])
        if term.op != "multiply":
            continue
        for place, part in enumerate(term.args):
            slope = core(part).op == "call" and core(part).data[1] or slope_pattern(core(part))
            slope = slope or _is_mask(part, desk)
            mistake = "extra-fprime" if slope else "extra-factor"
            yield Edit(mistake, path, without(term, (place,)))
        for first in range(len(term.args)):
            for second in range(first + 1, len(term.args)):
                pair = Term("multiply", (term.args[first], term.args[second]), ("",))
                if slope_pattern(pair) is not None:
                    yield Edit("extra-fprime", path, without(term, (first, second)))


def _is_mask(term: Term, desk: Desk) -> bool:
    """Tell whether a factor is the slope of a relu: ``1[z > 0]``."""
    brackets = [t for _, t in walk(term) if t.op == "bracket"]
    if len(brackets) != 1 or any(t.op == "add" for _, t in walk(term)):
        return False
    left = brackets[0].data.left
    element = isinstance(left, Term) and left.op == "element"
    return element and real(left.data, desk) in desk.symbols.preactivations


def missing_factors(desk: Desk) -> Iterator[Edit]:
    """Multiply by one quantity of the network."""
    matrix = is_matrix(desk.anchor, desk)
    for path in product_places(desk.member, desk.claim.kind == "plain"):
        part = at_path(desk.member, path)
        for tensor in desk.symbols.tensors.values():
            if tensor.name == desk.symbols.loss:
                continue
            for element in [*elements_of(tensor.name, desk), *accesses_of(tensor.name, desk)]:
                if element.data.whole_axes and not matrix:
                    continue
                yield Edit("missing-factor", path, times(part, element))
                if element.data.whole_axes:
                    transposed = Term("transpose", (element,))
                    yield Edit("missing-factor", path, times(part, transposed))
                    yield Edit("missing-factor", path, times(part, element, r"\odot"))
                else:
                    one_less = Term("add", (number(1), Term("negate", (element,))))
                    yield Edit("missing-factor", path, times(part, one_less))


def missing_weights(desk: Desk) -> Iterator[Edit]:
    """Multiply a layer-generic product by the weights of a layer, from the left."""
    names = [n for n, k in desk.claim.letters.items() if k[0] == "family"]
    for stem, members in desk.symbols.families.items():
        tensor = desk.symbols.tensors[next(iter(members.values()))]
        if stem in desk.symbols.conventional or len(tensor.axes) != 2:
            continue
        for name, shift, path in product(
            names, (0, 1), product_places(desk.member, desk.claim.kind == "plain")
        ):
            weights = Term("element", (), Ref(stem + "{}", (None, None), At(((name, 1),), shift)))
            factor = Term("transpose", (weights,)) if shift else weights
            yield Edit("missing-factor", path, before(factor, at_path(desk.member, path)))
