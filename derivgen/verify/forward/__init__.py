r"""The network of a note that gives its own forward equations.

Equations without derivatives, ``z_j = \sum_i w_{ji} x_i + b_j`` or ``z^{(1)} = W^{(1)} x + b``,
are written in derivgen's own language and parsed by it, so a note's network has no other status
than any network. A note is read in several manners - small letters as vectors or as numbers,
capital data as one sample or as all - and the one in which most equations lead to a loss is taken.
Invariant: what does not fit is left out; a note whose equations make no network gives none.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from derivgen.algebra.expressions import tensors_read
from derivgen.algebra.network import Network, Role
from derivgen.errors import DerivgenError
from derivgen.formulas import tree
from derivgen.formulas.scripts import plain_text, split_transpose
from derivgen.formulas.symbols import BATCH_SIZES, LOSS_NAMES
from derivgen.formulas.tree import Name, Tree
from derivgen.language import parse as parse_network
from derivgen.verify.claims import names_of
from derivgen.verify.forward import algebra
from derivgen.verify.forward.book import Book, Manner, Value
from derivgen.verify.forward.definitions import Definition, Note, note_of
from derivgen.verify.forward.letters import Letters, Symbol, is_time, letters_of, nodes, symbol
from derivgen.verify.forward.ranges import NoForm
from derivgen.verify.forward.text import names_read, network_text, shared
from derivgen.verify.forward.writer import Writer

MAX_VERSIONS = 8  # so many definitions of one loss are tried
WEIGHTS = ("W", "U", "V", "M")
MANNERS = (Manner(True, False), Manner(True, True), Manner(False, False), Manner(False, True))


@dataclass(frozen=True)
class Found:
    """What a note gives: a network and its text, or why there is none (a key of a message)."""

    network: Network | None = None
    text: str = ""
    problem: str = ""


def read_network(text: str) -> Found:
    """Return the network that a note's forward equations define."""
    note = note_of(text)
    if not any(definition.loss for definition in note.definitions):
        return Found(problem="no-loss" if note.definitions else "no-equations")
    single = note.of_one_sample()
    best: tuple[tuple[int, bool], Found] = (0, False), Found(problem="no-network")
    for manner in MANNERS:
        for version in _versions(note if manner.samples else single):
            book = _written(version, manner)
            losses = [definition for definition in version.values if definition.loss]
            for loss in sorted(losses, key=lambda d: len(d.name.sub) + len(d.name.sup)):
                found = _leading_to(loss, book, version)
                if found is not None and found[0] > best[0]:
                    best = found
    return best[1]


def _versions(note: Note) -> Iterator[Note]:
    """Yield the note with each of its definitions of one loss in turn the only one."""
    texts = [
        (d.name.base, plain_text(d.name.sub), plain_text(d.name.sup)) for d in note.definitions
    ]
    again = [
        [place for place, d in enumerate(note.definitions) if d.loss and texts[place] == text]
        for text in dict.fromkeys(texts)
    ]
    most = max(map(len, again), default=1)
    for turn in range(min(most, MAX_VERSIONS)):
        dropped = {p for places in again for p in places if p != places[turn % len(places)]}
        kept = [d for place, d in enumerate(note.definitions) if place not in dropped]
        yield replace(note, definitions=kept)


def _is_vectorial(node: Tree, sizes: tuple[str, ...]) -> bool:
    """Tell whether a sign is one of vectors: a transpose, a norm, a product entry by entry."""
    if isinstance(node, tree.Norm):
        return node.double
    if isinstance(node, tree.Product):
        return any(operator in (r"\odot", r"\circ", r"\otimes") for operator in node.operators)
    if isinstance(node, Name) and node.base not in sizes:
        capital = node.base[:1].isupper() and len(node.base) == 1
        return node.bold or capital or split_transpose(node.sup)[1]
    return False


# --- equations -----------------------------------------------------------------------------------


