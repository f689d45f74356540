"""Sizes, indices and the batch index, as the first statements of a network declare them."""

from __future__ import annotations

from derivgen.algebra.affine import Affine, Index, affine, dims_of, evaluate_affine
from derivgen.errors import NameProblem
from derivgen.language.draft import Draft, declare_dim, declare_index
from derivgen.language.indexing import index_form
from derivgen.language.lines import (
    BatchLine,
    IndexLine,
    Span,
)
from derivgen.language.ranges import check_size, range_index
from derivgen.language.rows import names_in
from derivgen.language.scope import Scope
from derivgen.language.syntax import (
    Ranged,
    Tree,
    Word,
    parts_of,
)


def declare_size(draft: Draft, span: Span, name: Word, value: Tree | None) -> None:
    if name.name in draft.dims:
        raise draft.scope(span).problem(
            NameProblem, f"Size {name.name} is declared twice.", "Use two letters.", name.at
        )
    scope = draft.scope(span)
    for other in names_in(value) if value is not None else ():
        if other not in draft.dims:
            raise scope.problem(
                NameProblem,
                f"Size {name.name} is made from {other}, which is not declared before it.",
                f"Write dim {other} first.",
                name.at,
            )
    dim = declare_dim(draft, name.name, span, name.at)
    if value is None:
        return
    form = size_form(value, draft, span)
    check_size(form, scope, value.at, f"Size {name.name}")
    if not form.is_constant:
        draft.derived[dim] = form
    if all(draft.sizes.get(d) is not None for d in dims_of(form)):
        draft.sizes[dim] = evaluate_affine(form, draft.sizes)  # type: ignore[arg-type]


def size_form(tree: Tree, draft: Draft, span: Span) -> Affine:
    """Return a size as an affine form; a letter not declared becomes an open size."""
    stack = [tree]
    while stack:
        part = stack.pop()
        if isinstance(part, Word) and part.name not in draft.dims:
            declare_dim(draft, part.name, span, part.at)
        stack.extend(parts_of(part))
    scope = Scope(span, {}, draft.dims, {}, {})
    return index_form(tree, scope)


def declare_range(draft: Draft, line: IndexLine, item: Ranged) -> None:
    index = range_index(item, lambda part: size_form(part, draft, line.span), draft.indices)
    check_size(index.size, draft.scope(line.span), item.at, f"Index {item.name}")
    declare_index(draft, index, line.span, item.at)
    if line.layers:
        draft.layer_index = index


def declare_batch(draft: Draft, line: BatchLine) -> None:
    if draft.batch is not None:
        raise draft.scope(line.span).problem(
            NameProblem,
            f"The samples are numbered by {draft.batch.name} already.",
            "A network has one batch index.",
            line.name.at,
        )
    if line.size is not None:
        index = range_index(
            line.size, lambda part: size_form(part, draft, line.span), draft.indices
        )
    elif line.name.name in draft.indices:  # index n: N stands as well
        index = draft.indices[line.name.name]
    else:
        dim = declare_dim(draft, _fresh_size(draft, line.name.name), line.span, line.name.at)
        index = Index(line.name.name, affine(0), affine(dim))
    draft.batch = declare_index(draft, index, line.span, line.name.at)


def _fresh_size(draft: Draft, letter: str) -> str:
    for name in (letter.upper(), f"N_{letter}"):
        if name not in draft.dims and name != letter:
            return name
    return f"{letter}_size"


def known_size(draft: Draft, form: Affine) -> int | None:
    """Return a size's value, if the letters in it have values."""
    if any(draft.sizes.get(dim) is None for dim in dims_of(form)):
        return None
    return evaluate_affine(form, draft.sizes)  # type: ignore[arg-type]
