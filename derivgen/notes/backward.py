"""The backward pass step by step: chain rule, local derivatives, product, simplified result.

Everything is read off the derivation's steps. Invariant: no line here is derived anew; the chain
line has the contributions' own factors, the product line their statements, the last the result.
"""

from __future__ import annotations

from dataclasses import replace

from derivgen.algebra.affine import Index, indices_of
from derivgen.algebra.expressions import ONE, Access, Expr, Iverson, Number, Reduce, mul
from derivgen.algebra.statements import Statement
from derivgen.calculus.derivation import Contribution, Rewrite, Step
from derivgen.calculus.gather import needed
from derivgen.forms.fold import Equality, fold, joined_bounds
from derivgen.forms.math import Math, Op
from derivgen.forms.notation import loss_symbol, partial_name, symbol
from derivgen.forms.plain import plain
from derivgen.notes.document import (
    Block,
    Equation,
    Formula,
    Inline,
    Line,
    Paragraph,
    Prose,
    Ref,
    Section,
)
from derivgen.notes.forward import (
    defining_label,
    forward_label,
    matrix_equation,
    partial_math,
    stack_range,
)
from derivgen.notes.groups import grouped, kind
from derivgen.notes.held import held_fixed
from derivgen.notes.inline import Recursion, recursions
from derivgen.notes.lemmas import lemma_label
from derivgen.notes.stacks import Stack, relative, stack_of_step
from derivgen.notes.view import View, display, side, steps_shown, where
from derivgen.notes.words import join, listed, parted, say

MOST_NAMED = 4  # quantities named in a heading


def backward_label(quantity: str) -> str:
    """Return the label of the equation that gives the derivative by a tensor."""
    return f"b:{quantity}"


def backward_section(
    view: View,
    wrt: tuple[str, ...] | None,
    found: tuple[Stack, ...],
    layer: int | None = None,
) -> Section:
    """Return the whole backward pass; a stack of equal layers appears once."""
    loss = Formula(loss_symbol(view.notation))
    body: list[Block] = [Paragraph(say(view.lang, "backward intro", loss=loss))]
    shown = shown_steps(view, wrt, found, layer)
    if layer is not None:
        view = replace(view, cited=frozenset(step.adjoint for step, _ in shown))
    for run in grouped(view, shown):
        if len(run) > 1 and view.detail != "full":
            body.append(_group_section(view, [step for step, _ in run]))
        else:
            body += [_own_section(view, step, stack) for step, stack in run]
    return Section(say(view.lang, "backward"), tuple(body))


def _own_section(view: View, step: Step, stack: Stack | None) -> Section:
    if stack is None:
        return step_section(view, step)
    section = step_section(relative(view, stack), step)
    told = say(view.lang, "stack step", range=stack_range(view, stack))
    first, *rest = section.body
    if isinstance(first, Paragraph) and first.prose:
        return replace(section, body=(Paragraph(join((*told, *first.prose))), *rest))
    return replace(section, body=(Paragraph(told), *section.body))


def _group_section(view: View, steps: list[Step]) -> Section:
    """Return steps of one kind under one heading."""
    named: list[Prose] = [(Formula(symbol(view.notation, step.quantity)),) for step in steps]
    if len(named) > MOST_NAMED:
        named = [named[0], (Formula(Op("ellipsis")),), named[-1]]
    body: list[Block] = []
    if view.detail != "result" and any(len(_through(step)) > 1 for step in steps):
        body.append(Paragraph(say(view.lang, "paths add")))
    for step in steps:
        parts = step_section(view, step).body
        body += [b for b in parts if not isinstance(b, Paragraph) or not step.result]
    key = kind(view, steps[0]) + " many"
    return Section(say(view.lang, key, quantities=listed(view.lang, named)), tuple(body), 2)


def shown_steps(
    view: View,
    wrt: tuple[str, ...] | None,
    found: tuple[Stack, ...],
    layer: int | None = None,
) -> list[tuple[Step, Stack | None]]:
    """Return the steps to show; a stack's stand where its last layer comes, once for each role."""
    steps = {step.quantity: step for step in view.derivation.steps if not step.auxiliary}
    shown: list[tuple[Step, Stack | None]] = []
    done: set[str] = set()
    for step in steps_shown(view, wrt):
        if layer is not None and not in_layer(view, step, layer):
            continue
        stack = stack_of_step(found, step)
        if stack is None:
            shown.append((step, None))
            continue
        standing = stack.standing[step.quantity]
        if standing not in done:
            done.add(standing)
            shown.append((steps[standing], stack))
    return shown


