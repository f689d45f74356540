"""Immutable tree nodes whose hash is computed once.

Expressions are compared and looked up all the time; a plain frozen dataclass would walk the whole
tree for every hash. Invariant: a node never changes, so its hash may be kept beside its fields.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeVar, dataclass_transform

T = TypeVar("T")


@dataclass_transform(frozen_default=True)
def node(cls: type[T]) -> type[T]:
    """Make ``cls`` a frozen dataclass with a cached hash."""
    made = dataclass(frozen=True)(cls)
    compute: Any = made.__hash__

    def cached(self: Any) -> int:
        try:
            return self.__dict__["_hash"]
        except KeyError:
            value = self.__dict__["_hash"] = compute(self)
            return value

    def state(self: Any) -> dict[str, Any]:
        # A string's hash differs from process to process, so it must not travel in a pickle.
        return {name: value for name, value in self.__dict__.items() if not name.startswith("_")}

    made.__hash__ = cached  # type: ignore[method-assign]
    made.__getstate__ = state  # type: ignore[method-assign]
    return made
