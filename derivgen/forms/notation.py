r"""One network's notation: a style applied to its tensors, adjoints and index letters.

`symbol` is the only place that decides how a tensor stands on paper, for an entry and for the
whole; `surface_table` lists the same decisions, so what is printed can be read back.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from derivgen.algebra.network import Tensor
from derivgen.forms.math import (
    COMMA,
    Fenced,
    Frac,
    Math,
    Op,
    Scripts,
    Sym,
    Symbol,
    joined,
    row,
)
from derivgen.forms.names import (
    PaperName,
    base_math,
    counted_from,
    distinct,
    is_word,
    label_math,
    label_pattern,
    layer_text,
    layered,
    paper_name,
    with_scripts,
)
from derivgen.forms.plain import parted_texts
from derivgen.forms.style import Style
from derivgen.forms.surface_math import read_surface

PARTIAL = Sym("partial")


@dataclass(frozen=True)
class Adjoint:
    """The forward tensor an adjoint belongs to, and whether that is a pre-activation.

    ``text`` overrides the printed name of an auxiliary quantity.
    """

    quantity: str
    is_delta: bool
    loss: str


@dataclass(frozen=True)
class Surface:
    """A symbol in a user's LaTeX, with the order in which its slots take the indices."""

    latex: str
    indices: tuple[str, ...] = ()

    def filled(self, printed: tuple[Math, ...]) -> Math:
        """Return the symbol with its index slots filled."""
        return read_surface(self.latex, dict(zip(self.indices, printed, strict=True)))


@dataclass(frozen=True)
class Notation:
    """A style with everything it needs to know of a network.

    ``names``: paper names by tensor. ``deltas``: labels of deltas by pre-activation.
    ``from_zero``: letters in index arithmetic, whose ranges show as they are. ``layer_letter``:
    the letter of an index that counts layers and stands as a superscript. ``labels``: letters of
    indices along which equations recur, such as time; in matrix form they stay labels.
    ``written``: the index letters of the network's text. ``partials``: stand-ins for
    ``d out / d in`` in a chain rule; ``held``: the tensors such a derivative holds fixed, and
    whether at one step, whose index then follows the stand-in's own. ``origin``:
    the layer that is called l, where layers are counted from one of them. ``surfaces``: a user's
    own LaTeX of a tensor or adjoint, by the number of indices (-1 for the whole).
    """

    style: Style
    loss: str
    tensors: Mapping[str, Tensor]
    names: Mapping[str, PaperName]
    adjoints: Mapping[str, Adjoint] = field(default_factory=dict)
    deltas: Mapping[str, PaperName] = field(default_factory=dict)
    from_zero: frozenset[str] = frozenset()
    layer_letter: str = "l"
    labels: frozenset[str] = frozenset()
    functions: Mapping[str, str] = field(default_factory=dict)
    written: frozenset[str] = frozenset()
    partials: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    held: Mapping[str, tuple[tuple[str, bool], ...]] = field(default_factory=dict)
    origin: int | None = None
    surfaces: Mapping[str, Mapping[int, Surface]] = field(default_factory=dict)


def make_notation(
    style: Style,
    loss: str,
    tensors: Mapping[str, Tensor],
    adjoints: Mapping[str, Adjoint],
    from_zero: frozenset[str] = frozenset(),
    written: frozenset[str] = frozenset(),
    layers: Mapping[str, int] | None = None,
    invented: Mapping[str, PaperName] | None = None,
) -> Notation:
    """Return the notation of a style for the given tensors.

    ``layers`` numbers the outputs of library layers: ``h3`` of layer 3 is the layer's ``h``.
    ``invented`` are paper names of tensors the engine named.
    """
    names = {
        name: paper_name(name, tensor.latex)
        for name, tensor in tensors.items()
        if name not in adjoints
    }
    names.update(invented or {})
    for name, layer in (layers or {}).items():
        paper = names[name]
        if not paper.layer and paper.tag == str(layer):
            names[name] = replace(paper, layer=paper.tag, tag="")
    for name, paper in names.items():
        if tensors[name].axes and tensors[name].latex is None:
            names[name] = layered(paper)
    if style.loss and loss in names:
        names[loss] = PaperName(style.loss)
    for name, latex in style.names:
        if name in names:
            names[name] = paper_name(name, latex)
    names = distinct(names, {name: len(tensors[name].axes) for name in names})
    deltas = _delta_names([a.quantity for a in adjoints.values() if a.is_delta], names, tensors)
    taken = {n.base for n in names.values()}
    functions = {name: letter for name, letter in style.functions if letter not in taken}
    return Notation(
        style,
        loss,
        tensors,
        names,
        adjoints,
        deltas,
        from_zero,
        functions=functions,
        written=written,
    )


