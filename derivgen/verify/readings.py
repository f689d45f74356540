"""The readings a formula leaves open, the plainest first."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product
from typing import Any

from derivgen.algebra.network import Role
from derivgen.formulas.sequence import part_name
from derivgen.formulas.symbols import Symbols
from derivgen.formulas.terms import Claim, Fold, Ref, Term, walk
from derivgen.verify.context import (
    Reading,
)
from derivgen.verify.gates import has_gates
from derivgen.verify.windows import WAYS, slides


@dataclass(frozen=True)
class Features:
    """What a pair of members contains that may be read in several ways."""

    arrays: bool
    data_arrays: bool
    samples: bool
    slopes: bool
    direct: bool  # a slope by a parameter, of something that is no loss
    steps: bool
    signs: frozenset[str]
    products: bool
    deltas: bool = False
    slides: str = ""  # how the network slides windows
    rows: bool = False  # the network's weights stand as a writer of row vectors has them
    capitals: bool = False  # data written with capitals: all samples, whatever else is read
    entrywise: bool = False  # an entrywise product stands before a product without a sign
    explicit: bool = False  # a short form such as dZ, given without another derivative
    gates: bool = False  # delta o, do: by a value that a function of one argument makes


def features(members: tuple[Term, ...], claim: Claim, symbols: Symbols) -> Features:
    """Return what can be read in several ways."""
    terms = [term for member in members for _, term in walk(member)]
    refs = [t.data for t in terms if t.op == "element"]
    whole = [r for r in refs if _is_whole(r, symbols)]
    capitals = any(r.batch for r in refs)
    names = [t.data for t in terms if t.op == "size"]
    slopes = [t for t in terms if t.op == "gradient"]
    return Features(
        arrays=bool(whole) or capitals,
        data_arrays=capitals
        or any(r.tensor in symbols.data_dependent or "{}" in r.tensor for r in whole),
        samples=capitals
        or any(key[0] == "sample" for key in claim.letters.values())
        or any(name in ("m", "N", "n", "M", "B") for name in names)
        or any(isinstance(t.data, Fold) and not t.data.bounds for t in terms),
        slopes=any(_between_values(t, symbols) for t in slopes),
        direct=any(_between_values(t, symbols) and by_parameter(t, symbols) for t in slopes),
        steps=any(t.data.symbol == "step" for t in slopes) and not _is_step(members),
        signs=frozenset(o for t in terms if t.op == "multiply" for o in t.data),
        slides=slides(symbols.network) if whole else "",
        products=any(isinstance(t.data, Fold) and t.data.op == "prod" for t in terms),
        deltas=any(t.data.symbol == "delta" for t in slopes),
        rows=symbols.in_rows,
        capitals=capitals,
        entrywise=any(_is_entrywise(t.data) for t in terms if t.op == "multiply"),
        gates=has_gates(slopes, symbols),
        explicit=[t.data.symbol for t in slopes] == ["d"] and members[0].op == "gradient",
    )


def _is_entrywise(operators: tuple[str, ...]) -> bool:
    first = next((n for n, o in enumerate(operators) if o in (r"\odot", r"\circ")), None)
    return first is not None and "" in operators[first:]


def _is_step(members: tuple[Term, ...]) -> bool:
    """Tell whether ``Delta w`` stands beside a step size: a step leads downhill."""
    first, *rest = members
    slope = first.op == "gradient" and first.data.symbol == "step"
    return slope and any(t.op == "free" for member in rest for _, t in walk(member))


def _is_whole(ref: Ref, symbols: Symbols) -> bool:
    name = ref.tensor
    if "{}" in name:
        name = next(iter(symbols.families[name[:-2]].values()))
    axes = len(symbols.tensors[name].axes)
    return axes > 0 and (not ref.slots or ref.whole_axes > 0)


def _between_values(term: Term, symbols: Symbols) -> bool:
    of = term.args[0]
    losses = (symbols.loss, part_name(symbols.loss))
    return of.op == "element" and of.data.tensor not in losses and not term.data.symbol


def by_parameter(term: Term, symbols: Symbols) -> bool:
    """Tell whether a derivative is taken by a parameter."""
    by = term.args[1]
    if by.op != "element" or "{}" in by.data.tensor:
        return False
    return symbols.tensors[by.data.tensor].role is Role.PARAM


def readings(found: Features, base: Reading) -> list[Reading]:
    """Return the readings worth trying, the plainest first."""
    if base.fixed:
        return [base]
    options: list[list[dict[str, Any]]] = [[{}]]
    if found.samples:
        means = [{"mean": True}, {"mean": False}]
        options.append([{"mean": False}] if base.total else means)
    if found.arrays and found.rows:
        options.append([{}, {"layout": "rows"}])
    if found.arrays:
        dots: list[dict[str, Any]] = [{}, {"dot": "hadamard"}]
        if r"\otimes" in found.signs:
            dots.append({"otimes": "outer"})
        if r"\langle" in found.signs:
            dots.append({"otimes": "outer"})
        if "*" in found.signs:
            dots.append({"star": "product"})
        if "*" in found.signs and found.slides:
            ways = WAYS if found.slides == "+" else (*WAYS[2:], *WAYS[:2])
            dots += [{"star": way} for way in ways]
        options.append(dots)
        options.append([{}, {"tight": True}] if found.entrywise else [{}])
        options.append([{}, {"jacobian": "denominator"}] if found.slopes else [{}])
        options.append([{}, {"forward": True}] if found.products else [{}])
        if found.data_arrays and found.samples:
            mean = not base.total
            batches = [{"batch": "rows", "mean": mean}, {"batch": "columns", "mean": mean}]
            options.append(batches if found.capitals else [{}, *batches])
            options.append([{}, {"share": True}] if found.explicit else [{}])
    if found.slopes:
        own = ["parameters", "member", "all"] if found.direct else ["all"]
        options.append([{}, *({"immediate": which} for which in own)])
    if found.deltas and base.delta_rule:
        options.append([{}, {"delta_sign": -1}])
    if found.gates and not base.gates:
        options.append([{}, {"gates": "argument"}])
    if found.steps:
        options.append([{}, {"step_sign": 1}, {"rate_one": True}])
    made = [_merged(base, parts) for parts in product(*options)]
    return list(dict.fromkeys(made))


def _merged(base: Reading, parts: tuple[dict[str, Any], ...]) -> Reading:
    changes: dict[str, Any] = {}
    for part in parts:
        changes.update(part)
    return replace(base, **changes)
