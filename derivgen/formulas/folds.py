"""Sums and their bounds, scripts on brackets, conditions and cases."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

from derivgen.formulas import tree
from derivgen.formulas.fit import slot_keys
from derivgen.formulas.lookups import label_index
from derivgen.formulas.names import UNWRITTEN
from derivgen.formulas.reader import Reader, script_term
from derivgen.formulas.scripts import (
    atoms,
    index_expression,
    plain_text,
    split_at,
    split_transpose,
    unwrapped,
)
from derivgen.formulas.symbols import BATCH_SIZES, Symbols
from derivgen.formulas.terms import (
    At,
    Bound,
    Fold,
    Ref,
    Slope,
    Term,
    Test,
    at_path,
    free_letters,
    put,
    walk,
)
from derivgen.formulas.tokens import RELATIONS
from derivgen.formulas.tree import FormulaError, Span, Token


def scripted(node: tree.Scripted, reader: Reader) -> Term:
    return scripts_on(reader.term(node.inner), node, reader)


def scripts_on(term: Term, node: tree.Scripted, reader: Reader) -> Term:
    if node.primes:
        return _primed(scripts_on(term, replace(node, primes=0), reader), node, reader)
    if [token.text for token in node.sub if token.kind not in "{}"] == ["+"]:
        return scripts_on(_positive_part(term, node.span), replace(node, sub=()), reader)
    if node.sub:
        slots = tuple(atom.at for atom in atoms(node.sub))
        if any(slot is None for slot in slots):
            raise FormulaError(plain_text(node.sub), "This is no index.", "", node.span)
        term = _entry(term, slots, reader) or Term("item", (term,), slots, node.span)
    if not node.sup:
        return term
    rest, transposed = split_transpose(node.sup)
    if transposed and not rest:
        return Term("transpose", (term,), None, node.span)
    if (entrywise := _entrywise(node.sup)) is not None:
        return Term("power", (term, script_term(entrywise, reader)), None, node.span)
    inner, bracketed = unwrapped(node.sup)
    at = index_expression(inner)
    if bracketed and at is not None and at.letters and not node.sub:
        return Term("item", (term,), (at,), node.span)
    return Term("power", (term, script_term(node.sup, reader)), None, node.span)


def _primed(term: Term, node: tree.Scripted, reader: Reader) -> Term:
    r"""Return the derivative that ``(\frac{1}{1+e^{-z}})'`` is, by the only number it is about."""
    if len(reader.symbols.scalars) != 1:
        raise FormulaError("'", "This prime does not say by what.", "Write d/dz.", node.span)
    by = Term("free", (), reader.symbols.scalars[0], node.span)
    for _ in range(node.primes):
        term = Term("gradient", (term, by), Slope(), node.span)
    return term


def _positive_part(term: Term, span: Span) -> Term:
    """Return ``[a]_+``, which is max(0, a)."""
    return Term("call", (Term("number", (), (Fraction(0), "0")), term), ("max", 0), span)


def _entry(term: Term, slots: tuple[At | None, ...], reader: Reader) -> Term | None:
    r"""Read ``(\delta^l)_{uv}`` and ``(\nabla_z L)_k`` as elements, not as items of matrices."""
    inner = term
    while inner.op == "group":
        inner = inner.args[0]
    if inner.op == "gradient":
        by = _entry(inner.args[1], slots, reader) if inner.args[0].op == "element" else None
        whole = isinstance(inner.args[0].data, Ref) and inner.args[0].data.whole_axes
        return inner.with_args((inner.args[0], by)) if by is not None and not whole else None
    if inner.op != "element" or inner.data.whole_axes != len(slots):
        return None
    ref, rest = inner.data, iter(slots)
    new = replace(ref, slots=tuple(next(rest) if s is None else s for s in ref.slots))
    for at, key in slot_keys(new, reader.symbols):
        if at in slots and len(at.letters) == 1 and not at.constant:
            reader.letters.bind(at.letters[0][0], key, inner.span)
    return Term("element", (), new, inner.span)


def _entrywise(sup: tuple[Token, ...]) -> tuple[Token, ...] | None:
    r"""Return the exponent of an entrywise power, ``A^{\circ 3}``."""
    inner, _ = unwrapped(sup)
    if len(inner) > 1 and inner[0].text in (r"\circ", r"\odot"):
        return inner[1:]
    return None


