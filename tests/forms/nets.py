"""Small networks of every kind the notes must show, and a reading of explicit equations."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cache
from itertools import product
from typing import Any

import numpy as np

from derivgen.algebra.affine import Affine, Dim, FloorDiv, Index, Lookup, Mod, evaluate_affine
from derivgen.algebra.expressions import (
    Access,
    Add,
    And,
    Call,
    Compare,
    Condition,
    Div,
    Expr,
    IndexValue,
    Iverson,
    Mul,
    Not,
    Number,
    Or,
    Position,
    Pow,
    Reduce,
    Where,
)
from derivgen.calculus.derivation import Derivation
from derivgen.calculus.engine import derive
from derivgen.forms.fold import Equality
from derivgen.forms.style import STYLES
from derivgen.interpret import evaluate
from derivgen.language import parse
from derivgen.notes.view import View, make_view
from derivgen.values import random_values

NETS = {
    "best_path": """
network best_path
dim T = 4, K = 3
index t: T, k: K, j: K
input u[t,k]
param A[j,k], w[k]
v[0,k] = w[k]*u[0,k]
v[t,k] = max[j](v[t-1,j] + A[j,k]) + w[k]*u[t,k]
loss E = logsumexp[k](v[T-1,k])
""",
    "mlp": """
network mlp
dim D = 2, S = 3, K = 4
index d: D, s: S, k: K
input x[d]
target y[k]
param V[s,d], c[s], W[k,s], b[k]
alpha[s] = sum[d](V[s,d]*x[d]) + c[s]
h[s] = sigmoid(alpha[s])
beta[k] = sum[s](W[k,s]*h[s]) + b[k]
yhat[k] = sigmoid(beta[k])
loss E = 1/2*sum[k]((yhat[k] - y[k])^2)
""",
    "softmax": """
network soft
dim D = 2, K = 3
index d: D, k: K
input x[d]
target y[k] onehot
param W[k,d], b[k]
beta[k] = sum[d](W[k,d]*x[d]) + b[k]
yhat[k] = softmax[k](beta[k])
loss E = -sum[k](y[k]*log(yhat[k]))
""",
    "rows": """
network rows
dim N = 4, D = 3, K = 2
batch n: N
index d: D, k: K
input X[n,d]
target Y[n,k]
param W[d,k], b[k]
Z[n,k] = sum[d](X[n,d]*W[d,k]) + b[k]
A[n,k] = sigmoid(Z[n,k])
loss J = 1/4*sum[n,k]((A[n,k] - Y[n,k])^2)
""",
    "recurrent": """
network rnn
dim T = 4, D = 2, J = 3
index t: 1..T, d: D, j: J, k: J
input x[t,d]
target y[j]
param U[j,d], R[j,k], b[j], h0[k]
a[t,j] = sum[d](U[j,d]*x[t,d]) + sum[k](R[j,k]*h[t-1,k]) + b[j]
h[0,k] = h0[k]
h[t,j] = tanh(a[t,j])
loss E = 1/2*sum[j]((h[T,j] - y[j])^2)
""",
    "convolution": """
network conv
dim C = 2, O = 3, H = 4
index c: C, o: O, i: H, j: H, u: 3, v: 3
input x[c,i,j]
target y[o]
param w[o,c,u,v], b[o]
z[o,i,j] = sum[c,u,v](w[o,c,u,v]*x[c, i+u-1, j+v-1; 0]) + b[o]
a[o,i,j] = tanh(z[o,i,j])
p[o] = mean[i,j](a[o,i,j])
loss E = 1/2*sum[o]((p[o] - y[o])^2)
""",
    "window": """
network window
index i: 4, u: 3, m: 9
input x[m]
target y[i]
param w[u], V[m]
g[m] = tanh(V[m]*x[m])
z[i] = sum[u](w[u]*g[2*i + u])
loss E = 1/2*sum[i]((z[i] - y[i])^2)
""",
    "attention": """
