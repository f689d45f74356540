"""Random networks of raw equations, as text: a Hypothesis strategy for mass tests.

``networks()`` draws small networks with shifts, strides, padded and reversed accesses, quotients
and remainders, masks, gathers, shared weights, recurrences in both directions, maxima, products,
reductions inside nonlinear functions, terms without the bound index, repeated operands, fan-out.
Sizes are pairwise different; functions are bounded, so that values stay near 1.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import strategies as st

SIZES = {"A": 2, "B": 3, "C": 4, "T": 3}
LETTERS = {"A": ("a", "i"), "B": ("b", "j"), "C": ("c", "k")}
HEAD = """network drawn
dim A = 2, B = 3, C = 4, T = 3
index a: A, i: A, b: B, j: B, c: C, k: C, t: T
input x[a,b], y[c], s[t,c], tok[b] of c
param W[a,b], V[c,b], u[c], R[c,c], q
"""
GIVEN = {
    "x": ("A", "B"),
    "y": ("C",),
    "s": ("T", "C"),
    "W": ("A", "B"),
    "V": ("C", "B"),
    "u": ("C",),
    "R": ("C", "C"),
    "q": (),
}
DIM_OF = {letter: dim for dim, letters in LETTERS.items() for letter in letters} | {"t": "T"}
# How an index over one size reads an axis of another without leaving it.
FITTING = {
    ("C", "A"): ("{}//2", "{}%2"),
    ("C", "B"): ("{}%3",),
    ("B", "A"): ("{}//2", "{}%2"),
    ("A", "B"): ("{}+1", "2*{}"),
    ("A", "C"): ("2*{}", "{}+2", "2*{}+1", "3*{}"),
    ("B", "C"): ("{}+1", "3-{}"),
    ("T", "C"): ("{}+1",),
    ("T", "A"): ("{}//2", "{}%2"),
}
UNARY = (
    "tanh({})",
    "sin({})",
    "cos({})",
    "sigmoid({})",
    "exp(-({})^2)",
    "log(1 + ({})^2)",
    "sqrt(1 + ({})^2)",
    "tanh({})^2",
    "sin({})^3",
    "atan({})",
    "softplus(sin({}))",
    "relu({})",
    "swish(tanh({}))",
    "1/(2 + sin({}))",
    "abs({})",
    "exp(sin({}))",
    "bump({})",
    "tanh(stop_gradient({}) + q)",
)
BINARY = ("{} + {}", "{} - {}", "({})*({})", "({})*({})", "({})/(2 + cos({}))", "tanh({})^2*({})")
REDUCTIONS = ("sum", "sum", "sum", "mean", "max", "min", "logsumexp", "prod")
NUMBERS = ("0.5", "2", "1/3", "-1.25", "0.1*{}", "({} + 1)/4")


@dataclass
class Text:
    """What has been written: equations, and the axes of every tensor that may be read."""

    tensors: dict[str, tuple[str, ...]] = field(default_factory=lambda: dict(GIVEN))
    lines: list[str] = field(default_factory=list)


@st.composite
def networks(draw) -> str:
    """Draw the text of a network with a loss."""
    text = Text()
    for number in range(draw(st.integers(1, 4))):
        kind = draw(st.sampled_from(KINDS_OF_LINE))
        WRITERS[kind](draw, text, number)
    made = [name for name in text.tensors if name not in GIVEN]
    terms = [_whole(draw, text, name) for name in made]
    extra = expression(draw, text, (), 2)
    return HEAD + DEFINE + "\n".join(text.lines) + f"\nloss E = {' + '.join(terms)} + {extra}\n"


DEFINE = "define bump(z) = z/(1 + z^2)\n"
KINDS_OF_LINE = ("plain", "plain", "plain", "scan", "pair", "base", "slope")


def _whole(draw, text: Text, name: str) -> str:
    """Return a number that depends on every element of a tensor."""
    letters = _fresh(text.tensors[name])
    inside = f"{name}[{','.join(letters)}]" if letters else name
    form = draw(st.sampled_from(("{0}^2", "sin({0})", "{0}*{0}*0.5", "bump({0})")))
    return f"sum[{','.join(letters)}]({form.format(inside)})" if letters else form.format(inside)


def _fresh(axes: tuple[str, ...]) -> list[str]:
    """Return distinct letters for axes; no tensor here has more than two of a size."""
    found: list[str] = []
    for dim in axes:
        letters = LETTERS.get(dim, ("t",))
        found.append(next(letter for letter in letters if letter not in found))
    return found


# --- equations -----------------------------------------------------------------------------------


def _axes(draw) -> tuple[str, ...]:
    return draw(st.sampled_from(((), ("A",), ("B",), ("C",), ("A", "B"), ("C", "B"), ("A", "A"))))


def _plain(draw, text: Text, number: int) -> None:
    axes = _axes(draw)
    letters = _fresh(axes)
    rhs = expression(draw, text, tuple(letters), 3)
    name = f"n{number}"
    left = f"{name}[{','.join(letters)}]" if letters else name
    text.lines.append(f"{left} = {rhs}")
    text.tensors[name] = axes


def _scan(draw, text: Text, number: int) -> None:
    """A recurrence up or down, of first or second order, with a padded start."""
    sign = draw(st.sampled_from(("-", "+")))
    name = f"h{number}"
    start = draw(st.sampled_from(("0", "q", "y[c]", "0.5*u[c]")))
    drive = expression(draw, text, ("t", "c"), 2)
    back = draw(
        st.sampled_from(
            (
                f"sum[k](R[c,k]*{name}[t{sign}1,k; 0])",
                f"u[c]*{name}[t{sign}1,c; {start}]",
                f"q*{name}[t{sign}1,c; {start}] - u[c]*{name}[t{sign}2,c; 0.25]",
                f"{name}[t{sign}1,C-1-c; {start}]*s[t,c]",
            )
        )
    )
    text.lines.append(f"{name}[t,c] = tanh({drive} + {back})")
    text.tensors[name] = ("T", "C")


def _pair(draw, text: Text, number: int) -> None:
    """Two recurrences that read each other, one of them within the step."""
    f, g = f"f{number}", f"g{number}"
    drive = expression(draw, text, ("t",), 1)
    text.lines.append(f"{f}[t] = sin({drive} + q*{g}[t-1; 0.5] + u[0]*{f}[t-1; 1])")
    inner = draw(st.sampled_from((f"{f}[t]*{g}[t-1; 0]", f"{f}[t]^2 - {g}[t-1; q]", f"{f}[t]")))
    text.lines.append(f"{g}[t] = tanh({inner} + s[t,1])")
    text.tensors[f] = text.tensors[g] = ("T",)


def _base(draw, text: Text, number: int) -> None:
    """A base case and a general equation, with a gap of none."""
    name = f"p{number}"
    first = expression(draw, text, (), 1)
    rest = expression(draw, text, ("t",), 1)
    text.lines.append(f"{name}[0] = {first}")
    text.lines.append(f"{name}[t] = sin({rest} + q*{name}[t-1])")
    text.tensors[name] = ("T",)


def _slope(draw, text: Text, number: int) -> None:
    """The derivative of an earlier quantity by a parameter or an input."""
    made = [name for name in text.tensors if name not in GIVEN]
    if not made:
        return _plain(draw, text, number)
    of = draw(st.sampled_from(made))
    by = draw(st.sampled_from(("q", "u", "W", "x", "y")))
    letters = {"A": ["a", "i"], "B": ["b", "j"], "C": ["c", "k"], "T": ["t"]}
    outer = [letters[dim].pop(0) if letters[dim] else "1" for dim in text.tensors[of]]
    inner = [letters[dim].pop(0) if letters[dim] else "1" for dim in GIVEN[by]]
    free = [letter for letter in (*outer, *inner) if letter != "1"]
    left = f"g{number}[{','.join(free)}]" if free else f"g{number}"
    text.lines.append(f"{left} = d({_indexed(of, outer)}, {_indexed(by, inner)})")
    text.tensors[f"g{number}"] = tuple(DIM_OF[letter] for letter in free)
    return None


def _indexed(name: str, letters: list[str]) -> str:
    return f"{name}[{','.join(letters)}]" if letters else name


WRITERS = {"plain": _plain, "scan": _scan, "pair": _pair, "base": _base, "slope": _slope}


# --- expressions ---------------------------------------------------------------------------------


def expression(draw, text: Text, scope: tuple[str, ...], depth: int) -> str:
    """Draw an expression in the indices of ``scope``."""
    if depth == 0:
        return _leaf(draw, text, scope)
    kind = draw(
        st.sampled_from(
            (
                "leaf",
                "unary",
                "binary",
                "binary",
                "reduce",
                "reduce",
                "where",
                "mask",
                "two",
                "along",
            )
        )
    )
    return KINDS[kind](draw, text, scope, depth - 1)


def _leaf(draw, text: Text, scope: tuple[str, ...], depth: int = 0) -> str:
    if draw(st.integers(0, 5)) == 0:
        form = draw(st.sampled_from(NUMBERS))
        letter = draw(st.sampled_from(scope)) if scope else "2"
        return form.format(letter)
    name = draw(st.sampled_from(sorted(text.tensors)))
    axes = text.tensors[name]
    if not axes:
        return name
    indices = [_index(draw, dim, scope) for dim in axes]
    inside = ",".join(form for form, _ in indices)
    if any(leaves for _, leaves in indices):
        inside += draw(st.sampled_from(("; 0", "; 0.5", "; q")))
    return f"{name}[{inside}]"


def _index(draw, dim: str, scope: tuple[str, ...]) -> tuple[str, bool]:
    """Draw an index expression for an axis; the flag tells that it may leave the axis."""
    options: list[tuple[str, bool]] = []
    for letter in scope:
        own = DIM_OF[letter]
        if own == dim:
            options += [(letter, False)] * 4
            options += [(f"{dim}-1-{letter}", False), (f"{letter}-1", True), (f"{letter}+1", True)]
        options += [(form.format(letter), False) for form in FITTING.get((own, dim), ())]
        if dim == "C" and own == "B":
            options += [(f"tok[{letter}]", False)] * 2
    options.append((str(draw(st.integers(0, SIZES[dim] - 1))), False))
    return draw(st.sampled_from(options))


def _unary(draw, text: Text, scope: tuple[str, ...], depth: int) -> str:
    return draw(st.sampled_from(UNARY)).format(expression(draw, text, scope, depth))


def _binary(draw, text: Text, scope: tuple[str, ...], depth: int) -> str:
    first = expression(draw, text, scope, depth)
    repeated = draw(st.integers(0, 5)) == 0
    second = first if repeated else expression(draw, text, scope, depth)
    return "(" + draw(st.sampled_from(BINARY)).format(first, second) + ")"


def _reduce(draw, text: Text, scope: tuple[str, ...], depth: int) -> str:
    free = [letter for letter in DIM_OF if letter not in scope]
    if not free:
        return _leaf(draw, text, scope)
    letter = draw(st.sampled_from(free))
    op = draw(st.sampled_from(REDUCTIONS))
    body = expression(draw, text, (*scope, letter), depth)
    if op == "prod":
        body = f"1 + sin({body})/2"
    return f"{op}[{letter}]({body})"


def _condition(draw, text: Text, scope: tuple[str, ...]) -> str:
    op = draw(st.sampled_from(("<", "<=", ">", ">=", "=", "!=")))
    if scope and draw(st.booleans()):
        other = draw(st.sampled_from((*scope, "1")))
        return f"{draw(st.sampled_from(scope))} {op} {other}"
    if draw(st.integers(0, 5)) == 0 and "k" not in scope:
        return f"argmax[k]({_leaf(draw, text, (*scope, 'k'))}) {op} 2"
    return f"{_leaf(draw, text, scope)} {op} 0.1"


def _where(draw, text: Text, scope: tuple[str, ...], depth: int) -> str:
    condition = _condition(draw, text, scope)
    if draw(st.integers(0, 3)) == 0:
        joint = draw(st.sampled_from(("and", "or")))
        condition = f"{condition} {joint} not {_condition(draw, text, scope)}"
    yes, no = expression(draw, text, scope, depth), expression(draw, text, scope, depth)
    return f"where({condition}, {yes}, {no})"


def _mask(draw, text: Text, scope: tuple[str, ...], depth: int) -> str:
    return f"[{_condition(draw, text, scope)}]*({expression(draw, text, scope, depth)})"


def _two(draw, text: Text, scope: tuple[str, ...], depth: int) -> str:
    op = draw(st.sampled_from(("max", "min")))
    first, second = expression(draw, text, scope, depth), expression(draw, text, scope, depth)
    return f"{op}({first}, {second})"


def _along(draw, text: Text, scope: tuple[str, ...], depth: int) -> str:
    if not scope:
        return _unary(draw, text, scope, depth)
    letter = draw(st.sampled_from(scope))
    return f"softmax[{letter}]({expression(draw, text, scope, depth)})"


KINDS = {
    "leaf": _leaf,
    "unary": _unary,
    "binary": _binary,
    "reduce": _reduce,
    "where": _where,
    "mask": _mask,
    "two": _two,
    "along": _along,
}
