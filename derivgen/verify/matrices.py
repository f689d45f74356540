"""Products between numbers and matrices, and chains of Leibniz fractions contracted as one."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np

from derivgen.formulas.terms import Ref, Term
from derivgen.verify.context import Context, Reading, ShapeMismatch, Value, evaluate
from derivgen.verify.derivatives import element_of, jacobian
from derivgen.verify.elements import array, shaped
from derivgen.verify.numeric import folded, mp
from derivgen.verify.windows import WAYS, slid


def multiply(term: Term, context: Context) -> Value:
    """Return a product; where a bracket in it is zero nothing else is read."""
    for factor in term.args:
        if _only_brackets(factor) and _is_zero(evaluate(factor, context)):
            return mp.mpf(0)
    if (found := _by_matrix(term, context)) is not None:
        return found
    values, operators = _chained(_with_ones(term, context), context)
    if context.reading.tight:
        values, operators = _closer(values, operators, context.reading)
    total = values[0]
    for operator, value in zip(operators, values[1:]):
        total = multiplied(total, value, operator, context.reading)
    return total


def _with_ones(term: Term, context: Context) -> Term:
    r"""Return a product in which ``\mathbf{1}`` has the length that its neighbour asks for."""
    made = list(term.args)
    for place, factor in enumerate(term.args):
        inner = _inner(factor)
        turned = inner.op == "transpose"
        core = _inner(inner.args[0]) if turned else inner
        if core.op != "ones" or core.data is not None:
            continue
        length = _asked(term.args, place, turned, context)
        shape = (1, length) if turned else (length, 1)
        one = Term("number", (), (Fraction(1), "1"))
        made[place] = Term("matrix", (one,) * length, shape, factor.span)
    return term.with_args(tuple(made))


def _asked(factors: tuple[Term, ...], place: int, turned: bool, context: Context) -> int:
    """Return the rows of what stands behind a row of ones, the columns of what is before a column.

    Where nothing stands there, as in ``1 b^T``, it is the number of samples.
    """
    beside = place + 1 if turned else place - 1
    if 0 <= beside < len(factors):
        value = evaluate(factors[beside], context)
        if isinstance(value, np.ndarray):
            return int(value.shape[0 if turned else 1])
    samples = context.world.network.batch
    if samples is None:
        return context.world.samples
    return context.world.size(samples.high) - context.world.size(samples.low)


def _only_brackets(term: Term) -> bool:
    """Tell whether a factor is a bracket, or several of them in parentheses."""
    if term.op in ("group", "multiply"):
        return all(map(_only_brackets, term.args))
    return term.op == "bracket"


def _is_zero(value: Value) -> bool:
    return not isinstance(value, np.ndarray) and value == 0


def _by_matrix(term: Term, context: Context) -> Value | None:
    """Contract a chain of Jacobians that ends in that of a vector by a matrix, ``dh_k/dW``.

    The chain begins with a derivative of a number; between stand fractions and products of them.
    """
    first, last = _inner(term.args[0]), _inner(term.args[-1])
    if first.op != "gradient" or last.op != "gradient" or any(term.data):
        return None
    if all(_inner(part).op == "gradient" for part in term.args):
        return None  # fractions that link up are contracted as they stand
    flat = replace(context, reading=replace(context.reading, layout="columns"), memo=None)
    table, shape, sizes = jacobian(last.args[0], element_of(last.args[1]), last.data, flat)
    if len(sizes) != 2 or not shape:
        return None
    values, _ = _chained(replace_args(term, term.args[:-1]), context)
    row = np.asarray(values[0], dtype=object).reshape(1, -1)
    for value in values[1:]:
        if not isinstance(value, np.ndarray):
            row = row * value
        elif row.shape[1] == value.shape[0]:
            row = row.dot(value)
        else:
            raise ShapeMismatch(f"{_sizes_text(row)} · {_sizes_text(value)}")
    columns = np.stack([np.asarray(e, dtype=object).reshape(-1) for e in table], axis=1)
    if row.shape[1] != columns.shape[0]:
        raise ShapeMismatch(f"{_sizes_text(row)} · {_sizes_text(columns)}")
    return shaped(list(row.dot(columns).reshape(-1)), sizes, context.reading)


def replace_args(term: Term, args: tuple[Term, ...]) -> Term:
    """Return a product of the first factors alone."""
    return Term("multiply", args, term.data[: len(args) - 1], term.span)


def _closer(
    values: list[Value], operators: list[str], reading: Reading
) -> tuple[list[Value], list[str]]:
    """Multiply what stands beside each other without a sign before all else."""
    found, kept = values[:1], []
    for operator, value in zip(operators, values[1:]):
        if operator == "":
            found[-1] = multiplied(found[-1], value, operator, reading)
        else:
            found.append(value)
            kept.append(operator)
    return found, kept


def _chained(term: Term, context: Context) -> tuple[list[Value], list[str]]:
    """Evaluate the factors; a run of Leibniz fractions that link up is contracted as one."""
    values: list[Value] = []
    operators: list[str] = []
    run: list[Term] = []
    between = ["", *term.data]
    opening = ""
    for operator, factor in zip(between, term.args):
        if run and not _links(run, factor):
            _close(run, opening, values, operators, context)
        if not run:
            opening = operator
        run.append(factor)
    _close(run, opening, values, operators, context)
    return values, operators[1:]


def _links(run: list[Term], factor: Term) -> bool:
    last = run[-1]
    pair = (_inner(last), _inner(factor))
    if any(t.op != "gradient" or t.data.symbol for t in pair):
        return False
    one, other = pair
    linked = one.args[1].data == other.args[0].data or other.args[1].data == one.args[0].data
    return linked and one.args[1].op == other.args[0].op == "element"


def _inner(term: Term) -> Term:
    while term.op == "group":
        term = term.args[0]
    return term


def _close(
    run: list[Term],
    opening: str,
    values: list[Value],
    operators: list[str],
    context: Context,
) -> None:
    if not run:
        return
    if len(run) > 1 and any(_has_whole_link(_inner(t)) for t in run):
        values.append(_contracted([_inner(t) for t in run], context))
        operators.append(opening)
    else:
        for number, factor in enumerate(run):
            values.append(evaluate(factor, context))
            operators.append(opening if number == 0 else "")
    run.clear()


def _has_whole_link(term: Term) -> bool:
    return any(
        isinstance(part.data, Ref) and (not part.data.slots or part.data.whole_axes)
        for part in term.args
    )


def _contracted(run: list[Term], context: Context) -> Value:
    """Contract ``dE/dz . dz/da`` over the elements of z, whatever the layout."""
    if len(run) > 1 and run[0].args[1].data != run[1].args[0].data:
        run = run[::-1]
    flat = replace(context, reading=replace(context.reading, layout="columns"), memo=None)
    total: Any = None
    for factor in run:
        of, by = factor.args
        table, shape, sizes = jacobian(of, element_of(by), factor.data, flat)
        columns = [np.atleast_1d(np.asarray(e, dtype=object)).reshape(-1) for e in table]
        matrix = np.stack(columns, axis=1)
        total = matrix if total is None else total.dot(matrix)
        last_sizes = sizes
    if total.shape[0] == 1:
        return shaped(list(total.reshape(-1)), last_sizes, context.reading)
    if not last_sizes:
        return shaped(list(total.reshape(-1)), [total.shape[0]], context.reading)
    return total if context.reading.jacobian == "numerator" else total.T


def multiplied(a: Value, b: Value, operator: str, reading: Reading) -> Value:
    """Return a product of numbers or matrices under one sign. Raises: ShapeMismatch."""
    if not isinstance(b, np.ndarray):
        return a * b
    if not isinstance(a, np.ndarray):
        return b * a  # a number before an array would print the array to learn what it is
    if operator in (r"\odot", r"\circ"):
        return _hadamard(a, b)
    if operator == r"\otimes":
        return _outer(a, b) if reading.otimes == "outer" else _hadamard(a, b)
    if operator == "*" and reading.star in WAYS:
        return slid(a, b, reading.star)
    if operator == r"\langle":  # <a, b>: the inner product, or as in some papers the outer one
        return _outer(a, b) if reading.otimes == "outer" else folded("sum", list(_same(a, b)))
    if operator == "*" and reading.star == "hadamard" and a.shape == b.shape:
        return _hadamard(a, b)
    vectors = a.shape == b.shape and 1 in a.shape
    if vectors and operator in ("", r"\cdot", "*", r"\times"):
        if reading.dot == "hadamard":
            return _hadamard(a, b)
        return folded("sum", list((a * b).reshape(-1)))
    if a.ndim == 2 and b.ndim == 2 and a.shape[1] == b.shape[0]:
        found = a.dot(b)
        return found[0, 0] if found.shape == (1, 1) else found
    if operator in ("*", r"\cdot") and a.shape == b.shape and reading.dot == "hadamard":
        return _hadamard(a, b)
    raise ShapeMismatch(f"{_sizes_text(a)} · {_sizes_text(b)}")


def _sizes_text(a: Any) -> str:
    return "x".join(map(str, a.shape))


class Spread(np.ndarray):
    """Sums of rows or columns, which stand beside a whole row or column."""


def _hadamard(a: Any, b: Any) -> Any:
    a, b = beside_rows(a, b)
    if a.ndim == b.ndim == 2 and 1 in (a.shape[0], b.shape[0]) and a.shape[1] == b.shape[1]:
        return a * b
    if isinstance(a, Spread) or isinstance(b, Spread):
        a, b = np.asarray(a), np.asarray(b)
        if all(x == y or 1 in (x, y) for x, y in zip(a.shape, b.shape)):
            return a * b
    if a.shape != b.shape:
        raise ShapeMismatch(f"{_sizes_text(a)} ⊙ {_sizes_text(b)}")
    return a * b


def _same(a: Any, b: Any) -> Any:
    return _hadamard(a, b).reshape(-1)


def _outer(a: Any, b: Any) -> Any:
    return np.outer(a.reshape(-1), b.reshape(-1))


def beside_rows(a: Any, b: Any) -> tuple[Any, Any]:
    r"""Lay a vector of features along the rows of the matrix beside it: ``X - \mu`` of samples."""
    if a.ndim == b.ndim == 2:
        for vector, matrix in ((a, b), (b, a)):
            fits = vector.shape == (matrix.shape[1], 1) and 1 not in matrix.shape
            if fits and matrix.shape[0] != matrix.shape[1]:
                return (a.T, b) if vector is a else (a, b.T)
    return a, b


def added(a: Value, b: Value) -> Value:
    if isinstance(a, np.ndarray) and isinstance(b, np.ndarray) and a.shape != b.shape:
        a, b = beside_rows(a, b)
        bias = a.ndim == b.ndim == 2 and all(
            x == y or 1 in (x, y) for x, y in zip(a.shape, b.shape)
        )
        one_vector = sum(1 in s and max(s) > 1 for s in (a.shape, b.shape)) == 1
        if not (bias and one_vector):
            raise ShapeMismatch(f"{_sizes_text(a)} + {_sizes_text(b)}")
    return a + b


def row_sums(a: Any) -> Any:
    """Return the sums of the rows of a matrix as a column; of a single row as a number."""
    if a.shape[0] == 1:
        return folded("sum", list(a.reshape(-1)))
    return array([[folded("sum", list(row))] for row in a]).view(Spread)
