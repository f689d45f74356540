"""Whatever the text, parsing ends in a network or in a message, and quickly."""

from __future__ import annotations

import re
import time

from hypothesis import given, settings
from hypothesis import strategies as st

from derivgen.errors import DerivgenError
from derivgen.language import parse, parse_equations, reference

SEEDS = re.findall(r"```dg(?: rows)?\n(.*?)```", reference(), re.DOTALL)
PIECE = re.compile(r"[A-Za-z_]\w*'?|\d+(?:\.\d+)?|\*\*|//|\.\.|[^\S\n]+|\S|\n")
PIECES = sorted({piece for seed in SEEDS for piece in PIECE.findall(seed)})
SECONDS = 2.0  # CPU time for 1024 layers; a fifth of it on an idle machine


def ends_well(text: str) -> None:
    try:
        parse(text)
    except DerivgenError as error:
        assert str(error)


@given(st.binary(max_size=200))
@settings(max_examples=200, deadline=None)
def test_random_bytes_end_in_a_message(data: bytes) -> None:
    ends_well(data.decode("latin-1"))


@given(st.lists(st.sampled_from(PIECES), max_size=60))
@settings(max_examples=200, deadline=None)
def test_random_pieces_end_in_a_message(pieces: list[str]) -> None:
    ends_well(" ".join(pieces))


@given(st.sampled_from(SEEDS), st.data())
@settings(max_examples=300, deadline=None)
def test_a_network_with_pieces_exchanged_ends_in_a_network_or_a_message(
    seed: str, data: st.DataObject
) -> None:
    pieces = PIECE.findall(seed)
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(pieces) - 1))
        pieces[place] = data.draw(st.sampled_from(["", *PIECES]))

    ends_well("".join(pieces))


def test_the_text_decides_alone() -> None:
    assert parse(SEEDS[0]) == parse(SEEDS[0])


def test_a_thousand_layers_are_read_quickly() -> None:
    lines = [f"h{i + 1} = dense(h{i}, 8, tanh)" for i in range(1024)]
    text = "input h0[8]\n" + "\n".join(lines) + "\nloss E = sum[i](h1024[i])"
    started = time.process_time()

    network = parse(text)

    assert time.process_time() - started < SECONDS
    assert len(network.parameters) == 2048


def test_definitions_in_reverse_order_cost_no_more() -> None:
    lines = [f"a{i + 1} = 2*a{i}" for i in range(2000)]
    started = time.process_time()

    parse("param a0\n" + "\n".join(reversed(lines)) + "\nloss E = a2000")

    assert time.process_time() - started < SECONDS


def test_equations_alone_are_a_network_of_parameters() -> None:
    network = parse_equations("a = 5; u = b*c\nJ = 3*(a + u)")

    assert [t.name for t in network.parameters] == ["a", "b", "c"]
    assert network.loss == "J"
