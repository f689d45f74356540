"""The library: every row named in the documentation, with its text, its source and its value."""

from __future__ import annotations

import math

import pytest

from derivgen.interpret import value_and_gradients
from derivgen.language import catalogue, library, library_rows, parse

ROWS = {
    "activations": "identity sigmoid relu leaky_relu elu selu softplus softsign silu swish gelu "
    "gelu_tanh mish hard_sigmoid hard_swish softmax gaussian",
    "layers": "dense prelu maxout",
    "losses": "squared_error mse mae huber log_cosh cross_entropy binary_cross_entropy "
    "cross_entropy_from_logits binary_cross_entropy_from_logits hinge squared_hinge kl poisson "
    "focal label_smoothing",
    "initialisers": "zeros constant small_normal fan_in xavier glorot he",
    "optimisers": "sgd momentum nesterov adagrad rmsprop adam adamw",
    "built in": "tanh sin max abs",
}


@pytest.mark.parametrize("kind, names", ROWS.items())
def test_every_row_is_listed_under_its_kind(kind: str, names: str) -> None:
    listed = [row.name for row in catalogue()[kind]]

    assert [name for name in names.split() if name not in listed] == []


@pytest.mark.parametrize("row", library_rows(), ids=lambda row: row.name)
def test_a_row_shows_its_text_and_cites_its_source(row: object) -> None:
    assert row.name in row.signature  # type: ignore[attr-defined]
    assert row.source, row  # type: ignore[attr-defined]
    assert row.text.startswith(("define", "layer", "loss", "initialiser", "optimiser"))  # type: ignore[attr-defined]


SIGMOID = 1 / (1 + math.exp(-0.7))
SOFTPLUS = math.log1p(math.exp(0.7))
# At z = 0.7 and z = -0.7, from the definitions in the PyTorch documentation.
VALUES = {
    "identity(z)": (0.7, -0.7),
    "sigmoid(z)": (SIGMOID, 1 - SIGMOID),
    "relu(z)": (0.7, 0),
    "leaky_relu(z)": (0.7, -0.007),
    "elu(z)": (0.7, math.expm1(-0.7)),
    "selu(z)": (1.0507009873554805 * 0.7, 1.7580993408473766 * math.expm1(-0.7)),
    "softplus(z)": (SOFTPLUS, SOFTPLUS - 0.7),
    "softsign(z)": (0.7 / 1.7, -0.7 / 1.7),
    "silu(z)": (0.7 * SIGMOID, -0.7 * (1 - SIGMOID)),
    "swish(z, beta = 0)": (0.35, -0.35),
    "gelu(z)": tuple(z * (1 + math.erf(z / math.sqrt(2))) / 2 for z in (0.7, -0.7)),
    "gelu_tanh(z)": tuple(
        z / 2 * (1 + math.tanh(math.sqrt(2 / math.pi) * (z + 0.044715 * z**3))) for z in (0.7, -0.7)
    ),
    "mish(z)": (0.7 * math.tanh(SOFTPLUS), -0.7 * math.tanh(SOFTPLUS - 0.7)),
    "hard_sigmoid(z)": (0.7 / 6 + 0.5, 0.5 - 0.7 / 6),
    "hard_swish(z)": (0.7 * (0.7 / 6 + 0.5), -0.7 * (0.5 - 0.7 / 6)),
    "gaussian(z)": (math.exp(-0.245), math.exp(-0.245)),
    "hard_sigmoid(5*z)": (1, 0),
}
ROUNDING = 1e-14  # relative; values are computed once in floats


@pytest.mark.parametrize("formula, values", VALUES.items())
def test_an_activation_has_the_value_of_its_definition(
    formula: str, values: tuple[float, float]
) -> None:
    for point, expected in zip((0.7, -0.7), values, strict=True):
        assert loss_of(f"input z = {point}\nparam w = 1\nloss E = w*{formula}") == pytest.approx(
            expected, rel=ROUNDING
        )


P, Y = 0.3, 1.0
LOSSES = {
    "squared_error(p, y)": (P - Y) ** 2 / 2,
    "mse(p, y)": (P - Y) ** 2,
    "mae(p, y)": Y - P,
    "huber(p, y)": (P - Y) ** 2 / 2,
    "huber(p, y, delta = 0.5)": 0.5 * (Y - P - 0.25),
    "log_cosh(p, y)": math.log(math.cosh(P - Y)),
    "binary_cross_entropy(p, y)": -math.log(P),
    "binary_cross_entropy_from_logits(p, y)": math.log1p(math.exp(-P)),
    "hinge(p, y)": 1 - P,
    "squared_hinge(p, y)": (1 - P) ** 2,
    "poisson(p, y)": math.exp(P) - P,
    "binary_focal(p, y)": -0.25 * 0.7**2 * math.log(P),
    "cross_entropy(q, t)": -math.log(0.2),
    "cross_entropy_from_logits(q, t)": math.log(math.exp(0.2) + math.exp(0.8)) - 0.2,
    "kl(q, u)": 0.5 * math.log(0.5 / 0.2) + 0.5 * math.log(0.5 / 0.8),
    "kl(q, t)": -math.log(0.2),
    "focal(q, t)": -(0.8**2) * math.log(0.2),
    "label_smoothing(q, t)": -0.95 * math.log(0.2) - 0.05 * math.log(0.8),
}


@pytest.mark.parametrize("formula, expected", LOSSES.items())
def test_a_loss_has_the_value_of_its_definition(formula: str, expected: float) -> None:
    declared = (
        f"input p = {P}, q[2] = [0.2, 0.8]\ntarget y = {Y}, t[2] = [1, 0], u[2] = [0.5, 0.5]\n"
    )

    value = loss_of(f"{declared}param w = 1\nloss E = w*{formula}")

    assert value == pytest.approx(expected, rel=ROUNDING)


def loss_of(text: str) -> float:
    """Return the loss at the values in the text."""
    from derivgen.calculus.engine import derive
    from derivgen.values import read_values

    network = parse(text)
    return float(value_and_gradients(derive(network), read_values(network, None))[0])


def test_a_users_row_replaces_one_of_the_library() -> None:
    network = parse("define sigmoid(z) = z/2\nparam a = 3\nloss E = sigmoid(a)")

    assert network.functions["sigmoid"].body != library().functions["sigmoid"].body


def test_an_optimiser_keeps_its_defaults_but_for_what_the_text_says() -> None:
    network = parse("param a\nloss E = a^2\ntrain with adam(lr = 0.5), epochs 3, batch 7")

    assert network.training is not None
    settings = dict(network.training.optimiser.settings)
    assert [float(settings[name]) for name in ("lr", "beta1", "beta2")] == [0.5, 0.9, 0.999]
    assert (network.training.epochs, network.training.batch) == (3, 7)
