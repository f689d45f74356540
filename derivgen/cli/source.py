"""From the ``NET`` of a command line to a network: a path, ``-``, a shipped name or equations."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from pathlib import Path

from derivgen import gallery
from derivgen.api import Net
from derivgen.cli.console import read_text
from derivgen.errors import DerivgenError, FileProblem, NameProblem


class UsageProblem(DerivgenError):
    """The command line does not say what to do."""


@dataclass(frozen=True)
class Source:
    """A network with the text it was read from and, for a shipped one, its gallery entry."""

    net: Net
    text: str
    entry: gallery.Entry | None = None


def read_source(net: str | None, equations: str | None = None) -> Source:
    """Return the network that ``NET`` or ``--equations`` names.

    Raises: UsageProblem, if there is not exactly one of them; FileProblem; any error in the text.
    """
    from derivgen.language import parse

    if (net is None) == (equations is None):
        raise UsageProblem(
            "NET",
            "Name one network: a .dg file, - for standard input, a shipped name or --equations.",
            "derivgen list shows the shipped ones.",
        )
    if equations is not None:
        text = equations_text(equations)
        return Source(Net(parse(text, "<equations>")), text)
    assert net is not None, "one of the two is given"
    entry = None if Path(net).is_file() else gallery.entry(net)
    text = entry.text if entry else _read(net)
    name = f"{net}.dg" if entry else "<stdin>" if net == "-" else net
    return Source(Net(parse(text, name)), text, entry)


def _read(net: str) -> str:
    if net == "-" or Path(net).is_file():
        return read_text(Path(net))
    if Path(net).is_dir():
        raise FileProblem(net, "It is a folder.", "Name a .dg file in it.")
    if "/" in net or net.endswith(".dg"):
        raise FileProblem(net, "There is no such file.", "derivgen new NAME writes a starter file.")
    near = difflib.get_close_matches(net, gallery.names(), 1)
    raise NameProblem(
        net,
        "It is neither a file nor a shipped network.",
        f"Did you mean {near[0]}?" if near else "derivgen list shows the shipped networks.",
    )


_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_VALUE = re.compile(r"\s*([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(-?[0-9.]+(?:[eE][+-]?[0-9]+)?)\s*")


def equations_text(equations: str) -> str:
    """Return the text of a network made of scalar equations separated by ``;``.

    Letters that no equation defines become parameters (``a = 5`` gives one its value); the last
    equation is the loss.
    """
    parts = [part.strip() for part in re.split(r"[;\n]", equations) if part.strip()]
    values = {m[1]: m[2] for part in parts[:-1] if (m := _VALUE.fullmatch(part))}
    parts = [p for p in parts if not ((m := _VALUE.fullmatch(p)) and m[1] in values)]
    if not parts or "=" not in parts[-1]:
        raise UsageProblem(
            equations, "There is no equation.", "Write NAME = FORMULA, such as 'J = 3*(a + b*c)'."
        )
    defined = [part.split("=", 1)[0].strip() for part in parts]
    letters = [*values, *_letters(parts)]
    params = [name for name in dict.fromkeys(letters) if name not in defined]
    lines = ["network equations"]
    lines += [f"param {p} = {values[p]}" if p in values else f"param {p}" for p in params]
    return "\n".join([*lines, *parts[:-1], f"loss {parts[-1]}"]) + "\n"


def _letters(parts: list[str]) -> list[str]:
    """Return the names in the formulas that are not functions, in order of appearance."""
    found: list[str] = []
    for part in parts:
        formula = re.sub(r"[0-9.]+[eE][+-]?[0-9]+", "0", part.split("=", 1)[1])
        for match in _NAME.finditer(formula):
            called = formula[match.end() :].lstrip().startswith(("(", "["))
            if not called and match[0] not in ("pi", "and", "or", "not"):
                found.append(match[0])
    return found
