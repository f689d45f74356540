"""Immutable data: records, and tree nodes that keep what has been found out about them.

Expressions are compared, looked up and walked all the time; a plain dataclass would walk the whole
tree for every hash. Invariant: a node never changes, so its hash, and what `traversal` finds below
it, is worked out once.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, TypeVar, dataclass_transform

T = TypeVar("T")
KEPT = ("_hash", "_below", "_seen", "_form", "_reads")


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def record(cls: type[T]) -> type[T]:
    """Make ``cls`` a dataclass that is immutable by declaration.

    That nobody assigns to it is mypy's to see: a guard at run time (``frozen=True``) makes each
    one, of which a deep net has a hundred thousand, take more than twice as long to make.
    """
    return dataclass(unsafe_hash=True)(cls)


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def node(cls: type[T]) -> type[T]:
    """Make ``cls`` a record with a cached hash."""
    made: Any = record(cls)
    compute = made.__hash__

    def cached(self: Any) -> int:
        value: int | None = self._hash
        if value is None:
            value = self._hash = compute(self)
        return value

    def state(self: Any) -> dict[str, Any]:
        # A string's hash differs from process to process, so it must not travel in a pickle.
        return {name: value for name, value in self.__dict__.items() if not name.startswith("_")}

    for name in KEPT:
        setattr(made, name, None)
    made.__hash__ = cached
    made.__getstate__ = state
    return made