def _written(note: Note, manner: Manner) -> Book:
    """Write every equation that has a form, each after those it reads."""
    letters = letters_of(note.members)
    letters.split = _several(note.definitions, letters)
    keyed = [(found, d) for d in note.values if (found := _symbol(d.name, letters)) is not None]
    keyed = [(found, d) for found, d in keyed if not found.turned]
    read = {key for _, definition in keyed for key in _keys(definition, letters)}
    shown: dict[str, int] = {}
    for found, _ in sorted(keyed, key=lambda pair: len(pair[0].indices)):
        shown.setdefault(found.key + found.power, len(found.indices))
    book = Book(manner, letters, _full(note, letters), shown, _totals(keyed))
    for definition in note.functions:
        _try_function(definition, book)
    for found, definition in _in_order(keyed, letters):
        saved = book.saved()
        try:
            _write(found, definition, book, definition.loss and found.key not in read)
        except NoForm:
            book = saved
    for key, (mark, value) in book.parts.items():
        if key not in book.quantities:  # a note that leaves the sum over times to the reader
            book.quantity(key, 0)
            book.equations[key] = key, f"sum[{{{mark}}}]({value.text})"
            book.sources[key] = next(d for f, d in keyed if f.key == key)
    book.equations = shared(book.equations)
    return book


def _totals(keyed: list[tuple[Symbol, Definition]]) -> frozenset[str]:
    """Return the losses that add up losses of one time of the same name: L beside ``L_t``.

    Where a note has no loss but those of one time, their sum is meant.
    """
    losses = [found for found, definition in keyed if definition.loss]
    whole = [found.key for found in losses if not found.indices]
    return frozenset(whole or [found.key for found in losses])


def _symbol(name: Name, letters: Letters) -> Symbol | None:
    try:
        return symbol(name, letters, letters.is_index)
    except NoForm:
        return None


def _full(note: Note, letters: Letters) -> dict[str, int]:
    """Return how many axes each quantity has, by the indices it is written with somewhere."""
    found: dict[str, int] = {}
    lying = {name for member in note.members for name in _multiplied(member, letters)}
    for name in [name for member in note.members for name in names_of(member)]:
        parts = _symbol(name, letters)
        if parts is None or all(is_time(at, letters) for at in parts.indices):
            continue
        vector = name.base[:1].islower() and (parts.turned or name in lying)
        found[parts.key] = max(found.get(parts.key, 0), len(parts.indices) + vector)
    return found


def _multiplied(member: Tree, letters: Letters) -> Iterator[Name]:
    """Yield what stands behind a matrix: ``h_s`` of ``W h_s`` is a vector for each s."""
    for node in nodes(member):
        if not isinstance(node, tree.Product):
            continue
        for matrix, name, operator in zip(node.factors, node.factors[1:], node.operators):
            if not isinstance(matrix, Name) or matrix.base not in WEIGHTS:
                continue
            parts = _symbol(matrix, letters)
            whole = parts is not None and not parts.indices
            if whole and operator in ("", r"\cdot") and isinstance(name, Name):
                yield name


def _try_function(definition: Definition, book: Book) -> None:
    r"""Take ``f(z) = \frac{1}{1+e^{-z}}`` for a definition of the language."""
    name, argument = definition.name.base, definition.argument
    trial = Book(book.manner, book.letters, {}, {})
    try:
        body = Writer(trial, {}).value(definition.right, 0).text
    except NoForm:
        return
    if body == "sigmoid":
        body = f"sigmoid({argument})"
    if set(trial.quantities) <= {argument, "sigmoid"}:
        book.functions[name] = f"define {name}({argument}) = {body}"


def _in_order(
    keyed: list[tuple[Symbol, Definition]], letters: Letters
) -> list[tuple[Symbol, Definition]]:
    """Return the definitions, each after those whose quantities it reads."""
    places: dict[str, list[int]] = {}
    for place, (found, _) in enumerate(keyed):
        places.setdefault(found.key, []).append(place)
    reads = [_keys(d, letters) for _, d in keyed]
    order: dict[int, None] = {}
    begun: set[int] = set()
    for start in range(len(keyed)):
        waiting = [start]
        while waiting:
            place = waiting[-1]
            inner = [p for key in reads[place] for p in places.get(key, ()) if p not in begun]
            if place in begun or not inner:
                order.setdefault(waiting.pop())
            else:
                waiting += inner[::-1]
            begun.add(place)
    return [keyed[place] for place in order]


def _keys(definition: Definition, letters: Letters) -> list[str]:
    found = [_symbol(name, letters) for name in names_of(definition.right)]
    return list(dict.fromkeys(parts.key for parts in found if parts is not None))


