"""What kind of claim a chain is: an equation, a definition, a function, an update, a rule of thumb.

Each kind is recognised by its form alone and turned into members that `derivgen.verify.judge`
can compare. Invariant: a chain that claims nothing (a name, a condition) is told apart, so that it
is counted as a mention instead of being judged or dropped.
"""

from __future__ import annotations

from collections.abc import Container, Iterator
from dataclasses import replace
from fractions import Fraction
from typing import Any

from derivgen.algebra.network import Role
from derivgen.formulas import tree
from derivgen.formulas.scripts import atoms, plain_text
from derivgen.formulas.symbols import GENERIC_FUNCTIONS, Symbols
from derivgen.formulas.terms import Term, walk
from derivgen.formulas.tree import Name, Tree

EQUALITIES = ("=", "~", "<-")
SECOND_WEIGHTS = ("W", "U", "V")  # W' is a second matrix, no slope


def is_claim(chain: tree.Chain, tensors: Container[str] = ()) -> bool:
    """Tell whether a chain asserts something: it has an equality and is no mere condition.

    ``l = L`` is a condition, ``v = a + u`` a claim if v is a quantity of the network.
    """
    if not chain.relations or len(chain.members) < 2:
        return False
    if not any(r in (*EQUALITIES, "dist", "prop") for r in chain.relations):
        return False
    if chain.relations[0] == "dist" and initial_scale(chain) is None:
        return False  # it says how something is drawn
    first = chain.members[0]
    if isinstance(first, Name) and not first.primes and first.base in tensors:
        return True
    sums = [member for member in chain.members[1:] if isinstance(member, tree.Sum)]
    if any(all(isinstance(p, Name) and p.base in tensors for p in s.terms) for s in sums):
        return True  # a difference of quantities of the network, unlike ``l = L - 1``
    return not all(_is_simple(m) for m in chain.members)


def _is_simple(node: Tree) -> bool:
    """A condition such as ``l = L`` or ``k \\ne 1``: bare single letters and whole numbers."""
    if isinstance(node, Name):
        return len(node.base) == 1 and not node.sub and not node.sup and not node.primes
    if isinstance(node, tree.Literal):
        return "." not in node.text
    if isinstance(node, tree.Sum):
        return all(_is_simple(part) for part in node.terms)
    return False


def assigned(chain: tree.Chain) -> tree.Chain:
    r"""Read ``w \rightarrow w - \eta g`` as an assignment: the right begins with the left."""
    if chain.relations[:1] != ("->",) or not isinstance(chain.members[0], Name):
        return chain
    second = chain.members[1]
    start = second.terms[0] if isinstance(second, tree.Sum) else None
    if not isinstance(start, Name) or _name_text(start) != _name_text(chain.members[0]):
        return chain
    return replace(chain, relations=("<-", *chain.relations[1:]))


def equality_members(chain: tree.Chain) -> tree.Chain:
    """Return the part of a chain before a relation that is no equality (``, i > 0``)."""
    for place, relation in enumerate(chain.relations):
        if relation not in (*EQUALITIES, "dist", "prop"):
            members = chain.members[: place + 1]
            if len(members) > 1:
                return replace(chain, members=members, relations=chain.relations[:place])
    return chain


# --- functions -----------------------------------------------------------------------------------


def function_claim(chain: tree.Chain, symbols: Symbols) -> tuple[str, str] | None:
    """Return the function's name and argument where a chain speaks of a function of one number.

    ``f(x) = ...``, ``f'(x) = ...``, ``\\frac{d\\sigma}{dz} = ...``; the argument is empty for
    ``f' = f(1-f)``.
    """
    first = chain.members[0]
    if isinstance(first, Name) and first.primes and not first.sub:
        return (first.base, "") if _may_be_function(first.base, symbols) else None
    if isinstance(first, tree.Product) and len(first.factors) == 2 and first.operators == ("",):
        name, group = first.factors
        if isinstance(name, Name) and not name.sub and isinstance(group, tree.Group):
            argument = _single_argument(group)
            if argument and _may_be_function(name.base, symbols):
                return (name.base, argument) if _only_of(chain, argument, name.base) else None
    if isinstance(first, tree.Fraction2):
        return _slope_claim(first, symbols, chain)
    if isinstance(first, tree.Product) and isinstance(first.factors[0], tree.Fraction2):
        return _operator_claim(first, chain)
    return None


def _single_argument(group: tree.Group) -> str:
    if len(group.items) == 1 and isinstance(group.items[0], Name):
        item = group.items[0]
        if not item.sub and not item.sup and not item.primes:
            return item.base
    return ""


