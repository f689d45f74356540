"""The arguments and options that several commands share."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from derivgen import api
from derivgen.errors import NameProblem, UsageProblem

Net = Annotated[
    str | None,
    typer.Argument(
        metavar="NET", help="A .dg file, - for standard input, or the name of a shipped network."
    ),
]
Equations = Annotated[
    str | None,
    typer.Option(help="Equations in place of NET, separated by ;  such as 'J = 3*(a + b*c)'."),
]
Out = Annotated[
    str | None, typer.Option("-o", "--out", help="The file or folder to write; - is stdout.")
]
Force = Annotated[bool, typer.Option("--force", help="Overwrite files that exist.")]
Wrt = Annotated[
    list[str] | None,
    typer.Option(help="Differentiate by these only: names, separated by commas or repeated."),
]
Seed = Annotated[int, typer.Option(help="Seed of the random values.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
Lang = Annotated[str, typer.Option(help="The language of the messages: en or zh.")]
Values = Annotated[
    Path | None,
    typer.Option(help='A JSON file {"dims": .., "params": .., "inputs": ..}; - is standard input.'),
]


Sizes = Annotated[
    list[str] | None,
    typer.Option("--dim", metavar="NAME=N", help="A size, by its letter; repeatable."),
]


def known_language(lang: str) -> None:
    """Raises: UsageProblem, for a language that has no messages."""
    if lang not in ("en", "zh"):
        raise UsageProblem(lang, "There are no messages in that language.", "Write en or zh.")


def sizes(given: list[str] | None, net: api.Net) -> dict[str, int]:
    """Return the sizes of a network that ``--dim NAME=N`` gives.

    Raises: UsageProblem, for anything else; NameProblem, for a letter that is no size.
    """
    letters = [dim.name for dim in net.network.dims]
    found: dict[str, int] = {}
    for part in given or ():
        name, _, number = part.partition("=")
        if not (name.strip() and number.strip().isdecimal() and int(number)):
            raise UsageProblem(part, "It gives no size.", "Write --dim T=5.")
        if name.strip() not in letters:
            known = f"The sizes are: {', '.join(letters) or 'none'}."
            raise NameProblem(name.strip(), "The network has no size of this name.", known)
        found[name.strip()] = int(number)
    return found


class Engine(StrEnum):
    """Who computes: the interpreter or an emitted program."""

    INTERPRETER = "interpreter"
    NUMPY = "numpy"
    CPP = "cpp"


class Engines(StrEnum):
    """Who is checked."""

    ALL = "all"
    INTERPRETER = "interpreter"
    NUMPY = "numpy"
    CPP = "cpp"


class Language(StrEnum):
    """The programming language of an emitted program."""

    NUMPY = "numpy"
    CPP = "cpp"


class Dtype(StrEnum):
    """The precision of an emitted program."""

    FLOAT32 = "float32"
    FLOAT64 = "float64"


def names(given: list[str] | None) -> tuple[str, ...] | None:
    """Return the names of a repeatable option that also takes commas; ``None`` if not given."""
    if not given:
        return None
    return tuple(name.strip() for part in given for name in part.split(",") if name.strip())
