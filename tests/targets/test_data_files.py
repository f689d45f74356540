"""Data, models and flags as people get them wrong: both trainers answer alike, and never break."""

from __future__ import annotations

import gzip
import io
import json
import os
import pickle
import struct
import subprocess
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from derivgen.calculus.engine import derive
from derivgen.language import parse
from derivgen.lowering.lower import lower
from derivgen.targets.emit import emit
from tests.targets.cpp_build import build
from tests.targets.numpy_module import loaded

TEXT = """network pair
input  x[2]
target y[2] onehot
h    = dense(x, 3, tanh)
yhat = dense(h, 2, softmax)
param  s = 1
loss E = cross_entropy(yhat, y) + 0.001*s^2
train with adam(lr = 0.05), epochs 2, batch 4
"""
HEAD = "a,b,kind\n"
ROWS = "0.1,0.2,cat\n1,0,dog\n0.5,-0.5,cat\n0,1,dog\n-1,1,cat\n2,1,dog\n"
TABLE = HEAD + ROWS
SAME = 1e-12  # a few steps repeat the rounding of one, 1e-16


class Answer(NamedTuple):
    """What a program answers: its exit code and both outputs."""

    code: int
    out: str
    err: str


class Programs:
    """The network's trainers in both languages, run in a folder of their own."""

    def __init__(self, place: Path) -> None:
        program = lower(derive(parse(TEXT)))
        (source,) = emit(program, "cpp", "float64").values()
        (place / "pair.cpp").write_text(source, encoding="utf-8")
        build(place / "pair.cpp", place / "pair", "-O0")
        self.place = place
        self.module: Any = loaded("".join(emit(program, "numpy", "float64").values()), place)

    def cpp(self, flags: tuple[str, ...]) -> Answer:
        command = [str(self.place / "pair"), *flags]
        ran = subprocess.run(command, capture_output=True, check=False, cwd=self.place)
        return Answer(ran.returncode, ran.stdout.decode(), ran.stderr.decode())

    def numpy(self, flags: tuple[str, ...], capsys: Any) -> Answer:
        capsys.readouterr()
        try:
            code = self.module.main([*flags])
        except SystemExit as end:
            code = end.code
        return Answer(code, *capsys.readouterr())


@pytest.fixture(scope="module")
def programs(tmp_path_factory):
    return Programs(tmp_path_factory.mktemp("pair"))


@pytest.fixture
def both(programs, capsys, monkeypatch):
    """Return a function that runs both programs with the same flags."""
    monkeypatch.chdir(programs.place)
    monkeypatch.delenv("DERIVGEN_PROGRESS", raising=False)
    (programs.place / "good.csv").write_text(TABLE, encoding="utf-8")

    def run(*flags: object) -> tuple[Answer, Answer]:
        words = tuple(map(str, flags))
        return programs.numpy(words, capsys), programs.cpp(words)

    return run


def idx(values: np.ndarray, kind: int = 8) -> bytes:
    head = struct.pack(f">BBBB{values.ndim}I", 0, 0, kind, values.ndim, *values.shape)
    return head + values.astype(np.uint8).tobytes()


PIXELS = np.arange(14).reshape(7, 1, 2)
LABELS = np.array([0, 1, 0, 1, 1, 0, 1])

# Tables that say the same as TABLE.
SAME_TABLES = {
    "CRLF": TABLE.replace("\n", "\r\n"),
    "CR": TABLE.replace("\n", "\r"),
    "a byte order mark": "\ufeff" + TABLE,
    "blank lines": TABLE.replace("\n", "\n\n") + ",,\n",
    "no last line end": TABLE.rstrip(),
    "spaces": TABLE.replace(",", " , "),
    "quotes": TABLE.replace("cat", '"cat"').replace("-0.5", '"-0.5"'),
    "numbers otherwise spelt": TABLE.replace("0.5,-0.5", "+5E-1,-.5"),
    "other labels": TABLE.replace("cat", "7").replace("dog", "3"),
    "labels with commas and lines": TABLE.replace("cat", '"c,""a\n"'),
    "labels with rare line ends": TABLE.replace("cat", "c\x0bt").replace("dog", "d\u2028g"),
    "long labels": TABLE.replace("cat", "c" * 200_000),
    "classes as numbers": TABLE.replace("cat", "0").replace("dog", "0.1e1"),
}


@pytest.mark.parametrize("name", SAME_TABLES)
def test_a_table_may_be_spelt_in_many_ways(name, both, programs):
    (programs.place / "d.csv").write_bytes(SAME_TABLES[name].encode())

    answers = [both("train", "--data", file, "--json") for file in ("good.csv", "d.csv")]

    losses = [json.loads(ran.out)["train"]["loss"] for pair in answers for ran in pair]
    assert max(losses) - min(losses) <= SAME, losses


