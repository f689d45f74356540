"""What names mean while an expression is read: indices, sizes, tensors, functions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from types import MappingProxyType
from typing import Any, NamedTuple

from derivgen.algebra.affine import Dim, Index
from derivgen.algebra.expressions import Access, Expr
from derivgen.algebra.network import Axis, Function
from derivgen.errors import DerivgenError, NameProblem, Position
from derivgen.language.lines import Span
from derivgen.language.syntax import Apply

ELEMENTARY: dict[str, int] = {
    **dict.fromkeys(
        [
            "exp",
            "log",
            "log1p",
            "expm1",
            "sqrt",
            "tanh",
            "sinh",
            "cosh",
            "sin",
            "cos",
            "asin",
            "acos",
            "atan",
            "abs",
            "sign",
            "erf",
            "lgamma",
            "digamma",
            "floor",
            "stop_gradient",
        ],
        1,
    ),
    "min": 2,
    "max": 2,
}
FOLDS = ("sum", "prod", "max", "min", "mean", "logsumexp", "argmax", "argmin")


class View(NamedTuple):
    """A tensor as an expression sees it.

    ``axes`` are those that may be written (``None`` while unknown); ``carried`` are indices put in
    front of them: those a layer's argument has beyond what the layer names.
    """

    name: str
    axes: tuple[Axis, ...] | None
    carried: tuple[Index, ...] = ()
    holds_indices: bool = False


EMPTY: Mapping[str, Any] = MappingProxyType({})


class Scope(NamedTuple):
    """The meaning of names; ``active`` are the indices that are free or bound here."""

    span: Span
    declared: Mapping[str, Index]
    dims: Mapping[str, Dim]
    tensors: Mapping[str, View]
    functions: Mapping[str, Function]
    active: Mapping[str, Index] = EMPTY
    values: Mapping[str, Expr] = EMPTY
    aliases: Mapping[str, str] = EMPTY  # a layer's f -> the function given
    macros: Mapping[str, object] = EMPTY  # layers and losses
    expand: Callable[[str, Apply, Scope], Expr] | None = None  # a loss to its expression

    taken: frozenset[str] = frozenset()  # letters of indices that a layer carries unwritten
    log: list[tuple[Access, int]] | None = None  # where each access of an equation stands

    def binding(self, indices: Mapping[str, Index]) -> Scope:
        """Return the scope inside a reduction over ``indices``."""
        return self._replace(active={**self.active, **indices})

    def position(self, at: int) -> Position:
        """Return where an offset of this statement stands."""
        return self.span.source.position(at)

    def problem(
        self, kind: type[DerivgenError], problem: str, advice: str, at: int
    ) -> DerivgenError:
        """Return an error about the statement, at an offset."""
        return kind(self.span.text, problem, advice, self.position(at))


def free_letter(index: Index, taken: frozenset[str]) -> Index:
    """Return the index under a letter that is not taken: ``k``, else ``k2``, ``k3``, ..."""
    name, count = index.name, 1
    while name in taken:
        count += 1
        name = f"{index.name}{count}"
    return index if name == index.name else Index(name, index.low, index.high)


def undefined(
    scope: Scope, name: str, at: int, what: str = "", more: Iterable[str] = ()
) -> DerivgenError:
    """Return the error for a name that means nothing, with the nearest name that does."""
    known = [*scope.tensors, *scope.dims, *scope.active, *scope.functions, *scope.values, *more]
    near = get_close_matches(name, known, 1, 0.75)
    advice = f"Did you mean {near[0]}?" if near else "Declare it, as in param NAME or input NAME."
    return scope.problem(NameProblem, f"{name} is not defined{what}.", advice, at)
