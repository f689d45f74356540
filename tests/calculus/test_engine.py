"""What is derived: textbook results, second derivatives, and what must not matter."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

from derivgen.algebra.text import statement_text
from derivgen.calculus.engine import derive, hessian_vector
from derivgen.errors import EquationError, NameProblem
from derivgen.interpret import evaluate, value_and_gradients
from derivgen.language import parse
from derivgen.values import Values, random_values

MLP = """
network mlp
dim D = 5, S = 4, K = 3
index d: D, s: S, k: K
input x[d]
target y[k]{fact}
param V[s,d], c[s], W[k,s], b[k]
alpha[s] = sum[d](V[s,d]*x[d]) + c[s]
h[s] = {f}(alpha[s])
beta[k] = sum[s](W[k,s]*h[s]) + b[k]
yhat[k] = {output}
loss E = {loss}
"""
SQUARED = "1/2*sum[k]((yhat[k] - y[k])^2)"
CROSS = "-sum[k](y[k]*log(yhat[k]))"
BINARY = "-sum[k](y[k]*log(yhat[k]) + (1 - y[k])*log(1 - yhat[k]))"


def network(f="sigmoid", output="sigmoid(beta[k])", loss=SQUARED, fact=""):
    return parse(MLP.format(f=f, output=output, loss=loss, fact=fact))


def result(derivation, quantity):
    return [statement_text(s) for s in derivation.step(quantity).result]


def test_the_classic_network_gives_the_classic_equations():
    derivation = derive(network())

    assert result(derivation, "beta") == ["adj_beta[k] = adj_yhat[k]*yhat[k]*(1 - yhat[k])"]
    assert result(derivation, "h") == ["adj_h[s] = sum[k](adj_beta[k]*W[k,s])"]
    assert result(derivation, "alpha") == ["adj_alpha[s] = adj_h[s]*h[s]*(1 - h[s])"]
    assert result(derivation, "W") == ["adj_W[k,s] = adj_beta[k]*h[s]"]
    assert result(derivation, "c") == ["adj_c[s] = adj_alpha[s]"]


@pytest.mark.parametrize(
    "output, loss, fact",
    [
        ("softmax[k](beta[k])", CROSS, "\nassume sum[k](y[k]) = 1"),
        ("softmax[k](beta[k])", CROSS, " onehot"),
        ("exp(beta[k])/sum[j](exp(beta[j]))", CROSS, " onehot\nindex j: K"),
        ("sigmoid(beta[k])", BINARY, ""),
        ("1/(1 + exp(-beta[k]))", BINARY, ""),
    ],
)
def test_matched_outputs_and_losses_give_prediction_minus_target(output, loss, fact):
    derivation = derive(network(output=output, loss=loss, fact=fact))

    assert result(derivation, "beta")[-1] in (
        "adj_beta[k] = yhat[k] - y[k]",
        "adj_beta[k] = adj_yhat[k]",
    )


def test_a_fact_that_was_used_is_named_and_without_it_the_sum_stays():
    with_fact = derive(network(output="softmax[k](beta[k])", loss=CROSS, fact=" onehot"))
    without = derive(network(output="softmax[k](beta[k])", loss=CROSS))

    assert len(with_fact.facts) == 1
    assert without.facts == ()
    assert "q_sum_yhat*yhat[k] - y[k]" in result(without, "beta")[0]


def test_index_targets_give_the_same_without_a_sum():
    text = MLP.format(f="tanh", output="softmax[k](beta[k])", loss="-log(yhat[y])", fact="")
    derivation = derive(parse(text.replace("target y[k]", "target y of k")))

    assert result(derivation, "beta") == [
        "adj_beta[y] = -1",
        "adj_beta[k] = yhat[k]",
    ]


def test_deltas_are_adjoints_of_preactivations():
    derivation = derive(network())

    assert [step.quantity for step in derivation.steps if step.is_delta] == ["beta", "alpha"]


def test_every_rewrite_leads_from_the_chain_rule_to_the_result():
    derivation = derive(network(output="softmax[k](beta[k])", loss=CROSS, fact=" onehot"))

    for step in derivation.steps:
        known = [path.statement for path in step.contributions]
        for rewrite in step.rewrites:
            if not step.auxiliary and rewrite.rule != "declared fact":
                assert all(before in known for before in rewrite.before), (step.quantity, rewrite)
            known += rewrite.after


def test_sizes_do_not_change_what_is_derived():
    small = network(output="softmax[k](beta[k])", loss=CROSS, fact=" onehot")
    text = MLP.format(f="sigmoid", output="softmax[k](beta[k])", loss=CROSS, fact=" onehot")
    large = parse(text.replace("D = 5, S = 4, K = 3", "D = 7000, S = 7000, K = 7000"))

    assert derive(small).backward == derive(large).backward


def test_a_parameter_without_influence_has_gradient_zero_and_a_warning():
    derivation = derive(parse("network n\nparam w = 2, v = 3\nloss E = w^2\n"))

    _, gradients = value_and_gradients(derivation, random_values(derivation.network, 1))

    assert gradients["v"] == 0
    assert derivation.warnings == ("The loss E does not depend on v: its gradient is zero.",)


def test_what_is_asked_for_must_exist_and_be_real():
    text = "network n\nindex k: 3\ninput i of k\nparam w[k]\nloss E = w[i]\n"

    with pytest.raises(NameProblem, match="There is no tensor u"):
        derive(parse(text), ["u"])
    with pytest.raises(NameProblem, match="index values"):
        derive(parse(text), ["i"])


def test_mixed_directions_name_the_two_accesses():
    text = """