def in_layer(view: View, step: Step, layer: int) -> bool:
    """Tell whether a step's quantity belongs to the library layer of that number."""
    paper = view.notation.names.get(step.quantity)
    equations = view.derivation.network.equations
    numbered = paper is not None and paper.layer == str(layer)
    named = view.derivation.named.get(step.quantity)
    if named is not None and named.equation >= 0:
        return numbered or equations[named.equation].layer == layer
    return numbered or any(e.layer == layer and e.lhs.tensor == step.quantity for e in equations)


def layers_known(view: View) -> list[int]:
    """Return the numbers of the layers a reader can ask for."""
    numbered = [int(n.layer) for n in view.notation.names.values() if n.layer.isdigit()]
    declared = [e.layer for e in view.derivation.network.equations if e.layer]
    return sorted({*numbered, *declared})


def step_section(view: View, step: Step) -> Section:
    """Return one step: how the loss depends on the quantity, and its derivative."""
    quantity = Formula(symbol(view.notation, step.quantity))
    if not step.result:
        told = Paragraph(say(view.lang, "unused", quantity=quantity))
        return Section(title(view, step), (told, *_result(view, step)), 2, step.quantity)
    body: list[Block] = []
    if step.contributions and view.detail != "result":
        body.append(_readers(view, step, quantity))
        body.extend(_locals(view, step))
    body.extend(_result(view, step))
    return Section(title(view, step), tuple(body), 2, step.quantity)


def title(view: View, step: Step) -> Prose:
    """Return the heading of a step."""
    quantity = Formula(symbol(view.notation, step.quantity))
    return say(view.lang, kind(view, step), quantity=quantity)


def _readers(view: View, step: Step, quantity: Formula) -> Paragraph:
    loss = Formula(loss_symbol(view.notation))
    names = _through(step)
    readers = list(dict.fromkeys(_named_with_ref(view, c.through) for c in step.contributions))
    key = "reads one" if len(names) == 1 else "reads many"
    told = say(view.lang, key, quantity=quantity, loss=loss, readers=listed(view.lang, readers))
    if names == [view.derivation.network.loss]:
        told = ()
    return Paragraph(told)


def _through(step: Step) -> list[str]:
    """Return the tensors through which the quantity reaches the loss."""
    return list(dict.fromkeys(c.through.lhs.tensor for c in step.contributions))


def _named_with_ref(view: View, through: Statement) -> Prose:
    name = Formula(symbol(view.notation, through.lhs.tensor))
    return (name, " ", Ref(defining_label(view, through)))


# --- the chain rule -------------------------------------------------------------------------------


def with_partials(view: View, step: Step) -> View:
    """Return the view that knows the stand-ins for this step's local derivatives."""
    pairs = {_ends(made) for made in step.contributions}
    known = {partial_name(a, b): (a, b) for a, b in sorted(pairs)}
    fixed = {
        partial_name(*_ends(made)): held_fixed(view.dependence, made) for made in step.contributions
    }
    held = {name: tuple((h.tensor, h.form is not None) for h in fixed[name]) for name in fixed}
    style = replace(view.notation.style, product="cdot")
    notation = replace(
        view.notation, partials={**view.notation.partials, **known}, held=held, style=style
    )
    return replace(view, notation=notation)


def _ends(made: Contribution) -> tuple[str, str]:
    return made.through.lhs.tensor, made.operand.tensor


def local_access(view: View, made: Contribution) -> Access:
    """Return the stand-in for ``d out[g] / d A[h]``, with the indices of what is held fixed."""
    name = partial_name(*_ends(made))
    fixed = held_fixed(view.dependence, made)
    more = [held.form for held in fixed if held.form is not None]
    return Access(name, (*made.through.lhs.indices, *made.operand.indices, *more))


def _inner(made: Contribution) -> tuple[Index, ...]:
    """Return the forward sum's indices that the operand does not carry."""
    forms = (*made.through.lhs.indices, *made.operand.indices)
    carried = {i for f in forms for i in indices_of(f)}
    return tuple(i for i in made.statement.indices if i not in carried)


def chain_statement(view: View, made: Contribution) -> Statement:
    """Return the contribution with its local derivative named, not yet put in."""
    if made.upstream == ONE:
        return made.statement
    inner = _inner(made)
    indices = tuple(i for i in made.statement.indices if i not in inner)
    body = mul(made.upstream, local_access(view, made))
    return replace(made.statement, indices=indices, guard=(), body=body)


