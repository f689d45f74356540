"""The numbers of Mazur's "A Step by Step Backpropagation Example", to the digits printed there.

Source: https://mattmazur.com/2015/03/17/a-step-by-step-backpropagation-example/; the values with
updated biases are those of one step of the same net with every parameter updated.
"""

from __future__ import annotations

import pytest

import derivgen

PRINTED = 5e-10  # half a unit in the ninth decimal, the last one printed there
ROUNDINGS = 1e-11  # some hundred roundings of 1e-16, where terms nearly cancel
RATE = 0.5

BIASES = ("b1", "b2")
AFTER = {
    "w5": 0.35891648,
    "w6": 0.408666186,
    "w7": 0.511301270,
    "w8": 0.561370121,
    "w1": 0.149780716,
}


@pytest.fixture(scope="module")
def net():
    return derivgen.load("mazur")


def stepped(net, frozen: tuple[str, ...]) -> dict[str, float]:
    """Return the parameters after one step of gradient descent from the values in the text."""
    _, gradients = net.value_and_gradients()
    start = {t.name: float(t.values) for t in net.network.parameters}
    return {
        name: value if name in frozen else value - RATE * float(gradients[name])
        for name, value in start.items()
    }


def test_the_forward_pass_gives_the_printed_outputs(net):
    from derivgen.interpret import evaluate
    from derivgen.values import read_values

    arrays = evaluate(net.derive().derivation, read_values(net.network, None))

    assert float(arrays["out_o1"]) == pytest.approx(0.75136507, abs=5e-9)
    assert float(arrays["out_o2"]) == pytest.approx(0.772928465, abs=PRINTED)
    assert float(arrays["E"]) == pytest.approx(0.298371109, abs=PRINTED)


def test_the_gradient_by_w5_is_the_printed_one(net):
    _, gradients = net.value_and_gradients()

    assert float(gradients["w5"]) == pytest.approx(0.082167041, abs=PRINTED)


@pytest.mark.parametrize("name", AFTER)
def test_a_step_gives_the_printed_weights(net, name):
    assert stepped(net, BIASES)[name] == pytest.approx(AFTER[name], abs=5e-9)


@pytest.mark.parametrize(
    ("frozen", "printed"), [(BIASES, 0.291027774), ((), 0.285750887)], ids=["frozen", "updated"]
)
def test_the_loss_after_a_step_is_the_printed_one(net, frozen, printed):
    loss, _ = net.value_and_gradients({"params": stepped(net, frozen)})

    assert float(loss) == pytest.approx(printed, abs=PRINTED)


@pytest.mark.parametrize("seed", range(5))
def test_perturbed_values_agree_with_the_exact_oracle(net, seed):
    from derivgen.interpret import value_and_gradients
    from derivgen.values import random_values
    from tests.oracle.exact import exact_gradients

    values = random_values(net.network, seed)
    loss, gradients = value_and_gradients(net.derive().derivation, values)
    exact_loss, exact = exact_gradients(net.network, values.dims, values.arrays)

    assert float(loss) == pytest.approx(float(exact_loss), rel=ROUNDINGS)
    for name, gradient in gradients.items():
        assert float(gradient) == pytest.approx(float(exact[name]), rel=ROUNDINGS), name
