"""A name with scripts to the term it means, through the surface table or the network's own names.

Every way of splitting the scripts into a longer name, a family member, a sample and indices is
tried; the best fit by axes and declared letters wins, the longest declared name first.
Invariant: a name that nothing declared fits is an error with its place, never a guess.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from derivgen.formulas.conventions import LAYER_LETTERS, WEIGHTS
from derivgen.formulas.fit import SAMPLE_LETTERS, Candidate, Letters, any_member, scored
from derivgen.formulas.lookups import script_atoms
from derivgen.formulas.scripts import Atom, atoms, plain_text, unwrapped
from derivgen.formulas.sequence import part_name
from derivgen.formulas.symbols import (
    BATCH_SIZES,
    LOSS_NAMES,
    LOSS_WORDS,
    STEP_SIZES,
    Symbols,
    axis_key,
    canonical,
    other_case,
)
from derivgen.formulas.terms import At, Ref, Term, ats_of, letter
from derivgen.formulas.tree import Name

UNWRITTEN = "#"  # the letter of a sum that was written without one
LABELLED = ("W", "U", "V", "R", "b", "w")


def network_candidates(name: Name, symbols: Symbols, letters: Letters) -> Iterator[Candidate]:
    """Yield the readings of a name as a tensor, a family member or the loss."""
    sub, sup = (script_atoms(part, symbols, letters) for part in (name.sub, name.sup))
    if symbols.is_size(name):
        return
    if symbols.network and symbols.network.batch and plain_text(name.sub) == "B":
        sub, name = (), replace(name, sub=())  # mu_B is the mean over the batch
    if _is_label(name, symbols) and not any(atom.at and atom.at.parts for atom in sub):
        yield from _labelled(name, sup, symbols, letters)
        return
    for stem, rest_sub, rest_sup, used in _splits(name, sub, sup):
        tensor = symbols.by_canonical.get(stem)
        if tensor is None and stem == name.base and _only_other_case(stem, symbols):
            tensor, used = other_case(stem), used - 3
        if tensor is not None and rest_sub != sub and _spells(tensor, sub, symbols):
            rest_sub = sub  # w_{kj} is an element of wkj, not the whole of it
        if tensor is not None:
            found = fits(tensor, None, rest_sub, rest_sup, used, name, symbols, letters)
            # W_{ho} is no row o of W_h: a name with one letter of a script is read whole.
            split = bool(used > 0 and rest_sub and rest_sub != sub)
            kept = (c for c in found if not split or _is_whole_script(c.term.data, symbols))
            numbered = used > 0 and _is_row(tensor, name, symbols)
            yield from map(_lying, kept) if numbered else kept
    yield from _family_candidates(name, sub, sup, symbols, letters)
    yield from _lettered_candidates(name, sub, sup, symbols, letters)
    yield from _role_candidates(name, sub, sup, symbols, letters)
    yield from _loss_candidates(name, sub, sup, symbols, letters)
    yield from _group_candidates(name, symbols, letters)


def _group_candidates(name: Name, symbols: Symbols, letters: Letters) -> Iterator[Candidate]:
    """Read ``target`` under a sum without a letter as the target of each neuron."""
    stem = symbols.unit_groups.get(name.base)
    if stem is None or UNWRITTEN not in letters.bound or name.sub or name.sup:
        return
    ref = Ref(stem + "{}", (), letter(UNWRITTEN))
    yield scored(Term("element", (), ref, name.span), symbols, letters, -8)


def _is_whole_script(ref: Ref, symbols: Symbols) -> bool:
    """Tell whether what is left of a script is all indices, or the time: t of net_{o,t}."""
    axis = symbols.time_axes.get(ref.tensor)
    timed = axis is not None and ref.slots[axis] is not None and ref.whole_axes == 1
    return ref.whole_axes == 0 or timed


def _spells(tensor: str, sub: tuple[Atom, ...], symbols: Symbols) -> bool:
    """Tell whether a subscript is the letters that a tensor's name ends in."""
    stem = symbols.spelled.get(tensor)
    return stem is not None and canonical(tensor) == stem + "".join(atom.text for atom in sub)


