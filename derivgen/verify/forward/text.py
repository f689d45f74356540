"""The text of a note's network: sizes, letters, declarations and equations, marks resolved."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial

from derivgen.verify.forward.book import Book, role
from derivgen.verify.forward.ranges import Ranges, Window

SIZES = (2, 3, 4, 5, 6, 7, 8)
_MARK = re.compile(r"\{(#?)(c\d+)\}")
_NAME = re.compile(r"[A-Za-z_\u0370-\u03ff][A-Za-z0-9_\u0370-\u03ff]*")


def names_read(text: str) -> list[str]:
    """Return the names in the text of an equation."""
    return list(dict.fromkeys(_NAME.findall(_MARK.sub("", text))))


def network_text(book: Book, keys: list[str], loss: str, one_hot: bool) -> str:
    """Return the text of the network that some equations make."""
    equations = [book.equations[key] for key in keys]
    page = _Page(book, keys, [f"{left} = {right}" for left, right in equations])
    lines = [*page.sizes(), *page.declarations()]
    for name, definition in book.functions.items():
        if any(re.search(rf"\b{name}\(", text) for text in page.texts):
            lines.append(definition or f"function {name}")
    written = [page.resolved(text) for text in page.texts]
    lines += [f"loss {text}" if key == loss else text for key, text in zip(keys, written)]
    if one_hot and any("softmax" in text or "exp(" in text for text in page.texts):
        lines += page.facts()
    return "\n".join(["network note", *page.letters(), *lines]) + "\n"


@dataclass
class _Page:
    """One network's text: the letters given out for each range."""

    book: Book
    keys: list[str]
    texts: list[str]
    given: dict[str, dict[str, None]] = field(default_factory=dict)  # range to its letters

    @property
    def ranges(self) -> Ranges:
        return self.book.ranges

    # --- ranges and sizes ---

    def _roots(self) -> list[str]:
        marks = [mark for text in self.texts for _, mark in _MARK.findall(text)]
        marks += [slot for key in self._read() for slot in self.book.quantities[key].slots]
        for window in self.ranges.windows:
            if self.ranges.root(window.whole) in {self.ranges.root(m) for m in marks}:
                marks += [part for part, _ in window.parts]
        return list(dict.fromkeys(self.ranges.root(mark) for mark in marks))

    def _read(self) -> list[str]:
        names = [name for text in self.texts for name in names_read(text)]
        return [name for name in dict.fromkeys(names) if name in self.book.quantities]

    def size(self, root: str) -> str:
        """Return the name of a range's size: the note's, if it is no quantity."""
        own = [
            name
            for name, mark in self.book.size_marks.items()
            if self.ranges.root(mark) == root and name not in self.book.quantities
        ]
        return own[0] if own else f"D{self._roots().index(root)}"

    def sizes(self) -> Iterator[str]:
        """Yield the lines that declare sizes and the letters of each range."""
        roots = self._roots()
        made = self._made(roots)
        for number, root in enumerate(r for r in roots if r not in made):
            yield f"dim {self.size(root)} = {SIZES[number % len(SIZES)]}"
        for root, text in made.items():
            yield f"dim {self.size(root)} = {text}"

    def _made(self, roots: list[str]) -> dict[str, str]:
        """Return the sizes that a window ties to others."""
        plain = {self.ranges.root(m) for text in self.texts for m in _plain_marks(text)}
        made = {
            self.ranges.root(mark): " + ".join(self.size(self.ranges.root(p)) for p in parts)
            for mark, parts in self.ranges.joined.items()
            if self.ranges.root(mark) in roots
        }
        for window in self.ranges.windows:
            whole = self.ranges.root(window.whole)
            parts = [(self.ranges.root(mark), factor) for mark, factor in window.parts]
            if whole not in roots or whole in made or any(p in made for p, _ in parts):
                continue
            if whole in plain and all(factor == 1 for _, factor in parts):
                rest = "".join(f" - {self.size(root)} + 1" for root, _ in parts[1:])
                beyond = f" - {window.constant}" if window.constant else ""
                made[parts[0][0]] = f"{self.size(whole)}{rest}{beyond}"
            else:
                made[whole] = _window_size(window, [self.size(root) for root, _ in parts])
        return made

    # --- letters ---

    def resolved(self, text: str) -> str:
        """Return a text with letters for its marks."""
        chosen: dict[str, str] = {}
        for sized, mark in _MARK.findall(text):
            if not sized and mark not in chosen:
                chosen[mark] = self._letter(mark, list(chosen.values()))

        def written(found: re.Match[str]) -> str:
            return self.size(self.ranges.root(found[2])) if found[1] else chosen[found[2]]

        return _MARK.sub(written, text)

    def _letter(self, mark: str, taken: list[str]) -> str:
        """Return a letter for a mark: the note's own, else another one of its range."""
        root = self.ranges.root(mark)
        own = self._own()
        wanted = [self.ranges.letters.get(mark, ""), *(c for c, r in own.items() if r == root)]
        number = self._roots().index(root)
        spare = [f"n{number}", *(f"n{number}_{count}" for count in range(2, 9))]
        letter = next(
            c for c in (*wanted, *spare) if c not in taken and (c in spare or own.get(c) == root)
        )
        self.given.setdefault(root, {}).setdefault(letter)
        return letter

    def _own(self) -> dict[str, str]:
        """Return the note's letters that run over one range and name nothing else."""
        found: dict[str, str] = {}
        twice: set[str] = set()
        marks = {mark for text in self.texts for _, mark in _MARK.findall(text)}
        for mark, letter in self.ranges.letters.items():
            if mark in marks and letter.isidentifier() and letter not in self.book.quantities:
                root = self.ranges.root(mark)
                if found.setdefault(letter, root) != root:
                    twice.add(letter)
        return {letter: root for letter, root in found.items() if letter not in twice}

    def letters(self) -> Iterator[str]:
        """Yield the lines that declare the letters which were given out."""
        from_one = {self.ranges.root(mark) for mark in self.ranges.from_one}
        for root, letters in self.given.items():
            for letter in letters:
                low = "1.." if root in from_one else ""
                yield f"index {letter}: {low}{self.size(root)}"

    # --- declarations ---

    def declarations(self) -> Iterator[str]:
        """Yield a line for every quantity that no equation defines."""
        for key in self._read():
            if key not in self.keys:
                yield f"{role(key)} {self.resolved(self._access(key))}"
        for name, mark in self.book.classes.items():
            if any(name in names_read(text) for text in self.texts):
                yield f"target {name} of {self.resolved(f'{{{mark}}}')}"

    def facts(self) -> Iterator[str]:
        """Yield that targets which the note calls one-hot sum to one."""
        for key in self._read():
            slots = self.book.quantities[key].slots
            if role(key) == "target" and slots and key not in self.keys:
                access = self._access(key)
                yield self.resolved(f"assume sum[{{{slots[-1]}}}]({access}) = 1")

    def _access(self, key: str) -> str:
        slots = self.book.quantities[key].slots
        inside = ", ".join(f"{{{slot}}}" for slot in slots)
        return f"{key}[{inside}]" if inside else key


