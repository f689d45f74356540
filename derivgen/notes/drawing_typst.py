"""Print a drawing with Typst's own shapes: lines, triangles, circles and formulas at places."""

from __future__ import annotations

from derivgen.forms.math import Math
from derivgen.forms.typst import typst
from derivgen.notes.drawing import Drawing, Edge, Node, along, is_long

WIDEST, STEP_X, STEP_Y, RADIUS = 400.0, 62.0, 40.0, 13.0  # points
MARGIN, TIP = 24.0, 4.0

Places = dict[str, tuple[float, float]]


def drawing_typst(drawing: Drawing) -> str:
    """Return a block of the drawing's size, centred."""
    widest = max((node.x for node in drawing.nodes), default=0.0)
    step = min(STEP_X, WIDEST / max(widest, 1.0))
    places = {n.key: (MARGIN + n.x * step, MARGIN + n.y * STEP_Y) for n in drawing.nodes}
    wide = max((x for x, _ in places.values()), default=0.0) + MARGIN
    high = max((y for _, y in places.values()), default=0.0) + MARGIN
    rows = {node.key: node.y for node in drawing.nodes}
    parts = [part for edge in drawing.edges for part in _arrow(edge, places)]
    parts += [part for node in drawing.nodes for part in _node(node, places[node.key])]
    parts += [part for edge in drawing.edges for part in _label(edge, along(edge, rows), places)]
    body = "\n".join(f"  {part}" for part in parts)
    return f"#align(center, block(width: {wide:.1f}pt, height: {high:.1f}pt, {{\n{body}\n}}))"


def _arrow(edge: Edge, places: Places) -> list[str]:
    (x1, y1), (x2, y2) = places[edge.source], places[edge.target]
    length = max(((x2 - x1) ** 2 + (y2 - y1) ** 2) ** 0.5, 1.0)
    ux, uy = (x2 - x1) / length, (y2 - y1) / length
    start = (x1 + ux * RADIUS, y1 + uy * RADIUS)
    end = (x2 - ux * (RADIUS + 1), y2 - uy * (RADIUS + 1))
    base = (end[0] - ux * TIP, end[1] - uy * TIP)
    sides = [(base[0] + s * uy * TIP / 2.5, base[1] - s * ux * TIP / 2.5) for s in (1, -1)]
    points = ", ".join(_point(*p) for p in (end, *sides))
    return [
        f"place(line(start: {_point(*start)}, end: {_point(*base)}, stroke: 0.5pt))",
        f"place(polygon(fill: black, {points}))",
    ]


def _point(x: float, y: float) -> str:
    return f"({x:.1f}pt, {y:.1f}pt)"


def _node(node: Node, place: tuple[float, float]) -> list[str]:
    x, y = place
    found: list[str] = []
    if not node.plain:
        corner = f"dx: {x - RADIUS:.1f}pt, dy: {y - RADIUS:.1f}pt"
        found.append(f"place({corner}, circle(radius: {RADIUS}pt, stroke: 0.5pt, fill: white))")
    found.append(_text(node.label, x, y, 7 if is_long(node.label) else 10))
    if node.above is not None:
        found.append(_text(node.above, x, y - RADIUS - 6, 8))
    if node.below is not None:
        found.append(_text(node.below, x, y + RADIUS + 6, 8))
    return found


def _label(edge: Edge, part: float, places: Places) -> list[str]:
    if edge.label is None:
        return []
    (x1, y1), (x2, y2) = places[edge.source], places[edge.target]
    return [_text(edge.label, x1 + (x2 - x1) * part, y1 + (y2 - y1) * part - 6, 8)]


def _text(math: Math, x: float, y: float, size: int) -> str:
    """Return a formula centred at a point."""
    shown = f"text({size}pt, ${typst(math)}$)"
    centred = f"box(width: 0pt, height: 0pt, place(center + horizon, {shown}))"
    return f"place(dx: {x:.1f}pt, dy: {y:.1f}pt, {centred})"
