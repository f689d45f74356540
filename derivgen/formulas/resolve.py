r"""A parsed formula to a `Claim`: products sorted into calls, gradients and factors.

The reader knows what a mathematician knows of notation: ``f(x)`` is a call if f is a function,
``\frac{\partial}{\partial w}(...)`` acts on what follows, ``\nabla W`` is a gradient, ``e^x`` the
exponential. Invariant: whatever has no meaning is a `FormulaError` that names the token.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any

from derivgen.formulas import tree
from derivgen.formulas.names import (
    Candidate,
    CompiledRow,
    Letters,
    compile_rows,
    delta_candidates,
    free_number,
    index_number,
    network_candidates,
    new_letters,
    table_candidates,
)
from derivgen.formulas.parser import Vocabulary, parse, parse_tokens
from derivgen.formulas.scripts import atoms, index_expression, plain_text, split_transpose, unwrapped
from derivgen.formulas.symbols import (
    ELEMENTARY,
    FUNCTION_ALIASES,
    GENERIC_FUNCTIONS,
    LOSS_NAMES,
    Symbols,
)
from derivgen.formulas.terms import (
    At,
    Bound,
    Claim,
    Fold,
    Ref,
    Slope,
    Term,
    Test,
    at_path,
    ats_of,
    free_letters,
    letter,
    put,
    walk,
)
from derivgen.formulas.tokens import RELATIONS, Macros
from derivgen.formulas.tree import FormulaError, Name, Notice, Span, Token, Tree

ONE = Fraction(1)


@dataclass
class Reader:
    """One formula being read: the symbols, the letters so far, what was read leniently."""

    symbols: Symbols
    letters: Letters
    rows: tuple[CompiledRow, ...]
    vocabulary: Vocabulary
    notices: list[Notice] = field(default_factory=list)
    fresh: int = 0


def vocabulary_of(symbols: Symbols) -> Vocabulary:
    """Return what the parser needs to know of the names."""
    return Vocabulary(symbols.words, symbols.letters)


def read_chains(text: str, symbols: Symbols, macros: Macros | None = None) -> list[tree.Chain]:
    """Return the parsed chains of a formula; see `derivgen.formulas.parser.parse`."""
    return parse(text, vocabulary_of(symbols), macros)


def resolve_chain(chain: tree.Chain, symbols: Symbols) -> Claim:
    """Return what a chain means.

    Raises: FormulaError, for the first name or construct that has no meaning, with its place.
    """
    reader = Reader(symbols, new_letters(symbols), compile_rows(symbols), vocabulary_of(symbols))
    members = tuple(_term(member, reader) for member in chain.members)
    members = tuple(_with_implicit_bounds(m, members[0]) for m in members)
    return Claim(
        members,
        chain.relations,
        dict(reader.letters.known),
        chain.notices + tuple(reader.notices),
        tuple(reader.letters.clashes),
        spans=tuple(member.span for member in chain.members),
    )


def resolve_member(member: Tree, reader: Reader) -> Term:
    """Return the meaning of one member with letters shared with the others."""
    return _term(member, reader)


def make_reader(symbols: Symbols) -> Reader:
    """Return a reader for the members of one chain."""
    return Reader(symbols, new_letters(symbols), compile_rows(symbols), vocabulary_of(symbols))


# --- trees ---------------------------------------------------------------------------------------


def _term(node: Tree, reader: Reader) -> Term:
    return _HANDLERS[type(node)](node, reader)


def _literal(node: tree.Literal, reader: Reader) -> Term:
    return Term("number", (), (node.value, node.text), node.span)


def _sum(node: tree.Sum, reader: Reader) -> Term:
    terms = [
        term if sign == 1 else Term("negate", (term,), None, term.span)
        for sign, part in zip(node.signs, node.terms)
        if not isinstance(part, tree.Dots)
        for term in [_term(part, reader)]
    ]
    if any(isinstance(part, tree.Dots) for part in node.terms):
        return _dotted_sum(node, terms, reader)
    if len(terms) == 1:
        return replace_span(terms[0], node.span)
    return Term("add", tuple(terms), None, node.span)


def replace_span(term: Term, span: Span) -> Term:
    return Term(term.op, term.args, term.data, span)


def _dotted_sum(node: tree.Sum, terms: list[Term], reader: Reader) -> Term:
    """Read ``a_1 + a_2 + ... + a_n`` as a sum over the letter n stands for."""
    name, body = _listed(terms[0], terms[-1], reader, node.span)
    return Term("fold", (body,), Fold("sum", (Bound(name),)), node.span)


def _group(node: tree.Group, reader: Reader) -> Term:
    if len(node.items) == 1 and not isinstance(node.items[0], tree.Dots):
        inner = _term(node.items[0], reader)
        return Term("group", (inner,), node.bracket, node.span)
    items = [None if isinstance(i, tree.Dots) else _term(i, reader) for i in node.items]
    if not items:
        raise FormulaError("()", "An empty bracket.", "", node.span)
    return _vector([[item] for item in items], node.span, reader, "row")


def _matrix(node: tree.Matrix, reader: Reader) -> Term:
    rows = [[None if e is None else _term(e, reader) for e in row] for row in node.rows]
    if all(len(row) == 1 for row in rows):
        return _vector(rows, node.span, reader, "column")
    if len(rows) == 1:
        return _vector([[entry] for entry in rows[0]], node.span, reader, "row")
    if any(entry is None for row in rows for entry in row):
        return _dotted_matrix(rows, node.span, reader)
    width = len(rows[0])
    if any(len(row) != width for row in rows):
        raise FormulaError("matrix", "The rows have different lengths.", "", node.span)
    entries = tuple(entry for row in rows for entry in row if entry is not None)
    return Term("matrix", entries, (len(rows), width), node.span)


def _dotted_matrix(rows: list[list[Term | None]], span: Span, reader: Reader) -> Term:
    full = [[e for e in row if e is not None] for row in rows]
    full = [row for row in full if row]
    tops = [_listed(row[0], row[-1], reader, span) for row in (full[0], full[-1])]
    name, body = _listed(tops[0][1], tops[1][1], reader, span)
    inner = tops[1][0]
    row = Term("listing", (_renamed(body, tops[0][0], inner),), (inner, "row"), span)
    return Term("listing", (row,), (name, "column"), span)


def _renamed(term: Term, old: str, new: str) -> Term:
    return map_ats(term, lambda at: _swap_letter(at, old, new))


def _swap_letter(at: At, old: str, new: str) -> At:
    return replace(at, letters=tuple((new if n == old else n, c) for n, c in at.letters))


def _vector(rows: list[list[Term | None]], span: Span, reader: Reader, way: str) -> Term:
    entries = [row[0] for row in rows]
    if any(entry is None for entry in entries):
        kept = [entry for entry in entries if entry is not None]
        if len(kept) < 2:
            raise FormulaError("...", "The dots stand between no two entries.", "", span)
        name, body = _listed(kept[0], kept[-1], reader, span)
        return Term("listing", (body,), (name, way), span)
    found = tuple(entry for entry in entries if entry is not None)
    shape = (len(found), 1) if way == "column" else (1, len(found))
    return Term("matrix", found, shape, span)


def _listed(first: Term, last: Term, reader: Reader, span: Span) -> tuple[str, Term]:
    """Return a fresh letter and the general entry between a first and a last one."""
    reader.fresh += 1
    name = f"#{reader.fresh}"
    changed = 0
    body = last
    for path, one, other in _side_by_side(first, last, ()):
        if one.op == "element" and isinstance(other.data, Ref):
            body, more = _general_entry(body, path, one.data, other.data, name, reader)
            changed += more
    if not changed:
        raise FormulaError("...", "The entries do not show what runs.", "", span)
    return name, body


def _side_by_side(
    one: Term, other: Term, path: tuple[int, ...]
) -> Iterator[tuple[tuple[int, ...], Term, Term]]:
    if one.op != other.op or len(one.args) != len(other.args):
        return
    yield path, one, other
    for number, (a, b) in enumerate(zip(one.args, other.args)):
        yield from _side_by_side(a, b, (*path, number))


def _general_entry(
    body: Term, path: tuple[int, ...], one: Ref, other: Ref, name: str, reader: Reader
) -> tuple[Term, int]:
    slots = list(other.slots)
    changed = 0
    for number, (a, b) in enumerate(zip(one.slots, other.slots)):
        if a is not None and b is not None and a != b and not a.letters:
            slots[number] = letter(name)
            changed = 1
            for old, _ in b.letters:
                if old in reader.letters.known:
                    reader.letters.known.setdefault(name, reader.letters.known[old])
    sample = other.sample
    if one.sample != other.sample and one.sample is not None and not one.sample.letters:
        sample, changed = letter(name), 1
        reader.letters.known[name] = ("sample",)
    new = replace(other, slots=tuple(slots), sample=sample)
    node = at_path(body, path)
    return put(body, path, Term("element", (), new, node.span)), changed


def _fraction(node: tree.Fraction2, reader: Reader) -> Term:
    if isinstance(_leading(node.bottom), tree.Differential):
        return _derivative(node, None, reader)
    return Term("divide", (_term(node.top, reader), _term(node.bottom, reader)), None, node.span)


def _leading(node: Tree) -> Tree:
    return node.factors[0] if isinstance(node, tree.Product) else node


def _derivative(node: tree.Fraction2, operand: Term | None, reader: Reader) -> Term:
    top, bottom = _leading(node.top), node.bottom
    factors = bottom.factors if isinstance(bottom, tree.Product) else (bottom,)
    if not isinstance(top, tree.Differential):
        raise FormulaError("fraction", "The numerator is no differential.", "", node.span)
    if operand is None:
        if top.inner is None:
            raise FormulaError("operator", "Nothing stands behind this operator.", "", node.span)
        inner = top.inner
        if isinstance(node.top, tree.Product):
            inner = tree.Product((inner, *node.top.factors[1:]), node.top.operators, node.top.span)
        operand = _differentiated(inner, reader)
    slope = Slope(immediate="+" in top.sign)
    for factor in reversed(factors):
        if not isinstance(factor, tree.Differential) or factor.inner is None:
            raise FormulaError("fraction", "The denominator is no differential.", "", factor.span)
        by, times = _variable(factor, top, reader)
        for _ in range(times):
            operand = Term("gradient", (operand, by), slope, node.span)
    return operand


def _differentiated(inner: Tree, reader: Reader) -> Term:
    """Return what is differentiated; the arguments of a loss are dropped."""
    if isinstance(inner, tree.Product) and isinstance(inner.factors[0], Name):
        first, rest = inner.factors[0], inner.factors[1:]
        if len(rest) == 1 and isinstance(rest[0], tree.Group) and rest[0].bracket == "(":
            if not _function_name(first, reader):
                return _term(first, reader)
    return _term(inner, reader)


def _variable(factor: tree.Differential, top: tree.Differential, reader: Reader) -> tuple[Term, int]:
    inner = factor.inner
    times = factor.order
    if top.order > 1 and isinstance(inner, Name):
        power = plain_text(inner.sup)
        if power == str(top.order):
            inner, times = replace(inner, sup=()), top.order
    assert inner is not None, "checked by the caller"
    by = _bare(_term(inner, reader))
    if by.op == "transpose":
        return by, times
    if by.op not in ("element", "gradient", "free"):
        raise FormulaError("denominator", "This is no quantity of the network.", "", factor.span)
    return by, times


def _bare(term: Term) -> Term:
    while term.op == "group":
        term = term.args[0]
    return term


def _differential(node: tree.Differential, reader: Reader) -> Term:
    raise FormulaError("\\partial", "A differential outside a fraction.", "", node.span)


def _root(node: tree.Root, reader: Reader) -> Term:
    inner = _term(node.inner, reader)
    if node.degree == 2:
        return Term("call", (inner,), ("sqrt", 0), node.span)
    exponent = Term("number", (), (Fraction(1, node.degree), ""), node.span)
    return Term("power", (inner, exponent), None, node.span)


def _norm(node: tree.Norm, reader: Reader) -> Term:
    inner = _term(node.inner, reader)
    name = "norm" if node.double else "abs"
    return Term("call", (inner,), (name, 0), node.span)


def _dots(node: tree.Dots, reader: Reader) -> Term:
    raise FormulaError("...", "Dots with no pattern.", "Write the sum or the vector.", node.span)


# --- names ---------------------------------------------------------------------------------------


def _name(node: Name, reader: Reader) -> Term:
    if node.base == "e" and node.sup and "e" not in reader.symbols.tensors:
        return Term("call", (_script_term(node.sup, reader),), ("exp", 0), node.span)
    if node.base in reader.symbols.scalars and not (node.sub or node.primes):
        return _scalar(node, reader)
    if node.primes and _function_name(node, reader):
        return Term("function", (), (_function_name(node, reader), node.primes), node.span)
    best = _best(node, reader)
    if best is not None:
        for name, key in best.binds:
            reader.letters.bind(name, key, node.span)
        return best.term
    if found := _function_name(node, reader):
        return Term("function", (), (found, node.primes), node.span)
    raise FormulaError(
        _shown(node), "Nothing declares this name.", "Declare it in the surface table.", node.span
    )


def _scalar(node: Name, reader: Reader) -> Term:
    term = Term("free", (), node.base, node.span)
    if not node.sup:
        return term
    return Term("power", (term, _script_term(node.sup, reader)), None, node.span)


def _shown(node: Name) -> str:
    sub, sup = plain_text(node.sub), plain_text(node.sup)
    return node.base + (f"_{sub}" if sub else "") + (f"^{sup}" if sup else "") + "'" * node.primes


def _best(node: Name, reader: Reader) -> Candidate | None:
    found: list[Candidate] = []
    for bonus, name, finish in _variants(node, reader):
        for candidate in _plain_candidates(name, reader):
            done = finish(candidate.term)
            found.append(Candidate(candidate.score + bonus, done, candidate.binds))
    if not found:
        return _other_meaning(node, reader)
    return max(found, key=lambda c: c.score)


def _plain_candidates(name: Name, reader: Reader) -> list[Candidate]:
    symbols, letters = reader.symbols, reader.letters
    if name.primes:
        return []
    found = list(table_candidates(name, reader.rows, symbols, letters))
    if aliased := _alias(name, reader):
        found.append(aliased)
    found += network_candidates(name, symbols, letters)
    if name.base == "delta" and "delta" not in symbols.tensors and not aliased:
        found += delta_candidates(name, symbols, letters)
    return found


Finish = Callable[[Term], Term]


def _variants(node: Name, reader: Reader) -> list[tuple[int, Name, Finish]]:
    """Return ways to read superscripts as an operation on the name without them."""
    found: list[tuple[int, Name, Finish]] = [(0, node, lambda term: term)]
    if not node.sup:
        return found
    rest, transposed = split_transpose(node.sup)
    if transposed:
        name = replace(node, sup=rest)
        found.append((1, name, lambda term: Term("transpose", (term,), None, node.span)))
    text = plain_text(node.sup)
    bare = replace(node, sup=())
    if text in ("+", "new", "(new)", "next", "*", "'"):
        found.append((5, bare, lambda term: _updated(term, node)))
    elif not transposed and (power := _power(node, reader)) is not None:
        bonus = 0 if text.replace(".", "").isdigit() else -3
        span = node.span
        found.append((bonus, bare, lambda term: Term("power", (term, power), None, span)))
    return found


def _updated(term: Term, node: Name) -> Term:
    if term.op != "element":
        raise FormulaError(_shown(node), "This is no parameter.", "", node.span)
    return Term("element", (), replace(term.data, updated=True), node.span)


def _power(node: Name, reader: Reader) -> Term | None:
    if unwrapped(node.sup)[1] and not any(t.kind == "operator" for t in node.sup):
        return None
    try:
        return _script_term(node.sup, reader)
    except FormulaError:
        return None


def _script_term(tokens: tuple[Token, ...], reader: Reader) -> Term:
    return _term(parse_tokens(tokens, reader.vocabulary), reader)


def _other_meaning(node: Name, reader: Reader) -> Candidate | None:
    if node.primes:
        return None
    for found in (index_number(node, reader.letters), free_number(node, reader.symbols)):
        if found is not None:
            return Candidate(0, found)
    if node.base in ("ones", "zeros"):
        return Candidate(0, Term(node.base, (), None, node.span))
    return None


def alias_key(node: Name) -> str:
    """Return the text by which a defined symbol is found again: the base and accent."""
    return node.base


def _alias(node: Name, reader: Reader) -> Candidate | None:
    entry = reader.symbols.aliases.get(alias_key(node))
    if entry is None:
        return None
    names, term = entry
    given = [a.at for a in (*atoms(node.sub), *atoms(node.sup))]
    if len(given) != len(names) or any(at is None for at in given):
        return None
    mapping = {name: at for name, at in zip(names, given) if at is not None}
    new = map_ats(term, lambda at: _substituted(at, mapping))
    return Candidate(30, replace_span(new, node.span), _binds(new, reader))


def _binds(term: Term, reader: Reader) -> tuple[tuple[str, tuple[Any, ...]], ...]:
    from derivgen.formulas.names import slot_keys

    found: list[tuple[str, tuple[Any, ...]]] = []
    for _, part in walk(term):
        if isinstance(part.data, Ref):
            for at, key in slot_keys(part.data, reader.symbols):
                found += [(name, key) for name, _ in at.letters]
    return tuple(found)


def _substituted(at: At, mapping: Mapping[str, At]) -> At:
    letters: dict[str, int] = {}
    constant, written = at.constant, at.written
    for name, count in at.letters:
        new = mapping.get(name, letter(name))
        constant += count * new.constant
        written = written and new.written
        for inner, more in new.letters:
            letters[inner] = letters.get(inner, 0) + count * more
    return At(tuple((n, c) for n, c in letters.items() if c), constant, written)


def map_ats(term: Term, change: Callable[[At], At]) -> Term:
    """Return the term with every index expression changed."""
    return Term(
        term.op,
        tuple(map_ats(part, change) for part in term.args),
        _map_data(term, change),
        term.span,
    )


def _map_data(term: Term, change: Callable[[At], At]) -> Any:
    data = term.data

    def some(at: At | None) -> At | None:
        return None if at is None else change(at)

    if isinstance(data, At):
        return change(data)
    if isinstance(data, Ref):
        slots = tuple(some(slot) for slot in data.slots)
        return replace(data, slots=slots, member=some(data.member), sample=some(data.sample))
    if term.op == "item":
        return tuple(some(slot) for slot in data)
    if isinstance(data, Fold):
        bounds = tuple(
            replace(b, low=some(b.low), high=some(b.high), without=some(b.without))
            for b in data.bounds
        )
        return replace(data, bounds=bounds)
    if isinstance(data, Test):
        sides = [change(s) if isinstance(s, At) else s for s in (data.left, data.right)]
        return replace(data, left=sides[0], right=sides[1])
    return data


# --- functions -----------------------------------------------------------------------------------


def _function_name(node: Name, reader: Reader) -> str:
    """Return the function a name stands for here, or nothing."""
    symbols = reader.symbols
    text = node.base + plain_text(node.sub)
    for name in (text, node.base):
        if name in symbols.functions:
            return symbols.functions[name]
        if name in symbols.defined:
            return name
    if node.base in symbols.tensors and not node.primes:
        return ""
    for row in reader.rows:
        if row.name.base == node.base and row.row.reading.tensor in symbols.network_functions:
            return row.row.reading.tensor
    for name in (text, node.base):
        if name in symbols.network_functions or name in ELEMENTARY:
            return name
    alone = symbols.activations[0] if len(symbols.activations) == 1 else ""
    if node.base == "sigma" and alone and "sigmoid" not in symbols.activations:
        return alone  # sigma stands for whatever the activation is
    if node.base in FUNCTION_ALIASES:
        return FUNCTION_ALIASES[node.base]
    if node.base in ("diag", "tr", "softmax", "sigmoid", "relu", "norm", "det"):
        return node.base
    if node.base in GENERIC_FUNCTIONS and len(symbols.activations) == 1:
        return symbols.activations[0]
    return ""


# --- products ------------------------------------------------------------------------------------


def _product(node: tree.Product, reader: Reader) -> Term:
    factors, operators = list(node.factors), list(node.operators)
    found: list[Term] = []
    between: list[str] = []
    place = 0
    while place < len(factors):
        term, taken = _factor(factors, operators, place, reader)
        found.append(term)
        place += taken
        if place < len(factors):
            between.append(operators[place - 1])
    return _divided(found, between, node.span)


def _divided(found: list[Term], between: list[str], span: Span) -> Term:
    """Apply the divisions from left to right; the rest is one product."""
    factors = [found[0]]
    operators: list[str] = []
    for operator, term in zip(between, found[1:]):
        if operator == "/":
            last = factors.pop()
            factors.append(Term("divide", (last, term), None, (last.span[0], term.span[1])))
        else:
            factors.append(term)
            operators.append(operator)
    if len(factors) == 1:
        return replace_span(factors[0], span)
    return Term("multiply", tuple(factors), tuple(operators), span)


def _factor(
    factors: list[Tree], operators: list[str], place: int, reader: Reader
) -> tuple[Term, int]:
    node = factors[place]
    if isinstance(node, tree.Fraction2) and _is_operator(node):
        rest = _rest(factors, operators, place + 1)
        if rest is not None:
            return _derivative(node, _term(rest, reader), reader), len(factors) - place
    if isinstance(node, tree.Differential):
        return _inline_derivative(factors, operators, place, reader)
    if isinstance(node, Name):
        return _named_factor(node, factors, operators, place, reader)
    if isinstance(node, tree.Scripted) and isinstance(node.inner, Name):
        return _term(node, reader), 1
    return _term(node, reader), 1


def _is_operator(node: tree.Fraction2) -> bool:
    top = _leading(node.top)
    return isinstance(top, tree.Differential) and top.inner is None


def _rest(factors: list[Tree], operators: list[str], place: int) -> Tree | None:
    if place >= len(factors):
        return None
    if place == len(factors) - 1:
        return factors[place]
    span = (factors[place].span[0], factors[-1].span[1])
    return tree.Product(tuple(factors[place:]), tuple(operators[place:]), span)


def _inline_derivative(
    factors: list[Tree], operators: list[str], place: int, reader: Reader
) -> tuple[Term, int]:
    top = factors[place]
    if place + 1 < len(factors) and operators[place] == "/":
        bottom = factors[place + 1]
        if isinstance(bottom, tree.Differential):
            span = (top.span[0], bottom.span[1])
            return _derivative(tree.Fraction2(top, bottom, span), None, reader), 2
    raise FormulaError("\\partial", "A differential outside a fraction.", "", top.span)


def _named_factor(
    node: Name, factors: list[Tree], operators: list[str], place: int, reader: Reader
) -> tuple[Term, int]:
    following = factors[place + 1] if place + 1 < len(factors) else None
    adjacent = following is not None and operators[place] == ""
    if node.base == "nabla":
        return _nabla(node, following if adjacent else None, reader)
    if adjacent and _is_step_prefix(node, following, reader):
        assert isinstance(following, Name), "a step prefix stands before a name"
        return _step(node, following, factors, operators, place, reader)
    if adjacent and following is not None and _is_call(node, following, reader):
        return _call(node, following, factors, operators, place, reader)
    return _name(node, reader), 1


def _is_step_prefix(node: Name, following: Tree | None, reader: Reader) -> bool:
    if node.sub or node.sup or node.primes or not isinstance(following, Name):
        return False
    if node.base == "Delta":
        return True
    taken = node.base in reader.symbols.tensors or node.base in reader.letters.known
    return node.base == "d" and not taken and node.span[1] == following.span[0]


def _step(
    node: Name,
    following: Name,
    factors: list[Tree],
    operators: list[str],
    place: int,
    reader: Reader,
) -> tuple[Term, int]:
    inner = _name(following, reader)
    span = (node.span[0], following.span[1])
    transposed = inner.op == "transpose"
    by = inner.args[0] if transposed else inner
    if by.op != "element":
        raise FormulaError(node.base, "This stands before no tensor.", "", span)
    after = factors[place + 2] if place + 2 < len(factors) else None
    if node.base == "d" and operators[place + 1 : place + 2] == ["/"] and isinstance(after, Name):
        bottom = factors[place + 3] if place + 3 < len(factors) else None
        if after.base == "d" and isinstance(bottom, Name):
            whole = (span[0], bottom.span[1])
            return Term("gradient", (by, _name(bottom, reader)), Slope(), whole), 4
    term = _loss_gradient(by, span, "d" if node.base == "d" else "step", reader)
    return (Term("transpose", (term,), None, span) if transposed else term), 2


def _loss_gradient(by: Term, span: Span, symbol: str, reader: Reader) -> Term:
    loss = reader.symbols.loss
    if not loss:
        raise FormulaError("gradient", "No loss is declared.", "Write loss E = ...", span)
    of = Term("element", (), Ref(loss), span)
    return Term("gradient", (of, by), Slope(symbol=symbol), span)


def _nabla(node: Name, following: Tree | None, reader: Reader) -> tuple[Term, int]:
    span = (node.span[0], (following or node).span[1])
    if node.sub:
        by = _bare(_script_term(node.sub, reader))
        if by.op != "element":
            raise FormulaError("nabla", "The subscript is no tensor.", "", node.span)
        if following is None:
            return _loss_gradient(by, span, "nabla", reader), 1
        of = _differentiated(following, reader)
        return Term("gradient", (_bare(of), by), Slope(symbol="nabla"), span), 2
    if not isinstance(following, Name):
        raise FormulaError("nabla", "It stands before no tensor.", "", node.span)
    sample = _sample_script(following.sub)
    inner = _name(replace(following, sub=()) if sample else following, reader)
    if sample is not None:
        reader.letters.bind(sample, ("sample",), following.span)
        of = Term("element", (), Ref(reader.symbols.loss, sample=letter(sample)), span)
        return Term("gradient", (of, inner), Slope(symbol="nabla"), span), 2
    if inner.op != "element":
        raise FormulaError("nabla", "It stands before no tensor.", "", span)
    return _loss_gradient(inner, span, "nabla", reader), 2


def _sample_script(tokens: tuple[Token, ...]) -> str | None:
    """Return i for the subscript ``x_i``: the gradient of one sample's loss."""
    kept = [t for t in tokens if t.kind not in "{}"]
    if len(kept) == 3 and kept[0].text == "x" and kept[1].kind == "_" and kept[2].kind == "name":
        return kept[2].text
    return None


