"""From a program to files: one printer, one template folder, one table row for each target."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import jinja2

from derivgen.algebra.pause import no_collection
from derivgen.errors import NameProblem
from derivgen.lowering.program import Program
from derivgen.targets import templates_folder


def emit(
    program: Program, target: str = "numpy", dtype: str = "float32", predict_only: bool = False
) -> dict[str, str]:
    """Return the emitted files by name.

    Raises: NameProblem, if there is no such target.
    """
    if target not in TARGETS:
        raise NameProblem(target, "There is no such target.", f"Targets: {', '.join(TARGETS)}.")
    with no_collection():
        return TARGETS[target](program, dtype, predict_only)


def _numpy(program: Program, dtype: str, predict_only: bool) -> dict[str, str]:
    from derivgen.targets.numpy import view_of

    file = f"{'predictor' if predict_only else 'trainer'}.py"
    view = view_of(program, dtype, file, trains=not predict_only)
    return {file: render(f"numpy/{file}.jinja", view)}


def _cpp(program: Program, dtype: str, predict_only: bool) -> dict[str, str]:
    from derivgen.targets.cpp import emit_cpp

    return emit_cpp(program, dtype, predict_only)


TARGETS: dict[str, Callable[[Program, str, bool], dict[str, str]]] = {
    "numpy": _numpy,
    "cpp": _cpp,
}


def render(template: str, view: Any) -> str:
    """Return a template filled with a view."""
    return environment(templates_folder()).get_template(template).render(view=view)


@cache
def environment(folder: Path) -> jinja2.Environment:
    """Return the environment all templates share."""
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )
