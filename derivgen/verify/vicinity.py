r"""Conditions that words around a formula state: "if $i = j$:" above it, "when $i \neq j$" below.

Invariant: such a condition is tried only where the formula is wrong without it, and only from the
same sentence or the one before.
"""

from __future__ import annotations

import re
from collections.abc import Container, Sequence
from dataclasses import replace

from derivgen.formulas import tree
from derivgen.formulas.conditions import is_condition
from derivgen.formulas.tree import FormulaError
from derivgen.verify.claims import is_claim
from derivgen.verify.scanner import Block

REACH = 300  # characters between a condition and its formula
_BEHIND = re.compile(
    r"[\s,.;:(（，]*(?:if|when|where|for|whenever|当|若|如果)\s*\(?$", re.IGNORECASE
)

Parsed = list[tuple[Block, list[tree.Chain] | FormulaError]]


def with_nearby(parsed: Parsed, text: str, tensors: Container[str]) -> Parsed:
    """Return the blocks of a note, each chain with the conditions that words around it state."""
    made: Parsed = []
    for place, (block, chains) in enumerate(parsed):
        if isinstance(chains, FormulaError):
            made.append((block, chains))
            continue
        nearby = (*_above(place, parsed, tensors), *_below(place, parsed, text, tensors))
        made.append((block, [replace(chain, nearby=nearby) for chain in chains]))
    return made


def _above(place: int, parsed: Parsed, tensors: Container[str]) -> tuple[tree.Chain, ...]:
    """Return the conditions between a formula and the one before it, the nearest first."""
    found: list[tree.Chain] = []
    start = parsed[place][0].offset
    for block, chains in reversed(parsed[:place]):
        claims = [] if isinstance(chains, FormulaError) else _claims(chains, tensors)
        if start - block.offset > REACH or claims or isinstance(chains, FormulaError):
            break
        found += [chain for chain in chains if is_condition(chain, tensors)]
    return tuple(found)


def _below(
    place: int, parsed: Parsed, text: str, tensors: Container[str]
) -> tuple[tree.Chain, ...]:
    """Return the condition that ends the sentence of a formula."""
    block = parsed[place][0]
    following = parsed[place + 1 : place + 2]
    if not following or isinstance(following[0][1], FormulaError):
        return ()
    between = text[block.offset + len(block.text) : following[0][0].offset].strip("$\\[]() \n")
    conditions = [chain for chain in following[0][1] if is_condition(chain, tensors)]
    return tuple(conditions) if _BEHIND.fullmatch(between) else ()


def _claims(chains: Sequence[tree.Chain], tensors: Container[str]) -> list[tree.Chain]:
    return [c for c in chains if is_claim(c, tensors) and not is_condition(c, tensors)]
