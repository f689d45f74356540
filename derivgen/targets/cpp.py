"""A program as the parts of one C++ file; the frame is in ``templates/cpp``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from derivgen.algebra.network import Role
from derivgen.lowering.program import Array, Program, Start
from derivgen.targets import templates_folder
from derivgen.targets.cpp_expressions import FUNCTIONS, Scope
from derivgen.targets.cpp_functions import (
    draw_lines,
    draw_text,
    fact_lines,
    function_lines,
    routine_lines,
)
from derivgen.targets.cpp_names import TAKEN, Names
from derivgen.targets.cpp_optimisers import rule_call, rule_line, rule_lines, rules_of
from derivgen.targets.cpp_text import WIDTH, comment, wrapped
from derivgen.targets.emit import file_stem, render

Lines = tuple[str, ...]

HELPERS = (
    "square",
    "power",
    "larger",
    "smaller",
    "sign_of",
    "digamma",
    "floor_quotient",
    "floor_remainder",
    "infinity",
)

COMMANDS = ("train", "predict", "check", "eval", "bench")


@dataclass(frozen=True)
class CppView:
    """What the templates read; every string arrives printed."""

    title: str
    stem: str
    header: Lines
    namespace: str
    training: bool
    constants: Lines
    sizes: Lines
    size_table: Lines
    commands: str
    parameter_members: Lines
    parameter_list: Lines
    state_list: Lines
    parameter_info: Lines
    parameter_count: int
    batch_members: Lines
    batch_sizes: Lines
    data_visits: Lines
    tensor_visits: Lines
    batch_info: Lines
    input_count: int
    data_count: int
    work_members: Lines
    work_sizes: Lines
    output_info: str
    output_member: str
    initial: Lines
    draws: Lines
    helpers: Lines
    routines: Lines
    uses_products: bool
    code: Mapping[str, Lines]
    predicts_apart: bool
    loss_comment: str
    loss_arguments: str
    loss_lines: Lines
    rules: Lines
    rule_names: str
    dtype: str
    rule_functions: Lines
    rule_calls: Lines
    state_updates: Lines
    facts: Lines
    fact_checks: Lines
    examples: Lines


def emit_cpp(program: Program, dtype: str, predict_only: bool) -> dict[str, str]:
    """Return the emitted file by its name."""
    view = cpp_view(program, dtype, predict_only)
    return {f"{file_stem(program)}.cpp": render("cpp/trainer.cpp.jinja", view)}


def cpp_view(program: Program, dtype: str, predict_only: bool) -> CppView:
    """Return the printed parts of a program."""
    frame = names_of_frame(templates_folder() / "cpp")
    return _Printer(program, dtype, predict_only, frame).view()


@cache
def names_of_frame(folder: Path) -> frozenset[str]:
    """Return the names that the templates of a folder define or call; a network's keep clear."""
    found: set[str] = set()
    for file in sorted(folder.glob("*.jinja")):
        content = file.read_text(encoding="utf-8")
        found.update(re.findall(r"\b([A-Za-z_]\w*)\s*\(", content))
        found.update(re.findall(r"\b(?:struct|class|typename|constexpr \w+)\s+(\w+)", content))
    return frozenset(found)


