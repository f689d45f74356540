r"""The network of a note that gives its own forward equations.

Equations without derivatives, ``z_j = \sum_i w_{ji} x_i + b_j`` or ``z^{(1)} = W^{(1)} x + b``,
are written in derivgen's own language and parsed by it, so a note's network has no other status
than any network. In matrix form a capital letter is a matrix and a small one a vector; an output
that the loss takes as a number is one. Of several losses the one that most equations lead to is
taken, with those equations alone where all of them make no network. Invariant: what does not fit is
left out; a note whose equations make no network gives none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from derivgen.algebra.expressions import tensors_read
from derivgen.algebra.network import Network, Role
from derivgen.errors import DerivgenError
from derivgen.formulas.surface import SurfaceTable
from derivgen.language import parse as parse_network
from derivgen.verify.claims import names_of
from derivgen.verify.definitions import Definition, definitions
from derivgen.verify.forward_writer import Builder, NoForm, Quantity, Writer, access, key_of

TARGETS = ("y", "t", "d", "target", "label")
INPUTS = ("x", "X", "i", "chi")
SIZES = (2, 3, 4, 5, 6, 7, 8)
Equation = tuple[str, str]  # the name, and the equation with marked indices


def network_of(text: str, table: SurfaceTable) -> Network | None:
    """Return the network that a note's forward equations define, or ``None`` if they give none."""
    found = definitions(text)
    if not any(definition.loss for definition in found):
        return None
    best: tuple[int, Network] | None = None
    for matrices, scalar in ((False, False), (True, False), (True, True)):
        builder = _built(found, matrices, scalar)
        for count, network in _networks(builder, text):
            # The form in which more of the note's equations can be written is the one it has.
            if best is None or count > best[0]:
                best = count, network
            break
    return best[1] if best else None


def _built(found: list[Definition], matrices: bool, scalar: bool) -> Builder:
    """Write the equations; the loss first where its output is to be a single number."""
    builder = Builder()
    for definition in found:
        if definition.argument:
            _try_function(definition, builder)
    values = [d for d in found if not d.argument]
    if scalar:
        values = [d for d in values if d.loss] + [d for d in values if not d.loss][::-1]
    for definition in values:
        _try_equation(definition, builder, matrices)
    return builder


def _try_function(definition: Definition, builder: Builder) -> None:
    name, argument = definition.name.base, definition.argument
    writer = Writer(builder, {}, False)
    try:
        body = writer.value(definition.right)
    except NoForm:
        return
    if body == "sigmoid":
        body = f"sigmoid({argument})"
    builder.quantities.pop(argument, None)
    builder.quantities.pop("sigmoid", None)
    if not builder.quantities:
        builder.functions[name] = f"define {name}({argument}) = {body}"


def _try_equation(definition: Definition, builder: Builder, matrices: bool) -> None:
    if not any(True for _ in names_of(definition.right)):
        return
    saved = (dict(builder.parent), {k: list(q.slots) for k, q in builder.quantities.items()})
    try:
        key, scope, left = _left(definition, builder, matrices)
        if any(made == key for made, _ in builder.equations):
            return
        body = Writer(builder, scope, matrices).value(definition.right)
    except NoForm:
        builder.parent = saved[0]
        builder.quantities = {k: Quantity(k, len(s), s) for k, s in saved[1].items()}
        return
    if definition.loss:
        builder.losses.append((key, f"loss {left} = {body}"))
    else:
        builder.equations.append((key, f"{left} = {body}"))


def _left(
    definition: Definition, builder: Builder, matrices: bool
) -> tuple[str, dict[str, str], str]:
    """Return the name on the left, the indices in scope, and the left side as text."""
    key, letters = key_of(definition.name, matrices)
    if definition.loss:
        name = definition.name.base if letters or matrices and "_" not in key else key
        return name, {}, name
    if len(dict.fromkeys(letters)) != len(letters) or not all(c.isalpha() for c in letters):
        raise NoForm
    known = builder.quantities.get(key)
    if matrices and not letters and not (known is not None and known.rank == 0):
        quantity = builder.quantity(key, 1)
        return key, {"": quantity.slots[0]}, access(key, [f"{{{quantity.slots[0]}}}"])
    quantity = builder.quantity(key, len(letters))
    builder.written.update(zip(quantity.slots, letters))
    slots = [f"{{{slot}}}" for slot in quantity.slots]
    return key, dict(zip(letters, quantity.slots)), access(key, slots)


# --- which equations belong together -------------------------------------------------------------


def _networks(builder: Builder, text: str) -> Iterator[tuple[int, Network]]:
    """Yield how many equations lead to a loss, and the network, those of most equations first."""
    reads = {key: _read(equation, builder) for key, equation in builder.equations}
    choices: list[tuple[int, str, list[str]]] = []
    for _, loss in builder.losses:
        closure = _closure(_read(loss, builder), reads)
        if all(loss != other for _, other, _ in choices):
            choices.append((len(closure), loss, closure))
    for count, loss, closure in sorted(choices, key=lambda choice: -choice[0]):
        every = [equation for _, equation in builder.equations]
        needed = [equation for key, equation in builder.equations if key in closure]
        for kept in (every, needed):
            network = _parsed(_text(builder, [*kept, loss], text))
            if network is not None:
                yield count, network
                break


