r"""The writer's hand: how he writes names, numbers of layers, scripts and brackets.

A name is written after an example of the same tensor, else after one of another tensor whose name
is made alike: where ``W_1`` stands for W1, Z2 is ``Z_2``; where ``W_{hh}`` stands for Whh, Wxh is
``W_{xh}``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from derivgen.formulas.terms import At, Ref, Term

GREEK = ("alpha", "beta", "gamma", "delta", "theta", "sigma", "mu", "xi", "omega", "epsilon", "phi",
         "eta", "lambda", "nu", "rho", "tau", "kappa", "zeta", "pi", "psi", "chi")  # fmt: skip
ACCENTS = {"hat": "hat", "tilde": "tilde", "bar": "bar"}
SCRIPTED = ("transpose", "power")  # operations that a superscript writes
_MARK = r"(?:\\top|\\intercal|\\math(?:sf|rm)\{T\}|T)"
_ALONE = re.compile(rf"\.T$|\^\{{?\s*{_MARK}\s*\}}?(?=_|$)")  # the only thing above a name


@dataclass(frozen=True)
class Pen:
    """How this writer writes: the source, plain or LaTeX, and an example of each tensor.

    ``slopes`` holds examples of derivatives that are one symbol, as ``\\delta^{l}_j`` for the
    derivative by ``z^{l}_j``.
    """

    source: str
    plain: bool
    examples: Mapping[str, tuple[str, Ref]] = field(default_factory=dict)
    slopes: Mapping[str, tuple[str, Ref]] = field(default_factory=dict)


def make_pen(source: str, members: tuple[Term, ...], plain: bool) -> Pen:
    """Return the pen of a formula's writer."""
    examples: dict[str, tuple[str, Ref]] = {}
    slopes: dict[str, tuple[str, Ref]] = {}
    for member in members:
        for term, outer in _own_names(member, None):
            span = outer.span if outer is not None and outer.op in SCRIPTED else term.span
            text = source[span[0] : span[1]]
            if outer is not None and outer.op in SCRIPTED:
                text = without_mark(text, outer)
            if term.op == "gradient":
                slopes.setdefault(term.args[1].data.tensor, (text, term.args[1].data))
            else:
                examples.setdefault(term.data.tensor, (text, term.data))
    return Pen(source, plain, examples, slopes)


def _own_names(term: Term, outer: Term | None) -> Iterator[tuple[Term, Term | None]]:
    """Yield the elements and symbols of slopes that the writer named, with what a script makes.

    What a gradient symbol stands for is no name.
    """
    scripts = outer if outer is not None and outer.span == term.span else None
    if term.op == "element" and term.span[1] > term.span[0]:
        yield term, scripts
    if is_symbol(term):
        if term.args[1].op == "element" and term.span[1] > term.span[0]:
            yield term, scripts
        return
    for part in term.args:
        yield from _own_names(part, term)


def is_symbol(term: Term) -> bool:
    r"""Tell whether a derivative is written as one symbol: ``\delta_j``, ``dz``."""
    return term.op == "gradient" and term.data.symbol in ("delta", "table", "d", "step")


def without_mark(text: str, outer: Term) -> str:
    r"""Return a name without the ``T`` or the power in its superscript.

    ``W^{(2)\top}`` becomes ``W^{(2)}`` and ``h_j^2`` becomes ``h_j``.
    """
    if outer.op == "transpose":
        found = _ALONE.sub("", text)
        return re.sub(rf"\s*{_MARK}\s*\}}", "}", found)
    power = str(outer.args[1].data[0]) if outer.args[1].op == "number" else ""
    found = re.sub(rf"\^\{{?\s*{re.escape(power)}\s*\}}?(?=_|$)", "", text) if power else text
    return re.sub(rf"(?<=[\])]){re.escape(power)}\}}", "}", found) if power else found


def cleaned(term: Term, source: str) -> Term:
    r"""Give every name below a script its own place in the source, or none.

    In ``h_j^2`` the name is ``h_j``; in ``W^{(2)\top}`` it stands in no piece of its own. What a
    symbol like ``\delta_j`` stands for has no place either.
    """
    args = [cleaned(part, source) for part in term.args]
    if term.op in SCRIPTED and args and args[0].span == term.span and term.span[1] > term.span[0]:
        text = source[term.span[0] : term.span[1]]
        bare = without_mark(text, term)
        own = text.startswith(bare) and bare.count("{") == bare.count("}") and bare != text
        span = (term.span[0], term.span[0] + len(bare)) if own else (0, 0)
        args[0] = Term(args[0].op, args[0].args, args[0].data, span)
    if is_symbol(term):
        args = [_unplaced(part) for part in args]
    kept = all(a is b for a, b in zip(args, term.args))
    return term if kept else term.with_args(tuple(args))


def _unplaced(term: Term) -> Term:
    return Term(term.op, tuple(map(_unplaced, term.args)), term.data)


# --- names ---------------------------------------------------------------------------------------


def name_of(ref: Ref, pen: Pen) -> str:
    """Return an element or a tensor in LaTeX, after the writer's examples."""
    example = pen.examples.get(ref.tensor)
    if example is not None and (made := _with_slots(*example, ref)):
        return made + _plus(ref, example[1])
    for text, old in pen.examples.values():
        if made := _made_alike(text, old, ref):
            return made
    return _plain_latex(ref, pen)


