"""A program as the parts of a NumPy file: functions printed, tables laid out.

The frame is in ``templates/numpy``; everything that depends on the network arrives there printed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from derivgen.algebra.affine import Index, affine
from derivgen.algebra.expressions import Expr
from derivgen.algebra.network import Role
from derivgen.lowering.parts import part_for
from derivgen.lowering.program import Block, Fill, Program, Random, Routine, Start, nests
from derivgen.lowering.recognise import written
from derivgen.targets.numpy_expr import show
from derivgen.targets.numpy_grid import Grid, Piece, Scope
from derivgen.targets.numpy_names import MODULE, TAKEN, Names
from derivgen.targets.numpy_nest import INDENT, MARGIN, WIDTH, Body, fitted, print_blocks
from derivgen.targets.numpy_optimiser import OptimiserView, optimiser_view
from derivgen.targets.numpy_tables import (
    entry,
    numbers_text,
    parameter_rows,
    shape_of,
    start_text,
    table,
    table_of,
)

STORED = (Role.PARAM, Role.STATE, Role.CONST)
GIVEN = (Role.INPUT, Role.TARGET, Role.RANDOM)
SPECIAL = ("erf", "lgamma", "digamma")
CODES = "0 ok, 1 a check failed or says nothing or training diverged, 2 usage, 3 data, 5 files"
COMMANDS = ("train", "predict", "check", "eval", "bench")
EVERYWHERE = Index("everywhere", affine(0), affine(1))


@dataclass(frozen=True)
class FactView:
    """A fact to check on data: its text, its function's name and lines."""

    text: str
    name: str
    lines: tuple[str, ...]


@dataclass(frozen=True)
class View:
    """What the templates read; every string arrives printed."""

    program: Program
    file: str
    dtype: str
    description: tuple[str, ...]
    sizes: tuple[str, ...]
    all_sizes: str
    parameters: str
    states: str
    constants: str
    declared: str
    inputs: str
    targets: str
    randoms: str
    ranges: str
    one_hot: tuple[str, ...]
    sample_axes: str
    state_updates: str
    routines: tuple[str, ...]
    special: tuple[str, ...]
    contracts: bool
    stops: bool
    reads_windows: bool
    adds_windows: bool
    forward: tuple[str, ...]
    loss: tuple[str, ...]
    predict: tuple[str, ...]
    evaluate: tuple[str, ...]
    backward: tuple[str, ...]
    draws: tuple[str, ...]
    facts: tuple[FactView, ...]
    fact_table: str
    optimisers: tuple[OptimiserView, ...]
    same_at_prediction: bool
    output_shape: str
    rule: str
    epochs: int
    batch: int
    settings: str
    trains: bool
    commands: tuple[str, ...]
    count: str
    real: str
    loss_words: str
    summary: str
    codes: str = CODES


def view_of(program: Program, dtype: str, file: str, trains: bool = True) -> View:
    """Return the printed parts of a program."""
    printer = Printer(program)
    names, arrays = printer.outer, program.arrays
    given = [*program.inputs, *program.targets]
    randoms = [random.name for random in program.randoms]
    training = program.training
    optimisers = dict(program.optimisers)
    if training is not None:
        optimisers.setdefault(training.optimiser.name, training.optimiser)
    functions = printer.functions()
    return View(
        program=program,
        file=file,
        dtype=dtype,
        description=tuple(line.rstrip() for line in program.description.strip().splitlines()),
        sizes=tuple(f"{names[name]} = {value}" for name, value in program.dims),
        all_sizes=table("SIZES", (((name, str(value)) for name, value in program.dims))),
        parameters=table_of("PARAMETERS", parameter_rows(program, names)),
        states=table_of("STATES", _starts(program, program.states, names)),
        constants=table_of("CONSTANTS", _starts(program, program.constants, names)),
        declared=table("DECLARED", _declared(program)),
        inputs=table("INPUTS", ((name, shape_of(arrays[name], names)) for name in program.inputs)),
        targets=table(
            "TARGETS", ((name, shape_of(arrays[name], names)) for name in program.targets)
        ),
        randoms=table("RANDOMS", ((name, shape_of(arrays[name], names)) for name in randoms)),
        ranges=table("RANGES", _ranges(program, given)),
        one_hot=tuple(name for name in given if arrays[name].onehot),
        sample_axes=table(
            "SAMPLE_AXIS",
            ((n, str(arrays[n].sample_axis)) for n in [*given, *randoms, program.output]),
        ),
        state_updates=table("STATE_UPDATES", ((u.state, f'"{u.next}"') for u in program.updates)),
        optimisers=tuple(optimiser_view(o, names) for o in optimisers.values()),
        output_shape=shape_of(arrays[program.output], names),
        rule=training.optimiser.name if training else next(iter(optimisers), ""),
        epochs=training.epochs if training else 10,
        batch=training.batch if training else 32,
        settings=table("SETTINGS", _settings(program)),
        same_at_prediction=program.evaluate is program.forward,
        trains=trains,
        commands=COMMANDS if trains else ("predict",),
        count=printer.count(),
        real=printer.dtype(),
        loss_words="mean loss of a batch" if program.lifted else "loss",
        summary=f"The network {program.name}, made by derivgen {program.version}.",
        **functions,
    )