class _Printer:
    """Prints one program; all its functions share the names of the file."""

    def __init__(
        self, program: Program, dtype: str, predict_only: bool, frame: frozenset[str]
    ) -> None:
        self.program = program
        self.dtype = dtype
        self.training = not predict_only
        self.file = Names(frozenset(HELPERS) | frame)
        sizes = {name: self.file[name] for name, _ in program.dims}
        samples = self.file[program.samples.name]
        tensors = Names((*TAKEN, *sizes.values(), samples, *HELPERS))
        for name in program.arrays:
            tensors[name]
        routines = Names((), self.file)
        for routine in program.routines:
            tensors.used[routines[routine.name]] = None
        indices = Names((), tensors)
        gradients = {p.gradient: p.name for p in program.parameters}
        self.scope = Scope(
            program, tensors, indices, routines, (), sizes, samples, gradients=gradients
        )
        self.rules = rules_of(program)
        self.rule_functions = Names((), self.file)

    def view(self) -> CppView:
        program = self.program
        code = self._functions()
        routines = tuple(
            line for r in program.routines for line in routine_lines(r, self.scope, self.scope.routines)
        )
        updates = self._updates()
        printed = [*code.values(), routines, updates["rule_functions"]]
        everything = "\n".join(line for part in printed for line in part)
        return CppView(
            **_header(program, self.dtype, self.training),
            **self._parameters(),
            **self._batch(),
            **self._work(),
            **self._loss(),
            **updates,
            **self._facts(),
            training=self.training,
            sizes=tuple(
                f"constexpr int {self.scope.sizes[name]} = {value};" for name, value in program.dims
            ),
            size_table=_wrapped(f'{{"{name}", {value}}},' for name, value in program.dims),
            commands=_braced(f'"{name}"' for name in (COMMANDS if self.training else ("predict",))),
            code=code,
            routines=routines,
            helpers=tuple(h for h in HELPERS if f"{h}(" in everything or f"{h}<" in everything),
            uses_products="multiply<real>(" in everything,
            predicts_apart=self.training and program.evaluate is not program.forward,
        )

    def _functions(self) -> dict[str, Lines]:
        """Return the printed functions; to predict is to run a part of evaluation, in order."""
        program, scope = self.program, self.scope
        parts = {"forward": program.predict}
        if self.training:
            output = {id(block) for block in program.predict}
            rest = tuple(b for b in program.evaluate if id(b) not in output)
            if program.evaluate is program.forward:
                parts["forward_loss"] = rest
            else:
                parts["forward"] = program.forward
                parts |= {"predicting": program.predict, "predicting_loss": rest}
            parts["backward"] = program.backward
        return {
            name: tuple(function_lines(name, blocks, scope, name == "backward"))
            for name, blocks in parts.items()
        }

    # --- storage ---

    def _member(self, name: str, tail: str = "") -> str:
        array = self.program.arrays[name]
        kind = "int" if array.integer else "real"
        return f"std::vector<{kind}> {self.scope.tensors[name]}{tail};{_shape_comment(name, array)}"

    def _count(self, array: Array) -> str:
        parts = [self.scope.size_text(array, axis) for axis in range(array.rank)]
        return " * ".join(parts) if parts else "1"

    def _sized(self, name: str) -> str:
        array = self.program.arrays[name]
        kind = "int" if array.integer else "real"
        return self._member(name, f" = std::vector<{kind}>({self._count(array)})")

    def _resized(self, name: str) -> str:
        count = self._samples_count(self.program.arrays[name])
        return f"{self.scope.tensors[name]}.resize({count});"

    def _samples_count(self, array: Array) -> str:
        scope = replace(self.scope, samples="samples")
        inner = [
            scope.size_text(array, axis)
            for axis in range(array.rank)
            if axis != array.sample_axis
        ]
        return " * ".join(["static_cast<std::size_t>(samples)", *inner])

    def _parameters(self) -> dict[str, object]:
        program, tensors = self.program, self.scope.tensors
        names = [p.name for p in program.parameters]
        states = list(program.states)
        lines = [self._sized(name) for name in names]
        lines += [self._sized(name) for name in states]
        return {
            "parameter_members": tuple(lines),
            "parameter_list": _listed(f"&{tensors[name]}" for name in names),
            "state_list": _listed(f"&{tensors[name]}" for name in (*names, *states)),
            "parameter_info": tuple(self._info(name) + "," for name in (*names, *states)),
            "parameter_count": len(names),
            "initial": _wrapped(self._initial()),
        }

    def _initial(self) -> Iterable[str]:
        starts = [(p.name, p.start, p.stream) for p in self.program.parameters]
        starts += [(name, start, 0) for name, start in self.program.states.items()]
        for name, start, stream in starts:
            variable = f"parameters.{self.scope.tensors[name]}"
            words = f"  // {start.text}" if start.text else ""
            yield _start_line(variable, start, stream, words)

    def _info(self, name: str) -> str:
        array = self.program.arrays[name]
        # A second axis of samples has no size before there is a batch.
        scope = replace(self.scope, samples="1")
        shape = ", ".join(
            scope.size_text(array, a) for a in range(array.rank) if a != array.sample_axis
        )
        axis = -1 if array.sample_axis is None else array.sample_axis
        hot = "true" if array.onehot else "false"
        low = count = 0
        if array.values_of is not None:
            low = array.values_of.low.constant
            count = array.values_of.size.constant
        return f'{{"{name}", {{{shape}}}, {axis}, {hot}, {low}, {count}}}'

    def _batch(self) -> dict[str, object]:
        program, tensors = self.program, self.scope.tensors
        data = (*program.inputs, *program.targets)
        randoms = tuple(r.name for r in program.randoms)
        everything = (*data, *program.constants, *randoms)
        sampled = [n for n in everything if program.arrays[n].sample_axis is not None]
        members = [
            self._member(n)
            if n in sampled
            else self._constant(n, program.constants[n])
            if n in program.constants
            else self._sized(n)
            for n in everything
        ]
        visits = [f"visit({k}, batch.{tensors[n]});" for k, n in enumerate(everything)]
        draws: list[str] = []
        for random in program.randoms:
            place = everything.index(random.name)
            draws += [*comment(draw_text(random)), *draw_lines(random, place, self.scope)]
        return {
            "batch_members": _wrapped(members),
            "batch_sizes": tuple(self._resized(n) for n in sampled),
            "data_visits": tuple(visits[: len(data)]),
            "tensor_visits": tuple(visits),
            "batch_info": tuple(self._info(n) + "," for n in everything),
            "input_count": len(program.inputs),
            "data_count": len(data),
            "draws": tuple(draws),
            "examples": _wrapped(_example_line(program.examples.get(name)) for name in data),
        }

    def _constant(self, name: str, start: Start) -> str:
        array = self.program.arrays[name]
        if start.kind == "values":
            kind = "int" if array.integer else "real"
            numbers = ", ".join(_cast(kind, value) for value in start.numbers)
            return self._member(name, f" = {{{numbers}}}")
        value = start.numbers[0] if start.numbers else 0.0
        return self._member(name, f" = std::vector<real>({self._count(array)}, real({value!r}))")

    def _work(self) -> dict[str, object]:
        program = self.program
        gradients = {p.gradient for p in program.parameters}
        given = {Role.PARAM, Role.STATE, Role.INPUT, Role.TARGET, Role.CONST, Role.RANDOM}
        names = [n for n, a in program.arrays.items() if a.role not in given and n not in gradients]
        sampled = [n for n in names if program.arrays[n].sample_axis is not None]
        members = [self._member(n) if n in sampled else self._sized(n) for n in names]
        return {
            "work_members": tuple(members),
            "work_sizes": tuple(self._resized(n) for n in sampled),
            "output_info": self._info(program.output),
            "output_member": self.scope.tensors[program.output],
        }

    # --- loss, facts, update ---

    def _loss(self) -> dict[str, object]:
        loss = f"work.{self.scope.tensors[self.program.loss]}"
        if not self.program.lifted:
            return {
                "loss_comment": f"/// The loss {self.program.loss}, once it is computed.",
                "loss_arguments": "const Batch<real>&, const Workspace<real>& work",
                "loss_lines": (f"return static_cast<double>({loss}[0]);",),
            }
        return {
            "loss_comment": f"/// The mean of {self.program.loss} over the batch, once it is computed.",
            "loss_arguments": "const Batch<real>& batch, const Workspace<real>& work",
            "loss_lines": (
                "double total = 0;",
                f"for (const real value : {loss}) total += static_cast<double>(value);",
                "return total / batch.samples;",
            ),
        }

    def _facts(self) -> dict[str, object]:
        lines: list[str] = []
        checks: list[str] = []
        for number, fact in enumerate(self.program.facts, 1):
            lines += [*fact_lines(fact, number, self.scope), ""]
            member = f"work.{self.scope.tensors[fact.difference]}"
            checks.append(f"fact_{number}(Parameters<real>(), batch, work);")
            info = self._info(fact.difference)
            words = _quoted(fact.text)
            checks.append(f"judge_fact(violation, {member}, TensorInfo{info}, batch.samples, {words});")
        return {"facts": tuple(lines), "fact_checks": tuple(checks)}

    def _updates(self) -> dict[str, Any]:
        rules = self.rules.values() if self.training else ()
        lines = [line for r in rules for line in rule_lines(r, self.program, self.rule_functions)]
        tensors = self.scope.tensors
        return {
            "rule_names": ", ".join(rule.name for rule in rules),
            "rules": _wrapped(rule_line(rule) for rule in rules),
            "rule_functions": tuple(lines),
            "rule_calls": tuple(rule_call(rule, self.rule_functions) for rule in rules),
            "state_updates": tuple(
                f"parameters.{tensors[u.state]} = work.{tensors[u.next]};"
                for u in self.program.updates
            ),
        }


