"""An edited formula in the writer's own notation.

Only the edited node is written anew; everything around it, and every part of it that the writer
wrote, is copied from the source. Names are written after an example of the same tensor.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from fractions import Fraction

from derivgen.formulas.terms import At, Bound, Fold, Ref, Term, Test
from derivgen.verify.hand import GREEK, Pen, braced, is_symbol, name_of, place_text, slope_name

_GAP = re.compile(r"(?:\s|\\[,;:! ])*")


def written(term: Term, pen: Pen) -> str:
    """Return a term as text: copied where the writer wrote it, else composed."""
    if term.span[1] > term.span[0]:
        text = pen.source[term.span[0] : term.span[1]]
        # The minus of a term in a sum is the sum's own.
        return "-" + text if term.op == "negate" and text[0] not in "-−－" else text
    return composed(term, pen)


def composed(term: Term, pen: Pen) -> str:
    """Return the text of a node that the writer did not write."""
    maker = _MAKERS.get(term.op)
    if maker is not None:
        return maker(term, pen)
    return ", ".join(written(part, pen) for part in term.args) or str(term.data)


def can_write(term: Term) -> bool:
    """Tell whether a term can be written: every node is the writer's own or has a way to be."""
    if term.span[1] > term.span[0]:
        return True
    return term.op in _MAKERS and all(can_write(part) for part in term.args)


def _factor(term: Term, pen: Pen, last: bool = False) -> str:
    text = written(term, pen)
    loose = term.op in ("add", "negate") or (term.op == "fold" and not pen.plain and not last)
    if loose and not _is_enclosed(text):
        return f"({text})" if pen.plain else rf"\left({text}\right)"
    return text


def _is_enclosed(text: str) -> bool:
    """Tell whether one pair of brackets stands around the whole text."""
    bare = text.replace(r"\left", "").replace(r"\right", "").strip()
    level = 0
    for place, char in enumerate(bare):
        level += (char in "([") - (char in ")]")
        if level == 0:
            return place == len(bare) - 1 and bare[:1] in ("(", "[")
    return False


def _multiply(term: Term, pen: Pen) -> str:
    text = _inner(term.args[0], term, pen)
    for number, (operator, factor) in enumerate(zip(term.data, term.args[1:]), 1):
        sign = "*" if pen.plain else f" {operator} " if operator else " "
        stop = term.args[number - 1].span[1]
        if not operator and 0 < stop <= factor.span[0]:  # neighbours stay as they stand
            gap = pen.source[stop : factor.span[0]]
            sign = gap if _GAP.fullmatch(gap) else sign
        text += sign + _inner(factor, term, pen, last=number == len(term.args) - 1)
    return text


def _inner(factor: Term, product: Term, pen: Pen, last: bool = False) -> str:
    """Return a factor, in brackets where it is an elementwise product inside another one."""
    text = _factor(factor, pen, last)
    mixed = factor.op == "multiply" and is_elementwise(factor) and not all(product.data)
    return f"({text})" if mixed and not pen.plain and not _is_enclosed(text) else text


def is_elementwise(product: Term) -> bool:
    """Tell whether a product is marked as one of entries."""
    return any(operator in (r"\odot", r"\circ") for operator in product.data)


def _add(term: Term, pen: Pen) -> str:
    text = written(term.args[0], pen)
    for part in term.args[1:]:
        if part.op == "negate" and part.span[1] <= part.span[0]:
            text += " - " + _factor(part.args[0], pen, last=True)
        elif part.op == "negate":
            text += " - " + written(part, pen)[1:].lstrip()
        else:
            text += " + " + written(part, pen)
    return text


def _negate(term: Term, pen: Pen) -> str:
    return "-" + _factor(term.args[0], pen)


def _number(term: Term, pen: Pen) -> str:
    value: Fraction = term.data[0]
    if value.denominator == 1 or term.data[1]:
        return term.data[1] or str(value)
    if pen.plain:
        return f"{value.numerator}/{value.denominator}"
    return rf"\frac{{{value.numerator}}}{{{value.denominator}}}"


def _divide(term: Term, pen: Pen) -> str:
    if pen.plain:
        below = written(term.args[1], pen)
        loose = term.args[1].op in ("add", "negate", "multiply", "divide")
        below = f"({below})" if loose and not _is_enclosed(below) else below
        return f"{_factor(term.args[0], pen)}/{below}"
    top, bottom = (written(part, pen) for part in term.args)
    return rf"\frac{{{top}}}{{{bottom}}}"


