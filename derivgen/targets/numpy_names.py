"""Python names for tensors, indices and functions: the derivation's own wherever Python allows."""

from __future__ import annotations

import builtins
import keyword
import re

# What an emitted file uses itself; a tensor of that name gets an underscore at its end.
TAKEN = frozenset({
    "np", "params", "values", "batch", "dtype", "forward", "backward", "loss", "predict",
    "update", "parameters", "main", "data", "sys", "json", "argparse", "math", "time", "os",
    "struct", "gzip", "csv", "contract", "erf", "lgamma", "digamma", "stop_gradient",
    "windows", "add_windows",
})  # fmt: skip


BUILTINS = frozenset(dir(builtins))


class Names:
    """One Python identifier for every name, unique within a scope."""

    def __init__(self, outer: Names | None = None, taken: frozenset[str] = TAKEN) -> None:
        self.taken = taken
        self.known: dict[str, str] = {}
        self.used: dict[str, None] = {}
        self.outer = outer

    def __getitem__(self, name: str) -> str:
        """Return the identifier of a name, made at its first use."""
        found = self.known.get(name)
        if found is None:
            found = self.known[name] = self.fresh(name)
        return found

    def fresh(self, name: str) -> str:
        """Return a new identifier that looks like ``name``."""
        stem = re.sub(r"\W", "_", name.replace("'", "_next"), flags=re.ASCII) or "_"
        if stem[0].isdigit():
            stem = f"_{stem}"
        made = stem
        while self._clashes(made):
            made = f"{made}_"
        self.used[made] = None
        return made

    def numbered(self, stem: str) -> str:
        """Return a new identifier ``stem1``, ``stem2``, ..."""
        count = 1
        while self._clashes(f"{stem}{count}"):
            count += 1
        self.used[f"{stem}{count}"] = None
        return f"{stem}{count}"

    def _clashes(self, name: str) -> bool:
        return (
            keyword.iskeyword(name)
            or name in self.taken
            or name in BUILTINS
            or name in self.used
            or (self.outer is not None and name in self.outer.used)
        )
