"""Values for a network: read from JSON, drawn from a seed, checked against roles and facts."""

from derivgen.algebra.values import Values
from derivgen.values.draw import draw_parameter, draw_random
from derivgen.values.facts import check_facts
from derivgen.values.random import random_values
from derivgen.values.read import read_values

__all__ = [
    "Values",
    "check_facts",
    "draw_parameter",
    "draw_random",
    "random_values",
    "read_values",
]
