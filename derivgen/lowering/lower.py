"""From a derivation to a program: passes in one visible tuple, each a function of the draft."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from derivgen.algebra.affine import Dim, affine, dims_of, evaluate_affine
from derivgen.algebra.network import Axis, Network, Role, Tensor
from derivgen.algebra.pause import no_collection
from derivgen.algebra.statements import Statement
from derivgen.algebra.text import statement_text, text
from derivgen.calculus.derivation import Derivation
from derivgen.calculus.engine import derive
from derivgen.calculus.lift import lift
from derivgen.calculus.schedule import schedule
from derivgen.errors import EquationError
from derivgen.lowering.draft import Draft
from derivgen.lowering.modes import of_facts, predicting, with_next_states
from derivgen.lowering.output import output_of
from derivgen.lowering.parts import part_for
from derivgen.lowering.program import (
    Array,
    Block,
    FactCheck,
    Fill,
    Parameter,
    Program,
    Random,
    Update,
    nests,
)
from derivgen.lowering.recognise import IDENTITY, recognised, written
from derivgen.lowering.routines import routines_of
from derivgen.lowering.sizes import Sizes, fixed
from derivgen.lowering.stable import made_stable
from derivgen.lowering.start import Starts, declared
from derivgen.version import VERSION

GIVEN = (Role.INPUT, Role.TARGET, Role.PARAM, Role.CONST, Role.RANDOM, Role.STATE)


def lower(
    derivation: Derivation,
    dims: Mapping[str, int] | None = None,
    dtype: str = "float64",
    numbers: Mapping[str, int] | None = None,
) -> Program:
    """Return the program of a derivation; ``dims`` gives or overrides sizes by their letters.

    ``numbers`` are those of the notes' equations, by the tensor that each gives.
    Raises: EquationError, for a size without a number or an unknown function.
    """
    with no_collection():
        draft = replace(drafted(derivation, dims or {}), equations=numbers or {})
        for change in PASSES:
            draft = change(draft)
        return assembled(draft, dtype)


def drafted(derivation: Derivation, dims: Mapping[str, int]) -> Draft:
    """Return the statements of training, prediction and facts, lifted over samples."""
    network, nexts = with_next_states(derivation.network)
    if nexts:
        derivation = derive(network, tuple(derivation.gradients))
    lifted = lift(derivation)
    parts = {"forward": lifted.forward, "backward": lifted.backward}
    tensors = dict(lifted.tensors)
    at_prediction = predicting(network)
    if at_prediction is not network:
        other = lift(derive(at_prediction, ()))
        parts["evaluate"] = other.forward
        tensors = {**other.tensors, **tensors}
    facts = {}
    declared_facts = [f for f in derivation.facts if not network.facts[f.number].implied_by]
    if declared_facts:
        made, names = of_facts(network, declared_facts)
        other = lift(derive(made, ()))
        for fact in declared_facts:
            part = f"fact {fact.number}"
            parts[part] = other.forward
            facts[part] = (names[fact.number], f"{text(fact.left)} = {text(fact.right)}")
        tensors = {**other.tensors, **tensors}
    samples = lifted.dim or Dim("N")
    return Draft(
        network=network,
        derivation=derivation,
        numbers=_numbers(network, dims, samples),
        samples=samples,
        parts=parts,
        tensors=tensors,
        functions=network.functions,
        nexts=nexts,
        facts=facts,
    )


def _numbers(network: Network, dims: Mapping[str, int], samples: Dim) -> dict[Dim, int]:
    """Return a number for every size letter; sizes given by other sizes follow those."""
    numbers: dict[Dim, int] = {}
    for dim, value in network.dims.items():
        if dim == samples:
            continue
        size = dims.get(dim.name, value)
        form = network.derived.get(dim)
        if form is not None and dim.name not in dims and set(dims_of(form)) <= set(numbers):
            size = evaluate_affine(form, numbers)
        if size is None:
            raise EquationError(
                f"dim {dim.name}",
                "A program needs a number for every size, and this one is open.",
                f"Write dim {dim.name} = 5, say.",
            )
        numbers[dim] = size
    return numbers


# --- passes --------------------------------------------------------------------------------------


def with_numbers(draft: Draft) -> Draft:
    """Put numbers for size letters, turn conditions into ranges, describe every array."""
    sizes = Sizes(draft.numbers)
    parts = {
        name: tuple(s for s in (fixed(old, sizes) for old in part) if s is not None)
        for name, part in draft.parts.items()
    }
    integer = {
        s.lhs.tensor for part in parts.values() for s in part if s.op in ("argmax", "argmin")
    }
    shapes = _Shapes(sizes, draft.samples)
    arrays = {n: _array(t, shapes, n in integer) for n, t in draft.tensors.items()}
    ops = {s.lhs.tensor: s.op for part in draft.parts.values() for s in part}
    return replace(draft, parts=parts, arrays=arrays, ops=ops)


class _Shapes(dict[tuple[Axis, ...], tuple[Any, ...]]):
    """Shape, lows, sample axis and letters for tuples of axes, each found once."""

    def __init__(self, sizes: Sizes, samples: Dim) -> None:
        super().__init__()
        self.sizes = sizes
        self.samples = affine(samples)

    def __missing__(self, axes: tuple[Axis, ...]) -> tuple[Any, ...]:
        shape = tuple(self.sizes.form(axis.size) for axis in axes)
        lows = tuple(self.sizes.form(axis.low).constant for axis in axes)
        sample = [place for place, size in enumerate(shape) if size == self.samples]
        letters = tuple(str(axis.size) for axis in axes)
        self[axes] = (shape, lows, sample[0] if sample else None, letters)
        return self[axes]


def _array(tensor: Tensor, shapes: _Shapes, integer: bool) -> Array:
    shape, lows, sample_axis, letters = shapes[tensor.axes]
    index = tensor.values_of
    return Array(
        tensor.name,
        tensor.role,
        shape,
        lows,
        sample_axis,
        integer or index is not None,
        None if index is None else shapes.sizes.index(index),
        tensor.onehot,
        letters,
    )


def without_dead(draft: Draft) -> Draft:
    """Drop statements whose tensors nobody asks for."""
    loss = draft.network.loss or ""
    gradients = tuple(draft.derivation.gradients.values())
    parts = dict(draft.parts)
    parts["backward"] = _live(parts["backward"], gradients)
    output = draft.output or output_of(draft.network, parts["forward"], loss)
    read = {name for s in parts["backward"] for name in s.reads}
    asked = [loss, output, *draft.nexts.values(), *(n for n in draft.tensors if n in read)]
    parts["forward"] = _live(parts["forward"], asked)
    if "evaluate" in parts:
        parts["evaluate"] = _live(parts["evaluate"], [loss, output])
    for part, (name, _) in draft.facts.items():
        parts[part] = _live(parts[part], [name])
    return replace(draft, parts=parts, output=output)


def _live(statements: Iterable[Statement], asked: Iterable[str]) -> tuple[Statement, ...]:
    statements = tuple(statements)
    writers: dict[str, list[Statement]] = {}
    for statement in statements:
        writers.setdefault(statement.lhs.tensor, []).append(statement)
    needed: dict[str, None] = dict.fromkeys(asked)
    waiting = list(needed)
    while waiting:
        for statement in writers.get(waiting.pop(), ()):
            for name in statement.reads:
                if name not in needed:
                    needed[name] = None
                    waiting.append(name)
    return tuple(s for s in statements if s.lhs.tensor in needed)


def scheduled(draft: Draft) -> Draft:
    """Order every part and find its loops."""
    tensors = _Sized(draft)
    equations = draft.network.equations
    made = {name: schedule(part, tensors, equations) for name, part in draft.parts.items()}
    return replace(draft, scheduled=made)


class _Sized(dict[str, Tensor]):
    """The tensors with numbers for their sizes, made as they are asked for."""

    def __init__(self, draft: Draft) -> None:
        super().__init__()
        self.draft = draft

    def __missing__(self, name: str) -> Tensor:
        array = self.draft.arrays[name]
        axes = tuple(Axis(affine(n), size + n) for n, size in zip(array.lows, array.shape))
        self[name] = replace(self.draft.tensors[name], axes=axes)
        return self[name]


def with_kinds(draft: Draft) -> Draft:
    """Find products of matrices, maps and scatters, and how each value is written."""
    made = {
        name: recognised(part, draft.arrays, statement_text, draft.equations)
        for name, part in draft.scheduled.items()
    }
    forward = {name for block in made["forward"] for name in written(block)}
    for part, blocks in made.items():
        made[part] = _with_empty(blocks, forward if part == "backward" else set(), draft)
    return replace(draft, blocks=made)


def _with_empty(blocks: tuple[Block, ...], known: set[str], draft: Draft) -> tuple[Block, ...]:
    """Fill in front what is read although no statement writes it: folds of nothing."""
    own = {name for block in blocks for name in written(block)} | known
    read = dict.fromkeys(n for nest in nests(blocks) for n in nest.statement.reads)
    seed = f"adj_{draft.network.loss}"
    fills = [
        Fill(name, 1.0 if name == seed else IDENTITY[draft.ops.get(name, "sum")])
        for name in read
        if name not in own and draft.arrays[name].role is Role.VALUE
    ]
    return (*fills, *blocks)


PASSES: tuple[Callable[[Draft], Draft], ...] = (
    with_numbers,
    without_dead,
    made_stable,
    without_dead,
    scheduled,
    with_kinds,
)


# --- the program ---------------------------------------------------------------------------------


def assembled(draft: Draft, dtype: str) -> Program:
    """Return the program a finished draft describes."""
    network, numbers = draft.network, draft.numbers
    loss, output = network.loss or "", draft.output
    forward = draft.blocks["forward"]
    evaluate = draft.blocks.get("evaluate", forward)
    backward = _with_missing(draft.blocks["backward"], draft)
    used = _used(draft, (*forward, *evaluate, *backward))
    starts = Starts(numbers, network.initialisers)
    inputs = tuple(t.name for t in network.of_role(Role.INPUT))
    targets = tuple(t.name for t in network.of_role(Role.TARGET))
    given = {name: network.tensors[name].values for name in (*inputs, *targets)}
    return Program(
        name=network.name,
        hash=network_hash(network, numbers),
        version=VERSION,
        dims=tuple((dim.name, numbers[dim]) for dim in network.dims if dim in numbers),
        samples=draft.samples,
        dtype=dtype,
        arrays={n: a for n, a in draft.arrays.items() if n in used or a.role in GIVEN},
        parameters=_parameters(draft, starts),
        inputs=inputs,
        targets=targets,
        constants={t.name: starts.of(t) for t in network.of_role(Role.CONST)},
        examples={name: declared(v) for name, v in given.items() if v is not None},
        randoms=tuple(
            Random(t.name, n, t.distribution)
            for n, t in enumerate(network.of_role(Role.RANDOM))
            if t.distribution is not None
        ),
        states={t.name: starts.of(t) for t in network.of_role(Role.STATE)},
        updates=tuple(Update(state, name) for state, name in draft.nexts.items()),
        output=output,
        loss=loss,
        forward=forward,
        predict=part_for(evaluate, [output]),
        evaluate=evaluate,
        backward=backward,
        routines=routines_of(draft.parts.values(), draft.functions),
        optimisers=network.optimisers,
        training=network.training,
        facts=tuple(
            FactCheck(words, name, draft.blocks[part])
            for part, (name, words) in draft.facts.items()
        ),
        warnings=draft.derivation.warnings,
        description=network.text,
    )


def network_hash(network: Network, numbers: Mapping[Dim, int]) -> str:
    """Return the SHA-256 of a network's text and sizes."""
    sizes = ",".join(f"{dim.name}={size}" for dim, size in sorted_sizes(numbers))
    return hashlib.sha256(f"{network.text.strip()}\n{sizes}".encode()).hexdigest()


