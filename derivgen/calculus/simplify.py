"""Named rules that shorten a backward pass; every use is recorded with the statement before it.

One walk from the loss to the parameters; each adjoint is finished before it is read:

*forward value*       a call whose value a forward equation stores is read from there; an
                      exponential in a stored quotient ``p = exp(z)/s`` is ``p*s``
*earlier adjoint*     a map is put into its reader where the two cancel, or where it was invented
*tidy*                cancel and factor, if that is shorter
*outside the sum*     factors free of the summed index leave the sum, which gets a name
*declared fact*       a sum that a fact fixes is replaced by its value
*merge*               maps with one target become one body
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from derivgen.algebra.affine import Index, affine, indices_of
from derivgen.algebra.expressions import (
    ONE,
    ZERO,
    Access,
    Add,
    Call,
    Condition,
    Div,
    Expr,
    Iverson,
    Mul,
    Node,
    Number,
    Reduce,
    Where,
    add,
    affine_forms,
    free_indices,
    mul,
    quotient_factors,
    replace_nodes,
    seen,
    substitute,
    tensors_read,
    transform,
    walk,
)
from derivgen.algebra.network import Axis, Network, Tensor
from derivgen.algebra.statements import Statement, plain_lhs
from derivgen.calculus.derivation import Named, Rewrite, Step
from derivgen.calculus.parts import surely_inside
from derivgen.calculus.reverse import Forward
from derivgen.calculus.stored import Stored, skeleton, stored_values
from derivgen.calculus.sums import by_fact, condition_indices, has_access, separated
from derivgen.calculus.tidy import tidied, weight

LONGEST_TO_FACTOR = 12


def simplify(
    steps: Sequence[Step], forward: Forward, network: Network, kept: set[str]
) -> tuple[tuple[Step, ...], tuple[int, ...]]:
    """Return the steps with simplified results, auxiliary sums added, and the facts used."""
    paths = [path for step in steps for path in step.contributions]
    reads = Counter(p.upstream.tensor for p in paths if isinstance(p.upstream, Access))
    invented = {step.adjoint for step in steps if _is_invented(step.quantity, forward)}
    work = _Work(forward, network, kept, stored_values(forward), reads, invented)
    done: list[Step] = []
    for step in steps:
        done.extend(work.finish(step))
    return tuple(done), tuple(work.facts)


def _is_invented(quantity: str, forward: Forward) -> bool:
    """Tell whether a quantity is neither the writer's own nor a pre-activation."""
    return quantity in forward.named and quantity not in forward.preactivations