def _plain_marks(text: str) -> list[str]:
    """Return the marks that stand alone in an index position or under a fold."""
    return re.findall(r"[\[, ]\{(c\d+)\}(?=[\],;])", text)


def _window_size(window: Window, sizes: list[str]) -> str:
    """Return one more than the largest index that a window reads."""
    terms = [
        f"{factor}*{size}" if factor > 1 else size for size, (_, factor) in zip(sizes, window.parts)
    ]
    rest = window.constant + 1 - sum(factor for _, factor in window.parts)
    return " + ".join(terms) + (f" {'-' if rest < 0 else '+'} {abs(rest)}" if rest else "")


# --- a quantity that another equation repeats ----------------------------------------------------


def shared(equations: Mapping[str, tuple[str, str]]) -> dict[str, tuple[str, str]]:
    """Read a quantity where another equation repeats its definition: ``h = f(x W), z = x W``."""
    found = dict(equations)
    for key, (left, right) in equations.items():
        if "sum" not in right:
            continue
        repeated, marks = _pattern(right)
        for other, (made, text) in found.items():
            if other != key and not repeated.fullmatch(text):
                found[other] = made, repeated.sub(partial(_turned, left, marks), text)
    return found


def _pattern(text: str) -> tuple[re.Pattern[str], list[str]]:
    """Return a pattern of a text in which the marks may be others, and its marks in order."""
    marks: list[str] = []
    pattern, last = "", 0
    for place in _MARK.finditer(text):
        pattern += re.escape(text[last : place.start()]) + r"\{" + place[1]
        if place[2] in marks:
            pattern += rf"(?P=m{marks.index(place[2])})" + r"\}"
        else:
            pattern += rf"(?P<m{len(marks)}>c\d+)" + r"\}"
            marks.append(place[2])
        last = place.end()
    pattern += re.escape(text[last:])
    return re.compile(rf"(?<![^(]){pattern}(?![^)])"), marks  # a whole text, or all in a bracket


def _turned(left: str, marks: list[str], match: re.Match[str]) -> str:
    """Return the left side with the marks that a repeated right side has."""
    return _MARK.sub(lambda m: "{" + m[1] + match[f"m{marks.index(m[2])}"] + "}", left)
