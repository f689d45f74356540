r"""Index expressions beyond letters and numbers: ``\lfloor i/2 \rfloor``, ``(i \bmod 3)``, ``y_t``.

A part of a formula that stands as an index is read as a tree first; what is no index is `None`.
Invariant: an index-valued tensor is looked up, every other name is a letter.
"""

from __future__ import annotations

from collections.abc import Callable

from derivgen.formulas import tree
from derivgen.formulas.symbols import Symbols
from derivgen.formulas.terms import At, Part, Ref, Term, letter
from derivgen.formulas.tree import Tree

FLOOR, MOD = r"\lfloor", "%"
Named = Callable[[tree.Name], Term | None]  # what the surface table has for a name


def position(node: Tree, symbols: Symbols, named: Named) -> At | None:
    """Return the index expression a tree stands for, or ``None``."""
    match node:
        case tree.Literal(value) if value.denominator == 1:
            return At((), int(value))
        case tree.Name():
            return _name(node, symbols, named)
        case tree.Group((inner,), bracket):
            return _group(inner, bracket, symbols, named)
        case tree.Sum(terms, signs):
            return _sum(terms, signs, symbols, named)
        case tree.Product(factors, operators):
            return _product(factors, operators, symbols, named)
    return None


def looked_up(ref: Ref, symbols: Symbols) -> At | None:
    """Return the value of an index-valued element as an index, or ``None`` for another tensor."""
    tensor = symbols.tensors.get(ref.tensor)
    if tensor is None or tensor.values_of is None or None in ref.slots:
        return None
    inner = tuple(slot for slot in ref.slots if slot is not None)
    return At((), 0, False, ((Part("lookup", ref.tensor, inner), 1),))


def _name(node: tree.Name, symbols: Symbols, named: Named) -> At | None:
    term = named(node)
    if term is not None and term.op == "element" and (found := looked_up(term.data, symbols)):
        return found
    return letter(node.base + "'" * node.primes) if not (node.sub or node.sup) else None


def _group(inner: Tree, bracket: str, symbols: Symbols, named: Named) -> At | None:
    if bracket != FLOOR:
        return position(inner, symbols, named)
    if not isinstance(inner, tree.Product) or inner.operators[-1] != "/":
        return None
    rest = tree.Product(inner.factors[:-1], inner.operators[:-1], inner.span)
    above = rest.factors[0] if len(rest.factors) == 1 else rest
    return _divided("//", above, inner.factors[-1], symbols, named)


def _divided(kind: str, above: Tree, below: Tree, symbols: Symbols, named: Named) -> At | None:
    form = position(above, symbols, named)
    if form is None or not isinstance(below, tree.Literal) or below.value.denominator != 1:
        return None
    part = Part(kind, "", (form,), int(below.value))
    return At((), 0, False, ((part, 1),)) if part.divisor > 0 else None


def _sum(
    terms: tuple[Tree, ...], signs: tuple[int, ...], symbols: Symbols, named: Named
) -> At | None:
    total = At((), 0, False)
    for sign, term in zip(signs, terms):
        form = position(term, symbols, named)
        if form is None:
            return None
        total = plus(total, form, sign)
    return total


def _product(
    factors: tuple[Tree, ...], operators: tuple[str, ...], symbols: Symbols, named: Named
) -> At | None:
    if operators == (MOD,):
        return _divided(MOD, factors[0], factors[1], symbols, named)
    first, *rest = factors
    if len(rest) != 1 or not isinstance(first, tree.Literal) or first.value.denominator != 1:
        return None
    form = position(rest[0], symbols, named)
    return None if form is None else plus(At((), 0, False), form, int(first.value))


def plus(left: At, right: At, times: int) -> At:
    """Return ``left + times * right``."""
    letters, parts = dict(left.letters), dict(left.parts)
    for name, count in right.letters:
        letters[name] = letters.get(name, 0) + times * count
    for part, count in right.parts:
        parts[part] = parts.get(part, 0) + times * count
    kept = tuple((name, count) for name, count in letters.items() if count)
    return At(kept, left.constant + times * right.constant, False, tuple(parts.items()))
