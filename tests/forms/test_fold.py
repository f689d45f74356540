"""Folded equations: entry by entry they equal what the interpreter computes."""

from __future__ import annotations

import pytest

from derivgen.algebra.expressions import Access
from derivgen.notes.inline import recursions
from tests.forms.nets import NETS, Reading, computed, derived, places, viewed

TOLERANCE = 1e-9  # both sides are doubles, summed in another order


@pytest.mark.parametrize("name", NETS)
def test_a_folded_step_equals_the_adjoint_entry_by_entry(name: str) -> None:
    reading = Reading(derived(name), *computed(name))

    seen = {}
    for equalities in viewed(name).folded.values():
        for equality in equalities:
            for at in places(reading, equality):
                left = reading.entry(equality.lhs, at)
                seen[equality.lhs.tensor, tuple(at.values())] = left
                assert reading.value(equality.rhs, at) == pytest.approx(left, abs=TOLERANCE)

    assert seen


@pytest.mark.parametrize("name", NETS)
def test_a_delta_written_as_a_recursion_equals_the_delta(name: str) -> None:
    view = viewed(name)
    reading = Reading(derived(name), *computed(name))

    for step in view.derivation.steps:
        for equality in view.folded[step.adjoint] if step.is_delta else ():
            for case in recursions(view, equality):
                for at in places(reading, case.equality):
                    left = reading.entry(case.equality.lhs, at)
                    assert reading.value(case.equality.rhs, at) == pytest.approx(
                        left, abs=TOLERANCE
                    )


@pytest.mark.parametrize("name", NETS)
def test_a_forward_equation_folded_again_equals_its_tensor(name: str) -> None:
    view = viewed(name)
    reading = Reading(derived(name), *computed(name))

    for tensor, statements in view.forward_of.items():
        if any(s.op.startswith("arg") for s in statements):
            continue
        for equality in view.fold(statements):
            assert isinstance(equality.lhs, Access)
            for at in places(reading, equality):
                left = reading.entry(equality.lhs, at)
                right = reading.value(equality.rhs, at)
                assert right == pytest.approx(left, abs=TOLERANCE), tensor


def test_the_last_layer_has_an_equation_of_its_own() -> None:
    view = viewed("layers")

    last, before = view.folded["adj_a"]

    assert str(last.lhs.indices[0]) == "L"
    assert not last.where
    assert len(before.where) == 1


def test_a_window_is_gathered_by_the_entry_it_arrives_at() -> None:
    (equality,) = viewed("window").folded["adj_g"]

    assert equality.lhs.indices[0].plain is not None
