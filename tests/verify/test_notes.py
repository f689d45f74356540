"""Real notes, where a folder of them is named: every known finding at its place, no false alarm.

The findings are those a careful reader confirmed numerically; nothing here is known to the program.
A note with every letter renamed must get the same verdicts.
"""

from __future__ import annotations

import re

import pytest

from derivgen.language import parse
from derivgen.verify import verify_text

TWO_LAYER = """
network two_layer
dim D = 4, S = 5, K = 3
index d: D, s: S, k: K
input  x[d]
target y[k]
param  V[s,d], c[s], W[k,s], b[k]
alpha[s] = sum[d](V[s,d]*x[d]) + c[s]
h[s]     = sigmoid(alpha[s])
beta[k]  = sum[s](W[k,s]*h[s]) + b[k]
yhat[k]  = sigmoid(beta[k])
loss E   = 1/2*sum[k]((yhat[k]-y[k])^2)
"""
LOGISTIC = """
network logistic
dim D = 3
index j: D
input a[j]
target y
param w[j], b
z = sum[j](w[j]*a[j]) + b
yhat = sigmoid(z)
loss L = -(y*log(yhat) + (1-y)*log(1-yhat))
"""


def note(folder, number):
    (path,) = folder.glob(f"{number}_*.txt")
    return path.read_text(encoding="utf-8")


def places(report, *verdicts):
    return [item.tag or item.line for item in report.items if item.verdict in verdicts]


def test_the_two_layer_note(notes):
    report = verify_text(note(notes, "001"), parse(TWO_LAYER))

    assert places(report, "wrong") == ["11", "16", "22", "24"]
    assert places(report, "not_understood") == []
    # (3) is another definition; (7) lacks brackets; (17) an approximation; (20) a misprint.
    assert places(report, "holds_if") == ["3", "7", "17", "20"]
    mistakes = {item.tag: item.worst.mistake for item in report.items}
    assert mistakes["11"] == mistakes["16"] == "index-swap"
    assert mistakes["22"] == "wrong-layer-fprime"
    assert mistakes["24"] == "missing-transpose"
    (broken,) = [item for item in report.items if item.tag == "20"]
    assert r"write \cdot; a row break inside a product" in broken.worst.assumption
    (slope,) = [item for item in report.items if item.tag == "22"]
    assert r"Write \boldsymbol{z}^{l} for \boldsymbol{z}^L." in [m.hint for m in slope.members]
    (last,) = [item for item in report.items if item.tag == "24"]
    assert last.members[-2].correct.endswith(r"\left[a_1^{l-1},a_2^{l-1},...,a_m^{l-1} \right]")
    assert mistakes["3"] == mistakes["7"] == mistakes["20"] == "notation"


def test_the_numbers_of_the_step_by_step_note(notes, mazur):
    report = verify_text(note(notes, "004"), mazur)

    assert places(report, "wrong") == [511, 515, 519, 590, 615]
    assert {item.line: item.worst.mistake for item in report.items}[590] == "digit"
    lenient = [item.line for item in report.items if item.worst.mistake == "notation"]
    assert lenient == [588, 613, 649, 731]
    assert places(report, "not_understood") == []
    bare = {item.line: item.worst for item in report.items}[588]
    assert bare.verdict == "holds_if"
    assert "target, output" in bare.assumption
    assert "a sum without an index" in bare.assumption
    assert [mention.line for mention in report.mentions if mention.problem] == [603]
    assert report.pictures == 45


def test_the_graph_note(notes, root):
    network = parse((root / "derivgen/gallery/graph.dg").read_text(encoding="utf-8"))

    report = verify_text(note(notes, "000"), network)

    assert places(report, "wrong") == []
    assert {i.line: i.worst.mistake for i in report.items}[30] == "missing-factor"
    assert places(report, "agrees") == [86, 90, 94]


def test_the_logistic_note(notes):
    report = verify_text(note(notes, "003"), parse(LOGISTIC))

    assert {17, 89, 144} <= set(places(report, "wrong"))
    assert not {15, 19} & set(places(report, "wrong"))
    worst = {item.line: item.worst for item in report.items}[25]
    assert (worst.verdict, worst.mistake) == ("wrong", "index-swap")
    assert "Write y^i for y^o." in worst.hint
    assert "The index j stands on the right alone." in worst.hint
    assert "1/m and their sum are missing" in worst.hint
    assert r"\part" in worst.hint


def test_a_note_of_pictures_counts_them(notes):
    report = verify_text(note(notes, "002"))

    assert report.pictures == 11
    assert places(report, "wrong") == []


MATHEMATICS = re.compile(r"\$\$.*?\$\$|\$[^$]*\$|\\\[.*?\\\]|\\\(.*?\\\)", re.DOTALL)
JOINED = (
    "ks",
    "sd",
    "hk",
    "wi",
    "ia",
    "iw",
)  # letters of notes that stand together


def renamed(text, names):
    """Rename single letters and Greek commands inside the mathematics of a note."""
    pattern = re.compile(r"\\[A-Za-z]+|[A-Za-z]+")

    def letters(found):
        word = found[0]
        if len(word) == 1 or word.startswith("\\"):
            return names.get(word, word)
        return "".join(names.get(c, c) for c in word) if word in JOINED else word

    return MATHEMATICS.sub(lambda found: pattern.sub(letters, found[0]), text)


def renamed_source(source, names):
    """Rename the same letters in a network: alone, before a number, and before ``hat``."""
    for old, new in names.items():
        word = re.escape(old.lstrip("\\"))
        pattern = (
            rf"(?<![A-Za-z]){word}(?=\d|hat\b|\b)(?![A-Za-z(]|at\b)|(?<![A-Za-z]){word}(?=hat\b)"
        )
        source = re.sub(pattern, "@" + new.lstrip("\\") + "@", source)
    return source.replace("@", "")


WORDS = {r"\alpha": r"\mu", r"\beta": r"\nu"}
CASES = {
    "000": {"a": "p", "b": "q", "c": "r", "u": "s", "v": "h"},
    "001": {"W": "U", "V": "P", "h": "g", "c": "r", "s": "p", **WORDS},
    "002": {"a": "p", "b": "q"},
    "003": {"a": "x", "y": "t"},
    "004": {"w": "v", "h": "g", "o": "k", "i": "j"},
}


@pytest.mark.parametrize("number", list(CASES))
def test_renaming_every_letter_changes_no_verdict(number, notes, root):
    names = CASES[number]
    gallery = root / "derivgen/gallery"
    sources = {
        "000": (gallery / "graph.dg").read_text(encoding="utf-8"),
        "001": TWO_LAYER,
        "003": LOGISTIC,
        "004": (gallery / "mazur.dg").read_text(encoding="utf-8"),
    }
    # The last part of 001 speaks of layers, whose letters are a convention and not declared.
    text, source = note(notes, number).split("# 3.")[0], sources.get(number)
    networks = [parse(s) if s else None for s in (source, source and renamed_source(source, names))]

    before = verify_text(text, networks[0])
    after = verify_text(renamed(text, names), networks[1])

    assert [i.verdict for i in after.items] == [i.verdict for i in before.items]
    assert [i.worst.mistake for i in after.items] == [i.worst.mistake for i in before.items]
