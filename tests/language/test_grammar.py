"""Precedence, numbers and lines: what a piece of text means before names do."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from derivgen.algebra.text import equation_text, text
from derivgen.errors import DerivgenError, LimitError, SyntaxProblem
from derivgen.language import parse

DECLARED = "index i: 3, j: 4\nparam a, b, c, x[i], W[i,j]\nfunction f\n"


def loss_text(formula: str) -> str:
    """Return a formula as it is read and printed again."""
    network = parse(f"{DECLARED}loss E = {formula}")
    return text(network.equations[-1].rhs)


SAME_MEANING = {
    "-a^2": "-(a^2)",
    "a^b^c": "a^(b^c)",
    "a**2": "a^2",
    "a^-b": "a^(-b)",
    "a - b - c": "(a - b) - c",
    "a/b/c": "(a/b)/c",
    "a/b*c": "(a/b)*c",
    "-a*b": "(-a)*b",
    "a*-b": "-(a*b)",
    "+a": "a",
    "1/2*a": "(1/2)*a",
    "0.5*a": "5e-1*a",
    ".5*a": "1/2*a",
    "[a > 1 and b > 1 or c > 1]": "[(a > 1 and b > 1) or c > 1]",
    "[not a > 1 and b > 1]": "[(not a > 1) and b > 1]",
    "[a == b]": "[a = b]",
    "sum[i]((x[i]))": "sum[i](x[i])",
}


@pytest.mark.parametrize("written, meant", SAME_MEANING.items())
def test_two_ways_to_write_one_formula_are_equal(written: str, meant: str) -> None:
    assert loss_text(written) == loss_text(meant)


DIFFERENT_MEANING = {
    "-a^2": "(-a)^2",
    "a^b^c": "(a^b)^c",
    "a - (b - c)": "a - b - c",
    "a/(b*c)": "a/b*c",
    "sum[i](x[i] + a)": "sum[i](x[i]) + a",
}


@pytest.mark.parametrize("one, other", DIFFERENT_MEANING.items())
def test_brackets_that_matter_are_kept(one: str, other: str) -> None:
    assert loss_text(one) != loss_text(other)


ROUND_TRIP = [
    "1 - a",
    "1 + exp(-a)",
    "a + 1 + b",
    "-a - b",
    "a - (b - c)",
    "a*(b/c)",
    "a/(b*c)",
    "(a/b)/c",
    "a/(b/c)",
    "-(a/b)",
    "-(a + b)",
    "(-a)^2",
    "a^(-1/2)",
    "(a^b)^c",
    "a^(b^c)",
    "1/3*a",
    "a*0.15",
    "1e-12*a",
    "123456789012345678901234567890*a",
    "-2*a",
    "2*(-3)^a",
    "sum[i](i*x[i])",
    "sum[i]((2*i + 1)*x[i])",
    "sum[i]([i//2 = 1]*x[i])",
    "sum[i,j](W[i,j]^2)/2",
    "sum[i](where(i > 0 and not a < b, x[i], 0))",
    "max[i](x[i]) - argmax[i](x[i])",
    "max(a, min(b, c))",
    "logsumexp[i](x[i])",
    "sum[i](x[i-1; a + b])",
    "f(a) + f'(b) + f''(c)",
    "stop_gradient(a)*pi",
    "[a = b] + [a != b or a < 2]",
    "leaky_relu(a, slope = 0.2)",
]


@pytest.mark.parametrize("formula", ROUND_TRIP)
def test_printed_text_is_read_back_as_the_same_expression(formula: str) -> None:
    first = parse(f"{DECLARED}loss E = {formula}").equations[-1]

    again = parse(DECLARED + "loss " + equation_text(first)).equations[-1]

    assert again.rhs == first.rhs, equation_text(first)


def formulas(depth: int) -> st.SearchStrategy[str]:
    """Return formulas over the declared names, with every bracket written."""
    leaf = st.sampled_from(["a", "b", "2", "0.25", "x[1]", "W[2,0]", "pi", "x[2]^2", "7/3"])
    if depth == 0:
        return leaf
    part = formulas(depth - 1)
    infix = st.tuples(part, st.sampled_from(["+", "-", "*", "/", "^"]), part)
    condition = st.tuples(part, st.sampled_from(["<", ">=", "=", "!="]), part).map(" ".join)
    both = st.tuples(condition, st.sampled_from([" and ", " or "]), condition).map("".join)
    return st.one_of(
        leaf,
        infix.map(lambda p: f"({p[0]}) {p[1]} ({p[2]})"),
        part.map(lambda p: f"-({p})"),
        part.map(lambda p: f"sum[i](x[i]*({p}))"),
        part.map(lambda p: f"exp({p})"),
        condition.map(lambda c: f"[{c}]"),
        both.map(lambda c: f"where(not ({c}), a, 1)"),
    )


@given(formulas(3))
@settings(max_examples=150, deadline=None)
def test_any_formula_is_printed_as_what_it_means(formula: str) -> None:
    try:
        first = parse(f"{DECLARED}loss E = {formula}").equations[-1]
    except DerivgenError:  # a number divided by 0, a power too large
        return

    again = parse(DECLARED + "loss " + equation_text(first)).equations[-1]

    assert again.rhs == first.rhs, equation_text(first)


LINES = {
    "an open bracket": "loss E = a*(b +\n\n  c)",
    "a trailing operator": "loss E = a*b +\n a*c",
    "a leading operator": "loss E = a*b\n  + a*c",
    "a comment between": "loss E = a*b +  # first\n  # second\n  a*c",
    "a leading and": "loss E = a*where(a > 1\n  and b > 1, b, c)",
    "windows line ends": "loss E =\r\n  a*(b + c)\r\n",
    "a trailing comma": "param u,\n  v\nloss E = a*b + u + v",
}


@pytest.mark.parametrize("lines", LINES.values(), ids=LINES.keys())
def test_a_statement_goes_on_after(lines: str) -> None:
    network = parse(DECLARED + lines)

    assert network.loss == "E"


SHUFFLED = {
    "declarations last": "loss E = w*x[2]\nparam w, W[h,d]\ninput x[d: 4]\nindex h: 2",
    "random before its constant": "random m = bernoulli(p)/p, predict 1\nconst p = 0.5\nparam w\n"
    "loss E = w*m",
    "rows after their use": "y = g(x)\nlayer g = k(3)\ninput x[2]\nloss E = f(y[0])\n"
    "layer k(x[i], O): index o: O; param W[o,i]; h[o] = sum[i](W[o,i]*x[i])\n"
    "define f(z) = g2(z)\ndefine g2(z) = z^2\ntrain with slow(lr = 2)\n"
    "optimiser slow(lr = 1): w' = w - lr*g",
}


@pytest.mark.parametrize("text_", SHUFFLED.values(), ids=SHUFFLED.keys())
def test_statements_may_stand_in_any_order(text_: str) -> None:
    assert parse(text_).loss == "E"


def test_a_semicolon_parts_statements() -> None:
    network = parse("param a = 2; u = a^2; loss E = u")

    assert [equation_text(e) for e in network.equations] == ["u = a^2", "E = u"]


def test_a_keyword_is_a_name_where_an_equation_defines_it() -> None:
    network = parse("param a\ninput = 2*a\nindex = input + 1\nloss E = index*input")

    assert [e.lhs.tensor for e in network.equations] == ["input", "index", "E"]


DEEP = {
    "brackets": "(" * 5000 + "a" + ")" * 5000,
    "signs": "-" * 5000 + "a",
    "quotients": "a/" * 5000 + "a",
    "powers": "a^" * 5000 + "a",
    "calls": "exp(" * 5000 + "a" + ")" * 5000,
    "indices": "x[" * 5000 + "0" + "]" * 5000,
    "negations": "[" + "not " * 5000 + "a > 1]",
}


@pytest.mark.parametrize("formula", DEEP.values(), ids=DEEP.keys())
def test_deep_nesting_is_refused_by_name(formula: str) -> None:
    with pytest.raises(LimitError, match="nested more than 100 deep"):
        loss_text(formula)


@pytest.mark.parametrize("op", ["+", "*", "-"])
def test_long_sums_and_products_are_no_nesting(op: str) -> None:
    assert loss_text(op.join(["a"] * 20_000)).count("a") == 20_000


@pytest.mark.parametrize("number", ["1" * 401, "1e401", "1e-999999999999", "0." + "1" * 400])
def test_large_numbers_are_refused(number: str) -> None:
    with pytest.raises(LimitError, match="at most 400 digits"):
        loss_text(f"{number}*a")


def test_a_power_of_numbers_is_bounded() -> None:
    with pytest.raises(LimitError, match="more than 1000 digits"):
        loss_text("a + 9^9^9^9")


def test_a_long_text_is_refused() -> None:
    with pytest.raises(LimitError, match="at most 1000000"):
        parse("#" * 1_000_001)


@pytest.mark.parametrize("text_", ["2a", "2x[i]", "1.5.2", "3 4", "a b", "a(b)", "2(a)"])
def test_nothing_is_multiplied_silently(text_: str) -> None:
    with pytest.raises(SyntaxProblem):
        loss_text(text_)
