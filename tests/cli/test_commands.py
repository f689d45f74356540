"""The commands as a newcomer runs them: results on stdout, messages on stderr, exit codes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SMALL = "network small\ninput x[2]\nparam w[2] = [1, 2]\nindex i: 2\nloss E = sum[i](w[i]*x[i])^2\n"


def derivgen(*arguments: str, cwd: Path, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """Run ``derivgen`` in a folder."""
    return subprocess.run(
        [sys.executable, "-m", "derivgen", *arguments],
        cwd=cwd,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def small(tmp_path):
    """Return a small network's file."""
    file = tmp_path / "small.dg"
    file.write_text(SMALL, encoding="utf-8")
    return file


def test_a_starter_file_is_a_network_and_is_not_overwritten(tmp_path):
    first = derivgen("new", "mine", cwd=tmp_path)
    again = derivgen("new", "mine", cwd=tmp_path)
    derived = derivgen("derive", "mine.dg", cwd=tmp_path)

    assert first.returncode == 0, first.stderr
    assert again.returncode == 5
    assert "--force" in again.stderr
    assert derived.returncode == 0, derived.stderr


@pytest.mark.parametrize("name", ["a;b", "../x", "1a", ""])
def test_a_starter_file_needs_a_name(name, tmp_path):
    ran = derivgen("new", name, cwd=tmp_path)

    assert ran.returncode == 2
    assert not list(tmp_path.iterdir())


def test_everything_listed_can_be_shown(tmp_path):
    listed = derivgen("list", cwd=tmp_path)

    assert listed.returncode == 0, listed.stderr
    for name in ("mazur", "dense", "sigmoid", "cross_entropy", "glorot", "adam", "language"):
        assert name in listed.stdout
        shown = derivgen("show", name, cwd=tmp_path)
        assert shown.returncode == 0 and name in shown.stdout, shown.stderr


def test_a_misspelt_name_is_answered_with_the_near_one(tmp_path):
    ran = derivgen("show", "sigmoit", cwd=tmp_path)

    assert ran.returncode == 2
    assert "Did you mean sigmoid?" in ran.stderr


def test_eval_reads_a_network_from_standard_input(tmp_path):
    ran = derivgen("eval", "-", cwd=tmp_path, stdin="network g\nparam a = 3\nloss J = a^2\n")

    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout) == {"loss": 9.0, "gradients": {"a": 6.0}}


def test_eval_takes_one_sample_or_several(small, tmp_path):
    one, two = tmp_path / "one.json", tmp_path / "two.json"
    one.write_text('{"inputs": {"x": [1, 1]}}', encoding="utf-8")
    two.write_text('{"inputs": {"x": [[1, 1], [0, 1]]}}', encoding="utf-8")

    single = json.loads(derivgen("eval", str(small), "--values", str(one), cwd=tmp_path).stdout)
    mean = json.loads(derivgen("eval", str(small), "--values", str(two), cwd=tmp_path).stdout)

    assert single == {"loss": 9.0, "gradients": {"w": [6.0, 6.0]}}
    assert mean == {"loss": 6.5, "gradients": {"w": [3.0, 5.0]}}


def test_eval_multiplies_the_hessian_with_a_direction(tmp_path):
    values = tmp_path / "v.json"
    values.write_text(
        '{"params": {"a": 2, "b": 3}, "directions": {"a": 1, "b": 0}}', encoding="utf-8"
    )

    ran = derivgen(
        "eval", "--equations", "J = a^2*b", "--values", str(values), "--hvp", cwd=tmp_path
    )

    assert json.loads(ran.stdout)["hvp"] == {"a": 6.0, "b": 4.0}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "v.json:1:2"),
        ("[1]", ""),
        ('{"inputs": {"x": [1, 2, 3]}}', "x"),
        ('{"inputs": {"x": ["a", "b"]}}', "x"),
        ('{"inputs": {"y": [1, 2]}}', "y"),
        ('{"inputs": {}}', "x"),
        ("", ""),
        ("[" * 100_000, ""),
    ],
)
def test_wrong_values_end_with_exit_code_3(text, says, small, tmp_path):
    values = tmp_path / "v.json"
    values.write_text(text, encoding="utf-8")

    ran = derivgen("eval", str(small), "--values", "v.json", cwd=tmp_path)

    assert ran.returncode == 3, ran.stderr
    assert says in ran.stderr
    assert "Traceback" not in ran.stderr and not ran.stdout


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["derive"], 2),
        (["derive", "no_such_net"], 2),
        (["derive", "no/such/file.dg"], 5),
        (["derive", "mazur", "--to", "word"], 2),
        (["derive", "mazur", "--then", "w1"], 2),
        (["derive", "mazur", "--wrt", "nothing"], 2),
        (["emit", "mazur", "--target", "fortran"], 2),
        (["eval", "mazur", "--values", "missing.json"], 5),
        (["eval", "mazur", "--equations", "J = a"], 2),
        (["eval", "--equations", "J = (a"], 2),
        (["eval", "--equations", "J = __import__('os').system('true')"], 2),
        (["train", "mazur", "--epoch", "3"], 2),
        (["train", "--epochs", "3", "mazur"], 2),
        (["frobnicate"], 2),
        (["build", "--check", "-o", "empty"], 1),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_a_wrong_command_says_what_is_wrong_and_ends_with_its_code(arguments, code, tmp_path):
    ran = derivgen(*arguments, cwd=tmp_path)

    assert ran.returncode == code, ran.stderr
    assert "Traceback" not in ran.stderr and "InternalError" not in ran.stderr


