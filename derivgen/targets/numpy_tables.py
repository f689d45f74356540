"""Tables of an emitted NumPy file: shapes, streams, starts, ranges of index values."""

from __future__ import annotations

import math
from collections.abc import Iterable

from derivgen.lowering.program import Array, Program, Start
from derivgen.targets.numpy_names import Names
from derivgen.targets.numpy_nest import INDENT, WIDTH


def shape_of(array: Array, names: Names) -> str:
    """Return the shape of one sample, in size letters where the writer used them."""
    sizes = [_size(array, axis, names) for axis in range(array.rank) if axis != array.sample_axis]
    return f"({sizes[0]},)" if len(sizes) == 1 else f"({', '.join(sizes)})"


def _size(array: Array, axis: int, names: Names) -> str:
    letter = array.letters[axis] if array.letters else ""
    if letter.isidentifier() and letter in names.known:
        return names[letter]
    return str(array.shape[axis].constant)


def start_text(start: Start) -> str:
    """Return how a tensor starts as a Python tuple; values follow in a table of their own."""
    if start.kind == "values":
        return '("values",)'
    return f'("{start.kind}", {", ".join(map(repr, start.numbers))})'


def table(name: str, entries: Iterable[tuple[str, str]]) -> str:
    """Return a dictionary, one entry a line."""
    return table_of(name, [f'"{key}": {value},' for key, value in entries])


def table_of(name: str, rows: Iterable[str]) -> str:
    """Return a dictionary of printed entries."""
    lines = [f"{INDENT}{row}" for row in rows]
    return "\n".join([f"{name} = {{", *lines, "}"]) if lines else f"{name} = {{}}"


def numbers_text(start: Start, array: Array, column: int, margin: int) -> str:
    """Return declared numbers in the shape of one sample as nested lists."""
    numbers = list(start.numbers)
    count = math.prod(array.inner_shape)
    if len(numbers) == 1 and count != 1:
        numbers = numbers * count
    return nested_text(_nested(numbers, array.inner_shape), column, margin)


def _nested(numbers: list[float], shape: tuple[int, ...]) -> object:
    if not shape:
        return numbers[0]
    step = len(numbers) // shape[0]
    return [_nested(numbers[k * step : (k + 1) * step], shape[1:]) for k in range(shape[0])]


def nested_text(value: object, column: int, margin: int) -> str:
    """Return nested lists on one line if they fit from ``column``, else one entry a line."""
    flat = _flat(value)
    if not isinstance(value, list) or column + len(flat) + 1 <= WIDTH:
        return flat
    inner = margin + len(INDENT)
    lines = [" " * inner + nested_text(part, inner, inner) + "," for part in value]
    return "[\n" + "\n".join(lines) + "\n" + " " * margin + "]"


def _flat(value: object) -> str:
    if isinstance(value, list):
        return f"[{', '.join(_flat(part) for part in value)}]"
    return repr(value)


def parameter_rows(program: Program, names: Names) -> tuple[str, ...]:
    """Return the table of parameters: shape, stream of random numbers, start."""
    entries = []
    for parameter in program.parameters:
        shape = shape_of(program.arrays[parameter.name], names)
        line = entry(parameter.name, [shape, str(parameter.stream), start_text(parameter.start)])
        note = f"  # {parameter.start.text}"
        fits = parameter.start.text and len(INDENT) + len(line + note) <= WIDTH
        entries.append(line + note if fits else line)
    return tuple(entries)


def entry(name: str, parts: list[str]) -> str:
    """Return ``"name": (parts),`` on one line if it fits, else one part a line."""
    line = f'"{name}": ({", ".join(parts)}),'
    if len(INDENT) + len(line) <= WIDTH:
        return line
    inner = [f"{INDENT * 2}{part}," for part in parts]
    return "\n".join([f'"{name}": (', *inner, f"{INDENT}),"])


__all__ = [
    "nested_text",
    "numbers_text",
    "parameter_rows",
    "shape_of",
    "start_text",
    "table",
    "table_of",
]
