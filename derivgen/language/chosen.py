"""Computed tensors that hold index values: ``best = argmax[i](w[i])`` may stand in ``v[best]``.

Such a tensor is known by its use: it stands in an index position, and each of its equations says
index values: argmax or argmin over one index, indices and whole numbers, another such tensor, or
sums and choices (``where``, ``max``, ``min``) of these. No slope flows through it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from derivgen.algebra.affine import (
    Affine,
    Index,
    affine,
    lower_bound,
    surely_nonnegative,
    upper_bound,
)
from derivgen.algebra.expressions import (
    Access,
    Add,
    Call,
    Expr,
    IndexValue,
    Mul,
    Number,
    Reduce,
    Where,
)
from derivgen.algebra.network import Equation, Tensor
from derivgen.errors import EquationError
from derivgen.language.bounds import with_lookups_as_indices
from derivgen.language.lines import EquationLine
from derivgen.language.scope import View
from derivgen.language.syntax import Apply, Chain, Infix, Negative, Num, Ref, Tree, Word, parts_of

ARGS = ("argmax", "argmin")


def find_chosen(lines: Iterable[EquationLine], views: Mapping[str, View]) -> tuple[str, ...]:
    """Return the names of the computed tensors that index others, in order of definition.

    ``views`` are the tensors as known before; a name not among them is an index or a size.
    """
    sides: dict[str, list[Tree]] = {}
    asked: dict[str, None] = {}
    for line in lines:
        trees = [line.rhs] if line.predict is None else [line.rhs, line.predict]
        sides.setdefault(line.lhs.name, []).extend(trees)
        for tree in (line.lhs, *trees):
            asked.update(dict.fromkeys(_indexing(tree)))
    chosen = _closure([name for name in asked if name in sides], sides)
    settled = False
    while not settled:
        kept = {
            name: None
            for name in chosen
            if all(_says_index(tree, chosen, sides, views) for tree in sides[name])
        }
        settled = len(kept) == len(chosen)
        chosen = kept
    return tuple(name for name in sides if name in chosen)


def _indexing(tree: Tree) -> Iterator[str]:
    """Yield the names that stand in an index position."""
    stack = [(tree, False)]
    while stack:
        part, inside = stack.pop()
        if inside and isinstance(part, (Word, Ref)):
            yield part.name
        if isinstance(part, Ref):
            stack += [(item, True) for item in part.items]
            stack += [] if part.outside is None else [(part.outside, False)]
        else:
            stack += [(inner, inside) for inner in parts_of(part)]


def _closure(names: list[str], sides: Mapping[str, list[Tree]]) -> dict[str, None]:
    """Return the names, and those of computed tensors their equations choose from."""
    found: dict[str, None] = {}
    stack = list(names)
    while stack:
        name = stack.pop()
        if name in found:
            continue
        found[name] = None
        parts = list(sides[name])
        while parts:
            part = parts.pop()
            if isinstance(part, (Word, Ref)) and part.name in sides:
                stack.append(part.name)
            elif not (isinstance(part, Apply) and part.name in ARGS):
                parts += parts_of(part)
    return found


def _says_index(
    tree: Tree,
    chosen: Mapping[str, None],
    computed: Mapping[str, object],
    views: Mapping[str, View],
) -> bool:
    def says(part: Tree) -> bool:
        return _says_index(part, chosen, computed, views)

    match tree:
        case Num(value=value):
            return value.denominator == 1
        case Word(name=name):
            known = name not in views or views[name].holds_indices
            return name in chosen if name in computed else known
        case Ref(name=name):
            known = name in views and views[name].holds_indices
            return name in chosen if name in computed else known
        case Negative(part=part):
            return says(part)
        case Chain(ops=ops, parts=parts):
            return ops[-1] in ("+", "-", "*") and all(map(says, parts))
        case Infix(op=op, left=left, right=right):
            return op in ("//", "%") and says(left) and says(right)
        case Apply(name=name, items=items) if name in ARGS:
            return items is not None and len(items) == 1
        case Apply(name="where", args=(_, yes, no)):
            return says(yes) and says(no)
        case Apply(name="max" | "min", args=args):
            return all(map(says, args))
        case _:
            return False


# --- the values they may hold ---------------------------------------------------------------------

Bounds = tuple[Affine, Affine]  # the least and the largest value


def with_values(
    tensors: Mapping[str, Tensor], equations: Iterable[Equation], chosen: Iterable[str]
) -> dict[str, Tensor]:
    """Return the chosen tensors with the index whose values each holds.

    Raises: EquationError, for one whose values have no bounds that hold for all sizes.
    """
    own: dict[str, list[Equation]] = {name: [] for name in chosen if name in tensors}
    for equation in equations:
        if equation.lhs.tensor in own:
            own[equation.lhs.tensor].append(equation)
    known = dict(tensors)
    open_ = True
    for _ in range(len(own) + 2):
        if not open_:
            break
        open_ = False
        for name, parts in own.items():
            new = _index_of(name, parts, known, own)
            open_ = open_ or new != known[name].values_of
            known[name] = replace(known[name], values_of=new)
    for name, parts in own.items():
        if open_ or known[name].values_of is None:
            raise _unbounded(name, parts[0])
    return {name: known[name] for name in own}


def _unbounded(name: str, equation: Equation) -> EquationError:
    return EquationError(
        name,
        f"{name} is used as an index, but the range of its values is not known for all sizes.",
        "Compute it from argmax, argmin, indices and tensors declared with of.",
        equation.position,
    )


def _index_of(
    name: str, equations: list[Equation], known: Mapping[str, Tensor], own: Mapping[str, object]
) -> Index | None:
    """Return the index over all values the equations give; those not known yet are left out."""
    sides = [side for e in equations for side in (e.rhs, e.predict) if side is not None]
    found = [bounds for side in sides if (bounds := _bounds(side, known)) is not None]
    joined = _joined(found) if found else None
    return None if joined is None else Index(name, joined[0], joined[1] + 1)


def _joined(parts: list[Bounds]) -> Bounds | None:
    low, high = parts[0]
    for other, above in parts[1:]:
        if not surely_nonnegative(other - low):
            if not surely_nonnegative(low - other):
                return None
            low = other
        if not surely_nonnegative(high - above):
            if not surely_nonnegative(above - high):
                return None
            high = above
    return low, high


def _bounds(expr: Expr, known: Mapping[str, Tensor]) -> Bounds | None:
    match expr:
        case Number(value) if value.denominator == 1:
            return affine(int(value)), affine(int(value))
        case IndexValue(form):
            plain = with_lookups_as_indices(form, known)
            low, high = lower_bound(plain), upper_bound(plain)
            return None if low is None or high is None else (low, high)
        case Reduce(op="argmax" | "argmin", bound=(index,)):
            return index.low, index.high - 1
        case Access(tensor, _, outside):
            holds = known[tensor].values_of
            inside = [] if holds is None else [(holds.low, holds.high - 1)]
            return (
                _of_parts([], known, inside)
                if outside is None
                else (_of_parts([outside], known, inside))
            )
        case Where(_, yes, no):
            return _of_parts([yes, no], known)
        case Call("max" | "min", args):
            return _of_parts(list(args), known)
        case Reduce(op="max" | "min", body=body):
            return _bounds(body, known)
        case Add(terms):
            return _total([_bounds(term, known) for term in terms])
        case Mul((Number(value), other)) if value.denominator == 1:
            return _times(_bounds(other, known), int(value))
        case _:
            return None


def _of_parts(
    parts: list[Expr], known: Mapping[str, Tensor], more: list[Bounds] | None = None
) -> Bounds | None:
    found = [*(more or []), *(b for part in parts if (b := _bounds(part, known)) is not None)]
    return _joined(found) if found else None


def _total(parts: list[Bounds | None]) -> Bounds | None:
    low = high = affine(0)
    for part in parts:
        if part is None:
            return None
        low, high = low + part[0], high + part[1]
    return low, high


def _times(bounds: Bounds | None, factor: int) -> Bounds | None:
    if bounds is None:
        return None
    ends = bounds[0] * factor, bounds[1] * factor
    return ends if factor >= 0 else (ends[1], ends[0])
