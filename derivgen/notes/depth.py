"""Why gradients vanish or explode: the product of slopes and weights from delta to delta.

The links are read off the steps: a delta reaches the next one through a map (its slope) and a
matrix. With numbers at hand the largest slope, the size of the weights and of the deltas are shown
for each link.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from derivgen.algebra.affine import Affine, Index, affine
from derivgen.algebra.expressions import Access, substitute
from derivgen.algebra.network import Role
from derivgen.calculus.derivation import Contribution, Step
from derivgen.forms.layout import Context, affine_math, letter
from derivgen.forms.math import (
    EQUALS,
    TIMES,
    Apply,
    Big,
    Frac,
    Math,
    Num,
    Op,
    Scripts,
    Sym,
    joined,
    parenthesised,
    row,
)
from derivgen.forms.matrix import NoMatrixForm, matrix_form
from derivgen.forms.matrix_layout import matrix_math
from derivgen.forms.matrix_tree import Leaf, Transpose
from derivgen.forms.notation import PARTIAL, partial_name, symbol
from derivgen.forms.numbers import significant
from derivgen.forms.plain import plain
from derivgen.notes.document import (
    Block,
    Equation,
    Formula,
    Line,
    Paragraph,
    Prose,
    Section,
    Table,
)
from derivgen.notes.drawing import Drawing, Edge, Node
from derivgen.notes.figures import figure
from derivgen.notes.view import View
from derivgen.notes.words import say, word
from derivgen.notes.worked import Example

FEWEST = 2  # links that make a product
LONGEST = 6  # links written out; a longer chain is shortened with dots


@dataclass(frozen=True)
class Link:
    """From a delta to the next: ``delta = slope(activation) * (weight^T next)``.

    ``turned``: the weight has the unit it reads from as its last index, so it stands transposed.
    """

    quantity: str
    activation: str
    weight: str
    following: str
    slope: Contribution
    turned: bool


def links(view: View) -> list[Link]:
    """Return the links from the last delta back to the first."""
    steps = {step.quantity: step for step in view.derivation.steps if not step.auxiliary}
    found: list[Link] = []
    for step in view.derivation.steps:
        if step.is_delta and len(step.contributions) == 1:
            link = _link(view, step, step.contributions[0], steps)
            found += [link] if link is not None else []
    return found


def _link(view: View, step: Step, slope: Contribution, steps: dict[str, Step]) -> Link | None:
    activation = slope.through.lhs.tensor
    reader = steps.get(activation)
    if reader is None or len(reader.contributions) != 1:
        return None
    made = reader.contributions[0]
    weight = made.partial
    following = made.through.lhs.tensor
    tensors = view.derivation.tensors
    if not isinstance(weight, Access) or tensors[weight.tensor].role is not Role.PARAM:
        return None
    if following not in steps or not steps[following].is_delta:
        return None
    return Link(step.quantity, activation, weight.tensor, following, slope, _turned(made))


def _turned(made: Contribution) -> bool:
    assert isinstance(made.partial, Access), "checked by the caller"
    return made.partial.indices[-1:] == made.operand.indices[-1:]


def depth_section(view: View, example: Example | None) -> list[Block]:
    """Return the section on vanishing and exploding gradients, for nets of some depth."""
    chain = _connected(links(view))
    if len(chain) < FEWEST:
        return _recurrent_section(view)
    body: list[Block] = [Paragraph(say(view.lang, "depth intro"))]
    body.append(Equation("depth", (Line(_delta(view, chain[-1].quantity), _product(view, chain)),)))
    body.append(Paragraph(say(view.lang, "depth why", links=Formula(Num(str(len(chain)))))))
    if example is not None:
        body += _numbers(view, chain, example)
    return [Section(say(view.lang, "depth"), tuple(body))]


def _recurrent_section(view: View) -> list[Block]:
    """Return the product for a net whose delta recurs along an index of layers or steps."""
    for step in view.derivation.steps:
        if step.is_delta and (found := _recurrence(view, step)) is not None:
            intro = Paragraph(say(view.lang, "depth intro"))
            why = Paragraph(say(view.lang, "depth why recurrent"))
            return [Section(say(view.lang, "depth"), (intro, found, why))]
    return []


def _recurrence(view: View, step: Step) -> Equation | None:
    """Return ``delta_l = prod_k diag(slope_k) W_(k+1)^T delta_L``, if the delta reads itself."""
    axis = view.layer_axis(step.quantity)
    for slope in step.contributions:
        activation = slope.through.lhs.tensor
        if activation == step.quantity:
            continue
        ways = [c.through.lhs.tensor for c in _contributions(view, activation)]
        if ways.count(step.quantity) != 1:
            continue
        for made in _contributions(view, activation):
            weight = made.partial
            if made.through.lhs.tensor != step.quantity or not isinstance(weight, Access):
                continue
            if axis is not None and _recurs(view, made, weight.tensor):
                return _power(view, slope, made, axis)
    return None


def _recurs(view: View, made: Contribution, weight: str) -> bool:
    """Tell whether a matrix of parameters leads from one step to the next."""
    tensor = view.derivation.tensors[weight]
    rank = len(tensor.axes) - (view.layer_axis(weight) is not None)
    ahead = view.dependence.steps.offset(made.operand, made.through)
    return tensor.role is Role.PARAM and rank == 2 and ahead == -1


def _contributions(view: View, quantity: str) -> tuple[Contribution, ...]:
    step = view.tables.step_of.get(quantity)
    return () if step is None else step.contributions


def _power(view: View, made: Contribution, reader: Contribution, axis: int) -> Equation | None:
    assert isinstance(reader.partial, Access), "checked by the caller"
    weight = reader.partial.tensor
    quantity = made.operand.tensor
    if view.layout == "rows":
        return None
    span = view.derivation.tensors[quantity].axes[axis]
    name = view.derivation.tensors[quantity].axis_names[axis]
    here = Index(name, span.low, span.high)
    running = Index("k" if name != "k" else "m", span.low, span.high)
    context = Context(view.notation, {here: here.name, running: running.name})
    layered = view.layer_axis(weight) is not None
    after = Leaf(weight, 2, affine(running) + 1 if layered else None)
    flat = _turned(reader) != (view.layout == "columns")
    own = made.operand.indices[axis].plain
    if len(view.derivation.tensors[quantity].axes) != 2 or own is None:
        return None
    try:
        slope = _slope(view, made, {own: affine(running)}, context)
    except NoMatrixForm:
        return None
    turned = matrix_math(after if flat else Transpose(after), context)
    factor = row(slope, TIMES, turned)
    low, high = letter(here, context), affine_math(span.high - 2, context)
    last = affine_math(span.high - 1, context)
    product = Big("prod", (running.name,), row(letter(running, context), EQUALS, low), high, factor)
    if not _ends_last(view, made, reader, span.high - 1):
        ends = [symbol(view.notation, quantity, None, plain(at), at) for at in (last, low)]
        whole = Frac(row(PARTIAL, ends[0]), row(PARTIAL, ends[1]))
        mark = Op(view.notation.style.transpose)
        return Equation("depth", (Line(Scripts(parenthesised(whole), sup=mark), product),))
    delta = view.adjoint(quantity)
    left = symbol(view.notation, delta, None, name, low)
    right = symbol(view.notation, delta, None, plain(last), last)
    return Equation("depth", (Line(left, row(parenthesised(product), TIMES, right)),))


def _ends_last(view: View, made: Contribution, reader: Contribution, last: Affine) -> bool:
    """Tell whether the loss reads the recurrence at its last step alone."""
    activation = made.through.lhs.tensor
    axis = view.layer_axis(activation)
    found = (*_contributions(view, activation), *_contributions(view, made.operand.tensor))
    others = [c for c in found if c is not reader and c is not made]
    return axis is not None and all(c.operand.indices[axis] == last for c in others)


def _slope(view: View, made: Contribution, moved: Mapping[Index, Affine], context: Context) -> Math:
    """Return the diagonal matrix of a map's slopes. Raises: NoMatrixForm."""
    free = tuple(f.plain for f in made.operand.indices if f.plain and f.plain not in moved)
    tree = matrix_form(substitute(made.partial, dict(moved)), free, view)
    return Apply(Sym("diag", "function"), "diag", (matrix_math(tree, context),))


