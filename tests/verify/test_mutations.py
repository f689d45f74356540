"""Right formulas spoilt by machine: never called right, and the mistake named.

``python -m tests.verify.test_mutations`` prints the table over every spoilt formula of the corpus.
By default a fixed sample is judged; ``-m slow`` judges all.
"""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from functools import cache

import pytest

from derivgen.verify import verify_text
from derivgen.verify.compare import compare_terms
from derivgen.verify.context import Reading
from derivgen.verify.draw import Draw
from derivgen.verify.points import infer_letters
from derivgen.verify.proofs import is_proved
from tests.verify.conftest import read_networks
from tests.verify.corpus_claims import rows
from tests.verify.mutations import Mutation, Right, mutations, read_right

EVERY = 67  # of all spoilt formulas, in the default run
PROOFS = 250  # spoilt claims that the prover is asked about in the default run
SEED = 2024
FRESH = (Draw(seed=901, own=True), Draw(seed=902), Draw(seed=903, equal=True))
RIGHT = ("proved", "agrees")
# One mistake has two names where it may be seen either way.
ALSO = {
    "wrong-layer": ("wrong-layer-fprime", "wrong-layer-weight", "wrong-variable"),
    "wrong-letter": ("index-swap",),
    "fprime-argument": ("wrong-layer-fprime",),
}


@cache
def spoilt() -> tuple[tuple[Right, Mutation, str], ...]:
    networks = read_networks()
    found = []
    for row in rows():
        if row.kind != "right":
            continue
        right = read_right(row.text, networks[row.network], row.notation == "plain")
        if right is not None:
            found += [(right, mutation, row.network) for mutation in mutations(right)]
    return tuple(found)


def judged(right: Right, mutation: Mutation):
    kind = "plain" if right.plain else "formula"
    (item,) = verify_text(mutation.text, right.stage.network, kind=kind).items
    return item


def holds_elsewhere(right: Right, member) -> bool:
    """Tell whether a claim holds at fresh sizes and numbers, under its plainest reading."""
    letters = infer_letters((right.anchor, member), right.claim, right.stage.symbols)
    claim = replace(right.claim, letters=letters)
    worlds = right.stage.worlds
    for reading in (Reading(), Reading(dot="hadamard"), Reading(immediate=True)):
        found = compare_terms(
            right.anchor, member, claim, right.stage.symbols, worlds, reading, FRESH
        )
        if found.equal:
            return True
    return False


def named(mutation: Mutation, mistake: str) -> bool:
    return mistake == mutation.kind or mistake in ALSO.get(mutation.kind, ())


def sample():
    for number in range(0, len(spoilt()), EVERY):
        right, mutation, network = spoilt()[number]
        yield pytest.param(right, mutation, id=f"{network}, {mutation.kind}: {mutation.text[:50]}")


@pytest.mark.parametrize(("right", "mutation"), list(sample()))
def test_a_spoilt_formula_is_right_only_where_it_still_holds(right, mutation):
    item = judged(right, mutation)

    assert item.verdict not in RIGHT or holds_elsewhere(right, mutation.member)


def test_most_mistakes_are_named():
    found = [judged(right, mutation) for right, mutation, _ in spoilt()[3::EVERY]]
    wrong = [
        named(mutation, item.worst.mistake)
        for item, (_, mutation, _) in zip(found, spoilt()[3::EVERY])
        if item.verdict == "wrong"
    ]

    assert len(wrong) >= 0.9 * len(found)
    assert sum(wrong) >= 0.85 * len(wrong)


def proved_wrongly(cases):
    found = []
    for right, member in cases:
        letters = infer_letters((right.anchor, member), right.claim, right.stage.symbols)
        claim = replace(right.claim, letters=letters)
        if is_proved(right.anchor, member, claim, right.stage.symbols, Reading()):
            reading = Reading()
            outcome = compare_terms(
                right.anchor, member, claim, right.stage.symbols, right.stage.worlds, reading, FRESH
            )
            if outcome.equal is False:
                found.append((right.text, member))
    return found


def test_nothing_that_differs_is_ever_proved():
    rng = random.Random(SEED)
    picked = rng.sample(range(len(spoilt())), PROOFS)

    assert proved_wrongly((spoilt()[n][0], spoilt()[n][1].member) for n in picked) == []


@pytest.mark.slow
def test_nothing_that_differs_is_proved_after_two_mistakes():
    rng = random.Random(SEED)
    cases = []
    for right, mutation, _ in spoilt():
        twice = list(mutations(replace(right, member=mutation.member)))
        if twice:
            cases.append((right, rng.choice(twice).member))

    assert proved_wrongly(cases) == []


@pytest.mark.slow
def test_no_spoilt_formula_of_all_is_called_right():
    bad = [
        mutation.text
        for right, mutation, _ in spoilt()
        if judged(right, mutation).verdict in RIGHT and not holds_elsewhere(right, mutation.member)
    ]

    assert bad == []


def table() -> str:
    """Return verdicts and names by kind of mistake, over all spoilt formulas."""
    count: Counter[tuple[str, str]] = Counter()
    kinds: dict[str, None] = {}
    for right, mutation, _ in spoilt():
        item = judged(right, mutation)
        kinds[mutation.kind] = None
        column = item.verdict if item.verdict != "agrees" else "proved"
        if item.verdict == "wrong":
            count[mutation.kind, "named"] += named(mutation, item.worst.mistake)
            other = item.worst.mistake and not named(mutation, item.worst.mistake)
            count[mutation.kind, "mended otherwise"] += bool(other)
        count[mutation.kind, column] += 1
    columns = ("wrong", "named", "mended otherwise", "proved", "holds_if", "not_understood")
    heads = ("wrong", "named", "mended otherwise", "still right", "holds if", "not understood")
    lines = ["| mistake | " + " | ".join(heads) + " |", "|---" * (len(heads) + 1) + "|"]
    for kind in kinds:
        lines.append(f"| {kind} | " + " | ".join(str(count[kind, c]) for c in columns) + " |")
    totals = [sum(count[kind, c] for kind in kinds) for c in columns]
    lines.append("| all | " + " | ".join(map(str, totals)) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(table())