def _starts(program: Program, starts: Mapping[str, Start], names: Names) -> Iterable[str]:
    for name, start in starts.items():
        yield entry(name, [shape_of(program.arrays[name], names), start_text(start)])


def _declared(program: Program) -> Iterable[tuple[str, str]]:
    """Yield the numbers that stand in the network's text."""
    starts = {p.name: p.start for p in program.parameters}
    starts |= dict(program.states) | dict(program.constants)
    for name, start in starts.items():
        if start.kind == "values":
            yield name, _numbers(program, name, start)
    for name, start in program.examples.items():
        yield name, _numbers(program, name, start)


def _numbers(program: Program, name: str, start: object) -> str:
    column = len(INDENT) + len(name) + 4
    return numbers_text(start, program.arrays[name], column, len(INDENT))  # type: ignore[arg-type]


def _settings(program: Program) -> Iterable[tuple[str, str]]:
    if program.training is not None:
        for name, value in program.training.optimiser.settings:
            yield name, repr(float(value))


def _ranges(program: Program, given: list[str]) -> Iterable[tuple[str, str]]:
    for name in given:
        index = program.arrays[name].values_of
        if index is not None:
            yield name, f"({index.low}, {index.high})"


class Printer:
    """Prints the functions of one program; all share the names of the file."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.outer = Names(taken=TAKEN | MODULE)
        for name, _ in program.dims:
            self.outer[name]
        self.calls: dict[str, str] = {r.name: self.outer[r.name] for r in program.routines}
        self.text: list[str] = []

    def functions(self) -> dict[str, Any]:
        """Return the printed functions by the names `View` gives them."""
        program = self.program
        before = part_for(program.forward, [program.output])
        kept = {id(block) for block in before}
        after = tuple(block for block in program.forward if id(block) not in kept)
        kept_values = self._kept(before, after)
        same = program.evaluate is program.forward
        made: dict[str, Any] = {
            "routines": tuple(self.routine(r) for r in program.routines),
            "forward": self.function(before, kept_values[0]),
            "loss": self.function(after, kept_values[1], loss=True),
            "predict": () if same else self.function(program.predict, output=True),
            "evaluate": () if same else self.function(program.evaluate, loss=True, output=True),
            "backward": self.backward(),
            "draws": tuple(self.draw(random) for random in program.randoms),
        }
        facts = tuple(
            FactView(
                fact.text.replace('"', "'"),
                self.outer.fresh(fact.difference),
                self.function(fact.blocks, result=fact.difference),
            )
            for fact in program.facts
        )
        made["facts"] = facts
        made["fact_table"] = table("FACTS", ((fact.text, fact.name) for fact in facts))
        whole = "\n".join(self.text)
        made["special"] = tuple(name for name in SPECIAL if f"{name}(" in whole)
        made["contracts"] = "contract(" in whole
        made["reads_windows"] = " windows(" in whole or "(windows(" in whole
        made["adds_windows"] = "add_windows(" in whole
        made["stops"] = "stop_gradient(" in whole
        return made

    def _kept(
        self, before: tuple[Block, ...], after: tuple[Block, ...]
    ) -> tuple[list[str], list[str]]:
        """Return what the forward and the loss part must hand on."""
        program = self.program
        wanted = dict.fromkeys([program.loss, *(u.next for u in program.updates)])
        wanted.update(dict.fromkeys(_reads(program.backward)))
        first, second = _writes(before), _writes(after)
        used = {**wanted, **dict.fromkeys(_reads(after)), program.output: None}
        return [n for n in first if n in used], [n for n in second if n in wanted]

    # --- functions ---

    def function(
        self,
        blocks: tuple[Block, ...],
        kept: list[str] | None = None,
        loss: bool = False,
        output: bool = False,
        result: str = "",
    ) -> tuple[str, ...]:
        """Return the lines of a function's body: reads, statements, what it returns."""
        program = self.program
        body = self._body()
        print_blocks(blocks, body)
        wanted = [program.loss] if loss else []
        wanted += [program.output] if output else []
        tail: list[str] = []
        if loss and kept is not None:
            entries = [n for n in kept if n in body.made]
            tail += _dictionary("values |= ", entries, body)
            tail.append(f"{INDENT}return {self._mean(body)}")
        elif loss:
            tail.append(f"{INDENT}return {self._mean(body)}, {body.names[program.output]}")
        elif output:
            tail.append(f"{INDENT}return {body.names[program.output]}")
        elif result:
            tail.append(f"{INDENT}return {body.names[result]}")
        elif kept is not None:
            tail += _dictionary("return ", kept, body)
        return self._finished(blocks, body, wanted, tail)

    def backward(self) -> tuple[str, ...]:
        """Return the lines of the backward pass."""
        body = self._body()
        print_blocks(self.program.backward, body)
        pairs = [(p.name, p.gradient) for p in self.program.parameters if p.gradient]
        lines = [f'{INDENT * 2}"{name}": {body.names[adjoint]},' for name, adjoint in pairs]
        tail = [f"{INDENT}return {{", *lines, f"{INDENT}}}"] if lines else [f"{INDENT}return {{}}"]
        return self._finished(self.program.backward, body, [], tail)

    def _body(self) -> Body:
        names = Names(self.outer)
        names.known[str(self.program.samples)] = names.fresh(str(self.program.samples))
        return Body(self.program.arrays, names, self.calls)

    def _mean(self, body: Body) -> str:
        loss = body.names[self.program.loss]
        return f"{loss}.mean()" if self.program.lifted else loss

    def _finished(
        self, blocks: tuple[Block, ...], body: Body, wanted: list[str], tail: list[str]
    ) -> tuple[str, ...]:
        """Put in front what the lines use: tensors, the number of samples, index arrays."""
        program, names = self.program, body.names
        text = "\n".join([*body.lines, *tail, *(t for _, t in body.grids.values())])
        read = dict.fromkeys(n for n in [*_reads(blocks), *wanted] if n not in body.made)
        head: list[str] = []
        for name in read:
            role = program.arrays[name].role
            source = "params" if role in STORED else "batch" if role in GIVEN else "values"
            head += _read_line(names[name], source, name)
        samples = names[str(program.samples)]
        if _mentions(text, samples):
            head.append(f"{INDENT}{samples} = {self.count()}")
        if _mentions(text, "dtype"):
            head.append(f"{INDENT}dtype = {self.dtype()}")
        head += [f"{INDENT}{name} = {value}" for name, value in body.grids.values()]
        self.text += body.lines
        return (*head, *body.lines, *tail)

    def count(self) -> str:
        """Return the expression for the number of samples of a batch."""
        program = self.program
        given = [*program.inputs, *program.targets, *(r.name for r in program.randoms)]
        for name in given:
            axis = program.arrays[name].sample_axis
            if axis is not None:
                return f'len(batch["{name}"])' if axis == 0 else f'batch["{name}"].shape[{axis}]'
        return "1"

    def dtype(self) -> str:
        program = self.program
        stored = [*(p.name for p in program.parameters), *program.states, *program.constants]
        if stored:
            return f'params["{stored[0]}"].dtype'
        real = [n for n in (*program.inputs, *program.targets) if not program.arrays[n].integer]
        return f'batch["{real[0]}"].dtype' if real else "np.dtype(np.float64)"

    # --- defined functions, random tensors ---

    def routine(self, routine: Routine) -> str:
        """Return a defined function."""
        names = Names(self.outer)
        local = {param: names[param] for param in routine.params}
        lines: list[str] = []

        def named(piece: Piece) -> Piece:
            part = names.numbered("part")
            lines.append(f"{INDENT}{part} = {piece.text}")
            return Piece(part, axes=piece.axes, literal=piece.literal)

        def fit(pieces: list[Piece], around: int) -> list[Piece]:
            return fitted(pieces, WIDTH - MARGIN - around, named)

        grid = Grid((EVERYWHERE,), Scope({}, {}, names, _never, self.calls, fit, local))
        piece = show(routine.body, grid)
        head = f"def {self.calls[routine.name]}({', '.join(local.values())}):"
        words = f'{INDENT}"""{_sentence(routine)}"""'
        text = "\n".join([head, words, *lines, f"{INDENT}return {piece.text}"])
        self.text.append(text)
        return text

    def draw(self, random: Random) -> str:
        """Return the expression that draws a random tensor of one step."""
        names = Names(self.outer)
        array = self.program.arrays[random.name]
        constants = {name: f'params["{name}"]' for name in self.program.constants}
        grid = Grid((), Scope({}, {}, names, _never, self.calls, local=constants))

        def scalar(expr: Expr) -> Piece:
            return show(expr, grid)

        sizes = shape_of(array, self.outer).strip("(,)")
        shape = "(" + ", ".join(size for size in ("rows", sizes) if size) + ")"
        if array.sample_axis is None:
            shape = shape_of(array, self.outer)
        elif not sizes:
            shape = "(rows,)"
        drawn = _drawn(random, shape, [scalar(a) for a in random.distribution.arguments])
        scale = random.distribution.scale
        text = drawn if scale is None else f"{drawn} * {scalar(scale).at(4)}"
        return f'"{random.name}": {text},'


