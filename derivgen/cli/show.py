"""``derivgen list``, ``show`` and ``new``: what there is to build with, and a file to begin in."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Annotated

import typer

from derivgen import gallery
from derivgen.cli import options
from derivgen.cli.console import place_for, say, show, write_files
from derivgen.errors import NameProblem

STARTER = """\
# A starter file: change it, then try
#   derivgen derive {name}.dg          the derivation
#   derivgen check {name}.dg           every gradient against finite differences
#   derivgen train {name}.dg --data FILE.csv
# derivgen show language explains every line; derivgen list shows activations, layers and losses.
network {name}

dim D = 4, H = 8, K = 3              # a letter in formulas, a number in code
index d: D, h: H, k: K               # index letters and their ranges, from 0

input  x[d]                          # one sample; the tool adds the samples
target y[k] onehot                   # a class label, as a one-hot vector

param  V[h,d] = glorot, c[h] = 0     # what is learnt, and how it starts
param  W[k,h] = glorot, b[k] = 0

z[h]    = sum[d](V[h,d]*x[d]) + c[h]
a[h]    = tanh(z[h])
u[k]    = sum[h](W[k,h]*a[h]) + b[k]
yhat[k] = softmax[k](u[k])

loss E = -sum[k](y[k]*log(yhat[k]))

# The same with library layers would be:
#   a    = dense(x, 8, tanh)
#   yhat = dense(a, 3, softmax)
#   loss E = cross_entropy(yhat, y)

train with adam(lr = 0.01), epochs 50, batch 16
"""


def list_names() -> None:
    """List the shipped networks and the library: activations, layers, losses and the rest."""
    from derivgen.language import catalogue

    show("networks")
    for name in gallery.names():
        entry = gallery.entry(name)
        assert entry is not None, "a listed name has an entry"
        show(f"  {name:<14} {entry.summary}")
    for kind, rows in catalogue().items():
        show(f"\n{kind}")
        for row in rows:
            show(f"  {row.summary}")
    show("\nlanguage: the reference of the language; styles: the notations of derive --style")


def show_name(
    name: Annotated[
        str,
        typer.Argument(metavar="NAME", help="A network, a library row, language, or styles."),
    ],
) -> None:
    """Print a shipped network, a library row, the reference of the language, or the styles."""
    from derivgen.language import catalogue, reference

    if name == "language":
        show(reference())
        return
    if name == "styles":
        from derivgen.forms.style import STYLES

        show("\n".join(f"{style.name:<12} {style.about}" for style in STYLES.values()))
        return
    texts = {row.name: row.text for rows in catalogue().values() for row in rows}
    texts |= {e.name: e.text for n in gallery.names() if (e := gallery.entry(n))}
    if name not in texts:
        near = difflib.get_close_matches(name, texts, 1)
        advice = f"Did you mean {near[0]}?" if near else "derivgen list shows them all."
        raise NameProblem(name, "It is neither a shipped network nor a library row.", advice)
    show(texts[name])


def new(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The network's name.")],
    out: options.Out = None,
    force: options.Force = False,
) -> None:
    """Write a commented starter file, NAME.dg."""
    stem = name.removesuffix(".dg")
    if not (stem.isascii() and stem.isidentifier()):
        raise NameProblem(name, "It is not a name.", "Use letters, digits and _, a letter first.")
    path = place_for(out, f"{stem}.dg") if out else Path(f"{stem}.dg")
    write_files({path: STARTER.format(name=stem)}, force)
    say(f"next: derivgen derive {path}")