def _is_call(node: Name, following: Tree, reader: Reader) -> bool:
    grouped = isinstance(following, tree.Group) and following.bracket in "([{" or (
        isinstance(following, tree.Scripted) and isinstance(following.inner, tree.Group)
    )
    if _function_name(node, reader):
        if _mentions_bare(following, node.base):
            return False
        bare = node.base in (*ELEMENTARY, "softmax", "sigmoid", "diag", "tr", "sigma", "relu", "ReLU")
        return grouped or bare
    group = following
    if not isinstance(group, tree.Group) or group.bracket != "(":
        return False
    return _is_loss(node, reader) and (len(group.items) > 1 or _only_names(group, reader))


def _mentions_bare(node: Tree, base: str) -> bool:
    """Tell whether a group holds the function's own name without an argument: ``f(1-f)``."""
    inner = node.inner if isinstance(node, tree.Scripted) else node
    if not isinstance(inner, tree.Group) or len(inner.items) != 1:
        return False
    item = inner.items[0]
    parts = item.terms if isinstance(item, tree.Sum) else (item,)
    return any(isinstance(p, Name) and p.base == base for p in parts)


def _is_loss(node: Name, reader: Reader) -> bool:
    return node.base in LOSS_NAMES or node.base == reader.symbols.loss


def _only_names(group: tree.Group, reader: Reader) -> bool:
    return all(
        isinstance(item, Name) and (item.base in ("theta", "w", "W", "omega", "Theta", "b"))
        for item in group.items
    )