def test_a_table_without_names_loses_no_row_and_says_so(both, programs):
    (programs.place / "d.csv").write_text(ROWS, encoding="utf-8")

    named = both("train", "--data", "good.csv", "--json")
    numbered = both("train", "--data", "d.csv", "--target", "3", "--json")

    results = [json.loads(ran.out)["train"] for ran in (*named, *numbered)]
    assert [result["samples"] for result in results] == [6] * 4
    assert np.ptp([result["loss"] for result in results]) <= SAME
    for ran in numbered:
        assert "numbers: it is taken for data, and the columns are named 1 to 3." in ran.err


@pytest.mark.parametrize("names", ["0,1,2\n", "1,2,kind\n"])
def test_numbers_that_count_the_columns_are_names_and_said_to_be(names, both, programs):
    (programs.place / "d.csv").write_text(names + ROWS, encoding="utf-8")

    for ran in both("train", "--data", "d.csv", "--json"):
        assert json.loads(ran.out)["train"]["samples"] == 6
        assert "it is taken for the columns' names" in ran.err


def test_inputs_are_scaled_before_they_are_rounded(both, programs):
    # float32 tells no two of these apart; scaled, they are those of the good table.
    lines = [line.split(",") for line in ROWS.split()]
    far = "".join(f"{1e9 + float(a)},{1e9 + float(b)},{c}\n" for a, b, c in lines)
    (programs.place / "d.csv").write_text(HEAD + far, encoding="utf-8")
    flags = ("--scale", "standard", "--dtype", "float32", "--json")

    near, distant = (both("train", "--data", d, *flags) for d in ("good.csv", "d.csv"))

    losses = [json.loads(ran.out)["train"]["loss"] for ran in (*near, *distant)]
    assert np.ptp(losses) <= 1e-5, losses  # 1e9 holds six digits of the features


# Each with what the message must say, in both languages.
WRONG_TABLES = {
    "a hexadecimal number": (TABLE.replace("0.5,", "0x10,"), "row 3, column a"),
    "an underscore in a number": (TABLE.replace("0.5,", "1_0,"), "row 3, column a"),
    "digits of another script": (TABLE.replace("0.5,", "\u0663,"), "row 3, column a"),
    "a number too large": (TABLE.replace("0.5,", "1e999,"), "row 3, column a"),
    "a missing value": (TABLE.replace("0.5,", "nan,"), "row 3, column a"),
    "an endless number": (TABLE.replace("0.5,", "9" * 500 + ","), "9999...'"),
    "an open quote": (TABLE.replace("cat", '"cat', 1), "row 1\n  A field in quotes does not end"),
    "text after a quote": (TABLE.replace("dog", '"do"g', 1), "row 2\n  A field in quotes"),
    "Latin-1": (TABLE.replace("cat", "ch\u00e4t").encode("latin-1"), "UTF-8 text: byte 19"),
    "half a character": (TABLE.encode() + b"1,2,\xe7\x8c", "not UTF-8 text: byte"),
    "semicolons": (TABLE.replace(",", ";"), "Expected commas between the fields, found ';'"),
    "too many labels": (TABLE + "1,2,\x1b[31mcow\n", "row 7, column kind"),
    "a control character": (TABLE + "1,2,\x1b[31mcow\n", "'\\x1b[31mcow'"),
    "nothing": ("", "The file is empty."),
    "a header alone": (HEAD, "no rows below the header"),
}


@pytest.mark.parametrize("name", WRONG_TABLES)
def test_a_wrong_table_is_refused_with_its_place(name, both, programs):
    content, says = WRONG_TABLES[name]
    (programs.place / "d.csv").write_bytes(content if type(content) is bytes else content.encode())

    for ran in both("train", "--data", "d.csv"):
        assert ran.code == 3, ran
        assert says in ran.err and "Traceback" not in ran.err


def test_a_number_that_float32_does_not_hold_is_refused(both, programs):
    (programs.place / "d.csv").write_text(TABLE + "1,1e300,cat\n", encoding="utf-8")

    for ran in both("train", "--data", "d.csv", "--dtype", "float32"):
        assert ran.code == 3, ran
        assert "row 7, column b\n  Expected a number that float32 holds" in ran.err


WRONG_IDX = {
    "300 axes": (b"\0\0\x08\xff" + b"\0\0\0\1" * 255 + b"x", "Expected 1 to 8 axes, found 255"),
    "more bytes than a word counts": (
        b"\0\0\x08\5" + b"\0\1\0\0" * 4 + b"\0\0\0\1",
        " bytes of data, found 0",
    ),
    "no images": (idx(PIXELS[:0]), "no"),
    "one byte less": (idx(PIXELS)[:-1], "Expected 14 bytes of data, found 13"),
    "half a gzip file": (gzip.compress(idx(PIXELS))[:20], "Not a sound gzip file"),
    "floats": (idx(PIXELS, 0x0D), "type 13"),
}