def _header(program: Program, dtype: str, training: bool) -> dict[str, object]:
    stem = file_stem(program)
    kind = "trainer" if training else "predictor"
    option = "" if training else " --predict-only"
    default = program.training
    names = (default.optimiser.name, default.epochs, default.batch) if default else ("", 10, 32)
    optimiser = names[0] or next(iter(program.optimisers), "")
    if not names[0] and "sgd" in program.optimisers:
        optimiser = "sgd"
    lines = [
        f"// Written by derivgen {program.version}: "
        f"derivgen emit {program.name} --target cpp --dtype {dtype}{option}",
        "// It needs the standard library only and belongs to whoever had it written. Build it with",
        f"//   g++ -std=c++17 -O3 -march=native -o {stem} {stem}.cpp",
        f"// and see ./{stem} --help. With DERIVGEN_NO_MAIN defined, including this file gives",
        "// Parameters, Batch, Workspace, predict"
        + (", loss_and_gradients and update alone." if training else " alone."),
        "//",
    ]
    lines += [f"//   {line}".rstrip() for line in _text_lines(program.description)]
    return {
        "title": f"{program.name}: {kind}",
        "stem": stem,
        "header": tuple(lines),
        "namespace": _namespace(program.name),
        "dtype": dtype,
        "constants": _wrapped((
            f"constexpr const char* network_name = {_quoted(program.name)};",
            f"constexpr const char* network_hash = {_quoted(program.hash)};",
            f"constexpr const char* derivgen_version = {_quoted(program.version)};",
            f"constexpr const char* default_dtype = {_quoted(dtype)};",
            f"constexpr const char* default_optimiser = {_quoted(optimiser)};",
            f"constexpr int default_epochs = {names[1]};",
            f"constexpr int default_batch = {names[2]};",
        )),
    }


