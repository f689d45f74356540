"""The work of deriving and emitting grows linearly with depth, whatever the layers are made of.

Work is counted in calls, which no other work on the machine can change.
"""

from __future__ import annotations

import cProfile
from collections.abc import Callable

import pytest

from derivgen.calculus import lemmas
from derivgen.calculus.engine import derive
from derivgen.errors import LimitError
from derivgen.language import parse
from derivgen.lowering import lower
from derivgen.notes import render
from derivgen.targets.emit import emit

DEPTH = 8
SLACK = 1.1  # for what grows with the digits of a layer's number

HEAD = "network deep\nindex i: 3, j: 3, t: 2\ninput x[{axes}]\ntarget y[{axes}]\n"


def dense(depth: int) -> str:
    lines = [f"h{n} = dense({f'h{n - 1}' if n > 1 else 'x'}, 3, tanh)" for n in range(1, depth + 1)]
    return "\n".join(
        ["network deep\ninput x[3]\ntarget y[3]", *lines, f"loss E = mse(h{depth}, y)"]
    )


def recurrent(depth: int) -> str:
    params = [f"param W{n}[i,j], R{n}[i,j]" for n in range(1, depth + 1)]
    lines = [
        f"h{n}[t,i] = tanh(sum[j](W{n}[i,j]*{f'h{n - 1}' if n > 1 else 'x'}[t,j])"
        f" + sum[j](R{n}[i,j]*h{n}[t-1,j; 0]))"
        for n in range(1, depth + 1)
    ]
    loss = f"loss E = sum[t,i]((h{depth}[t,i] - y[t,i])^2)"
    return HEAD.format(axes="t,i") + "\n".join([*params, *lines, loss])


def one_weight(depth: int) -> str:
    lines = [
        f"h{n}[i] = tanh(sum[j](W[i,j]*{f'h{n - 1}' if n > 1 else 'x'}[j]))"
        for n in range(1, depth + 1)
    ]
    total = " + ".join(f"h{n}[i]" for n in range(1, depth + 1))
    loss = f"s[i] = {total}\nloss E = sum[i]((s[i] - y[i])^2)"
    return HEAD.format(axes="i") + "\n".join(["param W[i,j]", *lines, loss])


def terms(depth: int) -> str:
    numbers = range(10 * depth)
    params = "param " + ", ".join(f"w{n}" for n in numbers)
    loss = "loss E = " + " + ".join(f"w{n}*sin(x*w{n})" for n in numbers)
    return f"network wide\ninput x\n{params}\n{loss}"


def factors(count: int) -> str:
    numbers = range(count)
    params = "param " + ", ".join(f"w{n}" for n in numbers)
    loss = "loss E = " + "*".join(f"(w{n} + x)" for n in numbers)
    return f"network wide\ninput x\n{params}\n{loss}"


def emitted(text: str) -> None:
    program = lower(derive(parse(text)))
    for target in ("numpy", "cpp"):
        emit(program, target)


def noted(text: str) -> None:
    render(derive(parse(text)), "text")


def calls(work: Callable[[str], None], text: str) -> int:
    """Return how many calls it takes to do some work on a network."""
    counter = cProfile.Profile()
    counter.enable()
    work(text)
    counter.disable()
    return sum(entry.callcount for entry in counter.getstats())


WORK = [(emitted, dense), (emitted, recurrent), (emitted, one_weight), (noted, dense)]
WORK += [(emitted, terms)]


@pytest.mark.parametrize(("work", "network"), WORK)
def test_twice_the_depth_takes_twice_the_work(
    work: Callable[[str], None], network: Callable[[int], str]
):
    work(network(2))  # imports, templates and slopes

    few, more, most = (calls(work, network(DEPTH * times)) for times in (1, 2, 4))

    assert most - more < 2 * SLACK * (more - few)


def test_the_work_of_a_long_product_is_no_square():
    emitted(factors(240))  # imports, templates and slopes

    assert calls(emitted, factors(240)) < 4 * SLACK * calls(emitted, factors(60))


def test_definitions_that_double_each_time_end_with_a_message(monkeypatch):
    monkeypatch.setattr(lemmas, "LONGEST_SLOPE", 1000)
    lines = [f"define f{n}(z) = f{n - 1}(z) + f{n - 1}(2*z)" for n in range(1, 25)]
    text = "\n".join(["network d", "input x", "param w", "define f0(z) = sin(z)", *lines])

    with pytest.raises(LimitError, match="f[0-9]+\n  Its slope has more than 1000 parts"):
        derive(parse(f"{text}\nloss E = f24(w*x)"))
