"""Every row of the library passes the check, and agrees with the exact oracle.

The cases are read off the library itself, so a new row is tested the moment it exists.
"""

from __future__ import annotations

import pytest

from derivgen.calculus.engine import derive
from derivgen.check import check
from derivgen.interpret import value_and_gradients
from derivgen.language import library, parse
from derivgen.values import random_values
from tests.oracle.exact import exact_gradients
from tests.oracle.test_exact import DOUBLE, largest_difference, rational

HEAD = "dim D = 3, K = 4\nindex d: D, k: K\ninput x[d]\ntarget y[k] onehot, t[k]\n"
BODY = "z[k] = sum[d](W[k,d]*x[d]) + b[k]\n"


def rows(kind):
    return [row for row in library().rows if row.kind == kind]


def activation(row):
    """Return a network whose loss sees every output of a function, each in its own way."""
    name = row.name if "[" not in row.signature.split("(")[0] else f"{row.name}[k]"
    return (
        HEAD
        + "param W[k,d], b[k]\n"
        + BODY
        + (f"a[k] = {name}(2*z[k])\nloss E = sum[k]((a[k] - t[k])^2*(k + 1))\n")
    )


def layer(row):
    """Return a network that applies a layer to a hidden one; sizes without a default become 3."""
    settings = row.signature.split("(")[1].rstrip(")").split(", ")[1:]
    sizes = "".join(", 3" for setting in settings if "=" not in setting)
    return f"input x[5]\nh = dense(x, 4, tanh)\no = {row.name}(h{sizes})\nloss E = mse(o, 0.5)\n"


def loss(row):
    """Return a network whose prediction is of the kind the loss takes."""
    logits = "logits" in row.name or row.name in ("poisson",)
    per_class = "[k]" in row.signature
    squash = {True: "softmax[k](z[k])", False: "sigmoid(z[k])"}[per_class]
    made = "p[k] = z[k]\n" if logits else f"p[k] = {squash}\n"
    target = "y" if per_class else "t"
    return HEAD + "param W[k,d], b[k]\n" + BODY + made + f"loss E = {row.name}(p, {target})\n"


CASES = {
    **{f"activation {row.name}": activation(row) for row in rows("activations")},
    **{f"layer {row.name}": layer(row) for row in rows("layers")},
    **{f"loss {row.name}": loss(row) for row in rows("losses")},
}


@pytest.mark.parametrize("text", CASES.values(), ids=CASES.keys())
def test_every_row_passes_the_check(text):
    report = check(parse(text), seed=5)

    assert report.verdict == "pass", report


@pytest.mark.parametrize("text", CASES.values(), ids=CASES.keys())
def test_every_row_agrees_with_the_exact_oracle(text):
    network = parse(text)
    values = random_values(network, 5, style="positive data")

    loss, expected = exact_gradients(network, values.dims, rational(values).arrays)
    found_loss, found = value_and_gradients(derive(network), values)

    assert abs(found_loss - float(loss)) <= DOUBLE * max(1, abs(float(loss)))
    assert largest_difference(found, expected) <= DOUBLE