def _call(
    node: Name,
    following: Tree,
    factors: list[Tree],
    operators: list[str],
    place: int,
    reader: Reader,
) -> tuple[Term, int]:
    if not _function_name(node, reader):
        return _name(node, reader), 2
    argument, taken, power = _call_argument(following, factors, operators, place + 1, reader)
    span = (node.span[0], factors[place + taken].span[1])
    args = _arguments(argument, reader)
    term = _apply(node, args, span, reader)
    if power is not None:
        term = Term(*power(term))
    return term, taken + 1


def _call_argument(
    following: Tree, factors: list[Tree], operators: list[str], place: int, reader: Reader
) -> tuple[Tree, int, Any]:
    if isinstance(following, tree.Scripted) and isinstance(following.inner, tree.Group):
        scripts = following

        def finish(term: Term) -> tuple[str, tuple[Term, ...], Any, Span]:
            done = _scripts_on(term, scripts, reader)
            return done.op, done.args, done.data, done.span

        return following.inner, 1, finish
    if isinstance(following, Name) and place + 1 < len(factors) and operators[place] == "":
        after = factors[place + 1]
        if _is_call(following, after, reader):
            span = (following.span[0], after.span[1])
            return tree.Product((following, after), ("",), span), 2, None
    return following, 1, None