@dataclass
class _Work:
    """The adjoints finished so far and the tables the rules look things up in."""

    forward: Forward
    network: Network
    kept: set[str]
    stored: dict[Expr, list[Stored]]
    reads: Mapping[str, int]
    invented: set[str]
    maps: dict[str, Statement] = field(default_factory=dict)
    scatters: dict[str, Statement] = field(default_factory=dict)
    facts: dict[int, None] = field(default_factory=dict)

    def finish(self, step: Step) -> Iterator[Step]:
        """Yield the auxiliary sums a step came to need, then the step itself, simplified."""
        log: list[Rewrite] = []
        extra: list[Step] = []
        statements: list[Statement] = []
        for statement in step.result:
            statement = self._shorten(statement, log)
            statement = self._facts(statement, step, log)
            statement = self._outside(statement, step, log, extra)
            if statement.body != ZERO:
                statements.append(statement)
            else:
                log.append(Rewrite("zero", (statement,), ()))
        merged = [self._own_letters(s) for s in self._merge(statements, log)]
        yield from extra
        if len(merged) == 1 and self._total(merged[0]):
            self.maps[step.adjoint] = merged[0]
        elif len(merged) == 1 and plain_lhs(merged[0].lhs) is None:
            self.scatters[step.adjoint] = merged[0]
        made = tuple(merged)
        unchanged = not log and made == step.result
        yield step if unchanged else replace(step, rewrites=tuple(log), result=made)

    def _own_letters(self, statement: Statement) -> Statement:
        """Write a plain left side with the letters the tensor was declared with."""
        indices = plain_lhs(statement.lhs)
        letters = self.forward.tensors[statement.lhs.tensor].axis_names
        if indices is None or len(letters) != len(indices):
            return statement
        if all(index.name == letter for index, letter in zip(indices, letters)):
            return statement
        taken = {index.name for index in statement.indices}
        renamed = {
            old: Index(letter, old.low, old.high)
            for old, letter in zip(indices, letters, strict=False)
            if letter != old.name and letter not in taken
        }
        if not renamed or len({*taken, *(i.name for i in renamed.values())}) < len(taken) + len(
            renamed
        ):
            return statement
        mapping = {old: affine(new) for old, new in renamed.items()}
        return replace(
            statement,
            indices=tuple(renamed.get(i, i) for i in statement.indices),
            guard=tuple(substitute(c, mapping) for c in statement.guard),
            lhs=substitute(statement.lhs, mapping),
            body=substitute(statement.body, mapping),
        )

    def _total(self, statement: Statement) -> bool:
        """Tell whether a statement defines its whole tensor, place by place."""
        indices = plain_lhs(statement.lhs)
        if indices is None or statement.bound or statement.guard or statement.op != "sum":
            return False
        axes = self.forward.tensors[statement.lhs.tensor].axes
        return all(i.low == axis.low and i.high == axis.high for i, axis in zip(indices, axes))

    # --- rules on one statement ---

    def _shorten(self, statement: Statement, log: list[Rewrite]) -> Statement:
        statement = self._apply(
            statement, self._values(statement.body, statement.guard), log, "forward value"
        )
        statement = self._inline(self._compose(statement, log), log)
        short = tidied(statement.body)
        return self._apply(statement, (short, ()), log, "tidy")

    def _apply(
        self,
        statement: Statement,
        found: tuple[Expr, tuple[str, ...]],
        log: list[Rewrite],
        rule: str,
    ) -> Statement:
        body, uses = found
        if body == statement.body:
            return statement
        after = replace(statement, body=body)
        log.append(Rewrite(rule, (statement,), (after,), uses))
        return after

    def _values(self, body: Expr, guard: tuple[Condition, ...]) -> tuple[Expr, tuple[str, ...]]:
        """Read stored forward values instead of computing them again."""
        uses: dict[str, None] = {}
        if Call not in seen(body).kinds:
            return body, ()

        def visit(part: Node) -> Node:
            if isinstance(part, Call):
                for stored in self.stored.get(skeleton(part), ()):
                    value = stored.match(part, guard)
                    if value is not None and stored.exact:
                        uses[stored.tensor] = None
                        return value
            return part

        simple = transform(body, visit)
        return self._exponentials(simple, guard, uses)

    def _exponentials(
        self, body: Expr, guard: tuple[Condition, ...], uses: dict[str, None]
    ) -> tuple[Expr, tuple[str, ...]]:
        """Write ``exp(z)`` as ``p*s`` where that cancels."""
        for part in list(walk(body)):
            if not isinstance(part, Call):
                continue
            for stored in self.stored.get(skeleton(part), ()):
                value = stored.match(part, guard)
                if value is None or stored.exact:
                    continue
                tried = tidied(replace_nodes(body, {part: value}))
                if weight(tried) <= weight(body) and part not in walk(tried):
                    uses[stored.tensor] = None
                    return self._exponentials(tried, guard, uses)
        return body, tuple(uses)

    def _inline(self, statement: Statement, log: list[Rewrite]) -> Statement:
        """Put earlier adjoints that are maps into the body, where that pays."""
        for part in seen(statement.body).accesses:
            known = self.maps.get(part.tensor)
            if known is None or not self._promising(known, statement, part):
                continue
            if part not in seen(statement.body).accesses:
                continue
            value = _at_place(known, part)
            put = tidied(times_into(statement.body, part, value))
            body = self._values(put, statement.guard)[0]
            if self._pays(statement, known, part, body):
                uses = (part.tensor,)
                statement = self._apply(statement, (body, uses), log, "earlier adjoint")
        return statement

    def _promising(self, known: Statement, statement: Statement, part: Access) -> bool:
        """Tell cheaply whether putting an adjoint into its reader could shorten anything."""
        if weight(known.body) == 0 or part.tensor in self.invented:
            return True
        others = tensors_read(statement.body)
        return any(name in others for name in tensors_read(known.body))

    def _compose(self, statement: Statement, log: list[Rewrite]) -> Statement:
        """Follow an adjoint that is written at one place only (``adj_p[y] = ...``) to its reader.

        ``sum over I of adj_A[I]*r(I)`` with the one statement ``for J: adj_A[k(J)] += b(J)`` is
        ``sum over J of b(J)*r(k(J))``, which is taken if the two cancel.
        """
        for part in seen(statement.body).accesses:
            known = self.scatters.get(part.tensor)
            made = None if known is None else _composed(statement, known, part)
            if made is not None and weight(made.body) <= weight(statement.body):
                log.append(Rewrite("earlier adjoint", (statement,), (made,), (part.tensor,)))
                return made
        return statement

    def _pays(self, statement: Statement, known: Statement, part: Access, body: Expr) -> bool:
        before, value = weight(statement.body), weight(known.body)
        if weight(body) <= before:
            return True
        if part.tensor in self.kept or part.tensor not in self.invented or statement.bound:
            return False
        once = self.reads.get(part.tensor, 0) == 1
        return weight(body) < before + value or (once and weight(body) == before + value)

    def _facts(self, statement: Statement, step: Step, log: list[Rewrite]) -> Statement:
        """Replace a sum that a declared fact fixes by its value."""
        for number_, fact in enumerate(self.network.facts):
            if not isinstance(fact.left, Reduce) or fact.left.op != "sum":
                continue
            made = by_fact(statement, fact.left, fact.right)
            if made is not None:
                self.facts[number_] = None
                made = replace(made, body=tidied(made.body))
                log.append(Rewrite("declared fact", (statement,), (made,), (f"fact {number_}",)))
                return made
        return statement

    def _outside(
        self, statement: Statement, step: Step, log: list[Rewrite], extra: list[Step]
    ) -> Statement:
        """Take factors free of the summed indices out of a sum, which gets a name."""
        if step.adjoint in self.kept or not statement.bound or plain_lhs(statement.lhs) is None:
            return statement
        outer, inner = separated(statement.body, statement.bound)
        if outer == ONE or not has_access(outer):
            return statement
        inside = set(statement.bound)
        kept = tuple(c for c in statement.guard if not inside & set(condition_indices(c)))
        if kept != statement.guard and not surely_inside(outer, self.forward.tensors):
            return statement
        sum_access, made = self._named_sum(statement, inner, step, extra)
        left = tuple(i for i in statement.indices if i not in statement.bound)
        known = self.maps.get(sum_access.tensor)
        value = _at_place(known, sum_access) if known is not None else sum_access
        after = replace(statement, indices=left, guard=kept, body=tidied(mul(outer, value)))
        uses = (sum_access.tensor,)
        log.append(Rewrite("outside the sum", (statement,), (after,), uses))
        return after

    def _named_sum(
        self, statement: Statement, inner: Expr, step: Step, extra: list[Step]
    ) -> tuple[Access, Statement]:
        left = tuple(i for i in statement.indices if i not in statement.bound)
        used = set(free_indices(inner))
        used |= {i for c in statement.guard for f in affine_forms(c) for i in indices_of(f)}
        indices = tuple(i for i in left if i in used)
        name = self.forward.names.tensor(f"q_{step.quantity}")
        access = Access(name, tuple(affine(i) for i in indices))
        axes = tuple(Axis(i.low, i.high) for i in indices)
        self.forward.tensors[name] = Tensor(name, axes, axis_names=tuple(i.name for i in indices))
        loops = tuple(i for i in statement.indices if i in indices or i in statement.bound)
        made = Statement(loops, statement.guard, access, "sum", inner, statement.equation)
        stands_for = Reduce("sum", statement.bound, inner)
        self.forward.named[name] = Named(name, stands_for, "shared", statement.equation)
        log: list[Rewrite] = []
        result = self._facts(made, step, log)
        if self._total(result):
            self.maps[name] = result
        extra.append(
            Step(step.quantity, name, (), tuple(log), (result,), is_delta=False, auxiliary=True)
        )
        return access, made

    # --- several statements of one target ---

    def _merge(self, statements: list[Statement], log: list[Rewrite]) -> list[Statement]:
        """Add up the maps that write the same places under the same guard."""
        if len(statements) < 2:
            return statements
        groups: dict[object, list[Statement]] = {}
        for number, statement in enumerate(statements):
            groups.setdefault(_merge_key(statement) or number, []).append(statement)
        done: list[Statement] = []
        for group in groups.values():
            if len(group) == 1:
                done.append(group[0])
                continue
            first = group[0]
            bodies = [_onto(statement, first) for statement in group]
            total = _minus_last(add(*bodies))
            # Factoring a long sum hides its terms more than it helps.
            short = tidied(total) if weight(total) <= LONGEST_TO_FACTOR else total
            merged = replace(first, body=short)
            log.append(Rewrite("merge", tuple(group), (merged,)))
            if merged.body != ZERO:
                done.append(merged)
        return done


