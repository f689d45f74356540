"""From a derivation to a program that a printer can print."""

from derivgen.lowering.lower import lower
from derivgen.lowering.program import Program

__all__ = ["Program", "lower"]
