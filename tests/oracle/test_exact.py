"""The engine and the interpreter against the exact oracle, network by network."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from derivgen.calculus.engine import derive, hessian_vector
from derivgen.interpret import value_and_gradients
from derivgen.language import parse
from derivgen.values import Values, random_values
from tests.oracle.exact import exact_gradients, exact_hessian_vector, real

NETWORKS = sorted((Path(__file__).parent / "networks").glob("*.dg"))
EXACT = 1e-40  # both sides carry 60 digits
DOUBLE = 1e-11  # some hundred roundings of 1e-16, beside the largest gradient
FACT = 1e-12  # a fact of the data holds to double precision only, and so do what rests on it


def rational(values: Values) -> Values:
    """Return the same values as fractions; index values stay integers."""
    fractions = np.vectorize(Fraction, otypes=[object])
    arrays = {n: a if a.dtype.kind == "i" else fractions(a) for n, a in values.arrays.items()}
    return Values(values.dims, arrays)


def largest_difference(found, expected) -> float:
    """Return the largest difference beside the largest gradient."""
    pairs = [
        (real(a), real(b))
        for name, array in expected.items()
        for a, b in zip(np.ravel(found[name]), np.ravel(array), strict=True)
    ]
    scale = max([abs(b) for _, b in pairs], default=0) or 1
    return float(max([abs(a - b) / scale for a, b in pairs], default=0))


@pytest.mark.parametrize("path", NETWORKS, ids=lambda path: path.stem)
def test_derived_gradients_are_the_exact_ones(path):
    network = parse(path.read_text(encoding="utf-8"), path.name)
    values = random_values(network, seed=3)
    point = rational(values)

    loss, expected = exact_gradients(network, point.dims, point.arrays)
    derivation = derive(network)
    double_loss, double = value_and_gradients(derivation, values)
    exact_loss, exact = value_and_gradients(derivation, point, exact=True)

    assert set(double) == set(expected)
    assert abs(float(loss) - double_loss) <= DOUBLE * max(1, abs(float(loss)))
    assert largest_difference(double, expected) <= DOUBLE
    assert abs(real(exact_loss) - loss) <= EXACT * max(1, abs(loss))
    assert largest_difference(exact, expected) <= (FACT if network.facts else EXACT)


SECOND = (
    ("mlp_sigmoid", "V"),
    ("softmax_cross_entropy", "W"),
    ("rnn", "b"),
    ("conv1d", "w"),
    ("max_pool_overlap", "w"),
    ("batch_norm", "gamma"),
    ("crf", "A"),
    ("masked_attention", "K"),
    ("unknown_function", "W"),
    ("embedding", "Emb"),
    ("jacobian_norm", "W"),
    ("product_reduction", "w"),
    ("activations_a", "w"),
    ("activations_b", "v"),
    ("powers", "v"),
    ("weight_sharing", "W"),
)


@pytest.mark.parametrize(("name", "wrt"), SECOND, ids=[name for name, _ in SECOND])
def test_the_engine_applies_to_its_own_output(name, wrt):
    path = next(p for p in NETWORKS if p.stem == name)
    network = parse(path.read_text(encoding="utf-8"), path.name)
    derivation = hessian_vector(network, wrt)
    values = random_values(derivation.network, seed=5)
    point = rational(values)
    then = [tensor.name for tensor in network.parameters]

    expected = exact_hessian_vector(network, point.dims, point.arrays, wrt, then)
    _, found = value_and_gradients(derivation, values)
    _, exact = value_and_gradients(derivation, point, exact=True)

    assert largest_difference(found, expected) <= DOUBLE
    assert largest_difference(exact, expected) <= (FACT if network.facts else EXACT)


def test_the_oracle_sees_a_wrong_equation():
    path = next(p for p in NETWORKS if p.stem == "mlp_sigmoid")
    text = path.read_text(encoding="utf-8")
    right, wrong = parse(text), parse(text.replace("W[k,h]*a[h]", "W[k,h]*a[h]^2"))
    values = random_values(right, seed=3)

    _, expected = exact_gradients(right, values.dims, rational(values).arrays)
    _, found = value_and_gradients(derive(wrong), values)

    assert largest_difference(found, expected) > 1e-3


def test_the_oracle_agrees_with_a_published_example():
    """Source: M. Mazur, A Step by Step Backpropagation Example, 2015."""
    path = next(p for p in NETWORKS if p.stem == "mazur")
    network = parse(path.read_text(encoding="utf-8"))
    arrays = {t.name: np.array(t.values) for t in network.tensors.values() if t.values is not None}

    loss, gradients = exact_gradients(network, {}, arrays)

    assert float(loss) == pytest.approx(0.298371109, abs=5e-10)
    assert float(gradients["w5"][()]) == pytest.approx(0.082167041, abs=5e-10)
