"""Drawings of graphs: circles, arrows and labels, printed as TikZ, SVG, Mermaid and text.

Invariant: a drawing has places and formulas only; every medium shows the same nodes and edges.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from html import escape

from derivgen.forms.latex import latex
from derivgen.forms.math import Accent, Frac, Math, Num, Op, Row, Scripts, Sym, Symbol, parts, width
from derivgen.forms.mathml import GREEK, OPERATORS
from derivgen.forms.plain import plain

ROOM = 4  # rough characters in a circle
UNIT_X, UNIT_Y, RADIUS = 118, 74, 19
COMBINING = {"hat": "\u0302", "bar": "\u0304", "tilde": "\u0303"}
# What TikZ puts between 1 unit in a drawing and 1 cm on paper, chosen so that seven columns fit.
TIKZ_X, TIKZ_Y = 2.15, 1.35
CROWDED = 1.4  # cm between columns; below, circles are drawn smaller


@dataclass(frozen=True)
class Node:
    """A circle at a place; ``above`` and ``below`` are a value and a derivative beside it."""

    key: str
    x: float
    y: float
    label: Math
    above: Math | None = None
    below: Math | None = None
    plain: bool = False  # drawn without a circle: a row of dots


@dataclass(frozen=True)
class Edge:
    """An arrow between two nodes; ``tensor`` is what it stands for (a weight), if anything."""

    source: str
    target: str
    label: Math | None = None
    tensor: str = ""
    back: bool = False  # the label is a derivative


@dataclass(frozen=True)
class Drawing:
    """Nodes and edges, y pointing down."""

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]


def is_long(label: Math) -> bool:
    """Tell whether a label is too wide for its circle at full size."""
    return width(label) > ROOM


# --- TikZ -----------------------------------------------------------------------------------------


def tikz(drawing: Drawing) -> str:
    """Return a ``tikzpicture`` scaled to the width of the page."""
    names = {node.key: f"n{n}" for n, node in enumerate(drawing.nodes)}
    rows = {node.key: node.y for node in drawing.nodes}
    widest = max((node.x for node in drawing.nodes), default=0)
    step = min(TIKZ_X, 14.0 / max(widest, 1.0))
    size, font = ("9mm", r"\small") if step >= CROWDED else ("6.5mm", r"\scriptsize")
    lines = [
        r"\begin{tikzpicture}[>={Stealth[length=1.8mm]},",
        rf"  unit/.style={{circle,draw,minimum size={size},inner sep=0.5pt,font={font}}},",
        r"  on edge/.style={font=\scriptsize,fill=white,inner sep=0.8pt}]",
    ]
    for node in drawing.nodes:
        style = "font=\\small" if node.plain else "unit"
        if is_long(node.label):
            style += ",font=\\scriptsize" if step >= CROWDED else ",font=\\tiny"
        place = f"({node.x * step:.2f},{-node.y * TIKZ_Y:.2f})"
        lines.append(rf"\node[{style}] ({names[node.key]}) at {place} {{${latex(node.label)}$}};")
        lines += _tikz_notes(node, names[node.key])
    for edge in drawing.edges:
        label = ""
        if edge.label is not None:
            label = rf" node[on edge,pos={along(edge, rows)}] {{${latex(edge.label)}$}}"
        lines.append(rf"\draw[->] ({names[edge.source]}) --{label} ({names[edge.target]});")
    return "\n".join([*lines, r"\end{tikzpicture}"])


def along(edge: Edge, rows: dict[str, float]) -> float:
    """Return how far along an arrow its label stands; slanting ones cross half way."""
    return 0.5 if rows[edge.source] == rows[edge.target] else 0.3


def _tikz_notes(node: Node, name: str) -> list[str]:
    found: list[str] = []
    for math, side in ((node.above, "above"), (node.below, "below")):
        if math is not None:
            note = rf"\node[{side},font=\scriptsize,inner sep=1.5pt] at ({name}.{_side(side)})"
            found.append(rf"{note} {{${latex(math)}$}};")
    return found


def _side(side: str) -> str:
    return "north" if side == "above" else "south"


# --- SVG ------------------------------------------------------------------------------------------


def svg(drawing: Drawing) -> str:
    """Return an ``svg`` element; nodes and weights carry ``data-t`` for highlighting."""
    places = {n.key: (70 + n.x * UNIT_X, 48 + n.y * UNIT_Y) for n in drawing.nodes}
    wide = max((x for x, _ in places.values()), default=0) + 70
    high = max((y for _, y in places.values()), default=0) + 52
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide:g} {high:g}" '
        f'width="{wide:g}" height="{high:g}" role="img">'
    )
    rows = {node.key: node.y for node in drawing.nodes}
    edges = [_svg_edge(edge, along(edge, rows), places) for edge in drawing.edges]
    tip = f"tip-{sha256(''.join(edges).encode()).hexdigest()[:6]}"  # a page may hold two drawings
    marker = (
        f'<defs><marker id="{tip}" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" '
        'markerHeight="7" orient="auto-start-reverse"><path class="tip" d="M0 0L8 4L0 8z"/>'
        "</marker></defs>"
    )
    nodes = [_svg_node(node, places[node.key]) for node in drawing.nodes]
    whole = "\n".join([head + marker, *edges, *nodes, "</svg>"])
    return whole.replace("url(#TIP)", f"url(#{tip})")


def _svg_edge(edge: Edge, along: float, places: dict[str, tuple[float, float]]) -> str:
    (x1, y1), (x2, y2) = places[edge.source], places[edge.target]
    length = max(((x2 - x1) ** 2 + (y2 - y1) ** 2) ** 0.5, 1.0)
    ux, uy = (x2 - x1) / length, (y2 - y1) / length
    start, end = RADIUS + 1, RADIUS + 3
    line = (
        f'<path class="edge" data-from="{escape(edge.source)}" data-to="{escape(edge.target)}" '
        f'd="M{x1 + ux * start:.1f} {y1 + uy * start:.1f}L{x2 - ux * end:.1f} {y2 - uy * end:.1f}" '
        'marker-end="url(#TIP)"/>'
    )
    if edge.label is None:
        return line
    x, y = x1 + (x2 - x1) * along, y1 + (y2 - y1) * along - 6
    css = "back" if edge.back else ""
    label = f'<text class="{css}" x="{x:.1f}" y="{y:.1f}" font-size="13" text-anchor="middle">'
    marked = f' data-t="{escape(edge.tensor)}"' if edge.tensor else ""
    return f"{line}<g{marked}>{label}{spans(edge.label)}</text></g>"


def _svg_node(node: Node, place: tuple[float, float]) -> str:
    x, y = place
    found = [f'<g data-t="{escape(node.key)}">']
    if not node.plain:
        found.append(f'<circle class="node" cx="{x:g}" cy="{y:g}" r="{RADIUS}"/>')
    size = 11 if is_long(node.label) else 15
    found.append(_svg_text(node.label, x, y + 5, size, ""))
    if node.above is not None:
        found.append(_svg_text(node.above, x, y - RADIUS - 7, 12, "soft"))
    if node.below is not None:
        found.append(_svg_text(node.below, x, y + RADIUS + 15, 12, "back"))
    return "".join([*found, "</g>"])


def _svg_text(math: Math, x: float, y: float, size: int, css: str) -> str:
    return (
        f'<text class="{css}" x="{x:g}" y="{y:g}" font-size="{size}" text-anchor="middle">'
        f"{spans(math)}</text>"
    )


def spans(math: Math) -> str:
    """Return a short formula as SVG ``tspan`` elements: letters, scripts, numbers."""
    match math:
        case Symbol(_, inner, _):
            return spans(inner)
        case Row(items):
            return "".join(spans(item) for item in items)
        case Scripts(base, sub, sup):
            shown = spans(base)
            for script, move in ((sub, 4), (sup, -6)):
                if script is not None:
                    raised = spans(script)
                    shown += f'<tspan dy="{move}" font-size="75%">{raised}</tspan>'
                    shown += f'<tspan dy="{-move}">\u200b</tspan>'
            return shown
        case Accent(kind, base):
            return spans(base) + COMBINING[kind]
        case Frac(top, bottom):
            return f"{spans(top)}/{spans(bottom)}"
        case Sym(name, _):
            letter = escape(GREEK.get(name, name))
            return f'<tspan font-style="italic">{letter}</tspan>' if name.isalpha() else letter
        case Num(digits):
            return digits
        case Op(key):
            return escape({"times": "", "neg": "\u2212"}.get(key, OPERATORS.get(key, key)))
        case _:
            return "".join(spans(part) for part in parts(math))


# --- Mermaid and text -----------------------------------------------------------------------------


def mermaid(drawing: Drawing) -> str:
    """Return a Mermaid flow chart, left to right."""
    names = {node.key: f"n{n}" for n, node in enumerate(drawing.nodes)}
    lines = ["graph LR"]
    for node in drawing.nodes:
        notes = [plain(m) for m in (node.label, node.above, node.below) if m is not None]
        lines.append(f'  {names[node.key]}(("{"<br/>".join(notes)}"))')
    for edge in drawing.edges:
        arrow = "-->" if edge.label is None else f'-- "{plain(edge.label)}" -->'
        lines.append(f"  {names[edge.source]} {arrow} {names[edge.target]}")
    return "\n".join(lines)


def text(drawing: Drawing) -> str:
    """Return the graph as a table: a line for each node and each arrow that leaves it."""
    shown = {node.key: plain(node.label) for node in drawing.nodes}
    rows: list[list[str]] = []
    for node in drawing.nodes:
        notes = [plain(m) if m is not None else "" for m in (node.above, node.below)]
        arrows = [_arrow(edge, shown) for edge in drawing.edges if edge.source == node.key]
        rows.append([shown[node.key], *notes, *arrows[:1]])
        rows += [["", "", "", arrow] for arrow in arrows[1:]]
    widths = [max(len(line[c]) for line in rows if len(line) > c) for c in range(3)]
    return "\n".join(
        "    " + "   ".join([*(t.ljust(w) for t, w in zip(line, widths)), *line[3:]]).rstrip()
        for line in rows
    )


def _arrow(edge: Edge, shown: dict[str, str]) -> str:
    label = f"--{plain(edge.label)}--" if edge.label is not None else "--"
    return f"{label}> {shown[edge.target]}"