def _lettered_candidates(
    name: Name, sub: tuple[Atom, ...], sup: tuple[Atom, ...], symbols: Symbols, letters: Letters
) -> Iterator[Candidate]:
    """Read a name of several tensors by its index letters; none may be left out."""
    order = sub[::-1] if name.base in symbols.turned else sub
    for tensor in symbols.by_letters.get(name.base, ()) if sub else ():
        for found in fits(tensor, None, order, sup, -4, name, symbols, letters):
            if found.term.data.whole_axes == 0:
                yield found


def _is_label(name: Name, symbols: Symbols) -> bool:
    """Tell whether a subscript says what weights connect, as in ``W_{hh}`` and ``b_y``.

    Its letters name tensors, by the network or by custom, and are not all indices.
    """
    text = plain_text(name.sub)
    if name.base not in LABELLED or not text.isalpha() or len(text) > 2 or not symbols.network:
        return False
    letters = [index.name for index in symbols.network.indices]
    known = (*symbols.tensors, *symbols.roles, "x", "y", "h")
    return all(c in known for c in text) and not all(c in letters for c in text)


def _labelled(
    name: Name, sup: tuple[Atom, ...], symbols: Symbols, letters: Letters
) -> Iterator[Candidate]:
    joined = name.base + canonical(plain_text(name.sub))
    tensor = symbols.by_canonical.get(joined) or symbols.guess.get(joined)
    if tensor is None and joined == "b" + plain_text(name.sub):
        tensor = symbols.by_canonical.get("b")
    if tensor is not None:
        yield from fits(tensor, None, (), sup, 10, name, symbols, letters)


def _splits(
    name: Name, sub: tuple[Atom, ...], sup: tuple[Atom, ...]
) -> Iterator[tuple[str, tuple[Atom, ...], tuple[Atom, ...], int]]:
    """Yield ways to take scripts into the name: the name, the atoms left, how much was taken."""
    base = name.base
    sub_text = canonical(plain_text(name.sub))
    sup_text = canonical(plain_text(unwrapped(name.sup)[0]))
    joined = "" if name.base in ("", "nabla") else base
    if sub_text and sup_text:
        yield joined + sub_text + sup_text, (), (), 12
        yield joined + sup_text + sub_text, (), (), 12
    # A number in brackets above is the layer, what stands below it an index.
    layered = bool(sup) and sup[0].bracketed and sup[0].text.isdigit()
    if sub_text and not (layered and sub_text.isdigit()):
        yield joined + sub_text, (), sup, 10
    if len(sub_text) > 1 and sub_text.isalpha():
        yield sub_text, (), sup, 9  # D_{KL} is KL
    if sup:
        yield joined + sup_text, sub, (), 10 if len(sup_text) > 1 else 8
        yield joined + sup[0].text, sub, sup[1:], 6
    plain = re.sub("tilde|hat|bar", "", sub[0].text) if sub else ""
    if plain and plain != sub[0].text:
        yield joined + plain, sub[1:], sup, 5  # net_{\\tilde c} may be netc
    for taken in range(1, len(sub)):
        yield joined + "".join(a.text for a in sub[:taken]), sub[taken:], sup, 5 + taken
        if sup:
            yield joined + sup[0].text + sub[0].text, sub[1:], sup[1:], 7
    yield joined, sub, sup, 0


def fits(
    tensor: str,
    member: At | None,
    sub: tuple[Atom, ...],
    sup: tuple[Atom, ...],
    used: int,
    name: Name,
    symbols: Symbols,
    letters: Letters,
) -> Iterator[Candidate]:
    real = any_member(tensor, symbols)
    rank = len(symbols.tensors[real].axes)
    sub = _digit_by_digit(sub, rank)
    for sample, left in _sample_choices(real, rank, sub, sup, symbols):
        summed = sample is not None and str(sample) in letters.samples
        own = any((atom.grouped or summed) and atom.bracketed and atom.at == sample for atom in sup)
        taken = sample is not None and any(n in letters.declared for n, _ in sample.letters)
        scalar = rank == 0 and not sub and len(sup) == 1 and sup[0].bracketed
        if taken and not own and not scalar:
            continue  # the letter runs over something else here
        for order, bonus in _orders(left[0], left[1]):
            if _is_exchanged(order, left[1], real, symbols):
                continue
            for slots, partial in _placements(order, rank):
                ref = Ref(tensor, slots, member, sample)
                term = Term("element", (), ref, name.span)
                penalty = (
                    (-8 if own else 2) * (sample is not None)
                    + 2 * partial
                    + _literal_powers(order, name)
                )
                yield scored(term, symbols, letters, used + bonus - penalty)


