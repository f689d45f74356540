"""Reading without collecting garbage: what a text makes is kept, so looking for waste is waste."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def collection_paused() -> Iterator[None]:
    """Pause the cyclic garbage collector, which would walk a growing network again and again.

    Reading 1024 layers takes half the time so; the size of a text bounds what may pile up.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
