r"""Notation of notes about recurrent networks: dots between Jacobians, gates, systems in arrays."""

from __future__ import annotations

import pytest

from derivgen.language import parse
from derivgen.verify import verify_text
from tests.verify.conftest import read_networks


@pytest.fixture(scope="module")
def published():
    return read_networks("published_networks.txt")


def worst(text, network):
    (item,) = verify_text(text, network, kind="formula").items
    return item


JACOBIANS = r"\frac{\partial h_t}{\partial h_{t-1}}\frac{\partial h_{t-1}}{\partial h_{t-2}}"


@pytest.mark.parametrize("dots", [r"\cdots", r"\cdot ... \cdot", "..."])
def test_dots_between_jacobians_are_a_product(dots, published):
    right = rf"\frac{{\partial h_t}}{{\partial h_k}} = {JACOBIANS} {dots} "

    item = worst(right + r"\frac{\partial h_{k+1}}{\partial h_k}", published["karpathy"])

    assert item.verdict == "agrees"


def test_dots_that_stop_too_early_are_found(published):
    wrong = rf"\frac{{\partial h_t}}{{\partial h_k}} = {JACOBIANS} \cdots "

    item = worst(wrong + r"\frac{\partial h_{k+2}}{\partial h_{k+1}}", published["karpathy"])

    assert item.verdict == "wrong"


def test_dots_beside_factors_of_no_pattern_are_not_understood(published):
    item = worst(r"h_t = h_{t-1} h_{t-3} \cdots h_1 x_t", published["karpathy"])

    assert item.verdict == "not_understood"


def test_groups_of_several_factors_may_run_too(published):
    groups = r"\mathrm{diag}(1-h_t^2)W_{hh}\,\mathrm{diag}(1-h_{t-1}^2)W_{hh}"
    last = r"\mathrm{diag}(1-h_{k+1}^2)W_{hh}"

    item = worst(
        rf"\frac{{\partial h_t}}{{\partial h_k}} = {groups} \cdots {last}", published["karpathy"]
    )

    assert item.verdict == "agrees"


def test_delta_of_a_gate_may_be_by_what_its_function_is_applied_to(published):
    item = worst(
        r"\delta i_t = \delta c_t \odot \tilde{c}_t \odot i_t \odot (1-i_t)", published["lstmnets"]
    )

    assert item.verdict == "holds_if"
    assert "gate" in item.worst.assumption


def test_a_note_means_one_thing_by_the_delta_of_its_gates(published):
    note = (
        r"$$\delta o_t = \delta h_t \odot \tanh(c_t)$$"
        "\n\n"
        r"$$\delta i_t = \delta c_t \odot \tilde{c}_t \odot i_t \odot (1-i_t)$$"
    )

    verdicts = [item.verdict for item in verify_text(note, published["lstmnets"]).items]

    assert verdicts == ["agrees", "wrong"]


@pytest.mark.parametrize(
    "text",
    [
        r"\begin{array}{l} h_t = \tanh(a_t) \\ o_t = W_{hy} h_t + b_y \end{array}",
        r"\left\{\begin{array}{l} h_t = \tanh(a_t) \\ o_t = W_{hy} h_t + b_y \end{array}\right.",
        r"\begin{cases} h_t = \tanh(a_t) \\ o_t = W_{hy} h_t + b_y \end{cases}",
    ],
)
def test_equations_in_an_array_are_judged_one_by_one(text, published):
    found = verify_text(text, published["karpathy"], kind="formula").items

    assert [item.verdict for item in found] == ["proved", "proved"]


def test_a_coloured_frame_is_no_part_of_its_formula(published):
    text = r"\bbox[yellow,5px,border:2px solid red]{ h_t = \tanh(a_t) \qquad (5.2) }"

    assert worst(text, published["karpathy"]).verdict == "proved"


def test_the_report_holds_the_whole_formula_where_a_part_is_not_understood(published):
    text = r"h_t = \tanh(q_t + r_t) + 1"

    item = worst(text, published["karpathy"])

    assert (item.verdict, item.latex) == ("not_understood", text)


def test_a_network_of_an_unknown_function_is_drawn_where_its_loss_has_slopes():
    network = parse(
        "network net\ndim T = 3, H = 4, K = 5\nindex t: 1..T, i: H, j: H, k: K\n"
        "input x[t,i]\ntarget y[t,k] onehot\nparam W[i,j], V[k,i]\nfunction f\n"
        "h[t,i] = f(x[t,i] + sum[j](W[i,j]*h[t-1,j; 0]))\n"
        "p[t,k] = softmax[k](sum[i](V[k,i]*h[t,i]))\nloss L = -sum[t,k](y[t,k]*log(p[t,k]))\n"
    )

    assert worst(
        r"\frac{\partial L}{\partial p_{tk}} = -\frac{y_{tk}}{p_{tk}}", network
    ).verdict in (
        "proved",
        "agrees",
    )


def test_an_input_whose_logarithm_is_taken_is_drawn_above_zero():
    network = parse(
        "network glove\ndim V = 3\nindex i: V, j: V\ninput X[i,j]\nparam b[i], c[j]\n"
        "loss J = sum[i,j]((b[i] + c[j] - log(X[i,j]))^2)\n"
    )

    right = worst(r"\frac{\partial J}{\partial b_i} = 2\sum_j (b_i + c_j - \log X_{ij})", network)

    assert right.verdict in ("proved", "agrees")


def test_conditions_of_cases_may_be_text_with_formulas_in_it(published):
    text = (
        r"\frac{\partial h_{t,i}}{\partial a_{t,j}} = \begin{cases} 0, & \text{i $\ne$ j} \\[2ex] "
        r"1-h_{t,i}^2, & \text{i = j} \end{cases}"
    )

    assert worst(text, published["karpathy"]).verdict == "agrees"