def _digit_by_digit(sub: tuple[Atom, ...], rank: int) -> tuple[Atom, ...]:
    """Read ``W_{11}`` of a matrix as row 1, column 1."""
    text = sub[0].text if len(sub) == 1 else ""
    if rank < 2 or len(text) != rank or not text.isdigit():
        return sub
    return tuple(Atom(digit, At((), int(digit)), sub[0].bracketed) for digit in text)


def _literal_powers(order: tuple[Atom, ...], name: Name) -> int:
    """Return a penalty for reading a bare number above a name as an index: it is a power."""
    bare = {
        a.text
        for a in atoms(name.sup)
        if not a.bracketed and (a.text.isdigit() or a.text in ("T", "top"))
    }
    return 9 if any(atom.text in bare for atom in order) else 0


def _role_candidates(
    name: Name, sub: tuple[Atom, ...], sup: tuple[Atom, ...], symbols: Symbols, letters: Letters
) -> Iterator[Candidate]:
    """Read the usual names of input, target and output where the network has others."""
    if name.base in symbols.sizes and not (sub or sup):
        return  # the T of 1/T is a size, not a target t
    numbered = name.base in symbols.families and name.base not in symbols.conventional
    if name.base in symbols.by_canonical or numbered:
        return
    if name.base in symbols.conventional and any(a.bracketed and a.text.isdigit() for a in sup):
        return  # a layer that does not exist
    if joined := symbols.guess.get(name.base + "_" + "".join(atom.text for atom in sub)):
        yield from fits(joined, None, (), sup, 4, name, symbols, letters)
    tensor = symbols.roles.get(name.base)
    if tensor is None and not _only_other_case(name.base, symbols):
        tensor = symbols.roles.get(other_case(name.base))
    if tensor is not None:
        yield from fits(tensor, None, sub, sup, -2, name, symbols, letters)


def _sample_choices(
    tensor: str, rank: int, sub: tuple[Atom, ...], sup: tuple[Atom, ...], symbols: Symbols
) -> Iterator[tuple[At | None, tuple[tuple[Atom, ...], tuple[Atom, ...]]]]:
    if len(sub) + len(sup) <= rank:
        yield None, (sub, sup)
    if tensor not in symbols.data_dependent or (symbols.network and symbols.network.batch):
        return
    if len(sub) + len(sup) not in (rank + 1, 1):
        return
    for number, atom in enumerate(sup):
        if atom.at is not None and (atom.bracketed or rank < len(sub) + len(sup)):
            yield atom.at, (sub, sup[:number] + sup[number + 1 :])
    for number, atom in enumerate(sub):
        if atom.at is not None and atom.text in SAMPLE_LETTERS:
            yield atom.at, (sub[:number] + sub[number + 1 :], sup)


def _orders(sub: tuple[Atom, ...], sup: tuple[Atom, ...]) -> Iterator[tuple[tuple[Atom, ...], int]]:
    yield sub + sup, 1
    if sub and sup:
        yield sup + sub, 1


def _is_exchanged(
    order: tuple[Atom, ...], sup: tuple[Atom, ...], tensor: str, symbols: Symbols
) -> bool:
    """Tell whether a bracket above, a sample, is to be another axis of a batch than the samples."""
    batch = symbols.network.batch if symbols.network else None
    if batch is None or len(sup) != 1 or len(order) < 2 or not sup[0].bracketed:
        return False
    axes = [axis_key(symbols.tensors[tensor], n) for n in range(len(order))]
    samples = [n for n, key in enumerate(axes) if key[2] == batch.high]
    return len(samples) == 1 and order[samples[0]] is not sup[0]