def _may_be_function(base: str, symbols: Symbols) -> bool:
    known = ("sigmoid", "tanh", "relu", "ReLU", "softplus", "exp", "log", "sinh", "sigma")
    if base in symbols.tensors and base not in GENERIC_FUNCTIONS[:3]:
        return False
    return (
        base in known
        or base in GENERIC_FUNCTIONS
        or base in symbols.network_functions
        or (base in symbols.defined)
    )


def _slope_claim(
    first: tree.Fraction2, symbols: Symbols, chain: tree.Chain
) -> tuple[str, str] | None:
    top, bottom = first.top, first.bottom
    if not isinstance(bottom, tree.Differential) or not isinstance(bottom.inner, Name):
        return None
    argument = bottom.inner
    if argument.sub or argument.sup:
        return None
    inner = top.inner if isinstance(top, tree.Differential) else None
    if isinstance(inner, tree.Product) and isinstance(inner.factors[0], Name):
        name, group = inner.factors[0], inner.factors[1]
        alone = isinstance(group, tree.Group) and _single_argument(group) == argument.base
        if alone and _may_be_function(name.base, symbols):
            return name.base, argument.base
    if not isinstance(inner, Name) or inner.sub or inner.base in symbols.tensors:
        return None
    if _may_be_function(inner.base, symbols) and _only_of(chain, argument.base, inner.base):
        return inner.base, argument.base
    return None


def _operator_claim(first: tree.Product, chain: tree.Chain) -> tuple[str, str] | None:
    """``\\frac{d}{dx} \\ln x = ...``, about elementary functions of one letter alone."""
    operator = first.factors[0]
    assert isinstance(operator, tree.Fraction2), "checked by the caller"
    bottom = operator.bottom
    if not isinstance(operator.top, tree.Differential) or operator.top.inner is not None:
        return None
    if not isinstance(bottom, tree.Differential) or not isinstance(bottom.inner, Name):
        return None
    argument = bottom.inner.base
    names = [name for part in first.factors[1:] for name in names_of(part)]
    known = ("log", "exp", "tanh", "sin", "cos", "sinh", "cosh", "e", "lambda", "alpha", argument)
    if bottom.inner.sub or not all(n.base in known and not n.sub for n in names):
        return None
    return ("exp", argument) if _only_of(chain, argument, "exp") else None


def _only_of(chain: tree.Chain, argument: str, function: str) -> bool:
    """Tell whether the members speak of the argument and known functions alone."""
    allowed = (argument, function, "e", "exp", "log", "max", "tanh", "sigma", "alpha", "f", "pi",
               "sigmoid", "lambda", "beta", "sinh", "cosh", "erf", "phi", "Phi")  # fmt: skip
    for member in chain.members[1:]:
        for name in names_of(member):
            if name.base not in allowed or (name.sub and plain_text(name.sub)):
                return False
    return True


def names_of(node: Tree) -> Iterator[Name]:
    """Yield all names of a tree, those in scripts left out."""
    if isinstance(node, Name):
        yield node
        return
    for value in vars(node).values():
        for part in value if isinstance(value, tuple) else (value,):
            if isinstance(part, tree.Token) or not hasattr(part, "span"):
                continue
            yield from names_of(part)


# --- updates -------------------------------------------------------------------------------------


def is_update(members: list[Term], relations: tuple[str, ...]) -> bool:
    """Tell whether a chain updates what stands on its left: ``w := w - eta dE/dw``."""
    first = members[0]
    if first.op != "element" or len(members) < 2:
        return False
    if first.data.updated:
        return True
    reads = any(t.op == "element" and t.data == first.data for t in _outside_slopes(members[1]))
    slopes = any(t.op == "gradient" for _, t in walk(members[1]))
    if relations[0] == "<-":
        return reads or slopes
    return reads and (slopes or any(t.op == "free" for _, t in walk(members[1])))


def _outside_slopes(term: Term) -> Iterator[Term]:
    yield term
    if term.op != "gradient":
        for part in term.args:
            yield from _outside_slopes(part)


def updated(term: Term) -> Term:
    """Return the value after the step of an element."""
    return Term("element", (), replace(term.data, updated=True), term.span)


def numbered_update(chain: tree.Chain, symbols: Symbols) -> tree.Chain:
    """Write ``w^+ = w - ...`` for ``w^{(t+1)} = w^{(t)} - ...`` where w is a parameter."""
    first = chain.members[0]
    if not isinstance(first, Name) or not first.sup or len(chain.members) < 2:
        return chain
    number = plain_text(first.sup).strip("()[]")
    tensor = symbols.tensors.get(symbols.by_canonical.get(first.base, ""))
    if not number.endswith("+1") or tensor is None or tensor.role is not Role.PARAM:
        return chain
    plus = tree.Token("operator", "+", first.sup[0].span)
    members = [_numbered(m, first.base, number[:-2]) for m in chain.members[1:]]
    if all(new is old for new, old in zip(members, chain.members[1:])):
        return chain
    return replace(chain, members=(replace(first, sup=(plus,)), *members))