network n
index t: 5
param w[t]
h[t] = w[t]*h[t-1; 0] + h[t+1; 0]
loss E = sum[t](h[t])
"""
    with pytest.raises(EquationError, match=r"h\[t - 1\] and h\[t \+ 1\]"):
        value_and_gradients(derive(parse(text)), random_values(parse(text), 1))


def test_a_hessian_vector_product_is_the_slope_of_the_gradient():
    # Error of a central difference at 1e-5: about 1e-10 beside values of order 1.
    close = 1e-7
    net = network(f="tanh", output="softmax[k](beta[k])", loss=CROSS, fact=" onehot")
    values = random_values(net, 5)
    direction = random_values(net, 6).arrays["V"]
    product = hessian_vector(net, "V", ["W", "V"])
    at = Values(values.dims, {**values.arrays, "v_V": direction})

    found = evaluate(product, at)

    for name in ("W", "V"):
        step = 1e-5
        sides = []
        for sign in (1, -1):
            moved = {**values.arrays, "V": values.arrays["V"] + sign * step * direction}
            sides.append(value_and_gradients(derive(net), Values(values.dims, moved))[1][name])
        slope = (sides[0] - sides[1]) / (2 * step)
        assert np.allclose(found[product.gradients[name]], slope, atol=close)


SCRIPT = """
from derivgen.language import parse
from derivgen.calculus.engine import derive
from derivgen.algebra.text import statement_text
import sys
derivation = derive(parse(sys.stdin.read()))
for statement in derivation.forward + derivation.backward:
    print(statement_text(statement))
"""


def test_the_hash_seed_changes_nothing():
    text = MLP.format(f="swish", output="softmax[k](beta[k])", loss=CROSS, fact=" onehot")

    outputs = {
        subprocess.run(
            [sys.executable, "-c", SCRIPT],
            input=text,
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("0", "1", "4711")
    }

    assert len(outputs) == 1


def test_a_derivative_sample_by_sample_is_computed_on_the_diagonal_only():
    text = """
network n
index n: 50, h: 4
input x[n]
param w[h], v[h]
u[n] = sum[h](v[h]*tanh(w[h]*x[n]{shift}))
g[n] = d(u[n], x[n])
loss E = sum[n](g[n]^2)
"""
    alone = derive(parse(text.format(shift="")))
    mixed = derive(parse(text.format(shift=" + x[49-n]")))

    assert len(alone.tensors["d_u_d_x"].axes) == 1
    assert len(mixed.tensors["d_u_d_x"].axes) == 2
