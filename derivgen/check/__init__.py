"""Gradient checks: of derivations, of emitted programs, of a person's own code."""

from derivgen.check.directions import check_point
from derivgen.check.gradient import check, check_at
from derivgen.check.messages import CodeProblem, problem
from derivgen.check.own import check_gradient
from derivgen.check.report import Finding, ParameterReport, Report

__all__ = [
    "CodeProblem",
    "Finding",
    "ParameterReport",
    "Report",
    "check",
    "check_at",
    "check_gradient",
    "check_point",
    "problem",
]
