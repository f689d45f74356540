"""Random values satisfy roles and facts, and leave nothing at a telling value."""

from __future__ import annotations

import numpy as np
import pytest

from derivgen.errors import FactError
from derivgen.language import parse
from derivgen.values import check_facts, random_values

TEXT = """dim D, H, K
index d: D, h: H, k: K
input x[d], token[d] of k
target y[h,k] onehot
param W[h,d] = 0, gamma[h] = 1
loss E = sum[h,k](y[h,k]*gamma[h]) + sum[h,d](W[h,d]*x[d]) + sum[d]([token[d] = 1]*x[d])
"""


def test_open_sizes_are_small_and_pairwise_different():
    values = random_values(parse(TEXT), 0)

    assert sorted(values.dims.values()) == [2, 3, 4]


def test_roles_are_kept_and_parameters_are_random():
    values = random_values(parse(TEXT), 0)

    y = values.arrays["y"]
    assert np.array_equal(np.sort(y, axis=-1)[..., -1], np.ones(y.shape[:-1]))
    assert y.sum() == y[..., 0].size
    assert values.arrays["token"].dtype == np.int64
    assert values.arrays["token"].max() < y.shape[1]
    assert not np.any(values.arrays["W"] == 0)
    assert not np.any(values.arrays["gamma"] == 1)


def test_the_seed_decides():
    first, again, other = (random_values(parse(TEXT), seed) for seed in (1, 1, 2))

    assert np.array_equal(first.arrays["x"], again.arrays["x"])
    assert not np.array_equal(first.arrays["x"], other.arrays["x"])


DRAWN = {
    "sum to one": "assume sum[k](p[k]) = 1",
    "sum to zero": "assume sum[k](p[k]) = 0",
    "mean": "assume mean[k](p[k]) = 2",
    "unit length": "assume sum[k](p[k]^2) = 1",
    "one entry": "assume p[0] = 1",
    "rows": "assume sum[k](A[i,k]) = 1",
    "rows and columns": "assume sum[k](A[i,k]) = 1\nassume sum[i](A[i,k]) = 1",
    "all": "assume sum[i,k](A[i,k]) = 1",
    "symmetric": "assume A[i,k] = A[k,i]",
}


@pytest.mark.parametrize("facts", DRAWN.values(), ids=DRAWN.keys())
def test_values_are_drawn_that_satisfy_facts(facts):
    network = parse(
        f"dim K = 3\nindex k: K, i: K\ninput p[k], A[i,k]\n{facts}\nparam w\n"
        "loss E = w*sum[k](p[k]) + sum[i,k](A[i,k])\n"
    )

    values = random_values(network, 3)

    check_facts(network, values)
    assert np.std(values.arrays["A"]) > 0


def test_a_fact_that_cannot_be_drawn_for_is_named():
    text = "index k: 3\ninput p[k]\nassume sum[k](p[k]^4) = 1\nparam w\nloss E = w*sum[k](p[k])\n"

    with pytest.raises(FactError) as caught:
        random_values(parse(text), 0)

    assert "No random values" in caught.value.problem
