"""Whole notes without a network file: their own forward equations, letters and numbering."""

from __future__ import annotations

from pathlib import Path

import pytest

from derivgen.language import parse
from derivgen.verify import verify_text
from derivgen.verify.forward import read_network
from derivgen.verify.messages import message

NOTES = Path(__file__).parent / "corpus" / "notes"
SPOILT = "Spoilt:"  # begins a line with a seeded mistake


def judged(name):
    return verify_text((NOTES / f"{name}.md").read_text(encoding="utf-8"), kind="note")


@pytest.mark.parametrize("name", sorted(path.stem for path in NOTES.glob("*.md")))
def test_a_note_is_judged_by_the_network_it_defines(name):
    report = judged(name)

    lines = (NOTES / f"{name}.md").read_text(encoding="utf-8").splitlines()
    spoilt = [number for number, line in enumerate(lines, 1) if line.startswith(SPOILT)]
    wrong = [item.line for item in report.items if item.verdict == "wrong"]
    read = [item for item in report.items if item.verdict != "not_understood"]
    assert wrong == spoilt, report.to_text()
    assert len(read) >= 0.85 * len(report.items), report.to_text()


def test_capitals_stand_for_all_samples_and_want_their_number():
    (missing,) = [item for item in judged("two_layers").items if item.verdict == "wrong"]

    assert missing.worst.mistake == "missing-1-over-m"


def test_a_symbol_defined_below_its_first_use_is_known_above():
    report = judged("gradients_of_thresholds")

    assert all(item.verdict in ("agrees", "proved") for item in report.items), report


def test_a_note_whose_equations_leave_the_numbering_open_is_judged_under_both():
    lines = (NOTES / "weights_leave_their_layer.md").read_text(encoding="utf-8").splitlines()

    report = verify_text("\n".join(lines[2:]), kind="note")

    assert all(item.verdict in ("agrees", "proved") for item in report.items), report


def test_printed_numbers_are_not_judged_where_no_network_gives_any():
    report = verify_text("$$out_{h1} = \\frac{1}{1+e^{-net_{h1}}} = 0.59326999$$", kind="note")

    assert report.items[0].verdict == "not_understood"


def text_of(*formulas):
    return read_network("\n".join(f"$${formula}$$" for formula in formulas)).text


def test_letters_of_the_note_and_sizes_above_its_sums_are_kept():
    text = text_of(r"z_j = \sum_{i=1}^D w_{ji} x_i", r"L = \frac12 \sum_{j=1}^M (z_j - t_j)^2")

    assert "index j: M" in text and "index i: D" in text
    assert "z[j] = sum[i](w[j, i]*x[i])" in text


def test_one_name_of_two_weights_is_parted_by_its_letters():
    text = text_of(
        r"z_j = \tanh(\sum_i w_{ji} x_i)",
        r"y_k = \sum_j w_{kj} z_j",
        r"E = \frac12 \sum_k (y_k - t_k)^2",
    )

    assert "param w_ji[j, i]" in text and "param w_kj[k, j]" in text


def test_what_leaves_a_window_makes_the_size_of_the_input():
    text = text_of(
        r"z_{ij} = \sum_m \sum_n w_{mn} x_{i+m,j+n}", r"L = \sum_{i,j} (z_{ij} - y_{ij})^2"
    )

    assert "dim D4 = D0 + M - 1" in text and "input x[n4, n5]" in text


@pytest.mark.parametrize(
    ("formulas", "problem"),
    [
        (["a = b"], "no-equations"),
        ([r"z = W x + b", r"a = \sigma(z)"], "no-loss"),
        ([r"L = E_1 + E_2"], "no-network"),
    ],
)
def test_a_note_without_a_network_says_why(formulas, problem):
    text = "\n".join(f"$${formula}$$" for formula in formulas)

    assert read_network(text).problem == problem
    assert verify_text(text, kind="note").notes == (message(problem, "en"),)


def test_the_report_names_what_the_note_defines():
    (line,) = judged("linear_regression").notes

    assert "given x, y; parameters w, b; computed yhat; loss L" in line


def test_vectors_in_one_bracket_are_one_longer_vector():
    text = text_of(r"h_t = \tanh(W [h_{t-1}, x_t] + b)", r"L = \frac12 \sum_t \|h_t - y_t\|^2")
    network = parse(text, "note.dg")

    right, turned = (
        verify_text(rf"h_t = \tanh(W [{inside}] + b)", network).items[0].verdict
        for inside in ("h_{t-1}, x_t", "x_t, h_{t-1}")
    )
    assert (right, turned) == ("agrees", "wrong")


def test_a_letter_summed_to_the_number_of_samples_tells_samples_apart():
    network = parse(
        "network n\ninput x[i: 3]\ntarget y[k: 2]\nparam W[k,i]\n"
        "a[k] = sigmoid(sum[i](W[k,i]*x[i]))\nloss J = -sum[k](y[k]*log(a[k]))",
        "n.dg",
    )

    report = verify_text(r"J = -\frac{1}{m} \sum_{i=1}^m y^{(i)} \log a^{(i)}", network)

    assert report.items[0].verdict == "proved"


def test_of_several_definitions_of_a_loss_the_one_that_most_equations_lead_to_is_taken():
    text = text_of(
        r"a = \sigma(w x + b)",
        r"E = \sum \frac12 (t - o)^2",
        r"E = E_1 + E_2",
        r"E = \frac12 (t - a)^2",
    )

    assert "loss E = 1/2*(t - a)^2" in text and "param w\n" in text
