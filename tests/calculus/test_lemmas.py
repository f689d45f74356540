"""Slopes of functions: derived from the definition, shortened by named rules."""

from __future__ import annotations

import mpmath
import pytest

from derivgen.algebra.expressions import Access, Call
from derivgen.algebra.text import text
from derivgen.calculus.lemmas import lemma
from derivgen.calculus.partials import partial
from derivgen.language import library, parse
from tests.calculus.scalar import evaluate

TEXTBOOK = {
    "sigmoid": "sigmoid(z)*(1 - sigmoid(z))",
    "relu": "where(z > 0, 1, 0)",
    "leaky_relu": "where(z > 0, 1, slope)",
    "elu": "where(z > 0, 1, alpha + elu(z, alpha))",
    "softplus": "sigmoid(z)",
    "gaussian": "-z*gaussian(z)",
    "softsign": "1/(abs(z) + 1)^2",
}


def functions_with(definition: str):
    """Return the functions of a network that defines one more."""
    network = parse(f"network one\n{definition}\nparam w\nloss E = w^2\n")
    return network.functions


@pytest.mark.parametrize("name", TEXTBOOK)
def test_the_library_slopes_are_the_textbook_ones(name):
    functions = library().functions

    found = lemma(functions[name], functions)

    assert text(found.slopes[0]) == TEXTBOOK[name]


@pytest.mark.parametrize(
    "definition, slope",
    [
        ("define mine(z) = 1/(1 + exp(-z))", "mine(z)*(1 - mine(z))"),
        ("define mine(z) = exp(z)/(1 + exp(z))", "mine(z)*(1 - mine(z))"),
        (
            "define mine(z) = (exp(z) - exp(-z))/(exp(z) + exp(-z))",
            "(mine(z) + 1)*(1 - mine(z))",
        ),
        ("define mine(z) = log(cosh(z))", "tanh(z)"),
        ("define mine(z) = exp(3*z)", "3*mine(z)"),
        ("define mine(z) = log(1 + exp(z))", "sigmoid(z)"),
    ],
)
def test_a_users_own_function_is_treated_as_well_as_ours(definition, slope):
    functions = functions_with(definition)

    found = lemma(functions["mine"], functions)

    assert text(found.slopes[0]) == slope


def test_a_lemma_names_the_rule_it_used():
    functions = library().functions

    assert lemma(functions["sigmoid"], functions).rules == ("in terms of the output",)
    assert lemma(functions["softplus"], functions).rules == ("known function sigmoid",)


@pytest.mark.parametrize(
    "definition",
    ["define f(z) = z*cos(z)", "define f(z) = z^3/(1 + z^2)", "define f(z) = sqrt(1 + z^2)"],
)
def test_a_slope_is_never_written_with_a_new_denominator(definition):
    functions = functions_with(definition)

    found = lemma(functions["f"], functions)

    assert "/z" not in text(found.slopes[0]).replace(" ", "")


def test_a_power_has_a_finite_slope_at_zero():
    body = parse("network p\nparam w, n\nloss E = w^n\n").equations[0].rhs

    assert text(partial(body, Access("w"))) == "w^(n - 1)*n"


def test_second_derivatives_of_an_unknown_function_count_their_order():
    body = Call("f", (Access("z"),), (1,))

    assert partial(body, Access("z")) == Call("f", (Access("z"),), (2,))


def test_slopes_of_every_library_function_agree_with_numerical_ones():
    # Sources of error: mpmath's own differentiation at 30 digits, far below the bound.
    closest = mpmath.mpf(10) ** -12
    functions = library().functions

    for function in functions.values():
        if function.indices or function.body is None:
            continue
        slope = lemma(function, functions).slopes[0]
        settings = {name: mpmath.mpf(v.numerator) / v.denominator for name, v in function.settings}
        for point in (-1.7, 0.6, 2.3):
            z = mpmath.mpf(point)

            def value(x, function=function, settings=settings):
                return evaluate(function.body, {function.params[0]: x, **settings}, functions)

            found = evaluate(slope, {function.params[0]: z, **settings}, functions)
            assert abs(found - mpmath.diff(value, z)) < closest, (function.name, point)
