r"""Gradient signs: ``\nabla_W E``, ``\nabla W``, ``\nabla E(w)``, ``\nabla\nabla E``.

Invariant: what a gradient is taken by is written, or it is the only parameter there is.
"""

from __future__ import annotations

from dataclasses import replace

from derivgen.algebra.expressions import Access, Along, Call
from derivgen.algebra.network import Role
from derivgen.formulas import tree
from derivgen.formulas.meanings import name
from derivgen.formulas.reader import Reader, bare, script_term
from derivgen.formulas.scripts import atoms, plain_text
from derivgen.formulas.slopes import differentiated, loss_gradient, only_parameter
from derivgen.formulas.symbols import LOSS_NAMES, Symbols, axis_key
from derivgen.formulas.terms import Ref, Slope, Term, letter
from derivgen.formulas.tree import FormulaError, Name, Span, Token, Tree


def is_loss(node: Name, symbols: Symbols) -> bool:
    """Tell whether a name is that of a loss."""
    return node.base in LOSS_NAMES or node.base == symbols.loss


def nabla(node: Name, rest: list[Tree], reader: Reader) -> tuple[Term, int]:
    """Return the gradient that begins with a sign, and how many factors it takes.

    ``rest`` is what stands behind the sign without an operator between.
    """
    following = rest[0] if rest else None
    span = (node.span[0], (following or node).span[1])
    if isinstance(following, Name) and following.base == "nabla" or plain_text(node.sup) == "2":
        return _second(node, rest, span, reader)
    if node.sub:
        by = bare(script_term(node.sub, reader))
        if by.op != "element":
            raise FormulaError("nabla", "The subscript is no tensor.", "", node.span)
        if following is None:
            return loss_gradient(by, span, "nabla", reader), 1
        of = differentiated(following, reader)
        return Term("gradient", (bare(of), by), Slope(symbol="nabla"), span), 2
    if not isinstance(following, Name):
        raise FormulaError("nabla", "It stands before no tensor.", "", node.span)
    return _of_name(following, rest[1:], span, reader), 2


def _of_name(following: Name, rest: list[Tree], span: Span, reader: Reader) -> Term:
    sample = _sample_script(following.sub)
    inner = name(replace(following, sub=()) if sample else following, reader)
    if sample is not None:
        reader.letters.bind(sample, ("sample",), following.span)
        of = Term("element", (), Ref(reader.symbols.loss, sample=letter(sample)), span)
        return Term("gradient", (of, inner), Slope(symbol="nabla"), span)
    if inner.op != "element":
        raise FormulaError("nabla", "It stands before no tensor.", "", span)
    if inner.data.tensor != reader.symbols.loss:
        return loss_gradient(inner, span, "nabla", reader)
    by = _argument(rest[0] if rest else None, reader) or only_parameter(reader.symbols, span)
    if by is None:
        raise FormulaError("nabla", "It does not say by what.", r"Write \nabla_w.", span)
    return Term("gradient", (inner, by), Slope(symbol="nabla"), span)


def _argument(group: Tree | None, reader: Reader) -> Term | None:
    """Return the parameter that a loss is written as a function of, if it is the only one."""
    if not isinstance(group, tree.Group) or group.bracket != "(":
        return None
    found: list[Term] = []
    for item in group.items:
        try:
            term = bare(name(item, reader)) if isinstance(item, Name) else None
        except FormulaError:
            continue
        if term is not None and term.op == "element" and _is_parameter(term, reader.symbols):
            found.append(term)
    return found[0] if len(found) == 1 else None


def _is_parameter(term: Term, symbols: Symbols) -> bool:
    tensor = symbols.tensors.get(term.data.tensor)
    return tensor is not None and tensor.role is Role.PARAM


def by_position(node: Name, following: Tree | None, reader: Reader) -> Term | None:
    r"""Read ``D_j S_i`` as the slope of S_i by the j-th number that S is a function of."""
    taken = node.base in reader.symbols.tensors or node.base in reader.symbols.aliases
    places = [atom.at for atom in atoms(node.sub)]
    if node.base != "D" or taken or len(places) != 1 or not isinstance(following, Name):
        return None
    try:
        of = bare(name(following, reader))
    except FormulaError:
        return None
    inner = argument_of(of.data.tensor, reader.symbols) if of.op == "element" else ""
    if not inner or len(reader.symbols.tensors[inner].axes) != 1 or places[0] is None:
        return None
    for letter_, _ in places[0].letters:
        key = axis_key(reader.symbols.tensors[inner], 0)
        reader.letters.bind(letter_, key, node.span)
    span = (node.span[0], following.span[1])
    by = Term("element", (), Ref(inner, (places[0],)), span)
    return Term("gradient", (of, by), Slope(), span)


def argument_of(tensor: str, symbols: Symbols) -> str:
    """Return the tensor that a tensor is a function of, entry by entry or along an index."""
    for equation in symbols.network.equations if symbols.network else ():
        rhs = equation.rhs
        if equation.lhs.tensor == tensor and isinstance(rhs, (Call, Along)) and len(rhs.args) == 1:
            return rhs.args[0].tensor if isinstance(rhs.args[0], Access) else ""
    return ""


def _second(node: Name, rest: list[Tree], span: Span, reader: Reader) -> tuple[Term, int]:
    r"""Return the matrix of second derivatives, ``\nabla\nabla E`` or ``\nabla^2 E``."""
    plain = replace(node, sup=())
    doubled = bool(rest) and isinstance(rest[0], Name) and rest[0].base == "nabla"
    inner, taken = nabla(rest[0] if doubled else plain, rest[1:] if doubled else rest, reader)  # type: ignore[arg-type]
    if inner.op != "gradient":
        raise FormulaError("nabla", "It stands before no gradient.", "", span)
    by = bare(script_term(node.sub, reader)) if node.sub else inner.args[1]
    whole = (node.span[0], inner.span[1])
    return Term("gradient", (inner, by), Slope(symbol="nabla"), whole), taken + doubled


def _sample_script(tokens: tuple[Token, ...]) -> str | None:
    """Return i for the subscript ``x_i``: the gradient of one sample's loss."""
    kept = [t for t in tokens if t.kind not in "{}"]
    if len(kept) == 3 and kept[0].text == "x" and kept[1].kind == "_" and kept[2].kind == "name":
        return kept[2].text
    return None
