"""Update rules as C++ functions over the elements of one parameter.

What depends on settings and the step alone is computed once before the loop.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from derivgen.algebra.expressions import Access, Expr, Number, accesses, children, rebuild
from derivgen.algebra.network import Optimiser
from derivgen.algebra.text import text
from derivgen.errors import EquationError
from derivgen.lowering.program import Program
from derivgen.targets.cpp_expressions import expression
from derivgen.targets.cpp_forms import Scope
from derivgen.targets.cpp_functions import head_lines
from derivgen.targets.cpp_names import Names
from derivgen.targets.cpp_text import comment, wrapped

OWN = ("p", "i", "optimiser", "real")


def rules_of(program: Program) -> dict[str, Optimiser]:
    """Return the optimisers by name; the network's own choice carries its own settings."""
    found = dict(program.optimisers)
    if program.training is not None:
        found[program.training.optimiser.name] = program.training.optimiser
    return found


def rule_line(rule: Optimiser) -> str:
    """Return the table row of a rule: name, settings, starting values of its states."""
    settings = ", ".join(f'{{"{name}", {float(value)!r}}}' for name, value in rule.settings)
    states = ", ".join(_start(rule, name, value) for name, value in rule.states)
    return f'{{"{rule.name}", {{{settings}}}, {{{states}}}}},'


def _start(rule: Optimiser, name: str, value: Expr) -> str:
    if not isinstance(value, Number):
        raise EquationError(
            f"optimiser {rule.name}: state {name} = {text(value)}",
            "A state must start from a number.",
            f"Write state {name} = 0.",
        )
    return repr(float(value.value))


def rule_call(rule: Optimiser, names: Names) -> str:
    """Return the line of `update` that applies a rule to parameter ``p``."""
    call = f"{names[f'{rule.name}_step']}(optimiser, p, g, w);"
    return f'if (optimiser.rule.name == "{rule.name}") {call}'


def rule_lines(rule: Optimiser, program: Program, functions: Names) -> list[str]:
    """Return the function of one rule."""
    names = Names(OWN)
    variables = {"w": names["w"], "g": names["g"]}
    variables |= {name: names[name] for name, _ in rule.states}
    settings = {name: names[name] for name, _ in rule.settings} | {"t": names["t"]}
    scope = _scope(program, variables, settings, names)
    hoisted: dict[Expr, str] = {}
    body: list[str] = []
    stores: list[str] = []
    for name, value in rule.updates:
        plain = name.rstrip("'")
        following = names[f"{plain}_next"]
        moved = _hoisted(value, set(settings), hoisted, names)
        inner = replace(scope, scalars=(*scope.scalars, *((t, n) for t, n in _hoists(hoisted))))
        body.append(f"    const real {following} = {expression(moved, inner)};")
        scope = replace(scope, scalars=(*scope.scalars, (f"{plain}'", following)))
        stores.append(f"    {variables[plain]}[i] = {following};")
    used = [name for name in settings if _is_read(name, rule)]
    lines = ["", *comment(_rule_text(rule)), "template <typename real>"]
    arguments = ["Optimiser<real>& optimiser", "[[maybe_unused]] std::size_t p"]
    if rule.states:
        arguments[1] = "std::size_t p"
    arguments += ["const std::vector<real>& g", "std::vector<real>& w"]
    lines += head_lines(f"void {functions[f'{rule.name}_step']}(", arguments)
    for number, (name, _) in enumerate(rule.states):
        lines.append(f"  real* const {variables[name]} = optimiser.state({number}, p);")
    lines += [f"  {_setting(name, settings[name], rule)}" for name in used]
    outside = _scope(program, {}, settings, names)
    lines += [f"  const real {n} = {expression(e, outside)};" for e, n in hoisted.items()]
    lines += ["  for (std::size_t i = 0; i < w.size(); ++i) {", *body, *stores, "  }", "}"]
    return [part for line in lines for part in wrapped(line)]


def _scope(
    program: Program, variables: Mapping[str, str], settings: Mapping[str, str], names: Names
) -> Scope:
    elements = tuple((name, f"{variable}[i]") for name, variable in variables.items())
    return Scope(program, names, names, names, (*elements, *settings.items()))


def _setting(name: str, variable: str, rule: Optimiser) -> str:
    if name == "t":
        return f"const real {variable} = static_cast<real>(optimiser.step);"
    number = [setting for setting, _ in rule.settings].index(name)
    return f"const real {variable} = optimiser.setting({number});"


def _is_read(name: str, rule: Optimiser) -> bool:
    return any(a.tensor == name for _, value in rule.updates for a in accesses(value))


def _rule_text(rule: Optimiser) -> str:
    parts = [f"{name.rstrip(chr(39))}' = {text(value)}" for name, value in rule.updates]
    return f"{rule.name}: {'; '.join(parts)}"


def _hoists(hoisted: Mapping[Expr, str]) -> list[tuple[str, str]]:
    return [(name, name) for name in hoisted.values()]


def _hoisted(expr: Expr, fixed: set[str], found: dict[Expr, str], names: Names) -> Expr:
    """Replace the largest parts that no element enters by variables made before the loop."""
    parts = children(expr)
    if not parts:
        return expr
    read = accesses(expr)
    if all(a.tensor in fixed for a in read):
        if not read:
            return expr
        if expr not in found:
            found[expr] = names.fresh(f"factor{len(found) + 1}")
        return Access(found[expr])
    return rebuild(expr, tuple(_hoisted(part, fixed, found, names) for part in parts))
