"""Statements as NumPy lines: assignments, in-place folds, scatters, loops over a scan index."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

from derivgen.algebra.affine import Affine, Index, Lookup, indices_of
from derivgen.algebra.expressions import And, Condition, is_index_only, used_indices
from derivgen.algebra.statements import Statement
from derivgen.lowering.program import Array, Block, Fill, Loop, Nest, Write
from derivgen.lowering.recognise import written
from derivgen.targets.numpy_access import Slice, form_text, index_array, slice_of
from derivgen.targets.numpy_expr import show
from derivgen.targets.numpy_fold import fold
from derivgen.targets.numpy_grid import ATOM, PRODUCT, Grid, Piece, Scope
from derivgen.targets.numpy_names import Names
from derivgen.targets.numpy_shapes import masked, shape_text, size_text, spread
from derivgen.targets.numpy_windows import inside, needed, window_of

WIDTH = 100
MARGIN = 30  # of a line, for the left side and what stands around an expression
INDENT = "    "
FILLS = {0.0: "np.zeros", 1.0: "np.ones"}
INPLACE = {"sum": "+=", "prod": "*="}
BINARY = {"max": "np.maximum", "min": "np.minimum"}
AT = {"sum": "np.add", "prod": "np.multiply", "max": "np.maximum", "min": "np.minimum"}


@dataclass
class Body:
    """The lines of one function, with the names it knows and the helpers it needs."""

    arrays: Mapping[str, Array]
    names: Names
    functions: Mapping[str, str]
    lines: list[str] = field(default_factory=list)
    grids: dict[tuple[Index, int], tuple[str, str]] = field(default_factory=dict)
    numbers: dict[Index, str] = field(default_factory=dict)
    made: dict[str, None] = field(default_factory=dict)
    depth: int = 1

    def say(self, text: str) -> None:
        """Add a line at the present depth."""
        self.lines.append(f"{INDENT * self.depth}{text}")

    def grid(self, axes: tuple[Index, ...]) -> Grid:
        """Return a grid over ``axes`` in the present loops."""
        return Grid(axes, self.scope)

    @cached_property
    def scope(self) -> Scope:
        """Return where this function's names come from."""
        return Scope(self.numbers, self.arrays, self.names, self._arange, self.functions, self._fit)

    def _arange(self, index: Index, trailing: int) -> str:
        key = (index, trailing)
        if key not in self.grids:
            low = "" if index.low == Affine(()) else f"{index.low}, "
            high = size_text(Index(index.name, Affine(()), index.high), self.grid(()))
            text = f"np.arange({low}{high})"
            if trailing:
                text += f"[{', '.join([':'] + ['None'] * trailing)}]"
            self.grids[key] = (self.names.fresh(index.name), text)
        return self.grids[key][0]

    def _fit(self, pieces: list[Piece], around: int) -> list[Piece]:
        """Name the longest parts of what would not fit on a line."""
        room = WIDTH - len(INDENT) * self.depth - MARGIN - around
        return fitted(pieces, room, self._named)

    def _named(self, piece: Piece) -> Piece:
        name = self.names.numbered("part")
        self.say(f"{name} = {piece.text}")
        return Piece(name, ATOM, piece.axes, piece.literal)


def fitted(pieces: list[Piece], room: int, named: Callable[[Piece], Piece]) -> list[Piece]:
    """Return pieces that fit into ``room`` together, the longest of them named first."""
    pieces = list(pieces)
    total = sum(len(piece.text) + 5 for piece in pieces)
    for place in sorted(range(len(pieces)), key=lambda k: -len(pieces[k].text)):
        piece = pieces[place]
        if total <= room or len(piece.text) < 8:
            break
        pieces[place] = named(piece)
        total += len(pieces[place].text) - len(piece.text)
    return pieces


def print_blocks(blocks: tuple[Block, ...], body: Body) -> None:
    """Add the lines of blocks to a body."""
    for place, block in enumerate(blocks):
        match block:
            case Fill(tensor, value):
                after = blocks[place + 1] if place + 1 < len(blocks) else None
                if not (value == 0 and _is_whole_sum(after, tensor, body)):
                    _fill(tensor, value, body)
            case Loop():
                _loop(block, body)
            case Nest() if place and _is_whole_sum(block, _filled(blocks[place - 1]), body):
                _nest(replace(block, write=Write.SET), body)
            case Nest():
                _nest(block, body)


def _filled(block: Block) -> str:
    return block.tensor if isinstance(block, Fill) and block.value == 0 else ""


def _is_whole_sum(block: Block | None, tensor: str, body: Body) -> bool:
    """Tell whether a statement gives every entry of a tensor just filled, 0 where nothing adds."""
    if not isinstance(block, Nest) or block.statement.lhs.tensor != tensor:
        return False
    statement = block.statement
    if statement.op != "sum" or any(_is_fixed(c, body) for c in statement.guard):
        return False
    target = _target(statement, body)
    return target is not None and _place(tensor, target, body) == body.names[tensor]


