"""Where a formula's letters stand: their forms and ranges, sizes, samples, what is known of them.

Every rule here is the one by which `derivgen.verify.context` and `derivgen.verify.ranges` find
numbers, for letters in the place of numbers; what has no such form raises `NoProof`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from derivgen.formulas.symbols import BATCH_SIZES, Symbols
from derivgen.formulas.terms import At, Bound, Claim, Part, Ref
from derivgen.verify.context import Reading
from derivgen.verify.proving.exact import form_of
from derivgen.verify.proving.known import Known
from derivgen.verify.proving.opened import Opening
from derivgen.verify.proving.places import (
    Form,
    NoProof,
    Range,
    combined,
    form,
    fresh,
    letter,
    minus,
    number,
    quotient,
    remainder,
    size,
)
from derivgen.verify.proving.polynomials import Condition, Poly, within

SAMPLES = size("# of samples")
ONE_SAMPLE = number(0)


class NoLayer(Exception):
    """A layer the claim speaks of does not exist: the claim does not speak of this point."""


@dataclass(frozen=True)
class Scope:
    """One claim at one layer: what its names mean where a part of it stands.

    ``spans`` gives the letters in scope their forms and ranges; ``beyond`` collects, inside a sum,
    the conditions without which a term reaches over an edge and is no term.
    """

    opening: Opening
    symbols: Symbols
    claim: Claim
    reading: Reading
    layers: Mapping[str, int]
    known: Known
    base: int = 1
    counted: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)  # sizes above a sum sign
    spans: Mapping[str, tuple[Form, Range]] = field(default_factory=dict)
    sample: Form = ONE_SAMPLE
    one_sample: bool = False
    free: Mapping[str, Poly] = field(default_factory=dict)
    step: Poly | None = None
    beyond: list[Condition] | None = None

    @property
    def several(self) -> bool:
        """Tell whether there are samples that the network does not number itself."""
        return self.opening.exact.network.batch is None

    def at_sample(self, place: Form) -> Opening:
        """Return the opening for one sample."""
        return replace(self.opening, sample=(place,) if self.several else ())

    # --- letters and index expressions ---

    def key_of(self, name: str) -> tuple[Any, ...]:
        key = self.claim.letters.get(name)
        if key is not None and key[0] == "layered":
            axes = dict(key[2])
            if self.layers.get(key[1]) not in axes:
                raise NoLayer
            key = axes[self.layers[key[1]]]
        if key is None:
            raise NoProof("a letter that runs over nothing known")
        return key

    def whole(self, name: str) -> Range:
        """Return all that a letter may run over."""
        return self.range_of_key(self.key_of(name))

    def range_of_key(self, key: tuple[Any, ...]) -> Range:
        if key[0] == "axis":
            return form_of(key[1]), form_of(key[2])
        if key[0] == "sample":
            return number(0), SAMPLES if self.several else number(1)
        raise NoProof("a letter over layers")

    def with_free(self, names: list[str]) -> Scope:
        """Return the scope in which letters stand for any value of theirs."""
        spans = {n: (form(letter(n)), self.whole(n)) for n in names if n not in self.layers}
        made = replace(self, spans={**self.spans, **spans})
        for name in spans:
            if self.claim.letters[name][0] == "sample":
                made = replace(made, sample=spans[name][0])
        forms = (f for n, (_, span) in spans.items() for _, f in within(letter(n), span))
        return replace(made, known=self.known.also(forms))

    def place(self, at: At, low: Form | None = None) -> Form:
        """Return an index expression; ``low`` is where its axis starts."""
        parts: list[tuple[Form, int]] = []
        paper = at.written and not at.letters
        for name, n in at.letters:
            if name in self.spans:
                parts.append((self.spans[name][0], n))
            elif name in self.layers:
                parts.append((number(self.layers[name]), n))
            else:
                parts.append((self.size(name), n))
                paper = at.written
        parts += [(self._part(part), n) for part, n in at.parts]
        shift = 0
        if paper and not at.parts and low == number(0):
            shift = -self.base
        return combined(*parts, constant=at.constant + shift)

    def _part(self, part: Part) -> Form:
        inner = tuple(self.place(at) for at in part.inner)
        if part.kind == "lookup":
            sample = (self.sample,) if self.several else ()
            return form(("lookup", part.name, inner + sample))
        return (quotient if part.kind == "//" else remainder)(inner[0], part.divisor)

    def size(self, name: str) -> Form:
        if name in self.symbols.sizes:
            return size(name)
        if name in self.counted:
            low, high = self.range_of_key(self.counted[name])
            return minus(high, low)
        if name in self.claim.letters:
            raise NoProof("a letter that is not bound")
        if name == "L" and self.symbols.families:
            return number(max(max(m) for m in self.symbols.families.values()))
        if name in BATCH_SIZES:
            batch = self.opening.exact.network.batch
            return SAMPLES if batch is None else minus(form_of(batch.high), form_of(batch.low))
        raise NoProof("a size that is not declared")

    def tensor(self, ref: Ref) -> str:
        if ref.member is None:
            return ref.tensor
        member = self.place(ref.member)
        if member[1]:
            raise NoProof("a layer that is no number")
        found = self.symbols.families[ref.tensor[:-2]].get(member[2])
        if found is None:
            raise NoLayer
        return found

    def sample_of(self, ref: Ref) -> Form:
        return self.sample if ref.sample is None else self.place(ref.sample, number(0))

    # --- bound letters ---

    def binding(self, bound: Bound) -> tuple[Scope, Any, Range, list[Condition]]:
        """Return the scope inside a sum, its letter, its range and the value it leaves out."""
        span = self.range_of(bound)
        name = fresh()
        spans = {**self.spans, bound.letter: (form(name), span)}
        known = self.known.also(f for _, f in within(name, span))
        inner = replace(self, spans=spans, known=known)
        if self.claim.letters.get(bound.letter, ("",))[0] == "sample":
            inner = replace(inner, sample=form(name), one_sample=True)
        left_out = []
        if bound.without is not None:
            left_out.append(("eq", minus(form(name), inner.place(bound.without))))
        return inner, name, span, left_out

    def range_of(self, bound: Bound) -> Range:
        """Return the values of a bound letter: its whole range, or the part that is written."""
        low, high = bound.low, bound.high
        if bound.letter not in self.claim.letters:
            if low is None or high is None:
                raise NoProof("a letter that runs over nothing known")
            return self.place(low), combined((self.place(high), 1), constant=1)
        whole = self.whole(bound.letter)
        if low is not None and high is not None and not low.written:
            return self.place(low), combined((self.place(high), 1), constant=1)
        if low is None and high is None:
            return whole
        base = self.base
        start = whole[0]
        if low is not None and not low.letters and low.constant in (0, 1):
            base = low.constant
        elif low is not None and low.letters:
            start = self.place(low, start)
        elif low is not None:
            from_one = start == number(0)
            start = (
                combined((start, 1), constant=low.constant - 1)
                if from_one
                else number(low.constant)
            )
        return start, whole[1] if high is None else self._end(high, whole, base)

    def _end(self, high: At, whole: Range, base: int) -> Form:
        if high.parts or any(n != 1 for _, n in high.letters):
            raise NoProof("a limit of another form")
        if not high.letters:
            return self._numeral(high.constant, whole, base)
        if any(name in self.spans or name in self.layers for name, _ in high.letters):
            return combined((self.place(high), 1), constant=1)
        known = [size(n) if n in self.symbols.sizes else None for n, _ in high.letters]
        if len(known) > 1 and None not in known:
            return combined((whole[0], 1), (self.place(high), 1), constant=1 - base)
        if known[0] is None or known[0] == minus(whole[1], whole[0]):
            shift = high.constant + (1 if base == 0 and high.constant < 0 else 0)
            return combined((whole[1], 1), constant=shift)
        return combined((whole[0], 1), (known[0], 1), constant=high.constant)

    def _numeral(self, value: int, whole: Range, base: int) -> Form:
        if whole[0][1] or whole[1][1]:
            raise NoProof("a numeral for a size")
        start, stop = whole[0][2], whole[1][2]
        count = value - (base if start == 0 else start) + 1
        return number(stop if count == stop - start else start + count)
