"""Every shipped network is read, said what it is, and has a gradient for every parameter."""

from __future__ import annotations

import csv

import pytest

import derivgen
from derivgen import gallery

EXPECTED = [
    *("diabetes", "digits_mlp", "general_mlp", "graph", "iris", "logic", "mazur", "mnist_mlp"),
    *("sigmoid_mlp", "softmax_mlp", "xor"),
]
SHAPES = {"iris.csv": (150, 5), "digits.csv": (1797, 65), "diabetes.csv": (442, 11)}


def test_the_gallery_holds_what_the_readme_promises():
    assert list(gallery.names()) == EXPECTED


@pytest.mark.parametrize("name", gallery.names())
def test_every_shipped_network_says_what_it_is(name):
    entry = gallery.entry(name)

    assert entry is not None and entry.summary.endswith((".", ","))
    assert derivgen.load(name).network.name == name


@pytest.mark.parametrize("name", gallery.names())
def test_every_parameter_has_a_gradient(name):
    net = derivgen.load(name)

    derivation = net.derive().derivation

    assert list(derivation.gradients) == [t.name for t in net.network.parameters]
    assert not derivation.warnings


@pytest.mark.parametrize("file", SHAPES)
def test_the_shipped_tables_are_whole(file):
    with open(gallery.FOLDER / "data" / file, encoding="utf-8", newline="") as lines:
        rows = list(csv.reader(lines))

    assert (len(rows) - 1, len(rows[0])) == SHAPES[file]
    assert all(len(row) == len(rows[0]) for row in rows)


def test_every_shipped_table_is_attributed():
    text = (gallery.FOLDER / "data" / "ATTRIBUTION.md").read_text(encoding="utf-8")

    for file in (gallery.FOLDER / "data").glob("*.csv"):
        assert file.name in text


def test_the_graph_gives_its_textbook_slopes():
    loss, gradients = derivgen.load("graph").value_and_gradients()

    assert float(loss) == 33
    assert {name: float(g) for name, g in gradients.items()} == {"a": 3, "b": 6, "c": 9}
