"""Products and sums with derivatives in them: which fractions link up, where 1 is a unit matrix.

As `derivgen.verify.matrices` and `derivgen.verify.evaluate` have it, without any numbers.
"""

from __future__ import annotations

from collections.abc import Iterator

from derivgen.formulas.terms import Ref, Term
from derivgen.verify.proving.slopes import inner_of
from derivgen.verify.proving.values import Value


def ends_in_matrix(term: Term) -> bool:
    """Tell whether a chain of other factors may end in a derivative by a matrix."""
    first, last = inner_of(term.args[0]), inner_of(term.args[-1])
    if first.op != "gradient" or last.op != "gradient" or any(term.data):
        return False
    if all(inner_of(part).op == "gradient" for part in term.args):
        return False
    by = inner_of(last.args[1])
    return bool(by.op != "element" or by.data.whole_axes != 1 or not by.data.slots)


def runs_of(term: Term) -> Iterator[tuple[str, list[Term]]]:
    """Yield the factors, fractions that link up as one, each with the sign before it."""
    run: list[Term] = []
    opening = ""
    for operator, factor in zip(["", *term.data], term.args):
        if run and not _links(run[-1], factor):
            yield opening, run
            run = []
        if not run:
            opening = operator
        run.append(factor)
    yield opening, run


def linked_whole(run: list[Term]) -> bool:
    """Tell whether a run of fractions is contracted: more than one, with a whole tensor in it."""
    return len(run) > 1 and any(_has_whole_link(inner_of(t)) for t in run)


def _links(last: Term, factor: Term) -> bool:
    one, other = inner_of(last), inner_of(factor)
    if any(t.op != "gradient" or t.data.symbol for t in (one, other)):
        return False
    linked = one.args[1].data == other.args[0].data or other.args[1].data == one.args[0].data
    return bool(linked and one.args[1].op == other.args[0].op == "element")


def _has_whole_link(term: Term) -> bool:
    refs = [part.data for part in term.args if isinstance(part.data, Ref)]
    return any(not ref.slots or ref.whole_axes for ref in refs)


def is_unit(part: Term) -> bool:
    """Tell whether a term is 1, I or a number of I, whatever its sign."""
    core = _core(part)
    if core.op == "multiply":
        return any(_core(factor).op == "identity" for factor in core.args)
    return core.op == "identity" or (core.op == "number" and bool(core.data[0] == 1))


def beside_jacobian(term: Term, parts: list[Value]) -> Value | None:
    """Return the square matrix beside which 1 or I is the unit matrix."""
    cores = [_core(part) for part in term.args]
    identity = any(is_unit(core) and core.op != "number" for core in cores)
    for core, found in zip(cores, parts):
        if found.is_square and (core.op == "gradient" or identity):
            return found
    return None


def _core(term: Term) -> Term:
    while term.op in ("group", "negate"):
        term = term.args[0]
    return term
