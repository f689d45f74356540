"""Where parameters, states and declared values begin, as plain numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from fractions import Fraction

from derivgen.algebra.affine import Affine, Dim, evaluate_affine
from derivgen.algebra.network import Initialiser, InitialiserRule, Nested, Tensor
from derivgen.errors import EquationError
from derivgen.lowering.program import Start
from derivgen.values.draw import scalar

Rules = Mapping[str, InitialiserRule]


class Starts:
    """How tensors start; a rule over the same fans is worked out once."""

    def __init__(self, numbers: Mapping[Dim, int], rules: Rules) -> None:
        self.numbers = numbers
        self.rules = rules
        self.known: dict[object, Start] = {}

    def of(self, tensor: Tensor) -> Start:
        """Return how a parameter, state or constant starts.

        Raises: EquationError, for an initialiser of an unknown name or number of settings.
        """
        if tensor.values is not None:
            return declared(tensor.values)
        rule = tensor.initialiser
        key = (rule and (rule.name, rule.settings), tensor.fan_in, tensor.fan_out)
        if key not in self.known:
            self.known[key] = self._drawn(tensor, rule)
        return self.known[key]

    def _drawn(self, tensor: Tensor, rule: Initialiser | None) -> Start:
        fan_in = _product(tensor.fan_in, self.numbers)
        if rule is None:
            bound = 1 / math.sqrt(fan_in)
            return Start("uniform", (-bound, bound), "1/sqrt(fan_in)")
        if rule.name in ("uniform", "normal", "constant"):
            return Start(rule.name, tuple(map(float, rule.settings)), _text(rule))
        row = self.rules.get(rule.name)
        if row is None or len(rule.settings) > len(row.settings):
            raise _unknown(tensor, rule, self.rules)
        fan_out = _product(tensor.fan_out, self.numbers)
        given = dict(zip((name for name, _ in row.settings), rule.settings))
        settings = {name: float(given.get(name, default)) for name, default in row.settings}
        values = {"fan_in": float(fan_in), "fan_out": float(fan_out), **settings}
        law = row.distribution
        arguments = [scalar(a, self.numbers, values) for a in law.arguments]
        scale = 1.0 if law.scale is None else scalar(law.scale, self.numbers, values)
        return Start(law.name, tuple(a * scale for a in arguments), _text(rule))


def declared(values: Nested) -> Start:
    """Return the values written in the network's text; one number stands for every entry."""
    if not isinstance(values, tuple):
        return Start("constant", (float(values),), "declared")
    return Start("values", tuple(map(float, flat(values))), "declared")


def flat(values: Nested) -> list[Fraction]:
    """Return nested numbers in row-major order."""
    if not isinstance(values, tuple):
        return [values]
    return [number for part in values for number in flat(part)]


def _product(sizes: tuple[Affine, ...], numbers: Mapping[Dim, int]) -> int:
    return math.prod(evaluate_affine(size, numbers) for size in sizes)


def _unknown(tensor: Tensor, rule: Initialiser, rules: Rules) -> EquationError:
    return EquationError(
        f"{tensor.name} = {_text(rule)}",
        f"There is no initialiser {rule.name} with {len(rule.settings)} settings.",
        f"Initialisers: {', '.join(rules)}, normal(mean, deviation), uniform(low, high), a number.",
        tensor.position,
    )


def _text(rule: Initialiser) -> str:
    if not rule.settings:
        return rule.name
    return f"{rule.name}({', '.join(str(float(value)) for value in rule.settings)})"