def _power(term: Term, pen: Pen) -> str:
    base, exponent = term.args
    inner, upper = written(base, pen), written(exponent, pen)
    if base.op == "call" and not pen.plain and not base.data[1] and base.span == (0, 0):
        name = _function(base.data[0], 0)
        return f"{name}^{braced(upper)}({written(base.args[0], pen)})"
    plain_base = base.op in ("element", "number", "group") or pen.plain and base.op == "call"
    if not (plain_base and (pen.plain or "^" not in inner) or _is_enclosed(inner)):
        inner = f"({inner})"
    if len(upper) == 1:
        return f"{inner}^{upper}"
    return f"{inner}^({upper})" if pen.plain else f"{inner}^{{{upper}}}"


def _transpose(term: Term, pen: Pen) -> str:
    inner = written(term.args[0], pen)
    mark = next((m for m in (".T", r"^\top", r"^{\top}", r"^\intercal") if m in pen.source), "^T")
    if term.args[0].op == "element" and ("^" not in inner or mark == ".T"):
        return inner + mark
    return inner + mark if _is_enclosed(inner) else f"({inner}){mark}"


def _call(term: Term, pen: Pen) -> str:
    name, order = term.data
    inner = written(term.args[0], pen)
    if _is_enclosed(inner):
        inner = inner.removeprefix(r"\left")[1:-1].removesuffix(r"\right")
    return (
        f"{name}{chr(39) * order}({inner})" if pen.plain else f"{_function(name, order)}({inner})"
    )


def _function(name: str, order: int) -> str:
    shown = {"sigmoid": r"\sigma", "tanh": r"\tanh", "exp": r"\exp", "log": r"\log"}.get(name, name)
    shown = rf"\{name}" if name in GREEK else shown
    if len(shown) > 1 and shown[0] != "\\":
        shown = rf"\mathrm{{{name}}}"
    return shown + "'" * order


def _fold(term: Term, pen: Pen) -> str:
    fold: Fold = term.data
    letters = ",".join(_bound_text(b, pen) for b in fold.bounds)
    body = written(term.args[0], pen)
    if pen.plain:
        return f"{fold.op}[{letters}]({body})"
    under = braced(letters) if len(fold.bounds) == 1 else f"{{{letters}}}"
    return rf"\{fold.op}_{under} {_factor(term.args[0], pen, last=True)}" if body else ""


def _bound_text(bound: Bound, pen: Pen) -> str:
    low, high, name, without = bound.low, bound.high, bound.letter, bound.without
    if without is not None:
        return rf"{name} \ne {without}"
    if low is None or high is None:
        return str(name)
    return f"{name}: {low}..{high}" if pen.plain else f"{name}={low}}}^{{{high}"


def _element(term: Term, pen: Pen) -> str:
    ref: Ref = term.data
    if pen.plain:
        slots = ",".join(_side(slot, pen) for slot in ref.slots if slot is not None)
        mark = "'" if ref.updated else ""
        return f"{ref.tensor}{mark}[{slots}]" if slots else ref.tensor + mark
    return name_of(ref, pen)


def _gradient(term: Term, pen: Pen) -> str:
    symbol = is_symbol(term) and not pen.plain and term.args[1].op == "element"
    if symbol and (name := slope_name(term.args[1].data, pen)):
        return name
    of, by = (written(part, pen) for part in term.args)
    return f"d({of}, {by})" if pen.plain else rf"\frac{{\partial {of}}}{{\partial {by}}}"


def _bracket(term: Term, pen: Pen) -> str:
    test: Test = term.data
    sides = [_side(side, pen) for side in (test.left, test.right)]
    if not pen.plain and test.op == "=":
        return rf"1\{{{sides[1]} = {sides[0]}\}}"
    return f"[{sides[0]} {test.op} {sides[1]}]"


def _side(side: At | Term, pen: Pen) -> str:
    if not isinstance(side, At):
        return written(side, pen)
    return place_text(side, pen.plain)


def _size(term: Term, pen: Pen) -> str:
    return str(term.data)


_MAKERS: Mapping[str, Callable[[Term, Pen], str]] = {
    "multiply": _multiply,
    "add": _add,
    "negate": _negate,
    "number": _number,
    "divide": _divide,
    "power": _power,
    "transpose": _transpose,
    "call": _call,
    "fold": _fold,
    "element": _element,
    "bracket": _bracket,
    "gradient": _gradient,
    "size": _size,
    "free": _size,
    "group": lambda term, pen: f"({written(term.args[0], pen)})",
}
