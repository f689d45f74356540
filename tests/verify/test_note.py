"""Whole texts: what is scanned, counted, judged and said, in both languages."""

from __future__ import annotations

import json

import pytest

from derivgen.verify import annotated, verify_text
from derivgen.verify.messages import complete, keys

RIGHT = ("proved", "agrees")
NOTE = r"""---
title: $not = maths$
---
A picture ![p](p.png) and code `$a = b$`.

```
$$ x = y $$
```

$$\frac{\partial E}{\partial W_{ks}} = (\hat{y}_k - y_k)\hat{y}_k(1-\hat{y}_k) h_s \tag{1}$$
$$\begin{align*}
\frac{\partial E}{\partial b_k} &= \frac{\partial E}{\partial \hat y_k}\frac{\partial \hat y_k}{\partial \beta_k} \tag{2} \\
&= (y_k - \hat{y}_k)\hat{y}_k(1-\hat{y}_k) \tag{3}
\end{align*}$$
Here $h_s$ is a name.
"""  # noqa: E501


def test_a_note_is_judged_formula_by_formula_with_tags_and_lines(networks):
    report = verify_text(NOTE, networks["mlp"], file="note.md")

    assert [(i.tag, i.line, i.verdict) for i in report.items] == [
        ("1", 10, "proved"),
        ("2", 12, "agrees"),
        ("3", 13, "wrong"),
    ]
    assert report.items[2].worst.mistake == "sign"
    assert report.pictures == 1
    assert len(report.mentions) == 1
    assert report.exit_code == 1


def test_the_last_line_counts_everything(networks):
    report = verify_text(NOTE, networks["mlp"])

    assert report.to_text().splitlines()[-1] == (
        "3 formulas: 1 proved, 1 agree, 0 hold if, 1 wrong, 0 not understood, 1 pictures not read."
    )


def test_the_json_report_has_every_field(networks):
    records = json.loads(verify_text(NOTE, networks["mlp"]).to_json())

    assert list(records[2]) == [
        "file", "line", "tag", "latex", "members", "verdict", "digits", "assumption", "mistake",
        "hint", "counterexample", "correct",
    ]  # fmt: skip
    assert records[2]["correct"] and records[2]["hint"]


def test_messages_come_in_chinese(networks):
    report = verify_text(NOTE, networks["mlp"], lang="zh")

    assert "错误" in report.to_text()
    assert report.summary.startswith("3 个公式")


@pytest.mark.parametrize("key", list(keys()))
def test_every_message_has_both_languages(key):
    assert complete(key)


def test_an_annotated_copy_keeps_every_line_of_the_note(networks):
    text = annotated(verify_text(NOTE, networks["mlp"]), NOTE)

    assert [line for line in NOTE.splitlines() if line not in text.splitlines()] == []
    assert "**wrong**" in text


def test_nothing_understood_ends_with_4(networks):
    assert (
        verify_text("$$ q_{zz} = \\frac{\\partial r}{\\partial s} $$", networks["mlp"]).exit_code
        == 4
    )


def test_what_is_not_understood_fails_only_when_asked_to(networks):
    text = NOTE.replace("(y_k - \\hat{y}_k)", "(\\hat{y}_k - y_k)") + "\n$$ Q = \\nabla_{r} s $$\n"

    assert verify_text(text, networks["mlp"]).exit_code == 0
    assert verify_text(text, networks["mlp"], strict=True).exit_code == 1


def test_a_loss_without_its_half_is_another_definition(networks):
    report = verify_text(r"E = \sum_k (\hat y_k - y_k)^2", networks["mlp"])

    assert report.items[0].verdict == "holds_if"
    assert "another definition" in report.items[0].worst.assumption


def test_a_fact_about_the_targets_is_named(networks):
    text = "d(L, z[k]) = p[k] - y[k]"
    from derivgen.language import parse

    source = networks["softmax"].text.replace("assume sum[k](y[k]) = 1", "")
    network = parse(source)

    report = verify_text(text, network)

    assert report.items[0].verdict == "holds_if"
    assert report.items[0].worst.assumption == "the targets sum to 1"


