"""The computation graph and the network's diagram, read off the forward statements."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from derivgen.algebra.affine import Affine, Dim
from derivgen.algebra.expressions import Access, Add, Mul, tensors_read, walk
from derivgen.algebra.network import Role
from derivgen.forms.layout import affine_math
from derivgen.forms.math import Math, Op, Sym
from derivgen.forms.notation import partial_name, symbol
from derivgen.forms.numbers import significant
from derivgen.forms.plain import plain
from derivgen.notes.document import Block, Figure, Section
from derivgen.notes.drawing import Drawing, Edge, Node
from derivgen.notes.figures import figure
from derivgen.notes.view import View
from derivgen.notes.words import say
from derivgen.notes.worked import Example, local_values

MOST_NODES = 30
MOST_WITH_VALUES = 16
MOST_UNITS = 5  # circles drawn for a layer before dots stand for the rest
MOST_LAYERS = 7


def figure_section(view: View, example: Example | None) -> list[Block]:
    """Return the drawings that suit the network: its diagram, its computation graph."""
    found: dict[str, Figure] = {}
    # In text a drawing without numbers would be a list of arrows that says less than the equations.
    if (diagram := scalar_diagram(view, example)) is not None:
        found["diagram only"] = replace(figure(diagram, say(view.lang, "diagram neurons")), text="")
    elif (diagram := layer_diagram(view)) is not None:
        found["diagram only"] = replace(figure(diagram, say(view.lang, "diagram layers")), text="")
    graph = computation_graph(view, example)
    if graph is not None:
        key = "graph values" if example is not None else "graph plain"
        drawn = figure(graph, say(view.lang, key))
        found["graph only"] = drawn if example is not None else replace(drawn, text="")
    title = "figures" if len(found) == 2 else next(iter(found), "")
    return [Section(say(view.lang, title), tuple(found.values()))] if found else []


# --- the computation graph ------------------------------------------------------------------------


def computation_graph(view: View, example: Example | None) -> Drawing | None:
    """Return the graph of all tensors, with values and derivatives if numbers are at hand."""
    adjoints = view.notation.adjoints
    names = [n for n in view.derivation.tensors if n not in adjoints]
    links = [(a, b) for a, b in _links(view) if a not in adjoints and b not in adjoints]
    links = _towards(links, view.derivation.network.loss or "")
    used = {name for link in links for name in link}
    names = [name for name in names if name in used]
    most = MOST_NODES if example is None else MOST_WITH_VALUES
    if not names or len(names) > most:
        return None
    places = _places(names, links)
    if example is not None:  # room for the numbers above and below
        places = {name: (x * 1.2, y * 1.7) for name, (x, y) in places.items()}
    local = _local(view, example)
    nodes = tuple(_graph_node(view, name, places[name], example) for name in names)
    edges = tuple(Edge(a, b, local.get((a, b)), back=True) for a, b in links)
    return Drawing(nodes, edges)


def _links(view: View) -> list[tuple[str, str]]:
    found: dict[tuple[str, str], None] = {}
    for statement in view.derivation.forward:
        for name in tensors_read(statement.body):
            if name != statement.lhs.tensor:
                found[name, statement.lhs.tensor] = None
    return list(found)


def _towards(links: list[tuple[str, str]], loss: str) -> list[tuple[str, str]]:
    """Return the links that lead to the loss: a winner's place is for the backward pass alone."""
    reached = {loss}
    while more := {a for a, b in links if b in reached} - reached:
        reached |= more
    return [link for link in links if link[1] in reached]


def _places(
    names: Sequence[str], links: Sequence[tuple[str, str]]
) -> dict[str, tuple[float, float]]:
    """Return a place for each node: columns by distance to the loss, rows centred."""
    depth: dict[str, int] = {}
    targets: dict[str, list[str]] = {}
    for source, target in links:
        targets.setdefault(source, []).append(target)

    for name in reversed(_ordered(names, targets)):
        depth[name] = 1 + max((depth.get(t, -1) for t in targets.get(name, ())), default=-1)
    deepest = max(depth.values())
    columns: dict[int, list[str]] = {}
    for name in names:
        columns.setdefault(deepest - depth[name], []).append(name)
    tallest = max(map(len, columns.values()))
    return {
        name: (float(x), (tallest - len(column)) / 2 + y)
        for x, column in columns.items()
        for y, name in enumerate(column)
    }


