"""Gradients as students write them, right ones and with the usual mistakes.

Each row of `STUDENTS` is a function of a mistake (``None`` for none) that returns loss, gradient
and point; `MISTAKES` lists (student, mistake, part, what the check says of that part).
"""

from __future__ import annotations

import numpy as np

R = np.random.default_rng(3)
X, Y = R.normal(size=(6, 3)), np.eye(2)[R.integers(0, 2, 6)]
T = R.normal(size=(6, 3))


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def softmax(z):
    e = np.exp(z - z.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def draw(**shapes):
    random = np.random.default_rng(5)
    return {name: random.normal(size=shape) for name, shape in shapes.items()}


def ridge(mistake=None):
    y = T[:, 0]

    def f(w):
        return np.mean((X @ w - y) ** 2) / 2 + 0.05 * w @ w

    def grad(w):
        error = X @ w - y
        data = X.T @ error / (1 if mistake == "no mean" else 6)
        return data + (0 if mistake == "no penalty" else 0.1) * w

    return f, grad, draw(w=3)["w"]


def softmax_regression(mistake=None):
    def f(w):
        return -np.mean(np.sum(Y * np.log(softmax(X @ w)), 1))

    def grad(w):
        p = softmax(X @ w)
        delta = -Y * (1 - p) if mistake == "diagonal" else p - Y
        return X.T @ delta / (1 if mistake == "no mean" else 6)

    return f, grad, draw(w=(3, 2))["w"]


def dense(mistake=None):
    def forward(p):
        h = np.tanh(X @ p["W1"] + p["b1"])
        return h, softmax(h @ p["W2"] + p["b2"])

    def f(p):
        return -np.sum(Y * np.log(forward(p)[1])) / 6

    def grad(p):
        h, q = forward(p)
        d2 = (q - Y) / 6
        d1 = d2 @ p["W2"].T * (1 if mistake == "no slope" else 1 - h**2)
        found = {"W1": X.T @ d1, "b1": d1.sum(0), "W2": h.T @ d2, "b2": d2.sum(0)}
        if mistake == "sum twice":
            found["b2"] = found["b2"] * 6
        if mistake == "bias of one sample":
            found["b1"] = d1[0]
        return found

    return f, grad, draw(W1=(3, 4), b1=4, W2=(4, 2), b2=2)


def square(mistake=None):
    def f(p):
        return np.sum((np.tanh(X @ p["W1"]) @ p["W2"] - T) ** 2) / 2

    def grad(p):
        h = np.tanh(X @ p["W1"])
        d = h @ p["W2"] - T
        d1 = d @ (p["W2"] if mistake == "no transpose" else p["W2"].T) * (1 - h**2)
        return {"W1": X.T @ d1, "W2": d.T @ h if mistake == "turned" else h.T @ d}

    return f, grad, draw(W1=(3, 3), W2=(3, 3))


def relu(mistake=None):
    def f(p):
        return np.mean((np.maximum(X @ p["W1"] + p["b1"], 0) @ p["W2"] - T) ** 2)

    def grad(p):
        z = X @ p["W1"] + p["b1"]
        d = 2 * (np.maximum(z, 0) @ p["W2"] - T) / T.size
        dh = d @ p["W2"].T
        dz = dh * ((dh if mistake == "wrong mask" else z) > 0)
        return {"W1": X.T @ dz, "b1": dz.sum(0), "W2": np.maximum(z, 0).T @ d}

    return f, grad, draw(W1=(3, 8), W2=(8, 3)) | {"b1": np.zeros(8)}


def batch_norm(mistake=None):
    def forward(p):
        spread = np.sqrt(p["z"].var(0) + 1e-5)
        return (p["z"] - p["z"].mean(0)) / spread, spread

    def f(p):
        return np.sum((forward(p)[0] * p["gamma"] + p["beta"] - T) ** 2) / 2

    def grad(p):
        xhat, spread = forward(p)
        d = xhat * p["gamma"] + p["beta"] - T
        dx = d * p["gamma"]
        dz = dx / spread
        if mistake != "moments held":
            dz = (dx - dx.mean(0) - xhat * (dx * xhat).mean(0)) / spread
        gamma = (d * xhat).mean(0) if mistake == "mean" else (d * xhat).sum(0)
        return {"z": dz, "gamma": gamma, "beta": d.sum(0)}

    return f, grad, draw(z=(6, 3), gamma=3, beta=3)


def windows(x, k):
    rows, columns = x.shape[2] - k + 1, x.shape[3] - k + 1
    found = np.zeros((*x.shape[:2], k, k, rows, columns))
    for i, j in np.ndindex(k, k):
        found[:, :, i, j] = x[:, :, i : i + rows, j : j + columns]
    return found.transpose(0, 4, 5, 1, 2, 3).reshape(len(x) * rows * columns, -1)


def convolution(mistake=None):
    goal = np.random.default_rng(8).normal(size=(2, 4, 3, 4))

    def forward(p):
        out = windows(p["x"], 3) @ p["w"].reshape(4, -1).T + p["b"]
        return out.reshape(2, 3, 4, 4).transpose(0, 3, 1, 2)

    def f(p):
        return np.sum((forward(p) - goal) ** 2) / 2

    def grad(p):
        d = (forward(p) - goal).transpose(0, 2, 3, 1).reshape(-1, 4)
        columns = (d @ p["w"].reshape(4, -1)).reshape(2, 3, 4, 2, 3, 3)
        dx = np.zeros_like(p["x"])
        for i, j in np.ndindex(3, 3):
            part = columns[..., i, j].transpose(0, 3, 1, 2)
            old = 0 if mistake == "overwritten" else dx[:, :, i : i + 3, j : j + 4]
            dx[:, :, i : i + 3, j : j + 4] = old + part
        w = (d.T @ windows(p["x"], 3)).reshape(4, 2, 3, 3)
        return {"x": dx, "w": w[..., ::-1, ::-1] if mistake == "flipped" else w, "b": d.sum(0)}

    return f, grad, draw(x=(2, 2, 5, 6), w=(4, 2, 3, 3), b=4)


def recurrent(mistake=None):
    def states(p):
        h = [np.zeros(4)]
        for x in X:
            h.append(np.tanh(p["U"] @ x + p["W"] @ h[-1]))
        return h

    def f(p):
        return sum(np.sum((p["V"] @ h - t) ** 2) for h, t in zip(states(p)[1:], T)) / 2

    def grad(p):
        h, found = states(p), {name: np.zeros_like(a) for name, a in p.items()}
        later = np.zeros(4)
        for t in reversed(range(len(X))):
            e = p["V"] @ h[t + 1] - T[t]
            dz = (p["V"].T @ e + later) * (1 - h[t + 1] ** 2)
            found["V"] += np.outer(e, h[t + 1])
            found["U"] += np.outer(dz, X[t])
            step = np.outer(dz, h[t + 1 if mistake == "wrong time" else t])
            found["W"] = step if mistake == "overwritten" else found["W"] + step
            later = 0 * dz if mistake == "cut" else p["W"].T @ dz
        return found

    return f, grad, draw(U=(4, 3), W=(4, 4), V=(3, 4))


def attention(mistake=None):
    def forward(p):
        q, k, v = X @ p["Q"], X @ p["K"], X @ p["V"]
        return q, k, v, softmax(q @ k.T / np.sqrt(3))

    def f(p):
        *_, v, a = forward(p)
        return np.sum((a @ v - T) ** 2) / 2

    def grad(p):
        q, k, v, a = forward(p)
        do = a @ v - T
        da = do @ v.T
        inner = da if mistake == "diagonal" else da - np.sum(da * a, 1, keepdims=True)
        ds = a * (inner * (1 - a) if mistake == "diagonal" else inner)
        ds = ds / (1 if mistake == "no root" else np.sqrt(3))
        found = {"Q": X.T @ (ds @ k), "K": X.T @ (ds.T @ q), "V": X.T @ (a.T @ do)}
        if mistake == "exchanged":
            found["Q"], found["K"] = found["K"], found["Q"]
        return found

    return f, grad, draw(Q=(3, 3), K=(3, 3), V=(3, 3))


def word2vec(mistake=None):
    centre, outer, drawn = 2, 5, (1, 6, 1)

    def f(p):
        u, v = p["U"], p["V"][centre]
        return -np.log(sigmoid(u[outer] @ v)) - sum(np.log(sigmoid(-u[k] @ v)) for k in drawn)

    def grad(p):
        u, v = p["U"], p["V"][centre]
        du, dv = np.zeros_like(u), np.zeros_like(p["V"])
        du[outer] += (sigmoid(u[outer] @ v) - 1) * v
        dv[centre] += (sigmoid(u[outer] @ v) - 1) * u[outer]
        for k in drawn:
            old = 0 if mistake == "overwritten" else du[k]
            du[k] = old + sigmoid(u[k] @ v) * v
            dv[centre] += sigmoid(u[k] @ v) * u[k]
        return {"U": du, "V": dv}

    return f, grad, draw(U=(8, 3), V=(8, 3))


def embedding(mistake=None):
    tokens, goal = np.array([0, 3, 3, 1]), T[:4]

    def f(table):
        return np.sum((table[tokens] - goal) ** 2) / 2

    def grad(table):
        found = np.zeros_like(table)
        if mistake == "repeated index":
            found[tokens] += table[tokens] - goal
        else:
            np.add.at(found, tokens, table[tokens] - goal)
        return found

    return f, grad, draw(E=(6, 3))["E"]


def single_precision(mistake=None):
    x, y = X.astype(np.float32), T[:, 0].astype(np.float32)

    def f(w):
        return np.mean((np.tanh(x @ w.astype(np.float32)) - y) ** 2)

    def grad(w):
        t = np.tanh(x @ w.astype(np.float32))
        return x.T @ (2 * (t - y) / 6 * (1 - t**2)) * (-1 if mistake == "sign" else 1)

    return f, grad, draw(w=3)["w"].astype(np.float32)


def single_precision_inside(mistake=None):
    """Single precision before a difference in doubles: only the values tell."""
    x, y = X.astype(np.float32), T[:, 0]

    def f(w):
        return float(np.mean((np.tanh(x @ w.astype(np.float32)) - y) ** 2))

    def grad(w):
        t = np.tanh(x @ w.astype(np.float32))
        return x.T @ (2 * (t - y) / 6 * (1 - t**2)) * (2 if mistake == "twice" else 1)

    return f, grad, draw(w=3)["w"]


def hinge(mistake=None):
    """At the point one margin is exactly met, a kink, and one is passed."""
    y, x = np.array([1.0, -1, 1, -1, 1, 1]), X.copy()
    x[1] = -3 * x[0] + [1.0, 0.5, 0.0]

    def f(w):
        return np.mean(np.maximum(0, 1 - y * (x @ w))) + 0.01 * w @ w

    def grad(w):
        inside = y * (x @ w) < 1
        return -x.T @ (y if mistake == "no mask" else y * inside) / 6 + 0.02 * w

    return f, grad, x[0] / (x[0] @ x[0])


STUDENTS = {
    student.__name__: student
    for student in (
        *(ridge, softmax_regression, dense, square, relu, batch_norm, convolution, recurrent),
        *(attention, word2vec, embedding, single_precision, single_precision_inside, hinge),
    )
}
TIMES = "times what it should be."
MISTAKES = [
    ("ridge", "no penalty", "x", "A term 0.1 times the parameter is missing"),
    ("ridge", "no mean", "x", ""),
    ("softmax_regression", "no mean", "x", f"6 {TIMES} The 1/6 of a mean may be missing."),
    ("softmax_regression", "diagonal", "x", ""),
    ("dense", "no slope", "W1", ""),
    ("dense", "sum twice", "b2", f"6 {TIMES}"),
    ("dense", "bias of one sample", "b1", ""),
    ("square", "no transpose", "W1", ""),
    ("square", "turned", "W2", "The gradient is transposed."),
    ("relu", "wrong mask", "W1", ""),
    ("batch_norm", "moments held", "z", ""),
    ("batch_norm", "mean", "gamma", f"1/6 {TIMES} A mean may stand for a sum."),
    ("convolution", "overwritten", "x", ""),
    ("convolution", "flipped", "w", "flipped along axis 2, 3"),
    ("recurrent", "wrong time", "W", ""),
    ("recurrent", "overwritten", "W", "The gradient is zero"),
    ("recurrent", "cut", "U", ""),
    ("attention", "diagonal", "Q", ""),
    ("attention", "no root", "K", f"sqrt(3) {TIMES}"),
    ("attention", "exchanged", "Q", "It is the gradient of K."),
    (
        "word2vec",
        "overwritten",
        "U",
        f"Only at U[1, :] is it wrong: there the gradient is 1/2 {TIMES}",
    ),
    ("embedding", "repeated index", "x", "Only x[3, :] is wrong."),
    ("single_precision", "sign", "x", "wrong sign"),
    ("single_precision_inside", "twice", "x", f"2 {TIMES}"),
    ("hinge", "no mask", "x", ""),
]
