r"""Terms with all their indices as terms of whole vectors and matrices.

``sum[k](d(L, o[t,k])*W[k,i])`` in place i is ``W^T \frac{\partial L}{\partial o_t}``. Invariant:
what has no such form gives nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from derivgen.formulas.terms import Fold, Ref, Term, free_letters, letter


class NoMatrix(Exception):
    """A term has no form in whole matrices."""


def vectorised(term: Term, out: Sequence[str]) -> Term | None:
    """Return a term in the places ``out`` (one or two letters) as a whole, or nothing."""
    try:
        return _whole(term, tuple(out))
    except NoMatrix:
        return None


def _whole(term: Term, out: tuple[str, ...]) -> Term:
    if term.op in ("add", "negate"):
        return Term(term.op, tuple(_whole(part, out) for part in term.args))
    bound: tuple[str, ...] = ()
    fold: Fold | None = None
    if term.op == "fold" and term.data.op == "sum":
        fold, term = term.data, term.args[0]
        bound = tuple(b.letter for b in fold.bounds)
    factors = list(term.args) if term.op == "multiply" else [term]
    kept = tuple(b for b in bound if not _contracts(b, factors, out))
    inner = _product(factors, out, tuple(b for b in bound if b not in kept))
    if fold is None or not kept:
        return inner
    bounds = tuple(b for b in fold.bounds if b.letter in kept)
    return Term("fold", (inner,), replace(fold, bounds=bounds))


def _contracts(name: str, factors: list[Term], out: tuple[str, ...]) -> bool:
    """Tell whether a bound letter stands beside one of the places in an element."""
    for factor in factors:
        letters = free_letters(factor)
        slots = _slots(factor)
        if name in letters and any(o in letters for o in out) and letter(name) in slots:
            return len(slots) >= 2
    return False


def _slots(term: Term) -> tuple[object, ...]:
    inner = term.args[1] if term.op == "gradient" else term
    return tuple(inner.data.slots) if inner.op == "element" else ()


def _product(factors: list[Term], out: tuple[str, ...], bound: tuple[str, ...]) -> Term:
    if len(bound) > 1:
        raise NoMatrix
    names = (*out, *bound)
    sorted_: dict[tuple[str, ...], list[Term]] = {}
    for factor in factors:
        own = tuple(n for n in names if n in free_letters(factor))
        sorted_.setdefault(own, []).append(factor)
    scalars = sorted_.pop((), [])
    if len(out) == 2:
        core = _outer(sorted_, out, bound)
    elif bound:
        core = _matrix_times_vector(sorted_, out[0], bound[0])
    else:
        if set(sorted_) != {out}:
            raise NoMatrix
        core = _hadamard(sorted_[out], out)
    if not scalars:
        return core
    return Term("multiply", (*scalars, core), ("",) * len(scalars))


def _hadamard(factors: list[Term], names: tuple[str, ...]) -> Term:
    parts = tuple(_without(factor, names) for factor in factors)
    if len(parts) == 1:
        return parts[0]
    return Term("multiply", parts, (r"\odot",) * (len(parts) - 1))


def _matrix_times_vector(found: dict[tuple[str, ...], list[Term]], row: str, inner: str) -> Term:
    beside = found.pop((row,), [])
    vector, matrix = found.pop((inner,), []), found.pop((row, inner), [])
    if found or not vector or len(matrix) != 1:
        raise NoMatrix
    right = _hadamard(vector, (inner,))
    product = Term("multiply", (_matrix(matrix[0], row, inner), _grouped(right)), ("",))
    if not beside:
        return product
    return Term("multiply", (_hadamard(beside, (row,)), _grouped(product)), (r"\odot",))


def _outer(
    found: dict[tuple[str, ...], list[Term]], out: tuple[str, ...], bound: tuple[str, ...]
) -> Term:
    row, column = out
    if bound:
        (inner,) = bound
        left, right = found.pop((row, inner), []), found.pop((column, inner), [])
        if found or len(left) != 1 or len(right) != 1:
            raise NoMatrix
        parts = (_matrix(left[0], row, inner), _matrix(right[0], inner, column))
        return Term("multiply", parts, ("",))
    left, right = found.pop((row,), []), found.pop((column,), [])
    if found or not left or not right:
        raise NoMatrix
    one, other = _hadamard(left, (row,)), _hadamard(right, (column,))
    return Term("multiply", (_grouped(one), Term("transpose", (_grouped(other),))), ("",))


def _matrix(factor: Term, row: str, column: str) -> Term:
    """Return an element with two letters as a matrix with the rows asked for."""
    letters = [s for s in _slots(factor) if s in (letter(row), letter(column))]
    if len(letters) != 2 or letters[0] == letters[1]:
        raise NoMatrix
    whole = _without(factor, (row, column))
    return whole if letters[0] == letter(row) else Term("transpose", (whole,))


def _grouped(term: Term) -> Term:
    return Term("group", (term,), "(") if term.op in ("add", "multiply", "negate") else term


def _without(term: Term, names: tuple[str, ...]) -> Term:
    """Leave the letters of places away: ``h[t,j]`` becomes ``h_t``."""
    if term.op not in ("element", "gradient", "group", "add", "negate", "call", "power", "number",
                       "multiply", "divide", "bracket"):  # fmt: skip
        raise NoMatrix
    if term.op == "bracket":
        left = term.data.left
        if not isinstance(left, Term):
            raise NoMatrix
        return Term("bracket", (), replace(term.data, left=_without(left, names)))
    args = tuple(_without(part, names) for part in term.args)
    data = term.data
    if isinstance(data, Ref):
        slots = tuple(None if s in [letter(n) for n in names] else s for s in data.slots)
        if any(s is not None and n in dict(s.letters) for s in slots for n in names):
            raise NoMatrix
        data = replace(data, slots=slots)
    elif term.op == "multiply":
        data = tuple(r"\odot" for _ in data)
    return Term(term.op, args, data)