def _arguments(argument: Tree, reader: Reader) -> tuple[Term, ...]:
    if isinstance(argument, tree.Group) and len(argument.items) > 1:
        return tuple(_term(item, reader) for item in argument.items)
    return (_bare(_term(argument, reader)),)


def _apply(node: Name, args: tuple[Term, ...], span: Span, reader: Reader) -> Term:
    name = _function_name(node, reader)
    term = Term("call", args, (name, node.primes), span)
    scripts = tuple(t for t in node.sup)
    if scripts and not node.primes and plain_text(scripts).isdigit():
        exponent = _script_term(scripts, reader)
        term = Term("power", (term, exponent), None, span)
    if name in ("softmax", "norm") and node.sub and _function_name(replace(node, sub=()), reader):
        slots = tuple(a.at for a in atoms(node.sub))
        term = Term("item", (term,), slots, span)
    return term


# --- scripts on groups, big operators ------------------------------------------------------------


def _scripted(node: tree.Scripted, reader: Reader) -> Term:
    return _scripts_on(_term(node.inner, reader), node, reader)


def _scripts_on(term: Term, node: tree.Scripted, reader: Reader) -> Term:
    if node.sub:
        slots = tuple(atom.at for atom in atoms(node.sub))
        if any(slot is None for slot in slots):
            raise FormulaError(plain_text(node.sub), "This is no index.", "", node.span)
        term = Term("item", (term,), slots, node.span)
    if not node.sup:
        return term
    rest, transposed = split_transpose(node.sup)
    if transposed and not rest:
        return Term("transpose", (term,), None, node.span)
    inner, bracketed = unwrapped(node.sup)
    at = index_expression(inner)
    if bracketed and at is not None and at.letters and not node.sub:
        return Term("item", (term,), (at,), node.span)
    return Term("power", (term, _script_term(node.sup, reader)), None, node.span)


