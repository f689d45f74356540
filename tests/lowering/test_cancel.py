"""Quotients put into products that cancel them."""

from __future__ import annotations

from derivgen.calculus.engine import derive
from derivgen.language import parse
from derivgen.lowering import lower
from derivgen.lowering.program import nests

HEAD = "network t\nindex k: 3\ninput x[k]\ntarget y[k] onehot\nparam w = 1\nz[k] = w*x[k]\n"


def backward_of(loss: str) -> str:
    text = f"{HEAD}p[k] = softmax[k](z[k])\nloss E = {loss}(p, y)\n"
    return "\n".join(nest.text for nest in nests(lower(derive(parse(text))).backward))


def test_no_division_by_an_output_is_left():
    for loss in ("cross_entropy", "label_smoothing", "focal", "kl"):
        found = backward_of(loss)

        assert "/p[" not in found, found


def test_what_no_factor_meets_keeps_its_division():
    text = f"{HEAD}loss E = sum[k](y[k]/(2 + z[k]^2))\n"

    found = "\n".join(n.text for n in nests(lower(derive(parse(text))).backward))

    assert "/(2 + z[" in found or "/(z[" in found
