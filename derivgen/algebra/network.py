"""What a person declares: tensors, equations, facts, functions, training; together a `Network`.

A network is data in explicit form, exactly as written; nothing is differentiated or normalised
here. Text (`.dg`) and the Python API build equal networks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from fractions import Fraction
from typing import Union

from derivgen.algebra.affine import Affine, Dim, Index
from derivgen.algebra.expressions import Access, Expr
from derivgen.algebra.node import record
from derivgen.errors import Position

Nested = Union[Fraction, tuple["Nested", ...]]


class Role(Enum):
    """What a tensor is in the network."""

    INPUT = "input"
    TARGET = "target"
    PARAM = "param"
    CONST = "const"
    RANDOM = "random"
    STATE = "state"
    VALUE = "value"  # defined by equations; the loss is one of these


@record
class Axis:
    """The range ``low <= i < high`` of one axis; both ends affine in size letters."""

    low: Affine
    high: Affine

    @property
    def size(self) -> Affine:
        """Return ``high - low``."""
        return self.high - self.low


@dataclass(frozen=True)
class Initialiser:
    """How a parameter starts: a named rule with settings, such as ``normal(0, 0.01)``.

    ``distribution`` is the rule written out (settings filled in): it reads ``fan_in``, ``fan_out``.
    """

    name: str
    settings: tuple[Fraction, ...] = ()
    distribution: Distribution | None = None


@dataclass(frozen=True)
class InitialiserRule:
    """A library row ``initialiser name(settings) = distribution``.

    The distribution's expressions read rank-0 accesses: the settings, ``fan_in`` and ``fan_out``.
    """

    name: str
    settings: tuple[tuple[str, Fraction], ...]
    distribution: Distribution
    source: str = ""


@dataclass(frozen=True)
class Distribution:
    """What a random tensor is drawn from, e.g. ``bernoulli(1-p)`` times ``scale``.

    ``arguments`` and ``scale`` are expressions without accesses or over rank-0 constants.
    """

    name: str  # bernoulli, normal, uniform, constant
    arguments: tuple[Expr, ...]
    scale: Expr | None = None


@record
class Tensor:
    """A declared or defined tensor.

    ``values`` are exact numbers given in the text; ``values_of`` is the index whose values the
    tensor holds (``input token[t] of v``); ``predict`` replaces a random or state at prediction.
    ``values`` of one number fill every element, whatever the rank.
    ``latex`` is its name on paper, if that differs from what a notation style would make of it.
    ``fan_in``/``fan_out`` are filled for parameters: sizes of the summed and the other indices.
    """

    name: str
    axes: tuple[Axis, ...] = ()
    role: Role = Role.VALUE
    initialiser: Initialiser | None = None
    values: Nested | None = None
    values_of: Index | None = None
    onehot: bool = False
    distribution: Distribution | None = None
    predict: Expr | None = None
    latex: str | None = None
    fan_in: tuple[Affine, ...] = ()
    fan_out: tuple[Affine, ...] = ()
    axis_names: tuple[str, ...] = ()
    position: Position | None = field(default=None, compare=False)


@record
class Equation:
    """One assignment ``lhs = rhs`` as written.

    ``predict`` is the right side used at prediction, where it differs (batch statistics);
    ``source`` names the library row that made the equation, e.g. ``dense``; ``layer`` numbers the
    library layer it belongs to (from 1, in order of appearance), 0 for raw equations.
    """

    lhs: Access
    rhs: Expr
    position: Position | None = field(default=None, compare=False)
    predict: Expr | None = None
    source: str = ""
    layer: int = 0


@dataclass(frozen=True)
class StateUpdate:
    """``mu'[k] = rhs``: the next value of a state tensor, computed after a training step."""

    lhs: Access
    rhs: Expr
    position: Position | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Fact:
    """A declared equality ``left = right`` that holds for all values of its free indices."""

    left: Expr
    right: Expr
    position: Position | None = field(default=None, compare=False)
    implied_by: str = ""  # the one-hot tensor that implies it, or "" for an `assume`


@dataclass(frozen=True)
class Function:
    """A defined function ``name(params) = body``; parameters are rank-0 accesses in the body.

    With ``indices`` it is a function along indices, ``softmax[k](z) = exp(z)/sum[k](exp(z))``:
    an argument is substituted as an expression in those indices, and a reduction of the body over
    the same letter binds it. ``body is None`` declares an unknown smooth function. ``settings``
    gives the defaults of the last parameters, ``leaky_relu(z, a = 0.01)``; ``params`` names those
    too, and a call always has an argument for every parameter.
    """

    name: str
    params: tuple[str, ...]
    body: Expr | None
    indices: tuple[Index, ...] = ()
    settings: tuple[tuple[str, Fraction], ...] = ()
    source: str = ""
    position: Position | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Optimiser:
    """An update rule, elementwise over every parameter.

    ``updates`` are ``(name, expression)`` in order: next values of states and of ``w``. The
    expressions read rank-0 accesses: ``w`` parameter, ``g`` gradient, ``t`` step from 1, states,
    settings, and ``v'`` for the next value of a state that an earlier update made.
    """

    name: str
    settings: tuple[tuple[str, Fraction], ...]
    states: tuple[tuple[str, Expr], ...]
    updates: tuple[tuple[str, Expr], ...]
    source: str = ""


@dataclass(frozen=True)
class Training:
    """How a network is trained unless the user says otherwise on the command line."""

    optimiser: Optimiser
    epochs: int = 10
    batch: int = 32


@dataclass(frozen=True)
class Network:
    """Everything a text declares. ``dims`` maps a size letter to its value, ``None`` if open.

    ``derived`` are sizes given by other sizes (``dim O = I - 2``), which follow when those change.
    ``layers`` is the index declared to number layers (``layers l: 1..L``), a superscript on paper.
    """

    name: str
    dims: Mapping[Dim, int | None]
    indices: tuple[Index, ...]
    tensors: Mapping[str, Tensor]
    equations: tuple[Equation, ...]
    loss: str | None
    facts: tuple[Fact, ...] = ()
    functions: Mapping[str, Function] = field(default_factory=dict)
    batch: Index | None = None
    updates: tuple[StateUpdate, ...] = ()
    training: Training | None = None
    optimisers: Mapping[str, Optimiser] = field(default_factory=dict)
    output: str | None = None
    text: str = field(default="", compare=False)
    derived: Mapping[Dim, Affine] = field(default_factory=dict)
    layers: Index | None = None
    initialisers: Mapping[str, InitialiserRule] = field(default_factory=dict)

    def of_role(self, *roles: Role) -> tuple[Tensor, ...]:
        """Return the tensors of the given roles, in order of declaration."""
        return tuple(t for t in self.tensors.values() if t.role in roles)

    @property
    def parameters(self) -> tuple[Tensor, ...]:
        """Return the parameters in order of declaration."""
        return self.of_role(Role.PARAM)
