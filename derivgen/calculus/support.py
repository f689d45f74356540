"""Where a body can differ from zero: the conditions on indices and index values it stands under.

An adjoint's place may leave its tensor where the body is zero, as in ``where(v > 0, W[b-1; 0], 0)``
at ``b = 0``; such cells must be kept out of the nest, not only be given the value zero.
"""

from __future__ import annotations

from derivgen.algebra.expressions import (
    ZERO,
    And,
    Condition,
    Expr,
    Iverson,
    Mul,
    Or,
    Where,
    conjunction,
    is_guard,
    negation,
)


def support(body: Expr) -> tuple[Condition, ...]:
    """Return conditions on indices and index values without which ``body`` is surely zero."""
    match body:
        case Where(condition, yes, no):
            taken = [(condition, yes), (negation(condition), no)]
            needs = [
                conjunction((*_on_indices(test), *support(branch)))
                for test, branch in taken
                if branch != ZERO
            ]
            return _either(needs)
        case Iverson(condition):
            return _on_indices(condition)
        case Mul(factors):
            return conjunction(tuple(c for factor in factors for c in support(factor)))
        case _:
            return ()


def _either(needs: list[tuple[Condition, ...]]) -> tuple[Condition, ...]:
    """Return what holds if all of one of the needs hold: the shared parts, and an ``or``."""
    if len(needs) < 2:
        return needs[0] if needs else ()
    shared = tuple(c for c in needs[0] if c in needs[1])
    rest = [tuple(c for c in need if c not in shared) for need in needs]
    if not all(rest):
        return shared
    return (*shared, Or(tuple(part[0] if len(part) == 1 else And(part) for part in rest)))


def _on_indices(condition: Condition) -> tuple[Condition, ...]:
    """Return the parts of a conjunction that concern indices and index values alone."""
    return tuple(part for part in conjunction((condition,)) if is_guard(part))