def _connected(found: list[Link]) -> list[Link]:
    """Return the longest run of links in which each continues the one before."""
    best: list[Link] = []
    inside: set[int] = set()  # places in a run: one that begins there is a part of it
    for start, first in enumerate(found):
        if start in inside:
            continue
        run = [first]
        for place in range(start + 1, len(found)):
            if found[place].following == run[-1].quantity:
                run.append(found[place])
                inside.add(place)
        best = run if len(run) > len(best) else best
    return best


def _delta(view: View, quantity: str) -> Math:
    return symbol(view.notation, view.adjoint(quantity))


def _product(view: View, chain: list[Link]) -> Math:
    """Return ``diag(slope_1) W_2^T diag(slope_2) ... delta_L``."""
    factors: list[Math] = []
    ordered = list(reversed(chain))
    shown = ordered if len(ordered) <= LONGEST else [*ordered[:2], ordered[-1]]
    for place, link in enumerate(shown):
        if place == 2 and len(ordered) > LONGEST:
            factors.append(Sym("...", "upright"))
        factors += _factors(view, link)
    factors.append(_delta(view, chain[0].following))
    return joined(factors if view.layout == "columns" else factors[::-1], TIMES)


def named_partial(view: View, above: str, below: str) -> View:
    """Return the view that prints the stand-in for one local derivative."""
    known = {partial_name(above, below): (above, below)}
    return replace(
        view, notation=replace(view.notation, partials={**view.notation.partials, **known})
    )