def _braced(parts: Iterable[str]) -> str:
    return "{" + ", ".join(parts) + "}"


def _listed(parts: Iterable[str]) -> Lines:
    """Return the line that returns a list, broken where it is too long."""
    return tuple(wrapped(f"    return {_braced(parts)};"))


def _namespace(name: str) -> str:
    made = Names(("std",))[name]
    return made if made not in FUNCTIONS else f"{made}_net"


def _text_lines(description: str) -> list[str]:
    # A comment must not end in a backslash: C++ would draw the next line into it.
    return [line.rstrip().rstrip("\\") for line in description.strip().splitlines()]


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def _shape_comment(name: str, array: Array) -> str:
    letters = array.letters or tuple(str(size) for size in array.shape)
    return f"  // {name}[{', '.join(letters)}]" if array.rank else ""


def _cast(kind: str, value: float) -> str:
    return str(int(value)) if kind == "int" else f"real({value!r})"


def _start_line(variable: str, start: Start, stream: int, words: str) -> str:
    numbers = [repr(n) for n in start.numbers]
    if start.kind in ("uniform", "normal"):
        return f"draw_{start.kind}({variable}, seed, {stream}, {numbers[0]}, {numbers[1]});{words}"
    if start.kind == "constant":
        return f"std::fill({variable}.begin(), {variable}.end(), real({numbers[0]}));{words}"
    return f"{variable} = {{{', '.join(f'real({n})' for n in numbers)}}};{words}"


def _wrapped(lines: Iterable[str]) -> Lines:
    """Return lines broken where they are too long for a list inside a function."""
    return tuple(part for line in lines for part in wrapped(line, WIDTH - 6))


def _example_line(start: Start | None) -> str:
    numbers = ", ".join(repr(n) for n in start.numbers) if start else ""
    return f"{{{numbers}}},"