network attention
dim T = 3, D = 2
index t: T, s: T, d: D, e: D
input x[t,d]
target y[t,d]
param Q[e,d], K[e,d], V[e,d]
q[t,e] = sum[d](Q[e,d]*x[t,d])
k[t,e] = sum[d](K[e,d]*x[t,d])
v[t,e] = sum[d](V[e,d]*x[t,d])
r[t,s] = sum[e](q[t,e]*k[s,e])/sqrt(2)
w[t,s] = exp(r[t,s])*[s <= t]
n[t] = sum[s](w[t,s])
p[t,s] = w[t,s]/n[t]
o[t,e] = sum[s](p[t,s]*v[s,e])
loss E = 1/2*sum[t,e]((o[t,e] - y[t,e])^2)
""",
    "layers": """
network layers
dim L = 3, N = 2
index l: 1..L, i: N, j: N
input x[j]
target y[i]
param W[l,i,j], b[l,i]
a[0,j] = x[j]
z[l,i] = sum[j](W[l,i,j]*a[l-1,j]) + b[l,i]
a[l,i] = tanh(z[l,i])
loss E = 1/2*sum[i]((y[i] - a[L,i])^2)
""",
    "tied": """
network tied
dim D = 4, H = 2
index d: D, h: H
input x[d]
param W[h,d], b[h], c[d]
z[h] = sum[d](W[h,d]*x[d]) + b[h]
a[h] = tanh(z[h])
r[d] = sum[h](W[h,d]*a[h]) + c[d]
loss E = 1/2*sum[d]((r[d] - x[d])^2) + 1/2*sum[h,d](W[h,d]^2)
""",
    "rectified": """
