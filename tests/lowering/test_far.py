"""Stable rewriting, rule by rule: what an expression becomes, and that its value stays."""

from __future__ import annotations

import math

import pytest

from derivgen.algebra.text import text
from derivgen.language import parse
from derivgen.lowering.definitions import Definitions
from derivgen.lowering.far import kept_finite
from derivgen.values.draw import scalar

CLOSE = 1e-12  # both forms are a few roundings of doubles

FORMS = {
    "log(1 + exp(z))": "max(z, 0) + log1p(exp(-abs(z)))",
    "log(exp(z))": "z",
    "log(1/(1 + exp(-z)))": "-(max(-z, 0) + log1p(exp(-abs(z))))",
    "log(cosh(z))": "abs(z) + log1p(exp(-2*abs(z))) - log(2)",
    "exp(z) - 1": "expm1(z)",
    "1 - exp(z)": "-expm1(z)",
    "log(1 + z)": "log1p(z)",
    "sinh(z)/cosh(z)": "tanh(z)",
    "1/(1 + exp(-z))": "1/(1 + exp(-z))",
    "z^2*exp(-z^2/2)": "z^2*exp(-z^2/2)",
}
VALUES = [
    *FORMS,
    "exp(z)/(1 + exp(z))",
    "(exp(z) - exp(-z))/(exp(z) + exp(-z))",
    "exp(-z)/(1 + exp(-z))^2",
    "log(1 - 1/(1 + exp(-z)))",
    "log(2*exp(z) + exp(-z) + 3)",
    "exp(z)*exp(-exp(z))",
]


def body_of(source: str):
    """Return the expression ``source`` in z, as a function's body."""
    network = parse(f"network t\ninput x\nparam w\ndefine f(z) = {source}\nloss E = f(w*x)\n")
    return network.functions["f"].body


def rewritten(source: str):
    return kept_finite(body_of(source), Definitions({}, {}))


@pytest.mark.parametrize("source, expected", FORMS.items(), ids=FORMS.keys())
def test_rules_give_the_known_form(source, expected):
    assert text(rewritten(source)) == expected


@pytest.mark.parametrize("source", VALUES)
@pytest.mark.parametrize("z", [-3.0, -0.5, 0.25, 1.0, 4.0])
def test_the_value_stays(source, z):
    if source == "log(1 + z)" and z <= -1:
        pytest.skip("the logarithm of a negative number")

    before = scalar(body_of(source), {}, {"z": z})
    after = scalar(rewritten(source), {}, {"z": z})

    assert math.isclose(before, after, rel_tol=CLOSE, abs_tol=CLOSE)


@pytest.mark.parametrize("source", ["exp(z)/(1 + exp(z))", "exp(-z)/(1 + exp(-z))^2"])
def test_quotients_that_grow_on_both_sides_stay_finite(source):
    for z in (-1e4, 1e4):
        assert math.isfinite(scalar(rewritten(source), {}, {"z": z}))


def test_zero_times_the_logarithm_of_zero_is_zero():
    network = parse("network t\ninput x\nparam p\nloss E = x*log(p)\n")
    (equation,) = network.equations

    found = kept_finite(equation.rhs, Definitions({}, {}))

    assert text(found) == "where(x = 0, 0, x*log(p))"
