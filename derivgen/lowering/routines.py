"""The defined functions that statements call, each after those it calls itself."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from derivgen.algebra.expressions import Call, Expr, walk
from derivgen.algebra.network import Function
from derivgen.algebra.statements import Statement
from derivgen.algebra.text import text
from derivgen.errors import EquationError
from derivgen.lowering.program import Routine


def routines_of(
    parts: Iterable[tuple[Statement, ...]], functions: Mapping[str, Function]
) -> tuple[Routine, ...]:
    """Return the called functions in an order of definition.

    Raises: EquationError, for an unknown function: a program needs its definition.
    """
    found: dict[str, Routine] = {}
    for part in parts:
        for statement in part:
            _add(statement.body, functions, found)
    return tuple(found.values())


def _add(body: Expr, functions: Mapping[str, Function], found: dict[str, Routine]) -> None:
    for name in called(body):
        function = functions.get(name)
        if function is None or name in found:
            continue
        if function.body is None:
            raise EquationError(
                f"function {name}",
                "A program needs the definition of every function, and this one is unknown.",
                f"Write define {name}(z) = ... instead.",
                function.position,
            )
        _add(function.body, functions, found)
        found[name] = Routine(name, function.params, function.body, text(function.body))


def called(body: Expr) -> Iterator[str]:
    """Yield the names of the functions an expression calls."""
    return (part.name for part in walk(body) if isinstance(part, Call))