def _big(node: tree.Big, reader: Reader) -> Term:
    bounds = _bounds(node, reader)
    body = _term(node.body, reader)
    return Term("fold", (body,), Fold(node.op, bounds, not node.sub), node.span)


def _bounds(node: tree.Big, reader: Reader) -> tuple[Bound, ...]:
    if not node.sub:
        return ()
    tokens, _ = unwrapped(node.sub)
    relation = next((p for p, t in enumerate(tokens) if t.kind == "relation"), None)
    if relation is None:
        return tuple(Bound(_letter_of(a.text, node.span)) for a in atoms(tokens))
    names = [_letter_of(a.text, node.span) for a in atoms(tokens[:relation])]
    kind = RELATIONS[tokens[relation].text]
    low = index_expression(tokens[relation + 1 :])
    if kind == "in":
        return tuple(Bound(name) for name in names)
    if kind == "!=":
        return tuple(Bound(name, without=low) for name in names)
    if kind != "=" or low is None:
        raise FormulaError(plain_text(tokens), "These bounds are not understood.", "", node.span)
    high = index_expression(unwrapped(node.sup)[0]) if node.sup else None
    return tuple(Bound(name, low, high) for name in names)


def _letter_of(text: str, span: Span) -> str:
    if not text or not (text[0].isalpha()):
        raise FormulaError(text, "This is no index letter.", "", span)
    return text