def big(node: tree.Big, reader: Reader) -> Term:
    below, condition = _parted(node.sub)
    if condition:
        return _selected(replace(node, sub=below), condition, reader)
    bounds = bounds_of(node, reader.symbols)
    letters = reader.letters
    outer = list(letters.bound), list(letters.samples)
    letters.bound += [bound.letter for bound in bounds] or [UNWRITTEN]
    above = plain_text(node.sup)
    if above in BATCH_SIZES and above not in reader.symbols.sizes:
        letters.samples += [bound.letter for bound in bounds]
    body = reader.term(node.body)
    letters.bound[:], letters.samples[:] = outer
    return Term("fold", (body,), Fold(node.op, bounds, not node.sub), node.span)


def _parted(sub: tuple[Token, ...]) -> tuple[tuple[Token, ...], tuple[Token, ...]]:
    r"""Part what a sum binds from the condition behind a colon: ``\sum_{i: y_i = k}``."""
    tokens, _ = unwrapped(sub)
    parts = split_at(tokens, ":")
    related = len(parts) == 2 and any(t.kind == "relation" for t in parts[1])
    return (parts[0], parts[1]) if related else (sub, ())


def _selected(node: tree.Big, condition: tuple[Token, ...], reader: Reader) -> Term:
    """Return a sum of the terms for which a condition holds."""
    if node.op != "sum":
        raise FormulaError(plain_text(condition), _BOUNDS, "", node.span)
    whole = big(node, reader)
    outer = list(reader.letters.bound)
    reader.letters.bound += [bound.letter for bound in whole.data.bounds]
    test = condition_of(condition, reader, node.span)
    reader.letters.bound[:] = outer
    bracket = Term("bracket", (), test, node.span)
    body = Term("multiply", (bracket, whole.args[0]), ("",), node.span)
    return whole.with_args((body,))


def bounds_of(node: tree.Big, symbols: Symbols) -> tuple[Bound, ...]:
    """Return what a sum binds: ``k``, ``k=1``, ``k \\ne j``, ``k < t``, ``t \\ge i > k``.

    Raises: FormulaError, for bounds that say something else.
    """
    if not node.sub:
        return ()
    tokens, _ = unwrapped(node.sub)
    places = [place for place, token in enumerate(tokens) if token.kind == "relation"]
    if not places:
        return tuple(Bound(_letter_of(a.text, node.span)) for a in atoms(tokens))
    if len(places) == 2:
        return (_between(tokens, places, node.span),)
    names = [_letter_of(a.text, node.span) for a in atoms(tokens[: places[0]])]
    kind = RELATIONS[tokens[places[0]].text]
    end = label_index(tokens[places[0] + 1 :], symbols)
    if kind == "in":
        return tuple(Bound(name) for name in names)
    if kind == "!=" and end is not None:
        return tuple(Bound(name, without=end) for name in names)
    if kind in _MIRRORED and end is not None:
        return tuple(_one_sided(name, kind, end) for name in names)
    if kind != "=" or end is None:
        raise FormulaError(plain_text(tokens), _BOUNDS, "", node.span)
    high = index_expression(unwrapped(node.sup)[0]) if node.sup else None
    return tuple(Bound(name, end, high) for name in names)


_BOUNDS = "These bounds are not understood."
_MIRRORED = {"<": ">", ">": "<", "<=": ">=", ">=": "<="}


def _one_sided(name: str, kind: str, end: At) -> Bound:
    """Return the bound of ``name < end`` and the like."""
    if kind[0] == "<":
        return Bound(name, high=end.shifted(-1) if kind == "<" else end)
    return Bound(name, low=end.shifted(1) if kind == ">" else end)


def _between(tokens: tuple[Token, ...], places: list[int], span: Span) -> Bound:
    """Return the bound of ``1 <= t <= T`` or of ``t >= i > k``."""
    first, last = places
    name = _letter_of(plain_text(tokens[first + 1 : last]), span)
    kinds = [RELATIONS[tokens[place].text] for place in places]
    ends = [index_expression(part) for part in (tokens[:first], tokens[last + 1 :])]
    if None in ends or any(kind not in _MIRRORED for kind in kinds) or kinds[0][0] != kinds[1][0]:
        raise FormulaError(plain_text(tokens), _BOUNDS, "", span)
    sides = [
        _one_sided(name, kind, end)
        for kind, end in zip((_MIRRORED[kinds[0]], kinds[1]), ends)
        if end is not None
    ]
    low = next(side.low for side in sides if side.low is not None)
    high = next(side.high for side in sides if side.high is not None)
    return Bound(name, low, high)


def _letter_of(text: str, span: Span) -> str:
    if not text or not (text[0].isalpha()):
        raise FormulaError(text, "This is no index letter.", "", span)
    return text


