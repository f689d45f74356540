"""The Python API that writes networks: Python expressions become statements of the language.

    net = Builder("two_layer")
    d, s = net.index(d=784, s=128)
    x, V = net.input("x", d), net.param("V", s, d)
    h = net.value("h")
    h[s] = f.tanh(f.sum[d](V[s, d]*x[d]))
    net.loss("E", f.sum[s](h[s]**2))
    network = net.network()

Each call adds one line of text, so what Python builds and what a file says cannot differ, and
``net.text()`` is that file. Only names and numbers enter the text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any, Union

from derivgen.algebra.network import Network
from derivgen.algebra.text import number_text
from derivgen.errors import NameProblem, SyntaxProblem

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
NUMBER = Union[int, float, Fraction, Decimal]
OR, AND, NOT, COMPARE, SUM, PRODUCT, UNARY, POWER, ATOM = range(9)


class Term:
    """A piece of a formula: its text and how tightly its outermost operator binds."""

    def __init__(self, text: str, binding: int = ATOM) -> None:
        self.text = text
        self.binding = binding

    def __repr__(self) -> str:
        return self.text

    def __add__(self, other: Any) -> Term:
        return _infix(self, " + ", other, SUM, PRODUCT)

    def __radd__(self, other: Any) -> Term:
        return term(other) + self

    def __sub__(self, other: Any) -> Term:
        return _infix(self, " - ", other, SUM, PRODUCT)

    def __rsub__(self, other: Any) -> Term:
        return term(other) - self

    def __mul__(self, other: Any) -> Term:
        return _infix(self, "*", other, PRODUCT, UNARY)

    def __rmul__(self, other: Any) -> Term:
        return term(other) * self

    def __truediv__(self, other: Any) -> Term:
        return _infix(self, "/", other, PRODUCT, UNARY)

    def __rtruediv__(self, other: Any) -> Term:
        return term(other) / self

    def __floordiv__(self, other: int) -> Term:
        return _infix(self, "//", other, PRODUCT, UNARY)

    def __mod__(self, other: int) -> Term:
        return _infix(self, "%", other, PRODUCT, UNARY)

    def __pow__(self, other: Any) -> Term:
        exponent = term(other)
        return Term(f"{_held(self, ATOM)}^{_held(exponent, POWER)}", POWER)

    def __rpow__(self, other: Any) -> Term:
        return term(other) ** self

    def __neg__(self) -> Term:
        return Term(f"-{_held(self, UNARY)}", UNARY)

    def __lt__(self, other: Any) -> Condition:
        return _compare(self, "<", other)

    def __le__(self, other: Any) -> Condition:
        return _compare(self, "<=", other)

    def __gt__(self, other: Any) -> Condition:
        return _compare(self, ">", other)

    def __ge__(self, other: Any) -> Condition:
        return _compare(self, ">=", other)

    def equals(self, other: Any) -> Condition:
        """Return the condition ``self = other``."""
        return _compare(self, "=", other)

    def differs(self, other: Any) -> Condition:
        """Return the condition ``self != other``."""
        return _compare(self, "!=", other)


class Condition:
    """A condition; ``&``, ``|`` and ``~`` combine conditions."""

    def __init__(self, text: str, binding: int) -> None:
        self.text = text
        self.binding = binding

    def __and__(self, other: Condition) -> Condition:
        return Condition(f"{_held(self, NOT)} and {_held(other, NOT)}", AND)

    def __or__(self, other: Condition) -> Condition:
        return Condition(f"{_held(self, AND)} or {_held(other, AND)}", OR)

    def __invert__(self) -> Condition:
        return Condition(f"not {_held(self, COMPARE)}", NOT)

    def __bool__(self) -> bool:
        raise SyntaxProblem(self.text, "A condition on indices has no truth in Python.", "Use &.")


class Tensor(Term):
    """A tensor: ``x[i, j]`` reads an element, ``h[i] = e`` adds an equation."""

    def __init__(self, net: Builder, name: str) -> None:
        super().__init__(name)
        self.net = net
        self.name = name

    def __getitem__(self, indices: Any) -> Term:
        return Term(f"{self.name}[{_indices(indices)}]")

    def at(self, *indices: Any, outside: Any) -> Term:
        """Return an element that reads ``outside`` where the indices leave the range."""
        return Term(f"{self.name}[{_indices(indices)}; {term(outside).text}]")

    def __setitem__(self, indices: Any, value: Any) -> None:
        self.net.equation(f"{self.name}[{_indices(indices)}]", value)


def term(value: Any) -> Term:
    """Return a number, term or condition (1 or 0) as a term."""
    if isinstance(value, Term):
        return value
    if isinstance(value, Condition):
        return Term(f"[{value.text}]")
    if isinstance(value, bool) or not isinstance(value, (int, float, Fraction, Decimal)):
        raise SyntaxProblem(repr(value), "It is neither a number nor a part of a formula.")
    exact = Fraction(str(value)) if isinstance(value, float) else Fraction(value)
    shown = number_text(exact)
    plain = not (exact < 0 or "/" in shown)
    return Term(shown, ATOM if plain else PRODUCT if "/" in shown else UNARY)


def _held(part: Term | Condition, least: int) -> str:
    return part.text if part.binding >= least else f"({part.text})"


def _infix(left: Term, op: str, other: Any, binding: int, least: int) -> Term:
    right = term(other)
    # A sign or quotient on the right needs brackets: a - (-b), a*(b/c).
    return Term(f"{_held(left, binding)}{op}{_held(right, least + (binding == PRODUCT))}", binding)


def _compare(left: Term, op: str, other: Any) -> Condition:
    return Condition(f"{_held(left, SUM)} {op} {_held(term(other), SUM)}", COMPARE)


def _indices(indices: Any) -> str:
    parts = indices if isinstance(indices, tuple) else (indices,)
    return ",".join(term(part).text.replace(" ", "") for part in parts)


def _name(name: str) -> str:
    if not isinstance(name, str) or not NAME.match(name):
        raise NameProblem(repr(name), "It is not a name.", "Use letters, digits and _.")
    return name


class Functions:
    """``f.exp(z)``, ``f.sum[i, j](e)``, ``f.softmax[k](z)``: every function of the language."""

    def __getattr__(self, name: str) -> Function:
        return Function(_name(name))


class Function:
    """A function by name; brackets give it the indices it folds over or works along."""

    def __init__(self, name: str, indices: str = "") -> None:
        self.name = name
        self.indices = indices

    def __getitem__(self, indices: Any) -> Function:
        return Function(self.name, f"[{_indices(indices)}]")

    def __call__(self, *args: Any, **settings: Any) -> Term:
        return Term(f"{self.name}{self.indices}({_arguments(args, settings)})")


def _arguments(args: Sequence[Any], settings: dict[str, Any]) -> str:
    shown = [_argument(arg) for arg in args]
    shown += [f"{_name(name)} = {_argument(arg)}" for name, arg in settings.items()]
    return ", ".join(shown)


def _argument(arg: Any) -> str:
    if isinstance(arg, Function):
        return arg.name
    if isinstance(arg, str):
        return _name(arg)
    return arg.text if isinstance(arg, Condition) else term(arg).text


f = Functions()


class Builder:
    """A network being written; every method adds a line and returns what it named."""

    def __init__(self, name: str) -> None:
        self.lines = [f"network {_name(name)}"]

    def text(self) -> str:
        """Return the network as the text of a ``.dg`` file."""
        return "\n".join(self.lines) + "\n"

    def network(self) -> Network:
        """Return the network; raises what `derivgen.language.parse` raises."""
        from derivgen.language import parse

        return parse(self.text(), "<python>")

    def equation(self, lhs: str, value: Any) -> None:
        """Add ``lhs = value``."""
        self.lines.append(f"{lhs} = {term(value).text}")

    # --- sizes and indices ---

    def dim(self, **sizes: int | None) -> Any:
        """Declare size letters, ``D = net.dim(D=784)``; ``None`` leaves a size open."""
        shown = [f"{n}" if size is None else f"{n} = {term(size)}" for n, size in sizes.items()]
        self.lines.append("dim " + ", ".join(shown))
        return _one_or_all([Term(name) for name in sizes])

    def index(self, **ranges: Any) -> Any:
        """Declare indices by size, or by ``(low, high)`` with both ends included."""
        shown = [f"{name}: {_range(given)}" for name, given in ranges.items()]
        self.lines.append("index " + ", ".join(shown))
        return _one_or_all([Term(name) for name in ranges])

    def batch(self, name: str, size: Any = None) -> Term:
        """Declare the index that numbers the samples."""
        end = "" if size is None else f": {term(size)}"
        self.lines.append(f"batch {_name(name)}{end}")
        return Term(name)

    # --- tensors ---

    def input(self, name: str, *axes: Any, **more: Any) -> Tensor:
        """Declare an input; ``of=`` an index whose values it holds, ``value=`` numbers."""
        return self._declare("input", name, axes, **more)

    def target(self, name: str, *axes: Any, **more: Any) -> Tensor:
        """Declare a target; ``onehot=True``, ``of=`` an index, ``value=`` numbers."""
        return self._declare("target", name, axes, **more)

    def const(self, name: str, *axes: Any, **more: Any) -> Tensor:
        """Declare a constant; ``value=`` numbers."""
        return self._declare("const", name, axes, **more)

    def param(self, name: str, *axes: Any, value: Any = None) -> Tensor:
        """Declare a parameter; ``value=`` numbers or an initialiser, ``f.normal(0, 0.1)``."""
        return self._declare("param", name, axes, value=value)

    def random(self, name: str, *axes: Any, drawn: Term, predict: Any = None) -> Tensor:
        """Declare a random tensor, ``drawn=f.bernoulli(0.5)/0.5, predict=1``."""
        self.lines.append(f"random {_access(name, axes)} = {drawn.text}{_predict(predict)}")
        return Tensor(self, name)

    def state(self, name: str, *axes: Any, start: NUMBER, update: Callable[[Term], Term]) -> Tensor:
        """Declare a state, ``update=lambda mu: 0.9*mu + 0.1*m[k]``."""
        rule = update(Term(_name(name)))
        self.lines.append(f"state {_access(name, axes)} = {term(start)}: {name}' = {rule.text}")
        return Tensor(self, name)

    def value(self, name: str) -> Tensor:
        """Return a tensor that equations will define: ``h = net.value("h"); h[i] = ...``."""
        return Tensor(self, _name(name))

    def number(self, name: str, value: Any) -> Tensor:
        """Define a number: ``u = net.number("u", a*b)``."""
        self.equation(_name(name), value)
        return Tensor(self, name)

    def layer(self, name: str, applied: Term) -> Tensor:
        """Define a whole tensor: ``h = net.layer("h", f.dense(x, 128, f.relu))``."""
        self.equation(_name(name), applied)
        return Tensor(self, name)

    # --- the rest ---

    def assume(self, left: Any, right: Any) -> None:
        """Declare the fact ``left = right``."""
        self.lines.append(f"assume {term(left)} = {term(right)}")

    def define(self, name: str, rule: Callable[..., Term]) -> Function:
        """Define a function: ``swish = net.define("swish", lambda z: z*f.sigmoid(z))``."""
        params = rule.__code__.co_varnames[: rule.__code__.co_argcount]
        body = rule(*[Term(_name(param)) for param in params])
        self.lines.append(f"define {_name(name)}({', '.join(params)}) = {term(body)}")
        return Function(name)

    def function(self, name: str) -> Function:
        """Declare an unknown smooth function."""
        self.lines.append(f"function {_name(name)}")
        return Function(name)

    def share(self, name: str, made: Term) -> Function:
        """Make a layer once: ``enc = net.share("enc", f.dense(128, f.relu))``, then ``enc(x)``."""
        self.lines.append(f"layer {_name(name)} = {made.text}")
        return Function(name)

    def loss(self, name: str, value: Any) -> Tensor:
        """Define the loss."""
        self.lines.append(f"loss {_name(name)} = {term(value).text}")
        return Tensor(self, name)

    def output(self, name: str | Tensor) -> None:
        """Name the tensor that predicts."""
        self.lines.append(f"output {_argument(name)}")

    def train(self, rule: Function | Term | str, epochs: int = 10, batch: int = 32) -> None:
        """Say how to train: ``net.train(f.adam(lr=0.001), epochs=10, batch=64)``."""
        self.lines.append(f"train with {_argument(rule)}, epochs {epochs:d}, batch {batch:d}")

    def _declare(
        self,
        role: str,
        name: str,
        axes: Sequence[Any],
        of: Term | None = None,
        onehot: bool = False,
        value: Any = None,
    ) -> Tensor:
        line = f"{role} {_access(name, axes)}"
        line += " onehot" if onehot else ""
        line += "" if of is None else f" of {of.text}"
        line += "" if value is None else f" = {_start(value)}"
        self.lines.append(line)
        return Tensor(self, name)


def _one_or_all(names: list[Term]) -> Any:
    return names[0] if len(names) == 1 else tuple(names)


def _range(given: Any) -> str:
    if isinstance(given, tuple):
        low, high = given
        return f"{term(low)}..{term(high)}"
    return term(given).text


def _access(name: str, axes: Sequence[Any]) -> str:
    inside = ",".join(term(axis).text for axis in axes)
    return f"{_name(name)}[{inside}]" if axes else _name(name)


def _predict(value: Any) -> str:
    return "" if value is None else f", predict {term(value).text}"


def _start(value: Any) -> str:
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(_start(part) for part in value) + "]"
    return _argument(value)
