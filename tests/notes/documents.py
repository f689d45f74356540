"""What the tests of the notes share: networks, their documents, and the formulas in Markdown."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from derivgen.calculus.derivation import Derivation
from derivgen.calculus.engine import derive
from derivgen.language import parse
from derivgen.notes import render
from tests.forms.nets import NETS

GALLERY = Path(__file__).resolve().parents[2] / "derivgen" / "gallery"
SHIPPED = {path.stem: path.read_text(encoding="utf-8") for path in sorted(GALLERY.glob("*.dg"))}
ALL = {**SHIPPED, **{f"test {name}": text for name, text in NETS.items()}}


@cache
def derived(name: str) -> Derivation:
    """Return the derivation of a shipped network or of one of the tests."""
    return derive(parse(ALL[name]))


@cache
def notes(name: str, to: str, style: str = "textbook", lang: str = "en") -> str:
    """Return the notes of a network."""
    return render(derived(name), to, style=style, lang=lang)


def displays(markdown: str) -> list[str]:
    """Return the displayed formulas of Markdown notes."""
    return [part.strip() for part in re.findall(r"^\$\$\n(.*?)\n\$\$", markdown, re.M | re.S)]


def inlines(markdown: str) -> list[str]:
    """Return the formulas within lines of Markdown notes."""
    rest = re.sub(r"^\$\$\n.*?\n\$\$", "", markdown, flags=re.M | re.S)
    return re.findall(r"\$([^$\n]+)\$", rest)


def deep(layers: int) -> str:
    """Return the text of a network with that many dense layers."""
    lines = ["network deep", "input x[20]", "target y[3] onehot"]
    before = "x"
    for number in range(1, layers):
        lines.append(f"h{number} = dense({before}, 30, tanh)")
        before = f"h{number}"
    lines += [f"yhat = dense({before}, 3, softmax)", "loss E = cross_entropy(yhat, y)"]
    return "\n".join(lines) + "\n"
