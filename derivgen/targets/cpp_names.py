"""C++ names for tensors, sizes, indices and functions: the derivation's own wherever C++ allows."""

from __future__ import annotations

import errno
import re
from collections.abc import Iterable

_KEYWORDS = """
    alignas alignof and and_eq asm auto bitand bitor bool break case catch char char8_t char16_t
    char32_t class compl concept const consteval constexpr constinit const_cast continue co_await
    co_return co_yield decltype default delete do double dynamic_cast else enum explicit export
    extern false float for friend goto if inline int long mutable namespace new noexcept not not_eq
    nullptr operator or or_eq private protected public register reinterpret_cast requires return
    short signed sizeof static static_assert static_cast struct switch template this thread_local
    throw true try typedef typeid typename union unsigned using virtual void volatile wchar_t while
    xor xor_eq final override import module main std
"""
# Macros of the standard headers that a person may well choose as a name.
_MACROS = """
    BUFSIZ EOF INFINITY NAN NULL SNAN SNANF SNANL MAXFLOAT NFDBITS WEOF WNOHANG alloca errno
    offsetof stderr stdin stdout strdupa issubnormal HUGE_VAL HUGE_VALF HUGE_VALL
    F_OK F_TEST F_LOCK F_TLOCK F_ULOCK R_OK W_OK X_OK L_SET L_INCR L_XTND L_tmpnam L_ctermid
    L_cuserid P_tmpdir M_E M_LOG2E M_LOG10E M_LN2 M_LN10 M_PI M_PI_2 M_PI_4 M_1_PI M_2_PI
    M_2_SQRTPI M_SQRT2 M_SQRT1_2 assert linux unix
"""
# What the emitted functions around the statements call their own.
_TAKEN = """
    real samples count parameters batch work gradients all all_and_states resize fit sum product
    largest smallest best position value total
"""
KEYWORDS = frozenset(_KEYWORDS.split())
MACROS = frozenset(_MACROS.split()) | frozenset(errno.errorcode.values())
TAKEN = frozenset(_TAKEN.split())
LIKE_A_MACRO = re.compile(r"[A-Z]{2,}[A-Z0-9]*_[A-Z0-9_]+")  # INT_MAX, EXIT_FAILURE, LC_ALL


class Names:
    """One C++ identifier for every name, unique within a scope and the scopes around it."""

    def __init__(self, taken: Iterable[str] = (), outer: Names | None = None) -> None:
        self.known: dict[str, str] = {}
        self.used: dict[str, None] = dict.fromkeys(taken)
        self.outer = outer

    def __getitem__(self, name: str) -> str:
        """Return the identifier of a name, made at its first use."""
        found = self.known.get(name)
        if found is None:
            found = self.known[name] = self.fresh(name)
        return found

    def fresh(self, name: str) -> str:
        """Return a new identifier that looks like ``name``."""
        stem = identifier(name)
        made = stem
        count = 1
        while self._clashes(made):
            count += 1
            made = f"{stem}_" if count == 2 else f"{stem}_{count - 1}"
        self.used[made] = None
        return made

    def _clashes(self, name: str) -> bool:
        if name in KEYWORDS or name in MACROS or name in self.used:
            return True
        if LIKE_A_MACRO.fullmatch(name) and not name.endswith("_"):
            return True
        return self.outer is not None and self.outer._clashes(name)


def identifier(name: str) -> str:
    """Return letters, digits and single underscores that look like ``name``.

    C++ keeps names with two underscores in a row, or with one at the front, for itself.
    """
    plain = re.sub(r"\W", "_", name.replace("'", "_next"), flags=re.ASCII)
    stem = re.sub(r"__+", "_", plain).strip("_")
    if not stem or stem[0].isdigit():
        stem = f"t{stem}"
    return stem + "_" if plain.endswith("_") and len(plain) > 1 else stem
