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

    assert verdicts == ["proved", "wrong"]


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

    assert worst(text, published["karpathy"]).verdict == "proved"


SUM_OF_PATHS = r"\frac{\partial h_t}{\partial h_k} \frac{\partial h_k}{\partial W_{hh}}"


def test_the_sum_over_paths_to_a_weight_holds_for_every_element_of_it(published):
    left = r"\frac{\partial h_t}{\partial W_{hh}} = "

    item = worst(left + rf"\sum_{{k=1}}^{{t}} {SUM_OF_PATHS}", published["karpathy"])
    cut = worst(left + rf"\sum_{{k=1}}^{{t-1}} {SUM_OF_PATHS}", published["karpathy"])

    assert (item.verdict, cut.verdict) == ("holds_if", "wrong")
    assert "immediate" in item.worst.assumption


def test_the_derivative_that_stands_on_both_sides_is_the_immediate_one_on_the_right(published):
    text = (
        r"\frac{\partial h_t}{\partial W_{hh}} = \frac{\partial h_t}{\partial W_{hh}} SIGN "
        r"\frac{\partial h_t}{\partial h_{t-1}} \frac{\partial h_{t-1}}{\partial W_{hh}}"
    )

    found = [worst(text.replace("SIGN", s), published["karpathy"]).verdict for s in "+-"]

    assert found == ["holds_if", "wrong"]


def test_a_vector_beside_a_derivative_by_a_matrix_stands_for_its_entries(published):
    found = [
        worst(rf"\frac{{\partial o_t}}{{\partial W_{{hy}}}} = {h}^T", published["karpathy"])
        for h in ("h_t", "h_{t-1}")
    ]

    assert [item.verdict for item in found] == ["holds_if", "wrong"]


def test_a_derivative_of_three_indices_beside_a_matrix_is_not_called_wrong(published):
    text = (
        r"\frac{\partial h_t}{\partial W_{xh}} = (1-h_t^2) x_t^T + "
        r"(1-h_t^2) \cdot W_{hh} \frac{\partial h_{t-1}}{\partial W_{xh}}"
    )

    assert worst(text, published["karpathy"]).verdict == "not_understood"


@pytest.mark.parametrize(
    ("text", "verdicts"),
    [
        (r"\overline{s_t} = V^T \overline{z_t} + W^T \overline{q_{t+1}}", ("agrees", "proved")),
        (r"\overline{s_t} = V^T \overline{z_t} + W \overline{q_{t+1}}", ("wrong",)),
        (r"\overline{W} = \sum_t \overline{q_t} s_{t-1}^T", ("agrees", "proved")),
        (r"\bar{V} = \sum_t \bar{z}_t s_t^T", ("agrees", "proved")),
        (r"\bar{V} = -\sum_t \bar{z}_t s_t^T", ("wrong",)),
        (r"\delta_{s_t} = V^T \delta_{z_t} + W^T \delta_{q_{t+1}}", ("agrees", "proved")),
    ],
)
def test_bars_and_deltas_with_names_are_derivatives_of_the_loss(text, verdicts):
    network = parse(
        "network bars\ndim T = 4, D = 2, H = 3, K = 5\nindex t: 1..T, d: D, i: H, j: H, k: K\n"
        "input x[t,d]\ntarget y[t,k] onehot\nparam U[i,d], W[i,j], V[k,i]\n"
        "q[t,i] = sum[d](U[i,d]*x[t,d]) + sum[j](W[i,j]*s[t-1,j; 0])\ns[t,i] = tanh(q[t,i])\n"
        "z[t,k] = sum[i](V[k,i]*s[t,i])\np[t,k] = softmax[k](z[t,k])\n"
        "loss L = -sum[t,k](y[t,k]*log(p[t,k]))\n"
    )

    assert worst(text, network).verdict in verdicts


@pytest.mark.parametrize(
    ("text", "verdicts"),
    [
        (r"\frac{\partial J}{\partial u_w} = (\hat y_w - y_w) v_c", ("agrees", "proved")),
        (r"\frac{\partial J}{\partial u_w} = (y_w - \hat y_w) v_c", ("wrong",)),
        (r"\frac{\partial J}{\partial v_c} = U^T (\hat{y} - y)", ("agrees", "proved")),
        (r"\frac{\partial J}{\partial v_c} = \sum_w P(w|c) u_w - u_o", ("agrees", "proved")),
        (r"\log P(o \mid c) = u_o^\top v_c - \log \sum_w \exp(u_w^\top v_c)", ("agrees", "proved")),
        (r"\frac{\partial \log P(o \mid c)}{\partial v_c} = u_o + \sum_w P(w|c) u_w", ("wrong",)),
    ],
)
def test_a_class_that_is_an_index_is_a_one_hot_vector_too(text, verdicts, published):
    assert worst(text, published["skipgram"]).verdict in verdicts


def test_targets_that_are_indices_at_each_time_are_vectors_beside_probabilities():
    network = parse(
        "network words\ndim T = 3, H = 4, V = 5\nindex t: 1..T, i: H, v: V\ninput h[t,i]\n"
        "target y[t] of v\nparam U[v,i]\nz[t,v] = sum[i](U[v,i]*h[t,i])\n"
        "p[t,v] = softmax[v](z[t,v])\nloss L = -sum[t](log(p[t,y[t]]))\n"
    )
    formulas = (r"p_t - y_t", r"y_t - p_t")

    found = [worst(rf"\frac{{\partial L}}{{\partial z_t}} = {f}", network) for f in formulas]

    assert [item.verdict for item in found] == ["proved", "wrong"]


@pytest.mark.parametrize(
    ("hidden", "verdicts"), [("h_{t+1}", ("agrees", "proved")), ("h_t", ("wrong",))]
)
def test_a_time_in_brackets_behind_the_loss_is_the_loss_of_that_time(hidden, verdicts, published):
    left = r"\frac{\partial \mathcal{L}(t+1)}{\partial W_{hy}}"
    text = rf"{left} = (p_{{t+1}} - y_{{t+1}}) {hidden}^T"

    assert worst(text, published["karpathy"]).verdict in verdicts


def test_a_name_at_the_end_of_a_chain_may_be_used_by_later_formulas(published):
    note = (
        r"$$\frac{\partial L}{\partial P} = \frac{\partial L}{\partial O} V^T = \zeta_2$$"
        "\n\n"
        r"$$dS = P \circ \zeta_2 - P \circ \mathrm{rowsum}(P \circ \zeta_2)$$"
    )

    found = [item.verdict for item in verify_text(note, published["attn"]).items]

    assert found[0] in ("agrees", "proved")
    assert found[1] in ("agrees", "proved", "holds_if")
