"""A derivation lifted over samples gives what a loop over the samples gives."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from derivgen.algebra.network import Role
from derivgen.calculus.engine import derive
from derivgen.calculus.lift import lift
from derivgen.calculus.schedule import schedule
from derivgen.interpret import run, value_and_gradients
from derivgen.language import parse
from derivgen.values import Values, random_values

NETWORKS = sorted((Path(__file__).parent / "networks").glob("*.dg"))
SAMPLES = 5  # unlike every other size
DOUBLE = 1e-11  # the same sums in another order
DATA = (Role.INPUT, Role.TARGET, Role.RANDOM)


def over_samples(network) -> Values:
    """Return random values whose data have a sample axis."""
    rows = [random_values(network, seed) for seed in range(SAMPLES)]
    sampled = tuple(tensor.name for tensor in network.of_role(*DATA))
    arrays = {
        name: np.stack([row.arrays[name] for row in rows]) if name in sampled else array
        for name, array in rows[0].arrays.items()
    }
    return Values(rows[0].dims, arrays, sampled)


@pytest.mark.parametrize("path", NETWORKS, ids=lambda path: path.stem)
def test_lifted_gradients_are_the_mean_over_samples(path):
    network = parse(path.read_text(encoding="utf-8"), path.name)
    derivation = derive(network)
    lifted = lift(derivation)
    if network.batch is not None or lifted.dim is None:
        pytest.skip("the network has its own batch, or no data")
    values = over_samples(network)

    loss, expected = value_and_gradients(derivation, values)
    blocks = schedule((*lifted.forward, *lifted.backward), lifted.tensors)
    dims = {**values.dims, lifted.dim: SAMPLES}
    found = run(blocks, lifted.tensors, network.functions, dims, values.arrays)

    scale = max(np.max(np.abs(g)) for g in expected.values())
    assert np.mean(found[network.loss]) == pytest.approx(loss, rel=DOUBLE)
    for name, adjoint in derivation.gradients.items():
        assert np.max(np.abs(found[adjoint] - expected[name])) <= DOUBLE * scale, name
