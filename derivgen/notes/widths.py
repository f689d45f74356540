"""Letters for the sizes of layers: layer l has n^(l) units, where layers differ in size alone.

Invariant: an axis is given the letter of a layer only if an equation ties it to that layer's
vector by a shared index; a coincidence of numbers ties nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from derivgen.algebra.affine import Index
from derivgen.algebra.expressions import Access, Expr, accesses
from derivgen.algebra.network import Role
from derivgen.calculus.derivation import Derivation
from derivgen.forms.math import Math, Sym, Symbol
from derivgen.forms.names import LAYER, label_math, label_pattern, with_scripts
from derivgen.forms.notation import Notation

Widths = Mapping[tuple[str, int], int]


def layer_widths(derivation: Derivation, notation: Notation) -> dict[tuple[str, int], int]:
    """Return for an axis, tensor and place, the number of the layer whose units it counts."""
    found: dict[tuple[str, int], int] = {}
    for name, paper in notation.names.items():
        tensor = derivation.tensors[name]
        if paper.layer.isdigit() and tensor.role is Role.VALUE and len(tensor.axes) == 1:
            found[name, 0] = int(paper.layer)
    for statement in derivation.forward:
        together = [statement.lhs, *accesses(statement.body)]
        tied = tied_indices(together, found)
        for access in together:
            for place, form in enumerate(access.indices):
                if form.plain in tied:
                    found.setdefault((access.tensor, place), tied[form.plain])
    for name, adjoint in notation.adjoints.items():
        for place in range(len(derivation.tensors[name].axes)):
            if (adjoint.quantity, place) in found:
                found[name, place] = found[adjoint.quantity, place]
    return found


def tied_indices(together: Iterable[Access], widths: Widths) -> dict[Index | None, int]:
    """Return the indices that run over an axis of known width, each with the layer."""
    found: dict[Index | None, int] = {}
    for access in together:
        for place, form in enumerate(access.indices):
            if form.plain is not None and (access.tensor, place) in widths:
                found.setdefault(form.plain, widths[access.tensor, place])
    return found


def spans(exprs: Iterable[Expr], widths: Widths, notation: Notation) -> dict[Index, Math]:
    """Return the letters of the sizes of indices in some expressions."""
    together = [access for expr in exprs for access in accesses(expr)]
    tied = tied_indices(together, widths)
    return {i: width_math(notation, n) for i, n in tied.items() if i is not None}


def width_math(notation: Notation, layer: int) -> Math:
    """Return ``n^(l-1)``, counted from the origin of the notation if there is one."""
    ahead = "" if notation.origin is None else f"{layer - notation.origin:+d}"
    text = str(layer) if notation.origin is None else LAYER + (ahead if ahead != "+0" else "")
    label = label_math(text)
    letter = width_letter(notation)
    if notation.style.layer == "sub":
        math = with_scripts(Sym(letter), [label], [])
    else:
        math = with_scripts(Sym(letter), [], [label_pattern(notation.style.layer, label)])
    return Symbol("", math, f"{letter}({text})")


def width_letter(notation: Notation) -> str:
    """Return a letter that stands for nothing else."""
    taken = {name.base for name in notation.names.values()} | notation.written
    return next((letter for letter in "nNmM" if letter not in taken), "size")
