"""What is wrong with a network is said with its place, both values, and what to write."""

from __future__ import annotations

import pytest

from derivgen.errors import DerivgenError, LimitError
from derivgen.language import parse

BASE = "network n\ndim D = 3, H = 4\nindex i: D, h: H\ninput x[i]\nparam W[h,i], c[h]\n"

# name: (text, first line, a part of the advice)
MISTAKES = {
    "an index neither free nor bound": (
        BASE + "z[h] = W[h,i]*x[i] + c[h]\nloss E = sum[h](z[h])",
        "net.dg:6:12: EquationError: z[h] = W[h,i]*x[i] + c[h]",
        "Write sum[i](W[h,i]*x[i]) + c[h].",
    ),
    "too few indices": (
        BASE + "z[h] = sum[i](W[h]*x[i])\nloss E = sum[h](z[h])",
        "net.dg:6:15: ShapeError: z[h] = sum[i](W[h]*x[i])",
        "Write W with 2 indices.",
    ),
    "swapped indices": (
        BASE + "z[h] = sum[i](W[i,h]*x[i])\nloss E = sum[h](z[h])",
        "net.dg:6:15: ShapeError: W[i,h]",
        "Use an index of size H there",
    ),
    "an index of another letter, though smaller": (
        "dim B = 3, H = 4\nindex b: B\nparam W[H]\nloss E = sum[b](W[b])",
        "net.dg:4:17: ShapeError: W[b]",
        "if the sizes belong together, say so: dim H = B + 1",
    ),
    "an index position filled by a number": (
        BASE + "z = max[i](x[i])\nloss E = x[z]",
        "net.dg:7:12: EquationError: loss E = x[z]",
        "compute it from argmax",
    ),
    "a size that is no whole number": (
        "dim D = 2.5\nparam w[D]\nloss E = w[0]",
        "net.dg:1:9: EquationError: dim D = 2.5",
        "Indices and sizes are whole numbers.",
    ),
    "a product of two sizes": (
        "dim G = 2, A = 3\nparam w[G*A]\nloss E = w[0]",
        "net.dg:2:9: EquationError: param w[G*A]",
        "Give the product a letter and a number of its own",
    ),
    "a layer misspelt": (
        BASE + "z = dnse(x, 3)\nloss E = z[0]",
        "net.dg:6:5: NameProblem: z = dnse(x, 3)",
        "Did you mean dense?",
    ),
    "a winner that has no name": (
        BASE + "loss E = c[argmax[h](c[h])]",
        "net.dg:6:12: EquationError: loss E = c[argmax[h](c[h])]",
        "best = argmax(...), and write best here",
    ),
    "index values without end": (
        "index t: 5\nparam v[t]\np[0] = 0\np[t] = p[t-1] + 1\nloss E = v[p[2]]",
        "net.dg:3:1: EquationError: p",
        "Compute it from argmax",
    ),
    "an access that leaves its range": (
        BASE + "z[i] = x[i-1]\nloss E = sum[i](z[i])",
        "net.dg:6:8: EquationError: x[i-1]",
        "Say what is read outside, x[i-1; 0]",
    ),
    "a recurrence without a beginning": (
        BASE + "z[i] = 2*z[i-1]\nloss E = sum[i](z[i])",
        "net.dg:6:10: EquationError: z[i-1]",
        "add a base case",
    ),
    "a constant beyond the axis": (
        BASE + "loss E = x[3]",
        "net.dg:6:10: EquationError: x[3]",
        "narrow the index",
    ),
    "a gap": (
        BASE + "z[0] = 1\nz[2] = 1\nloss E = sum[i](z[i])",
        "net.dg:7:1: EquationError: z[2] = 1",
        "for example z[1] = 0",
    ),
    "a double definition": (
        BASE + "z[i] = 1\nz[h] = 1\nloss E = sum[i](z[i])",
        "net.dg:7:1: EquationError: z[h] = 1",
        "Let their ranges not meet",
    ),
    "two base cases that meet": (
        "index i: 3, j: 3\nz[0,j] = 1\nz[i,0] = 2\nz[i,j] = 3\nloss E = z[1,1]",
        "net.dg:3:1: EquationError: z[i,0] = 2",
        "Let their ranges not meet",
    ),
    "a cycle": (
        "a = b + 1\nb = a\nloss E = a",
        "net.dg:1:1: EquationError: a = b + 1",
        "Read an earlier value",
    ),
    "a quantity defined by itself": (
        BASE + "z[i] = z[i] + x[i]\nloss E = sum[i](z[i])",
        "net.dg:6:1: EquationError: z[i] = z[i] + x[i]",
        "Read an earlier value",
    ),
    "an undefined tensor": (
        BASE + "loss E = sum[i](y[i])",
        "net.dg:6:17: NameProblem: loss E = sum[i](y[i])",
        "Declare it",
    ),
    "a misspelt function": (
        BASE + "loss E = sigmoyd(c[0])",
        "net.dg:6:10: NameProblem: loss E = sigmoyd(c[0])",
        "Did you mean sigmoid?",
    ),
    "no loss": (
        BASE + "z[h] = c[h]",
        "net.dg:6:1: EquationError: z[h] = c[h]",
        "Write loss E = ...",
    ),
    "a loss that is a vector": (
        BASE + "loss E = x",
        "net.dg:6:10: ShapeError: loss E = x",
        "Write x[i].",
    ),
    "two losses": (
        "param a\nloss E = a\nloss F = a",
        "net.dg:3:6: NameProblem: loss F = a",
        "Write one loss",
    ),
    "a product without an operator": (
        "param a\nloss E = 2a",
        "net.dg:2:10: SyntaxProblem: loss E = 2a",
        "Write 2*a.",
    ),
    "two names side by side": (
        "param a, b\nloss E = a b",
        "net.dg:2:12: SyntaxProblem: loss E = a b",
        "Write an operator between: a * b.",
    ),
    "a backslash": (
        "param a\nloss E = \\input{x}",
        "net.dg:2:10: SyntaxProblem: loss E = \\input{x}",
        "without a backslash",
    ),
    "a greek letter": ("param α\nloss E = α", "net.dg:1:7: SyntaxProblem: param α", "Write alpha."),
    "an open bracket": (
        "param a\nloss E = (a",
        "net.dg:2:10: SyntaxProblem: loss E = (a",
        "Write the missing ).",
    ),
    "a chain of comparisons": (
        "index i: 3\nparam a[i]\nloss E = sum[i]([0 < i < 2]*a[i])",
        "net.dg:3:24: SyntaxProblem: loss E = sum[i]([0 < i < 2]*a[i])",
        "Write a < b and b < c.",
    ),
    "a fact about a parameter": (
        BASE + "assume sum[h](c[h]) = 1\nloss E = sum[h](c[h])",
        "net.dg:6:1: FactError: assume sum[h](c[h]) = 1",
        "A fact is about inputs, targets and consts.",
    ),
    "a fact that nothing can be drawn for": (
        "input x[3], y[3]\nparam a\nassume sum[i](x[i]*y[i]) = 1\nloss E = a*x[0]*y[0]",
        "net.dg:3:1: FactError: assume sum[i](x[i]*y[i]) = 1",
        "Write it as sum[k](x[k]) = c",
    ),
    "facts that contradict each other": (
        "index k: 3\ntarget y[k] onehot\nparam a\nassume sum[k](y[k]) = 2\nloss E = a*y[0]",
        "net.dg:4:1: FactError: assume sum[k](y[k]) = 2",
        "Keep one of the two.",
    ),
    "a name declared twice": (
        "param c, c\nloss E = c",
        "net.dg:1:10: NameProblem: param c, c",
        "Give one of them another name.",
    ),
    "a number that is an index": (
        "index k: 3\nparam k\nloss E = k",
        "net.dg:2:7: NameProblem: param k",
        "Give one of them another name.",
    ),
    "a reserved beginning": (
        "param adj_W\nloss E = adj_W",
        "net.dg:1:7: NameProblem: param adj_W",
        "Choose another name.",
    ),
    "half an index": (
        BASE + "loss E = sum[i](x[i/2])",
        "net.dg:6:19: EquationError: loss E = sum[i](x[i/2])",
        "quotients are i//2",
    ),
    "numbers that index": (
        "index k: 3\ninput x[k], u\nloss E = x[u]",
        "net.dg:3:12: EquationError: loss E = x[u]",
        "Declare it as input u of k",
    ),
    "an empty index": (
        "index i: 0\nparam a[i]\nloss E = sum[i](a[i])",
        "net.dg:1:7: EquationError: index i: 0",
        "Sizes are at least 1.",
    ),
    "values of another shape": (
        "param W[3,2] = [[1,2],[3,4]]\nloss E = W[0,0]",
        "net.dg:1:16: ShapeError: param W[3,2] = [[1,2],[3,4]]",
        "Write 3 values there.",
    ),
    "an unknown initialiser": (
        "param w[2] = glorrot\nloss E = w[0]",
        "net.dg:1:14: NameProblem: param w[2] = glorrot",
        "There are constant, fan_in, glorot",
    ),
    "an unknown optimiser": (
        "param a\nloss E = a\ntrain with addam(lr=1)",
        "net.dg:3:12: NameProblem: train with addam(lr=1)",
        "There are adagrad, adam",
    ),
    "an unknown setting": (
        "param a\nloss E = a\ntrain with adam(lrr=1)",
        "net.dg:3:17: NameProblem: train with adam(lrr=1)",
        "Its settings are lr, beta1, beta2, eps.",
    ),
    "a fold without indices": (
        "param a\nloss E = sum(a)",
        "net.dg:2:10: SyntaxProblem: loss E = sum(a)",
        "Write sum[i](...).",
    ),
    "a condition as a number": (
        "param a\nloss E = (a > 0)*a",
        "net.dg:2:13: SyntaxProblem: loss E = (a > 0)*a",
        "Write [i = j] for 1 or 0",
    ),
    "two sizes for one letter": (
        "input x[3], y[4]\nloss E = sum[i](x[i]*y[i])",
        "net.dg:2:22: ShapeError: loss E = sum[i](x[i]*y[i])",
        "Use two letters, or declare index i: SIZE.",
    ),
    "tensors of different shape added": (
        "input x[3], y[4]\nz = x + y\nloss E = sum[i](z[i])",
        "net.dg:2:9: ShapeError: z = x + y",
        "Write the equation with indices.",
    ),
    "a layer's setting that it has not": (
        "input x[3]\nh = dense(x, 2, V = 3)\nloss E = sum[o](h[o])",
        "net.dg:2:5: SyntaxProblem: h = dense(x, 2, V = 3)",
        "Write dense(x[i], O, f = identity).",
    ),
    "a layer applied to a number": (
        "input x\nh = dense(x, 2)\nloss E = sum[o](h[o])",
        "net.dg:2:11: ShapeError: h = dense(x, 2)",
        "Write dense(x[i], O, f = identity).",
    ),
    "a loss of different shapes": (
        "input x[3]\ntarget y[2]\nloss E = mse(x, y)",
        "net.dg:3:17: ShapeError: loss E = mse(x, y)",
        "Give them the same further axes",
    ),
    "a size made from a later one": (
        "dim T = S + 1\ndim S = 2\nparam a\nloss E = a",
        "net.dg:1:5: NameProblem: dim T = S + 1",
        "Write dim S first.",
    ),
    "a text to include from": (
        'include "rows.dg"\nparam a\nloss E = a',
        'net.dg:1:1: FileProblem: include "rows.dg"',
        "relative to the network's file",
    ),
}