def sorted_sizes(numbers: Mapping[Dim, int]) -> list[tuple[Dim, int]]:
    """Return sizes in the order of their letters."""
    return sorted(numbers.items(), key=lambda item: item[0].name)


def _parameters(draft: Draft, starts: Starts) -> tuple[Parameter, ...]:
    gradients = draft.derivation.gradients
    return tuple(
        Parameter(t.name, 1000 + n, starts.of(t), gradients.get(t.name, ""))
        for n, t in enumerate(draft.network.parameters)
    )


def _with_missing(backward: tuple[Block, ...], draft: Draft) -> tuple[Block, ...]:
    """Fill with zeros the gradients that nothing writes."""
    made = {n for b in backward for n in (written(b) or [getattr(b, "tensor", "")])}
    asked = draft.derivation.gradients.values()
    return tuple(Fill(name, 0.0) for name in asked if name not in made) + backward


def _used(draft: Draft, blocks: tuple[Block, ...]) -> set[str]:
    used: set[str] = set(draft.nexts.values())
    for nest in nests(blocks):
        used.add(nest.statement.lhs.tensor)
        used.update(nest.statement.reads)
    used.update(block.tensor for block in blocks if isinstance(block, Fill))
    for part, _ in draft.facts.items():
        for nest in nests(draft.blocks[part]):
            used.add(nest.statement.lhs.tensor)
    return used