def test_a_missing_learning_rate_is_named(networks):
    report = verify_text(r"W = W - \frac{\partial E}{\partial W}", networks["mlp"])

    assert report.items[0].verdict == "holds_if"
    assert report.items[0].worst.mistake == "missing-factor"


def test_a_chain_is_judged_at_every_equals_sign(networks):
    text = (
        r"\frac{\partial E}{\partial b_k} = (y_k-\hat y_k)\hat y_k(1-\hat y_k)"
        r" = (\hat y_k-y_k)\hat y_k(1-\hat y_k)"
    )

    (item,) = verify_text(text, networks["mlp"]).items

    assert [member.verdict for member in item.members] == ["agrees", "wrong", "proved"]


def test_a_symbol_table_gives_names_their_meaning(networks):
    from derivgen.formulas.surface import parse_table

    table = parse_table("\\varepsilon_{<k>} -> d(E, beta[k])\nv_{<s>} -> h[s]\n")
    text = r"\frac{\partial E}{\partial W_{ks}} = \varepsilon_k v_s"

    assert verify_text(text, networks["mlp"], table).items[0].verdict in RIGHT


FORWARD = r"""
$z_j = \sum_{i=1}^{n} w_{ji} x_i + b_j$, $a_j = \sigma(z_j)$
$$o_k = \sum_j v_{kj} a_j, \quad \hat y_k = \sigma(o_k)$$
$$E = \frac{1}{2} \sum_k (\hat{y}_k - y_k)^2$$
$$\frac{\partial E}{\partial v_{kj}} = (\hat y_k - y_k) \hat y_k (1-\hat y_k) a_j$$
$$\frac{\partial E}{\partial w_{ji}}
= \sum_k (\hat y_k - y_k) \hat y_k (1-\hat y_k) v_{jk} a_j (1-a_j) x_i$$
"""


def test_a_note_gives_its_own_network():
    report = verify_text(FORWARD)

    assert report.items[-2].verdict in RIGHT and report.items[-1].verdict == "wrong"
    assert report.items[-1].worst.mistake == "index-swap"


def test_numbers_are_judged_by_their_printed_digits(mazur):
    right = verify_text(r"out_{h1} = \frac{1}{1+e^{-0.3775}} = 0.59326999", mazur)
    cut = verify_text("out_{h1} = 0.5932699", mazur)
    wrong = verify_text("out_{h1} = 0.59327999", mazur)

    assert right.items[0].verdict == "agrees"
    assert cut.items[0].verdict == "agrees" and "cut" in cut.items[0].worst.reason
    assert wrong.items[0].worst.mistake == "digit"


@pytest.mark.parametrize(
    "text",
    [
        "$$ a = (b $$",
        "$$ a = \\frac{1}{2 $$",
        "$$ unclosed",
        "$$ a = \\input{/etc/passwd} $$",
        "$$ " + "x" * 100_000 + " = y $$",
        "$$ a = " + "(" * 20_000 + " $$",
        "$" * 50_000,
        "\\[" * 20_000,
        "\0\1\2binary",
        "$$ \\undefined{x} = 1 $$",
    ],
    ids=["brackets", "braces", "open", "input", "long", "deep", "dollars", "openings", "binary",
         "macro"],
)  # fmt: skip
def test_hostile_text_ends_in_a_report(text, networks):
    report = verify_text(text, networks["mlp"])

    assert report.count("agrees") == 0
    assert report.exit_code in (1, 4)


@pytest.mark.parametrize("condition", ["for q < 2", "for k < ", "for", "for k"])
def test_a_condition_that_names_no_index_of_the_claim_is_an_error_in_words(networks, condition):
    report = verify_text(f"d(E, b[k]) = d(E, beta[k]) {condition}\n", networks["mlp"], kind="plain")

    assert report.items[0].verdict == "not_understood"
    assert report.items[0].worst.reason
