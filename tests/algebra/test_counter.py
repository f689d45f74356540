"""The counter-based generator: published words, order independence, shape of the numbers."""

from __future__ import annotations

import numpy as np

from derivgen.algebra import counter

WORD = (1 << 64) - 1
GOLDEN = 0x9E3779B97F4A7C15


def splitmix(state: int) -> int:
    """Return the next output of splitmix64 in plain integers.

    Source: S. Vigna, splitmix64.c, 2015; from state 0 it yields 0xE220A8397B1DCDAF first.
    """
    return finaliser((state + GOLDEN) & WORD)


def finaliser(z: int) -> int:
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & WORD
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & WORD
    return z ^ (z >> 31)


def word(seed: int, stream: int, position: int) -> int:
    """Return the word of the definition, one operation at a time."""
    key = (splitmix(seed) + stream * 0xD1B54A32D192ED03 + GOLDEN) & WORD
    return finaliser((finaliser(key) + position * GOLDEN) & WORD)


def test_the_finaliser_is_the_published_one():
    assert splitmix(0) == 0xE220A8397B1DCDAF


def test_bits_follow_their_definition():
    found = counter.bits(7, 1003, [0, 1, 2, 10**9])

    assert [int(k) for k in found] == [word(7, 1003, p) for p in (0, 1, 2, 10**9)]


def test_negative_and_large_seeds_wrap_to_64_bits():
    assert int(counter.bits(-1, 0, [3])[0]) == word(WORD, 0, 3)


def test_a_number_does_not_depend_on_those_before_it():
    whole = counter.uniform(5, 2, 10)

    assert np.array_equal(whole[6:9], counter.uniform(5, 2, 3, start=6))
    assert np.array_equal(counter.normal(5, 2, 10)[4:], counter.normal(5, 2, 6, start=4))


def test_numbers_are_uniform_and_normal():
    unit, normal = counter.uniform(1, 1, 20_000), counter.normal(1, 2, 20_000)

    # five standard errors of a mean and of a deviation
    assert unit.min() >= 0 and unit.max() < 1
    assert abs(unit.mean() - 0.5) < 5 * 0.2887 / 141
    assert abs(normal.mean()) < 5 / 141
    assert abs(normal.std() - 1) < 5 * 0.7072 / 141
