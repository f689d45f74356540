"""What the engine returns: forward statements, backward steps, lemmas, and how each came about.

The steps are the result: `Derivation.backward` is read off the very steps that notes show, and
every rewrite keeps the statement before and after.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from derivgen.algebra.expressions import Access, Expr
from derivgen.algebra.network import Network, Tensor
from derivgen.algebra.node import record
from derivgen.algebra.statements import Statement


@dataclass(frozen=True)
class Named:
    """A tensor the engine invented: ``name`` stands for ``stands_for`` because of ``reason``.

    ``reason`` is one of: argument (of a nonlinear function: a pre-activation), reduction (a sum in
    a nonlinear place), operand (of a max, min or prod), position (of a winner), value (of a
    function inside a body), others (product over the other factors), shared (a sum that factors
    were moved out of), derivative (made by ``d(u, x)``).
    """

    name: str
    stands_for: Expr
    reason: str
    equation: int


@dataclass(frozen=True)
class Lemma:
    """The slope of a defined function, derived once from its own definition.

    ``name(params) = definition``; ``raw[i]`` is what differentiation by parameter ``i`` gave and
    ``slopes[i]`` its simplified form, in which ``Call(name, params)`` is the function's own value
    (sigmoid: ``a*(1 - a)``). Parameters are rank-0 accesses. ``rules`` names the rules used.
    """

    name: str
    params: tuple[str, ...]
    definition: Expr
    raw: tuple[Expr, ...]
    slopes: tuple[Expr, ...]
    rules: tuple[str, ...] = ()


@record
class Contribution:
    """One path of the chain rule: ``adj_A[h] += adj_out[g] * d body / d A[h]``.

    ``through`` is the forward statement whose operand ``operand`` is, ``upstream`` the adjoint of
    what it writes, ``partial`` the local derivative (lemmas cited in ``lemmas``), ``statement``
    their product before any simplification.
    """

    operand: Access
    through: Statement
    upstream: Expr  # an access, or the number 1 where the loss itself is upstream
    partial: Expr
    lemmas: tuple[str, ...]
    statement: Statement


@record
class Rewrite:
    """One use of a named simplification rule on one statement.

    ``after`` is empty when the statement vanished (it added zero). ``uses`` names what the rule
    appealed to: tensors whose equations were used, or ``fact 0``.
    """

    rule: str
    before: tuple[Statement, ...]
    after: tuple[Statement, ...]
    uses: tuple[str, ...] = ()


@record
class Step:
    """All about one backward quantity.

    ``quantity`` is the forward tensor ``A`` (or, for an auxiliary sum that simplification named,
    what it is a factor of); ``adjoint`` the tensor computed here, ``adj_A``. ``is_delta``: ``A`` is
    a pre-activation. ``contributions`` are the chain rule over all paths, ``rewrites`` what was
    simplified, ``result`` the final statements that write ``adjoint``.
    """

    quantity: str
    adjoint: str
    contributions: tuple[Contribution, ...]
    rewrites: tuple[Rewrite, ...]
    result: tuple[Statement, ...]
    is_delta: bool = False
    auxiliary: bool = False


@dataclass(frozen=True)
class UsedFact:
    """A declared fact that a rewrite relied on; data must satisfy it."""

    number: int
    left: Expr
    right: Expr


@dataclass(frozen=True)
class Derivation:
    """Everything derived from one network: see the module's docstring.

    ``tensors`` holds the network's tensors, the invented ones (`named`) and the adjoints, each with
    its axes. ``gradients`` maps each asked tensor (all parameters, unless told otherwise) to its
    adjoint's name. ``forward`` and ``steps`` are in an order of computation.
    """

    network: Network
    tensors: Mapping[str, Tensor]
    forward: tuple[Statement, ...]
    named: Mapping[str, Named]
    steps: tuple[Step, ...]
    lemmas: Mapping[str, Lemma]
    gradients: Mapping[str, str]
    facts: tuple[UsedFact, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def backward(self) -> tuple[Statement, ...]:
        """Return the statements of all steps, in order."""
        return tuple(statement for step in self.steps for statement in step.result)

    def step(self, quantity: str) -> Step:
        """Return the step of a tensor, such as ``W``; raises KeyError if there is none."""
        for step in self.steps:
            if quantity in (step.quantity, step.adjoint) and not step.auxiliary:
                return step
        raise KeyError(quantity)
