"""Compiles many emitted networks into one program and runs them at given values.

A compiler costs seconds, so networks share one: each lies in its own namespace of one file, whose
main reads doubles from a file and prints losses and gradients as JSON.
"""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from derivgen.lowering.program import Program
from derivgen.targets.emit import emit
from derivgen.values import Values

FLAGS = ("-std=c++17", "-march=native", "-Wall", "-Wextra", "-Wshadow", "-Wconversion", "-Werror")

MAIN = """
#include <cstdio>
#include <vector>
static std::FILE* values_file;
static double next_value() {
  double value = 0;
  if (std::fread(&value, sizeof value, 1, values_file) != 1) std::perror("values");
  return value;
}
"""

RUN = """
static void run_NAME(int samples) {
  using namespace NAME;
  Parameters<double> parameters;
  Parameters<double> gradients;
  Batch<double> batch;
  Workspace<double> work;
  for (auto* values : parameters.all_and_states()) {
    for (double& value : *values) value = next_value();
  }
  batch.resize(samples);
  each_tensor(batch, [](std::size_t, auto& values) {
    using value_type = typename std::decay_t<decltype(values)>::value_type;
    for (auto& value : values) value = static_cast<value_type>(next_value());
  });
  const double loss = loss_and_gradients(parameters, batch, work, gradients);
  std::printf("{\\"loss\\": %.17g, \\"gradients\\": [", loss);
  const char* comma = "";
  for (auto* values : gradients.all()) {
    std::printf("%s[", comma);
    comma = "";
    for (double value : *values) { std::printf("%s%.17g", comma, value); comma = ", "; }
    std::printf("]");
    comma = ", ";
  }
  std::printf("]}\\n");
}
"""


@dataclass(frozen=True)
class Case:
    """A program, the values to run it at (one entry for each sample), and its name."""

    name: str
    program: Program
    samples: tuple[Values, ...]


def compiled(cases: list[Case], folder: Path, level: str = "-O0") -> Path:
    """Return the program made of all cases."""
    parts = []
    for case in cases:
        program = replace(case.program, name=case.name)
        source = folder / f"{case.name}.cpp"
        source.write_text(emit(program, "cpp", "float64")["trainer.cpp"], encoding="utf-8")
        parts.append(f'#include "{source.name}"')
    runs = [RUN.replace("NAME", case.name) for case in cases]
    calls = [f"  run_{case.name}({len(case.samples)});" for case in cases]
    main = ["int main(int, char** arguments) {", '  values_file = std::fopen(arguments[1], "rb");']
    whole = ["#define DERIVGEN_NO_MAIN", *parts, MAIN, *runs, *main, *calls, "}"]
    (folder / "all.cpp").write_text("\n".join(whole) + "\n", encoding="utf-8")
    build(folder / "all.cpp", folder / "all", level)
    return folder / "all"


def build(source: Path, program: Path, level: str = "-O1") -> None:
    """Compile a file with all warnings as errors."""
    command = ["g++", *FLAGS, level, str(source), "-o", str(program)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[:4000]


def numbers(case: Case) -> np.ndarray:
    """Return the values of a case in the order in which the program reads them."""
    program = case.program
    first = case.samples[0].arrays
    parts = [first[p.name] for p in program.parameters]
    parts += [first[name] for name in program.states]
    given = (*program.inputs, *program.targets, *program.constants)
    for name in (*given, *(r.name for r in program.randoms)):
        axis = program.arrays[name].sample_axis if program.lifted else None
        if axis is None:
            parts.append(first[name])
        else:
            parts.append(np.stack([v.arrays[name] for v in case.samples], axis))
    return np.concatenate([np.ravel(np.asarray(p, float)) for p in parts] or [np.zeros(0)])


def results(cases: list[Case], folder: Path, level: str = "-O0") -> dict[str, dict]:
    """Return loss and gradients (flat, in order of the parameters) of every case."""
    program = compiled(cases, folder, level)
    data = np.concatenate([numbers(case) for case in cases])
    (folder / "values.bin").write_bytes(data.astype("<f8").tobytes())
    command = [str(program), str(folder / "values.bin")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    lines = done.stdout.replace("nan", "NaN").replace("inf", "Infinity").splitlines()
    return {case.name: json.loads(line) for case, line in zip(cases, lines, strict=True)}