def local_equality(view: View, made: Contribution) -> Equality:
    """Return ``d out[g] / d A[h] = partial``, summed over what only the forward sum sees."""
    inner = _inner(made)
    kept = joined_bounds(needed(made.statement.guard))
    body: Expr = mul(*(Iverson(c) for c in kept), made.partial)
    rhs = Reduce("sum", inner, body) if inner else body
    return Equality(local_access(view, made), rhs)


def _ambiguous(step: Step) -> bool:
    """Tell whether two contributions run between the same pair of tensors."""
    pairs = [_ends(made) for made in step.contributions]
    return len(set(pairs)) < len(pairs)


def _locals(view: View, step: Step) -> list[Block]:
    """Return the local derivatives, one line for each path."""
    if _ambiguous(step) or _only_loss(step) or _read_off(view, step):
        return []
    seen = with_partials(view, step)
    lines: list[Line] = []
    for made in step.contributions:
        if made.upstream == ONE:  # the loss itself reads it: there is nothing to multiply by
            continue
        left, right = display(seen, local_equality(view, made))
        lines.append(Line(left, right, why=_reasons(view, made)))
    return [Equation(f"local:{step.quantity}", tuple(lines), about=step.quantity)]


def _read_off(view: View, step: Step) -> bool:
    """Tell whether the local derivatives of a number are read off its readers' equations.

    In ``net = w*x + b`` they are ``x`` and ``1``: the product shows them, beside the chain rule.
    """
    return view.detail != "full" and all(
        made.upstream != ONE
        and not made.through.lhs.indices
        and not made.statement.indices
        and isinstance(made.partial, (Access, Number))
        for made in step.contributions
    )


def _reasons(view: View, made: Contribution) -> Prose:
    refs: list[Prose] = [(Ref(defining_label(view, made.through)),)]
    refs += [(Ref(lemma_label(name)),) for name in made.lemmas]
    return say(view.lang, "from eq", ref=listed(view.lang, refs))


def _only_loss(step: Step) -> bool:
    return all(c.upstream == ONE for c in step.contributions)


# --- the result -----------------------------------------------------------------------------------


def _result(view: View, step: Step) -> list[Block]:
    found: list[Block] = []
    equalities = view.folded[step.adjoint]
    for number, equality in enumerate(equalities):
        label = backward_label(step.adjoint if step.auxiliary else step.quantity)
        label += f":{number}" if number < len(equalities) - 1 else ""
        unrolled = recursions(view, equality) if view.is_delta(step) else []
        if len(unrolled) > 1:
            found.append(_equation(view, step, equality, f"c:{label}", number, None))
            found += _recursion_cases(view, step, unrolled, label)
            continue
        last = unrolled[0] if unrolled else None
        found.append(_equation(view, step, equality, label, number, last))
        shown = last.equality if last is not None else equality
        found += matrix_equation(view, shown, f"m:{label}")
    return found


def _recursion_cases(view: View, step: Step, unrolled: list[Recursion], label: str) -> list[Block]:
    """Return the delta of each case, such as the last layer and the layers before it."""
    found: list[Block] = []
    for number, case in enumerate(unrolled):
        left, right = display(view, case.equality)
        own = label if number == len(unrolled) - 1 else f"{label}:case{number}"
        line = Line(left, right, why=_inserted(view, case))
        condition = where(view, case.equality)
        found.append(Equation(own, (line,), condition, True, step.quantity))
        found += matrix_equation(view, case.equality, f"m:{own}")
    return found


def _inserted(view: View, case: Recursion) -> Prose:
    refs: list[Prose] = []
    for name, number in case.used:
        if not view.cites(view.adjoint(name)):
            continue
        last = len(view.folded[view.adjoint(name)]) - 1
        label = backward_label(name) + (f":{number}" if number < last else "")
        refs.append((Ref(label),))
    if not refs:
        return say(view.lang, "inserted unseen")
    return say(view.lang, "inserted", ref=listed(view.lang, refs))


