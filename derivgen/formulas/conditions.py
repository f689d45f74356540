r"""Conditions beside a formula: ``a_i(1-a_i), \quad i = j``, ``j \neq y_i``, ``z > 0``.

A condition claims nothing: it says at which index values or numbers its formula speaks.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from dataclasses import replace
from typing import Any

from derivgen.formulas import tree
from derivgen.formulas.folds import condition_of
from derivgen.formulas.lookups import label_index
from derivgen.formulas.positions import position
from derivgen.formulas.reader import Reader
from derivgen.formulas.rows import tabled
from derivgen.formulas.terms import At, Term, Test, letters_in
from derivgen.formulas.tree import FormulaError, Name, Tree

ORDER = ("!=", "<", ">", "<=", ">=")


def is_condition(chain: tree.Chain, tensors: Container[str] = ()) -> bool:
    """Tell whether a chain only says where another one holds.

    An order or an inequality always does, an equation if one side is a bare letter that is no
    quantity and the other an index, a label or a number.
    """
    if len(chain.members) == 1:
        return isinstance(chain.members[0], tree.Indicator)
    if len(chain.members) != 2:
        return False
    if chain.relations[0] in ORDER:
        return True
    sides = chain.members
    return (
        chain.relations[0] == "="
        and any(_is_letter(side) and _base(side) not in tensors for side in sides)
        and all(_is_index(side) for side in sides)
    )


def _base(node: Tree) -> str:
    return node.base if isinstance(node, Name) else ""


def _is_letter(node: Tree) -> bool:
    bare = isinstance(node, Name) and not (node.sub or node.sup or node.primes)
    return bare and len(_base(node)) == 1


def _is_index(node: Tree) -> bool:
    if isinstance(node, tree.Sum):
        return all(_is_index(part) for part in node.terms)
    if isinstance(node, tree.Literal):
        return node.value.denominator == 1
    return isinstance(node, Name) and len(node.base) == 1 and not node.primes


def with_conditions(
    chains: Sequence[tree.Chain], text: str, tensors: Container[str]
) -> list[tree.Chain]:
    """Return the chains of a block without its conditions, each of which is given to a claim.

    A condition belongs to the claim before it, or to the one behind it in its own row.
    """
    kinds = [is_condition(chain, tensors) for chain in chains]
    if not any(kinds) or all(kinds):
        return list(chains)
    given: dict[int, list[tree.Chain]] = {}
    for place, chain in enumerate(chains):
        if kinds[place] and (owner := _owner(place, chains, kinds, text)) is not None:
            given.setdefault(owner, []).append(chain)
    return [
        replace(chain, conditions=tuple(given.get(place, ())))
        for place, chain in enumerate(chains)
        if not kinds[place]
    ]


def _owner(place: int, chains: Sequence[tree.Chain], kinds: list[bool], text: str) -> int | None:
    before = next((n for n in range(place - 1, -1, -1) if not kinds[n]), None)
    after = next((n for n in range(place + 1, len(chains)) if not kinds[n]), None)
    if before is not None and after is not None:
        start, stop = chains[before].span[1], chains[place].span[0]
        return after if _breaks(text[start:stop]) else before
    return after if before is None else before


def _breaks(text: str) -> bool:
    return "\\\\" in text or "\\newline" in text or "\n\n" in text


def guards(chain: tree.Chain, reader: Reader) -> Iterator[Test]:
    """Yield the tests of a chain's conditions; one about letters that it lacks says nothing."""
    for condition in chain.conditions:
        try:
            test = _test(condition, reader)
        except FormulaError:
            continue
        if test is not None and all(name in reader.letters.known for name in _names(test)):
            yield test


def _test(condition: tree.Chain, reader: Reader) -> Test | None:
    first = condition.members[0]
    if isinstance(first, tree.Indicator):
        return condition_of(first.tokens, reader, first.span)
    sides = [_side(side, reader) for side in condition.members]
    return Test(condition.relations[0], sides[0], sides[1])


def _side(node: Tree, reader: Reader) -> Any:
    symbols = reader.symbols
    if isinstance(node, Name):
        tokens = (tree.Token("name", node.base, node.span), *_below(node))
        at = label_index(tokens, symbols, reader.letters)
        if at is not None and at.parts:
            return at
    at = position(node, symbols, tabled(reader.rows, symbols, reader.letters))
    names = (*symbols.tensors, *symbols.scalars)
    if at is not None and all(name not in names for name, _ in at.letters):
        return at
    return reader.term(node)


def _below(node: Name) -> tuple[tree.Token, ...]:
    found: tuple[tree.Token, ...] = ()
    for mark, script in (("_", node.sub), ("^", node.sup)):
        if script:
            braces = [tree.Token(kind, kind, node.span) for kind in "{}"]
            found += (tree.Token(mark, mark, node.span), braces[0], *script, braces[1])
    return found


def _names(test: Test) -> Iterator[str]:
    sides = test.left if isinstance(test.left, tuple) else (test.left, test.right)
    for side in sides:
        if isinstance(side, Test):
            yield from _names(side)
        elif isinstance(side, At):
            yield from (name for name, _ in side.letters)
        elif isinstance(side, Term):
            yield from letters_in(side)
