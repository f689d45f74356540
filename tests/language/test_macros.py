"""Layers and losses: the equations they stand for, what they carry, what they share."""

from __future__ import annotations

import pytest

from derivgen.algebra.network import Network, Role
from derivgen.algebra.text import equation_text, text
from derivgen.errors import LimitError
from derivgen.language import parse


def lines(network: Network) -> list[str]:
    return [equation_text(equation) for equation in network.equations]


def shapes(network: Network) -> dict[str, tuple[str, ...]]:
    return {t.name: tuple(str(a.size) for a in t.axes) for t in network.parameters}


def test_a_dense_layer_is_two_equations_with_named_parameters() -> None:
    network = parse("input x[4]\nh = dense(x, 3, relu)\nloss E = sum[o](h[o])")

    assert lines(network)[:2] == [
        "z_h[o] = sum[i](W_h[o,i]*x[i]) + b_h[o]",
        "h[o] = relu(z_h[o])",
    ]
    assert shapes(network) == {"W_h": ("3", "4"), "b_h": ("3",)}
    assert network.tensors["W_h"].latex == "W^{(1)}"
    assert [str(n) for n in network.tensors["W_h"].fan_in] == ["4"]
    assert {e.layer for e in network.equations if e.source == "dense"} == {1}


def test_a_layer_without_activation_is_one_equation() -> None:
    network = parse("input x[4]\nh = dense(x, 3)\nloss E = sum[o](h[o])")

    assert lines(network)[0] == "h[o] = sum[i](W_h[o,i]*x[i]) + b_h[o]"


def test_an_activation_along_an_index_works_along_the_layers_own() -> None:
    network = parse("input x[5,4]\nh = dense(x, 3, softmax)\nloss E = sum[t,o](h[t,o])")

    assert lines(network)[1] == "h[t,o] = softmax[o](z_h[t,o])"


def test_further_axes_are_carried_along_and_parameters_do_not_get_them() -> None:
    text_ = "batch n\nindex t: 5\ninput x[n,t,4]\nh = dense(x, 3, tanh)\nloss E = mean[n](h[n,0,0])"

    network = parse(text_)

    assert lines(network)[0] == "z_h[n,t,o] = sum[i](W_h[o,i]*x[n,t,i]) + b_h[o]"
    assert shapes(network) == {"W_h": ("3", "4"), "b_h": ("3",)}


def test_a_carried_letter_never_meets_a_letter_of_the_layer() -> None:
    network = parse("index i: 5, o: 4\ninput x[i,o]\nh = dense(x, 3)\nloss E = mse(h, h)")

    left = network.equations[0].lhs
    names = [form.plain.name for form in left.indices if form.plain]
    assert len(set(names)) == 2
    assert names[1] == "o" and names[0] not in ("i", "o")


def test_parameters_are_renamed_shared_and_started_by_the_call() -> None:
    network = parse(
        "input x[3]\nparam V[2,3] = 0\n"
        "h = dense(x, 2, W = V, b = c)\ng = dense(x, 4, W = he, b = 0.1)\n"
        "loss E = sum[o](h[o]) + sum[o](g[o])"
    )

    assert list(shapes(network)) == ["V", "c", "W_g", "b_g"]
    start = network.tensors["W_g"].initialiser
    assert start is not None and start.name == "he"


def test_a_layer_made_once_and_applied_twice_shares_its_parameters() -> None:
    network = parse(
        "input a[3], b[3], s[5,3]\nlayer enc = dense(2, tanh)\nu = enc(a)\nv = enc(b)\nw = enc(s)\n"
        "loss E = squared_error(u, v) + mse(w, w)"
    )

    assert list(shapes(network)) == ["W_enc", "b_enc"]
    assert lines(network)[4] == "z_w[t,o] = sum[i](W_enc[o,i]*s[t,i]) + b_enc[o]"


def test_a_layer_may_apply_layers_and_take_them_as_activation() -> None:
    network = parse(
        "layer block(x[i], O, f): a = dense(x, O, f); h = dense(a, O)\n"
        "input x[3]\ny = block(x, 2, prelu)\nloss E = sum[o](y[o])"
    )

    assert list(shapes(network)) == ["W_a_y", "b_a_y", "slope_a_y", "W_y", "b_y"]
    assert "where(" in lines(network)[1]


def test_layers_nest_in_expressions() -> None:
    network = parse("input x[3]\ny = x + dense(dense(x, 2, relu), 3)\nloss E = sum[i](y[i])")

    assert lines(network)[-2] == "y[k] = x[k] + dense_2[k]"
    assert len(network.parameters) == 4


def test_a_name_without_indices_stands_for_all_elements() -> None:
    network = parse("input x[3], y[3]\nz = relu(x) - 2*y\np = softmax(z)\nloss E = sum[i](p[i])")

    assert lines(network)[:2] == ["z[k] = relu(x[k]) - 2*y[k]", "p[k] = softmax[k](z[k])"]


