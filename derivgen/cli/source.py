"""From the ``NET`` of a command line to a network: a path, ``-``, a shipped name or equations."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from pathlib import Path

from derivgen import gallery
from derivgen.api import Net
from derivgen.cli.console import read_text
from derivgen.errors import FileProblem, NameProblem, UsageProblem


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
    from derivgen.language import parse, parse_equations

    if (net is None) == (equations is None):
        raise UsageProblem(
            "NET",
            "Name one network: a .dg file, - for standard input, a shipped name or --equations.",
            "derivgen list shows the shipped ones.",
        )
    if equations is not None:
        return Source(Net(parse_equations(equations)), equations)
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
