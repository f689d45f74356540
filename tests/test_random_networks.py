"""Engine and interpreter against the exact oracle on random networks."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from derivgen.calculus.engine import derive
from derivgen.interpret import value_and_gradients
from derivgen.language import parse
from derivgen.values import random_values
from tests.across import difference
from tests.oracle.exact import exact_gradients
from tests.oracle.test_exact import largest_difference, rational
from tests.random_networks import networks

EXAMPLES = 40
DOUBLE = 1e-9  # a loss of a thousand terms, some of them cancelling, in doubles
ACROSS = 1e-10  # rewritten for stability, so rounded otherwise, in some cancelling sums
LARGE = 1e6  # beyond this a difference of terms says nothing in doubles


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
@given(text=networks(), seed=st.integers(0, 1000))
def test_derived_gradients_are_the_exact_ones(text, seed):
    network = parse(text)
    values = random_values(network, seed)

    loss, expected = exact_gradients(network, values.dims, rational(values).arrays)
    assume(math.isfinite(float(loss)) and abs(float(loss)) < LARGE)
    found_loss, found = value_and_gradients(derive(network), values)

    assert abs(found_loss - float(loss)) <= DOUBLE * max(1, abs(float(loss)))
    assert all(np.isfinite(array).all() for array in found.values())
    assert largest_difference(found, expected) <= DOUBLE


@pytest.mark.slow
@settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(text=networks(), seed=st.integers(0, 1000))
def test_the_numpy_program_agrees_with_the_interpreter(text, seed, tmp_path_factory):
    network = parse(text)
    values = random_values(network, seed)
    loss, _ = value_and_gradients(derive(network), values)
    assume(math.isfinite(float(loss)) and abs(float(loss)) < LARGE)

    gap = difference(network, values, "numpy", tmp_path_factory.mktemp("numpy"))

    assert gap <= ACROSS


@pytest.mark.slow
@settings(max_examples=4, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(text=networks(), seed=st.integers(0, 1000))
def test_the_cpp_program_agrees_with_the_interpreter(text, seed, tmp_path_factory):
    network = parse(text)
    values = random_values(network, seed)
    loss, _ = value_and_gradients(derive(network), values)
    assume(math.isfinite(float(loss)) and abs(float(loss)) < LARGE)

    gap = difference(network, values, "cpp", tmp_path_factory.mktemp("cpp"))

    assert gap <= ACROSS