def _delta_names(
    quantities: list[str], names: Mapping[str, PaperName], tensors: Mapping[str, Tensor]
) -> dict[str, PaperName]:
    found = {q: _delta_name(q, names, tensors, len(quantities) == 1) for q in quantities}
    uses = Counter((*found.values(), *(n for n in names.values() if n.base == "delta")))
    for quantity, label in found.items():
        if uses[label] > 1:
            found[quantity] = PaperName("delta", layer=quantity)
    return found


def _delta_name(
    quantity: str, names: Mapping[str, PaperName], tensors: Mapping[str, Tensor], alone: bool
) -> PaperName:
    name = names.get(quantity, PaperName(quantity))
    if name.layer:
        return PaperName("delta", layer=name.layer)
    if alone:
        return PaperName("delta")
    if not tensors[quantity].axes and name.tag:
        return PaperName("delta", tag=name.tag)
    label = name.base + (f"_{name.tag}" if name.tag else "")
    return PaperName("delta", layer=label)


def loss_symbol(notation: Notation) -> Math:
    """Return the loss letter."""
    return symbol(notation, notation.loss)


def symbol(
    notation: Notation,
    tensor: str,
    indices: tuple[Math, ...] | None = None,
    texts: str = "",
    layer: Math | None = None,
) -> Math:
    """Return how a tensor or adjoint stands on paper.

    ``indices`` are the printed indices of an entry and ``texts`` the same in plain text; ``None``
    means the whole tensor, as in matrix form, or the whole of one ``layer``.
    """
    if (surface := _own_surface(notation, tensor, indices)) is not None:
        return Symbol(*_identity(notation, tensor, surface, texts))
    if tensor in notation.partials:
        return _local_partial(notation, tensor, indices or (), texts)
    adjoint = notation.adjoints.get(tensor)
    if adjoint is None:
        math = _scripted(notation, _name(notation, tensor), tensor, indices, layer)
        return Symbol(tensor, math, _plain(_text_name(notation, tensor), texts))
    if adjoint.is_delta and notation.style.delta == "delta":
        name = _counted(notation, notation.deltas[adjoint.quantity])
        math = _scripted(notation, name, adjoint.quantity, indices, layer)
        counted = name is not notation.deltas[adjoint.quantity]
        own = layer_text(name) if counted else delta_text(adjoint.quantity)
        return Symbol(adjoint.quantity, math, _plain(own, texts))
    return _derivative(notation, adjoint, indices, texts, layer)


def partial_name(above: str, below: str) -> str:
    """Return the stand-in name of ``d above / d below``; a space keeps it apart from tensors."""
    return f"d {above} {below}"


def _local_partial(notation: Notation, tensor: str, indices: tuple[Math, ...], texts: str) -> Math:
    above, below = notation.partials[tensor]
    fixed = notation.held.get(tensor, ())
    count = len(indices) - sum(step for _, step in fixed)
    own, others = parted_places(notation.tensors, above, below, count)
    words = parted_texts(texts)
    top = _operand(notation, above, indices[:count], words, own)
    bottom = _operand(notation, below, indices[:count], words, others)
    text = ratio_text(_text_of(top), _text_of(bottom))
    made = partial_symbol(tensor if tensor in notation.names else below, top, bottom, text)
    steps = iter(zip(indices[count:], words[count:], strict=True))
    held = [_fixed(notation, name, step, steps) for name, step in fixed]
    if not held:
        return made
    shown = joined(list(dict.fromkeys(held)), COMMA)
    math = Scripts(Fenced("fixed", made), sub=shown)
    return Symbol(below, math, f"({text} at fixed {', '.join(map(_text_of, held))})")


