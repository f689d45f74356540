r"""The forward equations of a note: what stands on the left of a formula without derivatives.

The loss loses what only says whose it is: its arguments, its sample, ``\frac1m\sum_i`` around the
loss of one sample. Invariant: a formula that claims a derivative, or uses one, defines nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from derivgen.formulas import tree
from derivgen.formulas.conventions import LAYER_LETTERS
from derivgen.formulas.cursor import Vocabulary
from derivgen.formulas.parser import parse
from derivgen.formulas.scripts import atoms, plain_text, unwrapped
from derivgen.formulas.symbols import BATCH_SIZES, LOSS_NAMES
from derivgen.formulas.tree import FormulaError, Name, Token, Tree
from derivgen.verify.claims import has_slopes, is_claim, names_of
from derivgen.verify.forward.book import TARGETS
from derivgen.verify.forward.letters import letters_of
from derivgen.verify.forward.writer import PARAMETERS
from derivgen.verify.scanner import scan

MAX_BLOCKS = 400
WORDS = ("f", "g", "phi", "sigma", "act", "h")


@dataclass(frozen=True)
class Definition:
    """``name = right``; a function has its argument, ``phi(z) = ...``."""

    name: Name
    right: Tree
    loss: bool = False
    argument: str = ""


@dataclass(frozen=True)
class Note:
    """What a note defines, in order, and the members of all its formulas."""

    definitions: list[Definition]
    members: list[Tree]
    one_hot: bool = False  # the targets sum to one

    @property
    def functions(self) -> list[Definition]:
        return [definition for definition in self.definitions if definition.argument]

    @property
    def values(self) -> list[Definition]:
        return [definition for definition in self.definitions if not definition.argument]

    def of_one_sample(self) -> Note:
        """Return the note for one sample: its letter above names, and its sum, are dropped."""
        letters = _sample_letters(self)
        found = [_of_one_sample(definition, letters) for definition in self.definitions]
        members = [_mapped(m, lambda name: _dropped(name, letters)) for m in self.members]
        single = replace(self, definitions=found, members=members)
        return single._in_small_letters()

    def _in_small_letters(self) -> Note:
        """Write one sample small where the note does too: ``a^{[2](i)}`` beside ``A^{[2]}``."""
        read = {n.base for d in self.definitions for n in names_of(d.right)}
        made = {d.name.base for d in self.definitions if not d.loss}
        both = {b for b in made if len(b) == 1 and b.isupper() and b.lower() in read - made}
        if not both:
            return self
        both |= {"X", "Y", "Z", "H"} & (made | read)

        def small(name: Name) -> Name:
            return replace(name, base=name.base.lower()) if name.base in both else name

        found = [
            replace(d, name=small(d.name), right=_mapped(d.right, small)) for d in self.definitions
        ]
        return replace(self, definitions=found, members=[_mapped(m, small) for m in self.members])


def note_of(text: str) -> Note:
    """Return what a note defines."""
    notes = scan(text)
    found: list[Definition] = []
    members: list[Tree] = []
    summed = False
    for block in notes.blocks[:MAX_BLOCKS]:
        try:
            chains = parse(block.text, Vocabulary(), notes.macros)
        except (FormulaError, RecursionError):
            continue
        for chain in chains:
            members += chain.members
            summed |= _says_one(chain)
            if (is_claim(chain) or _adds_names(chain)) and not has_slopes(chain):
                found += _of_chain(chain)
    told = _told_functions(text, found)
    return Note(found + told, members, summed or bool(_ONE_HOT.search(text)))


def _says_one(chain: tree.Chain) -> bool:
    r"""Tell whether a note says ``\sum_k y_k = 1`` of its targets."""
    left, right = chain.members[0], chain.members[-1]
    if not isinstance(left, tree.Big) or left.op != "sum" or chain.relations != ("=",):
        return False
    one = isinstance(right, tree.Literal) and right.value == 1
    return one and isinstance(left.body, Name) and left.body.base in TARGETS


def _adds_names(chain: tree.Chain) -> bool:
    """Tell ``J = L + s`` and ``e = y - t`` from mere conditions such as ``l = L - 1``."""
    left, *rest = chain.members
    right = rest[0] if rest else None
    if not isinstance(left, Name) or not isinstance(right, tree.Sum) or chain.relations[0] != "=":
        return False
    names = all(isinstance(term, Name) for term in right.terms)
    return left.base not in LAYER_LETTERS and names and len(right.terms) > 1


_ONE_HOT = re.compile(r"one-?\s?hot|独热", re.I)


def _of_chain(chain: tree.Chain) -> Iterator[Definition]:
    """Yield a definition for each name of a chain that stands before an equals sign."""
    for left, right, relation in zip(chain.members, chain.members[1:], chain.relations):
        if relation != "=":
            return
        definition = _definition(left, right)
        if definition is not None:
            yield definition


def _definition(left: Tree, right: Tree) -> Definition | None:
    argument = ""
    if isinstance(left, tree.Product) and len(left.factors) == 2 and left.operators == ("",):
        left, group = left.factors
        if not isinstance(left, Name) or not isinstance(group, tree.Group):
            return None
        if plain_text(left.sub) in PARAMETERS:  # h_theta(x)
            left = replace(left, sub=())
        elif not is_loss(left) and not left.sub:
            argument = _single(group)
            if not argument or left.base not in (*WORDS, "varphi", "psi"):
                return None
    if not isinstance(left, Name) or left.primes or left.base in ("delta", "Delta", "nabla", "eta"):
        return None
    again = (left.base, plain_text(left.sub), plain_text(left.sup))
    if again[2] in ("+", "new", "*") or any(
        (n.base, plain_text(n.sub), plain_text(n.sup)) == again for n in names_of(right)
    ):
        return None  # a step of training
    return Definition(left, right, is_loss(left) and not argument, argument)


def _single(group: tree.Group) -> str:
    item = group.items[0] if len(group.items) == 1 else None
    plain = isinstance(item, Name) and not item.sub and not item.sup
    return item.base if isinstance(item, Name) and plain else ""


def is_loss(name: Name) -> bool:
    """Tell whether a name is that of a loss, of one sample or of all."""
    return name.base in LOSS_NAMES and len(atoms(name.sub)) + len(atoms(name.sup)) <= 6


# --- samples -------------------------------------------------------------------------------------


def _sample_letters(note: Note) -> tuple[str, ...]:
    """Return the letters by which losses of one sample are told apart; times are not meant."""
    times = letters_of(note.members).times
    letters: dict[str, None] = {}
    for name in [definition.name for definition in note.definitions if definition.loss]:
        scripts = (*atoms(name.sub), *atoms(name.sup))
        if len(scripts) == 1 and len(scripts[0].text) == 1 and scripts[0].text not in times:
            letters[scripts[0].text] = None
    return tuple(letters)


def _of_one_sample(definition: Definition, letters: tuple[str, ...]) -> Definition:
    right = definition.right
    if definition.loss:
        right = mean_body(right) or right
    return replace(
        definition,
        name=_dropped(definition.name, letters, definition.loss),
        right=_mapped(right, lambda name: _dropped(name, letters)),
    )


def _dropped(name: Name, letters: tuple[str, ...], loss: bool = False) -> Name:
    """Drop the letter of a sample above a name, bare or in brackets; of a loss also below it."""
    if loss and plain_text(name.sub) in letters:
        return replace(name, sub=())
    above = atoms(name.sup)
    if not above:
        return name
    last = above[-1]
    of_sample = last.text in letters or (last.text == "i" and last.bracketed)
    if not of_sample or len(above) > 1 and not last.grouped:
        return name
    return replace(name, sup=() if len(above) == 1 else _without_last(name.sup))


def _without_last(script: tuple[Token, ...]) -> tuple[Token, ...]:
    """Drop the last bracket of a script of brackets, ``[2](i)``."""
    inner, _ = unwrapped(script)
    places = [place for place, token in enumerate(inner) if token.text in ("(", "[")]
    return inner[: places[-1]]


def _mapped(node: Any, change: Any) -> Any:
    if isinstance(node, Name):
        return change(node)
    changes: dict[str, Any] = {}
    for key, value in vars(node).items():
        if isinstance(value, tuple):
            new: Any = tuple(_mapped_part(part, change) for part in value)
        else:
            new = _mapped_part(value, change)
        if new != value:
            changes[key] = new
    return replace(node, **changes) if changes else node


def _mapped_part(part: Any, change: Any) -> Any:
    if isinstance(part, tuple):
        return tuple(_mapped_part(inner, change) for inner in part)
    plain = isinstance(part, tree.Token) or not hasattr(part, "span")
    return part if plain else _mapped(part, change)


def mean_body(node: Tree) -> Tree | None:
    r"""Return the loss of one sample of ``-\frac{1}{2m} \sum_i (...)``, or nothing."""
    if isinstance(node, tree.Sum) and len(node.terms) == 1:
        inner = mean_body(node.terms[0])
        return None if inner is None else replace(node, terms=(inner,))
    if not isinstance(node, tree.Product) or len(node.factors) < 2:
        return None
    *front, last = node.factors
    if not isinstance(last, tree.Big) or last.op != "sum" or "/" in node.operators:
        return None
    for place, factor in enumerate(front):
        kept = _without_size(factor)
        if kept is not None:
            front[place] = kept
            body = tree.Group((last.body,), "(", last.span)
            return replace(node, factors=(*front, body))
    return None


def _without_size(node: Tree) -> Tree | None:
    r"""Return ``\frac12`` of ``\frac{1}{2m}``, or nothing where no number of samples divides."""
    if not isinstance(node, tree.Fraction2):
        return None
    below = node.bottom.factors if isinstance(node.bottom, tree.Product) else (node.bottom,)
    rest = [f for f in below if not (isinstance(f, Name) and f.base in BATCH_SIZES and not f.sub)]
    if len(rest) == len(below):
        return None
    if not rest:
        return node.top
    bottom = (
        rest[0] if len(rest) == 1 else tree.Product(tuple(rest), ("",) * (len(rest) - 1), node.span)
    )
    return replace(node, bottom=bottom)


# --- functions that words or slopes tell ---------------------------------------------------------


def _told_functions(text: str, found: list[Definition]) -> list[Definition]:
    """Take f for the sigmoid where the note says so: in words beside it, or by its slope."""
    named = {d.name.base for d in found if d.argument}
    made: list[Definition] = []
    for base in dict.fromkeys(n.base for d in found for n in names_of(d.right)):
        if base not in WORDS or base in named:
            continue
        sign = rf"\\?{re.escape(base)}"
        again = r"\s*(?:\([^()=]{1,30}\))?\s*"
        slope = rf"{sign}'{again}={again[:3]}{sign}{again}(?:\\cdot\s*)?\(\s*1\s*-"
        words = rf"\${sign}(?:\([a-z]\))?\$[^$\n]{{0,40}}(?:[Ss]igmoid|logistic)"
        if re.search(slope, text) or re.search(words, text):
            name = Name(base, (), (), 0, (0, 0))
            made.append(Definition(name, Name("sigmoid", (), (), 0, (0, 0)), argument="z"))
    return made
