"""The public names: what a notebook or a program asks of a network."""

from __future__ import annotations

import numpy as np
import pytest

import derivgen
from derivgen.errors import DataError, FileProblem, NameProblem


@pytest.fixture(scope="module")
def net():
    return derivgen.network("network g\nparam a = 2, b = 3\nloss J = a^2*b\n")


def test_every_public_name_can_be_had():
    for name in derivgen.__all__:
        assert getattr(derivgen, name) is not None

    with pytest.raises(AttributeError):
        derivgen.no_such_name  # noqa: B018


def test_text_and_builder_make_the_same_derivation(net):
    built = derivgen.Builder("g")
    a, b = built.param("a", value=2), built.param("b", value=3)
    built.loss("J", a**2 * b)

    assert derivgen.network(built).derive().latex() == net.derive().latex()


def test_a_shipped_name_and_a_file_are_loaded(tmp_path):
    file = tmp_path / "mine.dg"
    file.write_text("network mine\nparam a = 2\nloss J = a^3\n", encoding="utf-8")

    assert derivgen.load("graph").network.name == "graph"
    assert derivgen.load(str(file)).evaluate() == {"loss": 8.0, "gradients": {"a": 12.0}}
    with pytest.raises(FileProblem):
        derivgen.load("no_such_network")


def test_the_gradient_of_one_tensor_can_be_asked_for(net):
    assert net.evaluate(wrt=["b"]) == {"loss": 12.0, "gradients": {"b": 4.0}}
    assert list(net.derive("a").derivation.gradients) == ["a"]


def test_a_hessian_is_multiplied_with_directions(net):
    found = net.evaluate({"directions": {"a": 1, "b": 2}}, hvp=True)["hvp"]

    assert found == {"a": 2 * 3 * 1 + 2 * 2 * 2, "b": 2 * 2 * 1}
    with pytest.raises(DataError, match="no direction"):
        net.evaluate(hvp=True)


def test_a_gradient_of_a_gradient_names_what_it_starts_from(net):
    assert "slope" in net.derive("a", then="b").to("text")
    with pytest.raises(NameProblem):
        net.derive(["a", "b"], then="b")


def test_notebooks_show_a_derivation_as_it_is(net):
    shown = net.derive()

    assert r"\frac{\partial J}{\partial a}" in shown._repr_latex_()
    assert "<math" in shown._repr_html_()
    assert net._repr_markdown_().startswith("#")
    assert "dJ/da" in str(shown)


def test_own_gradient_code_is_checked():
    x = np.array([0.5, -1.0])

    right = derivgen.check_gradient(lambda v: float(np.sum(v**3)), lambda v: 3 * v**2, x)
    wrong = derivgen.check_gradient(lambda v: float(np.sum(v**3)), lambda v: -3 * v**2, x)

    assert (right.verdict, wrong.verdict) == ("pass", "fail")


def test_a_formula_is_judged(net):
    assert net.verify("d(J, a) = 2*a*b").count("wrong") == 0
    assert net.verify("d(J, a) = a*b").count("wrong") == 1
