"""Index forms as C++ text of type ``int``, and the scope in which names are looked up."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from derivgen.algebra.affine import (
    Affine,
    Dim,
    FloorDiv,
    Index,
    Lookup,
    Mod,
    affine,
    surely_nonnegative,
)
from derivgen.algebra.expressions import Access
from derivgen.lowering.program import Array, Program
from derivgen.targets.cpp_names import Names

SUM, PRODUCT, UNARY, ATOM = 1, 2, 3, 4  # how tightly a text binds
Text = tuple[str, int]


@dataclass(frozen=True)
class Scope:
    """The program being printed and the C++ names of what it mentions.

    ``scalars`` are rank-0 accesses that are plain variables: parameters of a function, settings.
    ``sizes`` are the C++ names of size letters, ``samples`` that of the number of samples;
    ``highs`` are the letters at which indices end, ``gradients`` the parameters of adjoints.
    """

    program: Program
    tensors: Names
    indices: Names
    routines: Names
    scalars: tuple[tuple[str, str], ...] = ()
    sizes: Mapping[str, str] = field(default_factory=dict)
    samples: str = "N"
    highs: Mapping[Index, str] = field(default_factory=dict)
    gradients: Mapping[str, str] = field(default_factory=dict)

    def array(self, name: str) -> Array:
        """Return the storage of a tensor."""
        return self.program.arrays[name]

    def high_text(self, index: Index) -> str:
        """Return the upper end of an index: the letter of an axis it runs along, or a number."""
        return self.highs.get(index) or form_text(index.high, self)

    def with_highs(self, accesses: Iterable[Access]) -> Scope:
        """Return this scope knowing the letters of the axes along which plain indices run."""
        found: dict[Index, str] = {}
        for access in accesses:
            array = self.array(access.tensor)
            for axis, form in enumerate(access.indices):
                index = form.plain
                if index is None or index in found or index.high != array.shape[axis]:
                    continue
                if array.lows[axis] == 0 and array.letters and array.letters[axis] in self.sizes:
                    found[index] = self.sizes[array.letters[axis]]
        return replace(self, highs=found)

    def size_text(self, array: Array, axis: int, samples: str = "") -> str:
        """Return the size of an axis: the writer's letter, if it is one, else a number.

        ``samples`` is what to call the number of samples, if not by its name here.
        """
        letter = array.letters[axis] if array.letters else ""
        size = array.shape[axis]
        if letter in self.sizes:
            return self.sizes[letter]
        return str(size.constant) if size.is_constant else samples or self.samples


def form_text(form: Affine, scope: Scope) -> str:
    """Return an affine form as C++ of type ``int``."""
    return _form(form, scope)[0]


def _form(form: Affine, scope: Scope) -> Text:
    text = ""
    for atom, count in form.terms:
        part = _atom(atom, scope)
        if abs(count) != 1:
            part = f"{abs(count)} * {part}"
        if not text:
            text = f"-{part}" if count < 0 else part
        else:
            text += f" {'-' if count < 0 else '+'} {part}"
    if not text:
        return str(form.constant), ATOM if form.constant >= 0 else UNARY
    if form.constant:
        text += f" {'-' if form.constant < 0 else '+'} {abs(form.constant)}"
        return text, SUM
    if len(form.terms) > 1:
        return text, SUM
    count = form.terms[0][1]
    return text, ATOM if count == 1 else UNARY if count == -1 else PRODUCT


def _atom(atom: object, scope: Scope) -> str:
    match atom:
        case Index(name):
            return scope.indices[name]
        case Dim():
            return scope.samples
        case FloorDiv(inner, divisor):
            if surely_nonnegative(inner):
                return f"({_inner(inner, scope)} / {divisor})"
            return f"floor_quotient({form_text(inner, scope)}, {divisor})"
        case Mod(inner, divisor):
            if surely_nonnegative(inner):
                return f"({_inner(inner, scope)} % {divisor})"
            return f"floor_remainder({form_text(inner, scope)}, {divisor})"
        case Lookup(tensor, indices):
            return place(Access(tensor, indices), scope)
    raise AssertionError(f"no such atom: {atom!r}")


def _inner(form: Affine, scope: Scope) -> str:
    text, level = _form(form, scope)
    return f"({text})" if level < UNARY else text


def position_text(indices: tuple[Index, ...], scope: Scope) -> str:
    """Return the row-major position, from 0, of indices within their ranges."""
    sizes = tuple(form_text(index.size, scope) for index in indices)
    return flat_text(tuple(affine(index) - index.low for index in indices), sizes, scope)


def place(access: Access, scope: Scope) -> str:
    """Return the element ``W[h * 784 + i]`` of a tensor's storage."""
    array = scope.array(access.tensor)
    forms = tuple(form - low for form, low in zip(access.indices, array.lows))
    sizes = tuple(scope.size_text(array, axis) for axis in range(array.rank))
    return f"{scope.tensors[access.tensor]}[{flat_text(forms, sizes, scope)}]"


def flat_text(forms: tuple[Affine, ...], sizes: tuple[str, ...], scope: Scope) -> str:
    """Return the row-major position of ``forms`` in an array of ``sizes``, by Horner's rule."""
    kept = [(f, s) for f, s in zip(forms, sizes) if s != "1" or not f.is_constant]
    text, level = "0", ATOM
    for number, (form, size) in enumerate(kept):
        part, own = _form(form, scope)
        if number == 0:
            text, level = part, own
            continue
        head = f"({text})" if level < PRODUCT else text
        tail = "" if part == "0" else f" {part}" if part.startswith("-") else f" + {part}"
        tail = tail.replace(" -", " - ", 1) if part.startswith("-") else tail
        text = f"{head} * {size}{tail}"
        level = SUM if tail else PRODUCT
    return text