@pytest.mark.parametrize("name", WRONG_IDX)
def test_a_wrong_idx_file_is_refused(name, both, programs):
    content, says = WRONG_IDX[name]
    labels = idx(LABELS[:0]) if name == "no images" else idx(LABELS)
    (programs.place / "images").write_bytes(content)
    (programs.place / "labels").write_bytes(labels)

    for ran in both("train", "--data", "images", "labels"):
        assert ran.code == 3, ran
        assert says in ran.err


def test_images_alone_are_predicted_packed_or_not(both, programs):
    (programs.place / "images").write_bytes(idx(PIXELS))
    (programs.place / "packed").write_bytes(gzip.compress(idx(PIXELS)) + b"\0" * 9)

    answers = [ran for file in ("images", "packed") for ran in both("predict", "--data", file)]

    assert [(ran.code, len(ran.out.splitlines())) for ran in answers] == [(0, 8)] * 4


class Evil:
    def __reduce__(self):
        return os.mkdir, ("evil",)


def npz(**arrays: Any) -> bytes:
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


X, ONES = np.ones((4, 2)), np.ones((4, 2))
WRONG_NPZ = {
    "a pickle": (pickle.dumps(Evil()), "Expected an NPZ file"),
    "an object array": (npz(x=np.array([Evil()] * 4, object), y=LABELS[:4]), "Object arrays"),
    "half a file": (npz(x=X, y=LABELS[:4])[:100], "cannot be read as NPZ"),
    "a value missing": (npz(x=X * [1, np.nan], y=LABELS[:4]), "row 1, column x 1"),
    "no samples": (npz(x=X[:0], y=LABELS[:0]), "There are no samples in it."),
    "two classes at once": (npz(x=X, y=ONES), "Expected a one-hot vector for y"),
}


@pytest.mark.parametrize("name", WRONG_NPZ)
def test_a_wrong_npz_file_is_refused_and_runs_nothing(name, both, programs):
    content, says = WRONG_NPZ[name]
    (programs.place / "d.npz").write_bytes(content)

    ran, other = both("train", "--data", "d.npz")

    assert (ran.code, other.code) == (3, 3)
    assert says in ran.err
    assert not (programs.place / "evil").exists()


def test_targets_that_are_not_one_hot_are_refused(both, programs):
    # The derivation uses their sum of 1: other targets would be given wrong gradients.
    table = "a,b,k,l\n1,2,0,1\n2,1,0.3,0.6\n"
    (programs.place / "d.csv").write_text(table, encoding="utf-8")
    values = {"inputs": {"x": [[1, 2]], "y": [[0.5, 0.5]]}}
    (programs.place / "in.json").write_text(json.dumps(values), encoding="utf-8")

    trained = both("train", "--data", "d.csv", "--target", "k,l", "--holdout", 0.5)
    evaluated = both("eval", "--values", "in.json")

    for ran in (*trained, *evaluated):
        assert ran.code == 3, ran
        assert "Expected a one-hot vector for y, found [0." in ran.err
    assert all("d.csv, row 2" in ran.err for ran in trained)


BAD_FLAGS = {
    "a target twice": (3, "--target", "kind", "--target", "kind"),
    "a learning rate that is none": (2, "--lr", "nan"),
    "a setting that is none": (2, "--set", "lr=inf"),
    "a seed below 0": (2, "--seed", "-1"),
    "a seed too large": (2, "--seed", 2**64),
    "a fraction too large": (2, "--holdout", "0.9"),
    "no file": (2, "--test"),
    "half an epoch": (2, "--epochs", "1.5"),
    "no name": (2, "--freeze", ""),
}


@pytest.mark.parametrize("name", BAD_FLAGS)
def test_both_trainers_refuse_the_same_flags(name, both):
    code, *flags = BAD_FLAGS[name]

    assert [ran.code for ran in both("train", "--data", "good.csv", *flags)] == [code, code]


@pytest.mark.parametrize(
    "flags",
    [("--holdout", "0.4"), ("--holdout", "0"), ("--freeze", "W_h,b_h"), ("--data=good.csv",)],
)
def test_both_trainers_understand_the_same_flags(flags, both):
    losses = [
        json.loads(ran.out)["train"]["loss"]
        for ran in both("train", "--data", "good.csv", "--json", *flags)
    ]

    assert abs(losses[0] - losses[1]) <= SAME


def test_each_trainer_reads_the_model_of_the_other_numbers_without_axes_included(both, programs):
    programs.module.main(["train", "--data", "good.csv", "--save", "numpy.st"])
    programs.cpp(("train", "--data", "good.csv", "--save", "cpp.st"))

    found = []
    for model in ("numpy.st", "cpp.st"):
        for ran in both("predict", "--data", "good.csv", "--load", model, "--json"):
            assert ran.code == 0, ran
            found.append(json.loads(ran.out)["output"])

    assert np.ptp(np.array(found), axis=0).max() <= SAME


