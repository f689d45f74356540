"""The notes as text: complete, numbered, safe in every format, the same under any hash seed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time

import pytest

from derivgen.calculus.engine import derive, hessian_vector
from derivgen.errors import NameProblem
from derivgen.forms.style import STYLES
from derivgen.language import parse
from derivgen.notes import document_of, equation_numbers, render
from derivgen.notes.code import code_by_tensor
from derivgen.notes.document import Ref, Section, blocks, numbers
from derivgen.notes.phrases import PHRASES
from tests.notes.documents import ALL, SHIPPED, deep, derived, displays, inlines, notes

FORMATS = ("latex", "markdown", "text", "html", "typst")
DEEP_SECONDS = 5.0  # about one on an idle machine; the rest is for a busy one


@pytest.mark.parametrize("to", FORMATS)
@pytest.mark.parametrize("name", ALL)
def test_every_network_has_notes_in_every_format(name: str, to: str) -> None:
    text = notes(name, to)

    assert len(text) > 500
    for leak in ("Piecewise", "Subs", "Affine(", "Access(", "None"):
        assert leak not in text


@pytest.mark.parametrize("lang", ("en", "zh"))
@pytest.mark.parametrize("style", STYLES)
def test_every_style_speaks_both_languages(style: str, lang: str) -> None:
    for name in ("general_mlp", "softmax_mlp", "test recurrent"):
        assert notes(name, "markdown", style, lang)


@pytest.mark.parametrize("name", ALL)
def test_every_reference_leads_to_an_equation(name: str) -> None:
    document = document_of(derived(name))
    known = numbers(document)

    wanted = []
    for block in blocks(document.body):
        for line in getattr(block, "lines", ()):
            wanted += [part for part in getattr(line, "why", ()) if isinstance(part, Ref)]
        wanted += [part for part in getattr(block, "prose", ()) if isinstance(part, Ref)]
        if isinstance(block, Section):
            wanted += [part for part in block.title if isinstance(part, Ref)]

    assert [ref.label for ref in wanted if ref.label not in known] == []


@pytest.mark.parametrize("name", ALL)
def test_markdown_formulas_hold_nothing_that_markdown_would_take(name: str) -> None:
    text = notes(name, "markdown")

    for formula in (*displays(text), *inlines(text)):
        assert not re.search(r"[|*<>]", formula.replace("\\\\", "")), formula
    for formula in inlines(text):
        assert not re.search(r"\\[^A-Za-z]", formula), formula


@pytest.mark.parametrize("to", ("latex", "markdown"))
@pytest.mark.parametrize("name", ALL)
def test_formulas_avoid_macros_that_renderers_lack(name: str, to: str) -> None:
    text = notes(name, to)

    for macro in (r"\bm", r"\color", r"\newcommand", r"\part ", r"\def"):
        assert macro not in text
    assert text.count("{") == text.count("}")
    assert text.count(r"\left") - text.count(r"\leftarrow") == text.count(r"\right") - text.count(
        r"\rightarrow"
    )


@pytest.mark.parametrize("name", ("softmax_mlp", "mazur"))
def test_chinese_stands_in_text_only(name: str) -> None:
    for formula in displays(notes(name, "markdown", lang="zh")):
        bare = re.sub(r"\\text\{[^{}]*\}", "", formula)
        assert not re.search(r"[\u3000-\u9fff]", bare), formula


def test_phrases_have_the_same_marks_in_both_languages() -> None:
    for key, (english, chinese) in PHRASES.items():
        marks = [set(re.findall(r"\{\w+\}", text)) for text in (english, chinese)]
        assert marks[0] == marks[1], key


def test_numbers_of_equations_count_from_one_in_reading_order() -> None:
    text = notes("softmax_mlp", "markdown")

    tags = [int(tag) for tag in re.findall(r"\\tag\{(\d+)\}", text)]

    assert tags == list(range(1, len(tags) + 1))


def test_code_and_notes_count_equations_alike() -> None:
    found = equation_numbers(derived("softmax_mlp"))

    text = notes("softmax_mlp", "text")

    assert re.search(rf"delta_beta\[k\] .*\n(?:.*\n)*?.*\({found['adj_beta']}\)", text)
    assert set(found) >= {"alpha", "yhat", "adj_beta", "adj_W", "adj_V"}


def test_the_worked_example_reads_as_its_source_does() -> None:
    text = notes("mazur", "text")

    for number in (
        "0.75136507",
        "0.772928465",
        "0.298371109",
        "0.35891648",
        "0.408666186",
        "0.51130127",
        "0.561370121",
        "0.149780716",
        "0.285750887",
    ):
        assert number in text
    assert "dE/dw5 = dE/dout_o1*dout_o1/dnet_o1*dnet_o1/dw5" in text


def test_the_graph_shows_values_and_derivatives_at_its_nodes() -> None:
    drawing = notes("graph", "html")

    assert drawing.count("<circle") == 6
    assert ">33</text>" in drawing


def test_a_vector_that_leads_back_to_itself_is_no_stack_of_layers() -> None:
    text = "index k: 4\nparam t0, g[k]\nth[0] = t0\nth[k] = th[k-1] + exp(g[k])\n"
    text += "cdf[k] = where(k < 3, sigmoid(th[k]), 1)\nloss E = sum[k](cdf[k]^2)\n"

    assert render(derive(parse(text)), "markdown")


def test_the_general_network_reads_as_in_the_textbook() -> None:
    text = notes("general_mlp", "latex", "nielsen")

    assert r"\delta^{L} &= \boxed" not in text  # the box holds the index form
    assert r"\delta^{L} &= (a^{L} - y) \odot f'(z^{L})" in text
    assert r"\delta^{l} &= ((W^{l+1})^{T}\,\delta^{l+1}) \odot f'(z^{l})" in text
    assert r"\frac{\partial C}{\partial W^{l}} &= \delta^{l}\,(a^{l-1})^{T}" in text


def test_softmax_with_cross_entropy_closes_by_the_declared_fact() -> None:
    text = notes("softmax_mlp", "latex")

    assert r"\boxed{\hat{y}_{k} - y_{k}}" in text


def test_a_recurrence_is_shown_step_by_step_and_in_vectors() -> None:
    text = notes("test recurrent", "text")

    assert "h[t] = tanh(a[t])" in text
    assert "dE/dR = sum[t](delta_a[t]*h[t-1]^T)" in text
    assert "for t from T down to 0" in text


def test_a_stack_of_equal_layers_is_derived_once_and_quickly() -> None:
    derivation = derive(parse(deep(50)))

    start = time.perf_counter()
    text = render(derivation, "latex")
    seconds = time.perf_counter() - start

    assert seconds < DEEP_SECONDS
    assert r"\ldots,48" in text
    assert "z^{(17)}" not in text
    assert text.count(r"\subsection") < 30


def test_wrt_keeps_only_what_leads_there() -> None:
    text = render(derived("sigmoid_mlp"), "text", wrt=["W"])

    assert "Gradient of W" in text
    assert "Gradient of V" not in text
    assert "Delta of beta" in text


def test_layer_keeps_one_layer() -> None:
    text = render(derived("digits_mlp"), "text", layer=2)

    assert "Gradient of W_yhat" in text
    assert "Gradient of W_h" not in text.replace("Gradient of W_hat", "")


def test_expand_writes_the_loss_out_to_a_bounded_depth() -> None:
    text = render(derived("mazur"), "text", expand=2)

    whole = " ".join(text.split())
    assert "= 1/2*(target_o1 - sigmoid(net_o1))^2 + 1/2*(target_o2 - sigmoid(net_o2))^2" in whole
    assert "sigmoid(w5*out_h1" not in text


def test_code_stands_beside_the_formula_it_computes() -> None:
    source = (
        "def backward():\n    # adj_W[k,s] = sum[n](adj_beta[n,k]*h[n,s])\n    adj_W = d.T @ h\n"
    )

    text = render(derived("softmax_mlp"), "markdown", code=source)

    before, after = text.split("adj_W = d.T @ h")
    assert r"\frac{\partial E}{\partial W_{ks}}" in before[-900:]
    assert "adj_W = d.T @ h" not in after


def test_the_head_of_a_program_is_no_code_of_a_formula() -> None:
    source = "# adj_W[k,s] = told in the head\n\ndef f():\n    # adj_W[k,s] = x\n    adj_W = x\n"

    assert code_by_tensor(source) == {"adj_W": "# adj_W[k,s] = x\nadj_W = x"}


def test_code_in_the_page_lights_up_with_its_formulas() -> None:
    source = "    # adj_W[k,s] = sum[n](adj_beta[n,k]*h[n,s])\n    adj_W = adj_beta.T @ h\n"

    page = render(derived("softmax_mlp"), "html", code=source)

    assert '<span data-t="W">adj_W</span> = <span data-t="beta">adj_beta</span>.T' in page


def test_details_differ_in_length_and_agree_in_results() -> None:
    short, usual, long = (
        render(derived("softmax_mlp"), "latex", detail=detail)
        for detail in ("result", "steps", "full")
    )

    assert len(short) < len(usual) < len(long)
    assert all(r"\boxed{\hat{y}_{k} - y_{k}}" in text for text in (short, usual, long))


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("to", "word"),
        ("style", "mine"),
        ("lang", "fr"),
        ("detail", "most"),
        ("flavour", "wiki"),
        ("wrt", ["Q"]),
    ],
)
def test_unknown_choices_are_refused_with_the_known_ones(option: str, value: object) -> None:
    with pytest.raises(NameProblem, match="Known"):
        render(derived("graph"), **{option: value})  # type: ignore[arg-type]


def test_notes_are_the_same_bytes_under_any_hash_seed() -> None:
    program = (
        "from tests.notes.documents import notes\n"
        "import hashlib\n"
        "texts = [notes(n, t) for n in ('softmax_mlp', 'mazur', 'test recurrent')"
        " for t in ('latex', 'markdown', 'html', 'text', 'typst')]\n"
        "print(hashlib.sha256(''.join(texts).encode()).hexdigest())"
    )

    seen = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("0", "1", "2")
    }

    assert len(seen) == 1


def test_every_shipped_network_is_among_the_tests() -> None:
    assert {"mazur", "graph", "general_mlp", "softmax_mlp"} <= set(SHIPPED)


def test_a_second_derivative_starts_from_the_first_ones() -> None:
    derivation = hessian_vector(parse(SHIPPED["sigmoid_mlp"]), "W", ["V"])

    text = render(derivation, "text")

    assert "slope_W = sum[k,h](dE/dW[k,h]*v_W[k,h])" in text
    assert "dslope_W/d(dE/dW[k,h]) = v_W[k,h]" in text
    assert "delta" not in text.split("Backward pass")[1]


UNNAMED = """network unnamed
index k: 2, d: 3
input x[3]
target y[2] onehot
param W[2,3]
s[k] = sum[d](W[k,d]*x[d])
loss E = {loss}
"""


def test_axes_given_by_sizes_get_the_letters_of_the_equations():
    text = render(derive(parse(UNNAMED.format(loss="sum[k]((s[k] - y[k])^2)"))), "text")

    assert "W[k,d]  parameter  2 x 3" in text


@pytest.mark.parametrize(
    ("loss", "told"),
    [("sum[k]((s[k] - y[k])^2)", False), ("-sum[k](y[k]*log(softmax[k](s[k])))", True)],
)
def test_what_a_one_hot_target_implies_is_told_where_it_is_used(loss, told):
    text = render(derive(parse(UNNAMED.format(loss=loss))), "text")

    assert ("It is given that" in text) == told


@pytest.mark.parametrize(("lang", "words"), [("en", "is not a finite number"), ("zh", "有限的数")])
def test_a_step_out_of_the_domain_of_the_loss_is_called_too_long(lang, words):
    network = "network far\ninput x = 1\nparam w = 0.01\nloss E = -log(w)*x - 1000*log(1 - w)"
    step = "train with sgd(lr = 10)"

    text = render(derive(parse(f"{network}\n{step}")), "text", lang=lang)

    assert words in text and "nan" not in text


def test_an_extreme_follows_its_operand_and_says_where_it_exists():
    text = (
        "network path\ndim T = 3, K = 2\nindex t: T, k: K, j: K\ninput u[t,k]\nparam A[j,k]\n"
        "v[0,k] = u[0,k]\nv[t,k] = max[j](v[t-1,j] + A[j,k]) + u[t,k]\nloss E = sum[k](v[T-1,k])"
    )

    shown = render(derive(parse(text)), "text")

    assert "max_v[t,k] = max[j](u_v[t,k,j])   for t >= 1" in shown
    assert shown.index("u_v[t,k,j] =") < shown.index("max_v[t,k] =")