@pytest.mark.parametrize("text, first, advice", MISTAKES.values(), ids=MISTAKES.keys())
def test_a_mistake_is_named_with_its_place_and_advice(text: str, first: str, advice: str) -> None:
    with pytest.raises(DerivgenError) as caught:
        parse(text, "net.dg")

    message = str(caught.value).splitlines()
    assert message[0] == first
    assert advice in message[-1]
    assert len(message) == 3


ACCEPTED = {
    "a guard by where": "z[i] = where(i > 0, x[i-1], 0)",
    "a guard by a bracket": "z[i] = [i >= 1]*x[i-1]",
    "a guard by a factor that is 0": "z[i] = where(i > 0, 2, 0)*x[i-1] + [i > 0]/2*x[i-1]",
    "a guard by its opposite": "z[i] = where(i = 0, 0, x[i-1])",
    "a guard on two indices": "z[i] = sum[j]([j <= i]*x[i-j])",
    "what is read outside": "z[i] = x[i-1; 0] + x[i+1; x[0]]",
    "a base case": "z[0] = 1\nz[i] = 2*z[i-1]",
    "base cases at both ends": "z[0] = 1\nz[2] = 1\nz[i] = x[i-1] + x[i+1]",
    "a shifted left side": "index u: D - 1\nz[0] = 1\nz[u+1] = z[u] + x[u+1] - x[u]",
    "a remainder": "z[i] = x[(2*i + 1) % 3]",
    "a quotient": "z[i] = x[i//2]",
    "backwards": "z[i] = x[D-1-i] + z[i+1; 0]",
    "a smaller index that is meant": "index j: 2\nz[i] = x[i]\ny[j] = x[j] + x[j+1]",
    "a diagonal": "A[i,j] = [i = j]*x[i]\nz[i] = A[i,i]",
    "an index value": "input t[i] of i\nz[i] = x[t[i]]*[t[i] != i]",
}


