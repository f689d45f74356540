"""What a statement of a text says, one record per kind, before names have a meaning."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Union

from derivgen.language.source import Source, shorten
from derivgen.language.syntax import Apply, Ranged, Ref, Tree, Word


@dataclass(frozen=True)
class Span:
    """Where a statement stands: its text serves as the subject of messages."""

    source: Source
    start: int
    end: int

    @property
    def text(self) -> str:
        """Return the statement as written, on one line."""
        return shorten(self.source.text[self.start : self.end])


@dataclass(frozen=True)
class NetworkLine:
    """``network NAME``."""

    span: Span
    name: str


@dataclass(frozen=True)
class DimLine:
    """``dim D = 784, T``."""

    span: Span
    items: tuple[tuple[Word, Tree | None], ...]


@dataclass(frozen=True)
class IndexLine:
    """``index k: 3, t: 1..T``, or ``layers l: 1..L``."""

    span: Span
    items: tuple[Ranged, ...]
    layers: bool = False


@dataclass(frozen=True)
class TensorItem:
    """One name of a declaration with its axes, modifiers and value."""

    name: Word
    axes: tuple[Tree, ...]
    value: Tree | None = None
    onehot: bool = False
    of: Word | None = None


@dataclass(frozen=True)
class TensorLine:
    """``input x[d]``, ``param W[k,s] = glorot, b[k]``."""

    span: Span
    role: str
    items: tuple[TensorItem, ...]


@dataclass(frozen=True)
class AssumeLine:
    """``assume sum[k](y[k]) = 1``."""

    span: Span
    left: Tree
    right: Tree


@dataclass(frozen=True)
class EquationLine:
    """``h[s] = rhs, predict e``; with ``is_loss`` the line began with ``loss``."""

    span: Span
    lhs: Union[Word, Ref]
    rhs: Tree
    predict: Tree | None = None
    is_loss: bool = False


@dataclass(frozen=True)
class DefineLine:
    """``define f(z, a = 1) = e``, ``define softmax[k](z) = e``."""

    span: Span
    head: Apply
    body: Tree


@dataclass(frozen=True)
class FunctionLine:
    """``function f, g(a, b)``: unknown smooth functions."""

    span: Span
    items: tuple[Union[Word, Apply], ...]


@dataclass(frozen=True)
class BatchLine:
    """``batch n`` or ``batch n: N``."""

    span: Span
    name: Word
    size: Ranged | None


@dataclass(frozen=True)
class RandomLine:
    """``random m[h] = bernoulli(1-p)/(1-p), predict 1``."""

    span: Span
    item: TensorItem
    predict: Tree | None


@dataclass(frozen=True)
class StateLine:
    """``state mu[k] = 0: mu' = e, predict e``; the update may stand on a line of its own."""

    span: Span
    item: TensorItem
    update: tuple[Word | Ref, Tree] | None
    predict: Tree | None


@dataclass(frozen=True)
class TrainLine:
    """``train with adam(lr=0.001), epochs 10, batch 64``."""

    span: Span
    rule: Union[Word, Apply]
    epochs: Tree | None
    batch: Tree | None


@dataclass(frozen=True)
class OutputLine:
    """``output yhat``."""

    span: Span
    name: Word


@dataclass(frozen=True)
class LayerLine:
    """``layer dense(x[i], O, f = identity): body``."""

    span: Span
    head: Apply
    body: tuple[Line, ...]


@dataclass(frozen=True)
class SharedLine:
    """``layer enc = dense(128, relu)``: parameters made once, used wherever ``enc`` is applied."""

    span: Span
    name: Word
    made: Union[Word, Apply]


@dataclass(frozen=True)
class LossRowLine:
    """``loss mse(p, y) = (p - y)^2``; ``summed`` over the axes it does not name, else averaged."""

    span: Span
    head: Apply
    body: Tree
    summed: bool


@dataclass(frozen=True)
class OptimiserLine:
    """``optimiser sgd(lr = 0.001): w' = w - lr*g``."""

    span: Span
    head: Union[Word, Apply]
    body: tuple[Line, ...]


@dataclass(frozen=True)
class InitialiserLine:
    """``initialiser normal(mean = 0, std = 1) = normal(mean, std)``."""

    span: Span
    head: Union[Word, Apply]
    body: Tree


@dataclass(frozen=True)
class IncludeLine:
    """``include "rows.dg"``."""

    span: Span
    path: str


Line = Union[
    NetworkLine,
    DimLine,
    IndexLine,
    TensorLine,
    AssumeLine,
    EquationLine,
    DefineLine,
    FunctionLine,
    BatchLine,
    RandomLine,
    StateLine,
    TrainLine,
    OutputLine,
    LayerLine,
    SharedLine,
    LossRowLine,
    OptimiserLine,
    InitialiserLine,
    IncludeLine,
]
