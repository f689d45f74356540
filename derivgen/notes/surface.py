"""The surface table of a notation: what each symbol of the notes stands for.

The rows are printed by the very function that prints the notes, so a formula of the notes can be
read back through them.
"""

from __future__ import annotations

from derivgen.forms.latex import latex
from derivgen.forms.math import Math, Sym
from derivgen.forms.notation import layer_axis, symbol
from derivgen.formulas.surface import Reading, Row, SurfaceTable
from derivgen.notes.view import View

LETTERS = "ijkmnpqrstuv"


def surface_table(view: View) -> SurfaceTable:
    """Return the table of all tensors, deltas and functions of a view."""
    rows: list[Row] = []
    notation = view.notation
    for name in notation.names:
        rows += _rows(view, name, name, "")
    for name, adjoint in notation.adjoints.items():
        if adjoint.is_delta or notation.style.gradient == "d":
            rows += _rows(view, name, adjoint.quantity, adjoint.loss)
    rows += [Row(latex(Sym(shown)), Reading(name)) for name, shown in notation.functions.items()]
    return SurfaceTable(tuple(dict.fromkeys(rows)), view.layout)


def _rows(view: View, printed: str, tensor: str, of: str) -> list[Row]:
    """Return the rows of one tensor: an entry with slots, the whole, the whole of one layer."""
    rows: list[Row] = []
    rank = len(view.notation.tensors[tensor].axes)
    letters = LETTERS[:rank]
    slots: tuple[Math, ...] = tuple(Sym(f"<{letter}>", "slot") for letter in letters)
    if not rank:
        return [Row(latex(symbol(view.notation, printed, ())), Reading(tensor, None, of))]
    entry = latex(symbol(view.notation, printed, slots))
    axis = layer_axis(view.notation, tensor)
    if axis is None:
        whole = Row(latex(symbol(view.notation, printed)), Reading(tensor, None, of))
    else:
        label = symbol(view.notation, printed, None, "", slots[axis])
        sliced = tuple(letters[p] if p == axis else ":" for p in range(rank))
        whole = Row(latex(label), Reading(tensor, sliced, of))
        rows.append(Row(latex(symbol(view.notation, printed)), Reading(tensor, None, of)))
    reading = Reading(tensor, tuple(letters), of)
    parted = entry.replace("><", ">,<")  # computed indices stand apart: x_{i,2u+1}
    return [*dict.fromkeys((Row(entry, reading), Row(parted, reading))), whole, *rows]
