"""An edited formula in the writer's own notation.

Only the edited node is written anew; everything around it, and every part of it that the writer
wrote, is copied from the source. Names are written after an example of the same tensor.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction

from derivgen.formulas.terms import At, Bound, Fold, Ref, Term, Test


@dataclass(frozen=True)
class Pen:
    """How this writer writes: the source, plain or LaTeX, and an example of each tensor."""

    source: str
    plain: bool
    examples: Mapping[str, tuple[str, Ref]] = field(default_factory=dict)
    product: str = " "


def make_pen(source: str, members: tuple[Term, ...], plain: bool) -> Pen:
    """Return the pen of a formula's writer."""
    examples: dict[str, tuple[str, Ref]] = {}
    for member in members:
        for term in _own_names(member):
            text = source[term.span[0] : term.span[1]]
            examples.setdefault(term.data.tensor, (text, term.data))
    return Pen(source, plain, examples, "*" if plain else " ")


def _own_names(term: Term) -> Iterator[Term]:
    """Yield the elements that the writer named; what a gradient symbol stands for is not."""
    if term.op == "element" and term.span[1] > term.span[0]:
        yield term
    if term.op == "gradient" and term.data.symbol in ("delta", "table"):
        return
    for part in term.args:
        yield from _own_names(part)


def written(term: Term, pen: Pen) -> str:
    """Return a term as text: copied where the writer wrote it, else composed."""
    if term.span[1] > term.span[0]:
        return pen.source[term.span[0] : term.span[1]]
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


def _factor(term: Term, pen: Pen) -> str:
    text = written(term, pen)
    loose = term.op in ("add", "negate") or (term.op == "fold" and not pen.plain)
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
    text = _factor(term.args[0], pen)
    for operator, factor in zip(term.data, term.args[1:]):
        sign = "*" if pen.plain else f" {operator} " if operator else " "
        text += sign + _factor(factor, pen)
    return text


def _add(term: Term, pen: Pen) -> str:
    text = written(term.args[0], pen)
    for part in term.args[1:]:
        if part.op == "negate" and part.span[1] <= part.span[0]:
            text += " - " + _factor(part.args[0], pen)
        elif part.op == "negate":
            inner = written(part, pen)
            text += " " + inner if inner.lstrip().startswith("-") else " - " + inner
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
    top, bottom = (written(part, pen) for part in term.args)
    return f"{top}/{bottom}" if pen.plain else rf"\frac{{{top}}}{{{bottom}}}"


def _power(term: Term, pen: Pen) -> str:
    base, exponent = term.args
    inner, upper = written(base, pen), written(exponent, pen)
    plain_base = base.op in ("element", "number", "group") or pen.plain and base.op == "call"
    if not (plain_base and (pen.plain or "^" not in inner) or _is_enclosed(inner)):
        inner = f"({inner})"
    if len(upper) == 1:
        return f"{inner}^{upper}"
    return f"{inner}^({upper})" if pen.plain else f"{inner}^{{{upper}}}"


def _transpose(term: Term, pen: Pen) -> str:
    inner = written(term.args[0], pen)
    if term.args[0].op == "element" and "^" not in inner:
        return inner + "^T"
    return f"({inner})^T" if inner[:1] != "(" else inner + "^T"


def _call(term: Term, pen: Pen) -> str:
    name, order = term.data
    inner = written(term.args[0], pen)
    primes = "'" * order
    if pen.plain:
        return f"{name}{primes}({inner})"
    shown = {"sigmoid": r"\sigma", "tanh": r"\tanh"}.get(name, name)
    return f"{shown}{primes}({inner})"


def _fold(term: Term, pen: Pen) -> str:
    fold: Fold = term.data
    letters = ",".join(_bound_text(b, pen) for b in fold.bounds)
    body = written(term.args[0], pen)
    if pen.plain:
        return f"{fold.op}[{letters}]({body})"
    return rf"\{fold.op}_{{{letters}}} {_factor(term.args[0], pen)}" if body else ""


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
        slots = ",".join(str(slot) for slot in ref.slots if slot is not None)
        return f"{ref.tensor}[{slots}]" if slots else ref.tensor
    example = pen.examples.get(ref.tensor)
    if example is not None:
        return _after_example(example[0], example[1], ref)
    return _plain_latex(ref)


def _after_example(text: str, old: Ref, new: Ref) -> str:
    """Rewrite the scripts of an example with other indices, in the places they had."""
    pairs = [
        (str(a), str(b)) for a, b in zip(old.slots, new.slots) if a is not None and b is not None
    ]
    if old.member is not None and new.member is not None:
        pairs.append((str(old.member), str(new.member)))
    cut = re.search(r"[_^]", text)
    if cut is None or all(a == b for a, b in pairs):
        return text
    head, scripts = text[: cut.start()], text[cut.start() :]
    marked = scripts
    for number, (before, _) in enumerate(pairs):
        literal = re.escape(before)
        single = rf"(?<![A-Za-z\\]){literal}(?![A-Za-z0-9])|(?<=[A-Za-z0-9{{]){literal}"
        pattern = single if len(before) == 1 else literal
        marked = re.sub(pattern, f"\0{number}\0", marked, count=1)
    for number, (_, after) in enumerate(pairs):
        mark = f"\0{number}\0"
        if len(after) > 1:  # a script of one letter had no braces
            marked = re.sub("([_^])" + re.escape(mark), rf"\1{{{mark}}}", marked)
        marked = marked.replace(mark, after)
    return head + marked


def _plain_latex(ref: Ref) -> str:
    name = ref.tensor.replace("{}", "")
    match = re.fullmatch(r"([A-Za-z]+?)_?(\d+)", name)
    base = match[1] if match else name
    upper = f"^{{({match[2]})}}" if match else ""
    greek = ("alpha", "beta", "gamma", "delta", "theta", "sigma", "mu", "xi", "omega", "epsilon")
    if base in greek:
        base = "\\" + base
    elif base.endswith("hat"):
        base = rf"\hat{{{base[:-3].rstrip('_')}}}"
    if ref.member is not None:
        upper = f"^{{{ref.member}}}"
    slots = "".join(str(slot) for slot in ref.slots if slot is not None)
    return base + upper + (f"_{{{slots}}}" if slots else "")


def _gradient(term: Term, pen: Pen) -> str:
    of, by = (written(part, pen) for part in term.args)
    return f"d({of}, {by})" if pen.plain else rf"\frac{{\partial {of}}}{{\partial {by}}}"


def _bracket(term: Term, pen: Pen) -> str:
    test: Test = term.data
    sides = [str(s) if isinstance(s, At) else written(s, pen) for s in (test.left, test.right)]
    return f"[{sides[0]} {test.op} {sides[1]}]"


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
