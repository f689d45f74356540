r"""Scripts that name a class: y of ``s_y``, y_i of ``w_{y_i}``, an input that holds an index.

Invariant: a letter that a sum binds is a letter, whatever tensor is called so.
"""

from __future__ import annotations

from dataclasses import replace

from derivgen.formulas.fit import Letters
from derivgen.formulas.repair import argument_end
from derivgen.formulas.scripts import Atom, atoms, index_expression, plain_text
from derivgen.formulas.symbols import Symbols
from derivgen.formulas.terms import At, Part
from derivgen.formulas.tree import Token


def holds_index(text: str, symbols: Symbols) -> bool:
    """Tell whether a name is a number of the network that holds an index."""
    tensor = symbols.tensors.get(text)
    return tensor is not None and tensor.values_of is not None and not tensor.axes


def label_of(text: str, symbols: Symbols) -> str:
    """Return the index-valued tensor that a name stands for, by itself or by custom, or nothing."""
    for meant in (symbols.guess.get("@" + text, text), symbols.roles.get(text, "")):
        tensor = symbols.tensors.get(meant)
        if tensor is not None and tensor.values_of is not None:
            return meant
    return ""


def script_atoms(tokens: tuple[Token, ...], symbols: Symbols, letters: Letters) -> tuple[Atom, ...]:
    """Return the atoms of a script, the names of labels read as the index they hold."""
    found, joined = _joined(tokens, symbols, letters)
    return tuple(
        replace(atom, at=joined[atom.text]) if atom.text in joined else atom
        for atom in atoms(found)
    )


def label_index(
    tokens: tuple[Token, ...], symbols: Symbols, letters: Letters | None = None
) -> At | None:
    """Return an index expression; one that is a label's name alone is the index it holds."""
    found, joined = _joined(tokens, symbols, letters)
    text = plain_text(found)
    return joined[text] if text in joined else index_expression(found)


def _joined(
    tokens: tuple[Token, ...], symbols: Symbols, letters: Letters | None
) -> tuple[tuple[Token, ...], dict[str, At]]:
    """Make one token of each label with its own scripts; return what those tokens stand for."""
    made: list[Token] = []
    known: dict[str, At] = {}
    place = 0
    bound = letters.bound if letters is not None else ()
    while place < len(tokens):
        token = tokens[place]
        text = token.text.lstrip("\\")
        meant = label_of(text, symbols) if text.isalpha() and text not in bound else ""
        place += 1
        if not meant:
            made.append(token)
            continue
        inner, place = _scripts(tokens, place)
        if (at := _lookup(meant, inner, symbols)) is None:
            made.append(token)
            continue
        text += "".join(f"_{plain_text(part)}" for part in inner)
        known[text] = at
        made.append(Token("name", text, token.span))
    return tuple(made), known


def _scripts(tokens: tuple[Token, ...], place: int) -> tuple[list[tuple[Token, ...]], int]:
    """Return the scripts that stand on a label, and the place behind them."""
    found: list[tuple[Token, ...]] = []
    while place < len(tokens) and tokens[place].kind in "_^":
        end = argument_end(list(tokens), place + 1)
        found.append(tokens[place + 1 : end])
        place = end
    return found, place


def _lookup(meant: str, inner: list[tuple[Token, ...]], symbols: Symbols) -> At | None:
    """Return the index that a label holds; the number of its sample says nothing more."""
    tensor = symbols.tensors[meant]
    places = [a.at for part in inner for a in atoms(part) if a.at is not None]
    if tensor.axes and len(places) != len(tensor.axes):
        return None
    slots = tuple(places) if tensor.axes else ()
    return At((), 0, False, ((Part("lookup", meant, slots), 1),))