def _fixed(notation: Notation, tensor: str, step: bool, steps: Iterator[tuple[Math, str]]) -> Math:
    label, text = next(steps) if step else (None, "")
    return symbol(notation, tensor, None, text, label)


def _operand(
    notation: Notation, tensor: str, indices: tuple[Math, ...], words: list[str], places: list[int]
) -> Math:
    """Return one side of a derivative with the indices at its places; the whole without any."""
    if not indices:
        return symbol(notation, tensor)
    printed = tuple(indices[place] for place in places)
    return symbol(notation, tensor, printed, ",".join(words[p] for p in places if words))


def parted_places(
    tensors: Mapping[str, Tensor], above: str, below: str, count: int
) -> tuple[list[int], list[int]]:
    """Return which indices of ``d above / d below`` belong to either; they may share one.

    Two empty lists if the indices fit neither way.
    """
    first, second = len(tensors[above].axes), len(tensors[below].axes)
    if count == first + second:
        return list(range(first)), list(range(first, count))
    if count == second and first == 1 and tensors[above].axis_names:
        letter = tensors[above].axis_names[0]
        if letter and letter in tensors[below].axis_names:
            return [tensors[below].axis_names.index(letter)], list(range(count))
    return [], []


def ratio_text(above: str, below: str) -> str:
    """Return a derivative in plain text, ``dE/dW[k,s]``; a derivative inside it in parentheses."""
    top, bottom = (f"({name})" if "/" in name else name for name in (above, below))
    return f"d{top}/d{bottom}"


def _text_of(math: Math) -> str:
    assert isinstance(math, Symbol), "a tensor prints as a symbol"
    return math.plain


def delta_text(quantity: str) -> str:
    """Return the plain name of a delta."""
    return f"delta_{quantity}"


def _own_surface(notation: Notation, tensor: str, indices: tuple[Math, ...] | None) -> Math | None:
    known = notation.surfaces.get(tensor, {})
    surface = known.get(-1 if indices is None else len(indices))
    if surface is None and indices == ():
        surface = known.get(-1)
    return None if surface is None else surface.filled(indices or ())


def _identity(notation: Notation, tensor: str, math: Math, texts: str) -> tuple[str, Math, str]:
    """Return what a symbol in a user's LaTeX stands for, and its plain text."""
    adjoint = notation.adjoints.get(tensor)
    if adjoint is None:
        return tensor, math, _plain(_text_name(notation, tensor), texts)
    if adjoint.is_delta:
        return adjoint.quantity, math, _plain(delta_text(adjoint.quantity), texts)
    return adjoint.quantity, math, ratio_text(adjoint.loss, _plain(adjoint.quantity, texts))


def _plain(name: str, texts: str) -> str:
    return f"{name}[{texts}]" if texts else name


def _name(notation: Notation, tensor: str) -> PaperName:
    return _counted(notation, notation.names.get(tensor) or paper_name(tensor))


def _counted(notation: Notation, name: PaperName) -> PaperName:
    return name if notation.origin is None else counted_from(name, notation.origin)


def _text_name(notation: Notation, tensor: str) -> str:
    """Return a tensor's name in plain text; a layer's where layers are counted from one."""
    name = notation.names.get(tensor)
    if name is None or notation.origin is None or not name.layer.isdigit():
        return tensor
    return layer_text(counted_from(name, notation.origin))


def layer_axis(notation: Notation, tensor: str) -> int | None:
    """Return the place of the axis whose index counts layers or steps, if the tensor has one."""
    declared = notation.tensors.get(tensor)
    known = {notation.layer_letter, *notation.labels}
    names = declared.axis_names if declared is not None else ()
    return next((place for place, name in enumerate(names) if name in known), None)


def _derivative(
    notation: Notation,
    adjoint: Adjoint,
    indices: tuple[Math, ...] | None,
    texts: str,
    layer: Math | None,
) -> Math:
    style = notation.style
    kind = style.delta if adjoint.is_delta else style.gradient
    inner = symbol(notation, adjoint.quantity, indices, texts, layer)
    assert isinstance(inner, Symbol), "a tensor prints as a symbol"
    below, text = inner.math, inner.plain
    loss = symbol(notation, adjoint.loss)
    if kind == "d":
        return Symbol(adjoint.quantity, row(Sym("d"), below), ratio_text(adjoint.loss, text))
    if kind == "nabla" and indices is None:
        math = row(with_scripts(Sym("nabla"), [below], []), loss)
        return Symbol(adjoint.quantity, math, ratio_text(adjoint.loss, text))
    return partial_symbol(adjoint.quantity, loss, below, ratio_text(adjoint.loss, text))


