"""A derivation in a notebook: a fragment with a style of its own, and ids of its own."""

from __future__ import annotations

import re
from collections import Counter

import derivgen

TWO = [derivgen.load(name).derive()._repr_html_() for name in ("graph", "sigmoid_mlp")]


def test_two_derivations_in_one_notebook_share_no_id() -> None:
    ids = Counter(re.findall(r' id="([^"]+)"', "".join(TWO)))

    assert [name for name, count in ids.items() if count > 1] == []


def test_links_in_a_fragment_lead_to_its_own_equations() -> None:
    for text in TWO:
        ids = set(re.findall(r' id="([^"]+)"', text))
        wanted = set(re.findall(r'href="#([^"]+)"|url\(#([^)]+)\)', text))

        assert wanted
        assert {a or b for a, b in wanted} <= ids


def test_a_fragment_is_no_document_and_styles_only_itself() -> None:
    for text in TWO:
        style = re.search(r"<style>(.*?)</style>", text, re.S)

        assert not re.search(r"<(?:html|head|body|script)\b", text)
        assert style is not None
        selectors = re.findall(r"([^{}]+)\{", style[1])
        assert all("derivgen" in part for rule in selectors for part in rule.split(","))


def test_latex_of_a_notebook_is_a_fragment() -> None:
    text = derivgen.load("graph").derive()._repr_latex_()

    assert r"\documentclass" not in text
    assert r"\begin{align}" in text