def _shape(array: Array, body: Body) -> str:
    sizes = [body.names[str(s)] if s.terms else str(s.constant) for s in array.shape]
    return f"({sizes[0]},)" if len(sizes) == 1 else f"({', '.join(sizes)})"


def _fill(tensor: str, value: float, body: Body) -> None:
    array, name = body.arrays[tensor], body.names[tensor]
    body.made[tensor] = None
    kind = _kind(array)
    if not array.shape:
        body.say(f"{name} = {_number(value)}")
    elif value in FILLS:
        body.say(f"{name} = {FILLS[value]}({_shape(array, body)}, {kind})")
    else:
        body.say(f"{name} = np.full({_shape(array, body)}, {_number(value)}, {kind})")


def _kind(array: Array) -> str:
    return "np.int64" if array.integer else "dtype"


def _number(value: float) -> str:
    return {math.inf: "np.inf", -math.inf: "-np.inf"}.get(value, repr(value))


def _make_room(block: Block, body: Body) -> None:
    """Allocate what a loop or a partial assignment writes into."""
    for tensor in written(block):
        if tensor not in body.made:
            body.made[tensor] = None
            array = body.arrays[tensor]
            if array.shape:
                shape = _shape(array, body)
                body.say(f"{body.names[tensor]} = np.empty({shape}, {_kind(array)})")


def _loop(loop: Loop, body: Body) -> None:
    _make_room(loop, body)
    index = loop.index
    grid = body.grid(())
    low = size_text(Index("", Affine(()), index.low), grid)
    high = size_text(Index("", Affine(()), index.high), grid)
    span = high if low == "0" else f"{low}, {high}"
    name = body.names.fresh(index.name)
    body.say(f"for {name} in {f'reversed(range({span}))' if loop.reverse else f'range({span})'}:")
    outer = dict(body.numbers)
    body.numbers[index] = name
    body.depth += 1
    print_blocks(loop.blocks, body)
    body.depth -= 1
    body.numbers.clear()
    body.numbers.update(outer)


def _nest(nest: Nest, body: Body) -> None:
    statement = nest.statement
    if nest.text:
        _comment(f"({nest.number}) {nest.text}" if nest.number else nest.text, body)
    guard = statement.guard
    fixed = tuple(c for c in guard if _is_fixed(c, body))
    if fixed:
        grid = body.grid(())
        test = show(fixed[0] if len(fixed) == 1 else And(fixed), grid)
        body.say(f"if {test.text}:")
        body.depth += 1
    _write(nest, tuple(c for c in guard if c not in fixed), body)
    if fixed:
        body.depth -= 1


def _comment(text: str, body: Body) -> None:
    room = WIDTH - len(INDENT) * body.depth - 2
    if len(text) + 2 <= room:
        body.say(f"# {text}")
        return
    words = text.split(" ")
    line = "#"
    for word in words:
        if len(line) + 1 + len(word) > room and line != "#":
            body.say(line)
            line = "#  "
        line += f" {word}"
    body.say(line)


def _is_fixed(condition: Condition, body: Body) -> bool:
    """Tell whether a condition depends on the loops around alone."""
    return is_index_only(condition) and all(i in body.numbers for i in used_indices(condition))


def _write(nest: Nest, guard: tuple[Condition, ...], body: Body) -> None:
    statement = nest.statement
    target = _target(statement, body)
    if target is None:
        _scatter(statement, guard, body)
        return
    free = tuple(s.axis for s in target if s.axis is not None)
    bound = tuple(i for i in statement.indices if i not in free and i not in body.numbers)
    value = fold(statement.op, free, bound, guard, statement.body, body.grid(()))
    place = _place(statement.lhs.tensor, target, body)
    if nest.write is Write.SET or statement.op in ("argmax", "argmin"):
        _assign(statement, place, free, value, body)
    elif statement.op in INPLACE:
        _fold_in(place, INPLACE[statement.op], free, value, body)
    else:
        body.say(f"{place} = {BINARY[statement.op]}({place}, {value.text})")


def _fold_in(place: str, sign: str, free: tuple[Index, ...], value: Piece, body: Body) -> None:
    if sign == "+=" and value.text.startswith("-") and value.level >= PRODUCT:
        body.say(f"{place} -= {value.text[1:]}")
    else:
        body.say(f"{place} {sign} {value.text}")


def _target(statement: Statement, body: Body) -> list[Slice] | None:
    """Return the left side as slices along distinct indices, or ``None`` if it is not."""
    array = body.arrays[statement.lhs.tensor]
    loose = tuple(i for i in statement.indices if i not in body.numbers)
    grid = body.grid(loose)
    slices = [slice_of(f, array, a, grid) for a, f in enumerate(statement.lhs.indices)]
    along = [s.axis for s in slices if s is not None and s.axis is not None]
    if None in slices or len(set(along)) != len(along):
        return None
    return [s for s in slices if s is not None]


