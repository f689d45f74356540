r"""Classes: what ``P(o | c)`` is the chance of, and one-hot vectors of targets that are indices.

A network may say its target by an index, ``loss J = -log(p[o])``, where texts write a vector y with
a one at o: y is then ``[w = o]`` for all w. Invariant: a name that the network or the note gives
another meaning is left alone.
"""

from __future__ import annotations

from derivgen.algebra.affine import Affine, Lookup
from derivgen.algebra.expressions import Access, Along, walk
from derivgen.algebra.network import Network, Role
from derivgen.formulas.fit import same_key
from derivgen.formulas.lookups import holds_index
from derivgen.formulas.positions import looked_up
from derivgen.formulas.reader import Reader
from derivgen.formulas.scripts import atoms
from derivgen.formulas.sequence import loss_names
from derivgen.formulas.symbols import AxisKey, axis_key
from derivgen.formulas.terms import At, Listing, Part, Term, Test, letter
from derivgen.formulas.tree import Name, Token

WORDS = ("w", "word", "omega")
TARGETS = ("y", "t")


def output_of(network: Network | None) -> str:
    """Return the probabilities of classes that the loss reads, or nothing."""
    if network is None:
        return ""
    losses = loss_names(network)
    for equation in network.equations:
        for part in walk(equation.rhs) if equation.lhs.tensor in losses else ():
            if isinstance(part, Access) and _is_softmax(part.tensor, network):
                return part.tensor
    return ""


def _is_softmax(tensor: str, network: Network) -> bool:
    made = [e.rhs for e in network.equations if e.lhs.tensor == tensor]
    return len(made) == 1 and isinstance(made[0], Along)


def class_index(first: Name, reader: Reader) -> tuple[Token, ...]:
    r"""Return the class that a name before the bar says: o of ``P(o | c)`` and ``p(w_o | w_c)``.

    Nothing, for a letter that does not run over the classes of the network's output.
    """
    symbols, letters = reader.symbols, reader.letters
    output = output_of(symbols.network)
    if not output or first.sup or first.primes:
        return ()
    if first.sub:
        return first.sub if first.base in WORDS else ()
    key = axis_key(symbols.tensors[output], len(symbols.tensors[output].axes) - 1)
    over = letters.known.get(first.base) or letters.declared.get(first.base)
    free = over is None and first.base in letters.bound
    named = holds_index(first.base, symbols) or first.base not in symbols.by_canonical
    fits = free or holds_index(first.base, symbols) or over is not None and same_key(over, key)
    return (Token("name", first.base, first.span),) if named and fits else ()


def one_hot(node: Name, reader: Reader) -> Term | None:
    """Return the one-hot target, or one entry of it, where the network has an index instead."""
    symbols = reader.symbols
    if node.base not in TARGETS or node.sup or node.primes or node.base in symbols.by_canonical:
        return None
    output = output_of(symbols.network)
    chosen = _chosen(symbols.network, output) if output else None
    if chosen is None:
        return None
    key = axis_key(symbols.tensors[output], len(symbols.tensors[output].axes) - 1)
    return _vector(node, At((), 0, False, ((chosen, 1),)), key, reader)


def as_vector(node: Name, term: Term, reader: Reader) -> Term | None:
    """Return an index-valued target as the one-hot vector of its class: ``p_t - y_t``."""
    symbols = reader.symbols
    if term.op != "element" or (at := looked_up(term.data, symbols)) is None:
        return None
    tensor = symbols.tensors[term.data.tensor]
    if tensor.role is not Role.TARGET or not output_of(symbols.network):
        return None
    classes = tensor.values_of
    assert classes is not None, "checked by looked_up"
    bare = Name(node.base, (), (), 0, node.span)
    return _vector(bare, at, ("axis", classes.low, classes.high), reader)


def _vector(node: Name, chosen: At, key: AxisKey, reader: Reader) -> Term | None:
    written = atoms(node.sub)
    if not written:
        reader.fresh += 1
        name = f"#{reader.fresh}"
        reader.letters.known[name] = key
        test = Test("=", letter(name), chosen)
        return Term("listing", (Term("bracket", (), test),), Listing(name, "column"), node.span)
    if len(written) != 1 or written[0].at is None:
        return None
    for name, _ in written[0].at.letters:
        reader.letters.bind(name, key, node.span)
    return Term("bracket", (), Test("=", written[0].at, chosen), node.span)


def _chosen(network: Network | None, output: str) -> Part | None:
    """Return the index-valued input that says which output the loss takes."""
    for equation in network.equations if network else ():
        for part in walk(equation.rhs):
            if isinstance(part, Access) and part.tensor == output:
                found = _lookup(part.indices[-1])
                if found is not None and not found.indices:
                    return Part("lookup", found.tensor, ())
    return None


def _lookup(form: Affine) -> Lookup | None:
    atoms_ = [atom for atom, count in form.terms if count == 1 and isinstance(atom, Lookup)]
    return atoms_[0] if len(form.terms) == len(atoms_) == 1 and not form.constant else None