def _placements(order: tuple[Atom, ...], rank: int) -> Iterator[tuple[tuple[At | None, ...], bool]]:
    if any(atom.at is None and atom.text != ":" for atom in order) or len(order) > rank:
        return
    places = tuple(atom.at for atom in order)
    if len(places) == rank:
        yield places, False
    elif not places:
        yield (None,) * rank, False
    else:
        for start in range(rank - len(places) + 1):
            rest = rank - len(places) - start
            yield (None,) * start + places + (None,) * rest, True


def _family_candidates(
    name: Name, sub: tuple[Atom, ...], sup: tuple[Atom, ...], symbols: Symbols, letters: Letters
) -> Iterator[Candidate]:
    family = _cased(name.base, symbols)
    bare = not sub and not sup and family not in symbols.tensors
    if bare and family in symbols.families and family not in symbols.conventional:
        members = symbols.families[family]
        yield from fits(members[max(members)], None, (), (), -3, name, symbols, letters)
    prefixed = [(family, sub, sup)]
    if sub:
        prefixed.append((family + sub[0].text, sub[1:], sup))
    for stem, own_sub, own_sup in prefixed:
        if stem not in symbols.families:
            continue
        if stem != family and not own_sub and not own_sup and sub[0].at is not None:
            # out_o stands for out_o1, out_o2: the letter is the number.
            yield from fits(stem + "{}", sub[0].at, (), (), 1, name, symbols, letters)
        for member, rest_sub, rest_sup, used in _members(own_sub, own_sup):
            alone = used >= 6 or not rest_sub and stem == family  # W_2, but not net_{h1}
            layered = alone and _names_layer(name, stem, member, used, symbols)
            if stem in symbols.conventional and not layered:
                continue
            literal = symbols.families[stem].get(member.constant) if not member.letters else None
            tensor, at = (literal, None) if literal else (stem + "{}", member)
            if not member.letters and literal is None:
                continue
            found = fits(tensor, at, rest_sub, rest_sup, used, name, symbols, letters)
            if used < 6 and any(n not in LAYER_LETTERS for n, _ in member.letters):
                # j of w_{ji} is no number of a layer whose row i is meant
                found = (c for c in found if c.term.data.whole_axes in (0, len(c.term.data.slots)))
            yield from map(_lying, found) if _is_row(tensor, name, symbols) else found


def _is_row(tensor: str, name: Name, symbols: Symbols) -> bool:
    """Tell whether ``W`` names the weights of a single unit: the one row of a matrix."""
    found = symbols.tensors.get(tensor)
    return found is not None and name.base in ("W", "Theta") and len(found.axes) == 1


def _lying(candidate: Candidate) -> Candidate:
    term = candidate.term
    if term.data.whole_axes != 1:
        return candidate
    lying = Term("transpose", (term,), "lying", term.span)
    return Candidate(candidate.score, lying, candidate.binds)


def _names_layer(name: Name, stem: str, member: At, used: int, symbols: Symbols) -> bool:
    """Tell whether a script that no name of the network has can only be a layer.

    Below a declared tensor it is an index; a bare number above one is a power.
    """
    if any(letter not in LAYER_LETTERS for letter, _ in member.letters):
        return False
    declared = stem in symbols.tensors
    if used < 6:
        return not declared
    bracketed = any(atom.bracketed for atom in atoms(name.sup))
    if not bracketed and not member.letters and plain_text(name.sub).isdigit():
        return False  # a_1^2 is the square of a_1
    return bracketed or bool(member.letters) or not declared or stem in WEIGHTS


def _only_other_case(stem: str, symbols: Symbols) -> bool:
    """Tell whether a letter names a tensor in the other case alone: X for x, w for W."""
    other = other_case(stem)
    if other == symbols.loss and stem not in LOSS_NAMES:
        return False  # e is an error, not the loss E
    return other in symbols.tensors and stem not in symbols.families