def _with_implicit_bounds(member: Term, first: Term) -> Term:
    """Give a sum without bounds the letters of its body that the first member does not have."""
    left = free_letters(first)
    for path, part in list(walk(member)):
        if isinstance(part.data, Fold) and part.data.implicit and not part.data.bounds:
            own = [name for name in free_letters(part.args[0]) if name not in left]
            bounds = tuple(Bound(name) for name in own)
            fold = replace(part.data, bounds=bounds)
            member = put(member, path, Term(part.op, at_path(member, path).args, fold, part.span))
    return member


def _indicator(node: tree.Indicator, reader: Reader) -> Term:
    return Term("bracket", (), _test(node.tokens, reader, node.span), node.span)


def _test(tokens: tuple[Token, ...], reader: Reader, span: Span) -> Test:
    place = next((p for p, t in enumerate(tokens) if t.kind == "relation"), None)
    if place is None:
        raise FormulaError(plain_text(tokens), "This is no condition.", "", span)
    op = RELATIONS[tokens[place].text]
    sides = [_side(part, reader) for part in (tokens[:place], tokens[place + 1 :])]
    return Test(op, sides[0], sides[1])


def _side(tokens: tuple[Token, ...], reader: Reader) -> Any:
    at = index_expression(tokens)
    if at is not None and all(name not in reader.symbols.tensors for name, _ in at.letters):
        return at
    return _script_term(tokens, reader)