def test_a_text_that_is_wrong_is_shown_with_its_place(tmp_path):
    (tmp_path / "bad.dg").write_text("network n\nloss E = 2*(x\n", encoding="utf-8")

    ran = derivgen("derive", "bad.dg", cwd=tmp_path)

    assert ran.returncode == 2
    assert ran.stderr.startswith("bad.dg:2:")


def test_emit_writes_files_once_and_with_force_again(tmp_path):
    first = derivgen("emit", "graph", "-o", "out/", cwd=tmp_path)
    again = derivgen("emit", "graph", "-o", "out/", cwd=tmp_path)
    forced = derivgen("emit", "graph", "-o", "out/", "--force", cwd=tmp_path)

    assert (first.returncode, again.returncode, forced.returncode) == (0, 5, 0), first.stderr
    assert (tmp_path / "out" / "trainer.py").is_file()


@pytest.mark.parametrize("target", ["interpreter", "numpy", "cpp"])
def test_the_three_programs_evaluate_alike(target, tmp_path):
    ran = derivgen("eval", "mazur", "--target", target, "--wrt", "w5,w6", cwd=tmp_path)

    assert ran.returncode == 0, ran.stderr
    found = json.loads(ran.stdout)
    assert found["loss"] == pytest.approx(0.2983711087600027, rel=1e-12)  # float64 throughout
    assert list(found["gradients"]) == ["w5", "w6"]


def test_check_says_pass_and_gives_json(tmp_path):
    text = derivgen("check", "mazur", "--target", "all", cwd=tmp_path)
    as_json = derivgen("check", "mazur", "--json", cwd=tmp_path)

    assert text.returncode == 0, text.stdout + text.stderr
    assert json.loads(as_json.stdout)["verdict"] == "pass"


@pytest.mark.parametrize("target", ["numpy", "cpp"])
def test_train_runs_on_the_shipped_data(target, tmp_path):
    ran = derivgen(
        "train", "iris", "--target", target, "--epochs", "2", "--json", "--save", "m", cwd=tmp_path
    )

    assert ran.returncode == 0, ran.stderr
    report = json.loads(ran.stdout)
    assert report["test"]["samples"] == 50
    assert (tmp_path / "m").is_file()


def test_the_command_line_starts_quickly():
    code = "import sys, derivgen.cli.main; print('sympy' in sys.modules, 'numpy' in sys.modules)"
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )

    assert ran.stdout.split() == ["False", "False"]


def test_a_size_the_network_does_not_have_is_refused(small, tmp_path):
    ran = derivgen("emit", small.name, "--dim", "Q=3", cwd=tmp_path)

    assert ran.returncode == 2
    assert "no size of this name" in ran.stderr


def test_a_dash_writes_to_standard_output(small, tmp_path):
    ran = derivgen("emit", small.name, "-o", "-", cwd=tmp_path)

    assert ran.stdout.startswith('"""Trainer')
    assert [path.name for path in tmp_path.iterdir()] == [small.name]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_results_that_cannot_be_written_end_with_a_message(tmp_path):
    command = [sys.executable, "-m", "derivgen", "show", "relu"]
    with open("/dev/full", "w") as full:
        ran = subprocess.run(
            command,
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )

    assert ran.returncode == 5
    assert ran.stderr.startswith("FileProblem: standard output")


@pytest.mark.parametrize("words", [("list",), ("--help",), ("train", "--help")])
def test_a_reader_that_stops_early_is_no_error(words, tmp_path):
    command = [sys.executable, "-m", "derivgen", *words]
    with subprocess.Popen(
        command,
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        process.stdout.close()
        said = process.stderr.read()

    assert (process.returncode, said) == (0, b"")
