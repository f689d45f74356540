"""The text being read: offsets become file, line and column only when a message needs them."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field

from derivgen.errors import LimitError, Position

MAX_TEXT = 1_000_000  # bytes of one text
MAX_DEPTH = 100  # brackets and operators inside each other
MAX_DIGITS = 400  # digits of one number; doubles end at 1e308
MAX_EXPONENT = 400  # of a number in scientific notation
MAX_NAME = 100  # letters of one name


@dataclass(frozen=True)
class Source:
    """A text with its file name."""

    text: str
    file: str = "<text>"
    starts: list[int] = field(default_factory=list, compare=False, repr=False)

    def position(self, offset: int) -> Position:
        """Return the line and column of an offset, both from 1."""
        if not self.starts:
            self.starts.append(0)
            self.starts.extend(i + 1 for i, c in enumerate(self.text) if c == "\n")
        line = bisect_right(self.starts, offset)
        return Position(self.file, line, offset - self.starts[line - 1] + 1)

    def line_at(self, offset: int) -> str:
        """Return the line an offset lies in, without the spaces around it."""
        start = self.text.rfind("\n", 0, offset) + 1
        end = self.text.find("\n", offset)
        return shorten(self.text[start : end if end >= 0 else len(self.text)])


def shorten(text: str, limit: int = 200) -> str:
    """Return ``text`` on one line, printable, cut in the middle of nothing longer than a line."""
    flat = " ".join(text.split())
    flat = "".join(c if c.isprintable() else "?" for c in flat)
    return flat if len(flat) <= limit else flat[: limit - 3] + "..."


def make_source(text: str, file: str) -> Source:
    """Return the text as a `Source`.

    Raises: LimitError, if it is longer than `MAX_TEXT` bytes.
    """
    size = len(text.encode("utf-8", "surrogatepass"))
    if size > MAX_TEXT:
        raise LimitError(
            file,
            f"The text has {size} bytes, at most {MAX_TEXT} are read.",
            "Write repeated layers with a recurrence over an index, or split the network.",
            Position(file, 1, 1),
        )
    return Source(text, file)