def test_a_loss_is_averaged_over_what_it_does_not_name() -> None:
    network = parse("input p[5,3]\ntarget y[5,3] onehot\nloss E = cross_entropy(p, y)")

    assert lines(network) == ["E = mean[t](-sum[k](y[t,k]*log(p[t,k])))"]


def test_squared_error_is_summed_and_halved_as_in_the_textbooks() -> None:
    network = parse("input p[3]\ntarget y[3]\nloss E = squared_error(p, y)")

    assert "sum" in lines(network)[0] and lines(network)[0].endswith("^2/2)")


def test_a_loss_of_a_part_is_taken_for_each_part() -> None:
    network = parse(
        "index t: 5\ninput p[t,3]\ntarget y[t,3] onehot\nconst m[t]\n"
        "loss E = sum[t](m[t]*cross_entropy(p[t], y[t]))"
    )

    assert lines(network) == ["E = sum[t](-m[t]*sum[k](y[t,k]*log(p[t,k])))"]


CAPTURES = {
    "a loss of a part": (
        "index k: 3\ninput p[k,3], y[k,3]\nloss E = sum[k](cross_entropy(p[k], y[k]))",
        "E = sum[k](-sum[k2](y[k,k2]*log(p[k,k2])))",
    ),
    "a layer inside a layer": (
        "layer blk(x[i]): h = dense(x, 3, softmax)\n"
        "input x[o: 3, i: 3]\ny = blk(x)\nloss E = sum[o,i](y[o,i])",
        "z_y[o,o2] = sum[i](W_y[o2,i]*x[o,i]) + b_y[o2]",
    ),
    "a loss inside a layer": (
        "layer blk(x[j], y[j]): e = cross_entropy(x, y); h[j] = e*x[j]\n"
        "input x[k: 3, i: 3], q[k,i]\ny = blk(x, q)\nloss E = sum[k,i](y[k,i])",
        "e_y[k] = -sum[k2](q[k,k2]*log(x[k,k2]))",
    ),
}


@pytest.mark.parametrize("text_, equation", CAPTURES.values(), ids=CAPTURES.keys())
def test_a_rows_letters_never_capture_what_is_carried(text_: str, equation: str) -> None:
    assert lines(parse(text_))[0] == equation


def test_a_loss_of_numbers_needs_no_mean() -> None:
    network = parse("input p\ntarget y\nloss E = mse(2*p, y)")

    assert lines(network) == ["E = (2*p - y)^2"]


def test_a_regulariser_may_come_before_the_layer_whose_weights_it_reads() -> None:
    network = parse("input x[3]\nloss E = h[0] + sum[o,i](W_h[o,i]^2)\nh = dense(x, 2)")

    assert lines(network)[-1].startswith("h[o]")


def test_dropout_draws_a_mask_per_element() -> None:
    network = parse(
        "layer dropout(x, p = 0.5): random m = bernoulli(1-p)/(1-p), predict 1; h = m*x\n"
        "input x[4]\nparam w\nh = dropout(x, p = 0.2)\nloss E = w*sum[i](h[i])"
    )

    mask = network.tensors["m_h"]
    assert mask.role is Role.RANDOM and len(mask.axes) == 1
    assert mask.distribution is not None and text(mask.distribution.arguments[0]) == "0.8"


def test_a_state_of_a_layer_is_updated_under_its_own_name() -> None:
    network = parse(
        "layer centred(x[n,k]):\n"
        "  state mu[k] = 0: mu' = 0.9*mu + 0.1*m[k]\n"
        "  m[k] = mean[n](x[n,k]), predict mu[k]\n"
        "  h[n,k] = x[n,k] - m[k]\n"
        "batch n\ninput x[n,3]\nparam w\nh = centred(x)\nloss E = w*mean[n](h[n,0])"
    )

    update = network.updates[0]
    assert text(update.lhs) == "mu_h[k]"
    assert text(update.rhs) == "0.9*mu_h[k] + 0.1*m_h[k]"


ENDLESS = {
    "a layer": "layer f(x[i]): a = f(x); h[i] = a[i]\ninput x[3]\nh = f(x)\nloss E = h[0]",
    "a loss": "loss f(p, y) = f(p, y)\nparam a\nloss E = f(a, a)",
    "an update": "optimiser o(lr = 1): a0 = w*w; "
    + "; ".join(f"a{i + 1} = a{i}*a{i}" for i in range(40))
    + "; w' = a40\nparam a\nloss E = a",
}


@pytest.mark.parametrize("text_", ENDLESS.values(), ids=ENDLESS.keys())
def test_what_would_grow_without_end_is_refused(text_: str) -> None:
    with pytest.raises(LimitError):
        parse(text_)
