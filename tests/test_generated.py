"""``generated/`` is what `derivgen build` writes, whatever the hash seed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from derivgen import gallery
from derivgen.cli.build import built_files, differences

ROOT = Path(__file__).resolve().parent.parent
GENERATED = ROOT / "generated"
HASH_SEEDS = ("0", "1", "12345")


@pytest.mark.parametrize("name", gallery.names())
def test_the_tree_is_as_built(name):
    made = built_files(name)

    found = list(differences({k.split("/", 1)[1]: v for k, v in made.items()}, GENERATED / name))

    assert not found, "\n".join(found)[:20000] + "\nRun derivgen build and read the diff."


def test_the_tree_holds_the_shipped_networks_and_nothing_else():
    assert sorted(p.name for p in GENERATED.iterdir()) == sorted(gallery.names())


def test_the_bytes_are_the_same_under_any_hash_seed(tmp_path):
    for seed in HASH_SEEDS:
        subprocess.run(
            [sys.executable, "-m", "derivgen", "build", "-o", str(tmp_path / seed)],
            cwd=ROOT,
            env=os.environ | {"PYTHONHASHSEED": seed},
            check=True,
        )

    first = tmp_path / HASH_SEEDS[0]
    files = [p.relative_to(first) for p in sorted(first.rglob("*")) if p.is_file()]
    assert files
    for seed in HASH_SEEDS[1:]:
        other = tmp_path / seed
        assert [p.relative_to(other) for p in sorted(other.rglob("*")) if p.is_file()] == files
        for file in files:
            assert (other / file).read_bytes() == (first / file).read_bytes(), file
