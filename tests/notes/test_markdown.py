"""Markdown of every flavour, read by a parser that knows no formulas and by what each one asks."""

from __future__ import annotations

import re
from functools import cache

import pytest
from markdown_it import MarkdownIt

from derivgen.notes import render
from derivgen.notes.to_markdown import FLAVOURS
from tests.notes.documents import SHIPPED, derived

NAMES = (*SHIPPED, "test recurrent", "test convolution", "test attention")


@cache
def flavoured(name: str, flavour: str) -> str:
    return render(derived(name), "markdown", flavour=flavour)


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_no_underscore_or_star_of_a_formula_becomes_emphasis(flavour: str) -> None:
    parser = MarkdownIt("commonmark").enable("table")

    for name in NAMES:
        page = parser.render(flavoured(name, flavour))
        assert not re.search(r"<(?:em|strong)>", page), name


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_displays_stand_between_lines_of_two_dollars(flavour: str) -> None:
    for name in NAMES:
        for line in flavoured(name, flavour).splitlines():
            if line.startswith("$$") and not line.startswith("$$\\") and line.count("$$") == 1:
                assert re.fullmatch(r"\$\$(?: \{#eq-\d+\})?", line), line


def test_a_formula_alone_in_a_line_stays_in_the_line_for_jekyll() -> None:
    text = flavoured("mazur", "jekyll")

    assert re.search(r"^ *- \\\$\$[^$]+\$\$$", text, re.M)
    assert not re.search(r"^ *- \$\$[^$]+\$\$$", text, re.M)


def test_quarto_numbers_the_equations_itself() -> None:
    text = flavoured("softmax_mlp", "quarto")

    numbers = [int(n) for n in re.findall(r"^\$\$ \{#eq-(\d+)\}$", text, re.M)]
    assert numbers == list(range(1, len(numbers) + 1))
    assert r"\tag" not in text
    assert "([-@eq-1])" in text


def test_obsidian_finds_each_equation_by_a_mark_of_its_own() -> None:
    text = flavoured("softmax_mlp", "obsidian")

    marks = re.findall(r"^\^eq-(\d+)$", text, re.M)
    cited = re.findall(r"\[\[#\^eq-(\d+)\|", text)
    assert cited and set(cited) <= set(marks)
