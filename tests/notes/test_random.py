"""Random networks: what the notes claim equals what the interpreter computes, entry by entry."""

from __future__ import annotations

import math
from collections.abc import Mapping

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from derivgen.calculus.engine import derive
from derivgen.errors import DerivgenError
from derivgen.forms.style import STYLES
from derivgen.interpret import evaluate
from derivgen.language import parse
from derivgen.notes import render
from derivgen.notes.inline import recursions
from derivgen.notes.view import make_view
from derivgen.values import random_values
from tests.forms.nets import Reading, places
from tests.forms.test_matrix import check
from tests.random_networks import networks

TOLERANCE = 1e-7  # relative: sums of up to a hundred doubles, in another order
FAST, MANY = 8, 150
ELEMENTARY: Mapping[str, object] = {
    "sin": math.sin,
    "cos": math.cos,
    "abs": abs,
    "sign": lambda x: float(x > 0) - float(x < 0),
    "max": max,
    "min": min,
}


class FullReading(Reading):
    """A reading that knows the functions random networks call."""

    def call(self, name: str, args: list[float]) -> float:
        known = ELEMENTARY.get(name)
        return known(*args) if callable(known) else super().call(name, args)


def examples(count: int) -> settings:
    return settings(
        max_examples=count,
        deadline=None,
        derandomize=True,
        database=None,
        phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )


def claims_hold(text: str) -> None:
    """Compare every folded step, recursion and matrix form with the arrays."""
    network = parse(text)
    try:
        derivation = derive(network)
        values = random_values(network, 3)
        arrays = dict(evaluate(derivation, values))
    except DerivgenError:
        return
    view = make_view(derivation, STYLES["textbook"])
    reading = FullReading(derivation, values.dims, arrays)
    for step in derivation.steps:
        for folded in view.folded[step.adjoint]:
            cases = recursions(view, folded) if view.is_delta(step) else []
            for equality in (folded, *(case.equality for case in cases)):
                for at in places(reading, equality):
                    left, right = reading.entry(equality.lhs, at), reading.value(equality.rhs, at)
                    assert right == pytest.approx(left, rel=TOLERANCE, abs=TOLERANCE, nan_ok=True)
                check(view, reading, equality)


@examples(FAST)
@given(networks())
def test_a_few_random_networks_are_shown_as_computed(text: str) -> None:
    claims_hold(text)


@pytest.mark.slow
@examples(MANY)
@given(networks())
def test_many_random_networks_are_shown_as_computed(text: str) -> None:
    claims_hold(text)


@pytest.mark.slow
@examples(60)
@given(networks())
def test_random_networks_have_notes_in_every_format(text: str) -> None:
    derivation = derive(parse(text))

    for to in ("text", "latex", "markdown", "html", "typst"):
        assert render(derivation, to)
