"""Trainer of the network logic: forward and backward pass, updates, data, commands.

Made by derivgen 0.1.0: derivgen emit logic --target numpy --dtype float32
Emitted code belongs to those who emit it. It needs Python 3.9 and NumPy alone.

    python trainer.py train --data FILE    also: predict, check, eval, bench; --help says more
"""

import argparse
import csv
import gzip
import io
import json
import math
import os
import re
import struct
import sys
import time
import zipfile
import zlib

import numpy as np

# The network as it was written:
#   # Neurons as logic: theta (-30,20,20) is AND, (-10,20,20) OR; a net of them carves regions.
#   network logic
#   dim R = 2, H = 3                          # regions, half-planes of a region
#   index r: R, h: H, c: 2
#   input  q[c] = [1, 0]                      # two truth values
#   input  p[c] = [0.25, 0.25]                # a point of the plane
#   target y_and = 0, y_or = 1, y_in = 1
#   param  theta_and[3] = [-30, 20, 20]
#   param  theta_or[3]  = [-10, 20, 20]
#   param  A[r,h,c] = [[[1, 0], [0, 1], [-1, -1]], [[-1, 0], [0, -1], [1, 1]]]
#   param  o[r,h]   = [[0, 0, 1], [3, 3, -5]]  # x > 0, y > 0, x + y < 1; x < 3, y < 3, x + y > 5
#   const  sharp = 100
#
#   a_and     = sigmoid(theta_and[0] + theta_and[1]*q[0] + theta_and[2]*q[1])
#   a_or      = sigmoid(theta_or[0] + theta_or[1]*q[0] + theta_or[2]*q[1])
#   half[r,h] = sigmoid(sharp*(sum[c](A[r,h,c]*p[c]) + o[r,h]))
#   region[r] = sigmoid(20*sum[h](half[r,h]) - 50)
#   inside    = sigmoid(20*sum[r](region[r]) - 10)
#   loss E = 1/2*((y_and - a_and)^2 + (y_or - a_or)^2 + (y_in - inside)^2)
#   train with sgd(lr = 0.1), epochs 1, batch 1

NETWORK = "logic"
HASH = "5db0143e233c514c8fc48e0c686959ff8af6dbc6ea2fd06830808d841fce9527"
VERSION = "0.1.0"
DTYPE = "float32"

R = 2
H = 3
SIZES = {
    "R": 2,
    "H": 3,
}
SAMPLES = "N"  # the letter for the number of samples, which no size fixes

# Each trained tensor: its shape, the stream of its random numbers, how it starts.
PARAMETERS = {
    "theta_and": ((3,), 1000, ("values",)),  # declared
    "theta_or": ((3,), 1001, ("values",)),  # declared
    "A": ((R, H, 2), 1002, ("values",)),  # declared
    "o": ((R, H), 1003, ("values",)),  # declared
}
# What is kept between steps but not trained, and what never changes.
STATES = {}
CONSTANTS = {
    "sharp": ((), ("constant", 100.0)),
}
# Values that stand in the network's text.
DECLARED = {
    "theta_and": [-30.0, 20.0, 20.0],
    "theta_or": [-10.0, 20.0, 20.0],
    "A": [[[1.0, 0.0], [0.0, 1.0], [-1.0, -1.0]], [[-1.0, 0.0], [0.0, -1.0], [1.0, 1.0]]],
    "o": [[0.0, 0.0, 1.0], [3.0, 3.0, -5.0]],
    "q": [1.0, 0.0],
    "p": [0.25, 0.25],
    "y_and": 0.0,
    "y_or": 1.0,
    "y_in": 1.0,
}
# The shape of one sample of everything data supply; where samples lie among a tensor's axes.
INPUTS = {
    "q": (2,),
    "p": (2,),
}
TARGETS = {
    "y_and": (),
    "y_or": (),
    "y_in": (),
}
RANDOMS = {}
SAMPLE_AXIS = {
    "q": 0,
    "p": 0,
    "y_and": 0,
    "y_or": 0,
    "y_in": 0,
    "a_and": 0,
}
# Tensors that hold index values: the least value, and the one after the largest.
RANGES = {}
ONE_HOT = ()
OUTPUT, OUTPUT_SHAPE = "a_and", ()


class Failure(Exception):
    """An error the user can mend: what it is about, what is wrong, what to do; an exit code."""

    def __init__(self, code, subject, problem="", advice=""):
        super().__init__("\n  ".join(part for part in (subject, problem, advice) if part))
        self.code = code


FAILED, USAGE, DATA, FILES = 1, 2, 3, 5


# --- random numbers: a hash of seed, stream and position, the same bits in every language ---


