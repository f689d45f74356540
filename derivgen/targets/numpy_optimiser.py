"""Update rules of the library as NumPy functions that work in place."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from derivgen.algebra.affine import Index, affine
from derivgen.algebra.expressions import Access, Add, Expr, Mul, Number, add, neg, tensors_read
from derivgen.algebra.network import Optimiser
from derivgen.algebra.text import text
from derivgen.targets.numpy_expr import show
from derivgen.targets.numpy_grid import Grid, Scope
from derivgen.targets.numpy_names import Names
from derivgen.targets.numpy_nest import INDENT

EVERYWHERE = Index("everywhere", affine(0), affine(1))


@dataclass(frozen=True)
class OptimiserView:
    """A printed update rule: its function, settings with defaults, states with starts."""

    name: str
    function: str
    code: str
    settings: str
    states: str


def optimiser_view(optimiser: Optimiser, outer: Names) -> OptimiserView:
    """Return a printed update rule."""
    names = Names(taken=frozenset(["np"]))
    for name in ("w", "g", "state", "t"):
        names[name]
    settings = [name for name, _ in optimiser.settings]
    function = outer.fresh(f"{optimiser.name}_step")
    rule = _Rule(optimiser, names)
    head = f"def {function}({', '.join(['w', 'g', 'state', 't', *(names[s] for s in settings)])}):"
    lines = [head, f'{INDENT}"""{_words(optimiser)}"""']
    for state, _ in optimiser.states:
        lines.append(f'{INDENT}{names[state]} = state["{state}"]')
    lines += [f"{INDENT}{line}" for line in rule.lines()]
    return OptimiserView(
        optimiser.name,
        function,
        "\n".join(lines),
        _dictionary((s, repr(float(v))) for s, v in optimiser.settings),
        _dictionary((name, text(start)) for name, start in optimiser.states),
    )


def _words(optimiser: Optimiser) -> str:
    words = "; ".join(f"{name}' = {text(expr)}" for name, expr in optimiser.updates)
    return f"{words}." if len(words) < 90 else "One step of the rule, in place."


def _dictionary(entries: Iterable[tuple[str, str]]) -> str:
    inside = ", ".join(f'"{name}": {value}' for name, value in entries)
    return f"{{{inside}}}"


class _Rule:
    """Prints the updates: in place where nobody reads the old value any more."""

    def __init__(self, optimiser: Optimiser, names: Names) -> None:
        self.optimiser = optimiser
        self.local = {name: names[name] for name in ("w", "g", "t")}
        self.local |= {name: names[name] for name, _ in optimiser.settings}
        self.local |= {name: names[name] for name, _ in optimiser.states}
        self.names = names

    def lines(self) -> list[str]:
        updates = [(name.rstrip("'"), expr) for name, expr in self.optimiser.updates]
        lines: list[str] = []
        late: list[str] = []
        for place, (name, expr) in enumerate(updates):
            old_read = any(name in tensors_read(later) for _, later in updates[place + 1 :])
            target = self.local.get(name)
            if old_read or target is None:
                made = self.names[f"{name}'"]
                lines.append(f"{made} = {self._show(expr)}")
                if target is not None:
                    late.append(f"{target}[...] = {made}")
                self.local[f"{name}'"] = made
            else:
                lines += self._in_place(target, name, expr)
                self.local[f"{name}'"] = target
        return lines + late

    def _show(self, expr: Expr, level: int = 0) -> str:
        return show(expr, self._grid(self.local)).at(level)

    def _grid(self, local: Mapping[str, str]) -> Grid:
        scope = Scope({}, {}, self.names, lambda index, trailing: index.name, {}, local=local)
        return Grid((EVERYWHERE,), scope)

    def _in_place(self, target: str, name: str, expr: Expr) -> list[str]:
        """Return ``w -= e`` for ``w - e``, ``m *= a`` and ``m += e`` for ``a*m + e``."""
        if isinstance(expr, Add):
            own = [term for term in expr.terms if name in tensors_read(term)]
            rest = add(*(term for term in expr.terms if term not in own))
            if len(own) == 1 and own[0] == Access(name):
                return [self._grown(target, rest)]
            if len(own) == 1 and (factor := _scalar_times(own[0], name, self._arrays())):
                return [f"{target} *= {self._show(factor)}", self._grown(target, rest)]
        return [f"{target}[...] = {self._show(expr)}"]

    def _arrays(self) -> set[str]:
        return {"w", "g", *(name for name, _ in self.optimiser.states)}

    def _grown(self, target: str, expr: Expr) -> str:
        negative = neg(expr)
        if _negative(expr):
            return f"{target} -= {self._show(negative)}"
        return f"{target} += {self._show(expr)}"


def _negative(expr: Expr) -> bool:
    match expr:
        case Mul((Number(value), *_)) | Number(value):
            return value < 0
        case _:
            return False


def _scalar_times(term: Expr, name: str, arrays: set[str]) -> Expr | None:
    """Return the factor of ``factor * name``, if it is one number for all entries."""
    if not isinstance(term, Mul) or Access(name) not in term.factors:
        return None
    others = [factor for factor in term.factors if factor != Access(name)]
    if any(set(tensors_read(factor)) & {*arrays, *(f"{a}'" for a in arrays)} for factor in others):
        return None
    if len(others) == 1:
        return others[0]
    return Mul(tuple(others))