def _minus_last(body: Expr) -> Expr:
    """Write ``p - y`` rather than ``-y + p``."""
    if not isinstance(body, Add):
        return body
    return add(*sorted(body.terms, key=_is_negative))


def _is_negative(term: Expr) -> bool:
    if isinstance(term, Div):
        return _is_negative(term.numerator)
    first = term.factors[0] if isinstance(term, Mul) else term
    return isinstance(first, Number) and first.value < 0


def times_into(body: Expr, part: Access, value: Expr) -> Expr:
    """Put ``value`` for ``part``; a conditional value goes outermost if ``body`` is a product."""
    if isinstance(value, Where) and not isinstance(body, (Where, Iverson)):
        yes = times_into(body, part, value.yes)
        no = times_into(body, part, value.no)
        return yes if yes == no else Where(value.condition, yes, no)
    return replace_nodes(body, {part: value})


def _composed(statement: Statement, known: Statement, part: Access) -> Statement | None:
    """Return the reader with the one place that was written put in, or ``None``."""
    places = plain_lhs(part)
    above, _ = quotient_factors(statement.body)
    guarded = any(set(places or ()) & set(condition_indices(c)) for c in statement.guard)
    if places is None or above.count(part) != 1 or guarded or statement.op != "sum":
        return None
    others = [i for i in statement.indices if i not in places]
    if {i.name for i in others} & {i.name for i in known.indices}:
        return None
    mapping = dict(zip(places, known.lhs.indices, strict=False))
    body = substitute(replace_nodes(statement.body, {part: _HERE}), mapping)
    return Statement(
        (*known.indices, *others),
        (*known.guard, *statement.guard),
        substitute(statement.lhs, mapping),
        "sum",
        tidied(replace_nodes(body, {_HERE: known.body})),
        statement.equation,
    )


_HERE = Access("#here")


def _at_place(known: Statement, access: Access) -> Expr:
    indices = plain_lhs(known.lhs)
    assert indices is not None, "only maps are put into others"
    mapping = dict(zip(indices, access.indices, strict=False))
    return substitute(known.body, mapping)


def _merge_key(statement: Statement) -> object | None:
    indices = plain_lhs(statement.lhs)
    if indices is None or statement.bound or statement.op != "sum":
        return None
    names = {old: affine(Index(f"#{n}", old.low, old.high)) for n, old in enumerate(indices)}
    ranges = tuple((i.low, i.high) for i in indices)
    return (statement.lhs.tensor, ranges, tuple(substitute(c, names) for c in statement.guard))


def _onto(statement: Statement, first: Statement) -> Expr:
    old, new = plain_lhs(statement.lhs), plain_lhs(first.lhs)
    assert old is not None and new is not None, "only maps are merged"
    return substitute(statement.body, {a: affine(b) for a, b in zip(old, new, strict=False)})