@pytest.mark.parametrize("lines", ACCEPTED.values(), ids=ACCEPTED.keys())
def test_what_stays_inside_its_range_is_accepted(lines: str) -> None:
    text = f"dim D = 3\nindex i: D, j: D\ninput x[i]\n{lines}\nloss E = sum[i](z[i])"
    text = text.replace("index i: D, j: D\n", "index i: D\n") if "index j" in lines else text

    assert parse(text).loss == "E"


def test_sizes_stay_open_and_accesses_are_decided_for_all_of_them() -> None:
    text = "dim T\nindex t: T\ninput x[t]\nh[t] = x[t] + h[t-1; 0]\nloss E = h[T-1]"

    assert parse(text).loss == "E"


HOSTILE = ["E", "I", "S", "N", "lambda", "beta", "gamma", "int", "main", "x__y", "class", "float"]
HOSTILE += ["template", "exp_", "where_", "sum", "max", "d"]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_sensible_name_may_be_used(name: str) -> None:
    network = parse(f"param {name}\nloss J = {name}^2 + max({name}, 2)")

    assert name in network.tensors


@pytest.mark.parametrize("name", ["a;b", "\\input", "a$b", "a{b}", "a b", "1a", "α", "a'", "x\x00"])
def test_a_hostile_name_is_refused(name: str) -> None:
    with pytest.raises(DerivgenError):
        parse(f"param {name}\nloss J = {name}^2")


def test_a_batch_may_number_samples_by_a_declared_index():
    sizes = "dim N\nindex n: N, k: 3\nbatch n\n"
    text = sizes + "input x[n,k]\nparam w[k]\nloss E = mean[n,k](w[k]*x[n,k])\n"

    network = parse(text)

    assert network.batch == next(index for index in network.indices if index.name == "n")


def test_a_number_beyond_double_precision_is_refused():
    with pytest.raises(LimitError, match="larger than a double"):
        parse("param w = 1e400\nloss E = w\n")
