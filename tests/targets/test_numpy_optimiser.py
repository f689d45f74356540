"""Printed update rules against the library's equations, evaluated number by number."""

from __future__ import annotations

import numpy as np
import pytest

from derivgen.language import library
from derivgen.values.draw import scalar
from tests.targets.numpy_module import module_of

TEXT = "network rules\nparam w[3] = [0.5, -1, 2], v = 0.25\nloss E = sum[i](w[i]^2) + v^2\n"
CLOSE = 1e-14  # the same operations, some in another order
STEPS = 3


def by_hand(rule, weight: float, gradients: list[float]) -> float:
    """Return a number after some steps of a rule's own equations."""
    settings = {name: float(value) for name, value in rule.settings}
    states = {name: scalar(start, {}, {}) for name, start in rule.states}
    for step, gradient in enumerate(gradients, 1):
        known = {**settings, **states, "w": weight, "g": gradient, "t": float(step)}
        for name, expr in rule.updates:
            known[f"{name}'"] = scalar(expr, {}, known)
        weight = known["w'"]
        states = {name: known.get(f"{name}'", states[name]) for name in states}
    return weight


@pytest.mark.parametrize("name", library().optimisers)
def test_a_rule_updates_as_its_equations_say(name, tmp_path):
    text = TEXT.replace("param w[3]", "index i: 3\nparam w[i]")
    module = module_of(text, tmp_path)
    params = module.parameters()
    optimiser = module.Optimiser(params, name, {})
    rng = np.random.default_rng(1)
    drawn = [{"w": rng.normal(size=3), "v": np.asarray(rng.normal())} for _ in range(STEPS)]
    before = {key: value.copy() for key, value in params.items()}

    for gradients in drawn:
        module.update(params, {key: g.copy() for key, g in gradients.items()}, optimiser)

    rule = library().optimisers[name]
    for key, value in params.items():
        for place, found in np.ndenumerate(value):
            slopes = [float(gradients[key][place]) for gradients in drawn]
            expected = by_hand(rule, float(before[key][place]), slopes)
            assert abs(float(found) - expected) <= CLOSE * max(1, abs(expected))
