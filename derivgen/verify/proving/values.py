"""Matrices for proofs: a polynomial in the letters of its rows and columns, and their products.

A `Value` has a letter with its range for its rows and for its columns; a missing one is a single
row or column, both missing a number. The meaning of every sign is the one that
`derivgen.verify.matrices` gives it for numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

from derivgen.verify.context import Reading
from derivgen.verify.proving import polynomials as poly
from derivgen.verify.proving.places import Letter, NoProof, Range, form, fresh, minus
from derivgen.verify.proving.polynomials import Poly
from derivgen.verify.windows import WAYS

Run = tuple[Letter, Range]


@dataclass(frozen=True)
class Value:
    """The entries of a matrix, vector or number."""

    entry: Poly
    rows: Run | None = None
    columns: Run | None = None

    @property
    def is_number(self) -> bool:
        return self.rows is None and self.columns is None

    @property
    def is_vector(self) -> bool:
        return (self.rows is None) != (self.columns is None)

    @property
    def is_square(self) -> bool:
        return bool(self.rows and self.columns) and self.rows[1] == self.columns[1]  # type: ignore[index]

    @property
    def run(self) -> Run:
        """Return the letter and range of a vector. Raises: NoProof, for anything else."""
        if not self.is_vector:
            raise NoProof("a vector is wanted")
        found = self.rows or self.columns
        assert found is not None, "a vector has one axis"
        return found

    @property
    def transposed(self) -> Value:
        return Value(self.entry, self.columns, self.rows)

    def mapped(self, change: Callable[[Poly], Poly]) -> Value:
        """Return the value with every entry changed."""
        return Value(change(self.entry), self.rows, self.columns)


def number(value: Fraction | int) -> Value:
    return Value(poly.constant(value))


def same_shape(one: Value, other: Value) -> bool:
    """Tell whether two values have the same axes."""
    return all(
        (a is None) == (b is None) and (not a or not b or a[1] == b[1])
        for a, b in ((one.rows, other.rows), (one.columns, other.columns))
    )


def aligned(one: Value, other: Value) -> Poly:
    """Return the entries of the second in the letters of the first. Raises: NoProof."""
    if not same_shape(one, other):
        raise NoProof("two shapes")
    mapping = {
        b[0]: form(a[0])
        for a, b in ((one.rows, other.rows), (one.columns, other.columns))
        if a and b
    }
    return poly.rename(other.entry, mapping)


def entrywise(one: Value, other: Value, join: Callable[[Poly, Poly], Poly]) -> Value:
    """Join two values of one shape entry by entry; a number stands beside every entry."""
    if one.is_number:
        return other.mapped(lambda entry: join(one.entry, entry))
    if other.is_number:
        return one.mapped(lambda entry: join(entry, other.entry))
    return Value(join(one.entry, aligned(one, other)), one.rows, one.columns)


def added(one: Value, other: Value) -> Value:
    """Return a sum; a bias stands beside every row or column of a matrix."""
    vectors = one.is_vector, other.is_vector
    if one.is_number or other.is_number or same_shape(one, other) or sum(vectors) != 1:
        return entrywise(one, other, poly.plus)
    matrix, bias = (other, one) if vectors[0] else (one, other)
    along = matrix.rows if bias.rows else matrix.columns
    if along is None or along[1] != bias.run[1]:
        raise NoProof("sizes that do not fit")
    moved = poly.rename(bias.entry, {bias.run[0]: form(along[0])})
    return matrix.mapped(lambda entry: poly.plus(entry, moved))


def hadamard(one: Value, other: Value) -> Value:
    return entrywise(one, other, poly.times)


def inner(one: Value, other: Value) -> Value:
    """Return the sum over all entries of a product."""
    joined = hadamard(one, other)
    runs = [run for run in (joined.rows, joined.columns) if run]
    return Value(poly.summed(joined.entry, runs))


def outer(one: Value, other: Value) -> Value:
    a, b = one.run, other.run
    new = fresh()
    moved = poly.rename(other.entry, {b[0]: form(new)})
    return Value(poly.times(one.entry, moved), a, (new, b[1]))


def diagonal(vector: Value) -> Value:
    run = vector.run
    new = fresh()
    same = poly.where(("eq", minus(form(run[0]), form(new))))
    return Value(poly.times(same, vector.entry), run, (new, run[1]))


def unit(square: Value) -> Value:
    """Return the unit matrix of a square matrix's size."""
    if not square.is_square or square.rows is None:
        raise NoProof("a unit matrix of no size")
    run = square.rows
    return diagonal(Value(poly.constant(1), (fresh(), run[1])))


def multiplied(one: Value, other: Value, operator: str, reading: Reading) -> Value:
    """Return a product under one sign. Raises: NoProof, where the sizes do not fit."""
    if one.is_number or other.is_number:
        return entrywise(one, other, poly.times)
    if operator in (r"\odot", r"\circ"):
        return hadamard(one, other)
    if operator == "*" and reading.star in WAYS:
        raise NoProof("a convolution")
    if operator in (r"\otimes", r"\langle"):
        if reading.otimes == "outer":
            return outer(one, other)
        return hadamard(one, other) if operator == r"\otimes" else inner(one, other)
    same = same_shape(one, other)
    if operator == "*" and reading.star == "hadamard" and same:
        return hadamard(one, other)
    if same and one.is_vector and operator in ("", r"\cdot", "*", r"\times"):
        return hadamard(one, other) if reading.dot == "hadamard" else inner(one, other)
    return product(one, other)


def product(one: Value, other: Value) -> Value:
    """Return the matrix product. Raises: NoProof, where the sizes do not fit."""
    a, b = one.columns, other.rows
    if (a is None) != (b is None) or a and b and a[1] != b[1]:
        raise NoProof("sizes that do not fit")
    right = other
    if other.columns is not None:  # the letter of the columns may be that of the first rows
        new = fresh()
        entry = poly.rename(other.entry, {other.columns[0]: form(new)})
        right = Value(entry, other.rows, (new, other.columns[1]))
    if a is None or b is None:
        return Value(poly.times(one.entry, right.entry), one.rows, right.columns)
    new = fresh()
    made = poly.times(
        poly.rename(one.entry, {a[0]: form(new)}), poly.rename(right.entry, {b[0]: form(new)})
    )
    return Value(poly.summed(made, [(new, a[1])]), one.rows, right.columns)


def total(value: Value, rows: bool, columns: bool) -> Value:
    """Return the sums over rows, columns or both."""
    runs = [r for r, wanted in ((value.rows, rows), (value.columns, columns)) if wanted and r]
    entry = poly.summed(value.entry, runs)
    return Value(entry, None if rows else value.rows, None if columns else value.columns)


def trace(value: Value) -> Value:
    if not value.is_square or value.rows is None or value.columns is None:
        raise NoProof("the trace of a matrix that is not square")
    entry = poly.rename(value.entry, {value.columns[0]: form(value.rows[0])})
    return Value(poly.summed(entry, [value.rows]))
