"""What is printed can be read: every formula of the notes, read back and compared with numbers.

The reader knows the network only by its surface table and evaluates both sides itself; it shares
no code with the printer beyond the table.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from derivgen.algebra.network import Equation as Defined
from derivgen.algebra.network import Network
from derivgen.calculus.derivation import Derivation
from derivgen.calculus.engine import derive
from derivgen.forms.latex import latex
from derivgen.forms.style import STYLES
from derivgen.language import parse
from derivgen.notes import document_of
from derivgen.notes.document import equations
from derivgen.notes.surface import surface_table
from derivgen.notes.view import View, make_view
from derivgen.verify import verify_text
from tests.notes.documents import derived

SLOW = ("mazur", "test rows", "test tied", "test window")
READ = ("test mlp", "test softmax", *(pytest.param(name, marks=pytest.mark.slow) for name in SLOW))
# What the reader does not know by now: entrywise quotients, a derivative with something held
# fixed, softmax of an entry, vectors of ones, a bracket with two bounds.
UNREAD = (r"\oslash", r"\right|", r"\operatorname{softmax}", r"\mathbf{1}", r"[0 \le")
# An index called d would look like the d of Ng's and CS231n's derivatives.
LETTERS = """
network letters
dim I = 2, J = 3, K = 4
index i: I, j: J, k: K
input x[i]
target y[k]
param V[j,i], c[j], W[k,j], b[k]
p[j] = sum[i](V[j,i]*x[i]) + c[j]
h[j] = sigmoid(p[j])
q[k] = sum[j](W[k,j]*h[j]) + b[k]
u[k] = sigmoid(q[k])
loss E = 1/2*sum[k]((u[k] - y[k])^2)
"""


def with_invented(view: View) -> Network:
    """Return the network with what the engine named as equations of its own."""
    network = view.derivation.network
    defined = tuple(
        Defined(equality.lhs, equality.rhs)
        for statements in view.forward_of.values()
        for equality in view.fold(statements)
    )
    tensors = {**network.tensors, **{n: view.derivation.tensors[n] for n in view.derivation.named}}
    return replace(network, equations=defined, tensors=tensors)


def lines(derivation: Derivation, style: str) -> Iterator[str]:
    """Yield every displayed equation ``left = right`` of the notes."""
    for equation in equations(document_of(derivation, style=style)):
        left = None
        for line in equation.lines:
            left = line.left or left
            assert left is not None, "an equation begins with a left side"
            text = f"{latex(left)} = {latex(line.right)}"
            if equation.where is not None:
                text += rf" \quad \text{{for }} {latex(equation.where)}"
            yield text


def unread(text: str) -> bool:
    return any(sign in text for sign in UNREAD)


@pytest.mark.parametrize("name", READ)
def test_every_formula_of_the_notes_is_read_back_and_agrees(name: str) -> None:
    view = make_view(derived(name), STYLES["textbook"])
    network, table = with_invented(view), surface_table(view)

    verdicts = {}
    for text in lines(derived(name), "textbook"):
        if not unread(text):
            report = verify_text(text, network, table, kind="formula")
            verdicts[text] = [item.verdict for item in report.items]

    assert len(verdicts) > 10
    bad = {
        t: v for t, v in verdicts.items() if not set(v) <= {"proved", "agrees", "holds_if"} or not v
    }
    assert bad == {}


@pytest.mark.slow
@pytest.mark.parametrize("style", STYLES)
def test_every_style_can_be_read_back(style: str) -> None:
    derivation = derive(parse(LETTERS))
    view = make_view(derivation, STYLES[style])
    network, table = with_invented(view), surface_table(view)

    for text in lines(derivation, style):
        report = verify_text(text, network, table, kind="formula")
        assert [item.verdict for item in report.items if item.verdict == "wrong"] == [], text
