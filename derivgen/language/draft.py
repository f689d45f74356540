"""A network while its text is being read: what is known so far, and how names are added to it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from derivgen.algebra.affine import Affine, Dim, Index
from derivgen.algebra.expressions import Access, Expr
from derivgen.algebra.network import (
    Equation,
    Fact,
    Function,
    InitialiserRule,
    Optimiser,
    StateUpdate,
    Tensor,
    Training,
)
from derivgen.errors import NameProblem
from derivgen.language.lines import Span
from derivgen.language.rows import LayerRow, Shared
from derivgen.language.scope import Scope, View
from derivgen.language.syntax import Apply


class Written(NamedTuple):
    """Where an equation was written, and the offsets of its accesses."""

    span: Span
    log: list[tuple[Access, int]]


@dataclass
class Draft:
    """Mutable while reading; `derivgen.language.elaborate` turns it into a `Network`."""

    name: str = "network"
    dims: dict[str, Dim] = field(default_factory=dict)
    sizes: dict[Dim, int | None] = field(default_factory=dict)
    derived: dict[Dim, Affine] = field(default_factory=dict)
    indices: dict[str, Index] = field(default_factory=dict)
    tensors: dict[str, Tensor] = field(default_factory=dict)
    views: dict[str, View] = field(default_factory=dict)
    equations: list[Equation] = field(default_factory=list)
    written: list[Written] = field(default_factory=list)  # of the equations
    facts: list[Fact] = field(default_factory=list)
    functions: dict[str, Function] = field(default_factory=dict)
    optimisers: dict[str, Optimiser] = field(default_factory=dict)
    updates: list[StateUpdate] = field(default_factory=list)
    layers: dict[str, LayerRow] = field(default_factory=dict)
    macros: dict[str, object] = field(default_factory=dict)  # layers, shared ones and losses
    expand: Callable[[str, Apply, Scope], Expr] | None = None
    shared: list[Shared] = field(default_factory=list)  # layers made once
    layer_count: int = 0
    expansions: int = 0  # of layers and losses
    loss_depth: int = 0  # losses inside losses
    chosen: list[str] = field(default_factory=list)  # computed tensors that hold index values
    pending_names: set[str] = field(default_factory=set)  # announced, their axes not yet known
    initialisers: dict[str, InitialiserRule] = field(default_factory=dict)
    batch: Index | None = None
    layer_index: Index | None = None
    training: Training | None = None
    loss: str | None = None
    output: str | None = None

    def scope(self, span: Span) -> Scope:
        """Return the scope of a statement of the network."""
        return Scope(
            span,
            self.indices,
            self.dims,
            self.views,
            self.functions,
            macros=self.macros,
            expand=self.expand,
        )


def declare_dim(draft: Draft, name: str, span: Span, at: int) -> Dim:
    """Return the size letter ``name``, made open if it is new."""
    if name not in draft.dims:
        check_name(draft, name, span, at)
        draft.dims[name] = Dim(name)
        draft.sizes[draft.dims[name]] = None
    return draft.dims[name]


def declare_index(draft: Draft, index: Index, span: Span, at: int) -> Index:
    """Add an index letter; declaring it again with the same range is no fault."""
    known = draft.indices.get(index.name)
    if known is not None and known != index:
        raise NameProblem(
            span.text,
            f"Index {index.name} is declared twice, from {known.low} below {known.high} and from "
            f"{index.low} below {index.high}.",
            "Use two letters.",
            span.source.position(at),
        )
    if known is None:
        check_name(draft, index.name, span, at)
        tensor = draft.tensors.get(index.name)
        if tensor is not None and not tensor.axes:
            raise _twice(index.name, "a number", "an index", span, at)
    draft.indices[index.name] = index
    return index


def declare_tensor(draft: Draft, tensor: Tensor, span: Span, at: int) -> None:
    """Add a tensor.

    Raises: NameProblem, if its name is taken or cannot be used.
    """
    name = tensor.name
    if name in draft.tensors:
        raise _twice(name, draft.tensors[name].role.value, tensor.role.value, span, at)
    check_name(draft, name, span, at)
    if not tensor.axes and (name in draft.indices or name in draft.dims):
        other = "an index" if name in draft.indices else "a size"
        raise _twice(name, other, "a number", span, at)
    draft.tensors[name] = tensor
    draft.views[name] = View(name, tensor.axes, (), tensor.values_of is not None)


def _twice(name: str, first: str, second: str, span: Span, at: int) -> NameProblem:
    return NameProblem(
        span.text,
        f"{name} is declared twice: as {first} and as {second}.",
        "Give one of them another name.",
        span.source.position(at),
    )


def check_name(draft: Draft, name: str, span: Span, at: int) -> None:
    """Refuse a name that would hide something the formulas need."""
    problem = ""
    if "'" in name:
        problem = f"{name} ends in a prime, which means the next value or a derivative."
    elif name.startswith("adj_"):
        problem = f"{name} begins with adj_, which names derivatives of the loss."
    elif name in ("where", "and", "or", "not"):
        problem = f"{name} is a word of the language."
    if problem:
        raise NameProblem(span.text, problem, "Choose another name.", span.source.position(at))
