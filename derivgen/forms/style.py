"""Notation styles: one table row says how a school writes its formulas.

Invariant: a style is data. Nothing else in derivgen asks which style it is; printers read fields.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Style:
    """How formulas are written.

    ``loss``: the loss letter, or ``""`` for the network's own. ``gradient``: ``partial`` for
    dE/dW as a fraction, ``d`` for ``dW``, ``nabla`` for a gradient sign. ``delta``: adjoints of
    pre-activations are ``delta``, ``partial`` or ``d``. ``layer``: a pattern for the layer's
    superscript, ``""`` for none, ``sub`` for a subscript. ``bold``: vectors and matrices in matrix
    form. ``units``: ``sub`` for h_s, ``sup`` for h^{(s)}. ``hadamard``: odot, circ or otimes.
    ``product``: ``times`` (side by side) or ``cdot``. ``functions``: letters for functions.
    ``transpose``: ``transpose`` or ``T``.
    """

    name: str
    about: str
    loss: str = ""
    gradient: str = "partial"
    delta: str = "delta"
    layer: str = "({})"
    bold: bool = True
    units: str = "sub"
    hats: bool = True
    hadamard: str = "odot"
    sum_ranges: bool = True
    product: str = "times"
    transpose: str = "transpose"
    functions: tuple[tuple[str, str], ...] = (("sigmoid", "sigma"),)
    names: tuple[tuple[str, str], ...] = ()


STYLES = {
    style.name: style
    for style in (
        Style(
            "textbook", "delta for pre-activations, partial derivatives elsewhere, (l) for layers"
        ),
        Style(
            "nielsen",
            "Nielsen, Neural Networks and Deep Learning: C, delta^l, superscript l",
            loss="C",
            layer="{}",
            bold=False,
            transpose="T",
        ),
        Style(
            "ng",
            "Ng, deeplearning.ai: dZ^{[l]} for derivatives, [l] for layers, * elementwise",
            loss="J",
            gradient="d",
            delta="d",
            layer="[{}]",
            bold=False,
            hadamard="star",
            transpose="T",
        ),
        Style(
            "goodfellow",
            "Goodfellow, Bengio, Courville, Deep Learning: bold, gradients by nabla",
            loss="J",
            gradient="nabla",
            delta="nabla",
        ),
        Style(
            "cs231n",
            "CS231n: dW for derivatives, plain letters, numbers for layers",
            loss="L",
            gradient="d",
            delta="d",
            layer="sub",
            bold=False,
            hadamard="star",
            sum_ranges=False,
            transpose="T",
        ),
        Style(
            "units",
            "unit numbers as superscripts, f for the sigmoid, delta^l, otimes elementwise",
            layer="{}",
            units="sup",
            hadamard="otimes",
            product="cdot",
            transpose="T",
            functions=(("sigmoid", "f"),),
        ),
    )
}
