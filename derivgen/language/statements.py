"""Logical lines to the records of `derivgen.language.lines`.

A word is a keyword only where it begins a statement and neither ``=`` nor ``[`` follows it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Union

from derivgen.errors import SyntaxProblem
from derivgen.language.grammar import Reader, found, read_expression, read_ranged
from derivgen.language.lines import (
    AssumeLine,
    BatchLine,
    DefineLine,
    DimLine,
    EquationLine,
    FunctionLine,
    IncludeLine,
    IndexLine,
    InitialiserLine,
    LayerLine,
    Line,
    LossRowLine,
    NetworkLine,
    OptimiserLine,
    OutputLine,
    RandomLine,
    SharedLine,
    Span,
    StateLine,
    TensorItem,
    TensorLine,
    TrainLine,
)
from derivgen.language.source import Source
from derivgen.language.syntax import Apply, Infix, Ref, Tree, Word
from derivgen.language.tokens import Line as TokenLine
from derivgen.language.tokens import Token, read_lines


def read_statements(source: Source) -> list[Line]:
    """Return what each statement of the text says, in order."""
    return list(_statements(source, read_lines(source)))


def _statements(source: Source, lines: list[TokenLine]) -> Iterator[Line]:
    at = 0
    while at < len(lines):
        line = lines[at]
        at += 1
        segments = list(line.segments)
        while segments:
            reader = Reader(source, segments.pop(0))
            if not _begins_block(reader):
                yield read_statement(reader)
                continue
            inside: list[TokenLine] = []
            while at < len(lines) and lines[at].indent > line.indent:
                inside.append(lines[at])
                at += 1
            yield _block(reader, tuple(segments), inside)
            segments = []


def _begins_block(reader: Reader) -> bool:
    word = reader.peek().text
    if word not in ("layer", "optimiser", "optimizer") or reader.peek(1).kind != "name":
        return False
    return reader.peek(2).text != "="


def _block(reader: Reader, rest: tuple[tuple[Token, ...], ...], inside: list[TokenLine]) -> Line:
    span = span_of(reader)
    word = reader.next().text
    head = _head(reader)
    reader.expect(":", f"Write {word} {head.name}(...): and its equations.")
    first = reader.tokens[reader.at :]
    own = tuple(part for part in (first, *rest) if part)
    lines = ([TokenLine(0, own)] if own else []) + inside
    body = tuple(_statements(reader.source, lines))
    if not body:
        raise SyntaxProblem(
            span.text,
            f"The {word} {head.name} says nothing.",
            "Write its equations after the colon, or on indented lines below.",
            reader.source.position(span.start),
        )
    if word == "layer":
        if isinstance(head, Word):
            raise reader.problem("A layer names what it is applied to.", f"{head.name}(x[i]): ...")
        return LayerLine(span, head, body)
    return OptimiserLine(span, head, body)


def span_of(reader: Reader) -> Span:
    """Return where the statement stands."""
    return Span(reader.source, reader.tokens[0].at, reader.tokens[-1].end)


def read_statement(reader: Reader) -> Line:
    """Return what one statement says."""
    token = reader.peek()
    reading = KEYWORDS.get(token.text) if token.kind == "name" else None
    if reading is None or reader.peek(1).text in ("=", "["):
        return _equation(reader)
    reader.next()
    line = reading(reader)
    reader.done()
    return line


def _equation(reader: Reader, is_loss: bool = False) -> Line:
    span = span_of(reader)
    start = reader.peek()
    lhs = read_expression(reader)
    if not isinstance(lhs, (Word, Ref)) or reader.peek().text != "=":
        raise _no_equation(reader, lhs, start)
    reader.next()
    rhs = read_expression(reader)
    predict = _predict(reader)
    reader.done()
    return EquationLine(span, lhs, rhs, predict, is_loss)


def _no_equation(reader: Reader, lhs: Tree, start: Token) -> SyntaxProblem:
    if reader.peek().text == "=":
        problem, at = "The left side of an equation is a name with indices.", start.at
    else:
        problem, at = f"Expected =, found {found(reader.peek())}.", reader.peek().at
    advice = "Write NAME[i] = ..., or begin the line with a keyword such as input or param."
    if isinstance(lhs, Ref) and lhs.outside is not None:
        advice = "Leave out what is read outside: it belongs to the right side."
    return SyntaxProblem(reader.text(), problem, advice, reader.source.position(at))


def _predict(reader: Reader) -> Tree | None:
    if reader.peek().text == "," and reader.peek(1).text == "predict":
        reader.at += 2
        return read_expression(reader)
    return None


def _network(reader: Reader) -> Line:
    return NetworkLine(span_of(reader), reader.name("the network's name").text)


def _dim(reader: Reader) -> Line:
    items: list[tuple[Word, Tree | None]] = []
    while True:
        name = reader.name("a size letter")
        if reader.peek().text == ":":
            raise reader.problem("A size takes =.", f"Write dim {name.text} = 784.")
        value = read_expression(reader) if reader.take("=") else None
        items.append((Word(name.at, name.text), value))
        if not reader.take(","):
            return DimLine(span_of(reader), tuple(items))


def _index(reader: Reader) -> Line:
    layers = reader.tokens[0].text == "layers"
    items = [read_ranged(reader)]
    while reader.take(","):
        items.append(read_ranged(reader))
    return IndexLine(span_of(reader), tuple(items), layers)


def _tensor_line(role: str) -> Callable[[Reader], Line]:
    def read(reader: Reader) -> Line:
        items = [_tensor_item(reader)]
        while reader.take(","):
            items.append(_tensor_item(reader))
        return TensorLine(span_of(reader), role, tuple(items))

    return read


def _tensor_item(reader: Reader) -> TensorItem:
    name, axes = _tensor_name(reader)
    onehot, of = False, None
    while reader.peek().text in ("onehot", "of"):
        if reader.next().text == "onehot":
            onehot = True
        else:
            letter = reader.name("the index whose values it holds")
            of = Word(letter.at, letter.text)
    value = read_expression(reader) if reader.take("=") else None
    return TensorItem(name, axes, value, onehot, of)


def _tensor_name(reader: Reader) -> tuple[Word, tuple[Tree, ...]]:
    start = reader.peek()
    if start.kind != "name":
        raise reader.problem(
            f"Expected a name, found {found(start)}.", f"Write {reader.tokens[0].text} x[i]."
        )
    tree = read_expression(reader)
    if isinstance(tree, Word):
        return tree, ()
    if not isinstance(tree, Ref) or tree.outside is not None:
        raise reader.problem("Expected a name with its axes.", f"Write {start.text}[i].", start.at)
    return Word(tree.at, tree.name), tree.items


def _assume(reader: Reader) -> Line:
    left = read_expression(reader)
    if reader.take("=") is None:
        reader.expect("==", "A fact is an equality: assume sum[k](y[k]) = 1.")
    return AssumeLine(span_of(reader), left, read_expression(reader))


def _head(reader: Reader) -> Union[Word, Apply]:
    tree = read_expression(reader)
    if not isinstance(tree, (Word, Apply)):
        raise reader.problem("Expected a name, with its arguments in parentheses.", at=tree.at)
    return tree


def _define(reader: Reader) -> Line:
    span = span_of(reader)
    head = _head(reader)
    if not isinstance(head, Apply):
        raise reader.problem("A definition names its arguments.", f"define {head.name}(z) = ...")
    reader.expect("=")
    return DefineLine(span, head, read_expression(reader))


def _function(reader: Reader) -> Line:
    items = [_head(reader)]
    while reader.take(","):
        items.append(_head(reader))
    return FunctionLine(span_of(reader), tuple(items))


def _batch(reader: Reader) -> Line:
    ranged = read_ranged(reader) if reader.peek(1).text == ":" else None
    if ranged is not None:
        return BatchLine(span_of(reader), Word(ranged.at, ranged.name), ranged)
    name = reader.name("the letter that numbers the samples")
    return BatchLine(span_of(reader), Word(name.at, name.text), None)


def _random(reader: Reader) -> Line:
    name, axes = _tensor_name(reader)
    reader.expect("=", "Write random m[h] = bernoulli(0.5), normal(0, 1) or uniform(0, 1).")
    item = TensorItem(name, axes, read_expression(reader))
    return RandomLine(span_of(reader), item, _predict(reader))


def _state(reader: Reader) -> Line:
    name, axes = _tensor_name(reader)
    value = read_expression(reader) if reader.take("=") else None
    example = f"Write state {name.name} = 0: {name.name}' = ..."
    item = TensorItem(name, axes, value)
    if reader.take(":") is None:
        return StateLine(span_of(reader), item, None, _predict(reader))
    lhs = read_expression(reader)
    if not isinstance(lhs, (Word, Ref)) or lhs.name != name.name + "'":
        raise reader.problem(f"Expected the next value {name.name}'.", example, lhs.at)
    reader.expect("=", example)
    update = (lhs, read_expression(reader))
    return StateLine(span_of(reader), item, update, _predict(reader))


def _train(reader: Reader) -> Line:
    example = "Write train with adam(lr=0.001), epochs 10, batch 64."
    reader.expect("with", example)
    rule = _head(reader)
    settings: dict[str, Tree] = {}
    while reader.take(","):
        word = reader.name("epochs or batch")
        if word.text not in ("epochs", "batch") or word.text in settings:
            raise reader.problem(f"{word.text} cannot stand here.", example, word.at)
        settings[word.text] = read_expression(reader)
    return TrainLine(span_of(reader), rule, settings.get("epochs"), settings.get("batch"))


def _output(reader: Reader) -> Line:
    name = reader.name("the tensor that predicts")
    return OutputLine(span_of(reader), Word(name.at, name.text))


def _shared(reader: Reader) -> Line:
    name = reader.name("the layer's name")
    reader.expect("=")
    return SharedLine(span_of(reader), Word(name.at, name.text), _head(reader))


def _loss(reader: Reader) -> Line:
    if reader.peek(1).text == "(":
        return _loss_row(reader)
    name = reader.name("the loss's name")
    reader.expect("=", f"Write loss {name.text} = ...")
    return EquationLine(
        span_of(reader), Word(name.at, name.text), read_expression(reader), None, True
    )


def _loss_row(reader: Reader) -> Line:
    head = _head(reader)
    assert isinstance(head, Apply), "a name before a parenthesis is an application"
    reader.expect("=")
    body = read_expression(reader)
    summed = False
    if reader.take(","):
        word = reader.name("summed or averaged")
        if word.text not in ("summed", "averaged"):
            raise reader.problem(f"Expected summed or averaged, found {word.text}.", at=word.at)
        summed = word.text == "summed"
    return LossRowLine(span_of(reader), head, body, summed)


def _initialiser(reader: Reader) -> Line:
    head = _head(reader)
    reader.expect("=")
    return InitialiserLine(span_of(reader), head, read_expression(reader))


def _include(reader: Reader) -> Line:
    token = reader.next()
    if token.kind != "string":
        reader.at -= 1
        raise reader.problem(f"Expected a file name, found {found(token)}.", 'include "rows.dg"')
    return IncludeLine(span_of(reader), token.text[1:-1])


KEYWORDS: dict[str, Callable[[Reader], Line]] = {
    "network": _network,
    "dim": _dim,
    "index": _index,
    "layers": _index,
    "input": _tensor_line("input"),
    "target": _tensor_line("target"),
    "param": _tensor_line("param"),
    "const": _tensor_line("const"),
    "assume": _assume,
    "loss": _loss,
    "define": _define,
    "function": _function,
    "batch": _batch,
    "random": _random,
    "state": _state,
    "train": _train,
    "output": _output,
    "layer": _shared,
    "initialiser": _initialiser,
    "include": _include,
}


def keyword_argument(tree: Tree) -> tuple[str, Tree] | None:
    """Return ``(name, value)`` if an argument is written ``name = value``."""
    if isinstance(tree, Infix) and tree.op == "=" and isinstance(tree.left, Word):
        return tree.left.name, tree.right
    return None
