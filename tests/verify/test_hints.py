"""Edits that mend a wrong formula: found within a budget, named, written in its notation."""

from __future__ import annotations

import pytest

from derivgen.verify import search, verify_text
from derivgen.verify.compare import DRAWS, agreement
from derivgen.verify.derivatives import STEP
from derivgen.verify.draw import make_world
from derivgen.verify.paths import paths_of

RECURRENT = r"\frac{\partial L}{\partial a_t} = "


def worst(text, network, kind="formula"):
    (item,) = verify_text(text, network, kind=kind).items
    return item.worst


@pytest.mark.parametrize("name", ["lstm", "batchnorm", "attention", "word2vec"])
def test_sums_over_paths_are_the_differences_of_the_whole(networks, name):
    world = make_world(networks[name], DRAWS[0])
    loss = world.key(world.network.loss, (), 0)
    world.element(world.network.loss, ())
    keys = [k for k in world.memo if world.network.tensors[k[1]].values_of is None][::7]

    for key in keys:
        ends = [world.nudged(key, s).element(world.network.loss, ()) for s in (1, -1)]

        whole = (ends[0] - ends[1]) / (2 * STEP)
        assert agreement(paths_of(world).total(loss, key), whole) is not None, key


PAIRS = [
    (
        "rnn",
        RECURRENT + r"W \frac{\partial L}{\partial a_{t+1}} + V^\top (p_t - y_t)",
        ("missing-transpose", "f'"),
    ),
    ("general", r"\delta^l = W^{l+1} \delta^{l+1}", ("missing-transpose", "f'")),
    (
        "mlp",
        r"\frac{\partial E}{\partial \alpha_s} = \frac{\partial E}{\partial \beta_k} W_{ks}",
        ("sum-forgotten", "f'"),
    ),
]


@pytest.mark.parametrize(("name", "text", "both"), PAIRS)
def test_two_mistakes_made_together_are_both_named(networks, name, text, both):
    found = worst(text, networks[name])

    assert found.verdict == "wrong"
    assert found.mistake == both[0] and both[1] in found.hint
    assert worst(f"{text.split(' = ')[0]} = {found.correct}", networks[name]).verdict in (
        "agrees", "proved",
    )  # fmt: skip


def test_the_slope_at_a_cell_needs_its_tanh(networks):
    found = worst(
        "d(E, c[t,j]) = d(E, h[t,j])*o[t,j]*(1 - c[t,j]^2) + d(E, c[t+1,j])*f[t+1,j] for t < T",
        networks["lstm"],
        "plain",
    )

    assert found.mistake == "fprime-argument"
    assert "1 - tanh(c[t,j])^2" in found.correct


def test_all_paths_through_the_moments_may_be_forgotten(networks):
    found = worst(
        "d(L, x[n,k]) = gamma[k]/sqrt(v[k] + 0.01)*d(L, y[n,k])", networks["batchnorm"], "plain"
    )

    assert (found.verdict, found.mistake) == ("wrong", "path-forgotten")
    assert "x -> mu" in found.hint and "x -> v" in found.hint


def test_a_search_without_budget_still_says_wrong(networks, monkeypatch):
    monkeypatch.setattr("derivgen.verify.hints.MAX_WORK", 0)
    text = RECURRENT + r"\sin(h_t)"

    found = worst(text, networks["rnn"])

    assert found.verdict == "wrong" and not found.mistake
    assert issubclass(search.Spent, Exception)


def test_no_search_evaluates_more_than_its_budget(networks, monkeypatch):
    work = []
    original = search.Search.holds

    def counted(self, new):
        work.append(sum(bench.work for bench in self.benches))
        return original(self, new)

    monkeypatch.setattr(search.Search, "holds", counted)
    worst(RECURRENT + r"\sin(h_t)", networks["rnn"])

    assert 0 < max(work) < 90_000
