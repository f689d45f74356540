"""Building large trees without the cyclic garbage collector looking on."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def no_collection() -> Iterator[None]:
    """Suspend the cyclic collector; it is put back as it was.

    Expressions are trees without cycles, freed by counting alone. Scanning them again and again
    while they grow costs a third of the time of a long derivation.
    """
    running = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if running:
            _grow_old()
            gc.enable()


def _grow_old() -> None:
    """Count what was made as long-lived, or the next allocation would scan all of it."""
    if not gc.get_freeze_count():  # what somebody has frozen stays frozen
        gc.freeze()
        gc.unfreeze()
