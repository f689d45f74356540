"""Layers and losses applied: macros that turn into equations over named tensors.

A layer defined for ``x[i]`` and applied to ``x[t,i]`` carries ``t`` along: every tensor of its
body that depends on the argument gets ``t`` in front, its parameters do not. A loss becomes an
expression where it stands, averaged (or summed) over what it carries.
"""

from __future__ import annotations

from derivgen.algebra.affine import Index
from derivgen.algebra.expressions import Expr, Reduce
from derivgen.algebra.network import Axis
from derivgen.errors import DerivgenError, LimitError, SyntaxProblem
from derivgen.language.body import add_body
from derivgen.language.draft import Draft
from derivgen.language.indexing import index_form
from derivgen.language.lines import (
    IndexLine,
    Span,
    TensorLine,
)
from derivgen.language.parameters import declare_body
from derivgen.language.place import (
    Application,
    Place,
    bind,
)
from derivgen.language.ranges import range_index
from derivgen.language.resolve import expression
from derivgen.language.rows import LayerRow, LossRow, Shared
from derivgen.language.scope import Scope, View, free_letter
from derivgen.language.syntax import Apply, Infix, Ranged, Tree, Word

DEEPEST = 12
MOST_EXPANSIONS = 50_000


def expand_loss(draft: Draft, name: str, tree: Apply, scope: Scope) -> Expr:
    """Return a loss applied to whole tensors, as an expression."""
    row = draft.macros[name]
    count_expansion(draft, draft.loss_depth, scope, tree)
    if not isinstance(row, LossRow):
        raise scope.problem(
            SyntaxProblem,
            f"{name} is a layer: it is applied to whole tensors and gives one.",
            f"Write h = {name}(x, ...) on a line of its own.",
            tree.at,
        )
    place = Place(draft, dict(scope.declared), dict(scope.tensors), dict(scope.values))
    place.active = scope.active
    bound = bind(row, tree.args, place, scope.span, tree.at)
    if bound.extra:
        raise scope.problem(
            SyntaxProblem,
            f"{name} has no setting {next(iter(bound.extra))}.",
            f"Write {row.signature}.",
            tree.at,
        )
    inner = Place(
        draft, dict(bound.letters), dict(bound.views), dict(bound.values), dict(bound.aliases)
    )
    inner.taken = frozenset(index.name for index in bound.outer)
    draft.loss_depth += 1
    try:
        body = expression(row.body, inner.scope(row.span))
    except DerivgenError as error:
        error.position = scope.position(tree.at)
        raise
    finally:
        draft.loss_depth -= 1
    further = bound.carried[len(bound.outer) :]
    return Reduce("sum" if row.summed else "mean", further, body) if further else body


def apply_layer(place: Place, span: Span, tree: Apply, out: str) -> View:
    """Add the equations of a layer applied to whole tensors; ``out`` names its value."""
    name = place.aliases.get(tree.name, tree.name)
    made = place.draft.macros[name]
    scope = place.scope(span)
    count_expansion(place.draft, place.depth, scope, tree)
    if isinstance(made, Shared):
        row, args, names = made.row, _shared_arguments(made, tree, scope), made.names
    elif isinstance(made, LayerRow):
        row, args, names = made, tree.args, {}
    else:
        raise scope.problem(
            SyntaxProblem, f"{name} is a loss, not a layer.", "Use it in loss E = ...", tree.at
        )
    bound = bind(row, args, place, span, tree.at)
    suffix = _free_suffix(place, row, out)
    owner = made.name if isinstance(made, Shared) else suffix
    done = Application(row, bound, out, owner, names, span, tree.at)
    try:
        inner = _inside(place, done, suffix)
        inner.number = _number(place, made, row)
        declare_body(inner, done)
        return _seen_outside(add_body(inner, done, apply_layer), bound.outer)
    except DerivgenError as error:
        if row.span.source is not span.source:
            error.position = place.call or scope.position(tree.at)
        raise


def _seen_outside(view: View, outer: tuple[Index, ...]) -> View:
    """Return a layer's value as the place around it sees it: what it carries there are axes."""
    kept, own = view.carried[: len(outer)], view.carried[len(outer) :]
    axes = (*[Axis(i.low, i.high) for i in own], *(view.axes or ()))
    return View(view.name, axes, kept)


def count_expansion(draft: Draft, depth: int, scope: Scope, tree: Apply) -> None:
    """Refuse layers and losses that apply themselves, or each other without end."""
    draft.expansions += 1
    if depth >= DEEPEST or draft.expansions > MOST_EXPANSIONS:
        limit = f"nested {DEEPEST} deep" if depth >= DEEPEST else f"applied {MOST_EXPANSIONS} times"
        raise scope.problem(
            LimitError,
            f"Layers and losses are {limit} at {tree.name}.",
            "A layer cannot apply itself; write a recurrence over an index.",
            tree.at,
        )


def _shared_arguments(made: Shared, tree: Apply, scope: Scope) -> tuple[Tree, ...]:
    tensors = [param.name for param in made.row.params if param.letters is not None]
    others = [param.name for param in made.row.params if param.letters is None]
    named: list[Tree] = []
    for given, names in ((tree.args, tensors), (made.args, others)):
        spare = iter(names)
        for arg in given:
            if isinstance(arg, Infix) and arg.op == "=":
                named.append(arg)
                continue
            word = next(spare, None)
            if word is None:
                raise scope.problem(
                    SyntaxProblem,
                    f"{made.name} is applied to {len(tensors)} tensor(s).",
                    f"Write {made.name}({', '.join(tensors)}).",
                    tree.at,
                )
            named.append(Infix(arg.at, "=", Word(arg.at, word), arg, arg.at))
    return tuple(named)


def _inside(place: Place, done: Application, suffix: str) -> Place:
    inner = Place(
        place.draft,
        dict(done.bound.letters),
        dict(done.bound.views),
        dict(done.bound.values),
        dict(done.bound.aliases),
        f"_{suffix}",
        done.row.name,
        call=place.call or done.position,
        depth=place.depth + 1,
        taken=frozenset(index.name for index in done.bound.outer),
    )
    for line in done.row.body:
        if isinstance(line, IndexLine):
            for item in line.items:
                inner.letters[item.name] = _local_index(inner, line.span, item)
    return inner


def _free_suffix(place: Place, row: LayerRow, out: str) -> str:
    """Return what the names of a layer's tensors end in: ``out``, or inside a layer a free name."""
    locals_ = [name for name in sorted(row.words) if name != row.output]
    suffix, count = out, 1
    while place.suffix and any(f"{name}_{suffix}" in place.draft.tensors for name in locals_):
        count += 1
        suffix = f"{out}_{count}"
    return suffix


def _local_index(inner: Place, span: Span, item: Ranged) -> Index:
    scope = inner.scope(span)
    made = range_index(item, lambda part: index_form(part, scope), inner.letters)
    return free_letter(made, inner.taken)


def _number(place: Place, made: LayerRow | Shared, row: LayerRow) -> int:
    """Return the layer's number on paper: 0 without parameters, one for a shared layer."""
    if place.number:
        return place.number
    if not any(isinstance(line, TensorLine) and line.role == "param" for line in row.body):
        return 0
    if isinstance(made, Shared) and made.number and made.names:
        return made.number
    place.draft.layer_count += 1
    if isinstance(made, Shared):
        made.number = place.draft.layer_count
    return place.draft.layer_count