def _cased(base: str, symbols: Symbols) -> str:
    """Return the family of a name, in the other case if only that exists: w for W."""
    other = other_case(base)
    taken = base in symbols.families or base in symbols.tensors
    return other if not taken and other in symbols.families else base


def _members(
    sub: tuple[Atom, ...], sup: tuple[Atom, ...]
) -> Iterator[tuple[At, tuple[Atom, ...], tuple[Atom, ...], int]]:
    if sup and sup[0].at is not None and (sup[0].bracketed or sup[0].text not in ("T", "top")):
        yield sup[0].at, sub, sup[1:], 6
    if len(sup) == 2 and sup[1].at is not None and _is_layer(sup[1].at):
        # x and l of a^{x,l}: a sample and a layer
        yield sup[1].at, sub, (replace(sup[0], bracketed=True, grouped=True),), 6
    if sup and sup[0].bracketed and sup[0].text.isdigit():
        return  # a number in brackets above is the layer: what stands below is an index
    if sub and sub[0].at is not None:
        yield sub[0].at, sub[1:], sup, 4
    if len(sub) > 1 and sub[-1].at is not None:
        yield sub[-1].at, sub[:-1], sup, 3


def _is_layer(at: At) -> bool:
    return bool(at.letters) and at.letters[0][0] in LAYER_LETTERS


def _loss_candidates(
    name: Name, sub: tuple[Atom, ...], sup: tuple[Atom, ...], symbols: Symbols, letters: Letters
) -> Iterator[Candidate]:
    if (
        not symbols.loss
        or name.base in symbols.guess
        or name.base not in LOSS_NAMES
        or (name.bold and name.base != symbols.loss)
        or name.base in symbols.tensors
        and (name.base != symbols.loss)
    ):
        return
    if name.base in symbols.sizes and name.base != symbols.loss:
        return
    if (sub or sup) and name.base != symbols.loss and _only_other_case(name.base, symbols):
        return  # C_t is the cell c at a time, not the cost
    tensor = symbols.tensors[symbols.loss]
    if tensor.axes:
        return
    penalty = 0 if name.base == symbols.loss else 2
    text = canonical(plain_text(name.sub)) + canonical(plain_text(unwrapped(name.sup)[0]))
    if not text or text in LOSS_WORDS:
        yield scored(
            Term("element", (), Ref(tensor.name), name.span), symbols, letters, 4 - penalty
        )
    elif len(sub) + len(sup) == 1 and (part := part_name(tensor.name)) in symbols.tensors:
        if (at := (sub + sup)[0].at) is not None:
            term = Term("element", (), Ref(part, (at,)), name.span)
            yield scored(term, symbols, letters, 4 - penalty)
    elif len(sub) + len(sup) == 1 and (sub + sup)[0].text in letters.declared:
        return  # L_t is the loss of one time, not of one sample
    elif len(sub) + len(sup) == 1 and (sub + sup)[0].at is not None:
        ref = Ref(tensor.name, sample=(sub + sup)[0].at)
        yield scored(Term("element", (), ref, name.span), symbols, letters, 2 - penalty)


def free_number(name: Name, symbols: Symbols) -> Term | None:
    """Return a step size or a batch size, if the name is one by convention."""
    text = name.base + canonical(plain_text(name.sub))
    if name.sup:
        return None
    if text in symbols.sizes:
        return Term("size", (), text, name.span)
    if text in symbols.free or (name.base in STEP_SIZES and not name.sub):
        return Term("free", (), text, name.span)
    if text in BATCH_SIZES:
        return Term("size", (), text, name.span)
    return Term("constant", (), "pi", name.span) if text == name.base == "pi" else None


def index_number(name: Name, letters: Letters) -> Term | None:
    """Return an index letter used as a number, if the letter is one."""
    text = name.base + "'" * name.primes
    if not name.sub and not name.sup and (text in letters.known or text in letters.bound):
        return Term("index", (), letter(text), name.span)
    return None


def letters_of(term: Term) -> dict[str, None]:
    """Return the letters in one node's index expressions."""
    return {name: None for at in ats_of(term) for name, _ in at.letters}