def mix(words):
    """Return the words scrambled, as at the end of splitmix64 (Steele, Lea, Flood 2014)."""
    words = (words ^ (words >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    words = (words ^ (words >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return words ^ (words >> np.uint64(31))


def random_bits(seed, stream, positions):
    """Return 64 random bits for each position."""
    golden = 0x9E3779B97F4A7C15
    seed = np.array([(seed + golden) % 2**64], np.uint64)
    stream = np.array([(stream * 0xD1B54A32D192ED03 + golden) % 2**64], np.uint64)
    return mix(mix(mix(seed) + stream) + positions.astype(np.uint64) * np.uint64(golden))


def uniform(seed, stream, shape):
    """Return numbers evenly spread over [0, 1)."""
    words = random_bits(seed, stream, np.arange(math.prod(shape)))
    return ((words >> np.uint64(11)) * 2.0**-53).reshape(shape)


def normal(seed, stream, shape):
    """Return standard normal numbers (Box and Muller 1958)."""
    pairs = uniform(seed, stream, (math.prod(shape), 2))
    values = np.sqrt(-2 * np.log(1 - pairs[:, 0])) * np.cos(2 * np.pi * pairs[:, 1])
    return values.reshape(shape)


def started(name, shape, stream, start, seed):
    """Return the first values of a tensor: drawn, constant, or those of the network's text."""
    kind, *numbers = start
    if kind == "values":
        return np.array(DECLARED[name]).reshape(shape)
    if kind == "constant":
        return np.full(shape, numbers[0])
    if kind == "uniform":
        return numbers[0] + (numbers[1] - numbers[0]) * uniform(seed, stream, shape)
    return numbers[0] + numbers[1] * normal(seed, stream, shape)


def parameters(seed=0, dtype=DTYPE):
    """Return parameters, states and constants as at the beginning, by name."""
    params = {name: started(name, *row, seed) for name, row in PARAMETERS.items()}
    for name, (shape, start) in {**STATES, **CONSTANTS}.items():
        params[name] = started(name, shape, 0, start, seed)
    return {name: np.array(values, dtype) for name, values in params.items()}


# --- the network ---


def sigmoid(z):
    """Return 1/(1 + exp(-z))."""
    return 1 / (1 + np.exp(-z))


# Branches that are not taken may overflow; their values are not used.
@np.errstate(all="ignore")
def forward(params, batch):
    """Return the tensors computed from the inputs: the output, and what the gradients need."""
    theta_and = params["theta_and"]
    q = batch["q"]
    # (1) z_a_and[n] = theta_and[0] + theta_and[1]*q[n,0] + theta_and[2]*q[n,1]
    part1 = theta_and[1] * q[:, 0]
    z_a_and = theta_and[0] + part1 + theta_and[2] * q[:, 1]
    # (2) a_and[n] = sigmoid(z_a_and[n])
    a_and = sigmoid(z_a_and)
    return {
        "a_and": a_and,
    }


@np.errstate(all="ignore")
def loss(params, batch, values):
    """Return the mean loss of a batch; what the gradients need of it is added to ``values``."""
    theta_or = params["theta_or"]
    q = batch["q"]
    sharp = params["sharp"]
    A = params["A"]
    p = batch["p"]
    o = params["o"]
    y_and = batch["y_and"]
    a_and = values["a_and"]
    y_or = batch["y_or"]
    y_in = batch["y_in"]
    # (3) z_a_or[n] = theta_or[0] + theta_or[1]*q[n,0] + theta_or[2]*q[n,1]
    part1 = theta_or[1] * q[:, 0]
    z_a_or = theta_or[0] + part1 + theta_or[2] * q[:, 1]
    # (4) a_or[n] = sigmoid(z_a_or[n])
    a_or = sigmoid(z_a_or)
    # (5) z_half[n,r,h] = sum[c](sharp*A[r,h,c]*p[n,c])
    z_half = np.tensordot(sharp * p, A, axes=([1], [2]))
    # (5) z_half[n,r,h] += sharp*o[r,h]
    z_half += sharp * o
    # (7) half[n,r,h] = sigmoid(z_half[n,r,h])
    half = sigmoid(z_half)
    # (9) z_region[n,r] = sum[h](20*half[n,r,h])
    z_region = 20 * half.sum(axis=2)
    # (9) z_region[n,r] += -50
    z_region -= 50
    # (10) region[n,r] = sigmoid(z_region[n,r])
    region = sigmoid(z_region)
    # (11) z_inside[n] = sum[r](20*region[n,r])
    z_inside = 20 * region.sum(axis=1)
    # (11) z_inside[n] += -10
    z_inside -= 10
    # (12) inside[n] = sigmoid(z_inside[n])
    inside = sigmoid(z_inside)
    # (13) E[n] = 1/2*((y_and[n] - a_and[n])^2 + (y_or[n] - a_or[n])^2 + (y_in[n] - inside[n])^2)
    part2 = (y_and - a_and) ** 2
    E = 0.5 * (part2 + (y_or - a_or) ** 2 + (y_in - inside) ** 2)
    values |= {
        "a_or": a_or,
        "half": half,
        "region": region,
        "inside": inside,
        "E": E,
    }
    return E.mean()


def predict(params, batch):
    """Return the output."""
    return forward(params, batch)[OUTPUT]


def evaluate(params, batch):
    """Return the loss and the output."""
    values = forward(params, batch)
    return loss(params, batch, values), values[OUTPUT]


@np.errstate(all="ignore")
def backward(params, batch, values):
    """Return the gradient of the loss by every parameter; ``adj_A`` is the derivative by ``A``."""
    inside = values["inside"]
    y_in = batch["y_in"]
    region = values["region"]
    half = values["half"]
    a_or = values["a_or"]
    y_or = batch["y_or"]
    a_and = values["a_and"]
    y_and = batch["y_and"]
    sharp = params["sharp"]
    p = batch["p"]
    q = batch["q"]
    N = len(batch["q"])
    dtype = params["theta_and"].dtype
    # (16) adj_inside[n] = inside[n] - y_in[n]
    adj_inside = inside - y_in
    # (18) adj_z_inside[n] = adj_inside[n]*inside[n]*(1 - inside[n])
    adj_z_inside = adj_inside * inside * (1 - inside)
    # (20) adj_region[n,r] = 20*adj_z_inside[n]
    adj_region = np.broadcast_to(20 * adj_z_inside[:, None], (N, 2)).copy()
    # (22) adj_z_region[n,r] = adj_region[n,r]*region[n,r]*(1 - region[n,r])
    adj_z_region = adj_region * region * (1 - region)
    # (24) adj_half[n,r,h] = 20*adj_z_region[n,r]
    adj_half = np.broadcast_to(20 * adj_z_region[:, :, None], (N, 2, 3)).copy()
    # (27) adj_z_half[n,r,h] = adj_half[n,r,h]*half[n,r,h]*(1 - half[n,r,h])
    adj_z_half = adj_half * half * (1 - half)
    # (29) adj_a_or[n] = a_or[n] - y_or[n]
    adj_a_or = a_or - y_or
    # (31) adj_z_a_or[n] = adj_a_or[n]*a_or[n]*(1 - a_or[n])
    adj_z_a_or = adj_a_or * a_or * (1 - a_or)
    # (32) adj_a_and[n] = a_and[n] - y_and[n]
    adj_a_and = a_and - y_and
    # (34) adj_z_a_and[n] = adj_a_and[n]*a_and[n]*(1 - a_and[n])
    adj_z_a_and = adj_a_and * a_and * (1 - a_and)
    # (36) adj_o[r,h] = sum[n](adj_z_half[n,r,h]*sharp/N)
    adj_o = sharp * adj_z_half.sum(axis=0) / N
    # (39) adj_A[r,h,c] = sum[n](adj_z_half[n,r,h]*sharp*p[n,c]/N)
    adj_A = sharp * (adj_z_half.transpose(1, 2, 0) @ p) / N
    # (43) adj_theta_or[0] = sum[n](adj_z_a_or[n]/N)
    adj_theta_or = np.empty((3,), dtype)
    adj_theta_or[0] = adj_z_a_or.sum() / N
    # (43) adj_theta_or[1] = sum[n](adj_z_a_or[n]*q[n,0]/N)
    adj_theta_or[1] = (adj_z_a_or * q[:, 0]).sum() / N
    # (43) adj_theta_or[2] = sum[n](adj_z_a_or[n]*q[n,1]/N)
    adj_theta_or[2] = (adj_z_a_or * q[:, 1]).sum() / N
    # (46) adj_theta_and[0] = sum[n](adj_z_a_and[n]/N)
    adj_theta_and = np.empty((3,), dtype)
    adj_theta_and[0] = adj_z_a_and.sum() / N
    # (46) adj_theta_and[1] = sum[n](adj_z_a_and[n]*q[n,0]/N)
    adj_theta_and[1] = (adj_z_a_and * q[:, 0]).sum() / N
    # (46) adj_theta_and[2] = sum[n](adj_z_a_and[n]*q[n,1]/N)
    adj_theta_and[2] = (adj_z_a_and * q[:, 1]).sum() / N
    return {
        "theta_and": adj_theta_and,
        "theta_or": adj_theta_or,
        "A": adj_A,
        "o": adj_o,
    }


def loss_and_gradients(params, batch):
    """Return the loss, its gradients by name, and all tensors of the forward pass."""
    values = forward(params, batch)
    value = loss(params, batch, values)
    return value, backward(params, batch, values), values


FACTS = {}


# --- updates ---


def sgd_step(w, g, state, t, lr):
    """w' = w - lr*g."""
    w -= lr * g


def momentum_step(w, g, state, t, lr, mu):
    """v' = mu*v + g; w' = w - lr*v'."""
    v = state["v"]
    v *= mu
    v += g
    w -= lr * v


def nesterov_step(w, g, state, t, lr, mu):
    """v' = mu*v + g; w' = w - lr*(g + mu*v')."""
    v = state["v"]
    v *= mu
    v += g
    w -= lr * (g + mu * v)


def adagrad_step(w, g, state, t, lr, eps):
    """s' = s + g^2; w' = w - (lr*g/(sqrt(s') + eps))."""
    s = state["s"]
    s += g**2
    w -= lr * g / (np.sqrt(s) + eps)


def rmsprop_step(w, g, state, t, lr, alpha, eps):
    """s' = alpha*s + (1 - alpha)*g^2; w' = w - (lr*g/(sqrt(s') + eps))."""
    s = state["s"]
    s *= alpha
    s += (1 - alpha) * g**2
    w -= lr * g / (np.sqrt(s) + eps)


def adam_step(w, g, state, t, lr, beta1, beta2, eps):
    """One step of the rule, in place."""
    m = state["m"]
    v = state["v"]
    m *= beta1
    m += (1 - beta1) * g
    v *= beta2
    v += (1 - beta2) * g**2
    w -= lr * (m / (1 - beta1**t)) / (np.sqrt(v / (1 - beta2**t)) + eps)


def adamw_step(w, g, state, t, lr, beta1, beta2, eps, weight_decay):
    """One step of the rule, in place."""
    m = state["m"]
    v = state["v"]
    m *= beta1
    m += (1 - beta1) * g
    v *= beta2
    v += (1 - beta2) * g**2
    w *= 1 - lr * weight_decay
    w -= lr * (m / (1 - beta1**t)) / (np.sqrt(v / (1 - beta2**t)) + eps)


# Each rule: its function, its settings, the first values of its states.
OPTIMISERS = {
    "sgd": (
        sgd_step,
        {"lr": 0.001},
        {},
    ),
    "momentum": (
        momentum_step,
        {"lr": 0.001, "mu": 0.9},
        {"v": 0},
    ),
    "nesterov": (
        nesterov_step,
        {"lr": 0.001, "mu": 0.9},
        {"v": 0},
    ),
    "adagrad": (
        adagrad_step,
        {"lr": 0.01, "eps": 1e-10},
        {"s": 0},
    ),
    "rmsprop": (
        rmsprop_step,
        {"lr": 0.01, "alpha": 0.99, "eps": 1e-08},
        {"s": 0},
    ),
    "adam": (
        adam_step,
        {"lr": 0.001, "beta1": 0.9, "beta2": 0.999, "eps": 1e-08},
        {"m": 0, "v": 0},
    ),
    "adamw": (
        adamw_step,
        {"lr": 0.001, "beta1": 0.9, "beta2": 0.999, "eps": 1e-08, "weight_decay": 0.01},
        {"m": 0, "v": 0},
    ),
}
OPTIMISER = "sgd"
SETTINGS = {
    "lr": 0.1,
}
EPOCHS, BATCH = 1, 1
STATE_UPDATES = {}


class Optimiser:
    """An update rule with its settings and, for every parameter, its states."""

    def __init__(self, params, name=OPTIMISER, settings=None, frozen=()):
        self.rule, defaults, states = OPTIMISERS[name]
        own = SETTINGS if name == OPTIMISER else {}
        self.settings = {**defaults, **own, **(settings or {})}
        self.trained = [key for key in PARAMETERS if key not in frozen]
        self.states = {
            key: {state: np.full_like(params[key], value) for state, value in states.items()}
            for key in self.trained
        }
        self.step = 0


def update(params, gradients, optimiser, values=None):
    """Change the parameters in place by one step; ``values`` gives the states their next values."""
    optimiser.step += 1
    for name in optimiser.trained:
        state = optimiser.states[name]
        optimiser.rule(params[name], gradients[name], state, optimiser.step, **optimiser.settings)
    for name, following in STATE_UPDATES.items():
        params[name][...] = values[following]


# --- data files ---


class Source:
    """Samples as a file holds them: numbers of the features, texts of the target columns."""

    def __init__(self, file, features, names, targets, target_names):
        self.file, self.features, self.names = file, features, names
        self.targets, self.target_names = targets, target_names
        self.rows = len(features)


class Encoding:
    """How texts and raw numbers become numbers for the network; kept in a saved model."""

    def __init__(self):
        self.classes, self.scale, self.shift, self.divisor = [], "none", None, None


def sizes(shapes):
    """Return how many numbers of one sample each tensor takes."""
    return {name: math.prod(shape) for name, shape in shapes.items()}


def bad_cell(file, row, column, expected, found):
    """Return the failure of one cell; rows count from 1 below the header."""
    return Failure(
        DATA, f"{file}, row {row}, column {column}", f"Expected {expected}, found {found}."
    )


def quoted(text):
    """Return a text in quotes, cut where it is long."""
    return f"'{text}'" if len(text) <= 60 else f"'{text[:60]}...'"


def read_bytes(file):
    """Return a file's bytes, unpacked if gzip packed them."""
    try:
        with open(file, "rb") as stream:
            content = stream.read()
    except OSError as problem:
        raise Failure(FILES, file, f"It cannot be read: {problem.strerror}.") from problem
    if content[:2] != b"\x1f\x8b":
        return content
    try:
        return gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as problem:
        unsound = f"Not a sound gzip file: {problem}."
        raise Failure(DATA, file, unsound, "Unpack it with gunzip, or fetch it again.") from problem


NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")


def number_in(text):
    """Return the finite number that a text says, else None."""
    value = float(text) if NUMBER.fullmatch(text) else math.inf
    return value if math.isfinite(value) else None


def read_table(file):
    """Return header and rows of a table; tell whether its numbers are spelt in ASCII alone."""
    try:
        text = read_bytes(file).decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        raise Failure(DATA, file, f"It is not UTF-8 text: byte {problem.start}.") from problem
    csv.field_size_limit(2**31 - 1)
    table = []
    try:
        # Quoted fields may hold commas and line ends; newline="" leaves those to the reader.
        for row in csv.reader(io.StringIO(text, newline=""), skipinitialspace=True, strict=True):
            fields = [field.strip(" \t") for field in row]
            if any(fields):
                table.append(fields)
    except csv.Error:
        open_end = "A field in quotes does not end with a quote and then a comma."
        raise Failure(DATA, f"{file}, row {len(table)}", open_end) from None
    if not table:
        raise Failure(DATA, file, "The file is empty.", "Write a header line and rows.")
    header, *rows = table
    for sign in ";\t":
        if len(header) == 1 and sign in header[0]:
            parted = f"Expected commas between the fields, found {sign!r}."
            raise Failure(DATA, file, parted, "Save it with commas.")
    plain = text.isascii() and text.count("_") == "".join(header).count("_")
    return header, rows, plain


def read_csv(file, columns, with_targets):
    """Return the samples of a table; the named columns, or else the last, are the targets."""
    header, rows, plain = read_table(file)
    kind, taken = first_row_of(header, columns, with_targets), "for the columns' names"
    if kind == "data":
        header, rows = [str(place + 1) for place in range(len(header))], [header, *rows]
        taken = f"for data, and the columns are named 1 to {len(header)}"
    if kind != "names":
        numbers = "The first line holds numbers: it is taken"
        print(f"note: {file}\n  {numbers} {taken}.", file=sys.stderr)
    for number, row in enumerate(rows, 1):
        if len(row) != len(header):
            fields = f"Expected {len(header)} fields as in the header, found {len(row)}."
            raise Failure(DATA, f"{file}, row {number}", fields)
    if not rows:
        raise Failure(DATA, file, "There are no rows below the header.")
    chosen = target_columns(file, header, columns, with_targets)
    kept = [place for place in range(len(header)) if place not in chosen]
    features = features_in(file, header, rows, kept, plain)
    for number, row in enumerate(rows, 1):
        for place in chosen:
            if not row[place]:
                raise bad_cell(file, number, header[place], "a label or number", "nothing")
    targets = [[row[place] for row in rows] for place in chosen]
    names = [header[place] for place in kept]
    return Source(file, features, names, targets, [header[place] for place in chosen])


def first_row_of(first, columns, with_targets):
    """Tell what a table's first row is: "names", or "data", or "numbers" of the columns.

    It is data where its features are numbers, other than those of the columns from 0 or 1.
    """
    numbers = [number_in(field) for field in first]
    chosen = [] if columns else target_columns("", first, [], with_targets)
    chosen += [place for place in range(len(first)) if str(place + 1) in columns]
    features = [number for place, number in enumerate(numbers) if place not in chosen]
    if not features or None in features or any(column in first for column in columns):
        return "names"
    for start in (0, 1):
        if all(number in (None, place) for place, number in enumerate(numbers, start)):
            return "numbers"
    return "data"


def target_columns(file, header, columns, with_targets):
    """Return the places of the target columns."""
    if not columns:
        wanted = with_targets or len(header) != sum(sizes(INPUTS).values())
        return [len(header) - 1] if wanted and TARGETS else []
    for number, column in enumerate(columns):
        if header.count(column) != 1 or column in columns[:number]:
            problem = f"There is no column {quoted(column)}."
            if column in header:
                problem = f"The column {quoted(column)} is there or asked for more than once."
            raise Failure(DATA, file, problem, f"Its columns are: {', '.join(header)}.")
    return [header.index(column) for column in columns]


def features_in(file, header, rows, kept, plain):
    """Return the numbers of the feature columns."""
    try:
        features = np.array([[row[place] for place in kept] for row in rows], np.float64)
        # NumPy also takes 1_000 and digits of other scripts.
        if plain and np.isfinite(features).all():
            return features.reshape(len(rows), len(kept))
    except ValueError:
        pass
    for number, row in enumerate(rows, 1):
        for place in kept:
            if number_in(row[place]) is None:
                raise bad_cell(file, number, header[place], "a number", quoted(row[place]))
    return np.array([[number_in(row[place]) for place in kept] for row in rows])


def read_idx(file):
    """Return the array of bytes in an IDX file."""
    content = read_bytes(file)
    if len(content) < 4 or content[:2] != b"\0\0":
        begins = "Expected an IDX file, which begins with two zero bytes."
        advice = "Give one CSV file, or an IDX file of images and one of labels."
        raise Failure(DATA, file, begins, advice)
    if content[2] != 8:
        raise Failure(DATA, file, f"Expected unsigned bytes (type 8), found type {content[2]}.")
    start = 4 + 4 * content[3]
    if len(content) < start:
        raise Failure(DATA, file, "The file ends within its sizes.")
    shape = struct.unpack(f">{content[3]}I", content[4:start])
    if not 1 <= len(shape) <= 8:
        raise Failure(DATA, file, f"Expected 1 to 8 axes, found {len(shape)}.")
    if len(content) - start != math.prod(shape):
        found = f"Expected {math.prod(shape)} bytes of data, found {len(content) - start}."
        raise Failure(DATA, file, found)
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape)


def read_idx_pair(images_file, labels_file):
    """Return the samples of an IDX file of images and one of labels."""
    images, labels = read_idx(images_file), read_idx(labels_file)
    if labels.ndim != 1 or len(labels) != len(images):
        expected = f"Expected {len(images)} labels, one for each image of {images_file}"
        raise Failure(DATA, labels_file, f"{expected}, found {labels.size}.")
    source = read_idx_images(images_file)
    source.targets, source.target_names = [list(map(str, labels.tolist()))], ["label"]
    return source


def read_idx_images(file):
    """Return the images of an IDX file as samples without targets."""
    images = read_idx(file)
    features = images.reshape(len(images), math.prod(images.shape[1:])).astype(np.float64)
    names = [f"pixel {place}" for place in range(features.shape[1])]
    return Source(file, features, names, [], [])


# What reading a broken NPZ file raises.
NPZ_ERRORS = (OSError, ValueError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error)


def read_npz(file, with_targets):
    """Return the samples of an NPZ file: an array for every input and target, samples first."""
    content = read_bytes(file)
    if content[:2] != b"PK":
        raise Failure(DATA, file, "Expected an NPZ file, found something else.")
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            found = {name: np.atleast_1d(arrays[name]) for name in arrays.files}
    except NPZ_ERRORS as problem:
        raise Failure(DATA, file, f"It cannot be read as NPZ: {problem}.") from problem
    wanted = [*INPUTS, *(TARGETS if with_targets else ())]
    for name in wanted:
        if name not in found:
            raise Failure(DATA, file, f"There is no array {name}; it has: {', '.join(found)}.")
    for name in INPUTS:
        if found[name].dtype.kind not in "biuf":
            raise Failure(DATA, f"{file}, {name}", f"Expected numbers, found {found[name].dtype}.")
    rows, flat = len(found[wanted[0]]), {}
    for name in wanted:
        values = found[name]
        if len(values) != rows:
            counts = f"Expected {rows} samples as in {wanted[0]}, found {len(values)}."
            raise Failure(DATA, f"{file}, {name}", counts)
        flat[name] = values.reshape(rows, math.prod(values.shape[1:]))
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            row, column = np.argwhere(~np.isfinite(flat[name]))[0]
            value = flat[name][row, column]
            raise bad_cell(file, row + 1, f"{name} {column}", "a finite number", value)
    features = np.concatenate([flat[name] for name in INPUTS], axis=1).astype(np.float64)
    names = [f"{name} {k}" for name in INPUTS for k in range(flat[name].shape[1])]
    columns = [(name, column) for name in wanted[len(INPUTS) :] for column in flat[name].T]
    targets = [[str(value) for value in column.tolist()] for _, column in columns]
    return Source(file, features, names, targets, [name for name, _ in columns])


def read_source(files, columns, with_targets):
    """Return the samples of one CSV or NPZ file, or of a pair of IDX files; at least one."""
    source = read_any(files, columns, with_targets)
    if not source.rows:
        raise Failure(DATA, source.file, "There are no samples in it.")
    return source


def read_any(files, columns, with_targets):
    """Return the samples of files, perhaps none."""
    if len(files) == 2:
        return read_idx_pair(*files)
    if len(files) == 1 and not with_targets and read_bytes(files[0])[:2] == b"\0\0":
        return read_idx_images(files[0])
    if len(files) > 2:
        raise Failure(USAGE, "--data", f"Expected one file or two, found {len(files)} files.")
    if files[0].endswith(".npz"):
        return read_npz(files[0], with_targets)
    return read_csv(files[0], columns, with_targets)


# --- from columns to inputs and targets ---


def fit_scale(encoding, source, rule, every=0):
    """Find shift and divisor of every feature; rows held out are not looked at."""
    rows = source.features
    if every:
        rows = rows[np.arange(len(rows)) % every != 0]
    count = rows.shape[1]
    encoding.scale, encoding.shift, encoding.divisor = rule, np.zeros(count), np.ones(count)
    if rule == "standard":
        encoding.shift, width = rows.mean(axis=0), rows.std(axis=0)
    elif rule == "minmax":
        encoding.shift, width = rows.min(axis=0), np.ptp(rows, axis=0)
    else:
        width = np.full(count, 1.0 if rule == "none" else float(rule))
    encoding.divisor = np.where((width > 0) | (rule not in ("standard", "minmax")), width, 1.0)


def checked(name, values, file, columns):
    """Return values as they are, or as index values, which must lie in their range."""
    if name not in RANGES:
        return values
    low, high = RANGES[name]
    wrong = (values != np.floor(values)) | (values < low) | (values >= high)
    if wrong.any():
        row, column = np.argwhere(wrong)[0]
        expected = f"an integer from {low} to {high - 1}"
        raise bad_cell(file, row + 1, columns[column], expected, f"{values[row, column]:g}")
    return values.astype(np.int64)


def held(name, values, dtype, file, columns):
    """Return index values as integers, other numbers in the precision asked for."""
    if name in RANGES:
        return values.astype(np.int64)
    with np.errstate(over="ignore"):
        cast = values.astype(dtype)
    if not np.isfinite(cast).all():
        row, column = np.argwhere(~np.isfinite(cast))[0]
        expected = f"a number that {cast.dtype} holds, scaled as asked"
        raise bad_cell(file, row + 1, columns[column], expected, repr(float(values[row, column])))
    return cast


def encode_inputs(source, encoding, dtype):
    """Return the inputs, the feature columns dealt out in order of declaration."""
    expected = sum(sizes(INPUTS).values())
    if source.features.shape[1] != expected:
        raise Failure(
            DATA,
            source.file,
            f"Expected {expected} feature columns for the inputs, "
            f"found {source.features.shape[1]}.",
            "Name the target columns with --target, or use other data.",
        )
    with np.errstate(over="ignore"):
        scaled = (source.features - encoding.shift) / encoding.divisor
    arrays, begin = {}, 0
    for name, size in sizes(INPUTS).items():
        own = slice(begin, begin + size)
        values = source.features if name in RANGES else scaled
        values = checked(name, values[:, own], source.file, source.names[own])
        values = held(name, values, dtype, source.file, source.names[own])
        arrays[name] = values.reshape(-1, *INPUTS[name])
        begin += size
    return arrays


def class_count(name):
    """Return how many classes a target tells apart, 0 for a target of numbers."""
    if name in RANGES and TARGETS[name] == ():
        return RANGES[name][1] - RANGES[name][0]
    vector = name in ONE_HOT or (name not in RANGES and len(TARGETS[name]) == 1)
    return TARGETS[name][-1] if vector and TARGETS[name] and TARGETS[name][-1] > 1 else 0


def find_classes(source, column, count):
    """Return the labels in order of appearance; none where they are the classes' numbers."""
    classes = []
    texts = source.targets[column]
    if all(is_class(text, count) for text in texts):
        return classes
    for row, text in enumerate(texts, 1):
        if text not in classes:
            classes.append(text)
        if len(classes) > count:
            expected = f"at most {count} different labels"
            column = source.target_names[column]
            raise bad_cell(source.file, row, column, expected, f"another one, {quoted(text)}")
    return classes


def is_class(text, count):
    """Tell whether a text is the number of a class."""
    value = number_in(text)
    return value is not None and value == int(value) and 0 <= value < count


def labels_in(source, column, encoding, count):
    """Return the class of every row."""
    known = {text: number for number, text in enumerate(encoding.classes)}
    labels = []
    for row, text in enumerate(source.targets[column], 1):
        if text in known:
            labels.append(known[text])
        elif not known and is_class(text, count):
            labels.append(int(float(text)))
        else:
            expected = "a label of the training data"
            if not known:
                expected = f"an integer from 0 to {count - 1}"
            raise bad_cell(source.file, row, source.target_names[column], expected, quoted(text))
    return np.array(labels)


def numbers_in(source, column, encoding):
    """Return the number in every row of a target column."""
    if encoding.classes:
        return labels_in(source, column, encoding, len(encoding.classes)).astype(np.float64)
    numbers = [number_in(text) for text in source.targets[column]]
    if None in numbers:
        row = numbers.index(None)
        found = quoted(source.targets[column][row])
        raise bad_cell(source.file, row + 1, source.target_names[column], "a number", found)
    return np.array(numbers)


def encode_targets(source, encoding, labels, learn, dtype):
    """Return the targets; on training data (``learn``) the classes are found."""
    everything = sum(sizes(TARGETS).values())
    arrays, column = {}, 0
    if not TARGETS:
        return arrays
    for name, size in sizes(TARGETS).items():
        count = class_count(name)
        as_label = count > 0 and labels is not False
        if as_label and labels is None:
            as_label = size == 1 or len(source.targets) != everything
        width = 1 if as_label else size
        if column + width > len(source.targets):
            raise Failure(
                DATA,
                source.file,
                f"Expected {everything} target columns of numbers or one of labels for {name}, "
                f"found {len(source.targets)}.",
                "Name them: --target COLUMN, once for each.",
            )
        texts = size == 1 and number_in(source.targets[column][0]) is None
        if learn and (as_label or texts):
            most = count if as_label else max(2, count)
            encoding.classes = find_classes(source, column, most) or encoding.classes
        own = source.target_names[column : column + width]
        if as_label:
            values = encode_labels(name, labels_in(source, column, encoding, count))
            values = values.astype(np.int64 if name in RANGES else dtype)
        else:
            places = range(column, column + width)
            numbers = [numbers_in(source, place, encoding) for place in places]
            values = checked(name, np.stack(numbers, axis=1), source.file, own)
            values = held(name, values, dtype, source.file, own)
        arrays[name] = values.reshape(-1, *TARGETS[name])
        column += width
    if column != len(source.targets):
        taken = f"The targets take {column} columns, found {len(source.targets)}."
        raise Failure(DATA, source.file, taken, "Name the right columns with --target.")
    return arrays


def encode_labels(name, labels):
    """Return classes as index values or as one-hot vectors."""
    if name in RANGES:
        return RANGES[name][0] + labels
    return np.eye(TARGETS[name][-1])[labels]


class Dataset:
    """Samples ready for the network: arrays by name, samples first; and the file they are from."""

    def __init__(self, file, arrays):
        self.file, self.arrays = file, arrays
        self.rows = max((len(values) for values in arrays.values()), default=1)

    def choose(self, chosen):
        """Return some of the rows."""
        return Dataset(self.file, {name: a[chosen] for name, a in self.arrays.items()})

    def batch(self, rows=slice(None)):
        """Return rows as the functions of the network take them."""
        return {name: placed(name, values[rows]) for name, values in self.arrays.items()}


def placed(name, values):
    """Return an array with its samples moved from the front to the axis the network has them on."""
    axis = SAMPLE_AXIS[name]
    if axis is None:
        return values[0]
    return np.moveaxis(values, 0, axis) if axis else values


def in_front(name, values, rows):
    """Return an array of the network with its samples first."""
    axis = SAMPLE_AXIS[name]
    if axis is None:
        return np.broadcast_to(values, (rows, *np.shape(values)))
    return np.moveaxis(values, axis, 0)


def declared_data(dtype):
    """Return the samples that stand in the network's text."""
    arrays = {}
    for name, shape in {**INPUTS, **TARGETS}.items():
        if name not in DECLARED:
            missing = f"The network gives no values for {name}."
            raise Failure(USAGE, "--data", missing, "Name the data: --data FILE.")
        kind = np.int64 if name in RANGES else dtype
        arrays[name] = np.array(DECLARED[name]).astype(kind).reshape(-1, *shape)
    return Dataset(NETWORK, arrays)


# --- saved models: safetensors ---


def save_model(file, params, encoding):
    """Write parameters and states: a header's length, the header in JSON, the numbers."""
    scale = {"kind": encoding.scale, "shift": [], "divisor": []}
    if encoding.shift is not None:
        scale["shift"], scale["divisor"] = encoding.shift.tolist(), encoding.divisor.tolist()
    metadata = {"network": NETWORK, "hash": HASH, "derivgen": VERSION}
    metadata |= {"classes": json.dumps(encoding.classes), "scale": json.dumps(scale)}
    header, chunks, begin = {"__metadata__": metadata}, [], 0
    for name in [*PARAMETERS, *STATES]:
        values = params[name]
        chunk = values.astype(values.dtype.newbyteorder("<")).tobytes()
        offsets = [begin, begin + len(chunk)]
        kind = "F32" if values.dtype == np.float32 else "F64"
        header[name] = {"dtype": kind, "shape": list(values.shape), "data_offsets": offsets}
        chunks.append(chunk)
        begin += len(chunk)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    write_whole(file, struct.pack("<Q", len(text)) + text + b"".join(chunks))


def write_whole(file, content):
    """Write a file beside its place and move it there, so that it is never half written."""
    whole = os.path.realpath(file)
    beside = f"{whole}.{os.getpid()}"
    if os.path.exists(file) and not os.path.isfile(file):
        beside = whole = file  # a device or a pipe is written to as it is
    try:
        with open(beside, "wb") as stream:
            stream.write(content)
        if beside != whole:
            os.replace(beside, whole)
    except OSError as problem:
        if beside != whole and os.path.exists(beside):
            os.remove(beside)
        raise Failure(FILES, file, f"It cannot be written: {problem.strerror}.") from problem


def load_model(file, params):
    """Set parameters and states to those of a file and return how its data were encoded."""
    content = read_bytes(file)
    try:
        length = struct.unpack("<Q", content[:8])[0]
        header = json.loads(content[8 : 8 + length])
        metadata = header.get("__metadata__", {})
        encoding = stored_encoding(metadata)
    except (struct.error, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        other = "Expected a safetensors file, found something else."
        raise Failure(DATA, file, other) from None
    if metadata.get("hash", HASH) != HASH:
        found = f"found {metadata.get('network', '?')} with hash {metadata['hash']}"
        expected = f"expected {NETWORK} with hash {HASH}"
        raise Failure(DATA, file, f"It holds another network: {expected}, {found}.")
    for name in [*PARAMETERS, *STATES]:
        if name not in header:
            raise Failure(DATA, file, f"There is no tensor {name} in it.")
        shape = params[name].shape
        params[name][...] = stored_tensor(file, content, 8 + length, name, header[name], shape)
    return encoding


def stored_encoding(metadata):
    """Return how a model's data were encoded."""
    encoding = Encoding()
    encoding.classes = json.loads(metadata.get("classes") or "[]")
    if not isinstance(encoding.classes, list) or any(type(c) is not str for c in encoding.classes):
        raise ValueError
    scale = json.loads(metadata.get("scale") or "{}")
    if scale.get("shift"):
        encoding.scale = scale["kind"]
        encoding.shift, encoding.divisor = np.array([scale["shift"], scale["divisor"]], np.float64)
        wrong = not np.isfinite(encoding.shift).all() or not encoding.divisor.all()
        if wrong or encoding.shift.shape != (sum(sizes(INPUTS).values()),):
            raise ValueError
    return encoding


def stored_tensor(file, content, body, name, entry, shape):
    """Return one tensor of a safetensors file."""
    place = f"{file}, tensor {name}"
    try:
        kind, found = entry["dtype"], tuple(entry["shape"])
        begin, end = entry["data_offsets"]
    except (KeyError, TypeError, ValueError):
        raise Failure(DATA, place, "Expected dtype, shape and data_offsets.") from None
    if kind not in ("F32", "F64"):
        raise Failure(DATA, place, f"Expected dtype F32 or F64, found {kind}.")
    if found != shape:
        raise Failure(DATA, place, f"Expected shape {list(shape)}, found {list(found)}.")
    dtype = np.dtype("<f4" if kind == "F32" else "<f8")
    count = dtype.itemsize * math.prod(shape)
    if type(begin) is not int or type(end) is not int or begin < 0 or end - begin != count:
        raise Failure(DATA, place, f"Expected {count} bytes, found offsets {begin} to {end}.")
    if body + end > len(content):
        raise Failure(DATA, place, "The file ends too early.")
    return np.frombuffer(content[body + begin : body + end], dtype).reshape(shape)


# --- predict ---

CHUNK = 1000  # samples computed at once


def outputs(params, data):
    """Return the output of every sample."""
    parts = []
    for begin in range(0, data.rows, CHUNK):
        end = min(data.rows, begin + CHUNK)
        output = predict(params, data.batch(slice(begin, end)))
        parts.append(in_front(OUTPUT, output, end - begin))
    return np.concatenate(parts)


def predict_command(options):
    """Print the output for every row of the data, or of the network's own samples."""
    dtype = np.dtype(options.dtype)
    params, encoding = parameters(options.seed, dtype), Encoding()
    if options.load:
        encoding = load_model(options.load, params)
    if options.data:
        source = read_source(options.data, options.target, with_targets=False)
        if encoding.shift is None or options.scale:
            fit_scale(encoding, source, options.scale or "none")
        data = Dataset(source.file, encode_inputs(source, encoding, dtype))
    else:
        data = declared_data(dtype)
    found = outputs(params, data)
    text = output_json(found, encoding) if options.json else output_csv(found, encoding)
    if options.output:
        write_whole(options.output, text.encode())
    else:
        sys.stdout.write(text)
    return 0


def as_json(value):
    """Return a value as JSON, which has no word for what is not finite: such numbers are null."""

    def known(part):
        if isinstance(part, dict):
            return {name: known(inner) for name, inner in part.items()}
        if isinstance(part, list):
            return [known(inner) for inner in part]
        return None if isinstance(part, float) and not math.isfinite(part) else part

    return json.dumps(known(value), allow_nan=False)


def output_json(found, encoding):
    """Return outputs and names of classes as one JSON object."""
    return as_json({"output": found.tolist(), "classes": encoding.classes}) + "\n"


def output_csv(found, encoding):
    """Return outputs as comma-separated values, with the class where there are names for it."""
    flat = found.reshape(len(found), -1)
    names = [OUTPUT] if not OUTPUT_SHAPE else [f"{OUTPUT}_{k}" for k in range(flat.shape[1])]
    with_class = bool(encoding.classes) and flat.shape[1] == len(encoding.classes)
    digits = 9 if found.dtype == np.float32 else 17
    lines = [",".join([*names, *(["class"] if with_class else [])])]
    for row in flat:
        fields = [f"{value:.{digits}g}" for value in row.tolist()]
        if with_class:
            fields.append(encoding.classes[int(row.argmax())])
        lines.append(",".join(fields))
    return "\n".join(lines) + "\n"


# --- gradient check: central differences with a bound on their error ---

VERDICTS = ("pass", "kink", "inconclusive", "fail")  # from good to bad


def extrapolate(differences, order, noise):
    """Return the limit of differences at the steps h, h/4, h/16, ... and a bound on its error.

    Extrapolated from every starting window; the entry of the smallest estimated error is kept.
    ``order`` is that of the leading error term (Ridders 1982, Adv. Eng. Software 4).
    """
    value, bound, row, step = 0.0, math.inf, [], FIRST_STEP
    for difference in differences:
        following, ratio = [difference], 1.0
        for before in row:
            ratio *= 4.0**order
            last = following[-1]
            made = last + (last - before) / (ratio - 1)
            error = max(abs(made - last), abs(made - before))
            following.append(made)
            if math.isfinite(made) and 10 * error + noise / step < bound:
                value, bound = made, 10 * error + noise / step
        row, step = following, step / 4
    return value, bound


FIRST_STEP, STEPS = 0.1, 9


def judge(at, gradient, scale):
    """Compare a directional derivative with the losses ``at(h)`` along its line."""
    here = at(0.0)
    steps = [FIRST_STEP / 4**k for k in range(STEPS)]
    losses = [(at(step), at(-step)) for step in steps]
    seen = [abs(loss) for pair in losses for loss in pair if math.isfinite(loss)]
    noise = 4 * np.finfo(float).eps * max([abs(here), *seen])
    central = [(a - b) / (2 * h) for (a, b), h in zip(losses, steps)]
    slope, bound = extrapolate(central, 2, noise)
    right = extrapolate([(a - here) / h for (a, _), h in zip(losses, steps)], 1, 2 * noise)
    left = extrapolate([(here - b) / h for (_, b), h in zip(losses, steps)], 1, 2 * noise)
    slack = 1e-12 * scale
    error = abs(gradient - slope)
    if abs(right[0] - left[0]) > right[1] + left[1] + slack:
        low = min(left[0] - left[1], right[0] - right[1]) - slack
        high = max(left[0] + left[1], right[0] + right[1]) + slack
        note = f"kink: slope {left[0]:.6g} below, {right[0]:.6g} above, gradient {gradient:.6g}"
        return "kink" if low <= gradient <= high else "fail", error, note
    if not bound <= 1e-4 * scale + 1e-12:
        return "inconclusive", error, f"the error bound {bound:.3g} is too large"
    if not error <= bound + slack:
        note = f"gradient {gradient:.9g}, slope of the loss {slope:.9g} +- {bound:.3g}"
        return "fail", error, note
    return "pass", error, ""


def entries_to_check(gradient, count, seed):
    """Return every entry of a small network, else drawn ones, the largest and some zeros."""
    if count <= 2000:
        return range(gradient.size)
    flat = gradient.ravel()
    drawn = random_bits(seed, 30_000_000, np.arange(20)) % np.uint64(flat.size)
    zeros = np.flatnonzero(flat == 0)[:3]
    return [int(np.abs(flat).argmax()), *drawn.tolist(), *zeros.tolist()]


def check_parameter(name, params, batch, gradient, scale, count, seed):
    """Check one gradient entry by entry, and in a large network along random directions."""
    values, start = params[name], params[name].copy()
    lines = []
    for entry in entries_to_check(gradient, count, seed):
        along = np.zeros(start.size)
        along[entry] = 1.0
        lines.append((f"entry {entry}", along))
    for direction in range(3 if count > 2000 else 0):
        along = normal(seed, 40_000_000 + direction, start.shape).ravel()
        lines.append((f"direction {direction}", along / math.sqrt(start.size)))
    report = {"verdict": "pass", "entries": len(lines), "largest_error": 0.0, "note": ""}
    for place, along in lines:

        def at(step, along=along.reshape(start.shape)):
            values[...] = start + step * along
            value = float(loss(params, batch, forward(params, batch)))
            values[...] = start
            return value

        verdict, error, note = judge(at, float(along @ gradient.ravel()), scale)
        report["largest_error"] = max(report["largest_error"], error)
        if VERDICTS.index(verdict) > VERDICTS.index(report["verdict"]):
            report |= {"verdict": verdict, "note": f"{place}: {note}"}
    return report


def random_data(seed, rows, dtype):
    """Return drawn samples: normal numbers, one-hot vectors, index values."""
    arrays = {}
    for place, (name, shape) in enumerate({**INPUTS, **TARGETS}.items()):
        stream, whole = 20_000_000 + place, (rows, *shape)
        words = random_bits(seed, stream, np.arange(math.prod(whole))).reshape(whole)
        if name in RANGES:
            low, high = RANGES[name]
            arrays[name] = low + (words % np.uint64(high - low)).astype(np.int64)
        elif name in ONE_HOT:
            groups = np.arange(math.prod(whole[:-1]))
            label = random_bits(seed, stream, groups) % np.uint64(shape[-1])
            arrays[name] = np.eye(shape[-1])[label.astype(np.int64)].reshape(whole).astype(dtype)
        else:
            arrays[name] = normal(seed, stream, whole).astype(dtype)
    return Dataset(NETWORK, arrays)


def check_point(options, seed):
    """Return random parameters, and a few samples: of the files, drawn, or of the text."""
    params = parameters(seed, np.float64)
    for name, (shape, stream, _) in PARAMETERS.items():
        params[name] = np.asarray(0.5 * normal(seed, stream, shape))
    if options.data:
        data = read_samples(options, Encoding(), np.float64)[0].choose(slice(0, 3))
    else:
        data = random_data(seed, 3, np.float64)
        if violation(data):
            data = declared_data(np.float64)
    return params, with_draws(params, data.batch(), seed, 1)


def check_gradients(options, seed):
    """Return a report for every parameter."""
    params, batch = check_point(options, seed)
    gradients = loss_and_gradients(params, batch)[1]
    gradients = {name: np.asarray(gradient) for name, gradient in gradients.items()}
    scale = max((np.abs(g).max(initial=0.0) for g in gradients.values()), default=0.0)
    count = sum(g.size for g in gradients.values())
    return {
        name: check_parameter(name, params, batch, gradient, scale, count, seed)
        for name, gradient in gradients.items()
    }


def check_command(options):
    """Check every gradient; where a point says nothing, another is drawn. Kinks do not fail."""
    for draw_number in range(3):
        reports = check_gradients(options, options.seed + draw_number)
        worst = max((VERDICTS.index(r["verdict"]) for r in reports.values()), default=0)
        if VERDICTS[worst] != "inconclusive":
            break
    verdict = "pass" if VERDICTS[worst] == "kink" else VERDICTS[worst]
    if options.json:
        print(json.dumps({"verdict": verdict, "parameters": reports}))
    else:
        for name, report in reports.items():
            text = f"{report['entries']} entries, largest error {report['largest_error']:.3g}"
            note = f"; {report['note']}" if report["note"] else ""
            print(f"{name:12} {report['verdict']:12} {text}{note}")
        print(f"verdict {verdict}")
    return 0 if verdict == "pass" else 1


# --- train ---


def with_draws(params, batch, seed, step):
    """Return a batch with the random tensors of a training step."""
    return batch


def check_one_hot(data, word):
    """Refuse targets declared one-hot that are not, naming the row."""
    for name in ONE_HOT:
        vectors = data.arrays[name]
        right = ((vectors == 0) | (vectors == 1)).all(axis=-1) & (vectors.sum(axis=-1) == 1)
        right = right.reshape(len(vectors), -1).all(axis=1)
        if not right.all():
            row = int(right.argmin())
            found = f"Expected a one-hot vector for {name}, found {vectors[row].tolist()}."
            advice = f"Give one-hot rows, or drop onehot from the declaration of {name}."
            raise Failure(DATA, f"{data.file}, {word} {row + 1}", found, advice)


def violation(data):
    """Return a row that breaks a fact the derivation uses, with the fact; None if all hold."""
    for fact, difference in FACTS.items():
        gap = np.abs(np.asarray(difference(data.batch())))
        gap = gap.reshape(len(gap), -1).max(axis=1, initial=0.0) if gap.ndim else gap[None]
        if (gap > 1e-6).any():
            row = int((gap > 1e-6).argmax())
            return row, fact, float(gap[row])
    return None


def check_facts(data, word="row"):
    """Refuse data that break a declared fact or role, naming the row."""
    check_one_hot(data, word)
    found = violation(data)
    if found:
        row, fact, gap = found
        raise Failure(
            DATA,
            f"{data.file}, {word} {row + 1}",
            f"Expected {fact}, found a difference of {gap:.6g}.",
            "The derivation uses this fact; give data that fulfil it, or remove the fact.",
        )


def read_samples(options, loaded, dtype):
    """Return what --data, --test and --holdout ask for: training and test samples, encoding."""
    encoding, test = loaded, None
    if options.data:
        source = read_source(options.data, options.target, with_targets=True)
        every = math.floor(1 / options.holdout + 0.5) if options.holdout else 0
        if every and source.rows < 2:
            few = "There is one row only, and it would be for testing."
            raise Failure(DATA, source.file, few, "Leave out --holdout.")
        if loaded.shift is None or options.scale:
            fit_scale(encoding, source, options.scale or "none", every)
        data = encoded(source, encoding, options.one_hot, not loaded.classes, dtype)
        check_facts(data)
        if every:
            out = np.arange(data.rows) % every == 0
            data, test = data.choose(~out), data.choose(out)
    else:
        data = declared_data(dtype)
        check_facts(data)
        if encoding.shift is None:
            encoding.scale = "none"
    if options.test:
        source = read_source(options.test, options.target, with_targets=True)
        test = encoded(source, encoding, options.one_hot, False, dtype)
        check_facts(test)
    return data, test, encoding


def encoded(source, encoding, labels, learn, dtype):
    """Return a source's samples as inputs and targets."""
    inputs = encode_inputs(source, encoding, dtype)
    targets = encode_targets(source, encoding, labels, learn, dtype)
    return Dataset(source.file, {**inputs, **targets})


def right_answers(output, truth, name):
    """Return for each sample whether its class is found; None where there are no classes."""
    rows = len(output)
    if name in RANGES:
        low, high = RANGES[name]
        if truth.ndim > 1 or math.prod(OUTPUT_SHAPE) != high - low:
            return None
        return output.reshape(rows, -1).argmax(axis=1) == truth - low
    if not np.isin(truth, (0, 1)).all():
        return None
    if OUTPUT_SHAPE and OUTPUT_SHAPE == TARGETS[name] and truth.ndim == 2 and truth[0].size > 1:
        return output.argmax(axis=1) == truth.argmax(axis=1)
    single = math.prod(OUTPUT_SHAPE) == 1 and truth[0].size == 1
    if not single or output.min() < 0 or output.max() > 1:
        return None
    return (output.reshape(rows) > 0.5) == (truth.reshape(rows) == 1)


def measure(params, data):
    """Return the mean loss as at prediction, the accuracy if targets hold classes, the count."""
    total, found = 0.0, []
    for begin in range(0, data.rows, CHUNK):
        rows = slice(begin, min(data.rows, begin + CHUNK))
        batch = with_draws(params, data.batch(rows), 0, 0)
        value, output = evaluate(params, batch)
        total += float(value) * (rows.stop - begin) / data.rows
        if TARGETS:
            name = next(iter(TARGETS))
            output = in_front(OUTPUT, output, rows.stop - begin)
            found.append(right_answers(output, data.arrays[name][rows], name))
    metrics = {"loss": total}
    if found and all(part is not None for part in found):
        metrics["accuracy"] = float(np.concatenate(found).mean())
    return {**metrics, "samples": data.rows}


def gradient_norm(gradients, optimiser):
    """Return the Euclidean norm of the gradients of what is trained."""
    squares = (np.square(gradients[n], dtype=np.float64).sum() for n in optimiser.trained)
    return math.sqrt(sum(squares))


def epoch_order(rows, seed, epoch):
    """Return the order of an epoch: rows sorted by a random number each."""
    return np.argsort(random_bits(seed, 1_000_000 + epoch, np.arange(rows)), kind="stable")


class Diverged(Failure):
    """Training left the finite numbers: in which epoch and step; how many epochs ended well."""

    def __init__(self, epoch, step, good):
        kept = f"kept are the parameters after epoch {good}" if good else "nothing is kept"
        problem = f"Loss or parameters are not finite in epoch {epoch}, step {step}; {kept}."
        advice = "Scale the inputs (--scale standard), or let parameters start smaller."
        if step > 1:
            advice = "Try a smaller --lr, inputs scaled by --scale standard, or an optimiser that "
            advice += "clips the gradient, w' = w - lr*max(-1, min(1, g))."
        super().__init__(FAILED, "training diverged", problem, advice)
        self.epoch, self.step = epoch, step


class Kept:
    """The parameters at the start of the last epoch that began with a finite loss."""

    def __init__(self, params):
        self.params, self.epochs, self.steps = params, 0, 0
        self.values = {name: values.copy() for name, values in params.items()}

    def keep(self, epochs, steps):
        """Keep the parameters as they are, after so many epochs and steps."""
        self.epochs, self.steps = epochs, steps
        for name, values in self.params.items():
            self.values[name][...] = values

    def diverged(self, epoch, step):
        """Put the kept parameters back and return the error that says so."""
        for name, values in self.values.items():
            self.params[name][...] = values
        return Diverged(epoch, step, self.epochs)


def fit(
    params, data, optimiser, epochs, batch, seed=0, shuffle=True, stop=0.0, report=None, kept=None
):
    """Train in place and return how many epochs and steps it took.

    ``stop`` ends training when the gradient's norm falls below it; ``report(epoch, loss)`` is
    called after every epoch; ``kept`` keeps the last good parameters.

    Raises: Diverged, where the loss is not finite; the parameters are then the last good ones.
    """
    kept = kept or Kept(params)
    for epoch in range(epochs):
        order = epoch_order(data.rows, seed, epoch) if shuffle else np.arange(data.rows)
        total = 0.0
        for begin in range(0, data.rows, batch):
            rows = order[begin : begin + batch]
            step = with_draws(params, data.batch(rows), seed, optimiser.step + 1)
            value, gradients, values = loss_and_gradients(params, step)
            if not math.isfinite(value):
                raise kept.diverged(epoch + 1, optimiser.step + 1)
            if begin == 0:
                kept.keep(epoch, optimiser.step)
            update(params, gradients, optimiser, values)
            total += float(value) * len(rows)
            if stop and gradient_norm(gradients, optimiser) < stop:
                return epoch + 1, optimiser.step
        if not all_finite(params):
            raise kept.diverged(epoch + 1, optimiser.step)
        if report:
            report(epoch + 1, total / data.rows)
    return epochs, optimiser.step


def all_finite(params):
    """Tell whether every parameter is finite: a loss can be where relu has stopped a NaN."""
    return all(np.isfinite(values).all() for values in params.values())


class Progress:
    """Shows how far training is in one line written over and over, on a terminal only.

    With DERIVGEN_PROGRESS in the environment every message is a line, terminal or not.
    """

    def __init__(self, epochs, rows):
        self.epochs, self.rows, self.start, self.shown = epochs, rows, time.perf_counter(), 0.0
        self.as_lines = "DERIVGEN_PROGRESS" in os.environ
        self.seen = self.as_lines or sys.stderr.isatty()

    def __call__(self, epoch, value):
        """Show one epoch."""
        now = time.perf_counter()
        if not self.seen or now - self.shown < 0.1:
            return
        self.shown = now
        rate = epoch * self.rows / (now - self.start)
        line = f"epoch {epoch}/{self.epochs}  loss {value:.5g}  {rate:.0f} samples/s"
        text = f"{line}\n" if self.as_lines else f"\r{line:76}"
        print(text, end="", file=sys.stderr, flush=True)

    def close(self):
        """Take the line away."""
        if self.seen and not self.as_lines and self.shown:
            print(f"\r{'':76}\r", end="", file=sys.stderr, flush=True)


def optimiser_for(options, params):
    """Return the update rule that the flags ask for."""
    if options.optimiser not in OPTIMISERS:
        known = f"There are: {', '.join(OPTIMISERS)}."
        raise Failure(USAGE, f"--optimiser {options.optimiser}", "There is no such rule.", known)
    settings = dict(options.set)
    if options.lr is not None:
        settings["lr"] = options.lr
    known = OPTIMISERS[options.optimiser][1]
    for name in settings:
        if name not in known:
            rule = f"{options.optimiser} has no setting {name}; it has: {', '.join(known)}."
            raise Failure(USAGE, f"--set {name}", rule)
    for name in options.freeze:
        if name not in PARAMETERS:
            raise Failure(USAGE, f"--freeze {name}", "There is no parameter of this name.")
    return Optimiser(params, options.optimiser, settings, options.freeze)


def train_command(options):
    """Train on the data, measure, save."""
    dtype = np.dtype(options.dtype)
    params, encoding = parameters(options.seed, dtype), Encoding()
    if options.load:
        encoding = load_model(options.load, params)
    optimiser = optimiser_for(options, params)
    data, test, encoding = read_samples(options, encoding, dtype)
    course, results, diverged = trained(options, params, data, optimiser)
    if test is not None:
        results["test"] = measure(params, test)
    if options.save and (course["epochs"] or not diverged):
        save_model(options.save, params, encoding)
    if options.json:
        print(as_json({"network": NETWORK, **course, **results}))
    else:
        show_metrics(results)
    if diverged:
        raise diverged
    return 0


def trained(options, params, data, optimiser):
    """Train as the flags say; return the course, the metrics, and the error where it diverged."""
    progress, kept, diverged = Progress(options.epochs, data.rows), Kept(params), None
    rules = options.batch, options.seed, options.shuffle, options.stop_gradient_norm
    try:
        epochs, steps = fit(params, data, optimiser, options.epochs, *rules, progress, kept)
        seconds = time.perf_counter() - progress.start
        metrics = measure(params, data)
        if steps and not (math.isfinite(metrics["loss"]) and all_finite(params)):
            raise kept.diverged(epochs, steps)
    except Diverged as failure:
        epochs, steps, diverged = kept.epochs, kept.steps, failure
        seconds = time.perf_counter() - progress.start
        metrics = measure(params, data)
    finally:
        progress.close()
    course = {"epochs": epochs, "steps": steps, "seconds": round(seconds, 3)}
    if diverged:
        course["diverged"] = {"epoch": diverged.epoch, "step": diverged.step}
    return course, {"train": metrics}, diverged


def show_metrics(results):
    """Print one line for the training and one for the test samples."""
    for name, metrics in results.items():
        accuracy = f"  accuracy {metrics['accuracy']:.4f}" if "accuracy" in metrics else ""
        print(f"{name} loss {metrics['loss']:.6g}{accuracy}  ({metrics['samples']} samples)")


# --- eval: loss and gradients at given values; bench: the time of a training step ---


def read_values(file):
    """Return the sections of a JSON file of values."""
    try:
        values = json.loads(read_bytes(file))
    except (ValueError, RecursionError) as problem:
        raise Failure(DATA, file, f"It is not JSON: {problem}.") from problem
    sections = {"dims": {}, "params": {}, "inputs": {}}
    if not isinstance(values, dict) or not all(isinstance(v, dict) for v in values.values()):
        raise Failure(DATA, file, 'Write {"params": {NAME: lists}, "inputs": {NAME: lists}}.')
    for section in values:
        if section not in sections:
            known = f"There is no section {section}; there are: {', '.join(sections)}."
            raise Failure(DATA, file, known)
    return {**sections, **values}


def given_array(file, name, lists, shape, kind):
    """Return nested lists as an array of the shape of one sample, or with samples first."""
    place = f"{file}, {name}"
    try:
        values = np.array(lists, np.float64)
    except (ValueError, TypeError):
        wrong = "Expected nested lists of numbers, all of equal length."
        raise Failure(DATA, place, wrong) from None
    if values.shape != shape and values.shape[1:] != shape:
        leading = f"Expected shape {list(shape)}, with a leading axis of samples or without"
        raise Failure(DATA, place, f"{leading}, found {list(values.shape)}.")
    if not np.isfinite(values).all():
        raise Failure(DATA, place, "Expected finite numbers.")
    rows = 1 if values.shape == shape else len(values)
    flat = values.reshape(rows, math.prod(shape))
    columns = [name] * flat.shape[1]
    return checked(name, flat, file, columns).astype(kind).reshape(values.shape)


def given_point(file, params, dtype):
    """Return the samples that a file gives, after setting the parameters that it gives."""
    values = read_values(file) if file else {"dims": {}, "params": {}, "inputs": {}}
    shared = [*PARAMETERS, *STATES, *CONSTANTS]
    shapes = {**INPUTS, **TARGETS, **RANDOMS}
    arrays = {name: np.array(DECLARED[name]) for name in shapes if name in DECLARED}
    for name, size in values["dims"].items():
        if name != SAMPLES and SIZES.get(name) != size:
            built = f"This program was made for {name} = {SIZES.get(name)}, found {size}."
            raise Failure(DATA, f"{file}, {name}", built, "Emit it again with that size.")
    for name, lists in {**values["params"], **values["inputs"]}.items():
        if name in shared:
            params[name][...] = given_array(file, name, lists, params[name].shape, dtype)
        elif name in shapes:
            kind = np.int64 if name in RANGES else dtype
            arrays[name] = given_array(file, name, lists, shapes[name], kind)
        else:
            raise Failure(DATA, f"{file}, {name}", "The network has no tensor of this name here.")
    for name in {**INPUTS, **TARGETS}:
        if name not in arrays:
            missing = f"There are no values for {name}."
            raise Failure(DATA, file or NETWORK, missing, 'Give them under "inputs".')
    return arranged(file, arrays, shapes, dtype)


def arranged(file, arrays, shapes, dtype):
    """Return arrays with samples first; what is given once serves every sample."""
    rows, made = 1, {}
    for name, values in arrays.items():
        whole = values.reshape(-1, *shapes[name]) if SAMPLE_AXIS[name] is not None else values[None]
        made[name] = whole.astype(np.int64 if name in RANGES else dtype)
        if len(whole) != 1 and rows not in (1, len(whole)):
            counts = f"Expected {rows} samples as elsewhere, found {len(whole)}."
            raise Failure(DATA, f"{file}, {name}", counts)
        rows = max(rows, len(whole))
    return {
        name: np.repeat(values, rows // len(values), axis=0)
        if SAMPLE_AXIS[name] is not None
        else values
        for name, values in made.items()
    }


def eval_command(options):
    """Print the loss and its gradients at given values."""
    dtype = np.dtype(options.dtype)
    params = parameters(options.seed, dtype)
    if options.load:
        load_model(options.load, params)
    data = Dataset(options.values or NETWORK, given_point(options.values, params, dtype))
    check_facts(data, "sample")
    batch = data.batch()
    batch = {**with_draws(params, batch, options.seed, 1), **batch}
    value, gradients, _ = loss_and_gradients(params, batch)
    lists = {name: np.asarray(g, dtype).tolist() for name, g in gradients.items()}
    print(as_json({"loss": float(value), "gradients": lists}))
    return 0


def bench_command(options):
    """Print how long a training step takes on drawn data."""
    dtype = np.dtype(options.dtype)
    params = parameters(options.seed, dtype)
    optimiser = optimiser_for(options, params)
    data = random_data(options.seed, options.batch, dtype)
    batch = with_draws(params, data.batch(), options.seed, 1)
    steps, start, seconds = -10, time.perf_counter(), 0.0
    while steps < 1 or seconds < options.seconds:
        if steps == 0:
            start = time.perf_counter()
        gradients, values = loss_and_gradients(params, batch)[1:]
        update(params, gradients, optimiser, values)
        steps += 1
        seconds = time.perf_counter() - start
    each = seconds / steps
    found = {"us_per_step": 1e6 * each, "samples_per_s": options.batch / each}
    print(json.dumps({**found, "steps": steps, "batch": options.batch}))
    return 0


# --- command line ---


def refusal(wanted, text):
    """Return the error of a flag whose value is not what is wanted."""
    return argparse.ArgumentTypeError(f"expected {wanted}, found {quoted(text)}")


def seed_number(text):
    """Return a whole number below 2^64."""
    if not (text.isascii() and text.isdecimal() and len(text) < 25 and int(text) < 2**64):
        raise refusal("a whole number from 0 to 2^64 - 1", text)
    return int(text)


def number(text):
    """Return a finite number."""
    value = number_in(text)
    if value is None:
        raise refusal("a number", text)
    return value


def whole_from(least):
    """Return a reader of whole numbers from ``least``."""

    def whole(text):
        value = number_in(text)
        if value is None or not least <= value < 2**31 or value != int(value):
            raise refusal(f"a whole number from {least}", text)
        return int(value)

    return whole


def setting(text):
    """Return the name and the number of NAME=VALUE."""
    name, equals, value = text.partition("=")
    if not equals:
        raise refusal("NAME=VALUE", text)
    return name, number(value)


def fraction(text):
    """Return a number from 0 to 1/2."""
    value = number_in(text)
    if value is None or not 0 <= value <= 0.5:
        raise refusal("a fraction up to 0.5", text)
    return value


def scaling(text):
    """Return a way of scaling: a word, or a number to divide by."""
    if text not in ("none", "standard", "minmax") and not number_in(text):
        raise refusal("none, standard, minmax, or a number to divide by", text)
    return text


def parser():
    """Return the reader of the command line."""
    made = argparse.ArgumentParser(
        usage="%(prog)s COMMAND [options]",
        description="The network logic, made by derivgen 0.1.0.",
        epilog="Exit codes: 0 ok, 1 a check failed or says nothing or training diverged, 2 usage, 3 data, 5 files.",
        allow_abbrev=False,
    )
    made.add_argument("command", choices=[*COMMANDS])
    add = made.add_argument
    add("--data", nargs="+", metavar="FILE", help="CSV, NPZ, or images and labels in IDX (.gz too)")
    add("--target", action="append", metavar="COLUMN", help="CSV column to predict (the last)")
    add("--scale", type=scaling, metavar="none|standard|minmax|X", help="inputs; X divides")
    add("--load", metavar="FILE", help="start from a saved model (safetensors)")
    add("--seed", type=seed_number, default=0, help="seed of all random numbers (0)")
    add("--dtype", choices=["float32", "float64"], default=DTYPE, help=f"precision ({DTYPE})")
    add("--json", action="store_true", help="print one JSON object")
    add("--output", metavar="FILE", help="write predictions there")
    add("--test", nargs="+", metavar="FILE", help="data to test on")
    add("--holdout", type=fraction, metavar="X", help="every round(1/X)-th row, from 0, is a test")
    add("--epochs", type=whole_from(0), default=EPOCHS, help=f"passes over the data ({EPOCHS})")
    add("--batch", type=whole_from(1), default=BATCH, help=f"samples a step ({BATCH})")
    add("--lr", type=number, help="learning rate")
    add("--optimiser", default=OPTIMISER, metavar="NAME", help=", ".join(OPTIMISERS))
    add("--set", action="append", type=setting, default=[], metavar="NAME=X", help="its setting")
    add("--freeze", action="append", default=[], metavar="NAME", help="leave a parameter alone")
    add("--stop-gradient-norm", type=number, default=0.0, metavar="X", help="stop below this norm")
    add("--save", metavar="FILE", help="write the model (safetensors)")
    add("--one-hot", action="store_true", default=None, help="a target column holds labels")
    add("--no-one-hot", action="store_false", dest="one_hot", help="target columns hold numbers")
    add("--no-shuffle", action="store_false", dest="shuffle", help="rows in the file's order")
    add("--values", metavar="FILE", help="JSON with params and inputs (eval)")
    add("--seconds", type=number, default=1.0, help="how long to measure (bench)")
    return made


COMMANDS = {
    "train": train_command,
    "predict": predict_command,
    "check": check_command,
    "eval": eval_command,
    "bench": bench_command,
}


def names_in(text):
    """Return the names of a list parted by commas; a quoted name may hold commas."""
    return next(csv.reader([text], skipinitialspace=True), []) or [""]


def printable(failure):
    """Return a message in which control characters from a file are spelt out."""
    text = str(failure)
    return "".join(c if c.isprintable() or c == "\n" else f"\\x{ord(c):02x}" for c in text)


def main(arguments=None):
    """Run a command and return its exit code."""
    options = parser().parse_args(arguments)
    for flag in ("target", "freeze"):
        names = getattr(options, flag) or []
        setattr(options, flag, [name for text in names for name in names_in(text)])
    try:
        code = COMMANDS[options.command](options)
        sys.stdout.flush()
        return code
    except Failure as failure:
        print(f"error: {printable(failure)}", file=sys.stderr)
        return failure.code
    except OSError as problem:  # of standard output: files have failures of their own
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(problem, BrokenPipeError):
            return 0
        print(f"error: standard output\n  {problem.strerror}.", file=sys.stderr)
        return FILES
    except KeyboardInterrupt:
        return 130
    except MemoryError:
        print("error: The memory does not suffice; use fewer samples.", file=sys.stderr)
        return FILES


if __name__ == "__main__":
    sys.exit(main())