network rectified
dim D = 3, K = 2
index d: D, k: K
input x[d], g[k]
param W[k,d], v[k], s
z[k] = sum[d](W[k,d]*x[d])
r[k] = relu(z[k])*v[k] + s*g[k]
q = sum[k](r[k]*g[k])
loss E = q^2/3 + max[k](r[k])
""",
}


@cache
def derived(name: str) -> Derivation:
    """Return the derivation of one of the networks."""
    return derive(parse(NETS[name]))


@cache
def viewed(name: str, style: str = "textbook") -> View:
    """Return the view of one of the networks in a style."""
    return make_view(derived(name), STYLES[style])


@cache
def computed(name: str) -> tuple[Mapping[Dim, int], dict[str, Any]]:
    """Return the sizes and all arrays of one of the networks at random values."""
    derivation = derived(name)
    values = random_values(derivation.network, 3)
    return values.dims, dict(evaluate(derivation, values))


# --- explicit equations, read in the slowest way --------------------------------------------------


class Reading:
    """Evaluates explicit expressions entry by entry in plain Python."""

    def __init__(self, derivation: Derivation, dims: Mapping[Dim, int], arrays: Any) -> None:
        self.derivation, self.dims, self.arrays = derivation, dims, arrays

    def at(self, form: Affine, where: Mapping[Index, int]) -> int:
        """Return the value of an index form."""
        total = form.constant
        for atom, count in form.terms:
            total += count * self._atom(atom, where)
        return total

    def _atom(self, atom: Any, where: Mapping[Index, int]) -> int:
        if isinstance(atom, FloorDiv):
            return self.at(atom.inner, where) // atom.divisor
        if isinstance(atom, Mod):
            return self.at(atom.inner, where) % atom.divisor
        if isinstance(atom, Lookup):
            return int(self.entry(Access(atom.tensor, atom.indices), where))
        return evaluate_affine(Affine(((atom, 1),)), {**self.dims, **where})

    def entry(self, access: Access, where: Mapping[Index, int]) -> float:
        """Return an entry of an array; out of range is an error."""
        tensor = self.derivation.tensors[access.tensor]
        place = tuple(
            self.at(form, where) - evaluate_affine(axis.low, self.dims)
            for form, axis in zip(access.indices, tensor.axes, strict=True)
        )
        assert all(p >= 0 for p in place), f"{access} reads before its tensor"
        return float(self.arrays[access.tensor][place])

    def range(self, index: Index) -> range:
        """Return the values of an index."""
        return range(evaluate_affine(index.low, self.dims), evaluate_affine(index.high, self.dims))

    def value(self, expr: Expr, where: Mapping[Index, int]) -> float:
        """Return the value of an expression."""
        match expr:
            case Number(value):
                return float(value)
            case IndexValue(form):
                return self.at(form, where)
            case Access():
                return self.entry(expr, where)
            case Add(terms):
                return sum(self.value(term, where) for term in terms)
            case Mul(factors):
                return self._product(factors, where)
            case Div(a, b):
                return self.value(a, where) / self.value(b, where)
            case Pow(a, b):
                return self.value(a, where) ** self.value(b, where)
            case Call(name, args):
                return self.call(name, [self.value(arg, where) for arg in args])
            case Where(condition, yes, no):
                return self.value(yes if self.holds(condition, where) else no, where)
            case Iverson(condition):
                return float(self.holds(condition, where))
            case Position(indices):
                return self._position(indices, where)
            case Reduce(op, bound, body):
                return self._fold(op, bound, body, where)
        raise AssertionError(f"no reading of {expr}")

    def _product(self, factors: tuple[Expr, ...], where: Mapping[Index, int]) -> float:
        brackets = [f for f in factors if isinstance(f, Iverson)]
        if not all(self.holds(f.condition, where) for f in brackets):
            return 0.0  # what a bracket excludes is never read
        return math.prod(self.value(f, where) for f in factors if not isinstance(f, Iverson))

    def _position(self, indices: tuple[Index, ...], where: Mapping[Index, int]) -> int:
        place = 0
        for index in indices:
            values = self.range(index)
            place = place * len(values) + where[index] - values.start
        return place

    def _fold(
        self, op: str, bound: tuple[Index, ...], body: Expr, where: Mapping[Index, int]
    ) -> float:
        values = [
            self.value(body, {**where, **dict(zip(bound, at, strict=True))})
            for at in product(*map(self.range, bound))
        ]
        folds = {"sum": sum, "max": max, "min": min, "prod": math.prod, "mean": np.mean}
        return float(folds[op](values))

    def call(self, name: str, args: list[float]) -> float:
        """Return the value of a function."""
        known = {"exp": math.exp, "log": math.log, "tanh": math.tanh, "sqrt": math.sqrt}
        if name in known:
            return known[name](*args)
        function = self.derivation.network.functions[name]
        assert function.body is not None, "only defined functions have a value"
        inner = Reading(self.derivation, self.dims, dict(self.arrays))
        named = dict(zip(function.params, args, strict=True))
        inner.entry = lambda access, where: named[access.tensor]  # type: ignore[method-assign]
        return inner.value(function.body, {})

    def holds(self, condition: Condition, where: Mapping[Index, int]) -> bool:
        """Tell whether a condition holds."""
        match condition:
            case Compare(op, left, right):
                a, b = self.value(left, where), self.value(right, where)
                return {
                    "=": a == b,
                    "!=": a != b,
                    "<": a < b,
                    "<=": a <= b,
                    ">": a > b,
                    ">=": a >= b,
                }[op]
            case And(parts):
                return all(self.holds(part, where) for part in parts)
            case Or(parts):
                return any(self.holds(part, where) for part in parts)
            case Not(part):
                return not self.holds(part, where)
        raise AssertionError(f"no reading of {condition}")


def places(reading: Reading, equality: Equality) -> list[dict[Index, int]]:
    """Return the values of the free indices for which an equation claims to hold."""
    found = [
        dict(zip(equality.indices, at, strict=True))
        for at in product(*(reading.range(index) for index in equality.indices))
    ]
    return [at for at in found if all(reading.holds(c, at) for c in equality.where)]
