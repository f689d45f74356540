r"""What a tensor is called on paper: ``alpha`` is a Greek letter, ``yhat`` wears a hat.

A name on paper has a base letter, at most one accent, a layer label and a tag: ``W_h`` with the
LaTeX name ``W^{(1)}`` has layer ``1``; ``net_o1`` has tag ``o1``. A style decides where they go.
Invariant: a user's LaTeX name is read by the small reader here; it never reaches a printer raw.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from derivgen.forms.math import GREEK, Accent, Fenced, Math, Op, Row, Scripts, Sym, row

_ACCENTED = re.compile(r"([A-Za-z]|" + "|".join(GREEK) + r")_?(hat|bar|tilde)(?=_|\d|$)(.*)")
_NUMBERED = re.compile(r"([A-Za-z]|" + "|".join(GREEK) + r")(\d+)")
_LATEX = re.compile(
    r"\\(?P<accent>hat|bar|tilde|mathbf|boldsymbol|mathrm|mathit|mathcal)\{(?P<inner>[^{}]*)\}"
    r"|\\(?P<macro>[A-Za-z]+)|(?P<letters>[A-Za-z]+)"
)
_SCRIPT = re.compile(r"\s*([_^])(?:\{([^{}]*)\}|(\\[A-Za-z]+|[A-Za-z0-9]))")


@dataclass(frozen=True)
class PaperName:
    """A name in parts; ``layer`` and ``tag`` are texts such as ``1``, ``l-1`` and ``o1``."""

    base: str
    accent: str = ""
    layer: str = ""
    tag: str = ""
    font: str = "italic"
    raised: bool = False  # the tag stands above, where below it would look like an index


def paper_name(name: str, latex: str | None = None) -> PaperName:
    """Return the parts of a tensor's name, read from its LaTeX name if it has one."""
    if latex is not None and (found := _from_latex(latex)) is not None:
        return found
    if found_accent := _ACCENTED.fullmatch(name):
        base, accent, rest = found_accent.groups()
        return PaperName(base, accent, tag=rest.strip("_").replace("_", ","))
    if found_number := _NUMBERED.fullmatch(name):
        return PaperName(found_number[1], tag=found_number[2])
    base, _, tag = name.partition("_")
    if base and tag and not tag.startswith("_"):
        inner = paper_name(base)
        return replace(inner, tag=",".join(t for t in (inner.tag, *tag.split("_")) if t))
    return PaperName(name)


def _from_latex(text: str) -> PaperName | None:
    """Read ``\\hat{y}``, ``W^{(1)}``, ``\\alpha_h``; anything else is ``None``."""
    head = _LATEX.match(text.strip())
    if head is None:
        return None
    name = _head(head)
    if name is None:
        return None
    rest = text.strip()[head.end() :]
    while rest:
        script = _SCRIPT.match(rest)
        if script is None:
            return None
        content = (script[2] if script[2] is not None else script[3]).strip().lstrip("\\")
        bracketed = re.fullmatch(r"[(\[](.*)[)\]]", content)
        if script[1] == "^":
            name = replace(name, layer=bracketed[1] if bracketed else content)
        else:
            name = replace(name, tag=content)
        rest = rest[script.end() :].strip()
    return name


def _head(found: re.Match[str]) -> PaperName | None:
    if found["macro"] is not None:
        known = found["macro"] in GREEK or found["macro"] == "ell"
        return PaperName(found["macro"]) if known else None
    if found["accent"] is None:
        return PaperName(found["letters"])
    inner = found["inner"].strip().lstrip("\\")
    if found["accent"] in ("hat", "bar", "tilde"):
        return PaperName(inner, found["accent"])
    font = {"mathbf": "bold", "boldsymbol": "bold", "mathcal": "script", "mathrm": "upright"}
    return PaperName(inner, font=font.get(found["accent"], "italic"))


LAYER = "l"


def counted_from(name: PaperName, origin: int) -> PaperName:
    """Return a name whose numbered layer is counted from ``origin``: ``l``, ``l-1``, ``l+1``."""
    if not name.layer.isdigit():
        return name
    ahead = int(name.layer) - origin
    return replace(name, layer=LAYER + (f"{ahead:+d}" if ahead else ""))


def layer_text(name: PaperName) -> str:
    """Return a layer's name in plain text: ``W(l)``."""
    return f"{name.base}{name.accent}({name.layer})"


def base_math(name: PaperName, bold: bool) -> Math:
    """Return the letter with its accent."""
    letter = Sym(name.base, "bold" if bold else name.font)
    return Accent(name.accent, letter) if name.accent else letter


def layered(name: PaperName) -> PaperName:
    """Return a name whose bare number is a layer's, as beside indices: the 1 of ``W1[h,d]``."""
    return replace(name, layer=name.tag, tag="") if name.tag.isdigit() and not name.layer else name


def distinct(names: Mapping[str, PaperName], ranks: Mapping[str, int]) -> dict[str, PaperName]:
    """Return names in which no two tensors look alike, nor one like an entry of another.

    The number of ``h0`` beside an ``h`` of one more axis is raised: its entries would be h_{0,j}.
    """
    axes = {paper: ranks[name] for name, paper in names.items()}
    seen: dict[PaperName, str] = {}
    result: dict[str, PaperName] = {}
    for name, paper in names.items():
        bare = axes.get(replace(paper, tag=""), 0)
        if paper.tag.isdigit() and bare == ranks[name] + 1:
            paper = replace(paper, raised=True)
        if paper in seen:
            paper = PaperName(name)
        seen[paper] = name
        result[name] = paper
    return result


def label_math(text: str) -> Math:
    """Return a label such as ``l-1``, ``o1``, ``h`` or ``yhat`` as it stands in a script."""
    if found := _ACCENTED.fullmatch(text):
        return Accent(found[2], Sym(found[1]))
    parts: list[Math] = []
    for piece in re.findall(r"[A-Za-z]+\d*|\d+|[-+,]", text):
        parts.append(Op(piece) if piece in "-+," else Sym(piece))
    return row(*parts) if parts else Sym(text)


def label_pattern(pattern: str, label: Math) -> Math:
    """Return ``label`` framed by a style's pattern, ``({})`` or ``[{}]``."""
    before, _, after = pattern.partition("{}")
    if before == "(" and after == ")":
        from_fence = "("
    elif before == "[" and after == "]":
        from_fence = "["
    else:
        return label
    return Fenced(from_fence, label)


def with_scripts(base: Math, sub: list[Math], sup: list[Math]) -> Math:
    """Return ``base`` with its scripts, if there are any."""
    if not sub and not sup:
        return base
    return Scripts(base, row(*sub) if sub else None, row(*sup) if sup else None)


def is_word(math: Math) -> bool:
    """Tell whether an index is longer than one letter or digit, so that commas must part it."""
    if isinstance(math, Row):
        return True
    if isinstance(math, Sym) and math.font == "slot":
        return False
    return isinstance(math, Sym) and len(math.text) > 1 and math.text not in GREEK