def with_implicit_bounds(member: Term, first: Term) -> Term:
    """Give a sum without bounds the letters of its body that the first member does not have."""
    left = free_letters(first)
    for path, part in list(walk(member)):
        if isinstance(part.data, Fold) and part.data.implicit and not part.data.bounds:
            own = [name for name in free_letters(part.args[0]) if name not in left]
            bounds = tuple(Bound(name) for name in own)
            fold = replace(part.data, bounds=bounds)
            member = put(member, path, Term(part.op, at_path(member, path).args, fold, part.span))
    return member


def widened(member: Term, first: Term) -> Term | None:
    """Return a member whose sum takes in the terms behind it that wait for its letter, if any.

    ``\\sum_t p_t - y_t`` is often printed for ``\\sum_t (p_t - y_t)``.
    """
    places = [n for n, part in enumerate(member.args) if part.op == "fold"]
    if member.op != "add" or not places or member.args[places[-1]].data.op != "sum":
        return None
    fold = member.args[places[-1]]
    names = [b.letter for b in fold.data.bounds if b.letter not in free_letters(first)]
    behind = member.args[places[-1] + 1 :]
    if not behind or not all(any(n in free_letters(part) for n in names) for part in behind):
        return None
    body = Term("add", (*fold.args, *behind), None, fold.span)
    wide = Term("fold", (body,), fold.data, fold.span)
    before = member.args[: places[-1]]
    return Term("add", (*before, wide), None, member.span) if before else wide


def indicator(node: tree.Indicator, reader: Reader) -> Term:
    return Term("bracket", (), condition_of(node.tokens, reader, node.span), node.span)


def condition_of(tokens: tuple[Token, ...], reader: Reader, span: Span) -> Test:
    """Return the test that tokens write. Raises: FormulaError, if they are no condition."""
    for word in (r"\vee", r"\wedge"):
        if len(parts := split_at(tokens, word)) > 1:
            tests = tuple(condition_of(part, reader, span) for part in parts)
            return Test("or" if word == r"\vee" else "and", tests, None)
    if tokens and tokens[0].text in (r"\neg", r"\lnot"):
        return Test("not", condition_of(tokens[1:], reader, span), None)
    inner, bracketed = unwrapped(tokens)
    if bracketed:
        return condition_of(inner, reader, span)
    places = [p for p, t in enumerate(tokens) if t.kind == "relation"]
    if not places:
        raise FormulaError(plain_text(tokens), "This is no condition.", "", span)
    place = places[0]
    if len(places) > 1:  # 0 <= k < K
        halves = (tokens[: places[1]], tokens[place + 1 :])
        return Test("and", tuple(condition_of(half, reader, span) for half in halves), None)
    op = RELATIONS[tokens[place].text]
    sides = [_side(part, reader) for part in (tokens[:place], tokens[place + 1 :])]
    return Test(op, sides[0], sides[1])


def _side(tokens: tuple[Token, ...], reader: Reader) -> Any:
    at = label_index(tokens, reader.symbols, reader.letters)
    numbers = (*reader.symbols.tensors, *reader.symbols.scalars)
    if at is not None and all(name not in numbers for name, _ in at.letters):
        return at
    inner, bracketed = unwrapped(tokens)
    if bracketed and len(parts := split_at(inner, ",")) > 1:
        places = tuple(at for part in parts if (at := index_expression(part)) is not None)
        if len(places) == len(parts):
            return Term("place", (), places, (tokens[0].span[0], tokens[-1].span[1]))
    outer, reader.compares = reader.compares, True
    try:
        return script_term(tokens, reader)
    finally:
        reader.compares = outer


def cases(node: tree.Cases, reader: Reader) -> Term:
    values = tuple(reader.term(value) for value in node.values)
    tests: list[Test | None] = []
    for tokens in node.conditions:
        relation = any(t.kind == "relation" for t in tokens)
        kept = tuple(t for t in tokens if t.text not in (r"\text", r"\mbox", r"\textrm", "$"))
        try:
            tests.append(condition_of(_after_words(kept), reader, node.span) if relation else None)
        except FormulaError:
            if len(tests) + 1 < len(node.conditions):
                raise
            tests.append(None)
    return Term("cases", values, tuple(tests), node.span)


def _after_words(tokens: tuple[Token, ...]) -> tuple[Token, ...]:
    """Drop the word ``if`` or ``when`` before a condition, in braces or not."""
    braced = bool(tokens) and tokens[0].kind == "{"
    start = int(braced)
    for word in ("when", "if", "for"):
        end = start + len(word)
        if "".join(t.text for t in tokens[start:end]) == word:
            return tokens[end + braced :]
    return tokens
