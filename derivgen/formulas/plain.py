"""Plain claims, one a line, in the expression grammar of ``.dg``.

    d(E, W[k,s]) = (yhat[k]-y[k])*yhat[k]*(1-yhat[k])*h[s]
    d(E, z1[j]) = sum[k](d(E, z2[k])*W2[k,j])*f'(z1[j])
    d(h[t,k], h[t-1,j]) = (1-h[t,k]^2)*R[k,j]   for t > 1

A chain ``a = b = c`` is one claim; ``for`` adds conditions on free indices. Invariant: indices and
numerals mean what they mean in the network, nothing is shifted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from fractions import Fraction
from typing import Any

from derivgen.errors import DerivgenError
from derivgen.formulas.fit import new_letters
from derivgen.formulas.plain_indices import (
    PlainReader,
    at_or_none,
    bind,
    bind_all,
    bound,
    bound_name,
    slot,
    substituted,
)
from derivgen.formulas.symbols import STEP_SIZES, Symbols
from derivgen.formulas.terms import (
    At,
    Claim,
    Fold,
    Ref,
    Slope,
    Term,
    Test,
    free_letters,
    letter,
    map_ats,
)
from derivgen.formulas.tree import FormulaError, Span
from derivgen.language.grammar import VALUE, read_expression
from derivgen.language.grammar import Reader as TokenReader
from derivgen.language.source import make_source
from derivgen.language.syntax import (
    Apply,
    Bracket,
    Chain,
    Infix,
    Negative,
    NotTree,
    Num,
    Word,
)
from derivgen.language.syntax import Ref as RefTree
from derivgen.language.tokens import Token, read_lines

FOLDS = ("sum", "prod", "max", "min", "mean", "logsumexp")
COMPARISONS = ("=", "!=", "<", "<=", ">", ">=")
ELEMENTARY = ("exp", "log", "log1p", "expm1", "sqrt", "tanh", "sinh", "cosh", "sin", "cos", "asin",
              "acos", "atan", "abs", "sign", "erf", "lgamma", "digamma", "floor", "min", "max",
              "stop_gradient")  # fmt: skip


def read_plain(text: str, symbols: Symbols) -> Claim:
    """Return the claim of one line.

    Raises: FormulaError, with the token and its place.
    """
    tokens = _tokens(text)
    conditions: list[list[Token]] = []
    places = _top_level(tokens, "for")
    if places:
        conditions = _split(tokens[places[-1] + 1 :], ",", "and")
        tokens = tokens[: places[-1]]
    parts = _split(tokens, "=", "==")
    reader = PlainReader(text, symbols, new_letters(symbols))
    members = tuple(_member(part, reader) for part in parts)
    guards = tuple(_guard(part, reader) for part in conditions if part)
    spans = tuple((part[0].at, part[-1].end) for part in parts)
    return Claim(
        members,
        ("=",) * (len(members) - 1),
        dict(reader.letters.known),
        tuple(reader.notices),
        tuple(reader.letters.clashes),
        guards,
        spans,
        "plain",
    )


def _tokens(text: str) -> list[Token]:
    try:
        lines = read_lines(make_source(text, "<claim>"))
    except DerivgenError as error:
        column = error.position.column - 1 if error.position else 0
        raise FormulaError(
            error.subject, error.problem, error.advice, (column, column + 1)
        ) from None
    return [token for line in lines for segment in line.segments for token in segment]


def _top_level(tokens: list[Token], *texts: str) -> list[int]:
    level, found = 0, []
    for place, token in enumerate(tokens):
        level += (token.text in ("(", "[")) - (token.text in (")", "]"))
        if level == 0 and token.text in texts:
            found.append(place)
    return found


def _split(tokens: list[Token], *texts: str) -> list[list[Token]]:
    parts: list[list[Token]] = []
    start = 0
    for place in [*_top_level(tokens, *texts), len(tokens)]:
        parts.append(tokens[start:place])
        start = place + 1
    if any(not part for part in parts):
        at = tokens[0].at if tokens else 0
        raise FormulaError("=", "A side of the claim is missing.", "Write A = B.", (at, at + 1))
    return parts


def _member(tokens: list[Token], reader: PlainReader) -> Term:
    tree = _tree(tokens, reader, VALUE)
    return _term(tree, reader)


def _tree(tokens: list[Token], reader: PlainReader, power: int) -> Any:
    source = make_source(reader.text, "<claim>")
    inner = TokenReader(source, tuple(tokens))
    try:
        tree = read_expression(inner, power)
        inner.done()
    except DerivgenError as error:
        column = error.position.column - 1 if error.position else 0
        raise FormulaError(
            error.subject, error.problem, error.advice, (column, column + 1)
        ) from None
    return tree


def _guard(tokens: list[Token], reader: PlainReader) -> Test:
    tree = _tree(tokens, reader, 0)
    if isinstance(tree, Infix) and tree.op in COMPARISONS:
        test = _comparison(tree, reader)
        known = (*reader.letters.known, *reader.symbols.sizes)
        strange = [n for n in free_letters(Term("bracket", (), test)) if n not in known]
        if strange:
            problem, advice = "This letter is no index of the claim.", "Name an index it has."
            raise reader.problem(strange[0], problem, tokens[0].at, advice)
        return test
    raise reader.problem(tokens[0].text, "This is no condition.", tokens[0].at, "Write for t < 3.")


def _comparison(tree: Infix, reader: PlainReader) -> Test:
    sides = [_side(side, reader) for side in (tree.left, tree.right)]
    return Test(tree.op, sides[0], sides[1])


def _side(tree: Any, reader: PlainReader) -> Any:
    return at_or_none(tree, reader) or _term(tree, reader)


def _term(tree: Any, reader: PlainReader) -> Term:
    found = _HANDLERS[type(tree)](tree, reader)
    return replace(found, span=_with_brackets(found.span, reader.text))


def _with_brackets(span: Span, text: str) -> Span:
    """Widen a span to the brackets written right around it, which the grammar drops."""
    start, end = span
    while True:
        before = len(text[:start].rstrip()) - 1
        after = end + len(text[end:]) - len(text[end:].lstrip())
        if before < 0 or after >= len(text) or text[before] != "(" or text[after] != ")":
            return start, end
        if before and (text[before - 1].isalnum() or text[before - 1] in "_]'"):
            return start, end  # the brackets of a call
        start, end = before, after + 1


def _num(tree: Num, reader: PlainReader) -> Term:
    end = tree.at
    while end < len(reader.text) and (reader.text[end].isalnum() or reader.text[end] == "."):
        end += 1
    text = reader.text[tree.at : end]
    return Term("number", (), (Fraction(tree.value), text), (tree.at, end))


def _word(tree: Word, reader: PlainReader) -> Term:
    name, span = tree.name, (tree.at, tree.at + len(tree.name))
    symbols = reader.symbols
    if name in reader.bound or name in reader.letters.known and name not in symbols.tensors:
        return Term("index", (), letter(name), span)
    if name in symbols.tensors:
        rank = len(symbols.tensors[name].axes)
        return Term("element", (), Ref(name, (None,) * rank), span)
    if name.endswith("'") and name.rstrip("'") in symbols.tensors:
        return Term("element", (), Ref(name.rstrip("'"), updated=True), span)
    if name in symbols.aliases and not symbols.aliases[name][0]:
        return replace(symbols.aliases[name][1], span=span)
    if name in symbols.sizes:
        return Term("size", (), name, span)
    if name in reader.letters.declared:
        return Term("index", (), letter(name), span)
    if name == "pi":
        return Term("constant", (), "pi", span)
    if name in STEP_SIZES or name in symbols.free:
        return Term("free", (), name, span)
    raise reader.problem(name, "Nothing declares this name.", tree.at, "Use the network's names.")


def _ref(tree: RefTree, reader: PlainReader) -> Term:
    span = (tree.at, _closing(reader.text, tree.at))
    slots = tuple(slot(item, reader) for item in tree.items)
    name = tree.name
    updated = name.endswith("'") and name not in reader.symbols.tensors
    name = name.rstrip("'") if updated else name
    if name in reader.symbols.aliases and name not in reader.symbols.tensors:
        return _alias(name, slots, span, reader)
    tensor = reader.symbols.tensors.get(name)
    if tensor is None and name.startswith("delta_") and name[6:] in reader.symbols.tensors:
        by = _ref(tree._replace(name=name[6:], at=tree.at + 6), reader)
        of = Term("element", (), Ref(reader.symbols.loss), span)
        return Term("gradient", (of, by), Slope(symbol="delta"), span)
    if tensor is None:
        raise reader.problem(name, "Nothing declares this tensor.", tree.at, "Check its name.")
    if len(slots) != len(tensor.axes):
        raise reader.problem(
            name, f"It has {len(tensor.axes)} indices, {len(slots)} are written.", tree.at
        )
    term = Term("element", (), Ref(name, slots, updated=updated), span)
    bind(term.data, reader, span)
    if tree.outside is not None:
        return _padded(term, _term(tree.outside, reader), reader)
    return term


def _padded(term: Term, outside: Term, reader: PlainReader) -> Term:
    return Term("padded", (term, outside), None, term.span)


def _alias(name: str, slots: tuple[At, ...], span: Span, reader: PlainReader) -> Term:
    names, term = reader.symbols.aliases[name]
    if len(names) != len(slots):
        raise reader.problem(name, f"It has {len(names)} indices.", span[0])
    mapping = dict(zip(names, slots))
    new = map_ats(term, lambda at: substituted(at, mapping))
    bind_all(new, reader, span)
    return replace(new, span=span)


def _closing(text: str, at: int) -> int:
    """Return the end of a name and the brackets after it."""
    end = at
    while end < len(text) and (text[end].isalnum() or text[end] in "_'"):
        end += 1
    while end < len(text) and text[end] in "([":
        level = 0
        for place in range(end, len(text)):
            level += (text[place] in "([") - (text[place] in ")]")
            if level == 0:
                end = place + 1
                break
        else:
            return len(text)
    return end


def _negative(tree: Negative, reader: PlainReader) -> Term:
    inner = _term(tree.part, reader)
    return Term("negate", (inner,), None, (tree.at, inner.span[1]))


def _infix(tree: Infix, reader: PlainReader) -> Term:
    if tree.op in COMPARISONS:
        raise reader.problem(tree.op, "A comparison stands in brackets: [i = j].", tree.op_at)
    if tree.op in ("//", "%"):
        at = at_or_none(tree, reader)
        if at is None:
            raise reader.problem(tree.op, "Only indices are divided so.", tree.op_at)
        return Term("index", (), at, (tree.at, tree.op_at + 2))
    if tree.op == "/" and (slope := _leibniz(tree, reader)) is not None:
        return slope
    left, right = _term(tree.left, reader), _term(tree.right, reader)
    op = "divide" if tree.op == "/" else "power"
    return Term(op, (left, right), None, (left.span[0], _extent(right, reader)))


def _leibniz(tree: Infix, reader: PlainReader) -> Term | None:
    """Read ``dE/dW[k,h]``, and ``x*dE/dW`` with the factors before it."""
    by = _differential(tree.right, reader)
    before: tuple[Any, ...] = ()
    left = tree.left
    if isinstance(left, Chain) and left.ops[0] == "*":
        before, left = left.parts[:-1], left.parts[-1]
    of = _differential(left, reader)
    if by is None or of is None:
        return None
    slope = Term("gradient", (of, by), Slope(), (left.at, by.span[1]))
    factors = [_term(part, reader) for part in before]
    if not factors:
        return slope
    span = (factors[0].span[0], slope.span[1])
    return Term("multiply", (*factors, slope), ("*",) * len(factors), span)


def _differential(tree: Any, reader: PlainReader) -> Term | None:
    """Return the quantity behind a d: ``dW[k,h]`` where W is a tensor and dW is none."""
    if not isinstance(tree, (Word, RefTree)):
        return None
    name, tensors = tree.name, reader.symbols.tensors
    if not name.startswith("d") or name in tensors or name[1:] not in tensors:
        return None
    return _term(tree._replace(name=name[1:], at=tree.at + 1), reader)


def _extent(term: Term, reader: PlainReader) -> int:
    """Return the end of a term, with the closing brackets that were read around it."""
    end = term.span[1]
    opened = reader.text[term.span[0] : end].count("(") - reader.text[term.span[0] : end].count(")")
    while opened > 0 and end < len(reader.text):
        opened += (reader.text[end] == "(") - (reader.text[end] == ")")
        end += 1
    return end


def _chain(tree: Chain, reader: PlainReader) -> Term:
    if tree.ops[0] in ("and", "or"):
        raise reader.problem(tree.ops[0], "A condition stands in brackets.", tree.at)
    if tree.ops[0] == "*":
        return _factors(tree, reader)
    terms = []
    for op, part in zip(tree.ops, tree.parts):
        inner = _term(part, reader)
        start = inner.span[0]
        terms.append(inner if op == "+" else Term("negate", (inner,), None, (start, inner.span[1])))
    return Term("add", tuple(terms), None, (terms[0].span[0], terms[-1].span[1]))


def _factors(tree: Chain, reader: PlainReader) -> Term:
    found = [_term(part, reader) for part in tree.parts]
    operators = tuple("*" for _ in found[1:])
    return Term("multiply", tuple(found), operators, (found[0].span[0], found[-1].span[1]))


def _not(tree: NotTree, reader: PlainReader) -> Term:
    raise reader.problem("not", "A condition stands in brackets.", tree.at)


def _bracket(tree: Bracket, reader: PlainReader) -> Term:
    if len(tree.parts) != 1:
        raise reader.problem("[", "A bracket holds one condition.", tree.at)
    span = (tree.at, _closing(reader.text, tree.at))
    return Term("bracket", (), _condition(tree.parts[0], reader), span)


def _condition(tree: Any, reader: PlainReader) -> Test:
    match tree:
        case Infix(op=op) if op in COMPARISONS:
            return _comparison(tree, reader)
        case Chain(ops=ops, parts=parts) if ops[0] in ("and", "or"):
            return Test(ops[0], tuple(_condition(p, reader) for p in parts), None)
        case NotTree(part=part):
            return Test("not", _condition(part, reader), None)
    raise reader.problem("[", "This is no condition.", tree.at)


def _apply(tree: Apply, reader: PlainReader) -> Term:
    span = (tree.at, _closing(reader.text, tree.at))
    if tree.items is not None:
        return _indexed_call(tree, span, reader)
    if tree.name == "d" and len(tree.args) == 2 and "d" not in reader.symbols.network_functions:
        return _slope(tree, span, reader)
    if tree.name == "where":
        return _where(tree, span, reader)
    name = tree.name.rstrip("'")
    order = len(tree.name) - len(name)
    if tree.name in reader.symbols.network_functions:
        name, order = tree.name, 0
    if name in reader.symbols.network_functions or name in ELEMENTARY:
        args = tuple(_term(arg, reader) for arg in tree.args)
        return Term("call", args, (name, order), span)
    activations = reader.symbols.activations
    if name in ("f", "g", "phi", "sigma", "h") and len(activations) == 1:
        args = tuple(_term(arg, reader) for arg in tree.args)
        return Term("call", args, (activations[0], order), span)
    raise reader.problem(name, "Nothing declares this function.", tree.at, "Define it.")


def _slope(tree: Apply, span: Span, reader: PlainReader) -> Term:
    of, by = (_term(arg, reader) for arg in tree.args)
    if by.op != "element":
        raise reader.problem("d", "The second part of d(u, x) is an element.", tree.at)
    return Term("gradient", (of, by), Slope(), span)


def _where(tree: Apply, span: Span, reader: PlainReader) -> Term:
    if len(tree.args) != 3:
        raise reader.problem("where", "It takes a condition and two values.", tree.at)
    test = _condition(tree.args[0], reader)
    values = tuple(_term(arg, reader) for arg in tree.args[1:])
    return Term("cases", values, (test, None), span)


def _indexed_call(tree: Apply, span: Span, reader: PlainReader) -> Term:
    assert tree.items is not None, "checked by the caller"
    names = [bound_name(item, reader) for item in tree.items]
    if len(tree.args) != 1:
        raise reader.problem(tree.name, "It takes one argument.", tree.at)
    outer = reader.bound
    reader.bound = (*outer, *names)
    body = _term(tree.args[0], reader)
    reader.bound = outer
    for name in names:
        if name in reader.letters.declared:
            reader.letters.known.setdefault(name, reader.letters.declared[name])
    if tree.name in FOLDS:
        bounds = tuple(bound(item, name) for item, name in zip(tree.items, names))
        return Term("fold", (body,), Fold(tree.name, bounds), span)
    if tree.name in reader.symbols.network_functions:
        return Term("along", (body,), (tree.name, tuple(names)), span)
    raise reader.problem(tree.name, "Nothing declares this function.", tree.at, "Define it.")


_HANDLERS: Mapping[type, Callable[[Any, PlainReader], Term]] = {
    Num: _num,
    Word: _word,
    RefTree: _ref,
    Apply: _apply,
    Negative: _negative,
    Infix: _infix,
    Chain: _chain,
    NotTree: _not,
    Bracket: _bracket,
}
