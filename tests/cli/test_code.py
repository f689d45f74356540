"""``check-code``: a person's own gradient, as a Python file and as a program."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import chdir

import numpy as np
import pytest

from derivgen.cli.answers import answering
from derivgen.errors import DerivgenError
from tests.cli.test_commands import derivgen

RIGHT = """
import numpy as np
x = {"W": np.array([[1.0, 2.0, 3.0], [0.5, -1.0, 2.0]]), "b": np.array([0.3, -0.2])}
v = np.array([0.4, -0.3, 0.2])
def loss(p):
    return 0.5*np.sum(np.tanh(p["W"] @ v + p["b"])**2)
def gradient(p):
    print("a word of mine")
    a = np.tanh(p["W"] @ v + p["b"])
    delta = a*(1 - a**2)
    return {"W": np.outer(delta, v), "b": delta}
"""
WRONG = RIGHT.replace('"b": delta}', '"b": 2*delta}')
PROGRAM = """
import json, sys
for line in sys.stdin:
    x = json.loads(line)["x"]
    answer = {"loss": sum(v**3 for v in x), "gradient": [SLOPE*v**2 for v in x]}
    print(json.dumps(answer), flush=True)
"""


def test_a_right_gradient_passes_and_its_prints_stay_out_of_the_result(tmp_path):
    (tmp_path / "mine.py").write_text(RIGHT, encoding="utf-8")

    ran = derivgen("check-code", "mine.py", "--json", cwd=tmp_path)

    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout)["verdict"] == "pass"


def test_a_wrong_gradient_is_refused_with_entry_and_mistake(tmp_path):
    (tmp_path / "mine.py").write_text(WRONG, encoding="utf-8")

    ran = derivgen("check-code", "mine.py", cwd=tmp_path)

    assert ran.returncode == 1
    assert "W: pass" in ran.stdout and "b: fail" in ran.stdout
    assert "2 times" in ran.stdout


@pytest.mark.parametrize(("slope", "code"), [("3", 0), ("-3", 1)])
def test_a_program_that_answers_json_lines_is_checked(slope, code, tmp_path):
    (tmp_path / "mine.py").write_text(PROGRAM.replace("SLOPE", slope), encoding="utf-8")
    (tmp_path / "x.json").write_text("[1.0, -2.0, 0.5]", encoding="utf-8")

    ran = derivgen(
        *("check-code", "--program", f"{sys.executable} mine.py", "--values", "x.json"),
        cwd=tmp_path,
    )

    assert ran.returncode == code, ran.stdout + ran.stderr


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ([], 2),
        (["missing.py"], 5),
        (["--program", "true"], 2),
        (["--program", "true", "--values", "x.json"], 3),
        (["--program", "cat", "--values", "x.json"], 3),
        (["--program", "no-such-program", "--values", "x.json"], 5),
        (["empty.py"], 3),
        (["broken.py"], 3),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_what_cannot_be_checked_is_said(arguments, code, tmp_path):
    (tmp_path / "x.json").write_text("[1.0]", encoding="utf-8")
    (tmp_path / "empty.py").write_text("", encoding="utf-8")
    (tmp_path / "broken.py").write_text("1/0", encoding="utf-8")

    ran: subprocess.CompletedProcess[str] = derivgen("check-code", *arguments, cwd=tmp_path)

    assert ran.returncode == code, ran.stderr
    assert ran.stderr and "Traceback" not in ran.stderr


def test_code_that_hangs_is_stopped(tmp_path):
    hanging = RIGHT.replace("def loss(p):", "def loss(p):\n    while True: pass")
    (tmp_path / "mine.py").write_text(hanging, encoding="utf-8")

    ran = derivgen("check-code", "mine.py", "--timeout", "0.5", cwd=tmp_path)

    assert ran.returncode == 3
    assert "no answer within 0.5 seconds" in ran.stderr


def test_a_program_that_hangs_is_stopped(tmp_path):
    (tmp_path / "mine.py").write_text("import time\ntime.sleep(60)", encoding="utf-8")
    (tmp_path / "x.json").write_text("[1.0]", encoding="utf-8")

    ran = derivgen(
        *("check-code", "--program", f"{sys.executable} mine.py", "--values", "x.json"),
        *("--timeout", "0.5"),
        cwd=tmp_path,
    )

    assert ran.returncode == 3
    assert "no answer within 0.5 seconds" in ran.stderr


ANSWERS = [
    ("print('loading', flush=True)", "'loading', which is no JSON"),
    ("sys.exit(7)", "ended without an answer, with status 7"),
    ("sys.stdout.write('{\"loss\": 1'); sys.stdout.flush(); time.sleep(60)", "no answer within"),
    ("sys.stdout.buffer.write(bytes(range(128, 200)) + b'\\n')", "which is not UTF-8"),
    ("print('[' * 9999, flush=True)", "which is no JSON"),
    ("subprocess.run([sys.executable, '-c', 'import time; time.sleep(60)'])", "no answer within"),
]


@pytest.mark.parametrize(("line", "words"), ANSWERS)
def test_what_a_program_does_instead_of_answering_is_said(line, words, tmp_path):
    (tmp_path / "mine.py").write_text(f"import subprocess, sys, time\n{line}", encoding="utf-8")
    command = f"{sys.executable} mine.py"

    with pytest.raises(DerivgenError) as refused, chdir(tmp_path), answering(command, 0.5) as ask:
        ask(np.array([1.0]))

    assert words in str(refused.value)


def test_windows_line_ends_and_a_byte_order_mark_are_read(tmp_path):
    answer = '\\ufeff{"loss": 1, "gradient": [2]}\\r\\n'
    (tmp_path / "mine.py").write_text(
        f"import sys\nfor line in sys.stdin:\n"
        f"    sys.stdout.buffer.write('{answer}'.encode()); sys.stdout.flush()",
        encoding="utf-8",
    )

    with chdir(tmp_path), answering(f"{sys.executable} mine.py", 20) as ask:
        answers = [ask({"w": [np.array([1.0])]}) for _ in range(2)]

    assert answers == [{"loss": 1, "gradient": [2]}] * 2


def test_a_file_may_import_its_neighbours_and_is_reported_in_chinese(tmp_path):
    (tmp_path / "layers.py").write_text("SLOPE = -1\n", encoding="utf-8")
    text = "from layers import SLOPE\nx = 2.0\ndef f(x): return x**3\n"
    (tmp_path / "own.py").write_text(text + "def grad(x): return 3*SLOPE*x**2\n", encoding="utf-8")

    ran = derivgen("check-code", str(tmp_path / "own.py"), "--lang", "zh", cwd="/")

    assert ran.returncode == 1, ran.stderr
    assert "每个分量的符号都反了。" in ran.stdout
