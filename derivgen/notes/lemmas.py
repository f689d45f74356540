"""The slopes of defined functions as the notes show them: definition, raw slope, short slope."""

from __future__ import annotations

from derivgen.algebra.expressions import Access, Call, Expr
from derivgen.calculus.derivation import Lemma
from derivgen.forms.layout import formula
from derivgen.notes.document import Block, Equation, Line, Paragraph, Prose, Section
from derivgen.notes.view import View
from derivgen.notes.words import listed, say


def lemma_label(name: str) -> str:
    """Return the label of a function's slope."""
    return f"lemma:{name}"


def lemma_section(view: View) -> list[Block]:
    """Return the section on slopes, if any function was differentiated."""
    lemmas = list(view.derivation.lemmas.values())
    if not lemmas:
        return []
    body: list[Block] = [Paragraph(say(view.lang, "lemma intro"))]
    for lemma in lemmas:
        body.extend(_lemma(view, lemma))
    return [Section(say(view.lang, "lemmas"), tuple(body))]


def _lemma(view: View, lemma: Lemma) -> list[Block]:
    arguments = tuple(Access(name) for name in lemma.params)
    context = view.context()
    definition = Equation(
        f"def:{lemma.name}",
        (
            Line(
                formula(Call(lemma.name, arguments), context),
                formula(lemma.definition, context),
            ),
        ),
    )
    found: list[Block] = [definition]
    for place in range(len(lemma.params)):
        if _asked(view, lemma.name, place):
            found.append(_slope(view, lemma, place, arguments))
    return found


def _asked(view: View, name: str, place: int) -> bool:
    """Settings of a function, after its first parameter, are seldom differentiated by."""
    return place == 0 or len(view.derivation.lemmas[name].params) == 1


def _slope(view: View, lemma: Lemma, place: int, arguments: tuple[Expr, ...]) -> Equation:
    context = view.context()
    order = tuple(int(n == place) for n in range(len(lemma.params)))
    left = formula(Call(lemma.name, arguments, order), context)
    lines = [Line(left, formula(lemma.raw[place], context), why=say(view.lang, "raw"))]
    if lemma.slopes[place] != lemma.raw[place]:
        lines.append(Line(None, formula(lemma.slopes[place], context), why=_rules(view, lemma)))
    label = lemma_label(lemma.name) if place == 0 else f"lemma:{lemma.name}:{place}"
    return Equation(label, tuple(lines))


def _rules(view: View, lemma: Lemma) -> Prose:
    known = list(dict.fromkeys(lemma.rules))
    keys = {"in terms of the output": "rule output", "known function": "rule known function"}
    return listed(view.lang, [say(view.lang, keys[rule]) for rule in known if rule in keys])