def _place(tensor: str, target: list[Slice], body: Body) -> str:
    texts = [s.text for s in target]
    while texts and texts[-1] == ":":
        texts.pop()
    name = body.names[tensor]
    return f"{name}[{', '.join(texts)}]" if texts else name


def _assign(
    statement: Statement, place: str, free: tuple[Index, ...], value: Piece, body: Body
) -> None:
    tensor = statement.lhs.tensor
    whole = place == body.names[tensor]
    if not whole or tensor in body.made and body.arrays[tensor].shape:
        if tensor not in body.made:
            _make_room(Nest(statement, None, None), body)  # type: ignore[arg-type]
        body.say(f"{place} = {value.text}" if not whole else f"{place}[...] = {value.text}")
        return
    body.made[tensor] = None
    array = body.arrays[tensor]
    if value.axes != free:
        grid = body.grid(free)
        if value.axes == () and free:
            shape = shape_text(free, grid)
            body.say(f"{place} = np.full({shape}, {value.text}, {_kind(array)})")
            return
        value = spread(value, grid)
    if array.integer and statement.op not in ("argmax", "argmin"):
        value = Piece(f"np.asarray({value.text}).astype(np.int64)", ATOM, value.axes)
    if value.view:
        value = Piece(f"{value.at(ATOM)}.copy()", ATOM, value.axes)
    body.say(f"{place} = {value.text}")


# --- scatters ---


def _scatter(statement: Statement, guard: tuple[Condition, ...], body: Body) -> None:
    """Print ``out[g(I)] op= body`` for a left side that slices do not express."""
    left = [i for f in statement.lhs.indices for i in indices_of(f)]
    free = tuple(i for i in statement.indices if i in left and i not in body.numbers)
    bound = tuple(i for i in statement.indices if i not in left and i not in body.numbers)
    if statement.op == "sum" and _add_windows(statement, free, bound, guard, body):
        return
    grid = body.grid(free)
    outer = tuple(c for c in guard if set(used_indices(c)) <= {*free, *body.numbers})
    inner = tuple(c for c in guard if c not in outer)
    value = fold(statement.op, free, bound, inner, statement.body, body.grid(()))
    array = body.arrays[statement.lhs.tensor]
    neutral = {"sum": "0", "prod": "1", "max": "-np.inf", "min": "np.inf"}[statement.op]
    value = masked(value, outer, neutral, grid)
    places = [index_array(f, array, a, grid) for a, f in enumerate(statement.lhs.indices)]
    name = body.names[statement.lhs.tensor]
    place = f"{name}[{', '.join(places)}]"
    if _distinct(statement, free) and statement.op in INPLACE and not outer:
        body.say(f"{place} {INPLACE[statement.op]} {value.text}")
        return
    at = f"({', '.join(places)})" if len(places) > 1 else places[0]
    body.say(f"{AT[statement.op]}.at({name}, {at}, {value.text})")


def _add_windows(
    statement: Statement,
    free: tuple[Index, ...],
    bound: tuple[Index, ...],
    guard: tuple[Condition, ...],
    body: Body,
) -> bool:
    """Print a sum into windows of an array, if the left side is one; tell whether it is."""
    lhs, array = statement.lhs, body.arrays[statement.lhs.tensor]
    grid = body.grid(free)
    texts, sides, order = [], [], []
    for axis, form in enumerate(lhs.indices):
        part = slice_of(form, array, axis, grid)
        window = window_of(form, array, axis, free, rising=True) if part is None else None
        if part is not None:
            texts.append(part.text)
            if part.axis is not None:
                order.append(part.axis)
                sides.append("None")
        elif window is not None:
            texts.append(":")
            order += [window.outer, window.inner]
            sides.append(f"({form_text(window.start, grid).text}, {window.sides})")
        else:
            return False
    if len(set(order)) < len(order) or len(order) != len(free):
        return False
    rest = needed(guard, inside(lhs, array))
    axes = tuple(order)
    value = fold("sum", axes, bound, rest, statement.body, body.grid(()))
    (value,) = body.scope.fit([spread(value, body.grid(axes))], 10 + sum(map(len, sides)))
    while texts and texts[-1] == ":":
        texts.pop()
    name = body.names[lhs.tensor]
    target = f"{name}[{', '.join(texts)}]" if texts else name
    body.say(f"add_windows({target}, {value.text}, [{', '.join(sides)}])")
    return True


def _distinct(statement: Statement, free: tuple[Index, ...]) -> bool:
    """Tell whether no place is written twice: every index can be read off some position."""
    seen = []
    for form in statement.lhs.indices:
        found = [a for a, _ in form.terms if not _is_size(a)]
        if len(found) == 1 and isinstance(found[0], Index):
            seen.append(found[0])
    return all(index in seen for index in free)


def _is_size(atom: object) -> bool:
    return not isinstance(atom, (Index, Lookup)) and not hasattr(atom, "divisor")
