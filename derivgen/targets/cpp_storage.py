"""Where tensors live: members of the structs Parameters, Batch and Workspace, and their tables."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from derivgen.algebra.network import Role
from derivgen.lowering.program import Array, Start
from derivgen.targets.cpp_forms import Scope
from derivgen.targets.cpp_functions import draw_lines, draw_text
from derivgen.targets.cpp_text import Printed, braced, comment, wrapped_all

GIVEN = (Role.PARAM, Role.STATE, Role.INPUT, Role.TARGET, Role.CONST, Role.RANDOM)


@dataclass(frozen=True)
class ParametersView:
    """The struct of parameters and states: members, lists of them, table, first values."""

    count: int
    members: Printed
    trained: Printed
    everything: Printed
    info: Printed
    initial: Printed


@dataclass(frozen=True)
class BatchView:
    """The struct of samples: inputs and targets, then constants and random tensors."""

    members: Printed
    resizes: Printed
    data_visits: Printed
    visits: Printed
    info: Printed
    input_count: int
    data_count: int
    draws: Printed
    examples: Printed


@dataclass(frozen=True)
class WorkView:
    """The struct of everything computed, and which member is the output."""

    members: Printed
    resizes: Printed
    output_info: str
    output: str
    output_type: str


def parameters_view(scope: Scope) -> ParametersView:
    """Return the printed struct of parameters and states."""
    names = [p.name for p in scope.program.parameters]
    whole = [*names, *scope.program.states]
    return ParametersView(
        count=len(names),
        members=tuple(sized_member(name, scope) for name in whole),
        trained=_list_of(names, scope),
        everything=_list_of(whole, scope),
        info=tuple(f"{tensor_info(name, scope)}," for name in whole),
        initial=wrapped_all(_initial(scope)),
    )


def _list_of(names: Iterable[str], scope: Scope) -> Printed:
    return wrapped_all([f"return {braced(f'&{scope.tensors[name]}' for name in names)};"])


def _initial(scope: Scope) -> Iterable[str]:
    starts = [(p.name, p.start, p.stream) for p in scope.program.parameters]
    starts += [(name, start, 0) for name, start in scope.program.states.items()]
    for name, start, stream in starts:
        words = f"  // {start.text}" if start.text else ""
        yield _start_line(f"parameters.{scope.tensors[name]}", start, stream) + words


def _start_line(variable: str, start: Start, stream: int) -> str:
    numbers = [repr(n) for n in start.numbers]
    if start.kind in ("uniform", "normal"):
        return f"draw_{start.kind}({variable}, seed, {stream}, {numbers[0]}, {numbers[1]});"
    if start.kind == "constant":
        return f"std::fill({variable}.begin(), {variable}.end(), real({numbers[0]}));"
    return f"{variable} = {braced(f'real({number})' for number in numbers)};"


def batch_view(scope: Scope) -> BatchView:
    """Return the printed struct of samples."""
    program = scope.program
    data = (*program.inputs, *program.targets)
    everything = (*data, *program.constants, *(r.name for r in program.randoms))
    sampled = [n for n in everything if program.arrays[n].sample_axis is not None]
    visits = tuple(f"visit({k}, batch.{scope.tensors[n]});" for k, n in enumerate(everything))
    draws: list[str] = []
    for random in program.randoms:
        draws += [*comment(draw_text(random))]
        draws += draw_lines(random, everything.index(random.name), scope)
    return BatchView(
        members=wrapped_all(_batch_member(name, scope) for name in everything),
        resizes=tuple(_resize(name, scope) for name in sampled),
        data_visits=visits[: len(data)],
        visits=visits,
        info=tuple(f"{tensor_info(name, scope)}," for name in everything),
        input_count=len(program.inputs),
        data_count=len(data),
        draws=tuple(draws),
        examples=wrapped_all(_numbers(program.examples.get(name)) for name in data),
    )


def _batch_member(name: str, scope: Scope) -> str:
    program = scope.program
    array = program.arrays[name]
    if array.sample_axis is not None:
        return _member(name, scope)
    if name not in program.constants:
        return sized_member(name, scope)
    start = program.constants[name]
    kind = _kind(array)
    if start.kind == "values":
        return _member(name, scope, f" = {braced(_cast(kind, v) for v in start.numbers)}")
    value = _cast(kind, start.numbers[0] if start.numbers else 0.0)
    return _member(name, scope, f" = std::vector<{kind}>({_count(array, scope)}, {value})")


def work_view(scope: Scope) -> WorkView:
    """Return the printed struct of everything computed; gradients of parameters live elsewhere."""
    program = scope.program
    names = [
        name
        for name, array in program.arrays.items()
        if array.role not in GIVEN and name not in scope.gradients
    ]
    sampled = {n: None for n in names if program.arrays[n].sample_axis is not None}
    return WorkView(
        members=tuple((_member if n in sampled else sized_member)(n, scope) for n in names),
        resizes=tuple(_resize(name, scope) for name in sampled),
        output_info=tensor_info(program.output, scope),
        output=scope.tensors[program.output],
        output_type=f"std::vector<{_kind(program.arrays[program.output])}>",
    )


def tensor_info(name: str, scope: Scope) -> str:
    """Return the table row of a tensor."""
    array = scope.array(name)
    axes = [a for a in range(array.rank) if a != array.sample_axis]
    # A second axis of samples has no size before there is a batch.
    shape = braced(scope.size_text(array, axis, samples="1") for axis in axes)
    axis = -1 if array.sample_axis is None else array.sample_axis
    low = count = 0
    if array.values_of is not None:
        low, count = array.values_of.low.constant, array.values_of.size.constant
    return f'{{"{name}", {shape}, {axis}, {"true" if array.onehot else "false"}, {low}, {count}}}'


def sized_member(name: str, scope: Scope) -> str:
    """Return the declaration of a member whose size is known."""
    array = scope.array(name)
    return _member(name, scope, f" = std::vector<{_kind(array)}>({_count(array, scope)})")


def _member(name: str, scope: Scope, start: str = "") -> str:
    array = scope.array(name)
    letters = array.letters or tuple(str(size) for size in array.shape)
    words = f"  // {name}[{', '.join(letters)}]" if array.rank else ""
    return f"std::vector<{_kind(array)}> {scope.tensors[name]}{start};{words}"


def _kind(array: Array) -> str:
    return "int" if array.integer else "real"


def _cast(kind: str, value: float) -> str:
    return str(int(value)) if kind == "int" else f"real({value!r})"


def _count(array: Array, scope: Scope) -> str:
    sizes = [scope.size_text(array, axis) for axis in range(array.rank)]
    return " * ".join(sizes) if sizes else "1"


def _resize(name: str, scope: Scope) -> str:
    array = scope.array(name)
    axes = [a for a in range(array.rank) if a != array.sample_axis]
    inner = [scope.size_text(array, axis, samples="samples") for axis in axes]
    count = " * ".join(["static_cast<std::size_t>(samples)", *inner])
    return f"{scope.tensors[name]}.resize({count});"


def _numbers(start: Start | None) -> str:
    return braced(repr(number) for number in start.numbers) + "," if start else "{},"