def _read(equation: str, builder: Builder) -> list[str]:
    names = dict.fromkeys(re.findall(r"[A-Za-z][A-Za-z0-9_]*", equation.split("=", 1)[1]))
    return [name for name in names if name in builder.quantities]


def _closure(start: list[str], reads: Mapping[str, list[str]]) -> list[str]:
    found: dict[str, None] = {}
    waiting = list(start)
    while waiting:
        name = waiting.pop()
        if name in reads and name not in found:
            found[name] = None
            waiting += reads[name]
    return list(found)


def _parsed(text: str) -> Network | None:
    try:
        network = parse_network(text, "<note>")
    except DerivgenError:
        return None
    read = {
        n for e in network.equations if e.lhs.tensor == network.loss for n in tensors_read(e.rhs)
    }
    roles = {network.tensors[name].role for name in read}
    # A loss of parameters alone says no network: E = E_1 + E_2.
    return network if Role.VALUE in roles or {Role.INPUT, Role.PARAM} <= roles else None


# --- the text of the network ---------------------------------------------------------------------


def _text(builder: Builder, equations: list[str], note: str) -> str:
    letters, lines = _letters(builder)
    defined = [
        equation.split(" = ")[0].split("[")[0].removeprefix("loss ") for equation in equations
    ]
    body = " ".join(equations)
    for quantity in builder.quantities.values():
        if quantity.name not in defined and re.search(rf"\b{re.escape(quantity.name)}\b", body):
            lines.append(_declaration(quantity, builder, letters))
    for name, definition in builder.functions.items():
        if re.search(rf"\b{name}\(", body):
            lines.append(definition or f"function {name}")
    written = [_lettered(equation, letters) for equation in equations]
    lines += _shared(written)
    if _ONE_HOT.search(note) and "softmax" in body:
        lines += _facts(builder, letters, defined)
    return "\n".join(["network note", *lines]) + "\n"


_ONE_HOT = re.compile(r"one-?\s?hot|独热", re.I)


def _facts(builder: Builder, letters: Mapping[str, str], defined: list[str]) -> Iterator[str]:
    """Yield that targets which the note calls one-hot sum to one."""
    for quantity in builder.quantities.values():
        role = _role(quantity.name)
        if role == "target" and quantity.rank == 1 and quantity.name not in defined:
            letter = letters[quantity.slots[0]]
            yield f"assume sum[{letter}]({quantity.name}[{letter}]) = 1"


def _letters(builder: Builder) -> tuple[dict[str, str], list[str]]:
    """Return the letter of each index, and the lines that declare sizes and letters."""
    roots = dict.fromkeys(builder.root(slot) for slot in builder.parent)
    own = _own_letters(builder)
    lines: list[str] = []
    letters: dict[str, str] = {}
    for number, root in enumerate(roots):
        low = "1.." if any(builder.root(s) == root for s in builder.shifted) else ""
        lines.append(f"dim D{number} = {SIZES[number % len(SIZES)]}")
        lines.append(f"index {own.get(root, f'n{number}')}: {low}D{number}")
        for slot in builder.parent:
            if builder.root(slot) == root:
                letters[slot] = own.get(root, f"n{number}")
            if builder.root(slot) == root and slot in builder.bound:
                letters[slot] = f"{slot}b"  # its own, or a sum would hide an outer index
                lines.append(f"index {slot}b: {low}D{number}")
    return letters, lines


def _own_letters(builder: Builder) -> dict[str, str]:
    """Return the note's letter for each range, where the letter is no name and of one range."""
    found: dict[str, str] = {}
    for slot, letter in builder.written.items():
        root = builder.root(slot)
        if letter not in builder.quantities and letter not in found.values():
            found.setdefault(root, letter)
    return found


def _role(name: str) -> str:
    base = name.split("_")[0].rstrip("0123456789")
    return "target" if base in TARGETS else "input" if base in INPUTS else "param"


def _declaration(quantity: Quantity, builder: Builder, letters: Mapping[str, str]) -> str:
    slots = [letters[slot] for slot in quantity.slots]
    return f"{_role(quantity.name)} {access(quantity.name, slots)}"


def _lettered(equation: str, letters: Mapping[str, str]) -> str:
    return re.sub(r"\{(c\d+)\}", lambda found: letters[found[1]], equation)


def _shared(equations: list[str]) -> list[str]:
    """Read a quantity where another equation repeats its definition: ``h = f(x W), z = x W``."""
    found = list(equations)
    for place, equation in enumerate(equations):
        left, body = equation.split(" = ", 1)
        if "sum" not in body:
            continue
        repeated = re.compile(re.sub(r"c\d+b", r"c\\d+b", re.escape(body)))
        for other, text in enumerate(found):
            name, _, right = text.partition(" = ")
            if other != place and not repeated.fullmatch(right):
                found[other] = name + " = " + left.join(repeated.split(right))
    return found
