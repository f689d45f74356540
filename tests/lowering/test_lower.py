"""Programs: sizes, ranges, write modes, parts, what is left out."""

from __future__ import annotations

import pytest

from derivgen.calculus.engine import derive
from derivgen.errors import EquationError
from derivgen.language import parse
from derivgen.lowering import lower
from derivgen.lowering.program import Fill, Kind, Loop, Nest, Write, nests

MLP = """network mlp
dim D = 2, S = 3, K = 4
index d: D, s: S, k: K
input x[d]
target y[k] onehot
param V[s,d], c[s], W[k,s]
h[s] = tanh(sum[d](V[s,d]*x[d]) + c[s])
yhat[k] = softmax[k](sum[s](W[k,s]*h[s]))
loss E = -sum[k](y[k]*log(yhat[k]))
"""
RNN = """network rnn
dim T = 4, H = 3
index t: T, j: H, k: H
input x[t,j]
param R[j,k]
h[t,j] = tanh(sum[k](R[j,k]*h[t-1,k; 0]) + x[t,j])
loss E = sum[j](h[T-1,j])
"""


def program_of(text: str, dims=None):
    return lower(derive(parse(text)), dims)


def texts(blocks) -> list[str]:
    return [nest.text for nest in nests(blocks)]


def test_sizes_are_numbers_and_the_number_of_samples_a_letter():
    program = program_of(MLP, {"S": 5})

    array = program.arrays["h"]

    assert dict(program.dims) == {"D": 2, "S": 5, "K": 4}
    assert [str(size) for size in array.shape] == [str(program.samples), "5"]
    assert array.sample_axis == 0 and array.inner_shape == (5,) and array.letters[1] == "S"


def test_a_size_without_a_number_is_refused():
    text = MLP.replace("S = 3", "S")

    with pytest.raises(EquationError) as refused:
        program_of(text)

    assert "dim S" in str(refused.value) and "Write dim S = 5, say." in str(refused.value)


def test_a_function_without_a_definition_is_refused():
    text = "network f\nfunction f\ninput x\nparam w\nloss E = f(w*x)\n"

    with pytest.raises(EquationError) as refused:
        program_of(text)

    assert "Write define f(z) = ... instead." in str(refused.value)


def test_matrix_products_are_contractions_with_their_factors():
    program = program_of(MLP)

    found = [n for n in nests(program.backward) if n.kind is Kind.CONTRACTION]

    assert {n.statement.lhs.tensor for n in found} >= {"adj_W", "adj_V", "adj_c"}
    product = next(n for n in found if n.statement.lhs.tensor == "adj_W")
    assert [access.tensor for access in product.factors][-1] == "h"


def test_first_writes_assign_and_later_ones_add():
    program = program_of(MLP)

    writes = [n.write for n in nests(program.forward) if n.statement.lhs.tensor == "z_h"]

    assert writes == [Write.SET, Write.FOLD]
    assert not any(isinstance(block, Fill) for block in program.forward)


def test_nobody_computes_what_nobody_asks_for():
    program = program_of(MLP)

    written = {nest.statement.lhs.tensor for nest in nests(program.backward)}

    assert "adj_yhat" not in written and "adj_x" not in written


def test_prediction_needs_no_targets():
    program = program_of(MLP)

    read = " ".join(texts(program.predict))

    assert program.output == "yhat" and program.evaluate is program.forward
    assert "y[n" not in read.replace("yhat[", "")


def test_a_recurrence_is_a_loop_and_its_gradient_one_that_runs_back():
    program = program_of(RNN)

    (forward,) = [block for block in program.forward if isinstance(block, Loop)]
    (backward,) = [block for block in program.backward if isinstance(block, Loop)]

    assert not forward.reverse and backward.reverse
    assert all(isinstance(block, Nest) for block in forward.blocks)


def test_entries_folded_before_their_own_step_are_never_assigned():
    text = RNN.replace("E = sum[j](h[T-1,j])", "E = sum[t,j](h[t,j]*h[t-1,j; 0])")

    program = program_of(text)

    for block in program.backward:
        if isinstance(block, Loop):
            own = [n for n in block.blocks if n.statement.lhs.tensor == "adj_h"]
            places = {str(n.statement.lhs.indices) for n in own}
            assert len(places) == 1 or all(n.write is Write.FOLD for n in own)


def test_a_gradient_nothing_reaches_is_filled_with_zeros():
    program = program_of("network idle\ninput x\nparam w, idle\nloss E = (w*x)^2\n")

    assert Fill("adj_idle", 0.0) in program.backward


def test_conditions_on_one_index_become_its_range():
    text = """network ranges
index i: 5
input x[i]
param w
loss E = sum[i]([i >= 2]*w*x[i])
"""
    (nest, *_) = [n for n in nests(program_of(text).forward) if "sum[i]" in n.text]

    index = next(i for i in nest.statement.indices if i.name == "i")

    assert nest.statement.guard == ()
    assert (index.low.constant, index.high.constant) == (2, 5)


def test_prediction_replaces_random_tensors_and_batch_statistics():
    text = """network modes
batch n
input x[n]
param w = 1
random m[n] = bernoulli(0.5), predict 1
mu = mean[n](w*x[n]), predict 0.25
h[n] = (w*x[n] - mu)*m[n]
loss E = mean[n](h[n]^2)
output h
"""
    program = program_of(text)

    training, prediction = " ".join(texts(program.forward)), " ".join(texts(program.predict))

    assert "m[n]" in training and "m_predict[n] = 1" in prediction
    assert "sum[n]" not in prediction and "mu = 0.25" in prediction.replace("1/4", "0.25")


def test_the_hash_depends_on_text_and_sizes():
    hashes = {program_of(MLP).hash, program_of(MLP, {"S": 5}).hash, program_of(RNN).hash}

    assert len(hashes) == 3
    assert program_of(MLP).hash == program_of(MLP).hash