def _numbered(node: Tree, base: str, number: str) -> Tree:
    """Drop the number of the step from a parameter."""
    if isinstance(node, Name):
        same = node.base == base and plain_text(node.sup).strip("()[]") == number
        return replace(node, sup=()) if same else node
    changes: dict[str, Any] = {}
    for name, value in vars(node).items():
        if isinstance(value, tuple) and value and all(hasattr(p, "span") for p in value):
            changes[name] = tuple(_numbered_part(p, base, number) for p in value)
        elif hasattr(value, "span"):
            changes[name] = _numbered_part(value, base, number)
    changed = any(changes[name] != getattr(node, name) for name in changes)
    return replace(node, **changes) if changed else node


def _numbered_part(part: Any, base: str, number: str) -> Any:
    return part if isinstance(part, tree.Token) else _numbered(part, base, number)


def states_delta_rule(chain: tree.Chain) -> bool:
    r"""Tell whether delta may be minus the derivative here, as in the delta rule.

    The form shows it: ``\Delta w = \eta\delta y``, an error written ``t - o`` or ``e``.
    """
    bases = [name.base for member in chain.members for name in names_of(member)]
    if "delta" not in bases:
        return False
    wanted = "t" in bases and ("o" in bases or "net" in bases) or "e" in bases
    return "Delta" in bases or wanted


def lacks_rate(member: Term) -> bool:
    """Tell whether an update multiplies its gradient by nothing."""
    return not any(t.op in ("free",) for _, t in walk(member)) and not any(
        t.op == "number" and t.data[0] not in (1, 0) for _, t in walk(member)
    )


def has_slopes(chain: tree.Chain) -> bool:
    """Tell whether a derivative or a gradient symbol occurs."""
    text_names = [name for member in chain.members for name in names_of(member)]
    primed = [n for n in text_names if n.primes and n.base not in SECOND_WEIGHTS]
    if primed or any(name.base in ("nabla", "Delta") for name in text_names):
        return True
    return any(_has_differential(member) for member in chain.members)


def _has_differential(node: Tree) -> bool:
    if isinstance(node, tree.Differential):
        return True
    for value in vars(node).values():
        for part in value if isinstance(value, tuple) else (value,):
            if (
                hasattr(part, "span")
                and not isinstance(part, tree.Token)
                and _has_differential(part)
            ):
                return True
    return False


def descent(chain: tree.Chain) -> str | None:
    """Judge ``x = x - eta dE/dx`` and ``Delta x = -eta dE/dx`` by form: right, sign or rate.

    ``None`` where a chain has another form.
    """
    if len(chain.members) != 2 or chain.relations[0] not in ("=", "<-"):
        return None
    first, second = chain.members
    if isinstance(first, tree.Product) and _is_delta(first):
        step, name = second, first.factors[1]
        assert isinstance(name, Name), "checked by _is_delta"
        parts = _step_parts(step, name)
        return None if parts is None else ("right" if parts[0] < 0 else "sign")
    if not isinstance(first, Name) or not isinstance(second, tree.Sum) or len(second.terms) != 2:
        return None
    start = second.terms[0]
    if not isinstance(start, Name) or _name_text(start) != _name_text(first):
        return None
    parts = _step_parts(tree.Sum((second.terms[1],), (second.signs[1],), second.span), first)
    if parts is None:
        return None
    sign, rate = parts
    return "sign" if sign > 0 else ("right" if rate else "rate")


def _is_delta(node: tree.Product) -> bool:
    return (
        len(node.factors) == 2
        and all(isinstance(f, Name) for f in node.factors)
        and (getattr(node.factors[0], "base", "") == "Delta")
    )


def _step_parts(step: Tree, name: Name) -> tuple[int, bool] | None:
    """Return the sign of a step and whether a rate multiplies the gradient by ``name``."""
    sign = 1
    if isinstance(step, tree.Sum) and len(step.terms) == 1:
        sign, step = step.signs[0], step.terms[0]
    factors = step.factors if isinstance(step, tree.Product) else (step,)
    slopes = [f for f in factors if (_leibniz(f) or ("", ""))[1] == _name_text(name)]
    rest = [f for f in factors if f not in slopes]
    if len(slopes) != 1 or not all(isinstance(f, (Name, tree.Literal)) for f in rest):
        return None
    return sign, bool(rest)


# --- chain rules about unknown quantities --------------------------------------------------------


