r"""Products sorted into calls, gradients and factors: ``f(x)``, ``\nabla W``, ``h(1-h)``."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from derivgen.formulas import tree
from derivgen.formulas.chances import chance
from derivgen.formulas.conventions import layer_function
from derivgen.formulas.dots import dotted_product
from derivgen.formulas.folds import scripts_on
from derivgen.formulas.meanings import name, of_batch
from derivgen.formulas.nablas import by_position, is_loss, nabla
from derivgen.formulas.positions import position
from derivgen.formulas.reader import Reader, bare, leading, replace_span, script_term
from derivgen.formulas.rows import table_candidates, tabled
from derivgen.formulas.scripts import (
    atoms,
    plain_text,
)
from derivgen.formulas.slopes import (
    at_time,
    derivative,
    function_name,
    hessian,
    loss_gradient,
    mentions_bare,
)
from derivgen.formulas.symbols import (
    ELEMENTARY,
)
from derivgen.formulas.terms import (
    Ref,
    Slope,
    Term,
    free_letters,
)
from derivgen.formulas.tree import FormulaError, Name, Span, Tree
from derivgen.formulas.usual import joined_weights

PARAMETERS = ("theta", "w", "W", "w,b", "W,b", "wb", "Wb", "Theta", "beta", "omega")


def product(node: tree.Product, reader: Reader) -> Term:
    if "%" in node.operators:
        return remainder(node, reader)
    factors, operators = list(node.factors), list(node.operators)
    dots = [place for place, factor in enumerate(factors) if isinstance(factor, tree.Dots)]
    if dots:
        return _dotted(factors, operators, dots, node.span, reader)
    found, between = _terms(factors, operators, reader)
    return _divided(found, between, node.span, reader)


def _terms(
    factors: list[Tree], operators: list[str], reader: Reader
) -> tuple[list[Term], list[str]]:
    found: list[Term] = []
    between: list[str] = []
    place = 0
    while place < len(factors):
        term, taken = _factor(factors, operators, place, reader)
        found.append(term)
        place += taken
        if place < len(factors):
            between.append(operators[place - 1])
    return found, between


def _dotted(
    factors: list[Tree], operators: list[str], dots: list[int], span: Span, reader: Reader
) -> Term:
    """Read a product with dots between its factors; see `dotted_product`."""
    place = dots[0]
    if len(dots) > 1 or not 0 < place < len(factors) - 1 or "/" in operators:
        raise FormulaError("...", "Dots with no pattern.", "Write the product.", span)
    before, between = _terms(factors[:place], operators[: place - 1], reader)
    after, behind = _terms(factors[place + 1 :], operators[place + 1 :], reader)
    signs = [*between, operators[place], *behind]
    return _divided(*dotted_product(before, after, signs, span, reader), span, reader)


def remainder(node: tree.Product, reader: Reader) -> Term:
    r"""Return ``i \bmod 3`` as an index used as a number."""
    at = position(node, reader.symbols, tabled(reader.rows, reader.symbols, reader.letters))
    if at is None:
        raise FormulaError("mod", "This is no remainder of an index.", "", node.span)
    return Term("index", (), at, node.span)


def _divided(found: list[Term], between: list[str], span: Span, reader: Reader) -> Term:
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
    _join(factors, operators, reader)
    if len(factors) == 1:
        return replace_span(factors[0], span)
    return Term("multiply", tuple(factors), tuple(operators), span)


def _join(factors: list[Term], operators: list[str], reader: Reader) -> None:
    """Read ``W [h, x]`` as ``U h + W x`` where the network has a matrix for each of both."""
    for place in range(len(factors) - 1):
        weight, stack = factors[place], bare(factors[place + 1])
        if weight.op != "element" or stack.op != "matrix" or weight.data.whole_axes != 2:
            continue
        tensors = [t.data.tensor if t.op == "element" else "" for t in stack.args]
        weights = joined_weights(weight.data.tensor, tensors, reader.symbols.network)
        if weights:
            span = (weight.span[0], factors[place + 1].span[1])
            whole = (None, None)
            terms = tuple(
                Term("multiply", (Term("element", (), Ref(w, whole)), part), ("",))
                for w, part in zip(weights, stack.args)
            )
            factors[place : place + 2] = [
                Term("group", (Term("add", terms, None, span),), "(", span)
            ]
            del operators[place]
            return


def _factor(
    factors: list[Tree], operators: list[str], place: int, reader: Reader
) -> tuple[Term, int]:
    node = factors[place]
    if isinstance(node, tree.Fraction2) and _is_operator(node):
        rest = _rest(factors, operators, place + 1)
        if rest is not None:
            return derivative(node, reader.term(rest), reader), len(factors) - place
    if isinstance(node, tree.Differential):
        return _inline_derivative(factors, operators, place, reader)
    if isinstance(node, Name):
        return _named_factor(node, factors, operators, place, reader)
    if isinstance(node, tree.Scripted) and isinstance(node.inner, Name):
        return reader.term(node), 1
    return reader.term(node), 1


def _is_operator(node: tree.Fraction2) -> bool:
    top = leading(node.top)
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
            return derivative(tree.Fraction2(top, bottom, span), None, reader), 2
    raise FormulaError("\\partial", "A differential outside a fraction.", "", top.span)


def _named_factor(
    node: Name, factors: list[Tree], operators: list[str], place: int, reader: Reader
) -> tuple[Term, int]:
    if not _is_tabled(node, reader):
        node = layer_function(node)
    following = factors[place + 1] if place + 1 < len(factors) else None
    adjacent = following is not None and operators[place] == ""
    if adjacent and (output := _hypothesis(node, following)) is not None:
        return _output(output, reader), 2
    if adjacent and (timed := at_time(node, following, reader)) is not None:
        return name(timed, reader), 2
    if adjacent and (found := chance(node, following, reader)) is not None:
        return found, 2
    if node.base == "nabla":
        term, taken = nabla(node, _behind(factors, operators, place), reader)
        return term, taken + _arguments_after(factors, operators, place + taken, reader)
    if adjacent and (slope := by_position(node, following, reader)) is not None:
        return slope, 2
    if adjacent and _is_hessian(node, following, reader):
        return name(node, reader), 2
    if adjacent and _is_step_prefix(node, following, reader):
        assert isinstance(following, Name), "a step prefix stands before a name"
        return _step(node, following, factors, operators, place, reader)
    if adjacent and following is not None and _is_call(node, following, reader):
        return _call(node, following, factors, operators, place, reader)
    return name(node, reader), 2 if adjacent and _is_step_number(following, reader) else 1


def _is_hessian(node: Name, following: Tree | None, reader: Reader) -> bool:
    r"""Tell whether ``H(w)`` is the matrix of second derivatives at w."""
    argument = isinstance(following, tree.Group) and following.bracket == "("
    free = "H" not in reader.symbols.tensors and hessian(node, reader) is not None
    return free and argument and isinstance(following, tree.Group) and _only_names(following)


def _behind(factors: list[Tree], operators: list[str], place: int) -> list[Tree]:
    """Return the factors behind one that no sign parts from it, and from each other."""
    stop = place + 1
    while stop < len(factors) and operators[stop - 1] == "":
        stop += 1
    return factors[place + 1 : stop]


def _is_step_number(following: Tree | None, reader: Reader) -> bool:
    r"""Tell whether ``(n)`` behind a name numbers the step of training: ``e_j(n)``."""
    if not isinstance(following, tree.Group) or following.bracket != "(":
        return False
    item = following.items[0] if len(following.items) == 1 else None
    symbols, letters = reader.symbols, reader.letters
    taken = (*symbols.tensors, *letters.declared, *letters.known, *symbols.scalars)
    if not isinstance(item, Name) or item.base not in ("n", "t", "tau") or item.base in taken:
        return False
    return not (item.sub or item.sup or item.primes) and symbols.time_key is None


def _arguments_after(factors: list[Tree], operators: list[str], place: int, reader: Reader) -> int:
    r"""Return 1 where the loss has its arguments behind it: ``\nabla_W J(W, b; x, y)``."""
    if not 0 < place < len(factors) or operators[place - 1] != "":
        return 0
    loss, group = factors[place - 1], factors[place]
    if not isinstance(loss, Name) or not is_loss(loss, reader.symbols):
        return 0
    return int(isinstance(group, tree.Group) and group.bracket == "(" and _only_names(group))


def _hypothesis(node: Name, following: Tree | None) -> Name | None:
    r"""Return the output that ``h_\theta(x^{(i)})`` names, of the sample of its argument."""
    if node.base not in ("h", "f") or plain_text(node.sub) not in PARAMETERS or node.sup:
        return None
    if not isinstance(following, tree.Group) or len(following.items) != 1:
        return None
    given = following.items[0]
    if not isinstance(given, Name) or given.base not in ("x", "X") or given.sub:
        return None
    output = "Yhat" if given.base == "X" else "yhat"
    return Name(output, (), given.sup, 0, (node.span[0], following.span[1]))


def _output(node: Name, reader: Reader) -> Term:
    """Read the output, for all samples where all inputs are given: ``h_\\theta(X)``."""
    if node.base != "Yhat" or node.sup:
        return name(replace(node, base="yhat"), reader)
    return of_batch(name(replace(node, base="yhat"), reader), reader.symbols)


def _is_step_prefix(node: Name, following: Tree | None, reader: Reader) -> bool:
    if node.sub or node.sup or node.primes or not isinstance(following, Name):
        return False
    if node.base == "Delta":
        return True
    if _is_tabled(node, reader):
        return False
    taken = node.base in reader.symbols.tensors  # an index d before a name is no factor
    if node.base == "delta":
        scripts = (*atoms(following.sub), *atoms(following.sup))
        timed = any(atom.text.startswith("t") and atom.text != "top" for atom in scripts)
        before = timed or reader.symbols.time_key is not None
        taken = taken or "delta" in reader.symbols.aliases or _is_tabled(node, reader)
        return before and not taken
    return node.base == "d" and not taken and node.span[1] == following.span[0]


def _step(
    node: Name,
    following: Name,
    factors: list[Tree],
    operators: list[str],
    place: int,
    reader: Reader,
) -> tuple[Term, int]:
    inner = name(following, reader)
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
            return Term("gradient", (by, name(bottom, reader)), Slope(), whole), 4
    term = loss_gradient(by, span, "step" if node.base == "Delta" else "d", reader)
    return (Term("transpose", (term,), None, span) if transposed else term), 2


def _is_call(node: Name, following: Tree, reader: Reader) -> bool:
    grouped = (
        isinstance(following, tree.Group)
        and following.bracket in "([{"
        or (isinstance(following, tree.Scripted) and isinstance(following.inner, tree.Group))
    )
    if function_name(node, reader):
        if (node.sub or node.sup) and _is_tabled(node, reader):
            return False
        if mentions_bare(following, node.base):
            return False
        bare = node.base in (
            *ELEMENTARY,
            "softmax",
            "sigmoid",
            "diag",
            "rot180",
            "tr",
            "sigma",
            "relu",
            "ReLU",
        )
        return grouped or bare
    group = following
    if not isinstance(group, tree.Group) or group.bracket != "(":
        return False
    own = node.base == reader.symbols.loss and not (node.sub or node.sup)
    named = own and all(isinstance(item, (Name, tree.Dots)) for item in group.items)
    whole = named or len(group.items) > 1 or _only_names(group)
    return is_loss(node, reader.symbols) and whole


def _is_tabled(node: Name, reader: Reader) -> bool:
    """Tell whether the surface table has the name, scripts and all, for a quantity."""
    found = table_candidates(node, reader.rows, reader.symbols, reader.letters)
    return any(candidate.term.op != "function" for candidate in found)


def _only_names(group: tree.Group) -> bool:
    """Tell whether a bracket holds what a loss depends on: parameters and samples."""
    names = [item for item in group.items if not isinstance(item, tree.Dots)]
    return all(isinstance(item, Name) and item.base in _ARGUMENTS for item in names)


_ARGUMENTS = ("theta", "w", "W", "omega", "Theta", "b", "x", "y", "t", "beta", "X", "Y", "yhat",
              "a", "z", "o", "phat", "p")  # fmt: skip


def _call(
    node: Name,
    following: Tree,
    factors: list[Tree],
    operators: list[str],
    place: int,
    reader: Reader,
) -> tuple[Term, int]:
    if not function_name(node, reader):
        return name(node, reader), 2
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
            done = scripts_on(term, scripts, reader)
            return done.op, done.args, done.data, done.span

        return following.inner, 1, finish
    if isinstance(following, Name) and place + 1 < len(factors) and operators[place] == "":
        after = factors[place + 1]
        applied = _is_call(following, after, reader) or _hypothesis(following, after) is not None
        if applied or chance(following, after, reader) is not None:
            span = (following.span[0], after.span[1])
            return tree.Product((following, after), ("",), span), 2, None
    return following, 1, None


def _arguments(argument: Tree, reader: Reader) -> tuple[Term, ...]:
    if isinstance(argument, tree.Group) and len(argument.items) > 1:
        return tuple(reader.term(item) for item in argument.items)
    return (bare(reader.term(argument)),)


def _apply(node: Name, args: tuple[Term, ...], span: Span, reader: Reader) -> Term:
    name = function_name(node, reader)
    order: Any = node.primes
    if node.slots:
        order = tuple(node.slots.count(k + 1) for k in range(len(args)))
    term = Term("call", args, (name, order), span)
    if node.base == "Sigma":  # the diagonal matrix of the slopes
        term = Term("call", (term,), ("diag", 0), span)
    scripts = tuple(t for t in node.sup)
    if scripts and not node.primes and plain_text(scripts).isdigit():
        exponent = script_term(scripts, reader)
        term = Term("power", (term, exponent), None, span)
    own = reader.symbols.network.functions.get(name) if reader.symbols.network else None
    along = name in ("softmax", "norm") or (own is not None and own.indices)
    if along and node.sub and function_name(replace(node, sub=()), reader):
        return _with_subscript(term, node, span)
    return term


def _with_subscript(term: Term, node: Name, span: Span) -> Term:
    """Read ``softmax_k(z_k)`` as a function along k, ``softmax_k(z)`` as an entry of a vector."""
    slots = tuple(a.at for a in atoms(node.sub))
    names = [slot.letters[0][0] for slot in slots if slot is not None and slot.letters]
    along = [name for name in names if name in free_letters(term.args[0])]
    if term.op == "call" and names and along == names:
        return Term("along", term.args, (term.data[0], tuple(names)), span)
    return Term("item", (term,), slots, span)
