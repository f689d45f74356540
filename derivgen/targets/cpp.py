"""A program as the parts of one C++ file; the frame is in ``templates/cpp``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from derivgen.lowering.program import Block, Program
from derivgen.targets import templates_folder
from derivgen.targets.cpp_expressions import FUNCTIONS
from derivgen.targets.cpp_forms import Scope
from derivgen.targets.cpp_functions import fact_lines, function_lines, routine_lines
from derivgen.targets.cpp_names import TAKEN, Names
from derivgen.targets.cpp_optimisers import rule_call, rule_line, rule_lines, rules_of
from derivgen.targets.cpp_storage import (
    BatchView,
    ParametersView,
    WorkView,
    batch_view,
    parameters_view,
    tensor_info,
    work_view,
)
from derivgen.targets.cpp_text import Printed, braced, quoted, wrapped_all
from derivgen.targets.emit import render

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
class LossView:
    """The function that returns the loss from what was computed."""

    comment: str
    arguments: str
    lines: Printed


@dataclass(frozen=True)
class UpdateView:
    """The rules of training: their names, tables, functions and calls; the states' next values."""

    names: str
    table: Printed
    functions: Printed
    calls: Printed
    states: Printed


@dataclass(frozen=True)
class CppView:
    """What the templates read; every string arrives printed."""

    title: str
    header: Printed
    stem: str
    namespace: str
    dtype: str
    training: bool
    constants: Printed
    sizes: Printed
    size_table: Printed
    commands: str
    parameters: ParametersView
    batch: BatchView
    work: WorkView
    helpers: Printed
    routines: Printed
    uses_products: bool
    code: Mapping[str, Printed]
    predicts_apart: bool
    loss: LossView
    update: UpdateView
    facts: Printed
    fact_checks: Printed


def emit_cpp(program: Program, dtype: str, predict_only: bool) -> dict[str, str]:
    """Return the emitted file by its name."""
    view = cpp_view(program, dtype, predict_only)
    return {f"{view.stem}.cpp": render("cpp/trainer.cpp.jinja", view)}


def cpp_view(program: Program, dtype: str, predict_only: bool) -> CppView:
    """Return the printed parts of a program."""
    training = not predict_only
    file = Names((*HELPERS, *functions_of_frame(templates_folder() / "cpp")))
    scope = scope_of(program, file)
    code = {
        name: tuple(function_lines(name, blocks, scope, name == "backward"))
        for name, blocks in functions_of(program, training).items()
    }
    routines = tuple(
        line for r in program.routines for line in routine_lines(r, scope, scope.routines)
    )
    update = update_view(program, scope, file, training)
    everything = "\n".join(
        line for part in (*code.values(), routines, update.functions) for line in part
    )
    sizes = [(name, scope.sizes[name], value) for name, value in program.dims]
    return CppView(
        title=f"{program.name}: {stem_of(training)}",
        header=header_lines(program, dtype, training),
        stem=stem_of(training),
        namespace=namespace_of(program.name),
        dtype=dtype,
        training=training,
        constants=constant_lines(program, dtype, training),
        sizes=tuple(f"constexpr int {variable} = {value};" for _, variable, value in sizes),
        size_table=wrapped_all(f"{{{quoted(name)}, {value}}}," for name, _, value in sizes),
        commands=braced(map(quoted, COMMANDS if training else ("predict",))),
        parameters=parameters_view(scope),
        batch=batch_view(scope),
        work=work_view(scope),
        helpers=tuple(h for h in HELPERS if f"{h}(" in everything or f"{h}<" in everything),
        routines=routines,
        uses_products="multiply<real>(" in everything,
        code=code,
        predicts_apart=training and program.evaluate is not program.forward,
        loss=loss_view(program, scope),
        update=update,
        facts=fact_functions(program, scope),
        fact_checks=fact_checks(program, scope),
    )


def stem_of(training: bool) -> str:
    """Return the name of the emitted file, without its ending."""
    return "trainer" if training else "predictor"


@cache
def names_of_frame(folder: Path) -> frozenset[str]:
    """Return the names that the templates of a folder use, those of local variables included."""
    return frozenset(re.findall(r"\b[A-Za-z_]\w*", _code_of(folder)))


@cache
def functions_of_frame(folder: Path) -> frozenset[str]:
    """Return the names of functions and types that the templates of a folder define or call."""
    code = _code_of(folder)
    types = re.findall(r"\b(?:struct|class|typename|constexpr \w+)\s+(\w+)", code)
    return frozenset([*types, *re.findall(r"\b([A-Za-z_]\w*)\s*\(", code)])


@cache
def _code_of(folder: Path) -> str:
    """Return the code of all templates, without comments, literals and expressions of Jinja."""
    files = sorted(folder.glob("*.cpp.jinja"))
    whole = "\n".join(file.read_text(encoding="utf-8") for file in files)
    aside = r'//[^\n]*|R?"(\\.|[^"\\\n])*"|R"help|\{\{.*?\}\}|\{%.*?%\}'
    return re.sub(aside, " ", whole)