def chain_alone(chain: tree.Chain) -> tuple[str, str, str] | None:
    """Return (of, by, middle) where a chain is the bare chain rule of quantities in a row.

    ``dP/dW = dP/dZ * dZ/dW`` holds for any quantities, if W acts through Z alone.
    """
    if len(chain.members) != 2:
        return None
    first = _leibniz(chain.members[0])
    product = chain.members[1]
    if first is None or not isinstance(product, tree.Product):
        return None
    links = [_leibniz(f) for f in product.factors]
    if any(link is None for link in links) or any(op == "/" for op in product.operators):
        return None
    pairs = [link for link in links if link is not None]
    for ordered in (pairs, pairs[::-1]):
        joined = all(a[1] == b[0] for a, b in zip(ordered, ordered[1:]))
        if joined and ordered[0][0] == first[0] and ordered[-1][1] == first[1]:
            return first[0], first[1], ", ".join(link[1] for link in ordered[:-1])
    return None


def chain_sum(chain: tree.Chain) -> bool:
    """Tell whether a chain is the bare chain rule with a sum over what lies between."""
    if len(chain.members) != 2 or not isinstance(chain.members[1], tree.Big):
        return False
    big = chain.members[1]
    first = _leibniz(chain.members[0])
    if first is None or big.op != "sum" or not isinstance(big.body, tree.Product):
        return False
    links = [_leibniz(f) for f in big.body.factors]
    if len(links) != 2 or any(link is None for link in links):
        return False
    one, other = (link for link in links if link is not None)
    bound = [a.text for a in atoms(big.sub) if a.at is not None]
    if not bound or one[1] != other[0] or one[0] != first[0] or other[1] != first[1]:
        return False
    return any(one[1].endswith(letter) for letter in (a.split("=")[0] for a in bound))


def _leibniz(node: Tree) -> tuple[str, str] | None:
    if not isinstance(node, tree.Fraction2):
        return None
    top, bottom = node.top, node.bottom
    if not isinstance(top, tree.Differential) or not isinstance(bottom, tree.Differential):
        return None
    if not isinstance(top.inner, Name) or not isinstance(bottom.inner, Name):
        return None
    return _name_text(top.inner), _name_text(bottom.inner)


def _name_text(name: Name) -> str:
    sub, sup = plain_text(name.sub), plain_text(name.sup)
    return name.base + (f"^{sup}" if sup else "") + (f"_{sub}" if sub else "")


# --- scales of initial weights -------------------------------------------------------------------


def initial_scale(chain: tree.Chain) -> tuple[str, str] | None:
    """Return (key, right formula) for a wrong scale of initial weights, if the chain states one.

    Glorot's scale is ``sqrt(2/(n_in + n_out))``; ``1/n`` is a variance, its scale ``1/sqrt(n)``.
    Source: Glorot and Bengio 2010, equation 12 (as a standard deviation).
    """
    if len(chain.members) != 2 or not isinstance(chain.members[0], Name):
        return None
    right = chain.members[1]
    if chain.relations[0] == "dist" and isinstance(right, tree.Fraction2):
        top, bottom = right.top, right.bottom
        if isinstance(top, tree.Literal) and isinstance(bottom, Name):
            return "variance", rf"\frac{{{top.text}}}{{\sqrt{{{_name_text(bottom)}}}}}"
        return None
    if isinstance(right, tree.Root) and isinstance(right.inner, tree.Fraction2):
        fans = _fans(right.inner.bottom)
        if fans is not None and all(power for _, power in fans):
            above = right.inner.top.text if isinstance(right.inner.top, tree.Literal) else "2"
            below = "+".join(name for name, _ in fans)
            return "initialisation", rf"\sqrt{{\frac{{{above}}}{{{below}}}}}"
    return None


def _fans(node: Tree) -> list[tuple[str, bool]] | None:
    if not isinstance(node, tree.Sum) or any(s != 1 for s in node.signs):
        return None
    found: list[tuple[str, bool]] = []
    for part in node.terms:
        if not isinstance(part, Name) or plain_text(part.sub) not in ("in", "out"):
            return None
        found.append((f"{part.base}_{{{plain_text(part.sub)}}}", bool(part.sup)))
    return found


def is_initial_scale(chain: tree.Chain) -> bool:
    """Tell whether a chain states the right Glorot scale."""
    if len(chain.members) != 2 or not isinstance(chain.members[1], tree.Root):
        return False
    inner = chain.members[1].inner
    if not isinstance(inner, tree.Fraction2):
        return False
    fans = _fans(inner.bottom)
    top = inner.top
    right = isinstance(top, tree.Literal) and top.value == Fraction(2)
    return fans is not None and right and not any(power for _, power in fans)
