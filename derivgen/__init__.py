"""derivgen: networks written as index equations, their derivations and trainers.

``network(text)`` or ``load("mazur")`` makes a `Net`; ``net.derive()``, ``net.emit("cpp")``,
``net.check()``, ``net.value_and_gradients(values)`` and ``net.verify(note)`` do the rest;
``check_gradient(f, grad, x)`` checks a person's own code.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from derivgen.version import VERSION as __version__

if TYPE_CHECKING:
    from derivgen.api import Derived, Net, load, network
    from derivgen.check import check_gradient
    from derivgen.errors import DerivgenError
    from derivgen.language.builder import Builder, f

__all__ = [
    "Builder",
    "Derived",
    "DerivgenError",
    "Net",
    "__version__",
    "check_gradient",
    "f",
    "load",
    "network",
]

_HOME = {
    "Builder": "derivgen.language.builder",
    "f": "derivgen.language.builder",
    "Derived": "derivgen.api",
    "DerivgenError": "derivgen.errors",
    "Net": "derivgen.api",
    "check_gradient": "derivgen.check",
    "load": "derivgen.api",
    "network": "derivgen.api",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for."""
    if name not in _HOME:
        raise AttributeError(f"module 'derivgen' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOME[name]), name)
