"""The functions around statements: forward, backward, facts, random draws, defined functions."""

from __future__ import annotations

import re
from dataclasses import replace

from derivgen.algebra.expressions import Expr, Number, tensors_read
from derivgen.algebra.network import Role
from derivgen.algebra.text import text
from derivgen.lowering.program import Block, FactCheck, Fill, Loop, Random, Routine
from derivgen.targets.cpp_expressions import expression, operand
from derivgen.targets.cpp_forms import Scope
from derivgen.targets.cpp_loops import block_lines
from derivgen.targets.cpp_names import Names
from derivgen.targets.cpp_text import WIDTH, comment, indented, wrapped

Lines = list[str]

GIVEN = {Role.PARAM: "parameters", Role.STATE: "parameters"}
GIVEN |= dict.fromkeys((Role.INPUT, Role.TARGET, Role.CONST, Role.RANDOM), "batch")


def function_lines(
    name: str, blocks: tuple[Block, ...], scope: Scope, gradients: bool = False
) -> Lines:
    """Return a function that runs blocks; with ``gradients`` it writes those as well."""
    body = block_lines(blocks, scope)
    pointers = pointer_lines(blocks, scope)
    word = re.compile(rf"\b{scope.samples}\b")
    if any(word.search(line.split("//")[0]) for line in body):
        # The number of samples is declared only where a loop or a size mentions it.
        pointers.insert(0, f"const int {scope.samples} = batch.samples;")
    whole = "\n".join(pointers)
    arguments = [
        _argument("const Parameters<real>&", "parameters", "parameters." in whole),
        _argument("const Batch<real>&", "batch", "batch." in whole),
        _argument("Workspace<real>&", "work", "work." in whole),
    ]
    if gradients:
        arguments.append(_argument("Parameters<real>&", "gradients", "gradients." in whole))
    head = head_lines(f"void {name}(", arguments)
    lines = [part for line in indented([*pointers, *body]) for part in wrapped(line)]
    return ["template <typename real>", *head, *lines, "}"]


def head_lines(start: str, arguments: list[str]) -> Lines:
    """Return the first lines of a function, its arguments below each other if they must."""
    lines = [start]
    for number, argument in enumerate(arguments):
        text = argument + (", " if number + 1 < len(arguments) else ") {")
        if len(lines[-1]) + len(text.rstrip()) > WIDTH:
            lines[-1] = lines[-1].rstrip()
            lines.append(" " * len(start))
        lines[-1] += text
    return lines


def _argument(kind: str, name: str, used: bool) -> str:
    return f"{kind} {name}" if used else f"[[maybe_unused]] {kind} {name}"


def pointer_lines(blocks: tuple[Block, ...], scope: Scope) -> Lines:
    """Return the declarations of pointers to all storage that blocks touch."""
    written: dict[str, None] = {}
    read: dict[str, None] = {}
    _touched(blocks, written, read)
    lines: Lines = []
    for name in dict.fromkeys((*read, *written)):
        array = scope.array(name)
        kind = "int" if array.integer else "real"
        variable = scope.tensors[name]
        where = home(name, scope)
        if name in written:
            lines.append(f"{kind}* __restrict const {variable} = {where}.data();")
        else:
            lines.append(f"const {kind}* const {variable} = {where}.data();")
    return lines


def home(name: str, scope: Scope) -> str:
    """Return the member that stores a tensor, such as ``parameters.W`` or ``gradients.W``."""
    if name in scope.gradients:
        return f"gradients.{scope.tensors[scope.gradients[name]]}"
    holder = GIVEN.get(scope.array(name).role, "work")
    return f"{holder}.{scope.tensors[name]}"


def _touched(blocks: tuple[Block, ...], written: dict[str, None], read: dict[str, None]) -> None:
    for block in blocks:
        if isinstance(block, Fill):
            written[block.tensor] = None
        elif isinstance(block, Loop):
            _touched(block.blocks, written, read)
        else:
            written[block.statement.lhs.tensor] = None
            read.update(dict.fromkeys(block.statement.reads))


def routine_lines(routine: Routine, scope: Scope, names: Names) -> Lines:
    """Return a defined function as a function template."""
    local = Names((), names)
    scalars = tuple((p, local[p]) for p in routine.params)
    body = expression(routine.body, replace(scope, scalars=scalars))
    arguments = ", ".join(f"real {variable}" for _, variable in scalars)
    words = f"{routine.name}({', '.join(routine.params)}) = {routine.text}"
    value = operand(routine.body, replace(scope, scalars=scalars)) if not scalars else body
    return [
        "",
        *comment(words),
        "template <typename real>",
        f"real {names[routine.name]}({arguments}) {{",
        f"  return {value};",
        "}",
    ]


def fact_lines(fact: FactCheck, number: int, scope: Scope) -> Lines:
    """Return the function that computes by how much data break a declared fact."""
    return [*comment(fact.text), *function_lines(f"fact_{number}", fact.blocks, scope)]


def draw_lines(random: Random, position: int, scope: Scope) -> Lines:
    """Return the lines that draw one random tensor; ``position`` is its place in `batch_info`."""
    law = random.distribution
    uniform = "random_uniform(seed, stream, position)"
    arguments = [_constant(argument, scope) for argument in law.arguments]
    if law.name == "bernoulli":
        draw = f"{uniform} < {arguments[0]} ? 1.0 : 0.0"
    elif law.name == "normal":
        draw = f"{arguments[0]} + {arguments[1]} * random_normal(seed, stream, position)"
    else:
        draw = f"{arguments[0]} + ({arguments[1]} - {arguments[0]}) * {uniform}"
    scaled = draw
    if law.scale is not None:
        scaled = f"({draw})"
        scaled += f" * {_constant(law.scale, scope)}"
    name = scope.tensors[random.name]
    lines = [
        "{",
        f"  const TensorInfo& tensor = batch_info()[{position}];",
        "  const auto before = 1000u * static_cast<std::uint64_t>(step);",
        f"  const std::uint64_t stream = 10000000u + before + {random.number}u;",
        "  std::uint64_t position = 0;",
        "  for (int n = 0; n < batch.samples; ++n) {",
        "    for (int i = 0; i < tensor.size(); ++i, ++position) {",
        f"      const double drawn = {scaled};",
        "      const std::size_t place = tensor.place(n, i, batch.samples);",
        f"      batch.{name}[place] = static_cast<real>(drawn);",
        "    }",
        "  }",
        "}",
    ]
    return [part for line in lines for part in wrapped(line)]


def _constant(expr: Expr, scope: Scope) -> str:
    """Return an expression over constants as a double."""
    if isinstance(expr, Number):
        return repr(float(expr.value))
    read = tensors_read(expr)
    scalars = tuple((name, f"{home(name, scope)}[0]") for name in read)
    return f"static_cast<double>({operand(expr, replace(scope, scalars=scalars))})"


def draw_text(random: Random) -> str:
    """Return a random tensor's law in words."""
    law = random.distribution
    words = f"{random.name} ~ {law.name}({', '.join(text(a) for a in law.arguments)})"
    return words + (f" * {text(law.scale)}" if law.scale is not None else "")