def _factors(view: View, link: Link) -> list[Math]:
    context = Context(view.notation, {})
    seen = named_partial(view, link.activation, link.quantity)
    slope = symbol(seen.notation, partial_name(link.activation, link.quantity))
    rank = len(view.derivation.tensors[link.weight].axes)
    if not rank:
        return [slope, symbol(view.notation, link.weight)]
    with suppress(NoMatrixForm):  # else the Jacobian is named, which is that diagonal matrix
        slope = _slope(view, link.slope, {}, context)
    weight = Leaf(link.weight, rank)
    turned = Transpose(weight) if link.turned == (view.layout == "columns") else weight
    return [slope, matrix_math(turned, context)]


# --- numbers --------------------------------------------------------------------------------------


def _numbers(view: View, chain: list[Link], example: Example) -> list[Block]:
    rows: list[tuple[Prose, ...]] = []
    sizes: list[float] = []
    for link in chain:
        delta = example.arrays[view.adjoint(link.quantity)]
        sizes.append(float(np.linalg.norm(delta)))
        rows.append(_row(view, link, example, sizes[-1]))
    keys = ("delta", "largest slope", "size of weights", "size of delta")
    head = tuple((word(view.lang, key),) for key in keys)
    found: list[Block] = [Table(head, tuple(rows))]
    if len(chain) > 2 and all(size > 0 for size in sizes):
        drawn = figure(_plot(view, chain, sizes), say(view.lang, "depth plot"))
        found.append(replace(drawn, text="", mermaid=_chart(sizes[::-1])))
    return found


def _row(view: View, link: Link, example: Example, size: float) -> tuple[Prose, ...]:
    weights = np.atleast_2d(example.arrays[link.weight])
    slope = _largest_slope(view, example, link)
    return (
        (Formula(_delta(view, link.quantity)),),
        (Formula(significant(slope, 4)),) if slope is not None else ("–",),
        (Formula(significant(float(np.linalg.norm(weights, 2)), 4)),),
        (Formula(significant(size, 4)),),
    )


def _largest_slope(view: View, example: Example, link: Link) -> float | None:
    """Return the largest slope the deltas met, read off the numbers themselves."""
    delta = np.ravel(example.arrays[view.adjoint(link.quantity)])
    before = np.ravel(example.arrays[view.adjoint(link.activation)])
    known = np.abs(before) > 0
    ratios: Any = np.abs(delta[known] / before[known])
    return float(ratios.max()) if ratios.size else None


def _chart(sizes: list[float]) -> str:
    """Return the plot as a Mermaid chart."""
    places = ", ".join(str(place + 1) for place in range(len(sizes)))
    logs = ", ".join(f"{np.log10(size):.2f}" for size in sizes)
    return f'xychart-beta\n  x-axis [{places}]\n  y-axis "log10"\n  line [{logs}]'


def _plot(view: View, chain: list[Link], sizes: list[float]) -> Drawing:
    """Return the sizes of the deltas over the depth, on a logarithmic scale."""
    logs = np.log10(sizes[::-1])
    low, high = float(logs.min()), float(logs.max())
    scale = 2.5 / max(high - low, 0.5)
    step = 6.0 / max(len(chain) - 1, 1)
    nodes = [
        Node(
            link.quantity,
            place * step,
            float(high - value) * scale,
            _delta(view, link.quantity) if len(chain) < 9 else Num(str(place + 1)),
            significant(10**value, 2) if len(chain) < 9 else None,
        )
        for place, (link, value) in enumerate(zip(reversed(chain), logs, strict=True))
    ]
    edges = [Edge(b.key, a.key) for a, b in zip(nodes, nodes[1:], strict=False)]
    return Drawing(tuple(nodes), tuple(edges))