DIVERGES = ("--data", "good.csv", "--optimiser", "sgd", "--lr", "1e6", "--epochs", "60")


def test_training_that_diverges_stops_at_the_last_good_parameters(both):
    for ran in both("train", *DIVERGES, "--json"):
        course = json.loads(ran.out, parse_constant=lambda word: pytest.fail(word))
        assert ran.code == 1, ran
        assert 1 < course["epochs"] < course["diverged"]["epoch"] < 60
        assert np.isfinite(course["train"]["loss"])
        assert f"kept are the parameters after epoch {course['epochs']}." in ran.err
        assert "Try a smaller --lr" in ran.err


def test_the_last_good_model_is_saved_where_training_diverges(both, programs):
    programs.module.main(["train", *DIVERGES, "--save", "numpy.st"])
    programs.cpp(("train", *DIVERGES, "--save", "cpp.st"))

    for model in ("numpy.st", "cpp.st"):
        for ran in both("train", "--data", "good.csv", "--epochs", 0, "--load", model, "--json"):
            assert np.isfinite(json.loads(ran.out)["train"]["loss"])


def test_training_that_ends_at_a_loss_that_is_not_finite_has_diverged(both, programs):
    flags = ("--data", "good.csv", "--optimiser", "sgd", "--lr", "1e200", "--epochs", "1")

    for ran in both("train", *flags, "--batch", "6", "--save", "none.st"):
        assert ran.code == 1, ran
        assert "not finite in epoch 1, step 1; nothing is kept." in ran.err
        assert not (programs.place / "none.st").exists()


def test_what_is_not_finite_is_null_in_json(both, programs):
    values = {"params": {"s": 1e200}, "inputs": {"x": [[1, 2]], "y": [[1, 0]]}}
    (programs.place / "in.json").write_text(json.dumps(values), encoding="utf-8")

    for ran in both("eval", "--values", "in.json"):
        found = json.loads(ran.out, parse_constant=lambda word: pytest.fail(word))
        assert ran.code == 0, ran
        assert found["loss"] is None and found["gradients"]["s"] == 2e197


def changed(header: dict[str, Any], what: str) -> None:
    """Spoil a header of a saved model in one place."""
    entry, metadata = header["W_h"], header["__metadata__"]
    begin, end = entry["data_offsets"]
    if what == "bytes of the header":
        entry["data_offsets"] = [begin - 800, end - 800]
    elif what == "too few bytes":
        entry["dtype"] = "F32"
    elif what == "bytes behind the end":
        entry["data_offsets"] = [begin + 2**60, end + 2**60]
    elif what == "no text of classes":
        metadata["classes"] = "5"
    elif what == "a divisor of nothing":
        metadata["scale"] = '{"kind": "standard", "shift": [0, 0], "divisor": [1, 0]}'
    else:
        header["__metadata__"] = 7


SPOILT = ("bytes of the header", "too few bytes", "bytes behind the end", "no text of classes")
SPOILT += ("a divisor of nothing", "no metadata")


@pytest.mark.parametrize("what", SPOILT)
def test_a_spoilt_model_is_refused(what, both, programs):
    both("train", "--data", "good.csv", "--save", "m.st")
    content = (programs.place / "m.st").read_bytes()
    length = struct.unpack("<Q", content[:8])[0]
    header = json.loads(content[8 : 8 + length])
    changed(header, what)
    text = json.dumps(header).encode()
    spoilt = struct.pack("<Q", len(text)) + text + content[8 + length :]
    (programs.place / "spoilt.st").write_bytes(spoilt)

    for ran in both("predict", "--data", "good.csv", "--load", "spoilt.st"):
        assert ran.code == 3, ran
        assert "spoilt.st" in ran.err


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_device_is_reported_and_stays_a_device(both, programs):
    flags = ("train", "--data", "good.csv", "--save", "/dev/full")

    assert [ran.code for ran in both(*flags)] == [5, 5]
    assert not Path("/dev/full").is_file()
    with open("/dev/full", "w") as full:
        ran = subprocess.run(
            [str(programs.place / "pair"), "train", "--data", "good.csv"],
            cwd=programs.place,
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
        )
    assert ran.returncode == 5
    assert b"standard output" in ran.stderr


def test_a_model_is_saved_where_a_link_leads(both, programs):
    link = programs.place / "link.st"
    (programs.place / "real.st").write_bytes(b"")
    link.unlink(missing_ok=True)
    link.symlink_to("real.st")

    answers = both("train", "--data", "good.csv", "--save", "link.st")

    assert [ran.code for ran in answers] == [0, 0]
    assert link.is_symlink()
    assert (programs.place / "real.st").stat().st_size > 0
