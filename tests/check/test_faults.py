"""The check can fail: a fault in any backward statement is refused."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from derivgen.algebra.expressions import ZERO, Add, accesses, add, mul, neg, number, transform
from derivgen.algebra.statements import Statement
from derivgen.calculus.derivation import Derivation
from derivgen.calculus.engine import derive
from derivgen.check import check
from derivgen.errors import EquationError
from derivgen.interpret import value_and_gradients
from derivgen.language import parse
from derivgen.values import random_values
from tests.random_networks import networks

NETWORKS = Path(__file__).parent.parent / "oracle" / "networks"
NAMES = (
    "attention_over_past",
    "batch_norm",
    "conv2d_strided",
    "gru",
    "jacobian_norm",
    "max_pool_overlap",
    "mlp_relu",
    "multi_head",
    "shared_product",
    "softmax_cross_entropy",
    "trace_diagonal",
    "weight_sharing",
    "word2vec",
)
SEED = 11
NOTHING = 1e-9  # of the largest gradient: a fault of 0.001 in a path this small is invisible


def network(name):
    return parse((NETWORKS / f"{name}.dg").read_text(encoding="utf-8"), f"{name}.dg")


def wrong_sign(statement: Statement) -> Iterator[Statement]:
    yield replace(statement, body=neg(statement.body))


def slightly_too_large(statement: Statement) -> Iterator[Statement]:
    yield replace(statement, body=mul(number(Fraction(1001, 1000)), statement.body))


def dropped_term(statement: Statement) -> Iterator[Statement]:
    body = statement.body
    if isinstance(body, Add):
        for k in range(len(body.terms)):
            yield replace(statement, body=add(*body.terms[:k], *body.terms[k + 1 :]))
    yield replace(statement, body=ZERO)


def transposed_operand(statement: Statement) -> Iterator[Statement]:
    """Swap two indices of equal range in one access of the body."""
    for found in [p for p in accesses(statement.body) if len(p.indices) == 2]:
        first, second = (form.plain for form in found.indices)
        alike = first and second and (first.low, first.high) == (second.low, second.high)
        if alike and first != second:
            turned = replace(found, indices=found.indices[::-1])
            body = transform(statement.body, lambda p, f=found, t=turned: t if p == f else p)
            yield replace(statement, body=body)


FAULTS = (wrong_sign, slightly_too_large, dropped_term, transposed_operand)


def faulty(derivation: Derivation, fault) -> Iterator[tuple[Statement, Derivation]]:
    """Yield a derivation for every way a fault can enter one backward statement."""
    for s, step in enumerate(derivation.steps):
        for r, statement in enumerate(step.result):
            for wrong in fault(statement):
                result = (*step.result[:r], wrong, *step.result[r + 1 :])
                steps = list(derivation.steps)
                steps[s] = replace(step, result=result)
                yield statement, replace(derivation, steps=tuple(steps))


def has_no_effect(wrong: Derivation, right: Derivation, values) -> bool:
    """Tell whether the fault changes no gradient: a path that is zero, such as sum(z - mean)."""
    _, found = value_and_gradients(wrong, values)
    _, expected = value_and_gradients(right, values)
    scale = max(np.max(np.abs(array)) for array in expected.values())
    return all(np.max(np.abs(found[n] - g)) <= NOTHING * scale for n, g in expected.items())


def is_refused(net, wrong: Derivation, right: Derivation, seed: int = SEED) -> bool:
    try:
        verdict = check(net, seed, derivation=wrong).verdict
    except (EquationError, AssertionError):  # no order of computation is left
        return True
    return verdict == "fail" or has_no_effect(wrong, right, random_values(net, seed))


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
@pytest.mark.parametrize("name", NAMES)
def test_a_fault_in_any_backward_statement_is_refused(name, fault):
    net = network(name)
    right = derive(net)

    accepted = [
        statement for statement, wrong in faulty(right, fault) if not is_refused(net, wrong, right)
    ]

    assert not accepted


@pytest.mark.parametrize("name", NAMES)
def test_without_a_fault_the_check_passes(name):
    report = check(network(name), SEED)

    assert report.verdict == "pass", report


@pytest.mark.slow
@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(text=networks(), seed=st.integers(0, 1000), random=st.randoms(use_true_random=False))
def test_faults_in_random_networks_are_refused(text, seed, random):
    net = parse(text)
    right = derive(net)
    assume(check(net, seed, derivation=right).verdict == "pass")
    wrong = [found for fault in FAULTS for _, found in faulty(right, fault)]

    for found in random.sample(wrong, min(6, len(wrong))):
        assert is_refused(net, found, right, seed)


@settings(max_examples=15, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(text=networks(), seed=st.integers(0, 1000))
def test_the_check_raises_no_false_alarm(text, seed):
    assert check(parse(text), seed).verdict == "pass"