def slope_name(by: Ref, pen: Pen) -> str:
    """Return the symbol of a derivative after the writer's examples, or nothing."""
    example = pen.slopes.get(by.tensor)
    if example is not None:
        return after_example(example[0], example[1], by)
    for text, old in pen.slopes.values():
        if made := _made_alike(text, old, by):
            return made
    return ""


def _plus(new: Ref, old: Ref) -> str:
    return "^{+}" if new.updated and not old.updated else ""


def after_example(text: str, old: Ref, new: Ref) -> str:
    """Rewrite the scripts of an example with other indices, in the places they had."""
    pairs = [
        (place_text(a, False), place_text(b, False))
        for a, b in zip(old.slots, new.slots)
        if a is not None and b is not None
    ]
    if old.member is not None and new.member is not None:
        pairs.append((str(old.member), str(new.member)))
    if old.updated and not new.updated:
        text = re.sub(r"\^\{?(?:\+|\\?[a-z]*new\}?|\(new\)|\*|')\}?|'", "", text)
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


def _made_alike(text: str, old: Ref, new: Ref) -> str:
    """Write a tensor after an example of another one whose name is made alike, or nothing."""
    one, other = (re.fullmatch(r"([A-Za-z]+?)_?(\d+)", r.tensor) for r in (old, new))
    if old.member is not None or new.member is not None:
        return ""
    if old.updated or new.updated:
        return ""
    if one and other:
        number = rf"(?<=[_^{{(\[]){one[2]}(?!\d)"
        found = re.sub(number, other[2], text, count=1)
        if found == text and one[2] != other[2] or not re.search(number, text):
            return ""
        found = found if one[1] == other[1] else _other_base(found, one[1], other[1])
        return _with_slots(found, old, new)
    shape = re.match(r"([A-Za-z])_\{?([A-Za-z]+)", text)
    if not shape or old.tensor != shape[1] + shape[2] or new.tensor[:1] != shape[1]:
        return ""
    if len(new.tensor) != len(old.tensor):
        return ""
    return _with_slots(text.replace(shape[2], new.tensor[1:], 1), old, new)


def _other_base(text: str, one: str, other: str) -> str:
    if text.startswith(one):
        return other + text[len(one) :]
    return re.sub(rf"(?<![A-Za-z\\]){one}(?![A-Za-z])", other, text, count=1)


def _with_slots(text: str, old: Ref, new: Ref) -> str:
    """Put the indices of one element in the place of another's; nothing where that is unclear."""
    shown = [place_text(s, False) for s in new.slots if s is not None]
    had = [s for s in old.slots if s is not None]
    if [s is None for s in new.slots] == [s is None for s in old.slots] or not (shown or had):
        return after_example(text, old, new)
    if had:
        return ""
    if "_" in text:  # the number stands below: W_2 and W_{2,eh}
        return re.sub(r"_\{?(\w+)\}?", rf"_{{\1,{joined(shown)}}}", text, count=1)
    return f"{text}_{braced(joined(shown))}" if shown else text


def joined(slots: list[str]) -> str:
    """Return the indices of a script, parted by commas where one is longer than a letter."""
    return ("," if any(len(slot) > 1 for slot in slots) else "").join(slots)


def place_text(at: At, plain: bool) -> str:
    """Return an index; a lookup is a word or has its own indices."""
    part = at.parts[0][0] if len(at.parts) == 1 and not at.letters else None
    if part is None or part.kind != "lookup":
        return str(at)
    if not part.inner:
        return part.name
    inner = ",".join(map(str, part.inner))
    return f"{part.name}[{inner}]" if plain else f"{part.name}_{braced(inner)}"


def braced(text: str) -> str:
    """Return a script, in braces unless it is one character."""
    return text if len(text) == 1 else f"{{{text}}}"


def _plain_latex(ref: Ref, pen: Pen) -> str:
    name = ref.tensor.replace("{}", "")
    match = re.fullmatch(r"([A-Za-z]+?)_?(\d+)", name)
    base = match[1] if match else name
    upper = f"^{{({match[2]})}}" if match and ref.slots else ""
    if match and not ref.slots:  # a number is told apart below: w_7
        base = f"{match[1]}_{braced(match[2])}"
    if match and "_" in name:
        upper = ""
        base = name.replace("_", "_{", 1) + "}"
    low = base.lower()
    accent = next((a for a in ACCENTS if low.endswith(a) and len(base) > len(a)), "")
    if accent:
        inner = base[: -len(accent)].rstrip("_")
        inner = "\\" + inner if inner in GREEK else inner
        base = rf"\{ACCENTS[accent]}{{{inner}}}"
    elif base in GREEK:
        base = "\\" + base
    elif re.fullmatch(r"[A-Za-z]+_[A-Za-z0-9]+", base):
        head, _, tail = base.partition("_")
        base = f"{head}_{braced(tail)}"
    if ref.member is not None:
        upper = f"^{braced(str(ref.member))}"
    slots = joined([place_text(slot, False) for slot in ref.slots if slot is not None])
    if slots and "_" in base:
        head, _, tail = base.partition("_")
        tail = tail.strip("{}")
        return f"{head}{upper}_{{{tail},{slots}}}"
    return base + upper + (f"_{braced(slots)}" if slots else "")
