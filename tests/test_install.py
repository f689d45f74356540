"""The wheel and the source distribution hold everything, and work from a clean environment.

Run with ``python -m pytest -m slow tests/test_install.py``; it installs from the package index.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SHIPPED = (
    "derivgen/language/library.dg",
    "derivgen/language/reference.md",
    "derivgen/gallery/mazur.dg",
    "derivgen/gallery/data/digits.csv",
    "derivgen/gallery/data/ATTRIBUTION.md",
    "derivgen/gallery/gallery.toml",
)

pytestmark = pytest.mark.slow


def run(*command: str | Path, cwd: Path) -> str:
    """Run a command without this tree on the path and return what it prints."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    ran = subprocess.run(
        list(map(str, command)), cwd=cwd, env=environment, capture_output=True, text=True
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Return a folder with the wheel and the source distribution, and a tool environment."""
    folder = tmp_path_factory.mktemp("built")
    run(sys.executable, "-m", "venv", "tools", cwd=folder)
    run(folder / "tools/bin/pip", "install", "-q", "build", cwd=folder)
    run(folder / "tools/bin/python", "-m", "build", "-o", folder / "dist", ROOT, cwd=folder)
    return folder


def test_the_wheel_holds_templates_library_and_data(built):
    [wheel] = (built / "dist").glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())

    templates = sorted((ROOT / "templates").rglob("*.jinja"))
    assert templates
    assert {f"derivgen/{p.relative_to(ROOT)}" for p in templates} <= names
    assert set(SHIPPED) <= names


def test_the_source_distribution_holds_what_its_tests_need(built):
    [sdist] = (built / "dist").glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.split("/", 1)[-1] for name in archive.getnames()}

    assert {"tests/conftest.py", "README.md", "LICENSE", "pyproject.toml", ".ci/run"} <= names
    assert "templates/numpy/trainer.py.jinja" in names
    assert "generated/mazur/trainer.cpp" in names


@pytest.mark.parametrize("kind", ["*.whl", "*.tar.gz"])
def test_an_installed_derivgen_works_away_from_its_source(kind, built, tmp_path):
    [package] = (built / "dist").glob(kind)
    run(sys.executable, "-m", "venv", "venv", cwd=tmp_path)
    run(tmp_path / "venv/bin/pip", "install", "-q", package, cwd=tmp_path)
    derivgen = tmp_path / "venv/bin/derivgen"

    assert "derivgen" in run(derivgen, "--version", cwd=tmp_path)
    assert "mazur" in run(derivgen, "list", cwd=tmp_path)
    assert "sum[" in run(derivgen, "show", "language", cwd=tmp_path)
    assert "documentclass" in run(derivgen, "derive", "mazur", "--to", "latex", cwd=tmp_path)
    assert "0.298371" in run(derivgen, "eval", "mazur", "--target", "cpp", cwd=tmp_path)
    assert '"verdict": "pass"' in run(derivgen, "check", "iris", "--json", cwd=tmp_path)
    assert "accuracy" in run(derivgen, "train", "iris", "--epochs", "2", cwd=tmp_path)