def scope_of(program: Program, file: Names) -> Scope:
    """Return the names of everything in a program, none of them twice in one file.

    A size stands at file scope, where even a local variable of its name would draw a warning.
    """
    apart = Names(names_of_frame(templates_folder() / "cpp"), file)
    sizes = {name: apart[name] for name, _ in program.dims}
    file.used.update(dict.fromkeys(sizes.values()))
    samples = file[program.samples.name]
    tensors = Names((*TAKEN, *sizes.values(), samples, *HELPERS))
    for name in program.arrays:
        tensors[name]
    routines = Names((), file)
    for routine in program.routines:
        tensors.used[routines[routine.name]] = None
    return Scope(
        program=program,
        tensors=tensors,
        indices=Names((), tensors),
        routines=routines,
        sizes=sizes,
        samples=samples,
        gradients={p.gradient: p.name for p in program.parameters},
    )


def functions_of(program: Program, training: bool) -> dict[str, tuple[Block, ...]]:
    """Return the blocks of each function; to predict is to run a part of evaluation, in order."""
    if not training:
        return {"forward": program.predict}
    output = {id(block) for block in program.predict}
    rest = tuple(block for block in program.evaluate if id(block) not in output)
    if program.evaluate is program.forward:
        made = {"forward": program.predict, "forward_loss": rest}
    else:
        made = {"forward": program.forward, "predicting": program.predict, "predicting_loss": rest}
    return {**made, "backward": program.backward}


def loss_view(program: Program, scope: Scope) -> LossView:
    """Return the function that reads the loss: a mean, if the network was lifted."""
    loss = f"work.{scope.tensors[program.loss]}"
    if not program.lifted:
        return LossView(
            comment=f"/// The loss {program.loss}, once it is computed.",
            arguments="const Batch<real>&, const Workspace<real>& work",
            lines=(f"return static_cast<double>({loss}[0]);",),
        )
    return LossView(
        comment=f"/// The mean of {program.loss} over the batch, once it is computed.",
        arguments="const Batch<real>& batch, const Workspace<real>& work",
        lines=(
            "double total = 0;",
            f"for (const real value : {loss}) total += static_cast<double>(value);",
            "return total / batch.samples;",
        ),
    )


def fact_functions(program: Program, scope: Scope) -> Printed:
    """Return a function for each fact that a derivation uses and data must fulfil."""
    lines: list[str] = []
    for number, fact in enumerate(program.facts, 1):
        lines += [*fact_lines(fact, number, scope), ""]
    return tuple(lines)


def fact_checks(program: Program, scope: Scope) -> Printed:
    """Return the lines that call these functions and look at what they found."""
    lines: list[str] = []
    for number, fact in enumerate(program.facts, 1):
        difference = f"work.{scope.tensors[fact.difference]}"
        info = f"TensorInfo{tensor_info(fact.difference, scope)}"
        words = quoted(fact.text)
        lines.append(f"fact_{number}(Parameters<real>(), batch, work);")
        lines.append(f"judge_fact(violation, {difference}, {info}, batch.samples, {words});")
    return wrapped_all(lines)


def update_view(program: Program, scope: Scope, file: Names, training: bool) -> UpdateView:
    """Return the printed rules of training."""
    rules = tuple(rules_of(program).values()) if training else ()
    names = Names((), file)
    lines = [line for rule in rules for line in rule_lines(rule, program, names)]
    tensors = scope.tensors
    return UpdateView(
        names=", ".join(rule.name for rule in rules),
        table=wrapped_all(rule_line(rule) for rule in rules),
        functions=tuple(lines),
        calls=tuple(rule_call(rule, names) for rule in rules),
        states=tuple(
            f"parameters.{tensors[u.state]} = work.{tensors[u.next]};" for u in program.updates
        ),
    )


def header_lines(program: Program, dtype: str, training: bool) -> Printed:
    """Return the comment at the top of the file."""
    stem = stem_of(training)
    option = "" if training else " --predict-only"
    offers = "predict, loss_and_gradients and update" if training else "predict"
    lines = [
        f"// Written by derivgen {program.version}: "
        f"derivgen emit {program.name} --target cpp --dtype {dtype}{option}",
        "// The code belongs to whoever had it written and needs the standard library only. Build:",
        f"//   g++ -std=c++17 -O3 -march=native -fno-math-errno -o {stem} {stem}.cpp",
        f"// and see ./{stem} --help. With DERIVGEN_NO_MAIN defined, including this file gives",
        f"// Parameters, Batch, Workspace, {offers} alone.",
        "//",
    ]
    # A comment must not end in a backslash: C++ would draw the next line into it.
    text = [line.rstrip().rstrip("\\") for line in program.description.strip().splitlines()]
    return (*lines, *(f"//   {line}".rstrip() for line in text))


def constant_lines(program: Program, dtype: str, training: bool) -> Printed:
    """Return what the commands know of the network, and their defaults."""
    chosen = program.training
    rules = rules_of(program)
    rule = chosen.optimiser.name if chosen else "sgd" if "sgd" in rules else next(iter(rules), "")
    texts = {
        "network_name": program.name,
        "network_hash": program.hash,
        "default_dtype": dtype,
    }
    if training:
        texts |= {"derivgen_version": program.version, "default_optimiser": rule}
    lines = [f"constexpr const char* {name} = {quoted(text)};" for name, text in texts.items()]
    if training:
        lines.append(f"constexpr int default_epochs = {chosen.epochs if chosen else 10};")
        lines.append(f"constexpr int default_batch = {chosen.batch if chosen else 32};")
    return wrapped_all(lines)


def namespace_of(name: str) -> str:
    """Return the namespace of a network."""
    made = Names(("std",))[name]
    return made if made not in FUNCTIONS else f"{made}_net"
