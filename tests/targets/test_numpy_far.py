"""Far out: float32 stays finite at +-1e4 wherever the true value fits the type."""

from __future__ import annotations

import numpy as np
import pytest

from derivgen.language import library
from tests.targets.numpy_module import module_of

POINTS = (0.0, 1e-3, 5.0, 20.0, 90.0, 800.0, 1e4)
ACTIVATIONS = [
    name
    for name, function in library().functions.items()
    if not function.indices and len(function.params) - len(function.settings) == 1
]
ON_NUMBERS = ("squared_error", "mse", "mae", "huber", "log_cosh", "hinge", "squared_hinge")
ON_CHANCES = ("binary_cross_entropy", "binary_focal")
ON_CLASSES = ("cross_entropy", "label_smoothing", "kl", "focal")
OWN = {
    "tanh from exponentials": "(exp(z) - exp(-z))/(exp(z) + exp(-z))",
    "growing over growing": "exp(z)/(1 + exp(z))",
    "softplus": "log(1 + exp(z))",
    "softplus of three": "log(1 + exp(z) + exp(2*z))",
    "log cosh": "log(cosh(z))",
    "swish": "z/(1 + exp(-z))",
    "gompertz": "exp(-exp(-z))",
    "log of own sigmoid": "log(1/(1 + exp(-z)))",
    "log of its complement": "log(1 - 1/(1 + exp(-z)))",
    "tanh of softplus": "z*tanh(log(1 + exp(z)))",
}


def assert_finite(module, batch) -> None:
    params = module.parameters(0, np.float32)

    loss, gradients, _ = module.loss_and_gradients(params, batch)

    assert np.isfinite(loss), (batch, loss)
    assert np.isfinite(gradients["w"]).all(), (batch, gradients)
    assert np.asarray(gradients["w"]).dtype == np.float32


def single(x: float, y: float) -> dict[str, np.ndarray]:
    return {"x": np.array([x], np.float32), "y": np.array([y], np.float32)}


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations_of_the_library_stay_finite(name, tmp_path):
    text = f"network far\ninput x\ntarget y\nparam w = 1\nh = {name}(w*x)\nloss E = h + 0*y\n"
    module = module_of(text, tmp_path, "float32")

    for x in (*POINTS, *(-x for x in POINTS)):
        assert_finite(module, single(x, 0))


@pytest.mark.parametrize("body", OWN.values(), ids=OWN.keys())
def test_own_functions_stay_finite(body, tmp_path):
    head = f"network far\ninput x\ntarget y\nparam w = 1\ndefine own(z) = {body}\n"
    module = module_of(f"{head}h = own(w*x)\nloss E = h + 0*y\n", tmp_path, "float32")

    for x in (*POINTS, *(-x for x in POINTS)):
        assert_finite(module, single(x, 0))


@pytest.mark.parametrize("name", [*ON_NUMBERS, *ON_CHANCES])
def test_losses_of_numbers_and_chances_stay_finite(name, tmp_path):
    output = "sigmoid(z)" if name in ON_CHANCES else "z"
    head = "network far\ninput x\ntarget y\nparam w = 1\nz = w*x\n"
    module = module_of(f"{head}p = {output}\nloss E = {name}(p, y)\n", tmp_path, "float32")

    for x in (*POINTS, *(-x for x in POINTS)):
        for y in (0, 1):
            assert_finite(module, single(x, y))


@pytest.mark.parametrize("name", ON_CLASSES)
def test_losses_of_classes_stay_finite(name, tmp_path):
    head = "network far\nindex k: 3\ninput x[k]\ntarget y[k] onehot\nparam w = 1\nz[k] = w*x[k]\n"
    module = module_of(
        f"{head}p[k] = softmax[k](z[k])\nloss E = {name}(p, y)\n", tmp_path, "float32"
    )

    for row in ([0, 0, 0], [1e4, -1e4, 0], [1e4, 1e4, -1e4], [90, 800, -5], [-1e4] * 3):
        for label in range(3):
            x, y = np.array([row], np.float32), np.eye(3, dtype=np.float32)[[label]]
            assert_finite(module, {"x": x, "y": y})


def test_what_overflows_truly_is_infinite_and_not_nan(tmp_path):
    text = "network far\ninput x\ntarget y\nparam w = 1\nz = w*x\nloss E = poisson(z, y)\n"
    module = module_of(text, tmp_path, "float32")

    loss, gradients, _ = module.loss_and_gradients(module.parameters(), single(1e4, 1))

    assert loss == np.inf and gradients["w"] == np.inf


def test_masked_attention_ignores_what_is_masked(tmp_path):
    text = """network masked
dim T = 3
index i: T, j: T
input x[i]
param w = 1
q[i,j] = w*x[i]*x[j]
p[i,j] = exp(q[i,j])*[j <= i]/sum[j]([j <= i]*exp(q[i,j]))
loss E = sum[i,j](p[i,j]*x[j])
"""
    module = module_of(text, tmp_path, "float32")

    assert_finite(module, {"x": np.array([[100, -100, 50]], np.float32)})


def test_the_chance_of_one_neuron_of_a_layer_stays_finite(tmp_path):
    text = """network far
index k: 2
input x
target y
param w[k] = [1, -1]
z[k] = w[k]*x
p = sigmoid(z[0])
loss E = binary_cross_entropy(p, y)
"""
    module = module_of(text, tmp_path, "float32")

    for x in (*POINTS, *(-x for x in POINTS)):
        for y in (0, 1):
            assert_finite(module, single(x, y))
