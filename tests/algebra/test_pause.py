"""The pause of the cyclic collector."""

from __future__ import annotations

import gc

import pytest

from derivgen.algebra.pause import no_collection

MANY = 5000
FEW = 10  # too few new objects for a scan of their own


@pytest.fixture(autouse=True)
def collecting():
    gc.enable()
    gc.collect()
    yield
    gc.unfreeze()


def test_what_was_made_in_a_pause_is_not_scanned_at_its_end():
    scans: list[str] = []

    def watch(phase: str, info: dict[str, int]) -> None:
        scans.append(phase)

    gc.callbacks.append(watch)
    with no_collection():
        kept = [[number] for number in range(MANY)]
    after = [[number] for number in range(FEW)]
    gc.callbacks.remove(watch)

    assert gc.isenabled() and len(kept) == MANY and len(after) == FEW
    assert scans == []


def test_what_somebody_has_frozen_stays_frozen():
    gc.freeze()
    frozen = gc.get_freeze_count()

    with no_collection():
        pass

    assert gc.get_freeze_count() >= frozen > 0


def test_a_pause_inside_a_pause_does_not_end_it():
    with no_collection():
        with no_collection():
            pass

        assert not gc.isenabled()