def _cases(node: tree.Cases, reader: Reader) -> Term:
    values = tuple(_term(value, reader) for value in node.values)
    tests: list[Test | None] = []
    for tokens in node.conditions:
        relation = any(t.kind == "relation" for t in tokens)
        kept = tuple(t for t in tokens if t.kind != "command" or t.text not in (r"\text", r"\mbox"))
        try:
            tests.append(_test(_after_words(kept), reader, node.span) if relation else None)
        except FormulaError:
            if len(tests) + 1 < len(node.conditions):
                raise
            tests.append(None)
    return Term("cases", values, tuple(tests), node.span)


def _after_words(tokens: tuple[Token, ...]) -> tuple[Token, ...]:
    """Drop the word ``if`` or ``when`` before a condition, in braces or not."""
    kept = [t for t in tokens if t.kind not in "{}"]
    text = "".join(t.text for t in kept[:4])
    for word in ("when", "if", "for"):
        if text.startswith(word):
            return tuple(kept[len(word) :])
    return tuple(kept)


_HANDLERS: Mapping[type, Callable[[Any, Reader], Term]] = {
    tree.Literal: _literal,
    tree.Name: _name,
    tree.Scripted: _scripted,
    tree.Group: _group,
    tree.Sum: _sum,
    tree.Product: _product,
    tree.Fraction2: _fraction,
    tree.Differential: _differential,
    tree.Big: _big,
    tree.Root: _root,
    tree.Matrix: _matrix,
    tree.Cases: _cases,
    tree.Indicator: _indicator,
    tree.Norm: _norm,
    tree.Dots: _dots,
}
