"""Matrix forms: in both layouts they equal the arrays the interpreter computes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from derivgen.algebra.affine import evaluate_affine
from derivgen.forms.fold import Equality
from derivgen.forms.matrix import NoMatrixForm, matrix_form
from derivgen.forms.matrix_tree import (
    Diag,
    Hadamard,
    Indicator,
    Leaf,
    Map,
    Matrix,
    Ones,
    Power,
    Product,
    Quotient,
    Scalar,
    Scaled,
    Series,
    Sum,
    Transpose,
    Weighted,
    as_rows,
)
from derivgen.notes.inline import recursions
from derivgen.notes.view import View, bounds_any
from tests.forms.nets import NETS, Reading, computed, derived, places, viewed

TOLERANCE = 1e-9  # both sides are doubles, summed in another order


class Board:
    """Evaluates a matrix form with vectors as columns or as rows."""

    def __init__(self, view: View, reading: Reading, where: Any, rows: bool) -> None:
        self.view, self.reading, self.where, self.rows = view, reading, where, rows

    def leaf(self, leaf: Leaf) -> Any:
        array = self.reading.arrays[leaf.tensor]
        if leaf.layer is not None:
            axis = self.view.layer_axis(leaf.tensor)
            assert axis is not None
            low = evaluate_affine(self.view.ranges(leaf.tensor)[axis][0], self.reading.dims)
            array = np.take(array, self.reading.at(leaf.layer, self.where) - low, axis, mode="clip")
        if leaf.rank == 1:
            return array.reshape(1, -1) if self.rows else array.reshape(-1, 1)
        return array

    def value(self, tree: Matrix) -> Any:
        match tree:
            case Leaf():
                return self.leaf(tree)
            case Scalar(expr):
                return np.array([[self.reading.value(expr, self.where)]])
            case Ones(size):
                count = evaluate_affine(size, self.reading.dims)
                return np.ones((1, count) if self.rows else (count, 1))
            case Transpose(inner):
                return self.value(inner).T
            case Product(items):
                return np.linalg.multi_dot(list(map(self.value, items)))
            case Hadamard(items):
                return np.prod([self.value(item) for item in items], axis=0)
            case Quotient(a, b):
                return self.value(a) / self.value(b)
            case Sum(items):
                shapes = {self.value(item).shape for item in items}
                assert len(shapes) == 1, "a sum of unequal shapes"
                return np.sum([self.value(item) for item in items], axis=0)
            case Scaled(factor, inner):
                return self.reading.value(factor, self.where) * self.value(inner)
            case Weighted(weight, inner):
                assert self.value(weight).shape == (1, 1), "a weight is a number"
                return self.value(weight)[0, 0] * self.value(inner)
            case Series(index, inner):
                return sum(
                    Board(self.view, self.reading, {**self.where, index: n}, self.rows).value(inner)
                    for n in self.reading.range(index)
                )
            case Diag(inner):
                return np.diag(self.value(inner).ravel())
            case Power(base, exponent):
                return self.value(base) ** self.reading.value(exponent, self.where)
            case Map(call, args):
                return np.vectorize(lambda *z: self.reading.call(call.name, list(z)))(
                    *map(self.value, args)
                )
            case Indicator(op, left, right):
                a, b = self.value(left), self.value(right)
                return {"<": a < b, "<=": a <= b, ">": a > b, ">=": a >= b, "=": a == b}[op] * 1.0


def check(view: View, reading: Reading, equality: Equality) -> bool:
    """Compare one equation's matrix form with its tensor, in both layouts."""
    axis = view.layer_axis(equality.lhs.tensor)
    kept = [p for p in range(len(equality.lhs.indices)) if p != axis]
    plain = [equality.lhs.indices[p].plain for p in kept]
    free = tuple(index for index in plain if index is not None)
    spans = [view.ranges(equality.lhs.tensor)[p] for p in kept]
    if len(free) < len(plain) or [(i.low, i.high) for i in free] != spans or not free:
        return False
    if bounds_any(free, equality.where):
        return False
    try:
        tree = matrix_form(equality.rhs, free, view)
    except NoMatrixForm:
        return False
    for at in places(reading, equality):
        leaf = Leaf(
            equality.lhs.tensor, len(free), None if axis is None else equality.lhs.indices[axis]
        )
        for rows, shown in ((False, tree), (True, as_rows(tree))):
            board = Board(view, reading, at, rows)
            left, right = board.leaf(leaf), board.value(shown)
            assert left.shape == right.shape, (equality, shown)
            assert np.allclose(left, right, atol=TOLERANCE), (equality, shown)
    return True


@pytest.mark.parametrize("name", NETS)
def test_every_matrix_form_of_a_step_equals_its_array_in_both_layouts(name: str) -> None:
    view = viewed(name)
    reading = Reading(derived(name), *computed(name))

    checked = 0
    for step in view.derivation.steps:
        for equality in view.folded[step.adjoint]:
            checked += check(view, reading, equality)
            for case in recursions(view, equality) if step.is_delta else ():
                checked += check(view, reading, case.equality)

    assert checked


@pytest.mark.parametrize("name", NETS)
def test_every_matrix_form_of_a_forward_equation_equals_its_array(name: str) -> None:
    view = viewed(name)
    reading = Reading(derived(name), *computed(name))

    for statements in view.forward_of.values():
        if not any(s.op.startswith("arg") for s in statements):
            for equality in view.fold(statements):
                check(view, reading, equality)


def test_a_convolution_says_why_it_has_no_matrix_form() -> None:
    view = viewed("convolution")
    (equality,) = view.folded["adj_w"]

    with pytest.raises(NoMatrixForm) as refused:
        matrix_form(equality.rhs, equality.indices, view)

    assert refused.value.reason == "rank"
