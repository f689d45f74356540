r"""Chances: ``P(y = k \mid x)`` is the output at k, ``p(y_i | x_i)`` the output at its label.

Invariant: only the chance of the network's target is an output; any other one is an error.
"""

from __future__ import annotations

from derivgen.formulas import tree
from derivgen.formulas.classes import class_index
from derivgen.formulas.meanings import name
from derivgen.formulas.reader import Reader
from derivgen.formulas.scripts import plain_text, split_at, unwrapped
from derivgen.formulas.symbols import Symbols
from derivgen.formulas.terms import Term
from derivgen.formulas.tokens import RELATIONS
from derivgen.formulas.tree import FormulaError, Name, Span, Token, Tree

CHANCES = ("p", "P", "Pr", "prob", "Prob", "mathbbP")
TARGETS = ("y", "Y", "t", "T", "C", "c", "k", "label")


def chance(node: Name, following: Tree | None, reader: Reader) -> Term | None:
    """Return the output that a chance names, or nothing where a name is no chance.

    Raises: FormulaError, for the chance of something else under a condition.
    """
    if node.base not in CHANCES or node.sup or node.primes:
        return None
    span = (node.span[0], following.span[1] if following is not None else node.span[1])
    if isinstance(following, tree.Indicator):
        return _of_value(following, span, reader)
    if not isinstance(following, tree.Group) or following.bracket != "(|":
        return None
    first = following.items[0]
    if isinstance(first, Name) and _is_label(first, reader.symbols):
        below = (Token("name", first.base, first.span), *_script("_", first.sub, first.span))
        return _output(below, (), span, reader)
    if isinstance(first, Name) and (below := class_index(first, reader)):
        return _output(below, (), span, reader)
    raise FormulaError("p( | )", "This chance is no output of the network.", "Leave it out.", span)


def _of_value(given: tree.Indicator, span: Span, reader: Reader) -> Term | None:
    event = split_at(split_at(given.tokens, "|")[0], ";")[0]
    places = [n for n, token in enumerate(event) if token.kind == "relation"]
    if len(places) != 1 or RELATIONS[event[places[0]].text] != "=":
        return None
    left, right = event[: places[0]], event[places[0] + 1 :]
    if not left or not right or not _is_target(left[0].text.lstrip("\\"), reader.symbols):
        return None
    above = tuple(left[1:])
    output = reader.symbols.roles.get("yhat", "")
    rank = len(reader.symbols.tensors[output].axes) if output else 0
    batch = reader.symbols.network is not None and reader.symbols.network.batch is not None
    if rank - batch > 0:
        return _output(right, _numbers(above), span, reader)
    text = plain_text(right)
    if text not in ("0", "1"):
        return None
    found = _output((), _numbers(above), span, reader)
    one = Term("number", (), (1, "1"), span)
    return found if text == "1" else Term("add", (one, Term("negate", (found,), None)), None, span)


def _numbers(tokens: tuple[Token, ...]) -> tuple[Token, ...]:
    """Return the number of the sample that stands on the target."""
    inner, _ = unwrapped(tokens[1:])
    return inner


def _output(
    below: tuple[Token, ...], sample: tuple[Token, ...], span: Span, reader: Reader
) -> Term:
    above: tuple[Token, ...] = ()
    if sample:
        marks = [Token(mark, mark, span) for mark in "()"]
        above = (marks[0], *sample, marks[1])
    return name(Name("yhat", tuple(below), above, 0, span), reader)


def _is_target(text: str, symbols: Symbols) -> bool:
    return text in (*TARGETS, symbols.roles.get("y", ""), symbols.roles.get("t", ""))


def _is_label(node: Name, symbols: Symbols) -> bool:
    tensor = symbols.tensors.get(symbols.roles.get(node.base, node.base))
    return tensor is not None and tensor.values_of is not None


def _script(mark: str, tokens: tuple[Token, ...], span: Span) -> tuple[Token, ...]:
    if not tokens:
        return ()
    return (Token(mark, mark, span), Token("{", "{", span), *tokens, Token("}", "}", span))