def _ordered(names: Sequence[str], targets: Mapping[str, list[str]]) -> list[str]:
    """Return the names so that each stands before what reads it; a recurrence is cut."""
    done: dict[str, None] = {}
    open_names: set[str] = set()

    def visit(name: str) -> None:
        open_names.add(name)
        for target in targets.get(name, ()):
            if target not in open_names:
                visit(target)
        done[name] = None

    for start in names:
        if start not in open_names:
            visit(start)
    return list(reversed(done))


def _graph_node(view: View, name: str, place: tuple[float, float], example: Example | None) -> Node:
    label = symbol(view.notation, name)
    above = below = None
    if example is not None and example.arrays[name].ndim == 0:
        above = significant(example.arrays[name].item(), 4)
        adjoint = example.arrays.get(view.adjoint(name))
        if adjoint is not None:
            below = significant(adjoint.item(), 4)
    return Node(name, *place, label, above, below)


def _local(view: View, example: Example | None) -> dict[tuple[str, str], Math]:
    """Return the values of the local derivatives along the edges, for a net of numbers."""
    if example is None or any(t.axes for t in view.derivation.tensors.values()):
        return {}
    found: dict[tuple[str, str], Math] = {}
    values = local_values(view.derivation, example)
    for step in view.derivation.steps:
        for made in step.contributions:
            out = made.through.lhs.tensor
            array: Any = values.get(partial_name(out, step.quantity))
            if array is not None:
                found[step.quantity, out] = significant(array.item(), 4)
    return found


# --- the network's diagram ------------------------------------------------------------------------


def scalar_diagram(view: View, example: Example | None) -> Drawing | None:
    """Return the neurons of a net of named weights, each edge with its weight."""
    derivation = view.derivation
    if any(tensor.axes for tensor in derivation.tensors.values()):
        return None
    weights = _weights(view)
    if not weights:
        return None
    merged = _merged(view, weights)
    links = list(dict.fromkeys((a, merged.get(b, b)) for a, b, _ in weights))
    names = list(dict.fromkeys(name for link in links for name in link))
    order = {name: n for n, name in enumerate(derivation.tensors)}
    names.sort(key=lambda name: order[name])
    places = _places(names, links)
    values = example.arrays if example is not None else {}
    nodes = tuple(
        Node(
            n,
            places[n][0] * 2,
            places[n][1] * 1.8,
            symbol(view.notation, n),
            significant(values[n].item(), 4) if n in values else None,
        )
        for n in names
    )
    edges = tuple(Edge(a, merged.get(b, b), symbol(view.notation, w), w) for a, b, w in weights)
    return Drawing(nodes, edges)


def _weights(view: View) -> list[tuple[str, str, str]]:
    """Return the terms ``w*a`` of sums: (value read, sum, weight)."""
    tensors = view.derivation.tensors
    found: list[tuple[str, str, str]] = []
    for statement in view.derivation.forward:
        body = statement.body
        for term in body.terms if isinstance(body, Add) else (body,):
            if not isinstance(term, Mul) or len(term.factors) != 2:
                continue
            names = [f.tensor for f in term.factors if isinstance(f, Access)]
            weight = [n for n in names if tensors[n].role is Role.PARAM]
            other = [n for n in names if tensors[n].role in (Role.INPUT, Role.VALUE)]
            if len(weight) == 1 and len(other) == 1:
                found.append((other[0], statement.lhs.tensor, weight[0]))
    return found


def _merged(view: View, weights: list[tuple[str, str, str]]) -> dict[str, str]:
    """Return for each sum the value of its neuron: what a function of that sum alone defines."""
    sums = {b for _, b, _ in weights}
    merged: dict[str, str] = {}
    for statement in view.derivation.forward:
        read = list(tensors_read(statement.body))
        if len(read) == 1 and read[0] in sums:
            merged[read[0]] = statement.lhs.tensor
    return merged