def _equation(
    view: View, step: Step, equality: Equality, label: str, number: int, last: Recursion | None
) -> Equation:
    left, right = display(view, equality)
    lines: list[Line] = []
    if view.detail != "result" and step.contributions:
        history = _history(view, step, equality, number)
        lines += [line for line in history if plain(line.right) != plain(left)]
    if not lines or lines[-1].right != right:
        lines.append(Line(None, right, why=_rules(view, step.rewrites)))
    lines = _defined(view, step, equality, lines, left)
    if last is not None:
        right = side(view, last.equality.rhs, equality)
        lines.append(Line(None, right, why=_inserted(view, last)))
    boxed = view.is_delta(step) or step.quantity in view.derivation.gradients
    boxed = boxed and not label.startswith("c:")
    return Equation(label, tuple(lines), where(view, equality), boxed, step.quantity)


def _defined(
    view: View, step: Step, equality: Equality, lines: list[Line], left: Math
) -> list[Line]:
    """Return the lines headed by the left side; a delta says first what it stands for."""
    if view.is_delta(step) and view.notation.style.delta == "delta":
        partial = partial_math(view, Access(step.quantity, equality.lhs.indices))
        return [Line(left, partial, "def"), *lines]
    return [replace(lines[0], left=left), *lines[1:]]


def _history(view: View, step: Step, equality: Equality, number: int) -> list[Line]:
    """Return the chain rule and the product, as they were before any rewriting."""
    lines: list[Line] = []
    if not _ambiguous(step) and not _only_loss(step):
        chain = _folded_like(view, [chain_statement(view, c) for c in step.contributions], number)
        if chain is not None and chain.lhs == equality.lhs:
            seen = with_partials(view, step)
            right = side(seen, chain.rhs, chain)
            lines.append(Line(None, right, why=say(view.lang, "chain rule")))
    product = _folded_like(view, [c.statement for c in step.contributions], number)
    if product is not None and product.lhs == equality.lhs:
        why = _local_ref(view, step) if lines else ()
        lines.append(Line(None, side(view, product.rhs, product), why=why))
    if view.detail == "full":
        lines += _rewritten(view, step, equality, number)
    return lines


def _local_ref(view: View, step: Step) -> Prose:
    if _read_off(view, step):
        refs = dict.fromkeys(Ref(defining_label(view, c.through)) for c in step.contributions)
        return say(view.lang, "from eq", ref=listed(view.lang, [(ref,) for ref in refs]))
    return say(view.lang, "by eq", ref=Ref(f"local:{step.quantity}"))


def _folded_like(view: View, statements: list[Statement], number: int) -> Equality | None:
    tensor = view.derivation.tensors[statements[0].lhs.tensor]
    found = fold(statements, tensor)
    return found[number] if number < len(found) else None


def _rewritten(view: View, step: Step, equality: Equality, number: int) -> list[Line]:
    """Return a line after each rewrite but the last."""
    current = [c.statement for c in step.contributions]
    lines: list[Line] = []
    for rewrite in step.rewrites[:-1]:
        current = _replaced(current, rewrite)
        folded = _folded_like(view, current, number) if current else None
        if folded is not None and folded.lhs == equality.lhs:
            why = _rules(view, (rewrite,))
            lines.append(Line(None, side(view, folded.rhs, folded), why=why))
    return lines


def _replaced(current: list[Statement], rewrite: Rewrite) -> list[Statement]:
    kept: list[Statement] = []
    pending = list(rewrite.after)
    for statement in current:
        if statement in rewrite.before:
            kept += pending
            pending = []
        else:
            kept.append(statement)
    return kept + pending


SILENT = ("forward value", "earlier adjoint")  # rules that say no more than what they used


def _rules(view: View, rewrites: tuple[Rewrite, ...]) -> Prose:
    """Return what was done and by which equations, for the margin."""
    refs = dict.fromkeys(
        ref for rewrite in rewrites for name in rewrite.uses if (ref := _source(view, name))
    )
    words = dict.fromkeys(
        say(view.lang, f"rule {rewrite.rule}") for rewrite in rewrites if rewrite.rule not in SILENT
    )
    told: list[Prose] = list(words)
    if refs:
        told.insert(0, say(view.lang, "by eq", ref=listed(view.lang, list(refs))))
    return parted(view.lang, told)


def _source(view: View, name: str) -> Prose:
    """Return a reference to where a tensor or adjoint that a rule appealed to is defined."""
    inline: Inline | None = None
    if not view.cites(name):
        return ()
    if name in view.notation.adjoints:
        inline = Ref(backward_label(view.notation.adjoints[name].quantity))
    elif any(step.auxiliary and step.adjoint == name for step in view.derivation.steps):
        inline = Ref(backward_label(name))
    elif name in view.derivation.tensors:
        inline = Ref(forward_label(name))
    return () if inline is None else (inline,)
