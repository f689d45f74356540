"""Formulas about one sample of a network that numbers its samples itself: ``y_k`` for ``y[n,k]``.

Invariant: all that a formula leaves without a number is of the same sample, whichever it is.
"""

from __future__ import annotations

from dataclasses import replace

from derivgen.algebra.network import Role
from derivgen.formulas.symbols import AxisKey, Symbols, axis_key
from derivgen.formulas.terms import Claim, Ref, Term, letter

SAMPLE = "#n"


def of_one_sample(
    anchor: Term, member: Term, claim: Claim, symbols: Symbols
) -> tuple[Term, Term, Claim] | None:
    """Return both members about a single sample, if both leave its number out somewhere."""
    batch = symbols.network.batch if symbols.network else None
    if batch is None:
        return None
    key: AxisKey = ("axis", batch.low, batch.high)
    if any(k == key for k in claim.letters.values()):
        return None  # it numbers its samples
    made = [_numbered(term, key, symbols) for term in (anchor, member)]
    if made[0] is anchor or made[1] is member:
        return None
    return made[0], made[1], replace(claim, letters={**claim.letters, SAMPLE: key})


def _numbered(term: Term, key: AxisKey, symbols: Symbols) -> Term:
    if term.op == "element":
        ref = _of_sample(term.data, key, symbols)
        return term if ref is term.data else Term(term.op, term.args, ref, term.span)
    args = tuple(_numbered(part, key, symbols) for part in term.args)
    same = all(new is old for new, old in zip(args, term.args))
    return term if same else term.with_args(args)


def _of_sample(ref: Ref, key: AxisKey, symbols: Symbols) -> Ref:
    tensor = symbols.tensors.get(ref.tensor)
    if tensor is None or tensor.role is Role.PARAM:
        return ref
    slots = ref.slots or (None,) * len(tensor.axes)
    places = [n for n in range(len(tensor.axes)) if axis_key(tensor, n) == key]
    if len(places) != 1 or slots[places[0]] is not None:
        return ref
    made = tuple(letter(SAMPLE) if n == places[0] else slot for n, slot in enumerate(slots))
    return replace(ref, slots=made)
