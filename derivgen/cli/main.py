"""The command ``derivgen``: its commands, and how errors become messages and exit codes.

0 ok; 1 a check failed or stays inconclusive, training diverged, or a formula is wrong; 2 usage or
model text; 3 data; 4 no formula was understood; 5 files and tools. No error a user can cause ends
in a traceback.
"""

from __future__ import annotations

import io
import os
import sys
from typing import Annotated, NoReturn

import typer

from derivgen.cli import build, check, code, derive, emit, evaluate, show, train, verify
from derivgen.cli.console import say
from derivgen.errors import DerivgenError, LimitError
from derivgen.version import VERSION

INTERNAL = 70  # EX_SOFTWARE: a defect of derivgen itself

app = typer.Typer(
    name="derivgen",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Networks written as index equations: their derivations, NumPy and C++ trainers.",
)


def _version(asked: bool) -> None:
    if asked:
        print(f"derivgen {VERSION}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Networks written as index equations: their derivations, NumPy and C++ trainers."""


app.command("list")(show.list_names)
app.command("show")(show.show_name)
app.command("new")(show.new)
app.command("derive")(derive.derive_command)
app.command("emit")(emit.emit_command)
app.command("check")(check.check_command)
app.command("check-code")(code.check_code_command)
app.command("eval")(evaluate.eval_command)
app.command("train", **train.PASS_THROUGH)(train.train_command)
app.command("verify")(verify.verify_command)
app.command("build")(build.build_command)


def main() -> NoReturn:
    """Run the command line and end the process with its exit code."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a console without Chinese, say
    try:
        app(prog_name="derivgen")
    except DerivgenError as problem:
        _end(str(problem), problem.exit_code)
    except RecursionError:
        _end(str(LimitError("the text", "It is nested too deeply.", "Split it into parts.")), 2)
    except BrokenPipeError:
        _leave_pipe()
    except SystemExit as end:
        # Help is printed by libraries, which end the program with 1 where its reader has left.
        if isinstance(end.__context__, BrokenPipeError):
            _leave_pipe()
        raise
    except MemoryError:
        _end("The memory does not suffice: use smaller sizes or fewer rows.", 5)
    except Exception as defect:
        if os.environ.get("DERIVGEN_DEBUG"):
            raise
        _end(_defect(defect), INTERNAL)
    sys.exit(0)


def _leave_pipe() -> NoReturn:
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(0)


def _end(message: str, code: int) -> NoReturn:
    say(message)
    sys.exit(code)


def _defect(defect: Exception) -> str:
    return (
        f"InternalError: {type(defect).__name__}: {defect}\n"
        "  This is a defect of derivgen, not of your text.\n"
        "  Please report it with the output of the same command under DERIVGEN_DEBUG=1."
    )
