r"""Which letters of a note are indices, which are labels, and what a quantity is called.

``W_{xh}`` is a name where x and h are quantities, ``w_{ji}`` an element where sums run over i and
j. What a sum runs over anywhere in the note is an index, and so is what is shifted, ``h_{t-1}``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from derivgen.formulas import tree
from derivgen.formulas.conventions import LAYER_LETTERS
from derivgen.formulas.scripts import Atom, atoms, plain_text, split_transpose, unwrapped
from derivgen.formulas.terms import At
from derivgen.formulas.tree import Name, Token, Tree
from derivgen.verify.forward.ranges import NoForm

WORDS = ("total", "tot", "in", "out", "hid", "hidden", "input", "output")
CUSTOMARY = "ijklmnpqrst"  # letters that are indices unless they name a quantity


@dataclass(frozen=True)
class Symbol:
    """A name taken apart: the quantity, its indices, a power, and whether it is transposed."""

    key: str
    indices: tuple[At, ...] = ()
    power: str = ""
    turned: bool = False


@dataclass
class Letters:
    """What the whole note says of its letters."""

    bound: dict[str, None] = field(default_factory=dict)
    times: dict[str, None] = field(default_factory=dict)
    bases: dict[str, None] = field(default_factory=dict)
    limits: dict[str, None] = field(default_factory=dict)  # what sums run up to
    split: frozenset[str] = frozenset()  # names of several parameters, told apart by letters

    def is_index(self, letter: str) -> bool:
        """Tell whether a letter is an index where no sum and no left side says so."""
        if letter in LAYER_LETTERS:
            return False
        if letter in self.times:
            return True
        return letter not in self.bases and (letter in self.bound or letter in CUSTOMARY)

    def is_last(self, letter: str) -> bool:
        """Tell whether a capital is the last time: ``h_T``."""
        return letter.isupper() and letter.lower() in self.times


def letters_of(members: Iterable[Tree]) -> Letters:
    """Read the letters of a note's formulas."""
    found = Letters()
    for member in members:
        for node in nodes(member):
            if isinstance(node, tree.Big):
                found.bound.update(dict.fromkeys(bound_letters(node)))
                if plain_text(node.sup).isalpha():
                    found.limits.setdefault(plain_text(node.sup))
            elif isinstance(node, Name):
                found.bases.setdefault(node.base)
                found.times.update(dict.fromkeys(_shifted(node)))
    return found


def _shifted(name: Name) -> Iterator[str]:
    """Yield the letter of ``t-1``; layers are no times."""
    for atom in (*atoms(name.sub), *atoms(split_transpose(name.sup)[0])):
        if atom.at and atom.at.constant and len(atom.at.letters) == 1:
            letter, factor = atom.at.letters[0]
            if factor == 1 and letter not in LAYER_LETTERS and len(letter) == 1:
                yield letter


def bound_letters(node: tree.Big) -> list[str]:
    r"""Return the letters of ``\sum_{i,j}``, ``\sum_{i=1}^n`` or ``\sum_{i \in B}``, in order."""
    ends = [p for p, t in enumerate(node.sub) if t.kind == "relation" or t.text == r"\in"]
    below = node.sub[: ends[0]] if ends else node.sub
    found = [atom.text for atom in atoms(below)]
    return [letter for letter in found if letter[:1].isalpha()]


def nodes(node: Tree) -> Iterator[Tree]:
    """Yield a tree's nodes, those in scripts left out."""
    yield node
    for value in vars(node).values():
        yield from _inside(value)


def _inside(part: object) -> Iterator[Tree]:
    if isinstance(part, tuple):
        for inner in part:
            yield from _inside(inner)
    elif hasattr(part, "span") and not isinstance(part, Token):
        yield from nodes(part)  # type: ignore[arg-type]


# --- names ---------------------------------------------------------------------------------------


def symbol(name: Name, letters: Letters, is_index: Callable[[str], bool]) -> Symbol:
    """Take a name apart. Raises: NoForm, for scripts that are neither indices nor a name."""
    if name.primes > 1 or name.slots:
        raise NoForm
    above, turned = split_transpose(name.sup)
    power = plain_text(above)
    if power.isdigit() and not unwrapped(above)[1]:
        above = ()
    else:
        power = ""
    key, indices = name.base + "prime" * name.primes, list[At]()
    for script, low in ((name.sub, True), (above, False)):
        label, found = _label_and_indices(script, low, letters, is_index)
        key += label
        indices += found
    in_order = sorted(indices, key=lambda at: not is_time(at, letters))
    if key in letters.split and len(in_order) > 1:
        key += "_" + "".join(map(str, in_order))
    if not key.isidentifier():
        raise NoForm
    return Symbol(key, tuple(in_order), power, turned)


def is_time(at: At, letters: Letters) -> bool:
    """Tell whether an index is a time."""
    return any(letter in letters.times or letters.is_last(letter) for letter, _ in at.letters)


def _label_and_indices(
    script: tuple[Token, ...], low: bool, letters: Letters, is_index: Callable[[str], bool]
) -> tuple[str, list[At]]:
    text = plain_text(script)
    if not text:
        return "", []
    if text in WORDS:
        return f"_{text}", []
    parts = atoms(script)
    numbered = any(c.isdigit() for c in text) and any(c.isalpha() for c in text)
    if numbered and "," not in text and not any(atom.at and atom.at.constant for atom in parts):
        return f"_{text}", []  # net_{h1} is one name
    told = [_told(atom, letters, is_index) for atom in parts]
    whole = "," not in text and any(at is None for at in told) and not parts[0].text.isdigit()
    if whole and not any(atom.at is None or atom.at.constant for atom in parts):
        return f"_{text}", []  # W_{xh}: one letter that is no index makes the rest a label
    label = "".join(atom.text for atom, at in zip(parts, told) if at is None)
    if not label.isalnum() and label:
        raise NoForm
    return ("_" if label[:1].isalpha() else "") + label, [at for at in told if at is not None]


def _told(atom: Atom, letters: Letters, is_index: Callable[[str], bool]) -> At | None:
    """Return an atom as an index, or nothing where it is part of the name."""
    if atom.at is None or not atom.at.letters:
        return None
    if all(is_index(letter) or letters.is_last(letter) for letter, _ in atom.at.letters):
        return atom.at
    layered = any(letter in LAYER_LETTERS for letter, _ in atom.at.letters)
    if layered or len(atom.at.letters) > 1 or atom.at.constant:
        raise NoForm
    return None
