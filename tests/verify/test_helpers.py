"""Names that a note gives to parts of its formulas stand for them later on."""

from __future__ import annotations

import pytest

from derivgen.language import parse
from derivgen.verify import verify_text

TIED = parse(
    """
network tied
dim D = 4, H = 3
index i: D, h: H
input x[i]
param W[h,i], b[h], c[i]
u[h] = sigmoid(sum[i](W[h,i]*x[i]) + b[h])
r[i] = sum[h](W[h,i]*u[h]) + c[i]
loss E = sum[i]((r[i] - x[i])^2)/2
"""
)


@pytest.mark.parametrize(
    ("start", "claim"),
    [
        (r"With $q = r - x$: ", r"\frac{\partial E}{\partial c} = q"),
        (r"$$q_i = r_i - x_i$$", r"\frac{\partial E}{\partial c_i} = q_i"),
        (r"$$\mathbf{q} = W^T u + c - x$$", r"\frac{\partial E}{\partial u} = W \mathbf{q}"),
    ],
)
def test_a_name_that_a_note_gives_is_used_later(start, claim):
    right = verify_text(f"{start} $${claim}$$", TIED)
    wrong = verify_text(f"{start} $${claim.replace('=', '= 2')}$$", TIED)

    assert right.items[-1].verdict in ("proved", "agrees")
    assert wrong.items[-1].verdict == "wrong"


def test_a_difference_of_letters_that_no_network_knows_claims_nothing():
    report = verify_text("Here $l = m - n$ holds. $$E = E$$", TIED)

    assert len(report.items) == 1