def partial_symbol(tensor: str, above: Math, below: Math, text: str) -> Math:
    """Return the partial derivative of one quantity by another."""
    return Symbol(tensor, Frac(_differential(above), _differential(below)), text)


def _differential(math: Math) -> Math:
    inner = math.math if isinstance(math, Symbol) else math
    return row(PARTIAL, Fenced("(", math) if isinstance(inner, Frac) else math)


def _scripted(
    notation: Notation,
    name: PaperName,
    tensor: str,
    indices: tuple[Math, ...] | None,
    layer: Math | None = None,
) -> Math:
    style = notation.style
    declared = notation.tensors.get(tensor)
    axis = layer_axis(notation, tensor)
    rank = (len(declared.axes) if declared else 0) - (axis is not None)
    entries = list(indices or ())
    counts_layers = axis is not None and _letter_at(declared, axis) == notation.layer_letter
    if axis is not None and counts_layers and entries:
        layer = entries.pop(axis)
    if not style.hats and name.accent:
        name = replace(name, accent="")
    bold = style.bold and rank > 0 and indices is None and name.font == "italic"
    if layer is not None and not counts_layers:
        entries, layer = [layer], None
    sub, sup = _labels(style, name, rank, layer)
    _place_indices(style, entries, rank, sub, sup)
    return with_scripts(base_math(name, bold), _with_commas(sub, entries), sup)


def _letter_at(declared: Tensor | None, axis: int) -> str:
    return declared.axis_names[axis] if declared is not None else ""


def _labels(
    style: Style, name: PaperName, rank: int, layer: Math | None
) -> tuple[list[Math], list[Math]]:
    """Return what stands below and above a letter before any index: its tag and its layer."""
    sub: list[Math] = []
    sup: list[Math] = []
    if name.tag:
        in_subscript = bool(name.layer) or not rank or style.layer == "sub" or name.tag.isdigit()
        in_subscript = in_subscript and not name.raised
        _place_tag(name.tag, in_subscript, sub, sup)
    label = layer if layer is not None else _layer_label(name.layer) if name.layer else None
    if label is not None:
        if style.layer == "sub":
            sub.insert(0, label)
        else:
            sup.append(label_pattern(style.layer, label))
    return sub, sup


def _layer_label(layer: str) -> Math:
    base, _, tag = layer.partition("_")
    if tag:
        return with_scripts(label_math(base), [label_math(tag)], [])
    return label_math(layer)


def _place_tag(tag: str, in_subscript: bool, sub: list[Math], sup: list[Math]) -> None:
    # A name's own subscript would run into the indices; beside indices it moves up, in parentheses.
    if in_subscript:
        sub.append(label_math(tag))
    else:
        sup.append(Fenced("(", label_math(tag)))


def _place_indices(
    style: Style, entries: list[Math], rank: int, sub: list[Math], sup: list[Math]
) -> None:
    if style.units == "sup" and rank == 1 and not sup and not sub and len(entries) == 1:
        sup.append(Fenced("(", entries[0]))
        return
    sub.extend(entries)


def _with_commas(sub: list[Math], entries: list[Math]) -> list[Math]:
    """Return subscripts side by side if all indices are single letters, else with commas."""
    if len(sub) < 2:
        return sub
    tight = len(sub) == len(entries) and not any(map(is_word, entries)) and not _digits(sub)
    if tight:
        return sub
    parts: list[Math] = []
    for entry in sub:
        parts += [COMMA, entry] if parts else [entry]
    return parts


def _digits(sub: list[Math]) -> bool:
    return any(not (isinstance(s, Sym) or _is_primed(s)) for s in sub)


def _is_primed(math: Math) -> bool:
    return isinstance(math, Scripts) and isinstance(math.sup, Op)
