"""``verify`` on the command line: what is the network, what the note, and the exit codes."""

from __future__ import annotations

import json

import pytest

from tests.cli.test_commands import derivgen

NET = """network two
index s: 3, k: 2
input h[s]
target y[k] onehot
param W[k,s]
yhat[k] = softmax[k](sum[s](W[k,s]*h[s]))
loss E = -sum[k](y[k]*log(yhat[k]))
"""
RIGHT = r"\frac{\partial E}{\partial W_{ks}} = (\hat{y}_k - y_k) h_s"
WRONG = r"\frac{\partial E}{\partial W_{ks}} = (y_k - \hat{y}_k) h_s"


@pytest.fixture
def folder(tmp_path):
    """Return a folder with a network and notes."""
    (tmp_path / "two.dg").write_text(NET, encoding="utf-8")
    (tmp_path / "note.md").write_text(f"Some prose.\n\n$$\n{WRONG}\n$$\n", encoding="utf-8")
    (tmp_path / "claims.txt").write_text("d(E, W[k,s]) = (yhat[k]-y[k])*h[s]\n", encoding="utf-8")
    (tmp_path / "prose.md").write_text("No formula here.\n", encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["two.dg", "--formula", RIGHT], 0),
        (["two.dg", "--formula", WRONG], 1),
        (["two.dg", "note.md"], 1),
        (["two.dg", "claims.txt"], 0),
        (["two.dg", "prose.md"], 4),
        (["two.dg"], 2),
        (["two.dg", "note.md", "--formula", RIGHT], 2),
        (["two.dg", "missing.md"], 5),
        (["two.dg", "note.md", "--lang", "xx"], 2),
        (["two.dg", "note.md", "--to", "word"], 2),
        ([], 2),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_exit_codes(arguments, code, folder):
    ran = derivgen("verify", *arguments, cwd=folder)

    assert ran.returncode == code, ran.stdout + ran.stderr
    assert "Traceback" not in ran.stderr


def test_a_wrong_sign_is_named(folder):
    ran = derivgen("verify", "two.dg", "note.md", "--json", cwd=folder)

    [found] = json.loads(ran.stdout)
    assert (found["verdict"], found["mistake"], found["line"]) == ("wrong", "sign", 4)


def test_a_copy_of_the_note_is_annotated(folder):
    ran = derivgen("verify", "two.dg", "note.md", "--to", "markdown", "-o", "out.md", cwd=folder)

    text = (folder / "out.md").read_text(encoding="utf-8")
    assert ran.returncode == 1
    assert WRONG in text and "> **" in text


def test_messages_come_in_chinese(folder):
    ran = derivgen("verify", "two.dg", "note.md", "--lang", "zh", cwd=folder)

    assert any("\u4e00" <= letter <= "\u9fff" for letter in ran.stdout)
