"""Matrix products among the statements: ``C[i,j] += scale * sum_k A[i,k] * B[k,j]``.

Each operand is a base and a step for every index. Indices that all three share, and those that
fuse with no neighbour, become loops around the call; windows of a convolution fit as well, since
``x[i + u]`` has a step for ``i`` and one for ``u``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from derivgen.algebra.affine import Affine, Index, affine
from derivgen.algebra.expressions import Access, Expr
from derivgen.lowering.program import Nest, Write, extent
from derivgen.lowering.recognise import product_of
from derivgen.targets.cpp_expressions import operand
from derivgen.targets.cpp_forms import Scope, form_text
from derivgen.targets.cpp_text import indented

USUAL_SAMPLES = 64  # stands for the number of samples when work is weighed
LEAST_WORK = 1024  # multiplications below which loops are as quick and easier to read


@dataclass(frozen=True)
class Operand:
    """Where an access begins in its tensor and how far each index steps."""

    tensor: str
    base: Affine
    steps: Mapping[Index, int]

    def step(self, index: Index) -> int:
        """Return how far one step of an index goes, 0 if it does not occur."""
        return self.steps.get(index, 0)


@dataclass(frozen=True)
class Side:
    """Indices that run as one: the innermost one steps, the extents multiply."""

    inner: Index
    indices: tuple[Index, ...]

    @property
    def work(self) -> int:
        """Return the number of values, samples weighed as usual."""
        total = 1
        for index in self.indices:
            total *= extent(index) or USUAL_SAMPLES
        return total


@dataclass(frozen=True)
class Product:
    """A recognised product: three operands, the sides of the kernel, the loops around it."""

    c: Operand
    a: Operand
    b: Operand
    rows: Side
    columns: Side
    depth: Side
    around: tuple[Index, ...]
    folded: tuple[Index, ...]  # those loops around it that are summed over
    scale: Expr


def product_lines(nest: Nest, scope: Scope, fixed: tuple[Index, ...]) -> list[str]:
    """Return a call of the matrix kernel with its loops, or nothing if it is no such product.

    Conditions of the statement are the caller's; they may concern ``fixed`` indices alone.
    """
    found = _recognise(nest, scope, fixed)
    if found is None:
        return []
    add = "true" if nest.write is Write.FOLD else "false"
    if add == "false" and found.folded:
        tests = [f"{scope.indices[i.name]} > {form_text(i.low, scope)}" for i in found.folded]
        add = " || ".join(tests)
    sizes = ", ".join(_size(side, scope) for side in (found.rows, found.columns, found.depth))
    operands = (
        _matrix(found.a, found.rows, found.depth, found.around, scope),
        _matrix(found.b, found.depth, found.columns, found.around, scope),
        _matrix(found.c, found.rows, found.columns, found.around, scope),
    )
    call = f"multiply<real>({sizes}, {', '.join(operands)}, {operand(found.scale, scope)}, {add});"
    lines = [call]
    for index in reversed(found.around):
        name = scope.indices[index.name]
        low, high = form_text(index.low, scope), scope.high_text(index)
        head = f"for (int {name} = {low}; {name} < {high}; ++{name}) {{"
        lines = [head, *indented(lines), "}"]
    return lines


def _size(side: Side, scope: Scope) -> str:
    sizes = [
        scope.high_text(i) if i.low == affine(0) else form_text(i.size, scope) for i in side.indices
    ]
    return " * ".join(sizes)


def _matrix(
    found: Operand, rows: Side, columns: Side, around: tuple[Index, ...], scope: Scope
) -> str:
    base = found.base
    for index in (*rows.indices, *columns.indices):
        if index.low != affine(0):
            base = base + index.low * found.step(index)
    for index in around:
        base = base + affine(index) * found.step(index)
    name = scope.tensors[found.tensor]
    start = name if base == affine(0) else f"{name} + {form_text(base, scope)}"
    start = start.replace("+ -", "- ")
    return f"{{{start}, {found.step(rows.inner)}, {found.step(columns.inner)}}}"


def _recognise(nest: Nest, scope: Scope, fixed: tuple[Index, ...]) -> Product | None:
    statement = nest.statement
    if statement.op != "sum":
        return None
    factors, scale = product_of(statement.body)
    if len(factors) != 2:
        return None
    found = [linear(access, scope, fixed) for access in (statement.lhs, *factors)]
    operands = [o for o in found if o is not None]
    if len(operands) != 3:
        return None
    c, a, b = operands
    open_indices = [i for i in statement.indices if i not in fixed]
    return _arranged(open_indices, c, a, b, scale)


def linear(access: Access, scope: Scope, fixed: tuple[Index, ...]) -> Operand | None:
    """Return an access as base and steps; ``None`` if some index enters in another way."""
    array = scope.array(access.tensor)
    if array.integer:
        return None
    steps: dict[Index, int] = {}
    base, start, width = affine(0), 0, 1
    for axis in reversed(range(array.rank)):
        form, low, size = access.indices[axis], array.lows[axis], array.shape[axis]
        start += (form.constant - low) * width
        for atom, count in form.terms:
            if not isinstance(atom, Index):
                return None
            if atom in fixed:
                base = base + affine(atom) * (count * width)
            else:
                steps[atom] = steps.get(atom, 0) + count * width
        if size.is_constant:
            width *= size.constant
        elif axis > 0:
            return None  # further out, steps would have no number
    return Operand(access.tensor, base + start, steps)


def _arranged(
    indices: list[Index], c: Operand, a: Operand, b: Operand, scale: Expr
) -> Product | None:
    kinds: dict[str, list[Index]] = {"rows": [], "columns": [], "depth": [], "batch": []}
    for index in indices:
        kind = _KINDS.get((bool(c.step(index)), bool(a.step(index)), bool(b.step(index))))
        if kind is None:
            return None
        kinds[kind].append(index)
    if any(c.step(i) == 1 for i in kinds["rows"]):
        a, b = b, a
        kinds["rows"], kinds["columns"] = kinds["columns"], kinds["rows"]
    if not all(kinds[k] for k in ("rows", "columns", "depth")):
        return None
    rows, more_rows = _fused(kinds["rows"], (a, c))
    columns, more_columns = _fused(kinds["columns"], (c, b))
    depth, folded = _fused(kinds["depth"], (a, b))
    if rows.work * columns.work * depth.work < LEAST_WORK:
        return None
    around = tuple(i for i in indices if i in (*kinds["batch"], *more_rows, *more_columns, *folded))
    return Product(c, a, b, rows, columns, depth, around, tuple(folded), scale)


# What an index is, by whether it steps in C, A and B.
_KINDS = {
    (True, True, False): "rows",
    (True, False, True): "columns",
    (False, True, True): "depth",
    (True, True, True): "batch",
}


def _fused(indices: list[Index], operands: tuple[Operand, Operand]) -> tuple[Side, list[Index]]:
    """Return the side of most work that neighbouring indices form, and the indices left over."""
    if len(indices) == 1:
        return Side(indices[0], tuple(indices)), []
    ordered = sorted(indices, key=lambda i: tuple(-o.step(i) for o in operands))
    sides: list[list[Index]] = []
    for index in ordered:
        if sides and all(_continues(sides[-1][-1], index, o) for o in operands):
            sides[-1].append(index)
        else:
            sides.append([index])
    made = [Side(group[-1], tuple(group)) for group in sides]
    chosen = max(made, key=lambda side: side.work)
    return chosen, [i for i in ordered if i not in chosen.indices]


def _continues(outer: Index, inner: Index, operand_: Operand) -> bool:
    size = extent(inner)
    return size is not None and operand_.step(outer) == operand_.step(inner) * size
