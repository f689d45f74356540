"""Random numbers by counting: a 64-bit hash of seed, stream and position.

Any number can be had without those before it, so the same bits come out of every target, in any
order. ``bits = mix(mix(mix(seed + G) + stream*K + G) + position*G)`` with the finaliser of
splitmix64 as ``mix``. Source: Steele, Lea, Flood 2014, Fast splittable pseudorandom generators.
"""

from __future__ import annotations

from typing import Any

import numpy as np

_GOLDEN = 0x9E3779B97F4A7C15
_STREAM = 0xD1B54A32D192ED03
_WORD = (1 << 64) - 1

PARAMETER_STREAM = 1000
RANDOM_STREAM = 10_000_000


def _mix(x: Any) -> Any:
    x = x ^ (x >> np.uint64(30))
    x = x * np.uint64(0xBF58476D1CE4E5B9)
    x = x ^ (x >> np.uint64(27))
    x = x * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def _word(value: int) -> Any:
    return np.array([value & _WORD], dtype=np.uint64)


def bits(seed: int, stream: int, positions: Any) -> Any:
    """Return 64 random bits for every position, as uint64."""
    golden = _word(_GOLDEN)
    key = _mix(_mix(_word(seed + _GOLDEN)) + _word(stream * _STREAM + _GOLDEN))
    return _mix(key + np.asarray(positions, dtype=np.uint64).ravel() * golden)


def uniform(seed: int, stream: int, count: int, start: int = 0) -> Any:
    """Return ``count`` numbers of [0, 1), those of positions ``start, start + 1, ...``."""
    return _unit(bits(seed, stream, np.arange(start, start + count)))


def _unit(words: Any) -> Any:
    return (words >> np.uint64(11)).astype(np.float64) * 2.0**-53


def normal(seed: int, stream: int, count: int, start: int = 0) -> Any:
    """Return ``count`` standard normal numbers; position p uses the uniforms 2p and 2p + 1.

    ``sqrt(-2 log(1 - u0)) cos(2 pi u1)``. Source: Box and Muller 1958.
    """
    pairs = uniform(seed, stream, 2 * count, 2 * start)
    return np.sqrt(-2.0 * np.log(1.0 - pairs[0::2])) * np.cos(2.0 * np.pi * pairs[1::2])