def layer_diagram(view: View) -> Drawing | None:
    """Return columns of units for vectors joined by matrices."""
    chain = _vectors(view)
    if not 2 <= len(chain) <= MOST_LAYERS:
        return None
    nodes: list[Node] = []
    columns: list[list[str]] = []
    for x, (name, _) in enumerate(chain):
        size = view.derivation.tensors[name].axes[0].size
        column = _column(view, name, x, size)
        nodes += column
        columns.append([node.key for node in column if not node.plain])
    edges = [
        Edge(a, b)
        for before, after in zip(columns, columns[1:], strict=False)
        for a in before
        for b in after
    ]
    for x, (_, weight) in enumerate(chain):
        if weight:
            nodes.append(Node(weight, x - 0.5, -0.1, symbol(view.notation, weight), plain=True))
    return Drawing(tuple(nodes), tuple(edges))


def _column(view: View, name: str, x: int, size: Affine) -> list[Node]:
    count = size.constant if size.is_constant else _value(view, size)
    shown = list(range(1, (count or MOST_UNITS + 1) + 1))
    cut = len(shown) > MOST_UNITS
    labels: list[Math] = [_unit(view, name, Sym(str(n))) for n in shown[: 3 if cut else None]]
    last: Math | None = None
    if cut:
        last = _unit(view, name, Sym(str(size)) if size.is_constant else _size(view, size))
    total = len(labels) + (2 if cut else 0)
    top = (MOST_UNITS - total) / 2 + 0.6
    found = [
        Node(f"{name}#{y}" if y else name, x, top + y, label) for y, label in enumerate(labels)
    ]
    if cut and last is not None:
        found.append(Node(f"{name}#dots", x, top + 3, Op("vdots"), plain=True))
        found.append(Node(f"{name}#last", x, top + 4, last))
    return found


def _unit(view: View, name: str, label: Math) -> Math:
    return symbol(view.notation, name, (label,), plain(label))


def _size(view: View, size: Affine) -> Math:
    return affine_math(size, view.context())


def _value(view: View, size: Affine) -> int | None:
    dims = view.derivation.network.dims
    total = size.constant
    for atom, count in size.terms:
        value = dims.get(atom) if isinstance(atom, Dim) else None
        if value is None:
            return None
        total += count * value
    return total


def _vectors(view: View) -> list[tuple[str, str]]:
    """Return the vectors from input to output, each with the matrix that leads to it."""
    tensors = view.derivation.tensors
    before: dict[str, tuple[str, str]] = {}
    for statement in view.derivation.forward:
        read = [a.tensor for a in walk(statement.body) if isinstance(a, Access)]
        matrix = [n for n in read if len(tensors[n].axes) == 2 and tensors[n].role is Role.PARAM]
        vectors = [
            n for n in read if len(tensors[n].axes) == 1 and tensors[n].role is not Role.PARAM
        ]
        out = statement.lhs.tensor
        if len(tensors[out].axes) == 1 and len(set(vectors)) == 1 and out not in before:
            before[out] = (vectors[0], matrix[0] if matrix else "")
    return _path(view, before)


def _path(view: View, before: Mapping[str, tuple[str, str]]) -> list[tuple[str, str]]:
    """Follow the vectors back from the last one; maps without a matrix are one layer.

    Returns nothing for vectors that lead back to themselves, as along a recurrence.
    """
    sources = {source for source, _ in before.values()}
    last = [name for name in before if name not in sources]
    if len(last) != 1:
        return []
    name = last[0]
    found: list[tuple[str, str]] = []
    shown, weight = name, ""
    passed: set[str] = set()
    while name in before:
        if name in passed:
            return []
        passed.add(name)
        source, matrix = before[name]
        if matrix:
            found.append((shown, matrix))
            shown = source
        name = source
    found.append((shown, weight))
    found.reverse()
    return found if view.derivation.tensors[name].role is Role.INPUT else []