def _write(found: Symbol, definition: Definition, book: Book, loss: bool) -> None:
    """Add an equation to the book; a loss is one number. Raises: NoForm."""
    key = found.key + found.power
    letters = [at.letters[0][0] for at in found.indices if str(at) == at.letters[0][0]]
    if key in book.equations or len(set(letters)) < len(found.indices):
        raise NoForm
    if not any(True for _ in names_of(definition.right)):
        raise NoForm
    scope = {letter: book.ranges.new(letter) for letter in letters}
    value = Writer(book, scope).value(definition.right, _expected(key, len(letters), book))
    of_one_time = definition.loss and scope and key in book.totals
    if loss or of_one_time:
        value = algebra.total(value)
    if of_one_time:
        _write_part(key, [*scope.values()], value, book)
        return
    marks = (*scope.values(), *value.axes)
    for slot, mark in zip(book.quantity(key, len(marks)).slots, marks):
        book.ranges.join(slot, mark)
    inside = ", ".join(f"{{{mark}}}" for mark in marks)
    book.equations[key] = f"{key}[{inside}]" if inside else key, value.text
    book.sources[key] = definition


def _write_part(key: str, marks: list[str], value: Value, book: Book) -> None:
    """Keep the loss of one time for the loss that adds them up."""
    if len(marks) != 1 or key in book.parts:
        raise NoForm
    book.parts[key] = marks[0], value


def _expected(key: str, shown: int, book: Book) -> int | None:
    """Return how many free axes a right side must have, where that is known already."""
    if key in book.quantities:
        return len(book.quantities[key].slots) - shown
    return book.full[key] - shown if key in book.full else None


# --- which equations belong together -------------------------------------------------------------


def _leading_to(loss: Definition, book: Book, note: Note) -> tuple[tuple[int, bool], Found] | None:
    """Return the network of a loss, how many equations lead to it, and whether its manner fits."""
    parts = _symbol(loss.name, book.letters)
    if parts is None or parts.key not in book.equations:
        return None
    closure = _closure(parts.key, book)
    text = network_text(book, closure, parts.key, note.one_hot)
    network = _parsed(text)
    speaks = any(
        _is_vectorial(part, (*book.letters.limits, *BATCH_SIZES))
        for key in closure
        for part in nodes(book.sources[key].right)
    )
    fits = book.manner.vectors == speaks
    return None if network is None else ((len(closure), fits), Found(network, text))


def _closure(key: str, book: Book) -> list[str]:
    """Return the quantities that one is computed from, itself included, in the note's order."""
    found: set[str] = set()
    waiting = [key]
    while waiting:
        name = waiting.pop()
        if name in book.equations and name not in found:
            found.add(name)
            waiting += names_read(book.equations[name][1])
    return [name for name in book.equations if name in found]


def _parsed(text: str) -> Network | None:
    try:
        network = parse_network(text, "<note>")
    except DerivgenError:
        return None
    read = {
        n for e in network.equations if e.lhs.tensor == network.loss for n in tensors_read(e.rhs)
    }
    roles = {network.tensors[name].role for name in read}
    if Role.VALUE in roles:
        return network
    # A loss alone is a network if it holds the model: E = E_1 + E_2 does not.
    own = [name for name in read if name.split("_")[0].rstrip("0123456789") not in LOSS_NAMES]
    model = roles == {Role.PARAM} or {Role.INPUT, Role.PARAM} <= roles
    return network if model and any(network.tensors[name].axes for name in own) else None


# --- one name for several parameters -------------------------------------------------------------


def _several(found: list[Definition], letters: Letters) -> frozenset[str]:
    """Return names of several parameters that letters tell apart: ``w_{ji}`` beside ``w_{kj}``."""
    defined = {parts.key for d in found if (parts := _symbol(d.name, letters)) is not None}
    places: dict[str, dict[str, set[int]]] = {}
    for name in [name for d in found for name in names_of(d.right)]:
        parts = _symbol(name, letters)
        if parts is not None and len(parts.indices) > 1 and parts.key not in defined:
            own = places.setdefault(parts.key, {})
            for place, at in enumerate(parts.indices):
                own.setdefault(str(at), set()).add(place)
    return frozenset(key for key, own in places.items() if any(len(p) > 1 for p in own.values()))