def _drawn(random: Random, shape: str, arguments: list[Piece]) -> str:
    stream = f"stream + {random.number}" if random.number else "stream"
    match random.distribution.name, [piece.text for piece in arguments]:
        case "bernoulli", [chance]:
            return f"(uniform(seed, {stream}, {shape}) < {chance})"
        case "uniform", [low, high]:
            return f"({low} + ({high} - {arguments[0].at(3)}) * uniform(seed, {stream}, {shape}))"
        case "normal", [mean, _]:
            return f"({mean} + {arguments[1].at(3)} * normal(seed, {stream}, {shape}))"
        case name, _:
            return f"{name}(seed, {stream}, {shape})"


def _never(index: Index, trailing: int) -> str:
    raise AssertionError(f"a function of numbers uses the index {index}")


def _sentence(routine: Routine) -> str:
    words = f"Return {routine.text}."
    return words if len(words) < WIDTH - 12 else f"Return {routine.name} as the network defines it."


def _read_line(target: str, source: str, name: str) -> list[str]:
    """Return ``target = source["name"]``, on three lines where one would be too long."""
    line = f'{INDENT}{target} = {source}["{name}"]'
    if len(line) <= WIDTH:
        return [line]
    return [f"{INDENT}{target} = {source}[", f'{INDENT * 2}"{name}"', f"{INDENT}]"]


def _dictionary(head: str, names: list[str], body: Body) -> list[str]:
    if not names:
        return [f"{INDENT}return {{}}"] if head.startswith("return") else []
    lines = [f'{INDENT * 2}"{name}": {body.names[name]},' for name in names]
    return [f"{INDENT}{head}{{", *lines, f"{INDENT}}}"]


def _reads(blocks: tuple[Block, ...]) -> dict[str, None]:
    found: dict[str, None] = {}
    for nest in nests(blocks):
        found.update(dict.fromkeys(nest.statement.reads))
    return found


def _writes(blocks: tuple[Block, ...]) -> dict[str, None]:
    found: dict[str, None] = {}
    for block in blocks:
        found.update(dict.fromkeys([block.tensor] if isinstance(block, Fill) else written(block)))
    return found


def _mentions(text: str, name: str) -> bool:
    """Tell whether a name occurs as a word."""
    at = text.find(name)
    while at >= 0:
        before = text[at - 1] if at else " "
        after = text[at + len(name) : at + len(name) + 1]
        if not (before.isalnum() or before in "_.\"'") and not (after.isalnum() or after == "_"):
            return True
        at = text.find(name, at + 1)
    return False
